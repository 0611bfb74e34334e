/* @NAME@.c - a stencil.
 *
 * y = the mean of x and its neighbours along the last axis, reach of them on each side.
 * Change it: plan() says which neighbours are needed, apply() what is computed, the
 * tables at the end what it takes and gives.  Floating-point values that are missing
 * come as NaN, and a NaN in an output is stored as missing; so a mean over a missing
 * value is missing by itself.
 *
 * h5swim kernel test @NAME@.c
 * finds reads and writes beside the arrays, forgotten elements, and more. */
#include <stdlib.h>

#include <h5swim/kernel.h>

#define NAME "@NAME@"

/* What the parameters say.  It is the same for all blocks: a kernel keeps nothing from
 * one block to the next, because blocks are computed by many processes, in any order.
 */
struct state {
    int64_t reach;
};

static int open_state(const swim_params_t *params, void **state, swim_error_t *err)
{
    struct state *s = calloc(1, sizeof(*s));

    if (!s)
        return swim_error_set(err, SWIM_ERR_NOMEM, NAME ": no memory");
    s->reach = swim_params_int(params, "reach");
    *state = s;
    return SWIM_OK;
}

/* Called once before the blocks.  Beyond the edges of the dataset neighbours are made
 * up: as the job says under "edges", else as plan->edge says, which is the nearest
 * element unless it is set here. */
static int plan(void *state, struct swim_plan *plan, swim_error_t *err)
{
    const struct state *s = state;
    const uint32_t ndim = plan->inputs[0]->ndim;

    if (ndim == 0)
        return swim_error_set(err, SWIM_ERR_ARG, NAME ": x has no axis");
    plan->halo_lo[ndim - 1] = plan->halo_hi[ndim - 1] = (uint32_t)s->reach;
    plan->outputs[0]->long_name = "mean of neighbours";
    return SWIM_OK;
}

/* One block.  The neighbours of the input lie around it in memory: from an element to
 * the next one along axis d it is strides[d].  The output lies in one piece. */
static int apply(void *state, const struct swim_block *block, swim_error_t *err)
{
    const struct state *s = state;
    const struct swim_array *in = block->inputs[0];
    const uint32_t last = in->ndim - 1;
    const uint64_t length = in->shape[last];
    const double n = (double)(2 * s->reach + 1);
    float *y = block->outputs[0]->data;

    (void)err;
    for (uint64_t row = 0; row < in->count / length; row++) {
        const float *x = in->data;
        uint64_t rest = row;

        for (uint32_t d = last; d-- > 0; rest /= in->shape[d])
            x += (ptrdiff_t)(rest % in->shape[d]) * in->strides[d];
        for (uint64_t i = 0; i < length; i++, x++) {
            double sum = 0;
            for (int64_t k = -s->reach; k <= s->reach; k++)
                sum += (double)x[k];
            *y++ = (float)(sum / n);
        }
    }
    return SWIM_OK;
}

/* Inputs come in the type that is given here, whatever the file stores. */
static const struct swim_port inputs[] = {
    {"x", SWIM_TYPE_F32, NULL, "any values"},
};
static const struct swim_port outputs[] = {
    {"y", SWIM_TYPE_F32, NULL, "mean of neighbours, in the unit of x"},
};

/* What job files may set under "params"; one without a preset must be set. */
static const struct swim_param params[] = {
    {.name = "reach",
     .type = SWIM_PARAM_INT,
     .preset = "1",
     .description = "how many neighbours on each side",
     .min = 0,
     .max = 1000},
};

#define SUMMARY "mean of neighbours along the last axis"

SWIM_KERNEL_DEFINE(.name = NAME, .summary = SUMMARY, .kind = SWIM_KERNEL_STENCIL,
                   .n_inputs = SWIM_COUNT_OF(inputs), .inputs = inputs,
                   .n_outputs = SWIM_COUNT_OF(outputs), .outputs = outputs,
                   .n_params = SWIM_COUNT_OF(params), .params = params,
                   .open = open_state, .plan = plan, .apply = apply, .close = free);
