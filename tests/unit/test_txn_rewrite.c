/* test_txn_rewrite.c - the journal stays short while sessions overlap. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "txn_scene.h"

static int rewritten; /* how often it was asked whether it may be */
static bool rewriting_is_allowed;

static int may_rewrite(void *arg)
{
    (void)arg;
    rewritten++;
    return rewriting_is_allowed ? SWIM_OK : SWIM_ERR_ARG;
}

static int setup(void **state)
{
    rewritten = 0;
    rewriting_is_allowed = true;
    return scene_setup(state);
}

static struct txn *must_open_writer(const struct scene *s, uint64_t rewrite_over)
{
    const struct txn_options opt = {.io = &counted,
                                    .write = true,
                                    .flocks = true,
                                    .fence = 1,
                                    .boot = "boot",
                                    .rewrite_over = rewrite_over,
                                    .may_rewrite = may_rewrite,
                                    .may_change = may_change};
    swim_error_t err = {0};
    struct txn *t = NULL;

    if (txn_open(&t, s->path, &opt, &err) != SWIM_OK)
        fail_msg("%s", err.text);
    return t;
}

static void must_commit(struct txn *t)
{
    swim_error_t err = {0};

    if (txn_commit(t, false, &err) != SWIM_OK)
        fail_msg("%s", err.text);
}

static void assert_reads(struct txn *t, const unsigned char *bytes)
{
    unsigned char seen[BYTES];

    assert_int_equal(txn_read(t, seen, BYTES, 0, NULL), SWIM_OK);
    assert_memory_equal(seen, bytes, BYTES);
}

static off_t bytes_that_differ(const struct scene *s, const unsigned char *was)
{
    off_t n = 0;

    for (size_t i = 0; i < BYTES; i++)
        n += s->bytes[i] != was[i];
    return n;
}

/* One to three frames over eight places, as a program does that adds records to tables;
 * there is always one that reads. */
static void ten_thousand_commits_beside_readers_leave_a_short_journal(void **state)
{
    enum { COMMITS = 10000, EACH = 100, CONSTANT = 64 << 10 };
    struct scene *s = *state;
    unsigned char was[BYTES], first[BYTES], bytes[400];
    struct txn *readers[2] = {must_open(s, false), NULL};
    struct txn *t = must_open_writer(s, 0);
    off_t longest = 0;

    memcpy(was, s->bytes, BYTES);
    memcpy(first, s->bytes, BYTES);
    srand(5);
    for (int n = 1; n <= COMMITS; n++) {
        for (int frames = 1 + rand() % 3; frames > 0; frames--) {
            size_t size = 20 + (size_t)rand() % 381;
            size_t place = (size_t)(rand() % 8) * 2048;
            memset(bytes, n, size);
            assert_int_equal(txn_write(t, bytes, size, place, NULL), SWIM_OK);
            memcpy(s->bytes + place, bytes, size);
        }
        must_commit(t);
        off_t size = size_of(s->journal);
        longest = size > longest ? size : longest;
        assert_in_range(size, 0, 4 * bytes_that_differ(s, was) + CONSTANT);
        if (n % EACH)
            continue;
        assert_reads(readers[0], first);
        txn_close(readers[1]);
        readers[1] = readers[0]; /* two that overlap */
        readers[0] = must_open(s, false);
        memcpy(first, s->bytes, BYTES);
        assert_reads(readers[0], first);
        assert_int_equal(txn_number(readers[0]), n);
    }
    print_message("%jd bytes differ; the journal has %jd, at most it had %jd; it was "
                  "rewritten %d times\n",
                  (intmax_t)bytes_that_differ(s, was), (intmax_t)size_of(s->journal),
                  (intmax_t)longest, rewritten);
    assert_in_range(rewritten, 10, 500);
    txn_close(readers[0]);
    txn_close(readers[1]);
    assert_int_equal(txn_checkpoint(t, NULL), SWIM_OK);
    txn_close(t);
    assert_true(file_begins(s, s->bytes, BYTES));
}

/* Commits that each write over the one before, and more behind the end. */
static void commit_often(struct scene *s, struct txn *t, int times)
{
    static int value;

    for (int n = 0; n < times; n++) {
        memset(s->bytes + 3000, 1 + value++ % 200, 5000);
        assert_int_equal(txn_write(t, s->bytes + 3000, 5000, 3000, NULL), SWIM_OK);
        assert_int_equal(txn_write(t, "more", 4, txn_size(t), NULL), SWIM_OK);
        must_commit(t);
    }
}

