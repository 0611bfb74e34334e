/* setup_outputs.c - what the outputs of a job will be: shape, type, chunks, fill. */
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "batch/setup.h"
#include "lock/resource.h"
#include "store/types.h"

#define CHUNK_BYTES_WANTED (1U << 20)
#define ROWS_MOST ((uint64_t)1 << 60)

/* How many parts of so much there are in n. */
static uint64_t parts_of(uint64_t n, uint64_t part)
{
    return n / part + (n % part != 0);
}

static bool type_holds(enum swim_type type, double value)
{
    static const double low[] = {
        [SWIM_TYPE_I8] = -128,
        [SWIM_TYPE_I16] = -32768,
        [SWIM_TYPE_I32] = -2147483648.0,
        [SWIM_TYPE_I64] = -9223372036854775808.0,
        [SWIM_TYPE_U64] = 0,
    };
    static const double high[] = {
        [SWIM_TYPE_I8] = 127,
        [SWIM_TYPE_U8] = 255,
        [SWIM_TYPE_I16] = 32767,
        [SWIM_TYPE_U16] = 65535,
        [SWIM_TYPE_I32] = 2147483647,
        [SWIM_TYPE_U32] = 4294967295.0,
        [SWIM_TYPE_I64] = 9223372036854774784.0,
        [SWIM_TYPE_U64] = 18446744073709549568.0,
    };

    if (type >= SWIM_TYPE_F32)
        return true;
    return value == floor(value) && value >= low[type] && value <= high[type];
}

const struct job_output *setup_output_of(const struct job *job, const char *port)
{
    for (size_t i = 0; i < job->n_outputs; i++)
        if (strcmp(job->outputs[i].port, port) == 0)
            return &job->outputs[i];
    return NULL;
}

static bool is_window_axis(const struct setup *setup, int64_t axis)
{
    return setup->window.step && axis == setup->window.axis;
}

/* The rows of a filter, and new axes. */
static int check_table(const struct setup *setup, const struct swim_output *planned,
                       swim_error_t *err)
{
    for (uint32_t d = 0; d < planned->ndim; d++)
        if (planned->from_axis[d] >= 0 || (d > 0 && planned->shape[d] == 0))
            return swim_error_set(err, SWIM_ERR_KERNEL,
                                  "kernel %s plans axis %u of a table of rows as input "
                                  "axis %d, of length %" PRIu64,
                                  setup->kernel->api.name, d, planned->from_axis[d],
                                  planned->shape[d]);
    if (planned->ndim == 0)
        return swim_error_set(err, SWIM_ERR_KERNEL,
                              "kernel %s plans a table without an axis for its rows",
                              setup->kernel->api.name);
    return SWIM_OK;
}

/* A kernel's plan() is foreign code: check it before it is used as sizes. */
int setup_check_planned(const struct setup *setup, const struct swim_output *planned,
                        swim_error_t *err)
{
    const struct dataset_info *first = setup->inputs[0].info;
    const char *name = setup->kernel->api.name;
    uint8_t used[SWIM_NDIM_MAX] = {0};

    if (planned->ndim > SWIM_NDIM_MAX || planned->type == SWIM_TYPE_ANY ||
        planned->type > SWIM_TYPE_LDOUBLE)
        return swim_error_set(err, SWIM_ERR_KERNEL,
                              "kernel %s plans an output of %u dimensions, type %d",
                              name, planned->ndim, (int)planned->type);
    for (uint32_t a = 0; a < first->ndim; a++)
        if ((setup->plan.reduced[a] && setup->kernel->api.kind != SWIM_KERNEL_REDUCE) ||
            (unsigned)setup->plan.edge[a] >
                (is_window_axis(setup, a) ? SWIM_EDGE_NONE : SWIM_EDGE_CONSTANT))
            return swim_error_set(err, SWIM_ERR_KERNEL,
                                  "kernel %s plans axis %u as its kind (%s) cannot: "
                                  "reduced %d, edge mode %d",
                                  name, a, kernel_kind_name(setup->kernel->api.kind),
                                  setup->plan.reduced[a], (int)setup->plan.edge[a]);
    if (setup->kernel->api.kind == SWIM_KERNEL_FILTER)
        return check_table(setup, planned, err);
    for (uint32_t d = 0; d < planned->ndim; d++) {
        int32_t a = planned->from_axis[d];
        bool coarse = a >= 0 && planned->ratio[d] > 1;
        if (a >= (int32_t)first->ndim || (a < 0 && planned->shape[d] == 0) ||
            (a >= 0 && (used[a]++ || setup->plan.reduced[a])) ||
            (coarse && setup->kernel->api.kind != SWIM_KERNEL_MAP))
            return swim_error_set(
                err, SWIM_ERR_KERNEL,
                "kernel %s plans output axis %u from input axis %d of %u", name, d,
                (int)a, first->ndim);
    }
    for (uint32_t a = 0; a < first->ndim; a++)
        if (!used[a] && !setup->plan.reduced[a])
            return swim_error_set(
                err, SWIM_ERR_KERNEL,
                "kernel %s plans an output without input axis %u, which "
                "is not reduced",
                name, a);
    return SWIM_OK;
}

