/* test_recover.c - a decision on a journal: what the file is then, and what is kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scratch_dir.h"
#include "store/recover.h"
#include "tiny_hdf5.h"

#define BYTES 20000
#define MORE 14 /* what a commit adds behind the end */
#define PLACE 5000L
#define ALL (BYTES + 504) /* with what is committed by nobody */

struct scene {
    struct scratch_dir dir;
    char path[300], journal[330], saved[330], discarded[340];
    unsigned char old[ALL], made[ALL]; /* without and with commits */
};

static int allowed; /* how often may_change() says yes */
static bool flocks;

static int may_change(void *arg, swim_error_t *err)
{
    (void)arg;
    return allowed-- > 0 ? SWIM_OK
                         : swim_error_set(err, SWIM_ERR_LOST, "the lease is over");
}

static int setup(void **state)
{
    struct scene *s = calloc(1, sizeof(*s));

    *state = s;
    if (!s || scratch_dir_make(&s->dir) != 0)
        return -1;
    allowed = 1000000;
    flocks = true;
    snprintf(s->path, sizeof(s->path), "%s/a.h5", s->dir.path);
    snprintf(s->journal, sizeof(s->journal), "%s%s", s->path, JOURNAL_SUFFIX);
    snprintf(s->saved, sizeof(s->saved), "%s%s", s->path, VERDICT_SAVED_SUFFIX);
    snprintf(s->discarded, sizeof(s->discarded), "%s%s", s->path,
             JOURNAL_DISCARDED_SUFFIX);
    for (size_t i = 0; i < BYTES; i++)
        s->old[i] = (unsigned char)(i % 251);
    tiny_hdf5(s->old, BYTES);
    memcpy(s->made, s->old, BYTES);
    memcpy(s->made + PLACE, "first", 5);
    memcpy(s->made + 2 * PLACE, "second", 6);
    memcpy(s->made + BYTES, "behind the end", MORE);
    memcpy(s->made + BYTES + 500, "more", 4);
    FILE *f = fopen(s->path, "we");
    bool written = f && fwrite(s->old, 1, BYTES, f) == BYTES;
    return f && fclose(f) == 0 && written ? 0 : -1;
}

static int teardown(void **state)
{
    struct scene *s = *state;

    scratch_dir_remove(&s->dir);
    free(s);
    return 0;
}

static int recover(const struct scene *s, enum recover_action action,
                   struct recover_plan *done, swim_error_t *err)
{
    const struct txn_options opt = {
        .write = true, .flocks = flocks, .boot = "boot", .may_change = may_change};
    bool no_flock = true;

    int rc = recover_run(s->path, action, &opt, done, &no_flock, err);
    assert_false(no_flock);
    return rc;
}

static void must_recover(const struct scene *s, enum recover_action action,
                         enum recover_how how)
{
    struct recover_plan done;
    swim_error_t err = {0};

    if (recover(s, action, &done, &err) != SWIM_OK)
        fail_msg("%s", err.text);
    assert_int_equal(done.how, how);
}

static void must_refuse(const struct scene *s, enum recover_action action, int code,
                        const char *why)
{
    struct recover_plan done;
    swim_error_t err = {0};

    assert_int_equal(recover(s, action, &done, &err), code);
    if (!strstr(err.text, why))
        fail_msg("not \"%s\": %s", why, err.text);
}

/* Both names lead to one file. */
static bool are_one(const char *a, const char *b)
{
    struct stat first, second;

    return lstat(a, &first) == 0 && lstat(b, &second) == 0 &&
           first.st_ino == second.st_ino;
}

static bool is_there(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0;
}

static void assert_is(const char *path, const unsigned char *bytes, size_t size)
{
    static unsigned char is[2 * BYTES];
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    assert_int_equal(pread(fd, is, sizeof(is), 0), size);
    assert_memory_equal(is, bytes, size);
    close(fd);
}

