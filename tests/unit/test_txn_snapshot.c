/* test_txn_snapshot.c - a state that is opened by others, as long as it is there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <time.h>

#include "txn_scene.h"

static void assert_gone(const struct scene *s, const struct txn_snapshot *at)
{
    swim_error_t err = {0};
    struct txn *t = NULL;

    assert_int_equal(open_at(s, at, &t, &err), SWIM_ERR_ARG);
    assert_null(t);
    assert_non_null(strstr(err.text, "is not there any more"));
}

static void assert_holds(const struct scene *s, const struct txn_snapshot *at,
                         const char *text)
{
    unsigned char seen[BYTES] = {0};
    swim_error_t err = {0};
    struct txn *t = NULL;
    struct txn_snapshot again;

    if (open_at(s, at, &t, &err) != SWIM_OK)
        fail_msg("%s", err.text);
    assert_int_equal(txn_size(t), at->size);
    assert_int_equal(txn_read(t, seen, BYTES, 0, NULL), SWIM_OK);
    assert_memory_equal(seen, text, strlen(text));
    assert_memory_equal(seen + 10, s->bytes + 10, BYTES - 10);
    txn_snapshot(t, &again);
    assert_memory_equal(&again, at, sizeof(again));
    txn_close(t);
}

static struct txn_snapshot snapshot_of(const struct scene *s)
{
    struct txn *t = must_open(s, false);
    struct txn_snapshot at;

    txn_snapshot(t, &at);
    txn_close(t);
    return at;
}

/* Also the one of a file that had no journal yet, whatever comes of the next ones. */
static void each_state_can_be_opened_while_others_follow(void **state)
{
    static const char *const texts[] = {"", "one", "two", "six"};
    struct scene *s = *state;
    struct txn *reader = must_open(s, false);
    struct txn_snapshot at[4];

    txn_snapshot(reader, &at[0]);
    assert_holds(s, &at[0], "");
    struct txn *t = must_open(s, true);
    assert_int_equal(txn_write(t, "given up", 8, BYTES, NULL), SWIM_OK);
    assert_holds(s, &at[0], "");
    txn_close(t); /* it has touched the file */
    assert_holds(s, &at[0], "");
    t = must_open(s, true);
    for (int n = 1; n < 4; n++) {
        assert_int_equal(txn_write(t, texts[n], 3, 0, NULL), SWIM_OK);
        assert_int_equal(txn_write(t, "more", 4, txn_size(t), NULL), SWIM_OK);
        assert_int_equal(txn_commit(t, false, NULL), SWIM_OK);
        txn_snapshot(t, &at[n]);
        for (int m = 0; m <= n; m++)
            assert_holds(s, &at[m], texts[m]);
    }
    txn_close(t);
    for (int n = 0; n < 4; n++)
        assert_holds(s, &at[n], texts[n]);
    txn_close(reader);
    t = must_open(s, true);
    assert_int_equal(txn_checkpoint(t, NULL), SWIM_OK);
    txn_close(t);
    for (int n = 0; n < 4; n++)
        assert_gone(s, &at[n]);
    at[0] = snapshot_of(s);
    assert_holds(s, &at[0], "six");
}

/* The clock of the file system may stand still for some milliseconds. */
static void change_from_outside(const struct scene *s)
{
    const struct txn_snapshot before = snapshot_of(s);
    time_t give_up = time(NULL) + 20;
    int fd = open(s->path, O_RDWR | O_CLOEXEC);

    do
        assert_int_equal(pwrite(fd, "?", 1, 5000), 1);
    while (snapshot_of(s).when_ns == before.when_ns && time(NULL) < give_up);
    close(fd);
}

static void a_state_is_not_mixed_up_with_another(void **state)
{
    struct scene *s = *state;
    struct txn_snapshot at = snapshot_of(s), other;

    change_from_outside(s);
    assert_gone(s, &at);
    at = snapshot_of(s);
    assert_int_equal(scratch_dir_run(&s->dir, "cp a.h5 b.h5 && mv b.h5 a.h5"), 0);
    assert_gone(s, &at);
    for (int n = 0; n < 2; n++) { /* the first commit of each of two journals */
        struct txn *t = must_open(s, true);
        assert_int_equal(txn_write(t, n ? "two" : "one", 3, 0, NULL), SWIM_OK);
        assert_int_equal(txn_commit(t, false, NULL), SWIM_OK);
        txn_snapshot(t, n ? &other : &at);
        txn_close(t);
        if (n == 0)
            unlink(s->journal);
    }
    assert_int_equal(at.number, other.number);
    assert_gone(s, &at);
    other.number++; /* not yet */
    assert_gone(s, &other);
    other.number--;
    other.size++;
    assert_gone(s, &other);
}

