/* test_chunks.c - what is read chunk by chunk is what HDF5 reads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <hdf5.h>

#include "scratch_dir.h"
#include "store/chunks.h"
#include "store/source.h"

#define NDIM_MOST 3
#define BOXES 40

static int setup(void **state)
{
    store_quiet();
    return scratch_dir_setup(state);
}

/* A dataset of its own in a file of its own. */
struct scene {
    hid_t file, set, dcpl, type;
    hsize_t shape[NDIM_MOST], chunk[NDIM_MOST];
    size_t n, element;
    int ndim;
    bool flips; /* chunks_finish() with flip() */
};

enum { SHUFFLE = 1, DEFLATE, FLETCHER };

static void filters_set(hid_t dcpl, const int *filters)
{
    for (; *filters; filters++)
        if (*filters == SHUFFLE)
            H5Pset_shuffle(dcpl);
        else if (*filters == DEFLATE)
            H5Pset_deflate(dcpl, 1);
        else
            H5Pset_fletcher32(dcpl);
}

static void scene_open(struct scene *s, void **state, hid_t type, const int *filters)
{
    hid_t space = H5Screate_simple(s->ndim, s->shape, NULL);
    const double fill = 7;

    s->type = type;
    s->element = H5Tget_size(type);
    s->n = 1;
    for (int d = 0; d < s->ndim; d++)
        s->n *= (size_t)s->shape[d];
    s->dcpl = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(s->dcpl, s->ndim, s->chunk);
    H5Pset_fill_value(s->dcpl, H5T_NATIVE_DOUBLE, &fill);
    filters_set(s->dcpl, filters);
    s->file = H5Fcreate(scratch_dir_file(*state, "chunks.h5"), H5F_ACC_TRUNC,
                        H5P_DEFAULT, H5P_DEFAULT);
    hid_t dapl = H5Pcreate(H5P_DATASET_ACCESS);
    H5Pset_chunk_cache(dapl, 1, 0, 0); /* as store/dataset.c opens one */
    s->set = H5Dcreate2(s->file, "x", type, space, H5P_DEFAULT, s->dcpl, dapl);
    H5Pclose(dapl);
    H5Sclose(space);
    assert_true(s->set >= 0);
}

static void scene_close(struct scene *s)
{
    H5Dclose(s->set);
    H5Pclose(s->dcpl);
    H5Fclose(s->file);
}

static hid_t select_box(const struct scene *s, const uint64_t *start,
                        const uint64_t *count)
{
    hid_t space = H5Screate_simple(s->ndim, s->shape, NULL);
    hsize_t from[NDIM_MOST], n[NDIM_MOST];

    for (int d = 0; d < s->ndim; d++) {
        from[d] = start[d];
        n[d] = count[d];
    }
    H5Sselect_hyperslab(space, H5S_SELECT_SET, from, NULL, n, NULL);
    return space;
}

static hsize_t below(unsigned *seed, hsize_t most)
{
    return (hsize_t)(unsigned)rand_r(seed) % most;
}

/* Random bytes, compressible, in a random part of it: other chunks stay away. */
static void write_some(struct scene *s, unsigned *seed)
{
    unsigned char *bytes = malloc(s->n * s->element);
    uint64_t start[NDIM_MOST], count[NDIM_MOST];
    hsize_t n = 1;

    for (size_t i = 0; i < s->n * s->element; i++)
        bytes[i] = (unsigned char)(rand_r(seed) % 5);
    for (int d = 0; d < s->ndim; d++) {
        start[d] = below(seed, s->shape[d]);
        count[d] = 1 + below(seed, s->shape[d] - start[d]);
        n *= count[d];
    }
    hid_t in_file = select_box(s, start, count),
          in_memory = H5Screate_simple(1, &n, NULL);
    assert_true(H5Dwrite(s->set, s->type, in_memory, in_file, H5P_DEFAULT, bytes) >= 0);
    H5Sclose(in_memory);
    H5Sclose(in_file);
    free(bytes);
    H5Fflush(s->file, H5F_SCOPE_LOCAL);
}

