/* test_filters.c - shuffle and fletcher32 beside HDF5's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <hdf5.h>
#include <stdlib.h>
#include <string.h>

#include "scratch_dir.h"
#include "store/dataset.h"
#include "store/filters.h"

/* Around what is done at once: 32 bytes, 8 KiB, 1024 elements. */
static const size_t lengths[] = {1,    2,    3,     30,    31,    32,    33,    34,
                                 63,   96,   8190,  8191,  8192,  8193,  8194,  8224,
                                 8255, 8256, 16384, 16386, 20001, 65535, 100002};
#define N_LENGTHS (sizeof(lengths) / sizeof(*lengths))

enum kind {
    ZEROS,
    ONES,
    NOISE,
    ONE_BIT_IN_FRONT,
    ONE_BIT_AT_THE_END,
    FULL_CIRCLE,
    KINDS
};

static int setup(void **state)
{
    store_quiet();
    return scratch_dir_setup(state);
}

static unsigned char *make(size_t n, enum kind kind)
{
    unsigned char *bytes = malloc(n + 1);

    for (size_t i = 0; i < n; i++)
        bytes[i] = kind == ONES    ? 0xff
                   : kind == NOISE ? (unsigned char)(rand() >> 7)
                                   : 0;
    if (kind == ONE_BIT_IN_FRONT)
        bytes[0] = 1;
    if (kind == ONE_BIT_AT_THE_END)
        bytes[n - 1] = 1;
    /* The sum is 65535, which is not the 0 of no bits. */
    for (size_t i = 0; kind == FULL_CIRCLE && i < n && i < 4; i++)
        bytes[i] = i < 2 ? 0x7f : 0x80;
    return bytes;
}

/* The bytes that HDF5 stores for one chunk. */
static void stored_by_hdf5(const struct scratch_dir *dir, const unsigned char *bytes,
                           size_t n, size_t element, unsigned char *out, size_t n_out)
{
    const hsize_t dims = n / element, at = 0;
    hid_t file = H5Fcreate(scratch_dir_file(dir, "f.h5"), H5F_ACC_TRUNC, H5P_DEFAULT,
                           H5P_DEFAULT);
    hid_t space = H5Screate_simple(1, &dims, NULL);
    hid_t dcpl = H5Pcreate(H5P_DATASET_CREATE), type = H5Tcreate(H5T_OPAQUE, element);
    hsize_t size = 0;
    uint32_t mask = 0;

    H5Pset_chunk(dcpl, 1, &dims);
    if (n == n_out)
        H5Pset_shuffle(dcpl);
    else
        H5Pset_fletcher32(dcpl);
    hid_t set = H5Dcreate2(file, "x", type, space, H5P_DEFAULT, dcpl, H5P_DEFAULT);
    assert_true(H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes) >= 0);
    assert_true(H5Dflush(set) >= 0);
    assert_true(H5Dget_chunk_storage_size(set, &at, &size) >= 0);
    assert_int_equal(size, n_out);
    assert_true(H5Dread_chunk(set, H5P_DEFAULT, &at, &mask, out) >= 0);
    assert_int_equal(mask, 0);
    H5Dclose(set);
    H5Tclose(type);
    H5Pclose(dcpl);
    H5Sclose(space);
    H5Fclose(file);
}

static void fletcher32_is_that_of_hdf5(void **state)
{
    for (size_t l = 0; l < N_LENGTHS; l++)
        for (int kind = 0; kind < KINDS; kind++) {
            const size_t n = lengths[l];
            unsigned char *bytes = make(n, (enum kind)kind);
            unsigned char *stored = malloc(n + FILTERS_FLETCHER_BYTES);
            uint32_t sum = 0;
            stored_by_hdf5(*state, bytes, n, 1, stored, n + FILTERS_FLETCHER_BYTES);
            for (int i = FILTERS_FLETCHER_BYTES; i-- > 0;)
                sum = sum << 8 | stored[n + (size_t)i];
            assert_int_equal(filters_fletcher32(bytes, n), sum);
            free(stored);
            free(bytes);
        }
}

static void fletcher32_of_much_that_is_all_ones(void **state)
{
    const size_t n = ((size_t)8 << 20) + 2;
    unsigned char *bytes = make(n, ONES);

    (void)state; /* each word is 65535, which is 0 modulo 65535 */
    assert_int_equal(filters_fletcher32(bytes, n), 0xffffffff);
    bytes[n - 1] = 0xfe;
    assert_int_equal(filters_fletcher32(bytes, n), 0xfffefffe);
    free(bytes);
}

static void shuffle_is_that_of_hdf5_and_goes_back(void **state)
{
    static const size_t elements[] = {2, 3, 4, 8, 16};

    for (size_t e = 0; e < sizeof(elements) / sizeof(*elements); e++)
        for (size_t l = 0; l < N_LENGTHS; l++) {
            const size_t n = lengths[l] * elements[e];
            unsigned char *bytes = make(n, NOISE), *there = malloc(n),
                          *back = malloc(n), *stored = malloc(n);
            stored_by_hdf5(*state, bytes, n, elements[e], stored, n);
            filters_shuffle(bytes, there, n, elements[e]);
            assert_memory_equal(there, stored, n);
            filters_unshuffle(there, back, n, elements[e]);
            assert_memory_equal(back, bytes, n);
            free(stored);
            free(back);
            free(there);
            free(bytes);
        }
}

static void what_is_left_of_an_element_stays_at_the_end(void **state)
{
    const unsigned char bytes[11] = "0123456789!", want[11] = "0415263789!";
    unsigned char there[11], back[11];

    (void)state;
    filters_shuffle(bytes, there, 11, 4);
    assert_memory_equal(there, want, 11);
    filters_unshuffle(there, back, 11, 4);
    assert_memory_equal(back, bytes, 11);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(fletcher32_is_that_of_hdf5, setup,
                                        scratch_dir_teardown),
        cmocka_unit_test(fletcher32_of_much_that_is_all_ones),
        cmocka_unit_test_setup_teardown(shuffle_is_that_of_hdf5_and_goes_back, setup,
                                        scratch_dir_teardown),
        cmocka_unit_test(what_is_left_of_an_element_stays_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
