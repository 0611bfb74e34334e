/* setup_plan.c - the outputs, blocks and memory of a job. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "batch/setup.h"
#include "batch/work.h"
#include "core/text.h"
#include "store/codec.h"

#define CHUNK_BYTES_WANTED (1U << 20)
#define BLOCK_BYTES_MOST ((uint64_t)16 << 20)
#define BLOCKS_WANTED 64
#define BUDGET_SHARE 16 /* of the memory budget, for the arrays of one block */
#define PARTIALS_FREE ((uint64_t)64 << 20)
#define SLOTS_EACH_MOST 8
#define RECORD_BYTES (8 * (SWIM_NDIM_MAX + 4)) /* per chunk in a slot */

/* --- outputs ------------------------------------------------------------------ */

/* netCDF's default fill values, NC_FILL_* of netcdf.h. */
static double default_fill(enum swim_type type)
{
    switch (type) {
    case SWIM_TYPE_I8:
        return -127;
    case SWIM_TYPE_U8:
        return 255;
    case SWIM_TYPE_I16:
        return -32767;
    case SWIM_TYPE_U16:
        return 65535;
    case SWIM_TYPE_I32:
        return -2147483647;
    case SWIM_TYPE_U32:
        return 4294967295;
    case SWIM_TYPE_I64:
        return -9223372036854774784.0; /* the nearest double above NC_FILL_INT64 */
    case SWIM_TYPE_U64:
        return 18446744073709549568.0; /* the nearest double below NC_FILL_UINT64 */
    default:
        return 9.9692099683868690e+36;
    }
}

static bool type_holds(enum swim_type type, double value)
{
    static const double low[] = {
        [SWIM_TYPE_I8] = -128,        [SWIM_TYPE_I16] = -32768,
        [SWIM_TYPE_I32] = -2147483648.0, [SWIM_TYPE_I64] = -9223372036854775808.0,
        [SWIM_TYPE_U64] = 0,
    };
    static const double high[] = {
        [SWIM_TYPE_I8] = 127,           [SWIM_TYPE_U8] = 255,
        [SWIM_TYPE_I16] = 32767,        [SWIM_TYPE_U16] = 65535,
        [SWIM_TYPE_I32] = 2147483647,   [SWIM_TYPE_U32] = 4294967295.0,
        [SWIM_TYPE_I64] = 9223372036854774784.0,
        [SWIM_TYPE_U64] = 18446744073709549568.0,
    };

    if (type >= SWIM_TYPE_F32)
        return true;
    return value == floor(value) && value >= low[type] && value <= high[type];
}

static const struct job_output *output_of_port(const struct job *job, const char *port)
{
    for (size_t i = 0; i < job->n_outputs; i++)
        if (strcmp(job->outputs[i].port, port) == 0)
            return &job->outputs[i];
    return NULL;
}

/* A kernel's plan() is foreign code: check it before it is used as sizes. */
static int check_planned(const struct setup *setup, const struct swim_output *planned,
                         swim_error_t *err)
{
    const struct dataset_info *first = setup->inputs[0].info;
    const char *name = setup->kernel->api.name;
    uint8_t used[SWIM_NDIM_MAX] = {0};

    if (planned->ndim > SWIM_NDIM_MAX || planned->type == SWIM_TYPE_ANY ||
        planned->type > SWIM_TYPE_LDOUBLE)
        return swim_error_set(err, SWIM_ERR_KERNEL,
                              "kernel %s plans an output of %u dimensions, type %d", name,
                              planned->ndim, (int)planned->type);
    for (uint32_t d = 0; d < planned->ndim; d++) {
        int32_t a = planned->from_axis[d];
        if (a >= (int32_t)first->ndim || (a < 0 && planned->shape[d] == 0) ||
            (a >= 0 && (used[a]++ || setup->plan.reduced[a])))
            return swim_error_set(err, SWIM_ERR_KERNEL,
                                  "kernel %s plans output axis %u from input axis %d of %u",
                                  name, d, (int)a, first->ndim);
    }
    for (uint32_t a = 0; a < first->ndim; a++)
        if (!used[a] && !setup->plan.reduced[a])
            return swim_error_set(err, SWIM_ERR_KERNEL,
                                  "kernel %s plans an output without input axis %u, which "
                                  "is not reduced", name, a);
    return SWIM_OK;
}

