/* test_txn_stream.c - much that is written goes to the disk meanwhile, and a large
 * journal that is removed is in nobody's way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>

#include "core/clock.h"
#include "store/late_close.h"
#include "txn_scene.h"

#define MIB (1U << 20)
#define MUCH ((uint64_t)80 * MIB)

/* What was sent, by the kind of file. */
static uint64_t sent_of_journal, sent_of_file;
static off_t least_sent, sent_end;
static int closed_late;

static bool is_journal(int fd)
{
    char name[64], to[400];

    snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(name, to, sizeof(to) - 1);
    to[n > 0 ? n : 0] = '\0';
    return strstr(to, JOURNAL_SUFFIX) != NULL;
}

static int seen_start_sync(int fd, off_t at, off_t size)
{
    *(is_journal(fd) ? &sent_of_journal : &sent_of_file) += (uint64_t)size;
    least_sent = least_sent == 0 || size < least_sent ? size : least_sent;
    sent_end = at + size;
    errno = EIO;
    return -1; /* nobody minds */
}

static int seen_close_late(int fd)
{
    closed_late++;
    return close(fd);
}

static int setup(void **state)
{
    int rc = scene_setup(state);

    counted.start_sync = seen_start_sync;
    counted.close_late = seen_close_late;
    sent_of_journal = sent_of_file = 0;
    least_sent = sent_end = 0;
    closed_late = 0;
    return rc;
}

static void write_much(struct txn *t, unsigned char value, uint64_t from, uint64_t to)
{
    unsigned char *bytes = malloc(MIB);

    assert_non_null(bytes);
    memset(bytes, value, MIB);
    errno = 0;
    for (uint64_t at = from; at < to; at += MIB)
        assert_int_equal(txn_write(t, bytes, MIB, at, NULL), SWIM_OK);
    assert_int_equal(errno, 0);
    free(bytes);
}

/* All but what the last sync finds, and no page twice. */
static void assert_sent(uint64_t sent)
{
    assert_in_range(sent, MUCH - (uint64_t)9 * MIB, MUCH + MIB / 2);
    assert_true(least_sent >= 7 * (off_t)MIB);
}

static void what_is_written_is_sent_to_the_disk_meanwhile(void **state)
{
    struct scene *s = *state;
    unsigned char is = 0;

    struct txn *t = must_open(s, true);
    write_much(t, 1, 0, MUCH);
    assert_sent(sent_of_file);
    assert_int_equal(sent_of_journal, 0);
    assert_int_equal(txn_commit(t, true, NULL), SWIM_OK);
    write_much(t, 2, 0, MUCH);
    assert_sent(sent_of_journal);
    sent_of_file = 0;
    assert_int_equal(txn_commit(t, true, NULL), SWIM_OK);
    assert_int_equal(txn_checkpoint(t, NULL), SWIM_OK);
    assert_sent(sent_of_file);
    for (uint64_t at = 0; at < MUCH; at += MIB / 2) {
        assert_int_equal(txn_read(t, &is, 1, at, NULL), SWIM_OK);
        assert_int_equal(is, 2);
    }
    txn_close(t);
}

/* A commit forgets what was not sent, and so does an abort: places that are written
 * again come again. */
static void a_little_is_left_to_the_sync(void **state)
{
    struct scene *s = *state;
    struct txn *t = must_open(s, true);

    write_much(t, 1, 0, 6 * (uint64_t)MIB);
    assert_int_equal(txn_commit(t, true, NULL), SWIM_OK);
    write_much(t, 2, 0, 6 * (uint64_t)MIB);
    assert_int_equal(txn_commit(t, true, NULL), SWIM_OK);
    assert_int_equal(sent_of_file + sent_of_journal, 0);
    assert_int_equal(txn_checkpoint(t, NULL), SWIM_OK);
    txn_close(t);
}

static void without_a_way_to_send_it_is_only_synced(void **state)
{
    struct scene *s = *state;

    counted.start_sync = NULL;
    counted.close_late = NULL;
    struct txn *t = must_open(s, true);
    write_much(t, 1, 0, 20 * (uint64_t)MIB);
    assert_int_equal(txn_commit(t, true, NULL), SWIM_OK);
    txn_close(t);
    assert_int_equal(size_of(s->path), 20 * MIB);
}

