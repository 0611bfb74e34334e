/* @NAME@.c - a filter.
 *
 * A table of the values of x that are above a limit, and where they are.  Change it:
 * plan() says what a row is, apply() which rows there are, the tables at the end what
 * it takes and gives.  Floating-point values that are missing come as NaN, which is
 * above nothing; so no row is found there.
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
    double limit;
};

static int open_state(const swim_params_t *params, void **state, swim_error_t *err)
{
    struct state *s = calloc(1, sizeof(*s));

    if (!s)
        return swim_error_set(err, SWIM_ERR_NOMEM, NAME ": no memory");
    s->limit = swim_params_real(params, "limit");
    *state = s;
    return SWIM_OK;
}

/* Called once before the blocks.  Axis 0 of each output is the rows, as many as will be
 * found; others are added here: a row of place has a number for each axis of x. */
static int plan(void *state, struct swim_plan *plan, swim_error_t *err)
{
    const struct swim_field *x = plan->inputs[0];
    struct swim_output *value = plan->outputs[0], *place = plan->outputs[1];

    (void)state;
    if (x->ndim == 0)
        return swim_error_set(err, SWIM_ERR_ARG, NAME ": x has no axis");
    value->units = x->units;
    value->long_name = x->long_name;
    place->ndim = 2;
    place->from_axis[1] = -1; /* none of the input's */
    place->shape[1] = x->ndim;
    place->long_name = "index along each axis";
    return SWIM_OK;
}

/* One block.  The input lies in one piece, from offset[] on of the whole dataset.
 * There is room for a row for each of its elements: write the first ones, one after
 * the other, and say how many there are. */
static int apply(void *state, const struct swim_block *block, swim_error_t *err)
{
    const struct state *s = state;
    const struct swim_array *in = block->inputs[0];
    const float *x = in->data;
    float *value = block->outputs[0]->data;
    int64_t *place = block->outputs[1]->data;
    uint64_t rows = 0;

    (void)err;
    for (uint64_t i = 0; i < in->count; i++) {
        uint64_t rest = i;

        if (!((double)x[i] > s->limit))
            continue;
        value[rows] = x[i];
        for (uint32_t d = in->ndim; d-- > 0; rest /= in->shape[d])
            place[rows * in->ndim + d] = (int64_t)(in->offset[d] + rest % in->shape[d]);
        rows++;
    }
    block->outputs[0]->rows = block->outputs[1]->rows = rows;
    return SWIM_OK;
}

/* Inputs come in the type that is given here, whatever the file stores. */
static const struct swim_port inputs[] = {
    {"x", SWIM_TYPE_F32, NULL, "any values"},
};
static const struct swim_port outputs[] = {
    {"value", SWIM_TYPE_F32, NULL, "the values, in the unit of x"},
    {"place", SWIM_TYPE_I64, NULL, "index of each along each axis of x, from 0 on"},
};

/* What job files may set under "params"; one without a preset must be set. */
static const struct swim_param params[] = {
    {.name = "limit",
     .type = SWIM_PARAM_REAL,
     .preset = "8",
     .description = "values above it are found"},
};

#define SUMMARY "table of the values above a limit"

SWIM_KERNEL_DEFINE(.name = NAME, .summary = SUMMARY, .kind = SWIM_KERNEL_FILTER,
                   .n_inputs = SWIM_COUNT_OF(inputs), .inputs = inputs,
                   .n_outputs = SWIM_COUNT_OF(outputs), .outputs = outputs,
                   .n_params = SWIM_COUNT_OF(params), .params = params,
                   .open = open_state, .plan = plan, .apply = apply, .close = free);
