/* test_txn.c - transactions on real files: who is kept out, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "txn_scene.h"

/* Opening it, to read and to write, fails so. */
static void assert_refused(const struct scene *s, int code, const char *why)
{
    for (int write = 0; write < 2; write++) {
        swim_error_t err = {0};
        struct txn *t = NULL;
        assert_int_equal(open_as(s, write, true, 9, &t, &err), code);
        assert_null(t);
        assert_non_null(strstr(err.text, why));
    }
}

/* A writer was killed: its journal and what it wrote behind the end are there. */
static void kill_a_writer(struct scene *s, bool committed)
{
    if (fork() == 0) {
        struct txn *t = must_open(s, true);
        must_write(s, t, "old place", 5000);
        must_write(s, t, "behind the end", BYTES);
        char seen[14]; /* which has small writes made at once */
        if (txn_read(t, seen, sizeof(seen), BYTES, NULL) != SWIM_OK)
            _exit(2);
        _exit(committed && txn_commit(t, true, NULL) != SWIM_OK);
    }
    int status = -1;
    assert_true(wait(&status) > 0 && status == 0);
    assert_true(is_there(s->journal));
}

static void what_was_written_is_seen_when_it_is_committed(void **state)
{
    struct scene *s = *state;
    unsigned char was[BYTES], seen[BYTES];
    struct txn *t = must_open(s, true);

    memcpy(was, s->bytes, BYTES);
    must_write(s, t, "old place", 5000);
    must_write(s, t, "behind the end", BYTES + 100);
    struct txn *reader = must_open(s, false);
    assert_int_equal(txn_size(reader), BYTES);
    assert_int_equal(txn_commit(t, true, NULL), SWIM_OK);
    struct txn *later = must_open(s, false);
    assert_int_equal(txn_size(later), BYTES + 114);
    assert_int_equal(txn_number(later), 1);
    for (int n = 0; n < 2; n++) { /* also when the writer has gone */
        assert_int_equal(txn_read(reader, seen, BYTES, 0, NULL), SWIM_OK);
        assert_memory_equal(seen, was, BYTES);
        assert_int_equal(txn_read(later, seen, BYTES, 0, NULL), SWIM_OK);
        assert_memory_equal(seen, s->bytes, BYTES);
        assert_int_equal(txn_read(later, seen, 20, BYTES + 95, NULL), SWIM_OK);
        assert_memory_equal(seen, "\0\0\0\0\0behind the end\0", 20);
        if (n == 0)
            assert_int_equal(txn_checkpoint(t, NULL), SWIM_ERR_TIMEOUT); /* they read */
        txn_close(n == 0 ? t : NULL);
    }
    txn_close(reader);
    txn_close(later);
    assert_true(file_begins(s, was, BYTES));
    t = must_open(s, true);
    assert_int_equal(txn_checkpoint(t, NULL), SWIM_OK);
    txn_close(t);
    assert_true(file_begins(s, s->bytes, BYTES));
    assert_int_equal(size_of(s->path), BYTES + 114);
    assert_false(is_there(s->journal));
}

static void two_writers_and_others_keep_out(void **state)
{
    struct scene *s = *state;
    struct txn *t = must_open(s, true), *other = NULL;
    int fd = open(s->path, O_RDWR | O_CLOEXEC);

    /* As HDF5 locks a file that it writes to. */
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), -1);
    must_write(s, t, "x", BYTES);
    assert_int_equal(open_as(s, true, true, 2, &other, NULL), SWIM_ERR_TIMEOUT);
    txn_close(t);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    assert_refused(s, SWIM_ERR_TIMEOUT, "another program has it locked");
    close(fd);
}

static void one_that_reads_cannot_write_and_leaves_all_as_it_is(void **state)
{
    struct scene *s = *state;
    unsigned char seen[9];

    kill_a_writer(s, true);
    off_t size = size_of(s->path), journal = size_of(s->journal);
    struct txn *t = must_open(s, false);
    changes = 0;
    assert_int_equal(txn_write(t, "x", 1, 0, NULL), SWIM_ERR_ARG);
    assert_int_equal(txn_set_size(t, 5, NULL), SWIM_ERR_ARG);
    assert_int_equal(txn_commit(t, true, NULL), SWIM_ERR_ARG);
    assert_int_equal(txn_read(t, seen, 9, 5000, NULL), SWIM_OK);
    assert_memory_equal(seen, "old place", 9);
    txn_close(t);
    assert_int_equal(changes, 0);
    assert_int_equal(size_of(s->path), size);
    assert_int_equal(size_of(s->journal), journal);
}

