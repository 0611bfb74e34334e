/* rank_zero.c - what rank 0 does besides: the outputs, the passes, the result. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "batch/rank.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/meter.h"
#include "core/signals.h"

#define IDLE_PASSES 3 /* that change nothing: something is wrong with the file */

static struct outputs outputs_of(const struct rank *r, int64_t wait_ms)
{
    return (struct outputs){.setup = r->setup,
                            .access = {.session = r->session, .wait_ms = wait_ms},
                            .mark = r->mark,
                            .command = r->options->command,
                            .began_s = r->options->began_s,
                            .overwrite = r->options->overwrite && !r->again,
                            .resume = r->options->resume || r->again,
                            .goes_on = r->options->overwrite && r->again,
                            .n_ranks = r->link->n_ranks,
                            .n_hosts = r->link->n_hosts};
}

void zero_join(struct rank *r)
{
    r->link->ops->observe(r->link, &r->seen, r->ranks);
    r->again = r->seen.run_id != 0;
    r->report.run_id = r->seen.run_id;
}

/* Of this run, which all that it writes is marked with. */
static void choose_run_id(struct rank *r)
{
    if (!r->report.run_id &&
        getrandom(&r->report.run_id, sizeof(r->report.run_id), 0) < 0)
        r->report.run_id = (uint64_t)swim_clock_boot_ns() ^ ((uint64_t)getpid() << 40);
    atomic_store(&r->worker.region->run_id, r->report.run_id);
    region_mark(r->worker.region, r->mark);
}

/* A rank 0 that follows this one has to know that the outputs may be there.  They are
 * not touched where the job was stopped meanwhile, as rank 0 waited for a lock. */
static int tell_run_id(struct rank *r, swim_error_t *err)
{
    struct rank_orders orders;
    bool answered;

    int rc = r->link->ops->exchange(r->link, &r->report, &orders, &answered, err);
    if (rc != SWIM_OK || !orders.stop)
        return rc;
    r->over = true;
    return swim_error_set(err, SWIM_ERR_CANCELLED,
                          "the job was stopped before its outputs were begun");
}

/* --- passes -------------------------------------------------------------------------
 */

/* A tile of which a part was set aside cannot be merged; it is set aside once. */
static void set_aside_tiles(struct rank *r)
{
    r->link->ops->observe(r->link, &r->seen, r->ranks);
    uint64_t n = r->seen.n_failed;

    for (uint64_t i = 0; i < n; i++) {
        const struct block_failure *part = &r->seen.failures[i];
        struct block_failure tile = {.phase = 1, .tries = 0};
        tile.block = part->block / r->setup->blocks.n_segments;
        if (part->phase != 0)
            continue;
        snprintf(tile.text, sizeof(tile.text),
                 "tile %" PRIu64 " was not merged: block %" PRIu64
                 ", a part of it, failed",
                 tile.block, part->block);
        r->link->ops->set_aside(r->link, &tile);
    }
}

static int progress_of(struct rank *r, uint32_t phase, uint64_t *missing,
                       swim_error_t *err)
{
    struct outputs outputs = outputs_of(r, r->worker.wait_ms);
    uint64_t n = r->setup->phase_blocks[phase];

    outputs.access.more = true; /* writers follow, or it is finished or removed */
    memset(r->done, 0, (n + 7) / 8);
    *missing = n;
    if (r->begun == OUTPUTS_CREATED && !r->seen.has_work)
        return SWIM_OK; /* they were made just now */
    int rc = outputs_progress(&outputs, phase, r->done, err);
    for (uint64_t b = 0; rc == SWIM_OK && b < n; b++)
        *missing -= (r->done[b / 8] >> (b % 8)) & 1;
    return rc;
}

int zero_pass(struct rank *r, uint32_t phase, uint64_t *left, swim_error_t *err)
{
    uint64_t missing = 0;
    int rc = progress_of(r, phase, &missing, err);

    if (rc != SWIM_OK)
        return rc;
    if (phase == 1 && r->seen.phase == 0)
        set_aside_tiles(r);
    /* Of a pass in which all who were given blocks are gone nothing was committed. */
    bool idle =
        r->seen.phase == (int32_t)phase && missing == r->missing && r->seen.in_pass > 0;
    r->idle_passes = idle ? r->idle_passes + 1 : 0;
    r->missing = missing;
    *left = r->link->ops->set_pass(r->link, (int32_t)phase, r->done);
    if (*left && r->idle_passes >= IDLE_PASSES)
        return swim_error_set(err, SWIM_ERR_IO,
                              "%" PRIu64
                              " blocks that were committed are not in %s: was "
                              "it changed by another program?",
                              *left, r->setup->outputs[0].spec.file);
    return rc;
}

