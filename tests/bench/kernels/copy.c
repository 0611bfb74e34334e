/* copy.c - y = x: what is left is decoding and encoding. */
#include <string.h>

#include <h5swim/kernel.h>

static int copy_apply(void *state, const struct swim_block *block, swim_error_t *err)
{
    (void)state;
    (void)err;
    memcpy(block->outputs[0]->data, block->inputs[0]->data,
           block->outputs[0]->count * sizeof(float));
    return SWIM_OK;
}

static const struct swim_port inputs[] = {{.name = "x", .type = SWIM_TYPE_F32}};
static const struct swim_port outputs[] = {{.name = "y", .type = SWIM_TYPE_F32}};

SWIM_KERNEL_DEFINE(.name = "copy", .summary = "the same values",
                   .kind = SWIM_KERNEL_MAP, .n_inputs = 1, .n_outputs = 1,
                   .inputs = inputs, .outputs = outputs, .apply = copy_apply);
