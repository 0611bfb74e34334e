/* test_store_forms.c - the forms that an HDF5 file may have: user blocks, versions,
 * paged files.  Each goes through the same life under the driver. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>

#include "store/boot_id.h"
#include "store/recover.h"
#include "store/verdict.h"
#include "store_tools.h"

#define USERBLOCK_MAX 4096
#define ROWS 500

struct form {
    const char *name;
    H5F_libver_t low, high;
    unsigned superblock; /* the version that is expected */
    hsize_t userblock;
    hsize_t page; /* of paged allocation; 0: none */
    size_t buffer;
};

static const struct form forms[] = {
    {"earliest", H5F_LIBVER_EARLIEST, H5F_LIBVER_LATEST, 0, 0, 0, 0},
    {"earliest, user block", H5F_LIBVER_EARLIEST, H5F_LIBVER_LATEST, 0, 512, 0, 0},
    {"earliest, large user block", H5F_LIBVER_EARLIEST, H5F_LIBVER_LATEST, 0, 4096, 0,
     0},
    {"1.8", H5F_LIBVER_V18, H5F_LIBVER_V18, 2, 0, 0, 0},
    {"1.8, large user block", H5F_LIBVER_V18, H5F_LIBVER_V18, 2, 4096, 0, 0},
    {"1.10", H5F_LIBVER_V110, H5F_LIBVER_V110, 3, 0, 0, 0},
    {"latest", H5F_LIBVER_LATEST, H5F_LIBVER_LATEST, 3, 0, 0, 0},
    {"latest, user block", H5F_LIBVER_LATEST, H5F_LIBVER_LATEST, 3, 512, 0, 0},
    {"latest, large user block", H5F_LIBVER_LATEST, H5F_LIBVER_LATEST, 3, 4096, 0, 0},
    {"paged", H5F_LIBVER_LATEST, H5F_LIBVER_LATEST, 3, 0, 4096, 0},
    {"paged, earliest", H5F_LIBVER_EARLIEST, H5F_LIBVER_LATEST, 2, 0, 512, 0},
    {"paged, page buffer", H5F_LIBVER_LATEST, H5F_LIBVER_LATEST, 3, 0, 4096, 65536},
    {"paged, page buffer, user block", H5F_LIBVER_LATEST, H5F_LIBVER_LATEST, 3, 4096,
     4096, 65536},
};
#define N_FORMS (sizeof(forms) / sizeof(*forms))

static const struct form *form;

static hid_t form_fapl(void)
{
    hid_t fapl = store_driver(5000);

    assert_true(H5Pset_libver_bounds(fapl, form->low, form->high) >= 0);
    if (form->buffer)
        assert_true(H5Pset_page_buffer_size(fapl, form->buffer, 0, 0) >= 0);
    return fapl;
}

static hid_t form_open(const struct scene *s, unsigned flags)
{
    hid_t fapl = form_fapl();
    hid_t file = H5Fopen(s->path, flags, fapl);

    H5Pclose(fapl);
    if (file < 0)
        fail_msg("%s: it cannot be opened", form->name);
    return file;
}

static hid_t form_create(const struct scene *s)
{
    hid_t fapl = form_fapl(), fcpl = H5Pcreate(H5P_FILE_CREATE);

    assert_true(H5Pset_userblock(fcpl, form->userblock) >= 0);
    if (form->page) {
        assert_true(H5Pset_file_space_strategy(fcpl, H5F_FSPACE_STRATEGY_PAGE, 0, 1) >=
                    0);
        assert_true(H5Pset_file_space_page_size(fcpl, form->page) >= 0);
    }
    hid_t file = H5Fcreate(s->path, H5F_ACC_TRUNC, fcpl, fapl);
    H5Pclose(fcpl);
    H5Pclose(fapl);
    if (file < 0)
        fail_msg("%s: it cannot be created", form->name);
    return file;
}

/* Something of everything that lies in a file: a chunked dataset that grows, "x", and
 * an attribute, a link and a group more each time. */
