/* probe_compute.c - the blocks of a run, in guarded buffers, as a reader of a job
 * computes them. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "batch/edges.h"
#include "cli/probe_child.h"
#include "store/codec.h"

#define ACC_ALIGNMENT 16 /* as malloc() gives them */

/* --- Buffers -------------------------------------------------------------------------
 */

static int buffer_add(struct probe_child *c, const char *what, const char *name,
                      size_t element, uint64_t most, struct probe_buffer **out,
                      swim_error_t *err)
{
    struct probe_buffer *b = &c->shared->buffers[c->shared->n_buffers];

    memset(b, 0, sizeof(*b));
    snprintf(b->name, sizeof(b->name), "%s%.50s", what, name);
    b->element = element;
    if (out)
        *out = b;
    int rc = probe_buffer_create(b, most * element, err);
    if (rc == SWIM_OK) {
        probe_buffer_place(b, 0, element, true);
        c->shared->n_buffers++;
    }
    return rc;
}

static int acc_buffers(struct probe_child *c, swim_error_t *err)
{
    struct setup *setup = c->setup;
    struct block_range tile;

    blocks_tile_range(&setup->blocks, 0, &tile);
    work_set_range(c->work, setup, 0, &tile);
    child_at(c, 0, setup->blocks.n_tiles, &tile);
    child_calls(c, PROBE_CALL_ACC_BYTES);
    setup->acc_bytes = setup->kernel->api.acc_bytes(setup->state, &c->work->block);
    if (setup->acc_bytes == 0 || setup->acc_bytes > PROBE_ACCS / setup->blocks.n)
        return swim_error_set(err, SWIM_ERR_KERNEL,
                              "says %" PRIu64 " bytes; there must be some, and room "
                              "for %" PRIu64 " accumulators here",
                              setup->acc_bytes, setup->blocks.n);
    int rc = buffer_add(c, "the accumulator", "", 1, setup->acc_bytes, &c->acc, err);
    if (rc == SWIM_OK)
        rc = buffer_add(c, "the other accumulator", "", 1, setup->acc_bytes, &c->other,
                        err);
    return rc;
}

int probe_compute_buffers(struct probe_child *c, swim_error_t *err)
{
    struct setup *setup = c->setup;
    struct block_range first, out;
    uint64_t shape[SWIM_NDIM_MAX], elements = 0;
    int rc = SWIM_OK;

    c->in = c->shared->buffers;
    c->out = c->in + setup->n_inputs;
    c->shared->n_buffers = 0;
    blocks_range(&setup->blocks, 0, &first);
    (void)work_buffer_shape(c->work, setup, &first, shape, &elements);
    for (uint32_t i = 0; rc == SWIM_OK && i < setup->n_inputs; i++) {
        size_t size = swim_type_size(setup->inputs[i].type);
        rc = buffer_add(c, "input ", setup->inputs[i].field.port, size, elements, NULL,
                        err);
        if (rc == SWIM_OK)
            rc = probe_subject_values(c->p, c->run, setup, i, &c->values[i], err);
        if (rc == SWIM_OK)
            rc =
                codec_convert(SWIM_TYPE_F64, &setup->plan.edge_value,
                              setup->inputs[i].type, c->constants[i], 1, false, 0, err);
    }
    blocks_tile_range(&setup->blocks, 0, &first);
    for (uint32_t i = 0; rc == SWIM_OK && i < setup->n_outputs; i++) {
        setup_output_range(&setup->outputs[i], &first, &out);
        rc =
            buffer_add(c, "output ", setup->kernel->outputs[i].name,
                       swim_type_size(setup->outputs[i].type), out.elements, NULL, err);
    }
    if (rc == SWIM_OK && setup->kernel->api.kind == SWIM_KERNEL_REDUCE)
        rc = acc_buffers(c, err);
    return rc;
}

/* --- Inputs and outputs --------------------------------------------------------------
 */

/* A box between two C arrays, row by row along the last axis. */
struct box {
    uint32_t ndim;
    size_t element;
    const uint64_t *count;
    const char *from;
    const uint64_t *from_shape, *from_start;
    char *to;
    const uint64_t *to_shape, *to_start;
};

