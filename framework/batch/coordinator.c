/* coordinator.c - hands out blocks to ranks and decides when a job is done or stops. */
#include "batch/coordinator.h"

#include <stdio.h>
#include <string.h>

#define HANDOUTS_PER_RANK 4 /* at the end of a pass each rank gets about so many */
#define HOPELESS 32         /* blocks set aside before one was done: all will be */

void coordinator_init(struct coordinator *c, uint32_t n_ranks, uint64_t *todo,
                      struct block_failure *failures)
{
    memset(c, 0, sizeof(*c));
    c->n_ranks = n_ranks;
    c->phase = COORDINATOR_WAITING;
    c->todo = todo;
    c->failures = failures;
}

void coordinator_set_work(struct coordinator *c, uint32_t n_phases,
                          const uint64_t *blocks, bool fail_fast)
{
    c->n_phases = n_phases;
    c->fail_fast = fail_fast;
    for (uint32_t p = 0; p < n_phases; p++)
        c->blocks[p] = blocks[p];
}

void coordinator_set_states(struct coordinator *c, const struct source_state *states,
                            uint32_t n_states)
{
    memcpy(c->states, states, n_states * sizeof(*states));
    c->n_states = n_states;
}

static bool is_finished(const struct coordinator *c)
{
    return c->begun && c->phase == COORDINATOR_FINISHED;
}

void coordinator_stop(struct coordinator *c, const swim_error_t *err, uint32_t signo,
                      uint32_t rank)
{
    /* All blocks are done: rank 0 alone has something to do yet. */
    if (!c->stop && (rank == 0 || !is_finished(c))) {
        c->stop = 1;
        c->signo = signo;
        c->error_rank = rank;
        if (err)
            c->error = *err;
    }
}

uint64_t coordinator_done(const struct coordinator *c)
{
    return c->found + c->in_pass;
}

uint64_t coordinator_total(const struct coordinator *c)
{
    uint64_t total = 0;

    for (uint32_t p = 0; p < c->n_phases; p++)
        total += c->blocks[p];
    return total;
}

/* --- passes --------------------------------------------------------------------- */

static bool todo_bit(const struct coordinator *c, uint64_t block)
{
    return (c->todo[block / 64] >> (block % 64)) & 1;
}

static void todo_clear(struct coordinator *c, uint64_t block)
{
    c->todo[block / 64] &= ~((uint64_t)1 << (block % 64));
    c->left--;
}

static void leave_out_failed(struct coordinator *c)
{
    for (uint64_t i = 0; i < c->n_failed; i++) {
        const struct block_failure *f = &c->failures[i];
        if ((int32_t)f->phase == c->phase && todo_bit(c, f->block))
            todo_clear(c, f->block);
    }
}

static uint64_t done_before(const struct coordinator *c, int32_t phase)
{
    uint64_t done = 0;

    for (int32_t p = 0; p < phase && p < (int32_t)c->n_phases; p++)
        done += c->blocks[p];
    for (uint64_t i = 0; i < c->n_failed; i++)
        done -= (int32_t)c->failures[i].phase < phase;
    return done;
}

uint64_t coordinator_set_pass(struct coordinator *c, int32_t phase,
                              const unsigned char *done)
{
    uint64_t n = phase < (int32_t)c->n_phases ? c->blocks[phase] : 0;
    uint64_t words = (n + 63) / 64;

    c->left = 0;
    for (uint64_t w = 0; w < words; w++) {
        uint64_t bits = 0;
        for (uint64_t b = w * 64; b < n && b < w * 64 + 64; b++)
            if (!((done[b / 8] >> (b % 8)) & 1))
                bits |= (uint64_t)1 << (b % 64);
        c->todo[w] = bits;
        c->left += (uint64_t)__builtin_popcountll(bits);
    }
    c->found = n - c->left + done_before(c, phase);
    c->in_pass = 0;
    if (!c->handed_out)
        c->before = c->found;
    c->next = 0;
    c->phase = phase;
    leave_out_failed(c);
    c->has_work = 1;
    c->looking = 0; /* the last one: until then nothing of it is handed out */
    return c->left;
}

void coordinator_mend(struct coordinator *c)
{
    bool counted = c->phase >= 0 && c->phase < (int32_t)c->n_phases;
    uint64_t words = counted ? (c->blocks[c->phase] + 63) / 64 : 0;

    c->left = 0;
    c->next = 0;
    for (uint64_t w = 0; w < words; w++)
        c->left += (uint64_t)__builtin_popcountll(c->todo[w]);
}

