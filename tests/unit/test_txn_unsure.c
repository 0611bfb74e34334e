/* test_txn_unsure.c - a commit whose record is in the journal, where others see it, and
 * whose sync fails.
 *
 * A reader opens the file while the journal is being synced; then that sync fails. What
 * the reader sees stays as it is until it is closed, whoever writes meanwhile, and no
 * commit that comes later rests on what the disk may not have. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "txn_scene.h"

#define PIECE 9000 /* bytes of a write; no read of so many is one ahead */
#define BELOW 300  /* the mark */
#define BEHIND (BYTES + PIECE)

static const struct scene *scene;
static bool flocks;
static bool journal_fails; /* its next sync does, while a reader opens the file */
static int good_syncs;     /* of the journal, before that one */
static bool file_fails;    /* all syncs of the file itself do */
static struct txn *reader;
static off_t put_at_most = -1; /* bytes of a write to the journal; -1: all */

static bool is_journal(int fd)
{
    struct stat st, journal;

    return fstat(fd, &st) == 0 && lstat(scene->journal, &journal) == 0 &&
           st.st_ino == journal.st_ino;
}

static int failing_fdatasync(int fd)
{
    if (file_fails && !is_journal(fd)) {
        errno = EIO;
        return -1;
    }
    if (!journal_fails || !is_journal(fd) || good_syncs-- > 0)
        return fdatasync(fd);
    journal_fails = false;
    if (open_as(scene, false, flocks, 1, &reader, NULL) != SWIM_OK)
        reader = NULL;
    errno = EIO;
    return -1;
}

/* A disk that is full in the middle of a record. */
static ssize_t short_pwritev(int fd, const struct iovec *parts, int n, off_t at)
{
    if (put_at_most < 0 || n != 1 || !is_journal(fd))
        return pwritev(fd, parts, n, at);
    ssize_t put =
        put_at_most ? pwrite(fd, parts->iov_base, (size_t)put_at_most, at) : 0;
    put_at_most = 0;
    errno = ENOSPC;
    return put > 0 ? put : -1;
}

static int setup(void **state)
{
    int rc = scene_setup(state);

    scene = *state;
    counted.fdatasync = failing_fdatasync;
    counted.pwritev = short_pwritev;
    flocks = true;
    journal_fails = file_fails = false;
    good_syncs = 0;
    reader = NULL;
    put_at_most = -1;
    return rc;
}

static struct txn *writer_open(uint64_t fence)
{
    swim_error_t err = {0};
    struct txn *t = NULL;

    if (open_as(scene, true, flocks, fence, &t, &err) != SWIM_OK)
        fail_msg("%s", err.text);
    return t;
}

/* The same bytes below the mark and behind it; pieces: so many places of each. */
static void put(struct txn *t, char byte, uint64_t pieces)
{
    char bytes[PIECE];

    memset(bytes, byte, sizeof(bytes));
    for (uint64_t i = 0; i < pieces; i++) {
        (void)txn_write(t, bytes, PIECE, BELOW + i * PIECE, NULL);
        (void)txn_write(t, bytes, PIECE, BEHIND + i * PIECE, NULL);
    }
}

static void assert_sees(struct txn *t, char byte)
{
    char is[PIECE], bytes[PIECE];

    memset(bytes, byte, sizeof(bytes));
    assert_non_null(t);
    assert_int_equal(txn_read(t, is, PIECE, BELOW, NULL), SWIM_OK);
    assert_memory_equal(is, bytes, PIECE);
    assert_int_equal(txn_read(t, is, PIECE, BEHIND, NULL), SWIM_OK);
    assert_memory_equal(is, bytes, PIECE);
}

static void assert_found(uint64_t number, char byte)
{
    struct txn *t = NULL;

    assert_int_equal(open_as(scene, false, flocks, 1, &t, NULL), SWIM_OK);
    assert_int_equal(txn_number(t), number);
    assert_sees(t, byte);
    txn_close(t);
}

