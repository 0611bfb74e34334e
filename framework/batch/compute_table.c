/* compute_table.c - the table of rows of a filter.
 *
 * How many rows a block has is known when its kernel has seen it, and where they belong
 * when all blocks before it were seen.  So each block's rows are kept first, and when
 * all are there the table is made of them in parts: whole chunks, which no other part
 * shares, in any order, by whoever is free. */
#include <inttypes.h>
#include <string.h>

#include "batch/compute_private.h"
#include "core/meter.h"

/* Bytes of one row of an output, as it is stored. */
static uint64_t width_of(const struct compute *c, uint32_t output)
{
    const struct output_spec *spec = &c->setup->outputs[output].spec;
    uint64_t bytes = c->out[output].element_size;

    for (uint32_t d = 1; d < spec->ndim; d++)
        bytes *= spec->shape[d];
    return bytes;
}

/* A kernel's numbers are foreign: check them before they are used as sizes. */
static int check_rows(const struct compute *c, const struct block_range *range,
                      uint64_t block, swim_error_t *err)
{
    const struct work_array *outputs = c->work->outputs;
    swim_error_t said = {0};

    for (uint32_t i = 0; i < c->setup->n_outputs; i++) {
        uint64_t rows = outputs[i].array.rows, room = outputs[i].shape[0];
        if (rows <= room && rows == outputs[0].array.rows)
            continue;
        swim_error_set(&said, SWIM_ERR_KERNEL,
                       "it gave %" PRIu64 " rows of output %s and %" PRIu64
                       " of output %s, there is room for %" PRIu64,
                       outputs[0].array.rows, c->setup->kernel->outputs[0].name, rows,
                       c->setup->kernel->outputs[i].name, room);
        return kernel_failed(c, range, block, SWIM_ERR_KERNEL, &said, err);
    }
    return SWIM_OK;
}

int table_keep(struct compute *c, const struct block_range *range, uint64_t block,
               void *payload, uint64_t room, uint64_t *n_bytes, swim_error_t *err)
{
    int rc = check_rows(c, range, block, err);

    (void)swim_meter_set(SWIM_AT_ENCODE);
    if (rc != SWIM_OK)
        return rc;
    uint64_t rows = c->work->outputs[0].array.rows, bytes = 0;
    if (room < sizeof(struct payload_record) + rows * c->setup->table.row_bytes + 8)
        return swim_error_set(err, SWIM_ERR_IO,
                              "a block's slot of %" PRIu64
                              " bytes is too small for its "
                              "%" PRIu64 " rows",
                              room, rows);
    char *to = record_begin(payload, 0, 0, &rows, 1);
    for (uint32_t i = 0; rc == SWIM_OK && i < c->setup->n_outputs; i++) {
        uint64_t size = rows * width_of(c, i);
        rc = store_elements(c, i, size / c->out[i].element_size, err);
        memcpy(to + bytes, c->out[i].stored, size);
        bytes += size;
    }
    record_end(payload, n_bytes, bytes);
    return rc;
}

/* The rows of a block that are in the part first ... end-1, into all outputs. */
static int take_rows(struct compute *c, uint64_t block, uint64_t first, uint64_t end,
                     swim_error_t *err)
{
    uint64_t from = rows_before(c->rows, block), to = rows_before(c->rows, block + 1);
    uint64_t rows = to - from, begin = from > first ? from : first;
    const char *bytes = c->acc;
    int rc = rows_read(c->rows, block, c->acc, err);

    if (to > end)
        to = end;
    for (uint32_t i = 0; rc == SWIM_OK && i < c->setup->n_outputs && begin < to; i++) {
        uint64_t width = width_of(c, i);
        memcpy((char *)c->out[i].stored + (begin - first) * width,
               bytes + (begin - from) * width, (to - begin) * width);
        bytes += rows * width;
    }
    return rc;
}

/* From the rows that are stored. */
static int encode_part(struct compute *c, uint64_t first, uint64_t end, void *payload,
                       uint64_t room, uint64_t *n_bytes, swim_error_t *err)
{
    int rc = SWIM_OK;

    (void)swim_meter_set(SWIM_AT_ENCODE);
    for (uint32_t i = 0; rc == SWIM_OK && i < c->setup->n_outputs; i++) {
        const struct output_spec *spec = &c->setup->outputs[i].spec;
        struct block_range out = {.start = {first}, .count = {end - first}};
        for (uint32_t d = 1; d < spec->ndim; d++)
            out.count[d] = spec->shape[d];
        rc = encode_chunks(c, i, &out, payload, room, n_bytes, err);
        count_made(c, (end - first) * width_of(c, i));
    }
    return rc;
}

int table_part(struct compute *c, uint64_t part, void *payload, uint64_t room,
               uint64_t *n_bytes, swim_error_t *err)
{
    const struct setup *setup = c->setup;
    int rc = c->rows ? SWIM_OK : rows_open(setup, &setup->access, &c->rows, err);

    if (rc != SWIM_OK)
        return rc;
    uint64_t first = part * setup->table.part_rows,
             end = first + setup->table.part_rows;
    uint64_t rows = rows_before(c->rows, setup->blocks.n);
    c->end = end < rows ? end : rows;
    if (first >= rows)
        return SWIM_OK;
    for (uint64_t b = rows_find(c->rows, first);
         rc == SWIM_OK && b < setup->blocks.n && rows_before(c->rows, b) < c->end; b++)
        rc = take_rows(c, b, first, c->end, err);
    return rc == SWIM_OK ? encode_part(c, first, c->end, payload, room, n_bytes, err)
                         : rc;
}
