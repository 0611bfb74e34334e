/* setup_memory.c - the memory that the blocks of a job take. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "batch/found_rows.h"
#include "core/text.h"
#include "store/codec.h"

/* Of a reader's slots one is filled, one waits and one is written.  A commit costs
 * about the same for one block as for a hundred: where blocks are small a reader has
 * more slots than that.  Not more bytes than are worth a commit: each page that is used
 * for the first time costs both, the reader and the writer, a page fault. */
#define SLOTS_LEAST 3
#define SLOTS_MOST 128
#define SLOTS_BYTES ((uint64_t)16 << 20)
#define PAGE_BYTES 4096
#define PLACE_BYTES 64 /* where a kernel writes begins at a multiple of this */
/* Per chunk in a slot: a struct payload_record and rounding. */
#define RECORD_BYTES ((uint64_t)8 * (SWIM_NDIM_MAX + 4))

/* What processes take beside blocks, as seen: the program and its libraries, which all
 * share; the heap of each, with HDF5 and a session in it; a compressor.  Of each input
 * a reader also has a few chunks on their way through filters, which it keeps for the
 * next block. */
#define PROGRAM_BYTES ((uint64_t)8 << 20)
#define PROCESS_BYTES ((uint64_t)2 << 20)
#define COMPRESSOR_BYTES ((uint64_t)512 << 10)
#define CHUNKS_FILTERED 3
#define PROCESSES_BESIDE 3 /* rank, spawner, writer */

static uint64_t chunks_in(const struct output_spec *spec,
                          const struct block_range *range)
{
    uint64_t n = 1;

    for (uint32_t d = 0; d < spec->ndim; d++)
        n *= (range->count[d] + spec->chunk[d] - 1) / spec->chunk[d];
    return n;
}

/* Of a table, a slot holds the rows of a block or the chunks of a part. */
static void part_range(const struct setup *setup, struct block_range *out)
{
    out->elements = out->elements / out->count[0] * setup->table.part_rows;
    out->count[0] = setup->table.part_rows;
}

uint64_t setup_stored_elements(const struct setup *setup, uint32_t output)
{
    struct block_range tile, out;

    blocks_tile_range(&setup->blocks, 0, &tile);
    setup_output_range(&setup->outputs[output], &tile, &out);
    if (setup->outputs[output].table && out.count[0] < setup->table.part_rows)
        part_range(setup, &out);
    return out.elements;
}

/* Whether the chunks of an output are what a kernel writes: whole rows, of the same
 * type, that no filter changes. */
static bool is_as_written(const struct setup *setup, uint32_t output)
{
    const struct setup_output *so = &setup->outputs[output];
    const struct output_spec *spec = &so->spec;
    struct block_range tile, out;
    bool is = setup->phases[0] == SETUP_APPLY && spec->ndim > 0 &&
              so->type == spec->type && !so->table && !so->refill && !spec->packed &&
              !spec->shuffle && !spec->deflate && !spec->fletcher32;

    blocks_tile_range(&setup->blocks, 0, &tile);
    setup_output_range(so, &tile, &out);
    is = is && out.count[0] > 0;
    for (uint32_t d = 1; is && d < spec->ndim; d++)
        is = spec->chunk[d] == out.count[d] && spec->chunk[d] == spec->shape[d];
    return is;
}

/* Those stand at the end of a slot, behind the records: after it comes a page that
 * nobody may touch (region.h). */
