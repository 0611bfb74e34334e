/* mistakes_window.c - the sum of a row, the one before it and the two behind it, along
 * the first axis, and the mistake that is asked for. */
#include "mistakes.h"

#define LO 1
#define HI 2
#define MORE 500

static int plan(void *state, struct swim_plan *plan, swim_error_t *err)
{
    struct mistakes *m = state;

    m->edge = plan->edge[0];
    if (is(m, "no_window"))
        return SWIM_OK;
    if (is(m, "no_wrap") && plan->edge[0] == SWIM_EDGE_WRAP)
        return swim_error_set(err, SWIM_ERR_ARG, "time does not come back");
    if (is(m, "whole") || is(m, "whole_over"))
        return swim_plan_window(plan, 0, SWIM_WINDOW_WHOLE, SWIM_WINDOW_WHOLE, 1, err);
    if (is(m, "round") && plan->edge[0] == SWIM_EDGE_WRAP) { /* no mistake: more */
        struct swim_output *y = plan->outputs[0];
        y->from_axis[y->ndim] = -1;
        y->shape[y->ndim++] = MORE;
    }
    int rc = swim_plan_window(plan, 0, LO, HI, is(m, "steps") ? 3 : 1, err);
    plan->halo_lo[1] = is(m, "other_axis");
    return rc;
}

/* One place outside of what there is. */
static void go_beyond(const struct mistakes *m, const struct swim_array *x,
                      const struct swim_array *y)
{
    volatile float *in = x->data, *out = y->data;
    const ptrdiff_t inner = x->strides[0];

    if (is(m, "overrun"))
        out[y->count] = 1;
    if (is(m, "underrun"))
        out[-1] = 1;
    if (is(m, "reads_over"))
        (void)in[((ptrdiff_t)x->shape[0] + HI) * inner];
    if (is(m, "reads_under"))
        (void)in[-LO * inner - 1];
    if (is(m, "whole_over"))
        (void)in[(ptrdiff_t)x->shape[0] * inner];
    if (is(m, "writes_input"))
        in[0] = 1;
    if (is(m, "writes_halo"))
        in[-LO * inner] = 1;
}

static float sum_up(const struct mistakes *m, const struct swim_array *x, ptrdiff_t row,
                    ptrdiff_t column)
{
    const float *in = x->data;
    const int whole = is(m, "whole");
    ptrdiff_t from = whole ? 0 : row - LO, to = whole ? 4 : row + HI;
    float sum = 0;

    if (is(m, "beside") && column + 1 < x->strides[0])
        column++;
    if (is(m, "wrong_wrap") && m->edge == SWIM_EDGE_WRAP)
        from = x->offset[0] ? from : 0;
    for (ptrdiff_t i = from; i <= to; i++)
        sum += in[i * x->strides[0] + column];
    return sum;
}

static int apply(void *state, const struct swim_block *b, swim_error_t *err)
{
    struct mistakes *m = state;
    const struct swim_array *x = b->inputs[0], *y = b->outputs[0];
    const uint64_t inner = (uint64_t)y->strides[0];
    const ptrdiff_t step = is(m, "steps") ? 3 : 1;
    const uint64_t each = y->ndim > x->ndim ? MORE : 1;
    float *out = y->data;

    (void)err;
    go_beyond(m, x, y);
    for (uint64_t i = 0; i < y->count; i++) {
        ptrdiff_t k = (ptrdiff_t)(i / inner);
        if (is(m, "forgets") && y->offset[0] + y->shape[0] == 34 && i + 1 == y->count)
            continue;
        out[i] = sum_up(m, x, k * step, (ptrdiff_t)(i % inner / each));
        if (is(m, "counts_rows"))
            out[i] += (float)k;
        if (is(m, "carries"))
            out[i] += (float)m->seen;
    }
    m->seen++;
    return SWIM_OK;
}

static const struct swim_port in[] = {{.name = "x", .type = SWIM_TYPE_F32}};
static const struct swim_port out[] = {{.name = "y", .type = SWIM_TYPE_F32}};

SWIM_KERNEL_DEFINE(.name = "mistakes_window", .kind = SWIM_KERNEL_WINDOW, .n_inputs = 1,
                   .n_outputs = 1, .inputs = in, .outputs = out, .n_params = 1,
                   .params = mistakes_params, .open = mistakes_open, .plan = plan,
                   .apply = apply, .close = free);
