/* test_codec.c - chunks that HDF5 itself reads back, and conversions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <hdf5.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "scratch_dir.h"
#include "store/codec.h"
#include "store/dataset.h"
#include "store/types.h"

#define ROWS ((size_t)10)
#define COLUMNS ((size_t)7)
#define CHUNK_ROWS ((size_t)4)
#define CHUNK_COLUMNS ((size_t)3)

static const uint64_t shape[2] = {ROWS, COLUMNS};
static const uint64_t chunk[2] = {CHUNK_ROWS, CHUNK_COLUMNS};

static hid_t native(enum swim_type type)
{
    switch (type) {
    case SWIM_TYPE_I8:
        return H5T_NATIVE_INT8;
    case SWIM_TYPE_I16:
        return H5T_NATIVE_INT16;
    case SWIM_TYPE_F32:
        return H5T_NATIVE_FLOAT;
    case SWIM_TYPE_F64:
        return H5T_NATIVE_DOUBLE;
    default:
        return H5T_NATIVE_LDOUBLE;
    }
}

static int setup(void **state)
{
    store_quiet();
    return scratch_dir_setup(state);
}

static hid_t filtered_dataset(hid_t file, enum swim_type type, bool shuffle,
                              int deflate, bool fletcher32)
{
    const hsize_t dims[2] = {ROWS, COLUMNS}, c[2] = {CHUNK_ROWS, CHUNK_COLUMNS};
    hid_t space = H5Screate_simple(2, dims, NULL), dcpl = H5Pcreate(H5P_DATASET_CREATE);
    hid_t set;

    H5Pset_chunk(dcpl, 2, c);
    if (shuffle)
        H5Pset_shuffle(dcpl);
    if (deflate)
        H5Pset_deflate(dcpl, (unsigned)deflate);
    if (fletcher32)
        H5Pset_fletcher32(dcpl);
    set = H5Dcreate2(file, "x", native(type), space, H5P_DEFAULT, dcpl, H5P_DEFAULT);
    H5Pclose(dcpl);
    H5Sclose(space);
    return set;
}

static void write_chunks(hid_t set, struct codec *codec, const void *data, size_t size)
{
    const uint64_t zero[2] = {0, 0};
    const unsigned char fill[16] = {0};
    unsigned char *plain = malloc(CHUNK_ROWS * CHUNK_COLUMNS * size);
    unsigned char *coded = malloc(codec_bound(codec));
    swim_error_t err = {0};

    for (uint64_t r = 0; r < ROWS; r += CHUNK_ROWS)
        for (uint64_t c = 0; c < COLUMNS; c += CHUNK_COLUMNS) {
            const uint64_t coords[2] = {r, c};
            const hsize_t at[2] = {r, c};
            size_t n = 0;
            codec_gather(data, 2, shape, zero, size, coords, chunk, fill, plain);
            assert_int_equal(codec_encode(codec, plain, coded, &n, &err), SWIM_OK);
            assert_true(n <= codec_bound(codec));
            assert_true(H5Dwrite_chunk(set, H5P_DEFAULT, 0, at, n, coded) >= 0);
        }
    free(coded);
    free(plain);
}

/* One combination of filters; the data are bytes that no filter can make smaller. */
static void check_filters(const struct scratch_dir *dir, enum swim_type type,
                          bool shuffle, int deflate, bool fletcher32)
{
    size_t size = swim_type_size(type), bytes = ROWS * COLUMNS * size;
    unsigned char *data = calloc(1, bytes), *back = calloc(1, bytes);
    struct codec *codec = NULL;
    swim_error_t err = {0};
    hid_t file = H5Fcreate(scratch_dir_file(dir, "c.h5"), H5F_ACC_TRUNC, H5P_DEFAULT,
                           H5P_DEFAULT);
    hid_t set = filtered_dataset(file, type, shuffle, deflate, fletcher32);

    for (size_t i = 0; i < bytes; i++)
        data[i] = (unsigned char)(type == SWIM_TYPE_LDOUBLE ? 0 : rand());
    for (size_t i = 0; type == SWIM_TYPE_LDOUBLE && i < ROWS * COLUMNS; i++)
        ((long double *)(void *)data)[i] = (long double)i / 3;
    assert_int_equal(codec_create(CHUNK_ROWS * CHUNK_COLUMNS * size, size, shuffle,
                                  deflate, fletcher32, &codec, &err),
                     SWIM_OK);
    write_chunks(set, codec, data, size);
    codec_destroy(codec);
    H5Dclose(set);
    H5Fclose(file);
    file = H5Fopen(scratch_dir_file(dir, "c.h5"), H5F_ACC_RDONLY, H5P_DEFAULT);
    set = H5Dopen2(file, "x", H5P_DEFAULT);
    assert_true(H5Dread(set, native(type), H5S_ALL, H5S_ALL, H5P_DEFAULT, back) >= 0);
    if (type == SWIM_TYPE_LDOUBLE)
        for (size_t i = 0; i < ROWS * COLUMNS; i++)
            assert_true(((long double *)(void *)data)[i] ==
                        ((long double *)(void *)back)[i]);
    else
        assert_memory_equal(data, back, bytes);
    H5Dclose(set);
    H5Fclose(file);
    free(back);
    free(data);
}

