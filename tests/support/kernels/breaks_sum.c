/* breaks_sum.c - the sums along the last axis, but for the blocks in which it breaks.
 */
#include "breaks.h"

static int plan(void *state, struct swim_plan *plan, swim_error_t *err)
{
    (void)state;
    (void)err;
    plan->reduced[0] = 0;
    plan->outputs[0]->ndim = 1;
    plan->outputs[0]->from_axis[0] = 0;
    return SWIM_OK;
}

static uint64_t acc_bytes(void *state, const struct swim_block *b)
{
    (void)state;
    return b->outputs[0]->count * sizeof(double);
}

static int partial(void *state, const struct swim_block *b, void *acc,
                   swim_error_t *err)
{
    const struct swim_array *in = b->inputs[0];
    const float *u = in->data;
    double *sum = acc;
    int rc = breaks_look(state, b->index, err);

    for (uint64_t i = 0; rc == SWIM_OK && i < in->count; i++)
        sum[i / (uint64_t)in->strides[0]] += (double)u[i] / 3;
    return rc;
}

static int merge(void *state, const struct swim_block *b, void *acc, const void *other,
                 swim_error_t *err)
{
    (void)state;
    (void)err;
    for (uint64_t i = 0; i < b->outputs[0]->count; i++)
        ((double *)acc)[i] += ((const double *)other)[i];
    return SWIM_OK;
}

static int finish(void *state, const struct swim_block *b, const void *acc,
                  swim_error_t *err)
{
    (void)state;
    (void)err;
    for (uint64_t i = 0; i < b->outputs[0]->count; i++)
        ((double *)b->outputs[0]->data)[i] = ((const double *)acc)[i];
    return SWIM_OK;
}

static const struct swim_port in[] = {{.name = "u", .type = SWIM_TYPE_F32}};
static const struct swim_port out[] = {{.name = "y", .type = SWIM_TYPE_F64}};

SWIM_KERNEL_DEFINE(.name = "breaks_sum", .kind = SWIM_KERNEL_REDUCE, .n_inputs = 1,
                   .n_outputs = 1, .n_params = 1, .inputs = in, .outputs = out,
                   .params = breaks_params, .open = breaks_open, .close = free,
                   .plan = plan, .acc_bytes = acc_bytes, .partial = partial,
                   .merge = merge, .finish = finish);
