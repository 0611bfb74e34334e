/* test_region.c - the memory that a rank's processes share, with real processes. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "batch/region.h"
#include "core/clock.h"

#define BLOCKS 20000
#define READERS 4

static int setup(void **state)
{
    struct region *region = NULL;
    swim_error_t err = {0};

    if (region_create(1 << 20, &region, &err) != SWIM_OK)
        return -1;
    *state = region;
    return region_layout(region, READERS, 2, 1000, 0, &err);
}

static int teardown(void **state)
{
    region_destroy(*state);
    return 0;
}

/* The rank's side: fills free items with the blocks from *next, takes back those that
 * are done. */
static void rank_turn(struct region *region, uint64_t *next, uint64_t most,
                      unsigned char *done)
{
    for (uint32_t i = 0; i < REGION_ITEMS; i++) {
        struct item *item = &region->items[i];
        if (item_state_of(atomic_load(&item->state)) == ITEM_DONE) {
            done[item->block]++;
            atomic_store(&item->state, ITEM_FREE);
        }
        if (atomic_load(&item->state) == ITEM_FREE && *next < most) {
            item->block = (*next)++;
            atomic_store(&item->seq, *next);
            region_queue(region, i);
        }
    }
}

/* Fills slots until told to stop; dies in the middle of every dies_at-th block. */
_Noreturn static void reader_process(struct region *region, uint32_t reader,
                                     int dies_at)
{
    uint32_t item, at = reader * region->slots_each;

    for (int n = 1; !atomic_load(&region->stop);) {
        if (atomic_load(&region_slot(region, at)->state) != SLOT_FREE) {
            region_wait(&region_reader(region, reader)->slot_freed, 5);
            continue;
        }
        if (!region_take(region, reader, 20, &item))
            continue;
        struct slot *slot = region_slot(region, at);
        atomic_store(&slot->state, SLOT_FILLING);
        if (n++ == dies_at)
            _exit(1);
        slot->item = item;
        slot->seq = atomic_load(&region->items[item].seq);
        slot->block = region->items[item].block;
        *(uint64_t *)region_payload(region, at) = slot->block;
        atomic_store(&slot->state, SLOT_READY);
        sem_post(&region->slot_ready);
    }
    _exit(0);
}

static pid_t reader_fork(struct region *region, uint32_t reader, int dies_at)
{
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0)
        reader_process(region, reader, dies_at);
    return pid;
}

/* Write what is ready, and commit it, or die before that. */
static void writer_turn(struct region *region, bool dies)
{
    uint32_t written[READERS * 2], n = 0;

    for (uint32_t s = 0; s < region_slots(region); s++) {
        if (!region_slot_ready(region, s))
            continue;
        assert_int_equal(*(uint64_t *)region_payload(region, s),
                         region_slot(region, s)->block);
        written[n++] = region_slot_written(region, s);
    }
    if (dies)
        region_writer_gone(region);
    for (uint32_t i = 0; i < n && !dies; i++)
        region_item_done(region, written[i]);
}

static void each_block_is_done_once_though_all_die(void **state)
{
    struct region *region = *state;
    unsigned char *done = calloc(BLOCKS, 1);
    int64_t until = swim_clock_mono_ns() + 60000000000LL;
    uint64_t next = 0, n_done = 0, deaths = 0, turn = 0;
    pid_t pids[READERS];
    int status = 0;

    assert_non_null(done);
    for (uint32_t r = 0; r < READERS; r++)
        pids[r] = reader_fork(region, r, 300);
    while (n_done < BLOCKS) {
        assert_true(swim_clock_mono_ns() < until);
        rank_turn(region, &next, BLOCKS, done);
        region_wait(&region->slot_ready, 1);
        writer_turn(region, turn++ % 7 == 0);
        for (uint32_t r = 0; r < READERS; r++) {
            uint32_t item;
            if (waitpid(pids[r], &status, WNOHANG) != pids[r])
                continue;
            deaths++;
            assert_true(region_reader_gone(region, r, &item));
            region_queue(region, item);
            pids[r] = reader_fork(region, r, 300);
        }
        n_done = 0;
        for (uint64_t b = 0; b < BLOCKS; b++)
            n_done += done[b];
    }
    region_stop(region);
    for (uint32_t r = 0; r < READERS; r++)
        assert_int_equal(waitpid(pids[r], &status, 0), pids[r]);
    for (uint64_t b = 0; b < BLOCKS; b++)
        assert_int_equal(done[b], 1);
    assert_true(deaths >= BLOCKS / 400);
    free(done);
}

/* Fill a slot of reader 0 with the block of an item, as it does. */
static void fill_slot(struct region *region, uint32_t item)
{
    struct slot *slot = region_slot(region, 0);

    slot->item = item;
    slot->seq = atomic_load(&region->items[item].seq);
    atomic_store(&slot->state, SLOT_READY);
}