/* Rows of a chunk of a table, the same for all outputs, as parts are whole chunks of
 * each: a power of two, of which the widest has about 1 MiB. */
static uint64_t table_chunk(const struct setup *setup)
{
    uint64_t rows = 1, widest = 1, most = setup->table.most_rows;

    for (uint32_t i = 0; i < setup->n_outputs; i++) {
        const struct swim_output *out = &setup->outputs[i].planned;
        uint64_t bytes = swim_type_size(out->type);
        for (uint32_t d = 1; d < out->ndim && d < SWIM_NDIM_MAX; d++)
            if (__builtin_mul_overflow(bytes, out->shape[d], &bytes))
                bytes = CHUNK_BYTES_WANTED;
        widest = bytes > widest ? bytes : widest;
    }
    while (2 * rows <= most && rows <= CHUNK_BYTES_WANTED / 2 / widest)
        rows *= 2;
    return rows;
}

/* Like the first input's chunks where the axes are the same, else about 1 MiB. */
static void choose_chunks(const struct setup *setup, const struct swim_output *planned,
                          struct output_spec *spec, const char **why)
{
    const struct dataset_info *first = setup->inputs[0].info;
    uint64_t bytes = swim_type_size(spec->type);

    *why = first->chunked ? "as the first input" : "about 1 MiB";
    for (uint32_t d = 0; d < spec->ndim; d++) {
        spec->chunk[d] = 1;
        if (planned->from_axis[d] >= 0 && first->chunked) {
            spec->chunk[d] = parts_of(first->chunk[planned->from_axis[d]],
                                      setup_output_ratio(planned, d));
            if (spec->chunk[d] > spec->shape[d])
                spec->chunk[d] = spec->shape[d];
        }
        bytes *= spec->chunk[d];
    }
    for (uint32_t i = 0; i < spec->ndim; i++) {
        uint32_t d = spec->ndim - 1 - i;
        if (planned->from_axis[d] >= 0 && first->chunked)
            continue;
        if (first->chunked)
            *why = "as the first input along its axes";
        uint64_t room =
            bytes && bytes < CHUNK_BYTES_WANTED ? CHUNK_BYTES_WANTED / bytes : 1;
        spec->chunk[d] = spec->shape[d] < room ? spec->shape[d] : room;
        bytes *= spec->chunk[d];
    }
    if (spec->bare)
        spec->chunk[0] = table_chunk(setup);
    if (setup->window.step)
        setup_window_chunks(setup, planned, spec);
}

/* Fast ones where the first input has any, none where it has none. */
static void choose_filters(const struct dataset_info *first,
                           const struct job_output *given, struct setup_output *out)
{
    bool filtered =
        first->shuffle || first->deflate || first->fletcher32 || first->other_filters;

    out->filters_why = "as given";
    if (given->filters_set)
        return;
    out->spec.shuffle = filtered;
    out->spec.deflate = filtered ? 1 : 0;
    out->filters_why = filtered ? "as the first input has some" : "as the first input";
}

static int take_chunks(const struct job_output *given, struct output_spec *spec,
                       swim_error_t *err)
{
    if (given->n_chunks != spec->ndim)
        return swim_error_set(
            err, SWIM_ERR_ARG,
            "%s: chunks has %u sizes, the output \"%s\" has %u dimensions",
            given->place.text, given->n_chunks, given->port, spec->ndim);
    for (uint32_t d = 0; d < spec->ndim; d++)
        spec->chunk[d] =
            given->chunks[d] < spec->shape[d] ? given->chunks[d] : spec->shape[d];
    return SWIM_OK;
}

static int check_chunk_bytes(const struct job_output *given,
                             const struct output_spec *spec, swim_error_t *err)
{
    uint64_t bytes = swim_type_size(spec->type);

    for (uint32_t d = 0; d < spec->ndim; d++)
        if (__builtin_mul_overflow(bytes, spec->chunk[d], &bytes))
            bytes = UINT64_MAX;
    if (bytes < ((uint64_t)1 << 32)) /* HDF5 stores chunk sizes in 32 bits */
        return SWIM_OK;
    return swim_error_set(err, SWIM_ERR_ARG,
                          "%s: a chunk of output \"%s\" would have %" PRIu64
                          " bytes, HDF5 allows less than 4 GiB: give smaller chunks",
                          given->place.text, given->port, bytes);
}

