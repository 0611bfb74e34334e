/* boxes.h - blocks out of a grid of them, put together into few boxes.
 *
 * Pure arithmetic.  The blocks of a grid are numbered in C order, a bit for each says
 * whether it is meant: bit b of byte b/8. */
#ifndef SWIM_BATCH_BOXES_H
#define SWIM_BATCH_BOXES_H

#include <stdbool.h>
#include <stdint.h>

#include <h5swim/kernel.h>

struct boxes {
    uint32_t ndim;
    uint64_t parts[SWIM_NDIM_MAX]; /* blocks along each axis */
    unsigned char *bits;           /* the caller's; they are cleared */
    uint64_t next;                 /* no bit before this one is set; 0 at first */
};

/* The box that begins at the first block that is left, as large as it goes along the
 * last axis, then the one before, and so on; its bits are cleared.  false: none is
 * left. */
bool boxes_next(struct boxes *boxes, uint64_t *start, uint64_t *count);

#endif /* SWIM_BATCH_BOXES_H */
