/* test_source.c - the state of a file that a job reads, and what is noticed about it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <hdf5.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scratch_dir.h"
#include "source_scene.h"
#include "store/source.h"

#define N 1000

struct scene {
    struct scratch_dir dir;
    char path[300];
};

static hid_t fapl_of(bool driver)
{
    const struct swim_store_options opt = {.struct_size = sizeof(opt),
                                           .wait_ms = SWIM_LOCK_TRY};
    hid_t fapl = H5Pcreate(H5P_FILE_ACCESS);

    if (driver)
        assert_int_equal(swim_fapl_set(fapl, &opt, NULL), SWIM_OK);
    return fapl;
}

/* All of "x" is value, and the file grows. */
static hid_t put(const struct scene *s, int value)
{
    const hsize_t dims = N;
    int values[N];
    char name[32];
    hid_t fapl = fapl_of(true), file = H5Fopen(s->path, H5F_ACC_RDWR, fapl);

    for (int i = 0; i < N; i++)
        values[i] = value;
    snprintf(name, sizeof(name), "more%d", value);
    hid_t set = H5Dopen2(file, "x", H5P_DEFAULT);
    hid_t space = H5Screate_simple(1, &dims, NULL);
    hid_t more = H5Dcreate2(file, name, H5T_NATIVE_INT, space, H5P_DEFAULT, H5P_DEFAULT,
                            H5P_DEFAULT);
    assert_true(H5Dwrite(set, H5T_NATIVE_INT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >=
                0);
    assert_true(H5Dwrite(more, H5T_NATIVE_INT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >=
                0);
    H5Dclose(more);
    H5Dclose(set);
    H5Sclose(space);
    H5Pclose(fapl);
    return file;
}

static int setup(void **state)
{
    const hsize_t dims = N;
    static const int zeros[N];
    struct scene *s = calloc(1, sizeof(*s));

    *state = s;
    store_quiet();
    if (!s || scratch_dir_make(&s->dir) != 0)
        return -1;
    snprintf(s->path, sizeof(s->path), "%s/a.h5", s->dir.path);
    hid_t file = H5Fcreate(s->path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hid_t space = H5Screate_simple(1, &dims, NULL);
    hid_t set = H5Dcreate2(file, "x", H5T_NATIVE_INT, space, H5P_DEFAULT, H5P_DEFAULT,
                           H5P_DEFAULT);
    H5Dwrite(set, H5T_NATIVE_INT, H5S_ALL, H5S_ALL, H5P_DEFAULT, zeros);
    H5Dclose(set);
    H5Sclose(space);
    return H5Fclose(file) < 0 ? -1 : 0;
}

static int teardown(void **state)
{
    struct scene *s = *state;

    store_forget_all();
    int rc = scratch_dir_remove(&s->dir);
    free(s);
    return rc;
}

/* A process of its own, as readers and writers of one file are. */
static int in_a_child(const struct scene *s, int (*body)(const struct scene *s))
{
    int status = -1;

    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        int code = body(s);
        H5close();
        _exit(code);
    }
    waitpid(pid, &status, 0);
    return status;
}

static int value = 1;

static int commit_more(const struct scene *s)
{
    return swim_close(put(s, value), NULL) == SWIM_OK ? 0 : 1;
}

static int abort_it(const struct scene *s)
{
    hid_t file = put(s, 77);

    H5Fflush(file, H5F_SCOPE_GLOBAL);
    swim_abort(file, NULL);
    return H5Fclose(file) < 0;
}

static int die_of_it(const struct scene *s)
{
    hid_t file = put(s, 78);

    H5Fflush(file, H5F_SCOPE_GLOBAL);
    raise(SIGKILL);
    return 0;
}

static struct source_state handed_on;

/* What "x" is in the state that was handed on; -1: it cannot be opened, -2: mixed. */
static int value_there(const struct scene *s)
{
    const uint64_t zero = 0, n = N;
    struct source *source = NULL;
    struct dataset_info *info = NULL;
    struct dataset *set = NULL;
    int32_t values[N];

    if (source_open(s->path, &store_now, &handed_on, &source, NULL) != SWIM_OK)
        return -1;
    if (dataset_inspect(source, "x", &info, NULL) != SWIM_OK ||
        dataset_open(source, info, SWIM_TYPE_I32, NULL, &set, NULL) != SWIM_OK ||
        dataset_read(set, &zero, &n, values, &n, &zero, NULL) != SWIM_OK)
        return -1;
    for (int i = 1; i < N; i++)
        if (values[i] != values[0])
            values[0] = -2;
    dataset_close(set);
    dataset_info_destroy(info);
    source_close(source);
    return values[0];
}

static struct source *open_last(const struct scene *s)
{
    struct source *source = NULL;
    swim_error_t err = {0};

    if (source_open(s->path, &store_now, NULL, &source, &err) != SWIM_OK ||
        source_state(source, &handed_on, &err) != SWIM_OK)
        fail_msg("%s", err.text);
    return source;
}

static void a_state_that_was_handed_on_is_read_while_others_commit(void **state)
{
    const struct scene *s = *state;

    for (int before = 0; before < 2; before++) {
        struct source *source = open_last(s); /* without a journal, then with one */
        struct source *other = before ? open_last(s) : NULL;
        for (int i = 0; i < 3; i++) {
            value = 10 * (before + 1) + i;
            assert_int_equal(in_a_child(s, commit_more), 0);
            assert_int_equal(WEXITSTATUS(in_a_child(s, value_there)), before ? 12 : 0);
            assert_int_equal(source_look(source, true, NULL), SWIM_OK);
        }
        source_close(other);
        source_close(source);
    }
}

static void writers_that_give_up_or_die_are_no_change(void **state)
{
    const struct scene *s = *state;
    struct source *source = open_last(s);

    for (int i = 0; i < 2; i++) {
        assert_int_equal(in_a_child(s, abort_it), 0);
        assert_int_equal(source_look(source, true, NULL), SWIM_OK);
        assert_int_equal(WTERMSIG(in_a_child(s, die_of_it)), SIGKILL);
        assert_int_equal(source_look(source, true, NULL), SWIM_OK);
        assert_int_equal(WEXITSTATUS(in_a_child(s, value_there)), 0);
    }
    source_close(source);
}

static void assert_changed(struct source *source)
{
    swim_error_t err = {0};

    assert_int_equal(source_look(source, true, &err), SWIM_ERR_IO);
    assert_non_null(strstr(err.text, "a.h5: the file was changed while the job was"));
    assert_int_equal(source_check(source, NULL), SWIM_OK);
}

static void a_change_without_h5swim_is_noticed(void **state)
{
    const struct scene *s = *state;
    struct source *source = open_last(s), *other = NULL;
    swim_error_t err = {0};

    assert_int_equal(scratch_dir_run(&s->dir, "printf x | dd of=a.h5 bs=1 seek=4000 "
                                              "conv=notrunc status=none"),
                     0);
    assert_int_equal(source_look(source, false, NULL), SWIM_OK); /* not every time */
    assert_changed(source);
    assert_int_equal(source_open(s->path, &store_now, &handed_on, &other, &err),
                     SWIM_ERR_IO);
    assert_null(other);
    assert_non_null(strstr(err.text, "changed while the job was reading it"));
    source_close(source);
}

static void a_file_that_is_replaced_or_removed_is_noticed(void **state)
{
    const struct scene *s = *state;
    struct source *source = open_last(s);

    assert_int_equal(scratch_dir_run(&s->dir, "cp -p a.h5 b.h5; mv b.h5 a.h5"), 0);
    assert_changed(source);
    assert_int_equal(WEXITSTATUS(in_a_child(s, value_there)), 255);
    source_close(source);
    source = open_last(s);
    unlink(s->path);
    assert_changed(source);
    source_close(source);
}

/* In a child, whose session is to be opened. */
static int open_without_server(const struct scene *s)
{
    struct source *source = NULL;
    swim_error_t err = {0};

    setenv("SWIM_REDIS_URL", "unix:///nonexistent/redis.sock", 1);
    int rc = source_open(s->path, &store_now, &handed_on, &source, &err);
    return rc == SWIM_ERR_IO && strstr(err.text, "lock server") &&
                   !strstr(err.text, "changed")
               ? 0
               : 1;
}

static void a_lock_server_that_is_away_is_no_change(void **state)
{
    const struct scene *s = *state;
    struct source *source = open_last(s);

    assert_int_equal(in_a_child(s, open_without_server), 0);
    source_close(source);
}

static void bytes_that_are_no_state_are_refused(void **state)
{
    const struct scene *s = *state;
    struct source *source = open_last(s), *other = NULL;

    handed_on.bytes[20] ^= 1;
    assert_int_equal(source_open(s->path, &store_now, &handed_on, &other, NULL),
                     SWIM_ERR_ARG);
    assert_null(other);
    source_close(source);
}

static void readers_keep_no_writer_and_writers_no_reader_waiting(void **state)
{
    const struct scene *s = *state;
    struct source *source = open_last(s);

    value = 5;
    assert_int_equal(in_a_child(s, commit_more), 0); /* it does not wait */
    source_close(source);
    hid_t file = put(s, 6);
    assert_int_equal(WEXITSTATUS(in_a_child(s, value_there)), 255); /* it is gone */
    assert_int_equal(swim_close(file, NULL), SWIM_OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_state_that_was_handed_on_is_read_while_others_commit),
        TEST(writers_that_give_up_or_die_are_no_change),
        TEST(a_change_without_h5swim_is_noticed),
        TEST(a_file_that_is_replaced_or_removed_is_noticed),
        TEST(a_lock_server_that_is_away_is_no_change),
        TEST(bytes_that_are_no_state_are_refused),
        TEST(readers_keep_no_writer_and_writers_no_reader_waiting),
    };
    return cmocka_run_group_tests(tests, store_server_start, store_server_end);
}
