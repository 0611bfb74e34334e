/* lock.c - taking and giving back a lock.
 *
 * A ticket's way:  asked -> granted -> released
 *                  asked -> queued -> granted
 *                           queued -> cancelled (time is up, a signal)
 * The client moves it by two scripts, acquire and release; both may be asked again with
 * the same ticket when an answer is missing, and the answer then tells what the first
 * one did.  Every way out of swim_lock_acquire() other than SWIM_OK asks release, so
 * that nothing stays behind; if the server is away, the pulse thread does it later. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/signals.h"
#include "lock_private.h"

#define WAIT_DEFAULT_MS 60000
#define RESOURCE_MAX 4095
#define NS_PER_MS 1000000LL
#define SERVER_AWAY_MS 10000 /* longest patience with a server that is away */
#define TRY_AWAY_MS 2000     /* the same when the caller wants to wait less */
#define WAIT_QUIET_MS 50     /* waits this short ask nobody who is in the way */
#define WAIT_LOCAL_MS 1000   /* look again at new holders on this host */
#define WAIT_SLACK_MS 10     /* a lease has ended, and the server has seen it */

/* One acquire under way. */
struct attempt {
    swim_session_t *session;
    struct swim_lock *lock;
    bool try_only;
    int64_t begin_ns, until_ns; /* CLOCK_MONOTONIC */
    struct blocker_list blockers;
};

enum ask_result { ASK_GRANTED, ASK_QUEUED, ASK_BUSY, ASK_LOST, ASK_ODD };

static int64_t away_until(const struct attempt *a)
{
    int64_t soon = a->begin_ns + TRY_AWAY_MS * NS_PER_MS;
    int64_t late = swim_clock_mono_ns() + SERVER_AWAY_MS * NS_PER_MS;
    int64_t until = a->until_ns > soon ? a->until_ns : soon;

    return until < late ? until : late;
}

static enum ask_result ask_result_of(const struct redis_answer *answer)
{
    const char *status = redis_answer_text(redis_answer_at(answer, 0));

    if (strcmp(status, "granted") == 0)
        return ASK_GRANTED;
    if (strcmp(status, "queued") == 0)
        return ASK_QUEUED;
    if (strcmp(status, "busy") == 0)
        return ASK_BUSY;
    return strcmp(status, "lost") == 0 ? ASK_LOST : ASK_ODD;
}

/* Ask for the lock, or how it stands: how is try, wait or who. */
static int attempt_ask(struct attempt *a, const char *how, enum ask_result *result,
                       swim_error_t *err)
{
    struct swim_lock *lk = a->lock;
    const char *argv[] = {a->session->id, lk->ticket, lk->resource, how};
    struct redis_answer *answer = NULL;

    int rc = session_ask(a->session, &script_acquire, 4, argv, away_until(a), &answer,
                         &lk->unsure, err);
    if (rc != SWIM_OK)
        return rc;
    *result = ask_result_of(answer);
    if (*result == ASK_GRANTED)
        lk->fence = strtoull(redis_answer_text(redis_answer_at(answer, 1)), NULL, 10);
    if (redis_answer_count(answer) >= 2 && *result != ASK_GRANTED) {
        blockers_drop(&a->blockers);
        blockers_read(a->session, answer, &a->blockers);
    }
    if (*result == ASK_ODD)
        rc = swim_error_set(err, SWIM_ERR_IO, "lock %s: lock server %s answered %s",
                            lk->resource, a->session->shown,
                            redis_answer_text(redis_answer_at(answer, 0)));
    redis_answer_free(answer);
    return rc;
}

/* How long the queued ticket sleeps before it asks again. */
static int64_t attempt_nap_ns(const struct attempt *a, bool first)
{
    int64_t nap_ms = a->session->lease_ms;
    int64_t left_ns = a->until_ns - swim_clock_mono_ns();

    if (first)
        nap_ms = WAIT_QUIET_MS;
    else if (a->blockers.fds_count > 0 && nap_ms > WAIT_LOCAL_MS)
        nap_ms = WAIT_LOCAL_MS;
    if (!first && a->blockers.lease_ms >= 0 &&
        a->blockers.lease_ms + WAIT_SLACK_MS < nap_ms)
        nap_ms = a->blockers.lease_ms + WAIT_SLACK_MS;
    int64_t nap_ns = nap_ms * NS_PER_MS;
    if (left_ns < nap_ns)
        nap_ns = left_ns;
    return nap_ns > NS_PER_MS ? nap_ns : NS_PER_MS;
}

/* Sleep until woken, at most nap_ns.  True: granted.  False for everything else, and
 * then the ticket is asked about: a wake-up may be lost, a grant is not. */
