/* test_object_dataset.c - h5swim/file.h: datasets and parts of them. */
#include <unistd.h>

#include "object_scene.h"

#define PYTHON "/usr/bin/python3 -c "

static int python(const struct object_scene *s, const char *program)
{
    char line[2000];

    snprintf(line, sizeof(line), PYTHON "\"import h5py, numpy as np\n%s\"", program);
    return scratch_dir_run(&s->at.dir, line);
}

static struct swim_dataset_spec spec_of(enum swim_data type, uint32_t rank,
                                        const uint64_t *dims)
{
    return (struct swim_dataset_spec){.struct_size = sizeof(struct swim_dataset_spec),
                                      .type = type,
                                      .rank = rank,
                                      .dims = dims};
}

static const uint64_t six[] = {6}, shape[] = {3, 4};

static void each_type_comes_back_as_it_was(void **state)
{
    swim_file_t *file = ((struct object_scene *)*state)->file;
    static const unsigned char given[6 * 8] = {1, 0, 1, 1, 0, 1, 200, 63, 7};
    unsigned char got[6 * 8];
    struct swim_dataset_info info;

    for (int t = SWIM_DATA_INT8; t <= SWIM_DATA_BOOL; t++) {
        struct swim_dataset_spec spec = spec_of((enum swim_data)t, 1, six);
        char path[32];
        snprintf(path, sizeof(path), "/types/%s", swim_data_name((enum swim_data)t));
        OK(swim_dataset_create(file, path, &spec, &err));
        OK(swim_dataset_write(file, path, NULL, spec.type, 6, given, &err));
        memset(got, 0, sizeof(got));
        OK(swim_dataset_read(file, path, NULL, spec.type, 6, got, &err));
        size_t bytes = t <= SWIM_DATA_UINT8 || t == SWIM_DATA_BOOL       ? 6
                       : t <= SWIM_DATA_UINT16                           ? 12
                       : t <= SWIM_DATA_UINT32 || t == SWIM_DATA_FLOAT32 ? 24
                                                                         : 48;
        assert_memory_equal(got, given, bytes);
        OK(swim_dataset_info(file, path, &info, &err));
        assert_int_equal(info.type, t);
        assert_int_equal(info.rank, 1);
        assert_int_equal(info.count, 6);
        assert_int_equal(info.dims[0], 6);
        assert_false(info.chunked);
    }
}

static void numbers_are_converted_and_kept_in_range(void **state)
{
    swim_file_t *file = ((struct object_scene *)*state)->file;
    const double given[6] = {-1.5, 0, 300, 7.9, 1e300, 255};
    const uint8_t wanted[6] = {0, 0, 255, 7, 255, 255};
    struct swim_dataset_spec spec = spec_of(SWIM_DATA_FLOAT64, 1, six);
    uint8_t got[6];

    OK(swim_dataset_create(file, "/x", &spec, &err));
    OK(swim_dataset_write(file, "/x", NULL, SWIM_DATA_FLOAT64, 6, given, &err));
    OK(swim_dataset_read(file, "/x", NULL, SWIM_DATA_UINT8, 6, got, &err));
    assert_memory_equal(got, wanted, 6);
    REFUSED(swim_dataset_read(file, "/x", NULL, SWIM_DATA_BOOL, 6, got, &err),
            SWIM_ERR_ARG, "its values are float64, which do not go with bool");
    REFUSED(swim_dataset_write(file, "/x", NULL, (enum swim_data)77, 6, got, &err),
            SWIM_ERR_ARG, "no type of values");
}

