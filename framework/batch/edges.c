/* edges.c - reading a block with its halo, also where that lies beyond the dataset.
 *
 * Each axis of the buffer is cut into runs whose sources follow each other in the
 * dataset; the product of the runs of all axes are the pieces to read.  What lies
 * beyond the edge and is there already is copied, and not read again. */
#include "batch/edges.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct run {
    uint64_t at; /* in the buffer */
    uint64_t length;
    uint64_t source; /* of its first element, or, turned, of its last */
    bool turned;     /* the buffer has it the other way round */
};

/* A place that is not read: that which it is a copy of; -1: the constant. */
struct copy {
    uint64_t at;
    int64_t from;
};

/* One axis of the buffer. */
struct line {
    struct run *runs;
    struct copy *copies;
    size_t n, n_copies;
    uint64_t length;
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
    case SWIM_EDGE_NONE: /* nothing is outside */
        break;
    }
    return p < 0 ? 0 : n - 1;
}

/* The place in the buffer from which place i, whose element is that at source of the
 * dataset, is a copy: the first that has it of those inside the dataset, below and
 * above it, next to it each.  All of them are in the buffer, which has no gaps. */
static int64_t first_of(const struct edges *e, uint32_t axis, int64_t first,
                        uint64_t length, int64_t source)
{
    const int64_t n = (int64_t)e->extent[axis];
    const bool mirrored = e->mode[axis] == SWIM_EDGE_REFLECT;
    const int64_t places[3] = {source, mirrored ? -1 - source : source - n,
                               mirrored ? 2 * n - 1 - source : source + n};

    for (int k = 0; k < 3; k++)
        if (places[k] >= first && places[k] - first < (int64_t)length)
            return places[k] - first;
    return -1;
}

/* A run of places inside the dataset, or one outside that is read. */
static void run_add(struct line *line, uint64_t at, uint64_t source, uint64_t length)
{
    struct run *last = line->n ? &line->runs[line->n - 1] : NULL;
    bool follows = last && last->at + last->length == at;

    if (follows && !last->turned && last->source + last->length == source) {
        last->length += length;
    } else if (follows && length == 1 && (last->turned || last->length == 1) &&
               last->source == source + 1) {
        last->source = source;
        last->turned = true;
        last->length++;
    } else {
        line->runs[line->n++] = (struct run){at, length, source, false};
    }
}

/* Places of an axis from at to end, all outside the dataset. */
static void add_outside(const struct edges *e, uint32_t axis, int64_t first,
                        struct line *line, uint64_t at, uint64_t end)
{
    for (; at < end; at++) {
        int64_t source =
            edges_source(e->mode[axis], e->extent[axis], first + (int64_t)at);
        int64_t from = source < 0 ? -1 : first_of(e, axis, first, line->length, source);
        if (from == (int64_t)at)
            run_add(line, at, (uint64_t)source, 1);
        else
            line->copies[line->n_copies++] = (struct copy){at, from};
    }
}

static int line_of_axis(const struct edges *e, const struct block_range *range,
                        uint32_t axis, struct line *line, swim_error_t *err)
{
    int64_t first = (int64_t)range->start[axis] - e->halo_lo[axis];
    /* All places inside make one run, each one outside at most one more. */
    size_t most = (size_t)e->halo_lo[axis] + e->halo_hi[axis] + 1;

    line->length = range->count[axis] + e->halo_lo[axis] + e->halo_hi[axis];
    line->runs = calloc(most, sizeof(*line->runs));
    line->copies = calloc(most, sizeof(*line->copies));
    if (!line->runs || !line->copies)
        return swim_error_set(err, SWIM_ERR_NOMEM, "halo of %zu places", most);
    uint64_t inside = first < 0 ? (uint64_t)-first : 0;
    uint64_t end = (uint64_t)((int64_t)e->extent[axis] - first);
    if (end > line->length)
        end = line->length;
    add_outside(e, axis, first, line, 0, inside);
    run_add(line, inside, (uint64_t)(first + (int64_t)inside), end - inside);
    add_outside(e, axis, first, line, end, line->length);
    return SWIM_OK;
}