static void assert_opens(const struct scene *s, uint64_t size)
{
    const struct txn_options opt = {.flocks = true, .boot = "boot"};
    struct txn *t = NULL;

    assert_int_equal(txn_open(&t, s->path, &opt, NULL), SWIM_OK);
    assert_int_equal(txn_size(t), size);
    assert_int_equal(txn_number(t), 0);
    txn_close(t);
    assert_false(is_there(s->journal));
}

/* Nothing is left beside it but what is named. */
static void assert_kept(const struct scene *s, bool saved, bool discarded)
{
    assert_int_equal(is_there(s->saved), saved);
    assert_int_equal(is_there(s->discarded), discarded);
    assert_int_equal(scratch_dir_run(&s->dir, "test ! -e a.h5" JOURNAL_NEW_SUFFIX), 0);
}

/* A writer was killed after so many commits, and in the middle of another. */
static void kill_a_writer(const struct scene *s, int commits)
{
    if (fork() == 0) {
        const struct txn_options opt = {
            .write = true, .flocks = true, .fence = 7, .boot = "boot"};
        struct txn *t = NULL;
        int rc = txn_open(&t, s->path, &opt, NULL);
        for (int n = 0; rc == SWIM_OK && n < commits; n++) {
            rc = txn_write(t, n ? "second" : "first", n ? 6 : 5,
                           (uint64_t)PLACE * ((uint64_t)n + 1), NULL);
            if (rc == SWIM_OK)
                rc = txn_write(t, "behind the end", MORE, BYTES, NULL);
            if (rc == SWIM_OK)
                rc = txn_commit(t, true, NULL);
        }
        if (rc == SWIM_OK)
            rc = txn_write(t, "unfinished", 10, 3 * PLACE, NULL);
        if (rc == SWIM_OK)
            rc = txn_write(t, "more", 4, BYTES + 500, NULL);
        char seen[4]; /* a read has small writes made at once */
        if (rc == SWIM_OK)
            rc = txn_read(t, seen, sizeof(seen), BYTES + 500, NULL);
        _exit(rc != SWIM_OK);
    }
    int status = -1;
    assert_true(wait(&status) > 0 && status == 0);
}

static void change(const char *path, uint64_t at, const char *text)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);

    assert_int_equal(pwrite(fd, text, strlen(text), (off_t)at), strlen(text));
    close(fd);
}

static void without_a_journal_nothing_is_done(void **state)
{
    struct scene *s = *state;

    must_recover(s, RECOVER_APPLY, RECOVER_NOTHING);
    must_recover(s, RECOVER_DISCARD, RECOVER_NOTHING);
    assert_is(s->path, s->old, BYTES);
    assert_kept(s, false, false);
}

/* A program was killed while it made the file anew. */
static void what_was_to_take_its_name_is_removed(void **state)
{
    struct scene *s = *state;

    for (int discard = 0; discard < 2; discard++) {
        assert_int_equal(
            scratch_dir_run(&s->dir, "echo half > a.h5" JOURNAL_NEW_SUFFIX), 0);
        must_recover(s, discard ? RECOVER_DISCARD : RECOVER_APPLY, RECOVER_LEFTOVER);
        assert_is(s->path, s->old, BYTES);
        assert_opens(s, BYTES);
        assert_kept(s, false, false);
    }
}

static void where_nothing_is_committed_the_rest_is_tidied_up(void **state)
{
    struct scene *s = *state;

    for (int how = 0; how < 4; how++) {
        struct stat was, st;
        flocks = how < 2;
        kill_a_writer(s, 0); /* of one that has flock, and wrote behind the end */
        assert_int_equal(stat(s->path, &was), 0);
        must_recover(s, how % 2 ? RECOVER_DISCARD : RECOVER_APPLY, RECOVER_TIDY);
        assert_is(s->path, s->old, BYTES);
        assert_int_equal(stat(s->path, &st), 0);
        assert_true(st.st_mtim.tv_sec >= was.st_mtim.tv_sec);
        assert_opens(s, BYTES);
        assert_kept(s, false, false);
    }
}