static void a_slab_is_what_start_stride_and_count_say(void **state)
{
    swim_file_t *file = ((struct object_scene *)*state)->file;
    struct swim_dataset_spec spec = spec_of(SWIM_DATA_INT32, 2, shape);
    const int32_t fill = -1, part[4] = {1, 2, 3, 4};
    const int32_t wanted[12] = {-1, -1, -1, -1, -1, 1, -1, 2, -1, 3, -1, 4};
    const uint64_t start[] = {1, 1}, stride[] = {1, 2}, count[] = {2, 2};
    const struct swim_slab slab = {2, start, stride, count},
                           from = {2, start, NULL, NULL};
    const int32_t rest[6] = {1, -1, 2, 3, -1, 4};
    int32_t got[12];

    spec.fill = &fill;
    OK(swim_dataset_create(file, "/x", &spec, &err));
    OK(swim_dataset_write(file, "/x", &slab, SWIM_DATA_INT32, 4, part, &err));
    OK(swim_dataset_read(file, "/x", NULL, SWIM_DATA_INT32, 12, got, &err));
    assert_memory_equal(got, wanted, sizeof(wanted));
    OK(swim_dataset_read(file, "/x", &slab, SWIM_DATA_INT32, 4, got, &err));
    assert_memory_equal(got, part, sizeof(part));
    OK(swim_dataset_read(file, "/x", &from, SWIM_DATA_INT32, 6, got, &err));
    assert_memory_equal(got, rest, sizeof(rest));
}

static void a_slab_that_does_not_fit_is_refused(void **state)
{
    swim_file_t *file = ((struct object_scene *)*state)->file;
    struct swim_dataset_spec spec = spec_of(SWIM_DATA_INT32, 2, shape);
    const uint64_t huge[] = {1, UINT64_MAX}, zero[] = {0, 1}, ends[] = {3, 4},
                   five[] = {1, 5}, none[] = {0, 0};
    const struct swim_slab beyond = {2, NULL, NULL, five},
                           at_end = {2, ends, NULL, NULL},
                           still = {2, NULL, zero, NULL}, wide = {2, huge, NULL, NULL},
                           flat = {1, NULL, NULL, NULL}, empty = {2, NULL, NULL, none};
    int32_t v[12] = {0};

    OK(swim_dataset_create(file, "/x", &spec, &err));
#define READ(slab, n) swim_dataset_read(file, "/x", slab, SWIM_DATA_INT32, n, v, &err)
    REFUSED(READ(&beyond, 5), SWIM_ERR_ARG, "too few");
    REFUSED(READ(&still, 12), SWIM_ERR_ARG, "stride of dimension 0 is 0");
    REFUSED(READ(&wide, 1), SWIM_ERR_ARG, "too few");
    REFUSED(READ(&flat, 3), SWIM_ERR_ARG, "its rank is 2, that of the slab 1");
    REFUSED(READ(NULL, 11), SWIM_ERR_ARG, "12 elements are meant, 11 are given");
    OK(READ(&at_end, 0));
    OK(READ(&empty, 0));
    REFUSED(swim_dataset_read(file, "/none", NULL, SWIM_DATA_INT32, 1, v, &err),
            SWIM_ERR_ARG, "there is no /none");
    REFUSED(swim_dataset_write(file, "/", NULL, SWIM_DATA_INT32, 1, v, &err),
            SWIM_ERR_ARG, "is a group, not a dataset");
}

static void create_replaces_only_with_overwrite(void **state)
{
    swim_file_t *file = ((struct object_scene *)*state)->file;
    struct swim_dataset_spec spec = spec_of(SWIM_DATA_INT32, 1, six);
    struct swim_dataset_info info;

    OK(swim_dataset_create(file, "/g/x", &spec, &err));
    spec.type = SWIM_DATA_FLOAT64;
    REFUSED(swim_dataset_create(file, "/g/x", &spec, &err), SWIM_ERR_ARG,
            "a dataset of that name");
    REFUSED(swim_dataset_create(file, "/g/x/y", &spec, &err), SWIM_ERR_ARG,
            "/g/x is a dataset");
    spec.overwrite = 1;
    OK(swim_dataset_create(file, "/g/x", &spec, &err));
    OK(swim_dataset_info(file, "/g/x", &info, &err));
    assert_int_equal(info.type, SWIM_DATA_FLOAT64);
    REFUSED(swim_dataset_create(file, "/g", &spec, &err), SWIM_ERR_ARG,
            "a group of that name");
}