static void number_and_lineage_stay_and_the_last_state_can_be_opened(void **state)
{
    struct scene *s = *state;
    struct txn_snapshot before, at;
    struct txn *reader = NULL, *t = must_open_writer(s, 1);

    commit_often(s, t, 1);
    txn_snapshot(t, &before);
    commit_often(s, t, 5);
    assert_true(rewritten > 0);
    txn_snapshot(t, &at);
    assert_int_equal(at.number, 6);
    assert_memory_equal(at.lineage, before.lineage, JOURNAL_ID);
    assert_int_equal(open_at(s, &before, &reader, NULL), SWIM_ERR_ARG);
    assert_int_equal(open_at(s, &at, &reader, NULL), SWIM_OK);
    assert_reads(reader, s->bytes);
    assert_int_equal(txn_size(reader), BYTES + 24);
    txn_close(reader);
    txn_close(t);
    t = must_open_writer(s, 0); /* and by others */
    assert_int_equal(txn_number(t), 6);
    assert_int_equal(open_at(s, &at, &reader, NULL), SWIM_OK);
    txn_close(reader);
    txn_close(t);
}

static void what_is_pinned_is_kept(void **state)
{
    struct scene *s = *state;
    struct txn_snapshot at[8];
    struct txn *reader = NULL, *t = must_open_writer(s, 1);

    rewriting_is_allowed = false;
    for (int n = 0; n < 8; n++) {
        commit_often(s, t, 1);
        txn_snapshot(t, &at[n]);
    }
    assert_true(rewritten > 0);
    for (int n = 0; n < 8; n++) {
        assert_int_equal(open_at(s, &at[n], &reader, NULL), SWIM_OK);
        assert_int_equal(txn_size(reader), BYTES + 4 * (n + 1));
        txn_close(reader);
    }
    txn_close(t);
}

/* The sums of the new journal are not those of what it finds there by then. */
static void a_change_from_outside_is_not_covered_up(void **state)
{
    struct scene *s = *state;

    for (int before = 0; before < 2; before++) {
        struct txn *t = must_open_writer(s, before ? 1U << 30 : 1);
        commit_often(s, t, 6);
        txn_close(t);
        int fd = open(s->path, O_RDWR | O_CLOEXEC);
        assert_int_equal(pwrite(fd, "?", 1, 4500), 1); /* also in the second round */
        close(fd);
        if (before) { /* it would be rewritten now */
            t = must_open_writer(s, 1);
            rewritten = 0;
            commit_often(s, t, 3);
            assert_true(rewritten > 0);
            assert_true(size_of(s->journal) > 40000);
            txn_close(t);
        }
        t = must_open_writer(s, 0);
        assert_int_equal(txn_checkpoint(t, NULL), SWIM_ERR_CORRUPT);
        txn_close(t);
        unlink(s->journal);
        fd = open(s->path, O_RDWR | O_CLOEXEC);
        assert_int_equal(pwrite(fd, "!", 1, 4500), 1);
        close(fd);
    }
}

static void what_the_file_holds_itself_is_left_out(void **state)
{
    struct scene *s = *state;
    struct txn *t = must_open_writer(s, 30000);
    unsigned char was[BYTES];

    memcpy(was, s->bytes, BYTES);
    commit_often(s, t, 5);
    assert_int_equal(rewritten, 0);
    memcpy(s->bytes, was, BYTES);
    assert_int_equal(txn_write(t, was, BYTES, 0, NULL), SWIM_OK);
    must_commit(t);
    assert_int_equal(rewritten, 1);
    assert_in_range(size_of(s->journal), 0, 400);
    assert_int_equal(txn_checkpoint(t, NULL), SWIM_OK);
    txn_close(t);
    assert_true(file_begins(s, was, BYTES));
}

static char *leftover(const struct scene *s)
{
    static char path[330];

    snprintf(path, sizeof(path), "%s%s", s->path, JOURNAL_REWRITTEN_SUFFIX);
    return path;
}

static int failing_rename(const char *from, const char *to)
{
    (void)from;
    (void)to;
    errno = EIO;
    return -1;
}