static void what_is_committed_is_applied(void **state)
{
    struct scene *s = *state;

    kill_a_writer(s, 2);
    must_recover(s, RECOVER_APPLY, RECOVER_CHECKPOINT);
    assert_is(s->path, s->made, BYTES + MORE);
    assert_opens(s, BYTES + MORE);
    assert_kept(s, false, false);
    must_recover(s, RECOVER_APPLY, RECOVER_NOTHING);
}

static void what_is_committed_can_be_given_up_and_is_kept(void **state)
{
    struct scene *s = *state;

    kill_a_writer(s, 2);
    must_recover(s, RECOVER_DISCARD, RECOVER_CUT_BACK);
    assert_is(s->path, s->old, BYTES);
    assert_opens(s, BYTES);
    assert_kept(s, true, true);
    /* and taken back */
    assert_int_equal(scratch_dir_run(&s->dir,
                                     "mv a.h5" VERDICT_SAVED_SUFFIX
                                     " a.h5 && mv a.h5" JOURNAL_DISCARDED_SUFFIX
                                     " a.h5" JOURNAL_SUFFIX),
                     0);
    must_recover(s, RECOVER_APPLY, RECOVER_CHECKPOINT);
    assert_is(s->path, s->made, BYTES + MORE);
}

static void a_foreign_change_stays_where_no_frame_is(void **state)
{
    struct scene *s = *state;

    kill_a_writer(s, 2);
    change(s->path, 200, "from outside");
    change(s->path, PLACE + 2, "too");
    must_recover(s, RECOVER_APPLY, RECOVER_REBUILD);
    memcpy(s->made + 200, "from outside", 12);
    assert_is(s->path, s->made, ALL); /* it may be of the other program */
    assert_opens(s, ALL);
    assert_kept(s, true, true);
    int fd = open(s->saved, O_RDONLY | O_CLOEXEC);
    char was[6] = "";
    assert_int_equal(pread(fd, was, 5, PLACE), 5);
    assert_string_equal(was, "\xe7\xe8too"); /* i % 251, and what came over it */
    close(fd);
}

static void a_foreign_file_can_be_left_as_it_is(void **state)
{
    struct scene *s = *state;

    for (int commits = 0; commits < 2; commits++) {
        kill_a_writer(s, commits);
        assert_int_equal(scratch_dir_run(&s->dir, "cp a.h5 was"), 0);
        change(s->path, 200, commits ? "outside" : "foreign");
        struct stat st;
        assert_int_equal(stat(s->path, &st), 0);
        must_recover(s, RECOVER_DISCARD, RECOVER_SET_ASIDE);
        assert_opens(s, (uint64_t)st.st_size);
        assert_kept(s, false, true);
        unlink(s->discarded);
        assert_int_equal(truncate(s->path, BYTES), 0);
    }
}

static void
where_nothing_is_committed_nothing_is_applied_to_a_foreign_file(void **state)
{
    struct scene *s = *state;

    kill_a_writer(s, 0);
    change(s->path, 200, "from outside");
    must_refuse(s, RECOVER_APPLY, SWIM_ERR_CORRUPT, "nothing to apply");
    assert_true(is_there(s->journal));
}

static void a_file_that_was_cut_gets_back_what_frames_cover(void **state)
{
    struct scene *s = *state;

    kill_a_writer(s, 2);
    assert_int_equal(truncate(s->path, PLACE), 0);
    must_recover(s, RECOVER_APPLY, RECOVER_REBUILD);
    memset(s->made + PLACE, 0, BYTES + MORE - PLACE);
    memcpy(s->made + PLACE, "first", 5);
    memcpy(s->made + 2 * PLACE, "second", 6);
    int fd = open(s->path, O_RDONLY | O_CLOEXEC);
    unsigned char is[BYTES];
    assert_int_equal(pread(fd, is, BYTES, 0), BYTES);
    assert_memory_equal(is, s->made, BYTES);
    close(fd);
    assert_kept(s, true, true);
}

static void a_file_that_took_the_name_gets_the_frames(void **state)
{
    struct scene *s = *state;

    kill_a_writer(s, 2);
    assert_int_equal(scratch_dir_run(&s->dir, "cp a.h5 b && mv b a.h5"), 0);
    must_recover(s, RECOVER_APPLY, RECOVER_REBUILD);
    assert_is(s->path, s->made, ALL);
    assert_opens(s, ALL);
    assert_kept(s, true, true);
}

