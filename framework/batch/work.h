/* work.h - the arrays of one block, as a kernel gets them. */
#ifndef SWIM_BATCH_WORK_H
#define SWIM_BATCH_WORK_H

#include "batch/blocks.h"
#include "batch/setup.h"

/* A swim_block whose arrays describe a range; where the data lie is set by the caller.
 */
struct work_array {
    struct swim_array array;
    uint64_t shape[SWIM_NDIM_MAX];
    ptrdiff_t strides[SWIM_NDIM_MAX];
    uint64_t offset[SWIM_NDIM_MAX];
};

struct work {
    struct swim_block block;
    uint32_t halo_lo[SWIM_NDIM_MAX], halo_hi[SWIM_NDIM_MAX];
    uint32_t no_halo[SWIM_NDIM_MAX];
    struct work_array *inputs, *outputs;
    const struct swim_array **input_list;
    struct swim_array **output_list;
};

int work_create(const struct setup *setup, struct work **out, swim_error_t *err);
void work_destroy(struct work *work);

/* Describe range: inputs of that range, or of its windows (plus the plan's halo),
 * outputs of the tile around it.  Data pointers become NULL. */
void work_set_range(struct work *work, const struct setup *setup, uint64_t index,
                    const struct block_range *range);

/* The shape of an input's buffer: the range plus the halo; *elements is its product,
 * and the result the number of the element at which array.data points. */
uint64_t work_buffer_shape(const struct work *work, const struct setup *setup,
                           const struct block_range *range, uint64_t *shape,
                           uint64_t *elements);

#endif /* SWIM_BATCH_WORK_H */
