/* @NAME@.c - a reduction.
 *
 * mean = the mean of x along its first axis, missing values left out.  Change it:
 * plan() says which axis goes, partial(), merge() and finish() what is computed, the
 * tables at the end what it takes and gives.  Floating-point values that are missing
 * come as NaN, and a NaN in an output is stored as missing.
 *
 * h5swim kernel test @NAME@.c
 * finds writes beside the arrays, merges that lose something, and more. */
#include <math.h>

#include <h5swim/kernel.h>

#define NAME "@NAME@"

/* An accumulator has one of these for each element of the output.  It is all zero at
 * first, and it may be stored and merged by another process: no pointers in it. */
struct part {
    double sum;
    uint64_t n;
};

/* Called once before the blocks: axis 0 goes. */
static int plan(void *state, struct swim_plan *plan, swim_error_t *err)
{
    (void)state;
    plan->outputs[0]->cell_methods = "mean";
    return swim_plan_reduce(plan, 0, 0, NULL, err);
}

static uint64_t acc_bytes(void *state, const struct swim_block *block)
{
    (void)state;
    return block->outputs[0]->count * sizeof(struct part);
}

/* Add the block's inputs to acc.  They are a part along axis 0; on the other axes they
 * are as the outputs.  A kernel keeps nothing else from one block to the next. */
static int partial(void *state, const struct swim_block *block, void *acc,
                   swim_error_t *err)
{
    const struct swim_array *in = block->inputs[0];
    const uint64_t each = block->outputs[0]->count;
    const float *x = in->data;
    struct part *parts = acc;

    (void)state;
    (void)err;
    for (uint64_t k = 0; k < in->shape[0]; k++)
        for (uint64_t i = 0; i < each; i++, x++)
            if (!isnan(*x)) {
                parts[i].sum += (double)*x;
                parts[i].n++;
            }
    return SWIM_OK;
}

/* Add other, which comes from later along axis 0, to acc. */
static int merge(void *state, const struct swim_block *block, void *acc,
                 const void *other, swim_error_t *err)
{
    struct part *parts = acc;
    const struct part *more = other;

    (void)state;
    (void)err;
    for (uint64_t i = 0; i < block->outputs[0]->count; i++) {
        parts[i].sum += more[i].sum;
        parts[i].n += more[i].n;
    }
    return SWIM_OK;
}

/* Turn acc into the output. */
static int finish(void *state, const struct swim_block *block, const void *acc,
                  swim_error_t *err)
{
    const struct part *parts = acc;
    float *mean = block->outputs[0]->data;

    (void)state;
    (void)err;
    for (uint64_t i = 0; i < block->outputs[0]->count; i++)
        mean[i] = parts[i].n ? (float)(parts[i].sum / (double)parts[i].n) : NAN;
    return SWIM_OK;
}

/* Inputs come in the type that is given here, whatever the file stores. */
static const struct swim_port inputs[] = {
    {"x", SWIM_TYPE_F32, NULL, "any values"},
};
static const struct swim_port outputs[] = {
    {"mean", SWIM_TYPE_F32, NULL, "mean along the first axis, in the unit of x"},
};

#define SUMMARY "mean along the first axis"

SWIM_KERNEL_DEFINE(.name = NAME, .summary = SUMMARY, .kind = SWIM_KERNEL_REDUCE,
                   .n_inputs = SWIM_COUNT_OF(inputs), .inputs = inputs,
                   .n_outputs = SWIM_COUNT_OF(outputs), .outputs = outputs,
                   .plan = plan, .acc_bytes = acc_bytes, .partial = partial,
                   .merge = merge, .finish = finish);
