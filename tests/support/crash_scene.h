/* crash_scene.h - what the crash tests of the driver share: files on the simulated
 * disk, what was committed and when, and whether that is found.
 *
 * All that is in a file is known by one number, its digest. */
#ifndef SWIM_SUPPORT_CRASH_SCENE_H
#define SWIM_SUPPORT_CRASH_SCENE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <h5swim/store.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "io_trace.h"
#include "redis_fixture.h"
#include "scratch_dir.h"
#include "sim_disk.h"
#include "store/hdf5_version.h"
#include "store/vfd.h"

#define LENGTH 40
#define STATES 32

/* What was committed: its digest, and when in the trace; 0: no file. */
struct committed {
    XXH64_hash_t digest;
    long asked, acknowledged;
};

static struct {
    struct committed states[STATES];
    int n;
    unsigned dice;
    unsigned char boot[JOURNAL_ID];
    unsigned long seed;
    long call;
    bool fails; /* calls to the system may fail */
} story;

static struct redis_fixture redis;
static struct scratch_dir folder;
static char path[300], plain[300], said[300];

/* What HDF5 must do, unless the system fails. */
static inline void must(bool done)
{
    if (!done && !story.fails)
        fail_msg("seed %lu: an HDF5 call failed", story.seed);
}

/* --- all that is in a file, as one number */

static inline void add(XXH3_state_t *sum, const void *bytes, size_t size)
{
    XXH3_64bits_update(sum, bytes, size);
}

static inline herr_t add_attribute(hid_t object, const char *name,
                                   const H5A_info_t *info, void *arg)
{
    int value = 0;
    hid_t attribute = H5Aopen(object, name, H5P_DEFAULT);
    herr_t rc = attribute < 0 ? -1 : H5Aread(attribute, H5T_NATIVE_INT, &value);

    (void)info;
    add(arg, name, strlen(name) + 1);
    add(arg, &value, sizeof(value));
    return attribute >= 0 && H5Aclose(attribute) < 0 ? -1 : rc;
}

static inline herr_t add_values(hid_t set, XXH3_state_t *sum)
{
    hsize_t dims[2] = {0};
    static int values[LENGTH * LENGTH * 4];
    hid_t space = H5Dget_space(set);
    hssize_t n = H5Sget_simple_extent_npoints(space);

    if (n < 0 || (size_t)n * sizeof(int) > sizeof(values) ||
        H5Sget_simple_extent_dims(space, dims, NULL) < 0 ||
        H5Dread(set, H5T_NATIVE_INT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) < 0)
        return -1;
    add(sum, dims, sizeof(dims));
    add(sum, values, (size_t)n * sizeof(int));
    return H5Sclose(space);
}

static inline herr_t add_object(hid_t root, const char *name,
                                const hdf5_object_info_t *info, void *arg)
{
    hid_t object = H5Oopen(root, name, H5P_DEFAULT);
    herr_t rc = object < 0 ? -1 : 0;

    add(arg, name, strlen(name) + 1);
    if (rc == 0 && info->type == H5O_TYPE_DATASET)
        rc = add_values(object, arg);
    if (rc >= 0)
        rc = H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, NULL, add_attribute, arg);
    /* What stays open would be what the next session of this process finds. */
    return object >= 0 && H5Oclose(object) < 0 ? -1 : rc;
}

/* 0: it cannot be read to its end. */
static inline XXH64_hash_t digest_of(hid_t file)
{
    XXH3_state_t *sum = XXH3_createState();
    XXH64_hash_t digest = 0;

    XXH3_64bits_reset(sum);
    herr_t rc = HDF5_OBJECT_VISIT(file, H5_ITER_INC, add_object, sum);
    if (rc >= 0)
        digest = XXH3_64bits_digest(sum);
    XXH3_freeState(sum);
    return digest;
}

/* --- the story */

