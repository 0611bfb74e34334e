/* view_picture.c - a slice of a dataset, made so small that it goes on a screen.
 *
 * It is read in bands, one for each row of cells.  Of a slice that is too large to be
 * read whole one row of each band is read, and of rows that are too long a part of each
 * cell. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/view.h"
#include "core/signals.h"

#define READ_MAX ((uint64_t)1 << 24)  /* values of a slice that are read at most */
#define PIECE_MAX ((uint64_t)1 << 20) /* at once */

struct drawing {
    const struct dataset_info *info;
    struct dataset *dataset;
    const uint64_t *index;
    uint64_t ny, nx;
    struct view_picture *picture;
    double *values;        /* of a piece */
    double *sums, *counts; /* of a row of cells */
    bool rows_picked, columns_picked;
};

/* Where part i of n begins; there are no more parts than elements. */
static uint64_t part_start(uint64_t length, uint32_t i, uint32_t n)
{
    return length / n * i + length % n * i / n;
}

static void piece_add(struct drawing *d, uint32_t column, uint64_t rows, uint64_t from,
                      uint64_t wide)
{
    const uint32_t n = d->picture->columns;

    for (uint64_t y = 0; y < rows; y++) {
        uint32_t c = column;
        for (uint64_t x = 0; x < wide; x++) {
            const double value = d->values[y * wide + x];
            while (c + 1 < n && from + x >= part_start(d->nx, c + 1, n))
                c++;
            if (isnan(value))
                continue;
            d->sums[c] += value;
            d->counts[c]++;
        }
    }
}

/* A piece of the slice; column: of the cell in which it begins. */
static int piece_read(struct drawing *d, uint64_t y, uint64_t rows, uint32_t column,
                      uint64_t x, uint64_t wide, swim_error_t *err)
{
    uint64_t start[SWIM_NDIM_MAX] = {0}, count[SWIM_NDIM_MAX] = {0};
    const uint64_t nowhere[SWIM_NDIM_MAX] = {0};
    const uint32_t n = d->info->ndim;

    for (uint32_t i = 0; i + 2 < n; i++) {
        start[i] = d->index[i];
        count[i] = 1;
    }
    if (n > 1) {
        start[n - 2] = y;
        count[n - 2] = rows;
    }
    start[n - 1] = x;
    count[n - 1] = wide;
    int rc = dataset_read(d->dataset, start, count, d->values, count, nowhere, err);
    if (rc == SWIM_OK)
        piece_add(d, column, rows, x, wide);
    return rc;
}

/* Rows from y on, all of their values. */
static int rows_read(struct drawing *d, uint64_t y, uint64_t rows, swim_error_t *err)
{
    const uint64_t wide = d->nx < PIECE_MAX ? d->nx : PIECE_MAX;
    const uint64_t at_once = PIECE_MAX / wide;
    int rc = SWIM_OK;

    for (uint64_t done = 0; rc == SWIM_OK && done < rows; done += at_once)
        for (uint64_t x = 0; rc == SWIM_OK && x < d->nx; x += wide) {
            uint64_t high = rows - done < at_once ? rows - done : at_once;
            uint64_t long_ = d->nx - x < wide ? d->nx - x : wide;
            rc = piece_read(d, y + done, high, 0, x, long_, err);
        }
    return rc;
}

/* Of one row the beginning of each cell. */
static int cells_read(struct drawing *d, uint64_t y, swim_error_t *err)
{
    const uint32_t n = d->picture->columns;
    uint64_t room = READ_MAX / d->picture->rows / n;
    int rc = SWIM_OK;

    room = room < 1 ? 1 : room < PIECE_MAX ? room : PIECE_MAX;
    for (uint32_t c = 0; rc == SWIM_OK && c < n; c++) {
        uint64_t x = part_start(d->nx, c, n);
        uint64_t wide = part_start(d->nx, c + 1, n) - x;
        rc = piece_read(d, y, 1, c, x, wide < room ? wide : room, err);
    }
    return rc;
}

