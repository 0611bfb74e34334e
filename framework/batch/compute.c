/* compute.c - one block: read, run the kernel, convert, encode. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "batch/compute_private.h"
#include "core/meter.h"

static int output_elements(const struct setup_output *so, struct compute_output *o,
                           swim_error_t *err)
{
    const struct output_spec *spec = &so->spec;
    int rc = codec_convert(SWIM_TYPE_F64, &spec->fill, spec->type, o->fill, 1, false, 0,
                           err);

    if (rc == SWIM_OK)
        rc = codec_convert(SWIM_TYPE_F64, &so->missing, so->type, o->missing, 1, false,
                           0, err);
    return rc;
}

static int output_buffers(struct compute *c, uint32_t number, uint64_t elements,
                          swim_error_t *err)
{
    const struct setup_output *so = &c->setup->outputs[number];
    const struct output_spec *spec = &so->spec;
    struct compute_output *o = &c->out[number];
    size_t chunk = 1;

    o->element_size = swim_type_size(spec->type);
    for (uint32_t d = 0; d < spec->ndim; d++)
        chunk *= spec->chunk[d];
    o->chunk_bytes = chunk * o->element_size;
    if (so->in_slot)
        return output_elements(so, o, err);
    o->array = malloc(elements * swim_type_size(so->type));
    bool apart = so->type != spec->type || so->table;
    o->stored = apart
                    ? malloc(setup_stored_elements(c->setup, number) * o->element_size)
                    : o->array;
    o->chunk = malloc(o->chunk_bytes);
    if (!o->array || !o->stored || !o->chunk)
        return swim_error_set(err, SWIM_ERR_NOMEM, "buffers for output %s",
                              spec->dataset);
    int rc = codec_create(o->chunk_bytes, o->element_size, spec->shuffle, spec->deflate,
                          spec->fletcher32, &o->codec, err);
    return rc == SWIM_OK ? output_elements(so, o, err) : rc;
}

static int all_buffers(struct compute *c, swim_error_t *err)
{
    const struct setup *setup = c->setup;
    struct block_range tile, out;
    uint64_t elements = 1;
    int rc = SWIM_OK;

    for (uint32_t a = 0; a < setup->blocks.ndim; a++)
        elements *= setup_input_length(setup, a, setup->slice[a]) +
                    setup->plan.halo_lo[a] + setup->plan.halo_hi[a];
    for (uint32_t i = 0; i < setup->n_inputs; i++) {
        c->in[i] = malloc(elements * swim_type_size(setup->inputs[i].type));
        if (!c->in[i])
            return swim_error_set(err, SWIM_ERR_NOMEM, "buffer for input %s",
                                  setup->inputs[i].field.port);
    }
    blocks_tile_range(&setup->blocks, 0, &tile); /* the first is the largest */
    for (uint32_t i = 0; rc == SWIM_OK && i < setup->n_outputs; i++) {
        setup_output_range(&setup->outputs[i], &tile, &out);
        rc = output_buffers(c, i, out.elements, err);
    }
    if (rc == SWIM_OK && setup->acc_bytes) {
        c->acc = malloc(setup->acc_bytes);
        c->other = setup->table.most_rows ? NULL : malloc(setup->acc_bytes);
        if (!c->acc || (!c->other && !setup->table.most_rows))
            rc = swim_error_set(err, SWIM_ERR_NOMEM, "accumulators");
    }
    return rc;
}

int compute_create(const struct setup *setup, struct inputs *inputs,
                   struct region *region, uint32_t reader, struct compute **out,
                   swim_error_t *err)
{
    struct compute *c = calloc(1, sizeof(*c));
    int rc = SWIM_OK;

    *out = NULL;
    if (!c)
        return swim_error_set(err, SWIM_ERR_NOMEM, "buffers of a reader");
    c->setup = setup;
    c->inputs = inputs;
    c->region = region;
    c->counters = &region->counters;
    c->shared = region_reader(region, reader);
    c->in = calloc(setup->n_inputs, sizeof(*c->in));
    c->out = calloc(setup->n_outputs, sizeof(*c->out));
    if (!c->in || !c->out)
        rc = swim_error_set(err, SWIM_ERR_NOMEM, "buffers of a reader");
    if (rc == SWIM_OK)
        rc = work_create(setup, &c->work, err);
    if (rc == SWIM_OK)
        rc = all_buffers(c, err);
    if (rc == SWIM_OK)
        rc = chain_create(setup, region, reader, &c->chain, err);
    if (rc != SWIM_OK) {
        compute_destroy(c);
        return rc;
    }
    *out = c;
    return SWIM_OK;
}

