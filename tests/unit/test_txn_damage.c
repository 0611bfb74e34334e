/* test_txn_damage.c - commits behind one that cannot be read: they are neither missed
 * nor cut off without a word, and nothing else is taken for such. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/wait.h>

#include "store/journal.h"
#include "txn_scene.h"

#define COMMITS 3
#define FRAME (JOURNAL_FRAME + 8) /* of 8 bytes */
#define ONE (FRAME + JOURNAL_COMMIT)
#define ALL (JOURNAL_HEADER + COMMITS * ONE)

static const char *const texts[COMMITS] = {"number 1", "number 2", "number 3"};

/* A writer was killed after its commits, each of one frame. */
static void kill_a_writer(struct scene *s)
{
    if (fork() == 0) {
        struct txn *t = must_open(s, true);
        int rc = SWIM_OK;
        for (uint64_t n = 0; rc == SWIM_OK && n < COMMITS; n++) {
            must_write(s, t, texts[n], 5000 + 100 * n);
            rc = txn_commit(t, true, NULL);
        }
        _exit(rc != SWIM_OK);
    }
    int status = -1;
    assert_true(wait(&status) > 0 && status == 0);
    assert_int_equal(size_of(s->journal), ALL);
}

static int open_boot(const struct scene *s, bool write, bool flocks, const char *boot,
                     struct txn **t, swim_error_t *err)
{
    struct txn_options opt = {
        .io = &counted, .write = write, .flocks = flocks, .fence = 9};

    memcpy(opt.boot, boot, strlen(boot));
    return txn_open(t, s->path, &opt, err);
}

static void journal_bytes(const struct scene *s, void *bytes, size_t size, off_t at)
{
    int fd = open(s->journal, O_RDONLY | O_CLOEXEC);

    assert_int_equal(pread(fd, bytes, size, at), size);
    close(fd);
}

static void journal_put(const struct scene *s, const void *bytes, size_t size, off_t at)
{
    int fd = open(s->journal, O_RDWR | O_CLOEXEC);

    assert_int_equal(pwrite(fd, bytes, size, at), size);
    close(fd);
}

static void flip(const struct scene *s, off_t at)
{
    unsigned char byte;

    journal_bytes(s, &byte, 1, at);
    byte ^= 0x10;
    journal_put(s, &byte, 1, at);
}

/* Readers and writers are told, with flock and without, and nothing is changed. */
static void assert_told(const struct scene *s, const char *boot, off_t at)
{
    for (int how = 0; how < 4; how++) {
        swim_error_t err = {0};
        struct txn *t = NULL;
        changes = 0;
        int rc = open_boot(s, how & 1, how & 2, boot, &t, &err);
        if (rc != SWIM_ERR_CORRUPT || !strstr(err.text, "up to number 3") ||
            !strstr(err.text, "h5swim check"))
            fail_msg("byte %jd, %d: %d, %s", (intmax_t)at, how, rc, err.text);
        assert_int_equal(changes, 0);
    }
}

static void assert_opens(const struct scene *s, const char *boot, uint64_t number)
{
    swim_error_t err = {0};
    struct txn *t = NULL;

    if (open_boot(s, false, true, boot, &t, &err) != SWIM_OK)
        fail_msg("%s", err.text);
    assert_int_equal(txn_number(t), number);
    txn_close(t);
}

/* Data of this boot are not read again: see journal.h. */
static bool is_data(off_t at)
{
    return at >= JOURNAL_HEADER && (at - JOURNAL_HEADER) % ONE >= JOURNAL_FRAME &&
           (at - JOURNAL_HEADER) % ONE < FRAME;
}

static void each_byte_before_the_last_commit_counts(void **state)
{
    struct scene *s = *state;

    kill_a_writer(s);
    for (off_t at = JOURNAL_HEADER; at < ALL - ONE; at++) {
        flip(s, at);
        if (is_data(at))
            assert_opens(s, "boot", COMMITS);
        else
            assert_told(s, "boot", at);
        assert_told(s, "another", at);
        flip(s, at);
    }
    assert_opens(s, "boot", COMMITS);
    assert_opens(s, "another", COMMITS);
}

/* Between is nothing that can be read, also more than is read at once. */
static void it_counts_however_far_behind_it_is(void **state)
{
    static const size_t from[] = {8, 65536 - 2 * ONE, 2 * 65536 - 4 * ONE, 300000};
    static unsigned char bytes[ALL], far[300000 + 3 * ONE];
    struct scene *s = *state;

    kill_a_writer(s);
    journal_bytes(s, bytes, ALL, 0);
    for (size_t i = 0; i < sizeof(from) / sizeof(*from); i++)
        for (size_t hole = from[i]; hole < from[i] + (size_t)2 * ONE; hole += 8) {
            memset(far, 'x', hole);
            memcpy(far + hole, bytes + ALL - ONE, ONE);
            journal_put(s, far, hole + ONE, ALL - ONE);
            assert_int_equal(truncate(s->journal, (off_t)(ALL + hole)), 0);
            assert_told(s, "boot", (off_t)hole);
        }
}