/* In a transaction: it can only be aborted, as the old dataset is gone. */
static void a_call_that_fails_half_way_breaks_its_transaction(void **state)
{
    swim_file_t *file = ((struct object_scene *)*state)->file;
    const uint64_t wide[] = {1000};
    struct swim_dataset_spec spec = spec_of(SWIM_DATA_INT32, 1, six);
    struct swim_dataset_info info;

    OK(swim_dataset_create(file, "/x", &spec, &err));
    spec.overwrite = 1;
    spec.chunks = wide; /* larger than the dataset: refused by HDF5 */
    OK(swim_file_begin(file, SWIM_LOCK_UPDATE, &err));
    assert_int_not_equal(swim_dataset_create(file, "/x", &spec, &err), SWIM_OK);
    swim_error_clear(&err);
    REFUSED(swim_group_create(file, "/g", &err), SWIM_ERR_ARG, "only be aborted");
    REFUSED(swim_file_commit(file, &err), SWIM_ERR_ARG, "nothing was committed");
    OK(swim_dataset_info(file, "/x", &info, &err));
    assert_int_not_equal(swim_dataset_create(file, "/x", &spec, &err), SWIM_OK);
    swim_error_clear(&err);
    OK(swim_dataset_info(file, "/x", &info, &err));
}

static void require_takes_what_is_the_same(void **state)
{
    swim_file_t *file = ((struct object_scene *)*state)->file;
    struct swim_dataset_spec spec = spec_of(SWIM_DATA_INT32, 2, shape);
    const int32_t v[12] = {5};
    int32_t got[12];

    OK(swim_dataset_require(file, "/x", &spec, &err));
    OK(swim_dataset_write(file, "/x", NULL, SWIM_DATA_INT32, 12, v, &err));
    OK(swim_dataset_require(file, "/x", &spec, &err));
    OK(swim_dataset_read(file, "/x", NULL, SWIM_DATA_INT32, 12, got, &err));
    assert_memory_equal(got, v, sizeof(v));
    spec.rank = 1;
    REFUSED(swim_dataset_require(file, "/x", &spec, &err), SWIM_ERR_ARG,
            "it is int32, 3 x 4, not int32, 3");
    OK(swim_group_create(file, "/g", &err));
    REFUSED(swim_dataset_require(file, "/g", &spec, &err), SWIM_ERR_ARG,
            "a group of that name");
}

static void datasets_grow_as_far_as_they_may(void **state)
{
    swim_file_t *file = ((struct object_scene *)*state)->file;
    const uint64_t none[] = {0, 4}, most[] = {SWIM_UNLIMITED, 4}, grown[] = {2, 4},
                   wide[] = {2, 5}, fixed[] = {7};
    struct swim_dataset_spec spec = spec_of(SWIM_DATA_INT16, 2, none);
    struct swim_dataset_info info;
    int16_t v[8];

    spec.maxdims = most;
    spec.compression = 4;
    spec.shuffle = 1;
    OK(swim_dataset_create(file, "/x", &spec, &err));
    OK(swim_dataset_resize(file, "/x", 2, grown, &err));
    OK(swim_dataset_info(file, "/x", &info, &err));
    assert_int_equal(info.dims[0], 2);
    assert_true(info.maxdims[0] == SWIM_UNLIMITED);
    assert_true(info.chunked && info.shuffle);
    assert_int_equal(info.compression, 4);
    assert_true(info.chunks[0] >= 1 && info.chunks[1] == 4);
    OK(swim_dataset_read(file, "/x", NULL, SWIM_DATA_INT16, 8, v, &err));
    assert_int_equal(v[7], 0);
    REFUSED(swim_dataset_resize(file, "/x", 2, wide, &err), SWIM_ERR_ARG,
            "may be at most 4, not 5");
    REFUSED(swim_dataset_resize(file, "/x", 1, grown, &err), SWIM_ERR_ARG,
            "its rank is 2");
    spec = spec_of(SWIM_DATA_INT16, 1, six);
    OK(swim_dataset_create(file, "/y", &spec, &err));
    REFUSED(swim_dataset_resize(file, "/y", 1, fixed, &err), SWIM_ERR_ARG,
            "in one piece");
}