static bool attempt_sleep(struct attempt *a, int64_t nap_ns)
{
    char key[TICKET_MAX + 16], seconds[32];
    const char *argv[] = {"BLPOP", key, seconds};
    int fds[REDIS_WAIT_FDS] = {swim_signals_fd()};
    struct redis_wait wait = {.until_ns = swim_clock_mono_ns() + nap_ns +
                                          REDIS_LINK_REQUEST_MS * NS_PER_MS,
                              .fds = fds,
                              .fds_count = 1 + a->blockers.fds_count};
    struct redis_answer *answer = NULL;
    bool granted = false;

    struct waiter_link *w = session_waiter_take(a->session);
    if (!w) {
        swim_clock_nap_ns(nap_ns < NS_PER_MS ? nap_ns : NS_PER_MS);
        return false;
    }
    memcpy(fds + 1, a->blockers.fds, sizeof(a->blockers.fds));
    snprintf(key, sizeof(key), "h5swim:wake:%s", a->lock->ticket);
    snprintf(seconds, sizeof(seconds), "%.3f", (double)nap_ns / 1e9);
    int rc = redis_link_call(w->link, 3, argv, &wait, &answer, NULL);
    session_waiter_give(w);
    if (rc == SWIM_OK && redis_answer_count(answer) == 2) {
        granted = true;
        a->lock->fence =
            strtoull(redis_answer_text(redis_answer_at(answer, 1)), NULL, 10);
    }
    redis_answer_free(answer);
    if (rc == SWIM_ERR_IO)
        swim_clock_nap_ns(nap_ns < 10 * NS_PER_MS ? nap_ns : 10 * NS_PER_MS);
    return granted;
}

static int attempt_timeout(const struct attempt *a, swim_error_t *err)
{
    double waited = (double)(swim_clock_mono_ns() - a->begin_ns) / 1e9;
    static const char *const names[] = {"", "READ", "UPDATE", "WRITE"};

    return swim_error_set(
        err, SWIM_ERR_TIMEOUT, "lock %s for %s: not had in %.1f s: %s",
        a->lock->resource, names[a->lock->mode], waited,
        a->blockers.text[0] ? a->blockers.text : "it became free only now (try again)");
}

static int attempt_lost(const struct attempt *a, swim_error_t *err)
{
    atomic_store(&a->session->lost, true);
    return session_check(a->session, 0, a->lock->resource, err);
}

/* Wait in the queue until granted. */
static int attempt_wait(struct attempt *a, swim_error_t *err)
{
    enum ask_result result = ASK_QUEUED;
    bool first = true;

    for (;;) {
        if (attempt_sleep(a, attempt_nap_ns(a, first)))
            return SWIM_OK;
        int rc = swim_signals_check(a->lock->resource, err);
        if (rc == SWIM_OK)
            rc = attempt_ask(a, "who", &result, err);
        if (rc != SWIM_OK)
            return rc;
        /* What a dead process held may have come to us. */
        while (rc == SWIM_OK && result == ASK_QUEUED && a->blockers.reaped > 0)
            rc = attempt_ask(a, "who", &result, err);
        if (rc != SWIM_OK || result == ASK_GRANTED)
            return rc;
        if (result == ASK_LOST)
            return attempt_lost(a, err);
        if (swim_clock_mono_ns() >= a->until_ns)
            return attempt_timeout(a, err);
        first = false;
    }
}

static int attempt_run(struct attempt *a, swim_error_t *err)
{
    enum ask_result result = ASK_ODD;
    int rc;

    do {
        rc = attempt_ask(a, a->try_only ? "try" : "wait", &result, err);
    } while (rc == SWIM_OK && result == ASK_BUSY && a->blockers.reaped > 0);
    if (rc != SWIM_OK || result == ASK_GRANTED)
        return rc;
    if (result == ASK_LOST)
        return attempt_lost(a, err);
    if (a->try_only)
        return attempt_timeout(a, err);
    rc = attempt_wait(a, err);
    if (rc == SWIM_OK) {
        atomic_fetch_add(&a->session->waited, 1);
        atomic_fetch_add(&a->session->wait_ns,
                         (uint64_t)(swim_clock_mono_ns() - a->begin_ns));
    }
    return rc;
}

/* Leave nothing behind at the server. */
static void attempt_undo(struct attempt *a, int code)
{
    struct swim_lock *lk = a->lock;
    const char *argv[] = {a->session->id, lk->ticket, lk->resource,
                          lk->unsure ? "unsure" : "cancel"};
    struct redis_answer *answer = NULL;
    bool unsure = false;

    if (code == SWIM_ERR_LOST ||
        (a->try_only && code == SWIM_ERR_TIMEOUT && !lk->unsure))
        return;
    if (session_ask(a->session, &script_release, 4, argv, swim_clock_mono_ns(), &answer,
                    &unsure, NULL) != SWIM_OK)
        session_orphan(a->session, lk->ticket, lk->resource);
    redis_answer_free(answer);
}

static struct swim_lock *lock_create(swim_session_t *session, const char *resource,
                                     enum swim_lock_mode mode)
{
    size_t len = strlen(resource) + 1;
    struct swim_lock *lk = calloc(1, sizeof(*lk) + len);

    if (!lk)
        return NULL;
    lk->session = session;
    lk->mode = mode;
    memcpy(lk->resource, resource, len);
    snprintf(lk->ticket, sizeof(lk->ticket), "%c/%s/%llu", "?RUW"[mode], session -> id,
             atomic_fetch_add(&session->tickets, 1) + 1);
    return lk;
}