/* Like the first input's chunks where the axes are the same, else about 1 MiB. */
static void choose_chunks(const struct setup *setup, struct output_spec *spec)
{
    const struct dataset_info *first = setup->inputs[0].info;
    uint64_t bytes = swim_type_size(spec->type);

    for (uint32_t d = 0; d < spec->ndim; d++) {
        spec->chunk[d] = 1;
        if (spec->from_axis[d] >= 0 && first->chunked) {
            spec->chunk[d] = first->chunk[spec->from_axis[d]];
            if (spec->chunk[d] > spec->shape[d])
                spec->chunk[d] = spec->shape[d];
        }
        bytes *= spec->chunk[d];
    }
    for (uint32_t i = 0; i < spec->ndim; i++) {
        uint32_t d = spec->ndim - 1 - i;
        if (spec->from_axis[d] >= 0 && first->chunked)
            continue;
        uint64_t room = bytes < CHUNK_BYTES_WANTED ? CHUNK_BYTES_WANTED / bytes : 1;
        spec->chunk[d] = spec->shape[d] < room ? spec->shape[d] : room;
        bytes *= spec->chunk[d];
    }
}

static int take_chunks(const struct job_output *given, struct output_spec *spec,
                       swim_error_t *err)
{
    if (given->n_chunks != spec->ndim)
        return swim_error_set(err, SWIM_ERR_ARG,
                              "%s: chunks has %u sizes, the output \"%s\" has %u dimensions",
                              given->place.text, given->n_chunks, given->port, spec->ndim);
    for (uint32_t d = 0; d < spec->ndim; d++)
        spec->chunk[d] =
            given->chunks[d] < spec->shape[d] ? given->chunks[d] : spec->shape[d];
    return SWIM_OK;
}

static int check_chunk_bytes(const struct job_output *given, const struct output_spec *spec,
                             swim_error_t *err)
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

static int choose_fill(const struct setup *setup, const struct job_output *given,
                       struct output_spec *spec, swim_error_t *err)
{
    const struct dataset_info *first = setup->inputs[0].info;

    if (given->has_fill && !type_holds(spec->type, given->fill))
        return swim_error_set(err, SWIM_ERR_ARG,
                              "%s: fill %g of output \"%s\" is not a value of its type %s",
                              given->place.text, given->fill, given->port,
                              swim_type_name(spec->type));
    if (given->has_fill)
        spec->fill = given->fill;
    else if (first->has_missing && !first->packed && type_holds(spec->type, first->missing))
        spec->fill = first->missing;
    else
        spec->fill = default_fill(spec->type);
    return SWIM_OK;
}

static int plan_output(struct setup *setup, uint32_t number, swim_error_t *err)
{
    const struct swim_port *port = &setup->kernel->outputs[number];
    const struct job_output *given = output_of_port(setup->job, port->name);
    struct setup_output *out = &setup->outputs[number];
    const struct swim_output *planned = &out->planned;
    const struct dataset_info *first = setup->inputs[0].info;

    if (!given)
        return swim_error_set(err, SWIM_ERR_ARG, "%s: kernel %s needs the output \"%s\"",
                              setup->job->path, setup->kernel->api.name, port->name);
    int rc = check_planned(setup, planned, err);
    if (rc != SWIM_OK)
        return rc;
    out->type = planned->type;
    out->spec = (struct output_spec){
        .file = given->file,
        .dataset = given->dataset,
        .type = given->type ? given->type : planned->type,
        .ndim = planned->ndim,
        .shuffle = given->filters_set ? given->shuffle : true,
        .fletcher32 = given->fletcher32,
        .deflate = given->filters_set ? given->deflate : 1,
        .units = planned->units,
        .long_name = planned->long_name,
        .cell_methods = planned->cell_methods,
        .like = first,
    };
    out->other_type = out->spec.type != out->type;
    for (uint32_t d = 0; d < planned->ndim; d++) {
        int32_t a = planned->from_axis[d];
        out->spec.from_axis[d] = a;
        out->spec.axes[d] = a < 0 ? planned->axes[d] : NULL;
        out->spec.shape[d] = a < 0 ? planned->shape[d] : first->shape[a];
    }
    choose_chunks(setup, &out->spec);
    if (given->n_chunks)
        rc = take_chunks(given, &out->spec, err);
    if (rc == SWIM_OK)
        rc = check_chunk_bytes(given, &out->spec, err);
    if (rc == SWIM_OK)
        rc = choose_fill(setup, given, &out->spec, err);
    return rc;
}

