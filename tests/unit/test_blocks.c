/* test_blocks.c - blocks cover a dataset once, whatever the sizes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "batch/blocks.h"

static void make(struct blocks *b, uint32_t ndim, const uint64_t *extent,
                 const uint64_t *size, const int *reduced)
{
    swim_error_t err = {0};

    memset(b, 0, sizeof(*b));
    b->ndim = ndim;
    for (uint32_t a = 0; a < ndim; a++) {
        b->extent[a] = extent[a];
        b->size[a] = size[a];
        b->reduced[a] = reduced && reduced[a];
    }
    assert_int_equal(blocks_count(b, &err), SWIM_OK);
}

static void each_element_is_in_one_block(void **state)
{
    const uint64_t extent[3] = {7, 10, 3};
    (void)state;

    for (uint64_t s = 1; s < 12; s++) {
        const uint64_t size[3] = {s, 12 - s, 1 + s % 4};
        unsigned char seen[7 * 10 * 3] = {0};
        struct block_range r;
        struct blocks b;
        make(&b, 3, extent, size, NULL);
        for (uint64_t i = 0; i < b.n; i++) {
            uint64_t elements = 0;
            blocks_range(&b, i, &r);
            for (uint64_t x = r.start[0]; x < r.start[0] + r.count[0]; x++)
                for (uint64_t y = r.start[1]; y < r.start[1] + r.count[1]; y++)
                    for (uint64_t z = r.start[2]; z < r.start[2] + r.count[2]; z++) {
                        seen[(x * 10 + y) * 3 + z]++;
                        elements++;
                    }
            assert_int_equal(elements, r.elements);
        }
        for (size_t e = 0; e < sizeof(seen); e++)
            assert_int_equal(seen[e], 1);
    }
}

static void segments_of_a_tile_follow_each_other_in_order(void **state)
{
    const uint64_t extent[3] = {10, 4, 6}, size[3] = {3, 2, 6};
    const int reduced[3] = {1, 0, 0};
    struct block_range r, tile;
    struct blocks b;
    (void)state;

    make(&b, 3, extent, size, reduced);
    assert_int_equal(b.n_segments, 4);
    assert_int_equal(b.n_tiles, 2);
    for (uint64_t t = 0; t < b.n_tiles; t++) {
        blocks_tile_range(&b, t, &tile);
        assert_int_equal(tile.count[0], 10);
        for (uint64_t s = 0; s < b.n_segments; s++) {
            blocks_range(&b, t * b.n_segments + s, &r);
            assert_int_equal(r.start[0], s * 3);
            assert_int_equal(r.count[0], s == 3 ? 1 : 3);
            assert_int_equal(r.start[1], tile.start[1]);
        }
    }
}

static void a_size_beyond_the_extent_is_cut(void **state)
{
    const uint64_t extent[2] = {5, 5}, size[2] = {UINT64_MAX / 2, 1000000};
    struct blocks b;
    (void)state;

    make(&b, 2, extent, size, NULL);
    assert_int_equal(b.n, 1);
    assert_int_equal(b.size[0], 5);
}

static void too_many_blocks_are_refused(void **state)
{
    swim_error_t err = {0};
    struct blocks b = {.ndim = 2};
    (void)state;

    b.extent[0] = b.extent[1] = UINT64_MAX / 4;
    b.size[0] = b.size[1] = 1;
    assert_int_equal(blocks_count(&b, &err), SWIM_ERR_ARG);
}

static void a_scalar_is_one_block(void **state)
{
    struct block_range r;
    struct blocks b;
    (void)state;

    make(&b, 0, NULL, NULL, NULL);
    assert_int_equal(b.n, 1);
    blocks_range(&b, 0, &r);
    assert_int_equal(r.elements, 1);
}

static void chosen_blocks_are_multiples_of_the_base_within_the_wish(void **state)
{
    struct blocks b = {.ndim = 3};
    struct blocks_wish wish = {.base = {12, 73, 72},
                               .chunk = {12, 73, 72},
                               .element_bytes = 12,
                               .most_bytes = 8 << 20,
                               .fewest = 64};
    (void)state;

    b.extent[0] = 100000;
    b.extent[1] = 73;
    b.extent[2] = 144;
    blocks_choose(&b, &wish);
    assert_int_equal(b.size[0] % 12, 0);
    assert_int_equal(b.size[1], 73);
    assert_int_equal(b.size[2], 144);
    assert_true(b.size[0] * b.size[1] * b.size[2] * 12 <= wish.most_bytes);
    assert_true(b.size[0] >= 24);
}

static void few_chunks_are_not_joined(void **state)
{
    struct blocks b = {.ndim = 1};
    struct blocks_wish wish = {.base = {12},
                               .chunk = {12},
                               .element_bytes = 4,
                               .most_bytes = 8 << 20,
                               .fewest = 64};
    (void)state;

    b.extent[0] = 132;
    blocks_choose(&b, &wish);
    assert_int_equal(b.size[0], 12);
}

/* Else most of what is read would be halo, again and again. */
static void blocks_of_windows_are_longer_than_their_halo(void **state)
{
    struct blocks b = {.ndim = 2};
    struct blocks_wish wish = {.base = {1, 10},
                               .chunk = {1, 10},
                               .element_bytes = 12,
                               .window_bytes = 8,
                               .window_step = 1,
                               .window_halo = 30,
                               .most_bytes = 40000,
                               .fewest = 4};
    (void)state;

    make(&b, 2, (const uint64_t[]){1000, 1000}, (const uint64_t[]){1, 1}, NULL);
    blocks_choose(&b, &wish);
    assert_int_equal(b.size[0], 128);
    assert_int_equal(b.size[1], 20);
    assert_true(20 * (128 * 12 + 30 * 8) <= 40000);
    wish.window_bytes = 0;
    blocks_choose(&b, &wish);
    assert_int_equal(b.size[0], 2); /* along the last axis first */
    wish.window_bytes = 8;
    wish.window_step = 31; /* of 31 rows that follow each other */
    wish.base[1] = 1;
    blocks_choose(&b, &wish);
    assert_int_equal(b.size[0], 4);
    assert_true(b.size[1] * (b.size[0] * 12 + (b.size[0] - 1) * 240 + 240) <= 40000);
}