static void a_commit_is_made_though_rewriting_fails(void **state)
{
    struct scene *s = *state;
    struct txn *t = must_open_writer(s, 20000);

    counted.rename = failing_rename;
    commit_often(s, t, 10);
    assert_in_range(rewritten, 1, 2); /* not at each */
    assert_false(is_there(leftover(s)));
    struct txn *reader = must_open(s, false);
    assert_int_equal(txn_number(reader), 10);
    assert_reads(reader, s->bytes);
    txn_close(reader);
    txn_close(t);
}

/* What somebody put there is not followed, nor written to. */
static void what_lies_under_the_other_name_is_removed(void **state)
{
    static const char *const left[] = {
        "echo part of a journal >a.h5" JOURNAL_REWRITTEN_SUFFIX,
        "ln -s other a.h5" JOURNAL_REWRITTEN_SUFFIX,
        "ln other a.h5" JOURNAL_REWRITTEN_SUFFIX,
        "mkfifo a.h5" JOURNAL_REWRITTEN_SUFFIX};
    struct scene *s = *state;

    assert_int_equal(scratch_dir_run(&s->dir, "echo mine >other"), 0);
    for (size_t i = 0; i < sizeof(left) / sizeof(*left); i++) {
        assert_int_equal(scratch_dir_run(&s->dir, left[i]), 0);
        txn_close(must_open(s, false));
        assert_true(is_there(leftover(s)));
        struct txn *t = must_open_writer(s, 1);
        assert_false(is_there(leftover(s)));
        assert_int_equal(scratch_dir_run(&s->dir, left[i]),
                         0); /* and while it writes */
        rewritten = 0;
        commit_often(s, t, 5);
        assert_true(rewritten > 0);
        txn_close(t);
        txn_close(must_open_writer(s, 0));
        assert_false(is_there(leftover(s)));
    }
    assert_int_equal(scratch_dir_run(&s->dir, "test \"$(cat other)\" = mine"), 0);
}

static void one_whose_first_commit_is_damaged_is_refused(void **state)
{
    struct scene *s = *state;
    struct txn *t = must_open_writer(s, 1), *reader = NULL;
    swim_error_t err = {0};

    commit_often(s, t, 3);
    while (rewritten < 2)
        commit_often(s, t, 1);
    txn_close(t);
    assert_int_equal(truncate(s->journal, JOURNAL_HEADER + 50), 0);
    assert_int_equal(open_as(s, false, true, 1, &reader, &err), SWIM_ERR_CORRUPT);
    assert_non_null(strstr(err.text, "the commit with which it begins is damaged"));
}

/* Mode and group of the journal are those of the file, as far as they are about reading
 * and writing. */
static void assert_open_to_readers(const struct scene *s)
{
    struct stat st;

    assert_int_equal(stat(s->journal, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0664);
    if (geteuid() == 0)
        assert_int_equal(st.st_gid, 4321);
}

/* Else readers of the file would be refused by a journal that they cannot read. */
static void who_may_read_the_file_may_read_its_journal(void **state)
{
    struct scene *s = *state;
    mode_t was = umask(077);

    assert_int_equal(chmod(s->path, 02775), 0);
    if (geteuid() == 0)
        assert_int_equal(chown(s->path, 1234, 4321), 0);
    struct txn *t = must_open_writer(s, 1);
    rewriting_is_allowed = false;
    must_write(s, t, "first", 5);
    must_commit(t);
    assert_open_to_readers(s);
    rewriting_is_allowed = true;
    for (int i = 0; i < 5; i++) {
        must_write(s, t, i % 2 ? "again" : "still", 5);
        must_commit(t);
    }
    assert_true(rewritten > 1);
    assert_open_to_readers(s);
    txn_close(t);
    (void)umask(was);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, scene_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(ten_thousand_commits_beside_readers_leave_a_short_journal),
        TEST(number_and_lineage_stay_and_the_last_state_can_be_opened),
        TEST(what_is_pinned_is_kept),
        TEST(who_may_read_the_file_may_read_its_journal),
        TEST(a_change_from_outside_is_not_covered_up),
        TEST(what_the_file_holds_itself_is_left_out),
        TEST(a_commit_is_made_though_rewriting_fails),
        TEST(what_lies_under_the_other_name_is_removed),
        TEST(one_whose_first_commit_is_damaged_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
