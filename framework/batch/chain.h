/* chain.h - the inputs of the last kernel of a chain, computed by those before it.
 *
 * What a kernel wants is a range of its inputs with a halo.  Of that, what lies within
 * the dataset is cut into pieces (edges.h), and the kernel before computes each of them
 * at its place, from inputs that are got in the same way; what lies beyond the edge is
 * filled in from that, as the edge modes of the one that wants it say.  So each value
 * is the one that a file in between would have had. */
#ifndef SWIM_BATCH_CHAIN_H
#define SWIM_BATCH_CHAIN_H

#include <stdint.h>

#include "batch/inputs.h"
#include "batch/region.h"
#include "batch/setup.h"

struct chain;

/* For a reader; *out is NULL when the job has one kernel.  setup and region are the
 * caller's and must outlive it. */
int chain_create(const struct setup *setup, struct region *region, uint32_t reader,
                 struct chain **out, swim_error_t *err);
void chain_destroy(struct chain *chain);

/* Fill the buffers of the last kernel's inputs for a range of a block.  inputs: of the
 * first kernel.  Errors: SWIM_ERR_KERNEL with the kernel that failed; as inputs_read().
 */
int chain_read(struct chain *chain, struct inputs *inputs, uint64_t block,
               const struct block_range *range, void *const *bufs, swim_error_t *err);

/* n elements of what one kernel gives as what the next one takes: as from a file, where
 * missing is what its integers say for a missing value. */
int chain_convert(enum swim_type from, const void *src, enum swim_type to, void *dst,
                  uint64_t n, double missing, swim_error_t *err);

#endif /* SWIM_BATCH_CHAIN_H */
