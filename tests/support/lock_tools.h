/* lock_tools.h - what cmocka tests of locks do again and again, with a server of their
 * own: sessions, locks, and processes that hold or wait.
 *
 * All are about one resource; a test that wants another defines RESOURCE before. */
#ifndef SWIM_SUPPORT_LOCK_TOOLS_H
#define SWIM_SUPPORT_LOCK_TOOLS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "actor.h"
#include "lock/lock_private.h"
#include "redis_fixture.h"

#ifndef RESOURCE
#define RESOURCE "/data/a.h5"
#endif
#define QUEUE "ZCARD {h5swim}:q:" RESOURCE /* how many wait */

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* The server answers with this, or begins so. */
static inline void say(const struct redis_fixture *redis, const char *command,
                       const char *wanted)
{
    char answer[4096];

    assert_true(redis_fixture_say(redis, command, answer, sizeof(answer)));
    if (strncmp(answer, wanted, strlen(wanted)) != 0)
        fail_msg("%s: %s", command, answer);
}

/* "Elsewhere" is a host whose processes nobody here can look at: the sessions carry
 * another boot id, so leases alone can end them. */
static inline void move_sessions_elsewhere(const struct redis_fixture *redis)
{
    say(redis,
        "EVAL \"for _,k in ipairs(redis.call('KEYS','{h5swim}:session:*')) do "
        "redis.call('HSET',k,'boot','other') end return 1\" 0",
        ":1");
}

/* A session by these ops; NULL: as programs open theirs. */
static inline int session_try(const char *url, uint32_t lease_ms,
                              const struct redis_link_ops *ops,
                              swim_session_t **session, swim_error_t *err)
{
    const struct swim_session_options opt = {
        .struct_size = sizeof(opt), .url = url, .lease_ms = lease_ms, .rank = -1};

    return ops ? session_open(&opt, ops, session, err)
               : swim_session_open(&opt, session, err);
}

/* The same, or the test fails. */
static inline swim_session_t *session_at(const char *url, uint32_t lease_ms,
                                         const struct redis_link_ops *ops)
{
    swim_session_t *session = NULL;
    swim_error_t err = {0};

    if (session_try(url, lease_ms, ops, &session, &err) != SWIM_OK)
        fail_msg("%s", err.text);
    assert_int_equal(err.code, SWIM_OK); /* a try that failed before is not told */
    return session;
}

/* A server, and two sessions there; 0: they are open. */
static inline int pair_open(struct redis_fixture *redis, uint32_t lease_ms,
                            swim_session_t **a, swim_session_t **b)
{
    if (redis_fixture_open(redis, NULL) != 0)
        return -1;
    *a = session_at(redis->url, lease_ms, NULL);
    *b = session_at(redis->url, lease_ms, NULL);
    return 0;
}

static inline void pair_close(struct redis_fixture *redis, swim_session_t *a,
                              swim_session_t *b)
{
    swim_session_close(a);
    swim_session_close(b);
    redis_fixture_close(redis);
}

static inline int take_at(swim_session_t *session, const char *resource,
                          enum swim_lock_mode mode, int64_t wait_ms, swim_lock_t **lock,
                          swim_error_t *err)
{
    const struct swim_lock_options opt = {.struct_size = sizeof(opt),
                                          .wait_ms = wait_ms};

    return swim_lock_acquire(session, resource, mode, &opt, lock, err);
}

static inline int take(swim_session_t *session, enum swim_lock_mode mode,
                       int64_t wait_ms, swim_lock_t **lock)
{
    return take_at(session, RESOURCE, mode, wait_ms, lock, NULL);
}

/* A process that asks for the lock. */
static inline void start(const struct redis_fixture *redis, struct actor *a,
                         uint32_t lease_ms, enum swim_lock_mode mode, int64_t wait_ms)
{
    assert_int_equal(actor_start(a, redis->url, lease_ms, mode, RESOURCE, wait_ms), 0);
}

static inline void start_holding(const struct redis_fixture *redis, struct actor *a,
                                 uint32_t lease_ms, enum swim_lock_mode mode)
{
    start(redis, a, lease_ms, mode, 20000);
    assert_int_equal(actor_hear(a, NULL), SWIM_OK);
}

/* It waits as the nth. */
static inline void start_queued(const struct redis_fixture *redis, struct actor *a,
                                uint32_t lease_ms, enum swim_lock_mode mode, long n)
{
    start(redis, a, lease_ms, mode, 60000);
    assert_true(redis_fixture_await(redis, QUEUE, n));
}

/* Its check of the lock, or its release of it, gives this. */
static inline void assert_told(struct actor *a, char what, int wanted)
{
    actor_tell(a, what);
    assert_int_equal(actor_hear(a, NULL), wanted);
}

#endif /* SWIM_SUPPORT_LOCK_TOOLS_H */
