/* test_store_links.c - files that lead to others (external links, virtual datasets),
 * many files at once, and one file many times. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>

#include "store_tools.h"

#define FILES 20

/* "to" in the file leads to "x" of the other. */
static void link_to_other(const struct scene *s)
{
    hid_t file = store_create(s->path);

    store_put(file, "x", 1);
    assert_true(
        H5Lcreate_external("b.h5", "/x", file, "to", H5P_DEFAULT, H5P_DEFAULT) >= 0);
    assert_true(
        H5Lcreate_external("b.h5", "/", file, "root", H5P_DEFAULT, H5P_DEFAULT) >= 0);
    assert_true(H5Fclose(file) >= 0);
}

/* "v" of the file is the first half of "x" of the other and the second of its own. */
static void virtual_new(const struct scene *s)
{
    const hsize_t dims = STORE_N, half = STORE_N / 2;
    hid_t file = store_create(s->path), dcpl = H5Pcreate(H5P_DATASET_CREATE);
    hid_t space = H5Screate_simple(1, &dims, NULL),
          from = H5Screate_simple(1, &dims, NULL);
    const int fill = 9;

    store_put(file, "x", 1);
    H5Pset_fill_value(dcpl, H5T_NATIVE_INT, &fill);
    for (hsize_t i = 0; i < 2; i++) {
        hsize_t start = i * half;
        H5Sselect_hyperslab(space, H5S_SELECT_SET, &start, NULL, &half, NULL);
        H5Sselect_hyperslab(from, H5S_SELECT_SET, &start, NULL, &half, NULL);
        assert_true(H5Pset_virtual(dcpl, space, i ? "." : "b.h5", "/x", from) >= 0);
    }
    H5Sselect_all(space);
    hid_t set =
        H5Dcreate2(file, "v", H5T_NATIVE_INT, space, H5P_DEFAULT, dcpl, H5P_DEFAULT);
    assert_true(set >= 0);
    H5Dclose(set);
    H5Sclose(from);
    H5Sclose(space);
    H5Pclose(dcpl);
    assert_true(H5Fclose(file) >= 0);
}

/* Another process has the other file open for writing, has committed 2 and put 3, until
 * it is told to end; it says that it is there. */
static pid_t writer;
static int to_writer = -1;

static void writer_start(const struct scene *s)
{
    int up[2], down[2];
    char byte = 0;

    assert_int_equal(pipe(up), 0);
    assert_int_equal(pipe(down), 0);
    writer = fork();
    if (writer == 0) {
        close(down[1]);
        hid_t file = store_open(s->other, H5F_ACC_RDWR, NULL);
        store_put(file, "x", 2);
        if (swim_commit(file, NULL) != SWIM_OK)
            _exit(1);
        store_put(file, "x", 3);
        H5Fflush(file, H5F_SCOPE_GLOBAL);
        (void)!write(up[1], "x", 1);
        (void)!read(down[0], &byte, 1);
        _exit(H5Fclose(file) >= 0 ? 0 : 1);
    }
    close(up[1]);
    close(down[0]);
    assert_int_equal(read(up[0], &byte, 1), 1);
    close(up[0]);
    to_writer = down[1];
}

static void writer_end(int sig)
{
    int status = 0;

    if (sig)
        kill(writer, sig);
    close(to_writer);
    assert_int_equal(waitpid(writer, &status, 0), writer);
    assert_int_equal(sig ? WTERMSIG(status) : WEXITSTATUS(status), sig);
}

static void what_a_link_leads_to_is_read_in_its_committed_state(void **state)
{
    struct scene *s = *state;

    store_make(s->other, 1);
    link_to_other(s);
    writer_start(s);
    assert_int_equal(store_seen_in(s->path, "to", false), 2);
    hid_t file = store_open(s->path, H5F_ACC_RDONLY, NULL);
    hid_t root = H5Gopen2(file, "root", H5P_DEFAULT);
    assert_int_equal(store_get(root, "x"), 2);
    writer_end(0);
    assert_int_equal(store_get(root, "x"), 2);
    assert_int_equal(store_get(file, "to"), 2); /* the same session */
    assert_true(H5Gclose(root) >= 0);
    assert_int_equal(store_get(file, "to"), 3);
    assert_true(H5Fclose(file) >= 0);
    assert_int_equal(store_seen_in(s->path, "to", true), 3);
}

