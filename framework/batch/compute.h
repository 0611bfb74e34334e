/* compute.h - one block: read, run the kernel, convert, encode. */
#ifndef SWIM_BATCH_COMPUTE_H
#define SWIM_BATCH_COMPUTE_H

#include <stdint.h>

#include "batch/inputs.h"
#include "batch/region.h"
#include "batch/setup.h"

struct compute;

/* Buffers for one reader.  setup, inputs and region are the caller's and must outlive
 * it. */
int compute_create(const struct setup *setup, struct inputs *inputs,
                   struct region *region, uint32_t reader, struct compute **out,
                   swim_error_t *err);
void compute_destroy(struct compute *compute);

/* Do a block (SETUP_MERGE: a tile, or a part of a table) and leave records (payload.h)
 * of at most room bytes in payload.  Errors: SWIM_ERR_KERNEL with block, offsets and
 * the kernel's own message; as inputs_begin(), inputs_read(). */
int compute_block(struct compute *compute, enum setup_phase phase, uint64_t block,
                  void *payload, uint64_t room, uint64_t *n_bytes, swim_error_t *err);

/* filter: how many rows the table has, at least, with the block that was done last. */
uint64_t compute_rows(const struct compute *compute);

/* follow: the inputs are others from here on; they stay the caller's. */
void compute_take_inputs(struct compute *compute, struct inputs *inputs);

/* follow: behind that, a record of the coordinates of the block's rows, if it is the
 * one that has them, and there are any. */
int compute_coordinates(struct compute *compute, uint64_t block, void *payload,
                        uint64_t room, uint64_t *n_bytes, swim_error_t *err);

#endif /* SWIM_BATCH_COMPUTE_H */
