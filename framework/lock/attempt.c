/* attempt.c - asking for a ticket, and waiting for it.
 *
 * A ticket's way:  asked -> granted -> released
 *                  asked -> queued -> granted
 *                           queued -> cancelled (time is up, a signal)
 * The client moves it by scripts that may be asked again with the same ticket when an
 * answer is missing; the answer then tells what the first one did.  Every way out other
 * than SWIM_OK gives the ticket back, so that nothing stays behind; if the server is
 * away, the pulse thread does it later.
 *
 * A server that forgot the session is told anew what it holds (session_revive), and
 * the ticket is asked for again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/meter.h"
#include "core/signals.h"
#include "lock_private.h"

#define NS_PER_MS 1000000LL
#define SERVER_AWAY_MS 10000 /* longest patience with a server that is away */
#define TRY_AWAY_MS 2000     /* the same when the caller wants to wait less */
#define WAIT_QUIET_MS 25     /* waits this short ask nobody who is in the way */
#define WAIT_LOCAL_MS 1000   /* look again at new holders on this host */
#define WAIT_SLACK_MS 10     /* a lease has ended, and the server has seen it */

#define PROGRESS_AGAIN_MS 10000
#define PROGRESS_NAME_MAX 200

enum ask_result { ASK_GRANTED, ASK_QUEUED, ASK_BUSY, ASK_LOST, ASK_GONE, ASK_ODD };

static int64_t min_i64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t away_until(const struct attempt *a)
{
    int64_t soon = a->begin_ns + TRY_AWAY_MS * NS_PER_MS;
    int64_t late = swim_clock_mono_ns() + SERVER_AWAY_MS * NS_PER_MS;

    return min_i64(a->until_ns > soon ? a->until_ns : soon, late);
}

static enum ask_result ask_result_of(const struct redis_answer *answer)
{
    static const char *const names[] = {[ASK_QUEUED] = "queued",
                                        [ASK_BUSY] = "busy",
                                        [ASK_LOST] = "lost",
                                        [ASK_GONE] = "gone"};
    const char *status = redis_answer_text(redis_answer_at(answer, 0));

    if (redis_answer_is_number(answer))
        return ASK_GRANTED;
    for (int i = ASK_QUEUED; i <= ASK_GONE; i++)
        if (strcmp(status, names[i]) == 0)
            return (enum ask_result)i;
    return ASK_ODD;
}

static void attempt_read(struct attempt *a, enum ask_result result,
                         const struct redis_answer *answer)
{
    if (result == ASK_GRANTED)
        a->fence = (uint64_t)redis_answer_number(answer);
    if (result != ASK_QUEUED && result != ASK_BUSY)
        return;
    a->grace_ms = redis_answer_number(redis_answer_at(answer, 2));
    blockers_drop(a->blockers);
    blockers_read(a->lock->session, answer, a->blockers);
    if (a->blockers->first.session[0])
        a->holder = a->blockers->first;
}

/* Ask for the ticket, or how it stands: how is try, wait or who. */
static int attempt_ask(struct attempt *a, const char *how, enum ask_result *result,
                       swim_error_t *err)
{
    struct swim_lock *lk = a->lock;
    swim_session_t *s = lk->session;
    char since[24], epoch[24];
    const char *argv[] = {s->id, a->ticket, lk->resource, how, since, epoch, a->base};
    int rc;

    lk->since_ms = session_server_ms(s);
    snprintf(since, sizeof(since), "%lld", (long long)lk->since_ms);
    do {
        struct redis_answer *answer = NULL;
        a->seq = atomic_load(&s->seq);
        snprintf(epoch, sizeof(epoch), "%llu", atomic_load(&s->epoch));
        rc = session_ask(s, &script_acquire, a->base ? 7 : 6, argv, away_until(a),
                         &answer, &a->unsure, err);
        if (rc != SWIM_OK)
            return rc;
        *result = ask_result_of(answer);
        attempt_read(a, *result, answer);
        if (*result == ASK_ODD)
            rc = swim_error_set(err, SWIM_ERR_IO, "lock %s: lock server %s answered %s",
                                lk->resource, s->shown,
                                redis_answer_text(redis_answer_at(answer, 0)));
        redis_answer_free(answer);
        if (*result == ASK_LOST)
            rc = session_revive(s, a->seq, away_until(a), lk->resource, err);
    } while (rc == SWIM_OK && *result == ASK_LOST);
    if (rc == SWIM_OK && *result == ASK_GONE)
        rc = swim_error_set(err, SWIM_ERR_LOST,
                            "lock %s: lock server %s does not know the UPDATE that "
                            "was to be raised (do not write; start again)",
                            lk->resource, s->shown);
    return rc;
}