/* Where the rows of a block would stand that was set aside nobody knows, nor where
 * those after it do: no part of the table is made. */
static bool rows_are_missing(const struct rank *r)
{
    return r->setup->table.most_rows > 0 && r->seen.n_failed > 0;
}

int zero_look(struct rank *r, swim_error_t *err)
{
    uint64_t left = 0;
    int rc = SWIM_OK;

    r->link->ops->observe(r->link, &r->seen, r->ranks);
    uint32_t phase = r->seen.phase < 0 ? 0 : (uint32_t)r->seen.phase;
    for (; rc == SWIM_OK && !left && phase < r->setup->n_phases; phase++)
        if (phase == 0 || !rows_are_missing(r))
            rc = zero_pass(r, phase, &left, err);
    if (rc == SWIM_OK && !left)
        r->link->ops->set_pass(r->link, COORDINATOR_FINISHED, r->done);
    r->link->ops->observe(r->link, &r->seen, r->ranks);
    return rc;
}

/* --- beginning and ending ------------------------------------------------------------
 */

int zero_make_room(struct rank *r, swim_error_t *err)
{
    uint64_t most = 0;

    for (uint32_t p = 0; p < r->setup->n_phases; p++)
        if (r->setup->phase_blocks[p] > most)
            most = r->setup->phase_blocks[p];
    if (most > COORDINATOR_BLOCKS_MOST)
        return swim_error_set(err, SWIM_ERR_ARG,
                              "job %s has %" PRIu64 " blocks, more than %" PRIu64
                              ": give it a larger block",
                              r->job->name, most, COORDINATOR_BLOCKS_MOST);
    unsigned char *done = realloc(r->done, (most + 7) / 8 + 1);
    if (!done)
        return swim_error_set(err, SWIM_ERR_NOMEM, "progress of %" PRIu64 " blocks",
                              most);
    r->done = done;
    return SWIM_OK;
}

static void unfinished_log(void *arg, uint32_t input, const char *text)
{
    (void)arg;
    (void)input;
    swim_log(SWIM_LOG_WARN, "batch", "%s", text);
}

/* The outputs are there, as far as a job before this one has got with them. */
static int begin_outputs(struct rank *r, int64_t wait_ms, swim_error_t *err)
{
    const struct outputs outputs = outputs_of(r, wait_ms);
    const int64_t start_ns = swim_clock_mono_ns();
    const enum swim_activity was = swim_meter_set(SWIM_AT_WRITE);
    int rc = outputs_begin(&outputs, &r->begun, err);

    r->created = rc == SWIM_OK;
    if (rc == SWIM_OK && r->begun != OUTPUTS_COMPLETE)
        setup_find_unfinished(r->setup, unfinished_log, NULL);
    if (rc == SWIM_OK)
        late_clear(r, &outputs, r->begun);
    (void)swim_meter_set(was);
    record_span(r->record, RECORD_BEGIN, start_ns);
    return rc;
}

int zero_begin(struct rank *r, swim_error_t *err)
{
    bool quiet = !run_tells(r->options);
    int64_t wait_ms = r->again ? r->worker.wait_ms : r->options->wait_ms;

    int rc = zero_make_room(r, err);
    if (rc == SWIM_OK)
        rc = job_lock_take(r->setup, r->session, wait_ms, quiet, &r->lock, err);
    choose_run_id(r);
    if (rc == SWIM_OK)
        rc = tell_run_id(r, err);
    if (rc == SWIM_OK)
        rc = begin_outputs(r, wait_ms, err);
    if (rc == SWIM_OK && r->job->follow)
        rc = follow_begin(r, err);
    if (rc == SWIM_OK && !r->seen.has_work)
        rc = r->link->ops->set_work(r->link, r->setup->n_phases, r->setup->phase_blocks,
                                    r->options->fail_fast, err);
    if (rc == SWIM_OK && r->begun == OUTPUTS_COMPLETE)
        r->link->ops->set_pass(r->link, COORDINATOR_FINISHED, r->done);
    else if (rc == SWIM_OK && !r->seen.has_work && r->job->follow)
        r->link->ops->set_pass(r->link, 0, r->done); /* of no blocks */
    else if (rc == SWIM_OK && !r->seen.has_work)
        rc = zero_look(r, err);
    r->link->ops->observe(r->link, &r->seen, r->ranks);
    if (rc == SWIM_OK) /* without it nobody can join, and that is all */
        (void)join_serve_start(r->session, quiet, &r->serve, NULL);
    return rc;
}