static int acquire_check_arguments(const swim_session_t *session, const char *resource,
                                   enum swim_lock_mode mode,
                                   const struct swim_lock_options *opt,
                                   swim_error_t *err)
{
    if (!session || !resource || !resource[0])
        return swim_error_set(err, SWIM_ERR_ARG, "lock: no session or no resource");
    if (strlen(resource) > RESOURCE_MAX)
        return swim_error_set(err, SWIM_ERR_ARG,
                              "lock %.40s...: the name is longer than %d bytes",
                              resource, RESOURCE_MAX);
    if (mode < SWIM_LOCK_READ || mode > SWIM_LOCK_WRITE)
        return swim_error_set(err, SWIM_ERR_ARG, "lock %s: mode %d does not exist",
                              resource, (int)mode);
    if (opt && opt->struct_size != sizeof(*opt))
        return swim_error_set(err, SWIM_ERR_ARG, "lock %s: struct_size is %zu, not %zu",
                              resource, opt->struct_size, sizeof(*opt));
    if (opt && opt->wait_ms < SWIM_LOCK_FOREVER)
        return swim_error_set(err, SWIM_ERR_ARG, "lock %s: wait_ms is %" PRId64,
                              resource, opt->wait_ms);
    return SWIM_OK;
}

/* Monotonic end of the wait. */
static int64_t wait_until(int64_t begin_ns, int64_t wait_ms)
{
    if (wait_ms == SWIM_LOCK_TRY)
        return begin_ns;
    if (wait_ms == SWIM_LOCK_FOREVER || wait_ms > (INT64_MAX - begin_ns) / NS_PER_MS)
        return INT64_MAX;
    return begin_ns + (wait_ms ? wait_ms : WAIT_DEFAULT_MS) * NS_PER_MS;
}

int swim_lock_acquire(swim_session_t *session, const char *resource,
                      enum swim_lock_mode mode, const struct swim_lock_options *opt,
                      swim_lock_t **out, swim_error_t *err)
{
    *out = NULL;
    int rc = acquire_check_arguments(session, resource, mode, opt, err);
    if (rc == SWIM_OK)
        rc = session_check(session, 0, resource, err);
    if (rc != SWIM_OK)
        return rc;
    struct attempt a = {.session = session, .begin_ns = swim_clock_mono_ns()};
    a.lock = lock_create(session, resource, mode);
    if (!a.lock)
        return swim_error_set(err, SWIM_ERR_NOMEM, "lock %s: no memory", resource);
    a.try_only = opt && opt->wait_ms == SWIM_LOCK_TRY;
    a.until_ns = wait_until(a.begin_ns, opt ? opt->wait_ms : 0);
    rc = attempt_run(&a, err);
    if (rc == SWIM_OK)
        rc = session_check(session, 0, resource, err);
    blockers_drop(&a.blockers);
    if (rc != SWIM_OK) {
        attempt_undo(&a, rc);
        free(a.lock);
        if (rc != SWIM_ERR_UNSURE)
            return rc;
        if (err)
            err->code = SWIM_ERR_IO; /* given back above, or soon by the pulse thread */
        return SWIM_ERR_IO;
    }
    atomic_fetch_add(&session->acquired, 1);
    *out = a.lock;
    return SWIM_OK;
}

/* Asked and answered; a lock that is absent while the session lives was given back
 * by an attempt whose answer was lost. */
static int release_ask(struct swim_lock *lk, swim_error_t *err)
{
    swim_session_t *s = lk->session;
    const char *argv[] = {s->id, lk->ticket, lk->resource,
                          lk->unsure ? "unsure" : "plain"};
    struct redis_answer *answer = NULL;
    bool unsure = false;

    int rc = session_ask(s, &script_release, 4, argv,
                         swim_clock_mono_ns() + SERVER_AWAY_MS * NS_PER_MS, &answer,
                         &unsure, err);
    if (rc != SWIM_OK) {
        session_orphan(s, lk->ticket, lk->resource);
        if (err)
            err->code = SWIM_ERR_UNSURE;
        return SWIM_ERR_UNSURE;
    }
    const char *status = redis_answer_text(redis_answer_at(answer, 0));
    if (strcmp(status, "lost") == 0 || (strcmp(status, "absent") == 0 && !unsure)) {
        atomic_store(&s->lost, true);
        rc = session_check(s, 0, lk->resource, err);
    }
    redis_answer_free(answer);
    return rc;
}

int swim_lock_release(swim_lock_t *lk, swim_error_t *err)
{
    if (!lk)
        return SWIM_OK;
    int rc = session_check(lk->session, 0, lk->resource, err);
    if (rc == SWIM_OK)
        rc = release_ask(lk, err);
    free(lk);
    return rc;
}

int swim_lock_check(const swim_lock_t *lk, uint32_t margin_ms, swim_error_t *err)
{
    return session_check(lk->session, margin_ms, lk->resource, err);
}

uint64_t swim_lock_fence(const swim_lock_t *lk)
{
    return lk->fence;
}
