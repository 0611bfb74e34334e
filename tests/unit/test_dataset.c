/* test_dataset.c - datasets as they are found and as kernels see them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <hdf5.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scratch_dir.h"
#include "source_scene.h"
#include "store/codec.h"
#include "store/dataset.h"

/* What most tests look at: every kind of type, attribute and axis. */
static const char sample_cdl[] =
    "netcdf sample {\n"
    "dimensions: time = UNLIMITED; lat = 3; lon = 4; bare = 2;\n"
    "variables:\n"
    " double time(time); time:units = \"hours since 2000-01-01\";\n"
    "  time:calendar = \"noleap\"; time:standard_name = \"time\";\n"
    " float lat(lat); lat:units = \"degrees_north\";\n"
    " short lon(lon); lon:units = \"degrees_east\";\n"
    " float t(time, lat, lon); t:units = \"K\"; t:long_name = \"temperature\";\n"
    "  t:_FillValue = -1.f; t:missing_value = 1e20f;\n"
    " short p(time, bare); p:scale_factor = 0.5; p:add_offset = 100.;\n"
    "  p:_FillValue = -32768s; p:missing_value = -9999.;\n"
    " int w(lat); w:scale_factor = 0.1; w:_FillValue = 7;\n"
    " int big(lat); big:missing_value = 16777217;\n"
    " byte i8(bare); ubyte u8(bare); short i16(bare); ushort u16(bare);\n"
    " int i32(bare); uint u32(bare); int64 i64(bare); uint64 u64(bare);\n"
    " float f32(bare); double f64(bare);\n"
    " double scalar; scalar:_FillValue = 3.;\n"
    " string text(bare);\n"
    " short two(lon); two:_FillValue = -5s; two:missing_value = -6s;\n"
    " short odd(bare); odd:missing_value = 1e20; odd:_FillValue = 5s;\n"
    "data:\n"
    " time = 0, 6; lat = -10, 0, 10; lon = 0, 90, 180, 270;\n"
    " t = 0,1,2,3, 4,-1,6,7, 8,9,1e20f,11, 12,13,14,15, 16,17,18,19, 20,21,22,-1;\n"
    " p = 0, 3, -32768, -9999; w = 10, 7, 30; big = 16777216, 16777217, 5;\n"
    " i8 = -128, 127; u8 = 0, 255; i16 = -32768, 32767; u16 = 0, 65535;\n"
    " i32 = -2147483648, 2147483647; u32 = 0, 4294967295;\n"
    " i64 = -9223372036854775808, 9223372036854775807;\n"
    " u64 = 0, 18446744073709551615; f32 = -1.5, 3e38; f64 = -1.5, 1e300;\n"
    " scalar = 3; text = \"a\", \"b\"; odd = 5, 32767;\n"
    " two = 1, -5, -6, -7;\n"
    "group: g { variables: float temperature(lat); temperature:_FillValue = NaNf;\n"
    " data: temperature = 1, NaNf, 3; }\n"
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

/* All of a dataset as mem_type. */
static void read_all(void **state, const char *dataset, enum swim_type mem, void *buf)
{
    const uint64_t zero[SWIM_NDIM_MAX] = {0};
    struct dataset_info *info = inspect(state, dataset);
    struct dataset *ds = NULL;
    swim_error_t err = {0};

    if (dataset_open(store_source_of(info), info, mem, NULL, &ds, &err) ||
        dataset_read(ds, zero, info->shape, buf, info->shape, zero, &err))
        fail_msg("%s", err.text);
    dataset_close(ds);
    store_forget(info);
}

static void finds_shape_type_and_attributes(void **state)
{
    struct dataset_info *info = inspect(state, "t");

    assert_string_equal(info->path, "/t");
    assert_string_equal(info->name, "t");
    assert_int_equal(info->ndim, 3);
    assert_int_equal(info->shape[0], 2);
    assert_int_equal(info->shape[2], 4);
    assert_true(info->chunked);
    assert_int_equal(info->chunk[1], 3);
    assert_int_equal(info->stored_type, SWIM_TYPE_F32);
    assert_string_equal(info->units, "K");
    assert_string_equal(info->long_name, "temperature");
    assert_int_equal(info->n_missing, 2);
    assert_true(info->missing == -1);
    assert_false(info->packed);
    store_forget(info);
}

