/* test_journal_trust.c - whose journal is believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <grp.h>
#include <sys/wait.h>

#include "store/journal.h"
#include "txn_scene.h"

enum { OWNER = 1234, COLLEAGUE = 12345, STRANGER = 54321, GROUP = 4321, OTHERS = 99 };

/* A file of OWNER that its group may write to, in a folder of that group, with a
 * journal that COLLEAGUE has made. */
static struct {
    struct stat file, log, folder;
    const char *path, *folder_path;
    bool folder_is_gone;
} is;

static int folder_lstat(const char *path, struct stat *st)
{
    assert_string_equal(path, is.folder_path);
    *st = is.folder;
    errno = ENOENT;
    return is.folder_is_gone ? -1 : 0;
}

static int setup(void **state)
{
    (void)state;
    memset(&is, 0, sizeof(is));
    is.path = "/data/group/a.h5";
    is.folder_path = "/data/group";
    is.file.st_mode = is.log.st_mode = S_IFREG | 0664;
    is.file.st_uid = OWNER;
    is.log.st_uid = COLLEAGUE;
    is.log.st_nlink = 1;
    is.folder.st_uid = OWNER;
    is.folder.st_mode = S_IFDIR | 02775;
    is.file.st_gid = is.log.st_gid = is.folder.st_gid = GROUP;
    return 0;
}

static bool believed(struct journal_doubt *doubt)
{
    static struct swim_io io;
    const struct io_file file = {&io, -1, is.path, NULL};

    io = swim_io_system;
    io.lstat = folder_lstat;
    return journal_trust(&file, &is.file, &is.log, doubt);
}

static void assert_believed(void)
{
    struct journal_doubt doubt;

    assert_true(believed(&doubt));
    assert_false(doubt.of_another);
    assert_string_equal(doubt.why, "");
}

/* It may be the journal all the same, so nobody is told to remove it. */
static void assert_of_another(void)
{
    struct journal_doubt doubt;

    assert_false(believed(&doubt));
    assert_true(doubt.of_another);
    assert_non_null(strstr(doubt.why, "neither the file's owner nor you"));
}

static void that_of_the_owner_of_root_or_ones_own_is_believed(void **state)
{
    const uid_t who[] = {OWNER, 0, geteuid()};

    (void)state;
    is.file.st_mode = S_IFREG | 0600;
    is.folder.st_mode = S_IFDIR | 01777;
    for (size_t i = 0; i < sizeof(who) / sizeof(*who); i++) {
        is.log.st_uid = who[i];
        assert_believed();
    }
    is.log.st_uid = STRANGER;
    assert_of_another();
}

static void that_of_a_group_that_shares_file_and_folder_is_believed(void **state)
{
    (void)state;
    assert_believed();
    is.folder.st_mode = S_IFDIR | 0770;
    assert_believed();
    is.path = "/a.h5";
    is.folder_path = "/";
    assert_believed();
    is.path = "a.h5";
    is.folder_path = ".";
    assert_believed();
}

/* One condition is missing each time. */
static void a_stranger_could_have_made_it_otherwise(void **state)
{
    setup(state);
    is.file.st_mode = S_IFREG | 0644;
    assert_of_another();
    setup(state);
    is.log.st_gid = OTHERS;
    assert_of_another();
    setup(state);
    is.folder.st_gid = OTHERS;
    assert_of_another();
    setup(state);
    is.folder.st_mode = S_IFDIR | 02777;
    assert_of_another();
    setup(state);
    is.folder.st_mode = S_IFDIR | 03775; /* who may make files, and not replace any */
    assert_of_another();
    setup(state);
    is.folder.st_mode = S_IFLNK | 0777;
    assert_of_another();
    setup(state);
    is.folder_is_gone = true;
    assert_of_another();
}

static void where_all_may_write_to_the_file_all_may_make_its_journal(void **state)
{
    (void)state;
    is.file.st_mode = S_IFREG | 0666;
    is.folder.st_mode = S_IFDIR | 01777;
    is.log.st_uid = STRANGER;
    is.log.st_gid = OTHERS;
    assert_believed();
}

static void what_is_no_file_of_its_own_is_not_believed(void **state)
{
    struct journal_doubt doubt;

    (void)state;
    is.log.st_uid = OWNER;
    is.log.st_nlink = 2;
    assert_false(believed(&doubt));
    assert_non_null(strstr(doubt.why, "hard links"));
    is.log.st_mode = S_IFIFO | 0666;
    assert_false(believed(&doubt));
    assert_non_null(strstr(doubt.why, "regular"));
    assert_false(doubt.of_another);
}

static void write_as_colleague(struct scene *s)
{
    const gid_t group = GROUP;

    if (setgroups(1, &group) != 0 || setgid(OTHERS) != 0 || setuid(COLLEAGUE) != 0)
        _exit(2);
    struct txn *t = must_open(s, true);
    must_write(s, t, "by a colleague", 5000);
    _exit(txn_commit(t, true, NULL) != SWIM_OK);
}

/* With real users: COLLEAGUE was killed after a commit. */
static void what_a_colleague_has_committed_is_read_and_copied(void **state)
{
    struct scene *s = *state;
    char seen[15] = "";
    int status = -1;

    if (geteuid() != 0)
        skip();
    assert_int_equal(chown(s->path, OWNER, GROUP), 0);
    assert_int_equal(chmod(s->path, 0664), 0);
    assert_int_equal(chown(s->dir.path, OWNER, GROUP), 0);
    assert_int_equal(chmod(s->dir.path, 02775), 0);
    if (fork() == 0)
        write_as_colleague(s);
    assert_true(wait(&status) > 0 && status == 0);
    assert_int_equal(chmod(s->path, 0644), 0); /* strangers could have made it */
    struct txn *t = NULL;
    swim_error_t err = {0};
    assert_int_equal(open_as(s, false, true, 1, &t, &err), SWIM_ERR_CORRUPT);
    assert_non_null(strstr(err.text, "may have committed"));
    assert_null(strstr(err.text, "remove"));
    assert_int_equal(chmod(s->path, 0664), 0);
    t = must_open(s, false);
    assert_int_equal(txn_read(t, seen, 14, 5000, NULL), SWIM_OK);
    assert_string_equal(seen, "by a colleague");
    txn_close(t);
    t = must_open(s, true);
    assert_int_equal(txn_checkpoint(t, NULL), SWIM_OK);
    txn_close(t);
    assert_false(is_there(s->journal));
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(that_of_the_owner_of_root_or_ones_own_is_believed),
        TEST(that_of_a_group_that_shares_file_and_folder_is_believed),
        TEST(a_stranger_could_have_made_it_otherwise),
        TEST(where_all_may_write_to_the_file_all_may_make_its_journal),
        TEST(what_is_no_file_of_its_own_is_not_believed),
        cmocka_unit_test_setup_teardown(
            what_a_colleague_has_committed_is_read_and_copied, scene_setup,
            scene_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
