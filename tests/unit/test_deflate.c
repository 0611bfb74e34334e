/* test_deflate.c - streams that HDF5 inflates, of each library that the build has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <hdf5.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "scratch_dir.h"
#include "store/dataset.h"
#include "store/deflate.h"

#define PAGE ((size_t)4096)

static const enum deflate_by all[] = {DEFLATE_LIBDEFLATE, DEFLATE_ISAL};

static const size_t sizes[] = {1,     2,      100,    4095,    8192,           20000,
                               65535, 100001, 262144, 1000003, (size_t)3 << 20};
#define N_SIZES (sizeof(sizes) / sizeof(*sizes))

enum kind { ZEROS, NOISE, WINDS, LINES, KINDS };

static int setup(void **state)
{
    store_quiet();
    return scratch_dir_setup(state);
}

/* Memory that ends, and begins, where nothing may be touched. */
struct fenced {
    unsigned char *map, *bytes;
    size_t mapped;
};

static struct fenced fence(size_t n)
{
    size_t pages = (n + PAGE - 1) / PAGE * PAGE;
    struct fenced f = {.mapped = pages + 2 * PAGE};

    f.map = mmap(NULL, f.mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(f.map != MAP_FAILED);
    assert_int_equal(mprotect(f.map + PAGE, pages, PROT_READ | PROT_WRITE), 0);
    f.bytes = f.map + PAGE + pages - n;
    return f;
}

static void unfence(struct fenced *f)
{
    munmap(f->map, f->mapped);
}

static void make(unsigned char *bytes, size_t n, enum kind kind)
{
    uint32_t seed = 12345;

    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525 + 1013904223;
        const size_t element = i / 4;
        float wind = sinf((float)element / 50) * 10 + (float)(seed >> 28) / 100;
        unsigned char part[sizeof(wind)];
        memcpy(part, &wind, sizeof(wind));
        bytes[i] = kind == ZEROS   ? 0
                   : kind == NOISE ? (unsigned char)(seed >> 24)
                   : kind == WINDS ? part[i * 4 / n % 4]
                                   : (unsigned char)("a line of text\n"[i % 15]);
    }
}

/* One chunk, whose stream is made elsewhere, in a file that HDF5 alone opens. */
static void inflate_by_hdf5(const struct scratch_dir *dir, const void *stream,
                            size_t n_stream, unsigned char *back, size_t n)
{
    const hsize_t dims = n, at = 0;
    hid_t file = H5Fcreate(scratch_dir_file(dir, "d.h5"), H5F_ACC_TRUNC, H5P_DEFAULT,
                           H5P_DEFAULT);
    hid_t space = H5Screate_simple(1, &dims, NULL);
    hid_t dcpl = H5Pcreate(H5P_DATASET_CREATE);

    H5Pset_chunk(dcpl, 1, &dims);
    H5Pset_deflate(dcpl, 1);
    hid_t set =
        H5Dcreate2(file, "x", H5T_NATIVE_UINT8, space, H5P_DEFAULT, dcpl, H5P_DEFAULT);
    assert_true(H5Dwrite_chunk(set, H5P_DEFAULT, 0, &at, n_stream, stream) >= 0);
    assert_true(H5Dread(set, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, back) >=
                0);
    H5Dclose(set);
    H5Pclose(dcpl);
    H5Sclose(space);
    H5Fclose(file);
}

static void check_stream(const struct scratch_dir *dir, enum deflate_by by, int level,
                         size_t n, enum kind kind)
{
    struct deflate *d = NULL;
    size_t length = 0;
    swim_error_t err = {0};

    assert_int_equal(deflate_create(by, level, n, &d, &err), SWIM_OK);
    struct fenced chunk = fence(n), stream = fence(deflate_bound(d));
    unsigned char *back = malloc(n);
    make(chunk.bytes, n, kind);
    assert_int_equal(deflate_chunk(d, chunk.bytes, stream.bytes, &length, &err),
                     SWIM_OK);
    assert_true(length <= deflate_bound(d));
    if (kind != NOISE && n > PAGE)
        assert_true(length < n * 9 / 10);
    inflate_by_hdf5(dir, stream.bytes, length, back, n);
    assert_memory_equal(back, chunk.bytes, n);
    free(back);
    unfence(&stream);
    unfence(&chunk);
    deflate_destroy(d);
}