static void hdf5_reads_every_combination_of_filters(void **state)
{
    static const enum swim_type types[] = {SWIM_TYPE_I8, SWIM_TYPE_I16, SWIM_TYPE_F32,
                                           SWIM_TYPE_F64, SWIM_TYPE_LDOUBLE};

    for (size_t t = 0; t < sizeof(types) / sizeof(*types); t++)
        for (int f = 0; f < 16; f++)
            check_filters(*state, types[t], f & 1, f & 2 ? (f & 8 ? 9 : 1) : 0, f & 4);
}

static void fletcher32_of_an_odd_number_of_bytes(void **state)
{
    const struct scratch_dir *dir = *state;
    const hsize_t n = 1001, at = 0;
    unsigned char data[1001], back[1001], coded[1100];
    hid_t file = H5Fcreate(scratch_dir_file(dir, "o.h5"), H5F_ACC_TRUNC, H5P_DEFAULT,
                           H5P_DEFAULT);
    hid_t space = H5Screate_simple(1, &n, NULL), dcpl = H5Pcreate(H5P_DATASET_CREATE);
    struct codec *codec = NULL;
    size_t bytes = 0;
    swim_error_t err = {0};

    for (size_t i = 0; i < n; i++)
        data[i] = (unsigned char)(255 - i % 3);
    H5Pset_chunk(dcpl, 1, &n);
    H5Pset_fletcher32(dcpl);
    hid_t set =
        H5Dcreate2(file, "x", H5T_NATIVE_UINT8, space, H5P_DEFAULT, dcpl, H5P_DEFAULT);
    assert_int_equal(codec_create(n, 1, false, 0, true, &codec, &err), SWIM_OK);
    assert_int_equal(codec_encode(codec, data, coded, &bytes, &err), SWIM_OK);
    assert_int_equal(bytes, n + 4);
    assert_true(H5Dwrite_chunk(set, H5P_DEFAULT, 0, &at, bytes, coded) >= 0);
    assert_true(H5Dread(set, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, back) >=
                0);
    assert_memory_equal(data, back, n);
    codec_destroy(codec);
    H5Dclose(set);
    H5Pclose(dcpl);
    H5Sclose(space);
    H5Fclose(file);
}

static void gather_takes_the_common_part_and_fills_the_rest(void **state)
{
    /* An array of 3 x 2 x 4 at (1, 2, 4) of the dataset. */
    const uint64_t array_shape[3] = {3, 2, 4}, offset[3] = {1, 2, 4};
    const uint64_t chunk_shape[3] = {2, 4, 4};
    const int fill = -1;
    int array[24], out[32];

    (void)state;
    for (int i = 0; i < 24; i++)
        array[i] = i;
    for (uint64_t c0 = 0; c0 < 6; c0 += 2)
        for (uint64_t c2 = 0; c2 < 12; c2 += 4) {
            const uint64_t coords[3] = {c0, 0, c2};
            codec_gather(array, 3, array_shape, offset, sizeof(int), coords,
                         chunk_shape, &fill, out);
            for (uint64_t i = 0; i < 32; i++) {
                uint64_t x = c0 + i / 16, y = i / 4 % 4, z = c2 + i % 4;
                bool inside = x >= 1 && x < 4 && y >= 2 && z >= 4 && z < 8;
                assert_int_equal(
                    out[i], inside ? (int)((x - 1) * 8 + (y - 2) * 4 + z - 4) : fill);
            }
        }
}

static void gather_of_a_scalar(void **state)
{
    const double one = 1.5;
    double out = 0;

    (void)state;
    codec_gather(&one, 0, NULL, NULL, sizeof(one), NULL, NULL, &one, &out);
    assert_true(out == 1.5);
}

static void small_integers_survive_every_pair_of_types(void **state)
{
    const int8_t start[5] = {0, 1, 2, 100, 127};
    unsigned char a[5 * 16], b[5 * 16];
    int8_t back[5];
    swim_error_t err = {0};

    (void)state;
    for (int from = SWIM_TYPE_I8; from <= SWIM_TYPE_LDOUBLE; from++)
        for (int to = SWIM_TYPE_I8; to <= SWIM_TYPE_LDOUBLE; to++) {
            enum swim_type f = (enum swim_type)from, t = (enum swim_type)to;
            assert_int_equal(codec_convert(SWIM_TYPE_I8, start, f, a, 5, true, 9, &err),
                             SWIM_OK);
            assert_int_equal(codec_convert(f, a, t, b, 5, true, 9, &err), SWIM_OK);
            assert_int_equal(codec_convert(t, b, SWIM_TYPE_I8, back, 5, true, 9, &err),
                             SWIM_OK);
            assert_memory_equal(start, back, 5);
        }
}

