/* test_txn_crash.c - a transaction that ends at any call leaves the old state or the
 * new one.
 *
 * A story, made by a seed, opens, writes, commits, gives up and closes.  It is stopped
 * at its nth call, n = 1, 2, ... until it comes to its end; then power fails or does
 * not, and whoever opens the file sees each byte of the last commit that was
 * acknowledged, or of the one that was being made.  Recovery is stopped likewise. */
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
#include "sim_thread.h"
#include "store/txn_private.h"

#define PATH "/data/a.h5"
#define JOURNAL PATH JOURNAL_SUFFIX
#define BYTES 40000U /* the most that the file has */
#define CANDIDATES 40

struct image {
    uint64_t size;
    unsigned char bytes[BYTES];
};

/* Where it is; told when a test has failed. */
static unsigned long at_seed;
static long at_call;

/* What the story has done so far. */
static struct {
    struct image base, made; /* what was found or committed last; what is made of it */
    bool fresh;              /* it is made from nothing */
    /* What may be found: the last commit that was acknowledged, and those made since.
     */
    struct image may_be[CANDIDATES];
    int n;
    bool under_way; /* a commit: the last one of may_be, and it is `base` */
    /* A state that was once committed, and its name. */
    struct txn_snapshot at;
    struct image pinned;
    bool has_pinned;
    uint64_t fence;
    unsigned dice;
    unsigned char boot;
} story;

/* What the stories came to. */
static unsigned rewritten, snapshots_read, snapshots_gone, begun, over_early;

static int may_rewrite(void *arg)
{
    (void)arg;
    rewritten++;
    return SWIM_OK;
}

static unsigned dice(unsigned sides)
{
    story.dice = story.dice * 1664525U + 1013904223U;
    return (story.dice >> 8) % sides;
}

static int open_txn(struct txn **t, bool write, swim_error_t *err)
{
    struct txn_options opt = {.io = &sim_disk_io, .write = write, .flocks = true};

    opt.flocks = dice(4) > 0;
    opt.rewrite_over = write && dice(3) ? 1 : 0;
    opt.may_rewrite = may_rewrite;
    opt.boot[0] = story.boot;
    opt.fence = ++story.fence;
    return txn_open(t, PATH, &opt, err);
}

static int create_txn(struct txn **t, swim_error_t *err)
{
    struct txn_options opt = {.io = &sim_disk_io, .write = true, .flocks = true};

    opt.flocks = dice(4) > 0;
    opt.boot[0] = story.boot;
    opt.fence = ++story.fence;
    int rc = txn_create(t, PATH, &opt, false, 0600, err);
    story.fresh = rc == SWIM_OK;
    if (rc == SWIM_OK)
        memset(&story.made, 0, sizeof(story.made));
    return rc;
}

/* Not more than half of it is new; some of it is what is there. */
static int write_somewhere(struct txn *t, swim_error_t *err)
{
    unsigned char bytes[24000];
    size_t size = 1 + dice(dice(3) ? 700 : sizeof(bytes));
    uint64_t place = dice(4) ? dice((unsigned)story.made.size + 1) : dice(BYTES);

    if (size > BYTES - place)
        size = BYTES - (size_t)place;
    memcpy(bytes, story.made.bytes + place, size);
    for (size_t i = dice(2) ? 0 : dice((unsigned)size + 1); i < size; i++)
        bytes[i] = (unsigned char)dice(256);
    memcpy(story.made.bytes + place, bytes, size);
    if (size > 0 && place + size > story.made.size)
        story.made.size = place + size;
    return txn_write(t, bytes, size, place, err);
}

/* What is cut off is written before it is read, as HDF5 does. */
static int set_size(struct txn *t, swim_error_t *err)
{
    uint64_t size = dice(2) ? story.made.size + dice(500) : dice(BYTES);

    size = size < BYTES ? size : BYTES;
    if (size < story.made.size)
        size = story.made.size - (story.made.size - size) % 300;
    if (size > story.made.size) {
        uint64_t more = size - story.made.size;
        memset(story.made.bytes + story.made.size, 7, more);
        story.made.size = size;
        return txn_write(t, story.made.bytes + size - more, more, size - more, err);
    }
    memset(story.made.bytes + size, 0, story.made.size - size);
    story.made.size = size;
    return txn_set_size(t, size, err);
}

