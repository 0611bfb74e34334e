/* revive.c - telling a server that forgot a session what it holds and has pinned.
 *
 * A server that lost its data grants nothing new for one lease (scripts/epoch.lua), so
 * what a session believes to hold while its own lease runs is nobody else's yet.  Once
 * told, it is the server's knowledge again. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/log.h"
#include "lock_private.h"

#define AGAIN_NS 50000000LL

/* One held ticket, or one pin, in the question. */
struct claim {
    const char *ticket, *resource;
    char value[48];
};

/* A WRITE that is being lowered is an UPDATE: readers may be in already. */
static bool claims_raised(const struct swim_lock *lk)
{
    return lk->raised[0] && !lk->lowering;
}

static void claim_fill(struct claim *claim, const struct swim_lock *lk,
                       const char *ticket)
{
    claim->ticket = ticket;
    claim->resource = lk->resource;
    if (ticket == lk->ticket && claims_raised(lk))
        claim->value[0] = '\0';
    else if (lk->mode == SWIM_LOCK_READ)
        snprintf(claim->value, sizeof(claim->value), "%" PRId64, lk->since_ms);
    else
        snprintf(claim->value, sizeof(claim->value), "%" PRIu64 " %" PRId64, lk->fence,
                 lk->since_ms);
}

static size_t claims_count(const swim_session_t *s)
{
    size_t n = 0;

    for (const struct swim_lock *lk = s->held; lk; lk = lk->next)
        n += claims_raised(lk) ? 2 : 1;
    for (const struct pin *p = s->pins; p; p = p->next)
        n += p->count > 0;
    return n;
}

static void claims_add_pins(const swim_session_t *s, struct claim *claims, size_t n)
{
    for (const struct pin *p = s->pins; p; p = p->next) {
        if (p->count == 0)
            continue;
        claims[n].ticket = "P";
        claims[n].resource = p->what;
        snprintf(claims[n].value, sizeof(claims[n].value), "%llu", p->serial);
        n++;
    }
}

/* All that is held or pinned; NULL: no memory. */
static struct claim *claims_make(const swim_session_t *s, size_t *count)
{
    size_t n = claims_count(s);
    struct claim *claims = calloc(n + 1, sizeof(*claims));

    *count = claims ? n : 0;
    n = 0;
    for (const struct swim_lock *lk = s->held; claims && lk; lk = lk->next) {
        claim_fill(&claims[n++], lk, lk->ticket);
        if (claims_raised(lk))
            claim_fill(&claims[n++], lk, lk->raised);
    }
    if (claims)
        claims_add_pins(s, claims, n);
    return claims;
}

static int revive_ask(swim_session_t *s, const struct claim *claims, size_t count,
                      struct redis_answer **answer, bool *refused, swim_error_t *err)
{
    enum { HEAD = 6 };
    char lease[16], fence[24], before[24], meant[24], words[8];
    const char **argv = malloc((HEAD + SESSION_WORDS + 3 * count) * sizeof(*argv));
    int n = 0;

    if (!argv)
        return swim_error_set(err, SWIM_ERR_NOMEM, "tell the lock server: no memory");
    snprintf(lease, sizeof(lease), "%u", s->lease_ms);
    snprintf(fence, sizeof(fence), "%llu", atomic_load(&s->fence));
    snprintf(words, sizeof(words), "%d", SESSION_WORDS);
    snprintf(before, sizeof(before), "%llu", atomic_load(&s->epoch));
    snprintf(meant, sizeof(meant), "%llu", atomic_load(&s->server_epoch));
    const char *head[HEAD] = {s->id, lease, fence, before, meant, words};
    memcpy(argv, head, sizeof(head));
    n = HEAD;
    memcpy(argv + n, s->who.words, sizeof(s->who.words));
    n += SESSION_WORDS;
    for (size_t i = 0; i < count; i++) {
        argv[n++] = claims[i].ticket;
        argv[n++] = claims[i].resource;
        argv[n++] = claims[i].value;
    }
    int rc = session_ask_once(s, &script_reclaim, n, argv, answer, refused, err);
    free(argv);
    return rc;
}

/* *again: it was meant for another epoch than the server's, which is known now. */
static int revive_read(swim_session_t *s, const struct redis_answer *answer,
                       int64_t sent_ns, bool *again, const char *what,
                       swim_error_t *err)
{
    const char *status = redis_answer_text(redis_answer_at(answer, 0));
    const char *epoch = redis_answer_text(redis_answer_at(answer, 1));
    bool reclaimed = strcmp(status, "reclaimed") == 0;

    *again = strcmp(status, "epoch") == 0;
    if (!*again && !reclaimed && strcmp(status, "alive") != 0) {
        atomic_store(&s->lost, true);
        return session_check(s, 0, what, err);
    }
    atomic_store(&s->server_epoch, strtoull(epoch, NULL, 10));
    if (*again)
        return session_check(s, 0, what, err);
    atomic_store(&s->epoch, strtoull(epoch, NULL, 10));
    if (reclaimed) {
        if (!session_extend(s, sent_ns))
            return session_check(s, 0, what, err);
        session_note_clock(s, redis_answer_at(answer, 2));
        swim_log(SWIM_LOG_WARN, "lock",
                 "lock server %s had forgotten the session and was told its locks "
                 "session=%s",
                 s->shown, s->id);
    }
    atomic_fetch_add(&s->seq, 1);
    return SWIM_OK;
}

/* With held_mutex held: what is told is what is held until the answer is there.  No
 * patience here, others wait for the mutex. */
static int revive_locked(swim_session_t *s, bool *refused, const char *what,
                         swim_error_t *err)
{
    size_t count = 0;
    bool again = false;

    int rc = session_check(s, 0, what, err);
    if (rc != SWIM_OK)
        return rc;
    struct claim *claims = claims_make(s, &count);
    if (!claims)
        return swim_error_set(err, SWIM_ERR_NOMEM, "tell the lock server: no memory");
    do {
        struct redis_answer *answer = NULL;
        int64_t sent_ns = swim_clock_boot_ns();
        rc = revive_ask(s, claims, count, &answer, refused, err);
        if (rc == SWIM_OK)
            rc = revive_read(s, answer, sent_ns, &again, what, err);
        redis_answer_free(answer);
    } while (rc == SWIM_OK && again);
    free(claims);
    /* The server may have heard, and will then renew the session; but a grant that came
     * before and is not entered yet was not among the claims: ask for it again. */
    if (rc == SWIM_ERR_UNSURE)
        atomic_fetch_add(&s->seq, 1);
    return rc;
}

int session_revive(swim_session_t *s, uint64_t seq, int64_t until_ns, const char *what,
                   swim_error_t *err)
{
    for (;;) {
        swim_error_t now = {0};
        bool refused = false;
        int rc = SWIM_OK;

        pthread_mutex_lock(&s->held_mutex);
        if (atomic_load(&s->seq) == seq)
            rc = revive_locked(s, &refused, what, &now);
        if (rc == SWIM_ERR_UNSURE)
            seq = atomic_load(&s->seq);
        pthread_mutex_unlock(&s->held_mutex);
        if (rc == SWIM_OK)
            return rc;
        bool may_change = rc == SWIM_ERR_UNSURE || (rc == SWIM_ERR_IO && !refused);
        if (!may_change || swim_clock_mono_ns() + AGAIN_NS > until_ns)
            return swim_error_set(err, rc, "%s", now.text);
        swim_clock_nap_ns(AGAIN_NS);
    }
}