/* How long the queued ticket sleeps before it asks again. */
static int64_t attempt_nap_ns(const struct attempt *a, bool first)
{
    const struct blocker_list *in_the_way = a->blockers;
    int64_t nap_ms = a->lock->session->lease_ms / 3;

    if (in_the_way->fds_count > 0)
        nap_ms = min_i64(nap_ms, WAIT_LOCAL_MS);
    if (in_the_way->lease_ms >= 0)
        nap_ms = min_i64(nap_ms, in_the_way->lease_ms + WAIT_SLACK_MS);
    if (first)
        nap_ms = WAIT_QUIET_MS;
    if (a->grace_ms > 0)
        nap_ms = a->grace_ms + 1;
    int64_t end_ns = min_i64(a->until_ns, a->progress_ns);
    int64_t nap_ns = min_i64(nap_ms * NS_PER_MS, end_ns - swim_clock_mono_ns());
    return nap_ns > NS_PER_MS ? nap_ns : NS_PER_MS;
}

/* Sleep until woken, at most nap_ns.  True: granted.  False for everything else, and
 * then the ticket is asked about: a wake-up may be lost, a grant is not. */
static bool attempt_sleep(struct attempt *a, int64_t nap_ns)
{
    char key[TICKET_MAX + 24], seconds[32];
    long long nap_ms = (nap_ns + NS_PER_MS - 1) / NS_PER_MS; /* 0 would be for ever */
    const char *argv[] = {"BLPOP", key, seconds};
    int fds[REDIS_WAIT_FDS] = {swim_signals_fd(), cancel_fd(a->opt.cancel)};
    struct redis_wait wait = {.until_ns = swim_clock_mono_ns() + nap_ns +
                                          REDIS_LINK_REQUEST_MS * NS_PER_MS,
                              .fds = fds,
                              .fds_count = 2 + a->blockers->fds_count};
    struct redis_answer *answer = NULL;
    bool granted = false;

    struct waiter_link *w = session_waiter_take(a->lock->session);
    if (!w) {
        swim_clock_nap_ns(nap_ns < NS_PER_MS ? nap_ns : NS_PER_MS);
        return false;
    }
    memcpy(fds + 2, a->blockers->fds, sizeof(a->blockers->fds));
    snprintf(key, sizeof(key), "{h5swim}:wake:%s", a->ticket);
    /* by integers: a locale may have another decimal point than the server */
    snprintf(seconds, sizeof(seconds), "%lld.%03lld", nap_ms / 1000, nap_ms % 1000);
    int rc = redis_link_call(w->link, 3, argv, &wait, &answer, NULL);
    session_waiter_give(w);
    if (rc == SWIM_OK && redis_answer_count(answer) == 2) {
        granted = true;
        a->fence = strtoull(redis_answer_text(redis_answer_at(answer, 1)), NULL, 10);
    }
    redis_answer_free(answer);
    if (rc == SWIM_ERR_IO)
        swim_clock_nap_ns(min_i64(nap_ns, 10 * NS_PER_MS));
    return granted;
}

static const char *attempt_mode(const struct attempt *a)
{
    static const char *const names[] = {"", "READ", "UPDATE", "WRITE"};

    return a->base ? "WRITE" : names[a->lock->mode];
}

static double attempt_waited_s(const struct attempt *a)
{
    return (double)(swim_clock_mono_ns() - a->begin_ns) / 1e9;
}

static int attempt_timeout(const struct attempt *a, swim_error_t *err)
{
    double waited = attempt_waited_s(a);
    const char *mode = attempt_mode(a);
    const char *who = a->blockers->text;

    if (a->grace_ms > 0)
        return swim_error_set(
            err, SWIM_ERR_TIMEOUT,
            "lock %s for %s: not had in %.1f s: lock server %s is new or lost its "
            "data, and grants nothing for another %.1f s, so that holders can tell "
            "what they hold (wait longer)",
            a->lock->resource, mode, waited, a->lock->session->shown,
            (double)a->grace_ms / 1000);
    return swim_error_set(err, SWIM_ERR_TIMEOUT,
                          "lock %s for %s: not had in %.1f s: %s", a->lock->resource,
                          mode, waited,
                          who[0] ? who : "it became free only now (try again)");
}

/* Of a long name the end tells more: it is a path. */
static const char *name_end(const char *resource)
{
    size_t len = strlen(resource);

    return len > PROGRESS_NAME_MAX ? resource + len - PROGRESS_NAME_MAX : resource;
}

/* Tell who is in the way, when it is time.  The ticket stays queued meanwhile, and a
 * grant waits at the server for the next sleep to find it. */
