/* rank.c - the main process of a rank: feeds its readers, talks to the coordinator.
 *
 * Rank 0 also opens the inputs first and has the outputs made before the first block
 * and finished after the last, and prints.  States, in this order, any of them may end
 * in leaving:
 *
 *   preparing   spawner forked, MPI started, setup made, readers launched
 *   working     blocks from the coordinator into the ring, counts back
 *   finishing   rank 0: outputs finished
 *   leaving     workers gone, last report exchanged */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include "batch/outputs.h"
#include "batch/report.h"
#include "batch/run.h"
#include "batch/worker.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/signals.h"

#define RANK_GRACE_MS 900      /* a rank has to see to its children first */
#define LEAVE_MS 700           /* for workers, when stopped by a signal */
#define FINISH_MS 5000         /* for workers, when all is done */
#define OTHERS_MS 500          /* rank 0 waits so long for the others' last reports */
#define EXCHANGE_NS 20000000LL /* between reports when nothing is wanted */
#define NAP_MS 2
#define WANT_MOST 256

struct rank {
    const struct run_options *options;
    const struct job *job;
    struct worker worker;
    struct spawner spawner;
    struct link *link;
    swim_session_t *session;
    struct setup *setup;
    struct rank_report report;
    struct coordinator seen; /* rank 0: for progress and the result */
    struct rank_report *reports;
    struct progress progress;
    struct swim_session_stats last;
    uint64_t next, count; /* blocks granted, not yet in the ring */
    int32_t phase;
    uint32_t want;
    bool created; /* rank 0 has made the outputs */
    bool spawner_gone;
    int64_t start_ns, exchanged_ns;
};

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
        if (rc == SWIM_OK && answered && orders.stop)
            return swim_error_set(err, orders.code ? orders.code : SWIM_ERR_CANCELLED,
                                  "the job was stopped before rank %u had begun",
                                  r->link->rank);
        if (rc == SWIM_OK)
            rc = swim_signals_check("wait for the inputs", err);
        if (rc != SWIM_OK)
            return rc;
        if (answered && orders.n_states) {
            region->n_states = orders.n_states;
            region->states[r->report.n_states++] = orders.state;
        } else {
            swim_clock_nap_ns(NAP_MS * 1000000LL);
        }
    }
    return rc;
}

/* Rank 0 keeps the inputs open, so that the others find them in the same state. */
static int prepare_setup(struct rank *r, swim_error_t *err)
{
    struct setup_access access = {.store = {r->session, r->options->wait_ms}};
    struct region *region = r->worker.region;

    if (r->link->rank != 0) {
        int rc = await_states(r, err);
        if (rc != SWIM_OK)
            return rc;
        access.states = region->states;
        access.n_states = region->n_states;
    }
    int rc = setup_create(r->job, &access, &r->setup, err);
    if (rc != SWIM_OK)
        return rc;
    region->digest = r->setup->digest;
    region->n_ranks = r->link->n_ranks;
    if (r->link->rank != 0) {
        setup_close_inputs(r->setup);
        return rc;
    }
    region->n_states = r->setup->n_inputs;
    for (uint32_t i = 0; i < region->n_states; i++)
        region->states[i] = r->setup->inputs[i].state;
    r->link->ops->set_states(r->link, region->states, region->n_states);
    return rc;
}

static struct outputs outputs_of(const struct rank *r, char mark[REGION_MARK_SIZE],
                                 int64_t wait_ms)
{
    region_mark(r->worker.region, mark);
    return (struct outputs){.setup = r->setup,
                            .access = {r->session, wait_ms},
                            .mark = mark,
                            .command = r->options->command,
                            .overwrite = r->options->overwrite};
}

static int prepare_outputs(struct rank *r, swim_error_t *err)
{
    char mark[REGION_MARK_SIZE];

    if (getrandom(&r->report.run_id, sizeof(r->report.run_id), 0) < 0)
        r->report.run_id = (uint64_t)swim_clock_boot_ns() ^ ((uint64_t)getpid() << 40);
    atomic_store(&r->worker.region->run_id, r->report.run_id);
    const struct outputs outputs = outputs_of(r, mark, r->options->wait_ms);
    enum outputs_begun how;
    int rc = outputs_begin(&outputs, &how, err);
    r->created = rc == SWIM_OK;
    r->link->ops->set_work(r->link, r->setup->n_phases, r->setup->phase_blocks);
    return rc;
}

