/* test_lock_epoch.c - servers that lose their data, or are exchanged. */
#define RESOURCE "r"
#include "lock_tools.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LEASE_MS 3000
#define BEYOND_MS INT64_C(4500) /* a wait that outlasts a grace */

struct scene {
    struct redis_fixture redis;
    swim_session_t *a, *b;
};

static int setup(void **state)
{
    struct scene *s = calloc(1, sizeof(*s));

    *state = s;
    if (!s || redis_fixture_open(&s->redis, NULL) != 0)
        return -1;
    s->a = session_at(s->redis.url, LEASE_MS, NULL);
    return 0;
}

static int teardown(void **state)
{
    struct scene *s = *state;

    pair_close(&s->redis, s->a, s->b);
    free(s);
    return 0;
}

static void flush(struct scene *s)
{
    say(&s->redis, "FLUSHALL", "+OK");
}

static void restart_empty(struct scene *s)
{
    redis_fixture_kill(&s->redis);
    assert_int_equal(redis_fixture_start(&s->redis), 0);
}

static void (*const losses[])(struct scene *s) = {flush, restart_empty};
#define LOSSES (sizeof(losses) / sizeof(*losses))

/* Nobody takes a lock from a holder that has not noticed the loss; the holder goes on,
 * is told nothing, and gives the lock back as if nothing had been. */
static void a_holder_keeps_its_lock(void **state)
{
    static const enum swim_lock_mode modes[] = {SWIM_LOCK_READ, SWIM_LOCK_UPDATE,
                                                SWIM_LOCK_WRITE};
    struct scene *s = *state;

    for (size_t i = 0; i < LOSSES; i++)
        for (int m = 0; m < 3; m++) {
            swim_lock_t *lock = NULL, *other = NULL;
            swim_error_t err = {0};
            assert_int_equal(take(s->a, modes[m], 0, &lock), SWIM_OK);
            uint64_t fence = swim_lock_fence(lock);
            losses[i](s);
            s->b = session_at(s->redis.url, LEASE_MS, NULL);
            assert_int_equal(
                take_at(s->b, RESOURCE, SWIM_LOCK_WRITE, SWIM_LOCK_TRY, &other, &err),
                SWIM_ERR_TIMEOUT);
            assert_non_null(strstr(err.text, "lost its data"));
            swim_error_clear(&err);
            assert_int_equal(
                take_at(s->b, RESOURCE, SWIM_LOCK_WRITE, BEYOND_MS, &other, &err),
                SWIM_ERR_TIMEOUT);
            assert_non_null(strstr(err.text, "held by"));
            assert_int_equal(swim_lock_check(lock, 0, NULL), SWIM_OK);
            assert_int_equal(swim_lock_fence(lock), fence);
            assert_int_equal(swim_lock_release(lock, NULL), SWIM_OK);
            assert_int_equal(take(s->b, SWIM_LOCK_WRITE, 0, &other), SWIM_OK);
            assert_true(swim_lock_fence(other) > fence);
            assert_int_equal(swim_lock_release(other, NULL), SWIM_OK);
            swim_session_close(s->b);
            s->b = NULL;
        }
}

/* The holder's next word is not a renewal but the release itself. */
static void a_release_right_after_the_loss_is_one(void **state)
{
    struct scene *s = *state;

    for (size_t i = 0; i < LOSSES; i++) {
        swim_lock_t *lock = NULL, *other = NULL;
        assert_int_equal(take(s->a, SWIM_LOCK_WRITE, 0, &lock), SWIM_OK);
        losses[i](s);
        assert_int_equal(swim_lock_release(lock, NULL), SWIM_OK);
        assert_int_equal(take(s->a, SWIM_LOCK_WRITE, 0, &other), SWIM_OK);
        assert_int_equal(swim_lock_release(other, NULL), SWIM_OK);
    }
}

/* The dead cannot tell: their locks are free after the grace, not before. */
static void the_lock_of_the_dead_is_free_after_the_grace(void **state)
{
    struct scene *s = *state;

    for (size_t i = 0; i < LOSSES; i++) {
        swim_session_t *dead = session_at(s->redis.url, LEASE_MS, NULL);
        swim_lock_t *lock = NULL, *other = NULL;
        assert_int_equal(take(dead, SWIM_LOCK_WRITE, 0, &lock), SWIM_OK);
        uint64_t fence = swim_lock_fence(lock);
        pulse_stop(dead); /* it says nothing any more */
        losses[i](s);
        int64_t begin = test_now_ms();
        assert_int_equal(take(s->a, SWIM_LOCK_READ, 0, &other), SWIM_OK);
        assert_true(test_now_ms() - begin > LEASE_MS - 1100); /* uptime is in seconds */
        assert_int_equal(swim_lock_check(lock, 0, NULL), SWIM_ERR_LOST);
        assert_int_equal(swim_lock_release(other, NULL), SWIM_OK);
        assert_int_equal(take(s->a, SWIM_LOCK_WRITE, 0, &other), SWIM_OK);
        assert_true(swim_lock_fence(other) > fence);
        assert_int_equal(swim_lock_release(other, NULL), SWIM_OK);
        (void)swim_lock_release(lock, NULL);
        swim_session_close(dead);
    }
}

