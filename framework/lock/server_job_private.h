/* server_job_private.h - what starts the lock server of a job, and what keeps it. */
#ifndef SWIM_LOCK_SERVER_JOB_PRIVATE_H
#define SWIM_LOCK_SERVER_JOB_PRIVATE_H

#include <stdbool.h>

#include "server_job.h"

/* The descriptors of the keeper, and no others. */
enum {
    JOB_CONFIG, /* for redis-server */
    JOB_OUT,    /* its log */
    JOB_ERR,
    JOB_STARTER, /* a pidfd: of the process that it ends with */
    JOB_ALIVE,   /* closed when the keeper has ended */
    JOB_FDS
};

/* The server whose log this is says, or has said, that it listens. */
bool server_job_listened(int log);

/* The server has just started: ask for its run id, and vouch that no earlier lock can
 * be alive. */
int server_job_greet(struct server_job *job, swim_error_t *err);

#endif /* SWIM_LOCK_SERVER_JOB_PRIVATE_H */
