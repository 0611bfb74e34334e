/* test_coordinator.c - each block is handed out once, phases follow, stops stop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "batch/coordinator.h"

#define RANKS_MOST 9
#define BLOCKS_MOST 256

struct table {
    struct coordinator c;
    struct coordinator_rank ranks[RANKS_MOST];
    struct rank_report mine[RANKS_MOST];
    struct rank_orders orders;
    uint64_t todo[BLOCKS_MOST / 64];
    unsigned char done[2][BLOCKS_MOST / 8];
};

static struct block_failure failures[COORDINATOR_FAILURES_MOST];

/* What rank 0 does when it looks: bits of t->done. */
static void look(struct table *t)
{
    int32_t phase = t->c.phase < 0 ? 0 : t->c.phase;

    while (phase < (int32_t)t->c.n_phases &&
           coordinator_set_pass(&t->c, phase, t->done[phase]) == 0)
        phase++;
    if (phase == (int32_t)t->c.n_phases)
        coordinator_set_pass(&t->c, COORDINATOR_FINISHED, NULL);
}

static void set_done(struct table *t, uint64_t block)
{
    t->done[t->c.phase][block / 8] |= (unsigned char)(1u << (block % 8));
}

static void begin(struct table *t, uint32_t n_ranks, uint32_t n_phases,
                  const uint64_t *blocks)
{
    memset(t, 0, sizeof(*t));
    coordinator_init(&t->c, n_ranks, t->todo, failures);
    coordinator_set_work(&t->c, n_phases, blocks, false);
    for (uint32_t r = 0; r < n_ranks; r++) {
        t->mine[r].rank = r;
        t->mine[r].n_readers = 1;
        t->mine[r].digest = 42;
    }
}

static void ask(struct table *t, uint32_t rank)
{
    coordinator_handle(&t->c, t->ranks, &t->mine[rank], &t->orders);
}

static void nothing_is_handed_out_before_all_are_ready(void **state)
{
    const uint64_t blocks[1] = {10};
    struct table t;
    (void)state;

    begin(&t, 2, 1, blocks);
    look(&t);
    t.mine[0].ready = 1;
    t.mine[0].want = 5;
    ask(&t, 0);
    assert_int_equal(t.orders.phase, COORDINATOR_WAITING);
    assert_int_equal(t.orders.count, 0);
    t.mine[1].ready = 1;
    ask(&t, 1);
    ask(&t, 0);
    assert_int_equal(t.orders.phase, 0);
    assert_true(t.orders.count > 0);
}

static void each_rank_is_told_the_states_of_the_inputs_in_turn(void **state)
{
    const uint64_t blocks[1] = {10};
    struct source_state states[SETUP_INPUTS_MAX];
    struct table t;
    (void)state;

    for (int i = 0; i < SETUP_INPUTS_MAX; i++)
        memset(&states[i], i + 1, sizeof(states[i]));
    begin(&t, 2, 1, blocks);
    ask(&t, 1);
    assert_int_equal(t.orders.n_states, 0);
    coordinator_set_states(&t.c, states, SETUP_INPUTS_MAX);
    for (uint32_t i = 0; i < SETUP_INPUTS_MAX; i++) {
        t.mine[1].n_states = i;
        ask(&t, 1);
        assert_int_equal(t.orders.n_states, SETUP_INPUTS_MAX);
        assert_memory_equal(&t.orders.state, &states[i], sizeof(states[i]));
    }
}

/* Asks in turn until the job is finished, committing at once what is handed out. */
static int play(struct table *t, uint32_t n_ranks, unsigned char seen[2][BLOCKS_MOST])
{
    int turns = 0;

    for (; t->orders.phase != COORDINATOR_FINISHED; turns++) {
        uint32_t r = (uint32_t)turns % n_ranks;
        assert_true(turns < 2000);
        ask(t, r);
        for (uint64_t i = 0; i < t->orders.count; i++) {
            assert_true(t->orders.phase < 2);
            assert_int_equal(seen[t->orders.phase][t->orders.first + i]++, 0);
            set_done(t, t->orders.first + i);
            t->mine[r].done++;
        }
        if (r == 0 && t->orders.look)
            look(t);
    }
    return turns;
}