/* Whoever did this before may have died in it: bits are counted anew. */
void coordinator_set_epoch(struct coordinator *c, const struct setup_epoch *epoch,
                           uint64_t n_blocks)
{
    uint64_t next = c->next;

    c->epoch = *epoch;
    for (uint64_t b = c->blocks[0]; b < n_blocks; b++) {
        if (b % 64 == 0)
            c->todo[b / 64] = 0;
        c->todo[b / 64] |= (uint64_t)1 << (b % 64);
    }
    if (n_blocks % 64)
        c->todo[n_blocks / 64] &= ((uint64_t)1 << (n_blocks % 64)) - 1;
    c->blocks[0] = n_blocks;
    coordinator_mend(c);
    c->next = next;
}

static void end_pass(struct coordinator *c, const struct coordinator_rank *ranks)
{
    if (!c->has_work || c->looking || c->left || c->phase == COORDINATOR_FINISHED)
        return;
    for (uint32_t r = 0; r < c->n_ranks + c->n_joined; r++)
        if (ranks[r].outstanding)
            return;
    c->looking = 1;
}

/* --- blocks that are set aside ------------------------------------------------------
 */

/* Where a block is, or would be, in failure_at.  What somebody who died has left there
 * beyond n_failed is no failure, or another's by now. */
static uint16_t *failure_place(struct coordinator *c, uint32_t phase, uint64_t block)
{
    uint64_t place = (block * SETUP_PHASES_MAX + phase) * 0x9E3779B97F4A7C15u >> 32;

    for (;; place++) {
        uint16_t *at = &c->failure_at[place % COORDINATOR_FAILURE_PLACES];
        const struct block_failure *f = &c->failures[*at - (*at > 0)];
        if (*at == 0 || *at > c->n_failed || (f->phase == phase && f->block == block))
            return at;
    }
}

static bool set_aside(struct coordinator *c, const struct block_failure *failure)
{
    uint16_t *at = failure_place(c, failure->phase, failure->block);

    if ((*at && *at <= c->n_failed) || c->n_failed >= COORDINATOR_FAILURES_MOST)
        return false;
    c->failures[c->n_failed] = *failure;
    *at = (uint16_t)(c->n_failed + 1);
    c->n_failed++;
    return true;
}

static void too_many_failed(struct coordinator *c, const struct block_failure *last,
                            uint32_t rank)
{
    swim_error_t err = {0};

    swim_error_set(&err, SWIM_ERR_KERNEL,
                   "%llu blocks have failed and %llu are done: the job is stopped; "
                   "the last one: %s",
                   (unsigned long long)c->n_failed,
                   (unsigned long long)coordinator_done(c), last->text);
    coordinator_stop(c, &err, 0, rank);
}

void coordinator_set_aside(struct coordinator *c, const struct block_failure *failure)
{
    if (set_aside(c, failure) && c->n_failed >= COORDINATOR_FAILURES_MOST)
        too_many_failed(c, failure, 0);
}

static void block_failed(struct coordinator *c, const struct rank_report *report)
{
    swim_error_t err = {0};

    if (!set_aside(c, &report->failure))
        return;
    if (c->fail_fast) {
        swim_error_set(&err, SWIM_ERR_KERNEL, "%s", report->failure.text);
        coordinator_stop(c, &err, 0, report->rank);
    } else if (c->n_failed >= COORDINATOR_FAILURES_MOST ||
               (c->n_failed >= HOPELESS && coordinator_done(c) == 0)) {
        too_many_failed(c, &report->failure, report->rank);
    }
}

/* --- reports -------------------------------------------------------------------- */

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

static void take_report(struct coordinator *c, struct coordinator_rank *rank,
                        const struct rank_report *report)
{
    uint64_t done = report->done - rank->report.done;
    bool failed = report->n_failed > rank->report.n_failed;

    rank->report = *report;
    rank->outstanding -= done + (failed ? 1 : 0);
    c->in_pass += done;
    if (failed)
        block_failed(c, report);
    if (report->error.code != SWIM_OK || report->signo)
        coordinator_stop(c, &report->error, report->signo, report->rank);
    check_digest(c, report);
    if (report->rank == 0 && report->run_id)
        c->run_id = report->run_id;
}

void coordinator_note_loss(struct coordinator *c, const struct coordinator_rank *ranks,
                           uint32_t rank, int64_t now_ns, const char *why)
{
    if (c->n_losses < COORDINATOR_LOSSES_MOST) {
        struct rank_loss *loss = &c->losses[c->n_losses];
        loss->rank = rank;
        loss->pid = ranks[rank].report.pid;
        loss->at_ns = now_ns;
        snprintf(loss->why, sizeof(loss->why), "%s", why);
    }
    c->n_losses++;
}

void coordinator_add_counters(struct joined_sums *sums,
                              const struct rank_report *report)
{
    sums->blocks += report->done;
    sums->bytes_read += report->bytes_read;
    sums->bytes_written += report->bytes_written;
    sums->bytes_stored += report->bytes_stored;
    sums->locks += report->locks;
    sums->locks_waited += report->locks_waited;
    sums->lock_wait_ns += report->lock_wait_ns;
}

