/* @NAME@.c - a window.
 *
 * y = the mean of a row of x and of the rows before it, length of them together, along
 * the first axis.  Change it: plan() says which rows a window has, apply() what is
 * computed, the tables at the end what it takes and gives.  Floating-point values that
 * are missing come as NaN, and a NaN in an output is stored as missing; so a mean over
 * a missing value is missing by itself.
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
    int64_t length;
};

static int open_state(const swim_params_t *params, void **state, swim_error_t *err)
{
    struct state *s = calloc(1, sizeof(*s));

    if (!s)
        return swim_error_set(err, SWIM_ERR_NOMEM, NAME ": no memory");
    s->length = swim_params_int(params, "length");
    *state = s;
    return SWIM_OK;
}

/* Called once before the blocks.  Beyond the edges of the dataset windows have what the
 * job says under "edges", else what plan->edge says: none, so that there is an output
 * row for each window that lies within the axis, and no other. */
static int plan(void *state, struct swim_plan *plan, swim_error_t *err)
{
    const struct state *s = state;

    if (plan->inputs[0]->ndim == 0)
        return swim_error_set(err, SWIM_ERR_ARG, NAME ": x has no axis");
    if (!plan->edge_given[0])
        plan->edge[0] = SWIM_EDGE_NONE;
    plan->outputs[0]->long_name = "mean of rows";
    /* Along axis 0, rows before and behind, and how far it is to the next window. */
    return swim_plan_window(plan, 0, (uint32_t)s->length - 1, 0, 1, err);
}

/* One block.  The output lies in one piece.  So do the rows of the input, with those of
 * the windows before data[0]: from a row to the next one it is strides[0]. */
static int apply(void *state, const struct swim_block *block, swim_error_t *err)
{
    const struct state *s = state;
    const struct swim_array *in = block->inputs[0];
    float *y = block->outputs[0]->data;

    (void)err;
    for (uint64_t i = 0; i < block->outputs[0]->count; i++) {
        const float *x = (const float *)in->data + i;
        double sum = 0;

        for (ptrdiff_t k = 0; k < s->length; k++)
            sum += (double)x[-k * in->strides[0]];
        y[i] = (float)(sum / (double)s->length);
    }
    return SWIM_OK;
}

/* Inputs come in the type that is given here, whatever the file stores. */
static const struct swim_port inputs[] = {
    {"x", SWIM_TYPE_F32, NULL, "any values"},
};
static const struct swim_port outputs[] = {
    {"y", SWIM_TYPE_F32, NULL, "mean of rows, in the unit of x"},
};

/* What job files may set under "params"; one without a preset must be set. */
static const struct swim_param params[] = {
    {.name = "length",
     .type = SWIM_PARAM_INT,
     .preset = "2",
     .description = "how many rows a window has",
     .min = 1,
     .max = 1000},
};

#define SUMMARY "mean of rows along the first axis"

SWIM_KERNEL_DEFINE(.name = NAME, .summary = SUMMARY, .kind = SWIM_KERNEL_WINDOW,
                   .n_inputs = SWIM_COUNT_OF(inputs), .inputs = inputs,
                   .n_outputs = SWIM_COUNT_OF(outputs), .outputs = outputs,
                   .n_params = SWIM_COUNT_OF(params), .params = params,
                   .open = open_state, .plan = plan, .apply = apply, .close = free);