/* Integers that a kernel declares are numbers of its own, as counts are: any of them
 * may be what means missing there. */
double setup_fill_of(const struct dataset_info *first, const struct swim_port *port,
                     enum swim_type type)
{
    bool own = port->type != SWIM_TYPE_ANY && port->type < SWIM_TYPE_F32;
    bool goes_on = first->has_missing && !first->implied && !first->packed && !own;

    return goes_on && type_holds(type, first->missing) ? first->missing
                                                       : swim_type_default_fill(type);
}

static int choose_fill(const struct setup *setup, const struct swim_port *port,
                       const struct job_output *given, struct output_spec *spec,
                       swim_error_t *err)
{
    const struct dataset_info *first = setup->inputs[0].info;

    if (given->has_fill && !type_holds(spec->type, given->fill))
        return swim_error_set(
            err, SWIM_ERR_ARG,
            "%s: fill %g of output \"%s\" is not a value of its type %s",
            given->place.text, given->fill, given->port, swim_type_name(spec->type));
    if (given->has_fill)
        spec->fill = given->fill;
    else if (!given->fill_default && !spec->packed &&
             !spec->bare) /* these have other numbers than the input */
        spec->fill = setup_fill_of(first, port, spec->type);
    else
        spec->fill = swim_type_default_fill(spec->type);
    return SWIM_OK;
}

int setup_check_directory(const char *file, swim_error_t *err)
{
    char dir[PATH_MAX];
    const char *slash = strrchr(file, '/');
    struct stat st;

    snprintf(dir, sizeof(dir), "%.*s", slash ? (int)(slash - file) + 1 : 1,
             slash ? file : ".");
    if (stat(dir, &st) != 0 || !S_ISDIR(st.st_mode))
        return swim_error_set(
            err, SWIM_ERR_ARG,
            "output %s: there is no directory %s: make it, or give the "
            "output another file",
            file, dir);
    return SWIM_OK;
}

/* Raw numbers go on as they are; what else they could become would need the attributes
 * that they have no more. */
static int keep_raw(const struct setup *setup, const struct job_output *given,
                    struct setup_output *out, swim_error_t *err)
{
    enum swim_type stored = setup->inputs[0].info->stored_type;

    if (out->type != stored)
        return SWIM_OK;
    out->spec.verbatim = true;
    out->spec.opaque = setup->inputs[0].info->opaque;
    if (out->spec.opaque && given->sharded)
        return swim_error_set(err, SWIM_ERR_ARG,
                              "%s: output \"%s\" has elements that are no numbers, "
                              "which cannot be sharded: leave out \"layout\"",
                              given->place.text, given->port);
    if (!given->has_fill && !given->packed && out->spec.type == stored)
        return SWIM_OK;
    return swim_error_set(err, SWIM_ERR_ARG,
                          "%s: output \"%s\" has the numbers of the raw input %s as "
                          "they are stored, with their type (%s) and fill value: leave "
                          "out \"%s\"",
                          given->place.text, given->port, setup->inputs[0].field.port,
                          swim_type_name(stored),
                          given->has_fill ? "fill"
                          : given->packed ? "pack"
                                          : "type");
}

/* A kernel's new axes are foreign, too. */
static int check_coordinates(const struct setup *setup, const struct output_spec *spec,
                             swim_error_t *err)
{
    for (uint32_t d = 0; d < spec->ndim; d++)
        if (spec->axes[d] && spec->axes[d]->length != spec->shape[d] &&
            !(d == 0 && setup->table.most_rows)) /* rows have none */
            return swim_error_set(err, SWIM_ERR_KERNEL,
                                  "kernel %s plans output axis %u of %" PRIu64
                                  " elements with %" PRIu64 " coordinates",
                                  setup->kernel->api.name, d, spec->shape[d],
                                  spec->axes[d]->length);
    return SWIM_OK;
}

static void shape_axis(const struct setup *setup, struct setup_output *out, uint32_t d)
{
    const struct swim_output *planned = &out->planned;
    const struct setup_window *w = &setup->window;
    int32_t a = planned->from_axis[d];
    uint64_t ratio = setup_output_ratio(planned, d);
    bool renamed = w->renamed && is_window_axis(setup, a);
    bool own = a < 0 || ratio > 1 || renamed; /* not the input's coordinates */

    out->spec.from_axis[d] = own ? -1 : a;
    out->spec.made_of[d] = own && a >= 0 ? (uint32_t)a + 1 : 0;
    out->spec.axes[d] = renamed ? &w->coordinates : own ? planned->axes[d] : NULL;
    out->spec.shape[d] = renamed ? w->rows
                         : a < 0 ? planned->shape[d]
                                 : parts_of(setup->inputs[0].info->shape[a], ratio);
}