static uint64_t box_place(uint32_t ndim, const uint64_t *shape, const uint64_t *start,
                          const uint64_t *at)
{
    uint64_t place = 0;

    for (uint32_t a = 0; a < ndim; a++)
        place = place * shape[a] + (start ? start[a] : 0) + at[a];
    return place;
}

static void box_copy(const struct box *box)
{
    uint64_t at[SWIM_NDIM_MAX] = {0};
    uint64_t row = box->ndim ? box->count[box->ndim - 1] : 1;

    for (;;) {
        uint64_t from = box_place(box->ndim, box->from_shape, box->from_start, at);
        uint64_t to = box_place(box->ndim, box->to_shape, box->to_start, at);
        memcpy(box->to + to * box->element, box->from + from * box->element,
               row * box->element);
        uint32_t a = box->ndim ? box->ndim - 1 : 0;
        while (a-- > 0 && ++at[a] == box->count[a])
            at[a] = 0;
        if (a == UINT32_MAX)
            return;
    }
}

struct whole {
    const struct probe_child *c;
    uint32_t input;
};

static int read_whole(void *from, const uint64_t *start, const uint64_t *count,
                      void *buf, const uint64_t *buf_shape, const uint64_t *buf_start,
                      swim_error_t *err)
{
    const struct whole *w = from;
    const struct setup *setup = w->c->setup;
    const struct box box = {.ndim = setup->blocks.ndim,
                            .element = swim_type_size(setup->inputs[w->input].type),
                            .count = count,
                            .from = w->c->values[w->input],
                            .from_shape = w->c->p->shape,
                            .from_start = start,
                            .to = buf,
                            .to_shape = buf_shape,
                            .to_start = buf_start};

    (void)err;
    box_copy(&box);
    return SWIM_OK;
}

/* The inputs of a range, with halo, where nobody may write. */
static int inputs_fill(struct probe_child *c, uint64_t index,
                       const struct block_range *range, swim_error_t *err)
{
    const struct setup *setup = c->setup;
    uint64_t shape[SWIM_NDIM_MAX], elements;
    struct block_range rows;
    int rc = SWIM_OK;

    setup_input_range(setup, range, &rows);
    work_set_range(c->work, setup, index, range);
    uint64_t first = work_buffer_shape(c->work, setup, range, shape, &elements);
    for (uint32_t i = 0; rc == SWIM_OK && i < setup->n_inputs; i++) {
        struct probe_buffer *b = &c->in[i];
        struct whole whole = {c, i};
        const struct edges edges = {.ndim = setup->blocks.ndim,
                                    .extent = c->p->shape,
                                    .halo_lo = setup->plan.halo_lo,
                                    .halo_hi = setup->plan.halo_hi,
                                    .mode = setup->plan.edge,
                                    .constant = c->constants[i],
                                    .element_size = (uint32_t)b->element};
        probe_buffer_protect(b, false);
        probe_buffer_place(b, elements * b->element, b->element, c->run->from_start);
        b->origin = first;
        rc = edges_read(&edges, &rows, b->data, read_whole, &whole, err);
        c->work->inputs[i].array.data = b->data + first * b->element;
        probe_buffer_protect(b, true);
    }
    return rc;
}

static void outputs_place(struct probe_child *c)
{
    for (uint32_t i = 0; i < c->setup->n_outputs; i++) {
        struct probe_buffer *b = &c->out[i];
        probe_buffer_place(b, c->work->outputs[i].array.count * b->element, b->element,
                           c->run->from_start);
        memset(b->data, c->run->pattern, b->bytes);
        c->work->outputs[i].array.data = b->data;
    }
}

static void outputs_keep(struct probe_child *c, const struct block_range *range)
{
    static const uint64_t zeros[SWIM_NDIM_MAX];
    const struct setup *setup = c->setup;

    for (uint32_t i = 0; i < setup->n_outputs; i++) {
        struct block_range out;
        setup_output_range(&setup->outputs[i], range, &out);
        const struct box box = {
            .ndim = setup->outputs[i].spec.ndim,
            .element = c->out[i].element,
            .count = out.count,
            .from = c->out[i].data,
            .from_shape = out.count,
            .from_start = zeros,
            .to = c->results + probe_output_at(&c->p->planned, i),
            .to_shape = setup->outputs[i].spec.shape,
            .to_start = out.start,
        };
        box_copy(&box);
    }
}

