/* pulse.c - the thread that keeps a session's lease.
 *
 * It has its own link, so that no lock that takes long to answer delays a renewal.
 * Once the lease is over by our clock it is not renewed, even if the server still
 * would: swim_lock_check() may have told somebody so. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/log.h"
#include "lock_private.h"

#define RETRY_FIRST_MS 20

static int64_t now_boot_ms(void)
{
    return swim_clock_boot_ns() / 1000000;
}

/* SWIM_OK when ms have passed, SWIM_ERR_CANCELLED when the thread shall end. */
static int pulse_nap(const swim_session_t *s, int64_t ms)
{
    struct pollfd p = {s->stop_fd, POLLIN, 0};

    return poll(&p, 1, ms > 0 ? (int)ms : 0) > 0 ? SWIM_ERR_CANCELLED : SWIM_OK;
}

static int pulse_ask(swim_session_t *s, const struct lock_script *script, int argc,
                     const char *const *argv, char *status, size_t size)
{
    const struct redis_wait wait = {.until_ns = swim_clock_mono_ns() +
                                                REDIS_LINK_REQUEST_MS * 1000000LL,
                                    .fds = &s->stop_fd,
                                    .fds_count = 1};
    struct redis_answer *answer = NULL;
    swim_error_t err = {0};

    int rc = redis_link_eval(s->pulse, script, argc, argv, &wait, &answer, &err);
    if (rc != SWIM_OK && rc != SWIM_ERR_CANCELLED)
        swim_log(SWIM_LOG_DEBUG, "lock", "renewal failed session=%s: %s", s->id,
                 err.text);
    snprintf(status, size, "%s", redis_answer_text(redis_answer_at(answer, 0)));
    redis_answer_free(answer);
    return rc;
}

static void pulse_lost(swim_session_t *s, const char *why)
{
    const char *argv[] = {s->id};
    char status[16];

    atomic_store(&s->lost, true);
    swim_log(SWIM_LOG_WARN, "lock", "session lost, its locks are gone: %s session=%s",
             why, s->id);
    /* What the server still keeps for it is of no use to anybody. */
    (void)pulse_ask(s, &script_close, 1, argv, status, sizeof(status));
}

/* Give back what could not be given back while the server was away. */
static void pulse_orphans(swim_session_t *s)
{
    for (;;) {
        char status[16];
        pthread_mutex_lock(&s->orphan_mutex);
        struct orphan *o = s->orphans;
        if (o)
            s->orphans = o->next;
        pthread_mutex_unlock(&s->orphan_mutex);
        if (!o)
            return;
        const char *argv[] = {s->id, o->ticket, o->resource, "unsure"};
        int rc = pulse_ask(s, &script_release, 4, argv, status, sizeof(status));
        if (rc != SWIM_OK)
            session_orphan(s, o->ticket, o->resource);
        free(o);
        if (rc != SWIM_OK)
            return;
    }
}

/* One renewal; *next_ms: when the next is due. */
static int pulse_renew(swim_session_t *s, int64_t *next_ms)
{
    char lease[16], status[16];
    const char *argv[] = {s->id, lease};
    int64_t sent_ns = swim_clock_boot_ns();

    if (atomic_load(&s->lost) || sent_ns >= atomic_load(&s->deadline_ns)) {
        pulse_lost(s, "its lease ran out before it could be renewed");
        return SWIM_ERR_LOST;
    }
    snprintf(lease, sizeof(lease), "%u", s->lease_ms);
    int rc = pulse_ask(s, &script_renew, 2, argv, status, sizeof(status));
    if (rc != SWIM_OK)
        return rc;
    if (strcmp(status, "renewed") != 0) {
        pulse_lost(s, "the lock server does not know it any more");
        return SWIM_ERR_LOST;
    }
    atomic_store(&s->deadline_ns, sent_ns + (int64_t)s->lease_ms * 1000000);
    *next_ms = sent_ns / 1000000 + s->lease_ms / 3;
    pulse_orphans(s);
    return SWIM_OK;
}

static void *pulse_main(void *arg)
{
    swim_session_t *s = arg;
    int64_t next_ms = now_boot_ms() + s->lease_ms / 3;
    int64_t retry_ms = RETRY_FIRST_MS;

    while (pulse_nap(s, next_ms - now_boot_ms()) == SWIM_OK) {
        if (now_boot_ms() < next_ms)
            continue;
        int rc = pulse_renew(s, &next_ms);
        if (rc == SWIM_ERR_LOST || rc == SWIM_ERR_CANCELLED)
            break;
        if (rc == SWIM_OK) {
            retry_ms = RETRY_FIRST_MS;
            continue;
        }
        next_ms = now_boot_ms() + retry_ms;
        retry_ms = retry_ms * 2 < s->lease_ms / 10 ? retry_ms * 2 : s->lease_ms / 10;
    }
    return NULL;
}

int pulse_start(swim_session_t *s, swim_error_t *err)
{
    sigset_t all, before;
    pthread_attr_t attr;

    /* Signals are for the threads of the program. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, 262144);
    int rc = pthread_create(&s->pulse_thread, &attr, pulse_main, s);
    pthread_attr_destroy(&attr);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0)
        return swim_error_sys(err, rc, "start the thread that renews the lease");
    s->pulse_runs = true;
    return SWIM_OK;
}

void pulse_stop(swim_session_t *s)
{
    const uint64_t one = 1;

    if (!s->pulse_runs)
        return;
    ssize_t ignored = write(s->stop_fd, &one, sizeof(one));
    (void)ignored; /* an eventfd at 0 always takes a 1 */
    pthread_join(s->pulse_thread, NULL);
    s->pulse_runs = false;
}
