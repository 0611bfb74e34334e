/* census.c - what a lock server knows, added up by session and by job. */
#include "cli/census.h"

#include <stdlib.h>
#include <string.h>

static int job_compare(const struct inspect_session *a, const struct inspect_session *b)
{
    int order = strcmp(a->user, b->user);

    return order ? order : strcmp(a->job, b->job);
}

static int session_compare(const void *a, const void *b)
{
    const struct inspect_session *one = ((const struct census_session *)a)->is;
    const struct inspect_session *other = ((const struct census_session *)b)->is;
    int order = job_compare(one, other);

    if (order == 0 && one->rank != other->rank)
        order = one->rank < other->rank ? -1 : 1;
    return order ? order : strcmp(one->key, other->key);
}

struct census_session *census_find(const struct census *census,
                                   const struct inspect_session *session)
{
    const struct census_session wanted = {.is = session};

    if (census->n_sessions == 0)
        return NULL;
    return bsearch(&wanted, census->sessions, census->n_sessions,
                   sizeof(*census->sessions), session_compare);
}

uint64_t census_sum(const uint64_t by_mode[CENSUS_MODES])
{
    uint64_t sum = 0;

    for (int mode = 0; mode < CENSUS_MODES; mode++)
        sum += by_mode[mode];
    return sum;
}

static void count_add(struct census_count *count, const struct inspect_ticket *t,
                      bool waits)
{
    (waits ? count->waiting : count->held)[t->mode]++;
    if (waits && t->for_ms > count->longest_wait_ms)
        count->longest_wait_ms = t->for_ms;
}

static void count_tickets(struct census *c, const struct inspect_resource *r)
{
    for (size_t i = 0; i < r->n_held + r->n_waiting; i++) {
        const struct inspect_ticket *t = &r->tickets[i];
        struct census_session *s = census_find(c, t->session);
        count_add(&c->all, t, i >= r->n_held);
        if (s)
            count_add(&s->count, t, i >= r->n_held);
    }
}

/* Sessions come in the order of jobs and ranks. */
static void count_jobs(struct census *c)
{
    const struct inspect_session *last = NULL;

    for (size_t i = 0; i < c->n_sessions; i++) {
        struct census_session *s = &c->sessions[i];
        bool is_new = !last || job_compare(last, s->is) != 0;
        if (is_new)
            c->jobs[c->n_jobs++] = (struct census_job){
                .name = s->is->job, .user = s->is->user, .age_ms = -1};
        struct census_job *job = &c->jobs[c->n_jobs - 1];
        s->job = c->n_jobs - 1;
        job->sessions++;
        job->ranks += s->is->rank >= 0 && (is_new || last->rank != s->is->rank);
        job->readers += s->count.held[SWIM_LOCK_READ] > 0;
        if (s->is->age_ms > job->age_ms)
            job->age_ms = s->is->age_ms;
        for (int mode = 0; mode < CENSUS_MODES; mode++) {
            job->count.held[mode] += s->count.held[mode];
            job->count.waiting[mode] += s->count.waiting[mode];
        }
        if (s->count.longest_wait_ms > job->count.longest_wait_ms)
            job->count.longest_wait_ms = s->count.longest_wait_ms;
        last = s->is;
    }
}

int census_take(const struct inspection *seen, struct census **out, swim_error_t *err)
{
    struct census *c = calloc(1, sizeof(*c));
    size_t room = seen->n_sessions ? seen->n_sessions : 1;

    *out = NULL;
    if (c) {
        c->sessions = calloc(room, sizeof(*c->sessions));
        c->jobs = calloc(room, sizeof(*c->jobs));
    }
    if (!c || !c->sessions || !c->jobs) {
        census_free(c);
        return swim_error_set(err, SWIM_ERR_NOMEM, "count sessions: no memory");
    }
    for (size_t i = 0; i < seen->n_sessions; i++)
        c->sessions[c->n_sessions++].is = seen->sessions[i];
    if (c->n_sessions > 0)
        qsort(c->sessions, c->n_sessions, sizeof(*c->sessions), session_compare);
    for (size_t i = 0; i < seen->n_resources; i++)
        count_tickets(c, &seen->resources[i]);
    count_jobs(c);
    *out = c;
    return SWIM_OK;
}

void census_free(struct census *census)
{
    if (!census)
        return;
    free(census->jobs);
    free(census->sessions);
    free(census);
}
