/* run.h - running a job: the driver, the ranks, the result. */
#ifndef SWIM_BATCH_RUN_H
#define SWIM_BATCH_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include <h5swim/error.h>

#include "batch/job.h"
#include "batch/link.h"

struct run_options {
    const char *job_path;
    const char *const *sets; /* "--set" texts */
    size_t n_sets;
    uint32_t n_ranks;   /* 0: 1, or what the launcher says */
    uint32_t n_readers; /* per rank; 0: as many as there are processors for it */
    bool overwrite, resume, fail_fast, dry_run, json, quiet;
    const char *url;     /* of the lock server; NULL: as lock.h says */
    int64_t wait_ms;     /* for locks; as in struct swim_lock_options */
    const char *command; /* for the history attribute */
};

/* Run the job; prints progress, the result and errors.  Returns an exit status. */
int run_job(const struct run_options *options);

/* One rank, in its own process.  shared: under fork; NULL: under MPI. */
int rank_main(const struct run_options *options, const struct job *job,
              struct fork_shared *shared, uint32_t rank);

/* Fork the ranks, wait for them, pass signals on.  Returns an exit status. */
int driver_main(const struct run_options *options, const struct job *job,
                uint32_t n_ranks);

#define RUN_FAILED_BLOCKS 3 /* exit status: finished, but for blocks that failed */

/* The exit status for how a run ended. */
int run_exit_status(int code, int signo);

/* Processors that this process may use. */
uint32_t run_processors(void);

#endif /* SWIM_BATCH_RUN_H */