static void a_slice_of_a_long_segment_fits_the_wish(void **state)
{
    struct blocks b = {.ndim = 2, .reduced = {true, false}};
    struct blocks_wish wish = {.base = {1, 100},
                               .chunk = {10, 100},
                               .element_bytes = 4,
                               .most_bytes = 40000,
                               .fewest = 64};
    uint64_t slice[SWIM_NDIM_MAX];
    (void)state;

    b.extent[0] = b.size[0] = 100000;
    b.extent[1] = b.size[1] = 100;
    blocks_choose_slice(&b, &wish, slice);
    assert_int_equal(slice[1], 100);
    assert_int_equal(slice[0], 80);
    wish.most_bytes = 1000; /* less than one chunk */
    blocks_choose_slice(&b, &wish, slice);
    assert_true(slice[0] >= 1 && slice[0] * 100 * 4 <= 1000);
}

static void the_least_common_multiple_stops_at_its_limit(void **state)
{
    (void)state;
    assert_int_equal(blocks_lcm(4, 6, 100), 12);
    assert_int_equal(blocks_lcm(7, 11, 50), 50);
    assert_int_equal(blocks_lcm(UINT64_MAX - 1, UINT64_MAX, 1000), 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_element_is_in_one_block),
        cmocka_unit_test(segments_of_a_tile_follow_each_other_in_order),
        cmocka_unit_test(a_size_beyond_the_extent_is_cut),
        cmocka_unit_test(too_many_blocks_are_refused),
        cmocka_unit_test(a_scalar_is_one_block),
        cmocka_unit_test(chosen_blocks_are_multiples_of_the_base_within_the_wish),
        cmocka_unit_test(few_chunks_are_not_joined),
        cmocka_unit_test(blocks_of_windows_are_longer_than_their_halo),
        cmocka_unit_test(a_slice_of_a_long_segment_fits_the_wish),
        cmocka_unit_test(the_least_common_multiple_stops_at_its_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
