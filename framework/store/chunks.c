/* chunks.c - reading a chunked dataset chunk by chunk. */
#include "store/chunks.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/meter.h"
#include "store/box.h"
#include "store/pipeline.h"
#include "store/store_private.h"
#include "store/vfd.h"

struct chunks {
    hid_t set;
    uint32_t ndim;
    uint64_t size[SWIM_NDIM_MAX]; /* of a chunk */
    size_t element, bytes;        /* of an element, of a chunk */
    struct pipeline *pipeline;
    unsigned char *fill; /* an element */
    unsigned char *raw;  /* as stored */
    size_t raw_room;
    struct chunk_cache cache;                             /* memory NULL: none */
    uint64_t shape[SWIM_NDIM_MAX], across[SWIM_NDIM_MAX]; /* in elements, in chunks */
    unsigned char *decoded; /* without it: the chunk at `at`, when has_decoded */
    hsize_t at[SWIM_NDIM_MAX];
    bool has_decoded;
};

/* A part of a chunk, and where it goes. */
struct part {
    hsize_t chunk[SWIM_NDIM_MAX]; /* where the chunk begins in the dataset */
    uint64_t from[SWIM_NDIM_MAX]; /* the part, in the chunk */
    uint64_t count[SWIM_NDIM_MAX];
    uint64_t to[SWIM_NDIM_MAX]; /* ... and in the caller's array */
};

/* --- opening ---------------------------------------------------------------------- */

static int take_layout(struct chunks *c, hid_t dcpl, hid_t type, swim_error_t *err)
{
    hsize_t size[SWIM_NDIM_MAX];
    int ndim = H5Pget_chunk(dcpl, SWIM_NDIM_MAX, size);

    c->element = H5Tget_size(type);
    if (ndim < 1 || c->element == 0)
        return h5_fail(err, SWIM_ERR_IO, "the layout of a dataset");
    c->ndim = (uint32_t)ndim;
    c->bytes = c->element;
    for (uint32_t d = 0; d < c->ndim; d++) {
        c->size[d] = size[d];
        c->bytes *= (size_t)size[d];
    }
    c->fill = (unsigned char *)calloc(1, c->element);
    if (!c->fill)
        return swim_error_set(err, SWIM_ERR_NOMEM, "no memory for its chunks");
    /* Zero where none is defined. */
    if (H5Pget_fill_value(dcpl, type, c->fill) < 0) {
        H5Eclear2(H5E_DEFAULT);
        memset(c->fill, 0, c->element);
    }
    return SWIM_OK;
}

static int take_all(struct chunks *c, hid_t dcpl, hid_t type, swim_error_t *err)
{
    int rc = take_layout(c, dcpl, type, err);

    return rc == SWIM_OK ? pipeline_create(dcpl, c->bytes, &c->pipeline, err) : rc;
}

static int take_cache(struct chunks *c, const struct chunk_cache *cache,
                      swim_error_t *err)
{
    hsize_t shape[SWIM_NDIM_MAX];
    hid_t space = H5Dget_space(c->set);
    int ndim = space < 0 ? -1 : H5Sget_simple_extent_dims(space, shape, NULL);

    h5_release(space);
    if (ndim < 0 || (uint32_t)ndim != c->ndim)
        return h5_fail(err, SWIM_ERR_IO, "the shape of a dataset");
    for (uint32_t d = 0; d < c->ndim; d++) {
        c->shape[d] = shape[d];
        c->across[d] = (shape[d] + c->size[d] - 1) / c->size[d];
    }
    if (cache && cache->chunk_bytes == c->bytes)
        c->cache = *cache;
    return SWIM_OK;
}

int chunks_open(hid_t set, const struct chunk_cache *cache, struct chunks **out,
                swim_error_t *err)
{
    hid_t dcpl = H5Dget_create_plist(set), type = H5Dget_type(set);
    struct chunks *c = (struct chunks *)calloc(1, sizeof(*c));
    int rc = SWIM_OK;

    *out = NULL;
    if (!c) {
        h5_release(type);
        h5_release(dcpl);
        return swim_error_set(err, SWIM_ERR_NOMEM, "no memory for its chunks");
    }
    if (dcpl < 0 || type < 0)
        rc = h5_fail(err, SWIM_ERR_IO, "the layout of a dataset");
    else if (H5Pget_layout(dcpl) == H5D_CHUNKED)
        rc = take_all(c, dcpl, type, err);
    h5_release(type);
    h5_release(dcpl);
    if (rc == SWIM_OK && c->pipeline) {
        c->set = set;
        rc = take_cache(c, cache, err);
    }
    if (rc == SWIM_OK && c->pipeline)
        *out = c;
    else
        chunks_close(c);
    return rc;
}