static void what_is_to_be_is_checked(void **state)
{
    swim_file_t *file = ((struct object_scene *)*state)->file;
    const uint64_t five[] = {5};
    struct swim_dataset_spec spec = spec_of(SWIM_DATA_OTHER, 1, six);

    REFUSED(swim_dataset_create(file, "/x", &spec, &err), SWIM_ERR_ARG, "no type");
    REFUSED(swim_dataset_create(file, "/x", NULL, &err), SWIM_ERR_ARG, "struct_size");
    spec = spec_of(SWIM_DATA_INT8, 0, NULL);
    spec.compression = 1;
    REFUSED(swim_dataset_create(file, "/x", &spec, &err), SWIM_ERR_ARG, "scalar");
    spec.compression = 10;
    REFUSED(swim_dataset_create(file, "/x", &spec, &err), SWIM_ERR_ARG, "0 to 9");
    spec = spec_of(SWIM_DATA_INT8, 1, six);
    spec.maxdims = five;
    REFUSED(swim_dataset_create(file, "/x", &spec, &err), SWIM_ERR_ARG, "at most 5");
}

static void strings_have_any_length_or_a_fixed_one(void **state)
{
    swim_file_t *file = ((struct object_scene *)*state)->file;
    const uint64_t three[] = {3}, one[] = {1}, last[] = {2};
    const char *given[] = {"", "gr\xc3\xbc\xc3\x9f", "12345678"}, *longer = "123456789";
    const char *no = NULL;
    const struct swim_slab slab = {1, last, NULL, one};
    char *got[3];

    for (size_t size = 0; size <= 8; size += 8) {
        struct swim_dataset_spec spec = spec_of(SWIM_DATA_STRING, 1, three);
        struct swim_dataset_info info;
        spec.string_size = size;
        spec.overwrite = 1;
        OK(swim_dataset_create(file, "/s", &spec, &err));
        OK(swim_dataset_read(file, "/s", NULL, SWIM_DATA_STRING, 3, got, &err));
        assert_string_equal(got[2], "");
        swim_strings_clear(got, 3);
        assert_null(got[0]);
        OK(swim_dataset_write(file, "/s", NULL, SWIM_DATA_STRING, 3, given, &err));
        OK(swim_dataset_read(file, "/s", NULL, SWIM_DATA_STRING, 3, got, &err));
        for (int i = 0; i < 3; i++)
            assert_string_equal(got[i], given[i]);
        swim_strings_clear(got, 3);
        OK(swim_dataset_write(file, "/s", &slab, SWIM_DATA_STRING, 1, given + 1, &err));
        OK(swim_dataset_read(file, "/s", &slab, SWIM_DATA_STRING, 1, got, &err));
        assert_string_equal(got[0], given[1]);
        swim_strings_clear(got, 1);
        OK(swim_dataset_info(file, "/s", &info, &err));
        assert_int_equal(info.type, SWIM_DATA_STRING);
        assert_int_equal(info.string_size, size);
    }
    REFUSED(swim_dataset_write(file, "/s", &slab, SWIM_DATA_STRING, 1, &longer, &err),
            SWIM_ERR_ARG, "has 9 bytes, there is room for 8");
    REFUSED(swim_dataset_write(file, "/s", &slab, SWIM_DATA_STRING, 1, &no, &err),
            SWIM_ERR_ARG, "string 0 is NULL");
    REFUSED(swim_dataset_read(file, "/s", &slab, SWIM_DATA_INT8, 1, got, &err),
            SWIM_ERR_ARG, "its values are string");
}

