/* mistakes_sum.c - the sum along the first axis, with the mistake that is asked for. */
#include <stdlib.h>
#include <string.h>

#include <h5swim/kernel.h>

struct state {
    char mistake[32];
    uint64_t calls;
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
    (void)state;
    return swim_plan_reduce(plan, 0, 0, NULL, err);
}

/* The pointer, or whatever comes behind the sums. */
static uint64_t acc_bytes(void *state, const struct swim_block *b)
{
    struct state *s = state;
    uint64_t more = is(s, "pointer") ? sizeof(double *) : 0;

    s->calls++;
    if (is(s, "no_acc"))
        return 0;
    return b->outputs[0]->count * sizeof(double) + more +
           (is(s, "acc_grows") ? s->calls : 0);
}

static double *sums_of(void *state, const struct swim_block *b, void *acc)
{
    double **kept = (double **)((double *)acc + b->outputs[0]->count);

    if (!is(state, "pointer"))
        return acc;
    if (!*kept)
        *kept = calloc(b->outputs[0]->count, sizeof(double));
    return *kept;
}

static int partial(void *state, const struct swim_block *b, void *acc,
                   swim_error_t *err)
{
    const uint64_t each = b->outputs[0]->count;
    const float *x = b->inputs[0]->data;
    double *sums = sums_of(state, b, acc);
    static double carried;

    (void)err;
    if (is(state, "partial_over"))
        ((volatile char *)acc)[each * sizeof(double)] = 1;
    if (is(state, "slices_set"))
        memset(sums, 0, each * sizeof(*sums));
    for (uint64_t i = 0; i < b->inputs[0]->count; i++)
        if (is(state, "partial_sets"))
            sums[i % each] = (double)x[i];
        else
            sums[i % each] += (double)x[i];
    if (is(state, "carries"))
        sums[0] += carried += 1;
    return SWIM_OK;
}

static int merge(void *state, const struct swim_block *b, void *acc, const void *other,
                 swim_error_t *err)
{
    double *sums = sums_of(state, b, acc);
    double *more = sums_of(state, b, (void *)other);

    (void)err;
    if (is(state, "merge_other"))
        *(volatile double *)(more + 1) = 0;
    if (is(state, "merge_refuses"))
        return swim_error_set(err, SWIM_ERR_KERNEL, "nothing goes together");
    if (is(state, "pointer")) { /* and what it pointed to stays */
        const double *old = sums;
        ((double **)acc)[b->outputs[0]->count] = NULL;
        sums = sums_of(state, b, acc);
        memcpy(sums, old, b->outputs[0]->count * sizeof(*sums));
    }
    for (uint64_t i = 0; i < b->outputs[0]->count; i++)
        sums[i] = is(state, "merge_sets") ? more[i] : sums[i] + more[i];
    return SWIM_OK;
}

static int finish(void *state, const struct swim_block *b, const void *acc,
                  swim_error_t *err)
{
    const double *sums = sums_of(state, b, (void *)acc);
    double *sum = b->outputs[0]->data;

    (void)err;
    if (is(state, "finish_acc"))
        *(volatile double *)acc = 0;
    if (is(state, "finish_over"))
        ((volatile double *)sum)[b->outputs[0]->count] = 0;
    for (uint64_t i = is(state, "forgets"); i < b->outputs[0]->count; i++)
        sum[i] = sums[i];
    return SWIM_OK;
}

static const struct swim_port in[] = {{.name = "x", .type = SWIM_TYPE_F32}};
static const struct swim_port out[] = {{.name = "sum", .type = SWIM_TYPE_F64}};
static const struct swim_param params[] = {{.name = "mistake",
                                            .type = SWIM_PARAM_TEXT,
                                            .preset = "none",
                                            .description = "which one"}};

SWIM_KERNEL_DEFINE(.name = "mistakes_sum", .kind = SWIM_KERNEL_REDUCE, .n_inputs = 1,
                   .n_outputs = 1, .inputs = in, .outputs = out, .n_params = 1,
                   .params = params, .open = open_state, .plan = plan,
                   .acc_bytes = acc_bytes, .partial = partial, .merge = merge,
                   .finish = finish, .close = free);