static void begin_ready(struct table *t, uint32_t n_ranks, uint32_t n_phases,
                        const uint64_t *blocks)
{
    begin(t, n_ranks, n_phases, blocks);
    look(t);
    for (uint32_t r = 0; r < n_ranks; r++) {
        t->mine[r].ready = 1;
        t->mine[r].want = 3 + r;
    }
}

/* For any number of blocks and ranks, two phases: all once, phase 1 after all of 0. */
static void each_block_of_each_phase_is_handed_out_once(void **state)
{
    (void)state;
    for (uint32_t n_ranks = 1; n_ranks <= RANKS_MOST; n_ranks += 2) {
        for (uint64_t n = 0; n < 240; n += n < 4 ? 1 : 59) {
            const uint64_t blocks[2] = {n, n / 3 + 1};
            unsigned char seen[2][BLOCKS_MOST] = {{0}};
            struct table t;
            begin_ready(&t, n_ranks, 2, blocks);
            play(&t, n_ranks, seen);
            for (uint32_t p = 0; p < 2; p++)
                for (uint64_t i = 0; i < BLOCKS_MOST; i++)
                    assert_int_equal(seen[p][i], i < blocks[p]);
            assert_int_equal(coordinator_done(&t.c), blocks[0] + blocks[1]);
        }
    }
}

static void a_job_that_goes_on_hands_out_what_is_missing(void **state)
{
    const uint64_t blocks[1] = {201};
    unsigned char seen[2][BLOCKS_MOST] = {{0}};
    struct table t;
    uint64_t n_done = 0;
    (void)state;

    begin(&t, 3, 1, blocks);
    for (uint64_t b = 0; b < 201; b++) {
        bool done = b < 70 || b % 3 == 0 || b == 200;
        n_done += done;
        t.done[0][b / 8] |= (unsigned char)((unsigned)done << (b % 8));
    }
    unsigned char before[BLOCKS_MOST / 8];
    memcpy(before, t.done[0], sizeof(before));
    look(&t);
    assert_int_equal(coordinator_done(&t.c), n_done);
    for (uint32_t r = 0; r < 3; r++) {
        t.mine[r].ready = 1;
        t.mine[r].want = 4;
    }
    play(&t, 3, seen);
    for (uint64_t b = 0; b < 201; b++)
        assert_int_equal(seen[0][b], !((before[b / 8] >> (b % 8)) & 1));
}

static void blocks_of_a_rank_that_died_come_again(void **state)
{
    const uint64_t blocks[1] = {40};
    unsigned char seen[2][BLOCKS_MOST] = {{0}};
    struct table t;
    (void)state;

    begin_ready(&t, 2, 1, blocks);
    t.mine[0].want = 0;
    ask(&t, 0);
    t.mine[0].want = 3;
    ask(&t, 1); /* gets some, one is committed, and then it dies */
    assert_true(t.orders.count >= 2);
    uint64_t first = t.orders.first, count = t.orders.count;
    set_done(&t, first);
    seen[0][first] = 1;
    coordinator_gone(&t.c, t.ranks, 1);
    t.mine[1].ready = 0;
    t.mine[1].done = 0;
    for (int i = 0; i < 100 && !t.orders.look; i++) {
        ask(&t, 0);
        for (uint64_t b = 0; b < t.orders.count; b++) {
            seen[0][t.orders.first + b] = 1;
            set_done(&t, t.orders.first + b);
            t.mine[0].done++;
        }
    }
    assert_true(t.orders.look);
    for (uint64_t b = 0; b < 40; b++)
        assert_int_equal(seen[0][b], !(b > first && b < first + count));
    look(&t);
    assert_int_equal(t.c.left, count - 1);
    t.mine[1].ready = 1; /* it was started again */
    play(&t, 2, seen);
    for (uint64_t b = 0; b < 40; b++)
        assert_int_equal(seen[0][b], 1);
}