static void finds_axes_with_coordinates(void **state)
{
    struct dataset_info *info = inspect(state, "/t");

    assert_string_equal(info->axes[0].name, "time");
    assert_string_equal(info->axes[0].units, "hours since 2000-01-01");
    assert_string_equal(info->axes[0].calendar, "noleap");
    assert_string_equal(info->axes[0].standard_name, "time");
    assert_true(info->axes[0].values[1] == 6);
    assert_string_equal(info->axes[1].name, "lat");
    assert_true(info->axes[1].values[0] == -10);
    assert_true(info->axes[2].values[3] == 270);
    assert_string_equal(info->axis_paths[2], "/lon");
    store_forget(info);
}

static void a_dimension_without_variable_has_a_name_only(void **state)
{
    struct dataset_info *info = inspect(state, "i32");

    assert_string_equal(info->axes[0].name, "bare");
    assert_null(info->axes[0].values);
    assert_string_equal(info->axis_paths[0], "/bare");
    store_forget(info);
}

static void a_coordinate_variable_is_its_own_axis(void **state)
{
    struct dataset_info *info = inspect(state, "lat");

    assert_string_equal(info->axes[0].name, "lat");
    assert_true(info->axes[0].values[2] == 10);
    store_forget(info);
    info = inspect(state, "g/temperature");
    assert_string_equal(info->axes[0].name, "lat");
    assert_string_equal(info->axis_paths[0], "/lat");
    store_forget(info);
}

static void finds_filters(void **state)
{
    struct dataset_info *info = NULL;

    assert_int_equal(
        scratch_dir_run(*state, "nccopy -V t,time,lat,lon -d 3 -s sample.nc z.nc"), 0);
    assert_int_equal(store_inspect(scratch_dir_file(*state, "z.nc"), "t", &info, NULL),
                     SWIM_OK);
    assert_int_equal(info->deflate, 3);
    assert_true(info->shuffle);
    assert_false(info->fletcher32 || info->other_filters);
    store_forget(info);
}

static void refused(void **state, const char *file, const char *dataset, int code,
                    const char *part)
{
    struct dataset_info *info = NULL;
    swim_error_t err = {0};

    assert_int_equal(
        store_inspect(scratch_dir_file(*state, file), dataset, &info, &err), code);
    assert_null(info);
    if (!strstr(err.text, part))
        fail_msg("no \"%s\" in \"%s\"", part, err.text);
}

static void refuses_what_is_no_dataset_with_a_hint(void **state)
{
    refused(state, "sample.nc", "tmeperature", SWIM_ERR_ARG,
            "did you mean /g/temperature?");
    refused(state, "sample.nc", "/x/lta", SWIM_ERR_ARG, "/lat");
    refused(state, "sample.nc", "unlike_anything", SWIM_ERR_ARG, "the file has /");
    refused(state, "sample.nc", "g", SWIM_ERR_ARG, "is a group");
    refused(state, "sample.nc", "g", SWIM_ERR_ARG, "temperature");
    refused(state, "sample.nc", "text", SWIM_ERR_ARG, "string type");
    refused(state, "sample.nc", "t/u", SWIM_ERR_ARG, "no dataset");
    refused(state, "sample.nc", "", SWIM_ERR_ARG, "is a group");
}

static void refuses_what_is_no_hdf5_file(void **state)
{
    assert_int_equal(scratch_dir_run(*state,
                                     "echo hello world > plain; mkdir dir;"
                                     "printf 'netcdf a {dimensions: n = 1;}' |"
                                     "ncgen -k classic -o classic.nc -;"
                                     "head -c 3000 sample.nc > cut.nc; : > none"),
                     0);
    refused(state, "plain", "t", SWIM_ERR_ARG, "not an HDF5 file");
    refused(state, "none", "t", SWIM_ERR_ARG, "not an HDF5 file");
    refused(state, "dir", "t", SWIM_ERR_ARG, "directory");
    refused(state, "gone", "t", SWIM_ERR_ARG, "No such file");
    refused(state, "classic.nc", "t", SWIM_ERR_ARG, "nccopy -k netCDF-4");
    refused(state, "cut.nc", "t", SWIM_ERR_CORRUPT, "cut off");
}

