/* notice.c - word of a change, by the server's PUBLISH and SUBSCRIBE.
 *
 * Who listens borrows one of the session's links for waiting and keeps it: the session
 * knows it, so a forked child closes its descriptor.  Channels are the same in all
 * databases of a server, unlike keys, so the database is in their name. */
#include "notice.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/signals.h"
#include "lock_private.h"

#define NS_PER_MS 1000000LL

struct lock_notice {
    swim_session_t *session;
    struct waiter_link *waiter; /* subscribed as long as it is connected */
    char resource[RESOURCE_MAX + 1];
};

static void channel_of(const swim_session_t *s, const char *resource, char *channel,
                       size_t size)
{
    snprintf(channel, size, "{h5swim}:told:%d:%s", s->url.db, resource);
}

int lock_notice_send(swim_session_t *s, const char *resource, const char *text,
                     swim_error_t *err)
{
    char channel[RESOURCE_MAX + 64];
    const char *argv[] = {"PUBLISH", channel, text};
    struct redis_answer *answer = NULL;

    int rc = session_check_resource(s, "notices", resource, err);
    if (rc != SWIM_OK)
        return rc;
    channel_of(s, resource, channel, sizeof(channel));
    rc = session_say(s, 3, argv, &answer, err);
    redis_answer_free(answer);
    return redis_unsure_is_io(rc, err); /* as good as a lost one */
}

/* Subscribe over a connection that is new: one that was used before may be broken. */
static int notice_subscribe(const struct lock_notice *n, swim_error_t *err)
{
    char channel[RESOURCE_MAX + 64];
    const char *argv[] = {"SUBSCRIBE", channel};
    int fds[] = {swim_signals_fd()};
    const struct redis_wait wait = {.until_ns = swim_clock_mono_ns() +
                                                REDIS_LINK_REQUEST_MS * NS_PER_MS,
                                    .fds = fds,
                                    .fds_count = 1};
    struct redis_answer *answer = NULL;

    channel_of(n->session, n->resource, channel, sizeof(channel));
    redis_link_close(n->waiter->link);
    int rc = redis_link_call(n->waiter->link, 2, argv, &wait, &answer, err);
    redis_answer_free(answer);
    return redis_unsure_is_io(rc, err);
}

int lock_notice_open(swim_session_t *s, const char *resource, struct lock_notice **out,
                     swim_error_t *err)
{
    *out = NULL;
    int rc = session_check_resource(s, "notices", resource, err);
    if (rc == SWIM_OK)
        rc = swim_signals_check(resource, err);
    if (rc != SWIM_OK)
        return rc;
    struct lock_notice *n = calloc(1, sizeof(*n));
    if (n)
        n->waiter = session_waiter_take(s);
    if (!n || !n->waiter) {
        free(n);
        return swim_error_set(err, SWIM_ERR_NOMEM, "notices of %s: no memory",
                              resource);
    }
    n->session = s;
    snprintf(n->resource, sizeof(n->resource), "%s", resource);
    rc = notice_subscribe(n, err);
    if (rc != SWIM_OK) {
        lock_notice_close(n);
        return rc;
    }
    *out = n;
    return SWIM_OK;
}

/* SWIM_ERR_CANCELLED when somebody wants the wait to end. */
static int notice_wanted(const struct lock_notice *n, const swim_cancel_t *cancel,
                         swim_error_t *err)
{
    int rc = session_check(n->session, 0, n->resource, err);

    if (rc == SWIM_OK)
        rc = swim_signals_check(n->resource, err);
    return rc == SWIM_OK ? cancel_check(cancel, n->resource, err) : rc;
}

static int64_t wait_until(int64_t wait_ms)
{
    if (wait_ms == SWIM_LOCK_FOREVER)
        return INT64_MAX;
    return swim_clock_after_ms(swim_clock_mono_ns(), wait_ms > 0 ? wait_ms : 0);
}

static bool answer_is_notice(const struct redis_answer *answer)
{
    return redis_answer_count(answer) == 3 &&
           strcmp(redis_answer_text(redis_answer_at(answer, 0)), "message") == 0;
}

/* What comes next, or SWIM_ERR_TIMEOUT when the lease is to be looked at again. */
static int notice_listen(struct lock_notice *n, int64_t until_ns,
                         const swim_cancel_t *cancel, struct redis_answer **answer,
                         swim_error_t *err)
{
    int fds[] = {swim_signals_fd(), cancel_fd(cancel)};
    int64_t look_ns =
        swim_clock_mono_ns() + (int64_t)n->session->lease_ms * NS_PER_MS / 3;
    const struct redis_wait wait = {.until_ns = until_ns < look_ns ? until_ns : look_ns,
                                    .fds = fds,
                                    .fds_count = 2};

    return redis_link_listen(n->waiter->link, &wait, answer, err);
}

int lock_notice_wait(struct lock_notice *n, int64_t wait_ms, swim_cancel_t *cancel,
                     char *text, size_t size, swim_error_t *err)
{
    int64_t until_ns = wait_until(wait_ms);
    bool heard = false;

    text[0] = '\0';
    int rc = notice_wanted(n, cancel, err);
    while (rc == SWIM_OK && !heard) {
        struct redis_answer *answer = NULL;
        swim_error_t now = {0};
        rc = notice_listen(n, until_ns, cancel, &answer, &now);
        heard = answer_is_notice(answer);
        if (heard)
            snprintf(text, size, "%s", redis_answer_text(redis_answer_at(answer, 2)));
        redis_answer_free(answer);
        if (rc == SWIM_ERR_TIMEOUT && swim_clock_mono_ns() >= until_ns)
            return swim_error_set(err, rc, "notices of %s: none came in %lld ms",
                                  n->resource, (long long)wait_ms);
        if (rc == SWIM_ERR_TIMEOUT || rc == SWIM_ERR_CANCELLED)
            rc = notice_wanted(n, cancel, err);
        else if (rc != SWIM_OK)
            (void)swim_error_set(err, rc, "notices of %s: %s", n->resource, now.text);
    }
    return rc;
}

int lock_notice_fd(const struct lock_notice *n)
{
    return redis_link_fd(n->waiter->link);
}

void lock_notice_close(struct lock_notice *n)
{
    int saved = errno;

    if (!n)
        return;
    if (!atomic_load(&n->session->forked)) {
        redis_link_close(n->waiter->link);
        session_waiter_give(n->waiter);
    }
    free(n);
    errno = saved;
}
