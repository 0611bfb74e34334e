/* edges.h - reading a block with its halo, also where that lies beyond the dataset. */
#ifndef SWIM_BATCH_EDGES_H
#define SWIM_BATCH_EDGES_H

#include <stdint.h>

#include <h5swim/kernel.h>

#include "batch/blocks.h"

struct edges {
    uint32_t ndim;
    const uint64_t *extent;
    const uint32_t *halo_lo, *halo_hi;
    const enum swim_edge *mode;
    const void *constant; /* one element, for SWIM_EDGE_CONSTANT */
    uint32_t element_size;
};

/* Reads a part that lies inside the dataset: dataset_read(), or a test's own. */
typedef int (*edges_read_fn)(void *from, const uint64_t *start, const uint64_t *count,
                             void *buf, const uint64_t *buf_shape,
                             const uint64_t *buf_start, swim_error_t *err);

/* The position inside 0 ... extent-1 whose element stands at position p, which may lie
 * outside; -1: the constant. */
int64_t edges_source(enum swim_edge mode, uint64_t extent, int64_t p);

/* Fill buf, a C array of the range's shape plus the halo on each side.  Parts inside
 * the dataset are read in one piece, the rest piece by piece as the modes say. */
int edges_read(const struct edges *edges, const struct block_range *range, void *buf,
               edges_read_fn read, void *from, swim_error_t *err);

#endif /* SWIM_BATCH_EDGES_H */
