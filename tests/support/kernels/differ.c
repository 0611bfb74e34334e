/* differ.c - a map of two inputs with the names of what pair gives, in the other order:
 * three times the one and minus the other, as float64. */
#include <math.h>

#include <h5swim/kernel.h>

static int apply(void *state, const struct swim_block *b, swim_error_t *err)
{
    double *y = b->outputs[0]->data;

    (void)state;
    (void)err;
    for (uint64_t i = 0; i < b->outputs[0]->count; i++) {
        double positive, twice;
        swim_array_doubles(b->inputs[0], i, 1, &positive);
        swim_array_doubles(b->inputs[1], i, 1, &twice);
        y[i] = 3 * positive - twice;
    }
    return SWIM_OK;
}

static const struct swim_port in[] = {{.name = "positive", .type = SWIM_TYPE_ANY},
                                      {.name = "twice", .type = SWIM_TYPE_ANY}};
static const struct swim_port out[] = {{.name = "y", .type = SWIM_TYPE_F64}};

SWIM_KERNEL_DEFINE(.name = "differ", .kind = SWIM_KERNEL_MAP, .n_inputs = 2,
                   .n_outputs = 1, .inputs = in, .outputs = out, .apply = apply);
