/* test_vfd.c - the driver, and calls of the system that are counted or fail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <h5swim/store.h>

#include "store/vfd.h"
#include "store_scene.h"

/* HDF5 1.10 leaks when a write fails. */
SWIM_API const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libhdf5";
}

static hid_t driver(void)
{
    hid_t fapl = H5Pcreate(H5P_FILE_ACCESS);

    assert_int_equal(swim_fapl_set(fapl, NULL, NULL), SWIM_OK);
    return fapl;
}

static hid_t open_as(const struct scene *s, unsigned flags)
{
    hid_t fapl = driver();
    hid_t file = H5Fopen(s->path, flags, fapl);

    H5Pclose(fapl);
    assert_true(file >= 0);
    return file;
}

/* The file anew, with an attribute "v" of the root group. */
static void make(const struct scene *s, int value)
{
    hid_t fapl = driver(), space = H5Screate(H5S_SCALAR);
    hid_t file = H5Fcreate(s->path, H5F_ACC_TRUNC, H5P_DEFAULT, fapl);

    assert_true(file >= 0);
    hid_t attribute =
        H5Acreate2(file, "v", H5T_NATIVE_INT, space, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(H5Awrite(attribute, H5T_NATIVE_INT, &value) >= 0);
    H5Aclose(attribute);
    H5Sclose(space);
    H5Pclose(fapl);
    assert_true(H5Fclose(file) >= 0);
}

/* "v", as HDF5 alone reads it. */
static int value(const struct scene *s)
{
    hid_t file = H5Fopen(s->path, H5F_ACC_RDONLY, H5P_DEFAULT);
    int found = -1;

    assert_true(file >= 0);
    hid_t attribute = H5Aopen(file, "v", H5P_DEFAULT);
    assert_true(H5Aread(attribute, H5T_NATIVE_INT, &found) >= 0);
    H5Aclose(attribute);
    H5Fclose(file);
    return found;
}

/* The system's calls, of which syncs are counted, and writes and those of a journal may
 * fail. */
static int n_syncs;
static bool writes_fail;
static const char *fails_to_sync; /* its path; NULL: none */

static int counted_fdatasync(int fd)
{
    struct stat st, other;

    n_syncs++;
    if (!fails_to_sync || fstat(fd, &st) != 0 || stat(fails_to_sync, &other) != 0 ||
        st.st_ino != other.st_ino)
        return swim_io_system.fdatasync(fd);
    errno = EIO;
    return -1;
}

static int counted_fsync(int fd)
{
    n_syncs++;
    return swim_io_system.fsync(fd);
}

static ssize_t failing_write(int fd, const struct iovec *parts, int n, off_t at)
{
    if (!writes_fail)
        return swim_io_system.pwritev(fd, parts, n, at);
    errno = ENOSPC;
    return -1;
}

static void io_take(void)
{
    static struct swim_io io;

    io = swim_io_system;
    io.fdatasync = counted_fdatasync;
    io.fsync = counted_fsync;
    io.pwritev = failing_write;
    writes_fail = false;
    fails_to_sync = NULL;
    n_syncs = 0;
    vfd_use_io(&io, NULL);
}

static void the_environment_says_whether_commits_are_synced(void **state)
{
    struct scene *s = *state;

    io_take();
    setenv("SWIM_SYNC", "none", 1);
    make(s, 1);
    assert_int_equal(n_syncs, 0);
    setenv("SWIM_SYNC", "commit", 1);
    make(s, 2);
    assert_true(n_syncs > 0);
    unsetenv("SWIM_SYNC");
    vfd_use_io(NULL, NULL);
    assert_int_equal(value(s), 2);
}

/* HDF5 keeps the group in memory, and is not told when writing it fails. */
static void a_close_tells_that_metadata_could_not_be_written(void **state)
{
    struct scene *s = *state;
    swim_error_t why = {0};

    make(s, 1);
    io_take();
    hid_t file = open_as(s, H5F_ACC_RDWR);
    hid_t group = H5Gcreate2(file, "g", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(H5Gclose(group) >= 0);
    writes_fail = true;
    (void)vfd_take_failure(&why);
    assert_true(H5Fclose(file) >= 0);
    assert_true(vfd_take_failure(&why));
    assert_int_equal(why.code, SWIM_ERR_IO);
    vfd_use_io(NULL, NULL);
    assert_int_equal(value(s), 1);
}

/* Close the file: what comes on stderr meanwhile. */
static void close_and_hear(const struct scene *s, hid_t file, char text[1000])
{
    fflush(stderr);
    int kept = dup(STDERR_FILENO);
    int fd = open(scratch_dir_file(&s->dir, "told"), O_CREAT | O_TRUNC | O_RDWR, 0600);
    assert_true(fd >= 0 && dup2(fd, STDERR_FILENO) >= 0);
    herr_t closed = H5Fclose(file);
    fflush(stderr);
    dup2(kept, STDERR_FILENO);
    close(kept);
    ssize_t n = pread(fd, text, 999, 0);
    close(fd);
    assert_true(closed >= 0 && n >= 0);
    text[n] = '\0';
}

/* By swim_commit(), or by the close; others see it all the same. */
static void a_commit_that_may_be_lost_is_told_as_such_and_once(void **state)
{
    struct scene *s = *state;
    swim_error_t err = {0}, why = {0};
    char told[1000];

    make(s, 1);
    for (int number = 2; number <= 3; number++) {
        io_take();
        hid_t file = open_as(s, H5F_ACC_RDWR);
        hid_t attribute = H5Aopen(file, "v", H5P_DEFAULT);
        assert_true(H5Awrite(attribute, H5T_NATIVE_INT, &number) >= 0);
        H5Aclose(attribute);
        fails_to_sync = s->journal;
        if (number == 2)
            assert_int_equal(swim_commit(file, &err), SWIM_ERR_UNSURE);
        (void)vfd_take_failure(&why);
        close_and_hear(s, file, told);
        assert_int_equal(vfd_take_failure(&why), number == 3);
        if (number == 3) {
            assert_int_equal(why.code, SWIM_ERR_UNSURE);
            assert_non_null(strstr(told, "others may see"));
            assert_null(strstr(told, "is lost"));
            assert_ptr_equal(strchr(told, '\n'), told + strlen(told) - 1);
        } else {
            assert_non_null(strstr(err.text, "others may see"));
            assert_string_equal(told, "");
        }
        vfd_use_io(NULL, NULL);
        assert_int_equal(access(s->journal, F_OK), 0);
        assert_true(H5Fclose(open_as(s, H5F_ACC_RDONLY)) >= 0); /* it copies it */
        assert_int_equal(access(s->journal, F_OK), -1);
        assert_int_equal(value(s), number);
    }
}

#define MANY 400000 /* integers: more than HDF5 holds back */
#define FEW 5000

/* What is in memory of a dataset is written when it is closed.  HDF5 that is told of a
 * failure there crashes in exit(). */
static int write_and_close(const struct scene *s, hsize_t n, bool chunked)
{
    const hsize_t chunk = 1000;
    static int values[MANY];
    hid_t file = open_as(s, H5F_ACC_RDWR), dcpl = H5Pcreate(H5P_DATASET_CREATE);
    hid_t space = H5Screate_simple(1, &n, NULL);
    swim_error_t err = {0};

    if (chunked)
        H5Pset_chunk(dcpl, 1, &chunk);
    H5Pset_fill_time(dcpl, H5D_FILL_TIME_NEVER);
    hid_t set =
        H5Dcreate2(file, "c", H5T_NATIVE_INT, space, H5P_DEFAULT, dcpl, H5P_DEFAULT);
    writes_fail = true;
    herr_t written =
        H5Dwrite(set, H5T_NATIVE_INT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
    bool told = n == FEW || chunked || written < 0;
    bool closed = H5Dclose(set) >= 0;
    H5Sclose(space);
    H5Pclose(dcpl);
    closed = swim_close(file, &err) != SWIM_OK && closed;
    return told && closed && strstr(err.text, "No space") ? 0 : 1;
}

static void after_a_failed_write_closes_and_exit_go_well(void **state)
{
    struct scene *s = *state;

    make(s, 1);
    io_take();
    for (int i = 0; i < 4; i++) {
        int status = 0;
        pid_t pid = fork();
        if (pid == 0)
            exit(write_and_close(s, i & 1 ? MANY : FEW, i & 2)); /* NOLINT */
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
    vfd_use_io(NULL, NULL);
    assert_int_equal(value(s), 1);
}

/* --- a reader that comes while a journal is copied */

#define LARGE (100U << 20)

static const struct scene *copying;
static int copies_begun[2]; /* a pipe: a byte when a first step is on the disk */

/* "x", LARGE bytes of value, made when it is not there. */
static void fill(hid_t file, unsigned char value)
{
    const hsize_t size = LARGE;
    unsigned char *bytes = malloc(LARGE);
    hid_t space = H5Screate_simple(1, &size, NULL);

    assert_non_null(bytes);
    memset(bytes, value, LARGE);
    hid_t set = H5Lexists(file, "x", H5P_DEFAULT) > 0
                    ? H5Dopen2(file, "x", H5P_DEFAULT)
                    : H5Dcreate2(file, "x", H5T_NATIVE_UCHAR, space, H5P_DEFAULT,
                                 H5P_DEFAULT, H5P_DEFAULT);
    assert_true(H5Dwrite(set, H5T_NATIVE_UCHAR, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes) >=
                0);
    H5Dclose(set);
    H5Sclose(space);
    free(bytes);
}

static bool is_all(hid_t file, unsigned char value)
{
    unsigned char *bytes = malloc(LARGE);
    hid_t set = H5Dopen2(file, "x", H5P_DEFAULT);
    bool is = bytes &&
              H5Dread(set, H5T_NATIVE_UCHAR, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes) >= 0;

    for (size_t i = 0; is && i < LARGE; i++)
        is = bytes[i] == value;
    H5Dclose(set);
    free(bytes);
    return is;
}

/* The first sync of the file itself waits until somebody waits for it. */
static int sync_until_wanted(int fd)
{
    static bool done;
    char name[64], command[400];
    struct stat st, file;

    snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
    if (done || stat(name, &st) != 0 || stat(copying->path, &file) != 0 ||
        st.st_ino != file.st_ino)
        return swim_io_system.fdatasync(fd);
    done = true;
    snprintf(command, sizeof(command), "ZCARD {h5swim}:q:%s", copying->path);
    if (write(copies_begun[1], "c", 1) != 1 ||
        !redis_fixture_await(&copying->redis, command, 1))
        _exit(3);
    return swim_io_system.fdatasync(fd);
}

static void overwrite_and_exit(const struct scene *s, const char *path)
{
    static struct swim_io io;
    swim_error_t why = {0};
    hid_t fapl = driver();

    io = swim_io_system;
    io.fdatasync = sync_until_wanted;
    copying = s;
    vfd_use_io(&io, NULL);
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, fapl);
    if (file < 0)
        _exit(1);
    fill(file, 2);
    H5Fclose(file);
    _exit(vfd_take_failure(&why) ? 2 : 0);
}

static void a_reader_need_not_wait_until_a_journal_is_copied(void **state)
{
    const struct scene *s = *state;
    int status = -1;
    char byte;

    hid_t file = H5Fcreate(s->path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    fill(file, 1);
    assert_true(H5Fclose(file) >= 0);
    assert_int_equal(pipe(copies_begun), 0);
    pid_t pid = fork();
    if (pid == 0)
        overwrite_and_exit(s, s->path);
    assert_int_equal(read(copies_begun[0], &byte, 1), 1);
    file = open_as(s, H5F_ACC_RDONLY);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(access(s->journal, F_OK), 0); /* some is left to be copied */
    assert_true(is_all(file, 2));
    assert_true(H5Fclose(file) >= 0); /* by who was waited for */
    assert_int_equal(access(s->journal, F_OK), -1);
    file = H5Fopen(s->path, H5F_ACC_RDONLY, H5P_DEFAULT);
    assert_true(is_all(file, 2));
    assert_true(H5Fclose(file) >= 0);
    close(copies_begun[0]);
    close(copies_begun[1]);
}

static int flock_not_yet(int fd, int how)
{
    static int calls;

    if (calls++ > 3)
        return swim_io_system.flock(fd, how);
    errno = EWOULDBLOCK;
    return -1;
}

/* Also when that ends beyond all times. */
static void who_may_wait_longest_waits(void **state)
{
    const struct swim_store_options opt = {.struct_size = sizeof(opt),
                                           .wait_ms = INT64_MAX};
    const struct scene *s = *state;
    struct swim_io io = swim_io_system;
    hid_t fapl = H5Pcreate(H5P_FILE_ACCESS);

    make(s, 1);
    io.flock = flock_not_yet;
    vfd_use_io(&io, NULL);
    assert_int_equal(swim_fapl_set(fapl, &opt, NULL), SWIM_OK);
    hid_t file = H5Fopen(s->path, H5F_ACC_RDONLY, fapl);
    assert_true(file >= 0);
    assert_true(H5Fclose(file) >= 0);
    H5Pclose(fapl);
}

static int teardown(void **state)
{
    vfd_use_io(NULL, NULL);
    unsetenv("SWIM_SYNC");
    return scene_teardown(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_environment_says_whether_commits_are_synced),
        TEST(after_a_failed_write_closes_and_exit_go_well),
        TEST(a_close_tells_that_metadata_could_not_be_written),
        TEST(a_commit_that_may_be_lost_is_told_as_such_and_once),
        TEST(a_reader_need_not_wait_until_a_journal_is_copied),
        TEST(who_may_wait_longest_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