static void a_large_journal_is_closed_when_there_is_time(void **state)
{
    struct scene *s = *state;
    struct txn *t = must_open(s, true);

    write_much(t, 1, 0, MUCH);
    assert_int_equal(txn_commit(t, true, NULL), SWIM_OK);
    must_write(s, t, "little", 5);
    assert_int_equal(txn_commit(t, true, NULL), SWIM_OK);
    assert_int_equal(txn_checkpoint(t, NULL), SWIM_OK);
    assert_int_equal(closed_late, 0);
    write_much(t, 2, 0, MUCH);
    assert_int_equal(txn_commit(t, true, NULL), SWIM_OK);
    assert_int_equal(txn_checkpoint(t, NULL), SWIM_OK);
    assert_int_equal(closed_late, 1);
    assert_false(is_there(s->journal));
    txn_close(t);
}

/* --- others who wait */

static int asked, answers_no, file_syncs, syncs_when_asked;

static int seen_fdatasync(int fd)
{
    file_syncs += !is_journal(fd);
    return fdatasync(fd);
}

static bool is_wanted(void *arg)
{
    (void)arg;
    asked++;
    syncs_when_asked = file_syncs;
    return answers_no-- <= 0;
}

static struct txn *open_asking(const struct scene *s)
{
    const struct txn_options opt = {.io = &counted,
                                    .write = true,
                                    .flocks = true,
                                    .fence = 1,
                                    .boot = "boot",
                                    .is_wanted = is_wanted};
    struct txn *t = NULL;

    assert_int_equal(txn_open(&t, s->path, &opt, NULL), SWIM_OK);
    return t;
}

static void assert_all_is(struct txn *t, unsigned char value)
{
    unsigned char is = 0;

    for (uint64_t at = 0; at < 2 * MUCH; at += MIB / 2) {
        assert_int_equal(txn_read(t, &is, 1, at, NULL), SWIM_OK);
        assert_int_equal(is, value);
    }
}

static void assert_stops(struct scene *s, int after, bool copied)
{
    unsigned char is = 0;
    struct txn *t = open_asking(s), *reader = NULL;
    swim_error_t err = {0};

    asked = file_syncs = 0;
    answers_no = after;
    assert_int_equal(txn_checkpoint(t, &err), SWIM_ERR_TIMEOUT);
    assert_non_null(strstr(err.text, "others wait for it"));
    assert_int_equal(asked, after + 1);
    assert_int_equal(syncs_when_asked, copied ? 2 : 0); /* what was found, and this */
    txn_close(t);
    int fd = open(s->path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(pread(fd, &is, 1, 0), 1);
    close(fd);
    assert_int_equal(is, copied ? 2 : 1);
    reader = must_open(s, false);
    assert_all_is(reader, 2);
    txn_close(reader);
}

static void who_waits_for_a_file_waits_for_a_step_of_its_copy(void **state)
{
    struct scene *s = *state;

    counted.fdatasync = seen_fdatasync;
    struct txn *t = must_open(s, true);
    write_much(t, 1, 0, 2 * MUCH);
    assert_int_equal(txn_commit(t, true, NULL), SWIM_OK);
    assert_int_equal(txn_checkpoint(t, NULL), SWIM_OK);
    write_much(t, 2, 0, 2 * MUCH);
    assert_int_equal(txn_commit(t, true, NULL), SWIM_OK);
    txn_close(t);
    assert_stops(s, 0, false); /* while it is looked at */
    assert_stops(s, 1, false);
    assert_stops(s, 2, true); /* and while it is copied */
    assert_stops(s, 0, true);
    t = open_asking(s);
    answers_no = 100;
    assert_int_equal(txn_checkpoint(t, NULL), SWIM_OK);
    assert_all_is(t, 2);
    txn_close(t);
    assert_false(is_there(s->journal));
}

static int open_count(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int n = 0;

    while (dir && readdir(dir))
        n++;
    if (dir)
        closedir(dir);
    return n;
}

static void what_is_closed_late_is_closed(void **state)
{
    int64_t until_ns = swim_clock_mono_ns() + 10 * INT64_C(1000000000);
    int before = open_count(), fd[40];

    (void)state;
    for (int i = 0; i < 40; i++)
        fd[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    for (int i = 0; i < 40; i++)
        assert_int_equal(late_close(fd[i]), 0);
    while (open_count() > before && swim_clock_mono_ns() < until_ns)
        swim_clock_nap_ns(1000000);
    assert_int_equal(open_count(), before);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, scene_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_written_is_sent_to_the_disk_meanwhile),
        TEST(a_little_is_left_to_the_sync),
        TEST(without_a_way_to_send_it_is_only_synced),
        TEST(a_large_journal_is_closed_when_there_is_time),
        TEST(who_waits_for_a_file_waits_for_a_step_of_its_copy),
        cmocka_unit_test(what_is_closed_late_is_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