static void a_state_that_was_copied_over_is_not_read(void **state)
{
    struct scene *s = *state;
    struct txn_snapshot at;
    unsigned read = 0, gone = 0;

    for (int times = 0;; times++) {
        struct txn *t = must_open(s, true), *reader = NULL;
        assert_int_equal(txn_write(t, "one", 3, 0, NULL), SWIM_OK);
        assert_int_equal(txn_commit(t, false, NULL), SWIM_OK);
        txn_snapshot(t, &at);
        must_write(s, t, "two", 5000); /* where the first has no frame */
        assert_int_equal(txn_commit(t, false, NULL), SWIM_OK);
        allowed = times;
        int rc = txn_checkpoint(t, NULL);
        txn_close(t);
        allowed = 1000000;
        memcpy(s->bytes + 5000, "bef", 3); /* it was not there then */
        int opened = open_at(s, &at, &reader, NULL);
        unsigned char seen[3];
        if (opened == SWIM_OK) {
            assert_int_equal(txn_read(reader, seen, 3, 5000, NULL), SWIM_OK);
            assert_memory_not_equal(seen, "two", 3);
            read++;
        } else {
            assert_int_equal(opened, SWIM_ERR_ARG);
            gone++;
        }
        txn_close(reader);
        if (rc == SWIM_OK)
            break;
        unlink(s->journal);
        int fd = open(s->path, O_RDWR | O_CLOEXEC);
        assert_int_equal(pwrite(fd, "bef", 3, 5000), 3);
        close(fd);
    }
    assert_true(read > 0 && gone > 1);
}

static void a_writer_continues_the_last_state_alone(void **state)
{
    struct scene *s = *state;
    const struct txn_snapshot at = snapshot_of(s);
    const struct txn_options opt = {.at = &at, .write = true};
    swim_error_t err = {0};
    struct txn *t = NULL;

    assert_int_equal(txn_open(&t, s->path, &opt, &err), SWIM_ERR_ARG);
    assert_non_null(strstr(err.text, "a writer continues the last state"));
}

static void bytes_that_are_no_snapshot_are_refused(void **state)
{
    const struct txn_snapshot at = {"lineage", 1, 2, UINT64_MAX, JOURNAL_PLACE_MAX};
    const struct txn_snapshot odd[] = {{"lineage", 1, 2, 3, JOURNAL_PLACE_MAX + 1},
                                       {"", 1, 2, 3, 4}};
    unsigned char bytes[SNAPSHOT_BYTES + 1] = {0};
    struct txn_snapshot is;
    swim_error_t err = {0};

    (void)state;
    txn_snapshot_encode(&at, bytes);
    assert_int_equal(txn_snapshot_decode(bytes, SNAPSHOT_BYTES, &is, NULL), SWIM_OK);
    assert_memory_equal(&is, &at, sizeof(at));
    for (size_t size = 0; size <= SNAPSHOT_BYTES + 1; size++)
        assert_int_equal(txn_snapshot_decode(bytes, size, &is, NULL),
                         size == SNAPSHOT_BYTES ? SWIM_OK : SWIM_ERR_ARG);
    for (size_t bit = 0; bit < (size_t)8 * SNAPSHOT_BYTES; bit++) {
        bytes[bit / 8] ^= (unsigned char)(1U << bit % 8);
        assert_int_equal(txn_snapshot_decode(bytes, SNAPSHOT_BYTES, &is, NULL),
                         SWIM_ERR_ARG);
        bytes[bit / 8] ^= (unsigned char)(1U << bit % 8);
    }
    bytes[8]++;
    assert_int_equal(txn_snapshot_decode(bytes, SNAPSHOT_BYTES, &is, &err),
                     SWIM_ERR_ARG);
    assert_non_null(strstr(err.text, "later h5swim"));
    for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++) {
        txn_snapshot_encode(&odd[i], bytes);
        assert_int_equal(txn_snapshot_decode(bytes, SNAPSHOT_BYTES, &is, NULL),
                         SWIM_ERR_ARG);
    }
}

static int setup_clock_set_back(void **state)
{
    int rc = scene_setup(state);

    counted.birth_ns = born_tomorrow;
    return rc;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)
#define TEST_SET_BACK(name) \
    cmocka_unit_test_setup_teardown(name, setup_clock_set_back, scene_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_state_can_be_opened_while_others_follow),
        TEST(a_state_is_not_mixed_up_with_another),
        TEST_SET_BACK(each_state_can_be_opened_while_others_follow),
        TEST_SET_BACK(a_state_is_not_mixed_up_with_another),
        TEST(a_state_that_was_copied_over_is_not_read),
        TEST(a_writer_continues_the_last_state_alone),
        cmocka_unit_test(bytes_that_are_no_snapshot_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
