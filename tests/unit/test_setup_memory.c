/* test_setup_memory.c - how a memory budget is divided, and what a rank is said to
 * take.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "batch/setup.h"

#define MIB ((uint64_t)1 << 20)

static struct job job;
static struct setup setup;

/* A block of so many bytes in memory and as many when it is finished. */
static void blocks_of(uint64_t bytes, uint64_t budget)
{
    job = (struct job){.memory_bytes = budget};
    setup = (struct setup){
        .job = &job, .input_bytes = bytes, .output_bytes = bytes, .slot_bytes = bytes};
}

static uint32_t slots(uint32_t n_readers)
{
    swim_error_t err = {0};
    uint32_t slots_each = 0;

    assert_int_equal(setup_divide_memory(&setup, &n_readers, false, &slots_each, &err),
                     SWIM_OK);
    return slots_each;
}

static void large_blocks_have_the_slots_that_the_budget_has_room_for(void **state)
{
    (void)state;
    blocks_of(4 * MIB, 32 * MIB);
    assert_int_equal(slots(2), 2);
    assert_int_equal(slots(1), 4); /* 16 MiB */
    blocks_of(64 * MIB, 1024 * MIB);
    assert_int_equal(slots(2), 3);
}

/* Else each commit would be for a few blocks, and cost more than they. */
static void small_blocks_have_many_slots(void **state)
{
    (void)state;
    blocks_of(100, 256 * MIB);
    assert_int_equal(slots(2), 128);
    blocks_of(1 * MIB, 256 * MIB);
    assert_int_equal(slots(2), 16);
    blocks_of(100, MIB / 256);
    assert_int_equal(slots(1), 38); /* no more than fit */
}

static void too_many_readers_are_refused_or_fewer_taken(void **state)
{
    (void)state;
    swim_error_t err = {0};
    uint32_t n_readers = 4, slots_each = 0;

    blocks_of(4 * MIB, 30 * MIB);
    assert_int_equal(setup_divide_memory(&setup, &n_readers, false, &slots_each, &err),
                     SWIM_ERR_ARG);
    assert_int_equal(setup_divide_memory(&setup, &n_readers, true, &slots_each, NULL),
                     SWIM_OK);
    assert_int_equal(n_readers, 2);
}

/* Of a filter: the rows of a block once, and where those of all blocks are. */
static void a_reader_of_rows_knows_where_they_are(void **state)
{
    (void)state;
    blocks_of(MIB, 256 * MIB);
    setup.acc_bytes = 4 * MIB;
    assert_int_equal(setup_reader_bytes(&setup), 11 * MIB);
    setup.table.most_rows = 1000;
    setup.blocks.n = 65536;
    assert_int_equal(setup_reader_bytes(&setup), 3 * MIB + 4 * MIB + MIB + MIB);
    job.memory_bytes = 8 * MIB;
    assert_int_equal(setup_reader_bytes(&setup), 3 * MIB + 4 * MIB + MIB + MIB / 2);
}

/* Blocks are not all: processes take memory as well. */
static void a_rank_takes_its_blocks_and_its_processes(void **state)
{
    (void)state;
    blocks_of(4 * MIB, 1024 * MIB);
    uint64_t one = setup_rank_bytes(&setup, 1, 8), two = setup_rank_bytes(&setup, 2, 8);
    uint64_t blocks = setup_reader_bytes(&setup) + 7 * setup.slot_bytes;

    assert_int_equal(setup_reader_bytes(&setup), 12 * MIB);
    assert_in_range(one - blocks, 10 * MIB, 24 * MIB);
    assert_in_range(two - one - blocks, MIB, 4 * MIB);
}

/* Each dataset is read by itself, and keeps what its chunks went through. */
static void each_input_has_chunks_on_their_way_through_filters(void **state)
{
    struct dataset_info info = {
        .ndim = 1, .chunked = true, .chunk = {MIB}, .stored_type = SWIM_TYPE_F32};
    struct setup_input inputs[3] = {{.info = &info}, {.info = &info}, {.info = &info}};

    (void)state;
    blocks_of(4 * MIB, 1024 * MIB);
    uint64_t none = setup_rank_bytes(&setup, 1, 8);
    setup.inputs = inputs;
    setup.n_inputs = 1;
    uint64_t one = setup_rank_bytes(&setup, 1, 8);
    setup.n_inputs = 3;
    uint64_t three = setup_rank_bytes(&setup, 1, 8);

    assert_int_equal(one - none, 12 * MIB);
    assert_int_equal(three - none, 36 * MIB);
    info.chunked = false;
    assert_int_equal(setup_rank_bytes(&setup, 1, 8), none);
    setup = (struct setup){.job = &job};
}

/* The rank, its writer and each reader have them. */
static void coordinates_are_counted_for_each_process(void **state)
{
    const double at = 0;
    struct swim_axis axes[2] = {{.length = MIB, .values = &at}, {.length = MIB}};
    struct dataset_info info = {.ndim = 2, .stored_type = SWIM_TYPE_F32, .axes = axes};
    struct setup_input inputs[2] = {{.info = &info}, {.info = &info}};
    struct setup before = {.job = &job, .inputs = inputs, .n_inputs = 1};

    (void)state;
    blocks_of(4 * MIB, 1024 * MIB);
    uint64_t none = setup_rank_bytes(&setup, 3, 8);
    setup.inputs = inputs;
    setup.n_inputs = 2;
    assert_int_equal(setup_rank_bytes(&setup, 3, 8) - none, 80 * (uint64_t)MIB);
    setup.n_inputs = 1;
    setup.before = &before; /* a chain */
    assert_int_equal(setup_rank_bytes(&setup, 3, 8) - none, 80 * (uint64_t)MIB);
    setup = (struct setup){.job = &job};
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(large_blocks_have_the_slots_that_the_budget_has_room_for),
        cmocka_unit_test(small_blocks_have_many_slots),
        cmocka_unit_test(too_many_readers_are_refused_or_fewer_taken),
        cmocka_unit_test(a_reader_of_rows_knows_where_they_are),
        cmocka_unit_test(a_rank_takes_its_blocks_and_its_processes),
        cmocka_unit_test(each_input_has_chunks_on_their_way_through_filters),
        cmocka_unit_test(coordinates_are_counted_for_each_process),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
