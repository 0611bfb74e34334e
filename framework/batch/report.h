/* report.h - what a person or a program gets to see of a run. */
#ifndef SWIM_BATCH_REPORT_H
#define SWIM_BATCH_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "batch/coordinator.h"
#include "batch/joined.h"
#include "batch/run.h"
#include "batch/setup.h"

/* How a run ended; setup may be NULL when it did not get that far. */
struct run_result {
    const struct run_options *options;
    const struct job *job;
    const struct setup *setup;
    const struct coordinator *coordinator;
    const struct coordinator_rank *ranks;
    swim_error_t error;
    int exit_status;
    bool complete; /* it had been done before */
    double seconds;
    const char *record; /* the file; NULL: there is none */
};

/* What all ranks have come to, those that have joined too. */
struct run_sums {
    uint64_t blocks, readers, bytes_read, bytes_written, bytes_stored;
    uint64_t locks, locks_waited, lock_wait_ns;
    double gb_per_s;
    struct joined_sums joined;
};
void report_sum_up(const struct run_result *result, struct run_sums *sums);

/* "done", "failed", ... */
const char *report_status(const struct run_result *result);

/* The error line (stderr) and the summary (stdout), or the one JSON object (stdout).
 * The exit status of the run: that of result, but 1 when it is done and the
 * object, which a program waits for, could not be written. */
int report_result(const struct run_result *result);

/* --dry-run: what would be done. */
int report_plan(const struct run_options *options, const struct job *job,
                const struct setup *setup, uint32_t n_ranks, uint32_t n_readers,
                uint32_t slots_each, swim_error_t *err);

/* Puts object, which it takes, on a line of stdout.  SWIM_ERR_NOMEM: there is none. */
int report_json_put(json_t *object, swim_error_t *err);

#endif /* SWIM_BATCH_REPORT_H */
