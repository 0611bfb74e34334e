/* probe_table.c - the rows of a filter: those of each block, and all of them as one
 * table.
 *
 * Blocks may come in any order, and a block has a row for each of its elements at most:
 * until all are done its rows lie where the elements of the blocks before it end. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/probe_child.h"

/* A row of an output, as the kernel writes it. */
static uint64_t width_of(const struct probe_child *c, uint32_t output)
{
    const struct output_spec *spec = &c->setup->outputs[output].spec;
    uint64_t bytes = swim_type_size(spec->type);

    for (uint32_t d = 1; d < spec->ndim; d++)
        bytes *= spec->shape[d];
    return bytes;
}

int probe_table_create(struct probe_child *c, swim_error_t *err)
{
    struct block_range range;
    uint64_t first = 0;

    c->parts = calloc(c->setup->blocks.n, sizeof(*c->parts));
    if (!c->parts)
        return swim_error_set(err, SWIM_ERR_NOMEM, "table of rows: no memory");
    for (uint64_t b = 0; b < c->setup->blocks.n; b++) {
        c->parts[b].first = first;
        blocks_range(&c->setup->blocks, b, &range);
        first += range.elements;
    }
    return SWIM_OK;
}

static int rows_check(struct probe_child *c, swim_error_t *err)
{
    const struct work_array *outputs = c->work->outputs;
    const struct kernel_host *kernel = c->setup->kernel;
    const uint64_t rows = outputs[0].array.rows, room = outputs[0].shape[0];

    c->end = PROBE_WRONG;
    if (rows > room)
        return swim_error_set(err, SWIM_ERR_KERNEL,
                              "says that it wrote %" PRIu64 " rows of output %s: there "
                              "is room for %" PRIu64 ", one for each element",
                              rows, kernel->outputs[0].name, room);
    for (uint32_t i = 1; i < c->setup->n_outputs; i++)
        if (outputs[i].array.rows != rows)
            return swim_error_set(err, SWIM_ERR_KERNEL,
                                  "says that it wrote %" PRIu64 " rows of output %s "
                                  "and %" PRIu64 " of output %s: they are one table, "
                                  "and have the same number",
                                  rows, kernel->outputs[0].name, outputs[i].array.rows,
                                  kernel->outputs[i].name);
    c->end = PROBE_REFUSED;
    return SWIM_OK;
}

int probe_table_keep(struct probe_child *c, uint64_t block, swim_error_t *err)
{
    struct probe_part *part = &c->parts[block];
    int rc = rows_check(c, err);

    if (rc != SWIM_OK)
        return rc;
    part->rows = c->work->outputs[0].array.rows;
    for (uint32_t i = 0; i < c->setup->n_outputs; i++) {
        const uint64_t width = width_of(c, i);
        memcpy(c->results + probe_output_at(&c->p->planned, i) + part->first * width,
               c->out[i].data, part->rows * width);
    }
    return SWIM_OK;
}

void probe_table_close_up(struct probe_child *c)
{
    uint64_t to = 0;

    for (uint64_t b = 0; b < c->setup->blocks.n; b++) {
        const struct probe_part *part = &c->parts[b];
        for (uint32_t i = 0; i < c->setup->n_outputs; i++) {
            const uint64_t width = width_of(c, i);
            char *table = c->results + probe_output_at(&c->p->planned, i);
            memmove(table + to * width, table + part->first * width,
                    part->rows * width);
        }
        to += part->rows;
    }
    c->shared->rows = to;
}
