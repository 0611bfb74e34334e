/* test_txn_small.c - small reads and writes, one behind the other, become large ones.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "txn_scene.h"

#define PIECE 500
#define MANY 2000

static int reads, writes;
static size_t read_bytes;

static ssize_t seen_pread(int fd, void *bytes, size_t size, off_t at)
{
    reads++;
    read_bytes += size;
    return pread(fd, bytes, size, at);
}

static ssize_t seen_pwritev(int fd, const struct iovec *parts, int n, off_t at)
{
    writes += at >= BYTES;
    return pwritev(fd, parts, n, at);
}

static int setup(void **state)
{
    int rc = scene_setup(state);

    counted.pread = seen_pread;
    counted.pwritev = seen_pwritev;
    return rc;
}

static void piece_fill(unsigned char *piece, int number)
{
    for (int i = 0; i < PIECE; i++)
        piece[i] = (unsigned char)(number * 7 + i);
}

static uint64_t piece_at(int number)
{
    return BYTES + (uint64_t)number * PIECE;
}

static void write_pieces(struct txn *t)
{
    unsigned char piece[PIECE];

    for (int i = 0; i < MANY; i++) {
        piece_fill(piece, i);
        assert_int_equal(txn_write(t, piece, PIECE, piece_at(i), NULL), SWIM_OK);
    }
}

static void assert_piece(struct txn *t, int number)
{
    unsigned char piece[PIECE], seen[PIECE];

    piece_fill(piece, number);
    assert_int_equal(txn_read(t, seen, PIECE, piece_at(number), NULL), SWIM_OK);
    assert_memory_equal(seen, piece, PIECE);
}

static struct txn *reader_of_pieces(const struct scene *s)
{
    struct txn *t = must_open(s, true);

    write_pieces(t);
    assert_int_equal(txn_commit(t, true, NULL), SWIM_OK);
    txn_close(t);
    t = must_open(s, false);
    assert_int_equal(txn_size(t), piece_at(MANY));
    reads = 0;
    read_bytes = 0;
    return t;
}

static void small_writes_become_few(void **state)
{
    struct scene *s = *state;
    struct txn *t = must_open(s, true);

    writes = 0;
    write_pieces(t);
    assert_in_range(writes, 5, MANY * PIECE / 100000);
    assert_piece(t, MANY - 1); /* not written yet, or just now */
    assert_piece(t, 0);
    assert_int_equal(txn_commit(t, true, NULL), SWIM_OK);
    txn_close(t);
    t = must_open(s, false);
    for (int i = 0; i < MANY; i++)
        assert_piece(t, i);
    txn_close(t);
}

/* Over what is not written yet, before it, and behind a gap. */
static void writes_that_do_not_follow_each_other_keep_their_order(void **state)
{
    struct scene *s = *state;
    char seen[9] = "";
    struct txn *t = must_open(s, true);

    must_write(s, t, "aaaa", BYTES);
    must_write(s, t, "bbbb", BYTES + 4);
    must_write(s, t, "cc", BYTES + 3);
    must_write(s, t, "dd", BYTES + 5);
    must_write(s, t, "e", BYTES + 1);
    assert_int_equal(txn_read(t, seen, 8, BYTES, NULL), SWIM_OK);
    assert_string_equal(seen, "aeaccddb");
    must_write(s, t, "far", BYTES + 50000);
    must_write(s, t, "f", BYTES + 2);
    assert_int_equal(txn_set_size(t, BYTES + 50001, NULL), SWIM_OK);
    assert_int_equal(txn_commit(t, true, NULL), SWIM_OK);
    txn_close(t);
    t = must_open(s, false);
    assert_int_equal(txn_size(t), BYTES + 50001);
    assert_int_equal(txn_read(t, seen, 8, BYTES, NULL), SWIM_OK);
    assert_string_equal(seen, "aefccddb");
    memset(seen, 9, sizeof(seen));
    assert_int_equal(txn_read(t, seen, 3, BYTES + 49999, NULL), SWIM_OK);
    assert_memory_equal(seen, "\0f\0", 3);
    txn_close(t);
}

