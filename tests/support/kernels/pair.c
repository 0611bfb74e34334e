/* pair.c - two outputs of other types: the double of an integer, and whether it is
 * positive. */
#include <h5swim/kernel.h>

static int apply(void *state, const struct swim_block *b, swim_error_t *err)
{
    const struct swim_array *in = b->inputs[0];
    const int32_t *a = in->data;
    int64_t *twice = b->outputs[0]->data;
    uint8_t *positive = b->outputs[1]->data;
    (void)state;
    (void)err;
    for (uint64_t i = 0; i < in->count; i++) {
        int gone = in->has_missing && a[i] == in->missing.i;
        twice[i] = gone ? b->outputs[0]->missing.i : 2 * (int64_t)a[i];
        positive[i] = gone ? (uint8_t)b->outputs[1]->missing.i : a[i] > 0;
    }
    return SWIM_OK;
}

static const struct swim_port in[] = {{.name = "a", .type = SWIM_TYPE_I32}};

static const struct swim_port out[] = {{.name = "twice", .type = SWIM_TYPE_I64},
                                       {.name = "positive", .type = SWIM_TYPE_U8}};

SWIM_KERNEL_DEFINE(.name = "pair", .kind = SWIM_KERNEL_MAP, .n_inputs = 1,
                   .n_outputs = 2, .inputs = in, .outputs = out, .apply = apply);
