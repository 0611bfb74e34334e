/* test_txn_later.c - commits that a thread brings to the disk, with syncs that last as
 * long as the test wants. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "txn_scene.h"

/* A sync waits until it may: one post each.  fail_at: which one fails, from 1 on. */
static sem_t may_sync, in_sync;
static atomic_bool held;
static atomic_int n_syncs, fail_at;

static int held_fdatasync(int fd)
{
    int n = atomic_fetch_add(&n_syncs, 1) + 1;

    if (atomic_load(&held)) {
        sem_post(&in_sync);
        sem_wait(&may_sync);
    }
    errno = EIO;
    return n == atomic_load(&fail_at) ? -1 : fdatasync(fd);
}

static int no_thread(pthread_t *thread, void *(*fn)(void *), void *arg)
{
    (void)thread;
    (void)fn;
    (void)arg;
    return EAGAIN;
}

static int setup(void **state)
{
    int rc = scene_setup(state);

    counted.fdatasync = held_fdatasync;
    sem_init(&may_sync, 0, 0);
    sem_init(&in_sync, 0, 0);
    held = false;
    n_syncs = fail_at = 0;
    return rc;
}

/* What one who opens the file now finds. */
static void assert_found(const struct scene *s, uint64_t number, const char *text,
                         uint64_t place)
{
    char seen[32] = "";
    struct txn *t = must_open(s, false);

    assert_int_equal(txn_number(t), number);
    assert_int_equal(txn_read(t, seen, strlen(text), place, NULL), SWIM_OK);
    assert_string_equal(seen, text);
    txn_close(t);
}

static void others_see_it_when_it_is_on_the_disk(void **state)
{
    struct scene *s = *state;
    struct txn *t = must_open(s, true);

    must_write(s, t, "first", 5000);
    must_write(s, t, "behind", BYTES);
    assert_int_equal(txn_commit(t, true, NULL), SWIM_OK);
    held = true;
    must_write(s, t, "other", 5000);
    must_write(s, t, "more behind", BYTES + 10);
    assert_int_equal(txn_commit_begin(t, NULL), SWIM_OK);
    sem_wait(&in_sync); /* of the file itself */
    must_write(s, t, "third", 5000);
    must_write(s, t, "and more", BYTES + 30);
    assert_false(txn_commit_is_over(t));
    assert_found(s, 1, "first", 5000);
    assert_int_equal(txn_size(t), BYTES + 38);
    sem_post(&may_sync);
    sem_wait(&in_sync); /* of the journal: as with any commit it can be seen by now */
    held = false;
    sem_post(&may_sync);
    assert_int_equal(txn_commit_end(t, NULL), SWIM_OK);
    assert_true(txn_commit_is_over(t));
    assert_found(s, 2, "other", 5000);
    assert_found(s, 2, "more behind", BYTES + 10);
    assert_int_equal(txn_commit(t, true, NULL), SWIM_OK);
    assert_found(s, 3, "third", 5000);
    assert_found(s, 3, "and more", BYTES + 30);
    assert_int_equal(txn_checkpoint(t, NULL), SWIM_OK);
    txn_close(t);
    assert_true(file_begins(s, s->bytes, BYTES));
    assert_int_equal(size_of(s->path), BYTES + 38);
}

/* Each of these waits for the one that is under way. */
static void what_comes_next_waits_for_it(void **state)
{
    struct scene *s = *state;
    struct txn *t = must_open(s, true);

    for (int n = 1; n <= 5; n++) {
        char text[8];
        snprintf(text, sizeof(text), "no. %d", n);
        must_write(s, t, text, 100);
        assert_int_equal(txn_commit_begin(t, NULL), SWIM_OK);
        int rc = n == 1   ? txn_commit_begin(t, NULL)
                 : n == 2 ? txn_commit(t, true, NULL)
                 : n == 3 ? txn_abort(t, NULL)
                 : n == 4 ? txn_checkpoint(t, NULL)
                          : SWIM_OK;
        assert_int_equal(rc, SWIM_OK);
        assert_true(n == 5 || txn_commit_is_over(t));
    }
    txn_close(t);
    assert_found(s, 1, "no. 5", 100);
    assert_false(file_begins(s, s->bytes, BYTES)); /* it is in the journal */
}

/* Which sync fails: that of what it rests on; or of the journal with its record, which
 * others have seen. */
