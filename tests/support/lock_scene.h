/* lock_scene.h - a server, some processes and a folder, for cmocka tests of locks among
 * real processes.
 *
 * "Elsewhere" is a host whose processes nobody here can look at: the sessions carry
 * another boot id, so leases alone can end them. */
#ifndef SWIM_SUPPORT_LOCK_SCENE_H
#define SWIM_SUPPORT_LOCK_SCENE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "actor.h"
#include "lock/lock_private.h"
#include "redis_fixture.h"
#include "scratch_dir.h"
#include "victim.h"

#define RESOURCE "/data/a.h5"
#define QUEUE "ZCARD {h5swim}:q:" RESOURCE
#define LEASE_MS 1000
#define LONG_LEASE_MS 60000
#define SLACK_MS 1500 /* for a busy machine */
#define WAITERS 4

struct scene {
    struct redis_fixture redis;
    struct scratch_dir dir;
    struct actor a, b, c;
    struct victim *v[WAITERS];
};

static inline int setup(void **state)
{
    struct scene *s = calloc(1, sizeof(*s));

    *state = s;
    if (!s || redis_fixture_open(&s->redis, NULL) != 0 || scratch_dir_make(&s->dir))
        return -1;
    for (int i = 0; i < WAITERS; i++)
        if (!(s->v[i] = victim_create()))
            return -1;
    return 0;
}

static inline int teardown(void **state)
{
    struct scene *s = *state;

    actor_kill(&s->a);
    actor_kill(&s->b);
    actor_kill(&s->c);
    for (int i = 0; i < WAITERS; i++)
        victim_destroy(s->v[i]);
    redis_fixture_close(&s->redis);
    scratch_dir_remove(&s->dir);
    free(s);
    return 0;
}

static inline void start(const struct scene *s, struct actor *a, uint32_t lease_ms,
                         enum swim_lock_mode mode, int64_t wait_ms)
{
    assert_int_equal(actor_start(a, s->redis.url, lease_ms, mode, RESOURCE, wait_ms),
                     0);
}

static inline void start_holding(const struct scene *s, struct actor *a,
                                 uint32_t lease_ms, enum swim_lock_mode mode)
{
    start(s, a, lease_ms, mode, 20000);
    assert_int_equal(actor_hear(a, NULL), SWIM_OK);
}

static inline void release(struct actor *a)
{
    actor_tell(a, 'r');
    assert_int_equal(actor_hear(a, NULL), SWIM_OK);
    actor_tell(a, 'x');
    assert_int_equal(actor_reap(a), 0);
}

/* Nobody else gets WRITE now. */
static inline void assert_closed(const struct scene *s)
{
    struct actor probe = {0};

    start(s, &probe, LEASE_MS, SWIM_LOCK_WRITE, SWIM_LOCK_TRY);
    assert_int_equal(actor_hear(&probe, NULL), SWIM_ERR_TIMEOUT);
    actor_tell(&probe, 'x');
    assert_int_equal(actor_reap(&probe), 0);
}

static inline void move_sessions_elsewhere(const struct scene *s)
{
    char answer[64];

    assert_true(redis_fixture_say(
        &s->redis,
        "EVAL \"for _,k in ipairs(redis.call('KEYS','{h5swim}:session:*')) do "
        "redis.call('HSET',k,'boot','other') end return 1\" 0",
        answer, sizeof(answer)));
}

/* In a child: a session, or its end with a status that a test sees. */
static inline swim_session_t *session_new(const struct scene *s, uint32_t lease_ms,
                                          const struct redis_link_ops *ops)
{
    const struct swim_session_options opt = {.struct_size = sizeof(opt),
                                             .url = s->redis.url,
                                             .lease_ms = lease_ms,
                                             .rank = -1};
    swim_session_t *session = NULL;
    swim_error_t err = {0};

    if (session_open(&opt, ops ? ops : &redis_link_sockets, &session, &err) !=
        SWIM_OK) {
        fprintf(stderr, "%s\n", err.text);
        _exit(70);
    }
    return session;
}

static inline int take(swim_session_t *session, const char *resource,
                       enum swim_lock_mode mode, int64_t wait_ms, swim_lock_t **lock)
{
    const struct swim_lock_options opt = {.struct_size = sizeof(opt),
                                          .wait_ms = wait_ms};

    return swim_lock_acquire(session, resource, mode, &opt, lock, NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif /* SWIM_SUPPORT_LOCK_SCENE_H */
