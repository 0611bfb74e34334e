/* rank.c - the main process of a rank: feeds its readers, talks to the coordinator.
 *
 * Rank 0 also opens the inputs first, has the outputs made before the first block and
 * finished after the last, and prints (rank_zero.c).  States, in this order, any of
 * them may end in leaving (the last two: rank_end.c):
 *
 *   preparing   spawner forked, MPI started, setup made, readers launched
 *   working     blocks from the coordinator into items, done ones reported
 *   finishing   rank 0: outputs finished, while its readers leave
 *   leaving     workers gone, last report exchanged */
#include "batch/rank.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "batch/rank_server.h"
#include "batch/state.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/meter.h"
#include "core/signals.h"
#include "lock/lease.h"
#include "lock/process.h"

#define RANK_GRACE_MS 900      /* a rank has to see to its children first */
#define EXCHANGE_NS 20000000LL /* between reports when nothing is wanted */
#define NAP_MS 2
#define SILENT_LEASES 3      /* for so many a rank may be silent */
#define UNANSWERED_LEASES 12 /* and rank 0, who may be at the outputs */

/* --- preparing ---------------------------------------------------------------- */

static uint32_t readers_wanted(const struct rank *r, uint32_t ranks_here)
{
    uint32_t n = r->options->n_readers;

    if (n == 0)
        n = run_processors() / (ranks_here ? ranks_here : 1);
    return n ? n : 1;
}

/* Rank 0 says which states of the inputs it has opened.  Until then, or until the job
 * is stopped. */
static int await_states(struct rank *r, swim_error_t *err)
{
    struct region *region = r->worker.region;
    struct rank_orders orders;
    bool answered = false;
    int rc = SWIM_OK;

    while (rc == SWIM_OK &&
           (!region->n_states || r->report.n_states < region->n_states)) {
        rc = r->link->ops->exchange(r->link, &r->report, &orders, &answered, err);
        if (rc == SWIM_OK && answered && rank_is_over(&orders)) {
            r->over = true;
            return swim_error_set(err, SWIM_ERR_CANCELLED,
                                  "the job was over before rank %u had begun",
                                  r->link->rank);
        }
        if (rc == SWIM_OK)
            rc = swim_signals_check("wait for the inputs", err);
        if (rc != SWIM_OK)
            return rc;
        if (state_asked())
            fprintf(stderr, "h5swim: rank %u waits for rank 0 to open the inputs\n",
                    r->link->rank);
        if (answered && orders.n_states) {
            region->n_states = orders.n_states;
            region->states[r->report.n_states++] = orders.state;
        } else {
            swim_clock_nap_ns(NAP_MS * 1000000LL);
        }
    }
    return rc;
}

/* Rank 0 keeps the inputs open, so that the others find them in the same state; so does
 * one that follows a rank 0 that died. */
static int prepare_setup(struct rank *r, swim_error_t *err)
{
    bool tells = r->link->rank == 0 && run_tells(r->options);
    struct setup_access access = {.store = {.session = r->session,
                                            .wait_ms = r->options->wait_ms,
                                            .tells = tells}};
    struct region *region = r->worker.region;

    if (r->job->follow) {
        /* States come with the epochs. */
    } else if (r->link->rank != 0) {
        int rc = await_states(r, err);
        if (rc != SWIM_OK)
            return rc;
        access.states = region->states;
        access.n_states = region->n_states;
    } else if (r->seen.n_states) {
        access.states = r->seen.states;
        access.n_states = r->seen.n_states;
    }
    int rc = setup_create(r->job, &access, &r->setup, err);
    if (rc != SWIM_OK)
        return rc;
    setup_tell_found(r->setup, &region->found);
    region->digest = r->setup->digest;
    region->n_ranks = r->link->n_ranks;
    region->host = r->link->host;
    region->n_hosts = r->link->n_hosts;
    if (r->link->rank != 0) {
        setup_close_inputs(r->setup);
        return rc;
    }
    if (r->job->follow)
        return rc;
    region->n_states = setup_first(r->setup)->n_inputs;
    for (uint32_t i = 0; i < region->n_states; i++)
        region->states[i] = setup_first(r->setup)->inputs[i].state;
    r->link->ops->set_states(r->link, region->states, region->n_states);
    return rc;
}