/* The commit under way has been acknowledged, or is to be. */
static int commit_end(struct txn *t, swim_error_t *err)
{
    if (!story.under_way)
        return SWIM_OK;
    over_early += txn_commit_is_over(t);
    int rc = txn_commit_end(t, err);
    if (rc != SWIM_OK)
        return rc;
    story.may_be[0] = story.may_be[story.n - 1];
    story.n = 1;
    story.under_way = false;
    return rc;
}

/* One that is to be acknowledged later, while others write. */
static int commit_begin(struct txn *t, swim_error_t *err)
{
    bool nothing = memcmp(&story.made, &story.base, sizeof(story.made)) == 0;

    if (story.fresh || nothing)
        return SWIM_OK;
    assert_in_range(story.n, 1, CANDIDATES - 1);
    story.may_be[story.n++] = story.made;
    int rc = txn_commit_begin(t, err);
    if (rc != SWIM_OK)
        return rc;
    story.may_be[0] = story.may_be[story.n - 2]; /* it has ended the one before */
    story.may_be[1] = story.base = story.made;
    story.n = 2;
    story.under_way = true;
    begun++;
    return rc;
}

static int commit_as_it_is(struct txn *t, swim_error_t *err)
{
    /* That does not ask whether what was found is there for good. */
    bool nothing =
        !story.fresh && memcmp(&story.made, &story.base, sizeof(story.made)) == 0;

    assert_in_range(story.n, 1, CANDIDATES - 1);
    if (!nothing)
        story.may_be[story.n++] = story.made;
    int rc = txn_commit(t, true, err);
    if (rc == SWIM_OK && story.under_way)
        nothing = story.under_way = false;
    if (rc != SWIM_OK || nothing)
        return rc;
    story.base = story.may_be[0] = story.made;
    story.n = 1;
    story.fresh = false;
    return rc;
}

/* Perhaps the journal is written anew, also when it is not long. */
static int commit(struct txn *t, swim_error_t *err)
{
    int rc = commit_as_it_is(t, err);

    if (rc != SWIM_OK || dice(3) || txn_number(t) == 0)
        return rc;
    rewritten++;
    return txn_rewrite(t, err);
}

static void pin(const struct txn *t)
{
    if (story.fresh || story.under_way)
        return;
    txn_snapshot(t, &story.at);
    story.pinned = story.base;
    story.has_pinned = true;
}

static int give_up(struct txn *t, swim_error_t *err)
{
    if (story.fresh)
        memset(&story.made, 0, sizeof(story.made));
    else
        story.made = story.base;
    story.under_way = false; /* it is ended, and nobody says how */
    return txn_abort(t, err);
}

static int step(struct txn *t, swim_error_t *err)
{
    switch (dice(13)) {
    case 10:
    case 11:
        return commit_begin(t, err);
    case 12:
        return commit_end(t, err);
    case 4:
        pin(t);
        return SWIM_OK;
    case 0:
    case 1:
        return commit(t, err);
    case 2:
        return give_up(t, err);
    case 3:
        return set_size(t, err);
    default:
        return write_somewhere(t, err);
    }
}

/* One session; the checkpoint at its end may be left to another. */
static int session(swim_error_t *err)
{
    struct txn *t = NULL;
    unsigned steps = 1 + dice(7);

    int rc = dice(4) ? open_txn(&t, true, err) : create_txn(&t, err);
    for (; rc == SWIM_OK && steps > 0; steps--)
        rc = step(t, err);
    if (rc == SWIM_OK && dice(4)) {
        rc = commit(t, err);
        if (rc == SWIM_OK && dice(2))
            rc = txn_checkpoint(t, err);
    }
    if (rc == SWIM_OK)
        rc = commit_end(t, err); /* a close says nothing of it */
    if (rc == SWIM_OK)
        story.made = story.base; /* close gives up what is uncommitted */
    story.fresh = story.under_way = false;
    txn_close(t);
    return rc;
}

