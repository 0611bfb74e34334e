/* report.c - the result and the plan of a run, for people and as JSON. */
#include "batch/report.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>

#include "core/json_text.h"
#include "core/text.h"

#define FAILURES_SHOWN 20

static void add_sums(struct run_sums *s, const struct joined_sums *more)
{
    s->bytes_read += more->bytes_read;
    s->bytes_written += more->bytes_written;
    s->bytes_stored += more->bytes_stored;
    s->locks += more->locks;
    s->locks_waited += more->locks_waited;
    s->lock_wait_ns += more->lock_wait_ns;
}

void report_sum_up(const struct run_result *r, struct run_sums *s)
{
    struct joined_sums own = r->coordinator->gone_sums;

    memset(s, 0, sizeof(*s));
    s->blocks = coordinator_done(r->coordinator);
    for (uint32_t i = 0; i < r->coordinator->n_ranks; i++) {
        s->readers += r->ranks[i].report.n_readers;
        coordinator_add_counters(&own, &r->ranks[i].report);
    }
    add_sums(s, &own);
    s->joined = joined_sum_up(r->coordinator, r->ranks);
    add_sums(s, &s->joined);
    if (r->seconds > 0)
        s->gb_per_s = (double)(s->bytes_read + s->bytes_written) / 1e9 / r->seconds;
}

const char *report_status(const struct run_result *r)
{
    if (r->exit_status == 0)
        return r->complete ? "complete already" : "done";
    if (r->exit_status == RUN_FAILED_BLOCKS)
        return "done but for failed blocks";
    return r->exit_status > 128 ? "interrupted" : "failed";
}

int report_json_put(json_t *object, swim_error_t *err)
{
    char *text = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(6));
    int rc = text ? SWIM_OK : SWIM_ERR_NOMEM;

    if (text)
        puts(text);
    else
        swim_error_set(err, rc, "write the JSON object: no memory");
    free(text);
    json_decref(object);
    return rc;
}

static json_t *json_outputs(const struct setup *setup)
{
    json_t *list = json_array();

    for (uint32_t i = 0; setup && i < setup->n_outputs; i++)
        json_array_append_new(
            list, json_pack("{s:o, s:o, s:o}", "port",
                            swim_json_text(setup->kernel->outputs[i].name), "file",
                            swim_json_text(setup->outputs[i].spec.file), "dataset",
                            swim_json_text(setup->outputs[i].spec.dataset)));
    return list;
}

static json_t *json_failures(const struct coordinator *c)
{
    json_t *list = json_array();

    for (uint64_t i = 0; i < c->n_failed; i++)
        json_array_append_new(list, json_pack("{s:I, s:i, s:i, s:o}", "block",
                                              (json_int_t)c->failures[i].block, "phase",
                                              (int)c->failures[i].phase, "tries",
                                              (int)c->failures[i].tries, "error",
                                              swim_json_text(c->failures[i].text)));
    return list;
}

static int result_json(const struct run_result *r, const struct run_sums *s,
                       swim_error_t *err)
{
    json_t *locks = json_pack("{s:I, s:I, s:f}", "acquired", (json_int_t)s->locks,
                              "waited", (json_int_t)s->locks_waited, "wait_ms",
                              (double)s->lock_wait_ns / 1e6);
    json_t *object = json_pack(
        "{s:i, s:o, s:s, s:i, s:i, s:I, s:I, s:f, s:I, s:I, s:I, s:f, s:o, s:o}",
        "version", 1, "job", swim_json_text(r->job->name), "status", report_status(r),
        "exit_status", r->exit_status, "ranks", (int)r->coordinator->n_ranks, "readers",
        (json_int_t)s->readers, "blocks", (json_int_t)s->blocks, "seconds", r->seconds,
        "bytes_read", (json_int_t)s->bytes_read, "bytes_written",
        (json_int_t)s->bytes_written, "bytes_stored", (json_int_t)s->bytes_stored,
        "gb_per_s", s->gb_per_s, "locks", locks, "outputs", json_outputs(r->setup));

    json_object_set_new(object, "blocks_in_all",
                        json_integer((json_int_t)coordinator_total(r->coordinator)));
    json_object_set_new(object, "joined",
                        json_pack("{s:I, s:I, s:I}", "ranks",
                                  (json_int_t)s->joined.ranks, "readers",
                                  (json_int_t)s->joined.readers, "blocks",
                                  (json_int_t)s->joined.blocks));
    json_object_set_new(object, "failed_blocks", json_failures(r->coordinator));
    json_object_set_new(object, "record", swim_json_text(r->record));
    json_object_set_new(object, "error",
                        swim_json_text(r->error.code ? r->error.text : NULL));
    return report_json_put(object, err);
}

