/* slow.c - out = 2 * in, for as long as a test needs a job to last. */
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <h5swim/kernel.h>

#define NAP_MS 10

static const struct swim_param params[] = {
    {.name = "ms", .type = SWIM_PARAM_INT, .preset = "0", .description = "of a block"},
    {.name = "until",
     .type = SWIM_PARAM_TEXT,
     .preset = "",
     .description = "no longer than until there is this file"}};

struct slow {
    int64_t ms;
    const char *until;
};

static int slow_open(const swim_params_t *given, void **state, swim_error_t *err)
{
    struct slow *s = calloc(1, sizeof(*s));

    if (!s)
        return swim_error_set(err, SWIM_ERR_NOMEM, "slow: no memory");
    s->ms = swim_params_int(given, "ms");
    s->until = swim_params_text(given, "until");
    *state = s;
    return SWIM_OK;
}

static int slow_apply(void *state, const struct swim_block *block, swim_error_t *err)
{
    const struct slow *s = state;
    const float *in = block->inputs[0]->data;
    float *out = block->outputs[0]->data;

    (void)err;
    for (int64_t ms = s->ms; ms > 0; ms -= NAP_MS) {
        const struct timespec nap = {0, (ms < NAP_MS ? ms : NAP_MS) * 1000000L};
        if (s->until[0] && access(s->until, F_OK) == 0)
            break;
        nanosleep(&nap, NULL);
    }
    for (uint64_t i = 0; i < block->outputs[0]->count; i++)
        out[i] = 2 * in[i];
    return SWIM_OK;
}

static const struct swim_port inputs[] = {{.name = "u", .type = SWIM_TYPE_F32}};
static const struct swim_port outputs[] = {{.name = "y", .type = SWIM_TYPE_F32}};

SWIM_KERNEL_DEFINE(.name = "slow", .kind = SWIM_KERNEL_MAP, .n_inputs = 1,
                   .n_outputs = 1, .inputs = inputs, .outputs = outputs, .n_params = 2,
                   .params = params, .open = slow_open, .apply = slow_apply,
                   .close = free);