bool chunks_finish(struct chunks *c,
                   void (*finish)(const void *arg, void *elements, size_t n),
                   const void *arg)
{
    if (c->cache.memory)
        return false;
    pipeline_finish(c->pipeline, c->element, finish, arg);
    return true;
}

void chunks_close(struct chunks *c)
{
    if (!c)
        return;
    pipeline_destroy(c->pipeline);
    free(c->fill);
    free(c->raw);
    free(c->decoded);
    free(c);
}

/* --- one chunk -------------------------------------------------------------------- */

#define WHERE_SIZE 256

static const char *say_where(const struct chunks *c, const hsize_t *at,
                             char where[WHERE_SIZE])
{
    where[0] = '\0';
    for (uint32_t d = 0; d < c->ndim; d++) {
        size_t used = strlen(where);
        snprintf(where + used, WHERE_SIZE - used, "%s%" PRIu64, d ? ", " : "",
                 (uint64_t)at[d]);
    }
    return where;
}

static int raw_grow(struct chunks *c, size_t bytes, swim_error_t *err)
{
    if (bytes <= c->raw_room)
        return SWIM_OK;
    free(c->raw);
    c->raw_room = 0;
    c->raw = (unsigned char *)malloc(bytes);
    if (!c->raw)
        return swim_error_set(err, SWIM_ERR_NOMEM, "no memory for a chunk of %zu bytes",
                              bytes);
    c->raw_room = bytes;
    return SWIM_OK;
}

/* How many bytes a chunk has; 0: it is not there, which HDF5 1.10 says by an error
 * where other chunks are. */
static int chunk_size(const struct chunks *c, const hsize_t *at, size_t *n,
                      swim_error_t *err)
{
    char where[WHERE_SIZE];
    hsize_t stored = 0;

    *n = 0;
    (void)vfd_take_code();
    if (H5Dget_chunk_storage_size(c->set, at, &stored) >= 0)
        *n = (size_t)stored;
    else if (h5_failed_in("H5D__get_chunk_storage_size"))
        H5Eclear2(H5E_DEFAULT);
    else
        return h5_fail(err, SWIM_ERR_IO, "the chunk at (%s)", say_where(c, at, where));
    return SWIM_OK;
}

/* The chunk as stored; *n is 0 when it is not there. */
static int chunk_fetch(struct chunks *c, const hsize_t *at, uint32_t *mask, size_t *n,
                       swim_error_t *err)
{
    char where[WHERE_SIZE];
    int rc = chunk_size(c, at, n, err);

    if (rc == SWIM_OK)
        rc = raw_grow(c, *n, err);
    if (rc != SWIM_OK || *n == 0)
        return rc;
    if (H5Dread_chunk(c->set, H5P_DEFAULT, at, mask, c->raw) < 0)
        return h5_fail(err, SWIM_ERR_IO, "the chunk at (%s)", say_where(c, at, where));
    return SWIM_OK;
}

static int chunk_decode(struct chunks *c, const hsize_t *at, unsigned char *dst,
                        swim_error_t *err)
{
    char where[WHERE_SIZE];
    swim_error_t why = {0};
    uint32_t mask = 0;
    size_t n;

    int rc = chunk_fetch(c, at, &mask, &n, err);
    if (rc != SWIM_OK)
        return rc;
    if (n == 0) {
        box_fill(dst, c->bytes / c->element, c->fill, c->element);
        pipeline_finish_chunk(c->pipeline, dst);
        return SWIM_OK;
    }
    const enum swim_activity was = swim_meter_set(SWIM_AT_DECODE);
    rc = pipeline_decode(c->pipeline, mask, c->raw, n, dst, &why);
    (void)swim_meter_set(was);
    if (rc == SWIM_OK)
        return rc;
    return swim_error_set(err, rc, "the chunk at (%s): %s", say_where(c, at, where),
                          why.text);
}

static int chunk_have(struct chunks *c, const hsize_t *at, swim_error_t *err)
{
    if (c->has_decoded && memcmp(c->at, at, c->ndim * sizeof(*at)) == 0)
        return SWIM_OK;
    c->has_decoded = false;
    if (!c->decoded)
        c->decoded = (unsigned char *)malloc(c->bytes);
    if (!c->decoded)
        return swim_error_set(err, SWIM_ERR_NOMEM, "no memory for a chunk of %zu bytes",
                              c->bytes);
    int rc = chunk_decode(c, at, c->decoded, err);
    if (rc == SWIM_OK) {
        memcpy(c->at, at, c->ndim * sizeof(*at));
        c->has_decoded = true;
    }
    return rc;
}

