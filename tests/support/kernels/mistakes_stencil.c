/* mistakes_stencil.c - the sum of an element and the one behind it on the last axis,
 * with a halo of one on all axes, and the mistake that is asked for; any type. */
#include <stdlib.h>
#include <string.h>

#include <h5swim/kernel.h>

struct state {
    char mistake[32];
    enum swim_type type;
    enum swim_edge edge;
};

static int is(const void *state, const char *mistake)
{
    return strcmp(((const struct state *)state)->mistake, mistake) == 0;
}

static int open_state(const swim_params_t *params, void **state, swim_error_t *err)
{
    struct state *s = calloc(1, sizeof(*s));

    if (!s)
        return swim_error_set(err, SWIM_ERR_NOMEM, "no memory");
    strncpy(s->mistake, swim_params_text(params, "mistake"), sizeof(s->mistake) - 1);
    *state = s;
    return SWIM_OK;
}

static int plan(void *state, struct swim_plan *plan, swim_error_t *err)
{
    struct state *s = state;
    const uint32_t ndim = plan->inputs[0]->ndim;

    s->type = plan->inputs[0]->type;
    s->edge = plan->edge[0];
    if (is(s, "flat") && ndim != 2)
        return swim_error_set(err, SWIM_ERR_ARG, "two axes are wanted, not %u", ndim);
    if (s->type != SWIM_TYPE_F32 && s->type != SWIM_TYPE_I32)
        return swim_error_set(err, SWIM_ERR_ARG, "it knows float32 and int32");
    for (uint32_t a = 0; a < ndim; a++) {
        plan->halo_lo[a] = plan->halo_hi[a] = 1;
        if (is(s, "no_wrap") && plan->edge[a] == SWIM_EDGE_WRAP)
            return swim_error_set(err, SWIM_ERR_ARG, "the world is flat");
    }
    return SWIM_OK;
}

static int apply(void *state, const struct swim_block *b, swim_error_t *err)
{
    const struct state *s = state;
    const struct swim_array *in = b->inputs[0];
    const uint32_t last = in->ndim - 1;
    const int far = is(s, "wrong_wrap") && s->edge == SWIM_EDGE_WRAP;
    const ptrdiff_t next = far || is(state, "beyond") ? 2 : 1;
    char *data = in->data;

    (void)err;
    if (is(state, "writes_halo"))
        ((volatile float *)data)[-1] = 0;
    for (uint64_t i = 0; i < in->count; i++) {
        uint64_t rest = i / in->shape[last];
        ptrdiff_t at = (ptrdiff_t)(i % in->shape[last]);
        for (uint32_t d = last; d-- > 0; rest /= in->shape[d])
            at += (ptrdiff_t)(rest % in->shape[d]) * in->strides[d];
        if (s->type == SWIM_TYPE_F32)
            ((float *)b->outputs[0]->data)[i] =
                ((const float *)in->data)[at] + ((const float *)in->data)[at + next];
        else
            ((int32_t *)b->outputs[0]->data)[i] =
                ((const int32_t *)in->data)[at] +
                ((const int32_t *)in->data)[at + next];
    }
    return SWIM_OK;
}

static const struct swim_port in[] = {{.name = "x"}};
static const struct swim_port out[] = {{.name = "y"}};
static const struct swim_param params[] = {{.name = "mistake",
                                            .type = SWIM_PARAM_TEXT,
                                            .preset = "none",
                                            .description = "which one"}};

SWIM_KERNEL_DEFINE(.name = "mistakes_stencil", .kind = SWIM_KERNEL_STENCIL,
                   .n_inputs = 1, .n_outputs = 1, .inputs = in, .outputs = out,
                   .n_params = 1, .params = params, .open = open_state, .plan = plan,
                   .apply = apply, .close = free);
