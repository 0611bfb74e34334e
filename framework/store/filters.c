/* filters.c - the filters of HDF5 that h5swim makes and undoes itself. */
#include "store/filters.h"

#include <string.h>

#define SHUFFLE_BLOCK                                               \
    1024 /* elements; input and output of a block stay in L1 and L2 \
          */

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

void filters_shuffle(const unsigned char *src, unsigned char *dst, size_t bytes,
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

/* The other way the stores are a group with a fixed stride. */
static void unshuffle_2(const unsigned char *restrict src, unsigned char *restrict dst,
                        size_t n)
{
    const unsigned char *restrict p0 = src, *restrict p1 = src + n;

    for (size_t i = 0; i < n; i++) {
        dst[2 * i] = p0[i];
        dst[2 * i + 1] = p1[i];
    }
}

static void unshuffle_4(const unsigned char *restrict src, unsigned char *restrict dst,
                        size_t n)
{
    const unsigned char *restrict p0 = src, *restrict p1 = src + n;
    const unsigned char *restrict p2 = src + 2 * n, *restrict p3 = src + 3 * n;

    for (size_t i = 0; i < n; i++) {
        dst[4 * i] = p0[i];
        dst[4 * i + 1] = p1[i];
        dst[4 * i + 2] = p2[i];
        dst[4 * i + 3] = p3[i];
    }
}

static void unshuffle_8(const unsigned char *restrict src, unsigned char *restrict dst,
                        size_t n)
{
    const unsigned char *restrict p0 = src, *restrict p1 = src + n;
    const unsigned char *restrict p2 = src + 2 * n, *restrict p3 = src + 3 * n;
    const unsigned char *restrict p4 = src + 4 * n, *restrict p5 = src + 5 * n;
    const unsigned char *restrict p6 = src + 6 * n, *restrict p7 = src + 7 * n;

    for (size_t i = 0; i < n; i++) {
        dst[8 * i] = p0[i];
        dst[8 * i + 1] = p1[i];
        dst[8 * i + 2] = p2[i];
        dst[8 * i + 3] = p3[i];
        dst[8 * i + 4] = p4[i];
        dst[8 * i + 5] = p5[i];
        dst[8 * i + 6] = p6[i];
        dst[8 * i + 7] = p7[i];
    }
}

void filters_unshuffle(const unsigned char *src, unsigned char *dst, size_t bytes,
                       size_t size)
{
    size_t n = bytes / size;

    if (size == 2)
        unshuffle_2(src, dst, n);
    else if (size == 4)
        unshuffle_4(src, dst, n);
    else if (size == 8)
        unshuffle_8(src, dst, n);
    else
        for (size_t b = 0; b < size; b++)
            for (size_t i = 0; i < n; i++)
                dst[i * size + b] = src[b * n + i];
    memcpy(dst + n * size, src + n * size, bytes - n * size);
}

/* --- fletcher32 ------------------------------------------------------------------- */

static uint32_t fletcher_fold(uint32_t sum)
{
    return (sum & 0xffff) + (sum >> 16);
}

/* Words are taken with the first byte as the high one, on every machine. */
uint32_t filters_fletcher32(const unsigned char *data, size_t bytes)
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
