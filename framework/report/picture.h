/* picture.h - what an output holds, for the page: a picture, a line or a number. */
#ifndef SWIM_REPORT_PICTURE_H
#define SWIM_REPORT_PICTURE_H

#include <h5swim/error.h>
#include <jansson.h>

#include "store/dataset.h"

/* Look at a dataset.  *out is an object of:
 *   name, units, long_name, type, shape, chunks (null: none), filters
 *   place    of the plane: an object per axis before the last two, of name, units,
 *            calendar, index, length, value (null: no coordinates)
 *   axes     of the plane, y before x: name, units, calendar, length, values of the
 *            cells (null: no coordinates)
 *   min, max, mean, missing (share)
 *   low, high, cells   two axes: the range of the colours, and a byte for each cell,
 *            0: missing, 1 to 255: from low to high; base64, row by row; ny, nx
 *   lowest, highest, means   one axis: lists of numbers or null, of each cell
 *   value    no axis
 * Numbers that JSON has not (infinite ones) are null.  Errors: those of
 * dataset_inspect() and dataset_read(). */
int picture_read(const struct source *source, const char *dataset, json_t **out,
                 swim_error_t *err);

#endif /* SWIM_REPORT_PICTURE_H */