static void a_journal_that_nobody_settled_counts_through_a_link(void **state)
{
    struct scene *s = *state;

    store_make(s->other, 1);
    link_to_other(s);
    writer_start(s);
    writer_end(SIGKILL);
    assert_int_equal(store_seen_in(s->path, "to", true), 1);
    assert_int_equal(store_seen_in(s->path, "to", false), 2);
    assert_int_equal(store_seen_in(s->path, "to", true), 2); /* settled by that */
}

static void what_is_written_by_a_link_is_a_transaction_of_the_other_file(void **state)
{
    struct scene *s = *state;

    store_make(s->other, 1);
    link_to_other(s);
    hid_t file = store_open(s->path, H5F_ACC_RDWR, NULL);
    hid_t root = H5Gopen2(file, "root", H5P_DEFAULT);
    store_put(root, "x", 5);
    assert_int_equal(swim_commit(file, NULL), SWIM_OK);
    assert_int_equal(store_seen(s->other, false), 1);
    assert_int_equal(swim_commit(root, NULL), SWIM_OK); /* of the other file */
    assert_int_equal(store_seen(s->other, false), 5);
    store_put(root, "x", 6);
    store_put(file, "x", 6);
    assert_int_equal(swim_abort(file, NULL), SWIM_OK);
    assert_true(H5Gclose(root) >= 0);
    assert_true(H5Fclose(file) >= 0);
    assert_int_equal(store_seen(s->other, true), 6);
    assert_int_equal(store_seen(s->path, true), 1);
}

/* stderr goes to a file from tell_begin() to tell_end(), which says how many of its
 * lines have both parts, and that there are no others. */
static int kept_stderr = -1;

static void tell_begin(const struct scene *s)
{
    fflush(stderr);
    kept_stderr = dup(STDERR_FILENO);
    int fd =
        open(scratch_dir_file(&s->dir, "told"), O_CREAT | O_TRUNC | O_WRONLY, 0600);
    assert_true(fd >= 0 && dup2(fd, STDERR_FILENO) >= 0);
    close(fd);
}

static int tell_end(const struct scene *s, const char *part, const char *other)
{
    char line[1000];
    int n = 0;

    fflush(stderr);
    dup2(kept_stderr, STDERR_FILENO);
    close(kept_stderr);
    FILE *f = fopen(scratch_dir_file(&s->dir, "told"), "r");
    assert_non_null(f);
    while (fgets(line, sizeof(line), f)) {
        n++;
        if (!strstr(line, part) || !strstr(line, other))
            fail_msg("\"%s\" does not say \"%s\" and \"%s\"", line, part, other);
    }
    fclose(f);
    return n;
}

static void who_cannot_follow_a_link_is_told_why(void **state)
{
    struct scene *s = *state;
    char who[32];

    store_make(s->other, 1);
    link_to_other(s);
    writer_start(s);
    hid_t file = store_open(s->path, H5F_ACC_RDWR, NULL);
    tell_begin(s);
    hid_t to = H5Dopen2(file, "to", H5P_DEFAULT);
    snprintf(who, sizeof(who), ":%ld", (long)writer);
    assert_true(tell_end(s, "follow a link: ", who) >= 1);
    assert_true(to < 0);
    store_put(file, "x", 4);
    assert_true(H5Fclose(file) >= 0); /* it goes on without */
    writer_end(0);
    assert_int_equal(store_seen(s->path, true), 4);
    assert_int_equal(scratch_dir_run(&s->dir, "rm b.h5"), 0);
    file = store_open(s->path, H5F_ACC_RDONLY, NULL);
    tell_begin(s);
    to = H5Dopen2(file, "to", H5P_DEFAULT);
    assert_int_equal(tell_end(s, "nothing", ""), 0); /* HDF5 says that */
    assert_true(to < 0);
    assert_true(H5Fclose(file) >= 0);
}

