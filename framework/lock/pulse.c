/* pulse.c - the thread that keeps a session's lease.
 *
 * On a link of its own it waits for a notice at the server (somebody wants the session
 * to end), so it also sees at once that the server went away.  It does so with one
 * question, as long as the link lasts: all that a server with many sessions does for
 * each is to answer its renewals.
 *
 * Those go over the link of commands while nobody uses it, else over one of the links
 * for waiting, so that no lock that takes long to answer delays a renewal.
 * Once the lease is over by our clock it is not renewed, even if the server still
 * would: swim_lock_check() may have told somebody so. */
#include <errno.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/log.h"
#include "lock_private.h"

#define RETRY_FIRST_MS 20
#define LISTEN_FROM_MS 200 /* sessions shorter than this need no connection for it */
#define LISTEN_MIN_MS 20   /* shorter naps need no notice */

/* Patience with one renewal: there is time for others after it. */
static int64_t request_ms(const swim_session_t *s)
{
    int64_t third = s->lease_ms / 3;

    return third < REDIS_LINK_REQUEST_MS ? third : REDIS_LINK_REQUEST_MS;
}

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

/* A link for a question now; *waiter: NULL when it is that of commands, whose mutex is
 * held until pulse_link_give().  NULL: no memory. */
static struct redis_link *pulse_link_take(swim_session_t *s,
                                          struct waiter_link **waiter)
{
    *waiter = NULL;
    if (pthread_mutex_trylock(&s->command_mutex) == 0)
        return s->command;
    *waiter = session_waiter_take(s);
    return *waiter ? (*waiter)->link : NULL;
}

static void pulse_link_give(swim_session_t *s, struct waiter_link *waiter)
{
    if (waiter)
        session_waiter_give(waiter);
    else
        pthread_mutex_unlock(&s->command_mutex);
}

static int pulse_ask(swim_session_t *s, const struct lock_script *script, int argc,
                     const char *const *argv, char *status, size_t size)
{
    const struct redis_wait wait = {.until_ns = swim_clock_mono_ns() +
                                                REDIS_LINK_REQUEST_MS * 1000000LL,
                                    .fds = &s->stop_fd,
                                    .fds_count = 1};
    struct redis_answer *answer = NULL;
    struct waiter_link *waiter = NULL;
    swim_error_t err = {0};

    status[0] = '\0';
    struct redis_link *link = pulse_link_take(s, &waiter);
    if (!link)
        return SWIM_ERR_NOMEM;
    int rc = redis_link_eval(link, script, argc, argv, &wait, &answer, &err);
    pulse_link_give(s, waiter);
    if (rc != SWIM_OK && rc != SWIM_ERR_CANCELLED)
        swim_log(SWIM_LOG_DEBUG, "lock", "renewal failed session=%s: %s", s->id,
                 err.text);
    snprintf(status, size, "%s", redis_answer_text(answer));
    redis_answer_free(answer);
    return rc;
}

/* From here on no check passes.  Who holds something may be in the middle of a write
 * that one allowed, so it is not given to others before that time is over, unless the
 * session is closed meanwhile: then nobody writes any more.  The lease is longer. */
static void pulse_lost(swim_session_t *s, const char *why)
{
    const char *argv[] = {s->id};
    char status[16];

    atomic_store(&s->lost, true);
    swim_log(SWIM_LOG_WARN, "lock", "session lost, its locks are gone: %s session=%s",
             why, s->id);
    int64_t left_ns = atomic_load(&s->promised_ns) - swim_clock_boot_ns();
    int rc = pulse_nap(s, (left_ns + 999999) / 1000000);
    /* What the server still keeps for it is of no use to anybody. */
    if (rc == SWIM_OK)
        rc = pulse_ask(s, &script_close, 1, argv, status, sizeof(status));
    s->close_owed = rc == SWIM_ERR_CANCELLED;
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
        char since[24];
        bool raised = o->base[0] != '\0';
        const char *argv[] = {s->id, o->ticket, o->resource, "unsure", o->base, since};
        snprintf(since, sizeof(since), "%lld", (long long)session_server_ms(s));
        int rc = pulse_ask(s, raised ? &script_lower : &script_release, raised ? 6 : 4,
                           argv, status, sizeof(status));
        if (rc != SWIM_OK)
            session_orphan(s, o->ticket, o->resource, raised ? o->base : NULL);
        free(o);
        if (rc != SWIM_OK)
            return;
    }
}

/* Clear the pins that could not be cleared while the server was away. */
static void pulse_pins(swim_session_t *s)
{
    char what[PIN_WHAT_MAX], epoch[24], number[24], status[16];
    const char *argv[] = {s->id, epoch, what, number, "clear"};
    unsigned long long serial;

    while (pin_owed(s, what, sizeof(what), &serial)) {
        snprintf(epoch, sizeof(epoch), "%llu", atomic_load(&s->epoch));
        snprintf(number, sizeof(number), "%llu", serial);
        if (pulse_ask(s, &script_pin, 5, argv, status, sizeof(status)) != SWIM_OK ||
            strcmp(status, "done") != 0)
            return;
        pin_paid(s, what, serial);
    }
}