static void story_begin(unsigned seed)
{
    memset(&story.made, 0, sizeof(story.made));
    story.has_pinned = story.fresh = story.under_way = false;
    story.fence = 0;
    story.dice = seed;
    story.boot = 1;
    story.made.size = 1 + dice(BYTES / 2);
    for (size_t i = 0; i < story.made.size; i++)
        story.made.bytes[i] = (unsigned char)dice(256);
    story.base = story.may_be[0] = story.made;
    story.n = 1;
    sim_thread_seed(seed);
    sim_disk_reset();
    sim_disk_put(PATH, story.made.bytes, story.made.size);
}

static int story_tell(swim_error_t *err)
{
    int rc = SWIM_OK;

    for (unsigned sessions = 1 + dice(3); rc == SWIM_OK && sessions > 0; sessions--)
        rc = session(err);
    return rc;
}

static bool is_image(struct txn *t, const struct image *image, bool longer)
{
    static unsigned char bytes[BYTES];

    if (txn_size(t) != image->size && !(longer && txn_size(t) > image->size))
        return false;
    assert_int_equal(txn_read(t, bytes, image->size, 0, NULL), SWIM_OK);
    return memcmp(bytes, image->bytes, image->size) == 0;
}

/* One of those that may be, and that is the state from here on.  After a power failure,
 * without a journal, what a writer has added behind the end may have been kept. */
static void find_state(struct txn *t, bool longer, const char *who)
{
    int found = story.n - 1;

    while (found >= 0 && !is_image(t, &story.may_be[found], longer))
        found--;
    if (found < 0)
        fail_msg(
            "%s finds neither the last commit (%ju bytes) nor one made since (%d): "
            "it has %ju",
            who, (uintmax_t)story.may_be[0].size, story.n - 1, (uintmax_t)txn_size(t));
    struct image *it = &story.may_be[found];
    if (longer) {
        assert_in_range(txn_size(t), 0, BYTES);
        it->size = txn_size(t);
        assert_int_equal(txn_read(t, it->bytes, it->size, 0, NULL), SWIM_OK);
    }
    story.base = story.made = *it;
    story.fresh = story.under_way = false;
}

/* It is what it was, or not there any more. */
static void assert_snapshot_holds(void)
{
    struct txn_options opt = {.io = &sim_disk_io, .at = &story.at, .flocks = true};
    swim_error_t err = {0};
    struct txn *t = NULL;

    if (!story.has_pinned)
        return;
    opt.boot[0] = story.boot;
    int rc = txn_open(&t, PATH, &opt, &err);
    if (rc == SWIM_OK && !is_image(t, &story.pinned, false))
        fail_msg("the state %ju is another one now", (uintmax_t)story.at.number);
    if (rc != SWIM_OK && rc != SWIM_ERR_ARG)
        fail_msg("a reader of a snapshot does not open it: %s", err.text);
    snapshots_read += rc == SWIM_OK;
    snapshots_gone += rc != SWIM_OK;
    txn_close(t);
}

static void assert_reader_finds_it(bool longer)
{
    swim_error_t err = {0};
    struct txn *t = NULL;

    if (open_txn(&t, false, &err) != SWIM_OK)
        fail_msg("a reader does not open it: %s", err.text);
    find_state(t, longer && txn_number(t) == 0, "a reader");
    txn_close(t);
}

/* Write once more, and copy all into the file: SWIM_OK unless it is stopped. */
static int recover(bool longer, bool stop, swim_error_t *err)
{
    struct txn *t = NULL;

    int rc = open_txn(&t, true, err);
    if (rc == SWIM_OK && sim_disk_fired()) /* as it removed what is of no use */
        rc = SWIM_ERR_IO;
    if (rc == SWIM_OK)
        find_state(t, longer && txn_number(t) == 0, "a writer");
    if (rc == SWIM_OK && dice(2))
        rc = write_somewhere(t, err);
    if (rc == SWIM_OK)
        rc = commit_as_it_is(t, err);
    /* What made the journal anew may have been stopped without a word. */
    if (rc == SWIM_OK && stop && dice(4) == 0 && !sim_disk_fired())
        sim_disk_arm(1, 0); /* no further */
    if (rc == SWIM_OK)
        rc = txn_checkpoint(t, err);
    if (rc == SWIM_OK && dice(3) == 0) { /* and give something up */
        rc = write_somewhere(t, err);
        story.made = story.base;
    }
    txn_close(t);
    return rc;
}

