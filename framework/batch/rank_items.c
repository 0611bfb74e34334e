/* rank_items.c - the blocks that a rank was given, and the workers that do them.
 *
 * A block that costs a reader, or that the kernel refuses, is tried again, and then set
 * aside: the rank tells of it, and goes on.  What a writer that dies had not committed
 * is done again. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "batch/inputs.h"
#include "batch/rank.h"
#include "core/clock.h"
#include "core/signals.h"
#include "core/text.h"

#define WANT_MOST 512
#define TRIES 3        /* of a block */
#define UNOPENED 3     /* readers or writers that ended before they had begun */
#define WRITERS_LOST 5 /* without a block being committed */

/* --- blocks ----------------------------------------------------------------------- */

static void item_fill(struct rank *r, struct item *item, uint32_t number)
{
    item->block = r->next++;
    item->tries = 0;
    atomic_store(&item->seq, ++r->seq);
    r->count--;
    region_queue(r->worker.region, number);
}

/* From where it stopped, so that what comes first is taken first. */
static void items_fill(struct rank *r)
{
    struct region *region = r->worker.region;

    for (uint32_t i = 0; r->count && i < REGION_ITEMS; i++) {
        uint32_t number = (r->put + i) % REGION_ITEMS;
        struct item *item = &region->items[number];
        if (atomic_load(&item->state) != ITEM_FREE)
            continue;
        item_fill(r, item, number);
        r->queued++;
        if (!r->count)
            r->put = number + 1;
    }
}

static void set_aside(struct rank *r, const struct item *item, const char *text)
{
    if (r->n_failed == r->room) {
        uint32_t room = r->room ? 2 * r->room : 16;
        void *more = realloc(r->failed, room * sizeof(*r->failed));
        if (!more) {
            swim_error_t err = {0};
            swim_error_set(&err, SWIM_ERR_NOMEM, "%s", text);
            region_fail(r->worker.region, &err);
            return;
        }
        r->failed = more;
        r->room = room;
    }
    struct block_failure *f = &r->failed[r->n_failed++];
    *f = (struct block_failure){
        .block = item->block, .phase = (uint32_t)r->phase, .tries = item->tries};
    swim_text_fit(text, f->text, sizeof(f->text));
}

static void block_failed(struct rank *r, uint32_t number, const char *text)
{
    struct item *item = &r->worker.region->items[number];

    item->tries++;
    if (item->tries < TRIES && !r->options->fail_fast) {
        region_queue(r->worker.region, number);
        return;
    }
    set_aside(r, item, text);
    atomic_store(&item->state, ITEM_FREE);
}

static void take_refused(struct rank *r, uint32_t number, uint32_t reader)
{
    struct reader_shared *shared = region_reader(r->worker.region, reader);

    block_failed(r, number, shared->error.text);
    swim_error_clear(&shared->error);
    atomic_store(&shared->said, 0);
}

static void items_collect(struct rank *r)
{
    struct region *region = r->worker.region;

    r->queued = 0;
    for (uint32_t i = 0; i < REGION_ITEMS; i++) {
        unsigned value = atomic_load(&region->items[i].state);
        switch (item_state_of(value)) {
        case ITEM_DONE:
            r->report.done++;
            r->writers_lost = 0;
            record_block(r->record, i);
            atomic_store(&region->items[i].state, ITEM_FREE);
            break;
        case ITEM_FAILED:
            take_refused(r, i, item_reader_of(value));
            break;
        case ITEM_QUEUED:
            r->queued++;
            break;
        default:
            break;
        }
    }
}

void items_turn(struct rank *r)
{
    items_collect(r);
    items_fill(r);
    record_turn(r->record);
}

/* Twice the readers, more when none of those that were granted last is waiting any
 * more: not while there are none to be had, as other ranks want some as well. */
uint64_t items_wanted(struct rank *r)
{
    if (r->count || r->queued > r->want / 2 || r->phase < 0)
        return 0;
    if (r->queued == 0 && r->granted && r->want < WANT_MOST) {
        r->want *= 2;
        r->granted = false;
    }
    return r->want - r->queued;
}

void items_tell_failures(struct rank *r, uint64_t n_told)
{
    if (r->report.n_failed == n_told && n_told < r->n_failed) {
        r->report.failure = r->failed[n_told];
        r->report.n_failed = n_told + 1;
    }
}

/* --- workers ---------------------------------------------------------------------- */

/* The setup of the kernel that a reader is at, or was when it ended. */
static const struct setup *setup_of_reader(const struct rank *r, uint32_t reader)
{
    return setup_back(r->setup,
                      atomic_load(&region_reader(r->worker.region, reader)->back));
}

static void describe_end(const struct rank *r, const struct worker_event *event,
                         char *text, size_t size)
{
    int status = event->status;

    if (event->role == WORKER_READER && r->timed_out[event->index])
        snprintf(text, size, "was ended, as it was at it for more than %g s",
                 (double)setup_of_reader(r, (uint32_t)event->index)->job->timeout_ms /
                     1000);
    else if (WIFSIGNALED(status))
        snprintf(text, size, "was ended by signal %d (SIG%s)", WTERMSIG(status),
                 sigabbrev_np(WTERMSIG(status)) ? sigabbrev_np(WTERMSIG(status)) : "?");
    else
        snprintf(text, size, "ended with exit status %d", WEXITSTATUS(status));
}

/* A process of ours that was told by a signal to leave: then the whole rank leaves. */
static bool left_by_signal(int status)
{
    int signo = WIFEXITED(status) ? WEXITSTATUS(status) - 128 : 0;

    if (signo != SIGTERM && signo != SIGINT && signo != SIGHUP)
        return false;
    swim_signals_raise(signo);
    return true;
}

