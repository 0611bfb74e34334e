/* test_coordinator_losses.c - what the record says of ranks that are gone, and of what
 * there was before them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "batch/coordinator.h"

#define BLOCKS 40
#define BEFORE 10

static struct coordinator c;
static struct coordinator_rank ranks[2];
static uint64_t todo[1];
static unsigned char done[BLOCKS / 8];
static struct block_failure failures[COORDINATOR_FAILURES_MOST];

static void set_done(uint64_t block)
{
    done[block / 8] = (unsigned char)(done[block / 8] | 1u << block % 8);
}

static struct rank_report ready(uint32_t rank, uint64_t want)
{
    return (struct rank_report){.rank = rank,
                                .ready = 1,
                                .n_readers = 1,
                                .digest = 42,
                                .pid = 100 + rank,
                                .want = want};
}

/* Two ranks, and a run that goes on with one before it. */
static int setup(void **state)
{
    const uint64_t blocks[1] = {BLOCKS};
    struct rank_orders orders;

    (void)state;
    memset(ranks, 0, sizeof(ranks));
    memset(done, 0, sizeof(done));
    coordinator_init(&c, 2, todo, failures);
    coordinator_set_work(&c, 1, blocks, false);
    for (uint64_t b = 0; b < BEFORE; b++)
        set_done(b);
    coordinator_set_pass(&c, 0, done);
    for (uint32_t r = 0; r < 2; r++) {
        const struct rank_report report = ready(r, 0);
        coordinator_handle(&c, ranks, &report, &orders);
    }
    return 0;
}

/* Rank 1 commits one block, and dies. */
static void lose_rank_1(void)
{
    struct rank_report report = ready(1, 3);
    struct rank_orders orders;

    coordinator_handle(&c, ranks, &report, &orders);
    assert_int_equal(orders.first, BEFORE);
    set_done(orders.first);
    report.done = 1;
    report.bytes_read = 64;
    report.want = 0;
    coordinator_handle(&c, ranks, &report, &orders);
    coordinator_note_loss(&c, ranks, 1, 5000, "it died");
    coordinator_gone(&c, ranks, 1);
}

static void what_was_there_before_is_no_block_of_this_run(void **state)
{
    struct rank_report report = ready(0, BLOCKS);
    struct rank_orders orders;

    (void)state;
    lose_rank_1();
    for (int i = 0; i < 4 * BLOCKS && c.phase != COORDINATOR_FINISHED; i++) {
        coordinator_handle(&c, ranks, &report, &orders);
        for (uint64_t b = 0; b < orders.count; b++)
            set_done(orders.first + b);
        report.done += orders.count;
        if (orders.look && coordinator_set_pass(&c, 0, done) == 0)
            coordinator_set_pass(&c, COORDINATOR_FINISHED, NULL);
    }
    assert_int_equal(c.phase, COORDINATOR_FINISHED);
    assert_int_equal(c.before, BEFORE);
    assert_int_equal(coordinator_done(&c), BLOCKS);
}

static void a_rank_that_is_lost_has_a_name_and_a_reason(void **state)
{
    (void)state;
    lose_rank_1();
    assert_int_equal(c.n_losses, 1);
    assert_int_equal(c.losses[0].rank, 1);
    assert_int_equal(c.losses[0].pid, 101);
    assert_int_equal(c.losses[0].at_ns, 5000);
    assert_string_equal(c.losses[0].why, "it died");
    assert_int_equal(c.gone_sums.bytes_read, 64);
}

static void losses_that_find_no_room_are_counted(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < COORDINATOR_LOSSES_MOST + 5; i++)
        coordinator_note_loss(&c, ranks, 0, i, "again");
    assert_int_equal(c.n_losses, COORDINATOR_LOSSES_MOST + 5);
    assert_int_equal(c.losses[COORDINATOR_LOSSES_MOST - 1].at_ns,
                     COORDINATOR_LOSSES_MOST - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_was_there_before_is_no_block_of_this_run, setup),
        cmocka_unit_test_setup(a_rank_that_is_lost_has_a_name_and_a_reason, setup),
        cmocka_unit_test_setup(losses_that_find_no_room_are_counted, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