/* What is finished: each byte has the other high bit. */
static void flip(const void *arg, void *elements, size_t n)
{
    const struct scene *s = arg;

    for (size_t i = 0; i < n * s->element; i++)
        ((unsigned char *)elements)[i] ^= 0x80;
}

/* A random box, read into a random place of a larger array, by both. */
static void compare_box(struct scene *s, struct chunks *chunks, unsigned *seed)
{
    uint64_t start[NDIM_MOST], count[NDIM_MOST], shape[NDIM_MOST], at[NDIM_MOST];
    hsize_t dims[NDIM_MOST], from[NDIM_MOST], n[NDIM_MOST];
    size_t bytes = s->element;

    for (int d = 0; d < s->ndim; d++) {
        start[d] = below(seed, s->shape[d]);
        count[d] = 1 + below(seed, s->shape[d] - start[d]);
        if (rand_r(seed) % 3 == 0) { /* whole chunks, in one piece */
            start[d] = start[d] / s->chunk[d] * s->chunk[d];
            count[d] = s->chunk[d] < s->shape[d] - start[d] ? s->chunk[d]
                                                            : s->shape[d] - start[d];
        }
        at[d] = below(seed, 2);
        shape[d] = at[d] + count[d] + below(seed, 2);
        dims[d] = shape[d];
        from[d] = at[d];
        n[d] = count[d];
        bytes *= (size_t)shape[d];
    }
    unsigned char *ours = malloc(bytes), *theirs = malloc(bytes);
    memset(ours, 0xee, bytes);
    memset(theirs, s->flips ? 0x6e : 0xee, bytes);
    hid_t in_file = select_box(s, start, count),
          in_memory = H5Screate_simple(s->ndim, dims, NULL);
    H5Sselect_hyperslab(in_memory, H5S_SELECT_SET, from, NULL, n, NULL);
    assert_true(H5Dread(s->set, s->type, in_memory, in_file, H5P_DEFAULT, theirs) >= 0);
    if (s->flips)
        flip(s, theirs, bytes / s->element);
    swim_error_t err = {0};
    if (chunks_read(chunks, start, count, ours, shape, at, &err) != SWIM_OK)
        fail_msg("%s", err.text);
    assert_memory_equal(ours, theirs, bytes);
    H5Sclose(in_memory);
    H5Sclose(in_file);
    free(ours);
    free(theirs);
}

static const int pipelines[][4] = {
    {0},
    {DEFLATE, 0},
    {SHUFFLE, 0},
    {FLETCHER, 0},
    {SHUFFLE, DEFLATE, 0},
    {SHUFFLE, DEFLATE, FLETCHER, 0},
    {FLETCHER, SHUFFLE, DEFLATE, 0},
    {SHUFFLE, FLETCHER, DEFLATE, 0},
    {DEFLATE, SHUFFLE, FLETCHER, 0},
};

static const struct scene grids[] = {
    {.ndim = 1, .shape = {1000}, .chunk = {64}},
    {.ndim = 1, .shape = {3}, .chunk = {3}},
    {.ndim = 2, .shape = {37, 23}, .chunk = {8, 5}},
    {.ndim = 3, .shape = {9, 10, 11}, .chunk = {1, 10, 11}},
    {.ndim = 3, .shape = {9, 10, 11}, .chunk = {4, 3, 11}},
    {.ndim = 1, .shape = {50000}, .chunk = {20001}}, /* finished in parts */
};

static void compare_boxes(struct scene *s, unsigned *seed)
{
    struct chunks *chunks = NULL;

    assert_int_equal(chunks_open(s->set, NULL, &chunks, NULL), SWIM_OK);
    assert_non_null(chunks);
    if (s->flips)
        assert_true(chunks_finish(chunks, flip, s));
    for (int i = 0; i < BOXES; i++)
        compare_box(s, chunks, seed);
    chunks_close(chunks);
}

static void compare_all(void **state, bool flips)
{
    const hid_t types[] = {H5T_NATIVE_FLOAT, H5T_STD_I16BE, H5T_NATIVE_DOUBLE,
                           H5T_NATIVE_UINT8};
    unsigned seed = 1;

    for (size_t p = 0; p < sizeof(pipelines) / sizeof(*pipelines); p++)
        for (size_t g = 0; g < sizeof(grids) / sizeof(*grids); g++) {
            struct scene s = grids[g];
            s.flips = flips;
            scene_open(&s, state, types[(p + g) % 4], pipelines[p]);
            write_some(&s, &seed);
            compare_boxes(&s, &seed);
            scene_close(&s);
        }
}