/* Ask for more time: 1, or 0 when the server does not know the session. */
static int pulse_extend(swim_session_t *s, long long *known)
{
    char key[SESSION_ID_MAX + 24], lease[16];
    const char *argv[] = {"PEXPIRE", key, lease};
    const struct redis_wait wait = {.until_ns = swim_clock_mono_ns() +
                                                request_ms(s) * 1000000LL,
                                    .fds = &s->stop_fd,
                                    .fds_count = 1};
    struct redis_answer *answer = NULL;
    struct waiter_link *waiter = NULL;
    swim_error_t err = {0};

    *known = 0;
    struct redis_link *link = pulse_link_take(s, &waiter);
    if (!link)
        return SWIM_ERR_NOMEM;
    snprintf(key, sizeof(key), "{h5swim}:session:%s", s->id);
    snprintf(lease, sizeof(lease), "%u", s->lease_ms);
    int rc = redis_link_call(link, 3, argv, &wait, &answer, &err);
    pulse_link_give(s, waiter);
    if (rc != SWIM_OK && rc != SWIM_ERR_CANCELLED)
        swim_log(SWIM_LOG_DEBUG, "lock", "renewal failed session=%s: %s", s->id,
                 err.text);
    *known = redis_answer_number(answer);
    redis_answer_free(answer);
    return rc;
}

/* One renewal; *next_ms: when the next is due. */
static int pulse_renew(swim_session_t *s, int64_t *next_ms)
{
    int64_t sent_ns = swim_clock_boot_ns();
    uint64_t seq = atomic_load(&s->seq);
    long long known = 0;

    if (atomic_load(&s->lost) || sent_ns >= atomic_load(&s->deadline_ns)) {
        pulse_lost(s, "its lease ran out before it could be renewed");
        return SWIM_ERR_LOST;
    }
    int rc = pulse_extend(s, &known);
    if (rc != SWIM_OK)
        return rc;
    if (known != 1)
        rc = session_revive(s, seq, 0, "at a renewal", NULL);
    else if (!session_extend(s, sent_ns))
        rc = SWIM_ERR_LOST;
    if (rc == SWIM_ERR_LOST)
        pulse_lost(s, known == 1 ? "its lease ran out before the server answered"
                                 : "the lock server does not know it any more");
    if (rc != SWIM_OK)
        return rc;
    *next_ms = sent_ns / 1000000 + s->lease_ms / 3;
    pulse_orphans(s);
    pulse_pins(s);
    return SWIM_OK;
}

/* Ask for notices, for as long as the link lasts. */
static int pulse_subscribe(swim_session_t *s, const struct redis_wait *wait)
{
    char key[SESSION_ID_MAX + 24];
    const char *argv[] = {"BLPOP", key, "0"};

    snprintf(key, sizeof(key), "{h5swim}:notice:%s", s->id);
    return redis_link_tell(s->pulse, 3, argv, wait, NULL);
}

/* Wait until next_ms: SWIM_OK; SWIM_ERR_CANCELLED when the thread shall end;
 * SWIM_ERR_LOST when somebody wants the session to end; SWIM_ERR_IO when the link
 * broke, after which a renewal is due at once.  A link that cannot be made is no reason
 * for one: the server may have no room for it. */
static int pulse_listen(swim_session_t *s, int64_t next_ms)
{
    int64_t nap_ms = next_ms - now_boot_ms();
    const struct redis_wait wait = {.until_ns =
                                        swim_clock_mono_ns() + nap_ms * 1000000LL,
                                    .fds = &s->stop_fd,
                                    .fds_count = 1,
                                    .strict = true};
    struct redis_answer *answer = NULL;

    if (nap_ms < LISTEN_MIN_MS)
        return pulse_nap(s, nap_ms);
    if (redis_link_fd(s->pulse) < 0 && pulse_subscribe(s, &wait) != SWIM_OK)
        return pulse_nap(s, next_ms - now_boot_ms());
    int rc = redis_link_listen(s->pulse, &wait, &answer, NULL);
    if (rc == SWIM_OK)
        rc = redis_answer_count(answer) == 2 ? SWIM_ERR_LOST : SWIM_ERR_IO;
    redis_answer_free(answer);
    if (rc == SWIM_ERR_IO) /* also a refusal: by a server that is no primary any more */
        redis_link_close(s->pulse);
    return rc == SWIM_ERR_TIMEOUT ? SWIM_OK : rc;
}

/* The first renewal comes early, and nobody listens before. */
static int pulse_first(swim_session_t *s, int64_t *next_ms)
{
    *next_ms = now_boot_ms() + LISTEN_FROM_MS;
    return pulse_nap(s, LISTEN_FROM_MS);
}

/* What the thread is given, until it has begun. */
struct beginning {
    swim_session_t *session;
    sem_t begun;
};

static void *pulse_main(void *arg)
{
    struct beginning *beginning = arg;
    swim_session_t *s = beginning->session;
    int64_t next_ms, retry_ms = RETRY_FIRST_MS;

    sem_post(&beginning->begun);
    for (int rc = pulse_first(s, &next_ms);; rc = pulse_listen(s, next_ms)) {
        if (rc == SWIM_ERR_LOST)
            pulse_lost(s, "somebody else has ended it");
        else if (rc == SWIM_ERR_IO)
            next_ms = now_boot_ms();
        if (rc == SWIM_ERR_LOST || rc == SWIM_ERR_CANCELLED)
            break;
        if (now_boot_ms() < next_ms)
            continue;
        rc = pulse_renew(s, &next_ms);
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

/* Returns when the thread has begun.  It allocates memory first, and a child that is
 * forked then would wait for ever under gcc 12's address sanitizer. */
int pulse_start(swim_session_t *s, swim_error_t *err)
{
    struct beginning beginning = {.session = s};
    sigset_t all, before;
    pthread_attr_t attr;

    /* Signals are for the threads of the program. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, 262144);
    sem_init(&beginning.begun, 0, 0);
    int rc = pthread_create(&s->pulse_thread, &attr, pulse_main, &beginning);
    while (rc == 0 && sem_wait(&beginning.begun) != 0)
        continue;
    sem_destroy(&beginning.begun);
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