/* Without flock nobody can tell that a writer that is late has really ended: it must
 * not get at the file itself. */
static void without_flock_all_goes_to_the_journal(void **state)
{
    struct scene *s = *state;
    unsigned char was[BYTES], seen[BYTES];
    struct txn *t = NULL;

    memcpy(was, s->bytes, BYTES);
    assert_int_equal(open_as(s, true, false, 1, &t, NULL), SWIM_OK);
    must_write(s, t, "old place", 5000);
    must_write(s, t, "behind the end", BYTES);
    assert_int_equal(txn_commit(t, true, NULL), SWIM_OK);
    assert_int_equal(size_of(s->path), BYTES);
    assert_true(file_begins(s, was, BYTES));
    txn_close(t);
    assert_int_equal(open_as(s, true, false, 2, &t, NULL), SWIM_OK);
    assert_int_equal(txn_read(t, seen, 14, BYTES, NULL), SWIM_OK);
    assert_memory_equal(seen, "behind the end", 14);
    assert_int_equal(txn_checkpoint(t, NULL), SWIM_OK);
    txn_close(t);
    assert_int_equal(size_of(s->path), BYTES + 14);
    assert_true(file_begins(s, s->bytes, BYTES));
}

static void one_that_may_not_change_it_any_more_changes_nothing(void **state)
{
    struct scene *s = *state;
    struct txn *t = must_open(s, true);
    swim_error_t err = {0};

    must_write(s, t, "old place", 5000);
    must_write(s, t, "behind the end", BYTES);
    off_t size = size_of(s->path), journal = size_of(s->journal);
    allowed = 0;
    changes = 0;
    assert_int_equal(txn_commit(t, true, &err), SWIM_ERR_LOST);
    assert_int_equal(txn_write(t, "x", 1, 0, NULL), SWIM_ERR_LOST);
    assert_int_equal(txn_set_size(t, 5, NULL), SWIM_ERR_LOST);
    assert_int_equal(txn_abort(t, NULL), SWIM_ERR_LOST);
    txn_close(t);
    assert_int_equal(changes, 0);
    assert_int_equal(size_of(s->path), size);
    assert_int_equal(size_of(s->journal), journal);
}

/* Whatever comes between: the syncs before a commit record may take long. */
static void one_that_loses_its_right_in_a_commit_commits_nothing(void **state)
{
    struct scene *s = *state;

    for (int times = 0;; times++) {
        struct txn *t = must_open(s, true);
        must_write(s, t, times % 2 ? "odd" : "even", 5000);
        must_write(s, t, "behind the end", BYTES);
        allowed = times;
        int rc = txn_commit(t, true, NULL);
        allowed = 1000000;
        struct txn *reader = must_open(s, false);
        assert_int_equal(txn_size(reader), BYTES + (rc == SWIM_OK ? 14 : 0));
        txn_close(reader);
        txn_close(t);
        if (rc == SWIM_OK) {
            assert_true(times >= 2);
            break;
        }
        assert_int_equal(rc, SWIM_ERR_LOST);
    }
}

static void an_older_session_does_not_follow_a_newer_one(void **state)
{
    struct scene *s = *state;
    struct txn *t = NULL, *reader = must_open(s, false);

    assert_int_equal(open_as(s, true, true, 7, &t, NULL), SWIM_OK);
    must_write(s, t, "x", 0);
    assert_int_equal(txn_commit(t, true, NULL), SWIM_OK);
    txn_close(t);
    assert_int_equal(open_as(s, true, true, 6, &t, NULL), SWIM_ERR_LOST);
    txn_close(reader);
}

static void what_a_killed_writer_left_is_cut_off(void **state)
{
    struct scene *s = *state;

    kill_a_writer(s, false);
    assert_int_equal(size_of(s->path), BYTES + 14);
    struct txn *t = must_open(s, false);
    assert_int_equal(txn_size(t), BYTES);
    txn_close(t);
    txn_close(must_open(s, true));
    assert_int_equal(size_of(s->path), BYTES);
    assert_false(is_there(s->journal));
    assert_true(file_begins(s, s->bytes, BYTES));
}

/* As a session does that closes and finds nobody else. */
static void a_journal_in_which_nothing_is_committed_sets_no_time(void **state)
{
    struct scene *s = *state;
    struct stat was, st;

    kill_a_writer(s, false);
    assert_int_equal(stat(s->path, &was), 0);
    struct txn *t = must_open(s, true);
    assert_int_equal(txn_checkpoint(t, NULL), SWIM_OK);
    txn_close(t);
    assert_int_equal(stat(s->path, &st), 0);
    assert_true(st.st_mtim.tv_sec >= was.st_mtim.tv_sec);
    assert_int_equal(st.st_size, BYTES);
    assert_false(is_there(s->journal));
}

