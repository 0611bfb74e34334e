/* rolling_mean.c - the mean of the values around each one, or before it, along an axis.
 *
 * A window kernel.  Missing values are left out; a mean of fewer than min_count values
 * is missing.  What windows have beyond the edges is as the job's edges say: none, the
 * default, gives means of whole windows alone; constant lets nothing be there.
 *
 * Accuracy: nothing is ever subtracted from a sum.  Rows stand in groups as long as a
 * window, counted from the first row of the dataset; a window is the end of one group
 * and the beginning of the next, and its sum, in double precision, that of both.  So a
 * mean is as good as if its window were summed up alone, a value that is infinite or
 * very large is in no window but its own, and it makes no difference how the dataset
 * was cut into blocks; and yet each value is added twice, however long the window. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <h5swim/kernel.h>

#define LANES_ROWS 32768 /* rows of a group, times the elements done side by side */

struct rolling {
    int64_t length, step, min_count;
    int trailing;
    char axis_name[256], cell_methods[300];
    uint32_t axis, lo;
};

/* One column of windows: elements that lie side by side, whose rows are inner apart. */
struct lanes {
    const double *in; /* the first row of the first window */
    char *out;
    int is_float;
    uint64_t n, inner;
    uint64_t shift;   /* of the first row, in its group */
    uint64_t windows; /* to be done */
    double *sums;     /* length * n: from a row of the group to its end */
    uint32_t *counts;
    double *sum; /* n: from the beginning of the next group on */
    uint32_t *count;
};

static int rolling_open(const swim_params_t *params, void **state, swim_error_t *err)
{
    struct rolling *r = calloc(1, sizeof(*r));

    if (!r)
        return swim_error_set(err, SWIM_ERR_NOMEM, "rolling_mean: no memory");
    r->length = swim_params_int(params, "length");
    r->step = swim_params_int(params, "step");
    r->min_count = swim_params_int(params, "min_count");
    r->trailing = strcmp(swim_params_text(params, "window"), "trailing") == 0;
    snprintf(r->axis_name, sizeof(r->axis_name), "%s",
             swim_params_text(params, "axis"));
    if (r->min_count <= r->length) {
        *state = r;
        return SWIM_OK;
    }
    swim_error_set(err, SWIM_ERR_ARG,
                   "rolling_mean: min_count is %lld, a window has %lld values",
                   (long long)r->min_count, (long long)r->length);
    free(r);
    return SWIM_ERR_ARG;
}

/* By its name, as time by what it is, or by its number. */
static int find_axis(const struct swim_field *x, const char *wanted)
{
    char *end = NULL;

    for (uint32_t a = 0; a < x->ndim; a++)
        if (strcmp(x->axes[a]->name, wanted) == 0)
            return (int)a;
    if (strcmp(wanted, "time") == 0)
        return swim_field_axis(x, SWIM_AXIS_TIME);
    long number = strtol(wanted, &end, 10);
    return *wanted && !*end && number >= 0 && number < (long)x->ndim ? (int)number : -1;
}

static int rolling_plan(void *state, struct swim_plan *plan, swim_error_t *err)
{
    struct rolling *r = state;
    const struct swim_field *x = plan->inputs[0];
    int axis = find_axis(x, r->axis_name);

    if (axis < 0)
        return swim_error_set(
            err, SWIM_ERR_ARG,
            "rolling_mean: %s has no axis \"%s\": give \"axis\" the name "
            "of one, or its number, 0 to %d",
            x->name, r->axis_name, (int)x->ndim - 1);
    r->axis = (uint32_t)axis;
    r->lo = (uint32_t)(r->trailing ? r->length - 1 : r->length / 2);
    if (!plan->edge_given[axis])
        plan->edge[axis] = SWIM_EDGE_NONE;
    plan->edge_value = (double)NAN;
    /* Computed in double precision; as exact as in the file they are kept. */
    plan->outputs[0]->type = swim_type_floating(x->natural_type);
    const char *name = x->axes[axis]->name;
    if (*name) {
        snprintf(r->cell_methods, sizeof(r->cell_methods), "%s: mean", name);
        plan->outputs[0]->cell_methods = r->cell_methods;
    }
    return swim_plan_window(plan, r->axis, r->lo, (uint32_t)(r->length - 1) - r->lo,
                            (uint32_t)r->step, err);
}

static void add_row(const struct lanes *l, uint64_t row, double *restrict sum,
                    uint32_t *restrict count)
{
    const double *restrict in = l->in + row * l->inner;

    for (uint64_t i = 0; i < l->n; i++) {
        sum[i] += isnan(in[i]) ? 0.0 : in[i];
        count[i] += isnan(in[i]) ? 0u : 1u;
    }
}

/* Sums from each row of a group that a window can begin at, to the end of the group. */
static void sum_group(const struct lanes *l, uint64_t from, uint64_t to, uint64_t first)
{
    for (uint64_t row = to; row-- > from;) {
        double *sum = l->sums + (row - first) * l->n;
        uint32_t *count = l->counts + (row - first) * l->n;
        if (row + 1 < to) {
            memcpy(sum, sum + l->n, l->n * sizeof(*sum));
            memcpy(count, count + l->n, l->n * sizeof(*count));
        } else {
            memset(sum, 0, l->n * sizeof(*sum));
            memset(count, 0, l->n * sizeof(*count));
        }
        add_row(l, row, sum, count);
    }
}

