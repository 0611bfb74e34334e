/* boxes.c - blocks out of a grid of them, put together into few boxes. */
#include "batch/boxes.h"

static bool bit_is_set(const unsigned char *bits, uint64_t at)
{
    return bits[at / 8] >> at % 8 & 1;
}

static uint64_t number_of(const struct boxes *b, const uint64_t *at)
{
    uint64_t number = 0;

    for (uint32_t a = 0; a < b->ndim; a++)
        number = number * b->parts[a] + at[a];
    return number;
}

/* The next place in the box, C order; false: that was the last. */
static bool place_next(const struct boxes *b, const uint64_t *start,
                       const uint64_t *count, uint64_t *at)
{
    for (uint32_t i = 0; i < b->ndim; i++) {
        uint32_t a = b->ndim - 1 - i;
        if (++at[a] < start[a] + count[a])
            return true;
        at[a] = start[a];
    }
    return false;
}

static bool box_is_set(const struct boxes *b, const uint64_t *start,
                       const uint64_t *count)
{
    uint64_t at[SWIM_NDIM_MAX];

    for (uint32_t a = 0; a < b->ndim; a++)
        at[a] = start[a];
    do
        if (!bit_is_set(b->bits, number_of(b, at)))
            return false;
    while (place_next(b, start, count, at));
    return true;
}

static void box_clear(const struct boxes *b, const uint64_t *start,
                      const uint64_t *count)
{
    uint64_t at[SWIM_NDIM_MAX];

    for (uint32_t a = 0; a < b->ndim; a++)
        at[a] = start[a];
    do {
        uint64_t n = number_of(b, at);
        b->bits[n / 8] = (unsigned char)(b->bits[n / 8] & ~(1U << n % 8));
    } while (place_next(b, start, count, at));
}

static void grow_along(const struct boxes *b, uint32_t axis, const uint64_t *start,
                       uint64_t *count)
{
    uint64_t from[SWIM_NDIM_MAX], n[SWIM_NDIM_MAX];

    for (uint32_t a = 0; a < b->ndim; a++) {
        from[a] = start[a];
        n[a] = count[a];
    }
    n[axis] = 1;
    while (start[axis] + count[axis] < b->parts[axis]) {
        from[axis] = start[axis] + count[axis];
        if (!box_is_set(b, from, n))
            return;
        count[axis]++;
    }
}

/* The first block that is left; false: none is. */
static bool first_left(struct boxes *b)
{
    uint64_t total = 1;

    for (uint32_t a = 0; a < b->ndim; a++)
        total *= b->parts[a];
    while (b->next < total && !bit_is_set(b->bits, b->next))
        b->next += b->next % 8 == 0 && b->bits[b->next / 8] == 0 ? 8 : 1;
    return b->next < total;
}

bool boxes_next(struct boxes *b, uint64_t *start, uint64_t *count)
{
    if (!first_left(b))
        return false;
    uint64_t rest = b->next;
    for (uint32_t i = 0; i < b->ndim; i++) {
        uint32_t a = b->ndim - 1 - i;
        start[a] = rest % b->parts[a];
        count[a] = 1;
        rest /= b->parts[a];
    }
    for (uint32_t i = 0; i < b->ndim; i++)
        grow_along(b, b->ndim - 1 - i, start, count);
    box_clear(b, start, count);
    return true;
}
