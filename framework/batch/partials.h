/* partials.h - the accumulators of a reduce, in a file beside the first output until
 * they are merged: OUTPUT.h5swim-partials, made, written and finished as the outputs
 * are (setup_target); block b is row b.  In the byte order of the machine. */
#ifndef SWIM_BATCH_PARTIALS_H
#define SWIM_BATCH_PARTIALS_H

#include <stddef.h>
#include <stdint.h>

#include <h5swim/error.h>

#include "batch/setup.h"

struct partials;

/* Open it for reading, as it is committed now; READ is held until it is closed. Errors
 * as of source_open(). */
int partials_open(const struct setup *setup, const struct store_access *access,
                  struct partials **out, swim_error_t *err);

/* The accumulator of a block, acc_bytes of it. */
int partials_read(struct partials *partials, uint64_t block, void *acc,
                  swim_error_t *err);

/* Accepts NULL. */
void partials_close(struct partials *partials);

#endif /* SWIM_BATCH_PARTIALS_H */