static void assert_file_is_it(void)
{
    static unsigned char bytes[BYTES + SIM_FILE_MAX];

    long size = sim_disk_get(PATH, bytes, sizeof(bytes));
    assert_int_equal(size, story.base.size);
    assert_memory_equal(bytes, story.base.bytes, story.base.size);
    assert_int_equal(sim_disk_get(JOURNAL, bytes, 0), -1);
}

/* A program that knows nothing of all this changes the file; no journal that had been
 * removed comes back. */
static void assert_others_may_change_it(unsigned seed)
{
    static unsigned char bytes[SIM_FILE_MAX];
    struct iovec part = {story.base.bytes, story.base.size};

    sim_disk_arm(0, 0);
    int fd = sim_disk_io.open(PATH, O_RDWR, 0);
    memset(story.base.bytes, 9, story.base.size);
    assert_int_equal(sim_disk_io.pwritev(fd, &part, 1, 0), story.base.size);
    assert_int_equal(sim_disk_io.fdatasync(fd), 0);
    sim_disk_restart(true, seed);
    story.may_be[0] = story.base;
    story.n = 1;
    assert_reader_finds_it(false);
    assert_int_equal(sim_disk_get(JOURNAL, bytes, 0), -1);
}

/* Stop, look, and go on until recovery comes to its end. */
static void stop_and_recover(unsigned seed, unsigned *points)
{
    bool longer = false, stopped = true, power = false;
    unsigned restarts = 0;
    swim_error_t err = {0};

    while (stopped) {
        power = dice(2);
        ++*points;
        sim_disk_restart(power, seed + ++restarts);
        story.boot = (unsigned char)(story.boot + power);
        longer |= power;
        assert_reader_finds_it(longer);
        assert_snapshot_holds();
        if (dice(2))
            sim_disk_arm(1 + (long)dice(14), 0);
        swim_error_clear(&err);
        int rc = recover(longer, true, &err);
        stopped = sim_disk_fired();
        if (!stopped && rc != SWIM_OK)
            fail_msg("recovery: %s", err.text);
    }
    assert_file_is_it();
    /* One that was killed right after it removed the journal, before that was synced,
     * leaves it to luck. */
    if (power)
        assert_others_may_change_it(seed);
}

static unsigned long from_environment(const char *name, unsigned long usual)
{
    const char *text = getenv(name);

    return text ? strtoul(text, NULL, 10) : usual;
}

static void stopped_anywhere_it_is_old_or_new(void **state)
{
    unsigned long first = from_environment("SWIM_CRASH_SEED", 1);
    unsigned long wanted =
        from_environment("SWIM_CRASH_POINTS", getenv("SWIM_LONG") ? 200000 : 20000);
    unsigned points = 0;

    (void)state;
    for (unsigned long seed = first; points < wanted; seed++) {
        for (long n = 1;; n++) {
            swim_error_t err = {0};
            at_seed = seed;
            at_call = n;
            story_begin((unsigned)seed);
            sim_disk_arm(n, 0);
            int rc = story_tell(&err);
            if (!sim_disk_fired()) {
                if (rc != SWIM_OK)
                    fail_msg("the story: %s", err.text);
                break;
            }
            stop_and_recover((unsigned)(seed * 1000 + (unsigned long)n), &points);
        }
    }
    print_message("%u points from seed %lu on; journals rewritten %u times, snapshots "
                  "read %u times, gone %u times; commits begun %u, %u over before they "
                  "were waited for\n",
                  points, first, rewritten, snapshots_read, snapshots_gone, begun,
                  over_early);
    if (first == 1 && points >= 20000)
        assert_true(rewritten > 1000 && snapshots_read > 100 && snapshots_gone > 100 &&
                    begun > 1000 && over_early > 100);
    sim_disk_reset();
}

