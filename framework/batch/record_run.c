/* record_run.c - of the record: job, environment, plan, totals, what failed. */
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include <hdf5.h>

#include "batch/rank.h"
#include "batch/record_json.h"
#include "lock/lease.h"

/* --- the run ---------------------------------------------------------------------- */

/* "2026-11-27T08:00:00.123Z" */
static void put_began(const struct json_record *w)
{
    const int64_t ns = w->began_ns + w->record->clock_ns;
    const time_t seconds = (time_t)(ns / 1000000000);
    char text[40] = "", all[64];
    struct tm when;

    if (gmtime_r(&seconds, &when))
        strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &when);
    snprintf(all, sizeof(all), "%s.%03dZ", text, (int)(ns / 1000000 % 1000));
    json_out_text_of(w->j, "began", all);
}

static void put_outcome(const struct json_record *w)
{
    const struct record_process *own = record_at(w->record, RECORD_PROCESSES, 0);
    const struct run_result *result = w->result;
    char id[24];

    snprintf(id, sizeof(id), "%016llx", (unsigned long long)w->rank->report.run_id);
    json_out_number_of(w->j, "version", 1);
    json_out_text_of(w->j, "h5swim", SWIM_VERSION);
    json_out_text_of(w->j, "command", result->options->command);
    json_out_text_of(w->j, "run_id", id);
    put_began(w);
    json_out_real_of(w->j, "seconds", (double)(own->ended_ns - w->began_ns) / 1e9);
    json_out_text_of(w->j, "status", report_status(result));
    json_out_number_of(w->j, "exit_status", result->exit_status);
    json_out_text_of(w->j, "error", result->error.code ? result->error.text : NULL);
}

static void put_job(const struct json_record *w)
{
    const struct run_options *options = w->result->options;
    const struct job *job = w->result->job;
    char *file = options->job ? NULL : realpath(job->path, NULL);

    json_out_key(w->j, "job");
    json_out_open(w->j, '{');
    json_out_text_of(w->j, "name", job->name);
    json_out_text_of(w->j, "file", file);
    json_out_text_of(w->j, "text", w->record->job_text);
    json_out_key(w->j, "sets");
    json_out_open(w->j, '[');
    for (size_t i = 0; i < options->n_sets; i++)
        json_out_text(w->j, options->sets[i]);
    json_out_close(w->j, ']');
    json_out_close(w->j, '}');
    free(file);
}

static void put_kernels(const struct json_record *w)
{
    const struct setup *setup = w->result->setup;

    json_out_key(w->j, "kernels");
    json_out_open(w->j, '[');
    for (uint32_t back = setup_number(setup); back-- > 0;) {
        const struct kernel_host *kernel = setup_back(setup, back)->kernel;
        json_out_open(w->j, '{');
        json_out_text_of(w->j, "name", kernel->api.name);
        json_out_text_of(w->j, "kind", kernel_kind_name(kernel->api.kind));
        json_out_text_of(w->j, "path", kernel->path);
        json_out_text_of(w->j, "summary", kernel->api.summary);
        json_out_close(w->j, '}');
    }
    json_out_close(w->j, ']');
}

static void put_environment(const struct json_record *w)
{
    const long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    unsigned major = 0, minor = 0, release = 0;
    struct utsname system = {0};
    char text[2 * sizeof(system.sysname) + 2], hdf5[48];

    uname(&system);
    snprintf(text, sizeof(text), "%s %s", system.sysname, system.release);
    H5get_libversion(&major, &minor, &release);
    snprintf(hdf5, sizeof(hdf5), "%u.%u.%u", major, minor, release);
    json_out_key(w->j, "environment");
    json_out_open(w->j, '{');
    json_out_text_of(w->j, "host", w->record->host);
    json_out_text_of(w->j, "system", text);
    json_out_number_of(w->j, "processors", run_processors());
    json_out_number_of(w->j, "memory_bytes", (int64_t)pages * page);
    json_out_text_of(w->j, "launcher", w->rank->launcher);
    json_out_text_of(w->j, "slurm_job", getenv("SLURM_JOB_ID"));
    json_out_text_of(w->j, "hdf5", hdf5);
    json_out_text_of(w->j, "mpi", w->rank->link->library);
    json_out_text_of(w->j, "lock_server", lock_server_shown(w->rank->session));
    json_out_close(w->j, '}');
}

static void put_plan(const struct json_record *w)
{
    const struct setup *setup = w->result->setup;
    const struct region *region = w->record->region;

    json_out_key(w->j, "plan");
    json_out_open(w->j, '{');
    json_out_numbers_of(w->j, "extent", setup->blocks.extent, setup->blocks.ndim);
    json_out_numbers_of(w->j, "block", setup->blocks.size, setup->blocks.ndim);
    json_out_number_of(w->j, "blocks",
                       (int64_t)coordinator_total(w->result->coordinator));
    json_out_number_of(
        w->j, "memory_per_rank",
        (int64_t)setup_rank_bytes(setup, region->n_readers, region->slots_each));
    json_out_close(w->j, '}');
}

/* --- inputs and outputs ----------------------------------------------------------- */

static void put_where(const struct json_record *w, const char *port, const char *file,
                      const char *dataset)
{
    char *real = realpath(file, NULL);

    json_out_text_of(w->j, "port", port);
    json_out_text_of(w->j, "file", real ? real : file);
    json_out_text_of(w->j, "dataset", dataset);
    free(real);
}

static void put_form(const struct json_record *w, enum swim_type type, uint32_t ndim,
                     const uint64_t *shape, const uint64_t *chunks)
{
    json_out_numbers_of(w->j, "shape", shape, ndim);
    json_out_text_of(w->j, "type", swim_type_name(type));
    if (chunks) {
        json_out_numbers_of(w->j, "chunks", chunks, ndim);
        return;
    }
    json_out_key(w->j, "chunks");
    json_out_null(w->j);
}

