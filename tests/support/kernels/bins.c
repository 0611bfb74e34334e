/* bins.c - how often there are which values: in 16 bins of floating-point numbers, in
 * as many as asked for of integers, which are counted in turn. */
#include <stdlib.h>

#include <h5swim/kernel.h>

struct state {
    uint64_t bins;
    int real;
};

static int bins_open(const swim_params_t *params, void **state, swim_error_t *err)
{
    struct state *s = calloc(1, sizeof(*s));

    if (!s)
        return swim_error_set(err, SWIM_ERR_NOMEM, "no memory");
    s->bins = (uint64_t)swim_params_int(params, "bins");
    *state = s;
    return SWIM_OK;
}

static int bins_plan(void *state, struct swim_plan *plan, swim_error_t *err)
{
    struct state *s = state;

    (void)err;
    s->real = plan->inputs[0]->type == SWIM_TYPE_F32;
    plan->outputs[0]->ndim = 1;
    plan->outputs[0]->from_axis[0] = -1;
    plan->outputs[0]->shape[0] = s->real ? 16 : s->bins;
    return SWIM_OK;
}

static uint64_t bins_bytes(void *state, const struct swim_block *b)
{
    (void)state;
    return b->outputs[0]->count * sizeof(int64_t);
}

static int bins_partial(void *state, const struct swim_block *b, void *acc,
                        swim_error_t *err)
{
    const struct state *s = state;
    const uint64_t bins = b->outputs[0]->count;
    int64_t *n = acc;

    (void)err;
    for (uint64_t i = 0; i < b->inputs[0]->count; i++) {
        const double x = s->real ? ((const float *)b->inputs[0]->data)[i] : 0;
        n[s->real ? (uint64_t)(x == x ? x * x : 0) % bins : i % bins]++;
    }
    return SWIM_OK;
}

static int bins_merge(void *state, const struct swim_block *b, void *acc,
                      const void *other, swim_error_t *err)
{
    (void)state;
    (void)err;
    for (uint64_t i = 0; i < b->outputs[0]->count; i++)
        ((int64_t *)acc)[i] += ((const int64_t *)other)[i];
    return SWIM_OK;
}

static int bins_finish(void *state, const struct swim_block *b, const void *acc,
                       swim_error_t *err)
{
    (void)state;
    (void)err;
    for (uint64_t i = 0; i < b->outputs[0]->count; i++)
        ((int64_t *)b->outputs[0]->data)[i] = ((const int64_t *)acc)[i];
    return SWIM_OK;
}

static const struct swim_port in[] = {{.name = "x"}};
static const struct swim_port out[] = {{.name = "n", .type = SWIM_TYPE_I64}};
static const struct swim_param params[] = {{.name = "bins",
                                            .type = SWIM_PARAM_INT,
                                            .preset = "65536",
                                            .description = "of integers"}};

SWIM_KERNEL_DEFINE(.name = "bins", .kind = SWIM_KERNEL_REDUCE, .n_inputs = 1,
                   .n_outputs = 1, .inputs = in, .outputs = out, .n_params = 1,
                   .params = params, .open = bins_open, .plan = bins_plan,
                   .acc_bytes = bins_bytes, .partial = bins_partial,
                   .merge = bins_merge, .finish = bins_finish, .close = free);