static void refuses_a_file_that_may_not_be_read(void **state)
{
    bool root = geteuid() == 0;

    /* Root may read anything: look as somebody else. */
    assert_int_equal(chmod(((struct scratch_dir *)*state)->path, 0755), 0);
    assert_int_equal(chmod(scratch_dir_file(*state, "sample.nc"), 0), 0);
    if (root)
        assert_int_equal(seteuid(65534), 0);
    refused(state, "sample.nc", "t", SWIM_ERR_IO, "Permission denied");
    if (root)
        assert_int_equal(seteuid(0), 0);
}

static void refuses_other_types_and_empty_datasets(void **state)
{
    const hsize_t two = 2, none = 0;
    hid_t file = H5Fcreate(scratch_dir_file(*state, "h.h5"), H5F_ACC_TRUNC, H5P_DEFAULT,
                           H5P_DEFAULT);
    hid_t space = H5Screate_simple(1, &two, NULL),
          empty = H5Screate_simple(1, &none, NULL);
    hid_t null = H5Screate(H5S_NULL);
    hid_t pair = H5Tcreate(H5T_COMPOUND, 16), flag = H5Tenum_create(H5T_NATIVE_INT8);
    int8_t one = 1;

    H5Tinsert(pair, "r", 0, H5T_NATIVE_DOUBLE);
    H5Tinsert(pair, "i", 8, H5T_NATIVE_DOUBLE);
    H5Tenum_insert(flag, "TRUE", &one);
    H5Dclose(H5Dcreate2(file, "pair", pair, space, 0, 0, 0));
    H5Dclose(H5Dcreate2(file, "flag", flag, space, 0, 0, 0));
    H5Dclose(H5Dcreate2(file, "bits", H5T_NATIVE_B8, space, 0, 0, 0));
    H5Dclose(H5Dcreate2(file, "empty", H5T_NATIVE_INT, empty, 0, 0, 0));
    H5Dclose(H5Dcreate2(file, "null", H5T_NATIVE_INT, null, 0, 0, 0));
    H5Tcommit2(file, "named", pair, 0, 0, 0);
    H5Tclose(pair);
    H5Tclose(flag);
    H5Sclose(null);
    H5Sclose(empty);
    H5Sclose(space);
    H5Fclose(file);
    refused(state, "h.h5", "pair", SWIM_ERR_ARG, "compound type");
    refused(state, "h.h5", "flag", SWIM_ERR_ARG, "enum type");
    refused(state, "h.h5", "bits", SWIM_ERR_ARG, "bit field");
    refused(state, "h.h5", "empty", SWIM_ERR_ARG, "has no elements");
    refused(state, "h.h5", "null", SWIM_ERR_ARG, "has no elements");
    refused(state, "h.h5", "named", SWIM_ERR_ARG, "named type");
}

/* Big-endian and half-precision numbers, a label instead of a scale. */
static void reads_unusual_numbers(void **state)
{
    const char command[] =
        "/usr/bin/python3 -c \"\n"
        "import h5py, numpy as np\n"
        "f = h5py.File('u.h5', 'w')\n"
        "d = f.create_dataset('be', data=np.array([1, -2, 300], '>i2'))\n"
        "d.dims[0].label = 'row'\n"
        "d.attrs['units'] = 'variable length'\n"
        "d.attrs['_FillValue'] = np.array([300], '>i2')\n"
        "f.create_dataset('half', data=np.array([0.5, 2], 'f2'))\n"
        "\"";
    const uint64_t zero = 0;
    struct dataset_info *info = NULL;
    struct dataset *ds = NULL;
    double out[3] = {0};

    assert_int_equal(scratch_dir_run(*state, command), 0);
    assert_int_equal(store_inspect(scratch_dir_file(*state, "u.h5"), "be", &info, NULL),
                     SWIM_OK);
    assert_int_equal(info->stored_type, SWIM_TYPE_I16);
    assert_string_equal(info->axes[0].name, "row");
    assert_string_equal(info->units, "variable length");
    assert_int_equal(
        dataset_open(store_source_of(info), info, SWIM_TYPE_F64, NULL, &ds, NULL),
        SWIM_OK);
    assert_int_equal(
        dataset_read(ds, &zero, info->shape, out, info->shape, &zero, NULL), SWIM_OK);
    assert_true(out[0] == 1 && out[1] == -2 && isnan(out[2]));
    dataset_close(ds);
    store_forget(info);
    assert_int_equal(
        store_inspect(scratch_dir_file(*state, "u.h5"), "half", &info, NULL), SWIM_OK);
    assert_int_equal(info->stored_type, SWIM_TYPE_F32);
    store_forget(info);
}

