/* store_tools.h - HDF5 files under the driver, with a lock server and a folder of the
 * test's own; datasets of integers that are all alike.
 *
 * For cmocka tests: included after cmocka.h. */
#ifndef SWIM_SUPPORT_STORE_TOOLS_H
#define SWIM_SUPPORT_STORE_TOOLS_H

#include <h5swim/store.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store_scene.h"

#define STORE_N 1000 /* integers in a dataset */

/* Files that are opened with it wait so long for others. */
static inline hid_t store_driver(int64_t wait_ms)
{
    const struct swim_store_options opt = {.struct_size = sizeof(opt),
                                           .wait_ms = wait_ms};
    hid_t fapl = H5Pcreate(H5P_FILE_ACCESS);

    assert_int_equal(swim_fapl_set(fapl, &opt, NULL), SWIM_OK);
    return fapl;
}

static inline herr_t store_innermost(unsigned n, const H5E_error2_t *entry, void *text)
{
    (void)n;
    snprintf(text, 640, "%s", entry->desc);
    return 1;
}

/* What HDF5 says is the cause of the last failure, into text of 640 bytes. */
static inline const char *store_cause(char *text)
{
    text[0] = '\0';
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, store_innermost, text);
    return text;
}

/* Open without waiting; what of a failure is in cause, of 640 bytes, unless NULL. */
static inline hid_t store_open(const char *path, unsigned flags, char *cause)
{
    hid_t fapl = store_driver(SWIM_LOCK_TRY);
    hid_t file = H5Fopen(path, flags, fapl);

    if (file < 0 && cause)
        (void)store_cause(cause);
    H5Pclose(fapl);
    return file;
}

static inline hid_t store_create(const char *path)
{
    hid_t fapl = store_driver(SWIM_LOCK_TRY);
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, fapl);

    H5Pclose(fapl);
    assert_true(file >= 0);
    return file;
}

/* All of the dataset is value; it is made where there is none. */
static inline void store_put(hid_t file, const char *name, int value)
{
    const hsize_t dims = STORE_N;
    int values[STORE_N];

    for (int i = 0; i < STORE_N; i++)
        values[i] = value;
    hid_t space = H5Screate_simple(1, &dims, NULL);
    hid_t set = H5Lexists(file, name, H5P_DEFAULT) > 0
                    ? H5Dopen2(file, name, H5P_DEFAULT)
                    : H5Dcreate2(file, name, H5T_NATIVE_INT, space, H5P_DEFAULT,
                                 H5P_DEFAULT, H5P_DEFAULT);
    assert_true(H5Dwrite(set, H5T_NATIVE_INT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >=
                0);
    H5Dclose(set);
    H5Sclose(space);
}

/* What all of the dataset is; -1: it cannot be had, -2: not all the same. */
static inline int store_get(hid_t file, const char *name)
{
    int values[STORE_N];
    hid_t set = H5Dopen2(file, name, H5P_DEFAULT);

    if (set < 0)
        return -1;
    herr_t rc = H5Dread(set, H5T_NATIVE_INT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
    H5Dclose(set);
    if (rc < 0)
        return -1;
    for (int i = 1; i < STORE_N; i++)
        if (values[i] != values[0])
            return -2;
    return values[0];
}

/* A file whose "x" is value, closed. */
static inline void store_make(const char *path, int value)
{
    hid_t file = store_create(path);

    store_put(file, "x", value);
    assert_true(H5Fclose(file) >= 0);
}

/* Another process runs this on the scene; how it ended. */
static inline int store_in_a_child(struct scene *s, void (*run)(struct scene *))
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        run(s);
        _exit(100);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

/* What another process sees the dataset is: by the driver, or by plain HDF5. */
static inline int store_seen_in(const char *path, const char *name, bool plain)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        hid_t fapl = plain ? H5P_DEFAULT : store_driver(5000);
        hid_t file = H5Fopen(path, H5F_ACC_RDONLY, fapl);
        int value = file < 0 ? 255 : store_get(file, name);
        _exit(H5Fclose(file) >= 0 ? (unsigned char)value : 255);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static inline int store_seen(const char *path, bool plain)
{
    return store_seen_in(path, "x", plain);
}

static inline bool store_there_is(const char *path)
{
    return access(path, F_OK) == 0;
}

#define STORE_TEST(name) \
    cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)

#endif /* SWIM_SUPPORT_STORE_TOOLS_H */
