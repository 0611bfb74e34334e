/* beside.c - a stencil of two inputs with the names of what pair gives, in the other
 * order: the neighbours of a point in both, each times a weight of its own. */
#include <h5swim/kernel.h>

#define LO0 3
#define HI0 2
#define LO1 1
#define HI1 4

static int plan(void *state, struct swim_plan *plan, swim_error_t *err)
{
    (void)state;
    (void)err;
    plan->halo_lo[0] = LO0;
    plan->halo_hi[0] = HI0;
    plan->halo_lo[1] = LO1;
    plan->halo_hi[1] = HI1;
    plan->edge_value = 11;
    return SWIM_OK;
}

static int apply(void *state, const struct swim_block *b, swim_error_t *err)
{
    const struct swim_array *x = b->inputs[0], *z = b->inputs[1];
    double *y = b->outputs[0]->data;

    (void)state;
    (void)err;
    for (int64_t i = 0; i < (int64_t)x->shape[0]; i++)
        for (int64_t j = 0; j < (int64_t)x->shape[1]; j++) {
            double sum = 0;
            int n = 1;
            for (int64_t u = i - LO0; u <= i + HI0; u++)
                for (int64_t v = j - LO1; v <= j + HI1; v++, n++)
                    sum += n * ((const double *)x->data)[u * x->strides[0] + v] +
                           (n + 50) *
                               (double)((const float *)z->data)[u * z->strides[0] + v];
            *y++ = sum;
        }
    return SWIM_OK;
}

static const struct swim_port in[] = {{.name = "positive", .type = SWIM_TYPE_F64},
                                      {.name = "twice", .type = SWIM_TYPE_F32}};
static const struct swim_port out[] = {{.name = "y", .type = SWIM_TYPE_F64}};

SWIM_KERNEL_DEFINE(.name = "beside", .kind = SWIM_KERNEL_STENCIL, .n_inputs = 2,
                   .n_outputs = 1, .inputs = in, .outputs = out, .plan = plan,
                   .apply = apply);
