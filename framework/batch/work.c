/* work.c - the arrays of one block, as a kernel gets them. */
#include "batch/work.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "store/codec.h"

static void array_wire(struct work_array *w, enum swim_type type, uint32_t ndim)
{
    w->array.type = type;
    w->array.ndim = ndim;
    w->array.shape = w->shape;
    w->array.strides = w->strides;
    w->array.offset = w->offset;
}

/* Integers hold what the value becomes when it is converted to their type, as the
 * elements are that stand for none: one that is too large is their largest. */
static void array_missing(struct swim_array *array, bool has, double value)
{
    _Alignas(16) unsigned char element[16];
    enum swim_type wide = array->type == SWIM_TYPE_U64 ? SWIM_TYPE_U64 : SWIM_TYPE_I64;

    array->has_missing = has;
    if (!has)
        return;
    if (array->type >= SWIM_TYPE_F32)
        array->missing.f = (double)NAN;
    else if (codec_convert(SWIM_TYPE_F64, &value, array->type, element, 1, false, 0,
                           NULL) != SWIM_OK ||
             codec_convert(array->type, element, wide, &array->missing, 1, false, 0,
                           NULL) != SWIM_OK)
        array->has_missing = 0;
}

/* The missing value of an integer input to the last bit; rounding to double would lose
 * some of 64-bit ones. */
static void array_missing_raw(struct swim_array *array, const struct dataset_info *info)
{
    if (!info->has_missing || info->stored_type != array->type || info->packed)
        return;
    switch (array->type) {
    case SWIM_TYPE_I64:
        memcpy(&array->missing.i, info->missing_raw[0], sizeof(int64_t));
        break;
    case SWIM_TYPE_U64:
        memcpy(&array->missing.u, info->missing_raw[0], sizeof(uint64_t));
        break;
    default:
        break;
    }
}

static void work_wire(struct work *work, const struct setup *setup)
{
    for (uint32_t a = 0; a < setup->blocks.ndim; a++) {
        work->halo_lo[a] = setup->plan.halo_lo[a];
        work->halo_hi[a] = setup->plan.halo_hi[a];
    }
    for (uint32_t i = 0; i < setup->n_inputs; i++) {
        const struct setup_input *in = &setup->inputs[i];
        struct swim_array *array = &work->inputs[i].array;
        array_wire(&work->inputs[i], in->type, in->info->ndim);
        array->halo_lo = work->halo_lo;
        array->halo_hi = work->halo_hi;
        array_missing(array, in->info->has_missing, in->info->missing);
        array_missing_raw(array, in->info);
        work->input_list[i] = array;
    }
    for (uint32_t i = 0; i < setup->n_outputs; i++) {
        const struct setup_output *out = &setup->outputs[i];
        struct swim_array *array = &work->outputs[i].array;
        array_wire(&work->outputs[i], out->type, out->planned.ndim);
        array->halo_lo = array->halo_hi = work->no_halo;
        array_missing(array, true, out->missing);
        work->output_list[i] = array;
    }
    work->block.struct_size = sizeof(work->block);
    work->block.n_inputs = setup->n_inputs;
    work->block.n_outputs = setup->n_outputs;
    work->block.inputs = work->input_list;
    work->block.outputs = work->output_list;
}

int work_create(const struct setup *setup, struct work **out, swim_error_t *err)
{
    struct work *work = calloc(1, sizeof(*work));

    *out = NULL;
    if (!work)
        return swim_error_set(err, SWIM_ERR_NOMEM, "arrays of a block");
    work->inputs = calloc(setup->n_inputs, sizeof(*work->inputs));
    work->outputs = calloc(setup->n_outputs, sizeof(*work->outputs));
    work->input_list = calloc(setup->n_inputs, sizeof(*work->input_list));
    work->output_list = calloc(setup->n_outputs, sizeof(*work->output_list));
    if (!work->inputs || !work->outputs || !work->input_list || !work->output_list) {
        work_destroy(work);
        return swim_error_set(err, SWIM_ERR_NOMEM, "arrays of a block");
    }
    work_wire(work, setup);
    *out = work;
    return SWIM_OK;
}

void work_destroy(struct work *work)
{
    if (!work)
        return;
    free(work->inputs);
    free(work->outputs);
    free(work->input_list);
    free(work->output_list);
    free(work);
}

static void array_describe(struct work_array *w, const uint64_t *shape,
                           const uint64_t *offset, const uint32_t *lo,
                           const uint32_t *hi)
{
    ptrdiff_t stride = 1;

    w->array.data = NULL;
    w->array.count = 1;
    w->array.contiguous = 1;
    w->array.rows = 0;
    for (uint32_t i = 0; i < w->array.ndim; i++) {
        uint32_t a = w->array.ndim - 1 - i;
        w->shape[a] = shape[a];
        w->offset[a] = offset[a];
        w->strides[a] = stride;
        stride *= (ptrdiff_t)(shape[a] + lo[a] + hi[a]);
        w->array.count *= shape[a];
        if (lo[a] || hi[a])
            w->array.contiguous = 0;
    }
}

void work_set_range(struct work *work, const struct setup *setup, uint64_t index,
                    const struct block_range *range)
{
    struct block_range in;

    work->block.index = index;
    setup_input_range(setup, range, &in);
    for (uint32_t i = 0; i < setup->n_inputs; i++)
        array_describe(&work->inputs[i], in.count, in.start, work->halo_lo,
                       work->halo_hi);
    for (uint32_t i = 0; i < setup->n_outputs; i++) {
        struct block_range out;
        setup_output_range(&setup->outputs[i], range, &out);
        array_describe(&work->outputs[i], out.count, out.start, work->no_halo,
                       work->no_halo);
    }
}

uint64_t work_buffer_shape(const struct work *work, const struct setup *setup,
                           const struct block_range *range, uint64_t *shape,
                           uint64_t *elements)
{
    struct block_range in;
    uint64_t first = 0;

    *elements = 1;
    setup_input_range(setup, range, &in);
    for (uint32_t a = 0; a < setup->blocks.ndim; a++) {
        shape[a] = in.count[a] + work->halo_lo[a] + work->halo_hi[a];
        *elements *= shape[a];
        first = first * shape[a] + work->halo_lo[a];
    }
    return first;
}