static void nothing_is_made_on_top_of_one_that_fails(void **state)
{
    struct scene *s = *state;

    for (int which = 1; which <= 2; which++) {
        const uint64_t behind = BYTES + (uint64_t)which * 100;
        const int rc = which == 1 ? SWIM_ERR_IO : SWIM_ERR_UNSURE;
        swim_error_t err = {0};
        struct txn *t = must_open(s, true);
        uint64_t before = txn_number(t);
        must_write(s, t, "kept", 300);
        must_write(s, t, "longer", behind);
        assert_int_equal(txn_commit(t, true, NULL), SWIM_OK);
        const off_t journal = size_of(s->journal);
        fail_at = atomic_load(&n_syncs) + which;
        assert_int_equal(txn_write(t, "lost", 4, 300, NULL), SWIM_OK);
        assert_int_equal(txn_write(t, "lost", 4, behind + 50, NULL), SWIM_OK);
        assert_int_equal(txn_commit_begin(t, NULL), SWIM_OK);
        (void)txn_write(t, "lost too", 8, 400, NULL);
        assert_int_equal(txn_commit_end(t, &err), rc);
        assert_non_null(strstr(err.text, which == 1 ? "sync " : ".swimlog"));
        assert_non_null(strstr(err.text, "Input/output error"));
        assert_int_equal(txn_write(t, "x", 1, 0, NULL), rc);
        assert_int_equal(txn_commit(t, true, NULL), rc);
        assert_int_equal(txn_abort(t, &err), rc);
        assert_int_equal(txn_write(t, "x", 1, 0, NULL), rc);
        txn_close(t);
        fail_at = 0;
        if (which == 1)
            assert_found(s, before + 1, "kept", 300);
        else
            assert_found(s, before + 2, "lost", 300);
        assert_int_equal(size_of(s->journal) == journal, which == 1);
    }
}

static void one_that_loses_its_right_meanwhile_is_not_made(void **state)
{
    struct scene *s = *state;
    swim_error_t err = {0};
    struct txn *t = must_open(s, true);

    must_write(s, t, "kept", 300);
    assert_int_equal(txn_commit(t, true, NULL), SWIM_OK);
    assert_int_equal(txn_write(t, "lost", 4, 300, NULL), SWIM_OK);
    allowed = 1; /* for the begin, and not for the record */
    assert_int_equal(txn_commit_begin(t, NULL), SWIM_OK);
    assert_int_equal(txn_commit_end(t, &err), SWIM_ERR_LOST);
    assert_non_null(strstr(err.text, "the lease is over"));
    allowed = 1000000;
    txn_close(t);
    assert_found(s, 1, "kept", 300);
}

static void without_a_thread_it_is_made_at_once(void **state)
{
    struct scene *s = *state;

    for (int n = 1; n <= 2; n++) {
        counted.thread_start = n == 1 ? no_thread : NULL;
        struct txn *t = must_open(s, true);
        must_write(s, t, n == 1 ? "one" : "two", 300);
        assert_int_equal(txn_commit_begin(t, NULL), SWIM_OK);
        assert_true(txn_commit_is_over(t));
        assert_found(s, (uint64_t)n, n == 1 ? "one" : "two", 300);
        assert_int_equal(txn_commit_end(t, NULL), SWIM_OK);
        txn_close(t);
    }
}

/* The thread is the parent's. */
static void a_forked_child_does_not_wait_for_it(void **state)
{
    struct scene *s = *state;
    int status = -1;
    struct txn *t = must_open(s, true);

    held = true;
    must_write(s, t, "one", 300);
    assert_int_equal(txn_commit_begin(t, NULL), SWIM_OK);
    sem_wait(&in_sync);
    pid_t child = fork();
    if (child == 0) {
        alarm(30);
        txn_forget(t);
        txn_close(t);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    held = false;
    sem_post(&may_sync);
    assert_int_equal(txn_commit_end(t, NULL), SWIM_OK);
    txn_close(t);
    assert_found(s, 1, "one", 300);
}

/* It is long: the next commit makes it shorter, before more is written. */
static void a_long_journal_is_made_shorter_by_one_that_is_begun(void **state)
{
    struct scene *s = *state;
    struct txn *t = must_open(s, true);
    off_t most = 0;

    for (int n = 0; n < 40; n++) {
        char text[9000];
        memset(text, 'a' + n % 20, sizeof(text) - 1);
        text[sizeof(text) - 1] = '\0';
        must_write(s, t, text, 0);
        assert_int_equal(txn_commit_begin(t, NULL), SWIM_OK);
        most = size_of(s->journal) > most ? size_of(s->journal) : most;
    }
    assert_int_equal(txn_commit_end(t, NULL), SWIM_OK);
    txn_close(t);
    assert_in_range(most, 64 << 10, 100 << 10);
    assert_found(s, 40, "tttttttt", 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, scene_teardown)
    const struct CMUnitTest tests[] = {
        TEST(others_see_it_when_it_is_on_the_disk),
        TEST(what_comes_next_waits_for_it),
        TEST(nothing_is_made_on_top_of_one_that_fails),
        TEST(one_that_loses_its_right_meanwhile_is_not_made),
        TEST(without_a_thread_it_is_made_at_once),
        TEST(a_forked_child_does_not_wait_for_it),
        TEST(a_long_journal_is_made_shorter_by_one_that_is_begun),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
