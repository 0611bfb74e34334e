/* outputs.h - the output files of a job, made before its first block and finished after
 * its last: by rank 0. */
#ifndef SWIM_BATCH_OUTPUTS_H
#define SWIM_BATCH_OUTPUTS_H

#include <stdbool.h>

#include <h5swim/error.h>

#include "batch/setup.h"

struct outputs {
    const struct setup *setup; /* with its inputs open */
    struct store_access access;
    const char *mark;    /* what h5swim_unfinished says */
    const char *command; /* for the history */
    bool overwrite;
};

/* All outputs are looked at before the first is made, so that a job that is refused
 * leaves nothing behind.  Errors as of output_create(). */
int outputs_create(const struct outputs *outputs, swim_error_t *err);

/* Take the mark away.  Errors as of output_finish(). */
int outputs_finish(const struct outputs *outputs, swim_error_t *err);

/* The job has ended without: what was committed goes into the files themselves, if
 * nobody has them open. */
void outputs_settle(const struct outputs *outputs);

#endif /* SWIM_BATCH_OUTPUTS_H */
