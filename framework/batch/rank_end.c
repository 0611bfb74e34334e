/* rank_end.c - how a rank ends: why, what becomes of its workers, its last report, and
 * on rank 0 the outputs and the result. */
#include <stdio.h>
#include <string.h>

#include "batch/rank.h"
#include "core/clock.h"
#include "core/signals.h"

#define FINISH_MS 5000 /* for workers, when no signal says that they are in a hurry */
#define NAP_NS 500000

/* --- why ------------------------------------------------------------------------- */

/* Of those errors that ranks have met the coordinator has kept the first. */
static void stopped(struct rank *r, const struct rank_orders *orders,
                    const swim_error_t *own)
{
    struct outcome *end = &r->end;
    int code =
        orders->code == SWIM_OK || r->joining ? SWIM_ERR_CANCELLED : orders->code;

    end->signo = (int)orders->signo;
    if (r->link->rank == 0) {
        r->link->ops->observe(r->link, &r->seen, r->ranks);
        end->error = r->seen.error;
    } else if (own->code == orders->code) {
        end->error = *own;
    }
    swim_error_set(&end->error, code, "the job was stopped%s%s",
                   end->signo ? " by SIG" : "",
                   end->signo ? sigabbrev_np(end->signo) : "");
}

static void decide(struct rank *r, const struct rank_orders *orders,
                   const swim_error_t *own)
{
    if (r->end.unlinked) {
        r->end.error = *own;
        r->end.signo = swim_signals_pending();
    } else if (orders->stop) {
        stopped(r, orders, own);
    } else if (rank_is_over(orders)) {
        r->end.done = true;
    } else { /* it was given up, and is told to go before the others are done */
        r->end.signo = swim_signals_pending();
    }
}

static int exit_status(const struct rank *r)
{
    if (r->end.done)
        return r->seen.n_failed ? RUN_FAILED_BLOCKS : 0;
    return run_exit_status(r->end.error.code, r->end.signo);
}

/* --- last reports ---------------------------------------------------------------- */

/* Rank 0: until the others have said their last, for at most wait_ms. */
static void await_others(struct rank *r, int wait_ms)
{
    int64_t until = swim_clock_mono_ns() + (int64_t)wait_ms * 1000000;
    struct rank_orders orders;
    bool answered, all = r->link->rank != 0;

    while (!all && swim_clock_mono_ns() < until) {
        if (rank_talk(r, &orders, &answered, NULL))
            return;
        r->link->ops->observe(r->link, &r->seen, r->ranks);
        all = !join_serve_remain(r->serve, r->link);
        for (uint32_t i = 1; i < r->link->n_ranks; i++)
            all = all && r->ranks[i].report.leaving;
        if (!all)
            swim_clock_nap_ns(NAP_NS);
    }
}

/* The last report, and on rank 0 the others' last ones, for at most wait_ms. */
static void last_reports(struct rank *r, int wait_ms)
{
    int64_t until = swim_clock_mono_ns() + (int64_t)wait_ms * 1000000;
    struct rank_orders orders = {.left = 0};
    bool answered = false;

    rank_fill_report(r);
    r->report.leaving = 1;
    r->report.want = 0;
    /* A report may be under way still: its answer is not the answer to this one. */
    while (!(answered && orders.left) && swim_clock_mono_ns() < until) {
        if (rank_talk(r, &orders, &answered, NULL))
            return;
        if (answered)
            r->lost = orders.lost;
        else
            swim_clock_nap_ns(NAP_NS);
    }
    await_others(r, wait_ms);
}

/* Those that have joined are told that the job is over, as rank 0 sees it. */
static void end_joined(struct rank *r, const struct rank_orders *orders)
{
    struct rank_orders last = *orders;

    if (r->end.unlinked) {
        last.stop = 1;
        last.code = r->end.error.code;
    }
    join_serve_over(r->serve, r->link, &last);
}

/* --- all of it ------------------------------------------------------------------- */

static void end_workers(struct rank *r)
{
    int signo = swim_signals_pending() ? swim_signals_pending() : r->end.signo;

    region_stop(r->worker.region);
    spawner_stop(&r->spawner, signo ? WORKERS_LEAVE_MS : FINISH_MS, signo);
    items_turn(r); /* what was committed last */
}

/* Until the writer has closed the outputs, or is dead. */
static void await_writer(struct rank *r)
{
    int64_t until = swim_clock_mono_ns() + (int64_t)FINISH_MS * 1000000;
    struct worker_event event = {.role = WORKER_READER};
    bool gone = false;

    while (atomic_load(&r->worker.region->writing) && !gone &&
           event.role != WORKER_WRITER && swim_clock_mono_ns() < until)
        if (!spawner_poll(&r->spawner, &event, &gone))
            swim_clock_nap_ns(NAP_NS);
}

/* Rank 0: all is done.  Its own readers leave meanwhile. */
static void finish(struct rank *r)
{
    struct outcome *end = &r->end;

    region_stop(r->worker.region);
    spawner_quit(&r->spawner);
    await_writer(r);
    await_others(r, FINISH_MS); /* their readers may have open what is to be finished */
    end->done = zero_finish(r, &end->error) == SWIM_OK;
    if (!end->done)
        end->signo = swim_signals_pending();
}

/* It was refused: if it had got as far as to be compared, in what it differs. */
static void tell_difference(struct rank *r, swim_error_t *err)
{
    const struct outputs outputs = {
        .setup = r->setup, .access = {.session = r->session, .wait_ms = SWIM_LOCK_TRY}};
    char text[300];
    size_t used = strlen(err->text);

    if (err->code != SWIM_ERR_ARG || !r->setup || !r->report.ready)
        return;
    bool told = outputs_difference(&outputs, text, sizeof(text)) > 0;
    snprintf(err->text + used, sizeof(err->text) - used, " (%s%s)",
             told ? "here " : "its settings, its kernel or its inputs differ", text);
}

/* How it ended for one that has joined; it may leave, by a signal, a job that goes on.
 */
static int joined_outcome(struct rank *r)
{
    struct join_outcome *o = r->joining;
    int signo = swim_signals_pending();

    o->blocks = r->report.done;
    o->n_readers = r->report.n_readers;
    o->bytes_read = r->report.bytes_read;
    o->bytes_written = r->report.bytes_written;
    o->done = !signo && r->end.done;
    if (o->done || signo)
        return run_exit_status(SWIM_OK, signo);
    o->error = r->end.error;
    tell_difference(r, &o->error);
    return run_exit_status(o->error.code, 0);
}

int rank_end(struct rank *r, const struct rank_orders *orders, const swim_error_t *own)
{
    decide(r, orders, own);
    end_joined(r, orders);
    if (r->link->rank == 0 && r->end.done)
        finish(r);
    end_workers(r);
    if (r->link->rank == 0 && r->end.done)
        zero_tidy(r);
    else if (r->link->rank == 0)
        zero_give_up(r);
    if (r->phase >= 0 || r->end.done) /* rank 0 has begun the outputs */
        record_leave(r->record, atomic_load(&r->worker.region->run_id));
    last_reports(r,
                 r->end.done && !swim_signals_pending() ? FINISH_MS : RANK_OTHERS_MS);
    if (r->joining)
        return joined_outcome(r);
    int status = exit_status(r);
    if (r->link->rank == 0)
        return zero_print(r, status);
    if (r->end.unlinked && !r->end.signo) /* nobody else can say it */
        fprintf(stderr, "h5swim: rank %u: %s\n", r->link->rank, r->end.error.text);
    return status;
}