static void boxes_are_as_hdf5_reads_them(void **state)
{
    compare_all(state, false);
}

/* Also where HDF5 gives a fill value, and where a part of a chunk is wanted, twice. */
static void elements_are_finished_once(void **state)
{
    compare_all(state, true);
}

/* With a cache too small for all of them, and one large enough. */
static void boxes_by_way_of_the_cache_are_the_same(void **state)
{
    unsigned seed = 2;

    for (uint64_t entries = 1; entries < 40; entries += 13) {
        struct scene s = grids[2];
        struct chunks *chunks = NULL;
        scene_open(&s, state, H5T_NATIVE_FLOAT, pipelines[4]);
        write_some(&s, &seed);
        size_t chunk = sizeof(float[8][5]);
        struct chunk_cache cache = {.n_entries = entries, .chunk_bytes = chunk};
        cache.memory = aligned_alloc(64, (size_t)chunk_cache_bytes(entries, chunk));
        memset(cache.memory, 0, (size_t)chunk_cache_bytes(entries, chunk));
        assert_int_equal(chunks_open(s.set, &cache, &chunks, NULL), SWIM_OK);
        assert_false(chunks_finish(chunks, flip, &s)); /* others read it as well */
        for (int i = 0; i < BOXES; i++)
            compare_box(&s, chunks, &seed);
        chunks_close(chunks);
        free(cache.memory);
        scene_close(&s);
    }
}

/* HDF5 1.10 forgets the mask of what it has just written, until the dataset is closed.
 */
static void put_chunk(struct scene *s, uint32_t mask, size_t n, const void *bytes)
{
    const hsize_t at[2] = {8, 5};

    assert_true(H5Dwrite_chunk(s->set, H5P_DEFAULT, mask, at, n, bytes) >= 0);
    hid_t dapl = H5Dget_access_plist(s->set);
    H5Dclose(s->set);
    s->set = H5Dopen2(s->file, "x", dapl);
    H5Pclose(dapl);
}

/* Filters may be left out of a chunk, which is what H5Dwrite_chunk's mask says. */
static void filters_that_were_left_out_are_not_undone(void **state)
{
    float values[40];
    unsigned seed = 3;
    struct scene s = grids[2];

    for (int i = 0; i < 40; i++)
        values[i] = (float)i / 3;
    scene_open(&s, state, H5T_NATIVE_FLOAT, pipelines[4]);
    put_chunk(&s, 3, sizeof(values), values);
    compare_boxes(&s, &seed);
    s.flips = true;
    compare_boxes(&s, &seed);
    scene_close(&s);
}

static void refuse_chunk(const struct scene *s, const char *says)
{
    const uint64_t start[2] = {8, 5}, count[2] = {8, 5}, origin[2] = {0, 0};
    unsigned char values[8 * 5 * 8];
    struct chunks *chunks = NULL;
    swim_error_t err = {0};

    assert_int_equal(chunks_open(s->set, NULL, &chunks, NULL), SWIM_OK);
    assert_int_equal(chunks_read(chunks, start, count, values, count, origin, &err),
                     SWIM_ERR_CORRUPT);
    if (!strstr(err.text, says) || !strstr(err.text, "the chunk at (8, 5): "))
        fail_msg("%s: no \"%s\"", err.text, says);
    chunks_close(chunks);
}