/* AT_ONCE; by a thread; by one, while the next transaction has been written to. */
enum how { AT_ONCE, LATER, LATER_AND_MORE, HOWS };

/* Commits 'n', and fails with 'o'; the reader opens it then. */
static struct txn *fail_to_sync(enum how how, int *rc, swim_error_t *err)
{
    struct txn *t = writer_open(2);

    put(t, 'n', 1);
    assert_int_equal(txn_commit(t, true, NULL), SWIM_OK);
    put(t, 'o', 1);
    journal_fails = true;
    if (how == AT_ONCE) {
        *rc = txn_commit(t, true, err);
    } else {
        *rc = txn_commit_begin(t, err);
        if (*rc == SWIM_OK && how == LATER_AND_MORE)
            put(t, 'p', 2);
        if (*rc == SWIM_OK)
            *rc = txn_commit_end(t, err);
    }
    assert_false(journal_fails);
    return t;
}

static void what_a_reader_saw_stays_until_it_is_closed(void **state)
{
    struct scene *s = *state;

    for (int i = 0; i < 2 * HOWS; i++) {
        swim_error_t err = {0};
        int rc = SWIM_OK;
        flocks = i % 2;
        struct txn *t = fail_to_sync((enum how)(i / 2), &rc, &err);
        assert_int_equal(rc, SWIM_ERR_UNSURE);
        assert_non_null(strstr(err.text, ".swimlog: Input/output error"));
        assert_non_null(strstr(err.text, "others may see"));
        struct txn *seen = reader;
        assert_sees(seen, 'o');
        txn_close(t);
        assert_sees(seen, 'o');
        t = writer_open(2);
        put(t, 'q', 3);
        assert_sees(seen, 'o');
        assert_int_equal(txn_commit(t, true, NULL), SWIM_OK);
        assert_sees(seen, 'o');
        txn_close(t);
        assert_sees(seen, 'o');
        assert_found(txn_number(seen) + 1, 'q');
        txn_close(seen);
        t = writer_open(3);
        assert_int_equal(txn_checkpoint(t, NULL), SWIM_OK);
        txn_close(t);
        assert_false(is_there(s->journal));
        assert_int_equal(truncate(s->path, BYTES), 0);
    }
}

static ino_t journal_inode(void)
{
    struct stat st = {0};

    assert_int_equal(lstat(scene->journal, &st), 0);
    return st.st_ino;
}

/* The next writer, when it changes something, and not before. */
static void the_next_writer_does_not_add_to_that_journal(void **state)
{
    struct scene *s = *state;

    for (int i = 0; i < HOWS; i++) {
        int rc = SWIM_OK;
        struct txn *t = fail_to_sync((enum how)i, &rc, NULL);
        ino_t was = journal_inode();
        uint64_t number = txn_number(t);
        txn_close(t);
        txn_close(reader);
        off_t size = size_of(s->journal);
        t = writer_open(2);
        put(t, 'o', 1); /* it is there */
        assert_int_equal(txn_commit(t, false, NULL), SWIM_OK);
        txn_close(t);
        t = writer_open(2);
        assert_int_equal(txn_write(t, "x", 1, 0, NULL), SWIM_OK);
        assert_int_equal(txn_abort(t, NULL), SWIM_OK);
        txn_close(t);
        assert_int_equal(size_of(s->journal), size);
        assert_int_equal(journal_inode(), was);
        t = writer_open(2);
        put(t, 'r', 1);
        assert_int_equal(txn_commit(t, true, NULL), SWIM_OK);
        assert_int_not_equal(journal_inode(), was);
        was = journal_inode();
        txn_close(t);
        assert_found(number + 1, 'r');
        t = writer_open(2);
        put(t, 's', 1);
        assert_int_equal(txn_commit(t, true, NULL), SWIM_OK);
        assert_int_equal(journal_inode(), was);
        txn_close(t);
    }
}

