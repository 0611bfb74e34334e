/* worker.h - the processes of a rank: its spawner, readers and writer. */
#ifndef SWIM_BATCH_WORKER_H
#define SWIM_BATCH_WORKER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <h5swim/error.h>
#include <h5swim/lock.h>

#include "batch/job.h"
#include "batch/region.h"
#include "batch/setup.h"

/* What the processes of one rank have in common. */
struct worker {
    const struct job *job;
    struct region *region;
    const char *url; /* as given; the server is worker_server() */
    int64_t wait_ms; /* for locks */
    uint32_t rank;
    uint32_t index; /* of a reader */
};

/* The URL of the lock server of the job; NULL: as lock.h says. */
const char *worker_server(const struct worker *worker);

/* Open the session of a process, with the job's name and the rank. */
int worker_session_open(const struct worker *worker, swim_session_t **out,
                        swim_error_t *err);

/* How a reader or writer opens files, the inputs at the states that the rank has. */
struct setup_access worker_access(const struct worker *worker, swim_session_t *session);

/* Add what this process's locks have cost since the last call to the rank's counters.
 */
void worker_count_locks(const struct worker *worker, swim_session_t *session,
                        struct swim_session_stats *last);

/* Run until the region says stop; returns an exit status. */
int reader_main(const struct worker *worker);
int writer_main(const struct worker *worker);

/* The spawner: a process without threads of MPI, locks or files, which forks the
 * others. */
struct spawner {
    pid_t pid;
    int fd;
};

enum worker_role { WORKER_READER = 1, WORKER_WRITER };

struct worker_event {
    int32_t role; /* enum worker_role */
    int32_t index;
    int32_t status; /* as waitpid() gives it */
    pid_t pid;
};

/* Fork the spawner.  worker must stay as it is until spawner_stop(). */
int spawner_start(const struct worker *worker, struct spawner *out, swim_error_t *err);

/* Have it fork the readers that the region was laid out for, and the writer. */
int spawner_launch(struct spawner *spawner, swim_error_t *err);

/* Have it fork once more what has ended with this event. */
void spawner_again(struct spawner *spawner, const struct worker *worker,
                   const struct worker_event *event);

/* End a reader by force, if it is still at the block that it began then (its busy_ns):
 * its event follows. */
void spawner_kill(struct spawner *spawner, uint32_t reader, int64_t busy_ns);

/* An event, if there is one; *gone: the spawner itself has ended. */
bool spawner_poll(struct spawner *spawner, struct worker_event *event, bool *gone);

/* The spawner has ended: how, as waitpid() gives it. */
int spawner_wait(struct spawner *spawner);

/* Have spawner and workers leave when they have finished what they are at. */
void spawner_quit(const struct spawner *spawner);

#define WORKERS_LEAVE_MS 700 /* for workers, when stopped by a signal */

/* Have spawner and workers leave (signo 0: when they have finished what they are at,
 * else by that signal), wait at most wait_ms, or WORKERS_LEAVE_MS once a signal has
 * come, then end what is left. */
void spawner_stop(struct spawner *spawner, int wait_ms, int signo);

#endif /* SWIM_BATCH_WORKER_H */
