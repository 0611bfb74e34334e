/* wind_speed.c - the speed of a wind from its two components.
 *
 * A map kernel: an output element depends on the input elements at its place alone.  A
 * missing value is NaN, and NaN in either component gives NaN, which is stored as
 * missing. */
#include <math.h>

#include <h5swim/kernel.h>

enum { U, V };

static int wind_speed_plan(void *state, struct swim_plan *plan, swim_error_t *err)
{
    (void)state;
    (void)err;
    plan->outputs[0]->units = plan->inputs[U]->units;
    plan->outputs[0]->long_name = "wind speed";
    return SWIM_OK;
}

/* SWIM_WIDE: it is delivered compiled, and is to use AVX2 where there is that. */
SWIM_WIDE static int wind_speed_apply(void *state, const struct swim_block *block,
                                      swim_error_t *err)
{
    const float *restrict u = block->inputs[U]->data;
    const float *restrict v = block->inputs[V]->data;
    float *restrict speed = block->outputs[0]->data;

    (void)state;
    (void)err;
    for (uint64_t i = 0; i < block->outputs[0]->count; i++)
        speed[i] = sqrtf(u[i] * u[i] + v[i] * v[i]);
    return SWIM_OK;
}

static const struct swim_port inputs[] = {
    [U] = {"u", SWIM_TYPE_F32, NULL, "eastward component"},
    [V] = {"v", SWIM_TYPE_F32, "=u", "northward component, in the same unit"},
};
static const struct swim_port outputs[] = {
    {"speed", SWIM_TYPE_F32, NULL, "sqrt(u*u + v*v), in the unit of u"},
};

SWIM_KERNEL_DEFINE(.name = "wind_speed",
                   .summary = "wind speed from two wind components",
                   .kind = SWIM_KERNEL_MAP, .n_inputs = SWIM_COUNT_OF(inputs),
                   .inputs = inputs, .n_outputs = SWIM_COUNT_OF(outputs),
                   .outputs = outputs, .plan = wind_speed_plan,
                   .apply = wind_speed_apply);