void compute_destroy(struct compute *c)
{
    if (!c)
        return;
    for (uint32_t i = 0; c->in && i < c->setup->n_inputs; i++)
        free(c->in[i]);
    for (uint32_t i = 0; c->out && i < c->setup->n_outputs; i++) {
        codec_destroy(c->out[i].codec);
        bool own = c->setup->outputs[i].in_slot == 0;
        if (own && c->out[i].stored != c->out[i].array)
            free(c->out[i].stored);
        if (own)
            free(c->out[i].array);
        free(c->out[i].chunk);
    }
    work_destroy(c->work);
    chain_destroy(c->chain);
    free(c->in);
    free(c->out);
    free(c->acc);
    free(c->other);
    partials_close(c->partials);
    rows_close(c->rows);
    free(c);
}

/* --- inputs ------------------------------------------------------------------- */

void count_read(struct region_counters *counters, struct reader_shared *shared,
                uint64_t bytes)
{
    atomic_fetch_add(&counters->bytes_read, bytes);
    shared->bytes_in += bytes;
}

void count_made(struct compute *c, uint64_t bytes)
{
    atomic_fetch_add(&c->counters->bytes_written, bytes);
    c->shared->bytes_out += bytes;
}

static int read_range(struct compute *c, uint64_t index,
                      const struct block_range *range, swim_error_t *err)
{
    const struct setup *setup = c->setup;
    uint64_t shape[SWIM_NDIM_MAX], elements;

    (void)swim_meter_set(SWIM_AT_READ);
    int rc = inputs_begin(c->inputs, err);

    work_set_range(c->work, setup, index, range);
    uint64_t first = work_buffer_shape(c->work, setup, range, shape, &elements);
    if (rc == SWIM_OK && c->chain)
        rc = chain_read(c->chain, c->inputs, index, range, c->in, err);
    for (uint32_t i = 0; rc == SWIM_OK && i < setup->n_inputs; i++) {
        size_t size = swim_type_size(setup->inputs[i].type);
        c->work->inputs[i].array.data = (char *)c->in[i] + first * size;
        if (c->chain)
            continue;
        rc = inputs_read(c->inputs, i, range, c->in[i], err);
        count_read(c->counters, c->shared, elements * size);
    }
    if (rc == SWIM_OK)
        rc = inputs_check(c->inputs, err);
    (void)swim_meter_set(SWIM_AT_KERNEL);
    return rc;
}

static void point_outputs(struct compute *c, void *payload)
{
    for (uint32_t i = 0; i < c->setup->n_outputs; i++) {
        uint64_t in_slot = c->setup->outputs[i].in_slot;
        if (in_slot)
            c->out[i].array = c->out[i].stored = (char *)payload + in_slot;
        c->work->outputs[i].array.data = c->out[i].array;
    }
}

int block_failed(const struct setup *setup, const struct block_range *range,
                 uint64_t block, int code, const swim_error_t *said, swim_error_t *err)
{
    char offsets[256] = "", returned[120];

    snprintf(returned, sizeof(returned),
             "it returned %d (%s) and did not say why, as swim_error_set() would", code,
             swim_status_name(code));
    for (uint32_t a = 0; a < setup->blocks.ndim; a++) {
        size_t used = strlen(offsets);
        snprintf(offsets + used, sizeof(offsets) - used, "%s%" PRIu64 "+%" PRIu64,
                 a ? ", " : "", range->start[a], range->count[a]);
    }
    return swim_error_set(err, SWIM_ERR_KERNEL,
                          "kernel %s failed in block %" PRIu64 " (offset+count %s): %s",
                          setup->kernel->api.name, block, offsets,
                          said->text[0] ? said->text : returned);
}

int kernel_failed(const struct compute *c, const struct block_range *range,
                  uint64_t block, int code, const swim_error_t *said, swim_error_t *err)
{
    return block_failed(c->setup, range, block, code, said, err);
}

