/* test_sample.c - planes of datasets in few cells: each element once, or, of what is
 * too much, tiles that stand for others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <hdf5.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "report/sample.h"
#include "scratch_dir.h"
#include "source_scene.h"

#define HEIGHT 2100
#define WIDTH 1900
#define ALL UINT64_MAX

struct scene {
    struct scratch_dir dir;
    char path[300];
};

static float value_at(uint64_t y, uint64_t x)
{
    return (float)(y * 10000 + x);
}

/* "plane" of chunks, "flat" without, both with the same values; "deep", of which only
 * the middle one of five planes has values. */
static void put(hid_t file, const char *name, int ndim, const hsize_t *chunk,
                const float *values)
{
    const hsize_t dims[] = {5, HEIGHT, WIDTH}, start[] = {2, 0, 0};
    const hsize_t count[] = {1, HEIGHT, WIDTH};
    hid_t space = H5Screate_simple(ndim, dims + 3 - ndim, NULL);
    hid_t memory = H5Screate_simple(2, dims + 1, NULL);
    hid_t dcpl = H5Pcreate(H5P_DATASET_CREATE);

    if (chunk)
        H5Pset_chunk(dcpl, ndim, chunk);
    hid_t set =
        H5Dcreate2(file, name, H5T_NATIVE_FLOAT, space, H5P_DEFAULT, dcpl, H5P_DEFAULT);
    if (ndim == 3)
        H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL);
    H5Dwrite(set, H5T_NATIVE_FLOAT, memory, space, H5P_DEFAULT, values);
    H5Dclose(set);
    H5Pclose(dcpl);
    H5Sclose(memory);
    H5Sclose(space);
}

static int setup(void **state)
{
    static const hsize_t chunk[] = {1, 100, 130};
    struct scene *s = calloc(1, sizeof(*s));
    float *values = malloc(sizeof(float) * HEIGHT * WIDTH);

    *state = s;
    store_quiet();
    if (!s || !values || scratch_dir_make(&s->dir) != 0) {
        free(values);
        return -1;
    }
    for (uint64_t i = 0; i < (uint64_t)HEIGHT * WIDTH; i++)
        values[i] = i == 0 ? NAN : value_at(i / WIDTH, i % WIDTH);
    snprintf(s->path, sizeof(s->path), "%s/a.h5", s->dir.path);
    hid_t file = H5Fcreate(s->path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    put(file, "plane", 2, chunk + 1, values);
    put(file, "flat", 2, NULL, values);
    put(file, "deep", 3, chunk, values);
    free(values);
    return H5Fclose(file) < 0 ? -1 : 0;
}

static int teardown(void **state)
{
    struct scene *s = *state;

    scratch_dir_remove(&s->dir);
    free(s);
    return 0;
}

/* A sample of a dataset of the scene. */
static struct sample *take(const struct scene *s, const char *name, uint64_t max_y,
                           uint64_t max_x, uint64_t budget)
{
    struct dataset_info *info = NULL;
    struct sample *sample = NULL;
    swim_error_t err = {0};

    assert_int_equal(store_inspect(s->path, name, &info, &err), SWIM_OK);
    assert_int_equal(
        sample_read(store_source_of(info), info, max_y, max_x, budget, &sample, &err),
        SWIM_OK);
    store_forget(info);
    return sample;
}

/* Each cell is the mean of its elements, for any tiles. */
static void check_whole(const struct sample *s)
{
    assert_int_equal(s->n_looked, (uint64_t)HEIGHT * WIDTH);
    assert_int_equal(s->n_missing, 1);
    assert_true(s->least == value_at(0, 1));
    assert_true(s->most == value_at(HEIGHT - 1, WIDTH - 1));
    assert_int_equal(s->ny, 21);
    assert_int_equal(s->nx, 19);
    for (uint64_t y = 0; y < s->ny; y++)
        for (uint64_t x = y == 0 ? 1 : 0; x < s->nx; x++) {
            double mean = ((double)y * 100 + 49.5) * 1e4 + (double)x * 100 + 49.5;
            assert_true(fabs(s->mean[y * s->nx + x] - mean) < 1);
            assert_true(s->min[y * s->nx + x] == value_at(y * 100, x * 100));
            assert_true(s->max[y * s->nx + x] == value_at(y * 100 + 99, x * 100 + 99));
        }
}

static void each_element_counts_once(void **state)
{
    static const char *const names[] = {"plane", "flat", "deep"};

    for (int i = 0; i < 3; i++) {
        struct sample *s = take(*state, names[i], 21, 19, ALL);
        check_whole(s);
        assert_int_equal(s->place[0], i == 2 ? 2 : 0);
        sample_destroy(s);
    }
}

static void a_plane_of_few_elements_has_a_cell_for_each(void **state)
{
    struct sample *s = take(*state, "plane", HEIGHT, 1, ALL);

    assert_int_equal(s->ny, HEIGHT);
    assert_int_equal(s->nx, 1);
    assert_true(fabs(s->mean[7] - (7e4 + (WIDTH - 1) / 2.0)) < 1);
    sample_destroy(s);
}

/* No more is decoded than the budget, and all cells have values of their place. */
static void what_is_too_much_is_looked_at_in_places(void **state)
{
    static const char *const names[] = {"plane", "flat", "deep"};
    const uint64_t budget = (uint64_t)5 << 20;

    for (int i = 0; i < 3; i++) {
        struct sample *s = take(*state, names[i], 300, 300, budget);
        assert_true(s->n_looked > 0 && s->n_looked * sizeof(float) <= budget);
        for (uint64_t c = 0; c < s->ny * s->nx; c++) {
            assert_true(!isnan(s->mean[c]));
            uint64_t row = c / s->nx;
            double y = ((double)row + 0.5) * HEIGHT / (double)s->ny;
            assert_true(fabs(s->mean[c] / 1e4 - y) < HEIGHT / (double)s->ny + 1);
        }
        sample_destroy(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_element_counts_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_plane_of_few_elements_has_a_cell_for_each,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_too_much_is_looked_at_in_places, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, store_server_start, store_server_end);
}
