/* sample.h - a plane, or a line, of a dataset in few cells. */
#ifndef SWIM_REPORT_SAMPLE_H
#define SWIM_REPORT_SAMPLE_H

#include <stdint.h>

#include <h5swim/error.h>

#include "store/dataset.h"

/* The last two axes, y and x, of a dataset at one place of all others; one of one axis
 * is a line of height 1.  Of the elements that lie in a cell: how many have a value,
 * their mean, the smallest and the largest. */
struct sample {
    uint64_t height, width;        /* in elements */
    uint64_t ny, nx;               /* in cells */
    uint64_t place[SWIM_NDIM_MAX]; /* of the plane, along the other axes */
    double *mean, *min, *max;      /* ny * nx; NaN where no element has a value */
    uint64_t n_looked, n_missing;  /* elements */
    double least, most, average;   /* of those that have a value; NaN: there is none */
};

/* Cells are at most max_y * max_x.  A plane of more than budget bytes, as chunks that
 * have to be decoded, is looked at in places: one tile of some, in each direction.
 * The plane is in the middle of the other axes: at their ends results are special.
 * info has at least one axis, and no axis of length 0.
 * Errors: those of dataset_open() and dataset_read(). */
int sample_read(const struct source *source, const struct dataset_info *info,
                uint64_t max_y, uint64_t max_x, uint64_t budget, struct sample **out,
                swim_error_t *err);
void sample_destroy(struct sample *sample);

/* The element in the middle of a cell, of n cells over length elements. */
uint64_t sample_middle(uint64_t cell, uint64_t n, uint64_t length);

#endif /* SWIM_REPORT_SAMPLE_H */