/* --- reduce ------------------------------------------------------------------- */

/* The next slice of a block in C order over its reduced axes; false: that was the last.
 */
static bool next_slice(const struct setup *setup, const struct block_range *block,
                       struct block_range *slice)
{
    for (uint32_t i = 0; i < setup->blocks.ndim; i++) {
        uint32_t a = setup->blocks.ndim - 1 - i;
        uint64_t end = block->start[a] + block->count[a];
        if (!setup->blocks.reduced[a])
            continue;
        slice->start[a] += slice->count[a];
        bool more = slice->start[a] < end;
        if (!more)
            slice->start[a] = block->start[a];
        uint64_t left = end - slice->start[a];
        slice->count[a] = left < setup->slice[a] ? left : setup->slice[a];
        if (more)
            return true;
    }
    return false;
}

static int sum_block(struct compute *c, uint64_t block, struct block_range *range,
                     swim_error_t *err)
{
    const struct setup *setup = c->setup;
    const struct swim_kernel *k = &setup->kernel->api;
    struct block_range slice;
    int rc = SWIM_OK;

    blocks_range(&setup->blocks, block, range);
    slice = *range;
    for (uint32_t a = 0; a < setup->blocks.ndim; a++)
        if (setup->blocks.reduced[a] && slice.count[a] > setup->slice[a])
            slice.count[a] = setup->slice[a];
    memset(c->acc, 0, setup->acc_bytes);
    do {
        swim_error_t said = {0};
        slice.elements = 1;
        for (uint32_t a = 0; a < setup->blocks.ndim; a++)
            slice.elements *= slice.count[a];
        rc = read_range(c, block, &slice, err);
        if (rc != SWIM_OK)
            return rc;
        rc = k->partial(setup->state, &c->work->block, c->acc, &said);
        if (rc != SWIM_OK)
            return kernel_failed(c, &slice, block, rc, &said, err);
    } while (next_slice(setup, range, &slice));
    return SWIM_OK;
}

static int finish_tile(struct compute *c, uint64_t tile, void *payload,
                       swim_error_t *err)
{
    const struct setup *setup = c->setup;
    struct block_range range;
    swim_error_t said = {0};

    blocks_tile_range(&setup->blocks, tile, &range);
    work_set_range(c->work, setup, tile, &range);
    point_outputs(c, payload);
    int rc = setup->kernel->api.finish(setup->state, &c->work->block, c->acc, &said);
    if (rc != SWIM_OK)
        return kernel_failed(c, &range, tile, rc, &said, err);
    return SWIM_OK;
}

/* In the order of the segments, whoever computed them: the same sums every time. */
static int merge_tile(struct compute *c, uint64_t tile, void *payload,
                      swim_error_t *err)
{
    const struct setup *setup = c->setup;
    uint64_t first = tile * setup->blocks.n_segments;
    struct block_range range;
    int rc = SWIM_OK;

    if (!c->partials)
        rc = partials_open(setup, &setup->access, &c->partials, err);
    if (rc == SWIM_OK)
        rc = partials_read(c->partials, first, c->acc, err);
    (void)swim_meter_set(SWIM_AT_KERNEL);
    blocks_tile_range(&setup->blocks, tile, &range);
    work_set_range(c->work, setup, tile, &range);
    for (uint64_t s = 1; rc == SWIM_OK && s < setup->blocks.n_segments; s++) {
        swim_error_t said = {0};
        (void)swim_meter_set(SWIM_AT_READ);
        rc = partials_read(c->partials, first + s, c->other, err);
        (void)swim_meter_set(SWIM_AT_KERNEL);
        if (rc != SWIM_OK)
            return rc;
        rc = setup->kernel->api.merge(setup->state, &c->work->block, c->acc, c->other,
                                      &said);
        if (rc != SWIM_OK)
            return kernel_failed(c, &range, tile, rc, &said, err);
    }
    return rc == SWIM_OK ? finish_tile(c, tile, payload, err) : rc;
}

