/* test_txn_sync.c - what a sync that failed has lost is not taken for being on the
 * disk.
 *
 * Linux reports such a failure once, and forgets what it could not write: the bytes can
 * still be read, and the next sync succeeds without them.  A session commits, with a
 * sync and without; one of its syncs fails; it goes on; perhaps another one follows,
 * which was told nothing; then power fails.  What was acknowledged with a sync must be
 * there; of what was committed without, and not with a later one, nothing is said
 * here.  Nor of what a killed session did not sync. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "sim_disk.h"
#include "store/txn_private.h"

#define PATH "/data/a.h5"
#define FIRST 6000U
#define BYTES 60000U
#define COMMITS 12

struct image {
    uint64_t size;
    unsigned char bytes[BYTES];
};

/* What may be found: all that was committed since the last that is there for good. */
static struct {
    struct image made, may_be[COMMITS + 3];
    int n;
    bool loose; /* the last commit was without a sync */
    unsigned dice;
} story;
static struct image found;

static unsigned dice(unsigned sides)
{
    story.dice = story.dice * 1664525U + 1013904223U;
    return (story.dice >> 8) % sides;
}

static int open_txn(struct txn **t, bool write, unsigned char boot)
{
    const struct txn_options opt = {.io = &sim_disk_io,
                                    .write = write,
                                    .flocks = dice(4) > 0,
                                    .rewrite_over = dice(2) ? 1 : 0,
                                    .boot = {boot},
                                    .fence = 1};

    return txn_open(t, PATH, &opt, NULL);
}

static void story_begin(unsigned seed)
{
    memset(&story, 0, sizeof(story));
    story.dice = seed;
    story.made.size = FIRST;
    for (unsigned i = 0; i < FIRST; i++)
        story.made.bytes[i] = (unsigned char)(i % 251);
    story.may_be[story.n++] = story.made;
    sim_disk_reset();
    sim_disk_put(PATH, story.made.bytes, FIRST);
}

static int change(struct txn *t, struct image *made)
{
    unsigned char bytes[3000];
    size_t size = 1 + dice(sizeof(bytes));
    uint64_t place = dice(2) ? made->size : dice((unsigned)made->size);

    memset(bytes, (int)(1 + dice(250)), size);
    memcpy(made->bytes + place, bytes, size);
    if (place + size > made->size)
        made->size = place + size;
    return txn_write(t, bytes, size, place, NULL);
}

/* What fails is given up, and the session goes on all the same. */
static void commit(struct txn *t, bool sync)
{
    struct image *made = &story.may_be[story.n++];

    *made = story.made;
    int rc = change(t, made);
    if (rc == SWIM_OK)
        rc = change(t, made);
    if (rc == SWIM_OK)
        rc = txn_commit(t, sync, NULL);
    if (rc != SWIM_OK) {
        (void)txn_abort(t, NULL);
        return;
    }
    story.made = *made;
    story.loose = !sync;
    if (sync) {
        story.may_be[0] = *made;
        story.n = 1;
    }
}

static void story_tell(void)
{
    struct txn *t = NULL;

    if (open_txn(&t, true, 1) != SWIM_OK)
        return;
    for (int commits = 0; commits < COMMITS; commits++)
        commit(t, dice(2));
    commit(t, true);
    if (dice(2))
        (void)txn_checkpoint(t, NULL);
    txn_close(t);
}

/* The one of those that may be that is found.  Where a power failure took the journal,
 * what a commit has added to the file itself may be behind the end. */
static struct image *find(struct txn *t, unsigned seed, long n)
{
    const bool longer = txn_number(t) == 0;

    memset(&found, 0, sizeof(found));
    found.size = txn_size(t);
    assert_in_range(found.size, 0, BYTES);
    assert_int_equal(txn_read(t, found.bytes, found.size, 0, NULL), SWIM_OK);
    for (int i = 0; i < story.n; i++) {
        struct image *is = &story.may_be[i];
        if ((found.size == is->size || (longer && found.size > is->size)) &&
            memcmp(found.bytes, is->bytes, is->size) == 0)
            return is;
    }
    fail_msg("seed %u, call %ld: what was acknowledged is not there", seed, n);
    return NULL;
}

