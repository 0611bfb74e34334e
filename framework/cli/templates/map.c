/* @NAME@.c - a map.
 *
 * y = factor * x + plus.  Change it: what is computed stands in apply(), what it takes
 * and gives in the tables at the end.  Floating-point values that are missing come as
 * NaN, and a NaN in an output is stored as missing; so sums and products of missing
 * values are missing by themselves.
 *
 * h5swim kernel test @NAME@.c
 * finds writes beside the arrays, forgotten elements, and more. */
#include <stdlib.h>

#include <h5swim/kernel.h>

#define NAME "@NAME@"

/* What the parameters say.  It is the same for all blocks: a kernel keeps nothing from
 * one block to the next, because blocks are computed by many processes, in any order.
 */
struct state {
    double factor, plus;
};

static int open_state(const swim_params_t *params, void **state, swim_error_t *err)
{
    struct state *s = calloc(1, sizeof(*s));

    if (!s)
        return swim_error_set(err, SWIM_ERR_NOMEM, NAME ": no memory");
    s->factor = swim_params_real(params, "factor");
    s->plus = swim_params_real(params, "plus");
    *state = s;
    return SWIM_OK;
}

/* Called once before the blocks: look at the inputs, refuse what makes no sense, and
 * say what the output is. */
static int plan(void *state, struct swim_plan *plan, swim_error_t *err)
{
    (void)state;
    (void)err;
    plan->outputs[0]->long_name = "factor * x + plus";
    return SWIM_OK;
}

/* One block.  All arrays of a map have the same shape and lie in one piece. */
static int apply(void *state, const struct swim_block *block, swim_error_t *err)
{
    const struct state *s = state;
    const float *x = block->inputs[0]->data;
    float *y = block->outputs[0]->data;

    (void)err;
    for (uint64_t i = 0; i < block->outputs[0]->count; i++)
        y[i] = (float)(s->factor * (double)x[i] + s->plus);
    return SWIM_OK;
}

/* Inputs come in the type that is given here, whatever the file stores. */
static const struct swim_port inputs[] = {
    {"x", SWIM_TYPE_F32, NULL, "any values"},
};
static const struct swim_port outputs[] = {
    {"y", SWIM_TYPE_F32, NULL, "factor * x + plus"},
};

/* What job files may set under "params"; one without a preset must be set. */
static const struct swim_param params[] = {
    {.name = "factor",
     .type = SWIM_PARAM_REAL,
     .preset = "2",
     .description = "by which x is multiplied"},
    {.name = "plus",
     .type = SWIM_PARAM_REAL,
     .preset = "1",
     .description = "what is added then"},
};

#define SUMMARY "factor * x + plus"

SWIM_KERNEL_DEFINE(.name = NAME, .summary = SUMMARY, .kind = SWIM_KERNEL_MAP,
                   .n_inputs = SWIM_COUNT_OF(inputs), .inputs = inputs,
                   .n_outputs = SWIM_COUNT_OF(outputs), .outputs = outputs,
                   .n_params = SWIM_COUNT_OF(params), .params = params,
                   .open = open_state, .plan = plan, .apply = apply, .close = free);
