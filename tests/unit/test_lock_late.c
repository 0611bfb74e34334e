/* test_lock_late.c - questions that their askers believe lost and that arrive when the
 * server has lost its data since, or the session was broken: they enter nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define RESOURCE "r"
#include "lock/server_private.h"
#include "lock_tools.h"

#define LEASE_MS 1000
#define LONG_LEASE_MS 60000 /* no renewal during a test */

static struct redis_fixture redis;
static struct redis_link_ops keeping;

/* The next question with that word in it, once the first skip of them have gone, is
 * lost with its connection, and kept.  Of the test's thread alone. */
static struct {
    const char *word;
    int skip;
    pid_t test;
    char question[8192];
    size_t size;
} kept;

static void keep_next(const char *word, int skip)
{
    kept.word = word;
    kept.skip = skip;
    kept.size = 0;
}

static ssize_t keeping_send(int fd, const void *bytes, size_t size)
{
    if (!kept.word || gettid() != kept.test || size > sizeof(kept.question) ||
        !memmem(bytes, size, kept.word, strlen(kept.word)) || kept.skip-- > 0)
        return redis_link_sockets.send(fd, bytes, size);
    memcpy(kept.question, bytes, size);
    kept.size = size;
    kept.word = NULL;
    shutdown(fd, SHUT_RDWR);
    return (ssize_t)size; /* it seemed to go */
}

static void deliver(void)
{
    int fd = server_dial(redis.socket);
    struct pollfd p = {fd, POLLIN, 0};
    char answer[64] = "";

    assert_true(kept.size > 0 && fd >= 0);
    assert_int_equal(send(fd, kept.question, kept.size, MSG_NOSIGNAL), kept.size);
    assert_int_equal(poll(&p, 1, 5000), 1);
    assert_true(recv(fd, answer, sizeof(answer), 0) > 0 && answer[0] != '-');
    close(fd);
}

static int setup(void **state)
{
    (void)state;
    keep_next(NULL, 0);
    kept.test = gettid();
    keeping = redis_link_sockets;
    keeping.send = keeping_send;
    return redis_fixture_open(&redis, NULL);
}

static int teardown(void **state)
{
    (void)state;
    redis_fixture_close(&redis);
    return 0;
}

static swim_session_t *session_new(uint32_t lease_ms)
{
    return session_at(redis.url, lease_ms, &keeping);
}

static swim_lock_t *must_take(swim_session_t *session, const char *resource,
                              enum swim_lock_mode mode)
{
    swim_lock_t *lock = NULL;
    swim_error_t err = {0};

    if (take_at(session, resource, mode, 20000, &lock, &err) != SWIM_OK)
        fail_msg("%s", err.text);
    return lock;
}

static void flush(void)
{
    say(&redis, "FLUSHALL", "+OK");
}

/* Have the session ask for something; in the grace that follows it gets nothing. */
static void ask(swim_session_t *session)
{
    swim_lock_t *lock = NULL;

    assert_int_equal(
        take_at(session, "other", SWIM_LOCK_READ, SWIM_LOCK_TRY, &lock, NULL),
        SWIM_ERR_TIMEOUT);
}

static void end_grace(void)
{
    assert_int_equal(redis_fixture_number(&redis, "DEL {h5swim}:grace"), 1);
}

static long exists(const char *part, const char *name)
{
    char command[256];

    snprintf(command, sizeof(command), "EXISTS {h5swim}:%s:%s", part, name);
    return redis_fixture_number(&redis, command);
}

/* It would be a session without its locks, which its owner then renews. */
static void a_registration_enters_a_session_of_its_own(void **state)
{
    (void)state;
    keep_next("boot", 0);
    swim_session_t *session = session_new(3 * LEASE_MS);
    swim_lock_t *lock = must_take(session, "r", SWIM_LOCK_WRITE);
    flush();
    deliver();
    int64_t until = test_now_ms() + 3 * (int64_t)LEASE_MS;
    while (exists("w", "r") == 0 && test_now_ms() < until)
        test_nap_ms(5);
    assert_int_equal(exists("w", "r"), 1); /* it was told anew */
    assert_int_equal(swim_lock_check(lock, 0, NULL), SWIM_OK);
    assert_int_equal(swim_lock_release(lock, NULL), SWIM_OK);
    swim_session_close(session);
}