static void result_text(const struct run_result *r, const struct run_sums *s)
{
    char in[32], out[32], stored[32];

    if (r->complete) {
        printf("%s: complete already, nothing was to do\n", r->job->name);
        return;
    }
    printf("%s: done in %.2f s\n", r->job->name, r->seconds);
    printf("  ranks      %" PRIu32 ", %" PRIu64 " readers\n", r->coordinator->n_ranks,
           s->readers);
    if (s->joined.ranks)
        printf("  joined     %" PRIu64 " ranks, %" PRIu64 " readers: %" PRIu64
               " blocks\n",
               s->joined.ranks, s->joined.readers, s->joined.blocks);
    printf("  blocks     %" PRIu64 "\n", s->blocks);
    printf("  data       %.3f GB/s: %s read, %s written (%s stored)\n", s->gb_per_s,
           swim_text_bytes(s->bytes_read, in, sizeof(in)),
           swim_text_bytes(s->bytes_written, out, sizeof(out)),
           swim_text_bytes(s->bytes_stored, stored, sizeof(stored)));
    printf("  lock waits %" PRIu64 " of %" PRIu64 " locks, %.1f ms in all\n",
           s->locks_waited, s->locks, (double)s->lock_wait_ns / 1e6);
    for (uint32_t i = 0; i < r->setup->n_outputs; i++)
        printf("  output     %s:%s\n", r->setup->outputs[i].spec.file,
               r->setup->outputs[i].spec.dataset);
    if (r->record)
        printf("  record     %s\n", r->record);
}

/* A line for all, and one for each of the first. */
static void failures_text(const struct run_result *r)
{
    const struct coordinator *c = r->coordinator;

    if (r->exit_status != RUN_FAILED_BLOCKS)
        return;
    fprintf(stderr,
            "h5swim: job %s: %" PRIu64 " of %" PRIu64
            " blocks failed and %s; --resume tries just those again\n",
            r->job->name, c->n_failed, coordinator_total(c),
            r->setup && r->setup->table.most_rows
                ? "the table, which has the rows of all, was not made"
                : "keep fill values");
    for (uint64_t i = 0; i < c->n_failed && i < FAILURES_SHOWN; i++)
        fprintf(stderr, "h5swim: %s, %u tries\n", c->failures[i].text,
                c->failures[i].tries);
    if (c->n_failed > FAILURES_SHOWN)
        fprintf(stderr, "h5swim: and %" PRIu64 " more, which --json lists\n",
                c->n_failed - FAILURES_SHOWN);
}

/* What is left in the buffer is let go, so that nobody tells of it again. */
static int stdout_check(const struct run_result *r)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return r->exit_status;
    fprintf(stderr,
            "h5swim: write the %s of job %s to stdout: %s (is the disk full, or stdout "
            "closed?)%s\n",
            r->options->json ? "JSON object" : "summary", r->job->name,
            errno ? strerror(errno) : "it failed",
            r->exit_status == 0 ? "; the outputs are as they should be" : "");
    __fpurge(stdout);
    clearerr(stdout);
    return r->options->json && r->exit_status == 0 ? run_exit_status(SWIM_ERR_IO, 0)
                                                   : r->exit_status;
}

