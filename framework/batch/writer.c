/* writer.c - a rank's writer process: finished blocks from the slots into the outputs.
 *
 * In a session the outputs are open, and UPDATE of each is held.  Blocks are written as
 * they come, and their slots are free again.  They count as done once they are
 * committed: a block that counts is in the file.  A commit is brought to the disk while
 * others are written.  Opening costs more than that, so a session goes on while blocks
 * come, until others wait for the outputs; where ranks share them it is over as soon as
 * nothing is ready, as the others' slots fill up meanwhile. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "batch/payload.h"
#include "batch/setup.h"
#include "batch/shards.h"
#include "batch/worker.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/meter.h"
#include "core/signals.h"
#include "store/output.h"

#define WRITER_GRACE_MS 400 /* to come to the end of a commit */
#define POLL_MS 50
#define IDLE_MS 5 /* between looks whether anybody is at work */
/* Where ranks share the outputs, a session is worth its opening when so much is
 * finished, or half of the slots are, or the first of it has waited so long; follow:
 * others wait for what is done. */
#define BATCH_BYTES ((uint64_t)16 << 20)
#define GATHER_MS 100
#define GATHER_FOLLOW_MS 5
/* What a writer that dies has not committed is computed again: not more than this, of
 * blocks, bytes and time. */
#define COMMIT_BLOCKS (REGION_ITEMS / 4)
#define COMMIT_BYTES ((uint64_t)256 << 20)
#define COMMIT_MS 200
#define SESSION_MS 250 /* then it is asked whether others wait */

/* Blocks that are written, and not committed; items of the region. */
struct batch {
    uint32_t items[COMMIT_BLOCKS];
    uint32_t n;
    uint64_t bytes;
    int64_t since_ns; /* when the first one was */
};

struct writer {
    const struct worker *worker;
    struct region *region;
    swim_session_t *session;
    struct swim_session_stats last;
    struct setup *setup;
    struct output **open; /* the targets of the phase */
    const struct setup_targets *targets;
    struct batch batch, committing; /* that is written, and on its way to the disk */
    uint32_t n_slots;
    struct teller teller;
    char mark[REGION_MARK_SIZE];
};

static int writer_room(struct writer *w, swim_error_t *err)
{
    size_t n = 1;

    for (uint32_t p = 0; p < w->setup->n_phases; p++)
        n = w->setup->targets[p].n > n ? w->setup->targets[p].n : n;
    w->open = (struct output **)calloc(n, sizeof(*w->open));
    w->n_slots = region_slots(w->region);
    return w->open ? SWIM_OK : swim_error_set(err, SWIM_ERR_NOMEM, "writer");
}

static int writer_open(struct writer *w, swim_error_t *err)
{
    const struct worker *worker = w->worker;

    store_quiet();
    int rc = swim_signals_install_command(WRITER_GRACE_MS, err);
    if (rc == SWIM_OK)
        rc = worker_session_open(worker, &w->session, err);
    const struct setup_access access = worker_access(worker, w->session);
    if (rc == SWIM_OK)
        rc = setup_create(worker->job, &access, &w->setup, err);
    if (rc == SWIM_OK && w->setup->digest != w->region->digest)
        rc =
            swim_error_set(err, SWIM_ERR_IO,
                           "writer of rank %u: kernel or inputs were changed while the "
                           "job started",
                           worker->rank);
    if (rc != SWIM_OK)
        return rc;
    setup_close_inputs(w->setup);
    /* One that has joined is on no host of the job, and has no shard of its own. */
    const struct shards_who who = {w->region->n_hosts ? worker->rank : 0,
                                   w->region->n_ranks, w->region->host,
                                   w->region->n_hosts};
    rc = shards_take(w->setup, &who, err);
    return rc == SWIM_OK ? writer_room(w, err) : rc;
}

static void writer_close(struct writer *w)
{
    free((void *)w->open);
    setup_destroy(w->setup);
    worker_count_locks(w->worker, w->session, &w->last);
    swim_session_close(w->session);
}

static bool stopped(const struct writer *w)
{
    return atomic_load(&w->region->stop) || swim_signals_pending();
}

static uint32_t slots_ready(const struct writer *w)
{
    uint32_t ready = 0;

    for (uint32_t s = 0; s < w->n_slots; s++)
        ready += region_slot_ready(w->region, s);
    return ready;
}

/* --- one session -------------------------------------------------------------- */