static void put(hid_t file, int value)
{
    const hsize_t max = H5S_UNLIMITED, chunk = 64;
    hsize_t rows = ROWS, now = 0;
    char name[16];

    store_put(file, "x", value);
    if (H5Lexists(file, "grown", H5P_DEFAULT) <= 0) {
        hid_t dcpl = H5Pcreate(H5P_DATASET_CREATE),
              space = H5Screate_simple(1, &now, &max);
        H5Pset_chunk(dcpl, 1, &chunk);
        H5Pset_deflate(dcpl, 1);
        hid_t made = H5Dcreate2(file, "grown", H5T_NATIVE_INT, space, H5P_DEFAULT, dcpl,
                                H5P_DEFAULT);
        H5Dclose(made);
        H5Sclose(space);
        H5Pclose(dcpl);
    }
    int values[ROWS];
    for (int i = 0; i < ROWS; i++)
        values[i] = value * ROWS + i;
    hid_t set = H5Dopen2(file, "grown", H5P_DEFAULT);
    rows = (hsize_t)value * ROWS;
    assert_true(H5Dset_extent(set, &rows) >= 0);
    hsize_t start = rows - ROWS, count = ROWS;
    hid_t space = H5Dget_space(set), memory = H5Screate_simple(1, &count, NULL);
    H5Sselect_hyperslab(space, H5S_SELECT_SET, &start, NULL, &count, NULL);
    assert_true(H5Dwrite(set, H5T_NATIVE_INT, memory, space, H5P_DEFAULT, values) >= 0);
    H5Sclose(memory);
    H5Sclose(space);
    H5Dclose(set);
    snprintf(name, sizeof(name), "g%d", value);
    hid_t group = H5Gcreate2(file, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(H5Gclose(group) >= 0);
}

/* What was put last; -1: nothing, -2: it is not all of one state. */
static int get(hid_t file)
{
    int value = store_get(file, "x");
    int values[4 * ROWS];
    char name[16];

    if (value <= 0 || value > 4)
        return value;
    hid_t set = H5Dopen2(file, "grown", H5P_DEFAULT), space = H5Dget_space(set);
    hsize_t rows = 0;
    H5Sget_simple_extent_dims(space, &rows, NULL);
    H5Sclose(space);
    bool whole =
        rows == (hsize_t)value * ROWS &&
        H5Dread(set, H5T_NATIVE_INT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0;
    H5Dclose(set);
    for (int i = 0; whole && i < (int)rows; i++)
        whole = values[i] == ROWS + i;
    for (int i = 1; i <= 4; i++) {
        snprintf(name, sizeof(name), "g%d", i);
        whole = whole && (H5Lexists(file, name, H5P_DEFAULT) > 0) == (i <= value);
    }
    return whole ? value : -2;
}

/* Of another process, which opens it in that form or knows nothing of it. */
static int seen(const struct scene *s, bool plain)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        hid_t file = plain ? H5Fopen(s->path, H5F_ACC_RDONLY, H5P_DEFAULT)
                           : form_open(s, H5F_ACC_RDONLY);
        int value = file < 0 ? 255 : get(file);
        _exit(H5Fclose(file) >= 0 ? (unsigned char)value : 253);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 254;
}

static void is_seen(const struct scene *s, bool plain, int value)
{
    int is = seen(s, plain);

    if (is != value)
        fail_msg("%s: %s sees %d, not %d", form->name, plain ? "HDF5" : "the driver",
                 is, value);
}

static unsigned char userblock_byte(hsize_t at)
{
    return (unsigned char)(at * 7 + at / 256 + 1);
}

/* The user block is for other programs: HDF5 does not look at it. */
static void userblock_fill(const struct scene *s)
{
    unsigned char bytes[USERBLOCK_MAX];
    int fd = open(s->path, O_WRONLY | O_CLOEXEC);

    for (hsize_t i = 0; i < form->userblock; i++)
        bytes[i] = userblock_byte(i);
    assert_int_equal(pwrite(fd, bytes, form->userblock, 0), form->userblock);
    close(fd);
}

static void userblock_is_kept(const struct scene *s)
{
    unsigned char bytes[USERBLOCK_MAX];
    int fd = open(s->path, O_RDONLY | O_CLOEXEC);

    assert_int_equal(pread(fd, bytes, form->userblock, 0), form->userblock);
    close(fd);
    for (hsize_t i = 0; i < form->userblock; i++)
        if (bytes[i] != userblock_byte(i))
            fail_msg("%s: byte %d of the user block", form->name, (int)i);
}

/* The verdict, with the superblock that was found in what is committed. */
static void verdict_is(const struct scene *s, enum verdict_is is)
{
    struct verdict_options opt = {0};
    struct verdict *v = NULL;
    char real[PATH_MAX];

    boot_id_read(opt.boot);
    assert_non_null(realpath(s->path, real));
    assert_int_equal(verdict_open(&v, real, &opt, NULL), SWIM_OK);
    if (v->is != is)
        fail_msg("%s: it is %s, not %s: %s", form->name, verdict_name(v->is),
                 verdict_name(is), v->why.text);
    if (v->superblock.at != form->userblock ||
        v->superblock.version != form->superblock || v->superblock.marked)
        fail_msg("%s: superblock of version %u at %d%s", form->name,
                 v->superblock.version, (int)v->superblock.at,
                 v->superblock.marked ? ", marked as being written" : "");
    verdict_close(v);
}

static void commit_and_die(struct scene *s)
{
    hid_t file = form_open(s, H5F_ACC_RDWR);

    put(file, 2);
    if (swim_commit(file, NULL) != SWIM_OK)
        _exit(1);
    put(file, 3);
    H5Fflush(file, H5F_SCOPE_GLOBAL);
    raise(SIGKILL);
}

static void recover(const struct scene *s, enum recover_action action)
{
    struct txn_options opt = {.write = true, .flocks = true, .fence = 1000};
    struct recover_plan done;
    char real[PATH_MAX];
    swim_error_t err = {0};
    bool no_flock = false;

    boot_id_read(opt.boot);
    assert_non_null(realpath(s->path, real));
    if (recover_run(real, action, &opt, &done, &no_flock, &err) != SWIM_OK)
        fail_msg("%s: %s", form->name, err.text);
}

static void one_life(struct scene *s)
{
    hid_t file = form_create(s);

    put(file, 1);
    assert_int_equal(swim_commit(file, NULL), SWIM_OK);
    verdict_is(s, VERDICT_CLEAN); /* and not marked, though it is open */
    is_seen(s, true, 1);
    assert_true(H5Fclose(file) >= 0);
    userblock_fill(s);
    is_seen(s, false, 1);

    assert_int_equal(WTERMSIG(store_in_a_child(s, commit_and_die)), SIGKILL);
    assert_true(store_there_is(s->journal));
    verdict_is(s, VERDICT_RECOVERABLE);
    is_seen(s, true, 1);
    userblock_is_kept(s);
    is_seen(s, false, 2); /* and copies what is committed */
    verdict_is(s, VERDICT_CLEAN);
    is_seen(s, true, 2);
    userblock_is_kept(s);

    file = form_open(s, H5F_ACC_RDWR);
    assert_int_equal(get(file), 2);
    put(file, 3);
    assert_true(H5Fclose(file) >= 0);
    verdict_is(s, VERDICT_CLEAN);
    is_seen(s, true, 3);
    userblock_is_kept(s);
}

static void every_form_lives_under_the_driver(void **state)
{
    for (size_t i = 0; i < N_FORMS; i++) {
        form = &forms[i];
        one_life(*state);
    }
}

static void every_form_is_recovered_as_decided(void **state)
{
    static const enum recover_action actions[] = {RECOVER_APPLY, RECOVER_DISCARD};
    struct scene *s = *state;

    for (size_t i = 0; i < N_FORMS; i++)
        for (int a = 0; a < 2; a++) {
            form = &forms[i];
            hid_t file = form_create(s);
            put(file, 1);
            assert_true(H5Fclose(file) >= 0);
            userblock_fill(s);
            assert_int_equal(WTERMSIG(store_in_a_child(s, commit_and_die)), SIGKILL);
            recover(s, actions[a]);
            verdict_is(s, VERDICT_CLEAN);
            is_seen(s, true, actions[a] == RECOVER_APPLY ? 2 : 1);
            userblock_is_kept(s);
            assert_int_equal(scratch_dir_run(&s->dir, "rm -f a.h5.*"), 0);
        }
}

/* A plain program adds to the file after a kill; HDF5 then changes the superblock,
 * wherever that is. */
static void change_from_outside(struct scene *s)
{
    hid_t file = H5Fopen(s->path, H5F_ACC_RDWR, H5P_DEFAULT);

    store_put(file, "other", 5);
    _exit(H5Fclose(file) >= 0 ? 0 : 1);
}

static void a_change_from_outside_is_seen_in_every_form(void **state)
{
    struct scene *s = *state;

    for (size_t i = 0; i < N_FORMS; i++) {
        form = &forms[i];
        hid_t file = form_create(s);
        put(file, 1);
        assert_true(H5Fclose(file) >= 0);
        assert_int_equal(WTERMSIG(store_in_a_child(s, commit_and_die)), SIGKILL);
        assert_int_equal(store_in_a_child(s, change_from_outside), 0);
        verdict_is(s, VERDICT_FOREIGN);
        for (unsigned flags = H5F_ACC_RDONLY; flags <= H5F_ACC_RDWR; flags++) {
            char cause[640] = "";
            if (store_open(s->path, flags, cause) >= 0)
                fail_msg("%s: it is opened", form->name);
            if (!strstr(cause, "changed from outside"))
                fail_msg("%s: \"%s\"", form->name, cause);
        }
        assert_int_equal(scratch_dir_run(&s->dir, "rm a.h5*"), 0);
    }
}

static hid_t keeping_open(const struct scene *s, bool create)
{
    hid_t fapl = store_driver(5000), fcpl = H5Pcreate(H5P_FILE_CREATE);

    assert_true(H5Pset_file_space_strategy(fcpl, H5F_FSPACE_STRATEGY_FSM_AGGR, 1, 1) >=
                0);
    hid_t file = create ? H5Fcreate(s->path, H5F_ACC_TRUNC, fcpl, fapl)
                        : H5Fopen(s->path, H5F_ACC_RDWR, fapl);
    H5Pclose(fcpl);
    H5Pclose(fapl);
    assert_true(file >= 0);
    return file;
}

static void keep_and_die(struct scene *s)
{
    hid_t file = keeping_open(s, false);

    put(file, 3);
    H5Fflush(file, H5F_SCOPE_GLOBAL);
    raise(SIGKILL);
}

/* Else a killed writer could leave a state that nobody can add to. */
static void
a_file_that_keeps_its_free_space_is_committed_when_it_is_closed(void **state)
{
    struct scene *s = *state;
    swim_error_t err = {0};

    form = &forms[0];
    hid_t file = keeping_open(s, true);
    put(file, 1);
    assert_int_equal(swim_commit(file, &err), SWIM_ERR_ARG);
    assert_non_null(strstr(err.text, "close it"));
    assert_false(store_there_is(s->path));
    assert_int_equal(swim_close(file, NULL), SWIM_OK);
    is_seen(s, true, 1);
    file = keeping_open(s, false);
    put(file, 2);
    assert_int_equal(swim_commit(file, NULL), SWIM_ERR_ARG);
    put(file, 3);
    assert_int_equal(swim_abort(file, NULL), SWIM_OK);
    assert_int_equal(swim_commit(file, NULL), SWIM_ERR_ARG);
    swim_error_clear(&err);
    assert_int_equal(swim_close(file, &err), SWIM_ERR_ARG);
    assert_non_null(strstr(err.text, "it was aborted"));
    is_seen(s, true, 1);
    file = keeping_open(s, false);
    put(file, 2);
    assert_true(H5Fclose(file) >= 0);
    is_seen(s, true, 2);
    assert_int_equal(WTERMSIG(store_in_a_child(s, keep_and_die)), SIGKILL);
    is_seen(s, true, 2);
    file = keeping_open(s, false);
    put(file, 3);
    put(file, 4);
    assert_true(H5Fclose(file) >= 0);
    is_seen(s, true, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(every_form_lives_under_the_driver),
        STORE_TEST(every_form_is_recovered_as_decided),
        STORE_TEST(a_file_that_keeps_its_free_space_is_committed_when_it_is_closed),
        STORE_TEST(a_change_from_outside_is_seen_in_every_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
