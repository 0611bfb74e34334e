/* blocks.c - how a dataset is cut into blocks. */
#include "batch/blocks.h"

#include <inttypes.h>

#define BLOCKS_MAX ((uint64_t)1 << 62)
#define WINDOW_HALOS 4 /* a block is longer than its halo, if it can be, by so much */

uint64_t blocks_parts(const struct blocks *b, uint32_t axis)
{
    return (b->extent[axis] + b->size[axis] - 1) / b->size[axis];
}

uint64_t blocks_band(const struct blocks *b)
{
    uint64_t n = 1;

    for (uint32_t a = 1; a < b->ndim; a++)
        n *= blocks_parts(b, a);
    return n;
}

int blocks_count(struct blocks *b, swim_error_t *err)
{
    b->n_tiles = b->n_segments = 1;
    for (uint32_t a = 0; a < b->ndim; a++) {
        uint64_t *total = b->reduced[a] ? &b->n_segments : &b->n_tiles;
        if (b->size[a] > b->extent[a])
            b->size[a] = b->extent[a];
        if (__builtin_mul_overflow(*total, blocks_parts(b, a), total))
            *total = UINT64_MAX;
    }
    if (__builtin_mul_overflow(b->n_tiles, b->n_segments, &b->n) || b->n > BLOCKS_MAX)
        return swim_error_set(err, SWIM_ERR_ARG,
                              "plan: more than 2^62 blocks: choose a larger block");
    return SWIM_OK;
}

void blocks_set_rows(struct blocks *b, uint64_t rows)
{
    b->extent[0] = rows;
    b->n = 1;
    for (uint32_t a = 0; a < b->ndim; a++)
        b->n *= blocks_parts(b, a);
    b->n_tiles = b->n;
}

/* Cut the axes of one sort (kept or reduced) at part number index, C order. */
static void range_of_part(const struct blocks *b, bool reduced, uint64_t index,
                          struct block_range *range)
{
    for (uint32_t i = 0; i < b->ndim; i++) {
        uint32_t a = b->ndim - 1 - i;
        if (b->reduced[a] != reduced)
            continue;
        uint64_t parts = blocks_parts(b, a);
        range->start[a] = index % parts * b->size[a];
        range->count[a] = b->extent[a] - range->start[a];
        if (range->count[a] > b->size[a])
            range->count[a] = b->size[a];
        index /= parts;
    }
}

static void range_finish(const struct blocks *b, struct block_range *range)
{
    range->elements = 1;
    for (uint32_t a = 0; a < b->ndim; a++)
        range->elements *= range->count[a];
}

void blocks_range(const struct blocks *b, uint64_t index, struct block_range *range)
{
    range_of_part(b, false, index / b->n_segments, range);
    range_of_part(b, true, index % b->n_segments, range);
    range_finish(b, range);
}

void blocks_tile_range(const struct blocks *b, uint64_t tile, struct block_range *range)
{
    range_of_part(b, false, tile, range);
    for (uint32_t a = 0; a < b->ndim; a++) {
        if (b->reduced[a]) {
            range->start[a] = 0;
            range->count[a] = b->extent[a];
        }
    }
    range_finish(b, range);
}

uint64_t blocks_lcm(uint64_t a, uint64_t c, uint64_t limit)
{
    uint64_t x = a, y = c, lcm;

    while (y) {
        uint64_t rest = x % y;
        x = y;
        y = rest;
    }
    if (__builtin_mul_overflow(a / x, c, &lcm) || lcm > limit)
        return limit;
    return lcm;
}

/* Of the inputs of windows, beyond those that element_bytes counts. */
static double window_bytes_of(const struct blocks *b, const struct blocks_wish *wish)
{
    double bytes = (double)wish->window_bytes;

    for (uint32_t a = 0; wish->window_bytes && a < b->ndim; a++)
        bytes *= a == wish->window_axis
                     ? (double)(b->size[a] - 1) * (double)(wish->window_step - 1) +
                           (double)wish->window_halo
                     : (double)b->size[a];
    return bytes;
}

static double bytes_of(const struct blocks *b, const struct blocks_wish *wish)
{
    double bytes = (double)wish->element_bytes;

    for (uint32_t a = 0; a < b->ndim; a++)
        bytes *= (double)b->size[a];
    return bytes + window_bytes_of(b, wish);
}

static double parts_of(const struct blocks *b)
{
    double parts = 1;

    for (uint32_t a = 0; a < b->ndim; a++)
        parts *= (double)blocks_parts(b, a);
    return parts;
}

/* Double the block along one axis, in multiples of base, while the wish allows it and
 * it is smaller than enough. */
static void grow_along(struct blocks *b, const struct blocks_wish *wish, uint32_t axis,
                       uint64_t enough)
{
    while (b->size[axis] < b->extent[axis] && b->size[axis] < enough) {
        uint64_t old = b->size[axis];
        b->size[axis] = old > b->extent[axis] / 2 ? b->extent[axis] : old * 2;
        if (bytes_of(b, wish) > (double)wish->most_bytes ||
            parts_of(b) < (double)wish->fewest) {
            b->size[axis] = old;
            return;
        }
    }
}

void blocks_choose(struct blocks *b, const struct blocks_wish *wish)
{
    for (uint32_t a = 0; a < b->ndim; a++)
        b->size[a] = wish->base[a] < b->extent[a] ? wish->base[a] : b->extent[a];
    if (wish->window_bytes)
        grow_along(b, wish, wish->window_axis,
                   WINDOW_HALOS * (wish->window_halo / wish->window_step + 1));
    for (uint32_t i = 0; i < b->ndim; i++)
        grow_along(b, wish, b->ndim - 1 - i, UINT64_MAX);
}

void blocks_choose_slice(const struct blocks *b, const struct blocks_wish *wish,
                         uint64_t *slice)
{
    struct blocks part = *b;

    for (uint32_t a = 0; a < b->ndim; a++)
        if (b->reduced[a] && wish->chunk[a] < part.size[a])
            part.size[a] = wish->chunk[a];
    for (uint32_t i = 0; i < b->ndim; i++) {
        uint32_t a = b->ndim - 1 - i;
        while (b->reduced[a] && part.size[a] < b->size[a]) {
            uint64_t old = part.size[a];
            part.size[a] = old > b->size[a] / 2 ? b->size[a] : old * 2;
            if (bytes_of(&part, wish) > (double)wish->most_bytes) {
                part.size[a] = old;
                break;
            }
        }
    }
    /* Even one chunk may be too much: halve, from the first reduced axis on. */
    for (uint32_t a = 0; a < b->ndim; a++)
        while (b->reduced[a] && part.size[a] > 1 &&
               bytes_of(&part, wish) > (double)wish->most_bytes)
            part.size[a] = (part.size[a] + 1) / 2;
    for (uint32_t a = 0; a < b->ndim; a++)
        slice[a] = part.size[a];
}