static void put_mean(const struct lanes *l, uint64_t window, uint64_t at,
                     int64_t min_count)
{
    const double *restrict sum = l->sums + at * l->n;
    const uint32_t *restrict count = l->counts + at * l->n;

    for (uint64_t i = 0; i < l->n; i++) {
        uint32_t n = count[i] + l->count[i];
        double mean = n && n >= min_count ? (sum[i] + l->sum[i]) / n : (double)NAN;
        if (l->is_float)
            ((float *)l->out)[window * l->inner + i] = (float)mean;
        else
            ((double *)l->out)[window * l->inner + i] = mean;
    }
}

/* Group by group: windows that begin in it end in it, or in the next. */
static void do_lanes(const struct rolling *r, const struct lanes *l)
{
    const uint64_t length = (uint64_t)r->length, step = (uint64_t)r->step;
    uint64_t window = 0;

    while (window < l->windows) {
        uint64_t begin = window * step;
        uint64_t end = begin + length - (begin + l->shift) % length;
        uint64_t next = end;
        sum_group(l, begin, end, begin);
        memset(l->sum, 0, l->n * sizeof(*l->sum));
        memset(l->count, 0, l->n * sizeof(*l->count));
        for (; window < l->windows && window * step < end; window++) {
            for (; next < window * step + length; next++)
                add_row(l, next, l->sum, l->count);
            put_mean(l, window, window * step - begin, r->min_count);
        }
    }
}

/* NULL: no memory. */
static double *make_room(struct lanes *l, uint64_t length)
{
    const uint64_t most = length < LANES_ROWS ? LANES_ROWS / length : 1;
    const uint64_t n = l->inner < most ? l->inner : most;
    char *room = malloc((length + 1) * n * (sizeof(*l->sums) + sizeof(*l->counts)) + 1);

    l->n = n;
    l->sums = (double *)room;
    l->sum = l->sums + length * n;
    l->counts = (uint32_t *)(l->sums + (length + 1) * n);
    l->count = l->counts + length * n;
    return l->sums;
}

static int rolling_apply(void *state, const struct swim_block *block, swim_error_t *err)
{
    const struct rolling *r = state;
    const struct swim_array *x = block->inputs[0], *y = block->outputs[0];
    const uint64_t length = (uint64_t)r->length, inner = (uint64_t)x->strides[r->axis];
    const uint64_t rows = x->shape[r->axis] + length - 1, m = y->shape[r->axis];
    const uint64_t size = swim_type_size(y->type);
    const double *first = (const double *)x->data - r->lo * inner;
    struct lanes l = {.inner = inner,
                      .windows = m,
                      .is_float = y->type == SWIM_TYPE_F32,
                      .shift = (x->offset[r->axis] + length - r->lo) % length};

    if (!make_room(&l, length))
        return swim_error_set(err, SWIM_ERR_NOMEM,
                              "rolling_mean: no memory for a window of %llu rows",
                              (unsigned long long)length);
    const uint64_t most = l.n;
    for (uint64_t o = 0; o < y->count / (m * inner); o++)
        for (uint64_t i = 0; i < inner; i += most) {
            l.n = inner - i < most ? inner - i : most;
            l.in = first + o * rows * inner + i;
            l.out = (char *)y->data + (o * m * inner + i) * size;
            do_lanes(r, &l);
        }
    free(l.sums);
    return SWIM_OK;
}

static const struct swim_param params[] = {
    {.name = "axis",
     .type = SWIM_PARAM_TEXT,
     .preset = "time",
     .description = "along which axis: its name or number; time: the time axis"},
    {.name = "length",
     .type = SWIM_PARAM_INT,
     .unit = "rows",
     .description = "of a window",
     .min = 1,
     .max = 1 << 20},
    {.name = "window",
     .type = SWIM_PARAM_TEXT,
     .preset = "centred",
     .choices = "centred|trailing",
     .description = "around a row (an even one has more before it), or up to it"},
    {.name = "min_count",
     .type = SWIM_PARAM_INT,
     .preset = "1",
     .description = "a mean of fewer valid values than that is missing",
     .min = 1,
     .max = 1 << 20},
    {.name = "step",
     .type = SWIM_PARAM_INT,
     .preset = "1",
     .unit = "rows",
     .description = "from one window to the next; as length: they follow each other",
     .min = 1,
     .max = 1 << 30},
};
static const struct swim_port inputs[] = {
    {"x", SWIM_TYPE_F64, NULL, "values"},
};
static const struct swim_port outputs[] = {
    {"mean", SWIM_TYPE_ANY, NULL, "mean of each window, in the unit of x"},
};

SWIM_KERNEL_DEFINE(.name = "rolling_mean",
                   .summary = "mean of a window that rolls along an axis",
                   .kind = SWIM_KERNEL_WINDOW, .flags = SWIM_KERNEL_ADDS_METHODS,
                   .n_inputs = SWIM_COUNT_OF(inputs), .inputs = inputs,
                   .n_outputs = SWIM_COUNT_OF(outputs), .outputs = outputs,
                   .n_params = SWIM_COUNT_OF(params), .params = params,
                   .open = rolling_open, .plan = rolling_plan, .apply = rolling_apply,
                   .close = free);
