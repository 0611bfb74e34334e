/* setup_blocks.c - the blocks of a job. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "batch/setup.h"
#include "batch/work.h"

#define BLOCK_BYTES_MOST ((uint64_t)16 << 20)
#define BLOCK_CACHED ((uint64_t)2 << 20) /* stays in a processor's second cache */
#define BLOCKS_WANTED 64
#define BLOCKS_FEW 8 /* fewer than this leave processors idle, whatever more cost */
#define PARTIALS_FREE ((uint64_t)16 << 20)
#define PARTIALS_SHARE 16 /* of the input, or more: they cost next to nothing */

/* Blocks as large as the budget allows, for what windows share is read by each. */
static void wish_windows(const struct setup *setup, struct blocks_wish *wish)
{
    const struct setup_window *w = &setup->window;

    wish->most_bytes = setup->job->memory_bytes / SETUP_BUDGET_SHARE;
    if (w->whole)
        wish->base[w->axis] = setup->blocks.extent[w->axis];
    for (uint32_t i = 0; !w->whole && i < setup->n_inputs; i++)
        wish->window_bytes += swim_type_size(setup->inputs[i].type);
    wish->window_axis = w->axis;
    wish->window_step = w->step;
    wish->window_halo =
        (uint64_t)setup->plan.halo_lo[w->axis] + setup->plan.halo_hi[w->axis];
    wish->window_bytes += w->whole ? 0 : setup_chain_element_bytes(setup);
    if (w->step == 1 && wish->window_halo == 0)
        wish->window_bytes = 0;
}

/* Bytes of one row of a table, as the outputs store it. */
static uint64_t row_bytes_of(const struct setup_output *out)
{
    uint64_t bytes = swim_type_size(out->spec.type);

    for (uint32_t d = 1; d < out->spec.ndim; d++)
        bytes *= out->spec.shape[d];
    return bytes;
}

/* A row for each element, as the kernel writes it and as it is stored; whole chunks of
 * the inputs, as far as they are not too large. */
static void wish_table(const struct setup *setup, struct blocks_wish *wish)
{
    const struct dataset_info *first = setup->inputs[0].info;
    double bytes;

    for (uint32_t i = 0; i < setup->n_outputs; i++)
        wish->element_bytes += 2 * row_bytes_of(&setup->outputs[i]);
    bytes = (double)wish->element_bytes;
    for (uint32_t a = 0; a < first->ndim; a++) {
        wish->base[a] =
            wish->chunk[a] < first->shape[a] ? wish->chunk[a] : first->shape[a];
        bytes *= (double)wish->base[a];
    }
    /* Those of one chunk follow each other when they are cut along its last axes. */
    for (uint32_t a = first->ndim; a-- > 0;)
        while (wish->base[a] > 1 && bytes > (double)wish->most_bytes) {
            uint64_t half = (wish->base[a] + 1) / 2;
            bytes *= (double)half / (double)wish->base[a];
            wish->base[a] = half;
        }
}

/* Of how many rows a part of the table is: whole chunks of all outputs, and about as
 * large as a block. */
static int plan_parts(struct setup *setup, const struct blocks_wish *wish,
                      swim_error_t *err)
{
    struct setup_table *t = &setup->table;
    struct block_range first;

    blocks_range(&setup->blocks, 0, &first);
    t->block_rows = first.elements;
    t->part_rows = 1;
    for (uint32_t i = 0; i < setup->n_outputs; i++) {
        t->row_bytes += row_bytes_of(&setup->outputs[i]);
        t->part_rows =
            blocks_lcm(t->part_rows, setup->outputs[i].spec.chunk[0], t->most_rows);
    }
    while (t->part_rows < t->most_rows &&
           2 * (double)t->part_rows * (double)t->row_bytes <= (double)wish->most_bytes)
        t->part_rows *= 2;
    if (__builtin_mul_overflow(t->block_rows, t->row_bytes, &setup->acc_bytes))
        return swim_error_set(err, SWIM_ERR_KERNEL,
                              "kernel %s plans rows of %" PRIu64 " bytes",
                              setup->kernel->api.name, t->row_bytes);
    return SWIM_OK;
}

