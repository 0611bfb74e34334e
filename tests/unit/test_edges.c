/* test_edges.c - halos beyond the edge of a dataset, against a plain computation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "batch/edges.h"

#define ROWS 5
#define COLUMNS 4

struct grid {
    int32_t value[ROWS][COLUMNS];
    int reads;
};

static int grid_read(void *from, const uint64_t *start, const uint64_t *count,
                     void *buf, const uint64_t *buf_shape, const uint64_t *buf_start,
                     swim_error_t *err)
{
    struct grid *g = from;
    int32_t *out = buf;

    (void)err;
    g->reads++;
    for (uint64_t y = 0; y < count[0]; y++)
        for (uint64_t x = 0; x < count[1]; x++) {
            assert_true(start[0] + y < ROWS && start[1] + x < COLUMNS);
            out[(buf_start[0] + y) * buf_shape[1] + buf_start[1] + x] =
                g->value[start[0] + y][start[1] + x];
        }
    return SWIM_OK;
}

static void sources_are_those_of_scipy_ndimage(void **state)
{
    /* a b c d at 0..3, positions -5..8 */
    static const int64_t want[4][14] = {
        [SWIM_EDGE_NEAREST] = {0, 0, 0, 0, 0, 0, 1, 2, 3, 3, 3, 3, 3, 3},
        [SWIM_EDGE_REFLECT] = {3, 3, 2, 1, 0, 0, 1, 2, 3, 3, 2, 1, 0, 0},
        [SWIM_EDGE_WRAP] = {3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0},
        [SWIM_EDGE_CONSTANT] = {-1, -1, -1, -1, -1, 0, 1, 2, 3, -1, -1, -1, -1, -1},
    };
    (void)state;

    for (int mode = 0; mode < 4; mode++)
        for (int64_t p = -5; p < 9; p++)
            assert_int_equal(edges_source((enum swim_edge)mode, 4, p),
                             want[mode][p + 5]);
    assert_int_equal(edges_source(SWIM_EDGE_REFLECT, 1, -7), 0);
    assert_int_equal(edges_source(SWIM_EDGE_WRAP, 1, 9), 0);
}

/* Every mode on each axis, halos from none to many times as wide as the dataset. */
static void each_halo_holds_what_its_mode_says(void **state)
{
    const uint64_t extent[2] = {ROWS, COLUMNS};
    const int32_t constant = -77;
    struct grid g = {.reads = 0};
    (void)state;

    for (int y = 0; y < ROWS; y++)
        for (int x = 0; x < COLUMNS; x++)
            g.value[y][x] = 100 * y + x;
    for (unsigned trial = 0; trial < 4 * 4 * 4 * 8; trial++) {
        const enum swim_edge mode[2] = {trial % 4, trial / 4 % 4};
        const uint32_t lo[2] = {trial / 16 % 4 * (trial / 64), trial / 16 * 3 % 23};
        const uint32_t hi[2] = {trial / 64 * 5, trial / 16 % 3 * 6};
        const struct edges e = {2, extent, lo, hi, mode, &constant, 4};
        const struct block_range range = {
            {trial % 3, trial % 2}, {2, 1 + trial % 3}, 0};
        uint64_t h = range.count[0] + lo[0] + hi[0], w = range.count[1] + lo[1] + hi[1];
        int32_t *buf = malloc(h * w * sizeof(*buf));
        assert_non_null(buf);
        memset(buf, 0x55, h * w * sizeof(*buf));
        assert_int_equal(edges_read(&e, &range, buf, grid_read, &g, NULL), SWIM_OK);
        for (uint64_t y = 0; y < h; y++)
            for (uint64_t x = 0; x < w; x++) {
                int64_t sy =
                    edges_source(mode[0], ROWS, (int64_t)(range.start[0] + y) - lo[0]);
                int64_t sx = edges_source(mode[1], COLUMNS,
                                          (int64_t)(range.start[1] + x) - lo[1]);
                int32_t want = sy < 0 || sx < 0 ? constant : g.value[sy][sx];
                assert_int_equal(buf[y * w + x], want);
            }
        free(buf);
    }
}

static void a_block_inside_is_read_in_one_piece(void **state)
{
    const uint64_t extent[2] = {ROWS, COLUMNS};
    const uint32_t halo[2] = {1, 1};
    const enum swim_edge mode[2] = {SWIM_EDGE_WRAP, SWIM_EDGE_REFLECT};
    const struct edges e = {2, extent, halo, halo, mode, NULL, 4};
    const struct block_range range = {{1, 1}, {2, 2}, 4};
    struct grid g = {.reads = 0};
    int32_t buf[16];
    (void)state;

    assert_int_equal(edges_read(&e, &range, buf, grid_read, &g, NULL), SWIM_OK);
    assert_int_equal(g.reads, 1);
}

/* What a halo has that the block, or the halo itself, has already. */
static void what_is_there_is_not_read_again(void **state)
{
    static const struct {
        uint64_t start;
        enum swim_edge mode;
        uint32_t lo, hi;
        int reads;
    } cases[] = {
        {0, SWIM_EDGE_NEAREST, 3, 0, 1},   {1, SWIM_EDGE_NEAREST, 900, 900, 1},
        {0, SWIM_EDGE_REFLECT, 2, 0, 1},   {0, SWIM_EDGE_REFLECT, 4, 0, 2},
        {3, SWIM_EDGE_REFLECT, 0, 900, 2}, {1, SWIM_EDGE_REFLECT, 900, 900, 1},
        {0, SWIM_EDGE_WRAP, 1, 0, 2},      {0, SWIM_EDGE_WRAP, 4, 4, 1},
        {3, SWIM_EDGE_WRAP, 0, 900, 2},    {1, SWIM_EDGE_WRAP, 900, 900, 1},
        {1, SWIM_EDGE_CONSTANT, 9, 9, 1},
    };
    const uint64_t extent[2] = {ROWS, COLUMNS};
    const int32_t constant = 0;
    int32_t *buf = malloc((size_t)(2 + 1800) * COLUMNS * sizeof(*buf));
    (void)state;

    assert_non_null(buf);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const uint32_t lo[2] = {cases[i].lo, 0}, hi[2] = {cases[i].hi, 0};
        const enum swim_edge mode[2] = {cases[i].mode, SWIM_EDGE_NEAREST};
        const struct edges e = {2, extent, lo, hi, mode, &constant, 4};
        const struct block_range range = {{cases[i].start, 0}, {2, COLUMNS}, 8};
        struct grid g = {.reads = 0};
        assert_int_equal(edges_read(&e, &range, buf, grid_read, &g, NULL), SWIM_OK);
        if (g.reads != cases[i].reads)
            fail_msg("case %zu: %d reads, not %d", i, g.reads, cases[i].reads);
    }
    free(buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sources_are_those_of_scipy_ndimage),
        cmocka_unit_test(each_halo_holds_what_its_mode_says),
        cmocka_unit_test(a_block_inside_is_read_in_one_piece),
        cmocka_unit_test(what_is_there_is_not_read_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