static void *take_and_release(void *arg)
{
    swim_lock_t *lock = NULL;
    int rc = take(arg, SWIM_LOCK_WRITE, 20000, &lock);

    if (rc == SWIM_OK)
        rc = swim_lock_release(lock, NULL);
    return rc == SWIM_OK ? NULL : "failed";
}

/* One that waits when the data are lost asks anew and is served. */
static void a_waiter_gets_its_turn_all_the_same(void **state)
{
    struct scene *s = *state;

    s->b = session_at(s->redis.url, LEASE_MS, NULL);
    for (size_t i = 0; i < LOSSES; i++) {
        swim_lock_t *lock = NULL;
        pthread_t thread;
        void *failed = NULL;
        assert_int_equal(take(s->a, SWIM_LOCK_WRITE, 0, &lock), SWIM_OK);
        pthread_create(&thread, NULL, take_and_release, s->b);
        assert_true(redis_fixture_await(&s->redis, QUEUE, 1));
        losses[i](s);
        assert_true(redis_fixture_await(&s->redis, QUEUE, 1));
        assert_int_equal(swim_lock_check(lock, 0, NULL), SWIM_OK);
        assert_int_equal(swim_lock_release(lock, NULL), SWIM_OK);
        pthread_join(thread, &failed);
        assert_null(failed);
    }
}

/* A raised lock is told as WRITE and can be lowered. */
static void a_raised_lock_stays_raised(void **state)
{
    struct scene *s = *state;

    for (size_t i = 0; i < LOSSES; i++) {
        swim_lock_t *lock = NULL, *other = NULL;
        assert_int_equal(take(s->a, SWIM_LOCK_UPDATE, 0, &lock), SWIM_OK);
        assert_int_equal(swim_lock_raise(lock, NULL, NULL), SWIM_OK);
        losses[i](s);
        s->b = session_at(s->redis.url, LEASE_MS, NULL);
        assert_int_equal(take(s->b, SWIM_LOCK_READ, BEYOND_MS, &other),
                         SWIM_ERR_TIMEOUT);
        assert_int_equal(swim_lock_lower(lock, NULL), SWIM_OK);
        assert_int_equal(take(s->b, SWIM_LOCK_READ, SWIM_LOCK_TRY, &other), SWIM_OK);
        assert_int_equal(swim_lock_release(other, NULL), SWIM_OK);
        assert_int_equal(swim_lock_release(lock, NULL), SWIM_OK);
        swim_session_close(s->b);
        s->b = NULL;
    }
}

/* Data that an earlier run saved may be older than what holders know: they count for
 * nothing.  Here a lock that was given back comes to life again in the saved data. */
static void saved_data_are_not_believed(void **state)
{
    struct scene *s = *state;
    swim_lock_t *stale = NULL, *lock = NULL, *none = NULL;

    assert_int_equal(take(s->a, SWIM_LOCK_WRITE, 0, &stale), SWIM_OK);
    say(&s->redis, "SAVE", "+OK");
    assert_int_equal(swim_lock_release(stale, NULL), SWIM_OK);
    s->b = session_at(s->redis.url, LEASE_MS, NULL);
    assert_int_equal(take(s->b, SWIM_LOCK_WRITE, 0, &lock), SWIM_OK);
    uint64_t fence = swim_lock_fence(lock);
    restart_empty(s); /* not empty: it loads what was saved */
    assert_int_equal(take(s->a, SWIM_LOCK_READ, BEYOND_MS, &none), SWIM_ERR_TIMEOUT);
    assert_int_equal(swim_lock_check(lock, 0, NULL), SWIM_OK);
    assert_int_equal(swim_lock_release(lock, NULL), SWIM_OK);
    assert_int_equal(take(s->a, SWIM_LOCK_WRITE, 0, &lock), SWIM_OK);
    assert_true(swim_lock_fence(lock) > fence);
    assert_int_equal(swim_lock_release(lock, NULL), SWIM_OK);
}

