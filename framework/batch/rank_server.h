/* rank_server.h - the lock server of a job whose ranks are on several hosts.
 *
 * What rank 0 is given (--redis, SWIM_REDIS_URL) is for all ranks that are given none:
 * launchers do not hand the environment on to other hosts.  When it is given none it
 * starts a server for this job alone (lock/server_job.h), which ends with rank 0. */
#ifndef SWIM_BATCH_RANK_SERVER_H
#define SWIM_BATCH_RANK_SERVER_H

#include <h5swim/error.h>

#include "batch/link.h"
#include "batch/run.h"
#include "batch/worker.h"

/* Collective over the ranks: this rank's session at the job's lock server, whose URL is
 * in the region for its workers; "": as for any other program, which is so when all are
 * on one host.  Rank 0 says on stderr, unless options->quiet, what a server of the
 * job's own means for programs beside it.
 *
 * *session is the caller's to close, also after an error, and may be NULL then.
 * Errors: SWIM_ERR_IO (no server, or this rank cannot reach it), SWIM_ERR_ARG (another
 * rank is given one and rank 0 is not, or one is at another server than rank 0;
 * SWIM_INTERFACE), SWIM_ERR_CANCELLED.  Waits for the other ranks, or until a signal.
 */
int rank_server_open(struct link *link, const struct run_options *options,
                     struct worker *worker, swim_session_t **session,
                     swim_error_t *err);

#endif /* SWIM_BATCH_RANK_SERVER_H */