/* --- Map, stencil, window, filter ----------------------------------------------------
 */

static uint64_t in_order(const struct probe_child *c, uint64_t k, uint64_t n)
{
    return c->run->order == PROBE_REVERSE ? n - 1 - k : k;
}

static int block_apply(struct probe_child *c, uint64_t block, swim_error_t *err)
{
    const struct setup *setup = c->setup;
    struct block_range range;
    swim_error_t said = {0};

    blocks_range(&setup->blocks, block, &range);
    int rc = inputs_fill(c, block, &range, err);
    if (rc != SWIM_OK)
        return rc;
    outputs_place(c);
    child_at(c, block, setup->blocks.n, &range);
    child_calls(c, PROBE_CALL_APPLY);
    rc = setup->kernel->api.apply(setup->state, &c->work->block, &said);
    rc = child_returned(c, rc, &said, err);
    if (rc == SWIM_OK && c->parts)
        return probe_table_keep(c, block, err);
    if (rc == SWIM_OK)
        outputs_keep(c, &range);
    return rc;
}

int probe_compute_apply(struct probe_child *c, swim_error_t *err)
{
    const uint64_t n = c->setup->blocks.n;
    int rc = SWIM_OK;

    if (c->setup->kernel->api.kind == SWIM_KERNEL_FILTER)
        rc = probe_table_create(c, err);
    for (uint64_t k = 0; rc == SWIM_OK && k < n; k++) {
        if (c->run->order == PROBE_ANEW && k > 0)
            rc = child_anew(c, err);
        if (rc == SWIM_OK)
            rc = block_apply(c, in_order(c, k, n), err);
        if (rc == SWIM_OK && c->run->order == PROBE_TWICE)
            rc = block_apply(c, in_order(c, k, n), err);
    }
    if (rc == SWIM_OK && c->parts)
        probe_table_close_up(c);
    return rc;
}

/* --- Reduce --------------------------------------------------------------------------
 */

static char *acc_kept(const struct probe_child *c, uint64_t block)
{
    return c->p->accs + block * c->setup->acc_bytes;
}

/* An accumulator for the outputs of the block that work describes. */
static int acc_place(struct probe_child *c, struct probe_buffer *acc, swim_error_t *err)
{
    const struct setup *setup = c->setup;

    child_calls(c, PROBE_CALL_ACC_BYTES);
    uint64_t bytes = setup->kernel->api.acc_bytes(setup->state, &c->work->block);
    if (bytes > setup->acc_bytes || bytes == 0) {
        c->end = PROBE_WRONG;
        return swim_error_set(err, SWIM_ERR_KERNEL,
                              "says %" PRIu64 " bytes, for the first, which has the "
                              "most outputs, %" PRIu64,
                              bytes, setup->acc_bytes);
    }
    probe_buffer_protect(acc, false);
    probe_buffer_place(acc, bytes, ACC_ALIGNMENT, c->run->from_start);
    memset(acc->data, 0, bytes);
    return SWIM_OK;
}

static int block_add(struct probe_child *c, uint64_t block, swim_error_t *err)
{
    const struct setup *setup = c->setup;
    struct block_range range;
    swim_error_t said = {0};

    blocks_range(&setup->blocks, block, &range);
    int rc = inputs_fill(c, block, &range, err);
    if (rc != SWIM_OK)
        return rc;
    child_at(c, block, setup->blocks.n, &range);
    child_calls(c, PROBE_CALL_PARTIAL);
    rc = setup->kernel->api.partial(setup->state, &c->work->block, c->acc->data, &said);
    return child_returned(c, rc, &said, err);
}

static int block_partial(struct probe_child *c, uint64_t block, swim_error_t *err)
{
    struct block_range range;

    blocks_range(&c->setup->blocks, block, &range);
    work_set_range(c->work, c->setup, block, &range);
    child_at(c, block, c->setup->blocks.n, &range);
    int rc = acc_place(c, c->acc, err);
    if (rc == SWIM_OK)
        rc = block_add(c, block, err);
    if (rc == SWIM_OK)
        memcpy(acc_kept(c, block), c->acc->data, c->acc->bytes);
    return rc;
}

