/* join_serve.h - rank 0's end of the way to ranks that have joined.
 *
 * A thread listens for their letters and sends the answers, so that a lock server that
 * is slow or away keeps rank 0 from nothing; the letters are answered in rank 0's loop,
 * which alone asks the coordinator.  While nobody has joined it costs one connection to
 * the server, and no question. */
#ifndef SWIM_BATCH_JOIN_SERVE_H
#define SWIM_BATCH_JOIN_SERVE_H

#include <stdbool.h>
#include <stdint.h>

#include <h5swim/lock.h>

#include "batch/link.h"

struct join_serve;

/* The session is that which holds the lock of the job (job_lock.h): by that those who
 * join find it.  It outlives the serve.  quiet: says nothing of who goes. */
int join_serve_start(swim_session_t *session, bool quiet, struct join_serve **out,
                     swim_error_t *err);

/* Answer what has come; now and then see who is gone.  Never waits.  Accepts NULL. */
void join_serve_turn(struct join_serve *serve, struct link *link);

/* The job is over: these orders are told to all that have joined, and to whoever asks
 * from now on.  Accepts NULL. */
void join_serve_over(struct join_serve *serve, struct link *link,
                     const struct rank_orders *orders);

/* Are there still some that have not left and were heard of lately? */
bool join_serve_remain(struct join_serve *serve, struct link *link);

/* Send what is to be sent, for a moment at most, and end.  Accepts NULL. */
void join_serve_stop(struct join_serve *serve);

#endif /* SWIM_BATCH_JOIN_SERVE_H */
