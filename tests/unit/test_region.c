/* test_region.c - the memory that a rank's processes share, with real processes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
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
    return region_layout(region, READERS, 2, 1000, &err);
}

static int teardown(void **state)
{
    region_destroy(*state);
    return 0;
}

static void each_block_is_taken_by_one_process(void **state)
{
    struct region *region = *state;
    atomic_uchar *seen =
        mmap(NULL, BLOCKS, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pids[READERS];
    int status = 0;

    assert_true(seen != MAP_FAILED);
    for (int i = 0; i < READERS; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            uint64_t block;
            while (region_pop(region, 2000, &block) && block < BLOCKS)
                atomic_fetch_add(&seen[block], 1);
            _exit(0);
        }
    }
    int64_t until = swim_clock_mono_ns() + 20000000000LL;
    for (uint64_t b = 0; b < BLOCKS + READERS && swim_clock_mono_ns() < until;)
        b += (uint64_t)region_push(region, b < BLOCKS ? b : BLOCKS);
    for (int i = 0; i < READERS; i++) {
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_int_equal(status, 0);
    }
    for (int b = 0; b < BLOCKS; b++)
        assert_int_equal(seen[b], 1);
    assert_int_equal(region_queued(region), 0);
    munmap((void *)seen, BLOCKS);
}

static void a_full_ring_takes_no_more(void **state)
{
    struct region *region = *state;
    uint64_t block;

    for (uint64_t b = 0; b < REGION_RING; b++)
        assert_true(region_push(region, b));
    assert_false(region_push(region, 9));
    assert_true(region_pop(region, 0, &block));
    assert_int_equal(block, 0);
    assert_true(region_push(region, 9));
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
        assert_int_equal(atomic_load(&region_reader(region, r)->block), 0);
}

static void a_layout_that_does_not_fit_is_refused(void **state)
{
    swim_error_t err = {0};

    assert_int_equal(region_layout(*state, READERS, 2, 1 << 20, &err), SWIM_ERR_ARG);
    assert_int_equal(region_layout(*state, 0, 2, 1, NULL), SWIM_ERR_ARG);
    assert_int_equal(region_layout(*state, 1 << 20, 2, 1, NULL), SWIM_ERR_ARG);
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

static void stop_wakes_who_waits_for_blocks(void **state)
{
    struct region *region = *state;
    int64_t start = swim_clock_mono_ns();
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        uint64_t block;
        region_pop(region, 20000, &block);
        _exit(0);
    }
    region_stop(region);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(swim_clock_mono_ns() - start < 10000000000LL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_block_is_taken_by_one_process, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_full_ring_takes_no_more, setup, teardown),
        cmocka_unit_test_setup_teardown(payloads_do_not_overlap, setup, teardown),
        cmocka_unit_test_setup_teardown(a_layout_that_does_not_fit_is_refused, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_first_error_wins, setup, teardown),
        cmocka_unit_test_setup_teardown(stop_wakes_who_waits_for_blocks, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
