/* empty.c - a kernel that does nothing: what is left is the runtime. */
#include <h5swim/kernel.h>

static int empty_apply(void *state, const struct swim_block *block, swim_error_t *err)
{
    (void)state;
    (void)block;
    (void)err;
    return SWIM_OK;
}

static const struct swim_port inputs[] = {{.name = "u", .type = SWIM_TYPE_F32}};
static const struct swim_port outputs[] = {{.name = "y", .type = SWIM_TYPE_F32}};

SWIM_KERNEL_DEFINE(.name = "empty", .kind = SWIM_KERNEL_MAP, .n_inputs = 1,
                   .n_outputs = 1, .inputs = inputs, .outputs = outputs,
                   .apply = empty_apply);