static void look(unsigned seed, long n)
{
    struct txn *t = NULL;

    if (open_txn(&t, false, 2) != SWIM_OK)
        fail_msg("seed %u, call %ld: it cannot be opened", seed, n);
    (void)find(t, seed, n);
    txn_close(t);
}

/* Another program of the same boot, whose syncs all succeed. */
static void follow(unsigned seed, long n)
{
    swim_error_t err = {0};
    struct txn *t = NULL;

    sim_disk_restart(false, 0);
    if (open_txn(&t, true, 1) != SWIM_OK)
        fail_msg("seed %u, call %ld: it cannot be written to", seed, n);
    story.made = *find(t, seed, n);
    int rc = change(t, &story.made);
    if (rc == SWIM_OK)
        rc = txn_commit(t, true, &err);
    if (rc != SWIM_OK)
        fail_msg("seed %u, call %ld: %s", seed, n, err.text);
    txn_close(t);
    story.may_be[0] = story.made;
    story.n = 1;
}

static void tell_all(bool another)
{
    unsigned points = 0;

    for (unsigned seed = 1; seed <= 60; seed++)
        for (long n = 1;; n++) {
            story_begin(seed);
            sim_disk_arm(n, EIO);
            story_tell();
            if (!sim_disk_fired())
                break;
            if (story.loose)
                continue;
            if (another)
                follow(seed, n);
            sim_disk_restart(true, seed * 1000 + (unsigned)n);
            look(seed, n);
            points++;
        }
    print_message("%u points\n", points);
    assert_true(points > 500);
    sim_disk_reset();
}

static void what_a_failed_sync_lost_is_not_acknowledged(void **state)
{
    (void)state;
    tell_all(false);
}

static void nor_by_a_session_that_comes_later(void **state)
{
    (void)state;
    tell_all(true);
}

enum { AT_ONCE, BY_A_THREAD, ANEW, HOWS };

/* A session writes and commits, and is killed at its nth call. */
static bool kill_one(int how, long n, uint64_t place, uint64_t fence)
{
    const struct txn_options opt = {
        .io = &sim_disk_io, .write = true, .flocks = true, .boot = {1}, .fence = fence};
    static unsigned char bytes[3000];
    struct txn *t = NULL;

    memset(bytes, (int)fence, sizeof(bytes));
    sim_disk_arm(n, 0);
    int rc = how == ANEW ? txn_create(&t, PATH, &opt, false, 0600, NULL)
                         : txn_open(&t, PATH, &opt, NULL);
    if (rc == SWIM_OK)
        rc = txn_write(t, bytes, sizeof(bytes), place, NULL);
    if (rc == SWIM_OK)
        rc = how == BY_A_THREAD ? txn_commit_begin(t, NULL) : txn_commit(t, true, NULL);
    if (rc == SWIM_OK)
        (void)txn_commit_end(t, NULL);
    bool fired = sim_disk_fired();
    txn_close(t);
    sim_disk_restart(false, 0);
    return fired;
}

/* The first is killed between its record and the sync behind that, the second one in
 * its own commit, and power fails: the second commit alone would tell of damage. */
static unsigned kill_two(int how, long first, long second)
{
    unsigned seed = 1;

    for (; seed <= 60; seed++) {
        struct txn *t = NULL;
        story_begin(1);
        (void)kill_one(AT_ONCE, first, 100, 1);
        if (!kill_one(how, second, 3100, 2))
            break;
        sim_disk_restart(true, seed);
        if (open_txn(&t, false, 2) != SWIM_OK)
            fail_msg("%d, calls %ld and %ld, seed %u: it cannot be opened", how, first,
                     second, seed);
        txn_close(t);
    }
    return seed - 1;
}

static void a_commit_that_was_found_is_on_the_disk_before_the_next(void **state)
{
    unsigned points = 0;

    (void)state;
    for (int how = 0; how < HOWS; how++)
        for (long first = 1; first < 12; first++)
            for (long second = 1; second < 14; second++)
                points += kill_two(how, first, second);
    print_message("%u points\n", points);
    assert_true(points > 6000);
    sim_disk_reset();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_failed_sync_lost_is_not_acknowledged),
        cmocka_unit_test(nor_by_a_session_that_comes_later),
        cmocka_unit_test(a_commit_that_was_found_is_on_the_disk_before_the_next),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