static void put_filters(const struct json_record *w, bool shuffle, int deflate,
                        bool fletcher32, bool others)
{
    char level[20] = "", text[80];

    if (deflate)
        snprintf(level, sizeof(level), " deflate %d", deflate);
    snprintf(text, sizeof(text), "%s%s%s%s", shuffle ? " shuffle" : "", level,
             fletcher32 ? " fletcher32" : "", others ? " others" : "");
    json_out_text_of(w->j, "filters", text[0] ? text + 1 : "none");
}

static void put_inputs(const struct json_record *w)
{
    const struct setup *first = setup_first(w->result->setup);

    json_out_key(w->j, "inputs");
    json_out_open(w->j, '[');
    for (uint32_t i = 0; i < first->n_inputs; i++) {
        const struct dataset_info *info = first->inputs[i].info;
        json_out_open(w->j, '{');
        put_where(w, first->inputs[i].field.port, info->file, info->path);
        put_form(w, info->stored_type, info->ndim, info->shape,
                 info->chunked ? info->chunk : NULL);
        put_filters(w, info->shuffle, info->deflate, info->fletcher32,
                    info->other_filters);
        json_out_close(w->j, '}');
    }
    json_out_close(w->j, ']');
}

static void put_outputs(const struct json_record *w)
{
    const struct setup *setup = w->result->setup;

    json_out_key(w->j, "outputs");
    json_out_open(w->j, '[');
    for (uint32_t i = 0; i < setup->n_outputs; i++) {
        const struct output_spec *spec = &setup->outputs[i].spec;
        json_out_open(w->j, '{');
        put_where(w, setup->kernel->outputs[i].name, spec->file, spec->dataset);
        put_form(w, spec->type, spec->ndim, spec->shape,
                 spec->ndim ? spec->chunk : NULL);
        put_filters(w, spec->shuffle, spec->deflate, spec->fletcher32, false);
        json_out_close(w->j, '}');
    }
    json_out_close(w->j, ']');
}

/* --- totals ----------------------------------------------------------------------- */

static uint64_t blocks_done(const struct rank *r)
{
    const uint64_t done = coordinator_done(&r->seen);

    return done > r->seen.before ? done - r->seen.before : 0;
}

uint64_t record_json_dropped(const struct record *record, const struct rank *r)
{
    const uint64_t listed = record->lists[RECORD_BLOCKS].n + record->dropped;
    const uint64_t done = blocks_done(r), lost = r->seen.n_losses;

    return record->dropped + (done > listed ? done - listed : 0) +
           (lost > COORDINATOR_LOSSES_MOST ? lost - COORDINATOR_LOSSES_MOST : 0);
}

static void put_totals(const struct json_record *w)
{
    struct run_sums sums;

    report_sum_up(w->result, &sums);
    json_out_key(w->j, "totals");
    json_out_open(w->j, '{');
    json_out_number_of(w->j, "blocks", (int64_t)blocks_done(w->rank));
    json_out_number_of(w->j, "failed", (int64_t)w->result->coordinator->n_failed);
    json_out_number_of(w->j, "bytes_read", (int64_t)sums.bytes_read);
    json_out_number_of(w->j, "bytes_written", (int64_t)sums.bytes_written);
    json_out_number_of(w->j, "bytes_stored", (int64_t)sums.bytes_stored);
    json_out_real_of(w->j, "gb_per_s", sums.gb_per_s);
    json_out_number_of(w->j, "locks", (int64_t)sums.locks);
    json_out_number_of(w->j, "locks_waited", (int64_t)sums.locks_waited);
    json_out_real_of(w->j, "lock_wait_s", (double)sums.lock_wait_ns / 1e9);
    json_out_close(w->j, '}');
}

void record_json_run(const struct json_record *w)
{
    put_outcome(w);
    put_job(w);
    put_kernels(w);
    put_environment(w);
    put_plan(w);
    put_inputs(w);
    put_outputs(w);
    put_totals(w);
}

/* --- blocks that failed ------------------------------------------------------------
 */

/* Where it is in the inputs; a part of a filter's table: which rows of that. */
static uint32_t range_of(const struct setup *setup, const struct block_failure *failure,
                         struct block_range *range)
{
    if (setup->phases[failure->phase] != SETUP_MERGE) {
        blocks_range(&setup->blocks, failure->block, range);
    } else if (!setup->table.most_rows) {
        blocks_tile_range(&setup->blocks, failure->block, range);
    } else {
        range->start[0] = failure->block * setup->table.part_rows;
        range->count[0] = setup->table.part_rows;
        return 1;
    }
    return setup->blocks.ndim;
}

void record_json_failures(const struct json_record *w)
{
    const struct coordinator *c = w->result->coordinator;

    json_out_key(w->j, "failed_blocks");
    json_out_open(w->j, '[');
    for (uint64_t i = 0; i < c->n_failed; i++) {
        struct block_range range;
        const uint32_t ndim = range_of(w->result->setup, &c->failures[i], &range);
        json_out_open(w->j, '{');
        json_out_number_of(w->j, "block", (int64_t)c->failures[i].block);
        json_out_number_of(w->j, "phase", c->failures[i].phase);
        json_out_number_of(w->j, "tries", c->failures[i].tries);
        json_out_text_of(w->j, "error", c->failures[i].text);
        json_out_numbers_of(w->j, "start", range.start, ndim);
        json_out_numbers_of(w->j, "count", range.count, ndim);
        json_out_close(w->j, '}');
    }
    json_out_close(w->j, ']');
}