/* The results are of the states that were opened, if those were there to the end. */
static int finish(struct rank *r, swim_error_t *err)
{
    char mark[REGION_MARK_SIZE];
    const struct outputs outputs = outputs_of(r, mark, r->worker.wait_ms);

    int rc = setup_look_inputs(r->setup, true, err);
    return rc == SWIM_OK ? outputs_finish(&outputs, err) : rc;
}

/* The job ends before it is done. */
static void give_up(struct rank *r)
{
    char mark[REGION_MARK_SIZE];
    const struct outputs outputs = outputs_of(r, mark, SWIM_LOCK_TRY);

    if (r->created)
        outputs_settle(&outputs);
}

static int prepare(struct rank *r, swim_error_t *err)
{
    uint32_t readers = readers_wanted(r, r->link->n_ranks), slots_each = 1;
    bool fewer = r->options->n_readers == 0;

    store_quiet();
    int rc = worker_session_open(&r->worker, &r->session, err);
    if (rc == SWIM_OK)
        rc = prepare_setup(r, err);
    if (rc == SWIM_OK)
        rc = setup_divide_memory(r->setup, &readers, fewer, &slots_each, err);
    if (rc == SWIM_OK)
        rc = region_layout(r->worker.region, readers, slots_each, r->setup->slot_bytes,
                           err);
    if (rc == SWIM_OK && r->link->rank == 0)
        rc = prepare_outputs(r, err);
    if (rc == SWIM_OK)
        rc = spawner_launch(&r->spawner, err);
    if (rc != SWIM_OK)
        return rc;
    r->report.n_readers = readers;
    r->report.digest = r->setup->digest;
    r->report.ready = 1;
    r->want = 2 * readers;
    return rc;
}

/* --- working ------------------------------------------------------------------ */

static void describe_end(int status, char *text, size_t size)
{
    if (WIFSIGNALED(status))
        snprintf(text, size, "was ended by signal %d (SIG%s)", WTERMSIG(status),
                 sigabbrev_np(WTERMSIG(status)) ? sigabbrev_np(WTERMSIG(status)) : "?");
    else
        snprintf(text, size, "ended with exit status %d", WEXITSTATUS(status));
}

/* A process of ours that was told by a signal to leave: then the whole rank leaves. */
static bool left_by_signal(int status)
{
    if (!WIFEXITED(status) || WEXITSTATUS(status) <= 128)
        return false;
    swim_signals_raise(WEXITSTATUS(status) - 128);
    return true;
}

/* A worker ended although nobody told it to. */
static int worker_ended(struct rank *r, const struct worker_event *event,
                        swim_error_t *err)
{
    char end[80], block[160] = "";

    /* A spawner that was told to leave has stopped them: it will be heard of next. */
    if (event->status == 0 && atomic_load(&r->worker.region->stop))
        return SWIM_OK;
    if (left_by_signal(event->status))
        return SWIM_OK;
    /* Others need not wait for its lease; a failure costs no more than that. */
    (void)swim_session_reap(r->session, event->pid, NULL);
    if (region_failed(r->worker.region, err) != SWIM_OK)
        return err->code;
    describe_end(event->status, end, sizeof(end));
    if (event->role == WORKER_READER) {
        uint64_t at = region_reader(r->worker.region, (uint32_t)event->index)->block;
        if (at)
            snprintf(block, sizeof(block), " in block %llu: kernel %s has crashed?",
                     (unsigned long long)at - 1, r->setup->kernel->api.name);
    }
    return swim_error_set(err, SWIM_ERR_KERNEL, "%s %d of rank %u (job %s) %s%s",
                          event->role == WORKER_READER ? "reader" : "writer",
                          event->index, r->link->rank, r->job->name, end, block);
}

static int look_after_workers(struct rank *r, swim_error_t *err)
{
    struct worker_event event;
    bool gone = false;
    int rc = region_failed(r->worker.region, err);

    while (rc == SWIM_OK && spawner_poll(&r->spawner, &event, &gone))
        rc = worker_ended(r, &event, err);
    if (rc == SWIM_OK && gone && !r->spawner_gone) {
        int status = spawner_wait(&r->spawner);
        r->spawner_gone = true;
        if (!left_by_signal(status))
            rc = swim_error_set(err, SWIM_ERR_IO, "the spawner of rank %u is gone",
                                r->link->rank);
    }
    return rc;
}