static void the_next_phase_waits_for_blocks_that_are_not_committed(void **state)
{
    const uint64_t blocks[2] = {2, 2};
    struct table t;
    (void)state;

    begin_ready(&t, 1, 2, blocks);
    t.mine[0].want = 5;
    t.mine[0].n_readers = 2;
    ask(&t, 0);
    assert_int_equal(t.orders.count, 2);
    set_done(&t, 0);
    t.mine[0].done = 1;
    ask(&t, 0);
    assert_int_equal(t.orders.look, 0);
    assert_int_equal(t.orders.count, 0);
    set_done(&t, 1);
    t.mine[0].done = 2;
    ask(&t, 0);
    assert_int_equal(t.orders.look, 1);
    assert_int_equal(t.orders.phase, 0);
    look(&t);
    ask(&t, 0);
    assert_int_equal(t.orders.phase, 1);
    assert_int_equal(t.orders.count, 2);
}

static void towards_the_end_less_is_handed_out(void **state)
{
    const uint64_t blocks[1] = {100};
    struct table t;
    (void)state;

    begin_ready(&t, 2, 1, blocks);
    t.mine[0].want = t.mine[1].want = 50;
    ask(&t, 1);
    ask(&t, 0);
    assert_int_equal(t.orders.count, 12);
    for (int i = 0; i < 30 && t.c.left > 2; i++)
        ask(&t, 0);
    assert_int_equal(t.orders.count, 1);
}

static void fail_block(struct table *t, uint32_t rank, uint64_t block)
{
    t->mine[rank].n_failed++;
    t->mine[rank].failure = (struct block_failure){.block = block, .tries = 3};
    snprintf(t->mine[rank].failure.text, sizeof(t->mine[rank].failure.text),
             "block %llu", (unsigned long long)block);
    ask(t, rank);
}

static void a_block_that_was_set_aside_does_not_come_again(void **state)
{
    const uint64_t blocks[1] = {3};
    struct table t;
    (void)state;

    begin_ready(&t, 1, 1, blocks);
    t.mine[0].n_readers = 3;
    ask(&t, 0);
    assert_int_equal(t.orders.count, 3);
    set_done(&t, 0);
    set_done(&t, 2);
    t.mine[0].done = 2;
    ask(&t, 0);
    assert_int_equal(t.orders.look, 0);
    fail_block(&t, 0, 1);
    assert_int_equal(t.orders.n_failed, 1);
    assert_int_equal(t.orders.look, 1);
    look(&t);
    ask(&t, 0);
    assert_int_equal(t.orders.phase, COORDINATOR_FINISHED);
    assert_int_equal(t.orders.stop, 0);
    assert_int_equal(t.c.n_failed, 1);
    assert_string_equal(t.c.failures[0].text, "block 1");
    assert_int_equal(coordinator_done(&t.c), 2);
}

/* Is parting to wait for all, where rank 1 comes back in time or late? */
static void a_rank_that_was_given_up_gets_nothing_more_to_do(void **state)
{
    const uint64_t blocks[1] = {8};
    struct table t;
    (void)state;

    for (int is_late = 0; is_late < 2; is_late++) {
        begin_ready(&t, 2, 1, blocks);
        ask(&t, 0);
        ask(&t, 1);
        assert_true(t.orders.count > 0);
        coordinator_give_up(&t.c, t.ranks, 1);
        ask(&t, 0);
        assert_int_equal(t.orders.lost, 1);
        if (is_late)
            coordinator_set_pass(&t.c, COORDINATOR_FINISHED, NULL);
        for (int turn = 0; turn < 2; turn++) {
            swim_error_set(&t.mine[1].error, SWIM_ERR_LOST, "its lease has ended");
            ask(&t, 1);
            assert_int_equal(t.orders.given_up, 1);
            assert_int_equal(t.orders.count, 0);
            assert_int_equal(t.orders.stop, 0);
            assert_int_equal(t.orders.lost, is_late);
            coordinator_set_pass(&t.c, COORDINATOR_FINISHED, NULL);
        }
        assert_int_equal(t.orders.phase, COORDINATOR_FINISHED);
        assert_int_equal(t.ranks[1].report.leaving, 0);
    }
}