static int prepare(struct rank *r, swim_error_t *err)
{
    uint32_t n_ranks = r->joining ? r->options->n_ranks : r->link->n_ranks;
    uint32_t readers = readers_wanted(r, n_ranks), slots_each = 1;
    bool fewer = r->options->n_readers == 0;

    store_quiet();
    if (r->link->rank == 0)
        zero_join(r);
    int rc = rank_server_open(r->link, r->options, &r->worker, &r->session, err);
    if (rc == SWIM_OK) {
        r->lease_ms = lock_lease_ms(r->session);
        r->link->silent_ms = SILENT_LEASES * r->lease_ms;
    }
    if (rc == SWIM_OK)
        rc = prepare_setup(r, err);
    if (rc == SWIM_OK)
        record_name(r->record, r->setup);
    if (rc == SWIM_OK)
        rc = setup_divide_memory(r->setup, &readers, fewer, &slots_each, err);
    if (rc == SWIM_OK)
        rc = region_layout(r->worker.region, readers, slots_each, r->setup->slot_bytes,
                           readers * r->setup->cache_bytes, err);
    if (rc == SWIM_OK) {
        r->timed_out = calloc(readers, sizeof(*r->timed_out));
        if (!r->timed_out)
            rc = swim_error_set(err, SWIM_ERR_NOMEM, "rank %u", r->link->rank);
    }
    /* Readers open the inputs while rank 0 makes the outputs. */
    if (rc == SWIM_OK) {
        record_workers(r->record);
        rc = spawner_launch(&r->spawner, err);
    }
    if (rc == SWIM_OK && r->link->rank == 0)
        rc = zero_begin(r, err);
    if (rc != SWIM_OK)
        return rc;
    r->report.n_readers = readers;
    r->report.digest = r->setup->digest;
    r->report.ready = 1;
    r->want = 2 * readers;
    return rc;
}

/* --- working ------------------------------------------------------------------ */

void rank_fill_report(struct rank *r)
{
    struct region_counters *counters = &r->worker.region->counters;

    worker_count_locks(&r->worker, r->session, &r->last);
    r->report.bytes_read = atomic_load(&counters->bytes_read);
    r->report.bytes_written = atomic_load(&counters->bytes_written);
    r->report.bytes_stored = atomic_load(&counters->bytes_stored);
    r->report.locks = atomic_load(&counters->locks);
    r->report.locks_waited = atomic_load(&counters->locks_waited);
    r->report.lock_wait_ns = atomic_load(&counters->lock_wait_ns);
    r->report.signo = (uint32_t)swim_signals_pending();
}

/* Not while it prepares, which may take any time. */
static int rank_zero_answers(const struct rank *r, swim_error_t *err)
{
    int64_t silent_ms = (swim_clock_mono_ns() - r->exchanged_ns) / 1000000;

    if (r->phase < 0 || silent_ms < UNANSWERED_LEASES * r->lease_ms)
        return SWIM_OK;
    return swim_error_set(err, SWIM_ERR_IO,
                          "no answer of rank 0 for %lld s: is it stopped, or is one of "
                          "their nodes cut off?",
                          (long long)(silent_ms / 1000));
}

int rank_talk(struct rank *r, struct rank_orders *orders, bool *answered,
              swim_error_t *err)
{
    join_serve_turn(r->serve, r->link);
    return r->link->ops->exchange(r->link, &r->report, orders, answered, err);
}

bool rank_is_over(const struct rank_orders *orders)
{
    return orders->stop || orders->phase == COORDINATOR_FINISHED;
}

/* Report and take orders.  *leave: the job is over, well or not. */
static int exchange(struct rank *r, bool *leave, struct rank_orders *orders,
                    swim_error_t *err)
{
    bool answered = false;
    int rc = rank_talk(r, orders, &answered, err);

    if (rc == SWIM_OK && !answered)
        return rank_zero_answers(r, err);
    if (rc != SWIM_OK)
        return rc;
    r->exchanged_ns = swim_clock_mono_ns();
    r->lost = orders->lost;
    r->given_up = orders->given_up;
    items_tell_failures(r, orders->n_failed);
    if (orders->run_id) /* also of a job that is over before this rank had a block */
        atomic_store(&r->worker.region->run_id, orders->run_id);
    if (rank_is_over(orders) || r->given_up) {
        *leave = true;
        return rc;
    }
    follow_take_orders(r, orders);
    if (orders->phase >= 0 && orders->phase != r->phase) {
        r->phase = orders->phase;
        atomic_store(&r->worker.region->phase, (uint32_t)orders->phase);
    }
    if (orders->count) {
        r->next = orders->first;
        r->count = orders->count;
        r->granted = true;
    }
    return rc;
}