static inline hid_t driver(void)
{
    hid_t fapl = H5Pcreate(H5P_FILE_ACCESS);
    static const H5F_libver_t low[] = {H5F_LIBVER_EARLIEST, H5F_LIBVER_V18,
                                       H5F_LIBVER_LATEST};

    must(H5Pset_libver_bounds(fapl, low[story.seed % 3], H5F_LIBVER_LATEST) >= 0);
    assert_int_equal(swim_fapl_set(fapl, NULL, NULL), SWIM_OK);
    return fapl;
}

static inline hid_t open_by_driver(unsigned flags)
{
    hid_t fapl = driver();
    hid_t file = H5Fopen(path, flags, fapl);

    H5Pclose(fapl);
    return file;
}

static inline void note(XXH64_hash_t digest, long asked)
{
    assert_true(story.n < STATES);
    story.states[story.n++] = (struct committed){digest, asked, LONG_MAX};
}

static inline void acknowledge(void)
{
    story.states[story.n - 1].acknowledged = io_trace_length();
}

/* --- what is found */

static inline XXH64_hash_t found_by_driver(unsigned flags)
{
    unsigned char byte;

    if (sim_disk_get(path, &byte, 0) < 0)
        return 0;
    hid_t file = open_by_driver(flags);
    if (file < 0)
        fail_msg("seed %lu, call %ld: the driver does not open it", story.seed,
                 story.call);
    XXH64_hash_t digest = digest_of(file);
    assert_true(H5Fclose(file) >= 0);
    return digest;
}

static inline XXH64_hash_t found_by_hdf5(void)
{
    static unsigned char bytes[SIM_FILE_MAX];
    long size = sim_disk_get(path, bytes, sizeof(bytes));

    if (size < 0)
        return 0;
    int fd = open(plain, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_int_equal(write(fd, bytes, (size_t)size), size);
    close(fd);
    hid_t file = H5Fopen(plain, H5F_ACC_RDONLY, H5P_DEFAULT);
    if (file < 0)
        fail_msg("seed %lu, call %ld: HDF5 does not open it after recovery", story.seed,
                 story.call);
    XXH64_hash_t digest = digest_of(file);
    H5Fclose(file);
    return digest;
}

/* The last one acknowledged before the call, or one asked for since. */
static inline void assert_is_old_or_new(XXH64_hash_t digest, const char *who)
{
    int last = story.n - 1;

    while (last > 0 && story.states[last].acknowledged > story.call)
        last--;
    for (int n = last; n < story.n && story.states[n].asked <= story.call; n++)
        if (story.states[n].digest == digest)
            return;
    fail_msg("seed %lu, call %ld: %s finds neither the last commit nor one made since",
             story.seed, story.call, who);
}

static inline void look(void)
{
    char name[320];
    unsigned char byte;

    assert_is_old_or_new(found_by_driver(H5F_ACC_RDONLY), "a reader");
    XXH64_hash_t digest = found_by_driver(H5F_ACC_RDWR);
    assert_is_old_or_new(digest, "a writer");
    if (found_by_hdf5() != digest)
        fail_msg("seed %lu, call %ld: HDF5 finds another state", story.seed,
                 story.call);
    snprintf(name, sizeof(name), "%s" JOURNAL_SUFFIX, path);
    assert_int_equal(sim_disk_get(name, &byte, 0), -1);
}

static inline unsigned long from_environment(const char *name, unsigned long usual)
{
    const char *text = getenv(name);

    return text ? strtoul(text, NULL, 10) : usual;
}

static inline int setup(void **state)
{
    (void)state;
    if (scratch_dir_make(&folder) != 0 || redis_fixture_open(&redis, NULL) != 0)
        return -1;
    snprintf(path, sizeof(path), "%s/a.h5", folder.path);
    snprintf(said, sizeof(said), "%s/said", folder.path);
    snprintf(plain, sizeof(plain), "%s/plain.h5", folder.path);
    setenv("SWIM_REDIS_URL", redis.url, 1);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    /* Whether the file may be opened is asked of the system. */
    close(open(path, O_WRONLY | O_CREAT, 0600));
    return 0;
}

static inline int teardown(void **state)
{
    (void)state;
    H5close();
    redis_fixture_close(&redis);
    return scratch_dir_remove(&folder);
}

#endif /* SWIM_SUPPORT_CRASH_SCENE_H */
