/* mistakes_filter.c - the values above 10, where they are in the data, and the mistake
 * that is asked for. */
#include "mistakes.h"

#define LIMIT 10

static int plan(void *state, struct swim_plan *plan, swim_error_t *err)
{
    const struct mistakes *m = state;

    (void)err;
    plan->outputs[1]->ndim = 2;
    plan->outputs[1]->from_axis[1] = is(m, "input_axis") ? 0 : -1;
    plan->outputs[1]->shape[1] = plan->inputs[0]->ndim;
    if (is(m, "no_axis"))
        plan->outputs[1]->ndim = 0;
    return SWIM_OK;
}

/* One place outside of what there is. */
static void go_beyond(const struct mistakes *m, const struct swim_block *b)
{
    volatile float *in = b->inputs[0]->data, *value = b->outputs[0]->data;
    const uint64_t n = b->inputs[0]->count;

    if (is(m, "overrun"))
        value[n] = 1;
    if (is(m, "reads_over"))
        (void)in[n];
    if (is(m, "reads_under"))
        (void)in[-1];
    if (is(m, "writes_input"))
        in[3] = 1;
}

static void put_place(const struct mistakes *m, const struct swim_array *x, uint64_t i,
                      int64_t *place)
{
    for (uint32_t a = x->ndim; a-- > 0; i /= x->shape[a])
        place[a] = (int64_t)((is(m, "own_place") ? 0 : x->offset[a]) + i % x->shape[a]);
}

static int is_hit(const struct mistakes *m, const struct swim_array *x, uint64_t i,
                  uint64_t rows)
{
    if (is(m, "nothing") || (is(m, "one_each") && rows))
        return 0;
    return is(m, "all") || ((const float *)x->data)[i] > LIMIT;
}

static int apply(void *state, const struct swim_block *b, swim_error_t *err)
{
    struct mistakes *m = state;
    const struct swim_array *x = b->inputs[0];
    float *value = b->outputs[0]->data;
    int64_t *place = b->outputs[1]->data;
    uint64_t rows = 0;

    (void)err;
    go_beyond(m, b);
    for (uint64_t i = 0; i < x->count; i++) {
        if (!is_hit(m, x, i, rows)) {
            if (is(m, "beyond_its_rows"))
                value[rows] = 1;
            continue;
        }
        value[rows] = ((const float *)x->data)[i];
        if (is(m, "numbers"))
            value[rows] = (float)m->seen;
        m->seen++;
        if (!is(m, "forgets") || rows != 2)
            put_place(m, x, i, place + rows * x->ndim);
        rows++;
    }
    if (rows > 0 && is(m, "stale") && value[x->count - 1] > 0)
        rows--;
    b->outputs[0]->rows = is(m, "many") ? x->count + 1 : rows;
    b->outputs[1]->rows = is(m, "uneven") ? 0 : b->outputs[0]->rows;
    return SWIM_OK;
}

static const struct swim_port in[] = {{.name = "x", .type = SWIM_TYPE_F32}};
static const struct swim_port out[] = {{.name = "value", .type = SWIM_TYPE_F32},
                                       {.name = "place", .type = SWIM_TYPE_I64}};

SWIM_KERNEL_DEFINE(.name = "mistakes_filter", .kind = SWIM_KERNEL_FILTER, .n_inputs = 1,
                   .n_outputs = 2, .inputs = in, .outputs = out, .n_params = 1,
                   .params = mistakes_params, .open = mistakes_open, .plan = plan,
                   .apply = apply, .close = free);
