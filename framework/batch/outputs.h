/* outputs.h - the files that a job writes, made or taken over before its first block
 * and finished after its last: by rank 0.  With two phases the file of partial results
 * is one of them. */
#ifndef SWIM_BATCH_OUTPUTS_H
#define SWIM_BATCH_OUTPUTS_H

#include <stdbool.h>
#include <stdint.h>

#include <h5swim/error.h>

#include "batch/setup.h"

struct outputs {
    const struct setup *setup; /* with its inputs open */
    struct store_access access;
    const char *mark; /* what h5swim_unfinished says: the setup's digest and the run */
    const char *command; /* for the history, and when that run began (CLOCK_REALTIME) */
    int64_t began_s;
    bool overwrite; /* replace what is there */
    bool resume;    /* go on with what this job has left; not with overwrite */
    bool goes_on;   /* with resume: this run was to overwrite, and may have begun */
    uint32_t n_ranks, n_hosts; /* that take part, each with a shard; 0: as 1 */
};

enum outputs_begun {
    OUTPUTS_CREATED,
    OUTPUTS_RESUMED,  /* see outputs_progress() */
    OUTPUTS_COMPLETE, /* there is nothing to be done, nor to be finished */
};

/* Make the files, or with resume take over those that are there unfinished, under the
 * new mark.  All are looked at before the first is changed, so that a job that is
 * refused changes nothing.  Errors as of output_create() and output_adopt();
 * SWIM_ERR_ARG: something else is there, the output of another job (the text says what
 * differs), or one output is finished and another is not there. */
int outputs_begin(const struct outputs *outputs, enum outputs_begun *how,
                  swim_error_t *err);

/* The same errors, and *how it would begin; nothing is changed. */
int outputs_check(const struct outputs *outputs, enum outputs_begun *how,
                  swim_error_t *err);

/* The blocks of a phase that need not be done: (phase_blocks + 7) / 8 bytes, bit b of
 * byte b/8.  A block of outputs is done when it is in all files; one of partial results
 * also when its tile, or all of the table, is in the outputs.  After outputs_begin()
 * alone. */
int outputs_progress(const struct outputs *outputs, uint32_t phase, unsigned char *bits,
                     swim_error_t *err);

/* In what the job that is described in the outputs differs from this one, as
 * setup_difference() tells it; "" and 0: nothing, or nothing can be said. */
size_t outputs_difference(const struct outputs *outputs, char *text, size_t size);

/* All blocks are done: take the marks away.  Files that are finished already stay so.
 * Errors as of output_finish(). */
int outputs_finish(const struct outputs *outputs, swim_error_t *err);

/* Remove partial results that nobody wants any more: after outputs_begin(), with what
 * it said, and after outputs_finish(), with OUTPUTS_COMPLETE.  Errors as of
 * output_look() and output_remove(); they are in nobody's way. */
int outputs_clear(const struct outputs *outputs, enum outputs_begun how,
                  swim_error_t *err);

/* Whether what is finished is in the files themselves.  It is not when others have one
 * open, who will copy it, or when the lock server could not tell that nobody has. */
bool outputs_are_copied(const struct outputs *outputs);
/* Try that once more. */
void outputs_copy(const struct outputs *outputs);

/* The job has ended without: what was committed goes into the files themselves, if
 * nobody has them open, and into the masters of outputs that have shards. */
void outputs_settle(const struct outputs *outputs);

/* While the job goes on: now and then, not before *next_ns (monotonic, 0 at first),
 * what is committed in shards goes into their masters. */
void outputs_checkpoint(const struct outputs *outputs, int64_t *next_ns);

#endif /* SWIM_BATCH_OUTPUTS_H */