static void shape_output(const struct setup *setup, struct setup_output *out)
{
    for (uint32_t d = 0; d < out->planned.ndim; d++)
        shape_axis(setup, out, d);
    out->table = setup->table.most_rows > 0;
    out->spec.grows = out->spec.bare = out->table;
    if (out->table)
        out->spec.shape[0] = setup->table.most_rows;
}

/* At most a row for each element.  Shards are made of places of blocks, which rows do
 * not have. */
static int plan_table(struct setup *setup, swim_error_t *err)
{
    const struct dataset_info *first = setup->inputs[0].info;
    struct setup_table *table = &setup->table;

    if (setup->kernel->api.kind != SWIM_KERNEL_FILTER)
        return SWIM_OK;
    for (size_t i = 0; i < setup->job->n_outputs; i++)
        if (setup->job->outputs[i].sharded)
            return swim_error_set(
                err, SWIM_ERR_ARG,
                "%s: output \"%s\" is a table of rows, which cannot be "
                "sharded: leave out \"layout\"",
                setup->job->outputs[i].place.text, setup->job->outputs[i].port);
    table->most_rows = 1;
    for (uint32_t a = 0; a < first->ndim; a++)
        if (__builtin_mul_overflow(table->most_rows, first->shape[a],
                                   &table->most_rows) ||
            table->most_rows > ROWS_MOST)
            return swim_error_set(
                err, SWIM_ERR_ARG,
                "%s:%s has more than 2^60 elements, which are too many "
                "for a table of them",
                first->file, first->path);
    return SWIM_OK;
}

int setup_check_given(const struct setup *setup, uint32_t number, swim_error_t *err)
{
    const char *port = setup->kernel->outputs[number].name;
    const struct job_output *given = setup_output_of(setup->job, port);

    if (given)
        return given->file && given->dataset ? SWIM_OK : SWIM_ERR_ARG; /* it was said */
    return swim_error_set(err, SWIM_ERR_ARG, "%s: kernel %s needs the output \"%s\"",
                          setup->job->path, setup->kernel->api.name, port);
}

/* What the job gives for an output: each of these may be wrong by itself. */
static int take_given(struct setup *setup, const struct swim_port *port,
                      const struct job_output *given, struct setup_output *out,
                      swim_error_t *err)
{
    const struct job_place *place = &given->place;
    int rc = SWIM_OK;

    if (given->n_chunks) {
        out->chunks_why = "as given";
        rc = take_chunks(given, &out->spec, err);
        rc = setup_goes_on(setup, place, rc, err);
    }
    if (rc == SWIM_OK)
        rc =
            setup_goes_on(setup, place, check_chunk_bytes(given, &out->spec, err), err);
    if (rc == SWIM_OK && given->sharded && out->planned.ndim == 0)
        rc = swim_error_set(err, SWIM_ERR_ARG,
                            "%s: output \"%s\" is one number, which cannot be sharded: "
                            "leave out \"layout\"",
                            given->place.text, given->port);
    rc = setup_goes_on(setup, place, rc, err);
    if (rc == SWIM_OK)
        rc = setup_goes_on(setup, place,
                           choose_fill(setup, port, given, &out->spec, err), err);
    if (rc == SWIM_OK && setup->inputs[0].info->raw)
        rc = setup_goes_on(setup, place, keep_raw(setup, given, out, err), err);
    return rc;
}

