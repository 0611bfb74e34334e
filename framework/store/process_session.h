/* process_session.h - the lock session of a process, which its open files share.
 *
 * Opened by the first file that needs one and closed when HDF5 is (or the process is)
 * at its end and no file uses it.  Threads: any.  Fork: a child gets one of its own. */
#ifndef SWIM_STORE_PROCESS_SESSION_H
#define SWIM_STORE_PROCESS_SESSION_H

#include <h5swim/lock.h>

struct process_session;

/* Use the process's session.  Errors as of swim_session_open(). */
int process_session_use(struct process_session **out, swim_error_t *err);
swim_session_t *process_session_of(const struct process_session *session);

/* Its lease has ended: the next one who asks gets another. */
void process_session_retire(struct process_session *session);

/* Accepts NULL. */
void process_session_drop(struct process_session *session);

/* Close it once nobody uses it any more. */
void process_session_end(void);

#endif /* SWIM_STORE_PROCESS_SESSION_H */
