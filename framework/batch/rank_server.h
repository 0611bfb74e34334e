/* rank_server.h - the lock server of a job whose ranks are on several hosts.
 *
 * What rank 0 is given (--redis, SWIM_REDIS_URL) is for all ranks that are given none:
 * launchers do not hand the environment on to other hosts.  When it is given none it
 * starts a server for this job alone (lock/server_job.h), which ends with rank 0. */
#ifndef SWIM_BATCH_RANK_SERVER_H
#define SWIM_BATCH_RANK_SERVER_H

#include <h5swim/error.h>

#include "batch/region.h"
#include "batch/run.h"

/* Collective over the ranks: the URL for this rank and its workers; "": as for any
 * other program, which is so when all are on one host.  Rank 0 says on stderr, unless
 * options->quiet, what the server means for programs beside the job.
 *
 * Errors: SWIM_ERR_IO (no server, or this rank cannot reach it), SWIM_ERR_ARG (another
 * rank is given one and rank 0 is not; SWIM_INTERFACE), SWIM_ERR_CANCELLED.  Waits for
 * the other ranks, or until a signal. */
int rank_server_find(struct link *link, const struct run_options *options,
                     char url[REGION_URL_SIZE], swim_error_t *err);

#endif /* SWIM_BATCH_RANK_SERVER_H */