static void a_block_is_set_aside_once(void **state)
{
    const uint64_t n = COORDINATOR_FAILURES_MOST / 2 - 1, blocks[2] = {4 * n, n};
    static unsigned char none[COORDINATOR_FAILURES_MOST];
    static uint64_t todo[COORDINATOR_FAILURES_MOST];
    static struct coordinator c;
    (void)state;

    coordinator_init(&c, 1, todo, failures);
    coordinator_set_work(&c, 2, blocks, false);
    for (int again = 0; again < 3; again++)
        for (uint64_t i = 0; i < 2 * n; i++) {
            const uint32_t phase = i % 2;
            const struct block_failure f = {.block = phase ? i / 2 : i * 2,
                                            .phase = phase};
            coordinator_set_aside(&c, &f);
        }
    assert_int_equal(c.n_failed, 2 * n);
    assert_int_equal(c.stop, 0);
    assert_int_equal(coordinator_set_pass(&c, 1, none), 0);
    assert_int_equal(coordinator_done(&c), 3 * n);
}

/* Beyond those that there is room for, what they belong to cannot be told. */
static void a_job_stops_where_too_many_are_set_aside(void **state)
{
    const uint64_t blocks[1] = {BLOCKS_MOST};
    struct table t;
    (void)state;

    begin(&t, 1, 1, blocks);
    for (uint64_t b = 0; b < COORDINATOR_FAILURES_MOST; b++) {
        const struct block_failure f = {.block = b};
        assert_int_equal(t.c.stop, 0);
        coordinator_set_aside(&t.c, &f);
    }
    assert_int_equal(t.c.stop, 1);
    assert_int_equal(t.c.error.code, SWIM_ERR_KERNEL);
}

static void a_job_none_of_whose_blocks_work_is_stopped(void **state)
{
    const uint64_t blocks[1] = {200};
    struct table t;
    (void)state;

    for (int one_works = 0; one_works < 2; one_works++) {
        begin_ready(&t, 1, 1, blocks);
        t.mine[0].want = 50;
        t.mine[0].n_readers = 50;
        ask(&t, 0);
        assert_int_equal(t.orders.count, 50);
        t.mine[0].want = 0;
        t.mine[0].done = (uint64_t)one_works;
        for (uint64_t b = 1; b < 32; b++)
            fail_block(&t, 0, b);
        assert_int_equal(t.orders.stop, 0);
        fail_block(&t, 0, 32);
        assert_int_equal(t.orders.stop, !one_works);
        assert_int_equal(t.orders.code, one_works ? SWIM_OK : SWIM_ERR_KERNEL);
    }
}

static void one_that_is_to_fail_fast_stops_at_the_first(void **state)
{
    const uint64_t blocks[1] = {200};
    struct table t;
    (void)state;

    begin_ready(&t, 1, 1, blocks);
    t.c.fail_fast = 1;
    ask(&t, 0);
    fail_block(&t, 0, 0);
    assert_int_equal(t.orders.stop, 1);
    assert_string_equal(t.c.error.text, "block 0");
}

/* A rank died in the middle of a call, when some of what it had changed was not yet
 * counted. */