static void missing_values_become_nan_in_any_float(void **state)
{
    float f[24] = {0};
    double d[24] = {0};
    long double l[24] = {0};

    read_all(state, "t", SWIM_TYPE_F32, f);
    read_all(state, "t", SWIM_TYPE_F64, d);
    read_all(state, "t", SWIM_TYPE_LDOUBLE, l);
    for (int i = 0; i < 24; i++) {
        bool missing = i == 5 || i == 10 || i == 23;
        assert_true(missing ? isnan(f[i]) : f[i] == (float)i);
        assert_true(missing ? isnan(d[i]) : d[i] == i);
        assert_true(missing ? isnan(l[i]) : l[i] == i);
    }
    read_all(state, "g/temperature", SWIM_TYPE_F32, f);
    assert_true(f[0] == 1 && isnan(f[1]) && f[2] == 3);
    read_all(state, "scalar", SWIM_TYPE_F64, d);
    assert_true(isnan(d[0]));
}

static void missing_values_stay_in_integers(void **state)
{
    int32_t w[24] = {0};

    read_all(state, "big", SWIM_TYPE_I32, w);
    assert_true(w[0] == 16777216 && w[1] == 16777217);
    read_all(state, "t", SWIM_TYPE_I32, w);
    assert_true(w[5] == -1 && w[6] == 6);
}

/* A kernel is told of one. */
static void the_second_missing_value_of_integers_becomes_the_first(void **state)
{
    int32_t w[24] = {0};
    int16_t p[4] = {0}, two[4] = {0};
    int64_t wide[4] = {0};

    read_all(state, "two", SWIM_TYPE_I16, two);
    assert_true(two[0] == 1 && two[1] == -5 && two[2] == -5 && two[3] == -7);
    read_all(state, "two", SWIM_TYPE_I64, wide);
    assert_true(wide[0] == 1 && wide[1] == -5 && wide[2] == -5 && wide[3] == -7);
    read_all(state, "p", SWIM_TYPE_I16, p); /* packed */
    assert_true(p[0] == 100 && p[2] == -32768 && p[3] == -32768);
    read_all(state, "t", SWIM_TYPE_I32, w); /* of floats */
    assert_true(w[5] == -1 && w[10] == -1);
}

/* 16777216 and 16777217 are one number as float32. */
static void neighbours_of_a_missing_value_are_not_missing(void **state)
{
    float f[3] = {0};
    double d[3] = {0};

    read_all(state, "big", SWIM_TYPE_F32, f);
    assert_true(f[0] == 16777216.0F && isnan(f[1]) && f[2] == 5);
    read_all(state, "big", SWIM_TYPE_F64, d);
    assert_true(d[0] == 16777216 && isnan(d[1]) && d[2] == 5);
}

static void a_missing_value_that_the_type_cannot_hold_marks_nothing(void **state)
{
    float f[2] = {0};
    struct dataset_info *info = inspect(state, "odd");

    assert_int_equal(info->n_missing, 1);
    assert_true(info->missing == 5);
    store_forget(info);
    read_all(state, "odd", SWIM_TYPE_F32, f);
    assert_true(isnan(f[0]) && f[1] == 32767);
}

static void packed_values_arrive_unpacked(void **state)
{
    struct dataset_info *info = inspect(state, "p");
    float f[4] = {0};
    double d[4] = {0};
    int32_t i[4] = {0};

    assert_true(info->packed && info->scale == 0.5 && info->offset == 100);
    assert_int_equal(info->n_missing, 2);
    assert_int_equal(dataset_natural_type(info), SWIM_TYPE_F32);
    store_forget(info);
    read_all(state, "p", SWIM_TYPE_F32, f);
    assert_true(f[0] == 100 && f[1] == 101.5F && isnan(f[2]) && isnan(f[3]));
    read_all(state, "p", SWIM_TYPE_F64, d);
    assert_true(d[0] == 100 && d[1] == 101.5 && isnan(d[2]) && isnan(d[3]));
    read_all(state, "p", SWIM_TYPE_I32, i);
    assert_true(i[0] == 100 && i[1] == 102 && i[2] == -32768 && i[3] == -32768);
    info = inspect(state, "w");
    assert_int_equal(dataset_natural_type(info), SWIM_TYPE_F64);
    store_forget(info);
    read_all(state, "w", SWIM_TYPE_F32, f);
    assert_true(f[0] == 1 && isnan(f[1]) && f[2] == 3);
    read_all(state, "w", SWIM_TYPE_F64, d);
    assert_true(d[0] == 1 && isnan(d[1]) && fabs(d[2] - 3) < 1e-12);
}

