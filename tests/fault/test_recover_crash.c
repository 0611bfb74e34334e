/* test_recover_crash.c - a recovery that ends at any call can be run again.
 *
 * A file and its journal are made, and one of them is spoiled in some way; recovery is
 * stopped at its nth call, n = 1, 2, ..., power fails or does not, and it is run again,
 * and perhaps stopped again, until it comes to its end.  Whenever it is stopped the
 * name leads to the file as it was, with its journal, or to what it is to be. */
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

#include "sim_disk.h"
#include "store/recover.h"
#include "tiny_hdf5.h"

#define PATH "/data/a.h5"
#define JOURNAL PATH JOURNAL_SUFFIX
#define BYTES 30000U
#define IMAGE_MAX 65536
#ifdef __SANITIZE_ADDRESS__ /* ten times slower, and looked at for other things */
#define SEEDS 15U
#else
#define SEEDS 60U
#endif

enum { NOT, FIRST_BYTES, BELOW, CUT, REPLACED, DAMAGED, UNREADABLE, KINDS };
static const char *const kinds[] = {
    "nothing",    "the first bytes", "below a frame", "the file was cut",
    "other file", "in the journal",  "its header"};

struct image {
    long size;
    unsigned char bytes[IMAGE_MAX];
};

/* The file as it was found, and as it is to be; the journal. */
static struct image found, wanted, journal;
static bool is_kept; /* the file that was found stays under another name */
static unsigned number;
static char at_text[100];

static unsigned dice(unsigned sides)
{
    number = number * 1664525U + 1013904223U;
    return (number >> 8) % sides;
}

static void get(const char *path, struct image *image)
{
    memset(image->bytes, 0, sizeof(image->bytes));
    image->size = sim_disk_get(path, image->bytes, sizeof(image->bytes));
}

static bool is_there(const char *path)
{
    unsigned char none[1];

    return sim_disk_get(path, none, 0) >= 0;
}

static bool is_same(const char *path, const struct image *image)
{
    static struct image is;

    is.size = sim_disk_get(path, is.bytes, sizeof(is.bytes));
    return is.size == image->size &&
           (is.size < 0 || memcmp(is.bytes, image->bytes, (size_t)is.size) == 0);
}

static struct txn_options options(void)
{
    return (struct txn_options){
        .io = &sim_disk_io, .write = true, .flocks = true, .fence = 1, .boot = "boot"};
}

/* The state after n commits, of those that make_journal() made. */
static void make_wanted(const struct image *below, int n, bool keep)
{
    static const uint64_t places[] = {200, 9000, 17000};

    wanted = *below;
    for (long i = 0; i < n; i++) {
        memset(wanted.bytes + places[i], 'a' + (int)i, 1500);
        memset(wanted.bytes + BYTES + 1000 * i, 'A' + (int)i, 1000);
        wanted.size = (long)BYTES + 1000 * (i + 1);
    }
    if (keep && below->size > wanted.size) /* of the other program */
        wanted.size = below->size;
    memset(wanted.bytes + wanted.size, 0, sizeof(wanted.bytes) - (size_t)wanted.size);
}

/* Three commits, and a writer that was killed in a fourth. */
static void make_journal(void)
{
    const struct txn_options opt = options();
    struct txn *t = NULL;

    assert_int_equal(txn_open(&t, PATH, &opt, NULL), SWIM_OK);
    for (int n = 1; n <= 3; n++) {
        static struct image before;
        before = wanted;
        make_wanted(&found, n, false);
        for (long at = 0; at < wanted.size; at += 500)
            if (at >= before.size ||
                memcmp(wanted.bytes + at, before.bytes + at, 500) != 0)
                assert_int_equal(
                    txn_write(t, wanted.bytes + at, 500, (uint64_t)at, NULL), SWIM_OK);
        assert_int_equal(txn_commit(t, true, NULL), SWIM_OK);
    }
    assert_int_equal(txn_write(t, "unfinished", 10, 20000, NULL), SWIM_OK);
    sim_disk_arm(1, 0); /* it ends here */
    (void)txn_write(t, "unfinished", 10, BYTES + 4000, NULL);
    txn_close(t);
    sim_disk_restart(false, 0);
}