static void output_places(struct setup *setup)
{
    uint64_t bytes[KERNEL_PORTS_MAX], all = 0;
    struct block_range tile, out;

    blocks_tile_range(&setup->blocks, 0, &tile);
    for (uint32_t i = 0; i < setup->n_outputs; i++) {
        const struct output_spec *spec = &setup->outputs[i].spec;
        setup_output_range(&setup->outputs[i], &tile, &out);
        uint64_t rows =
            spec->ndim ? (out.count[0] + spec->chunk[0] - 1) / spec->chunk[0] : 0;
        bytes[i] = 0;
        if (!is_as_written(setup, i))
            continue;
        bytes[i] = rows * spec->chunk[0] * (out.elements / out.count[0]) *
                   swim_type_size(spec->type);
        bytes[i] = (bytes[i] + PLACE_BYTES - 1) / PLACE_BYTES * PLACE_BYTES;
        all += bytes[i];
    }
    setup->record_bytes = setup->slot_bytes;
    if (all == 0)
        return;
    setup->slot_bytes =
        (setup->record_bytes + all + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
    for (uint64_t i = 0, at = setup->slot_bytes - all; i < setup->n_outputs; i++) {
        setup->outputs[i].in_slot = bytes[i] ? at : 0;
        at += bytes[i];
    }
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
        if (is_as_written(setup, i)) {
            setup->slot_bytes += chunks_in(spec, &out) * RECORD_BYTES;
            continue;
        }
        setup->output_bytes += out.elements * swim_type_size(setup->outputs[i].type);
        if (setup->outputs[i].table)
            part_range(setup, &out);
        for (uint32_t d = 0; d < spec->ndim; d++)
            chunk *= spec->chunk[d];
        int rc = codec_create(chunk, element, spec->shuffle, spec->deflate,
                              spec->fletcher32, &codec, err);
        if (rc != SWIM_OK)
            return rc;
        setup->slot_bytes +=
            chunks_in(spec, &out) * (codec_bound(codec) + RECORD_BYTES);
        if (setup->outputs[i].type != spec->type || setup->outputs[i].table)
            setup->output_bytes += setup_stored_elements(setup, i) * element;
        setup->output_bytes += chunk;
        codec_destroy(codec);
    }
    if (setup->job->follow) /* the coordinates of its rows */
        setup->slot_bytes +=
            RECORD_BYTES + setup->blocks.size[0] * DATASET_COORDINATE_BYTES;
    if (setup->slot_bytes < setup->acc_bytes + RECORD_BYTES)
        setup->slot_bytes = setup->acc_bytes + RECORD_BYTES;
    output_places(setup);
    return SWIM_OK;
}

/* Whether a chunk of an input may be needed for more than one block, or slice of one.
 */
static bool chunks_are_shared(const struct setup *setup,
                              const struct dataset_info *info)
{
    for (uint32_t a = 0; a < info->ndim; a++) {
        uint64_t slice = setup->slice[a], block = setup->blocks.size[a];
        bool window = setup->window.step && setup->window.axis == a;
        if (setup->passes_on && slice < info->shape[a])
            return true; /* what the kernel behind it takes overlaps, or may */
        if (window && setup->window.whole)
            continue;
        if (window)
            return true;
        if (setup->plan.halo_lo[a] + setup->plan.halo_hi[a] > 0 ||
            (slice < info->shape[a] && slice % info->chunk[a]) ||
            (block < info->shape[a] && block % info->chunk[a]))
            return true;
    }
    return false;
}

/* Room for decoded chunks: those along the last axes, three deep where blocks have
 * halos, so that blocks that follow each other do not decode their neighbours again. */
static uint64_t chunk_cache(const struct setup *setup, const struct dataset_info *info)
{
    uint64_t most = setup->job->memory_bytes / SETUP_BUDGET_SHARE;
    double bytes = (double)swim_type_size(info->stored_type), halo = 0;

    for (uint32_t a = 0; a < info->ndim; a++) {
        uint64_t chunks = (info->shape[a] + info->chunk[a] - 1) / info->chunk[a];
        bytes *= (double)info->chunk[a] * (a > 0 ? (double)chunks : 1);
        halo += setup->plan.halo_lo[a] + setup->plan.halo_hi[a];
    }
    bytes *= halo > 0 ? 3 : 1;
    return bytes < (double)most ? (uint64_t)bytes : most;
}

