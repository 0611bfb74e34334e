/* reader.c - a reader process: blocks in, kernel, finished chunks out.
 *
 * It opens the inputs at the state that the job reads, takes items of
 * the region and leaves what the kernel made of them in slots of its own, encoded, for
 * the writer. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "batch/compute.h"
#include "batch/worker.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/meter.h"
#include "core/signals.h"

#define POLL_MS 50
#define NAP_MS 1
#define OPEN_MS 2      /* inputs stay open for nothing */
#define EPOCH_MS 20000 /* until a rank 0 that died is there again */

struct reader {
    const struct worker *worker;
    struct region *region;
    struct reader_shared *shared;
    swim_session_t *session;
    struct swim_session_stats last;
    struct setup *setup;
    struct inputs *inputs;
    struct compute *compute;
    struct setup_epoch epoch; /* follow: at whose states the inputs are open, if so */
    bool open;
    struct teller teller;
};

static int reader_open(struct reader *r, swim_error_t *err)
{
    const struct worker *worker = r->worker;

    store_quiet();
    swim_signals_tell(&r->shared->told);
    int rc = swim_signals_install_command(SWIM_SIGNALS_GRACE_MS, err);
    if (rc == SWIM_OK)
        rc = worker_session_open(worker, &r->session, err);
    const struct setup_access access = worker_access(worker, r->session);
    if (rc == SWIM_OK)
        rc = setup_create(worker->job, &access, &r->setup, err);
    if (rc == SWIM_OK && r->setup->digest != r->region->digest)
        rc = swim_error_set(
            err, SWIM_ERR_IO,
            "reader %u of rank %u: kernel or inputs were changed while the "
            "job started",
            worker->index, worker->rank);
    if (rc == SWIM_OK && worker->job->follow)
        setup_close_inputs(r->setup); /* until there is something to read */
    else if (rc == SWIM_OK)
        rc = inputs_create(r->setup, r->region, worker->index, &r->inputs, err);
    if (rc == SWIM_OK)
        rc = region_guard(r->region, worker->index, err);
    if (rc == SWIM_OK)
        rc = compute_create(r->setup, r->inputs, r->region, worker->index, &r->compute,
                            err);
    return rc;
}

static void reader_close(struct reader *r)
{
    compute_destroy(r->compute);
    inputs_destroy(r->inputs);
    setup_destroy(r->setup);
    worker_count_locks(r->worker, r->session, &r->last);
    swim_session_close(r->session);
}

static bool stopped(const struct reader *r)
{
    return atomic_load(&r->region->stop) || swim_signals_pending();
}

/* One of this reader's slots that is free, waiting for the writer if need be. */
static int free_slot(struct reader *r, uint32_t *slot)
{
    uint32_t first = r->worker->index * r->region->slots_each;

    (void)swim_meter_set(SWIM_AT_WAIT);
    while (!stopped(r)) {
        for (uint32_t i = 0; i < r->region->slots_each; i++) {
            unsigned expected = SLOT_FREE;
            *slot = first + i;
            if (atomic_compare_exchange_strong(&region_slot(r->region, *slot)->state,
                                               &expected, SLOT_FILLING))
                return SWIM_OK;
        }
        region_wait_alone(&r->shared->slot_freed, POLL_MS);
    }
    return SWIM_ERR_CANCELLED;
}

/* --- follow: the inputs are open while there is something to be read in them --------
 */

static void epoch_close(struct reader *r)
{
    compute_take_inputs(r->compute, NULL);
    inputs_destroy(r->inputs);
    r->inputs = NULL;
    setup_close_inputs(r->setup);
    r->open = false;
}

/* A state may be gone, as rank 0 is at the next one already, or has died: that one
 * follows. */
static bool epoch_follows(struct reader *r, int rc, int64_t until)
{
    uint64_t was = r->epoch.number;

    if (rc != SWIM_ERR_IO && rc != SWIM_ERR_CORRUPT)
        return false;
    while (!stopped(r) && region_epoch(r->region) == was &&
           swim_clock_mono_ns() < until)
        swim_clock_nap_ns(NAP_MS * 1000000LL);
    return region_epoch(r->region) != was;
}