static void what_a_dead_rank_left_half_done_is_mended(void **state)
{
    const uint64_t blocks[1] = {130};
    unsigned char seen[2][BLOCKS_MOST] = {{0}};
    struct table t;
    (void)state;

    begin_ready(&t, 2, 1, blocks);
    t.todo[0] &= ~(uint64_t)7; /* handed out, but not counted */
    t.c.next = 100;
    coordinator_mend(&t.c);
    coordinator_gone(&t.c, t.ranks, 1);
    assert_int_equal(t.c.left, 127);
    for (int i = 0; i < 200 && !t.orders.look; i++) {
        t.mine[1].ready = i > 50;
        ask(&t, (uint32_t)i % 2);
        for (uint64_t b = 0; b < t.orders.count; b++)
            set_done(&t, t.orders.first + b);
        t.mine[i % 2].done += t.orders.count;
    }
    assert_true(t.c.looking);
    look(&t);
    assert_int_equal(t.c.left, 3);
    play(&t, 2, seen);
    for (uint64_t b = 0; b < 130; b++)
        assert_int_equal(seen[0][b], b < 3);
}

static void the_first_error_stops_all_and_is_kept(void **state)
{
    const uint64_t blocks[1] = {100};
    struct table t;
    (void)state;

    begin(&t, 2, 1, blocks);
    look(&t);
    t.mine[0].ready = t.mine[1].ready = 1;
    ask(&t, 0);
    ask(&t, 1);
    assert_int_equal(t.orders.phase, 0);
    t.mine[0].want = 1;
    swim_error_set(&t.mine[1].error, SWIM_ERR_KERNEL, "first");
    ask(&t, 1);
    swim_error_set(&t.mine[0].error, SWIM_ERR_IO, "second");
    ask(&t, 0);
    assert_int_equal(t.orders.stop, 1);
    assert_int_equal(t.orders.count, 0);
    assert_int_equal(t.orders.code, SWIM_ERR_KERNEL);
    assert_string_equal(t.c.error.text, "first");
    assert_int_equal(t.c.error_rank, 1);
}

static void a_signal_at_one_rank_stops_all_with_its_number(void **state)
{
    const uint64_t blocks[1] = {100};
    struct table t;
    (void)state;

    begin(&t, 2, 1, blocks);
    t.mine[1].signo = 15;
    ask(&t, 1);
    ask(&t, 0);
    assert_int_equal(t.orders.stop, 1);
    assert_int_equal(t.orders.signo, 15);
}

static void a_finished_job_is_stopped_by_rank_0_alone(void **state)
{
    const uint64_t blocks[1] = {1};
    struct table t;
    (void)state;

    for (uint32_t rank = 0; rank < 2; rank++) {
        begin_ready(&t, 2, 1, blocks);
        set_done(&t, 0);
        look(&t);
        ask(&t, 0);
        ask(&t, 1);
        assert_int_equal(t.orders.phase, COORDINATOR_FINISHED);
        swim_error_clear(&t.mine[rank].error);
        swim_error_set(&t.mine[rank].error, SWIM_ERR_IO, "late");
        ask(&t, rank);
        assert_int_equal(t.orders.stop, rank == 0);
        assert_int_equal(t.c.error.code, rank == 0 ? SWIM_ERR_IO : SWIM_OK);
    }
}

/* Nothing was to be done from the beginning: it has not begun. */
static void a_rank_that_cannot_begin_stops_a_job_without_work(void **state)
{
    const uint64_t blocks[1] = {1};
    struct table t;
    (void)state;

    begin(&t, 2, 1, blocks);
    coordinator_set_pass(&t.c, COORDINATOR_FINISHED, NULL);
    t.mine[0].ready = 1;
    ask(&t, 0);
    swim_error_set(&t.mine[1].error, SWIM_ERR_IO, "no memory");
    ask(&t, 1);
    assert_int_equal(t.orders.stop, 1);
}

static void ranks_that_see_different_jobs_are_stopped(void **state)
{
    const uint64_t blocks[1] = {100};
    struct table t;
    (void)state;

    begin(&t, 2, 1, blocks);
    t.mine[0].ready = t.mine[1].ready = 1;
    t.mine[1].digest = 43;
    ask(&t, 0);
    assert_int_equal(t.orders.stop, 0);
    ask(&t, 1);
    assert_int_equal(t.orders.stop, 1);
    assert_int_equal(t.c.error_rank, 1);
}