static void a_state_from_before_it_can_be_opened(void **state)
{
    struct scene *s = *state;
    struct txn_snapshot at[COMMITS];
    struct txn *t = must_open(s, true), *reader = NULL;

    for (uint64_t n = 0; n < COMMITS; n++) {
        must_write(s, t, texts[n], 5000 + 100 * n);
        assert_int_equal(txn_commit(t, true, NULL), SWIM_OK);
        txn_snapshot(t, &at[n]);
    }
    flip(s, JOURNAL_HEADER + ONE);
    assert_int_equal(open_at(s, &at[0], &reader, NULL), SWIM_OK);
    txn_close(reader);
    assert_int_equal(open_at(s, &at[1], &reader, NULL), SWIM_ERR_ARG);
    txn_close(t);
}

/* It is read up to the commit before, and cut off by the next writer. */
static void what_a_writer_did_not_finish_is_no_damage(void **state)
{
    unsigned char bytes[ALL];
    struct scene *s = *state;
    struct txn *t = NULL;

    kill_a_writer(s);
    journal_bytes(s, bytes, ALL, 0);
    flip(s, ALL - 50); /* in its record */
    assert_opens(s, "boot", COMMITS - 1);
    for (off_t size = ALL - 1; size >= ALL - ONE; size--) {
        assert_int_equal(truncate(s->journal, size), 0);
        assert_opens(s, "boot", COMMITS - 1);
    }
    /* a commit whose record is not written yet, and frames of the next behind it */
    journal_put(s, bytes, ALL, 0);
    memset(bytes + ALL - JOURNAL_COMMIT, 0, JOURNAL_COMMIT);
    journal_put(s, bytes + ALL - JOURNAL_COMMIT, JOURNAL_COMMIT, ALL - JOURNAL_COMMIT);
    journal_put(s, bytes + JOURNAL_HEADER, FRAME, ALL);
    assert_opens(s, "boot", COMMITS - 1);
    /* records of before */
    journal_put(s, bytes + JOURNAL_HEADER, ONE, ALL + FRAME);
    journal_put(s, bytes + JOURNAL_HEADER + ONE, ONE, ALL + FRAME + ONE);
    assert_opens(s, "boot", COMMITS - 1);
    assert_int_equal(open_boot(s, true, true, "boot", &t, NULL), SWIM_OK);
    txn_close(t);
    assert_int_equal(size_of(s->journal), ALL - ONE);
}

static void records_of_another_journal_are_no_damage(void **state)
{
    unsigned char other[ALL];
    struct scene *s = *state;

    kill_a_writer(s);
    journal_bytes(s, other, ALL, 0);
    unlink(s->journal);
    kill_a_writer(s);
    assert_int_equal(truncate(s->journal, ALL - 2 * ONE), 0);
    journal_put(s, other + JOURNAL_HEADER, (size_t)3 * ONE, ALL - 2 * ONE);
    assert_opens(s, "boot", 1);
}

/* Of the commit that was being made then: no more is told from one that was lost. */
static void the_last_commit_may_have_been_stopped_by_power(void **state)
{
    struct scene *s = *state;

    kill_a_writer(s);
    flip(s, ALL - ONE + 3);
    assert_opens(s, "another", COMMITS - 1);
    assert_told(s, "boot", ALL - ONE + 3);
}

/* What a reader finds at its nth read of the journal, which a writer is adding to. */
static struct {
    off_t from, to;
    int reads;
} adding;

static ssize_t read_what_is_added(int fd, void *bytes, size_t size, off_t at)
{
    ssize_t n = pread(fd, bytes, size, at);
    struct stat st;

    if (fstat(fd, &st) != 0 || st.st_size != ALL || adding.reads-- <= 0)
        return n;
    for (off_t i = adding.from; i < adding.to; i++)
        if (i >= at && i < at + n)
            ((unsigned char *)bytes)[i - at] = 0;
    return n;
}

/* The first reads come before the frame of the second commit, the next ones behind its
 * record. */
static void what_comes_meanwhile_is_no_damage(void **state)
{
    struct scene *s = *state;

    kill_a_writer(s);
    counted.pread = read_what_is_added;
    adding.from = JOURNAL_HEADER + ONE;
    adding.to = JOURNAL_HEADER + ONE + FRAME;
    for (int reads = 0; reads < 3; reads++) {
        adding.reads = reads;
        assert_opens(s, "boot", COMMITS);
    }
    adding.reads = 1000; /* it never comes */
    assert_told(s, "boot", 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_byte_before_the_last_commit_counts),
        TEST(it_counts_however_far_behind_it_is),
        TEST(a_state_from_before_it_can_be_opened),
        TEST(what_a_writer_did_not_finish_is_no_damage),
        TEST(records_of_another_journal_are_no_damage),
        TEST(the_last_commit_may_have_been_stopped_by_power),
        TEST(what_comes_meanwhile_is_no_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