/* The program goes on, and closes; so does the disk. */
static void an_error_at_any_call_leaves_old_or_new(void **state)
{
    static const int errors[] = {EIO, ENOSPC, EDQUOT, ESTALE, EINTR, SIM_SHORT};
    unsigned points = 0;

    (void)state;
    for (unsigned seed = 1; seed <= 90; seed++)
        for (long n = 1;; n++) {
            swim_error_t err = {0};
            at_seed = seed;
            at_call = n;
            story_begin(seed);
            int errnum = errors[(seed + (unsigned)n) % 6];
            sim_disk_arm(n, errnum);
            int rc = story_tell(&err);
            if (!sim_disk_fired())
                break;
            /* An interrupted call is made again. */
            if (errnum == EINTR && (rc != SWIM_OK || err.code != SWIM_OK))
                fail_msg("interrupted: %s", err.text);
            /* What fails at the end of a session is for the next one to mend. */
            assert_true(rc == SWIM_OK || rc == SWIM_ERR_IO || rc == SWIM_ERR_UNSURE);
            assert_true(rc == SWIM_OK || strstr(err.text, PATH) ||
                        strstr(err.text, "/data"));
            sim_disk_arm(0, 0);
            assert_reader_finds_it(false);
            assert_snapshot_holds();
            swim_error_clear(&err);
            if (recover(false, false, &err) != SWIM_OK)
                fail_msg("recovery: %s", err.text);
            assert_file_is_it();
            points++;
        }
    print_message("%u points\n", points);
    assert_true(points > 500);
    sim_disk_reset();
}

enum { READERS = 4 };
struct reader {
    struct txn *txn;
    struct image image;
};

/* Open one that is not open, close one that is, or read on. */
static void reader_step(struct reader *r)
{
    static unsigned char bytes[BYTES];

    if (!r->txn) {
        assert_int_equal(open_txn(&r->txn, false, NULL), SWIM_OK);
        r->image = is_image(r->txn, &story.base, false) ? story.base : story.may_be[0];
    }
    uint64_t place = dice((unsigned)r->image.size + 1);
    size_t size = dice((unsigned)(r->image.size - place) + 1);
    assert_int_equal(txn_size(r->txn), r->image.size);
    assert_int_equal(txn_read(r->txn, bytes, size, place, NULL), SWIM_OK);
    assert_memory_equal(bytes, r->image.bytes + place, size);
    if (dice(6) == 0) {
        txn_close(r->txn);
        r->txn = NULL;
    }
}

/* Nobody copies the journal into the file meanwhile: that needs WRITE. */
static void readers_see_one_state_from_open_to_close(void **state)
{
    static struct reader readers[READERS];

    (void)state;
    for (unsigned seed = 1; seed <= 200; seed++) {
        at_seed = seed;
        story_begin(seed);
        for (int sessions = 0; sessions < 4; sessions++) {
            struct txn *t = NULL;
            assert_int_equal(open_txn(&t, true, NULL), SWIM_OK);
            for (unsigned steps = dice(20); steps > 0; steps--) {
                assert_int_equal(step(t, NULL), SWIM_OK);
                reader_step(&readers[dice(READERS)]);
            }
            txn_close(t);
            story.made = story.base;
            for (int n = 0; n < READERS; n++)
                reader_step(&readers[n]);
        }
        for (int n = 0; n < READERS; n++) {
            txn_close(readers[n].txn);
            readers[n].txn = NULL;
        }
    }
    sim_disk_reset();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readers_see_one_state_from_open_to_close),
        cmocka_unit_test(an_error_at_any_call_leaves_old_or_new),
        cmocka_unit_test(stopped_anywhere_it_is_old_or_new),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    if (failed)
        fprintf(stderr, "the last was SWIM_CRASH_SEED=%lu, stopped at call %ld\n",
                at_seed, at_call);
    return failed;
}