/* The server's clock is behind the numbers that were given: they still grow. */
static void fences_grow_beyond_what_was_seen(void **state)
{
    struct scene *s = *state;
    swim_lock_t *lock = NULL;

    say(&s->redis, "INCRBY {h5swim}:fence 3600000000", ":");
    assert_int_equal(take(s->a, SWIM_LOCK_WRITE, 0, &lock), SWIM_OK);
    uint64_t fence = swim_lock_fence(lock);
    assert_int_equal(swim_lock_release(lock, NULL), SWIM_OK);
    flush(s);
    assert_int_equal(take(s->a, SWIM_LOCK_WRITE, 0, &lock), SWIM_OK);
    assert_true(swim_lock_fence(lock) > fence);
    assert_int_equal(swim_lock_release(lock, NULL), SWIM_OK);
}

/* An empty server that was never flushed and has run for a lease is just new. */
static void a_new_server_that_has_run_for_a_lease_needs_no_grace(void **state)
{
    struct scene *s = *state;
    swim_lock_t *lock = NULL;

    swim_session_close(s->a);
    restart_empty(s);
    test_nap_ms(3100);
    s->a = session_at(s->redis.url, 2000, NULL);
    assert_int_equal(take(s->a, SWIM_LOCK_WRITE, SWIM_LOCK_TRY, &lock), SWIM_OK);
    assert_int_equal(swim_lock_release(lock, NULL), SWIM_OK);
}

/* The server counts whole seconds of its clock: started at the end of one it has soon
 * run for a second, as it says. */
static void the_time_a_server_has_run_is_not_overrated(void **state)
{
    struct scene *s = *state;
    struct timespec now;

    swim_session_close(s->a);
    s->a = NULL;
    redis_fixture_kill(&s->redis);
    do {
        clock_gettime(CLOCK_REALTIME, &now);
    } while (now.tv_nsec < 850000000 || now.tv_nsec > 900000000);
    int64_t begin_ms = test_now_ms();
    assert_int_equal(redis_fixture_start(&s->redis), 0);
    while (test_now_ms() < begin_ms + 400)
        test_nap_ms(1);
    s->a = session_at(s->redis.url, 2000, NULL);
    long grace_ms = redis_fixture_number(&s->redis, "PTTL {h5swim}:grace");
    assert_true(grace_ms >= begin_ms + 2000 - test_now_ms());
}

/* The same, but something was flushed or the server was a replica: it may have lost. */
static void a_server_that_may_have_lost_needs_one(void **state)
{
    static const char *const signs[] = {"FLUSHDB", "REPLICAOF NO ONE"};
    struct scene *s = *state;
    swim_lock_t *none = NULL;

    for (int i = 0; i < 2; i++) {
        swim_session_close(s->a);
        s->a = NULL;
        restart_empty(s);
        if (i == 1)
            say(&s->redis, "REPLICAOF 127.0.0.1 1", "+OK");
        say(&s->redis, signs[i], "+OK");
        test_nap_ms(LEASE_MS + 1100); /* uptime is in seconds */
        s->a = session_at(s->redis.url, LEASE_MS, NULL);
        assert_int_equal(take(s->a, SWIM_LOCK_READ, SWIM_LOCK_TRY, &none),
                         SWIM_ERR_TIMEOUT);
    }
}

/* A session with a longer lease that comes in the grace makes it longer. */
static void the_longest_lease_makes_the_grace(void **state)
{
    struct scene *s = *state;

    flush(s);
    s->b = session_at(s->redis.url, LEASE_MS, NULL);
    assert_in_range(redis_fixture_number(&s->redis, "PTTL {h5swim}:grace"), 1,
                    LEASE_MS);
    swim_session_t *c = session_at(s->redis.url, 60000, NULL);
    assert_in_range(redis_fixture_number(&s->redis, "PTTL {h5swim}:grace"), 40000,
                    60000);
    swim_session_close(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_holder_keeps_its_lock),
        TEST(a_release_right_after_the_loss_is_one),
        TEST(the_lock_of_the_dead_is_free_after_the_grace),
        TEST(a_waiter_gets_its_turn_all_the_same),
        TEST(a_raised_lock_stays_raised),
        TEST(saved_data_are_not_believed),
        TEST(fences_grow_beyond_what_was_seen),
        TEST(a_new_server_that_has_run_for_a_lease_needs_no_grace),
        TEST(the_time_a_server_has_run_is_not_overrated),
        TEST(a_server_that_may_have_lost_needs_one),
        TEST(the_longest_lease_makes_the_grace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