/* --- parts ------------------------------------------------------------------------ */

/* Whether the part is a whole chunk, and lies in one piece in the array; *offset:
 * where, in elements. */
static bool is_whole(const struct chunks *c, const struct part *part,
                     const uint64_t *dst_shape, size_t *offset)
{
    struct box box;

    if (memcmp(part->count, c->size, c->ndim * sizeof(*c->size)) != 0)
        return false;
    (void)box_begin(&box, c->ndim, dst_shape, part->to, part->count);
    *offset = box.offset;
    return box.row * c->element == c->bytes;
}

/* A part by way of the cache. */
struct wish {
    struct chunks *chunks;
    const struct part *part;
    unsigned char *dst;
    const uint64_t *dst_shape;
};

static int wish_make(void *arg, void *chunk, swim_error_t *err)
{
    const struct wish *w = (const struct wish *)arg;

    return chunk_decode(w->chunks, w->part->chunk, (unsigned char *)chunk, err);
}

static void wish_use(void *arg, const void *chunk)
{
    const struct wish *w = (const struct wish *)arg;
    const struct chunks *c = w->chunks;

    box_copy(c->ndim, w->part->count, c->element, chunk, c->size, w->part->from, w->dst,
             w->dst_shape, w->part->to);
}

static int part_read_cached(struct chunks *c, const struct part *part,
                            unsigned char *dst, const uint64_t *dst_shape,
                            swim_error_t *err)
{
    static const struct chunk_cache_ops ops = {wish_make, wish_use};
    struct wish wish = {c, part, dst, dst_shape};
    uint64_t number = 0;

    for (uint32_t d = 0; d < c->ndim; d++)
        number = number * c->across[d] + part->chunk[d] / c->size[d];
    return chunk_cache_get(&c->cache, number, &ops, &wish, err);
}

static int part_read(struct chunks *c, const struct part *part, unsigned char *dst,
                     const uint64_t *dst_shape, swim_error_t *err)
{
    size_t offset = 0;

    if (c->cache.memory)
        return part_read_cached(c, part, dst, dst_shape, err);
    if (is_whole(c, part, dst_shape, &offset))
        return chunk_decode(c, part->chunk, dst + offset * c->element, err);
    int rc = chunk_have(c, part->chunk, err);
    if (rc == SWIM_OK)
        box_copy(c->ndim, part->count, c->element, c->decoded, c->size, part->from, dst,
                 dst_shape, part->to);
    return rc;
}

/* The part of the chunk that begins at part->chunk. */
static void part_set(const struct chunks *c, struct part *part, const uint64_t *start,
                     const uint64_t *count, const uint64_t *dst_start)
{
    for (uint32_t d = 0; d < c->ndim; d++) {
        uint64_t begin = part->chunk[d], end = begin + c->size[d];
        uint64_t lo = begin > start[d] ? begin : start[d];
        uint64_t hi = end < start[d] + count[d] ? end : start[d] + count[d];
        part->from[d] = lo - begin;
        part->count[d] = hi - lo;
        part->to[d] = dst_start[d] + lo - start[d];
    }
}

/* The next chunk in C order; false: there is none. */
static bool part_next(const struct chunks *c, struct part *part, const uint64_t *start,
                      const uint64_t *count)
{
    for (uint32_t d = c->ndim; d-- > 0;) {
        part->chunk[d] += c->size[d];
        if (part->chunk[d] < start[d] + count[d])
            return true;
        part->chunk[d] = start[d] / c->size[d] * c->size[d];
    }
    return false;
}

int chunks_read(struct chunks *c, const uint64_t *start, const uint64_t *count,
                void *dst, const uint64_t *dst_shape, const uint64_t *dst_start,
                swim_error_t *err)
{
    struct part part;
    int rc;

    for (uint32_t d = 0; d < c->ndim; d++) {
        if (count[d] == 0)
            return SWIM_OK;
        if (start[d] >= c->shape[d] || count[d] > c->shape[d] - start[d])
            return swim_error_set(err, SWIM_ERR_IO,
                                  "%" PRIu64 " to %" PRIu64
                                  " of axis %u, which has %" PRIu64,
                                  start[d], start[d] + count[d], d, c->shape[d]);
        part.chunk[d] = start[d] / c->size[d] * c->size[d];
    }
    do {
        part_set(c, &part, start, count, dst_start);
        rc = part_read(c, &part, (unsigned char *)dst, dst_shape, err);
    } while (rc == SWIM_OK && part_next(c, &part, start, count));
    return rc;
}