static int band_read(struct drawing *d, uint32_t row, swim_error_t *err)
{
    struct view_picture *p = d->picture;
    uint64_t y = part_start(d->ny, row, p->rows);
    uint64_t rows = part_start(d->ny, row + 1, p->rows) - y;
    double *cells =
        p->cells + (size_t)(p->flipped ? p->rows - 1 - row : row) * p->columns;

    memset(d->sums, 0, p->columns * sizeof(*d->sums));
    memset(d->counts, 0, p->columns * sizeof(*d->counts));
    int rc = swim_signals_check("read the slice", err);
    if (rc != SWIM_OK)
        return rc;
    if (d->rows_picked) {
        y += rows / 2;
        rows = 1;
    }
    rc = d->columns_picked ? cells_read(d, y, err) : rows_read(d, y, rows, err);
    for (uint32_t c = 0; c < p->columns; c++) {
        cells[c] = d->counts[c] > 0 ? d->sums[c] / d->counts[c] : (double)NAN;
        if (isfinite(cells[c])) {
            p->low = cells[c] < p->low ? cells[c] : p->low;
            p->high = cells[c] > p->high ? cells[c] : p->high;
        }
    }
    return rc;
}

static int drawing_begin(struct drawing *d, const struct source *source,
                         swim_error_t *err)
{
    struct view_picture *p = d->picture;

    p->low = (double)INFINITY;
    p->high = -(double)INFINITY;
    d->rows_picked = d->ny > p->rows && d->nx > READ_MAX / d->ny;
    d->columns_picked = d->nx > p->columns && d->nx > READ_MAX / p->rows &&
                        (d->rows_picked || d->ny == p->rows);
    p->picked = d->rows_picked || d->columns_picked;
    p->cells = calloc((size_t)p->rows * p->columns, sizeof(*p->cells));
    d->sums = calloc(p->columns, sizeof(*d->sums));
    d->counts = calloc(p->columns, sizeof(*d->counts));
    d->values = calloc(PIECE_MAX, sizeof(*d->values));
    if (!p->cells || !d->sums || !d->counts || !d->values)
        return swim_error_set(err, SWIM_ERR_NOMEM, "read %s: no memory", d->info->path);
    return dataset_open(source, d->info, SWIM_TYPE_F64, NULL, &d->dataset, err);
}

/* Whole times, so that cells are alike. */
static int magnify(struct view_picture *p, uint32_t rows, uint32_t columns,
                   swim_error_t *err)
{
    const uint32_t down = p->rows ? rows / p->rows : 0;
    const uint32_t across = p->columns ? columns / p->columns : 0;
    const uint32_t wide = p->columns * across;
    const size_t n = (size_t)p->rows * down * wide;
    double *cells = calloc(n ? n : 1, sizeof(*cells));

    if (!cells)
        return swim_error_set(err, SWIM_ERR_NOMEM, "draw a picture: no memory");
    for (uint32_t y = 0; y < p->rows * down; y++)
        for (uint32_t x = 0; x < wide; x++)
            cells[(size_t)y * wide + x] =
                p->cells[(size_t)(y / down) * p->columns + x / across];
    free(p->cells);
    p->cells = cells;
    p->rows *= down;
    p->columns = wide;
    return SWIM_OK;
}

int view_picture(const struct source *source, const struct dataset_info *info,
                 const uint64_t *index, uint32_t rows, uint32_t columns,
                 struct view_picture *out, swim_error_t *err)
{
    struct drawing d = {.info = info, .index = index, .picture = out};

    d.nx = info->shape[info->ndim - 1];
    d.ny = info->ndim > 1 ? info->shape[info->ndim - 2] : 1;
    *out = (struct view_picture){.flipped = out->flipped,
                                 .rows = d.ny < rows ? (uint32_t)d.ny : rows,
                                 .columns = d.nx < columns ? (uint32_t)d.nx : columns};
    int rc = drawing_begin(&d, source, err);
    for (uint32_t row = 0; rc == SWIM_OK && row < out->rows; row++)
        rc = band_read(&d, row, err);
    if (rc == SWIM_OK)
        rc = magnify(out, rows, columns, err);
    dataset_close(d.dataset);
    free(d.values);
    free(d.counts);
    free(d.sums);
    if (rc != SWIM_OK)
        view_picture_clear(out);
    return rc;
}

void view_picture_clear(struct view_picture *picture)
{
    free(picture->cells);
    picture->cells = NULL;
}
