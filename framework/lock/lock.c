/* lock.c - taking, changing and giving back a lock. */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "lock_private.h"

#define WAIT_DEFAULT_MS 60000
#define PROGRESS_DEFAULT_MS 2000
#define OPTIONS_FIRST_SIZE offsetof(struct swim_lock_options, progress)
#define NS_PER_MS 1000000LL
#define SERVER_AWAY_MS 10000 /* longest patience with a server that is away */

static const char *const mode_names[] = {"", "READ", "UPDATE", "WRITE"};

/* "MODE/SESSION/NUMBER"; see scripts/head.lua. */
static void ticket_make(char *ticket, swim_session_t *s, char kind)
{
    snprintf(ticket, TICKET_MAX, "%c/%s/%llu", kind, s->id,
             atomic_fetch_add(&s->tickets, 1) + 1);
}

static struct swim_lock *lock_create(swim_session_t *session, const char *resource,
                                     enum swim_lock_mode mode,
                                     const struct swim_lock_options *opt)
{
    bool preferred = opt->prefer == SWIM_PREFER_WRITER;
    size_t len = strlen(resource) + 1;
    struct swim_lock *lk = calloc(1, sizeof(*lk) + len);

    if (!lk)
        return NULL;
    lk->session = session;
    lk->mode = mode;
    lk->owner = gettid();
    lk->count = 1;
    memcpy(lk->resource, resource, len);
    ticket_make(lk->ticket, session, (preferred ? "?RTV" : "?RUW")[mode]);
    return lk;
}

/* What the caller wants, in full: one that was compiled before there was a progress
 * gives a shorter struct, and NULL is all default. */
static int options_read(const struct swim_lock_options *given, const char *resource,
                        struct swim_lock_options *opt, swim_error_t *err)
{
    *opt = (struct swim_lock_options){.struct_size = sizeof(*opt)};
    if (!given)
        return SWIM_OK;
    if (given->struct_size != sizeof(*opt) && given->struct_size != OPTIONS_FIRST_SIZE)
        return swim_error_set(err, SWIM_ERR_ARG, "lock %s: struct_size is %zu, not %zu",
                              resource, given->struct_size, sizeof(*opt));
    memcpy(opt, given, given->struct_size);
    if (opt->wait_ms < SWIM_LOCK_FOREVER)
        return swim_error_set(err, SWIM_ERR_ARG, "lock %s: wait_ms is %" PRId64,
                              resource, opt->wait_ms);
    if (opt->prefer != SWIM_PREFER_FAIR && opt->prefer != SWIM_PREFER_WRITER)
        return swim_error_set(err, SWIM_ERR_ARG, "lock %s: prefer is %d", resource,
                              (int)opt->prefer);
    return SWIM_OK;
}

static int acquire_check_arguments(const swim_session_t *session, const char *resource,
                                   enum swim_lock_mode mode, swim_error_t *err)
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
    return SWIM_OK;
}

/* Monotonic end of the wait. */
static int64_t wait_until(int64_t begin_ns, int64_t wait_ms)
{
    if (wait_ms == SWIM_LOCK_TRY)
        return begin_ns;
    if (wait_ms == SWIM_LOCK_FOREVER)
        return INT64_MAX;
    return swim_clock_after_ms(begin_ns, wait_ms ? wait_ms : WAIT_DEFAULT_MS);
}

static struct attempt attempt_of(struct swim_lock *lk, const char *ticket,
                                 const struct swim_lock_options *opt)
{
    struct attempt a = {
        .lock = lk, .ticket = ticket, .opt = *opt, .begin_ns = swim_clock_mono_ns()};
    int64_t progress_ms = opt->progress_ms ? opt->progress_ms : PROGRESS_DEFAULT_MS;

    a.try_only = opt->wait_ms == SWIM_LOCK_TRY;
    a.until_ns = wait_until(a.begin_ns, opt->wait_ms);
    a.progress_ns = opt->progress ? a.begin_ns + progress_ms * NS_PER_MS : INT64_MAX;
    return a;
}

/* What this thread holds already: *out when it is the same, an error when it would wait
 * for itself. */
static int acquire_again(swim_session_t *session, const char *resource,
                         enum swim_lock_mode mode, swim_lock_t **out, swim_error_t *err)
{
    struct swim_lock *other = NULL;

