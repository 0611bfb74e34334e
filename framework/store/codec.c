/* codec.c - gathering chunks out of arrays and encoding them as HDF5's filters do. */
#include "store/codec.h"

#include <libdeflate.h>
#include <stdlib.h>
#include <string.h>

#include "store/box.h"
#include "store/store_private.h"

#define FLETCHER_BYTES 4
#define SHUFFLE_BLOCK                                               \
    1024 /* elements; input and output of a block stay in L1 and L2 \
          */

struct codec {
    size_t chunk_bytes, element_size;
    bool shuffle, fletcher32;
    struct libdeflate_compressor *deflate;
    unsigned char *shuffled; /* between shuffle and deflate */
};

/* --- shuffle ---------------------------------------------------------------------- */

/* The element size is a constant in each of these, so that the inner loops have a fixed
 * stride and become vector instructions. */
#define SHUFFLE_SIZE(size)                                                      \
    static void shuffle_##size(const unsigned char *restrict src,               \
                               unsigned char *restrict dst, size_t n)           \
    {                                                                           \
        for (size_t at = 0; at < n; at += SHUFFLE_BLOCK) {                      \
            const size_t len = n - at < SHUFFLE_BLOCK ? n - at : SHUFFLE_BLOCK; \
            for (size_t b = 0; b < (size); b++) {                               \
                const unsigned char *restrict from = src + at * (size) + b;     \
                unsigned char *restrict to = dst + b * n + at;                  \
                for (size_t i = 0; i < len; i++)                                \
                    to[i] = from[i * (size)];                                   \
            }                                                                   \
        }                                                                       \
    }
SHUFFLE_SIZE(2)
SHUFFLE_SIZE(4)
SHUFFLE_SIZE(8)

static void shuffle_any(const unsigned char *src, unsigned char *dst, size_t n,
                        size_t size)
{
    for (size_t b = 0; b < size; b++)
        for (size_t i = 0; i < n; i++)
            dst[b * n + i] = src[i * size + b];
}

static void shuffle_bytes(const unsigned char *src, unsigned char *dst, size_t bytes,
                          size_t size)
{
    size_t n = bytes / size;

    if (size == 2)
        shuffle_2(src, dst, n);
    else if (size == 4)
        shuffle_4(src, dst, n);
    else if (size == 8)
        shuffle_8(src, dst, n);
    else
        shuffle_any(src, dst, n, size);
    /* What is left of a broken element stays at the end, as in H5Zshuffle. */
    memcpy(dst + n * size, src + n * size, bytes - n * size);
}

/* --- fletcher32 ------------------------------------------------------------------- */

static uint32_t fletcher_fold(uint32_t sum)
{
    return (sum & 0xffff) + (sum >> 16);
}

/* Words are taken with the first byte as the high one, on every machine. */
static uint32_t fletcher32(const unsigned char *data, size_t bytes)
{
    uint32_t sum1 = 0, sum2 = 0;

    for (size_t words = bytes / 2; words > 0;) {
        size_t n = words < 360 ? words : 360; /* as many as cannot overflow */
        words -= n;
        for (; n > 0; n--, data += 2) {
            sum1 += (uint32_t)(data[0] << 8 | data[1]);
            sum2 += sum1;
        }
        sum1 = fletcher_fold(sum1);
        sum2 = fletcher_fold(sum2);
    }
    if (bytes % 2) {
        sum1 += (uint32_t)(data[0] << 8);
        sum2 += sum1;
        sum1 = fletcher_fold(sum1);
        sum2 = fletcher_fold(sum2);
    }
    return fletcher_fold(sum2) << 16 | fletcher_fold(sum1);
}

static void fletcher_append(unsigned char *data, size_t bytes)
{
    uint32_t sum = fletcher32(data, bytes);

    for (int i = 0; i < FLETCHER_BYTES; i++)
        data[bytes + (size_t)i] = (unsigned char)(sum >> (8 * i));
}

/* --- the codec -------------------------------------------------------------------- */

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
    if (deflate)
        codec->deflate = libdeflate_alloc_compressor(deflate);
    if (deflate && codec->shuffle)
        codec->shuffled = (unsigned char *)malloc(chunk_bytes ? chunk_bytes : 1);
    if ((deflate && !codec->deflate) ||
        (deflate && codec->shuffle && !codec->shuffled)) {
        codec_destroy(codec);
        return swim_error_set(err, SWIM_ERR_NOMEM,
                              "make a codec for chunks of %zu bytes", chunk_bytes);
    }
    *out = codec;
    return SWIM_OK;
}

void codec_destroy(struct codec *codec)
{
    if (!codec)
        return;
    if (codec->deflate)
        libdeflate_free_compressor(codec->deflate);
    free(codec->shuffled);
    free(codec);
}

size_t codec_bound(const struct codec *codec)
{
    size_t bound = codec->chunk_bytes;

    if (codec->deflate)
        bound = libdeflate_zlib_compress_bound(codec->deflate, codec->chunk_bytes);
    return bound + (codec->fletcher32 ? FLETCHER_BYTES : 0);
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
        shuffle_bytes(src, shuffled, n, codec->element_size);
        src = shuffled;
    }
    if (codec->deflate) {
        n = libdeflate_zlib_compress(
            codec->deflate, src, n, to,
            libdeflate_zlib_compress_bound(codec->deflate, codec->chunk_bytes));
        if (n == 0)
            return swim_error_set(err, SWIM_ERR_IO, "deflate a chunk of %zu bytes",
                                  codec->chunk_bytes);
    } else if (src != to) {
        memcpy(to, src, n);
    }
    if (codec->fletcher32) {
        fletcher_append(to, n);
        n += FLETCHER_BYTES;
    }
    *n_bytes = n;
    return SWIM_OK;
}

/* --- gathering -------------------------------------------------------------------- */

/* n copies of an element, by doubling what is there already. */
static void fill_elements(unsigned char *dst, size_t n, const void *fill, size_t size)
{
    size_t have = 1;

    if (n == 0)
        return;
    memcpy(dst, fill, size);
    for (; have * 2 <= n; have *= 2)
        memcpy(dst + have * size, dst, have * size);
    memcpy(dst + have * size, dst, (n - have) * size);
}

void codec_gather(const void *array, uint32_t ndim, const uint64_t *shape,
                  const uint64_t *offset, size_t element_size, const uint64_t *coords,
                  const uint64_t *chunk, const void *fill, void *dst)
{
    const unsigned char *src = (const unsigned char *)array;
    unsigned char *to = (unsigned char *)dst;
    uint64_t from[SWIM_NDIM_MAX], into[SWIM_NDIM_MAX], count[SWIM_NDIM_MAX];
    size_t n = 1, common = 1;
    struct box in, out;

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
        fill_elements(to, n, fill, element_size);
    /* Rows of the two boxes may differ in length; the shorter one divides the other. */
    if (!box_begin(&in, ndim, shape, from, count) ||
        !box_begin(&out, ndim, chunk, into, count))
        return;
    for (size_t in_used = 0, out_used = 0;;) {
        size_t len = in.row - in_used < out.row - out_used ? in.row - in_used
                                                           : out.row - out_used;
        memcpy(to + (out.offset + out_used) * element_size,
               src + (in.offset + in_used) * element_size, len * element_size);
        in_used += len;
        out_used += len;
        if (in_used == in.row) {
            in_used = 0;
            if (!box_next(&in))
                return;
        }
        if (out_used == out.row) {
            out_used = 0;
            if (!box_next(&out))
                return;
        }
    }
}
