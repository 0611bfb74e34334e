/* test_lock_promise.c - what a check has promised holds when the session is broken. */
#include "lock_tools.h"

#include <stdio.h>

#include "lock/inspect.h"

#define LONG_MS 60000   /* a lease that ends nothing here */
#define PROMISE_MS 1500 /* for a write */
#define WAIT_MS 20000   /* for a lock, on a busy machine */

static struct redis_fixture redis;
static swim_session_t *holder, *next;
static swim_lock_t *held;

static int setup(void **state)
{
    (void)state;
    if (pair_open(&redis, LONG_MS, &holder, &next) != 0)
        return -1;
    return take(holder, SWIM_LOCK_WRITE, SWIM_LOCK_TRY, &held);
}

static int teardown(void **state)
{
    (void)state;
    pair_close(&redis, holder, next);
    return 0;
}

/* Break the holder's session; it has heard of that when this returns. */
static void break_holder(void)
{
    enum inspect_break_result result = INSPECT_UNKNOWN;
    struct inspector *in = NULL;
    int64_t left_ms = 0, until = test_now_ms() + WAIT_MS;

    assert_int_equal(inspect_open(redis.url, &in, NULL), SWIM_OK);
    assert_int_equal(inspect_break(in, holder->id, 0, &result, &left_ms, NULL),
                     SWIM_OK);
    assert_int_not_equal(result, INSPECT_UNKNOWN);
    inspect_close(in);
    while (swim_lock_check(held, 0, NULL) == SWIM_OK && test_now_ms() < until)
        test_nap_ms(1);
    assert_int_equal(swim_lock_check(held, 0, NULL), SWIM_ERR_LOST);
}

static void nobody_is_let_in_before_the_time_is_over(void **state)
{
    swim_lock_t *lock = NULL;
    (void)state;

    int64_t begin = test_now_ms();
    assert_int_equal(swim_lock_check(held, PROMISE_MS, NULL), SWIM_OK);
    assert_int_equal(swim_lock_check(held, PROMISE_MS / 2, NULL), SWIM_OK);
    break_holder();
    assert_int_equal(take(next, SWIM_LOCK_WRITE, WAIT_MS, &lock), SWIM_OK);
    int64_t took = test_now_ms() - begin;
    if (took < PROMISE_MS)
        fail_msg("let in after %ld ms", (long)took);
    assert_int_equal(swim_lock_release(held, NULL), SWIM_ERR_LOST);
    assert_int_equal(swim_lock_check(lock, 0, NULL), SWIM_OK);
}

static void a_check_that_failed_has_promised_nothing(void **state)
{
    swim_lock_t *lock = NULL;
    (void)state;

    assert_int_equal(swim_lock_check(held, 2 * LONG_MS, NULL), SWIM_ERR_LOST);
    break_holder();
    assert_int_equal(take(next, SWIM_LOCK_WRITE, WAIT_MS, &lock), SWIM_OK);
}

/* Who closes writes no more; and is not kept waiting. */
static void a_session_that_is_closed_lets_go_at_once(void **state)
{
    swim_lock_t *lock = NULL;
    (void)state;

    assert_int_equal(swim_lock_check(held, LONG_MS - WAIT_MS, NULL), SWIM_OK);
    int64_t begin = test_now_ms();
    break_holder();
    swim_session_close(holder);
    holder = NULL;
    assert_int_equal(take(next, SWIM_LOCK_WRITE, WAIT_MS / 2, &lock), SWIM_OK);
    assert_true(test_now_ms() - begin < LONG_MS - WAIT_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nobody_is_let_in_before_the_time_is_over),
        TEST(a_check_that_failed_has_promised_nothing),
        TEST(a_session_that_is_closed_lets_go_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
