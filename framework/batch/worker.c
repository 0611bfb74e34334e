/* worker.c - what readers and writers have in common. */
#include "batch/worker.h"

const char *worker_server(const struct worker *worker)
{
    const struct region *region = worker->region; /* NULL: of a plan */

    return region && region->url[0] ? region->url : worker->url;
}

int worker_session_open(const struct worker *worker, swim_session_t **out,
                        swim_error_t *err)
{
    const struct swim_session_options opt = {
        .struct_size = sizeof(opt),
        .url = worker_server(worker),
        .job = worker->job->name,
        .rank = (int32_t)worker->rank,
    };

    return swim_session_open(&opt, out, err);
}

struct setup_access worker_access(const struct worker *worker, swim_session_t *session)
{
    struct setup_access access = {
        .store = {.session = session, .wait_ms = worker->wait_ms},
        .found = &worker->region->found};

    if (!worker->job->follow) { /* otherwise states come with the epochs */
        access.states = worker->region->states;
        access.n_states = worker->region->n_states;
    }
    return access;
}

void worker_count_locks(const struct worker *worker, swim_session_t *session,
                        struct swim_session_stats *last)
{
    struct swim_session_stats now = {.struct_size = sizeof(now)};
    struct region_counters *counters = &worker->region->counters;

    if (!session)
        return;
    swim_session_get_stats(session, &now);
    atomic_fetch_add(&counters->locks, now.acquired - last->acquired);
    atomic_fetch_add(&counters->locks_waited, now.waited - last->waited);
    atomic_fetch_add(&counters->lock_wait_ns, now.wait_ns - last->wait_ns);
    *last = now;
}