/* At least two chunks, in whole pages. */
static uint64_t cache_part(uint64_t wanted, const struct dataset_info *info)
{
    uint64_t least = chunk_cache_bytes(2, dataset_chunk_bytes(info));
    uint64_t bytes = wanted > least ? wanted : least;

    return (bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
}

static void input_memory(struct setup *setup)
{
    uint64_t elements = 1;

    for (uint32_t a = 0; a < setup->blocks.ndim; a++)
        elements *= setup_input_length(setup, a, setup->slice[a]) +
                    setup->plan.halo_lo[a] + setup->plan.halo_hi[a];
    for (uint32_t i = 0; i < setup->n_inputs; i++) {
        struct setup_input *in = &setup->inputs[i];
        struct dataset_info *info = in->info;
        bool direct = dataset_is_direct(info);
        if (setup->before) { /* it is computed in its place */
            setup->input_bytes += elements * swim_type_size(in->type);
            continue;
        }
        if (info->chunked && !direct)
            info->cache_bytes = chunk_cache(setup, info);
        /* Of one that grows, the last chunk of a state is another in the next one. */
        if (direct && !setup->job->follow && chunks_are_shared(setup, info))
            in->cache_bytes = cache_part(chunk_cache(setup, info), info);
        setup->cache_bytes += in->cache_bytes;
        setup->input_bytes += elements * swim_type_size(in->type) + info->cache_bytes +
                              in->cache_bytes +
                              elements * dataset_staged_bytes(info, in->type);
    }
}

/* Of the kernels before the last one, for one slice of that. */
static void chain_memory(struct setup *setup)
{
    for (struct setup *s = setup->before; s; s = s->before) {
        input_memory(s);
        for (uint32_t i = 0; i < s->n_outputs; i++)
            s->output_bytes +=
                setup_chain_elements(s) * swim_type_size(s->outputs[i].type);
        setup->input_bytes += s->input_bytes + s->output_bytes;
        setup->cache_bytes += s->cache_bytes;
    }
}

bool setup_chunk_cache(const struct setup *setup, uint32_t input, void *memory,
                       uint32_t n_readers, uint32_t reader, struct chunk_cache *out)
{
    const struct setup_input *in = &setup->inputs[input];
    char *at = memory;

    for (uint32_t i = 0; i < input; i++)
        at += n_readers * setup->inputs[i].cache_bytes;
    *out = (struct chunk_cache){
        .memory = at, .chunk_bytes = dataset_chunk_bytes(in->info), .user = reader};
    if (in->cache_bytes == 0)
        return false;
    out->n_entries = chunk_cache_entries(n_readers * in->cache_bytes, out->chunk_bytes);
    return out->n_entries > 0;
}

/* Accumulators twice, for when they are merged; or the rows of a block, and where those
 * of each are. */
static uint64_t merge_bytes(const struct setup *setup)
{
    if (setup->table.most_rows)
        return setup->acc_bytes + setup->blocks.n * ROWS_ENTRY_BYTES +
               rows_cache_bytes(setup);
    return 2 * setup->acc_bytes;
}

uint64_t setup_reader_bytes(const struct setup *setup)
{
    return setup->input_bytes + setup->output_bytes + merge_bytes(setup) +
           setup->slot_bytes;
}

static uint64_t chunk_bytes(uint32_t ndim, const uint64_t *chunk, enum swim_type type)
{
    uint64_t bytes = swim_type_size(type);

    for (uint32_t a = 0; a < ndim; a++)
        bytes *= chunk[a];
    return bytes;
}

/* What a reader has beside blocks. */
static uint64_t filter_bytes(const struct setup *setup)
{
    const struct setup *first = setup_first(setup);
    uint64_t bytes = COMPRESSOR_BYTES * setup->n_outputs;

    for (uint32_t i = 0; i < first->n_inputs; i++) {
        const struct dataset_info *info = first->inputs[i].info;
        if (info->chunked)
            bytes += CHUNKS_FILTERED *
                     chunk_bytes(info->ndim, info->chunk, info->stored_type);
    }
    for (uint32_t i = 0; i < setup->n_outputs; i++) {
        const struct output_spec *spec = &setup->outputs[i].spec;
        if (spec->shuffle)
            bytes += chunk_bytes(spec->ndim, spec->chunk, spec->type);
    }
    return bytes;
}

/* The coordinates of all inputs: each process that knows the setup has its own. */
static uint64_t coordinate_bytes(const struct setup *setup)
{
    uint64_t bytes = setup->before ? coordinate_bytes(setup->before) : 0;

    for (uint32_t i = 0; i < setup->n_inputs; i++) {
        const struct dataset_info *info = setup->inputs[i].info;
        for (uint32_t a = 0; info->axes && a < info->ndim; a++)
            if (info->axes[a].values)
                bytes += info->axes[a].length * sizeof(double);
    }
    return bytes;
}

uint64_t setup_rank_bytes(const struct setup *setup, uint32_t n_readers,
                          uint32_t slots_each)
{
    uint64_t reader = setup_reader_bytes(setup) + (slots_each - 1) * setup->slot_bytes +
                      filter_bytes(setup);

    return PROGRAM_BYTES + (PROCESSES_BESIDE + n_readers) * PROCESS_BYTES +
           n_readers * reader + (2 + n_readers) * coordinate_bytes(setup);
}

static uint64_t slots_most(const struct setup *setup)
{
    uint64_t pages = (setup->slot_bytes + PAGE_BYTES - 1) / PAGE_BYTES;
    uint64_t small = SLOTS_BYTES / (pages * PAGE_BYTES);

    if (small > SLOTS_MOST)
        small = SLOTS_MOST;
    return small > SLOTS_LEAST ? small : SLOTS_LEAST;
}

int setup_divide_memory(const struct setup *setup, uint32_t *readers, bool fewer,
                        uint32_t *slots_each, swim_error_t *err)
{
    uint64_t memory = setup->job->memory_bytes;
    uint64_t each = setup_reader_bytes(setup);

    if (*readers > memory / each && fewer)
        *readers = (uint32_t)(memory / each);
    if (*readers > memory / each)
        return swim_error_set(
            err, SWIM_ERR_ARG,
            "%u readers need %llu MiB each, the memory budget is %llu "
            "MiB: give \"memory\" more, or fewer --readers",
            *readers, (unsigned long long)(each >> 20) + 1,
            (unsigned long long)(memory >> 20));
    uint64_t most = slots_most(setup);
    uint64_t more = (memory / *readers - each) / setup->slot_bytes;
    *slots_each = (uint32_t)(more + 1 < most ? more + 1 : most);
    return SWIM_OK;
}

/* In floating point: with hostile sizes the sums would not fit into integers, and none
 * of them is made before this has been looked at. */
static double rough_bytes(const struct setup *setup)
{
    double inputs = 0, elements = 1;

    for (uint32_t a = 0; a < setup->blocks.ndim; a++)
        elements *= (double)setup_input_length(setup, a, setup->slice[a]) +
                    setup->plan.halo_lo[a] + setup->plan.halo_hi[a];
    for (uint32_t i = 0; i < setup->n_inputs; i++)
        inputs += elements * (double)swim_type_size(setup->inputs[i].type);
    double all = inputs + 2 * (double)setup->acc_bytes;
    const struct setup_table *t = &setup->table;
    double rows = (double)(t->part_rows > t->block_rows ? t->part_rows : t->block_rows);
    if (t->most_rows)
        all += ROWS_ENTRY_BYTES * (double)setup->blocks.n;
    for (uint32_t i = 0; i < setup->n_outputs; i++) {
        const struct output_spec *spec = &setup->outputs[i].spec;
        double bytes = (double)swim_type_size(spec->type);
        for (uint32_t d = 0; d < spec->ndim; d++) {
            const struct swim_output *planned = &setup->outputs[i].planned;
            int32_t a = planned->from_axis[d];
            bytes *= d == 0 && t->most_rows ? rows
                     : a < 0                ? (double)spec->shape[d]
                     : setup->blocks.reduced[a]
                         ? 1
                         : (double)setup->blocks.size[a] /
                               (double)setup_output_ratio(planned, d);
        }
        all += 3 * bytes; /* the kernel's, stored, encoded */
    }
    return all;
}

static int refuse_memory(const struct setup *setup, double bytes, swim_error_t *err)
{
    const double most = 9e18;
    char need[32], have[32];

    return swim_error_set(
        err, SWIM_ERR_ARG,
        "%s: one block needs %s of memory, the budget is %s: give "
        "\"memory\" more, or %s",
        setup->job->path,
        swim_text_bytes((uint64_t)(bytes < most ? bytes : most), need, sizeof(need)),
        swim_text_bytes(setup->job->memory_bytes, have, sizeof(have)),
        setup->job->n_block ? "a smaller \"block\"" : "the outputs smaller \"chunks\"");
}

int setup_plan_memory(struct setup *setup, swim_error_t *err)
{
    double budget = (double)setup->job->memory_bytes;
    double rough = rough_bytes(setup) + setup_chain_slices(setup);

    if (rough > budget)
        return refuse_memory(setup, rough, err);
    int rc = output_memory(setup, err);
    if (rc != SWIM_OK)
        return rc;
    input_memory(setup);
    chain_memory(setup);
    if (setup_reader_bytes(setup) > setup->job->memory_bytes)
        return refuse_memory(setup, (double)setup_reader_bytes(setup), err);
    return SWIM_OK;
}