/* A kernel that ends its process with the status of a signal is none. */
static bool worker_left_by_signal(struct rank *r, const struct worker_event *event)
{
    if (event->role == WORKER_READER &&
        !atomic_load(&region_reader(r->worker.region, (uint32_t)event->index)->told))
        return false;
    return left_by_signal(event->status);
}

static void describe_block(const struct rank *r, const struct worker_event *event,
                           uint64_t block, char *text, size_t size)
{
    bool merged = r->setup->phases[r->phase] == SETUP_MERGE;
    struct block_range range;
    char end[96], offsets[200] = "";

    describe_end(r, event, end, sizeof(end));
    if (merged)
        blocks_tile_range(&r->setup->blocks, block, &range);
    else
        blocks_range(&r->setup->blocks, block, &range);
    for (uint32_t a = 0; a < r->setup->blocks.ndim; a++) {
        size_t used = strlen(offsets);
        snprintf(offsets + used, sizeof(offsets) - used, "%s%" PRIu64 "+%" PRIu64,
                 a ? ", " : "", range.start[a], range.count[a]);
    }
    snprintf(text, size,
             "kernel %s: reader %d of rank %u %s in block %" PRIu64
             " (offset+count %s)",
             setup_of_reader(r, (uint32_t)event->index)->kernel->api.name, event->index,
             r->link->rank, end, block, offsets);
}

static int worker_useless(struct rank *r, const struct worker_event *event,
                          uint32_t deaths, swim_error_t *err)
{
    char end[96];

    describe_end(r, event, end, sizeof(end));
    return swim_error_set(err, SWIM_ERR_KERNEL,
                          "%s %d of rank %u (job %s) %s, %u times in a row%s",
                          event->role == WORKER_READER ? "reader" : "writer",
                          event->index, r->link->rank, r->job->name, end, deaths,
                          event->role == WORKER_READER
                              ? " before its first block: does open() or plan() of the "
                                "kernel crash?"
                              : "");
}

static void worker_replaced(struct rank *r, const struct worker_event *event)
{
    char end[96];

    describe_end(r, event, end, sizeof(end));
    record_turn(r->record);
    record_replaced(r->record, event, end);
}

static int reader_ended(struct rank *r, const struct worker_event *event,
                        swim_error_t *err)
{
    uint32_t reader = (uint32_t)event->index, item = 0;
    struct reader_shared *shared = region_reader(r->worker.region, reader);
    char text[400];

    inputs_forget(r->setup, r->worker.region, reader);
    items_collect(r); /* what it has refused before */
    if (region_reader_gone(r->worker.region, reader, &item)) {
        describe_block(r, event, r->worker.region->items[item].block, text,
                       sizeof(text));
        block_failed(r, item, text);
    }
    atomic_store(&shared->said, 0);
    r->unopened = atomic_exchange(&shared->opened, 0) ? 0 : r->unopened + 1;
    if (r->unopened >= UNOPENED)
        return worker_useless(r, event, r->unopened, err);
    worker_replaced(r, event);
    r->timed_out[reader] = 0;
    spawner_again(&r->spawner, &r->worker, event);
    return SWIM_OK;
}

static int writer_ended(struct rank *r, const struct worker_event *event,
                        swim_error_t *err)
{
    items_collect(r);
    region_writer_gone(r->worker.region);
    if (++r->writers_lost > WRITERS_LOST)
        return worker_useless(r, event, r->writers_lost, err);
    worker_replaced(r, event);
    spawner_again(&r->spawner, &r->worker, event);
    return SWIM_OK;
}

/* A worker ended although nobody told it to. */
static int worker_ended(struct rank *r, const struct worker_event *event,
                        swim_error_t *err)
{
    /* A spawner that was told to leave has stopped them: it will be heard of next. */
    if (event->status == 0 && atomic_load(&r->worker.region->stop))
        return SWIM_OK;
    if (worker_left_by_signal(r, event))
        return SWIM_OK;
    /* Others need not wait for its lease; a failure costs no more than that. */
    (void)swim_session_reap(r->session, event->pid, NULL);
    if (region_failed(r->worker.region, err) != SWIM_OK)
        return err->code;
    return event->role == WORKER_READER ? reader_ended(r, event, err)
                                        : writer_ended(r, event, err);
}

static void end_late_readers(struct rank *r)
{
    int64_t now = swim_clock_mono_ns();

    for (uint32_t i = 0; i < r->worker.region->n_readers; i++) {
        /* It tells of the time first: then that is not of a kernel before this one. */
        int64_t limit_ms = setup_of_reader(r, i)->job->timeout_ms;
        int64_t since = atomic_load(&region_reader(r->worker.region, i)->busy_ns);
        if (r->timed_out[i] != since)
            r->timed_out[i] = 0; /* it was done just then */
        if (!since || !limit_ms || r->timed_out[i] || now - since < limit_ms * 1000000)
            continue;
        r->timed_out[i] = since;
        spawner_kill(&r->spawner, i, since);
    }
}

int items_look_after_workers(struct rank *r, swim_error_t *err)
{
    struct worker_event event;
    bool gone = false;
    int rc = region_failed(r->worker.region, err);

    while (rc == SWIM_OK && spawner_poll(&r->spawner, &event, &gone))
        rc = worker_ended(r, &event, err);
    if (rc == SWIM_OK && gone && r->spawner.pid > 0) {
        r->spawner_gone = !left_by_signal(spawner_wait(&r->spawner));
        if (r->spawner_gone)
            rc = swim_error_set(err, SWIM_ERR_IO, "the spawner of rank %u is gone",
                                r->link->rank);
    }
    if (rc == SWIM_OK)
        end_late_readers(r);
    return rc;
}