static void nap(struct rank *r)
{
    struct pollfd fds[2 + FOLLOW_FDS] = {
        {r->spawner.fd, POLLIN, 0}, /* poll() passes over -1 */
        /* A pending signal stays readable; it must not turn naps into a busy loop. */
        {swim_signals_pending() ? -1 : swim_signals_fd(), POLLIN, 0},
    };
    uint32_t n = follow_fds(r, fds + 2);

    poll(fds, 2 + n, NAP_MS);
    follow_hear(r, fds + 2, n);
}

/* Rank 0: what the coordinator asks for, and what a person sees. */
static int lead(struct rank *r, struct rank_orders *orders, swim_error_t *err)
{
    if (r->link->rank != 0)
        return SWIM_OK;
    int rc = zero_check(r, err);
    if (rc == SWIM_OK && r->follow) {
        rc = follow_turn(r, orders->look, err);
    } else if (rc == SWIM_OK && orders->look) {
        rc = zero_look(r, err);
        r->hurry = true; /* there is news for all */
    }
    orders->look = 0; /* until it is asked for again */
    r->link->ops->observe(r->link, &r->seen, r->ranks);
    progress_show(&r->progress, &r->seen, r->ranks);
    return rc;
}

/* Is there something to say to the coordinator? */
static bool report_is_due(const struct rank *r, int rc)
{
    return rc != SWIM_OK || r->report.want || r->hurry || r->report.signo ||
           swim_clock_mono_ns() - r->exchanged_ns > EXCHANGE_NS;
}

static int work(struct rank *r, struct rank_orders *orders, swim_error_t *err)
{
    bool leave = false;
    int rc = SWIM_OK;

    while (!leave) {
        r->hurry = false;
        items_turn(r);
        if (rc == SWIM_OK)
            rc = items_look_after_workers(r, err);
        if (r->spawner_gone && r->forked)
            return rc;
        rank_fill_report(r);
        if (rc != SWIM_OK && r->report.error.code == SWIM_OK && err)
            r->report.error = *err;
        r->report.want = rc == SWIM_OK ? items_wanted(r) : 0;
        if (report_is_due(r, rc)) {
            int linked = exchange(r, &leave, orders, err);
            if (linked != SWIM_OK) {
                r->end.unlinked = true;
                return linked;
            }
        }
        if (rc == SWIM_OK && !leave)
            rc = lead(r, orders, err);
        if (state_asked() && r->setup)
            state_print(r);
        if (!leave && !r->count && !r->hurry)
            nap(r);
    }
    return rc;
}

/* Others do its blocks.  It lets go of all that it has, but stays until the job is
 * over: for a launcher a rank that ends before is a job that failed. */
static void sit_out(struct rank *r, struct rank_orders *orders, swim_error_t *err)
{
    bool leave = false;
    int rc = SWIM_OK;

    swim_error_clear(err);
    region_stop(r->worker.region);
    spawner_stop(&r->spawner, WORKERS_LEAVE_MS, 0);
    setup_destroy(r->setup);
    r->setup = NULL;
    swim_session_close(r->session);
    r->session = NULL;
    r->report.want = 0;
    while (rc == SWIM_OK && !rank_is_over(orders) && !swim_signals_pending()) {
        swim_clock_nap_ns(EXCHANGE_NS);
        rc = exchange(r, &leave, orders, err);
    }
    r->end.unlinked = rc != SWIM_OK;
}

/* Everything after the link is there; returns the exit status. */
static int rank_run(struct rank *r)
{
    swim_error_t err = {0};
    struct rank_orders orders = {.code = SWIM_OK};

    r->ranks = calloc(LINK_RANKS_MOST(r->link->n_ranks), sizeof(*r->ranks));
    if (!r->ranks)
        return run_exit_status(SWIM_ERR_NOMEM, 0);
    progress_begin(&r->progress, r->job->name,
                   !run_tells(r->options) || r->link->rank != 0);
    int rc = prepare(r, &err);
    if (rc != SWIM_OK && !r->over) {
        r->report.error = err;
        r->report.ready = 0;
    }
    (void)swim_meter_set(SWIM_AT_IDLE);
    rc = work(r, &orders, &err);
    progress_end(&r->progress);
    if (r->spawner_gone && r->forked) { /* as if it had died with it */
        region_stop(r->worker.region);
        return run_exit_status(rc, 0);
    }
    if (r->given_up && !rank_is_over(&orders))
        sit_out(r, &orders, &err);
    return rank_end(r, &orders, &err);
}