static void of_a_damaged_journal_what_can_be_read_is_applied(void **state)
{
    struct scene *s = *state;

    kill_a_writer(s, 2);
    change(s->journal, 300 + JOURNAL_FRAME, "?"); /* in the second commit's frame */
    must_recover(s, RECOVER_APPLY, RECOVER_REBUILD);
    memcpy(s->made + 2 * PLACE, s->old + 2 * PLACE, 6);
    assert_is(s->path, s->made, BYTES + MORE);
    assert_opens(s, BYTES + MORE);
    assert_kept(s, true, true);
    assert_int_equal(
        scratch_dir_run(&s->dir, "grep -q '?' a.h5" JOURNAL_DISCARDED_SUFFIX), 0);
}

static void a_journal_that_cannot_be_read_can_only_be_given_up(void **state)
{
    struct scene *s = *state;

    for (int symbolic = 0; symbolic < 2; symbolic++) {
        kill_a_writer(s, 2);
        change(s->journal, 12, "?"); /* of a size that is known */
        if (symbolic)
            assert_int_equal(scratch_dir_run(&s->dir, "ln -sf was a.h5" JOURNAL_SUFFIX),
                             0);
        must_refuse(s, RECOVER_APPLY, SWIM_ERR_CORRUPT, "nothing to apply");
        must_recover(s, RECOVER_DISCARD, RECOVER_SET_ASIDE);
        assert_opens(s, ALL);
        assert_kept(s, false, true);
        unlink(s->discarded);
        assert_int_equal(truncate(s->path, BYTES), 0);
    }
}

static ssize_t end_in_the_copy(int fd, const struct iovec *parts, int n, off_t at)
{
    static int calls;

    if (calls++ == 2) /* the mark, the first frame, and no more */
        _exit(0);
    return pwritev(fd, parts, n, at);
}

static void half_a_copy_is_finished_and_not_given_up(void **state)
{
    struct scene *s = *state;

    kill_a_writer(s, 2);
    if (fork() == 0) {
        struct swim_io io = swim_io_system;
        const struct txn_options opt = {
            .io = &io, .write = true, .flocks = true, .fence = 9, .boot = "boot"};
        struct txn *t = NULL;
        io.pwritev = end_in_the_copy;
        if (txn_open(&t, s->path, &opt, NULL) == SWIM_OK)
            (void)txn_checkpoint(t, NULL);
        _exit(1);
    }
    int status = -1;
    assert_true(wait(&status) > 0 && status == 0);
    must_refuse(s, RECOVER_DISCARD, SWIM_ERR_CORRUPT, "neither old nor new");
    must_recover(s, RECOVER_APPLY, RECOVER_CHECKPOINT);
    assert_is(s->path, s->made, BYTES + MORE);
}

static void who_has_it_open_is_named_and_not_disturbed(void **state)
{
    struct scene *s = *state;
    char pid[40];

    kill_a_writer(s, 2);
    change(s->path, 200, "from outside");
    snprintf(pid, sizeof(pid), "process %d", (int)getpid());
    const char *const names[] = {s->path, s->journal};
    for (int i = 0; i < 2; i++) {
        int fd = open(names[i], O_RDWR | O_CLOEXEC);
        assert_int_equal(flock(fd, i ? LOCK_EX : LOCK_SH), 0);
        must_refuse(s, RECOVER_APPLY, SWIM_ERR_TIMEOUT, pid);
        must_refuse(s, RECOVER_DISCARD, SWIM_ERR_TIMEOUT, pid);
        close(fd);
    }
    assert_kept(s, false, false);
    assert_true(is_there(s->journal));
}