static void what_is_given_up_is_not_written_later(void **state)
{
    struct scene *s = *state;
    struct txn *t = must_open(s, true);

    must_write(s, t, "kept", BYTES);
    assert_int_equal(txn_commit(t, true, NULL), SWIM_OK);
    must_write(s, t, "lost", BYTES + 4);
    assert_int_equal(txn_abort(t, NULL), SWIM_OK);
    must_write(s, t, "more", BYTES + 8);
    assert_int_equal(txn_commit(t, true, NULL), SWIM_OK);
    txn_close(t);
    char seen[13] = "";
    t = must_open(s, false);
    assert_int_equal(txn_read(t, seen, 12, BYTES, NULL), SWIM_OK);
    assert_memory_equal(seen, "kept\0\0\0\0more", 12);
    txn_close(t);
}

/* A read has what was written made, which is a change. */
static void one_that_may_not_change_it_any_more_writes_nothing(void **state)
{
    struct scene *s = *state;
    swim_error_t err = {0};
    char seen[4];
    struct txn *t = must_open(s, true);

    must_write(s, t, "late", BYTES);
    allowed = 0;
    writes = 0;
    assert_int_equal(txn_read(t, seen, sizeof(seen), BYTES, &err), SWIM_ERR_LOST);
    assert_non_null(strstr(err.text, "the lease is over"));
    assert_int_equal(writes, 0);
    txn_close(t);
    assert_int_equal(size_of(s->path), BYTES);
}

static void small_reads_one_behind_the_other_become_few(void **state)
{
    struct scene *s = *state;
    struct txn *t = reader_of_pieces(s);

    for (int i = 0; i < MANY; i++)
        assert_piece(t, i);
    assert_in_range(reads, 10, MANY * PIECE / 50000);
    txn_close(t);
}

/* Each reads what it is asked for, and not more. */
static void small_reads_here_and_there_stay_small(void **state)
{
    struct scene *s = *state;
    struct txn *t = reader_of_pieces(s);

    for (int i = 0; i < MANY; i += 2)
        assert_piece(t, (i * 37 + 11) % MANY);
    assert_in_range(read_bytes, 1, (size_t)MANY / 2 * PIECE * 3 / 2);
    for (int i = MANY - 1; i > 0; i--) /* backwards */
        assert_piece(t, i);
    assert_in_range(read_bytes, 1, (size_t)MANY * PIECE * 5 / 2);
    txn_close(t);
}

/* As it was when the reader came, whatever is committed between its reads. */
static void what_was_read_ahead_is_of_the_state(void **state)
{
    struct scene *s = *state;
    struct txn *t = reader_of_pieces(s);

    assert_piece(t, 0);
    assert_piece(t, 1);
    struct txn *writer = must_open(s, true);
    must_write(s, writer, "changed", piece_at(2));
    must_write(s, writer, "changed", piece_at(600));
    assert_int_equal(txn_commit(writer, true, NULL), SWIM_OK);
    txn_close(writer);
    for (int i = 2; i < MANY; i++)
        assert_piece(t, i);
    txn_close(t);
    t = must_open(s, false);
    char seen[8] = "";
    assert_int_equal(txn_read(t, seen, 7, piece_at(1) + PIECE - 7, NULL), SWIM_OK);
    assert_int_equal(txn_read(t, seen, 7, piece_at(2), NULL), SWIM_OK);
    assert_string_equal(seen, "changed");
    unsigned char end[20];
    memset(end, 9, sizeof(end));
    assert_int_equal(txn_read(t, end, 10, piece_at(MANY) - 20, NULL), SWIM_OK);
    assert_int_equal(txn_read(t, end, 20, piece_at(MANY) - 10, NULL), SWIM_OK);
    assert_memory_equal(end + 10, "\0\0\0\0\0\0\0\0\0\0", 10);
    txn_close(t);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, scene_teardown)
    const struct CMUnitTest tests[] = {
        TEST(small_writes_become_few),
        TEST(writes_that_do_not_follow_each_other_keep_their_order),
        TEST(what_is_given_up_is_not_written_later),
        TEST(one_that_may_not_change_it_any_more_writes_nothing),
        TEST(small_reads_one_behind_the_other_become_few),
        TEST(small_reads_here_and_there_stay_small),
        TEST(what_was_read_ahead_is_of_the_state),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