static int plan_output(struct setup *setup, uint32_t number, swim_error_t *err)
{
    const struct swim_port *port = &setup->kernel->outputs[number];
    const struct job_output *given = setup_output_of(setup->job, port->name);
    struct setup_output *out = &setup->outputs[number];
    const struct swim_output *planned = &out->planned;
    const struct dataset_info *first = setup->inputs[0].info;

    int rc = setup_check_given(setup, number, err);
    if (rc == SWIM_OK)
        rc = setup_check_planned(setup, planned, err);
    if (rc == SWIM_OK)
        rc = setup_check_directory(given->file, err);
    /* One file under two names would be locked twice. */
    if (rc == SWIM_OK)
        rc = resource_real_path(given->file, out->file, sizeof(out->file), err);
    if (rc != SWIM_OK)
        return rc;
    out->type = planned->type;
    out->spec = (struct output_spec){
        .file = out->file,
        .dataset = given->dataset,
        .type = given->type ? given->type : planned->type,
        .packed = given->packed,
        .scale = given->scale,
        .offset = given->offset,
        .ndim = planned->ndim,
        .shuffle = given->shuffle,
        .fletcher32 = given->fletcher32,
        .deflate = given->deflate,
        .units = planned->units,
        .long_name = planned->long_name,
    };
    rc = setup_cell_methods(setup, number, err);
    if (rc != SWIM_OK)
        return rc;
    setup_chain_spec(setup, &out->spec);
    /* Those of the attribute are not those of the values. */
    if (!out->spec.units && first->units_from && !setup->table.most_rows)
        out->spec.units = first->units;
    out->sharded = given->sharded;
    out->by_rank = given->by_rank;
    shape_output(setup, out);
    choose_filters(first, given, out);
    choose_chunks(setup, planned, &out->spec, &out->chunks_why);
    rc = check_coordinates(setup, &out->spec, err);
    if (rc == SWIM_OK)
        rc = take_given(setup, port, given, out, err);
    /* A fill value that the kernel's integers cannot hold is put in after conversion.
     */
    bool held = !out->spec.packed && type_holds(out->type, out->spec.fill);
    out->refill = out->type < SWIM_TYPE_F32 && !held;
    out->missing = out->refill ? swim_type_default_fill(out->type) : out->spec.fill;
    return rc;
}

static int check_files(const struct setup *setup, uint32_t number, swim_error_t *err)
{
    const struct output_spec *spec = &setup->outputs[number].spec;
    struct stat mine, theirs;

    for (uint32_t i = 0; i < number; i++) {
        const struct output_spec *other = &setup->outputs[i].spec;
        if (!other->file) /* it is wrong itself */
            continue;
        if (strcmp(other->file, spec->file) == 0 &&
            strcmp(other->dataset, spec->dataset) == 0)
            return swim_error_set(err, SWIM_ERR_ARG, "%s: two outputs go to %s:%s",
                                  setup->job->path, spec->file, spec->dataset);
        if (strcmp(other->file, spec->file) == 0 &&
            (setup->outputs[i].sharded != setup->outputs[number].sharded ||
             setup->outputs[i].by_rank != setup->outputs[number].by_rank))
            return swim_error_set(err, SWIM_ERR_ARG,
                                  "%s: outputs in one file (%s) need the same layout "
                                  "and shards",
                                  setup->job->path, spec->file);
    }
    if (stat(spec->file, &mine) != 0)
        return SWIM_OK; /* does not exist yet */
    const struct setup *from = setup_first(setup);
    for (uint32_t i = 0; i < from->n_inputs; i++) {
        const char *input = from->inputs[i].info->file;
        if (stat(input, &theirs) == 0 && mine.st_dev == theirs.st_dev &&
            mine.st_ino == theirs.st_ino)
            return swim_error_set(err, SWIM_ERR_ARG,
                                  "%s: output file %s is also the input %s: give the "
                                  "output another file",
                                  setup->job->path, spec->file,
                                  from->inputs[i].field.port);
    }
    return SWIM_OK;
}

uint64_t setup_output_ratio(const struct swim_output *planned, uint32_t axis)
{
    bool coarse = planned->from_axis[axis] >= 0 && planned->ratio[axis] > 1;

    return coarse ? planned->ratio[axis] : 1;
}

int setup_plan_outputs(struct setup *setup, swim_error_t *err)
{
    int rc = plan_table(setup, err);

    for (uint32_t i = 0; rc == SWIM_OK && i < setup->n_outputs; i++) {
        const struct job_output *given =
            setup_output_of(setup->job, setup->kernel->outputs[i].name);
        rc = plan_output(setup, i, err);
        if (rc == SWIM_OK)
            rc = check_files(setup, i, err);
        rc = setup_goes_on(setup, given ? &given->place : &setup->job->outputs_place,
                           rc, err);
    }
    return rc;
}

void setup_output_range(const struct setup_output *output,
                        const struct block_range *range, struct block_range *out)
{
    out->elements = 1;
    for (uint32_t d = 0; d < output->spec.ndim; d++) {
        int32_t a = output->planned.from_axis[d];
        uint64_t ratio = setup_output_ratio(&output->planned, d);
        out->start[d] = a < 0 ? 0 : range->start[a] / ratio;
        out->count[d] =
            a < 0 ? output->spec.shape[d] : parts_of(range->count[a], ratio);
        if (d == 0 && output->table)
            out->count[0] = range->elements;
        out->elements *= out->count[d];
    }
}