static void what_was_kept_before_is_not_lost(void **state)
{
    static const char *const names[] = {VERDICT_SAVED_SUFFIX, JOURNAL_DISCARDED_SUFFIX};
    struct scene *s = *state;

    kill_a_writer(s, 2);
    change(s->path, 200, "from outside");
    for (int i = 0; i < 2; i++) {
        char command[100];
        snprintf(command, sizeof(command), "touch a.h5%s", names[i]);
        assert_int_equal(scratch_dir_run(&s->dir, command), 0);
        must_refuse(s, RECOVER_APPLY, SWIM_ERR_ARG, names[i]);
        if (i == 1)
            must_refuse(s, RECOVER_DISCARD, SWIM_ERR_ARG, names[i]);
        snprintf(command, sizeof(command), "rm a.h5%s", names[i]);
        assert_int_equal(scratch_dir_run(&s->dir, command), 0);
    }
    assert_true(is_there(s->journal));
}

static void a_file_with_two_names_is_not_made_anew(void **state)
{
    struct scene *s = *state;

    kill_a_writer(s, 2);
    change(s->path, 200, "from outside");
    assert_int_equal(scratch_dir_run(&s->dir, "ln a.h5 b.h5"), 0);
    must_refuse(s, RECOVER_APPLY, SWIM_ERR_ARG, "2 names");
    assert_kept(s, false, false);
    must_recover(s, RECOVER_DISCARD, RECOVER_SET_ASIDE);
}

static void mode_and_owner_stay_those_of_the_file(void **state)
{
    struct scene *s = *state;
    struct stat st;

    kill_a_writer(s, 2);
    change(s->path, 200, "from outside");
    assert_int_equal(chmod(s->path, 0604), 0);
    if (geteuid() == 0)
        assert_int_equal(chown(s->path, 1234, 4321), 0);
    must_recover(s, RECOVER_APPLY, RECOVER_REBUILD);
    assert_int_equal(stat(s->path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0604);
    if (geteuid() == 0)
        assert_true(st.st_uid == 1234 && st.st_gid == 4321);
}

/* The file is as it was or as it is to be, and the journal is there until then. */
static void one_that_may_not_change_it_any_more_stops(void **state)
{
    struct scene *s = *state;
    struct recover_plan done;
    int times = 0, rc = SWIM_ERR_LOST;
    bool before_the_name = false, after_it = false;

    kill_a_writer(s, 2);
    change(s->path, 200, "from outside");
    memcpy(s->made + 200, "from outside", 12);
    for (; rc != SWIM_OK; times++) {
        allowed = times;
        rc = recover(s, RECOVER_APPLY, &done, NULL);
        allowed = 1000000;
        assert_true(rc == SWIM_OK || rc == SWIM_ERR_LOST);
        assert_int_equal(is_there(s->journal), rc != SWIM_OK);
        before_the_name |= are_one(s->path, s->saved);
        after_it |= rc != SWIM_OK && is_there(s->saved) && !are_one(s->path, s->saved);
    }
    assert_true(before_the_name && after_it && times > 3);
    assert_is(s->path, s->made, ALL);
    assert_kept(s, true, true);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_a_journal_nothing_is_done),
        TEST(what_was_to_take_its_name_is_removed),
        TEST(where_nothing_is_committed_the_rest_is_tidied_up),
        TEST(what_is_committed_is_applied),
        TEST(what_is_committed_can_be_given_up_and_is_kept),
        TEST(a_foreign_change_stays_where_no_frame_is),
        TEST(a_foreign_file_can_be_left_as_it_is),
        TEST(where_nothing_is_committed_nothing_is_applied_to_a_foreign_file),
        TEST(a_file_that_was_cut_gets_back_what_frames_cover),
        TEST(a_file_that_took_the_name_gets_the_frames),
        TEST(of_a_damaged_journal_what_can_be_read_is_applied),
        TEST(a_journal_that_cannot_be_read_can_only_be_given_up),
        TEST(half_a_copy_is_finished_and_not_given_up),
        TEST(who_has_it_open_is_named_and_not_disturbed),
        TEST(what_was_kept_before_is_not_lost),
        TEST(a_file_with_two_names_is_not_made_anew),
        TEST(mode_and_owner_stay_those_of_the_file),
        TEST(one_that_may_not_change_it_any_more_stops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
