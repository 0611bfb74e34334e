/* recompress.c - the same numbers with other chunks and filters, which the job says.
 *
 * A map kernel over raw numbers: what is packed stays packed, missing values and NaN
 * keep their bits, and the fill value and all attributes go along.  Elements that are
 * no numbers are copied as numbers of as many bytes. */
#include <string.h>

#include <h5swim/kernel.h>

static int recompress_apply(void *state, const struct swim_block *block,
                            swim_error_t *err)
{
    const struct swim_array *x = block->inputs[0];

    (void)state;
    (void)err;
    memcpy(block->outputs[0]->data, x->data, x->count * swim_type_size(x->type));
    return SWIM_OK;
}

static const struct swim_port inputs[] = {
    {"x", SWIM_TYPE_ANY, NULL, "any numbers, enumerations, short texts or compounds"},
};
static const struct swim_port outputs[] = {
    {"y", SWIM_TYPE_ANY, NULL, "the same; the job says its chunks and filters"},
};

SWIM_KERNEL_DEFINE(.name = "recompress",
                   .summary = "copy with other chunks and filters, bit for bit",
                   .kind = SWIM_KERNEL_MAP,
                   .flags = SWIM_KERNEL_RAW | SWIM_KERNEL_COPIES,
                   .n_inputs = SWIM_COUNT_OF(inputs), .inputs = inputs,
                   .n_outputs = SWIM_COUNT_OF(outputs), .outputs = outputs,
                   .apply = recompress_apply);
