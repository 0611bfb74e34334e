/* mean3x3.c - the mean of 3 x 3 elements around each one, of two dimensions.  It adds
 * up in the same order as tests/bench/handtuned/stencil.c. */
#include <h5swim/kernel.h>

static int mean3x3_plan(void *state, struct swim_plan *plan, swim_error_t *err)
{
    (void)state;
    if (plan->inputs[0]->ndim != 2)
        return swim_error_set(err, SWIM_ERR_ARG, "mean3x3: %s has not two dimensions",
                              plan->inputs[0]->name);
    for (int d = 0; d < 2; d++) {
        plan->halo_lo[d] = plan->halo_hi[d] = 1;
        if (!plan->edge_given[d])
            plan->edge[d] = SWIM_EDGE_NEAREST;
    }
    return SWIM_OK;
}

static void mean_row(const float *x, ptrdiff_t row, float *restrict y, ptrdiff_t n)
{
    const float *a = x - row, *b = x, *c = x + row;

    for (ptrdiff_t i = 0; i < n; i++)
        y[i] = ((a[i - 1] + a[i] + a[i + 1]) + (b[i - 1] + b[i] + b[i + 1]) +
                (c[i - 1] + c[i] + c[i + 1])) *
               (1.0F / 9.0F);
}

static int mean3x3_apply(void *state, const struct swim_block *block, swim_error_t *err)
{
    const struct swim_array *in = block->inputs[0], *out = block->outputs[0];
    const float *x = in->data;
    float *y = out->data;

    (void)state;
    (void)err;
    for (uint64_t r = 0; r < out->shape[0]; r++)
        mean_row(x + (ptrdiff_t)r * in->strides[0], in->strides[0],
                 y + (ptrdiff_t)r * out->strides[0], (ptrdiff_t)out->shape[1]);
    return SWIM_OK;
}

static const struct swim_port inputs[] = {{.name = "x", .type = SWIM_TYPE_F32}};
static const struct swim_port outputs[] = {{.name = "y", .type = SWIM_TYPE_F32}};

SWIM_KERNEL_DEFINE(.name = "mean3x3", .summary = "mean of 3 x 3 elements",
                   .kind = SWIM_KERNEL_STENCIL, .n_inputs = 1, .n_outputs = 1,
                   .inputs = inputs, .outputs = outputs, .plan = mean3x3_plan,
                   .apply = mean3x3_apply);