/* Nobody kept it out, since nobody had the file open. */
static void what_another_program_changed_meanwhile_is_neither_read_nor_cut(void **state)
{
    struct scene *s = *state;

    for (int committed = 0; committed < 2; committed++) {
        kill_a_writer(s, committed);
        int fd = open(s->path, O_RDWR | O_CLOEXEC);
        assert_int_equal(pwrite(fd, committed ? "later" : "first", 5, 40), 5);
        assert_int_equal(pwrite(fd, "more", 4, BYTES + 500), 4);
        close(fd);
        assert_refused(s, SWIM_ERR_CORRUPT, "changed from outside");
        assert_int_equal(size_of(s->path), BYTES + 504);
        unlink(s->journal);
        assert_int_equal(truncate(s->path, BYTES), 0);
    }
}

static void a_change_below_a_frame_is_seen_before_it_is_copied(void **state)
{
    struct scene *s = *state;
    swim_error_t err = {0};

    kill_a_writer(s, true);
    int fd = open(s->path, O_RDWR | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "?", 1, 5003), 1);
    close(fd);
    struct txn *t = must_open(s, true);
    assert_int_equal(txn_checkpoint(t, &err), SWIM_ERR_CORRUPT);
    assert_non_null(strstr(err.text, "changed from outside at byte 5000"));
    txn_close(t);
    assert_true(is_there(s->journal));
}

static void a_file_that_was_cut_from_outside_is_refused(void **state)
{
    struct scene *s = *state;

    kill_a_writer(s, true);
    assert_int_equal(truncate(s->path, BYTES), 0);
    assert_refused(s, SWIM_ERR_CORRUPT, "cut from outside");
}

static void a_journal_of_the_file_that_had_the_name_before_is_refused(void **state)
{
    struct scene *s = *state;

    kill_a_writer(s, true);
    assert_int_equal(scratch_dir_run(&s->dir, "cp a.h5 b.h5 && mv b.h5 a.h5"), 0);
    assert_refused(s, SWIM_ERR_CORRUPT, "journal of another file");
}

/* Its number is that of the one that is gone. */
static void a_file_that_is_younger_than_its_journal_is_another(void **state)
{
    struct scene *s = *state;

    kill_a_writer(s, true);
    counted.birth_ns = born_tomorrow;
    assert_refused(s, SWIM_ERR_CORRUPT, "journal of another file");
}

/* It was changed last before it was made, as it seems. */
static void
a_journal_begun_when_the_clock_was_set_back_is_that_of_its_file(void **state)
{
    struct scene *s = *state;
    unsigned char seen[9];

    counted.birth_ns = born_tomorrow;
    kill_a_writer(s, true);
    struct txn *t = must_open(s, false);
    assert_int_equal(txn_number(t), 1);
    assert_int_equal(txn_read(t, seen, 9, 5000, NULL), SWIM_OK);
    assert_memory_equal(seen, "old place", 9);
    txn_close(t);
    t = must_open(s, true);
    assert_int_equal(txn_checkpoint(t, NULL), SWIM_OK);
    txn_close(t);
    assert_false(is_there(s->journal));
    /* and one in which nothing is committed goes, also while others read */
    struct txn *reader = must_open(s, false);
    t = must_open(s, true);
    assert_int_equal(txn_write(t, s->bytes, BYTES, 1, NULL), SWIM_OK);
    assert_true(is_there(s->journal));
    txn_close(t);
    assert_false(is_there(s->journal));
    txn_close(reader);
}

static void a_journal_that_somebody_put_there_is_refused(void **state)
{
    static const char *const tricks[] = {
        "ln -s /etc/passwd a.h5" JOURNAL_SUFFIX, "ln other a.h5" JOURNAL_SUFFIX,
        "mkfifo a.h5" JOURNAL_SUFFIX, "mkdir a.h5" JOURNAL_SUFFIX,
        "install -o 12345 other a.h5" JOURNAL_SUFFIX};
    struct scene *s = *state;

    assert_int_equal(scratch_dir_run(&s->dir, "echo a journal, is it not >other"), 0);
    for (size_t i = 0; i < sizeof(tricks) / sizeof(*tricks) - (geteuid() != 0); i++) {
        struct txn *t = NULL;
        swim_error_t err = {0};
        assert_int_equal(scratch_dir_run(&s->dir, tricks[i]), 0);
        for (int write = 0; write < 2; write++) {
            int rc = open_as(s, write, true, 1, &t, &err);
            assert_true(rc == SWIM_ERR_CORRUPT || rc == SWIM_ERR_IO);
            assert_non_null(strstr(err.text, JOURNAL_SUFFIX));
        }
        assert_int_equal(changes, 0);
        assert_int_equal(scratch_dir_run(&s->dir, "rm -rf a.h5" JOURNAL_SUFFIX), 0);
    }
    assert_int_equal(scratch_dir_run(&s->dir, "grep -q 'is it not' other"), 0);
}

