/* rank_server.c - the lock server of a job whose ranks are on several hosts.
 *
 * All ranks tell rank 0 of their hosts, rank 0 tells all where the server is, or why
 * there is none, and all tell rank 0 whether they reach it, before it touches an
 * output.  That it is the same one for all they know by rank 0's session, which is
 * there: by no other sign, as a URL may lead elsewhere on each host, and one server
 * have many.  Each rank takes part in all three, whatever went wrong, or others would
 * wait for it. */
#include "batch/rank_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/signals.h"
#include "lock/inspect.h"
#include "lock/lease.h"
#include "lock/server_job.h"

#define NS_PER_MS 1000000LL
#define NAP_NS NS_PER_MS
#define LOOK_NS (200 * NS_PER_MS) /* between looks for rank 0 at the server */

enum { OFFERS, OUTCOMES };

/* What each rank tells. */
struct offer {
    struct host_addresses host;
    uint32_t given; /* it has a URL of its own */
};

/* What rank 0 tells. */
struct verdict {
    swim_error_t error;
    char given[REGION_URL_SIZE]; /* rank 0's own URL; "": there is job */
    struct server_job job;
    char host[64];                     /* rank 0's, and */
    char session[JOINED_SESSION_SIZE]; /* its session at the server */
};

static const char *url_given(const struct run_options *options)
{
    const char *own = getenv("SWIM_REDIS_URL");

    if (options->url)
        return options->url;
    return own && own[0] ? own : NULL;
}

/* *all is of n_ranks things like mine on rank 0, NULL on others. */
static int await_all(struct link *link, uint32_t which, const void *mine, size_t size,
                     const void **all, swim_error_t *err)
{
    bool done = false;
    int rc = SWIM_OK;

    while (rc == SWIM_OK && !done) {
        rc = link->ops->gather(link, which, mine, size, all, &done, err);
        if (rc == SWIM_OK && !done) {
            rc = swim_signals_check("wait for the other ranks", err);
            swim_clock_nap_ns(NAP_NS);
        }
    }
    return rc;
}

static int await_verdict(struct link *link, struct verdict *v, swim_error_t *err)
{
    bool done = false;
    int rc = SWIM_OK;

    while (rc == SWIM_OK && !done) {
        rc = link->ops->share(link, v, sizeof(*v), &done, err);
        if (rc == SWIM_OK && !done) {
            rc = swim_signals_check("wait for rank 0 to start a lock server", err);
            swim_clock_nap_ns(NAP_NS);
        }
    }
    return rc;
}

/* Nobody is given one: a rank that is would be alone with it. */
static int check_given(const struct offer *all, uint32_t n, swim_error_t *err)
{
    for (uint32_t i = 1; i < n; i++)
        if (all[i].given)
            return swim_error_set(err, SWIM_ERR_ARG,
                                  "rank %u on %s has a lock server in SWIM_REDIS_URL, "
                                  "rank 0 on %s has none: give it to all ranks (mpirun "
                                  "-x SWIM_REDIS_URL, or --redis URL), or to none",
                                  i, all[i].host.host, all[0].host.host);
    return SWIM_OK;
}

static int server_start_for(const struct offer *all, uint32_t n, struct server_job *job,
                            swim_error_t *err)
{
    struct host_addresses where, *others = calloc(n, sizeof(*others));

    if (!others)
        return swim_error_set(err, SWIM_ERR_NOMEM, "addresses of %u ranks", n);
    for (uint32_t i = 1; i < n; i++)
        others[i - 1] = all[i].host;
    int rc = addresses_choose(&all[0].host, getenv("SWIM_INTERFACE"), others, n - 1,
                              &where, err);
    free(others);
    return rc == SWIM_OK ? server_job_start(&where, job, err) : rc;
}

static void say_where(const struct server_job *job)
{
    char text[ADDRESS_TEXT_MAX];

    fprintf(stderr,
            "h5swim: this job has a lock server of its own, gone when it ends, on %s "
            "(%s port %u); give a server by --redis URL or SWIM_REDIS_URL to have "
            "programs beside the job take turns with it at files\n",
            job->where.host, address_text(&job->where.at[0], text), job->port);
}

/* Rank 0: what is to be told. */
static void decide(struct link *link, const struct run_options *options,
                   const struct offer *mine, struct verdict *v)
{
    const char *given = url_given(options);
    const void *offers = NULL;

    int rc = await_all(link, OFFERS, mine, sizeof(*mine), &offers, &v->error);
    const struct offer *all = offers;
    if (rc == SWIM_OK && given && strlen(given) < sizeof(v->given))
        snprintf(v->given, sizeof(v->given), "%s", given);
    else if (rc == SWIM_OK && given)
        rc = swim_error_set(&v->error, SWIM_ERR_ARG,
                            "hand the URL of the lock server on to other hosts: it is "
                            "longer than %zu bytes",
                            sizeof(v->given) - 1);
    else if (rc == SWIM_OK)
        rc = check_given(all, link->n_ranks, &v->error);
    if (rc == SWIM_OK && !given)
        rc = server_start_for(all, link->n_ranks, &v->job, &v->error);
    if (rc == SWIM_OK && !given && !options->quiet)
        say_where(&v->job);
}

/* Where this rank finds it. */
static int follow(const struct link *link, const struct offer *mine,
                  const struct verdict *v, char url[REGION_URL_SIZE], swim_error_t *err)
{
    char found[SERVER_JOB_URL_MAX];
    swim_error_t now = {0};

    if (mine->given)
        return SWIM_OK;
    if (v->given[0]) {
        memcpy(url, v->given, sizeof(v->given));
        return SWIM_OK;
    }
    int rc = server_job_reach(&v->job, &mine->host, found, &now);
    snprintf(url, REGION_URL_SIZE, "%s", found);
    explicit_bzero(found, sizeof(found));
    if (rc == SWIM_OK)
        return rc;
    return swim_error_set(err, rc, "rank %u: %s", link->rank, now.text);
}