static int session_begin(struct writer *w, uint32_t phase, swim_error_t *err)
{
    const struct store_access access = {.session = w->session,
                                        .wait_ms = w->worker->wait_ms};
    int rc = SWIM_OK;

    (void)swim_meter_set(SWIM_AT_WRITE);
    w->targets = &w->setup->targets[phase];
    region_mark(w->region, w->mark);
    setup_targets_mark(w->targets, w->mark);
    for (size_t i = 0; rc == SWIM_OK && i < w->targets->n; i++) {
        const struct setup_target *t = &w->targets->list[i];
        rc = output_open(t->file, t->specs, t->n, &access, &w->open[i], err);
    }
    return rc;
}

/* Close everything; the first error of all that failed.  more: a session follows, of
 * this or another rank, if only that which finishes the outputs. */
static int session_end(struct writer *w, bool more, swim_error_t *err)
{
    int rc = SWIM_OK;

    (void)swim_meter_set(SWIM_AT_COMMIT);
    for (size_t i = 0; i < w->targets->n; i++) {
        int closed = output_close(w->open[i], more, rc == SWIM_OK ? err : NULL);
        rc = rc == SWIM_OK ? closed : rc;
        w->open[i] = NULL;
    }
    return rc;
}

static int write_coordinates(struct writer *w, const struct payload_record *record,
                             uint64_t rows, swim_error_t *err)
{
    uint64_t start = record->coords[0];
    int rc = SWIM_OK;

    for (size_t i = 0; i < w->targets->n; i++)
        for (size_t s = 0; rc == SWIM_OK && s < w->targets->list[i].n; s++)
            rc = output_coordinates(w->open[i], s, start, rows - start, record + 1,
                                    (size_t)record->n_bytes, err);
    return rc;
}

/* follow, filter: the outputs become as long as the block wants them. */
static int write_rows(struct writer *w, uint64_t rows, swim_error_t *err)
{
    int rc = SWIM_OK;

    for (size_t i = 0; i < w->targets->n; i++)
        for (size_t s = 0; rc == SWIM_OK && s < w->targets->list[i].n; s++)
            rc = output_rows(w->open[i], s, rows, err);
    return rc;
}

static int write_record(struct writer *w, const struct payload_record *record,
                        const void *bytes, swim_error_t *err)
{
    static const uint64_t scalar[1] = {0};

    atomic_fetch_add(&w->region->counters.bytes_stored, record->n_bytes);
    w->batch.bytes += record->n_bytes;
    for (size_t i = 0; i < w->targets->n; i++) {
        const struct setup_target *t = &w->targets->list[i];
        for (size_t s = 0; s < t->n; s++) {
            if (t->outputs[s] != record->output)
                continue;
            if (record->n_coords == 0)
                return output_write_slab(w->open[i], s, scalar, scalar, bytes, err);
            return output_write_chunk(w->open[i], s, record->coords, bytes,
                                      (size_t)record->n_bytes, err);
        }
    }
    return swim_error_set(err, SWIM_ERR_CORRUPT, "a slot names output %u",
                          record->output);
}

/* The rows that were found in a block, behind those of others, and where they are. */
static int write_found(struct writer *w, uint64_t block, const char *payload,
                       swim_error_t *err)
{
    const struct payload_record *record = (const void *)payload;
    const uint64_t start[2] = {block, 0}, count[2] = {1, 2};
    uint64_t entry[2] = {0, record->coords[0]};
    int rc = output_append(w->open[0], 0, record->n_bytes, record + 1, &entry[0], err);

    return rc == SWIM_OK ? output_write_slab(w->open[0], 1, start, count, entry, err)
                         : rc;
}

static int write_partial(struct writer *w, uint64_t block, const char *payload,
                         swim_error_t *err)
{
    const uint64_t start[2] = {block, 0}, count[2] = {1, w->setup->acc_bytes};

    if (w->setup->table.most_rows)
        return write_found(w, block, payload, err);
    return output_write_slab(w->open[0], 0, start, count,
                             payload + sizeof(struct payload_record), err);
}

static int write_records(struct writer *w, const struct slot *slot, const char *payload,
                         swim_error_t *err)
{
    int rc = write_rows(w, slot->rows, err);

    for (uint64_t at = 0; rc == SWIM_OK && at < slot->n_bytes;) {
        const struct payload_record *record = (const void *)(payload + at);
        rc = record->output == PAYLOAD_COORDINATES
                 ? write_coordinates(w, record, slot->rows, err)
                 : write_record(w, record, payload_bytes(payload, record), err);
        at = payload_next(at, record);
    }
    return rc;
}

