/* selftest_player.c - children that hold a session and do what they are told. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "cli/selftest.h"
#include "core/clock.h"

#define QUEUE_MS 3000 /* to be seen in the queue */

enum order_kind { ORDER_OPEN, ORDER_TAKE, ORDER_RELEASE, ORDER_CHECK };

struct order {
    enum order_kind kind;
    enum swim_lock_mode mode;
    uint32_t lease_ms;
    int64_t wait_ms;
    char resource[PATH_MAX];
};

struct player {
    const struct selftest *t;
    swim_session_t *session;
    swim_lock_t *lock;
};

static int obey_open(struct player *p, const struct order *o, char *id,
                     swim_error_t *err)
{
    const struct swim_session_options opt = {.struct_size = sizeof(opt),
                                             .url = p->t->url,
                                             .lease_ms = o->lease_ms,
                                             .job = p->t->tag,
                                             .rank = -1};

    int rc = p->t->locks->open(&opt, &p->session, err);
    if (rc == SWIM_OK)
        snprintf(id, SELFTEST_SESSION_MAX, "%s", p->t->locks->id(p->session));
    return rc;
}

static int obey_take(struct player *p, const struct order *o, uint64_t *fence,
                     swim_error_t *err)
{
    const struct swim_lock_options opt = {.struct_size = sizeof(opt),
                                          .wait_ms = o->wait_ms};

    int rc =
        p->t->locks->acquire(p->session, o->resource, o->mode, &opt, &p->lock, err);
    if (rc == SWIM_OK)
        *fence = p->t->locks->fence(p->lock);
    return rc;
}

static void obey(struct player *p, const struct order *o, struct player_answer *a)
{
    const struct selftest_locks *locks = p->t->locks;
    swim_error_t err = {0};

    switch (o->kind) {
    case ORDER_OPEN:
        a->rc = obey_open(p, o, a->session, &err);
        break;
    case ORDER_TAKE:
        a->rc = obey_take(p, o, &a->fence, &err);
        break;
    case ORDER_CHECK:
        a->rc = locks->check(p->lock, 0, &err);
        break;
    case ORDER_RELEASE:
        a->rc = locks->release(p->lock, &err);
        p->lock = NULL;
        break;
    }
    a->at_ns = swim_clock_mono_ns();
    if (a->rc != SWIM_OK)
        snprintf(a->text, sizeof(a->text), "%s", err.text);
}

static void player_main(const struct selftest *t, int fd, const void *arg)
{
    struct player p = {.t = t};
    struct order o;

    (void)arg;
    while (recv(fd, &o, sizeof(o), 0) == (ssize_t)sizeof(o)) {
        struct player_answer a = {0};
        obey(&p, &o, &a);
        if (send(fd, &a, sizeof(a), MSG_NOSIGNAL) != (ssize_t)sizeof(a))
            break;
    }
    if (p.session)
        t->locks->close(p.session);
}

static void player_order(struct selftest_child *c, const struct order *o)
{
    ssize_t ignored = send(c->fd, o, sizeof(*o), MSG_NOSIGNAL);

    (void)ignored; /* its silence will be noticed */
}

int player_hear(const struct selftest_child *c, int64_t wait_ms,
                struct player_answer *a)
{
    swim_error_t err = {0};

    memset(a, 0, sizeof(*a));
    int rc = selftest_receive(c, a, sizeof(*a), wait_ms, &err);
    if (rc != SWIM_OK) {
        a->rc = rc;
        snprintf(a->text, sizeof(a->text), "%s", err.text);
    }
    return a->rc;
}

struct selftest_child *player_new(struct selftest *t, uint32_t lease_ms,
                                  struct player_answer *a)
{
    const struct order o = {.kind = ORDER_OPEN, .lease_ms = lease_ms};
    swim_error_t err = {0};

    memset(a, 0, sizeof(*a));
    struct selftest_child *c = selftest_spawn(t, player_main, NULL, &err);
    if (!c) {
        a->rc = SWIM_ERR_IO;
        snprintf(a->text, sizeof(a->text), "%s", err.text);
        return NULL;
    }
    player_order(c, &o);
    if (player_hear(c, INT64_C(2) * SELFTEST_PATIENCE_MS, a) != SWIM_OK)
        return NULL;
    memcpy(c->session, a->session, sizeof(c->session));
    return c;
}

void player_ask(struct selftest_child *c, enum swim_lock_mode mode,
                const char *resource, int64_t wait_ms)
{
    struct order o = {.kind = ORDER_TAKE, .mode = mode, .wait_ms = wait_ms};

    snprintf(o.resource, sizeof(o.resource), "%s", resource);
    player_order(c, &o);
}

int player_take(struct selftest_child *c, enum swim_lock_mode mode,
                const char *resource, int64_t wait_ms, struct player_answer *a)
{
    player_ask(c, mode, resource, wait_ms);
    return player_hear(
        c, wait_ms > 0 ? wait_ms + SELFTEST_PATIENCE_MS : SELFTEST_PATIENCE_MS, a);
}

int player_release(struct selftest_child *c, struct player_answer *a)
{
    const struct order o = {.kind = ORDER_RELEASE};

    player_order(c, &o);
    return player_hear(c, SELFTEST_PATIENCE_MS, a);
}

int player_check(struct selftest_child *c, struct player_answer *a)
{
    const struct order o = {.kind = ORDER_CHECK};

    player_order(c, &o);
    return player_hear(c, SELFTEST_PATIENCE_MS, a);
}

bool player_has_answered(const struct selftest_child *c)
{
    struct pollfd p = {c->fd, POLLIN, 0};

    return poll(&p, 1, 0) > 0;
}

/* How many wait for it; 0 also when that cannot be seen. */
static size_t queue_length(struct selftest *t, const char *resource)
{
    struct inspection *seen = NULL;
    size_t n = 0;

    if (inspect_look(t->inspector, &resource, 1, &seen, NULL) == SWIM_OK &&
        seen->n_resources == 1)
        n = seen->resources[0].n_waiting;
    inspection_free(seen);
    return n;
}

bool player_queue(struct selftest *t, struct selftest_child *c,
                  enum swim_lock_mode mode, const char *resource, size_t nth,
                  struct selftest_finding *f)
{
    int64_t until_ns = swim_clock_mono_ns() + QUEUE_MS * 1000000LL;
    struct player_answer a;

    player_ask(c, mode, resource, SELFTEST_PATIENCE_MS);
    while (swim_clock_mono_ns() < until_ns && !selftest_interrupted()) {
        if (player_has_answered(c)) {
            if (player_hear(c, 0, &a) == SWIM_OK)
                finding_failed(f, "%s was granted out of turn", selftest_mode(mode));
            else
                finding_failed(f, "%s", a.text);
            return false;
        }
        if (queue_length(t, resource) >= nth)
            return true;
        selftest_nap_ms(1);
    }
    finding_failed(f, "%s does not wait in the queue", selftest_mode(mode));
    return false;
}

const char *selftest_mode(enum swim_lock_mode mode)
{
    static const char *const names[] = {"", "READ", "UPDATE", "WRITE"};

    return names[mode];
}
