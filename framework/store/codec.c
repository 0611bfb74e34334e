/* codec.c - gathering chunks out of arrays and encoding them as HDF5's filters do. */
#include "store/codec.h"

#include <stdlib.h>
#include <string.h>

#include "store/box.h"
#include "store/deflate.h"
#include "store/filters.h"
#include "store/store_private.h"

struct codec {
    size_t chunk_bytes, element_size;
    bool shuffle, fletcher32;
    struct deflate *deflate;
    unsigned char *shuffled; /* between shuffle and deflate */
};

/* --- the codec -------------------------------------------------------------------- */

static void fletcher_append(unsigned char *data, size_t bytes)
{
    uint32_t sum = filters_fletcher32(data, bytes);

    for (int i = 0; i < FILTERS_FLETCHER_BYTES; i++)
        data[bytes + (size_t)i] = (unsigned char)(sum >> (8 * i));
}

int codec_create(size_t chunk_bytes, size_t element_size, bool shuffle, int deflate,
                 bool fletcher32_on, struct codec **out, swim_error_t *err)
{
    struct codec *codec;

    *out = NULL;
    if (element_size == 0 || deflate < 0 || deflate > 9)
        return swim_error_set(err, SWIM_ERR_ARG,
                              "make a codec: element size %zu, deflate level %d",
                              element_size, deflate);
    codec = (struct codec *)calloc(1, sizeof(*codec));
    if (!codec)
        return swim_error_set(err, SWIM_ERR_NOMEM, "make a codec");
    codec->chunk_bytes = chunk_bytes;
    codec->element_size = element_size;
    codec->shuffle = shuffle && element_size > 1; /* of bytes it changes nothing */
    codec->fletcher32 = fletcher32_on;
    int rc = deflate ? deflate_create(deflate_choose(deflate, chunk_bytes), deflate,
                                      chunk_bytes, &codec->deflate, err)
                     : SWIM_OK;
    if (rc == SWIM_OK && deflate && codec->shuffle) {
        codec->shuffled = (unsigned char *)malloc(chunk_bytes ? chunk_bytes : 1);
        if (!codec->shuffled)
            rc = swim_error_set(err, SWIM_ERR_NOMEM,
                                "make a codec for chunks of %zu bytes", chunk_bytes);
    }
    if (rc != SWIM_OK) {
        codec_destroy(codec);
        return rc;
    }
    *out = codec;
    return SWIM_OK;
}

void codec_destroy(struct codec *codec)
{
    if (!codec)
        return;
    deflate_destroy(codec->deflate);
    free(codec->shuffled);
    free(codec);
}

size_t codec_bound(const struct codec *codec)
{
    size_t bound = codec->chunk_bytes;

    if (codec->deflate)
        bound = deflate_bound(codec->deflate);
    return bound + (codec->fletcher32 ? FILTERS_FLETCHER_BYTES : 0);
}

int codec_encode(struct codec *codec, const void *chunk, void *dst, size_t *n_bytes,
                 swim_error_t *err)
{
    const unsigned char *src = (const unsigned char *)chunk;
    unsigned char *to = (unsigned char *)dst;
    size_t n = codec->chunk_bytes;

    *n_bytes = 0;
    if (codec->shuffle) {
        unsigned char *shuffled = codec->shuffled ? codec->shuffled : to;
        filters_shuffle(src, shuffled, n, codec->element_size);
        src = shuffled;
    }
    if (codec->deflate) {
        int rc = deflate_chunk(codec->deflate, src, to, &n, err);
        if (rc != SWIM_OK)
            return rc;
    } else if (src != to) {
        memcpy(to, src, n);
    }
    if (codec->fletcher32) {
        fletcher_append(to, n);
        n += FILTERS_FLETCHER_BYTES;
    }
    *n_bytes = n;
    return SWIM_OK;
}

/* --- gathering -------------------------------------------------------------------- */

void codec_gather(const void *array, uint32_t ndim, const uint64_t *shape,
                  const uint64_t *offset, size_t element_size, const uint64_t *coords,
                  const uint64_t *chunk, const void *fill, void *dst)
{
    uint64_t from[SWIM_NDIM_MAX], into[SWIM_NDIM_MAX], count[SWIM_NDIM_MAX];
    size_t n = 1, common = 1;

    for (uint32_t i = 0; i < ndim; i++) {
        uint64_t lo = coords[i] > offset[i] ? coords[i] : offset[i];
        uint64_t chunk_end = coords[i] + chunk[i], array_end = offset[i] + shape[i];
        uint64_t hi = chunk_end < array_end ? chunk_end : array_end;
        count[i] = hi > lo ? hi - lo : 0;
        from[i] = count[i] ? lo - offset[i] : 0;
        into[i] = count[i] ? lo - coords[i] : 0;
        n *= (size_t)chunk[i];
        common *= (size_t)count[i];
    }
    if (common < n)
        box_fill(dst, n, fill, element_size);
    box_copy(ndim, count, element_size, array, shape, from, dst, chunk, into);
}

const void *codec_find(const void *array, uint32_t ndim, const uint64_t *shape,
                       const uint64_t *offset, size_t element_size,
                       const uint64_t *coords, const uint64_t *chunk)
{
    uint64_t from[SWIM_NDIM_MAX];
    size_t n = 1;
    struct box box;

    for (uint32_t i = 0; i < ndim; i++) {
        if (coords[i] < offset[i] || coords[i] + chunk[i] > offset[i] + shape[i])
            return NULL;
        from[i] = coords[i] - offset[i];
        n *= (size_t)chunk[i];
    }
    if (!box_begin(&box, ndim, shape, from, chunk) || box.row != n)
        return NULL;
    return (const unsigned char *)array + box.offset * element_size;
}
