/* total.c - the sum over all axes, or over all but the one kept; fails where it is told
 * to. */
#include <stdlib.h>
#include <unistd.h>

#include <h5swim/kernel.h>

static const struct swim_param params[] = {{.name = "keep",
                                            .type = SWIM_PARAM_INT,
                                            .preset = "-1",
                                            .description = "axis to keep"},
                                           {.name = "fail",
                                            .type = SWIM_PARAM_TEXT,
                                            .preset = "",
                                            .description = "where to fail"}};

struct total {
    int64_t keep;
    char fail;
};

static int total_open(const swim_params_t *p, void **state, swim_error_t *err)
{
    struct total *t = calloc(1, sizeof(*t));
    (void)err;
    if (!t)
        return SWIM_ERR_NOMEM;
    t->keep = swim_params_int(p, "keep");
    t->fail = swim_params_text(p, "fail")[0];
    *state = t;
    if (t->fail == 'o')
        return SWIM_ERR_NOMEM; /* without a word */
    return SWIM_OK;
}

static int total_plan(void *state, struct swim_plan *plan, swim_error_t *err)
{
    const struct total *t = state;
    (void)err;
    if (t->fail == 'p')
        exit(3);
    if (t->fail == 's')
        sleep(20);
    if (t->keep < 0)
        return SWIM_OK;
    plan->reduced[t->keep] = 0;
    plan->outputs[0]->ndim = 1;
    plan->outputs[0]->from_axis[0] = (int32_t)t->keep;
    return SWIM_OK;
}

static uint64_t total_acc_bytes(void *state, const struct swim_block *b)
{
    (void)state;
    return b->outputs[0]->count * sizeof(double);
}

static int total_partial(void *state, const struct swim_block *b, void *acc,
                         swim_error_t *err)
{
    const struct total *t = state;
    const struct swim_array *in = b->inputs[0];
    const double *x = in->data;
    double *sum = acc;
    (void)err;
    if (t->fail == 'e')
        exit(3);
    for (uint64_t i = 0; i < in->count; i++) {
        uint64_t place =
            t->keep < 0 ? 0 : i / (uint64_t)in->strides[t->keep] % in->shape[t->keep];
        sum[place] += x[i] == x[i] ? x[i] : 0;
    }
    return SWIM_OK;
}

static int total_merge(void *state, const struct swim_block *b, void *acc,
                       const void *other, swim_error_t *err)
{
    double *sum = acc;
    const double *more = other;
    (void)state;
    (void)err;
    for (uint64_t i = 0; i < b->outputs[0]->count; i++)
        sum[i] += more[i];
    return SWIM_OK;
}

static int total_finish(void *state, const struct swim_block *b, const void *acc,
                        swim_error_t *err)
{
    const struct total *t = state;
    if (t->fail == 'f')
        return swim_error_set(err, SWIM_ERR_KERNEL, "nothing to finish");
    for (uint64_t i = 0; i < b->outputs[0]->count; i++)
        ((double *)b->outputs[0]->data)[i] = ((const double *)acc)[i];
    return SWIM_OK;
}

static const struct swim_port in[] = {{.name = "x", .type = SWIM_TYPE_F64}};

static const struct swim_port out[] = {{.name = "sum", .type = SWIM_TYPE_F64}};

SWIM_KERNEL_DEFINE(.name = "total", .kind = SWIM_KERNEL_REDUCE, .n_inputs = 1,
                   .n_outputs = 1, .inputs = in, .outputs = out, .n_params = 2,
                   .params = params, .open = total_open, .plan = total_plan,
                   .acc_bytes = total_acc_bytes, .partial = total_partial,
                   .merge = total_merge, .finish = total_finish, .close = free);