static int write_slot(struct writer *w, uint32_t number, enum setup_phase phase,
                      swim_error_t *err)
{
    const struct slot *slot = region_slot(w->region, number);
    const char *payload = region_payload(w->region, number);

    int rc = phase == SETUP_PARTIAL ? write_partial(w, slot->block, payload, err)
                                    : write_records(w, slot, payload, err);
    for (size_t i = 0; rc == SWIM_OK && !slot->partial && i < w->targets->n; i++)
        rc = output_done(w->open[i], slot->block, err);
    return rc;
}

/* --- batches ------------------------------------------------------------------ */

/* What was committed is done, when its commit is over, or (wait) once it is. */
static int commit_look(struct writer *w, bool wait, swim_error_t *err)
{
    int rc = SWIM_OK;

    if (w->committing.n == 0)
        return SWIM_OK;
    for (size_t i = 0; !wait && i < w->targets->n; i++)
        if (!output_commit_is_over(w->open[i]))
            return SWIM_OK;
    const enum swim_activity was = swim_meter_set(SWIM_AT_COMMIT);
    for (size_t i = 0; rc == SWIM_OK && i < w->targets->n; i++)
        rc = output_commit_end(w->open[i], err);
    const int64_t now = swim_clock_mono_ns();
    for (uint32_t i = 0; rc == SWIM_OK && i < w->committing.n; i++) {
        w->region->times[w->committing.items[i]].committed_ns = now;
        region_item_done(w->region, w->committing.items[i]);
    }
    w->committing.n = 0;
    (void)swim_meter_set(was);
    return rc;
}

static int batch_commit(struct writer *w, swim_error_t *err)
{
    int rc = commit_look(w, true, err);

    const enum swim_activity was = swim_meter_set(SWIM_AT_COMMIT);
    for (size_t i = 0; rc == SWIM_OK && i < w->targets->n; i++)
        rc = output_commit_begin(w->open[i], err);
    (void)swim_meter_set(was);
    w->committing = w->batch;
    w->batch.n = 0;
    w->batch.bytes = 0;
    return rc;
}

static void batch_add(struct writer *w, uint32_t slot)
{
    struct batch *b = &w->batch;
    const int64_t now = swim_clock_mono_ns();

    if (b->n == 0)
        b->since_ns = now;
    w->region->times[region_slot(w->region, slot)->item].written_ns = now;
    b->items[b->n++] = region_slot_written(w->region, slot);
}

/* Is there so much to be committed that it may not become more? */
static bool batch_is_full(const struct writer *w)
{
    int64_t ms = w->worker->job->follow ? GATHER_FOLLOW_MS : COMMIT_MS;
    const struct batch *b = &w->batch;

    return b->n == COMMIT_BLOCKS || b->bytes >= COMMIT_BYTES ||
           (b->n && swim_clock_mono_ns() - b->since_ns >= ms * 1000000LL);
}

/* Write what is ready: *any. */
static int batch_write(struct writer *w, enum setup_phase phase, bool *any,
                       swim_error_t *err)
{
    int rc = SWIM_OK;

    *any = false;
    for (uint32_t s = 0; rc == SWIM_OK && s < w->n_slots && !stopped(w); s++) {
        if (!region_slot_ready(w->region, s))
            continue;
        (void)swim_meter_set(SWIM_AT_WRITE);
        rc = write_slot(w, s, phase, err);
        if (rc != SWIM_OK)
            return rc;
        batch_add(w, s);
        *any = true;
        rc = batch_is_full(w) ? batch_commit(w, err) : commit_look(w, false, err);
    }
    (void)swim_meter_set(SWIM_AT_IDLE);
    return rc;
}

static bool is_shared(const struct writer *w, uint32_t phase)
{
    return w->region->n_ranks > 1 && !w->setup->targets[phase].alone;
}

/* How many slots make a batch that is worth a session.  Of one that goes on for as long
 * as blocks come it is the beginning. */
static uint32_t batch_slots(const struct writer *w)
{
    bool shared = is_shared(w, atomic_load(&w->region->phase));
    uint64_t wanted =
        shared ? BATCH_BYTES / w->region->slot_bytes + 1 : w->region->n_readers;
    uint32_t half = (w->n_slots + 1) / 2;

    return wanted < half ? (uint32_t)wanted : half;
}

/* Give the readers time, while there is something that they are at. */
static void gather(struct writer *w)
{
    int64_t ms = w->worker->job->follow ? GATHER_FOLLOW_MS : GATHER_MS;
    int64_t until = swim_clock_mono_ns() + ms * 1000000LL;
    uint32_t enough = batch_slots(w);

    while (slots_ready(w) < enough && region_at_work(w->region) && !stopped(w) &&
           swim_clock_mono_ns() < until)
        region_wait_alone(&w->region->slot_ready, 1);
}

