/* linear.c - y = 2 x + 1: a map that is nothing beside what it reads and writes. */
#include <h5swim/kernel.h>

static int linear_apply(void *state, const struct swim_block *block, swim_error_t *err)
{
    const float *restrict x = block->inputs[0]->data;
    float *restrict y = block->outputs[0]->data;

    (void)state;
    (void)err;
    for (uint64_t i = 0; i < block->outputs[0]->count; i++)
        y[i] = 2.0F * x[i] + 1.0F;
    return SWIM_OK;
}

static const struct swim_port inputs[] = {{.name = "x", .type = SWIM_TYPE_F32}};
static const struct swim_port outputs[] = {{.name = "y", .type = SWIM_TYPE_F32}};

SWIM_KERNEL_DEFINE(.name = "linear", .summary = "2 x + 1", .kind = SWIM_KERNEL_MAP,
                   .n_inputs = 1, .n_outputs = 1, .inputs = inputs, .outputs = outputs,
                   .apply = linear_apply);
