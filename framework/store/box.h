/* box.h - a box of elements inside a C array, walked over row by row. */
#ifndef SWIM_STORE_BOX_H
#define SWIM_STORE_BOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <h5swim/kernel.h>

/* A box of count[] at start[] in an array of shape[]; rows are as long as they are
 * contiguous in both. */
struct box {
    uint32_t ndim;              /* dimensions that are walked over, slowest first */
    uint64_t n[SWIM_NDIM_MAX];  /* their lengths */
    size_t step[SWIM_NDIM_MAX]; /* elements of the array from one to the next */
    uint64_t at[SWIM_NDIM_MAX];
    size_t row;    /* elements per row */
    size_t offset; /* of the current row in the array */
    size_t done;   /* elements of the box before the current row */
};

/* At the first row.  False: the box is empty. */
bool box_begin(struct box *box, uint32_t ndim, const uint64_t *shape,
               const uint64_t *start, const uint64_t *count);

/* To the next row; false: there is none. */
bool box_next(struct box *box);

/* Copy a box of count[] elements of size bytes from one array to another. */
void box_copy(uint32_t ndim, const uint64_t *count, size_t size, const void *src,
              const uint64_t *src_shape, const uint64_t *src_start, void *dst,
              const uint64_t *dst_shape, const uint64_t *dst_start);

/* Set n elements of size bytes to one. */
void box_fill(void *dst, size_t n, const void *element, size_t size);

#endif /* SWIM_STORE_BOX_H */