static int epoch_open(struct reader *r, swim_error_t *err)
{
    int64_t until = swim_clock_mono_ns() + EPOCH_MS * 1000000LL;
    int rc;

    do {
        swim_error_clear(err);
        if (r->open)
            epoch_close(r);
        region_get_epoch(r->region, &r->epoch);
        rc = setup_open_epoch(r->setup, &r->epoch, err);
    } while (rc != SWIM_OK && epoch_follows(r, rc, until));
    if (rc != SWIM_OK)
        return rc;
    r->open = true;
    rc = inputs_create(r->setup, r->region, r->worker->index, &r->inputs, err);
    compute_take_inputs(r->compute, r->inputs);
    return rc;
}

/* How long to wait for an item: not for long while the inputs are open for nothing. */
static int patience_ms(const struct reader *r)
{
    return r->open ? OPEN_MS : POLL_MS;
}

/* What else the writer is to know of the block. */
static int epoch_fill(struct reader *r, struct slot *slot, void *payload,
                      swim_error_t *err)
{
    const struct blocks *b = &r->setup->blocks;
    struct block_range range;

    blocks_range(b, slot->block, &range);
    slot->rows = range.start[0] + range.count[0];
    slot->partial = range.count[0] < b->size[0] && !r->epoch.last;
    return compute_coordinates(r->compute, slot->block, payload, r->setup->record_bytes,
                               &slot->n_bytes, err);
}

/* ------------------------------------------------------------------------------ */

static int next_item(struct reader *r, uint32_t *item)
{
    while (!stopped(r)) {
        if (region_take(r->region, r->worker->index, patience_ms(r), item))
            return SWIM_OK;
        if (r->open)
            epoch_close(r);
        worker_count_locks(r->worker, r->session, &r->last);
    }
    return SWIM_ERR_CANCELLED;
}

/* The kernel has refused the block: the rank decides.  It takes one error at a time. */
static void give_back(struct reader *r, struct item *item, const swim_error_t *why)
{
    while (!stopped(r) && atomic_load(&r->shared->said))
        swim_clock_nap_ns(NAP_MS * 1000000LL);
    r->shared->error = *why;
    atomic_store(&r->shared->said, 1);
    atomic_store(&item->state, item_by(ITEM_FAILED, r->worker->index));
}

static int compute(struct reader *r, struct slot *slot, void *payload,
                   swim_error_t *err)
{
    atomic_store(&r->shared->back, 0);
    atomic_store(&r->shared->busy_ns, swim_clock_mono_ns());
    int rc = compute_block(r->compute, r->setup->phases[slot->phase], slot->block,
                           payload, r->setup->record_bytes, &slot->n_bytes, err);
    atomic_store(&r->shared->busy_ns, 0);
    slot->rows = compute_rows(r->compute);
    return rc;
}

/* follow: a state that rank 0 keeps no more may go while it is read; then again. */
static int compute_epoch(struct reader *r, struct slot *slot, void *payload,
                         swim_error_t *err)
{
    bool again;
    int rc;

    do {
        swim_error_clear(err);
        bool open = r->open && r->epoch.number == region_epoch(r->region);
        rc = open ? SWIM_OK : epoch_open(r, err);
        if (rc == SWIM_OK)
            rc = compute(r, slot, payload, err);
        if (rc == SWIM_OK)
            rc = epoch_fill(r, slot, payload, err);
        again = (rc == SWIM_ERR_IO || rc == SWIM_ERR_CORRUPT) && !stopped(r) &&
                r->epoch.number != region_epoch(r->region);
    } while (again);
    return rc;
}

static int fill_slot(struct reader *r, struct slot *slot, void *payload,
                     swim_error_t *err)
{
    return r->worker->job->follow ? compute_epoch(r, slot, payload, err)
                                  : compute(r, slot, payload, err);
}

/* Of those that are queued, the one that will be taken when the other readers have one
 * each.  Not in a chain, whose first kernel reads other ranges. */
static void expect_block(const struct reader *r, enum setup_phase phase)
{
    struct block_range range;
    uint64_t block;

    if (!r->inputs || r->setup->before || phase == SETUP_MERGE ||
        !inputs_are_raw(r->inputs) ||
        !region_ahead(r->region, r->region->n_readers, &block))
        return;
    blocks_range(&r->setup->blocks, block, &range);
    inputs_expect(r->inputs, &range);
}