static void every_type_is_read_as_stored(void **state)
{
    static const char *const names[] = {"i8",  "u8",  "i16", "u16", "i32",
                                        "u32", "i64", "u64", "f32", "f64"};
    long double wide[2] = {0};
    unsigned char raw[32];

    for (int i = 0; i < 10; i++) {
        struct dataset_info *info = inspect(state, names[i]);
        enum swim_type type = (enum swim_type)(SWIM_TYPE_I8 + i);
        assert_int_equal(info->stored_type, type);
        assert_int_equal(dataset_natural_type(info), type);
        assert_false(info->has_missing);
        store_forget(info);
        read_all(state, names[i], type, raw);
        codec_convert(type, raw, SWIM_TYPE_LDOUBLE, wide, 2, false, 0, NULL);
        if (i < 8 && i % 2 == 1)
            assert_true(wide[0] == 0 && wide[1] == ldexpl(1, 8 << (i / 2)) - 1);
        else if (i < 8)
            assert_true(wide[0] == -ldexpl(1, (8 << (i / 2)) - 1) &&
                        wide[1] == ldexpl(1, (8 << (i / 2)) - 1) - 1);
        else
            assert_true(wide[0] == -1.5L);
    }
}

/* A part of the dataset into the middle of an array; around it nothing is touched. */
static void reads_a_part_into_a_part(void **state)
{
    const uint64_t start[3] = {0, 1, 1}, count[3] = {2, 2, 2};
    const uint64_t shape[3] = {3, 4, 5}, at[3] = {1, 1, 2};
    struct dataset_info *info = inspect(state, "t");
    struct dataset *ds = NULL;
    swim_error_t err = {0};
    float buf[60];

    for (int i = 0; i < 60; i++)
        buf[i] = -1; /* the missing value: must stay where nothing was read */
    assert_int_equal(
        dataset_open(store_source_of(info), info, SWIM_TYPE_F32, NULL, &ds, &err),
        SWIM_OK);
    assert_int_equal(dataset_read(ds, start, count, buf, shape, at, &err), SWIM_OK);
    for (int i = 0; i < 60; i++) {
        int x = i / 20 - 1, y = i / 5 % 4 - 1, z = i % 5 - 2;
        bool inside = x >= 0 && x < 2 && y >= 0 && y < 2 && z >= 0 && z < 2;
        int value = x * 12 + (y + 1) * 4 + z + 1;
        if (!inside)
            assert_true(buf[i] == -1);
        else
            assert_true(value == 5 || value == 10 ? isnan(buf[i])
                                                  : buf[i] == (float)value);
    }
    const uint64_t too_far[3] = {1, 2, 3};
    assert_int_equal(dataset_read(ds, too_far, count, buf, shape, at, &err),
                     SWIM_ERR_IO);
    dataset_close(ds);
    store_forget(info);
}

enum { ROWS = 8192, ROW = 1024 }; /* of f32: 32 MiB */

/* Of the pages in which these rows lie, how many are in memory. */
static size_t rows_in_memory(const struct dataset_info *info, const char *path,
                             uint64_t first, uint64_t n)
{
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), row = ROW * sizeof(float);
    const uint64_t from = (info->place + first * row) / page * page;
    const size_t length = (size_t)(n * row), pages = length / page;
    unsigned char *in_memory = calloc(pages + 1, 1);
    size_t seen = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    void *map = mmap(NULL, length, PROT_READ, MAP_SHARED, fd, (off_t)from);

    assert_non_null(in_memory);
    assert_ptr_not_equal(map, MAP_FAILED);
    assert_int_equal(mincore(map, length, in_memory), 0);
    for (size_t i = 0; i < pages; i++)
        seen += in_memory[i] & 1U;
    munmap(map, length);
    close(fd);
    free(in_memory);
    return seen;
}

/* A row is a page. */
static void assert_rows_come(const struct dataset_info *info, const char *path,
                             uint64_t first, uint64_t n)
{
    for (int i = 0; i < 500 && rows_in_memory(info, path, first, n) < n; i++)
        usleep(20000);
    assert_true(rows_in_memory(info, path, first, n) >= n);
}

