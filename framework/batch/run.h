/* run.h - running a job: the driver, the ranks, the result. */
#ifndef SWIM_BATCH_RUN_H
#define SWIM_BATCH_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include <h5swim/error.h>

#include "batch/job.h"
#include "batch/link.h"

struct run_options {
    const struct job *job; /* the job; NULL: that of job_path */
    const char *job_path;
    const char *const *sets; /* "--set" texts, put over what job_path holds */
    size_t n_sets;
    uint32_t n_ranks;   /* 0: 1, or what the launcher says */
    uint32_t n_readers; /* per rank; 0: as many as there are processors for it */
    bool overwrite, resume, fail_fast, dry_run, json, quiet;
    bool join;           /* n_ranks ranks join a job that runs */
    const char *url;     /* of the lock server; NULL: as lock.h says */
    int64_t wait_ms;     /* for locks; as in struct swim_lock_options */
    const char *command; /* for the history attribute, with ... */
    int64_t began_s;     /* ... when it was given, since 1970 */
    const char *record;  /* the file for the record of the run; "none": no record;
                            NULL: beside the first output */
};

/* Whether, on stderr, it says how it gets on: errors are said in any case. */
static inline bool run_tells(const struct run_options *options)
{
    return !options->quiet && !options->json;
}

/* Run the job; prints progress, the result and errors.  Returns an exit status. */
int run_job(const struct run_options *options);

/* One rank, in its own process.  shared: under fork; NULL: under MPI. */
int rank_main(const struct run_options *options, const struct job *job,
              struct fork_shared *shared, uint32_t rank);

/* One rank that joins a job, in its own process, and what came of it. */
struct join_outcome {
    uint32_t rank, n_readers;
    uint64_t blocks, bytes_read, bytes_written;
    bool joined; /* it has got a number */
    bool done;   /* all blocks of the job are done */
    int32_t status;
    swim_error_t error; /* else why it has left; SWIM_OK: by a signal */
};
int rank_join(const struct run_options *options, const struct job *job,
              struct join_outcome *outcome);

/* Fork ranks that join, wait for them, tell what came of it.  Returns an exit status.
 */
int join_main(const struct run_options *options, const struct job *job);

/* Fork the ranks, wait for them, pass signals on.  Returns an exit status. */
int driver_main(const struct run_options *options, const struct job *job,
                uint32_t n_ranks);

#define RUN_FAILED_BLOCKS 3 /* exit status: finished, but for blocks that failed */

/* The exit status for how a run ended. */
int run_exit_status(int code, int signo);

/* Processors that this process may use. */
uint32_t run_processors(void);

#endif /* SWIM_BATCH_RUN_H */
