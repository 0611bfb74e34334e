/* test_store_crash.c - an HDF5 program that ends at any call to the system leaves the
 * old state or the new one.
 *
 * A story, made by a seed, makes files through the driver and changes them, session by
 * session; what it asks of the disk is written down.  Then the first n calls are made
 * again, for each n; power fails or does not; and whoever opens the file by the driver,
 * and after recovery by HDF5 alone, finds all objects, values and attributes of the
 * last commit that was acknowledged, or of the one that was being made. */
#include "crash_scene.h"

#include <sys/wait.h>

#define IMAGES_MAX 10 /* 2^n images are all looked at */

static unsigned dice(unsigned sides)
{
    story.dice = story.dice * 1664525U + 1013904223U;
    return (story.dice >> 8) % sides;
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

/* --- where it is stopped */

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
    story.fails = errnum != EINTR; /* that call is made again */
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
    static const int errors[] = {EIO, ENOSPC, EDQUOT, ESTALE, EINTR, SIM_SHORT};
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
                fail_at(seed, n, errors[(seed + (unsigned long)n) % 6]);
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
