/* along.c - windows along an axis: the rows of a window, each times a weight of its
 * own, and as a second output how many there were. */
#include <stdlib.h>

#include <h5swim/kernel.h>

#define WEIGHTS 97 /* of the n-th row: 1 + n % WEIGHTS */

static const struct swim_param params[] = {
    {.name = "axis",
     .type = SWIM_PARAM_INT,
     .preset = "0",
     .description = "of windows"},
    {.name = "lo", .type = SWIM_PARAM_INT, .preset = "0", .description = "-1: whole"},
    {.name = "hi", .type = SWIM_PARAM_INT, .preset = "0", .description = "-1: whole"},
    {.name = "step", .type = SWIM_PARAM_INT, .preset = "1", .description = "rows"},
    {.name = "silent",
     .type = SWIM_PARAM_BOOL,
     .preset = "no",
     .description = "no plan"},
};

struct along {
    int64_t axis, lo, hi, step;
    int silent, none;
    uint64_t length;
};

static int along_open(const swim_params_t *given, void **state, swim_error_t *err)
{
    struct along *a = calloc(1, sizeof(*a));

    if (!a)
        return swim_error_set(err, SWIM_ERR_NOMEM, "along: no memory");
    a->axis = swim_params_int(given, "axis");
    a->lo = swim_params_int(given, "lo");
    a->hi = swim_params_int(given, "hi");
    a->step = swim_params_int(given, "step");
    a->silent = swim_params_bool(given, "silent");
    *state = a;
    return SWIM_OK;
}

static int along_plan(void *state, struct swim_plan *plan, swim_error_t *err)
{
    struct along *a = state;

    plan->edge_value = -5;
    if (a->silent)
        return SWIM_OK;
    a->none = a->axis < 8 && plan->edge[a->axis] == SWIM_EDGE_NONE;
    a->length = a->axis < 8 ? plan->inputs[0]->shape[a->axis] : 0;
    return swim_plan_window(plan, (uint32_t)a->axis, (uint32_t)a->lo, (uint32_t)a->hi,
                            (uint32_t)a->step, err);
}

/* Rows from to until of the input's column at x make output row y. */
static double sum_up(const double *x, int64_t from, int64_t until, ptrdiff_t stride)
{
    double sum = 0;
    int n = 0;

    for (int64_t i = from; i <= until; i++)
        sum += (1 + n++ % WEIGHTS) * x[i * stride];
    return sum;
}

/* What the host says of places, against what was planned. */
static int check(const struct along *a, const struct swim_array *x,
                 const struct swim_array *y, swim_error_t *err)
{
    uint64_t first = a->none && a->lo > 0 ? (uint64_t)a->lo : 0;
    uint64_t step = (uint64_t)a->step, m = y->shape[a->axis];

    if (x->offset[a->axis] == first + y->offset[a->axis] * step &&
        x->shape[a->axis] == (m - 1) * step + 1 && (a->lo >= 0 || m == a->length))
        return SWIM_OK;
    return swim_error_set(
        err, SWIM_ERR_KERNEL, "rows %llu+%llu for rows %llu+%llu",
        (unsigned long long)x->offset[a->axis], (unsigned long long)x->shape[a->axis],
        (unsigned long long)y->offset[a->axis], (unsigned long long)m);
}

static int along_apply(void *state, const struct swim_block *b, swim_error_t *err)
{
    const struct along *a = state;
    const struct swim_array *x = b->inputs[0], *y = b->outputs[0];
    const uint64_t m = y->shape[a->axis], inner = (uint64_t)y->strides[a->axis];
    const uint64_t whole = a->lo < 0;
    const ptrdiff_t stride = x->strides[a->axis];
    const uint64_t rows = x->shape[a->axis] + (whole ? 0 : (uint64_t)(a->lo + a->hi));
    int rc = check(a, x, y, err);

    for (uint64_t i = 0; rc == SWIM_OK && i < y->count; i++) {
        uint64_t o = i / (m * inner), k = i / inner % m;
        const double *column =
            (const double *)x->data + o * rows * (uint64_t)stride + i % inner;
        int64_t row = (int64_t)k * a->step;
        int64_t from = whole ? 0 : row - a->lo;
        int64_t until = whole ? (int64_t)rows - 1 : row + a->hi;
        ((double *)y->data)[i] =
            sum_up(column, from, until, stride) + (whole ? (double)k : 0);
        ((int32_t *)b->outputs[1]->data)[i] = (int32_t)(until - from + 1);
    }
    return rc;
}

static const struct swim_port in[] = {{.name = "x", .type = SWIM_TYPE_F64}};
static const struct swim_port out[] = {{.name = "y", .type = SWIM_TYPE_F64},
                                       {.name = "n", .type = SWIM_TYPE_I32}};

SWIM_KERNEL_DEFINE(.name = "along", .kind = SWIM_KERNEL_WINDOW, .n_inputs = 1,
                   .n_outputs = 2, .n_params = 5, .inputs = in, .outputs = out,
                   .params = params, .open = along_open, .plan = along_plan,
                   .apply = along_apply, .close = free);