    *out = held_find(session, resource, mode, &other);
    if (*out || !other)
        return SWIM_OK;
    const char *what_to_do = "give it back before";
    if (other->mode == SWIM_LOCK_UPDATE && mode == SWIM_LOCK_WRITE)
        what_to_do = "raise it instead";
    else if (mode == SWIM_LOCK_READ)
        what_to_do = "it covers reading";
    return swim_error_set(err, SWIM_ERR_DEADLOCK,
                          "lock %s for %s: this thread holds %s on it and would wait "
                          "for itself (%s)",
                          resource, mode_names[mode], mode_names[other->mode],
                          what_to_do);
}

int swim_lock_acquire(swim_session_t *session, const char *resource,
                      enum swim_lock_mode mode, const struct swim_lock_options *opt,
                      swim_lock_t **out, swim_error_t *err)
{
    struct swim_lock_options full;

    *out = NULL;
    int rc = acquire_check_arguments(session, resource, mode, err);
    if (rc == SWIM_OK)
        rc = options_read(opt, resource, &full, err);
    if (rc == SWIM_OK)
        rc = session_check(session, 0, resource, err);
    if (rc == SWIM_OK)
        rc = acquire_again(session, resource, mode, out, err);
    if (rc != SWIM_OK || *out)
        return rc;
    struct swim_lock *lk = lock_create(session, resource, mode, &full);
    if (!lk)
        return swim_error_set(err, SWIM_ERR_NOMEM, "lock %s: no memory", resource);
    struct attempt a = attempt_of(lk, lk->ticket, &full);
    rc = attempt_run(&a, err);
    if (rc != SWIM_OK) {
        free(lk);
        return rc;
    }
    rc = session_check(session, 0, resource, err);
    if (rc != SWIM_OK) {
        (void)swim_lock_release(lk, NULL);
        return rc;
    }
    atomic_fetch_add(&session->acquired, 1);
    *out = lk;
    return SWIM_OK;
}

/* Ask a script that gives a ticket back; again when the server forgot the session.
 * *status is the answer's text, "held" for a number; *unsure: an earlier try may have
 * done it. */
static int give_back(struct swim_lock *lk, const struct lock_script *script, int argc,
                     const char *const *argv, char *status, size_t size, bool *unsure,
                     swim_error_t *err)
{
    swim_session_t *s = lk->session;
    int64_t until_ns = swim_clock_mono_ns() + SERVER_AWAY_MS * NS_PER_MS;
    int rc;

    do {
        struct redis_answer *answer = NULL;
        uint64_t seq = atomic_load(&s->seq);
        rc = session_ask(s, script, argc, argv, until_ns, &answer, unsure, err);
        if (rc != SWIM_OK) {
            if (err)
                err->code = SWIM_ERR_UNSURE;
            return SWIM_ERR_UNSURE;
        }
        snprintf(status, size, "%s",
                 redis_answer_is_number(answer) ? "held" : redis_answer_text(answer));
        redis_answer_free(answer);
        if (strcmp(status, "lost") == 0) {
            *unsure = true; /* it is not told to the server anew, or is as it was */
            rc = session_revive(s, seq, until_ns, lk->resource, err);
        }
    } while (rc == SWIM_OK && strcmp(status, "lost") == 0);
    return rc;
}

/* Only when the server knows that the last raise was given up there is another. */
static int raise_drop_stray(struct swim_lock *lk, swim_error_t *err)
{
    char since[24], status[16];
    const char *argv[] = {lk->session->id, lk->stray,  lk->resource,
                          "unsure",        lk->ticket, since};
    bool unsure = false;

    if (!lk->stray[0])
        return SWIM_OK;
    snprintf(since, sizeof(since), "%lld", (long long)lk->since_ms);
    int rc =
        give_back(lk, &script_lower, 6, argv, status, sizeof(status), &unsure, err);
    if (rc == SWIM_OK)
        lk->stray[0] = '\0';
    return redis_unsure_is_io(rc, err); /* it is the UPDATE that it was */
}

