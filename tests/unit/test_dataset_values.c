/* test_dataset_values.c - what attributes say of numbers: several missing values,
 * packing that needs float64, packed coordinates, numbers that are made narrower. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>

#include "scratch_dir.h"
#include "source_scene.h"
#include "store/dataset.h"

static const char sample_cdl[] =
    "netcdf sample {\n"
    "dimensions: lat = 3; x = 2; n = 6;\n"
    "variables:\n"
    " short lat(lat); lat:units = \"degrees_north\"; lat:scale_factor = 0.01;\n"
    "  lat:add_offset = 1.;\n"
    " byte x(x); x:_Unsigned = \"true\"; x:scale_factor = 2.f;\n"
    " float t(lat, x);\n"
    " float f(n); f:_FillValue = -1.f; f:missing_value = -9999.f, -8888.f, 1e20f;\n"
    " short s(n); s:_FillValue = -1s; s:missing_value = -9999s, -8888s, 77s;\n"
    "  s:scale_factor = 0.5;\n"
    " int i(n); i:_FillValue = -1; i:missing_value = -9999, -8888, 77, -1;\n"
    " byte u(n); u:_Unsigned = \"true\"; u:_FillValue = -1b;\n"
    "  u:missing_value = -2b, 253s, 7s;\n"
    " short eight(n); eight:_FillValue = 1s; eight:missing_value = 2s, 3s, 4s, 5s, "
    "6s,\n"
    "  7s, 8s, 1e20;\n"
    " short nine(n); nine:_FillValue = 1s; nine:missing_value = 2s, 3s, 4s, 5s, 6s,\n"
    "  7s, 8s, 9s;\n"
    " short p(n); p:scale_factor = 0.001; p:add_offset = 100000.;\n"
    " short k(n); k:scale_factor = 0.0018; k:add_offset = 260.;\n"
    " byte b(n); b:scale_factor = 0.001; b:add_offset = 100.;\n"
    " float g(n); g:_FillValue = -1.f; g:scale_factor = 2.f; g:add_offset = 1.f;\n"
    "  g:_ChunkSizes = 4; g:_Shuffle = \"true\"; g:_DeflateLevel = 1;\n"
    " short h(n); h:_FillValue = -1s; h:missing_value = -2s; h:scale_factor = 2.f;\n"
    "  h:_ChunkSizes = 4; h:_Shuffle = \"true\"; h:_DeflateLevel = 1;\n"
    " double zero(n); zero:_FillValue = 0.;\n"
    " double near(n); near:_FillValue = -999.;\n"
    "data:\n"
    " lat = -9100, -100, 8900; x = 1, -1; t = 1, 2, 3, 4, 5, 6;\n"
    " f = -1, 2, -9999, -8888, 1e20f, 6; s = -1, 2, -9999, -8888, 77, 6;\n"
    " i = -1, 2, -9999, -8888, 77, 6; u = -1, 2, -2, -3, 7, -4;\n"
    " eight = 1, 2, 8, 9, 0, 5; nine = 1, 2, 8, 9, 0, 5;\n"
    " g = -1, 2, 3, 4, 5, 6; h = -1, 2, -2, -4, 5, 6;\n"
    " p = 1, 2, 3, -32768, 32767, 0; k = 1, 2, 3, 4, 5, 6; b = 1, 2, 3, 4, 5, 6;\n"
    " zero = 0., -0., 1e-50, -1e-50, 1., 2.;\n"
    " near = -999., -999.00001, -998.99999, -1000., 1., 2.;\n"
    "}\n";

static int setup(void **state)
{
    return store_sample_make(state, "sample", sample_cdl);
}

static struct dataset_info *inspect(void **state, const char *dataset)
{
    struct dataset_info *info = NULL;
    swim_error_t err = {0};

    if (store_inspect(scratch_dir_file(*state, "sample.nc"), dataset, &info, &err))
        fail_msg("%s", err.text);
    return info;
}

/* The six numbers of a dataset as mem_type. */
static void read_six(void **state, const char *dataset, enum swim_type mem, void *buf)
{
    const uint64_t zero = 0;
    struct dataset_info *info = inspect(state, dataset);
    struct dataset *ds = NULL;
    swim_error_t err = {0};

    if (dataset_open(store_source_of(info), info, mem, NULL, &ds, &err) ||
        dataset_read(ds, &zero, info->shape, buf, info->shape, &zero, &err))
        fail_msg("%s", err.text);
    dataset_close(ds);
    store_forget(info);
}

/* The second and the last one are there; NaN is what others are. */
static void assert_four_missing(void **state, const char *dataset, double second,
                                double last)
{
    float f[6] = {0};
    double d[6] = {0};
    long double l[6] = {0};

    read_six(state, dataset, SWIM_TYPE_F32, f);
    read_six(state, dataset, SWIM_TYPE_F64, d);
    read_six(state, dataset, SWIM_TYPE_LDOUBLE, l);
    for (int i = 0; i < 6; i++) {
        const double want = i == 1 ? second : last;
        bool there = i == 1 || i == 5;
        assert_true(there ? f[i] == (float)want : isnan(f[i]));
        assert_true(there ? d[i] == want : isnan(d[i]));
        assert_true(there ? l[i] == want : isnan(l[i]));
    }
}

static void all_of_several_missing_values_are_missing(void **state)
{
    assert_four_missing(state, "f", 2, 6);
    assert_four_missing(state, "s", 1, 3); /* packed */
    assert_four_missing(state, "i", 2, 6);
    assert_four_missing(state, "u", 2, 252); /* without a sign: 255, 254, 253, 7 */
}