static void attempt_tell(struct attempt *a)
{
    const char *resource = a->lock->resource, *end = name_end(resource);
    const char *who = a->blockers->text;
    char line[PROGRESS_NAME_MAX + 512], grace[320];

    if (swim_clock_mono_ns() < a->progress_ns)
        return;
    if (a->grace_ms > 0) {
        snprintf(grace, sizeof(grace),
                 "lock server %.200s is new or lost its data, and grants nothing for "
                 "another %.1f s",
                 a->lock->session->shown, (double)a->grace_ms / 1000);
        who = grace;
    }
    snprintf(line, sizeof(line), "%s of %s%s: %.1f s waited: %s", attempt_mode(a),
             end == resource ? "" : "...", end, attempt_waited_s(a),
             who[0] ? who : "it became free only now");
    for (char *at = line; *at; at++)
        if ((unsigned char)*at < ' ')
            *at = '?';
    a->opt.progress(a->opt.progress_arg, line);
    a->progress_ns = swim_clock_mono_ns() + PROGRESS_AGAIN_MS * NS_PER_MS;
}

/* SWIM_ERR_CANCELLED when somebody wants the wait to end.  A try is no wait: a process
 * that was told to go may still look whether it is the last one with a file. */
static int attempt_check(const struct attempt *a, swim_error_t *err)
{
    int rc = a->try_only ? SWIM_OK : swim_signals_check(a->lock->resource, err);

    if (rc == SWIM_OK)
        rc = cancel_check(a->opt.cancel, a->lock->resource, err);
    return rc;
}

/* Wait in the queue until granted. */
static int attempt_wait(struct attempt *a, swim_error_t *err)
{
    enum ask_result result = ASK_QUEUED;

    for (bool first = true;; first = false) {
        if (attempt_sleep(a, attempt_nap_ns(a, first)))
            return SWIM_OK;
        int rc = attempt_check(a, err);
        if (rc == SWIM_OK)
            rc = attempt_ask(a, "who", &result, err);
        /* What a dead process held may have come to us. */
        while (rc == SWIM_OK && result == ASK_QUEUED && a->blockers->reaped > 0)
            rc = attempt_ask(a, "who", &result, err);
        if (rc != SWIM_OK || result == ASK_GRANTED)
            return rc;
        if (swim_clock_mono_ns() >= a->until_ns)
            return attempt_timeout(a, err);
        attempt_tell(a);
    }
}

static int attempt_once(struct attempt *a, swim_error_t *err)
{
    enum ask_result result = ASK_ODD;
    int rc;

    do {
        rc = attempt_ask(a, a->try_only ? "try" : "wait", &result, err);
    } while (rc == SWIM_OK && result == ASK_BUSY && a->blockers->reaped > 0);
    if (rc != SWIM_OK || result == ASK_GRANTED)
        return rc;
    if (result == ASK_BUSY)
        return attempt_timeout(a, err);
    const enum swim_activity was = swim_meter_set(SWIM_AT_LOCK);
    rc = attempt_wait(a, err);
    (void)swim_meter_set(was);
    waits_over(a, rc == SWIM_OK);
    if (rc == SWIM_OK) {
        atomic_fetch_add(&a->lock->session->waited, 1);
        atomic_fetch_add(&a->lock->session->wait_ns,
                         (uint64_t)(swim_clock_mono_ns() - a->begin_ns));
    }
    return rc;
}

/* Leave nothing behind at the server. */
static void attempt_undo(struct attempt *a, int code)
{
    struct swim_lock *lk = a->lock;
    swim_session_t *s = lk->session;
    char since[24];
    const char *how = a->unsure ? "unsure" : "cancel";
    const char *argv[] = {s->id, a->ticket, lk->resource, how, a->base, since};
    struct redis_answer *answer = NULL;
    bool unsure = false;

    if (code == SWIM_ERR_LOST ||
        (a->try_only && code == SWIM_ERR_TIMEOUT && !a->unsure))
        return;
    snprintf(since, sizeof(since), "%lld", (long long)lk->since_ms);
    if (session_ask(s, a->base ? &script_lower : &script_release, a->base ? 6 : 4, argv,
                    swim_clock_mono_ns(), &answer, &unsure, NULL) != SWIM_OK) {
        session_orphan(s, a->ticket, lk->resource, a->base);
        if (a->base)
            snprintf(lk->stray, sizeof(lk->stray), "%s", a->ticket);
    }
    redis_answer_free(answer);
}

static bool attempt_enter(struct attempt *a)
{
    session_saw_fence(a->lock->session, a->fence);
    if (a->base)
        return held_raise(a->lock, a->ticket, a->fence, a->seq);
    a->lock->fence = a->fence;
    return held_add(a->lock, a->seq);
}

int attempt_run(struct attempt *a, swim_error_t *err)
{
    struct blocker_list blockers = {0};
    int rc = attempt_check(a, err);

    if (rc != SWIM_OK)
        return rc;
    a->blockers = &blockers;
    do {
        rc = attempt_once(a, err);
    } while (rc == SWIM_OK && !attempt_enter(a));
    blockers_drop(&blockers);
    a->lock->unsure |= a->unsure;
    if (rc == SWIM_OK)
        return rc;
    attempt_undo(a, rc);
    /* Given back now, or soon by the pulse thread. */
    return redis_unsure_is_io(rc, err);
}
