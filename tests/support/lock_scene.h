/* lock_scene.h - a server, some processes and a folder, for cmocka tests of locks among
 * real processes. */
#ifndef SWIM_SUPPORT_LOCK_SCENE_H
#define SWIM_SUPPORT_LOCK_SCENE_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lock_tools.h"
#include "scratch_dir.h"
#include "victim.h"

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

static inline void release(struct actor *a)
{
    assert_told(a, 'r', SWIM_OK);
    actor_tell(a, 'x');
    assert_int_equal(actor_reap(a), 0);
}

/* Nobody else gets WRITE now. */
static inline void assert_closed(const struct scene *s)
{
    struct actor probe = {0};

    start(&s->redis, &probe, LEASE_MS, SWIM_LOCK_WRITE, SWIM_LOCK_TRY);
    assert_int_equal(actor_hear(&probe, NULL), SWIM_ERR_TIMEOUT);
    actor_tell(&probe, 'x');
    assert_int_equal(actor_reap(&probe), 0);
}

/* In a child: a session, or its end with a status that a test sees. */
static inline swim_session_t *session_new(const struct scene *s, uint32_t lease_ms,
                                          const struct redis_link_ops *ops)
{
    swim_session_t *session = NULL;
    swim_error_t err = {0};

    if (session_try(s->redis.url, lease_ms, ops, &session, &err) != SWIM_OK) {
        fprintf(stderr, "%s\n", err.text);
        _exit(70);
    }
    return session;
}

#endif /* SWIM_SUPPORT_LOCK_SCENE_H */