static void hdf5_inflates_what_each_library_makes(void **state)
{
    for (size_t b = 0; b < sizeof(all) / sizeof(*all); b++)
        for (size_t s = 0; deflate_has(all[b]) && s < N_SIZES; s++)
            for (int kind = 0; kind < KINDS; kind++)
                check_stream(*state, all[b], 1, sizes[s], (enum kind)kind);
}

static void hdf5_inflates_each_level(void **state)
{
    for (int level = 1; level <= 9; level++)
        check_stream(*state, deflate_choose(level, 100001), level, 100001, WINDS);
}

static void a_chunk_has_one_stream_whatever_was_before_it(void **state)
{
    const size_t n = 100001;
    unsigned char *chunk = malloc(n), *other = malloc(n);

    (void)state;
    make(chunk, n, WINDS);
    make(other, n, LINES);
    for (size_t b = 0; b < sizeof(all) / sizeof(*all); b++) {
        struct deflate *one = NULL, *two = NULL;
        size_t n_one = 0, n_two = 0;
        if (!deflate_has(all[b]))
            continue;
        assert_int_equal(deflate_create(all[b], 1, n, &one, NULL), SWIM_OK);
        assert_int_equal(deflate_create(all[b], 1, n, &two, NULL), SWIM_OK);
        unsigned char *s_one = malloc(deflate_bound(one)),
                      *s_two = malloc(deflate_bound(two));
        assert_int_equal(deflate_chunk(one, chunk, s_one, &n_one, NULL), SWIM_OK);
        assert_int_equal(deflate_chunk(two, other, s_two, &n_two, NULL), SWIM_OK);
        assert_int_equal(deflate_chunk(two, chunk, s_two, &n_two, NULL), SWIM_OK);
        assert_int_equal(n_one, n_two);
        assert_memory_equal(s_one, s_two, n_one);
        free(s_two);
        free(s_one);
        deflate_destroy(two);
        deflate_destroy(one);
    }
    free(other);
    free(chunk);
}

static void isal_makes_large_chunks_of_level_1_where_there_is_one(void **state)
{
    const enum deflate_by fast =
        deflate_has(DEFLATE_ISAL) ? DEFLATE_ISAL : DEFLATE_LIBDEFLATE;

    (void)state;
    assert_true(deflate_has(DEFLATE_LIBDEFLATE));
    assert_int_equal(deflate_choose(1, 512), DEFLATE_LIBDEFLATE);
    assert_int_equal(deflate_choose(1, 8192), fast);
    assert_int_equal(deflate_choose(1, (size_t)1 << 20), fast);
    assert_int_equal(deflate_choose(1, (size_t)UINT32_MAX), DEFLATE_LIBDEFLATE);
    for (int level = 2; level <= 9; level++)
        assert_int_equal(deflate_choose(level, (size_t)1 << 20), DEFLATE_LIBDEFLATE);
}

static void what_a_build_has_not_is_refused(void **state)
{
    struct deflate *d = NULL;

    (void)state;
    assert_int_equal(deflate_create(DEFLATE_LIBDEFLATE, 0, 100, &d, NULL),
                     SWIM_ERR_ARG);
    assert_int_equal(deflate_create(DEFLATE_LIBDEFLATE, 10, 100, &d, NULL),
                     SWIM_ERR_ARG);
    assert_int_equal(deflate_create(DEFLATE_ISAL, 2, 100, &d, NULL), SWIM_ERR_ARG);
    assert_int_equal(deflate_create(DEFLATE_ISAL, 1, UINT32_MAX, &d, NULL),
                     SWIM_ERR_ARG);
    if (!deflate_has(DEFLATE_ISAL))
        assert_int_equal(deflate_create(DEFLATE_ISAL, 1, 100, &d, NULL), SWIM_ERR_ARG);
    assert_null(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(hdf5_inflates_what_each_library_makes, setup,
                                        scratch_dir_teardown),
        cmocka_unit_test_setup_teardown(hdf5_inflates_each_level, setup,
                                        scratch_dir_teardown),
        cmocka_unit_test(a_chunk_has_one_stream_whatever_was_before_it),
        cmocka_unit_test(isal_makes_large_chunks_of_level_1_where_there_is_one),
        cmocka_unit_test(what_a_build_has_not_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