static int check_files(const struct setup *setup, uint32_t number, swim_error_t *err)
{
    const struct output_spec *spec = &setup->outputs[number].spec;
    struct file_identity mine, theirs;

    for (uint32_t i = 0; i < number; i++) {
        const struct output_spec *other = &setup->outputs[i].spec;
        if (strcmp(other->file, spec->file) == 0 &&
            strcmp(other->dataset, spec->dataset) == 0)
            return swim_error_set(err, SWIM_ERR_ARG, "%s: two outputs go to %s:%s",
                                  setup->job->path, spec->file, spec->dataset);
    }
    if (file_identity_get(spec->file, &mine, NULL) != SWIM_OK)
        return SWIM_OK; /* does not exist yet */
    for (uint32_t i = 0; i < setup->n_inputs; i++) {
        const char *input = setup->inputs[i].info->file;
        if (file_identity_get(input, &theirs, NULL) == SWIM_OK && mine.dev == theirs.dev &&
            mine.ino == theirs.ino)
            return swim_error_set(err, SWIM_ERR_ARG,
                                  "%s: output file %s is also the input %s: give the "
                                  "output another file",
                                  setup->job->path, spec->file,
                                  setup->inputs[i].field.port);
    }
    return SWIM_OK;
}

int setup_plan_outputs(struct setup *setup, swim_error_t *err)
{
    int rc = SWIM_OK;

    for (uint32_t i = 0; rc == SWIM_OK && i < setup->n_outputs; i++) {
        rc = plan_output(setup, i, err);
        if (rc == SWIM_OK)
            rc = check_files(setup, i, err);
    }
    return rc;
}

void setup_output_range(const struct setup_output *output, const struct block_range *range,
                        struct block_range *out)
{
    out->elements = 1;
    for (uint32_t d = 0; d < output->spec.ndim; d++) {
        int32_t a = output->spec.from_axis[d];
        out->start[d] = a < 0 ? 0 : range->start[a];
        out->count[d] = a < 0 ? output->spec.shape[d] : range->count[a];
        out->elements *= out->count[d];
    }
}

/* --- blocks ------------------------------------------------------------------- */

static void wish_of(const struct setup *setup, struct blocks_wish *wish)
{
    const struct dataset_info *first = setup->inputs[0].info;
    uint64_t share = setup->job->memory_bytes / BUDGET_SHARE;

    *wish = (struct blocks_wish){
        .most_bytes = share < BLOCK_BYTES_MOST ? share : BLOCK_BYTES_MOST,
        .fewest = BLOCKS_WANTED,
    };
    for (uint32_t a = 0; a < first->ndim; a++) {
        wish->base[a] = 1;
        wish->chunk[a] = first->chunked ? first->chunk[a] : 1;
    }
    for (uint32_t i = 0; i < setup->n_inputs; i++)
        wish->element_bytes += swim_type_size(setup->inputs[i].type);
    for (uint32_t i = 0; i < setup->n_outputs; i++) {
        const struct output_spec *spec = &setup->outputs[i].spec;
        wish->element_bytes += swim_type_size(setup->outputs[i].type);
        for (uint32_t d = 0; d < spec->ndim; d++) {
            int32_t a = spec->from_axis[d];
            if (a >= 0)
                wish->base[a] = blocks_lcm(wish->base[a], spec->chunk[d], first->shape[a]);
        }
    }
}

/* Sizes from the job file; kept axes go up to whole output chunks, as the text says. */
static int take_block(struct setup *setup, const struct blocks_wish *wish,
                      swim_error_t *err)
{
    const struct job *job = setup->job;
    struct blocks *b = &setup->blocks;

    if (job->n_block != b->ndim)
        return swim_error_set(err, SWIM_ERR_ARG,
                              "%s: block has %u sizes, the inputs have %u dimensions",
                              job->block_place.text, job->n_block, b->ndim);
    for (uint32_t a = 0; a < b->ndim; a++) {
        uint64_t size = job->block[a] < b->extent[a] ? job->block[a] : b->extent[a];
        uint64_t base = b->reduced[a] ? 1 : wish->base[a];
        b->size[a] = (size + base - 1) / base * base;
        if (b->size[a] > b->extent[a])
            b->size[a] = b->extent[a];
    }
    return SWIM_OK;
}

static uint64_t acc_bytes_of_tile(const struct setup *setup, struct work *work)
{
    struct block_range range;

    blocks_tile_range(&setup->blocks, 0, &range);
    work_set_range(work, setup, 0, &range);
    return setup->kernel->api.acc_bytes(setup->state, &work->block);
}

/* Make tiles smaller until an accumulator and one input chunk's depth of data fit. */
static void shrink_tiles(struct setup *setup, const struct blocks_wish *wish,
                         struct work *work)
{
    struct blocks *b = &setup->blocks;