/* All that is there is on the disk. */
static void settle(void)
{
    static const char *const names[] = {PATH, JOURNAL};

    for (int i = 0; i < 2; i++) {
        int fd = sim_disk_io.open(names[i], O_RDWR, 0);
        assert_int_equal(sim_disk_io.fdatasync(fd), 0);
        sim_disk_io.close(fd);
    }
    assert_int_equal(sim_disk_io.fsync(sim_disk_io.open("/data", O_DIRECTORY, 0)), 0);
}

/* As a program does that writes to the file itself. */
static void write_found(void)
{
    struct iovec part = {found.bytes, (size_t)found.size};
    int fd = sim_disk_io.open(PATH, O_RDWR, 0);

    assert_int_equal(sim_disk_io.ftruncate(fd, (off_t)found.size), 0);
    assert_int_equal(sim_disk_io.pwritev(fd, &part, 1, 0), found.size);
    sim_disk_io.close(fd);
}

static void spoil(int how)
{
    get(PATH, &found);
    get(JOURNAL, &journal);
    if (how == FIRST_BYTES)
        memcpy(found.bytes + 1000, "outside", 7);
    if (how == BELOW)
        memcpy(found.bytes + 9100, "outside", 7);
    if (how == CUT)
        memset(found.bytes + 25000, 0, (size_t)found.size - 25000);
    if (how == CUT)
        found.size = 25000;
    if (how == DAMAGED) /* the third commit's data */
        journal.bytes[journal.size - 600] ^= 1;
    if (how == UNREADABLE)
        journal.bytes[30] ^= 1;
    if (how == REPLACED)
        sim_disk_put(PATH, found.bytes, (size_t)found.size);
    if (how == FIRST_BYTES || how == BELOW || how == CUT)
        write_found();
    if (how == DAMAGED || how == UNREADABLE)
        sim_disk_put(JOURNAL, journal.bytes, (size_t)journal.size);
    settle();
}

static void make_scene(int how, int action)
{
    static struct image base;

    sim_disk_reset();
    for (size_t i = 0; i < BYTES; i++)
        base.bytes[i] = (unsigned char)(i % 241);
    tiny_hdf5(base.bytes, BYTES);
    base.size = BYTES;
    sim_disk_put(PATH, base.bytes, BYTES);
    found = wanted = base;
    make_journal();
    spoil(how);
    make_wanted(&found, how == DAMAGED ? 2 : 3, how != NOT && how != DAMAGED);
    is_kept = how != NOT && how != UNREADABLE;
    if (how == CUT) /* what was in the file itself is lost */
        memset(wanted.bytes + 25000, 0, sizeof(wanted.bytes) - 25000);
    if (action == RECOVER_APPLY)
        return;
    is_kept = how == NOT || how == DAMAGED;
    wanted = is_kept ? base : found;
}

static int recover(int action, swim_error_t *err)
{
    const struct txn_options opt = options();
    struct recover_plan done;
    bool no_flock;

    return recover_run(PATH, (enum recover_action)action, &opt, &done, &no_flock, err);
}

/* Of the transaction's own copy readers see the new state before it ends; its tests
 * are elsewhere. */
static void assert_old_or_new(bool copied)
{
    if (is_same(PATH, &wanted))
        return;
    if (!copied && !is_same(PATH, &found))
        fail_msg("%s: neither as it was nor as it is to be", at_text);
    if (!is_there(JOURNAL) || (!copied && !is_same(JOURNAL, &journal)))
        fail_msg("%s: the journal is not as it was", at_text);
}