/* Who opens it by its other name would look for another journal. */
static void a_file_with_two_names_is_not_written_to(void **state)
{
    struct scene *s = *state;
    struct txn *t = NULL;
    swim_error_t err = {0};

    assert_int_equal(scratch_dir_run(&s->dir, "ln a.h5 b.h5"), 0);
    assert_int_equal(open_as(s, true, true, 1, &t, &err), SWIM_ERR_ARG);
    assert_non_null(strstr(err.text, "2 names"));
    txn_close(must_open(s, false));
}

static int create_as(const struct scene *s, bool exclusive, struct txn **t,
                     swim_error_t *err)
{
    const struct txn_options opt = {.io = &counted,
                                    .write = true,
                                    .flocks = true,
                                    .fence = 5,
                                    .boot = "boot",
                                    .may_change = may_change};

    return txn_create(t, s->path, &opt, exclusive, 0640, err);
}

static bool new_is_there(const struct scene *s)
{
    char path[330];

    snprintf(path, sizeof(path), "%s%s", s->path, JOURNAL_NEW_SUFFIX);
    return is_there(path);
}

static void a_new_file_has_its_name_when_it_is_committed(void **state)
{
    struct scene *s = *state;
    struct txn *t = NULL;
    struct stat st;
    mode_t mask = umask(022);

    unlink(s->path);
    assert_int_equal(create_as(s, true, &t, NULL), SWIM_OK);
    must_write(s, t, "new", 0);
    assert_false(is_there(s->path));
    assert_int_equal(txn_commit(t, true, NULL), SWIM_OK);
    umask(mask);
    assert_true(file_begins(s, "new", 3));
    assert_int_equal(stat(s->path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_false(new_is_there(s));
    must_write(s, t, "NEW, and more", 0); /* it is a file like others now */
    assert_true(file_begins(s, "new", 3));
    assert_int_equal(txn_commit(t, true, NULL), SWIM_OK);
    assert_int_equal(txn_checkpoint(t, NULL), SWIM_OK);
    txn_close(t);
    assert_true(file_begins(s, "NEW, and more", 13));
    assert_false(is_there(s->journal));
}

static void who_reads_a_file_that_is_made_anew_goes_on_reading_it(void **state)
{
    struct scene *s = *state;
    unsigned char seen[BYTES];
    struct txn *t = NULL;

    kill_a_writer(s, true); /* part of it is in its journal */
    struct txn *reader = must_open(s, false);
    assert_int_equal(create_as(s, false, &t, NULL), SWIM_OK);
    assert_int_equal(txn_write(t, "new", 3, 0, NULL), SWIM_OK);
    for (int committed = 0; committed < 2; committed++) {
        assert_int_equal(txn_size(reader), BYTES + 14);
        assert_int_equal(txn_read(reader, seen, 9, 5000, NULL), SWIM_OK);
        assert_memory_equal(seen, "old place", 9);
        struct txn *later = must_open(s, false);
        assert_int_equal(txn_size(later), committed ? 3 : BYTES + 14);
        txn_close(later);
        if (!committed)
            assert_int_equal(txn_commit(t, true, NULL), SWIM_OK);
    }
    txn_close(t);
    txn_close(reader);
    assert_false(is_there(s->journal));
    assert_int_equal(size_of(s->path), 3);
}

static void mode_and_owner_stay_those_of_the_file(void **state)
{
    struct scene *s = *state;
    struct txn *t = NULL;
    struct stat st;

    assert_int_equal(chmod(s->path, 0604), 0);
    if (geteuid() == 0)
        assert_int_equal(chown(s->path, 1234, 4321), 0);
    assert_int_equal(create_as(s, false, &t, NULL), SWIM_OK);
    assert_int_equal(txn_commit(t, false, NULL), SWIM_OK);
    txn_close(t);
    assert_int_equal(stat(s->path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0604);
    if (geteuid() == 0)
        assert_true(st.st_uid == 1234 && st.st_gid == 4321);
}

static void a_new_file_that_is_given_up_leaves_the_old_one(void **state)
{
    struct scene *s = *state;
    struct txn *t = NULL, *other = NULL;
    swim_error_t err = {0};

    assert_int_equal(create_as(s, true, &t, &err), SWIM_ERR_IO);
    assert_non_null(strstr(err.text, "File exists"));
    assert_int_equal(create_as(s, false, &t, NULL), SWIM_OK);
    assert_int_equal(txn_write(t, "new", 3, 0, NULL), SWIM_OK);
    assert_true(new_is_there(s));
    txn_close(t);
    assert_false(new_is_there(s));
    assert_true(file_begins(s, s->bytes, BYTES));
    if (fork() == 0) /* and one that was killed */
        _exit(create_as(s, false, &t, NULL) != SWIM_OK);
    int status = -1;
    assert_true(wait(&status) > 0 && status == 0 && new_is_there(s));
    assert_int_equal(create_as(s, false, &t, NULL), SWIM_OK);
    assert_int_equal(create_as(s, false, &other, NULL), SWIM_ERR_TIMEOUT);
    assert_true(new_is_there(s)); /* of the one that lives */
    assert_int_equal(txn_commit(t, true, NULL), SWIM_OK);
    txn_close(t);
    assert_int_equal(size_of(s->path), 0);
}

static void a_new_file_does_not_get_the_journal_of_one_that_is_gone(void **state)
{
    struct scene *s = *state;
    struct txn *t = NULL;

    kill_a_writer(s, true);
    assert_int_equal(unlink(s->path), 0);
    assert_int_equal(create_as(s, true, &t, NULL), SWIM_OK);
    assert_int_equal(txn_write(t, "new", 3, 0, NULL), SWIM_OK);
    assert_int_equal(txn_commit(t, true, NULL), SWIM_OK);
    txn_close(t);
    assert_true(file_begins(s, (const unsigned char *)"new", 3));
    assert_int_equal(open_as(s, true, true, 9, &t, NULL), SWIM_OK);
    assert_int_equal(txn_size(t), 3);
    txn_close(t);
    /* nothing is lost that people may want */
    assert_int_equal(scratch_dir_run(&s->dir, "test -s a.h5" JOURNAL_DISCARDED_SUFFIX),
                     0);
}

static void a_journal_that_was_set_aside_before_stays(void **state)
{
    struct scene *s = *state;
    struct txn *t = NULL;

    for (int n = 0; n < 4; n++) {
        char command[100];
        snprintf(command, sizeof(command), "echo %d >a.h5" JOURNAL_SUFFIX, n);
        assert_int_equal(scratch_dir_run(&s->dir, command), 0);
        unlink(s->path);
        assert_int_equal(create_as(s, true, &t, NULL), SWIM_OK);
        assert_int_equal(txn_commit(t, true, NULL), SWIM_OK);
        txn_close(t);
    }
    assert_int_equal(scratch_dir_run(&s->dir, "cat a.h5" JOURNAL_DISCARDED_SUFFIX
                                              "* | tr -d '\\n' | grep -qx 0123"),
                     0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_written_is_seen_when_it_is_committed),
        TEST(two_writers_and_others_keep_out),
        TEST(one_that_reads_cannot_write_and_leaves_all_as_it_is),
        TEST(without_flock_all_goes_to_the_journal),
        TEST(one_that_may_not_change_it_any_more_changes_nothing),
        TEST(one_that_loses_its_right_in_a_commit_commits_nothing),
        TEST(an_older_session_does_not_follow_a_newer_one),
        TEST(what_a_killed_writer_left_is_cut_off),
        TEST(a_journal_in_which_nothing_is_committed_sets_no_time),
        TEST(what_another_program_changed_meanwhile_is_neither_read_nor_cut),
        TEST(a_change_below_a_frame_is_seen_before_it_is_copied),
        TEST(a_file_that_was_cut_from_outside_is_refused),
        TEST(a_journal_of_the_file_that_had_the_name_before_is_refused),
        TEST(a_file_that_is_younger_than_its_journal_is_another),
        TEST(a_journal_begun_when_the_clock_was_set_back_is_that_of_its_file),
        TEST(a_new_file_does_not_get_the_journal_of_one_that_is_gone),
        TEST(a_journal_that_somebody_put_there_is_refused),
        TEST(a_file_with_two_names_is_not_written_to),
        TEST(a_new_file_has_its_name_when_it_is_committed),
        TEST(who_reads_a_file_that_is_made_anew_goes_on_reading_it),
        TEST(mode_and_owner_stay_those_of_the_file),
        TEST(a_new_file_that_is_given_up_leaves_the_old_one),
        TEST(a_journal_that_was_set_aside_before_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
