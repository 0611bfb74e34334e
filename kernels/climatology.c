/* climatology.c - the mean of each calendar month, over all years.
 *
 * A reduce kernel: the time axis gives way to an axis of 12 months.  An accumulator is
 * a sum and a count for each output element, so partial results of different times add
 * up.  Missing values are left out; a month without any value is missing. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <h5swim/kernel.h>

#define MONTHS 12
#define PIECE 512 /* elements that are made doubles at a time */

struct climatology {
    int time;        /* which axis */
    uint8_t *months; /* of each time, 1 to 12 */
    char cell_methods[512];
};

static const double month_numbers[MONTHS] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
static const struct swim_axis month_axis = {.name = "month",
                                            .units = "1",
                                            .calendar = "",
                                            .standard_name = "",
                                            .length = MONTHS,
                                            .values = month_numbers};

static int climatology_open(const swim_params_t *params, void **state,
                            swim_error_t *err)
{
    (void)params;
    *state = calloc(1, sizeof(struct climatology));
    return *state ? SWIM_OK
                  : swim_error_set(err, SWIM_ERR_NOMEM, "climatology: no memory");
}

static void climatology_close(void *state)
{
    struct climatology *c = state;

    free(c->months);
    free(c);
}

static int climatology_plan(void *state, struct swim_plan *plan, swim_error_t *err)
{
    struct climatology *c = state;
    const struct swim_field *x = plan->inputs[0];

    c->time = swim_field_axis(x, SWIM_AXIS_TIME);
    if (c->time < 0)
        return swim_error_set(err, SWIM_ERR_ARG,
                              "climatology: %s has no time axis: none has units like "
                              "\"hours since 1980-01-01\", nor is called time",
                              x->name);
    const struct swim_axis *time = x->axes[c->time];
    free(c->months);
    c->months = malloc(time->length + 1);
    if (!c->months)
        return swim_error_set(err, SWIM_ERR_NOMEM, "climatology: no memory");
    int rc = swim_axis_months(time, c->months, err);
    if (rc != SWIM_OK)
        return rc;

    /* CF conventions, section 7.4: climatological statistics. */
    const char *name = *time->name ? time->name : "time";
    snprintf(c->cell_methods, sizeof(c->cell_methods),
             "%s: mean within years %s: mean over years", name, name);
    plan->outputs[0]->cell_methods = c->cell_methods;
    plan->outputs[0]->type = swim_type_floating(x->type);
    return swim_plan_reduce(plan, (uint32_t)c->time, MONTHS, &month_axis, err);
}

/* An accumulator: the sums of all output elements, then their counts. */
static uint64_t climatology_acc_bytes(void *state, const struct swim_block *block)
{
    (void)state;
    return block->outputs[0]->count * (sizeof(double) + sizeof(uint64_t));
}

static void month_add(const float *restrict value, uint64_t n, double *restrict sum,
                      uint64_t *restrict count)
{
    for (uint64_t i = 0; i < n; i++) {
        sum[i] += isnan(value[i]) ? 0.0 : (double)value[i];
        count[i] += isnan(value[i]) ? 0u : 1u;
    }
}

/* The same of any other type, from element first of the array on. */
static void month_add_any(const struct swim_array *x, uint64_t first, uint64_t n,
                          double *restrict sum, uint64_t *restrict count)
{
    double value[PIECE];

    for (uint64_t done = 0; done < n; done += PIECE) {
        uint64_t part = n - done < PIECE ? n - done : PIECE;
        swim_array_doubles(x, first + done, part, value);
        for (uint64_t i = 0; i < part; i++) {
            sum[done + i] += isnan(value[i]) ? 0.0 : value[i];
            count[done + i] += isnan(value[i]) ? 0u : 1u;
        }
    }
}

static int climatology_partial(void *state, const struct swim_block *block, void *acc,
                               swim_error_t *err)
{
    const struct climatology *c = state;
    const struct swim_array *x = block->inputs[0];
    const uint64_t n_times = x->shape[c->time], first = x->offset[c->time];
    double *sums = acc;
    uint64_t *counts = (uint64_t *)(sums + block->outputs[0]->count);
    uint64_t outer = 1, inner = 1; /* elements before and behind the time axis */
    uint64_t at = 0;

    (void)err;
    for (int d = 0; d < c->time; d++)
        outer *= x->shape[d];
    for (uint32_t d = (uint32_t)c->time + 1; d < x->ndim; d++)
        inner *= x->shape[d];

    for (uint64_t o = 0; o < outer; o++)
        for (uint64_t t = 0; t < n_times; t++, at += inner) {
            uint64_t month = c->months[first + t] - 1u;
            double *restrict sum = sums + (o * MONTHS + month) * inner;
            uint64_t *restrict count = counts + (o * MONTHS + month) * inner;
            if (x->type == SWIM_TYPE_F32)
                month_add((const float *)x->data + at, inner, sum, count);
            else
                month_add_any(x, at, inner, sum, count);
        }
    return SWIM_OK;
}

static int climatology_merge(void *state, const struct swim_block *block, void *acc,
                             const void *other, swim_error_t *err)
{
    const uint64_t n = block->outputs[0]->count;
    double *restrict sum = acc;
    const double *restrict sum2 = other;
    uint64_t *restrict count = (uint64_t *)(sum + n);
    const uint64_t *restrict count2 = (const uint64_t *)(sum2 + n);

    (void)state;
    (void)err;
    for (uint64_t i = 0; i < n; i++) {
        sum[i] += sum2[i];
        count[i] += count2[i];
    }
    return SWIM_OK;
}

static int climatology_finish(void *state, const struct swim_block *block,
                              const void *acc, swim_error_t *err)
{
    const uint64_t n = block->outputs[0]->count;
    const double *sum = acc;
    const uint64_t *count = (const uint64_t *)(sum + n);
    struct swim_array *out = block->outputs[0];
    float *single = out->data;
    double *mean = out->data;

    (void)state;
    (void)err;
    for (uint64_t i = 0; i < n; i++) {
        const double value = count[i] ? sum[i] / (double)count[i] : (double)NAN;
        if (out->type == SWIM_TYPE_F32)
            single[i] = (float)value;
        else
            mean[i] = value;
    }
    return SWIM_OK;
}

static const struct swim_port inputs[] = {
    {"x", SWIM_TYPE_ANY, NULL, "values with a time axis"},
};
static const struct swim_port outputs[] = {
    {"mean", SWIM_TYPE_ANY, NULL, "mean of each of the 12 months, in the unit of x"},
};

SWIM_KERNEL_DEFINE(.name = "climatology",
                   .summary = "mean of each calendar month over all years",
                   .kind = SWIM_KERNEL_REDUCE, .flags = SWIM_KERNEL_ADDS_METHODS,
                   .n_inputs = SWIM_COUNT_OF(inputs), .inputs = inputs,
                   .n_outputs = SWIM_COUNT_OF(outputs), .outputs = outputs,
                   .open = climatology_open, .plan = climatology_plan,
                   .acc_bytes = climatology_acc_bytes, .partial = climatology_partial,
                   .merge = climatology_merge, .finish = climatology_finish,
                   .close = climatology_close);
