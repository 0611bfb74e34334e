/* test_lock_revive.c - a server that forgot the session and does not answer when it is
 * told anew: nobody waits for it longer than for another question. */
#include "lock_tools.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#define LEASE_MS 40000
#define SOON_MS 20000 /* some questions' patience, on a busy machine */

static struct redis_fixture redis;
static struct redis_link_ops ops;
static atomic_int unheard; /* tellings that the server did not get */

static ssize_t deaf_send(int fd, const void *bytes, size_t size)
{
    if (!memmem(bytes, size, script_reclaim.sha, strlen(script_reclaim.sha)))
        return redis_link_sockets.send(fd, bytes, size);
    atomic_fetch_add(&unheard, 1);
    return (ssize_t)size;
}

static int setup(void **state)
{
    (void)state;
    ops = redis_link_sockets;
    ops.send = deaf_send;
    atomic_store(&unheard, 0);
    return redis_fixture_open(&redis, NULL);
}

static int teardown(void **state)
{
    (void)state;
    redis_fixture_close(&redis);
    return 0;
}

static void await_unheard(void)
{
    int64_t until = test_now_ms() + LEASE_MS;

    while (atomic_load(&unheard) == 0 && test_now_ms() < until)
        test_nap_ms(1);
    assert_int_not_equal(atomic_load(&unheard), 0);
}

static void closing_does_not_wait_for_it(void **state)
{
    swim_session_t *session = session_at(redis.url, LEASE_MS, &ops);
    (void)state;

    say(&redis, "FLUSHALL", "+OK");
    await_unheard(); /* at a renewal */
    int64_t begin = test_now_ms();
    swim_session_close(session);
    int64_t took = test_now_ms() - begin;
    if (took >= SOON_MS)
        fail_msg("closed after %ld ms", (long)took);
}

static void who_tries_does_not_wait_for_it(void **state)
{
    swim_session_t *session = session_at(redis.url, LEASE_MS, &ops);
    swim_lock_t *lock = NULL;
    (void)state;

    say(&redis, "FLUSHALL", "+OK");
    await_unheard(); /* held_mutex is wanted by the renewal too */
    int64_t begin = test_now_ms();
    assert_int_equal(take(session, SWIM_LOCK_READ, SWIM_LOCK_TRY, &lock), SWIM_ERR_IO);
    int64_t took = test_now_ms() - begin;
    if (took >= SOON_MS)
        fail_msg("tried for %ld ms", (long)took);
    swim_session_close(session);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(closing_does_not_wait_for_it),
        TEST(who_tries_does_not_wait_for_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
