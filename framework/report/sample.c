/* sample.c - a plane of a dataset in few cells.
 *
 * It is read tile by tile, a tile being some whole chunks, so that no chunk is decoded
 * twice and memory stays small whatever the dataset.  When that is too much, tiles are
 * single chunks, and every other one is left out, along the axis that has more, until
 * it is not; a cell is then at least as large as the tiles that one of them stands for.
 */
#include "report/sample.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#define TILE_ELEMENTS ((uint64_t)1 << 20) /* at least, where there are so many */
#define TILE_MAX ((uint64_t)1 << 24)
#define FLAT_ELEMENTS 64 /* of a small tile in a dataset without chunks */
#define TILES_MOST 40000 /* reads, where tiles are left out */

/* One axis of the plane. */
struct side {
    uint64_t length, tile, n_tiles;
    uint64_t step; /* one tile of so many is read */
    uint64_t cells;
};

struct plane {
    struct sample *s;
    struct dataset *set;
    uint32_t ndim;
    struct side y, x;
    double *tile;
    double sum;
};

uint64_t sample_middle(uint64_t cell, uint64_t n, uint64_t length)
{
    return (uint64_t)(((double)cell + 0.5) * (double)length / (double)n);
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* The same, and at least one. */
static uint64_t some(uint64_t a, uint64_t b)
{
    uint64_t least = smaller(a, b);

    return least ? least : 1;
}

/* --- tiles ----------------------------------------------------------------------- */

static void side_cut(struct side *side, uint64_t tile)
{
    side->tile = some(tile, side->length);
    side->n_tiles = (side->length + side->tile - 1) / side->tile;
}

/* Whole chunks: as many beside each other as make a tile, then below each other; or one
 * alone, or a few elements of a dataset that has none. */
static void tiles_plan(struct plane *p, const struct dataset_info *info, bool small)
{
    uint64_t chunk_y = p->ndim > 1 && info->chunked ? info->chunk[p->ndim - 2] : 1;
    uint64_t chunk_x = info->chunked ? info->chunk[p->ndim - 1] : FLAT_ELEMENTS;

    chunk_y = some(chunk_y, smaller(p->y.length, TILE_MAX));
    chunk_x = some(chunk_x, smaller(p->x.length, TILE_MAX / chunk_y));
    uint64_t wide = small ? 1 : TILE_ELEMENTS / (chunk_x * chunk_y);
    side_cut(&p->x, chunk_x * (wide ? wide : 1));
    uint64_t high = small ? 1 : TILE_ELEMENTS / (p->x.tile * chunk_y);
    side_cut(&p->y, chunk_y * (high ? high : 1));
    p->y.step = p->x.step = 1;
}

/* Bytes that are decoded for one tile: chunks reach along the other axes, too. */
static double tile_cost(const struct plane *p, const struct dataset_info *info)
{
    double bytes =
        (double)swim_type_size(info->stored_type) * (double)(p->y.tile * p->x.tile);

    for (uint32_t i = 0; info->chunked && i + 2 < p->ndim; i++)
        bytes *= (double)info->chunk[i];
    return bytes;
}

static uint64_t side_read(const struct side *side)
{
    return (side->n_tiles + side->step - 1) / side->step;
}

static uint64_t tiles_read(const struct plane *p)
{
    return side_read(&p->y) * side_read(&p->x);
}

static void steps_plan(struct plane *p, const struct dataset_info *info,
                       uint64_t budget)
{
    tiles_plan(p, info, false);
    if (tile_cost(p, info) * (double)tiles_read(p) <= (double)budget)
        return;
    tiles_plan(p, info, true);
    double cost = tile_cost(p, info);
    while (tiles_read(p) > 1 && (tiles_read(p) > TILES_MOST ||
                                 cost * (double)tiles_read(p) > (double)budget)) {
        if (side_read(&p->y) >= side_read(&p->x))
            p->y.step *= 2;
        else
            p->x.step *= 2;
    }
}

static void cells_plan(struct side *side, uint64_t max)
{
    side->cells = smaller(side->step > 1 ? side_read(side) : side->length, max);
}

/* The cell of an element. */
static uint64_t cell_of(const struct side *side, uint64_t element)
{
    if (side->step == 1)
        return (uint64_t)((double)element * (double)side->cells / (double)side->length);
    uint64_t group = element / side->tile / side->step;
    return group * side->cells / side_read(side);
}

/* --- elements -------------------------------------------------------------------- */

static void cell_add(struct plane *p, uint64_t *counts, uint64_t cell, double value)
{
    struct sample *s = p->s;

    s->n_looked++;
    if (isnan(value)) {
        s->n_missing++;
        return;
    }
    p->sum += value;
    s->mean[cell] = counts[cell]++ ? s->mean[cell] + value : value;
    s->min[cell] = fmin(s->min[cell], value);
    s->max[cell] = fmax(s->max[cell], value);
    s->least = fmin(s->least, value);
    s->most = fmax(s->most, value);
}

static int tile_read(struct plane *p, uint64_t ty, uint64_t tx, uint64_t *counts,
                     swim_error_t *err)
{
    static const uint64_t origin[SWIM_NDIM_MAX];
    uint64_t start[SWIM_NDIM_MAX], count[SWIM_NDIM_MAX];
    uint64_t y0 = ty * p->y.tile, x0 = tx * p->x.tile;
    uint64_t ny = smaller(p->y.tile, p->y.length - y0);
    uint64_t nx = smaller(p->x.tile, p->x.length - x0);

    for (uint32_t i = 0; i < p->ndim; i++) {
        start[i] = p->s->place[i];
        count[i] = 1;
    }
    start[p->ndim - 1] = x0;
    count[p->ndim - 1] = nx;
    if (p->ndim > 1) {
        start[p->ndim - 2] = y0;
        count[p->ndim - 2] = ny;
    }
    int rc = dataset_read(p->set, start, count, p->tile, count, origin, err);
    for (uint64_t y = 0; y < ny && rc == SWIM_OK; y++) {
        uint64_t row = cell_of(&p->y, y0 + y) * p->s->nx;
        for (uint64_t x = 0; x < nx; x++)
            cell_add(p, counts, row + cell_of(&p->x, x0 + x), p->tile[y * nx + x]);
    }
    return rc;
}

static int plane_read(struct plane *p, uint64_t *counts, swim_error_t *err)
{
    struct sample *s = p->s;
    uint64_t n = s->ny * s->nx;
    int rc = SWIM_OK;

    for (uint64_t i = 0; i < n; i++)
        s->mean[i] = s->min[i] = s->max[i] = NAN;
    s->least = s->most = NAN;
    for (uint64_t ty = 0; ty < p->y.n_tiles && rc == SWIM_OK; ty += p->y.step)
        for (uint64_t tx = 0; tx < p->x.n_tiles && rc == SWIM_OK; tx += p->x.step)
            rc = tile_read(p, ty, tx, counts, err);
    for (uint64_t i = 0; i < n; i++)
        if (counts[i])
            s->mean[i] /= (double)counts[i];
    uint64_t valued = s->n_looked - s->n_missing;
    s->average = valued ? p->sum / (double)valued : NAN;
    return rc;
}

/* --- all of it ------------------------------------------------------------------- */

static int sample_make(const struct plane *p, const struct dataset_info *info,
                       uint64_t **counts, swim_error_t *err)
{
    struct sample *s = p->s;
    size_t cells = (size_t)(p->y.cells * p->x.cells), n = cells > 0 ? cells : 1;

    s->height = p->y.length;
    s->width = p->x.length;
    s->ny = p->y.cells;
    s->nx = p->x.cells;
    for (uint32_t i = 0; i + 2 < p->ndim; i++)
        s->place[i] = info->shape[i] / 2;
    s->mean = malloc(n * sizeof(double));
    s->min = malloc(n * sizeof(double));
    s->max = malloc(n * sizeof(double));
    *counts = calloc(n, sizeof(**counts));
    if (!s->mean || !s->min || !s->max || !*counts)
        return swim_error_set(err, SWIM_ERR_NOMEM, "read %s in %s", info->path,
                              info->file);
    return SWIM_OK;
}

int sample_read(const struct source *source, const struct dataset_info *info,
                uint64_t max_y, uint64_t max_x, uint64_t budget, struct sample **out,
                swim_error_t *err)
{
    struct plane p = {.s = calloc(1, sizeof(*p.s)), .ndim = info->ndim};
    uint64_t *counts = NULL;
    int rc = SWIM_OK;

    *out = NULL;
    if (!p.s)
        return swim_error_set(err, SWIM_ERR_NOMEM, "read %s in %s", info->path,
                              info->file);
    p.y.length = info->ndim > 1 ? info->shape[info->ndim - 2] : 1;
    p.x.length = info->shape[info->ndim - 1];
    steps_plan(&p, info, budget);
    cells_plan(&p.y, max_y);
    cells_plan(&p.x, max_x);
    p.tile = malloc((size_t)(p.y.tile * p.x.tile) * sizeof(*p.tile));
    if (!p.tile)
        rc = swim_error_set(err, SWIM_ERR_NOMEM, "read %s in %s", info->path,
                            info->file);
    if (rc == SWIM_OK)
        rc = sample_make(&p, info, &counts, err);
    if (rc == SWIM_OK)
        rc = dataset_open(source, info, SWIM_TYPE_F64, NULL, &p.set, err);
    if (rc == SWIM_OK)
        rc = plane_read(&p, counts, err);
    dataset_close(p.set);
    free(p.tile);
    free(counts);
    if (rc == SWIM_OK)
        *out = p.s;
    else
        sample_destroy(p.s);
    return rc;
}

void sample_destroy(struct sample *s)
{
    if (!s)
        return;
    free(s->mean);
    free(s->min);
    free(s->max);
    free(s);
}
