/* row_clock.c - when the kernel began with each element, by the monotonic clock. */
#include <time.h>

#include <h5swim/kernel.h>

static int clock_apply(void *state, const struct swim_block *b, swim_error_t *err)
{
    int64_t *out = b->outputs[0]->data;
    struct timespec t;

    (void)state;
    (void)err;
    clock_gettime(CLOCK_MONOTONIC, &t);
    for (uint64_t i = 0; i < b->outputs[0]->count; i++)
        out[i] = (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
    return SWIM_OK;
}

static const struct swim_port inputs[] = {{.name = "u", .type = SWIM_TYPE_F32}};
static const struct swim_port outputs[] = {{.name = "began", .type = SWIM_TYPE_I64}};

SWIM_KERNEL_DEFINE(.name = "row_clock", .kind = SWIM_KERNEL_MAP, .n_inputs = 1,
                   .n_outputs = 1, .inputs = inputs, .outputs = outputs,
                   .apply = clock_apply);
