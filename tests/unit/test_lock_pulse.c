/* test_lock_pulse.c - what a session asks of the server to keep its lease. */
#define RESOURCE "r"
#include "lock_tools.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/clock.h"

#define LEASE_MS 3000

static struct redis_fixture redis;

static int setup(void **state)
{
    (void)state;
    return redis_fixture_open(&redis, NULL);
}

static int teardown(void **state)
{
    (void)state;
    redis_fixture_close(&redis);
    return 0;
}

static long renewals(void)
{
    long calls = redis_fixture_calls(&redis, "pexpire");

    return calls > 0 ? calls : 0;
}

/* Until there were so many renewals; the session that asks for them still lives. */
static void await_renewals(swim_session_t *session, long count)
{
    int64_t until = test_now_ms() + 20000;

    while (renewals() < count && test_now_ms() < until)
        test_nap_ms(10);
    assert_true(renewals() >= count);
    assert_false(atomic_load(&session->lost));
}

/* With thousands of sessions this is what the server does all the time. */
static void a_renewal_is_one_question(void **state)
{
    (void)state;
    swim_session_t *session = session_at(redis.url, LEASE_MS, NULL);

    await_renewals(session, 2); /* the session is entered, its first renewal is over */
    long others = redis_fixture_calls(&redis, "evalsha");
    await_renewals(session, 5);
    assert_int_equal(redis_fixture_calls(&redis, "blpop"), 1);
    assert_true(redis_fixture_calls(&redis, "evalsha") - others <= 1); /* a greeting */
    swim_session_close(session);
}

/* A thread of the program has the link of commands for longer than a lease. */
static void a_renewal_waits_for_no_other_question(void **state)
{
    (void)state;
    swim_session_t *session = session_at(redis.url, LEASE_MS, NULL);

    pthread_mutex_lock(&session->command_mutex);
    long before = renewals();
    test_nap_ms(2L * LEASE_MS);
    await_renewals(session, before + 3);
    pthread_mutex_unlock(&session->command_mutex);
    assert_true(atomic_load(&session->deadline_ns) > swim_clock_boot_ns());
    swim_session_close(session);
}

static atomic_int connects;

static int first_connect(const struct lock_url *url, const struct redis_wait *wait,
                         atomic_int *fd, swim_error_t *err)
{
    if (atomic_fetch_add(&connects, 1) == 0)
        return redis_link_sockets.connect(url, wait, fd, err);
    atomic_store(fd, -1);
    return swim_error_set(err, SWIM_ERR_IO, "no more connections");
}

/* It renews when that is due, neither later nor all the time. */
static void a_session_that_cannot_listen_is_kept(void **state)
{
    (void)state;
    static struct redis_link_ops ops; /* a session of a failed test uses it still */

    ops = (struct redis_link_ops){first_connect, redis_link_sockets.send,
                                  redis_link_sockets.recv};

    atomic_store(&connects, 0);
    swim_session_t *session = session_at(redis.url, LEASE_MS, &ops);
    int64_t begin = test_now_ms();
    await_renewals(session, 6);
    long most = (long)((test_now_ms() - begin) / (LEASE_MS / 3)) + 4;
    assert_true(renewals() <= most);
    assert_true(atomic_load(&connects) > 1);
    swim_session_close(session);
}

/* The link on which it listens breaks: it is made again, and a notice is heard. */
static void a_notice_is_heard_on_a_new_link(void **state)
{
    (void)state;
    swim_session_t *session = session_at(redis.url, 60000, NULL);
    int64_t until = test_now_ms() + 20000;
    char command[192];

    while (redis_fixture_calls(&redis, "blpop") < 1 && test_now_ms() < until)
        test_nap_ms(5);
    (void)redis_fixture_number(&redis, "CLIENT KILL TYPE normal SKIPME yes");
    while (redis_fixture_calls(&redis, "blpop") < 2 && test_now_ms() < until)
        test_nap_ms(5);
    snprintf(command, sizeof(command), "RPUSH {h5swim}:notice:%s break", session->id);
    assert_int_equal(redis_fixture_number(&redis, command), 1);
    while (!atomic_load(&session->lost) && test_now_ms() < until)
        test_nap_ms(5);
    assert_true(atomic_load(&session->lost));
    swim_session_close(session);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_renewal_is_one_question),
        TEST(a_renewal_waits_for_no_other_question),
        TEST(a_session_that_cannot_listen_is_kept),
        TEST(a_notice_is_heard_on_a_new_link),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