static int read_pieces(const struct edges *e, const struct line *lines, void *buf,
                       const uint64_t *shape, edges_read_fn read, void *from,
                       swim_error_t *err)
{
    size_t chosen[SWIM_NDIM_MAX] = {0};

    for (uint32_t a = 0; a < e->ndim; a++)
        if (lines[a].n == 0)
            return SWIM_OK; /* nothing but the constant */
    for (;;) {
        uint64_t start[SWIM_NDIM_MAX], count[SWIM_NDIM_MAX], at[SWIM_NDIM_MAX];
        for (uint32_t a = 0; a < e->ndim; a++) {
            const struct run *run = &lines[a].runs[chosen[a]];
            start[a] = run->source;
            count[a] = run->length;
            at[a] = run->at;
        }
        int rc = read(from, start, count, buf, shape, at, err);
        if (rc != SWIM_OK)
            return rc;
        uint32_t a = e->ndim;
        while (a-- > 0 && ++chosen[a] == lines[a].n)
            chosen[a] = 0;
        if (a == UINT32_MAX)
            return SWIM_OK;
    }
}

static void swap_bytes(char *a, char *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char was = a[i];
        a[i] = b[i];
        b[i] = was;
    }
}

/* One axis of everything: rows are what lies at one place of it, and there are as many
 * tables of them as places of all axes before it. */
static void finish_table(const struct edges *e, const struct line *line, char *table,
                         size_t row_bytes)
{
    for (size_t k = 0; k < line->n; k++) {
        const struct run *run = &line->runs[k];
        char *first = table + run->at * row_bytes;
        for (uint64_t i = 0; run->turned && i < run->length / 2; i++)
            swap_bytes(first + i * row_bytes, first + (run->length - 1 - i) * row_bytes,
                       row_bytes);
    }
    for (size_t i = 0; i < line->n_copies; i++) {
        const struct copy *copy = &line->copies[i];
        char *row = table + copy->at * row_bytes;
        if (copy->from < 0)
            for (size_t k = 0; k < row_bytes; k += e->element_size)
                memcpy(row + k, e->constant, e->element_size);
        else
            memcpy(row, table + (uint64_t)copy->from * row_bytes, row_bytes);
    }
}

/* What was read is at its places on all axes; after each axis it is at all places of
 * that one. */
static void finish_lines(const struct edges *e, const struct line *lines, void *buf)
{
    size_t row_bytes = e->element_size;
    uint64_t tables = 1;

    for (uint32_t a = 0; a < e->ndim; a++)
        tables *= lines[a].length;
    for (uint32_t i = 0; i < e->ndim; i++) {
        const struct line *line = &lines[e->ndim - 1 - i];
        tables /= line->length;
        bool more = line->n_copies > 0;
        for (size_t k = 0; !more && k < line->n; k++)
            more = line->runs[k].turned;
        for (uint64_t t = 0; more && t < tables; t++)
            finish_table(e, line, (char *)buf + t * line->length * row_bytes,
                         row_bytes);
        row_bytes *= line->length;
    }
}

int edges_read(const struct edges *e, const struct block_range *range, void *buf,
               edges_read_fn read, void *from, swim_error_t *err)
{
    struct line lines[SWIM_NDIM_MAX] = {{0}};
    uint64_t shape[SWIM_NDIM_MAX];
    int rc = SWIM_OK;

    for (uint32_t a = 0; a < e->ndim && rc == SWIM_OK; a++) {
        rc = line_of_axis(e, range, a, &lines[a], err);
        shape[a] = lines[a].length;
    }
    if (rc == SWIM_OK)
        rc = read_pieces(e, lines, buf, shape, read, from, err);
    if (rc == SWIM_OK)
        finish_lines(e, lines, buf);
    for (uint32_t a = 0; a < e->ndim; a++) {
        free(lines[a].runs);
        free(lines[a].copies);
    }
    return rc;
}