static int enter(const struct link *link, const struct offer *mine,
                 const struct verdict *v, struct worker *worker,
                 swim_session_t **session, swim_error_t *err)
{
    swim_error_t now = {0};
    int rc = follow(link, mine, v, worker->region->url, err);

    if (rc == SWIM_OK && worker_session_open(worker, session, &now) != SWIM_OK)
        return swim_error_set(err, now.code, "rank %u: %s", link->rank, now.text);
    return rc;
}

/* Is rank 0 at the server of this rank?  server: which one that is, for people. */
static int look_for_rank_zero(const struct worker *worker, const struct verdict *v,
                              bool *found, char server[64], swim_error_t *err)
{
    struct inspector *inspector = NULL;
    struct inspection *seen = NULL;

    *found = false;
    int rc = inspect_open(worker_server(worker), &inspector, err);
    if (rc == SWIM_OK && inspector)
        rc = inspect_look_at_session(inspector, v->session, &seen, err);
    if (rc == SWIM_OK && seen) {
        *found = seen->n_sessions > 0;
        snprintf(server, 64, "%.63s", inspect_server(inspector));
    }
    inspection_free(seen);
    inspect_close(inspector);
    return rc;
}

/* For a lease: in a fail-over rank 0 tells the new server of itself within that. */
static int meet_rank_zero(const struct link *link, const struct offer *mine,
                          const struct verdict *v, const struct worker *worker,
                          swim_session_t *session, swim_error_t *err)
{
    int64_t until = swim_clock_mono_ns() + lock_lease_ms(session) * NS_PER_MS;
    char server[64] = "";
    bool found = false;
    swim_error_t now;
    int rc;

    for (;;) {
        swim_error_clear(&now);
        rc = look_for_rank_zero(worker, v, &found, server, &now);
        if (found || swim_clock_mono_ns() > until)
            break;
        if (swim_signals_check("look for rank 0 at the lock server", err) != SWIM_OK)
            return SWIM_ERR_CANCELLED;
        swim_clock_nap_ns(LOOK_NS);
    }
    if (found)
        return SWIM_OK;
    if (rc != SWIM_OK)
        return swim_error_set(err, rc, "rank %u: %s", link->rank, now.text);
    return swim_error_set(err, SWIM_ERR_ARG,
                          "rank %u on %.40s uses another lock server (%s) than rank 0 "
                          "on %.40s: give all of them one that all hosts reach, by "
                          "--redis URL or mpirun -x SWIM_REDIS_URL",
                          link->rank, mine->host.host, server, v->host);
}

/* Say how it went; rank 0 hears it of all, and the first that failed fails it. */
static int agree(struct link *link, const swim_error_t *mine, swim_error_t *err)
{
    const void *all = NULL;

    int rc = await_all(link, OUTCOMES, mine, sizeof(*mine), &all, err);
    const swim_error_t *outcomes = all;
    for (uint32_t i = 0; rc == SWIM_OK && outcomes && i < link->n_ranks; i++)
        if (outcomes[i].code != SWIM_OK)
            rc = swim_error_set(err, outcomes[i].code, "%s", outcomes[i].text);
    return rc;
}

/* Rank 0 is at the server before others look for it there. */
static void begin(struct link *link, const struct run_options *options,
                  const struct offer *mine, struct verdict *v, struct worker *worker,
                  swim_session_t **session)
{
    memcpy(v->host, mine->host.host, sizeof(v->host));
    decide(link, options, mine, v);
    if (v->error.code == SWIM_OK &&
        enter(link, mine, v, worker, session, &v->error) == SWIM_OK)
        snprintf(v->session, sizeof(v->session), "%s", swim_session_id(*session));
}

/* What this rank does with what rank 0 tells. */
static int take_part(const struct link *link, const struct offer *mine,
                     const struct verdict *v, struct worker *worker,
                     swim_session_t **session, swim_error_t *err)
{
    if (v->error.code != SWIM_OK)
        return swim_error_set(err, v->error.code, "%s", v->error.text);
    if (link->rank == 0)
        return SWIM_OK;
    int rc = enter(link, mine, v, worker, session, err);
    return rc == SWIM_OK ? meet_rank_zero(link, mine, v, worker, *session, err) : rc;
}

int rank_server_open(struct link *link, const struct run_options *options,
                     struct worker *worker, swim_session_t **session, swim_error_t *err)
{
    struct offer mine = {.given = url_given(options) != NULL};
    struct verdict v = {.error = {0}};
    swim_error_t own = {0};
    const void *none = NULL;
    bool done = false;

    *session = NULL;
    if (link->n_hosts <= 1)
        return worker_session_open(worker, session, err);
    int rc = addresses_look(getenv("SWIM_INTERFACE"), &mine.host, &own);
    if (link->rank == 0)
        begin(link, options, &mine, &v, worker, session);
    else /* a failure of it is one of await_verdict(), too */
        (void)link->ops->gather(link, OFFERS, &mine, sizeof(mine), &none, &done, NULL);
    int told = await_verdict(link, &v, &own);
    if (rc == SWIM_OK)
        rc = told == SWIM_OK ? take_part(link, &mine, &v, worker, session, &own) : told;
    explicit_bzero(&v, sizeof(v));
    int agreed = agree(link, &own, rc == SWIM_OK ? err : NULL);
    return rc == SWIM_OK ? agreed : swim_error_set(err, rc, "%s", own.text);
}