/* --- what the record has of a block ------------------------------------------------
 */

/* So far, of all blocks. */
static void times_look(const struct reader *r, struct block_times *times)
{
    const struct swim_meter *meter = &r->shared->meter;

    times->read_ns = swim_meter_spent_ns(meter, SWIM_AT_READ);
    times->decode_ns = swim_meter_spent_ns(meter, SWIM_AT_DECODE);
    times->kernel_ns = swim_meter_spent_ns(meter, SWIM_AT_KERNEL);
    times->encode_ns = swim_meter_spent_ns(meter, SWIM_AT_ENCODE);
    times->bytes_in = r->shared->bytes_in;
    times->bytes_out = r->shared->bytes_out;
}

static void times_begin(const struct reader *r, struct block_times *before)
{
    (void)swim_meter_set(SWIM_AT_READ);
    times_look(r, before);
    before->start_ns = atomic_load(&r->shared->meter.since_ns);
}

/* Since then, of this one. */
static void times_end(const struct reader *r, const struct block_times *before,
                      const struct slot *slot)
{
    struct block_times *times = &r->region->times[slot->item];

    (void)swim_meter_set(SWIM_AT_IDLE);
    times_look(r, times);
    times->process = r->shared->process;
    times->phase = slot->phase;
    times->start_ns = before->start_ns;
    times->end_ns = atomic_load(&r->shared->meter.since_ns);
    times->read_ns -= before->read_ns;
    times->decode_ns -= before->decode_ns;
    times->kernel_ns -= before->kernel_ns;
    times->encode_ns -= before->encode_ns;
    times->bytes_in -= before->bytes_in;
    times->bytes_out -= before->bytes_out;
}

/* ------------------------------------------------------------------------------ */

static int do_block(struct reader *r, uint32_t number, swim_error_t *err)
{
    struct item *item = &r->region->items[number];
    struct block_times before;
    uint32_t at = 0;
    int rc = free_slot(r, &at);

    if (rc != SWIM_OK)
        return rc;
    struct slot *slot = region_slot(r->region, at);
    slot->item = number;
    slot->seq = atomic_load(&item->seq);
    slot->block = item->block;
    slot->phase = atomic_load(&r->region->phase);
    times_begin(r, &before);
    expect_block(r, r->setup->phases[slot->phase]);
    rc = fill_slot(r, slot, region_payload(r->region, at), err);
    times_end(r, &before, slot);
    if (rc != SWIM_OK) {
        atomic_store(&slot->state, SLOT_FREE);
        return rc;
    }
    atomic_store(&slot->state, SLOT_READY);
    sem_post(&r->region->slot_ready);
    return SWIM_OK;
}

static int reader_run(struct reader *r, swim_error_t *err)
{
    int rc = SWIM_OK;

    (void)swim_meter_set(SWIM_AT_IDLE);
    while (rc == SWIM_OK && !stopped(r)) {
        uint32_t item = 0;
        rc = next_item(r, &item);
        if (rc == SWIM_OK)
            rc = do_block(r, item, err);
        if (rc == SWIM_ERR_KERNEL) {
            give_back(r, &r->region->items[item], err);
            swim_error_clear(err);
            rc = SWIM_OK;
        }
    }
    return rc;
}

int reader_main(const struct worker *worker)
{
    struct reader r = {
        .worker = worker,
        .region = worker->region,
        .shared = region_reader(worker->region, worker->index),
    };
    swim_error_t err = {0};

    swim_log_set_rank((int)worker->rank);
    swim_meter_begin(&r.shared->meter, SWIM_AT_READ, swim_clock_mono_ns(), NULL, NULL);
    r.teller =
        (struct teller){.events = &r.region->events, .process = r.shared->process};
    lock_waits_tell(teller_wait, &r.teller);
    int rc = reader_open(&r, &err);
    if (rc == SWIM_OK) {
        atomic_store(&r.shared->opened, 1);
        rc = reader_run(&r, &err);
    }
    if (rc != SWIM_OK && rc != SWIM_ERR_CANCELLED)
        region_fail(worker->region, &err);
    reader_close(&r);
    swim_meter_end();
    if (swim_signals_pending())
        return 128 + swim_signals_pending();
    return rc == SWIM_OK || rc == SWIM_ERR_CANCELLED ? 0 : 1;
}
