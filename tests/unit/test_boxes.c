/* test_boxes.c - blocks out of a grid, put together into few boxes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "batch/boxes.h"

#define BYTES 64

static void set_bit(unsigned char *bits, uint64_t at)
{
    bits[at / 8] = (unsigned char)(bits[at / 8] | 1U << at % 8);
}

/* How many boxes there are; seen: a bit for each block in one, none twice. */
static size_t count_boxes(struct boxes *b, unsigned char seen[BYTES])
{
    uint64_t start[SWIM_NDIM_MAX], count[SWIM_NDIM_MAX];
    size_t n = 0;

    memset(seen, 0, BYTES);
    for (; boxes_next(b, start, count); n++)
        for (uint64_t i = 0; i < count[0]; i++)
            for (uint64_t k = 0; k < count[1]; k++)
                for (uint64_t m = 0; m < count[2]; m++) {
                    uint64_t at =
                        ((start[0] + i) * b->parts[1] + start[1] + k) * b->parts[2] +
                        start[2] + m;
                    assert_int_equal(seen[at / 8] >> at % 8 & 1, 0);
                    set_bit(seen, at);
                }
    return n;
}

static void a_run_of_blocks_is_three_boxes_at_most(void **state)
{
    unsigned char bits[BYTES] = {0}, want[BYTES], seen[BYTES];
    struct boxes b = {.ndim = 3, .parts = {1, 9, 7}, .bits = bits};

    (void)state;
    for (uint64_t i = 10; i < 40; i++) /* from 1,3 to 5,4 */
        set_bit(bits, i);
    memcpy(want, bits, sizeof(want));
    assert_int_equal(count_boxes(&b, seen), 3);
    assert_memory_equal(seen, want, sizeof(want));
}

static void all_blocks_are_one_box(void **state)
{
    unsigned char bits[BYTES] = {0}, seen[BYTES];
    struct boxes b = {.ndim = 3, .parts = {5, 3, 11}, .bits = bits};
    uint64_t start[SWIM_NDIM_MAX], count[SWIM_NDIM_MAX];

    (void)state;
    for (uint64_t i = 0; i < 5ULL * 3 * 11; i++)
        set_bit(bits, i);
    assert_true(boxes_next(&b, start, count));
    assert_int_equal(start[0] + start[1] + start[2], 0);
    assert_int_equal(count[0], 5);
    assert_int_equal(count[1], 3);
    assert_int_equal(count[2], 11);
    assert_int_equal(count_boxes(&b, seen), 0);
}

static void any_blocks_are_in_one_box_each(void **state)
{
    unsigned int seed = 7;

    (void)state;
    for (int round = 0; round < 2000; round++) {
        unsigned char bits[BYTES] = {0}, want[BYTES], seen[BYTES];
        struct boxes b = {.ndim = 3, .bits = bits};
        uint64_t n = 1;
        for (int a = 0; a < 3; a++) {
            b.parts[a] = 1 + (uint64_t)rand_r(&seed) % 8;
            n *= b.parts[a];
        }
        for (uint64_t i = 0; i < n; i++)
            if (rand_r(&seed) % 5 > round % 4)
                set_bit(bits, i);
        memcpy(want, bits, sizeof(want));
        count_boxes(&b, seen);
        assert_memory_equal(seen, want, sizeof(want));
        memset(want, 0, sizeof(want));
        assert_memory_equal(bits, want, sizeof(want));
    }
}

static void without_axes_there_is_one_block(void **state)
{
    unsigned char bits[1] = {1};
    struct boxes b = {.ndim = 0, .bits = bits};
    uint64_t start[SWIM_NDIM_MAX], count[SWIM_NDIM_MAX];

    (void)state;
    assert_true(boxes_next(&b, start, count));
    assert_false(boxes_next(&b, start, count));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_of_blocks_is_three_boxes_at_most),
        cmocka_unit_test(all_blocks_are_one_box),
        cmocka_unit_test(any_blocks_are_in_one_box_each),
        cmocka_unit_test(without_axes_there_is_one_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