void coordinator_gone(struct coordinator *c, struct coordinator_rank *ranks,
                      uint32_t rank)
{
    coordinator_add_counters(rank < c->n_ranks ? &c->gone_sums : &c->joined_sums,
                             &ranks[rank].report);
    memset(&ranks[rank], 0, sizeof(ranks[rank]));
    ranks[rank].report.rank = rank;
    c->n_gone++;
    end_pass(c, ranks);
}

void coordinator_give_up(struct coordinator *c, struct coordinator_rank *ranks,
                         uint32_t rank)
{
    coordinator_gone(c, ranks, rank);
    ranks[rank].given_up = 1;
    c->n_lost++;
    ranks[rank].report.leaving = 1;
}

static bool all_ready(const struct coordinator *c, const struct coordinator_rank *ranks)
{
    for (uint32_t r = 0; r < c->n_ranks; r++)
        if (!ranks[r].report.ready)
            return false;
    return true;
}

static bool knows_epoch(const struct coordinator *c, const struct rank_report *report)
{
    return c->epoch.number == 0 ||
           (report->epoch == c->epoch.number && report->n_states == c->epoch.n_states);
}

/* Which states are read; one of those that the rank does not know. */
static void tell_states(const struct coordinator *c, const struct rank_report *report,
                        struct rank_orders *orders)
{
    const struct setup_epoch *e = &c->epoch;
    const struct source_state *states = e->number ? e->states : c->states;
    uint32_t has = report->epoch == e->number ? report->n_states : 0;

    orders->epoch = e->number;
    orders->rows = e->rows;
    orders->last = e->last;
    orders->n_states = e->number ? e->n_states : c->n_states;
    if (has < orders->n_states)
        orders->state = states[has];
}

/* As many as wanted while there is plenty, fewer towards the end; a run of them. */
static void hand_out(struct coordinator *c, struct coordinator_rank *rank,
                     struct rank_orders *orders)
{
    uint64_t n_ranks = (uint64_t)c->n_ranks + c->n_joined;
    uint64_t share = c->left / (n_ranks * HANDOUTS_PER_RANK);
    uint64_t count = rank->report.want;

    if (!rank->report.ready || c->looking || c->left == 0 || count == 0 ||
        !knows_epoch(c, &rank->report))
        return;
    if (share < rank->report.n_readers)
        share = rank->report.n_readers;
    if (count > share)
        count = share;
    while (!todo_bit(c, c->next))
        c->next = c->todo[c->next / 64] >> (c->next % 64) ? c->next + 1
                                                          : (c->next / 64 + 1) * 64;
    orders->first = c->next;
    while (orders->count < count && c->left && c->next < c->blocks[c->phase] &&
           todo_bit(c, c->next)) {
        todo_clear(c, c->next++);
        orders->count++;
    }
    rank->outstanding += orders->count;
    c->handed_out = 1;
}

static void tell_what_goes_on(const struct coordinator *c,
                              struct coordinator_rank *rank,
                              const struct rank_report *report,
                              struct rank_orders *orders)
{
    rank->told_to_stop = c->stop;
    orders->phase = c->begun ? c->phase : COORDINATOR_WAITING;
    orders->stop = c->stop;
    orders->signo = c->signo;
    orders->code = c->error.code;
    orders->left = report->leaving;
    orders->n_failed = report->n_failed;
    orders->lost = c->n_lost;
    orders->given_up = rank->given_up;
}

/* It is heard of again.  Once the job is over it is too late to have all wait for it.
 */
static void take_back(struct coordinator *c, struct coordinator_rank *rank,
                      const struct rank_report *report)
{
    bool is_over = c->stop || is_finished(c);

    if (!rank->is_back && !is_over)
        c->n_lost--;
    rank->is_back = 1;
    rank->report.leaving = report->leaving;
}

void coordinator_handle(struct coordinator *c, struct coordinator_rank *ranks,
                        const struct rank_report *report, struct rank_orders *orders)
{
    struct coordinator_rank *rank = &ranks[report->rank];

    memset(orders, 0, sizeof(*orders));
    if (rank->given_up) {
        take_back(c, rank, report);
        tell_what_goes_on(c, rank, report, orders);
        return;
    }
    take_report(c, rank, report);
    if (!c->begun)
        c->begun = all_ready(c, ranks);
    if (!c->stop && c->begun && c->phase >= 0 && c->phase < (int32_t)c->n_phases)
        hand_out(c, rank, orders);
    end_pass(c, ranks);
    tell_what_goes_on(c, rank, report, orders);
    orders->look = c->looking && !c->stop;
    orders->run_id = c->run_id;
    tell_states(c, report, orders);
}
