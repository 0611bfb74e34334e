/* test_store_crash.c - an HDF5 program that ends at any call to the system leaves the
 * old state or the new one.
 *
 * A story, made by a seed, makes files through the driver and changes them, session by
 * session; what it asks of the disk is written down.  Then the first n calls are made
 * again, for each n; power fails or does not; and whoever opens the file by the driver,
 * and after recovery by HDF5 alone, finds all objects, values and attributes of the
 * last commit that was acknowledged, or of the one that was being made. */
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
#include <sys/wait.h>
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
#define IMAGES_MAX 10 /* 2^n images are all looked at */

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

static unsigned dice(unsigned sides)
{
    story.dice = story.dice * 1664525U + 1013904223U;
    return (story.dice >> 8) % sides;
}

/* What HDF5 must do, unless the system fails. */
static void must(bool done)
{
    if (!done && !story.fails)
        fail_msg("seed %lu: an HDF5 call failed", story.seed);
}

/* --- all that is in a file, as one number */

static void add(XXH3_state_t *sum, const void *bytes, size_t size)
{
    XXH3_64bits_update(sum, bytes, size);
}

static herr_t add_attribute(hid_t object, const char *name, const H5A_info_t *info,
                            void *arg)
{
    int value = 0;
    hid_t attribute = H5Aopen(object, name, H5P_DEFAULT);

    (void)info;
    if (attribute < 0 || H5Aread(attribute, H5T_NATIVE_INT, &value) < 0)
        return -1;
    add(arg, name, strlen(name) + 1);
    add(arg, &value, sizeof(value));
    return H5Aclose(attribute);
}

static herr_t add_values(hid_t set, XXH3_state_t *sum)
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

static herr_t add_object(hid_t root, const char *name, const hdf5_object_info_t *info,
                         void *arg)
{
    hid_t object = H5Oopen(root, name, H5P_DEFAULT);
    herr_t rc = object < 0 ? -1 : 0;

    add(arg, name, strlen(name) + 1);
    if (rc == 0 && info->type == H5O_TYPE_DATASET)
        rc = add_values(object, arg);
    if (rc >= 0)
        rc = H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, NULL, add_attribute, arg);
    return rc >= 0 ? H5Oclose(object) : -1;
}

/* 0: it cannot be read to its end. */
static XXH64_hash_t digest_of(hid_t file)
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

static hid_t driver(void)
{
    hid_t fapl = H5Pcreate(H5P_FILE_ACCESS);
    static const H5F_libver_t low[] = {H5F_LIBVER_EARLIEST, H5F_LIBVER_V18,
                                       H5F_LIBVER_LATEST};

    must(H5Pset_libver_bounds(fapl, low[story.seed % 3], H5F_LIBVER_LATEST) >= 0);
    assert_int_equal(swim_fapl_set(fapl, NULL, NULL), SWIM_OK);
    return fapl;
}

static hid_t open_by_driver(unsigned flags)
{
    hid_t fapl = driver();
    hid_t file = H5Fopen(path, flags, fapl);

    H5Pclose(fapl);
    return file;
}

/* Such a file is committed when it is closed alone. */
static bool keeps_free_space(void)
{
    return story.seed % 10 == 1;
}

static hid_t create_by_driver(void)
{
    hid_t fapl = driver(), fcpl = H5Pcreate(H5P_FILE_CREATE);

    if (story.seed % 5 == 0)
        must(H5Pset_userblock(fcpl, 512) >= 0);
    if (story.seed % 5 == 1) {
        must(H5Pset_file_space_strategy(fcpl, H5F_FSPACE_STRATEGY_PAGE,
                                        keeps_free_space(), 1) >= 0);
        must(H5Pset_file_space_page_size(fcpl, 512) >= 0);
    }
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, fcpl, fapl);
    must(file >= 0);
    H5Pclose(fcpl);
    H5Pclose(fapl);
    return file;
}

static const char *const names[] = {"a", "b", "g/c", "g/d"};

static void make_set(hid_t file, const char *name)
{
    const hsize_t dims[2] = {4 + dice(LENGTH - 4), 4 + dice(LENGTH - 4)};
    const hsize_t max[2] = {H5S_UNLIMITED, H5S_UNLIMITED}, chunk[2] = {16, 16};
    hid_t dcpl = H5Pcreate(H5P_DATASET_CREATE), lcpl = H5Pcreate(H5P_LINK_CREATE);
    bool chunked = dice(2);

    H5Pset_create_intermediate_group(lcpl, 1);
    if (chunked)
        H5Pset_chunk(dcpl, 2, chunk);
    if (chunked && dice(2))
        H5Pset_deflate(dcpl, 1);
    hid_t space = H5Screate_simple(2, dims, chunked ? max : NULL);
    hid_t set = H5Dcreate2(file, name, H5T_NATIVE_INT, space, lcpl, dcpl, H5P_DEFAULT);
    must(set >= 0);
    H5Dclose(set);
    H5Sclose(space);
    H5Pclose(dcpl);
    H5Pclose(lcpl);
}