int report_result(const struct run_result *r)
{
    struct run_sums s;
    swim_error_t err = {0};

    signal(SIGPIPE, SIG_IGN); /* nobody reads: that is told of, too */
    report_sum_up(r, &s);
    if (r->error.code != SWIM_OK)
        fprintf(stderr, "h5swim: %s\n", r->error.text);
    failures_text(r);
    if (r->options->json)
        (void)result_json(r, &s, &err);
    else if (r->exit_status == 0 && !r->options->quiet)
        result_text(r, &s);
    if (err.code != SWIM_OK)
        fprintf(stderr, "h5swim: %s\n", err.text);
    int status = stdout_check(r);
    return status == 0 && err.code != SWIM_OK ? run_exit_status(err.code, 0) : status;
}

static json_t *json_kernels(const struct setup *setup)
{
    json_t *list = json_array();

    for (uint32_t back = setup_number(setup); back-- > 0;)
        json_array_append_new(
            list, swim_json_text(setup_back(setup, back)->kernel->api.name));
    return list;
}

static int plan_json(const struct job *job, const struct setup *setup, uint32_t n_ranks,
                     uint32_t n_readers, uint64_t rank_bytes, swim_error_t *err)
{
    json_t *block = json_array();
    uint64_t blocks = 0;

    for (uint32_t a = 0; a < setup->blocks.ndim; a++)
        json_array_append_new(block, json_integer((json_int_t)setup->blocks.size[a]));
    for (uint32_t p = 0; p < setup->n_phases; p++)
        blocks += setup->phase_blocks[p];
    json_t *object = json_pack(
        "{s:i, s:o, s:s, s:o, s:o, s:I, s:o, s:I, s:I, s:I, s:o}", "version", 1, "job",
        swim_json_text(job->name), "status", "planned", "kernel",
        swim_json_text(setup->kernel->api.name), "kernels", json_kernels(setup),
        "blocks", (json_int_t)blocks, "block", block, "ranks", (json_int_t)n_ranks,
        "readers", (json_int_t)n_ranks * n_readers, "memory_per_rank",
        (json_int_t)rank_bytes, "outputs", json_outputs(setup));
    return report_json_put(object, err);
}

static void plan_inputs_outputs(const struct setup *setup)
{
    char shape[256], chunk[256];

    const struct setup *first = setup_first(setup);
    for (uint32_t i = 0; i < first->n_inputs; i++) {
        const struct setup_input *in = &first->inputs[i];
        swim_text_shape(in->info->shape, in->info->ndim, shape, sizeof(shape));
        swim_text_shape(in->info->chunk, in->info->chunked ? in->info->ndim : 0, chunk,
                        sizeof(chunk));
        printf("  input %-8s %s:%s, %s, %s, %s%s", in->field.port, in->info->file,
               in->info->path, shape, swim_type_name(in->info->stored_type),
               in->info->chunked ? "chunks " : "contiguous",
               in->info->chunked ? chunk : "");
        if (in->info->units_from)
            printf(", in \"%s\" (from \"%s\")", in->info->units, in->info->units_from);
        putchar('\n');
    }
    for (uint32_t i = 0; i < setup->n_outputs; i++) {
        const struct output_spec *spec = &setup->outputs[i].spec;
        char deflate[16] = "", filters[64], packed[80] = "";
        if (spec->packed)
            snprintf(packed, sizeof(packed), " * %g + %g", spec->scale, spec->offset);
        if (spec->deflate)
            snprintf(deflate, sizeof(deflate), " deflate %d", spec->deflate);
        snprintf(filters, sizeof(filters), "%s%s%s", spec->shuffle ? " shuffle" : "",
                 deflate, spec->fletcher32 ? " fletcher32" : "");
        swim_text_shape(spec->shape, spec->ndim, shape, sizeof(shape));
        swim_text_shape(spec->chunk, spec->ndim, chunk, sizeof(chunk));
        printf("  output %-7s %s:%s, %s%s, %s%s, chunks %s (%s), %s (%s), fill %g%s\n",
               setup->kernel->outputs[i].name, spec->file, spec->dataset,
               setup->outputs[i].table ? "up to " : "", shape,
               swim_type_name(spec->type), packed, chunk, setup->outputs[i].chunks_why,
               filters[0] ? filters + 1 : "no filters", setup->outputs[i].filters_why,
               spec->fill,
               !setup->outputs[i].sharded  ? ""
               : setup->outputs[i].by_rank ? ", a shard of each rank"
                                           : ", a shard of each node");
    }
}