static void a_slot_that_a_dead_writer_did_not_free_is_not_written_again(void **state)
{
    struct region *region = *state;
    unsigned char done[8] = {0};
    uint64_t next = 0;
    uint32_t item;

    rank_turn(region, &next, 1, done);
    assert_true(region_take(region, 0, 0, &item));
    fill_slot(region, item);
    assert_true(region_slot_ready(region, 0));
    /* Committed, and the writer died between these two. */
    atomic_store(&region->items[item].state, ITEM_DONE);
    rank_turn(region, &next, 2, done);
    assert_int_equal(done[0], 1);
    while (region_take(region, 1, 0, &item))
        assert_int_equal(region->items[item].block, 1); /* in the same item */
    assert_false(region_slot_ready(region, 0));
    assert_int_equal(atomic_load(&region_slot(region, 0)->state), SLOT_FREE);
}

static void what_a_dead_writer_had_not_committed_is_done_again(void **state)
{
    struct region *region = *state;
    unsigned char done[8] = {0};
    uint64_t next = 0;
    uint32_t items[3], item;

    rank_turn(region, &next, 3, done);
    for (int i = 0; i < 3; i++) {
        assert_true(region_take(region, 0, 0, &items[i]));
        fill_slot(region, items[i]);
        assert_true(region_slot_ready(region, 0));
        assert_int_equal(region_slot_written(region, 0), items[i]);
        assert_int_equal(atomic_load(&region_slot(region, 0)->state), SLOT_FREE);
        assert_false(region_slot_ready(region, 0));
    }
    region_item_done(region, items[0]);
    /* It died before it freed the slot of the last one, and before it committed two. */
    atomic_store(&region_slot(region, 0)->state, SLOT_READY);
    region_writer_gone(region);
    rank_turn(region, &next, 3, done);
    assert_int_equal(done[0], 1);
    assert_true(region_slot_ready(region, 0));
    assert_int_equal(region_slot_written(region, 0), items[2]);
    region_item_done(region, items[2]);
    assert_true(region_take(region, 1, 0, &item));
    assert_int_equal(item, items[1]);
    assert_false(region_take(region, 1, 0, &item));
    /* A reader that dies has nothing to do with what is written. */
    rank_turn(region, &next, 3, done);
    assert_int_equal(done[1] + 2 * done[2], 2);
    assert_false(region_reader_gone(region, 0, &item));
}

static void a_finished_block_of_a_dead_reader_is_kept(void **state)
{
    struct region *region = *state;
    unsigned char done[8] = {0};
    uint64_t next = 0;
    uint32_t first, second, at;

    rank_turn(region, &next, 2, done);
    assert_true(region_take(region, 0, 0, &first));
    fill_slot(region, first);
    assert_true(region_take(region, 0, 0, &second));
    atomic_store(&region_slot(region, 1)->state, SLOT_FILLING);
    assert_true(region_reader_gone(region, 0, &at));
    assert_int_equal(at, second);
    assert_true(region_slot_ready(region, 0));
    assert_int_equal(atomic_load(&region_slot(region, 1)->state), SLOT_FREE);
    region_queue(region, at);
    assert_false(region_reader_gone(region, 0, &at));
}

static void what_is_queued_is_found_without_a_post(void **state)
{
    struct region *region = *state;
    unsigned char done[8] = {0};
    uint64_t next = 0;
    uint32_t item;

    rank_turn(region, &next, 1, done);
    assert_true(region_wait(&region->blocks_ready, 0)); /* by a reader that died */
    assert_true(region_take(region, 0, 1, &item));
    assert_int_equal(region->items[item].block, 0);
}

static void the_block_ahead_is_the_one_after_those_of_others(void **state)
{
    struct region *region = *state;
    uint64_t block = 0;
    uint32_t item;

    for (uint32_t i = 0; i < 4; i++) {
        region->items[i].block = 100 + i;
        region_queue(region, i);
    }
    assert_true(region_take(region, 0, 0, &item));
    assert_int_equal(item, 0);
    assert_true(region_ahead(region, 1, &block));
    assert_int_equal(block, 102);
    assert_true(region_take(region, 1, 0, &item));
    assert_true(region_ahead(region, 1, &block));
    assert_int_equal(block, 103);
    assert_false(region_ahead(region, 2, &block));
}

static void payloads_do_not_overlap(void **state)
{
    struct region *region = *state;

    for (uint32_t s = 0; s < READERS * 2; s++)
        memset(region_payload(region, s), (int)s + 1, 1000);
    for (uint32_t s = 0; s < READERS * 2; s++) {
        const unsigned char *bytes = region_payload(region, s);
        for (int i = 0; i < 1000; i++)
            assert_int_equal(bytes[i], s + 1);
        assert_int_equal(atomic_load(&region_slot(region, s)->state), SLOT_FREE);
    }
    for (uint32_t r = 0; r < READERS; r++)
        assert_int_equal(atomic_load(&region_reader(region, r)->busy_ns), 0);
}