static void a_damaged_chunk_is_refused_with_its_place(void **state)
{
    unsigned char bytes[200];

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)(i * 7);
    struct scene s = grids[2];
    scene_open(&s, state, H5T_NATIVE_FLOAT, pipelines[1]);
    put_chunk(&s, 0, sizeof(bytes), bytes);
    refuse_chunk(&s, "it cannot be inflated");
    scene_close(&s);
    s = grids[2];
    scene_open(&s, state, H5T_NATIVE_FLOAT, pipelines[1]);
    put_chunk(&s, 1, 100, bytes);
    refuse_chunk(&s, "it has 100 bytes instead of 160");
    scene_close(&s);
    s = grids[2];
    scene_open(&s, state, H5T_NATIVE_FLOAT, pipelines[3]);
    put_chunk(&s, 0, 164, bytes);
    refuse_chunk(&s, "its fletcher32 checksum is wrong");
    put_chunk(&s, 0, 3, bytes);
    refuse_chunk(&s, "it is too short for a checksum");
    scene_close(&s);
    s = grids[2];
    scene_open(&s, state, H5T_NATIVE_FLOAT, pipelines[2]);
    put_chunk(&s, 0, sizeof(bytes), bytes);
    refuse_chunk(&s, "it is longer than a chunk");
    scene_close(&s);
}

static void what_only_hdf5_can_undo_is_left_to_it(void **state)
{
    const int none[] = {0};
    struct chunks *chunks = NULL;
    struct scene s = grids[2];

    scene_open(&s, state, H5T_NATIVE_INT, none);
    H5Pset_scaleoffset(s.dcpl, H5Z_SO_INT, 0);
    hid_t space = H5Dget_space(s.set);
    hid_t other =
        H5Dcreate2(s.file, "y", s.type, space, H5P_DEFAULT, s.dcpl, H5P_DEFAULT);
    assert_int_equal(chunks_open(other, NULL, &chunks, NULL), SWIM_OK);
    assert_null(chunks);
    H5Dclose(other);
    hid_t plain =
        H5Dcreate2(s.file, "z", s.type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    assert_int_equal(chunks_open(plain, NULL, &chunks, NULL), SWIM_OK);
    assert_null(chunks);
    H5Dclose(plain);
    H5Sclose(space);
    scene_close(&s);
}

/* Such a file says nowhere in the chunk that it has no filters. */
static void filters_that_end_before_the_edge_are_left_to_hdf5(void **state)
{
    hid_t fapl = H5Pcreate(H5P_FILE_ACCESS), dcpl = H5Pcreate(H5P_DATASET_CREATE);
    const hsize_t shape[1] = {10}, chunk[1] = {4};
    struct chunks *chunks = NULL;

    H5Pset_libver_bounds(fapl, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST);
    H5Pset_chunk(dcpl, 1, chunk);
    H5Pset_deflate(dcpl, 1);
    H5Pset_chunk_opts(dcpl, H5D_CHUNK_DONT_FILTER_PARTIAL_CHUNKS);
    hid_t file = H5Fcreate(scratch_dir_file(*state, "edge.h5"), H5F_ACC_TRUNC,
                           H5P_DEFAULT, fapl);
    hid_t space = H5Screate_simple(1, shape, NULL);
    hid_t set =
        H5Dcreate2(file, "x", H5T_NATIVE_INT, space, H5P_DEFAULT, dcpl, H5P_DEFAULT);
    assert_int_equal(chunks_open(set, NULL, &chunks, NULL), SWIM_OK);
    assert_null(chunks);
    H5Dclose(set);
    H5Sclose(space);
    H5Fclose(file);
    H5Pclose(dcpl);
    H5Pclose(fapl);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(elements_are_finished_once, setup,
                                        scratch_dir_teardown),
        cmocka_unit_test_setup_teardown(boxes_are_as_hdf5_reads_them, setup,
                                        scratch_dir_teardown),
        cmocka_unit_test_setup_teardown(boxes_by_way_of_the_cache_are_the_same, setup,
                                        scratch_dir_teardown),
        cmocka_unit_test_setup_teardown(filters_that_were_left_out_are_not_undone,
                                        setup, scratch_dir_teardown),
        cmocka_unit_test_setup_teardown(a_damaged_chunk_is_refused_with_its_place,
                                        setup, scratch_dir_teardown),
        cmocka_unit_test_setup_teardown(what_only_hdf5_can_undo_is_left_to_it, setup,
                                        scratch_dir_teardown),
        cmocka_unit_test_setup_teardown(
            filters_that_end_before_the_edge_are_left_to_hdf5, setup,
            scratch_dir_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