static void forget_pages(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(fsync(fd), 0);
    assert_int_equal(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
    close(fd);
}

/* Two datasets, the second behind the first. */
static void write_rows(const char *path)
{
    const hsize_t shape[2] = {ROWS, ROW};
    float *values = calloc((size_t)ROWS * ROW, sizeof(*values));
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hid_t space = H5Screate_simple(2, shape, NULL);

    assert_non_null(values);
    for (int i = 0; i < 2; i++) {
        hid_t set = H5Dcreate(file, i ? "behind" : "raw", H5T_IEEE_F32LE, space,
                              H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
        assert_true(H5Dwrite(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT,
                             values) >= 0);
        H5Dclose(set);
    }
    H5Sclose(space);
    H5Fclose(file);
    free(values);
}

/* Rows 1024 to 3071 come, and of all rows the first half; a column, which lies in all
 * pages, and what is beyond the dataset do not. */
static void what_is_expected_is_brought_from_the_disk(void **state)
{
    const uint64_t start[] = {1024, 0}, count[] = {2048, ROW}, column[] = {ROWS, 1};
    const uint64_t zero[] = {0, 0}, beyond[] = {ROWS, 0}, all[] = {ROWS, ROW};
    const uint64_t last[] = {ROWS - 1024, 0};
    const char *path = scratch_dir_file(*state, "raw.h5");
    struct dataset_info *info = NULL, *behind = NULL;
    swim_error_t err = {0};

    write_rows(path);
    if (store_inspect(path, "raw", &info, &err))
        fail_msg("%s", err.text);
    if (store_inspect(path, "behind", &behind, &err))
        fail_msg("%s", err.text);
    assert_true(info->place > 0 && behind->place > info->place);
    forget_pages(path);
    if (rows_in_memory(info, path, 0, ROWS) > 256) {
        store_forget(info);
        store_forget(behind);
        skip(); /* a file system that is memory */
    }
    dataset_expect(store_source_of(info), info, zero, column);
    dataset_expect(store_source_of(info), info, beyond, count);
    usleep(300000);
    assert_true(rows_in_memory(info, path, 1024, 2048) <= 256);
    dataset_expect(store_source_of(info), info, start, count);
    assert_rows_come(info, path, 1024, 2048);
    dataset_expect(store_source_of(info), info, zero, all);
    assert_rows_come(info, path, 0, 4096);
    assert_true(rows_in_memory(info, path, 6144, 2048) <= 256);
    dataset_expect(store_source_of(info), info, last, count);
    assert_rows_come(info, path, ROWS - 1024, 1024);
    assert_true(rows_in_memory(behind, path, 512, 512) <= 64);
    store_forget(info);
    store_forget(behind);
}

static void no_type_is_no_type_to_read_as(void **state)
{
    struct dataset_info *info = inspect(state, "t");
    struct dataset *ds = NULL;

    assert_int_equal(
        dataset_open(store_source_of(info), info, SWIM_TYPE_ANY, NULL, &ds, NULL),
        SWIM_ERR_ARG);
    dataset_close(NULL);
    dataset_info_destroy(NULL);
    store_forget(info);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, store_sample_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(finds_shape_type_and_attributes),
        TEST(finds_axes_with_coordinates),
        TEST(a_dimension_without_variable_has_a_name_only),
        TEST(a_coordinate_variable_is_its_own_axis),
        TEST(finds_filters),
        TEST(refuses_what_is_no_dataset_with_a_hint),
        TEST(refuses_what_is_no_hdf5_file),
        TEST(refuses_a_file_that_may_not_be_read),
        TEST(refuses_other_types_and_empty_datasets),
        TEST(reads_unusual_numbers),
        TEST(missing_values_become_nan_in_any_float),
        TEST(missing_values_stay_in_integers),
        TEST(the_second_missing_value_of_integers_becomes_the_first),
        TEST(neighbours_of_a_missing_value_are_not_missing),
        TEST(a_missing_value_that_the_type_cannot_hold_marks_nothing),
        TEST(packed_values_arrive_unpacked),
        TEST(every_type_is_read_as_stored),
        TEST(reads_a_part_into_a_part),
        TEST(what_is_expected_is_brought_from_the_disk),
        TEST(no_type_is_no_type_to_read_as),
    };
    return cmocka_run_group_tests(tests, store_server_start, store_server_end);
}