/* A kernel is told of one. */
static void several_missing_values_of_integers_become_the_first(void **state)
{
    int32_t i[6] = {0};
    uint8_t u[6] = {0};

    read_six(state, "i", SWIM_TYPE_I32, i);
    assert_true(i[0] == -1 && i[1] == 2 && i[5] == 6);
    assert_true(i[2] == -1 && i[3] == -1 && i[4] == -1);
    read_six(state, "u", SWIM_TYPE_U8, u);
    assert_true(u[0] == 255 && u[1] == 2 && u[5] == 252);
    assert_true(u[2] == 255 && u[3] == 255 && u[4] == 255);
}

static void more_missing_values_than_can_be_told_are_refused(void **state)
{
    struct dataset_info *info = inspect(state, "eight");
    swim_error_t err = {0};

    assert_int_equal(info->n_missing, DATASET_MISSING_MOST);
    store_forget(info);
    assert_int_equal(
        store_inspect(scratch_dir_file(*state, "sample.nc"), "nine", &info, &err),
        SWIM_ERR_ARG);
    assert_non_null(strstr(err.text, "more than 8 missing values"));
}

/* As float32 all of 100000.001 to 100000.003 are 100000. */
static void packing_that_float32_does_not_resolve_is_float64(void **state)
{
    static const struct {
        const char *dataset;
        enum swim_type type;
    } cases[] = {{"p", SWIM_TYPE_F64}, {"k", SWIM_TYPE_F32}, {"b", SWIM_TYPE_F32}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct dataset_info *info = inspect(state, cases[i].dataset);
        assert_int_equal(dataset_natural_type(info), cases[i].type);
        store_forget(info);
    }
    double d[6] = {0};
    read_six(state, "p", SWIM_TYPE_F64, d);
    assert_true(d[0] == 1 * 0.001 + 100000. && d[2] == 3 * 0.001 + 100000.);
}

/* Part by part of its chunks. */
static void read_one_by_one(void **state, const char *dataset, enum swim_type mem,
                            void *buf)
{
    struct dataset_info *info = inspect(state, dataset);
    const uint64_t one = 1, six = 6;
    struct dataset *ds = NULL;

    assert_int_equal(dataset_open(store_source_of(info), info, mem, NULL, &ds, NULL),
                     SWIM_OK);
    for (uint64_t i = 0; i < 6; i++)
        assert_int_equal(dataset_read(ds, &i, &one, buf, &six, &i, NULL), SWIM_OK);
    dataset_close(ds);
    store_forget(info);
}

static void chunks_are_unpacked_once(void **state)
{
    static const float want[6] = {NAN, 5, 7, 9, 11, 13};
    static const int16_t whole[6] = {-1, 4, -1, -8, 10, 12};
    float f[2][6];
    int16_t h[2][6];

    read_six(state, "g", SWIM_TYPE_F32, f[0]);
    read_one_by_one(state, "g", SWIM_TYPE_F32, f[1]);
    read_six(state, "h", SWIM_TYPE_I16, h[0]);
    read_one_by_one(state, "h", SWIM_TYPE_I16, h[1]);
    for (int way = 0; way < 2; way++) {
        assert_true(isnan(f[way][0]));
        assert_memory_equal(&f[way][1], &want[1], 5 * sizeof(float));
        assert_memory_equal(h[way], whole, sizeof(whole));
    }
}

static void packed_coordinates_are_unpacked(void **state)
{
    struct dataset_info *info = inspect(state, "t");
    const double *lat = info->axes[0].values, *x = info->axes[1].values;

    assert_true(lat[0] == -9100 * 0.01 + 1 && lat[1] == 0 && lat[2] == 8900 * 0.01 + 1);
    assert_true(x[0] == 2 && x[1] == 510);
    store_forget(info);
}

static void one_coordinate_is_as_among_all(void **state)
{
    struct dataset_info *info = inspect(state, "t"), *plain = inspect(state, "f");
    double value = 0;
    bool is = false;

    for (uint32_t axis = 0; axis < 2; axis++)
        for (uint64_t i = 0; i < info->shape[axis]; i++) {
            assert_int_equal(dataset_coordinate(store_source_of(info), info, axis, i,
                                                &value, &is, NULL),
                             SWIM_OK);
            assert_true(is && value == info->axes[axis].values[i]);
        }
    assert_int_equal(
        dataset_coordinate(store_source_of(plain), plain, 0, 0, &value, &is, NULL),
        SWIM_OK);
    assert_false(is);
    store_forget(plain);
    store_forget(info);
}

/* As float32 they are equal to the missing value. */
static void what_is_made_narrower_is_no_missing_value(void **state)
{
    float f[6] = {0};

    read_six(state, "zero", SWIM_TYPE_F32, f);
    assert_true(isnan(f[0]) && isnan(f[1]) && f[2] == 0 && f[3] == 0 && f[5] == 2);
    read_six(state, "near", SWIM_TYPE_F32, f);
    assert_true(isnan(f[0]) && f[1] == -999 && f[2] == -999 && f[3] == -1000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, store_sample_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(all_of_several_missing_values_are_missing),
        TEST(several_missing_values_of_integers_become_the_first),
        TEST(more_missing_values_than_can_be_told_are_refused),
        TEST(packing_that_float32_does_not_resolve_is_float64),
        TEST(chunks_are_unpacked_once),
        TEST(packed_coordinates_are_unpacked),
        TEST(one_coordinate_is_as_among_all),
        TEST(what_is_made_narrower_is_no_missing_value),
    };
    return cmocka_run_group_tests(tests, store_server_start, store_server_end);
}