static void a_link_to_the_file_itself_is_the_same_file(void **state)
{
    struct scene *s = *state;
    hid_t file = store_create(s->path);

    store_put(file, "x", 1);
    assert_true(
        H5Lcreate_external("a.h5", "/", file, "self", H5P_DEFAULT, H5P_DEFAULT) >= 0);
    store_put(file, "/self/x", 2); /* before it has its name */
    assert_int_equal(store_get(file, "/self/self/x"), 2);
    assert_true(H5Fclose(file) >= 0);
    file = store_open(s->path, H5F_ACC_RDWR, NULL);
    store_put(file, "/self/x", 3);
    assert_int_equal(store_get(file, "x"), 3);
    assert_true(H5Fclose(file) >= 0);
    assert_int_equal(store_seen(s->path, true), 3);
}

#define NOT_READ 99

/* Of what a virtual dataset of another process shows: its two ends. */
static int virtual_seen(const struct scene *s, bool plain)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        int values[STORE_N] = {0};
        hid_t fapl = plain ? H5P_DEFAULT : store_driver(SWIM_LOCK_TRY);
        hid_t file = H5Fopen(s->path, H5F_ACC_RDONLY, fapl);
        hid_t set = H5Dopen2(file, "v", H5P_DEFAULT);
        herr_t rc = H5Dread(set, H5T_NATIVE_INT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
        H5Dclose(set);
        H5Fclose(file);
        _exit(rc < 0 ? NOT_READ : values[0] * 10 + values[STORE_N - 1]);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WEXITSTATUS(status);
}

static void a_virtual_dataset_is_of_committed_states(void **state)
{
    struct scene *s = *state;

    store_make(s->other, 1);
    virtual_new(s);
    assert_int_equal(virtual_seen(s, true), 11);
    writer_start(s);
    assert_int_equal(virtual_seen(s, false), 21);
    writer_end(0);
    assert_int_equal(virtual_seen(s, false), 31);
    writer_start(s);
    writer_end(SIGKILL);
    assert_int_equal(virtual_seen(s, true), 31);
    assert_int_equal(virtual_seen(s, false), 21); /* 2 was committed last */
    assert_int_equal(virtual_seen(s, true), 21);

    hid_t plain = H5Fopen(s->other, H5F_ACC_RDWR, H5P_DEFAULT);
    tell_begin(s);
    int value = virtual_seen(s, false);
    assert_true(tell_end(s, "follow a link: ", "without a lock of h5swim") >= 1);
    /* Fill values in HDF5 1.10, a failure in 1.14. */
    assert_true(value == 91 || value == NOT_READ);
    assert_true(H5Fclose(plain) >= 0);
}

static swim_snapshot_t wanted;

static int seen_at_snapshot(const struct scene *s, const char *name)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        const struct swim_store_options opt = {
            .struct_size = sizeof(opt), .wait_ms = SWIM_LOCK_TRY, .snapshot = &wanted};
        hid_t fapl = H5Pcreate(H5P_FILE_ACCESS);
        if (swim_fapl_set(fapl, &opt, NULL) != SWIM_OK)
            _exit(254);
        hid_t file = H5Fopen(s->path, H5F_ACC_RDONLY, fapl);
        _exit(file < 0 ? 255 : (unsigned char)store_get(file, name));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WEXITSTATUS(status);
}

static void
a_snapshot_is_of_one_file_and_what_it_leads_to_is_read_as_it_is(void **state)
{
    struct scene *s = *state;

    store_make(s->other, 1);
    link_to_other(s);
    hid_t file = store_open(s->path, H5F_ACC_RDWR, NULL);
    assert_true(
        H5Lcreate_external("a.h5", "/x", file, "own", H5P_DEFAULT, H5P_DEFAULT) >= 0);
    store_put(file, "x", 7);
    assert_int_equal(swim_commit(file, NULL), SWIM_OK);
    assert_int_equal(swim_snapshot_get(file, &wanted, NULL), SWIM_OK);
    store_put(file, "x", 8);
    assert_int_equal(swim_commit(file, NULL), SWIM_OK);
    assert_int_equal(seen_at_snapshot(s, "x"), 7);
    assert_int_equal(seen_at_snapshot(s, "own"), 7);
    assert_int_equal(seen_at_snapshot(s, "to"), 1);
    assert_true(H5Fclose(file) >= 0);
}