/* Of n bytes into a slot, in a process that is reader 1. */
static int ended_by(struct region *region, uint32_t slot, size_t n)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        volatile char *bytes = region_payload(region, slot);
        signal(SIGSEGV, SIG_DFL); /* a sanitizer would make a report of it */
        if (region_guard(region, 1, NULL) != SWIM_OK)
            _exit(1);
        for (size_t i = 0; i < n; i++)
            bytes[i] = 1;
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status);
}

static void a_reader_writes_into_its_own_slots_alone(void **state)
{
    struct region *region = *state;

    for (uint32_t s = 0; s < READERS * 2; s++) {
        bool own = s / 2 == 1;
        const char *next = region_payload(region, s + 1);
        assert_int_equal(ended_by(region, s, 1000), own ? 0 : SIGSEGV);
        assert_int_equal(ended_by(region, s, region->slot_stride + 1), SIGSEGV);
        assert_int_equal(*(const char *)region_payload(region, s), own);
        if (s + 1 < READERS * 2)
            assert_int_equal(*next, 0);
    }
}

static void what_is_queued_or_computed_is_at_work(void **state)
{
    struct region *region = *state;
    unsigned char done[8] = {0};
    uint64_t next = 0;
    uint32_t item;

    assert_false(region_at_work(region));
    rank_turn(region, &next, 1, done);
    assert_true(region_at_work(region));
    assert_true(region_take(region, 1, 1, &item));
    assert_false(region_at_work(region));
    atomic_store(&region_reader(region, 1)->busy_ns, swim_clock_mono_ns());
    assert_true(region_at_work(region));
}

static void a_layout_that_does_not_fit_is_refused(void **state)
{
    swim_error_t err = {0};

    assert_int_equal(region_layout(*state, READERS, 2, 1 << 20, 0, &err), SWIM_ERR_ARG);
    assert_int_equal(region_layout(*state, 0, 2, 1, 0, NULL), SWIM_ERR_ARG);
    assert_int_equal(region_layout(*state, 1 << 20, 2, 1, 0, NULL), SWIM_ERR_ARG);
}

static void the_first_error_wins(void **state)
{
    struct region *region = *state;
    swim_error_t first = {0}, second = {0}, got = {0};

    assert_int_equal(region_failed(region, &got), SWIM_OK);
    swim_error_set(&first, SWIM_ERR_KERNEL, "one");
    swim_error_set(&second, SWIM_ERR_IO, "two");
    region_fail(region, &first);
    region_fail(region, &second);
    assert_int_equal(region_failed(region, &got), SWIM_ERR_KERNEL);
    assert_string_equal(got.text, "one");
}

static void posts_that_nobody_waited_for_are_taken_at_once(void **state)
{
    sem_t sem;
    int left = -1;

    (void)state;
    assert_int_equal(sem_init(&sem, 0, 0), 0);
    region_wait_alone(&sem, 1); /* for nothing */
    for (int i = 0; i < 1000; i++)
        sem_post(&sem);
    region_wait_alone(&sem, 10000);
    assert_int_equal(sem_getvalue(&sem, &left), 0);
    assert_int_equal(left, 0);
    sem_destroy(&sem);
}

static void stop_wakes_who_waits_for_blocks(void **state)
{
    struct region *region = *state;
    int64_t start = swim_clock_mono_ns();
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        uint32_t item;
        region_take(region, 0, 20000, &item);
        _exit(0);
    }
    region_stop(region);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(swim_clock_mono_ns() - start < 10000000000LL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_block_is_done_once_though_all_die, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            a_slot_that_a_dead_writer_did_not_free_is_not_written_again, setup,
            teardown),
        cmocka_unit_test_setup_teardown(
            what_a_dead_writer_had_not_committed_is_done_again, setup, teardown),
        cmocka_unit_test_setup_teardown(a_finished_block_of_a_dead_reader_is_kept,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_queued_is_found_without_a_post, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            the_block_ahead_is_the_one_after_those_of_others, setup, teardown),
        cmocka_unit_test_setup_teardown(payloads_do_not_overlap, setup, teardown),
        cmocka_unit_test_setup_teardown(a_reader_writes_into_its_own_slots_alone, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_is_queued_or_computed_is_at_work, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_layout_that_does_not_fit_is_refused, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_first_error_wins, setup, teardown),
        cmocka_unit_test(posts_that_nobody_waited_for_are_taken_at_once),
        cmocka_unit_test_setup_teardown(stop_wakes_who_waits_for_blocks, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
