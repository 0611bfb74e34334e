/* filters.c - the filters of HDF5 that h5swim makes and undoes itself. */
#include "store/filters.h"

#include <string.h>

#include <h5swim/error.h>

/* Elements: input and output of a block stay in L1 and L2. */
#define SHUFFLE_BLOCK 1024

/* --- shuffle ---------------------------------------------------------------------- */

/* The element size is a constant in each of these, so that the inner loops have a fixed
 * stride and become vector instructions. */
#define SHUFFLE_SIZE(size)                                                      \
    SWIM_WIDE static void shuffle_##size(const unsigned char *restrict src,     \
                                         unsigned char *restrict dst, size_t n) \
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

/* The other way the stores are a group with a fixed stride.  n: from plane to plane. */
SWIM_WIDE static void unshuffle_2(const unsigned char *restrict src, size_t n,
                                  unsigned char *restrict dst, size_t count)
{
    const unsigned char *restrict p0 = src, *restrict p1 = src + n;

    for (size_t i = 0; i < count; i++) {
        dst[2 * i] = p0[i];
        dst[2 * i + 1] = p1[i];
    }
}

SWIM_WIDE static void unshuffle_4(const unsigned char *restrict src, size_t n,
                                  unsigned char *restrict dst, size_t count)
{
    const unsigned char *restrict p0 = src, *restrict p1 = src + n;
    const unsigned char *restrict p2 = src + 2 * n, *restrict p3 = src + 3 * n;

    for (size_t i = 0; i < count; i++) {
        dst[4 * i] = p0[i];
        dst[4 * i + 1] = p1[i];
        dst[4 * i + 2] = p2[i];
        dst[4 * i + 3] = p3[i];
    }
}

SWIM_WIDE static void unshuffle_8(const unsigned char *restrict src, size_t n,
                                  unsigned char *restrict dst, size_t count)
{
    const unsigned char *restrict p0 = src, *restrict p1 = src + n;
    const unsigned char *restrict p2 = src + 2 * n, *restrict p3 = src + 3 * n;
    const unsigned char *restrict p4 = src + 4 * n, *restrict p5 = src + 5 * n;
    const unsigned char *restrict p6 = src + 6 * n, *restrict p7 = src + 7 * n;

    for (size_t i = 0; i < count; i++) {
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

void filters_unshuffle_part(const unsigned char *planes, size_t n, size_t first,
                            unsigned char *dst, size_t count, size_t size)
{
    const unsigned char *src = planes + first;

    if (size == 2)
        unshuffle_2(src, n, dst, count);
    else if (size == 4)
        unshuffle_4(src, n, dst, count);
    else if (size == 8)
        unshuffle_8(src, n, dst, count);
    else
        for (size_t b = 0; b < size; b++)
            for (size_t i = 0; i < count; i++)
                dst[i * size + b] = src[b * n + i];
}

void filters_unshuffle(const unsigned char *src, unsigned char *dst, size_t bytes,
                       size_t size)
{
    size_t n = bytes / size;

    filters_unshuffle_part(src, n, 0, dst, n, size);
    memcpy(dst + n * size, src + n * size, bytes - n * size);
}

/* --- fletcher32 ------------------------------------------------------------------- */

/* Of words w[0] to w[n-1], the sums of w[i] and of (n - i) w[i], modulo 65535, where 0
 * is only what has no bits.  Words are summed in the machine's order of bytes: another
 * order is a factor of 256, which swaps the bytes of the sums.  They are summed in
 * lanes: word i is in round i / WORDS of lane i % WORDS. */
#define WORDS 16
#define ROUNDS_MOST 256 /* (256 * 257 / 2) * 65535 is below 2^32 */

/* A vector of gcc and clang, as arrays do not stay in registers.  Each number of data
 * is a pair of words. */
typedef uint32_t lanes __attribute__((vector_size(WORDS * sizeof(uint16_t))));

struct sums {
    uint64_t one, two;
};

static uint64_t sums_modulo(uint64_t sum)
{
    return sum == 0 ? 0 : (sum - 1) % 65535 + 1;
}

/* Behind what sums are of: rounds * WORDS words. */
SWIM_WIDE static struct sums sums_of_rounds(const unsigned char *data, size_t rounds,
                                            struct sums sums)
{
    lanes low_one = {0}, low_two = {0}, high_one = {0}, high_two = {0};
    const size_t low = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 0 : 1;

    sums.two += rounds * WORDS * sums.one;
    for (size_t k = 0; k < rounds; k++, data += sizeof(lanes)) {
        lanes pairs;
        memcpy(&pairs, data, sizeof(pairs));
        low_one += pairs & 0xffff;
        high_one += pairs >> 16;
        low_two += low_one;
        high_two += high_one;
    }
    for (size_t pair = 0; pair < WORDS / 2; pair++) {
        sums.one += (uint64_t)low_one[pair] + high_one[pair];
        sums.two += WORDS * ((uint64_t)low_two[pair] + high_two[pair]) -
                    (2 * pair + low) * low_one[pair] -
                    (2 * pair + 1 - low) * high_one[pair];
    }
    return sums;
}

static struct sums sums_of_word(const unsigned char *data, size_t bytes,
                                struct sums sums)
{
    uint16_t word = 0;

    memcpy(&word, data, bytes);
    sums.one += word;
    sums.two += sums.one;
    return sums;
}

/* As if the first byte of a word were the high one. */
static uint32_t sums_half(uint64_t sum)
{
    const uint32_t half = (uint32_t)sums_modulo(sum);

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return (half & 0xff) << 8 | half >> 8;
#else
    return half;
#endif
}

uint32_t filters_fletcher32(const unsigned char *data, size_t bytes)
{
    struct sums sums = {0, 0};

    while (bytes >= sizeof(lanes)) {
        size_t rounds = bytes / sizeof(lanes);
        rounds = rounds < ROUNDS_MOST ? rounds : ROUNDS_MOST;
        sums = sums_of_rounds(data, rounds, sums);
        sums = (struct sums){sums_modulo(sums.one), sums_modulo(sums.two)};
        data += rounds * sizeof(lanes);
        bytes -= rounds * sizeof(lanes);
    }
    for (; bytes > 1; bytes -= sizeof(uint16_t), data += sizeof(uint16_t))
        sums = sums_of_word(data, sizeof(uint16_t), sums);
    if (bytes)
        sums = sums_of_word(data, 1, sums);
    return sums_half(sums.two) << 16 | sums_half(sums.one);
}