int zero_check(struct rank *r, swim_error_t *err)
{
    if (!r->lock || job_lock_check(r->lock, NULL) == SWIM_OK) {
        const struct outputs outputs = outputs_of(r, SWIM_LOCK_TRY);
        const enum swim_activity was = swim_meter_set(SWIM_AT_COMMIT);
        if (r->created && r->begun != OUTPUTS_COMPLETE)
            outputs_checkpoint(&outputs, &r->checkpoint_ns);
        (void)swim_meter_set(was);
        return SWIM_OK;
    }
    return swim_error_set(err, SWIM_ERR_LOST,
                          "job %s: rank 0 was stopped or starved, or the lock server "
                          "away, for longer than the lease: another job may be at the "
                          "output",
                          r->job->name);
}

/* The results are of the states that were opened, if those were there to the end. */
static int finish_outputs(struct rank *r, swim_error_t *err)
{
    const struct outputs outputs = outputs_of(r, r->worker.wait_ms);

    r->link->ops->observe(r->link, &r->seen, r->ranks);
    if (r->begun == OUTPUTS_COMPLETE)
        return SWIM_OK;
    int rc = setup_look_inputs(r->setup, true, err);
    return rc == SWIM_OK && !r->seen.n_failed ? outputs_finish(&outputs, err) : rc;
}

int zero_finish(struct rank *r, swim_error_t *err)
{
    const int64_t start_ns = swim_clock_mono_ns();
    const enum swim_activity was = swim_meter_set(SWIM_AT_COMMIT);
    int rc = finish_outputs(r, err);

    (void)swim_meter_set(was);
    record_span(r->record, RECORD_FINISH, start_ns);
    return rc;
}

/* A signal may have come after the outputs were finished: then nothing is waited for.
 */
void zero_tidy(struct rank *r)
{
    const bool hurry = swim_signals_pending();
    const struct outputs outputs =
        outputs_of(r, hurry ? SWIM_LOCK_TRY : r->worker.wait_ms);
    const enum swim_activity was = swim_meter_set(SWIM_AT_COMMIT);

    if (r->seen.n_failed) {
        zero_give_up(r);
    } else if (r->begun != OUTPUTS_COMPLETE) {
        late_clear(r, &outputs, OUTPUTS_COMPLETE);
        late_copy(r, &outputs);
    }
    (void)swim_meter_set(was);
}

void zero_give_up(struct rank *r)
{
    const struct outputs outputs = outputs_of(r, SWIM_LOCK_TRY);

    if (r->created)
        outputs_settle(&outputs);
}

/* --- the result ------------------------------------------------------------------- */

/* What can be done about it. */
static void add_hint(struct rank *r, swim_error_t *err)
{
    size_t used = strlen(err->text);

    if (r->created && r->begun != OUTPUTS_COMPLETE)
        snprintf(err->text + used, sizeof(err->text) - used,
                 "; %" PRIu64 " of %" PRIu64 " blocks are done, --resume goes on",
                 coordinator_done(&r->seen), coordinator_total(&r->seen));
}

/* An earlier rank 0 of this run may have begun it. */
static double seconds_so_far(const struct rank *r)
{
    const int64_t began_ns =
        r->again && r->seen.began_ns ? r->seen.began_ns : r->start_ns;

    return (double)(swim_clock_mono_ns() - began_ns) / 1e9;
}

int zero_print(struct rank *r, int status)
{
    struct run_result result = {
        .options = r->options,
        .job = r->job,
        .setup = r->setup,
        .coordinator = &r->seen,
        .ranks = r->ranks,
        .exit_status = status,
        .complete = r->begun == OUTPUTS_COMPLETE,
        .seconds = seconds_so_far(r),
    };

    if (r->end.signo)
        swim_error_set(&result.error, SWIM_ERR_CANCELLED, "job %s stopped by SIG%s",
                       r->job->name, sigabbrev_np(r->end.signo));
    else if (!r->end.done)
        result.error = r->end.error;
    if (result.error.code != SWIM_OK)
        add_hint(r, &result.error);
    const bool is_run = r->created && r->begun != OUTPUTS_COMPLETE;
    result.record = record_write(r->record, r, is_run ? &result : NULL);
    return report_result(&result);
}

void zero_end(struct rank *r)
{
    join_serve_stop(r->serve);
    follow_end(r);
    job_lock_release(r->lock);
    free(r->done);
}
