/* pipeline.c - undoing the filters of stored chunks: deflate by libdeflate, shuffle and
 * fletcher32 by filters.h, in any order. */
#include "store/pipeline.h"

#include <libdeflate.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "store/filters.h"

#define FILTERS_MOST 4
#define PART ((size_t)16384) /* bytes that are finished at a time */

struct stage {
    H5Z_filter_t filter;
    size_t element_size; /* shuffle */
};

struct pipeline {
    size_t chunk_bytes;
    int n;
    struct stage stages[FILTERS_MOST];
    struct libdeflate_decompressor *inflate;
    unsigned char *between[2]; /* what one stage gives and the next one takes */
    void (*finish)(const void *arg, void *elements, size_t n); /* NULL: nothing */
    const void *finish_arg;
    size_t finish_size; /* of an element */
};

/* What lies between two stages is longer than a chunk by the checksums in it. */
static size_t between_bytes(const struct pipeline *p)
{
    return p->chunk_bytes + (size_t)FILTERS_MOST * FILTERS_FLETCHER_BYTES;
}

static bool stage_take(hid_t dcpl, unsigned i, struct stage *stage)
{
    unsigned flags = 0, config = 0, values[8] = {0};
    size_t n_values = sizeof(values) / sizeof(*values);

    stage->filter =
        H5Pget_filter2(dcpl, i, &flags, &n_values, values, 0, NULL, &config);
    stage->element_size = n_values > 0 ? values[0] : 0;
    return stage->filter == H5Z_FILTER_DEFLATE ||
           stage->filter == H5Z_FILTER_FLETCHER32 ||
           (stage->filter == H5Z_FILTER_SHUFFLE && stage->element_size > 0);
}

static bool stages_take(struct pipeline *p, hid_t dcpl)
{
    unsigned opts = 0;

    p->n = H5Pget_nfilters(dcpl);
    /* chunks at the edge may be stored without filters, which no mask tells */
    if (p->n < 0 || p->n > FILTERS_MOST || H5Pget_chunk_opts(dcpl, &opts) < 0 || opts)
        return false;
    for (int i = 0; i < p->n; i++)
        if (!stage_take(dcpl, (unsigned)i, &p->stages[i]))
            return false;
    return true;
}

int pipeline_create(hid_t dcpl, size_t chunk_bytes, struct pipeline **out,
                    swim_error_t *err)
{
    struct pipeline *p = (struct pipeline *)calloc(1, sizeof(*p));

    *out = NULL;
    if (!p)
        return swim_error_set(err, SWIM_ERR_NOMEM, "filters of a dataset: no memory");
    p->chunk_bytes = chunk_bytes;
    if (!stages_take(p, dcpl)) {
        pipeline_destroy(p);
        return SWIM_OK;
    }
    p->inflate = libdeflate_alloc_decompressor();
    if (!p->inflate) {
        pipeline_destroy(p);
        return swim_error_set(err, SWIM_ERR_NOMEM, "filters of a dataset: no memory");
    }
    *out = p;
    return SWIM_OK;
}

void pipeline_destroy(struct pipeline *p)
{
    if (!p)
        return;
    if (p->inflate)
        libdeflate_free_decompressor(p->inflate);
    free(p->between[0]);
    free(p->between[1]);
    free(p);
}

void pipeline_finish(struct pipeline *p, size_t size,
                     void (*finish)(const void *arg, void *elements, size_t n),
                     const void *arg)
{
    p->finish = finish;
    p->finish_arg = arg;
    p->finish_size = size;
}

void pipeline_finish_chunk(const struct pipeline *p, void *chunk)
{
    if (p->finish)
        p->finish(p->finish_arg, chunk, p->chunk_bytes / p->finish_size);
}

/* --- decoding --------------------------------------------------------------------- */

/* Data on their way through the stages. */
struct flow {
    const unsigned char *at;
    size_t n;
    bool finished;
};

static int undo_fletcher(struct flow *flow, swim_error_t *err)
{
    uint32_t sum = 0;

    if (flow->n < FILTERS_FLETCHER_BYTES)
        return swim_error_set(err, SWIM_ERR_CORRUPT, "it is too short for a checksum");
    flow->n -= FILTERS_FLETCHER_BYTES;
    for (int i = FILTERS_FLETCHER_BYTES; i-- > 0;)
        sum = sum << 8 | flow->at[flow->n + (size_t)i];
    uint32_t found = filters_fletcher32(flow->at, flow->n);
    /* HDF5 before 1.6.3 had two bytes of each half in the other order */
    uint32_t swapped = (found & 0x00ff00ff) << 8 | (found >> 8 & 0x00ff00ff);
    if (sum != found && sum != swapped)
        return swim_error_set(err, SWIM_ERR_CORRUPT,
                              "its fletcher32 checksum is wrong");
    return SWIM_OK;
}