static void h5py_reads_what_is_written_here(void **state)
{
    const struct object_scene *s = *state;
    const double x[6] = {0, 1, 2, 3, 4, 5.5};
    const uint8_t b[6] = {1, 0, 0, 1, 1, 0};
    const char *text[6] = {"a", "gr\xc3\xbcn", "", "d", "e", "f"};
    struct swim_dataset_spec spec = spec_of(SWIM_DATA_FLOAT64, 1, six);

    spec.compression = 1;
    OK(swim_dataset_create(s->file, "/g/x", &spec, &err));
    OK(swim_dataset_write(s->file, "/g/x", NULL, SWIM_DATA_FLOAT64, 6, x, &err));
    spec = spec_of(SWIM_DATA_BOOL, 1, six);
    OK(swim_dataset_create(s->file, "/g/b", &spec, &err));
    OK(swim_dataset_write(s->file, "/g/b", NULL, SWIM_DATA_BOOL, 6, b, &err));
    spec = spec_of(SWIM_DATA_STRING, 1, six);
    OK(swim_dataset_create(s->file, "/g/t", &spec, &err));
    OK(swim_dataset_write(s->file, "/g/t", NULL, SWIM_DATA_STRING, 6, text, &err));
    spec.string_size = 5;
    OK(swim_dataset_create(s->file, "/g/f", &spec, &err));
    OK(swim_dataset_write(s->file, "/g/f", NULL, SWIM_DATA_STRING, 6, text, &err));
    assert_int_equal(
        python(s, "f = h5py.File('a.h5', 'r')['g']\n"
                  "t = [b'a', b'gr\\xc3\\xbcn', b'', b'd', b'e', b'f']\n"
                  "assert list(f['x'][:]) == [0, 1, 2, 3, 4, 5.5]\n"
                  "assert f['x'].compression == 'gzip'\n"
                  "assert f['b'].dtype == bool\n"
                  "assert list(f['b'][:]) == [True, False, False, True, True, False]\n"
                  "assert list(f['t'][:]) == t, f['t'][:]\n"
                  "assert f['t'].asstr()[3] == 'd'\n"
                  "assert list(f['f'][:]) == t and f['f'].dtype == 'S5'\n"),
        0);
}

static void what_h5py_writes_is_read_here(void **state)
{
    const struct object_scene *s = *state;
    int32_t i[6];
    uint8_t b[3];
    char *text[2];
    double scalar = 0;
    struct swim_dataset_info info;

    assert_int_equal(python(s, "f = h5py.File('a.h5', 'w')\n"
                               "f['i'] = np.arange(6, dtype='>i2').reshape(2, 3)\n"
                               "f['b'] = np.array([True, False, True])\n"
                               "f['t'] = ['ab', 'c']\n"
                               "f['f'] = np.array([b'ab', b'cde'])\n"
                               "f['z'] = 2.5\n"
                               "f['c'] = np.zeros(2, dtype='i4,f8')\n"
                               "f['e'] = h5py.Empty('f4')\n"),
                     0);
    OK(swim_dataset_read(s->file, "/i", NULL, SWIM_DATA_INT32, 6, i, &err));
    assert_int_equal(i[5], 5);
    OK(swim_dataset_info(s->file, "/i", &info, &err));
    assert_int_equal(info.type, SWIM_DATA_INT16);
    OK(swim_dataset_read(s->file, "/b", NULL, SWIM_DATA_BOOL, 3, b, &err));
    assert_true(b[0] == 1 && b[1] == 0 && b[2] == 1);
    OK(swim_dataset_read(s->file, "/t", NULL, SWIM_DATA_STRING, 2, text, &err));
    assert_string_equal(text[0], "ab");
    swim_strings_clear(text, 2);
    OK(swim_dataset_read(s->file, "/f", NULL, SWIM_DATA_STRING, 2, text, &err));
    assert_string_equal(text[1], "cde");
    swim_strings_clear(text, 2);
    OK(swim_dataset_read(s->file, "/z", NULL, SWIM_DATA_FLOAT64, 1, &scalar, &err));
    assert_true(scalar == 2.5);
    OK(swim_dataset_info(s->file, "/c", &info, &err));
    assert_int_equal(info.type, SWIM_DATA_OTHER);
    REFUSED(swim_dataset_read(s->file, "/c", NULL, SWIM_DATA_INT32, 2, i, &err),
            SWIM_ERR_ARG, "compound");
    OK(swim_dataset_info(s->file, "/e", &info, &err));
    assert_int_equal(info.count, 0);
    OK(swim_dataset_read(s->file, "/e", NULL, SWIM_DATA_INT32, 0, i, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(each_type_comes_back_as_it_was),
        TEST(numbers_are_converted_and_kept_in_range),
        TEST(a_slab_is_what_start_stride_and_count_say),
        TEST(a_slab_that_does_not_fit_is_refused),
        TEST(create_replaces_only_with_overwrite),
        TEST(a_call_that_fails_half_way_breaks_its_transaction),
        TEST(require_takes_what_is_the_same),
        TEST(datasets_grow_as_far_as_they_may),
        TEST(what_is_to_be_is_checked),
        TEST(strings_have_any_length_or_a_fixed_one),
        TEST(h5py_reads_what_is_written_here),
        TEST(what_h5py_writes_is_read_here),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