static int store_outputs(struct compute *c, const struct block_range *range,
                         void *payload, uint64_t room, uint64_t *n_bytes,
                         swim_error_t *err)
{
    const struct setup *setup = c->setup;
    int rc = SWIM_OK;

    (void)swim_meter_set(SWIM_AT_ENCODE);
    *n_bytes = 0;
    for (uint32_t i = 0; rc == SWIM_OK && i < setup->n_outputs; i++) {
        struct block_range out;
        setup_output_range(&setup->outputs[i], range, &out);
        rc = store_elements(c, i, out.elements, err);
        if (rc == SWIM_OK)
            rc = encode_chunks(c, i, &out, payload, room, n_bytes, err);
        count_made(c, out.elements * c->out[i].element_size);
    }
    return rc;
}

static int apply_block(struct compute *c, uint64_t block, void *payload,
                       struct block_range *range, swim_error_t *err)
{
    const struct setup *setup = c->setup;
    swim_error_t said = {0};

    blocks_range(&setup->blocks, block, range);
    int rc = read_range(c, block, range, err);
    if (rc != SWIM_OK)
        return rc;
    point_outputs(c, payload);
    rc = setup->kernel->api.apply(setup->state, &c->work->block, &said);
    return rc == SWIM_OK ? rc : kernel_failed(c, range, block, rc, &said, err);
}

void compute_take_inputs(struct compute *c, struct inputs *inputs)
{
    c->inputs = inputs;
}

int compute_coordinates(struct compute *c, uint64_t block, void *payload, uint64_t room,
                        uint64_t *n_bytes, swim_error_t *err)
{
    const struct setup_input *first = &setup_first(c->setup)->inputs[0];
    struct block_range range;
    size_t size = 0;

    blocks_range(&c->setup->blocks, block, &range);
    for (uint32_t a = 1; a < c->setup->blocks.ndim; a++)
        if (range.start[a] > 0)
            return SWIM_OK; /* another block of the same rows has them */
    if (room - *n_bytes <
        sizeof(struct payload_record) + range.count[0] * DATASET_COORDINATE_BYTES + 8)
        return swim_error_set(err, SWIM_ERR_IO,
                              "a block's slot of %" PRIu64
                              " bytes is too small for its coordinates",
                              room);
    void *to = record_begin(payload, *n_bytes, PAYLOAD_COORDINATES, range.start, 1);
    int rc = dataset_coordinates(first->source, first->info, range.start[0],
                                 range.count[0], to, &size, err);
    if (rc == SWIM_OK && size)
        record_end(payload, n_bytes, size);
    return rc;
}

uint64_t compute_rows(const struct compute *c)
{
    return c->end;
}

/* A part of the result of a job of two phases. */
static int compute_partial(struct compute *c, uint64_t block, void *payload,
                           uint64_t room, uint64_t *n_bytes, swim_error_t *err)
{
    const struct setup *setup = c->setup;
    struct block_range range;

    if (setup->table.most_rows) {
        int rc = apply_block(c, block, payload, &range, err);
        return rc == SWIM_OK ? table_keep(c, &range, block, payload, room, n_bytes, err)
                             : rc;
    }
    int rc = sum_block(c, block, &range, err);
    if (rc == SWIM_OK) {
        memcpy(record_begin(payload, 0, 0, NULL, 0), c->acc, setup->acc_bytes);
        record_end(payload, n_bytes, setup->acc_bytes);
    }
    return rc;
}

int compute_block(struct compute *c, enum setup_phase phase, uint64_t block,
                  void *payload, uint64_t room, uint64_t *n_bytes, swim_error_t *err)
{
    const struct setup *setup = c->setup;
    struct block_range range;
    int rc;

    *n_bytes = 0;
    if (phase == SETUP_PARTIAL)
        return compute_partial(c, block, payload, room, n_bytes, err);
    if (phase == SETUP_MERGE && setup->table.most_rows)
        return table_part(c, block, payload, room, n_bytes, err);
    if (phase == SETUP_MERGE) {
        rc = merge_tile(c, block, payload, err);
        blocks_tile_range(&setup->blocks, block, &range);
    } else if (setup->kernel->api.kind == SWIM_KERNEL_REDUCE) {
        rc = sum_block(c, block, &range, err);
        if (rc == SWIM_OK)
            rc = finish_tile(c, block, payload, err);
    } else {
        rc = apply_block(c, block, payload, &range, err);
    }
    if (rc == SWIM_OK)
        rc = store_outputs(c, &range, payload, room, n_bytes, err);
    return rc;
}