static void wish_of(const struct setup *setup, struct blocks_wish *wish)
{
    const struct dataset_info *first = setup->inputs[0].info;
    uint64_t share = setup->job->memory_bytes / SETUP_BUDGET_SHARE;

    *wish = (struct blocks_wish){
        .most_bytes = share < BLOCK_BYTES_MOST ? share : BLOCK_BYTES_MOST,
        .fewest = BLOCKS_WANTED,
    };
    for (uint32_t a = 0; a < first->ndim; a++) {
        wish->base[a] = 1;
        wish->chunk[a] = first->chunked ? first->chunk[a] : 1;
    }
    wish->element_bytes = setup_chain_element_bytes(setup);
    for (uint32_t i = 0; i < setup->n_inputs; i++)
        wish->element_bytes += swim_type_size(setup->inputs[i].type);
    for (uint32_t i = 0; i < setup->n_outputs; i++) {
        const struct setup_output *out = &setup->outputs[i];
        wish->element_bytes += swim_type_size(out->type);
        for (uint32_t d = 0; d < out->spec.ndim; d++) {
            int32_t a = out->planned.from_axis[d];
            uint64_t base;
            if (a < 0)
                continue;
            if (__builtin_mul_overflow(out->spec.chunk[d],
                                       setup_output_ratio(&out->planned, d), &base))
                base = setup->blocks.extent[a];
            wish->base[a] = blocks_lcm(wish->base[a], base, setup->blocks.extent[a]);
        }
    }
    bool alone = setup->kernel->api.kind == SWIM_KERNEL_MAP && !setup->before;
    if (alone && wish->most_bytes > BLOCK_CACHED)
        wish->most_bytes = BLOCK_CACHED;
    if (setup->window.step)
        wish_windows(setup, wish);
    if (setup->table.most_rows)
        wish_table(setup, wish);
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
        uint64_t base = b->reduced[a] || setup->table.most_rows ? 1 : wish->base[a];
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

static double tiles_of(const struct blocks *b)
{
    double tiles = 1;

    for (uint32_t a = 0; a < b->ndim; a++)
        if (!b->reduced[a])
            tiles *= (double)blocks_parts(b, a);
    return tiles;
}

/* Make more tiles for parallel work, which cost nothing while no chunk of an input or
 * an output is in two of them, and rows that are contiguous stay whole. */
static void split_tiles(struct blocks *b, const struct blocks_wish *wish)
{
    uint32_t a = 0;

    while (a < b->ndim && tiles_of(b) < BLOCKS_WANTED) {
        uint64_t unit = blocks_lcm(wish->base[a], wish->chunk[a], b->extent[a]);
        bool whole = b->reduced[a] || b->size[a] <= unit ||
                     (a == b->ndim - 1 && wish->chunk[a] == 1);
        uint64_t units = (b->size[a] + unit - 1) / unit;
        if (whole)
            a++;
        else
            b->size[a] = (units + 1) / 2 * unit;
    }
}

/* Cut the first reduced axis into segments, for parallel work where there are few
 * tiles; their accumulators should cost little beside reading the input, and must not
 * cost more. */
static void choose_segments(struct setup *setup, const struct blocks_wish *wish)
{
    struct blocks *b = &setup->blocks;
    double input = 0, tiles = tiles_of(b);
    uint32_t axis = b->ndim;

    for (uint32_t i = 0; i < setup->n_inputs; i++)
        input += (double)swim_type_size(setup->inputs[i].type);
    for (uint32_t a = b->ndim; a-- > 0;) {
        input *= (double)b->extent[a];
        if (b->reduced[a])
            axis = a;
    }
    if (axis == b->ndim || tiles >= BLOCKS_WANTED)
        return;
    double each = (double)setup->acc_bytes * tiles + 1;
    double free = (double)PARTIALS_FREE, share = input / PARTIALS_SHARE;
    double cheap = (share > free ? share : free) / each;
    double dear = (input > free ? input : free) / each, few = BLOCKS_FEW / tiles;
    double most = dear < few ? dear : few;
    most = cheap > most ? cheap : most;
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
        if (rc == SWIM_OK)
            setup->acc_bytes = acc_bytes_of_tile(setup, work);
    } else {
        for (uint32_t a = 0; a < b->ndim; a++)
            b->size[a] = b->extent[a];
        shrink_tiles(setup, wish, work);
        split_tiles(b, wish);
        setup->acc_bytes = acc_bytes_of_tile(setup, work);
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
    if (setup->table.most_rows) {
        const struct setup_table *t = &setup->table;
        setup->n_phases = 2;
        setup->phases[0] = SETUP_PARTIAL;
        setup->phases[1] = SETUP_MERGE;
        setup->phase_blocks[1] = (t->most_rows - 1) / t->part_rows + 1;
    }
}

int setup_check_halo(const struct setup *setup, swim_error_t *err)
{
    const struct dataset_info *first = setup->inputs[0].info;
    enum swim_kernel_kind kind = setup->kernel->api.kind;
    bool stencil = kind == SWIM_KERNEL_STENCIL || kind == SWIM_KERNEL_WINDOW;

    for (uint32_t a = 0; a < first->ndim; a++) {
        uint64_t halo = setup->plan.halo_lo[a] > setup->plan.halo_hi[a]
                            ? setup->plan.halo_lo[a]
                            : setup->plan.halo_hi[a];
        if ((halo && !stencil) || halo > (1U << 20))
            return swim_error_set(
                err, SWIM_ERR_KERNEL,
                "kernel %s (%s) plans a halo of %" PRIu64 " on axis %u",
                setup->kernel->api.name, kernel_kind_name(kind), halo, a);
    }
    return SWIM_OK;
}

int setup_plan_blocks(struct setup *setup, swim_error_t *err)
{
    const struct dataset_info *first = setup->inputs[0].info;
    bool reduce = setup->kernel->api.kind == SWIM_KERNEL_REDUCE;
    struct blocks *b = &setup->blocks;
    struct blocks_wish wish;
    int rc = setup_check_halo(setup, err);

    if (rc != SWIM_OK)
        return rc;
    b->ndim = first->ndim;
    for (uint32_t a = 0; a < b->ndim; a++) {
        b->extent[a] = first->shape[a];
        b->reduced[a] = setup->plan.reduced[a] != 0;
    }
    if (setup->window.step)
        b->extent[setup->window.axis] = setup->window.rows;
    wish_of(setup, &wish);
    if (setup->job->follow)
        b->extent[0] = setup_follow_block(setup, &wish);
    if (reduce)
        rc = plan_reduce(setup, &wish, err);
    else if (setup->job->n_block)
        rc = take_block(setup, &wish, err);
    else
        blocks_choose(b, &wish);
    if (rc == SWIM_OK)
        rc = blocks_count(b, err);
    if (rc == SWIM_OK && setup->table.most_rows)
        rc = plan_parts(setup, &wish, err);
    if (rc != SWIM_OK)
        return rc;
    plan_phases(setup);
    if (wish.most_bytes > BLOCK_CACHED)
        wish.most_bytes = BLOCK_CACHED;
    blocks_choose_slice(b, &wish, setup->slice);
    rc = setup_plan_memory(setup, err);
    return setup_goes_on(setup,
                         setup->job->n_block ? &setup->job->block_place
                                             : &setup->job->memory_place,
                         rc, err);
}