static void fill_report(struct rank *r)
{
    struct region_counters *counters = &r->worker.region->counters;

    worker_count_locks(&r->worker, r->session, &r->last);
    for (uint32_t p = 0; p < SETUP_PHASES_MAX; p++)
        r->report.done[p] = atomic_load(&r->worker.region->done[p]);
    r->report.bytes_read = atomic_load(&counters->bytes_read);
    r->report.bytes_written = atomic_load(&counters->bytes_written);
    r->report.bytes_stored = atomic_load(&counters->bytes_stored);
    r->report.locks = atomic_load(&counters->locks);
    r->report.locks_waited = atomic_load(&counters->locks_waited);
    r->report.lock_wait_ns = atomic_load(&counters->lock_wait_ns);
    r->report.signo = (uint32_t)swim_signals_pending();
}

static void fill_ring(struct rank *r)
{
    while (r->count && region_push(r->worker.region, r->next)) {
        r->next++;
        r->count--;
    }
}

/* How many blocks to ask for: twice the readers, more when the ring was found empty. */
static uint64_t blocks_wanted(struct rank *r)
{
    uint64_t queued = region_queued(r->worker.region);

    if (r->count || queued > r->want / 2 || r->phase < 0)
        return 0;
    if (queued == 0 && r->want < WANT_MOST)
        r->want *= 2;
    return r->want - queued;
}

/* Report and take orders.  *leave: the job is over, well or not. */
static int exchange(struct rank *r, bool *leave, struct rank_orders *orders,
                    swim_error_t *err)
{
    bool answered = false;
    int rc = r->link->ops->exchange(r->link, &r->report, orders, &answered, err);

    if (rc != SWIM_OK || !answered)
        return rc;
    r->exchanged_ns = swim_clock_mono_ns();
    if (orders->stop || orders->phase == COORDINATOR_FINISHED) {
        *leave = true;
        return rc;
    }
    atomic_store(&r->worker.region->run_id, orders->run_id);
    if (orders->phase >= 0 && orders->phase != r->phase) {
        r->phase = orders->phase;
        atomic_store(&r->worker.region->phase, (uint32_t)orders->phase);
    }
    if (orders->count) {
        r->next = orders->first;
        r->count = orders->count;
    }
    return rc;
}

static void nap(const struct rank *r)
{
    struct pollfd fds[2] = {
        {r->spawner.fd, POLLIN, 0},
        {swim_signals_fd(), POLLIN, 0},
    };

    /* A pending signal stays readable; it must not turn naps into a busy loop. */
    poll(fds, swim_signals_pending() ? 1 : 2, NAP_MS);
}

static int work(struct rank *r, struct rank_orders *orders, swim_error_t *err)
{
    bool leave = false;
    int rc = SWIM_OK;

    while (!leave) {
        fill_ring(r);
        if (rc == SWIM_OK)
            rc = look_after_workers(r, err);
        fill_report(r);
        if (rc != SWIM_OK && r->report.error.code == SWIM_OK && err)
            r->report.error = *err;
        r->report.want = rc == SWIM_OK ? blocks_wanted(r) : 0;
        bool due = swim_clock_mono_ns() - r->exchanged_ns > EXCHANGE_NS;
        if (due || r->report.want || rc != SWIM_OK || r->report.signo) {
            int linked = exchange(r, &leave, orders, err);
            if (linked != SWIM_OK)
                return linked;
        }
        if (r->link->rank == 0) {
            r->link->ops->observe(r->link, &r->seen, r->reports);
            progress_show(&r->progress, &r->seen, r->reports);
        }
        if (!leave && !r->count)
            nap(r);
    }
    return rc;
}

/* --- leaving ------------------------------------------------------------------ */

/* The last report, and on rank 0 the others' last ones, for at most wait_ms. */
static void last_reports(struct rank *r, int wait_ms)
{
    int64_t until = swim_clock_mono_ns() + (int64_t)wait_ms * 1000000;
    struct rank_orders orders = {.left = 0};
    bool answered = false, all = false;

    fill_report(r);
    r->report.leaving = 1;
    r->report.want = 0;
    /* A report may be under way still: its answer is not the answer to this one. */
    while (!(answered && orders.left) && swim_clock_mono_ns() < until) {
        if (r->link->ops->exchange(r->link, &r->report, &orders, &answered, NULL))
            return;
        if (!answered)
            swim_clock_nap_ns(500000);
    }
    while (r->link->rank == 0 && !all && swim_clock_mono_ns() < until) {
        r->link->ops->exchange(r->link, &r->report, &orders, &answered, NULL);
        r->link->ops->observe(r->link, &r->seen, r->reports);
        all = true;
        for (uint32_t i = 0; i < r->link->n_ranks; i++)
            all = all && r->reports[i].leaving;
        if (!all)
            swim_clock_nap_ns(500000);
    }
}