static void overwrite(hid_t set)
{
    int values[LENGTH * LENGTH];
    hsize_t dims[2] = {0}, start[2], count[2];
    hid_t space = H5Dget_space(set);

    H5Sget_simple_extent_dims(space, dims, NULL);
    for (int d = 0; d < 2; d++) {
        start[d] = dice((unsigned)dims[d]);
        count[d] = 1 + dice((unsigned)(dims[d] - start[d]));
        count[d] = count[d] < LENGTH ? count[d] : LENGTH;
    }
    for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++)
        values[i] = (int)dice(1000000);
    hid_t memory = H5Screate_simple(2, count, NULL);
    H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL);
    must(H5Dwrite(set, H5T_NATIVE_INT, memory, space, H5P_DEFAULT, values) >= 0);
    H5Sclose(memory);
    H5Sclose(space);
}

static void extend(hid_t set)
{
    hsize_t dims[2] = {0}, max[2] = {0};
    hid_t space = H5Dget_space(set);

    H5Sget_simple_extent_dims(space, dims, max);
    dims[dice(2)] += 1 + dice(10);
    if (max[0] == H5S_UNLIMITED && dims[0] < (hsize_t)(LENGTH * 2) &&
        dims[1] < (hsize_t)(LENGTH * 2))
        must(H5Dset_extent(set, dims) >= 0);
    H5Sclose(space);
}

static void put_attribute(hid_t set)
{
    static const char *const attributes[] = {"u", "v"};
    const char *name = attributes[dice(2)];
    int value = (int)dice(1000000);
    hid_t scalar = H5Screate(H5S_SCALAR);

    if (H5Aexists(set, name) > 0)
        must(H5Adelete(set, name) >= 0);
    if (dice(3)) {
        hid_t attribute =
            H5Acreate2(set, name, H5T_NATIVE_INT, scalar, H5P_DEFAULT, H5P_DEFAULT);
        must(H5Awrite(attribute, H5T_NATIVE_INT, &value) >= 0);
        H5Aclose(attribute);
    }
    H5Sclose(scalar);
}

static bool is_there(hid_t file, const char *name)
{
    return (name[1] != '/' || H5Lexists(file, "g", H5P_DEFAULT) > 0) &&
           H5Lexists(file, name, H5P_DEFAULT) > 0;
}

static void rename_or_delete(hid_t file, const char *name)
{
    const char *to = names[dice(4)];

    if (dice(2) && !is_there(file, to) && is_there(file, "g"))
        must(H5Lmove(file, name, file, to, H5P_DEFAULT, H5P_DEFAULT) >= 0);
    else
        must(H5Ldelete(file, name, H5P_DEFAULT) >= 0);
}

static void call(hid_t file)
{
    const char *name = names[dice(4)];

    if (!is_there(file, name)) {
        make_set(file, name);
        return;
    }
    unsigned what = dice(6);
    if (what == 0) {
        rename_or_delete(file, name);
        return;
    }
    hid_t set = H5Dopen2(file, name, H5P_DEFAULT);
    must(set >= 0);
    if (what == 1)
        put_attribute(set);
    else if (what == 2)
        extend(set);
    else
        overwrite(set);
    H5Dclose(set);
}

static void note(XXH64_hash_t digest, long asked)
{
    assert_true(story.n < STATES);
    story.states[story.n++] = (struct committed){digest, asked, LONG_MAX};
}

static void acknowledge(void)
{
    story.states[story.n - 1].acknowledged = io_trace_length();
}

/* Whether a call to the system has failed: the story is over. */
static bool is_over(void)
{
    return story.fails && sim_disk_fired();
}

/* Up to three calls and a commit, again and again. */
static void session(hid_t file)
{
    for (unsigned commits = keeps_free_space() ? 1 : 1 + dice(2); commits > 0;
         commits--) {
        for (unsigned calls = 1 + dice(3); calls > 0 && !is_over(); calls--)
            call(file);
        XXH64_hash_t digest = digest_of(file);
        bool closes = commits == 1 || is_over();
        if (!is_over()) {
            must(digest != 0);
            note(digest, io_trace_length());
        }
        bool was_over = is_over(), done;
        if (closes)
            done = H5Fclose(file) >= 0;
        else
            done = swim_commit(file, NULL) == SWIM_OK;
        must(done);
        if (!was_over && done && !is_over())
            acknowledge();
        if (closes)
            return;
    }
}

static void story_tell(unsigned long seed, const struct swim_io *io)
{
    story.n = 0;
    story.dice = (unsigned)seed;
    story.seed = seed;
    memset(story.boot, 1, sizeof(story.boot));
    io_trace_reset();
    vfd_use_io(io, story.boot);
    note(0, 0);
    acknowledge();
    hid_t file = create_by_driver();
    if (file >= 0)
        session(file);
    for (unsigned sessions = dice(3); sessions > 0 && !is_over(); sessions--) {
        file = dice(4) ? open_by_driver(H5F_ACC_RDWR) : create_by_driver();
        must(file >= 0);
        if (file >= 0)
            session(file);
    }
    vfd_use_io(&sim_disk_io, story.boot);
}