int swim_lock_raise(swim_lock_t *lk, const struct swim_lock_options *opt,
                    swim_error_t *err)
{
    struct swim_lock_options full;
    char ticket[TICKET_MAX];

    int rc = options_read(opt, lk->resource, &full, err);
    if (rc == SWIM_OK)
        rc = session_check(lk->session, 0, lk->resource, err);
    if (rc != SWIM_OK)
        return rc;
    if (lk->mode != SWIM_LOCK_UPDATE || lk->raised[0])
        return swim_error_set(
            err, SWIM_ERR_ARG, "raise the lock on %s to WRITE: it is %s, not UPDATE",
            lk->resource, lk->raised[0] ? "WRITE" : mode_names[lk->mode]);
    if (held_reads(lk->session, lk->resource))
        return swim_error_set(
            err, SWIM_ERR_DEADLOCK,
            "raise the lock on %s to WRITE: this thread holds READ on "
            "it and would wait for itself (give that back before)",
            lk->resource);
    rc = raise_drop_stray(lk, err);
    if (rc != SWIM_OK)
        return rc;
    ticket_make(ticket, lk->session, 'X');
    struct attempt a = attempt_of(lk, ticket, &full);
    a.base = lk->ticket;
    rc = attempt_run(&a, err);
    if (rc == SWIM_OK)
        rc = session_check(lk->session, 0, lk->resource, err);
    return rc;
}

/* A lock that is absent while the session lives was given back by an attempt whose
 * answer was lost, or forgotten by the server; else it was taken from us. */
static int give_back_result(struct swim_lock *lk, const char *status, bool unsure,
                            uint64_t seq, swim_error_t *err)
{
    swim_session_t *s = lk->session;

    if (strcmp(status, "absent") != 0 || unsure)
        return SWIM_OK;
    /* The server may be about to answer another thread that it was told anew. */
    pthread_mutex_lock(&s->held_mutex);
    bool told = atomic_load(&s->seq) != seq;
    pthread_mutex_unlock(&s->held_mutex);
    if (told)
        return SWIM_OK;
    atomic_store(&s->lost, true);
    return session_check(s, 0, lk->resource, err);
}

int swim_lock_lower(swim_lock_t *lk, swim_error_t *err)
{
    char since[24], status[16];
    const char *argv[] = {lk->session->id, lk->raised,
                          lk->resource,    lk->unsure ? "unsure" : "plain",
                          lk->ticket,      since};
    bool unsure = lk->lowering; /* an earlier call may have done it */

    int rc = session_check(lk->session, 0, lk->resource, err);
    if (rc != SWIM_OK)
        return rc;
    if (!lk->raised[0])
        return swim_error_set(err, SWIM_ERR_ARG,
                              "lower the lock on %s to UPDATE: it was not raised",
                              lk->resource);
    held_lowering(lk);
    uint64_t seq = atomic_load(&lk->session->seq);
    snprintf(since, sizeof(since), "%lld", (long long)lk->since_ms);
    rc = give_back(lk, &script_lower, 6, argv, status, sizeof(status), &unsure, err);
    if (rc == SWIM_OK)
        rc = give_back_result(lk, status, unsure, seq, err);
    if (rc == SWIM_OK)
        held_lower(lk);
    return rc;
}

static int release_ask(struct swim_lock *lk, swim_error_t *err)
{
    const char *write = lk->raised[0] ? lk->raised : lk->stray;
    bool raised = write[0] != '\0';
    char status[16];
    const char *argv[] = {lk->session->id, raised ? write : lk->ticket, lk->resource,
                          lk->unsure ? "unsure" : "plain", lk->ticket};
    bool unsure = false;

    held_remove(lk);
    uint64_t seq = atomic_load(&lk->session->seq);
    int rc = give_back(lk, &script_release, raised ? 5 : 4, argv, status,
                       sizeof(status), &unsure, err);
    if (rc == SWIM_ERR_UNSURE) {
        if (raised)
            session_orphan(lk->session, write, lk->resource, NULL);
        session_orphan(lk->session, lk->ticket, lk->resource, NULL);
    }
    return rc == SWIM_OK ? give_back_result(lk, status, unsure, seq, err) : rc;
}

int swim_lock_release(swim_lock_t *lk, swim_error_t *err)
{
    if (!lk)
        return SWIM_OK;
    int rc = session_check(lk->session, 0, lk->resource, err);
    if (rc == SWIM_ERR_ARG) { /* a child's copy; the mutex may be held for ever */
        if (--lk->count == 0)
            free(lk);
        return rc;
    }
    if (!held_release_one(lk))
        return rc;
    if (rc == SWIM_OK)
        rc = release_ask(lk, err);
    else
        held_remove(lk);
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
