/* coordinator.c - hands out blocks to ranks and decides when a job is done or stops. */
#include "batch/coordinator.h"

#include <string.h>

#define HANDOUTS_PER_RANK 4 /* at the end of a phase each rank gets about so many */

void coordinator_init(struct coordinator *c, uint32_t n_ranks)
{
    memset(c, 0, sizeof(*c));
    c->n_ranks = n_ranks;
    c->phase = COORDINATOR_WAITING;
}

void coordinator_set_work(struct coordinator *c, uint32_t n_phases,
                          const uint64_t *blocks)
{
    c->n_phases = n_phases;
    for (uint32_t p = 0; p < n_phases; p++)
        c->blocks[p] = blocks[p];
}

void coordinator_set_states(struct coordinator *c, const struct source_state *states,
                            uint32_t n_states)
{
    memcpy(c->states, states, n_states * sizeof(*states));
    c->n_states = n_states;
}

void coordinator_stop(struct coordinator *c, const swim_error_t *err, uint32_t signo,
                      uint32_t rank)
{
    if (!c->stop) {
        c->stop = 1;
        c->signo = signo;
        c->error_rank = rank;
        if (err)
            c->error = *err;
    }
}

static void check_digest(struct coordinator *c, const struct rank_report *report)
{
    swim_error_t err = {0};

    if (!report->ready)
        return;
    if (!c->has_digest) {
        c->digest = report->digest;
        c->has_digest = 1;
    }
    if (report->digest == c->digest)
        return;
    swim_error_set(&err, SWIM_ERR_IO,
                   "rank %u does not see the same job as the others: its kernel or its "
                   "inputs differ, or were changed while the job started",
                   report->rank);
    coordinator_stop(c, &err, 0, report->rank);
}

/* Move on to the next phase while the present one has nothing left to do. */
static void advance(struct coordinator *c, const struct rank_report *reports)
{
    if (c->phase == COORDINATOR_WAITING) {
        for (uint32_t r = 0; r < c->n_ranks; r++)
            if (!reports[r].ready)
                return;
        c->phase = 0;
        c->next = 0;
    }
    c->total_done = 0;
    for (uint32_t r = 0; r < c->n_ranks; r++)
        for (uint32_t p = 0; p < c->n_phases; p++)
            c->total_done += reports[r].done[p];
    while (c->phase < (int32_t)c->n_phases) {
        uint64_t done = 0;
        for (uint32_t r = 0; r < c->n_ranks; r++)
            done += reports[r].done[c->phase];
        if (done < c->blocks[c->phase])
            return;
        c->phase++;
        c->next = 0;
    }
    c->phase = COORDINATOR_FINISHED;
}

/* As many as wanted while there is plenty, fewer towards the end. */
static void hand_out(struct coordinator *c, const struct rank_report *report,
                     struct rank_orders *orders)
{
    if (c->stop || c->phase < 0 || c->phase >= (int32_t)c->n_phases)
        return;
    uint64_t left = c->blocks[c->phase] - c->next;
    uint64_t share = left / ((uint64_t)c->n_ranks * HANDOUTS_PER_RANK);
    uint64_t count = report->want;

    if (share < report->n_readers)
        share = report->n_readers;
    if (count > share)
        count = share;
    if (count > left)
        count = left;
    orders->first = c->next;
    orders->count = count;
    c->next += count;
}

void coordinator_handle(struct coordinator *c, struct rank_report *reports,
                        const struct rank_report *report, struct rank_orders *orders)
{
    memset(orders, 0, sizeof(*orders));
    reports[report->rank] = *report;
    if (report->error.code != SWIM_OK || report->signo)
        coordinator_stop(c, &report->error, report->signo, report->rank);
    check_digest(c, report);
    if (report->rank == 0)
        c->run_id = report->run_id;
    if (!c->stop)
        advance(c, reports);
    hand_out(c, report, orders);
    orders->phase = c->phase;
    orders->stop = c->stop;
    orders->signo = c->signo;
    orders->code = c->error.code;
    orders->left = report->leaving;
    orders->run_id = c->run_id;
    orders->n_states = c->n_states;
    if (report->n_states < c->n_states)
        orders->state = c->states[report->n_states];
}