/* It would be held by nobody who knows of it; what was noted of its end is lost. */
static void a_question_for_a_lock_enters_none(void **state)
{
    static const enum swim_lock_mode modes[] = {SWIM_LOCK_READ, SWIM_LOCK_UPDATE,
                                                SWIM_LOCK_WRITE};

    (void)state;
    swim_session_t *session = session_new(LONG_LEASE_MS);
    for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
        keep_next("wait", 0);
        swim_lock_t *lock = must_take(session, "r", modes[i]);
        assert_int_equal(swim_lock_release(lock, NULL), SWIM_OK);
        flush();
        ask(session); /* and it is known again */
        end_grace();
        assert_int_equal(exists("session", swim_session_id(session)), 1);
        deliver();
        assert_int_equal(exists("r", "r") + exists("w", "r") + exists("q", "r"), 0);
    }
    swim_session_close(session);
}

/* Its first renewal comes soon after it was opened; it is not to tell the server. */
static void await_first_renewal(void)
{
    int64_t until = test_now_ms() + 10000;

    while (redis_fixture_calls(&redis, "blpop") < 1 && test_now_ms() < until)
        test_nap_ms(5);
    assert_true(redis_fixture_calls(&redis, "blpop") >= 1);
}

/* A session that tells the server anew what it holds, with a question on its way that
 * was to do so and got no answer. */
static swim_session_t *session_told_twice(swim_lock_t **lock)
{
    swim_session_t *session = session_new(LONG_LEASE_MS);
    char epoch[24];

    *lock = must_take(session, "r", SWIM_LOCK_READ);
    await_first_renewal();
    flush();
    keep_next("boot", 1); /* the first is for no epoch of the server's */
    ask(session);
    assert_int_equal(exists("r", "r"), 1);
    snprintf(epoch, sizeof(epoch), "%llu", atomic_load(&session->epoch));
    assert_non_null(memmem(kept.question, kept.size, epoch, strlen(epoch)));
    return session;
}

static void what_was_held_before_another_loss_is_not_told(void **state)
{
    swim_lock_t *lock = NULL;

    (void)state;
    swim_session_t *session = session_told_twice(&lock);
    assert_int_equal(swim_lock_release(lock, NULL), SWIM_OK);
    end_grace();
    lock = must_take(session, "new", SWIM_LOCK_WRITE);
    flush();
    deliver();
    assert_int_equal(exists("session", swim_session_id(session)), 0);
    assert_int_equal(exists("r", "r"), 0);
    ask(session);
    assert_int_equal(exists("w", "new"), 1);
    assert_int_equal(swim_lock_release(lock, NULL), SWIM_OK);
    swim_session_close(session);
}

static void a_session_that_was_broken_is_not_told_again(void **state)
{
    struct redis_answer *answer = NULL;
    swim_lock_t *lock = NULL;
    bool unsure = false;

    (void)state;
    swim_session_t *session = session_told_twice(&lock);
    swim_session_t *other = session_new(LONG_LEASE_MS);
    const char *id = swim_session_id(session);
    assert_int_equal(
        session_ask(other, &script_break, 1, &id, 0, &answer, &unsure, NULL), SWIM_OK);
    redis_answer_free(answer);
    deliver();
    assert_int_equal(exists("session", id), 0);
    (void)swim_lock_release(lock, NULL);
    swim_session_close(session);
    swim_session_close(other);
}

static void sessions_of_another_version_are_not_mixed_with(void **state)
{
    swim_session_t *none = NULL;
    swim_error_t err = {0};

    (void)state;
    swim_session_t *session = session_new(LONG_LEASE_MS);
    assert_int_equal(
        redis_fixture_number(&redis, "HSET {h5swim}:epoch version 1000000"), 0);
    assert_int_equal(session_try(redis.url, LEASE_MS, NULL, &none, &err), SWIM_ERR_IO);
    assert_non_null(strstr(err.text, "protocol 1000000"));
    swim_session_close(session);
    session = session_new(LEASE_MS); /* they are gone */
    end_grace();
    assert_int_equal(swim_lock_release(must_take(session, "r", SWIM_LOCK_WRITE), NULL),
                     SWIM_OK);
    swim_session_close(session);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_registration_enters_a_session_of_its_own),
        TEST(a_question_for_a_lock_enters_none),
        TEST(what_was_held_before_another_loss_is_not_told),
        TEST(a_session_that_was_broken_is_not_told_again),
        TEST(sessions_of_another_version_are_not_mixed_with),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