static void many_files_are_open_at_once(void **state)
{
    struct scene *s = *state;
    char paths[FILES][320];
    hid_t files[FILES];

    for (int i = 0; i < FILES; i++) {
        snprintf(paths[i], sizeof(paths[i]), "%s/%d.h5", s->dir.path, i);
        store_make(paths[i], 1);
    }
    for (int i = 0; i < FILES; i++)
        files[i] = store_open(paths[i], H5F_ACC_RDWR, NULL);
    for (int i = 0; i < FILES; i++)
        store_put(files[i], "x", 10 + i);
    for (int i = 0; i < FILES; i += 2)
        assert_int_equal(swim_commit(files[i], NULL), SWIM_OK);
    for (int i = 0; i < FILES; i++)
        assert_int_equal(store_seen(paths[i], false), i % 2 ? 1 : 10 + i);
    for (int i = 0; i < FILES; i++)
        assert_int_equal(store_get(files[i], "x"), 10 + i);
    for (int i = FILES - 1; i >= 0; i--)
        assert_int_equal(swim_close(files[i], NULL), SWIM_OK);
    for (int i = 0; i < FILES; i++)
        assert_int_equal(store_seen(paths[i], true), 10 + i);
}

static void by_another_path_it_is_the_same_file(void **state)
{
    struct scene *s = *state;
    char by_link[320], by_dots[340], cause[640];

    snprintf(by_link, sizeof(by_link), "%s/link.h5", s->dir.path);
    snprintf(by_dots, sizeof(by_dots), "%s/../%s/a.h5", s->dir.path,
             strrchr(s->dir.path, '/') + 1);
    store_make(s->path, 1);
    assert_int_equal(symlink("a.h5", by_link), 0);
    hid_t a = store_open(s->path, H5F_ACC_RDWR, NULL);
    hid_t b = store_open(by_link, H5F_ACC_RDWR, NULL),
          c = store_open(by_dots, H5F_ACC_RDONLY, NULL);
    store_put(b, "x", 2);
    assert_int_equal(store_get(a, "x"), 2);
    assert_int_equal(store_get(c, "x"), 2);
    assert_true(H5Fclose(a) >= 0);
    assert_int_equal(store_seen(by_link, false), 1);
    assert_true(H5Fclose(b) >= 0);
    assert_true(H5Fclose(c) >= 0);
    assert_int_equal(store_seen(by_link, true), 2);

    a = store_open(by_link, H5F_ACC_RDONLY, NULL);
    b = store_open(s->path, H5F_ACC_RDONLY, NULL);
    assert_int_equal(store_get(a, "x"), 2);
    assert_true(store_open(by_dots, H5F_ACC_RDWR, cause) < 0);
    assert_true(H5Fclose(a) >= 0);
    assert_int_equal(store_get(b, "x"), 2);
    assert_true(H5Fclose(b) >= 0);

    a = store_create(by_link); /* its target is made anew, and the link stays */
    store_put(a, "x", 3);
    assert_true(H5Fclose(a) >= 0);
    assert_int_equal(store_seen(s->path, true), 3);
    struct stat st;
    assert_int_equal(lstat(by_link, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
}

static void a_file_with_two_names_is_read_only(void **state)
{
    struct scene *s = *state;
    char cause[640] = "";

    store_make(s->path, 1);
    assert_int_equal(link(s->path, s->other), 0);
    hid_t a = store_open(s->path, H5F_ACC_RDONLY, NULL),
          b = store_open(s->other, H5F_ACC_RDONLY, NULL);
    assert_int_equal(store_get(a, "x"), 1);
    assert_int_equal(store_get(b, "x"), 1);
    assert_true(H5Fclose(a) >= 0);
    assert_int_equal(store_get(b, "x"), 1);
    assert_true(H5Fclose(b) >= 0);
    assert_true(store_open(s->other, H5F_ACC_RDWR, cause) < 0);
    assert_non_null(strstr(cause, "2 names (hard links)"));
    assert_int_equal(unlink(s->other), 0);
    store_make(s->path, 2);
    assert_int_equal(store_seen(s->path, true), 2);
}

/* A plain SWMR writer gives its flock back: only its mark is there. */
static void a_file_of_a_plain_swmr_writer_is_left_to_it(void **state)
{
    struct scene *s = *state;
    char cause[640] = "", line[640];
    struct stat before, after;
    hid_t fapl = H5Pcreate(H5P_FILE_ACCESS);

    H5Pset_libver_bounds(fapl, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST);
    hid_t file = H5Fcreate(s->path, H5F_ACC_TRUNC, H5P_DEFAULT, fapl);
    store_put(file, "x", 1);
    assert_true(H5Fstart_swmr_write(file) >= 0);
    assert_int_equal(stat(s->path, &before), 0);
    snprintf(line, sizeof(line), "[ \"$(ls)\" = a.h5 ]");
    for (unsigned flags = H5F_ACC_RDONLY; flags <= H5F_ACC_RDWR; flags++) {
        int status = 0;
        pid_t pid = fork();
        if (pid == 0) { /* HDF5 of this one knows the file */
            char path[340];
            snprintf(path, sizeof(path), "%s/./a.h5", s->dir.path);
            hid_t other = store_open(path, flags, cause);
            _exit(other >= 0 ? 1 : strstr(cause, "already open for write") ? 0 : 2);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(WEXITSTATUS(status), 0);
        assert_int_equal(scratch_dir_run(&s->dir, line), 0);
    }
    assert_int_equal(stat(s->path, &after), 0);
    assert_int_equal(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
    assert_int_equal(before.st_size, after.st_size);
    assert_true(H5Fclose(file) >= 0);
    H5Pclose(fapl);
    assert_int_equal(store_seen(s->path, false), 1);
}

/* A writer that turns to SWMR mode later is told what that means here. */
static void swmr_mode_is_refused_with_the_reason(void **state)
{
    const unsigned modes[] = {H5F_ACC_RDONLY | H5F_ACC_SWMR_READ,
                              H5F_ACC_RDWR | H5F_ACC_SWMR_WRITE};
    struct scene *s = *state;
    char cause[640] = "";

    hid_t fapl = store_driver(SWIM_LOCK_TRY);
    H5Pset_libver_bounds(fapl, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST);
    hid_t file = H5Fcreate(s->path, H5F_ACC_TRUNC, H5P_DEFAULT, fapl);
    store_put(file, "x", 1);
    assert_int_equal(swim_commit(file, NULL), SWIM_OK);
    tell_begin(s);
    herr_t started = H5Fstart_swmr_write(file);
    assert_int_equal(tell_end(s, "SWMR mode", "not before"), 1);
    assert_true(started >= 0);
    store_put(file, "x", 2);
    assert_true(H5Fflush(file, H5F_SCOPE_GLOBAL) >= 0);
    assert_int_equal(store_seen(s->path, false), 1);
    assert_true(H5Fclose(file) >= 0);
    for (int i = 0; i < 2; i++) {
        assert_true(H5Fopen(s->path, modes[i], fapl) < 0);
        assert_non_null(strstr(store_cause(cause), "SWMR"));
    }
    assert_true(
        H5Fcreate(s->other, H5F_ACC_TRUNC | H5F_ACC_SWMR_WRITE, H5P_DEFAULT, fapl) < 0);
    assert_non_null(strstr(store_cause(cause), "SWMR"));
    assert_false(store_there_is(s->other));
    H5Pclose(fapl);
    assert_int_equal(store_seen(s->path, true), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(what_a_link_leads_to_is_read_in_its_committed_state),
        STORE_TEST(a_journal_that_nobody_settled_counts_through_a_link),
        STORE_TEST(what_is_written_by_a_link_is_a_transaction_of_the_other_file),
        STORE_TEST(who_cannot_follow_a_link_is_told_why),
        STORE_TEST(a_link_to_the_file_itself_is_the_same_file),
        STORE_TEST(a_virtual_dataset_is_of_committed_states),
        STORE_TEST(a_snapshot_is_of_one_file_and_what_it_leads_to_is_read_as_it_is),
        STORE_TEST(many_files_are_open_at_once),
        STORE_TEST(by_another_path_it_is_the_same_file),
        STORE_TEST(a_file_with_two_names_is_read_only),
        STORE_TEST(a_file_of_a_plain_swmr_writer_is_left_to_it),
        STORE_TEST(swmr_mode_is_refused_with_the_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
