/* test_store_fork.c - processes that fork while files are open, or HDF5 is at its end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <h5swim/store.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "redis_fixture.h"
#include "scratch_dir.h"
#include "store/process_session.h"

static struct redis_fixture redis;
static struct scratch_dir folder;
static char path[300];

static hid_t file_make(hid_t *set)
{
    const hsize_t length = 100000;
    hid_t fapl = H5Pcreate(H5P_FILE_ACCESS), space = H5Screate_simple(1, &length, NULL);

    assert_int_equal(swim_fapl_set(fapl, NULL, NULL), SWIM_OK);
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, fapl);
    *set = H5Dcreate2(file, "x", H5T_NATIVE_INT, space, H5P_DEFAULT, H5P_DEFAULT,
                      H5P_DEFAULT);
    H5Sclose(space);
    H5Pclose(fapl);
    return file;
}

static herr_t write_all(hid_t set, int value)
{
    static int values[100000];

    for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++)
        values[i] = value;
    return H5Dwrite(set, H5T_NATIVE_INT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
}

/* What the child may not do is refused, and for that reason. */
_Noreturn static void use_as_child(hid_t file, hid_t set)
{
    swim_error_t err = {0};

    if (write_all(set, 7) >= 0)
        _exit(1);
    if (swim_commit(file, &err) != SWIM_ERR_ARG || !strstr(err.text, "forked"))
        _exit(2);
    if (swim_abort(file, &err) != SWIM_ERR_ARG)
        _exit(3);
    _exit(0);
}

static void a_child_does_not_use_what_its_parent_has_open(void **state)
{
    hid_t set, file = file_make(&set);
    swim_error_t err = {0};

    (void)state;
    for (int by_fork = 0; by_fork < 2; by_fork++) {
        int status = -1;
        assert_true(write_all(set, 1 + by_fork) >= 0);
        assert_int_equal(swim_commit(file, &err), SWIM_OK);
        /* The system's own call: nobody is told of that fork, and the descriptors stay
         * open. */
        pid_t pid = by_fork ? fork() : (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
        if (pid == 0)
            use_as_child(file, set);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        assert_int_equal(swim_commit(file, &err), SWIM_OK);
    }
    int first = 0;
    hid_t one = H5Screate(H5S_SCALAR), all = H5Dget_space(set);
    hsize_t at = 50000;
    H5Sselect_elements(all, H5S_SELECT_SET, 1, &at);
    assert_true(H5Dread(set, H5T_NATIVE_INT, one, all, H5P_DEFAULT, &first) >= 0);
    assert_int_equal(first, 2);
    H5Sclose(one);
    H5Sclose(all);
    H5Dclose(set);
    assert_true(H5Fclose(file) >= 0);
}

/* As HDF5 does at its end. */
static atomic_bool stop;
static atomic_int ended;

static void *end_again_and_again(void *arg)
{
    (void)arg;
    while (!atomic_load(&stop)) {
        struct process_session *s = NULL;
        if (process_session_use(&s, NULL) != SWIM_OK)
            break;
        process_session_drop(s);
        process_session_end();
        atomic_fetch_add(&ended, 1);
    }
    return NULL;
}

static void a_fork_while_another_thread_ends_hdf5_does_not_hang(void **state)
{
    pthread_t thread;

    (void)state;
    (void)alarm(120); /* a hang ends the test */
    assert_int_equal(pthread_create(&thread, NULL, end_again_and_again, NULL), 0);
    int forks = 0;
    for (; forks < 2000 && atomic_load(&ended) < 300; forks++) {
        int status = -1;
        pid_t pid = fork();
        if (pid == 0)
            _exit(0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
    }
    atomic_store(&stop, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    (void)alarm(0);
    print_message("%d forks, %d ends\n", forks, atomic_load(&ended));
    assert_true(atomic_load(&ended) > 20);
}

static int setup(void **state)
{
    (void)state;
    if (scratch_dir_make(&folder) != 0 || redis_fixture_open(&redis, NULL) != 0)
        return -1;
    snprintf(path, sizeof(path), "%s/a.h5", folder.path);
    setenv("SWIM_REDIS_URL", redis.url, 1);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    H5close();
    redis_fixture_close(&redis);
    return scratch_dir_remove(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_child_does_not_use_what_its_parent_has_open),
        cmocka_unit_test(a_fork_while_another_thread_ends_hdf5_does_not_hang),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