/* What a kernel of a chain gives to the next one. */
static void plan_passed_on(const struct setup *setup)
{
    char shape[256], bytes[32];
    uint64_t all = 0;

    swim_text_shape(setup->slice, setup->blocks.ndim, shape, sizeof(shape));
    printf("\n                 gives");
    for (uint32_t i = 0; i < setup->n_outputs; i++) {
        enum swim_type type = setup->outputs[i].type;
        printf("%s %s (%s)", i ? "," : "", setup->kernel->outputs[i].name,
               swim_type_name(type));
        all += setup_chain_elements(setup) * swim_type_size(type);
    }
    printf(" in memory, at most %s at once, %s\n", shape,
           swim_text_bytes(all, bytes, sizeof(bytes)));
}

static void plan_kernels(const struct setup *setup)
{
    bool chain = setup->before || setup->passes_on;
    char number[16] = "";

    if (setup->before)
        plan_kernels(setup->before);
    if (chain)
        snprintf(number, sizeof(number), " %u", setup_number(setup));
    printf("  kernel%-8s %s (%s), %s", number, setup->kernel->api.name,
           kernel_kind_name(setup->kernel->api.kind), setup->kernel->path);
    if (setup->passes_on)
        plan_passed_on(setup);
    else
        putchar('\n');
}

int report_plan(const struct run_options *options, const struct job *job,
                const struct setup *setup, uint32_t n_ranks, uint32_t n_readers,
                uint32_t slots_each, swim_error_t *err)
{
    uint64_t blocks_bytes =
        n_readers * (setup_reader_bytes(setup) + (slots_each - 1) * setup->slot_bytes);
    uint64_t rank_bytes = setup_rank_bytes(setup, n_readers, slots_each);
    char shape[256], have[32], need[32], blocks[32];

    if (options->json)
        return plan_json(job, setup, n_ranks, n_readers, rank_bytes, err);
    swim_text_shape(setup->blocks.size, setup->blocks.ndim, shape, sizeof(shape));
    printf("%s: plan, nothing is written\n", job->name);
    plan_kernels(setup);
    plan_inputs_outputs(setup);
    printf("  blocks         %" PRIu64 " of %s", setup->blocks.n, shape);
    if (setup->table.most_rows)
        printf(", then up to %" PRIu64 " parts of %" PRIu64 " rows",
               setup->phase_blocks[1], setup->table.part_rows);
    else if (setup->n_phases == 2)
        printf(" in %" PRIu64 " segments each, then %" PRIu64 " merged",
               setup->blocks.n_segments, setup->blocks.n_tiles);
    printf("\n  ranks          %" PRIu32 ", each with %" PRIu32
           " readers and a writer\n",
           n_ranks, n_readers);
    printf("  memory         %s per rank, %s of it for blocks (budget %s)\n",
           swim_text_bytes(rank_bytes, need, sizeof(need)),
           swim_text_bytes(blocks_bytes, blocks, sizeof(blocks)),
           swim_text_bytes(job->memory_bytes, have, sizeof(have)));
    return SWIM_OK;
}