    for (;;) {
        double slice = (double)wish->element_bytes;
        for (uint32_t a = 0; a < b->ndim; a++) {
            uint64_t part = b->reduced[a] ? wish->chunk[a] : b->size[a];
            slice *= (double)(part < b->extent[a] ? part : b->extent[a]);
        }
        setup->acc_bytes = acc_bytes_of_tile(setup, work);
        if (setup->acc_bytes <= wish->most_bytes && slice <= (double)wish->most_bytes)
            return;
        uint32_t a = 0;
        while (a < b->ndim && (b->reduced[a] || b->size[a] <= wish->base[a]))
            a++;
        if (a == b->ndim)
            return; /* a single output chunk: the memory check has the last word */
        uint64_t bases = (b->size[a] + wish->base[a] - 1) / wish->base[a];
        b->size[a] = (bases + 1) / 2 * wish->base[a];
    }
}

/* Cut the first reduced axis into segments, for parallel work where there are few tiles;
 * their accumulators must not cost more than reading the input does. */
static void choose_segments(struct setup *setup, const struct blocks_wish *wish)
{
    struct blocks *b = &setup->blocks;
    double input = (double)wish->element_bytes, tiles = 1;
    uint32_t axis = b->ndim;

    for (uint32_t a = b->ndim; a-- > 0;) {
        input *= (double)b->extent[a];
        if (b->reduced[a])
            axis = a;
        else
            tiles *= (double)((b->extent[a] + b->size[a] - 1) / b->size[a]);
    }
    if (axis == b->ndim || tiles >= BLOCKS_WANTED)
        return;
    double room = input / 2 > (double)PARTIALS_FREE ? input / 2 : (double)PARTIALS_FREE;
    double most = room / ((double)setup->acc_bytes * tiles + 1);
    double wanted = BLOCKS_WANTED / tiles;
    uint64_t unit = wish->chunk[axis];
    uint64_t units = (b->extent[axis] + unit - 1) / unit;
    uint64_t segments = (uint64_t)(most < wanted ? most : wanted);
    if (segments > units)
        segments = units;
    if (segments > 1)
        b->size[axis] = (units + segments - 1) / segments * unit;
}

static int plan_reduce(struct setup *setup, const struct blocks_wish *wish,
                       swim_error_t *err)
{
    struct blocks *b = &setup->blocks;
    struct work *work = NULL;
    int rc = work_create(setup, &work, err);

    if (rc != SWIM_OK)
        return rc;
    if (setup->job->n_block) {
        rc = take_block(setup, wish, err);
        setup->acc_bytes = acc_bytes_of_tile(setup, work);
    } else {
        for (uint32_t a = 0; a < b->ndim; a++)
            b->size[a] = b->extent[a];
        shrink_tiles(setup, wish, work);
        choose_segments(setup, wish);
    }
    work_destroy(work);
    if (rc == SWIM_OK && setup->acc_bytes == 0)
        rc = swim_error_set(err, SWIM_ERR_KERNEL, "kernel %s: acc_bytes() is 0",
                            setup->kernel->api.name);
    return rc;
}

static void plan_phases(struct setup *setup)
{
    const struct blocks *b = &setup->blocks;

    setup->n_phases = 1;
    setup->phases[0] = SETUP_APPLY;
    setup->phase_blocks[0] = b->n;
    if (b->n_segments > 1) {
        setup->n_phases = 2;
        setup->phases[0] = SETUP_PARTIAL;
        setup->phases[1] = SETUP_MERGE;
        setup->phase_blocks[1] = b->n_tiles;
    }
}

/* --- memory ------------------------------------------------------------------- */

static uint64_t chunks_in(const struct output_spec *spec, const struct block_range *range)
{
    uint64_t n = 1;

    for (uint32_t d = 0; d < spec->ndim; d++)
        n *= (range->count[d] + spec->chunk[d] - 1) / spec->chunk[d];
    return n;
}

static int output_memory(struct setup *setup, swim_error_t *err)
{
    struct block_range tile, out;

    blocks_tile_range(&setup->blocks, 0, &tile);
    for (uint32_t i = 0; i < setup->n_outputs; i++) {
        const struct output_spec *spec = &setup->outputs[i].spec;
        size_t element = swim_type_size(spec->type), chunk = element;
        struct codec *codec = NULL;
        setup_output_range(&setup->outputs[i], &tile, &out);
        for (uint32_t d = 0; d < spec->ndim; d++)
            chunk *= spec->chunk[d];
        int rc = codec_create(chunk, element, spec->shuffle, spec->deflate,
                              spec->fletcher32, &codec, err);
        if (rc != SWIM_OK)
            return rc;
        setup->slot_bytes +=
            chunks_in(spec, &out) * (codec_bound(codec) + RECORD_BYTES);
        setup->output_bytes += out.elements * swim_type_size(setup->outputs[i].type);
        codec_destroy(codec);
    }
    if (setup->slot_bytes < setup->acc_bytes + RECORD_BYTES)
        setup->slot_bytes = setup->acc_bytes + RECORD_BYTES;
    return SWIM_OK;
}