static int rank_start(struct rank *r, struct fork_shared *shared, uint32_t rank,
                      swim_error_t *err)
{
    if (shared)
        swim_signals_tell(fork_shared_told(shared, rank));
    int rc = swim_signals_install_command(RANK_GRACE_MS, err);

    if (rc == SWIM_OK) /* more, for what rounding to pages and the pages between take */
        rc = region_create(r->job->memory_bytes + ((uint64_t)256 << 20),
                           &r->worker.region, err);
    if (rc == SWIM_OK)
        rc = spawner_start(&r->worker, &r->spawner, err);
    if (rc == SWIM_OK && r->joining)
        rc =
            link_join_open(r->job, r->options->url, r->options->wait_ms, &r->link, err);
    else if (rc == SWIM_OK)
        rc = shared ? fork_link_open(shared, rank, &r->link, err)
                    : link_mpi_load(&r->link, err);
    return rc;
}

/* The number is known. */
static void rank_introduce(struct rank *r)
{
    struct process_id self;

    process_self(&self);
    r->report.rank = r->link->rank;
    r->report.pid = self.pid;
    r->report.started = self.start;
    r->worker.rank = r->link->rank;
    r->worker.region->rank = r->link->rank;
    swim_log_set_rank((int)r->link->rank);
    if (r->joining) {
        r->joining->rank = r->link->rank;
        r->joining->joined = true;
    }
    r->record = record_create(r);
}

static int start_failed(struct rank *r, uint32_t rank, int rc, const swim_error_t *err)
{
    if (r->joining)
        r->joining->error = *err;
    else
        fprintf(stderr, "h5swim: rank %u: %s\n", rank, err->text);
    return run_exit_status(rc, swim_signals_pending());
}

static int rank_process(const struct run_options *options, const struct job *job,
                        struct fork_shared *shared, uint32_t rank,
                        struct join_outcome *outcome)
{
    struct rank r = {
        .options = options,
        .job = job,
        .worker = {.job = job,
                   .url = options->url,
                   /* Not to wait is meant for others, not for ranks of the job. */
                   .wait_ms = options->wait_ms == SWIM_LOCK_TRY ? 0 : options->wait_ms,
                   .rank = rank},
        .spawner = {0, -1},
        .phase = COORDINATOR_WAITING,
        .joining = outcome,
        .forked = shared != NULL,
        .launcher = shared ? "fork" : link_launcher(),
        .start_ns = swim_clock_mono_ns(),
    };
    swim_error_t err = {0};
    int status;

    swim_log_set_rank((int)rank);
    state_listen();
    int rc = rank_start(&r, shared, rank, &err);
    if (rc == SWIM_OK) {
        rank_introduce(&r);
        status = rank_run(&r);
    } else {
        status = start_failed(&r, rank, rc, &err);
    }
    spawner_stop(&r.spawner, WORKERS_LEAVE_MS, 0);
    zero_end(&r);
    setup_destroy(r.setup); /* its inputs are open in the session */
    swim_session_close(r.session);
    record_destroy(r.record);
    region_destroy(r.worker.region);
    if (r.link)
        r.link->ops->close(r.link, r.report.leaving ? RANK_OTHERS_MS : 0,
                           !r.end.unlinked && status <= 128 &&
                               !swim_signals_pending() && !r.lost);
    free(r.ranks);
    free(r.failed);
    free(r.timed_out);
    return status;
}

int rank_main(const struct run_options *options, const struct job *job,
              struct fork_shared *shared, uint32_t rank)
{
    return rank_process(options, job, shared, rank, NULL);
}

int rank_join(const struct run_options *options, const struct job *job,
              struct join_outcome *outcome)
{
    int status = rank_process(options, job, NULL, 0, outcome);

    outcome->status = status;
    return status;
}