static void print_result(struct rank *r, const swim_error_t *err, int status)
{
    struct run_result result = {
        .options = r->options,
        .job = r->job,
        .setup = r->setup,
        .coordinator = &r->seen,
        .reports = r->reports,
        .error = *err,
        .exit_status = status,
        .seconds = (double)(swim_clock_mono_ns() - r->start_ns) / 1e9,
    };

    if (status > 128 && (r->seen.error.code == SWIM_OK || r->seen.signo)) {
        swim_error_clear(&result.error);
        swim_error_set(&result.error, SWIM_ERR_CANCELLED, "job %s stopped by SIG%s%s",
                       r->job->name, sigabbrev_np(status - 128),
                       r->created ? ": its output is unfinished; run it again with "
                                    "--overwrite to start anew"
                                  : "");
    }
    report_result(&result);
}

/* Everything after the link is there; returns the exit status. */
static int rank_run(struct rank *r)
{
    swim_error_t err = {0};
    struct rank_orders orders = {.code = SWIM_OK};

    r->reports = calloc(r->link->n_ranks, sizeof(*r->reports));
    if (!r->reports)
        return run_exit_status(SWIM_ERR_NOMEM, 0);
    progress_begin(&r->progress, r->job->name,
                   r->options->quiet || r->options->json || r->link->rank != 0);
    int rc = prepare(r, &err);
    if (rc != SWIM_OK) {
        r->report.error = err;
        r->report.ready = 0;
    }
    int worked = work(r, &orders, &err);
    rc = rc == SWIM_OK ? worked : rc;
    progress_end(&r->progress);
    int signo = swim_signals_pending() ? swim_signals_pending() : (int)orders.signo;
    region_stop(r->worker.region);
    spawner_stop(&r->spawner, signo ? LEAVE_MS : FINISH_MS, signo);
    bool done = rc == SWIM_OK && !orders.stop;
    if (done && r->link->rank == 0)
        rc = finish(r, &err);
    if (!done || rc != SWIM_OK)
        give_up(r);
    last_reports(r, signo || orders.stop ? OTHERS_MS : FINISH_MS);
    if (rc != SWIM_OK && !signo) /* it came while the outputs were finished */
        signo = swim_signals_pending();
    if (rc == SWIM_OK && orders.stop)
        rc = orders.code;
    int status = run_exit_status(rc, signo);
    if (r->link->rank == 0) {
        if (r->seen.error.code != SWIM_OK)
            err = r->seen.error;
        print_result(r, &err, status);
    }
    return status;
}

static int rank_start(struct rank *r, struct fork_shared *shared, uint32_t rank,
                      swim_error_t *err)
{
    int rc = swim_signals_install_command(RANK_GRACE_MS, err);

    if (rc == SWIM_OK) /* a little more, for what rounding to pages takes */
        rc = region_create(r->job->memory_bytes + ((uint64_t)64 << 20),
                           &r->worker.region, err);
    if (rc == SWIM_OK)
        rc = spawner_start(&r->worker, &r->spawner, err);
    if (rc == SWIM_OK)
        rc = shared ? fork_link_open(shared, rank, &r->link, err)
                    : link_mpi_load(&r->link, err);
    return rc;
}

int rank_main(const struct run_options *options, const struct job *job,
              struct fork_shared *shared, uint32_t rank)
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
        .start_ns = swim_clock_mono_ns(),
    };
    swim_error_t err = {0};
    int status;

    swim_log_set_rank((int)rank);
    int rc = rank_start(&r, shared, rank, &err);
    if (rc == SWIM_OK) {
        r.report.rank = r.link->rank;
        status = rank_run(&r);
    } else {
        fprintf(stderr, "h5swim: rank %u: %s\n", rank, err.text);
        status = run_exit_status(rc, swim_signals_pending());
    }
    spawner_stop(&r.spawner, LEAVE_MS, 0);
    setup_destroy(r.setup); /* its inputs are open in the session */
    swim_session_close(r.session);
    region_destroy(r.worker.region);
    if (r.link)
        r.link->ops->close(r.link, OTHERS_MS, status <= 128);
    free(r.reports);
    return status;
}
