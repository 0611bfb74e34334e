/* breaks.c - doubles, but for the blocks in which it breaks. */
#include "breaks.h"

static int apply(void *state, const struct swim_block *b, swim_error_t *err)
{
    const float *u = b->inputs[0]->data;
    float *y = b->outputs[0]->data;
    int rc = breaks_look(state, b->index, err);

    for (uint64_t i = 0; rc == SWIM_OK && i < b->inputs[0]->count; i++)
        y[i] = 2 * u[i];
    for (size_t i = 0; rc == SWIM_OK && ((struct breaks *)state)->over && i < 16384;
         i++)
        y[b->inputs[0]->count + i] = -2;
    return rc;
}

static const struct swim_port in[] = {{.name = "u", .type = SWIM_TYPE_F32}};
static const struct swim_port out[] = {{.name = "y", .type = SWIM_TYPE_F32}};

SWIM_KERNEL_DEFINE(.name = "breaks", .kind = SWIM_KERNEL_MAP, .n_inputs = 1,
                   .n_outputs = 1, .n_params = 1, .inputs = in, .outputs = out,
                   .params = breaks_params, .open = breaks_open, .close = free,
                   .apply = apply);