static void nan_becomes_the_fill_value(void **state)
{
    const double values[3] = {1, NAN, 3};
    const float narrow[3] = {1, NAN, 3};
    int16_t i16[3];
    float f32[3];
    double f64[3];
    long double wide[3];

    (void)state;
    codec_convert(SWIM_TYPE_F64, values, SWIM_TYPE_I16, i16, 3, true, -99, NULL);
    assert_true(i16[0] == 1 && i16[1] == -99 && i16[2] == 3);
    codec_convert(SWIM_TYPE_F64, values, SWIM_TYPE_F32, f32, 3, true, 1e20, NULL);
    assert_true(f32[0] == 1 && f32[1] == 1e20f);
    codec_convert(SWIM_TYPE_F32, narrow, SWIM_TYPE_F32, f32, 3, true, 1e20, NULL);
    assert_true(f32[1] == 1e20f);
    codec_convert(SWIM_TYPE_F64, values, SWIM_TYPE_F64, f64, 3, true, NAN, NULL);
    assert_true(isnan(f64[1]));
    codec_convert(SWIM_TYPE_F32, narrow, SWIM_TYPE_F64, f64, 3, false, 1e20, NULL);
    assert_true(isnan(f64[1]));
    codec_convert(SWIM_TYPE_F64, values, SWIM_TYPE_LDOUBLE, wide, 3, true, 5, NULL);
    assert_true(wide[1] == 5 && wide[2] == 3);
}

static void out_of_range_becomes_fill_or_the_nearest(void **state)
{
    const double values[6] = {1e9, -1e9, INFINITY, -INFINITY, 2.75, -2.75};
    const int32_t whole[3] = {70000, -70000, 5};
    int16_t i16[6];
    uint8_t u8[3];
    float f32[6];

    (void)state;
    codec_convert(SWIM_TYPE_F64, values, SWIM_TYPE_I16, i16, 6, true, -99, NULL);
    assert_true(i16[0] == -99 && i16[1] == -99 && i16[2] == -99 && i16[3] == -99);
    assert_true(i16[4] == 2 && i16[5] == -2);
    codec_convert(SWIM_TYPE_F64, values, SWIM_TYPE_I16, i16, 6, false, 0, NULL);
    assert_true(i16[0] == INT16_MAX && i16[1] == INT16_MIN);
    assert_true(i16[2] == INT16_MAX && i16[3] == INT16_MIN);
    codec_convert(SWIM_TYPE_I32, whole, SWIM_TYPE_U8, u8, 3, true, 255, NULL);
    assert_true(u8[0] == 255 && u8[1] == 255 && u8[2] == 5);
    codec_convert(SWIM_TYPE_F64, values, SWIM_TYPE_F32, f32, 6, true, 1e20, NULL);
    assert_true(isinf(f32[2]) && f32[0] == 1e9f);
}

static void names_of_types_are_understood(void **state)
{
    (void)state;
    for (int t = SWIM_TYPE_I8; t <= SWIM_TYPE_LDOUBLE; t++)
        assert_int_equal(swim_type_parse(swim_type_name((enum swim_type)t)), t);
    assert_int_equal(swim_type_parse("<f4"), SWIM_TYPE_F32);
    assert_int_equal(swim_type_parse("double"), SWIM_TYPE_F64);
    assert_int_equal(swim_type_parse("u2"), SWIM_TYPE_U16);
    assert_int_equal(swim_type_parse("any"), SWIM_TYPE_ANY);
    assert_int_equal(swim_type_parse("flaot32"), SWIM_TYPE_ANY);
    assert_int_equal(swim_type_parse(""), SWIM_TYPE_ANY);
    assert_int_equal(swim_type_size(SWIM_TYPE_ANY), 0);
    assert_int_equal(swim_type_size((enum swim_type)99), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(hdf5_reads_every_combination_of_filters, setup,
                                        scratch_dir_teardown),
        cmocka_unit_test_setup_teardown(fletcher32_of_an_odd_number_of_bytes, setup,
                                        scratch_dir_teardown),
        cmocka_unit_test(gather_takes_the_common_part_and_fills_the_rest),
        cmocka_unit_test(gather_of_a_scalar),
        cmocka_unit_test(small_integers_survive_every_pair_of_types),
        cmocka_unit_test(nan_becomes_the_fill_value),
        cmocka_unit_test(out_of_range_becomes_fill_or_the_nearest),
        cmocka_unit_test(names_of_types_are_understood),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
