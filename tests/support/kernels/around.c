/* around.c - a stencil: the neighbours of a point, each times a weight of its own. */
#include <stdlib.h>

#include <h5swim/kernel.h>

#define WEIGHTS 97 /* of the n-th neighbour: 1 + n % WEIGHTS */

static const struct swim_param params[] = {
    {.name = "lo0", .type = SWIM_PARAM_INT, .preset = "0", .description = "neighbours"},
    {.name = "hi0", .type = SWIM_PARAM_INT, .preset = "0", .description = "neighbours"},
    {.name = "lo1", .type = SWIM_PARAM_INT, .preset = "0", .description = "neighbours"},
    {.name = "hi1", .type = SWIM_PARAM_INT, .preset = "0", .description = "neighbours"},
};

struct around {
    int64_t lo[2], hi[2];
};

static int around_open(const swim_params_t *given, void **state, swim_error_t *err)
{
    struct around *a = calloc(1, sizeof(*a));

    if (!a)
        return swim_error_set(err, SWIM_ERR_NOMEM, "around: no memory");
    a->lo[0] = swim_params_int(given, "lo0");
    a->hi[0] = swim_params_int(given, "hi0");
    a->lo[1] = swim_params_int(given, "lo1");
    a->hi[1] = swim_params_int(given, "hi1");
    *state = a;
    return SWIM_OK;
}

static int around_plan(void *state, struct swim_plan *plan, swim_error_t *err)
{
    const struct around *a = state;

    (void)err;
    for (int i = 0; i < 2; i++) {
        plan->halo_lo[i] = (uint32_t)a->lo[i];
        plan->halo_hi[i] = (uint32_t)a->hi[i];
    }
    plan->edge_value = -5;
    return SWIM_OK;
}

static int around_apply(void *state, const struct swim_block *b, swim_error_t *err)
{
    const struct around *a = state;
    const struct swim_array *x = b->inputs[0];
    double *y = b->outputs[0]->data;

    (void)err;
    for (int64_t i = 0; i < (int64_t)x->shape[0]; i++)
        for (int64_t j = 0; j < (int64_t)x->shape[1]; j++) {
            double sum = 0;
            int n = 0;
            for (int64_t u = i - a->lo[0]; u <= i + a->hi[0]; u++)
                for (int64_t v = j - a->lo[1]; v <= j + a->hi[1]; v++)
                    sum += (1 + n++ % WEIGHTS) *
                           ((const double *)x->data)[u * x->strides[0] + v];
            *y++ = sum;
        }
    return SWIM_OK;
}

static const struct swim_port in[] = {{.name = "x", .type = SWIM_TYPE_F64}};
static const struct swim_port out[] = {{.name = "y", .type = SWIM_TYPE_F64}};

SWIM_KERNEL_DEFINE(.name = "around", .kind = SWIM_KERNEL_STENCIL, .n_inputs = 1,
                   .n_outputs = 1, .n_params = 4, .inputs = in, .outputs = out,
                   .params = params, .open = around_open, .plan = around_plan,
                   .apply = around_apply, .close = free);
