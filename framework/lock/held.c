/* held.c - what a session holds, as far as this process knows.
 *
 * It is told to a server that forgot it, and it answers a thread that asks twice.  seq
 * counts the epochs in which the session told the server: a grant from before one of
 * them may be unknown to the server, so the asking must be repeated. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lock_private.h"

bool held_add(struct swim_lock *lk, uint64_t seq)
{
    swim_session_t *s = lk->session;

    pthread_mutex_lock(&s->held_mutex);
    bool known = s->seq == seq;
    if (known) {
        lk->next = s->held;
        s->held = lk;
        lk->is_held = true;
    }
    pthread_mutex_unlock(&s->held_mutex);
    return known;
}

bool held_raise(struct swim_lock *lk, const char *ticket, uint64_t fence, uint64_t seq)
{
    swim_session_t *s = lk->session;

    pthread_mutex_lock(&s->held_mutex);
    bool known = s->seq == seq;
    if (known) {
        snprintf(lk->raised, sizeof(lk->raised), "%s", ticket);
        lk->fence = fence;
    }
    pthread_mutex_unlock(&s->held_mutex);
    return known;
}

void held_lowering(struct swim_lock *lk)
{
    pthread_mutex_lock(&lk->session->held_mutex);
    lk->lowering = true;
    pthread_mutex_unlock(&lk->session->held_mutex);
}

void held_lower(struct swim_lock *lk)
{
    pthread_mutex_lock(&lk->session->held_mutex);
    lk->raised[0] = '\0';
    lk->lowering = false;
    pthread_mutex_unlock(&lk->session->held_mutex);
}

void held_remove(struct swim_lock *lk)
{
    swim_session_t *s = lk->session;

    pthread_mutex_lock(&s->held_mutex);
    for (struct swim_lock **at = &s->held; *at; at = &(*at)->next) {
        if (*at == lk) {
            *at = lk->next;
            break;
        }
    }
    lk->is_held = false;
    pthread_mutex_unlock(&s->held_mutex);
}

bool held_release_one(struct swim_lock *lk)
{
    pthread_mutex_lock(&lk->session->held_mutex);
    bool last = --lk->count == 0;
    pthread_mutex_unlock(&lk->session->held_mutex);
    return last;
}

struct swim_lock *held_find(swim_session_t *s, const char *resource,
                            enum swim_lock_mode mode, struct swim_lock **other)
{
    struct swim_lock *same = NULL;
    pid_t self = gettid();

    *other = NULL;
    pthread_mutex_lock(&s->held_mutex);
    for (struct swim_lock *lk = s->held; lk; lk = lk->next) {
        if (lk->owner != self || strcmp(lk->resource, resource) != 0)
            continue;
        if (lk->mode == mode)
            same = lk;
        else
            *other = lk;
    }
    if (same)
        same->count++;
    pthread_mutex_unlock(&s->held_mutex);
    return same;
}

bool held_reads(swim_session_t *s, const char *resource)
{
    pid_t self = gettid();
    bool reads = false;

    pthread_mutex_lock(&s->held_mutex);
    for (struct swim_lock *lk = s->held; lk && !reads; lk = lk->next)
        reads = lk->owner == self && lk->mode == SWIM_LOCK_READ &&
                strcmp(lk->resource, resource) == 0;
    pthread_mutex_unlock(&s->held_mutex);
    return reads;
}