static void who_makes_the_same_again_can_be_sure(void **state)
{
    (void)state;
    for (int i = 0; i < HOWS; i++) {
        int rc = SWIM_OK;
        struct txn *t = fail_to_sync((enum how)i, &rc, NULL);
        ino_t was = journal_inode();
        uint64_t number = txn_number(t);
        txn_close(t);
        txn_close(reader);
        t = writer_open(2);
        put(t, 'o', 1);
        syncs = 0;
        assert_int_equal(txn_commit(t, true, NULL), SWIM_OK);
        assert_int_not_equal(journal_inode(), was);
        txn_close(t);
        assert_found(number, 'o');
        assert_int_equal(syncs, 1); /* of the folder; those of files are not counted */
    }
}

/* Another session commits: to a new journal? */
static bool is_left(void)
{
    struct txn *t = writer_open(3);
    ino_t was = journal_inode();

    put(t, 't', 1);
    assert_int_equal(txn_commit(t, true, NULL), SWIM_OK);
    bool is = journal_inode() != was;
    txn_close(t);
    return is;
}

static void that_is_so_when_the_writer_was_killed_then(void **state)
{
    (void)state;
    for (int i = 0; i < HOWS; i++) {
        int rc = SWIM_OK;
        struct txn *t = fail_to_sync((enum how)i, &rc, NULL);
        txn_forget(t); /* its end changes nothing */
        txn_close(t);
        assert_sees(reader, 'o');
        assert_true(is_left());
        assert_sees(reader, 'o');
        txn_close(reader);
        assert_false(is_left());
        assert_int_equal(unlink(scene->journal), 0);
        assert_int_equal(truncate(scene->path, BYTES), 0);
    }
}

/* The journal of the file that had the name could not say what follows, or the commits
 * in it were not synced before. */
static void that_of_a_file_that_was_not_replaced_is_left_as_well(void **state)
{
    struct scene *s = *state;
    const struct txn_options opt = {
        .io = &counted, .write = true, .flocks = true, .fence = 2, .boot = "boot"};

    for (int good = 0; good < 2; good++) {
        struct txn *t = writer_open(1);
        put(t, 'n', 1);
        assert_int_equal(txn_commit(t, true, NULL), SWIM_OK);
        txn_close(t);
        assert_int_equal(txn_create(&t, s->path, &opt, false, 0600, NULL), SWIM_OK);
        assert_int_equal(txn_write(t, "new", 3, 0, NULL), SWIM_OK);
        journal_fails = true;
        good_syncs = good;
        assert_int_equal(txn_commit(t, true, NULL), SWIM_ERR_IO);
        txn_close(t);
        assert_sees(reader, 'n');
        assert_found(1 + (uint64_t)good, 'n');
        assert_true(is_left());
        assert_sees(reader, 'n');
        txn_close(reader);
        assert_int_equal(unlink(s->journal), 0);
        assert_int_equal(truncate(s->path, BYTES), 0);
    }
}

static void a_journal_that_was_not_synced_later_is_left_as_well(void **state)
{
    struct txn *t = writer_open(1);

    (void)state;
    put(t, 'n', 1);
    assert_int_equal(txn_commit(t, false, NULL), SWIM_OK);
    journal_fails = true;
    assert_int_equal(txn_commit(t, true, NULL), SWIM_ERR_IO); /* of what was made */
    txn_close(t);
    assert_sees(reader, 'n');
    assert_true(is_left());
    assert_sees(reader, 'n');
    txn_close(reader);
    assert_found(2, 't');
}

static void one_that_is_unsure_can_only_be_closed(void **state)
{
    (void)state;
    for (int i = 0; i < HOWS; i++) {
        int rc = SWIM_OK;
        struct txn *t = fail_to_sync((enum how)i, &rc, NULL);
        assert_int_equal(rc, SWIM_ERR_UNSURE);
        assert_int_equal(txn_write(t, "x", 1, 0, NULL), SWIM_ERR_UNSURE);
        assert_int_equal(txn_commit(t, false, NULL), SWIM_ERR_UNSURE);
        assert_int_equal(txn_abort(t, NULL), SWIM_ERR_UNSURE);
        assert_int_equal(txn_write(t, "x", 1, 0, NULL), SWIM_ERR_UNSURE);
        assert_int_not_equal(txn_checkpoint(t, NULL), SWIM_OK);
        assert_found(txn_number(t), 'o');
        txn_close(t);
        txn_close(reader);
    }
}

