/* test_coordinator.c - each block is handed out once, phases follow, stops stop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "batch/coordinator.h"

#define RANKS_MOST 9

struct table {
    struct coordinator c;
    struct rank_report reports[RANKS_MOST], mine[RANKS_MOST];
    struct rank_orders orders;
};

static void begin(struct table *t, uint32_t n_ranks, uint32_t n_phases,
                  const uint64_t *blocks)
{
    memset(t, 0, sizeof(*t));
    coordinator_init(&t->c, n_ranks);
    coordinator_set_work(&t->c, n_phases, blocks);
    for (uint32_t r = 0; r < n_ranks; r++) {
        t->mine[r].rank = r;
        t->mine[r].n_readers = 1;
        t->mine[r].digest = 42;
    }
}

static void ask(struct table *t, uint32_t rank)
{
    coordinator_handle(&t->c, t->reports, &t->mine[rank], &t->orders);
}

static void nothing_is_handed_out_before_all_are_ready(void **state)
{
    const uint64_t blocks[1] = {10};
    struct table t;
    (void)state;

    begin(&t, 2, 1, blocks);
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

/* For any number of blocks and ranks, two phases: all once, phase 1 after all of 0. */
static void each_block_of_each_phase_is_handed_out_once(void **state)
{
    (void)state;
    for (uint32_t n_ranks = 1; n_ranks <= RANKS_MOST; n_ranks += 2) {
        for (uint64_t n = 0; n < 40; n += n < 4 ? 1 : 9) {
            const uint64_t blocks[2] = {n, n / 3 + 1};
            unsigned char seen[2][64] = {{0}};
            struct table t;
            int turns = 0;
            begin(&t, n_ranks, 2, blocks);
            for (uint32_t r = 0; r < n_ranks; r++) {
                t.mine[r].ready = 1;
                t.mine[r].want = 3 + r;
            }
            while (t.orders.phase != COORDINATOR_FINISHED) {
                uint32_t r = (uint32_t)turns % n_ranks;
                assert_true(turns++ < 1000);
                ask(&t, r);
                for (uint64_t i = 0; i < t.orders.count; i++) {
                    assert_true(t.orders.phase < 2);
                    assert_int_equal(seen[t.orders.phase][t.orders.first + i]++, 0);
                    if (t.orders.phase == 1)
                        assert_int_equal(t.reports[r].done[1] <= blocks[1], 1);
                    t.mine[r].done[t.orders.phase]++;
                }
            }
            for (uint32_t p = 0; p < 2; p++)
                for (uint64_t i = 0; i < 64; i++)
                    assert_int_equal(seen[p][i], i < blocks[p]);
        }
    }
}

static void the_next_phase_waits_for_blocks_that_are_not_committed(void **state)
{
    const uint64_t blocks[2] = {2, 2};
    struct table t;
    (void)state;

    begin(&t, 1, 2, blocks);
    t.mine[0].ready = 1;
    t.mine[0].want = 5;
    t.mine[0].n_readers = 2;
    ask(&t, 0);
    assert_int_equal(t.orders.count, 2);
    t.mine[0].done[0] = 1;
    ask(&t, 0);
    assert_int_equal(t.orders.phase, 0);
    assert_int_equal(t.orders.count, 0);
    t.mine[0].done[0] = 2;
    ask(&t, 0);
    assert_int_equal(t.orders.phase, 1);
    assert_int_equal(t.orders.count, 2);
}

static void towards_the_end_less_is_handed_out(void **state)
{
    const uint64_t blocks[1] = {100};
    struct table t;
    (void)state;

    begin(&t, 2, 1, blocks);
    t.mine[0].ready = t.mine[1].ready = 1;
    t.mine[0].want = t.mine[1].want = 50;
    ask(&t, 1);
    ask(&t, 0);
    assert_int_equal(t.orders.count, 12);
    for (int i = 0; i < 30 && t.c.next < 98; i++)
        ask(&t, 0);
    assert_int_equal(t.orders.count, 1);
}

static void the_first_error_stops_all_and_is_kept(void **state)
{
    const uint64_t blocks[1] = {100};
    struct table t;
    (void)state;

    begin(&t, 2, 1, blocks);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_handed_out_before_all_are_ready),
        cmocka_unit_test(each_rank_is_told_the_states_of_the_inputs_in_turn),
        cmocka_unit_test(each_block_of_each_phase_is_handed_out_once),
        cmocka_unit_test(the_next_phase_waits_for_blocks_that_are_not_committed),
        cmocka_unit_test(towards_the_end_less_is_handed_out),
        cmocka_unit_test(the_first_error_stops_all_and_is_kept),
        cmocka_unit_test(a_signal_at_one_rank_stops_all_with_its_number),
        cmocka_unit_test(ranks_that_see_different_jobs_are_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