static void assert_is_done(bool power)
{
    if (!is_same(PATH, &wanted))
        fail_msg("%s: it is not as it is to be", at_text);
    if (is_there(JOURNAL) || is_there(PATH JOURNAL_NEW_SUFFIX))
        fail_msg("%s: something is left beside it", at_text);
    if (is_kept && !is_same(PATH VERDICT_SAVED_SUFFIX, &found))
        fail_msg("%s: the file that was found is not kept", at_text);
    /* One name of two that rename(2) changes may get to this disk alone. */
    if (is_kept && !power && !is_same(PATH JOURNAL_DISCARDED_SUFFIX, &journal))
        fail_msg("%s: the journal is not kept", at_text);
}

/* Stop it at call n and go on; false: it came to its end before. */
static bool stop_at(int how, int action, long n, unsigned *points)
{
    bool copied = how == NOT && action == RECOVER_APPLY, power = false, stopped;
    swim_error_t err = {0};

    make_scene(how, action);
    sim_disk_arm(n, 0);
    (void)recover(action, &err);
    if (!sim_disk_fired()) {
        assert_int_equal(err.code, SWIM_OK);
        assert_is_done(false);
        return false;
    }
    do {
        bool now = dice(2);
        power |= now;
        ++*points;
        sim_disk_restart(now, dice(65536) << 16 | dice(65536));
        assert_old_or_new(copied);
        if (dice(2))
            sim_disk_arm(1 + (long)dice(20), 0);
        swim_error_clear(&err);
        (void)recover(action, &err);
        stopped = sim_disk_fired();
        if (!stopped && err.code != SWIM_OK)
            fail_msg("%s: %s", at_text, err.text);
    } while (stopped);
    assert_is_done(power);
    return true;
}

static bool is_possible(int how, int action)
{
    return how != UNREADABLE || action == RECOVER_DISCARD;
}

static void stopped_anywhere_it_can_be_run_again(void **state)
{
    unsigned points = 0;

    (void)state;
    for (unsigned seed = 1; seed <= (getenv("SWIM_LONG") ? 600U : SEEDS); seed++)
        for (int how = 0; how < KINDS; how++)
            for (int action = 0; action < 2; action++) {
                if (!is_possible(how, action))
                    continue;
                for (long n = 1;; n++) {
                    number = seed * 1000 + (unsigned)n;
                    snprintf(at_text, sizeof(at_text), "seed %u, %s, %s, call %ld",
                             seed, kinds[how], action ? "discard" : "apply", n);
                    if (!stop_at(how, action, n, &points))
                        break;
                }
            }
    print_message("%u points\n", points);
    assert_true(points > 1000);
    sim_disk_reset();
}

static void an_error_at_any_call_loses_nothing(void **state)
{
    static const int errors[] = {EIO, ENOSPC, EDQUOT, ESTALE, EINTR, SIM_SHORT};
    unsigned points = 0;

    (void)state;
    for (int how = 0; how < KINDS; how++)
        for (int action = 0; action < 2; action++)
            for (long n = 1; is_possible(how, action); n++) {
                swim_error_t err = {0};
                snprintf(at_text, sizeof(at_text), "%s, %s, call %ld", kinds[how],
                         action ? "discard" : "apply", n);
                make_scene(how, action);
                int errnum = errors[n % 6];
                sim_disk_arm(n, errnum);
                int rc = recover(action, &err);
                bool fired = sim_disk_fired();
                if (fired && errnum == EINTR && rc != SWIM_OK)
                    fail_msg("%s: interrupted, %s", at_text, err.text);
                if (fired && errnum != EINTR && rc == SWIM_OK && how != NOT)
                    /* to give the file to its owner is left to luck */
                    fail_msg("%s: the error was not told", at_text);
                assert_old_or_new(how == NOT && action == RECOVER_APPLY);
                sim_disk_arm(0, 0);
                swim_error_clear(&err);
                if (recover(action, &err) != SWIM_OK)
                    fail_msg("%s: %s", at_text, err.text);
                assert_is_done(false);
                points++;
                if (!fired)
                    break;
            }
    print_message("%u points\n", points);
    assert_true(points > 50);
    sim_disk_reset();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_error_at_any_call_loses_nothing),
        cmocka_unit_test(stopped_anywhere_it_can_be_run_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
