/* test_store_large.c - files of more than 4 GiB, most of which is holes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store_tools.h"

#define GIB (UINT64_C(1) << 30)
#define SIZE (9 * GIB)
#define PIECE 4096
#define ON_DISK (UINT64_C(4) << 20) /* more would be no holes */

/* Around each of the places where 32 bits, or signed ones, end. */
static const uint64_t places[] = {
    0,       2 * GIB - 8,     4 * GIB - 8, 4 * GIB + PIECE,
    5 * GIB, 8 * GIB + 12345, SIZE - PIECE};
#define N_PLACES ((int)(sizeof(places) / sizeof(*places)))

static hid_t big_new(hid_t file, hsize_t chunk)
{
    const hsize_t dims = SIZE;
    hid_t space = H5Screate_simple(1, &dims, NULL),
          dcpl = H5Pcreate(H5P_DATASET_CREATE);

    H5Pset_fill_time(dcpl, H5D_FILL_TIME_NEVER);
    H5Pset_alloc_time(dcpl, chunk ? H5D_ALLOC_TIME_INCR : H5D_ALLOC_TIME_LATE);
    if (chunk)
        H5Pset_chunk(dcpl, 1, &chunk);
    hid_t set = H5Dcreate2(file, "big", H5T_NATIVE_UCHAR, space, H5P_DEFAULT, dcpl,
                           H5P_DEFAULT);
    assert_true(set >= 0);
    H5Pclose(dcpl);
    H5Sclose(space);
    return set;
}

static herr_t piece_move(hid_t set, uint64_t at, unsigned char *bytes, bool writes)
{
    const hsize_t start = at, count = PIECE;
    hid_t space = H5Dget_space(set), memory = H5Screate_simple(1, &count, NULL);

    H5Sselect_hyperslab(space, H5S_SELECT_SET, &start, NULL, &count, NULL);
    herr_t rc = writes
                    ? H5Dwrite(set, H5T_NATIVE_UCHAR, memory, space, H5P_DEFAULT, bytes)
                    : H5Dread(set, H5T_NATIVE_UCHAR, memory, space, H5P_DEFAULT, bytes);
    H5Sclose(memory);
    H5Sclose(space);
    return rc;
}

static void piece_make(unsigned char *bytes, int place, int value)
{
    for (int i = 0; i < PIECE; i++)
        bytes[i] = (unsigned char)(i + 16 * place + value);
}

/* Each place gets bytes of its own and of value. */
static void put(hid_t file, int value)
{
    unsigned char bytes[PIECE];
    hid_t set = H5Dopen2(file, "big", H5P_DEFAULT);

    for (int p = 0; p < N_PLACES; p++) {
        piece_make(bytes, p, value);
        assert_true(piece_move(set, places[p], bytes, true) >= 0);
    }
    H5Dclose(set);
}

/* The value that all places have; -1: they do not agree. */
static int get(hid_t file)
{
    unsigned char is[PIECE], bytes[PIECE];
    hid_t set = H5Dopen2(file, "big", H5P_DEFAULT);
    int value = -1;

    for (int p = 0; p < N_PLACES; p++) {
        if (set < 0 || piece_move(set, places[p], is, false) < 0)
            return -1;
        if (p == 0)
            value = is[0];
        piece_make(bytes, p, value);
        if (memcmp(is, bytes, PIECE) != 0)
            value = -1;
    }
    H5Dclose(set);
    return value;
}

static int seen(const struct scene *s, bool plain)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        hid_t fapl = plain ? H5P_DEFAULT : store_driver(5000);
        hid_t file = H5Fopen(s->path, H5F_ACC_RDONLY, fapl);
        int value = file < 0 ? 255 : get(file);
        _exit(H5Fclose(file) >= 0 ? (unsigned char)value : 255);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static uint64_t on_disk(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 ? 512 * (uint64_t)st.st_blocks : 0;
}

static uint64_t size_of(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
}

static void commit_and_die(struct scene *s)
{
    hid_t file = store_open(s->path, H5F_ACC_RDWR, NULL);

    put(file, 2);
    if (swim_commit(file, NULL) != SWIM_OK)
        _exit(1);
    put(file, 3);
    H5Fflush(file, H5F_SCOPE_GLOBAL);
    raise(SIGKILL);
}

static void one_life(struct scene *s, hsize_t chunk)
{
    hid_t file = store_create(s->path);

    H5Dclose(big_new(file, chunk));
    put(file, 1);
    assert_int_equal(swim_commit(file, NULL), SWIM_OK);
    assert_int_equal(seen(s, false), 1);
    assert_true(H5Fclose(file) >= 0);
    assert_int_equal(seen(s, true), 1);
    assert_true(on_disk(s->path) < ON_DISK);

    assert_int_equal(WTERMSIG(store_in_a_child(s, commit_and_die)), SIGKILL);
    assert_true(on_disk(s->path) + on_disk(s->journal) < ON_DISK);
    assert_int_equal(seen(s, true), 1);
    assert_int_equal(seen(s, false), 2); /* and copies what is committed */
    assert_false(store_there_is(s->journal));
    assert_int_equal(seen(s, true), 2);
    assert_true(on_disk(s->path) < ON_DISK);
}

static void a_file_of_more_than_4_gib_is_a_file_like_others(void **state)
{
    struct scene *s = *state;

    one_life(s, 0);
    assert_true(size_of(s->path) > SIZE);
    assert_int_equal(scratch_dir_run(&s->dir, "rm a.h5"), 0);
    one_life(s, (hsize_t)64 * 1024);
}

static void it_grows_beyond_4_gib_and_shrinks_again(void **state)
{
    struct scene *s = *state;

    store_make(s->path, 1);
    uint64_t small = size_of(s->path);
    hid_t file = store_open(s->path, H5F_ACC_RDWR, NULL);
    H5Dclose(big_new(file, 0));
    put(file, 5);
    assert_true(H5Fclose(file) >= 0);
    assert_true(size_of(s->path) > SIZE);
    assert_int_equal(seen(s, true), 5);

    file = store_open(s->path, H5F_ACC_RDWR, NULL);
    put(file, 6);
    assert_int_equal(swim_abort(file, NULL), SWIM_OK);
    assert_true(H5Fclose(file) >= 0);
    assert_int_equal(seen(s, true), 5);

    file = store_open(s->path, H5F_ACC_RDWR, NULL);
    assert_true(H5Ldelete(file, "big", H5P_DEFAULT) >= 0);
    assert_true(H5Fclose(file) >= 0);
    assert_true(size_of(s->path) < small + ON_DISK);
    assert_int_equal(store_seen(s->path, true), 1);
    assert_int_equal(store_seen(s->path, false), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(a_file_of_more_than_4_gib_is_a_file_like_others),
        STORE_TEST(it_grows_beyond_4_gib_and_shrinks_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