/* None of its syncs succeeds any more. */
static void after_another_sync_has_failed_no_commit_is_seen(void **state)
{
    swim_error_t err = {0};
    struct txn *t = writer_open(1);

    (void)state;
    put(t, 'n', 1);
    assert_int_equal(txn_commit(t, true, NULL), SWIM_OK);
    file_fails = true;
    assert_int_equal(txn_checkpoint(t, NULL), SWIM_ERR_IO);
    file_fails = false;
    uint64_t number = txn_number(t);
    assert_int_equal(txn_write(t, "o", 1, BELOW, NULL), SWIM_OK);
    assert_int_equal(txn_commit(t, true, &err), SWIM_ERR_IO);
    assert_non_null(strstr(err.text, "an earlier sync"));
    assert_int_equal(txn_abort(t, NULL), SWIM_OK);
    txn_close(t);
    assert_found(number, 'n');
}

/* Nobody has seen it: it is cut off, and the session goes on. */
static void one_whose_record_has_no_room_is_given_up(void **state)
{
    struct scene *s = *state;
    struct txn *t = writer_open(1);

    put(t, 'n', 1);
    assert_int_equal(txn_commit(t, true, NULL), SWIM_OK);
    off_t journal = size_of(s->journal), file = size_of(s->path);
    for (off_t torn = 0; torn < 120; torn += 40) {
        put(t, 'o', 3);
        put_at_most = torn;
        assert_int_equal(txn_commit(t, true, NULL), SWIM_ERR_IO);
        put_at_most = -1;
        assert_found(1, 'n');
        assert_int_equal(txn_abort(t, NULL), SWIM_OK);
        assert_int_equal(size_of(s->journal), journal);
        assert_int_equal(size_of(s->path), file);
    }
    put(t, 'p', 1);
    assert_int_equal(txn_commit(t, true, NULL), SWIM_OK);
    txn_close(t);
    assert_found(2, 'p');
}

/* It has the name already. */
static int failing_fsync(int fd)
{
    struct stat st;

    errno = EIO;
    return fstat(fd, &st) == 0 && S_ISDIR(st.st_mode) ? -1 : fsync(fd);
}

static void a_new_file_that_has_the_name_stays_as_well(void **state)
{
    struct scene *s = *state;
    const struct txn_options opt = {
        .io = &counted, .write = true, .flocks = true, .fence = 1, .boot = "boot"};
    struct txn *t = NULL;

    assert_int_equal(txn_create(&t, s->path, &opt, false, 0600, NULL), SWIM_OK);
    assert_int_equal(txn_write(t, "new", 3, 0, NULL), SWIM_OK);
    counted.fsync = failing_fsync;
    assert_int_equal(txn_commit(t, true, NULL), SWIM_ERR_UNSURE);
    assert_int_equal(txn_write(t, "x", 1, 0, NULL), SWIM_ERR_UNSURE);
    txn_close(t);
    assert_int_equal(size_of(s->path), 3);
    assert_true(file_begins(s, "new", 3));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, scene_teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_a_reader_saw_stays_until_it_is_closed),
        TEST(the_next_writer_does_not_add_to_that_journal),
        TEST(who_makes_the_same_again_can_be_sure),
        TEST(that_is_so_when_the_writer_was_killed_then),
        TEST(that_of_a_file_that_was_not_replaced_is_left_as_well),
        TEST(a_journal_that_was_not_synced_later_is_left_as_well),
        TEST(one_that_is_unsure_can_only_be_closed),
        TEST(after_another_sync_has_failed_no_commit_is_seen),
        TEST(one_whose_record_has_no_room_is_given_up),
        TEST(a_new_file_that_has_the_name_stays_as_well),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
