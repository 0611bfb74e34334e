/* test_store.c - HDF5 files through the driver: what others see, and when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <h5swim/store.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store_tools.h"

#define N 1000

static hid_t driver(H5F_libver_t low, int64_t wait_ms)
{
    const struct swim_store_options opt = {.struct_size = sizeof(opt),
                                           .wait_ms = wait_ms};
    hid_t fapl = H5Pcreate(H5P_FILE_ACCESS);

    assert_true(H5Pset_libver_bounds(fapl, low, H5F_LIBVER_LATEST) >= 0);
    assert_int_equal(swim_fapl_set(fapl, &opt, NULL), SWIM_OK);
    return fapl;
}

static herr_t innermost(unsigned n, const H5E_error2_t *entry, void *text)
{
    (void)n;
    snprintf(text, 640, "%s", entry->desc);
    return 1;
}

/* What HDF5 says is the cause of the last failure to open a file. */
static char cause[640];

static void note_cause(hid_t file)
{
    cause[0] = '\0';
    if (file < 0)
        H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, innermost, cause);
}

static void assert_cause(const char *part)
{
    if (!strstr(cause, part))
        fail_msg("\"%s\" does not say \"%s\"", cause, part);
}

static hid_t open_by(const struct scene *s, unsigned flags, hid_t fapl)
{
    hid_t file = H5Fopen(s->path, flags, fapl);

    note_cause(file);
    return file;
}

static hid_t open_as(const struct scene *s, unsigned flags)
{
    hid_t fapl = driver(H5F_LIBVER_EARLIEST, SWIM_LOCK_TRY);
    hid_t file = open_by(s, flags, fapl);

    H5Pclose(fapl);
    return file;
}

static hid_t create_as(const struct scene *s, unsigned flags, H5F_libver_t low)
{
    hid_t fapl = driver(low, SWIM_LOCK_TRY);
    hid_t file = H5Fcreate(s->path, flags, H5P_DEFAULT, fapl);

    note_cause(file);
    H5Pclose(fapl);
    return file;
}

