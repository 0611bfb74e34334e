/* test_output_growth.c - outputs that become longer while a job runs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <hdf5.h>
#include <hdf5_hl.h>
#include <stdlib.h>
#include <string.h>

#include "scratch_dir.h"
#include "source_scene.h"
#include "store/output.h"

#define MARK "0123456789abcdef-0000000000000001"
#define COLUMNS 4
#define PAGE_BLOCKS ((uint64_t)4096 * 8) /* of which one page of the map tells */

struct scene {
    struct scratch_dir dir;
    char in[300], out[300];
    struct source *source;
    struct dataset_info *info;
    struct output_spec spec;
    struct output *o;
};

/* /U of no rows yet, with a /time of integers as its first dimension. */
static int make_input(const struct scene *s)
{
    const hsize_t dims[2] = {0, COLUMNS}, most[2] = {H5S_UNLIMITED, COLUMNS},
                  chunk[2] = {2, COLUMNS};
    hid_t file = H5Fcreate(s->in, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hid_t dcpl = H5Pcreate(H5P_DATASET_CREATE);

    H5Pset_chunk(dcpl, 2, chunk);
    hid_t space = H5Screate_simple(2, dims, most);
    hid_t u =
        H5Dcreate2(file, "U", H5T_NATIVE_FLOAT, space, H5P_DEFAULT, dcpl, H5P_DEFAULT);
    H5Pset_chunk(dcpl, 1, chunk);
    hid_t line = H5Screate_simple(1, dims, most);
    hid_t time =
        H5Dcreate2(file, "time", H5T_STD_I64BE, line, H5P_DEFAULT, dcpl, H5P_DEFAULT);
    herr_t rc = H5DSset_scale(time, "time");
    if (rc >= 0)
        rc = H5DSattach_scale(u, time, 0);
    H5Dclose(time);
    H5Sclose(line);
    H5Dclose(u);
    H5Sclose(space);
    H5Pclose(dcpl);
    return H5Fclose(file) < 0 || rc < 0 ? -1 : 0;
}

static int setup(void **state)
{
    struct scene *s = calloc(1, sizeof(*s));

    *state = s;
    store_quiet();
    if (!s || scratch_dir_make(&s->dir) != 0)
        return -1;
    snprintf(s->in, sizeof(s->in), "%s/in.h5", s->dir.path);
    snprintf(s->out, sizeof(s->out), "%s/out.h5", s->dir.path);
    if (make_input(s) != 0 ||
        source_open(s->in, &store_now, NULL, &s->source, NULL) != SWIM_OK ||
        dataset_inspect_growing(s->source, "U", &s->info, NULL) != SWIM_OK)
        return -1;
    s->spec = (struct output_spec){.file = s->out,
                                   .dataset = "Y",
                                   .type = SWIM_TYPE_I32,
                                   .ndim = 2,
                                   .shape = {0, COLUMNS},
                                   .chunk = {2, COLUMNS},
                                   .grows = true,
                                   .fill = -1,
                                   .like = s->info,
                                   .like_source = s->source,
                                   .from_axis = {0, 1}};
    return 0;
}

static int teardown(void **state)
{
    struct scene *s = *state;

    dataset_info_destroy(s->info);
    source_close(s->source);
    store_forget_all();
    int rc = scratch_dir_remove(&s->dir);
    free(s);
    return rc;
}

static void make(struct scene *s)
{
    const struct output_job job = {
        .mark = MARK, .description = "d", .n_blocks = OUTPUT_GROWS};
    swim_error_t err = {0};

    if (output_create(s->out, true, &s->spec, 1, NULL, &job, &store_now, &err))
        fail_msg("%s", err.text);
}

static void open_out(struct scene *s)
{
    swim_error_t err = {0};

    if (output_open(s->out, &s->spec, 1, &store_now, &s->o, &err))
        fail_msg("%s", err.text);
}

static void rows_to(struct scene *s, uint64_t rows)
{
    assert_int_equal(output_rows(s->o, 0, rows, NULL), SWIM_OK);
}

/* How long it is for those who read what is committed, and its first dimension. */
static void seen(const struct scene *s, hsize_t want)
{
    static const char *const names[] = {"Y", "time"};
    struct source *source = NULL;
    struct dataset_info *info = NULL;
    uint64_t rows = 99;

    for (int i = 0; i < 2; i++) {
        assert_int_equal(source_open(s->out, &store_now, NULL, &source, NULL), SWIM_OK);
        assert_int_equal(dataset_inspect_growing(source, names[i], &info, NULL),
                         SWIM_OK);
        assert_true(info->grows);
        assert_int_equal(dataset_rows(source, info, &rows, NULL), SWIM_OK);
        assert_int_equal(rows, want);
        dataset_info_destroy(info);
        source_close(source);
    }
}

static void it_is_made_without_rows_and_becomes_longer_in_commits(void **state)
{
    struct scene *s = *state;

    make(s);
    seen(s, 0);
    open_out(s);
    rows_to(s, 3);
    assert_int_equal(output_close(s->o, false, NULL), SWIM_OK);
    seen(s, 3);
    open_out(s);
    rows_to(s, 2); /* it has them */
    rows_to(s, 4);
    assert_int_equal(output_write_slab(s->o, 7, NULL, NULL, NULL, NULL), SWIM_ERR_ARG);
    assert_int_equal(output_done(s->o, UINT64_MAX, NULL), SWIM_ERR_ARG);
    assert_int_equal(output_close(s->o, false, NULL), SWIM_ERR_ARG);
    seen(s, 3);
}

static void coordinates_are_stored_as_those_of_the_input(void **state)
{
    struct scene *s = *state;
    const int64_t big[3] = {1, ((int64_t)1 << 60) + 1, 3};
    int64_t found[3] = {0};

    make(s);
    open_out(s);
    rows_to(s, 3);
    assert_int_equal(output_coordinates(s->o, 0, 0, 3, big, sizeof(big), NULL),
                     SWIM_OK);
    /* of another type: they are not coordinates of this dimension */
    assert_int_equal(output_coordinates(s->o, 0, 0, 3, big, 12, NULL), SWIM_OK);
    assert_int_equal(output_close(s->o, false, NULL), SWIM_OK);
    hid_t file = H5Fopen(s->out, H5F_ACC_RDONLY, H5P_DEFAULT);
    assert_true(H5LTread_dataset(file, "time", H5T_NATIVE_INT64, found) >= 0);
    H5Fclose(file);
    assert_memory_equal(found, big, sizeof(big));
}

static void the_map_of_blocks_grows_by_pages(void **state)
{
    static unsigned char bits[3 * PAGE_BLOCKS / 8];
    struct scene *s = *state;

    make(s);
    open_out(s);
    assert_int_equal(output_done(s->o, 5, NULL), SWIM_OK);
    assert_int_equal(output_done(s->o, 2 * PAGE_BLOCKS + 1, NULL), SWIM_OK);
    assert_int_equal(output_close(s->o, false, NULL), SWIM_OK);
    open_out(s);
    assert_int_equal(output_done(s->o, 6, NULL), SWIM_OK);
    assert_int_equal(output_close(s->o, false, NULL), SWIM_OK);
    assert_int_equal(output_progress(s->out, &s->spec, 1, &store_now,
                                     2 * PAGE_BLOCKS + 2, bits, NULL),
                     SWIM_OK);
    for (uint64_t b = 0; b < 2 * PAGE_BLOCKS + 2; b++)
        assert_int_equal(bits[b / 8] >> b % 8 & 1,
                         b == 5 || b == 6 || b == 2 * PAGE_BLOCKS + 1);
    /* There may be more blocks than were ever done. */
    assert_int_equal(
        output_progress(s->out, &s->spec, 1, &store_now, 3 * PAGE_BLOCKS, bits, NULL),
        SWIM_OK);
}

static void more_rows_than_the_inputs_have_are_refused(void **state)
{
    struct scene *s = *state;
    unsigned char bits[4];

    make(s);
    open_out(s);
    rows_to(s, 7);
    assert_int_equal(output_close(s->o, false, NULL), SWIM_OK);
    s->spec.shape[0] = 7;
    assert_int_equal(output_progress(s->out, &s->spec, 1, &store_now, 8, bits, NULL),
                     SWIM_OK);
    s->spec.shape[0] = 6;
    assert_int_equal(output_progress(s->out, &s->spec, 1, &store_now, 8, bits, NULL),
                     SWIM_ERR_ARG);
}

/* Blocks of 3 rows, two of them beside each other; all are done. */
static void adopt_rows(struct scene *s, uint64_t rows, unsigned char want)
{
    const struct output_job job = {.mark = MARK,
                                   .description = "d",
                                   .n_blocks = OUTPUT_GROWS,
                                   .band_rows = 3,
                                   .band_blocks = 2};
    unsigned char bits = 0;

    open_out(s);
    rows_to(s, rows);
    for (uint64_t b = 0; b < (rows + 2) / 3 * 2; b++)
        assert_int_equal(output_done(s->o, b, NULL), SWIM_OK);
    assert_int_equal(output_close(s->o, false, NULL), SWIM_OK);
    assert_int_equal(output_adopt(s->out, &s->spec, 1, &job, &store_now, NULL),
                     SWIM_OK);
    assert_int_equal(output_progress(s->out, &s->spec, 1, &store_now, 8, &bits, NULL),
                     SWIM_OK);
    assert_int_equal(bits, want);
}

static void the_last_blocks_are_not_done_when_they_may_become_longer(void **state)
{
    struct scene *s = *state;

    s->spec.shape[0] = 9;
    make(s);
    adopt_rows(s, 2, 0x00);
    adopt_rows(s, 3, 0x03);
    adopt_rows(s, 7, 0x0f);
    adopt_rows(s, 9, 0x3f);
}

static void what_grew_is_taken_over_and_finished(void **state)
{
    const struct output_job job = {
        .mark = MARK, .description = "d", .n_blocks = OUTPUT_GROWS};
    struct output_found found;
    struct scene *s = *state;

    make(s);
    open_out(s);
    rows_to(s, 5);
    assert_int_equal(output_close(s->o, false, NULL), SWIM_OK);
    assert_int_equal(output_look(s->out, &s->spec, 1, &store_now, &found, NULL),
                     SWIM_OK);
    assert_true(found.n_blocks == OUTPUT_GROWS);
    output_found_free(&found);
    assert_int_equal(output_adopt(s->out, &s->spec, 1, &job, &store_now, NULL),
                     SWIM_OK);
    assert_int_equal(output_finish(s->out, &s->spec, 1, &store_now, NULL), SWIM_OK);
    seen(s, 5);
}

/* Elements of one dimension, put behind those that there are, also by who opens it
 * next; without commit there are none. */
static void elements_are_appended(void **state)
{
    const struct output_job job = {.mark = MARK, .description = "d", .n_blocks = 4};
    static const int32_t some[5] = {3, 1, 4, 1, 5}, more[2] = {9, 2};
    struct scene *s = *state;
    int32_t found[7] = {0};
    uint64_t at = 77;

    s->spec.ndim = 1;
    s->spec.chunk[0] = 2;
    s->spec.plain = true;
    s->spec.like = NULL;
    s->spec.like_source = NULL;
    s->spec.from_axis[0] = -1;
    assert_int_equal(
        output_create(s->out, true, &s->spec, 1, NULL, &job, &store_now, NULL),
        SWIM_OK);
    open_out(s);
    assert_int_equal(output_append(s->o, 0, 0, NULL, &at, NULL), SWIM_OK);
    assert_int_equal(at, 0);
    assert_int_equal(output_append(s->o, 0, 5, some, &at, NULL), SWIM_OK);
    assert_int_equal(at, 0);
    assert_int_equal(output_close(s->o, false, NULL), SWIM_OK);
    open_out(s);
    assert_int_equal(output_append(s->o, 0, 2, more, &at, NULL), SWIM_OK);
    assert_int_equal(at, 5);
    assert_int_equal(output_append(s->o, 1, 2, more, &at, NULL), SWIM_ERR_ARG);
    assert_int_equal(output_close(s->o, false, NULL), SWIM_OK);

    hid_t file = H5Fopen(s->out, H5F_ACC_RDONLY, H5P_DEFAULT);
    hid_t set = H5Dopen2(file, "Y", H5P_DEFAULT), space = H5Dget_space(set);
    assert_int_equal(H5Sget_simple_extent_npoints(space), 7);
    assert_true(H5Dread(set, H5T_NATIVE_INT32, H5S_ALL, H5S_ALL, H5P_DEFAULT, found) >=
                0);
    assert_memory_equal(found, some, sizeof(some));
    assert_memory_equal(found + 5, more, sizeof(more));
    H5Sclose(space);
    H5Dclose(set);
    H5Fclose(file);
}

/* Two dimensions, and one that does not grow, have no end to put anything behind. */
static void what_does_not_grow_is_not_appended_to(void **state)
{
    struct scene *s = *state;
    const int32_t one = 1;
    uint64_t at = 77;

    make(s);
    open_out(s);
    assert_int_equal(output_append(s->o, 0, 1, &one, &at, NULL), SWIM_ERR_ARG);
    assert_int_equal(output_close(s->o, false, NULL), SWIM_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            it_is_made_without_rows_and_becomes_longer_in_commits, setup, teardown),
        cmocka_unit_test_setup_teardown(coordinates_are_stored_as_those_of_the_input,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(the_map_of_blocks_grows_by_pages, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(more_rows_than_the_inputs_have_are_refused,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            the_last_blocks_are_not_done_when_they_may_become_longer, setup, teardown),
        cmocka_unit_test_setup_teardown(what_grew_is_taken_over_and_finished, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(elements_are_appended, setup, teardown),
        cmocka_unit_test_setup_teardown(what_does_not_grow_is_not_appended_to, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, store_server_start, store_server_end);
}
