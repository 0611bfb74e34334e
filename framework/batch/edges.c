/* edges.c - reading a block with its halo, also where that lies beyond the dataset.
 *
 * Each axis of the buffer is cut into runs whose sources follow each other in the
 * dataset; the product of the runs of all axes are the pieces to read. */
#include "batch/edges.h"

#include <stdlib.h>
#include <string.h>

struct run {
    uint64_t at; /* in the buffer */
    uint64_t length;
    int64_t source; /* of its first element; -1: the constant */
};

struct runs {
    struct run *runs;
    size_t n;
};

int64_t edges_source(enum swim_edge mode, uint64_t extent, int64_t p)
{
    const int64_t n = (int64_t)extent;
    int64_t r;

    if (p >= 0 && p < n)
        return p;
    switch (mode) {
    case SWIM_EDGE_WRAP:
        r = p % n;
        return r < 0 ? r + n : r;
    case SWIM_EDGE_REFLECT:
        r = p % (2 * n);
        r = r < 0 ? r + 2 * n : r;
        return r < n ? r : 2 * n - 1 - r;
    case SWIM_EDGE_CONSTANT:
        return -1;
    case SWIM_EDGE_NEAREST:
        break;
    }
    return p < 0 ? 0 : n - 1;
}

static int runs_of_axis(const struct edges *e, const struct block_range *range,
                        uint32_t axis, struct runs *out, swim_error_t *err)
{
    uint64_t length = range->count[axis] + e->halo_lo[axis] + e->halo_hi[axis];
    int64_t first = (int64_t)range->start[axis] - e->halo_lo[axis];
    /* All positions inside make one run, each one outside at most one more. */
    size_t most = (size_t)e->halo_lo[axis] + e->halo_hi[axis] + 1;

    out->n = 0;
    out->runs = calloc(most, sizeof(*out->runs));
    if (!out->runs)
        return swim_error_set(err, SWIM_ERR_NOMEM, "halo of %zu places", most);
    for (uint64_t i = 0; i < length; i++) {
        int64_t source =
            edges_source(e->mode[axis], e->extent[axis], first + (int64_t)i);
        struct run *last = out->n ? &out->runs[out->n - 1] : NULL;
        if (last && ((source < 0 && last->source < 0) ||
                     (source >= 0 && last->source >= 0 &&
                      source == last->source + (int64_t)last->length))) {
            last->length++;
            continue;
        }
        out->runs[out->n++] = (struct run){i, 1, source};
    }
    return SWIM_OK;
}

/* Set a box of the buffer to the constant. */
static void fill_box(const struct edges *e, char *buf, const uint64_t *shape,
                     const uint64_t *at, const uint64_t *count)
{
    uint64_t place[SWIM_NDIM_MAX] = {0};

    for (;;) {
        uint64_t element = 0;
        for (uint32_t a = 0; a < e->ndim; a++)
            element = element * shape[a] + at[a] + place[a];
        memcpy(buf + element * e->element_size, e->constant, e->element_size);
        uint32_t a = e->ndim;
        while (a-- > 0 && ++place[a] == count[a])
            place[a] = 0;
        if (a == UINT32_MAX)
            return;
    }
}

static int read_pieces(const struct edges *e, const struct runs *axes, void *buf,
                       const uint64_t *shape, edges_read_fn read, void *from,
                       swim_error_t *err)
{
    size_t chosen[SWIM_NDIM_MAX] = {0};

    for (;;) {
        uint64_t start[SWIM_NDIM_MAX], count[SWIM_NDIM_MAX], at[SWIM_NDIM_MAX];
        int constant = 0, rc = SWIM_OK;
        for (uint32_t a = 0; a < e->ndim; a++) {
            const struct run *run = &axes[a].runs[chosen[a]];
            constant |= run->source < 0;
            start[a] = (uint64_t)run->source;
            count[a] = run->length;
            at[a] = run->at;
        }
        if (constant)
            fill_box(e, buf, shape, at, count);
        else
            rc = read(from, start, count, buf, shape, at, err);
        if (rc != SWIM_OK)
            return rc;
        uint32_t a = e->ndim;
        while (a-- > 0 && ++chosen[a] == axes[a].n)
            chosen[a] = 0;
        if (a == UINT32_MAX)
            return SWIM_OK;
    }
}

int edges_read(const struct edges *e, const struct block_range *range, void *buf,
               edges_read_fn read, void *from, swim_error_t *err)
{
    struct runs axes[SWIM_NDIM_MAX] = {{0}};
    uint64_t shape[SWIM_NDIM_MAX];
    int rc = SWIM_OK;

    for (uint32_t a = 0; a < e->ndim && rc == SWIM_OK; a++) {
        shape[a] = range->count[a] + e->halo_lo[a] + e->halo_hi[a];
        rc = runs_of_axis(e, range, a, &axes[a], err);
    }
    if (rc == SWIM_OK)
        rc = read_pieces(e, axes, buf, shape, read, from, err);
    for (uint32_t a = 0; a < e->ndim; a++)
        free(axes[a].runs);
    return rc;
}