static void an_epoch_adds_blocks_for_those_who_know_its_states(void **state)
{
    const uint64_t blocks[1] = {0};
    struct setup_epoch epoch = {.number = 1, .rows = 70, .n_states = 2};
    unsigned char seen[BLOCKS_MOST] = {0};
    struct table t;
    (void)state;

    memset(&epoch.states[0], 1, sizeof(epoch.states[0]));
    memset(&epoch.states[1], 2, sizeof(epoch.states[1]));
    begin_ready(&t, 2, 1, blocks);
    coordinator_set_pass(&t.c, 0, t.done[0]);
    ask(&t, 1);
    ask(&t, 0);
    assert_true(t.orders.look && t.orders.phase == 0);
    coordinator_set_epoch(&t.c, &epoch, 70);
    assert_int_equal(coordinator_set_pass(&t.c, 0, t.done[0]), 70);
    for (uint32_t known = 0; known < 2; known++) {
        t.mine[1].n_states = known;
        t.mine[1].epoch = known ? 1 : 0;
        ask(&t, 1);
        assert_int_equal(t.orders.count, 0);
        assert_int_equal(t.orders.epoch, 1);
        assert_memory_equal(&t.orders.state, &epoch.states[known],
                            sizeof(t.orders.state));
    }
    t.mine[1].n_states = 2;
    for (int turn = 0; turn < 200 && t.c.blocks[0] < 130; turn++) {
        ask(&t, 1);
        for (uint64_t i = 0; i < t.orders.count; i++)
            assert_int_equal(seen[t.orders.first + i]++, 0);
        if (t.orders.first > 30) { /* in the middle of the pass */
            epoch.number = t.mine[1].epoch = 2;
            coordinator_set_epoch(&t.c, &epoch, 130);
        }
    }
    for (int turn = 0; turn < 200; turn++) {
        ask(&t, 1);
        for (uint64_t i = 0; i < t.orders.count; i++)
            assert_int_equal(seen[t.orders.first + i]++, 0);
    }
    for (uint64_t b = 0; b < 130; b++)
        assert_int_equal(seen[b], 1);
    assert_int_equal(coordinator_total(&t.c), 130);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_handed_out_before_all_are_ready),
        cmocka_unit_test(each_rank_is_told_the_states_of_the_inputs_in_turn),
        cmocka_unit_test(each_block_of_each_phase_is_handed_out_once),
        cmocka_unit_test(a_job_that_goes_on_hands_out_what_is_missing),
        cmocka_unit_test(blocks_of_a_rank_that_died_come_again),
        cmocka_unit_test(a_block_that_was_set_aside_does_not_come_again),
        cmocka_unit_test(a_rank_that_was_given_up_gets_nothing_more_to_do),
        cmocka_unit_test(a_block_is_set_aside_once),
        cmocka_unit_test(a_job_stops_where_too_many_are_set_aside),
        cmocka_unit_test(a_job_none_of_whose_blocks_work_is_stopped),
        cmocka_unit_test(one_that_is_to_fail_fast_stops_at_the_first),
        cmocka_unit_test(what_a_dead_rank_left_half_done_is_mended),
        cmocka_unit_test(the_next_phase_waits_for_blocks_that_are_not_committed),
        cmocka_unit_test(towards_the_end_less_is_handed_out),
        cmocka_unit_test(the_first_error_stops_all_and_is_kept),
        cmocka_unit_test(a_signal_at_one_rank_stops_all_with_its_number),
        cmocka_unit_test(a_finished_job_is_stopped_by_rank_0_alone),
        cmocka_unit_test(a_rank_that_cannot_begin_stops_a_job_without_work),
        cmocka_unit_test(ranks_that_see_different_jobs_are_stopped),
        cmocka_unit_test(an_epoch_adds_blocks_for_those_who_know_its_states),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
