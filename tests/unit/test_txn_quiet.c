/* test_txn_quiet.c - what a transaction spares the disk, and what it holds in memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "txn_scene.h"

static void assert_untouched(const struct scene *s)
{
    assert_int_equal(changes, 0);
    assert_false(is_there(s->journal));
    assert_int_equal(size_of(s->path), BYTES);
    assert_true(file_begins(s, s->bytes, BYTES));
}

static void a_session_that_changes_nothing_touches_nothing(void **state)
{
    struct scene *s = *state;
    struct txn *t = must_open(s, true);

    assert_int_equal(txn_write(t, s->bytes + 10, 5000, 10, NULL), SWIM_OK);
    assert_int_equal(txn_write(t, s->bytes, BYTES, 0, NULL), SWIM_OK);
    assert_int_equal(txn_set_size(t, BYTES, NULL), SWIM_OK);
    assert_int_equal(txn_commit(t, true, NULL), SWIM_OK);
    assert_int_equal(txn_checkpoint(t, NULL), SWIM_OK);
    txn_close(t);
    assert_untouched(s);
}

/* As HDF5 marks a file that is open, and cuts and mends it. */
static void what_comes_to_nothing_in_the_end_touches_nothing(void **state)
{
    struct scene *s = *state;
    static const char both[] = {'m', 'a', 'm', 'a', 'r', 'k'};
    unsigned char seen[200], is[200];

    for (int committed = 0; committed < 2; committed++) {
        struct txn *t = must_open(s, true);
        assert_int_equal(txn_write(t, "marked", 6, 7, NULL), SWIM_OK);
        assert_int_equal(txn_write(t, "mark", 4, 9, NULL), SWIM_OK);
        memcpy(is, s->bytes, 200);
        memcpy(is + 7, both, sizeof(both));
        assert_int_equal(txn_read(t, seen, 200, 0, NULL), SWIM_OK);
        assert_memory_equal(seen, is, 200);
        assert_int_equal(txn_read(t, seen, 3, 10, NULL), SWIM_OK);
        assert_memory_equal(seen, is + 10, 3);
        assert_int_equal(txn_set_size(t, BYTES - 50, NULL), SWIM_OK);
        if (committed) {
            assert_int_equal(txn_write(t, s->bytes, 200, 0, NULL), SWIM_OK);
            assert_int_equal(txn_write(t, s->bytes + BYTES - 50, 50, BYTES - 50, NULL),
                             SWIM_OK);
            assert_int_equal(txn_commit(t, true, NULL), SWIM_OK);
            assert_int_equal(txn_checkpoint(t, NULL), SWIM_OK);
        }
        txn_close(t);
        assert_untouched(s);
    }
}

/* More than is held in memory: it has gone to a journal, which goes away again. */
static void frames_that_come_to_nothing_are_not_committed(void **state)
{
    struct scene *s = *state;
    struct txn *t = must_open(s, true), *reader = NULL;
    unsigned char other[BYTES];

    memset(other, 3, BYTES);
    assert_int_equal(txn_write(t, other, BYTES, 0, NULL), SWIM_OK);
    assert_true(is_there(s->journal));
    assert_int_equal(txn_write(t, s->bytes, BYTES, 0, NULL), SWIM_OK);
    syncs = 0;
    assert_int_equal(txn_commit(t, true, NULL), SWIM_OK);
    assert_int_equal(syncs, 0);
    assert_int_equal(txn_number(t), 0);
    assert_int_equal(size_of(s->journal), JOURNAL_HEADER);
    reader = must_open(s, false);
    assert_int_equal(txn_number(reader), 0);
    txn_close(reader);
    txn_close(t);
    assert_false(is_there(s->journal));
    assert_true(file_begins(s, s->bytes, BYTES));
}

/* Beside others, over what they have committed. */
static void a_session_that_finds_a_journal_and_changes_nothing_leaves_it(void **state)
{
    struct scene *s = *state;
    struct txn *t = must_open(s, true);

    must_write(s, t, "old place", 5000);
    assert_int_equal(txn_commit(t, true, NULL), SWIM_OK);
    txn_close(t);
    off_t size = size_of(s->journal);
    t = must_open(s, true);
    syncs = 0;
    assert_int_equal(txn_write(t, "marked", 6, 5002, NULL), SWIM_OK);
    assert_int_equal(txn_write(t, s->bytes, 6000, 0, NULL), SWIM_OK);
    assert_int_equal(txn_commit(t, true, NULL), SWIM_OK);
    txn_close(t);
    assert_int_equal(syncs, 0);
    assert_int_equal(size_of(s->journal), size);
}

static void one_that_has_committed_without_a_sync_makes_up_for_it(void **state)
{
    struct scene *s = *state;
    struct txn *t = must_open(s, true);

    must_write(s, t, "old place", 5000);
    assert_int_equal(txn_commit(t, false, NULL), SWIM_OK);
    assert_int_equal(syncs, 0);
    assert_int_equal(txn_commit(t, true, NULL), SWIM_OK);
    assert_int_equal(syncs, 2); /* the folder and the journal */
    assert_int_equal(txn_commit(t, true, NULL), SWIM_OK);
    assert_int_equal(syncs, 2);
    txn_close(t);
}

/* Small writes and long ones over each other, more than are held. */
static void what_was_written_last_is_read_however_it_was_written(void **state)
{
    struct scene *s = *state;
    struct txn *t = must_open(s, true), *reader = NULL;
    unsigned char bytes[BYTES], seen[BYTES];

    srand(4);
    for (int n = 0; n < 3000; n++) {
        size_t size = 1 + (size_t)rand() % (n % 50 == 0 ? BYTES : 60);
        size_t place = (size_t)rand() % (BYTES - size + 1);
        memset(bytes, n, size);
        assert_int_equal(txn_write(t, bytes, size, place, NULL), SWIM_OK);
        memcpy(s->bytes + place, bytes, size);
        if (n % 7 == 0) {
            assert_int_equal(txn_read(t, seen, BYTES, 0, NULL), SWIM_OK);
            assert_memory_equal(seen, s->bytes, BYTES);
        }
        if (n % 500 == 499) {
            assert_int_equal(txn_commit(t, false, NULL), SWIM_OK);
            reader = must_open(s, false);
            assert_int_equal(txn_read(reader, seen, BYTES, 0, NULL), SWIM_OK);
            assert_memory_equal(seen, s->bytes, BYTES);
            txn_close(reader);
        }
    }
    txn_close(t);
}

/* HDF5 writes its tables in small pieces. */
static void small_writes_side_by_side_are_one_frame(void **state)
{
    struct scene *s = *state;
    struct txn *t = must_open(s, true);

    for (uint64_t n = 0; n < 100; n++)
        must_write(s, t, "0123456789", 5000 + 10 * n);
    assert_false(is_there(s->journal));
    assert_int_equal(txn_commit(t, true, NULL), SWIM_OK);
    assert_int_equal(size_of(s->journal),
                     JOURNAL_HEADER + JOURNAL_FRAME + 1000 + JOURNAL_COMMIT);
    txn_close(t);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_session_that_changes_nothing_touches_nothing),
        TEST(what_comes_to_nothing_in_the_end_touches_nothing),
        TEST(frames_that_come_to_nothing_are_not_committed),
        TEST(a_session_that_finds_a_journal_and_changes_nothing_leaves_it),
        TEST(one_that_has_committed_without_a_sync_makes_up_for_it),
        TEST(what_was_written_last_is_read_however_it_was_written),
        TEST(small_writes_side_by_side_are_one_frame),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