static int undo_deflate(const struct pipeline *p, struct flow *flow, void *to,
                        size_t room, swim_error_t *err)
{
    size_t taken = 0, n = 0;
    enum libdeflate_result rc = libdeflate_zlib_decompress_ex(
        p->inflate, flow->at, flow->n, to, room, &taken, &n);

    if (rc != LIBDEFLATE_SUCCESS)
        return swim_error_set(err, SWIM_ERR_CORRUPT, "%s",
                              rc == LIBDEFLATE_INSUFFICIENT_SPACE
                                  ? "inflated it is longer than a chunk"
                                  : "it cannot be inflated");
    flow->at = (const unsigned char *)to;
    flow->n = n;
    return SWIM_OK;
}

static bool is_left_out(const struct pipeline *p, uint32_t mask, int i)
{
    return (mask >> i & 1) || (p->stages[i].filter == H5Z_FILTER_SHUFFLE &&
                               p->stages[i].element_size == 1);
}

/* Where the stage leaves its result: in dst when it is the last one. */
static int place(struct pipeline *p, uint32_t mask, int i, const struct flow *flow,
                 unsigned char *dst, unsigned char **to, swim_error_t *err)
{
    bool last = true;

    for (int k = 0; k < i; k++)
        last = last && is_left_out(p, mask, k);
    *to = dst;
    if (last)
        return SWIM_OK;
    unsigned char **between = &p->between[flow->at == p->between[0] ? 1 : 0];
    if (!*between)
        *between = (unsigned char *)malloc(between_bytes(p));
    *to = *between;
    if (*to)
        return SWIM_OK;
    swim_error_set(err, SWIM_ERR_NOMEM, "no memory for its filters");
    return SWIM_ERR_NOMEM;
}

/* The whole chunk, to elements that are finished part by part. */
static void unshuffle_finished(const struct pipeline *p, const unsigned char *planes,
                               unsigned char *dst)
{
    const size_t size = p->finish_size, n = p->chunk_bytes / size, most = PART / size;

    for (size_t at = 0; at < n; at += most) {
        const size_t count = n - at < most ? n - at : most;
        filters_unshuffle_part(planes, n, at, dst + at * size, count, size);
        p->finish(p->finish_arg, dst + at * size, count);
    }
}

static void undo_shuffle(const struct pipeline *p, size_t size, struct flow *flow,
                         unsigned char *to, bool last)
{
    flow->finished =
        last && p->finish && size == p->finish_size && flow->n == p->chunk_bytes;
    if (flow->finished)
        unshuffle_finished(p, flow->at, to);
    else
        filters_unshuffle(flow->at, to, flow->n, size);
    flow->at = to;
}

static int undo(struct pipeline *p, uint32_t mask, int i, struct flow *flow,
                unsigned char *dst, swim_error_t *err)
{
    const struct stage *stage = &p->stages[i];
    unsigned char *to;

    if (stage->filter == H5Z_FILTER_FLETCHER32)
        return undo_fletcher(flow, err);
    int rc = place(p, mask, i, flow, dst, &to, err);
    size_t room = to == dst ? p->chunk_bytes : between_bytes(p);
    if (rc != SWIM_OK)
        return rc;
    if (stage->filter == H5Z_FILTER_DEFLATE)
        return undo_deflate(p, flow, to, room, err);
    if (flow->n > room)
        return swim_error_set(err, SWIM_ERR_CORRUPT, "it is longer than a chunk");
    undo_shuffle(p, stage->element_size, flow, to, to == dst);
    return SWIM_OK;
}

int pipeline_decode(struct pipeline *p, uint32_t mask, const void *raw, size_t n_bytes,
                    void *dst, swim_error_t *err)
{
    struct flow flow = {(const unsigned char *)raw, n_bytes, false};

    for (int i = p->n; i-- > 0;) {
        if (is_left_out(p, mask, i))
            continue;
        int rc = undo(p, mask, i, &flow, (unsigned char *)dst, err);
        if (rc != SWIM_OK)
            return rc;
    }
    if (flow.n != p->chunk_bytes)
        return swim_error_set(err, SWIM_ERR_CORRUPT, "it has %zu bytes instead of %zu",
                              flow.n, p->chunk_bytes);
    if (flow.at != dst)
        memcpy(dst, flow.at, flow.n);
    if (!flow.finished)
        pipeline_finish_chunk(p, dst);
    return SWIM_OK;
}