/* A dataset "x" of N times value, made when it is not there. */
static void put(hid_t file, int value)
{
    const hsize_t dims = N;
    int values[N];

    for (int i = 0; i < N; i++)
        values[i] = value;
    hid_t space = H5Screate_simple(1, &dims, NULL);
    hid_t set = H5Lexists(file, "x", H5P_DEFAULT) > 0
                    ? H5Dopen2(file, "x", H5P_DEFAULT)
                    : H5Dcreate2(file, "x", H5T_NATIVE_INT, space, H5P_DEFAULT,
                                 H5P_DEFAULT, H5P_DEFAULT);
    assert_true(H5Dwrite(set, H5T_NATIVE_INT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >=
                0);
    H5Dclose(set);
    H5Sclose(space);
}

/* What all of "x" is; -1: there is none, -2: not all the same. */
static int get(hid_t file)
{
    int values[N];

    if (H5Lexists(file, "x", H5P_DEFAULT) <= 0)
        return -1;
    hid_t set = H5Dopen2(file, "x", H5P_DEFAULT);
    assert_true(set >= 0);
    assert_true(H5Dread(set, H5T_NATIVE_INT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >=
                0);
    H5Dclose(set);
    for (int i = 1; i < N; i++)
        if (values[i] != values[0])
            return -2;
    return values[0];
}

/* What another process sees: by the driver, or by plain HDF5. */
static int seen_by(const struct scene *s, bool plain)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        /* HDF5 of a forked child knows files of its parent */
        hid_t fapl = plain ? H5P_DEFAULT : driver(H5F_LIBVER_EARLIEST, 5000);
        char name[320];
        snprintf(name, sizeof(name), "%s", s->path);
        hid_t file = H5Fopen(name, H5F_ACC_RDONLY, fapl);
        _exit(file < 0 ? 255 : (unsigned char)get(file));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* A file whose "x" is value, closed. */
static void make(const struct scene *s, int value)
{
    hid_t file = create_as(s, H5F_ACC_TRUNC, H5F_LIBVER_EARLIEST);

    assert_true(file >= 0);
    put(file, value);
    assert_true(H5Fclose(file) >= 0);
}

static void what_is_written_is_seen_whole_when_it_is_committed(void **state)
{
    struct scene *s = *state;
    hid_t file = create_as(s, H5F_ACC_TRUNC, H5F_LIBVER_EARLIEST);

    put(file, 1);
    assert_false(store_there_is(s->path));
    assert_int_equal(swim_commit(file, NULL), SWIM_OK);
    assert_int_equal(seen_by(s, false), 1);
    put(file, 2);
    H5Fflush(file, H5F_SCOPE_GLOBAL);
    assert_int_equal(seen_by(s, false), 1);
    assert_int_equal(seen_by(s, true), 1);
    assert_int_equal(swim_commit(file, NULL), SWIM_OK);
    assert_int_equal(seen_by(s, false), 2);
    put(file, 3);
    assert_true(H5Fclose(file) >= 0);
    assert_int_equal(seen_by(s, false), 3);
    assert_int_equal(seen_by(s, true), 3);
    assert_false(store_there_is(s->journal));
}

static void write_and_close(struct scene *s)
{
    hid_t file = open_as(s, H5F_ACC_RDWR);

    put(file, 7);
    _exit(file >= 0 && H5Fclose(file) >= 0 ? 0 : 1);
}

static void a_reader_sees_one_state_from_open_to_close(void **state)
{
    struct scene *s = *state;

    make(s, 6);
    hid_t file = open_as(s, H5F_ACC_RDONLY);
    assert_true(file >= 0);
    assert_int_equal(store_in_a_child(s, write_and_close), 0);
    assert_int_equal(get(file), 6);
    assert_int_equal(seen_by(s, false), 7);
    assert_true(store_there_is(s->journal));
    assert_true(H5Fclose(file) >= 0); /* the last one out */
    assert_false(store_there_is(s->journal));
    assert_int_equal(seen_by(s, true), 7);
}

static void what_is_aborted_never_was(void **state)
{
    struct scene *s = *state;

    make(s, 1);
    hid_t file = open_as(s, H5F_ACC_RDWR);
    put(file, 2);
    assert_int_equal(swim_commit(file, NULL), SWIM_OK);
    put(file, 3);
    assert_int_equal(swim_abort(file, NULL), SWIM_OK);
    swim_error_t err = {0};
    assert_int_equal(swim_commit(file, &err), SWIM_ERR_ARG);
    assert_non_null(strstr(err.text, "it was aborted"));
    assert_true(H5Fclose(file) >= 0);
    assert_int_equal(seen_by(s, true), 2);

    file = create_as(s, H5F_ACC_TRUNC, H5F_LIBVER_EARLIEST);
    put(file, 4);
    assert_int_equal(swim_abort(file, NULL), SWIM_OK);
    assert_true(H5Fclose(file) >= 0);
    assert_int_equal(seen_by(s, true), 2);
}

static void write_and_exit(struct scene *s, int status)
{
    put(open_as(s, H5F_ACC_RDWR), 9);
    exit(status); /* NOLINT(concurrency-mt-unsafe): a child of a test */
}

static void exit_0(struct scene *s)
{
    write_and_exit(s, 0);
}

static void exit_3(struct scene *s)
{
    write_and_exit(s, 3);
}

static void exit_at_once(struct scene *s)
{
    hid_t file = open_as(s, H5F_ACC_RDWR);

    put(file, 9);
    H5Fflush(file, H5F_SCOPE_GLOBAL);
    _exit(0);
}

static void die(struct scene *s)
{
    hid_t file = open_as(s, H5F_ACC_RDWR);

    put(file, 9);
    H5Fflush(file, H5F_SCOPE_GLOBAL);
    raise(SIGKILL);
}

static void an_exit_with_status_0_commits_and_no_other_end_does(void **state)
{
    struct scene *s = *state;

    make(s, 1);
    assert_int_equal(WEXITSTATUS(store_in_a_child(s, exit_3)), 3);
    assert_int_equal(seen_by(s, false), 1);
    assert_int_equal(WEXITSTATUS(store_in_a_child(s, exit_at_once)), 0);
    assert_int_equal(seen_by(s, false), 1);
    assert_int_equal(WTERMSIG(store_in_a_child(s, die)), SIGKILL);
    assert_int_equal(seen_by(s, false), 1);
    assert_int_equal(seen_by(s, true), 1);
    assert_int_equal(WEXITSTATUS(store_in_a_child(s, exit_0)), 0);
    assert_int_equal(seen_by(s, false), 9);
}

static void one_process_may_open_a_file_many_times(void **state)
{
    struct scene *s = *state;

    make(s, 1);
    hid_t a = open_as(s, H5F_ACC_RDWR), b = open_as(s, H5F_ACC_RDWR);
    put(a, 2);
    assert_int_equal(get(b), 2);
    assert_true(create_as(s, H5F_ACC_TRUNC, H5F_LIBVER_EARLIEST) < 0);
    assert_true(H5Fclose(a) >= 0);
    assert_int_equal(seen_by(s, false), 1);
    put(b, 3);
    assert_true(H5Fclose(b) >= 0);
    assert_int_equal(seen_by(s, true), 3);

    a = open_as(s, H5F_ACC_RDONLY);
    assert_true(open_as(s, H5F_ACC_RDWR) < 0);
    assert_true(H5Fclose(a) >= 0);
}

static void a_new_file_is_found_by_its_own_process_at_once(void **state)
{
    struct scene *s = *state;
    hid_t a = create_as(s, H5F_ACC_EXCL, H5F_LIBVER_LATEST);

    put(a, 5);
    hid_t b = open_as(s, H5F_ACC_RDWR);
    assert_int_equal(get(b), 5);
    assert_true(H5Fclose(a) >= 0);
    assert_int_equal(get(b), 5);
    assert_true(H5Fclose(b) >= 0);
    assert_int_equal(seen_by(s, true), 5);
    assert_true(create_as(s, H5F_ACC_EXCL, H5F_LIBVER_LATEST) < 0);
    assert_cause("File exists");
    assert_int_equal(seen_by(s, true), 5);
}

static void a_committed_state_has_no_writer(void **state)
{
    struct scene *s = *state;
    hid_t file = create_as(s, H5F_ACC_TRUNC, H5F_LIBVER_LATEST);

    put(file, 1);
    assert_int_equal(swim_commit(file, NULL), SWIM_OK);
    assert_int_equal(seen_by(s, false), 1);
    assert_int_equal(seen_by(s, true), 1);
    put(file, 2);
    assert_int_equal(swim_commit(file, NULL), SWIM_OK);
    assert_int_equal(seen_by(s, false), 2);
    assert_true(H5Fclose(file) >= 0);
    assert_int_equal(seen_by(s, true), 2);
}

/* A lock that is held in another process, as long as fd is open. */
static pid_t hold(struct scene *s, enum swim_lock_mode mode)
{
    int ready[2];
    char byte = 0;

    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        const struct swim_session_options opt = {.struct_size = sizeof(opt),
                                                 .rank = -1};
        swim_session_t *session = NULL;
        swim_lock_t *lock = NULL;
        char resource[4096];
        if (swim_session_open(&opt, &session, NULL) != SWIM_OK ||
            swim_resource_of_file(s->path, resource, sizeof(resource), NULL) !=
                SWIM_OK ||
            swim_lock_acquire(session, resource, mode, NULL, &lock, NULL) != SWIM_OK)
            _exit(1);
        (void)!write(ready[1], "x", 1);
        pause();
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(ready[1]);
    return pid;
}

static void who_has_to_wait_is_told_for_whom(void **state)
{
    struct scene *s = *state;
    char who[32];

    make(s, 1);
    pid_t holder = hold(s, SWIM_LOCK_UPDATE);
    snprintf(who, sizeof(who), ":%ld", (long)holder);
    assert_int_equal(seen_by(s, false), 1);
    assert_true(open_as(s, H5F_ACC_RDWR) < 0);
    assert_cause(who);
    kill(holder, SIGKILL);
    assert_int_equal(waitpid(holder, NULL, 0), holder);
    hid_t file = open_as(s, H5F_ACC_RDWR);
    assert_true(file >= 0);
    assert_true(H5Fclose(file) >= 0);
}

static void a_program_without_h5swim_is_waited_for_and_named(void **state)
{
    struct scene *s = *state;
    char who[32];
    int ready[2];
    char byte = 0;

    make(s, 1);
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        hid_t file = H5Fopen(s->path, H5F_ACC_RDWR, H5P_DEFAULT);
        (void)!write(ready[1], "x", file >= 0);
        pause();
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    snprintf(who, sizeof(who), "process %ld", (long)pid);
    assert_true(open_as(s, H5F_ACC_RDONLY) < 0);
    assert_cause(who);
    assert_cause("without a lock of h5swim");
    assert_true(open_as(s, H5F_ACC_RDWR) < 0);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(seen_by(s, false), 1);
    close(ready[0]);
    close(ready[1]);
}

static hid_t parents_file;

static void use_of_the_parent(struct scene *s)
{
    (void)s;
    if (H5Lexists(parents_file, "y", H5P_DEFAULT) >= 0 &&
        H5Lexists(parents_file, "/x/y", H5P_DEFAULT) >= 0)
        _exit(1);
    if (swim_commit(parents_file, NULL) == SWIM_OK)
        _exit(2);
    exit(0); /* NOLINT(concurrency-mt-unsafe): HDF5 closes what the parent has open */
}

static void a_child_has_no_part_in_its_parents_files(void **state)
{
    struct scene *s = *state;

    make(s, 1);
    parents_file = open_as(s, H5F_ACC_RDWR);
    put(parents_file, 2);
    int status = store_in_a_child(s, use_of_the_parent);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(seen_by(s, false), 1);
    assert_int_equal(swim_commit(parents_file, NULL), SWIM_OK);
    assert_int_equal(seen_by(s, false), 2);
    assert_true(H5Fclose(parents_file) >= 0);
}

static void what_cannot_be_is_refused_in_a_line(void **state)
{
    struct scene *s = *state;
    hid_t fapl = H5Pcreate(H5P_FILE_ACCESS);
    swim_error_t err = {0};

    assert_true(open_as(s, H5F_ACC_RDONLY) < 0);
    assert_cause("No such file");
    make(s, 1);
    const struct swim_store_options none = {0};
    assert_int_equal(swim_fapl_set(fapl, &none, &err), SWIM_ERR_ARG);
    assert_non_null(strstr(err.text, "struct_size"));
    const struct swim_store_options only = {.struct_size = sizeof(only),
                                            .read_only = 1};
    assert_int_equal(swim_fapl_set(fapl, &only, NULL), SWIM_OK);
    assert_true(open_by(s, H5F_ACC_RDWR, fapl) < 0);
    assert_cause("for reading only");
    assert_true(H5Fcreate(s->path, H5F_ACC_TRUNC, H5P_DEFAULT, fapl) < 0);
    assert_int_equal(seen_by(s, true), 1);
    assert_true(open_by(s, H5F_ACC_RDONLY | H5F_ACC_SWMR_READ, fapl) < 0);
    assert_cause("SWMR");
    H5Pclose(fapl);

    hid_t file = open_as(s, H5F_ACC_RDONLY);
    swim_error_clear(&err);
    assert_int_equal(swim_commit(file, &err), SWIM_ERR_ARG);
    assert_non_null(strstr(err.text, "open for reading"));
    assert_int_equal(swim_close(file, NULL), SWIM_OK);
    file = H5Fopen(s->path, H5F_ACC_RDONLY, H5P_DEFAULT);
    swim_error_clear(&err);
    assert_int_equal(swim_commit(file, &err), SWIM_ERR_ARG);
    assert_non_null(strstr(err.text, "swim_fapl_set"));
    assert_true(H5Fclose(file) >= 0);
    setenv("SWIM_WAIT", "soon", 1);
    fapl = driver(H5F_LIBVER_EARLIEST, 0);
    assert_true(open_by(s, H5F_ACC_RDONLY, fapl) < 0);
    assert_cause("SWIM_WAIT=soon");
    unsetenv("SWIM_WAIT");
    setenv("SWIM_SYNC", "soon", 1);
    assert_true(open_by(s, H5F_ACC_RDONLY, fapl) < 0);
    assert_cause("SWIM_SYNC=soon");
    unsetenv("SWIM_SYNC");
    H5Pclose(fapl);
}

static void its_descriptor_can_be_asked_for(void **state)
{
    struct scene *s = *state;
    struct stat by_name, by_fd;
    void *handle = NULL;

    make(s, 1);
    hid_t file = open_as(s, H5F_ACC_RDONLY);
    assert_true(H5Fget_vfd_handle(file, H5P_DEFAULT, &handle) >= 0);
    assert_int_equal(fstat(*(int *)handle, &by_fd), 0);
    assert_int_equal(stat(s->path, &by_name), 0);
    assert_int_equal(by_fd.st_ino, by_name.st_ino);
    assert_true(H5Fclose(file) >= 0);
}

static void alone(struct scene *s)
{
    char dir[300];

    snprintf(dir, sizeof(dir), "%s/server", s->dir.path);
    unsetenv("SWIM_REDIS_URL");
    setenv("SWIM_SERVER_DIR", dir, 1);
    setenv("SWIM_SERVER_IDLE_S", "1", 1);
    alarm(30);
    hid_t file = open_as(s, H5F_ACC_RDONLY);
    _exit(file < 0 ? 255 : get(file));
}

static void the_first_file_starts_a_lock_server(void **state)
{
    struct scene *s = *state;

    make(s, 4);
    assert_int_equal(WEXITSTATUS(store_in_a_child(s, alone)), 4);
}

static swim_snapshot_t wanted;

static hid_t open_snapshot(const struct scene *s, unsigned flags)
{
    const struct swim_store_options opt = {
        .struct_size = sizeof(opt), .wait_ms = SWIM_LOCK_TRY, .snapshot = &wanted};
    hid_t fapl = H5Pcreate(H5P_FILE_ACCESS);

    assert_int_equal(swim_fapl_set(fapl, &opt, NULL), SWIM_OK);
    hid_t file = open_by(s, flags, fapl);
    H5Pclose(fapl);
    return file;
}

static void read_snapshot(struct scene *s)
{
    hid_t file = open_snapshot(s, H5F_ACC_RDONLY);

    _exit(file < 0 ? 255 : get(file));
}

static void others_can_open_the_state_that_one_has_open(void **state)
{
    struct scene *s = *state;

    make(s, 6);
    hid_t file = open_as(s, H5F_ACC_RDONLY);
    assert_int_equal(swim_snapshot_get(file, &wanted, NULL), SWIM_OK);
    assert_int_equal(store_in_a_child(s, write_and_close), 0);
    assert_int_equal(seen_by(s, false), 7);
    assert_int_equal(WEXITSTATUS(store_in_a_child(s, read_snapshot)), 6);
    hid_t same = open_snapshot(s, H5F_ACC_RDONLY);
    assert_int_equal(get(same), 6);
    assert_true(H5Fclose(same) >= 0);
    assert_true(open_snapshot(s, H5F_ACC_RDWR) < 0);
    assert_cause("of a snapshot");
    assert_true(H5Fclose(file) >= 0);
    assert_int_equal(WEXITSTATUS(store_in_a_child(s, read_snapshot)), 255);
    assert_true(open_snapshot(s, H5F_ACC_RDONLY) < 0);
    assert_cause("not there any more");

    file = open_as(s, H5F_ACC_RDWR);
    put(file, 8);
    assert_int_equal(swim_commit(file, NULL), SWIM_OK);
    assert_int_equal(swim_snapshot_get(file, &wanted, NULL), SWIM_OK);
    put(file, 9);
    assert_int_equal(swim_commit(file, NULL), SWIM_OK);
    assert_int_equal(WEXITSTATUS(store_in_a_child(s, read_snapshot)), 8);
    assert_true(H5Fclose(file) >= 0);

    file = create_as(s, H5F_ACC_TRUNC, H5F_LIBVER_EARLIEST);
    swim_error_t err = {0};
    assert_int_equal(swim_snapshot_get(file, &wanted, &err), SWIM_ERR_ARG);
    assert_non_null(strstr(err.text, "it is new"));
    assert_true(H5Fclose(file) >= 0);
}

static void wait_for_a_commit(struct scene *s)
{
    swim_error_t err = {0};

    int rc = swim_commit_wait(s->path, &wanted, INT64_MAX, NULL, NULL, &err);
    if (rc != SWIM_OK)
        fprintf(stderr, "%s\n", err.text);
    hid_t file = open_as(s, H5F_ACC_RDONLY);
    _exit(rc == SWIM_OK && file >= 0 ? get(file) : 255);
}

static void a_commit_can_be_waited_for(void **state)
{
    struct scene *s = *state;
    int status = 0;
    swim_error_t err = {0};

    make(s, 1);
    hid_t file = open_as(s, H5F_ACC_RDWR);
    assert_int_equal(swim_snapshot_get(file, &wanted, NULL), SWIM_OK);
    pid_t pid = fork();
    if (pid == 0)
        wait_for_a_commit(s);
    /* its question for the lock shows that it is there; whether it is before the commit
     * or after it must not matter */
    put(file, 5);
    assert_int_equal(swim_commit(file, NULL), SWIM_OK);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WEXITSTATUS(status), 5);
    assert_true(H5Fclose(file) >= 0);

    file = open_as(s, H5F_ACC_RDONLY);
    assert_int_equal(swim_snapshot_get(file, &wanted, NULL), SWIM_OK);
    assert_int_equal(
        swim_commit_wait(s->path, &wanted, SWIM_LOCK_TRY, NULL, NULL, &err),
        SWIM_ERR_TIMEOUT);
    assert_non_null(strstr(err.text, "there was none"));
    pid = fork();
    if (pid == 0)
        wait_for_a_commit(s);
    /* it listens, and is told at once */
    assert_true(redis_fixture_await(&s->redis,
                                    "EVAL \"return #redis.call('PUBSUB',"
                                    "'CHANNELS')\" 0",
                                    1));
    assert_int_equal(WEXITSTATUS(store_in_a_child(s, write_and_close)), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WEXITSTATUS(status), 7);
    assert_true(H5Fclose(file) >= 0);
    memset(&wanted, 1, sizeof(wanted));
    assert_int_equal(
        swim_commit_wait(s->path, &wanted, SWIM_LOCK_TRY, NULL, NULL, NULL),
        SWIM_ERR_ARG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)
        TEST(what_is_written_is_seen_whole_when_it_is_committed),
        TEST(a_reader_sees_one_state_from_open_to_close),
        TEST(what_is_aborted_never_was),
        TEST(an_exit_with_status_0_commits_and_no_other_end_does),
        TEST(one_process_may_open_a_file_many_times),
        TEST(a_new_file_is_found_by_its_own_process_at_once),
        TEST(a_committed_state_has_no_writer),
        TEST(who_has_to_wait_is_told_for_whom),
        TEST(a_program_without_h5swim_is_waited_for_and_named),
        TEST(a_child_has_no_part_in_its_parents_files),
        TEST(what_cannot_be_is_refused_in_a_line),
        TEST(the_first_file_starts_a_lock_server),
        TEST(others_can_open_the_state_that_one_has_open),
        TEST(a_commit_can_be_waited_for),
        TEST(its_descriptor_can_be_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