static int tile_finish(struct probe_child *c, const struct block_range *tile,
                       swim_error_t *err)
{
    const struct setup *setup = c->setup;
    swim_error_t said = {0};

    outputs_place(c);
    probe_buffer_protect(c->acc, true);
    child_calls(c, PROBE_CALL_FINISH);
    int rc =
        setup->kernel->api.finish(setup->state, &c->work->block, c->acc->data, &said);
    rc = child_returned(c, rc, &said, err);
    if (rc == SWIM_OK)
        outputs_keep(c, tile);
    return rc;
}

static int tile_begin(struct probe_child *c, uint64_t number, struct block_range *tile,
                      swim_error_t *err)
{
    blocks_tile_range(&c->setup->blocks, number, tile);
    work_set_range(c->work, c->setup, number, tile);
    child_at(c, number, c->setup->blocks.n_tiles, tile);
    return acc_place(c, c->acc, err);
}

static int tile_merge(struct probe_child *c, uint64_t number, swim_error_t *err)
{
    const struct setup *setup = c->setup;
    const uint64_t first = number * setup->blocks.n_segments;
    struct block_range tile;
    int rc = tile_begin(c, number, &tile, err);

    if (rc != SWIM_OK)
        return rc;
    memcpy(c->acc->data, acc_kept(c, first), c->acc->bytes);
    for (uint64_t s = 1; rc == SWIM_OK && s < setup->blocks.n_segments; s++) {
        swim_error_t said = {0};
        rc = acc_place(c, c->other, err);
        if (rc != SWIM_OK)
            return rc;
        memcpy(c->other->data, acc_kept(c, first + s), c->other->bytes);
        probe_buffer_protect(c->other, true);
        child_calls(c, PROBE_CALL_MERGE);
        rc = setup->kernel->api.merge(setup->state, &c->work->block, c->acc->data,
                                      c->other->data, &said);
        rc = child_returned(c, rc, &said, err);
    }
    return rc == SWIM_OK ? tile_finish(c, &tile, err) : rc;
}

static int tile_slices(struct probe_child *c, uint64_t number, swim_error_t *err)
{
    const struct setup *setup = c->setup;
    const uint64_t first = number * setup->blocks.n_segments;
    struct block_range tile;
    int rc = tile_begin(c, number, &tile, err);

    for (uint64_t s = 0; rc == SWIM_OK && s < setup->blocks.n_segments; s++)
        rc = block_add(c, first + s, err);
    work_set_range(c->work, setup, number, &tile);
    child_at(c, number, setup->blocks.n_tiles, &tile);
    return rc == SWIM_OK ? tile_finish(c, &tile, err) : rc;
}

/* step(), of n, in the order of the run. */
static int reduce_each(struct probe_child *c, uint64_t n,
                       int (*step)(struct probe_child *c, uint64_t number,
                                   swim_error_t *err),
                       swim_error_t *err)
{
    int rc = SWIM_OK;

    for (uint64_t k = 0; rc == SWIM_OK && k < n; k++) {
        if (c->run->order == PROBE_ANEW && k > 0)
            rc = child_anew(c, err);
        if (rc == SWIM_OK)
            rc = step(c, in_order(c, k, n), err);
        if (rc == SWIM_OK && c->run->order == PROBE_TWICE)
            rc = step(c, in_order(c, k, n), err);
    }
    return rc;
}

int probe_compute_reduce(struct probe_child *c, swim_error_t *err)
{
    const struct blocks *b = &c->setup->blocks;
    int rc = SWIM_OK;

    if (c->run->parts == PROBE_SLICES)
        return reduce_each(c, b->n_tiles, tile_slices, err);
    if (c->run->parts != PROBE_MERGES)
        rc = reduce_each(c, b->n, block_partial, err);
    if (rc == SWIM_OK && c->run->parts != PROBE_PARTIALS)
        rc = reduce_each(c, b->n_tiles, tile_merge, err);
    return rc;
}