/* --- what is found */

static XXH64_hash_t found_by_driver(unsigned flags)
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

static XXH64_hash_t found_by_hdf5(void)
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
static void assert_is_old_or_new(XXH64_hash_t digest, const char *who)
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

static void look(void)
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

static unsigned long from_environment(const char *name, unsigned long usual)
{
    const char *text = getenv(name);

    return text ? strtoul(text, NULL, 10) : usual;
}

/* After each call: killed there, in the middle of it, and power lost, in all ways when
 * these are few, else in some. */
static void stop_at(long n, unsigned long *points)
{
    story.call = n;
    for (unsigned torn = 0; torn < 2; torn++) {
        io_trace_replay(n, torn, (unsigned)(story.seed * 31 + (unsigned long)n));
        sim_disk_restart(false, 0);
        look();
        ++*points;
    }
    memset(story.boot, 2, sizeof(story.boot));
    io_trace_replay(n, false, 0);
    unsigned loose = sim_disk_loose();
    bool all = loose <= IMAGES_MAX && getenv("SWIM_LONG");
    unsigned images = all ? 1U << loose : loose ? 4 : 1;
    for (unsigned image = 0; image < images; image++) {
        io_trace_replay(n, !all && image % 2, image);
        if (all)
            sim_disk_restart_with(image);
        else
            sim_disk_restart(true, (unsigned)story.seed * 1000 + (unsigned)n + image);
        look();
        ++*points;
    }
    memset(story.boot, 1, sizeof(story.boot));
}

static void stopped_at_any_call_it_is_old_or_new(void **state)
{
    unsigned long first = from_environment("SWIM_CRASH_SEED", 1);
    unsigned long wanted =
        from_environment("SWIM_CRASH_POINTS", getenv("SWIM_LONG") ? 100000 : 5000);
    unsigned long points = 0;

    (void)state;
    for (unsigned long seed = first; points < wanted; seed++) {
        sim_disk_reset();
        story_tell(seed, &io_trace_io);
        long length = io_trace_length();
        long only = (long)from_environment("SWIM_CRASH_CALL", 0);
        for (long n = only ? only : 1; n <= (only ? only : length); n++)
            stop_at(n, &points);
        if (only)
            break;
    }
    print_message("%lu points from seed %lu on\n", points, first);
}

/* In a process of its own, whose exit is HDF5's as well. */
_Noreturn static void fail_at(unsigned long seed, long n, int errnum)
{
    swim_error_t why;

    setenv("CMOCKA_TEST_ABORT", "1", 1);
    (void)!freopen(said, "w", stderr);
    sim_disk_reset();
    sim_disk_arm(n, errnum);
    story.fails = true;
    story_tell(seed, &sim_disk_io);
    bool fired = sim_disk_fired();
    sim_disk_arm(0, 0);
    (void)vfd_take_failure(&why);
    story.fails = false;
    story.call = LONG_MAX - 1; /* all that was asked for may be there */
    look();
    exit(fired ? 0 : 99); /* NOLINT(concurrency-mt-unsafe): a child of a test */
}

static void an_error_at_any_call_leaves_old_or_new(void **state)
{
    static const int errors[] = {EIO, ENOSPC, EDQUOT, ESTALE};
    unsigned long step = getenv("SWIM_LONG") ? 1 : 3;
    unsigned long points = 0;

    (void)state;
    H5close(); /* the children open it anew */
    for (unsigned long seed = 1; seed <= 20; seed++)
        for (long n = 1 + (long)(seed % step);; n += (long)step) {
            int status = 0;
            story.seed = seed;
            story.call = n;
            pid_t pid = fork();
            if (pid == 0)
                fail_at(seed, n, errors[(seed + (unsigned long)n) % 4]);
            assert_int_equal(waitpid(pid, &status, 0), pid);
            if (WIFEXITED(status) && WEXITSTATUS(status) == 99)
                break; /* the story has no such call */
            if (status != 0) {
                (void)scratch_dir_run(&folder, "cat said >&2");
                fail_msg("seed %lu, call %ld: ended with status %#x", seed, n, status);
            }
            points++;
        }
    print_message("%lu points\n", points);
    assert_true(points > 100);
}

static int setup(void **state)
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
        cmocka_unit_test(an_error_at_any_call_leaves_old_or_new),
        cmocka_unit_test(stopped_at_any_call_it_is_old_or_new),
    };
    int failed = cmocka_run_group_tests(tests, setup, teardown);

    if (failed)
        fprintf(stderr, "again: SWIM_CRASH_SEED=%lu SWIM_CRASH_CALL=%ld\n", story.seed,
                story.call);
    return failed;
}