static bool outputs_are_wanted(const struct writer *w)
{
    for (size_t i = 0; i < w->targets->n; i++)
        if (output_is_wanted(w->open[i]))
            return true;
    return false;
}

/* Nothing is ready: what is written is committed when it is time to, or when nobody is
 * at anything; then *more is false, once nothing has come for a while. */
static int batch_wait(struct writer *w, int64_t idle_ns, bool *more, swim_error_t *err)
{
    int64_t gather_ms = w->worker->job->follow ? GATHER_FOLLOW_MS : GATHER_MS;
    bool at_work = region_at_work(w->region);
    int rc = commit_look(w, false, err);

    if (rc == SWIM_OK && w->batch.n && (!at_work || batch_is_full(w)))
        rc = batch_commit(w, err);
    *more = w->batch.n || w->committing.n ||
            (at_work && swim_clock_mono_ns() - idle_ns < gather_ms * 1000000LL);
    /* Of what is ready a reader tells; of the end of a commit, nobody. */
    bool soon = w->committing.n || w->worker->job->follow;
    if (rc == SWIM_OK && *more)
        region_wait_alone(&w->region->slot_ready, soon ? 1 : IDLE_MS);
    return rc;
}

static int do_batches(struct writer *w, uint32_t number, swim_error_t *err)
{
    bool shared = is_shared(w, number);
    int64_t now = swim_clock_mono_ns(), busy = now, ask = now + SESSION_MS * 1000000LL;
    bool any = true, more = true;
    int rc = SWIM_OK;

    while (rc == SWIM_OK && more && !stopped(w)) {
        rc = batch_write(w, w->setup->phases[number], &any, err);
        now = swim_clock_mono_ns();
        if (any)
            busy = now;
        else if (rc == SWIM_OK && !shared)
            rc = batch_wait(w, busy, &more, err);
        if (rc == SWIM_OK && now >= ask) {
            more = more && !shared && !outputs_are_wanted(w);
            ask = now + SESSION_MS * 1000000LL;
        }
        more = more && (any || !shared) && atomic_load(&w->region->phase) == number;
    }
    if (rc == SWIM_OK && w->batch.n)
        rc = batch_commit(w, err);
    return rc == SWIM_OK ? commit_look(w, true, err) : rc;
}

static int do_session(struct writer *w, swim_error_t *err)
{
    uint32_t number = atomic_load(&w->region->phase);

    atomic_store(&w->region->writing, 1);
    int rc = session_begin(w, number, err);
    if (rc == SWIM_OK)
        rc = do_batches(w, number, err);
    bool more = rc == SWIM_OK && !stopped(w);
    int ended = session_end(w, more, rc == SWIM_OK ? err : NULL);
    atomic_store(&w->region->writing, 0);
    if (rc == SWIM_OK)
        rc = ended;
    (void)swim_meter_set(SWIM_AT_IDLE);
    teller_flush(&w->teller);
    worker_count_locks(w->worker, w->session, &w->last);
    return rc;
}

static int writer_run(struct writer *w, swim_error_t *err)
{
    int rc = SWIM_OK;

    (void)swim_meter_set(SWIM_AT_IDLE);
    while (rc == SWIM_OK && !stopped(w)) {
        if (slots_ready(w) == 0) {
            region_wait_alone(&w->region->slot_ready, POLL_MS);
            continue;
        }
        gather(w);
        rc = do_session(w, err);
    }
    return rc;
}

int writer_main(const struct worker *worker)
{
    struct writer w = {.worker = worker, .region = worker->region};
    swim_error_t err = {0};

    swim_log_set_rank((int)worker->rank);
    w.teller = (struct teller){.events = &w.region->events,
                               .process = w.region->writer_process};
    swim_meter_begin(&w.region->writer_meter, SWIM_AT_READ, swim_clock_mono_ns(),
                     teller_span, &w.teller);
    lock_waits_tell(teller_wait, &w.teller);
    int rc = writer_open(&w, &err);
    if (rc == SWIM_OK)
        rc = writer_run(&w, &err);
    if (rc != SWIM_OK && rc != SWIM_ERR_CANCELLED)
        region_fail(worker->region, &err);
    writer_close(&w);
    swim_meter_end();
    teller_flush(&w.teller);
    if (swim_signals_pending())
        return 128 + swim_signals_pending();
    return rc == SWIM_OK || rc == SWIM_ERR_CANCELLED ? 0 : 1;
}