static void input_memory(struct setup *setup)
{
    double elements = 1;

    for (uint32_t a = 0; a < setup->blocks.ndim; a++)
        elements *= (double)(setup->slice[a] + setup->plan.halo_lo[a] +
                             setup->plan.halo_hi[a]);
    for (uint32_t i = 0; i < setup->n_inputs; i++)
        setup->input_bytes += (uint64_t)elements * swim_type_size(setup->inputs[i].type);
}

uint64_t setup_reader_bytes(const struct setup *setup)
{
    /* Outputs twice where they are converted; accumulators twice when they are merged. */
    return setup->input_bytes + 2 * setup->output_bytes + 2 * setup->acc_bytes +
           setup->slot_bytes;
}

int setup_divide_memory(const struct setup *setup, uint32_t *readers, bool fewer,
                         uint32_t *slots_each, swim_error_t *err)
{
    uint64_t memory = setup->job->memory_bytes;
    uint64_t each = setup_reader_bytes(setup);

    if (*readers > memory / each && fewer)
        *readers = (uint32_t)(memory / each);
    if (*readers > memory / each)
        return swim_error_set(err, SWIM_ERR_ARG,
                              "%u readers need %llu MiB each, the memory budget is %llu "
                              "MiB: give \"memory\" more, or fewer --readers",
                              *readers, (unsigned long long)(each >> 20) + 1,
                              (unsigned long long)(memory >> 20));
    uint64_t more = (memory / *readers - each) / setup->slot_bytes;
    *slots_each = more + 1 < SLOTS_EACH_MOST ? (uint32_t)more + 1 : SLOTS_EACH_MOST;
    return SWIM_OK;
}

static int check_memory(const struct setup *setup, swim_error_t *err)
{
    char need[32], have[32];
    uint64_t bytes = setup_reader_bytes(setup);

    if (bytes <= setup->job->memory_bytes)
        return SWIM_OK;
    return swim_error_set(
        err, SWIM_ERR_ARG,
        "%s: one block needs %s of memory, the budget is %s: give \"memory\" more, or %s",
        setup->job->path, swim_text_bytes(bytes, need, sizeof(need)),
        swim_text_bytes(setup->job->memory_bytes, have, sizeof(have)),
        setup->job->n_block ? "a smaller \"block\"" : "the outputs smaller \"chunks\"");
}

static int check_halo(const struct setup *setup, swim_error_t *err)
{
    const struct dataset_info *first = setup->inputs[0].info;
    bool stencil = setup->kernel->api.kind == SWIM_KERNEL_STENCIL;

    for (uint32_t a = 0; a < first->ndim; a++) {
        uint64_t halo = setup->plan.halo_lo[a] > setup->plan.halo_hi[a]
                            ? setup->plan.halo_lo[a]
                            : setup->plan.halo_hi[a];
        if ((halo && !stencil) || halo > (1U << 20))
            return swim_error_set(err, SWIM_ERR_KERNEL,
                                  "kernel %s (%s) plans a halo of %" PRIu64 " on axis %u",
                                  setup->kernel->api.name,
                                  kernel_kind_name(setup->kernel->api.kind), halo, a);
    }
    return SWIM_OK;
}

int setup_plan_blocks(struct setup *setup, swim_error_t *err)
{
    const struct dataset_info *first = setup->inputs[0].info;
    bool reduce = setup->kernel->api.kind == SWIM_KERNEL_REDUCE;
    struct blocks *b = &setup->blocks;
    struct blocks_wish wish;
    int rc = check_halo(setup, err);

    if (rc != SWIM_OK)
        return rc;
    b->ndim = first->ndim;
    for (uint32_t a = 0; a < b->ndim; a++) {
        b->extent[a] = first->shape[a];
        b->reduced[a] = setup->plan.reduced[a] != 0;
    }
    wish_of(setup, &wish);
    if (reduce)
        rc = plan_reduce(setup, &wish, err);
    else if (setup->job->n_block)
        rc = take_block(setup, &wish, err);
    else
        blocks_choose(b, &wish);
    if (rc == SWIM_OK)
        rc = blocks_count(b, err);
    if (rc != SWIM_OK)
        return rc;
    plan_phases(setup);
    blocks_choose_slice(b, &wish, setup->slice);
    rc = output_memory(setup, err);
    if (rc != SWIM_OK)
        return rc;
    input_memory(setup);
    return check_memory(setup, err);
}
