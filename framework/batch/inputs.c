/* inputs.c - what a reader reads of the input files. */
#include "batch/inputs.h"

#include <stdlib.h>
#include <string.h>

#include "store/codec.h"

struct inputs {
    struct setup *setup;
    struct dataset **datasets;
    unsigned char (*constants)[16];
};

static int inputs_open(struct inputs *in, struct region *region, uint32_t reader,
                       swim_error_t *err)
{
    const struct setup *setup = in->setup;
    struct chunk_cache cache;
    int rc = SWIM_OK;

    for (uint32_t i = 0; rc == SWIM_OK && i < setup->n_inputs; i++)
        rc = codec_convert(SWIM_TYPE_F64, &setup->plan.edge_value,
                           setup->inputs[i].type, in->constants[i], 1, false, 0, err);
    for (uint32_t i = 0; rc == SWIM_OK && i < setup->n_inputs; i++) {
        bool cached = setup_chunk_cache(setup, i, region_cache(region),
                                        region->n_readers, reader, &cache);
        rc = dataset_open(setup->inputs[i].source, setup->inputs[i].info,
                          setup->inputs[i].type, cached ? &cache : NULL,
                          &in->datasets[i], err);
    }
    return rc;
}

void inputs_forget(const struct setup *setup, struct region *region, uint32_t reader)
{
    struct chunk_cache cache;

    setup = setup_first(setup);
    for (uint32_t i = 0; i < setup->n_inputs; i++)
        if (setup_chunk_cache(setup, i, region_cache(region), region->n_readers, reader,
                              &cache))
            chunk_cache_forget(&cache, reader);
}

int inputs_create(struct setup *setup, struct region *region, uint32_t reader,
                  struct inputs **out, swim_error_t *err)
{
    struct inputs *in = calloc(1, sizeof(*in));
    int rc = SWIM_OK;

    *out = NULL;
    if (!in)
        return swim_error_set(err, SWIM_ERR_NOMEM, "inputs");
    in->setup = setup = setup_files(setup);
    in->datasets = calloc(setup->n_inputs, sizeof(*in->datasets));
    in->constants = calloc(setup->n_inputs, sizeof(*in->constants));
    if (in->datasets && in->constants)
        rc = inputs_open(in, region, reader, err);
    else
        rc = swim_error_set(err, SWIM_ERR_NOMEM, "inputs");
    if (rc == SWIM_OK)
        *out = in;
    else
        inputs_destroy(in);
    return rc;
}

void inputs_destroy(struct inputs *in)
{
    if (!in)
        return;
    for (uint32_t i = 0; in->datasets && i < in->setup->n_inputs; i++)
        dataset_close(in->datasets[i]);
    free(in->datasets);
    free(in->constants);
    free(in);
}

int inputs_begin(struct inputs *in, swim_error_t *err)
{
    return setup_look_inputs(in->setup, false, err);
}

bool inputs_are_raw(const struct inputs *in)
{
    bool raw = false;

    for (uint32_t i = 0; i < in->setup->n_inputs; i++)
        raw = raw || in->setup->inputs[i].info->place;
    return raw;
}

void inputs_expect(const struct inputs *in, const struct block_range *range)
{
    struct block_range rows;

    setup_input_range(in->setup, range, &rows);
    for (uint32_t i = 0; i < in->setup->n_inputs; i++)
        dataset_expect(in->setup->inputs[i].source, in->setup->inputs[i].info,
                       rows.start, rows.count);
}

static int read_inside(void *from, const uint64_t *start, const uint64_t *count,
                       void *buf, const uint64_t *buf_shape, const uint64_t *buf_start,
                       swim_error_t *err)
{
    return dataset_read(from, start, count, buf, buf_shape, buf_start, err);
}

struct edges inputs_edges(const struct setup *setup, uint32_t input,
                          const void *constant, uint64_t *extent)
{
    memcpy(extent, setup->blocks.extent, sizeof(setup->blocks.extent));
    if (setup->window.step)
        extent[setup->window.axis] =
            setup->inputs[input].info->shape[setup->window.axis];
    return (struct edges){
        .ndim = setup->blocks.ndim,
        .extent = extent,
        .halo_lo = setup->plan.halo_lo,
        .halo_hi = setup->plan.halo_hi,
        .mode = setup->plan.edge,
        .constant = constant,
        .element_size = (uint32_t)swim_type_size(setup->inputs[input].type),
    };
}

int inputs_read(struct inputs *in, uint32_t input, const struct block_range *range,
                void *buf, swim_error_t *err)
{
    const struct setup *setup = in->setup;
    uint64_t extent[SWIM_NDIM_MAX];
    struct block_range rows;
    const struct edges edges = inputs_edges(setup, input, in->constants[input], extent);

    setup_input_range(setup, range, &rows);
    return edges_read(&edges, &rows, buf, read_inside, in->datasets[input], err);
}

int inputs_check(const struct inputs *in, swim_error_t *err)
{
    int rc = SWIM_OK;

    for (uint32_t i = 0; rc == SWIM_OK && i < in->setup->n_inputs; i++)
        rc = source_check(in->setup->inputs[i].source, err);
    return rc;
}
