/* anomaly.c - how far each value is from the mean of its calendar month, or of all.
 *
 * A window kernel whose window is the whole time axis: a block has all times of some
 * places, so that one pass over the data is enough.  Means are of all values of the
 * month, in all years; missing values are left out, and stay missing. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <h5swim/kernel.h>

#define MONTHS 12

struct anomaly {
    int by_month;
    uint32_t time;
    uint8_t *groups; /* of each time: its month from 0 on, or 0 */
};

static int anomaly_open(const swim_params_t *params, void **state, swim_error_t *err)
{
    struct anomaly *a = calloc(1, sizeof(*a));

    if (!a)
        return swim_error_set(err, SWIM_ERR_NOMEM, "anomaly: no memory");
    a->by_month = strcmp(swim_params_text(params, "mean"), "month") == 0;
    *state = a;
    return SWIM_OK;
}

static void anomaly_close(void *state)
{
    struct anomaly *a = state;

    free(a->groups);
    free(a);
}

static int find_groups(struct anomaly *a, const struct swim_axis *time,
                       swim_error_t *err)
{
    free(a->groups);
    a->groups = calloc(time->length + 1, 1);
    if (!a->groups)
        return swim_error_set(err, SWIM_ERR_NOMEM, "anomaly: no memory");
    if (!a->by_month)
        return SWIM_OK;
    int rc = swim_axis_months(time, a->groups, err);
    for (uint64_t t = 0; rc == SWIM_OK && t < time->length; t++)
        a->groups[t]--;
    return rc;
}

static int anomaly_plan(void *state, struct swim_plan *plan, swim_error_t *err)
{
    struct anomaly *a = state;
    const struct swim_field *x = plan->inputs[0];
    int time = swim_field_axis(x, SWIM_AXIS_TIME);

    if (time < 0)
        return swim_error_set(err, SWIM_ERR_ARG,
                              "anomaly: %s has no time axis: none has units like "
                              "\"hours since 1980-01-01\", nor is called time",
                              x->name);
    a->time = (uint32_t)time;
    int rc = find_groups(a, x->axes[time], err);
    if (rc != SWIM_OK)
        return rc;
    /* Computed in double precision; as exact as in the file they are kept. */
    plan->outputs[0]->type = swim_type_floating(x->natural_type);
    return swim_plan_window(plan, a->time, SWIM_WINDOW_WHOLE, SWIM_WINDOW_WHOLE, 1,
                            err);
}

/* The means of n elements that lie side by side, for each group; rows are inner apart.
 */
static void find_means(const struct anomaly *a, const double *in, uint64_t times,
                       uint64_t inner, double *means, uint64_t *counts)
{
    memset(means, 0, MONTHS * inner * sizeof(*means));
    memset(counts, 0, MONTHS * inner * sizeof(*counts));
    for (uint64_t t = 0; t < times; t++) {
        const double *restrict row = in + t * inner;
        double *restrict sum = means + a->groups[t] * inner;
        uint64_t *restrict count = counts + a->groups[t] * inner;
        for (uint64_t i = 0; i < inner; i++) {
            sum[i] += isnan(row[i]) ? 0.0 : row[i];
            count[i] += isnan(row[i]) ? 0u : 1u;
        }
    }
    for (uint64_t i = 0; i < MONTHS * inner; i++)
        means[i] /= counts[i] ? (double)counts[i] : 1.0;
}

static void put_differences(const struct anomaly *a, const double *in, uint64_t times,
                            uint64_t inner, const double *means, void *out,
                            int is_float)
{
    for (uint64_t t = 0; t < times; t++) {
        const double *restrict row = in + t * inner;
        const double *restrict mean = means + a->groups[t] * inner;
        float *restrict as_float = (float *)out + t * inner;
        double *restrict as_double = (double *)out + t * inner;
        for (uint64_t i = 0; is_float && i < inner; i++)
            as_float[i] = (float)(row[i] - mean[i]);
        for (uint64_t i = 0; !is_float && i < inner; i++)
            as_double[i] = row[i] - mean[i];
    }
}

static int anomaly_apply(void *state, const struct swim_block *block, swim_error_t *err)
{
    const struct anomaly *a = state;
    const struct swim_array *x = block->inputs[0], *y = block->outputs[0];
    const uint64_t times = x->shape[a->time], inner = (uint64_t)x->strides[a->time];
    const int is_float = y->type == SWIM_TYPE_F32;
    const size_t size = is_float ? sizeof(float) : sizeof(double);
    double *means = malloc(MONTHS * inner * sizeof(*means));
    uint64_t *counts = malloc(MONTHS * inner * sizeof(*counts));

    if (!means || !counts) {
        free(means);
        free(counts);
        return swim_error_set(err, SWIM_ERR_NOMEM, "anomaly: no memory for means");
    }
    for (uint64_t at = 0; at < x->count; at += times * inner) {
        const double *in = (const double *)x->data + at;
        find_means(a, in, times, inner, means, counts);
        put_differences(a, in, times, inner, means, (char *)y->data + at * size,
                        is_float);
    }
    free(means);
    free(counts);
    return SWIM_OK;
}

static const struct swim_param params[] = {
    {.name = "mean",
     .type = SWIM_PARAM_TEXT,
     .preset = "month",
     .choices = "month|all",
     .description = "what is subtracted: of the calendar month, or of all times"},
};
static const struct swim_port inputs[] = {
    {"x", SWIM_TYPE_F64, NULL, "values with a time axis"},
};
static const struct swim_port outputs[] = {
    {"anomaly", SWIM_TYPE_ANY, NULL, "x without the mean, in the unit of x"},
};

SWIM_KERNEL_DEFINE(
        .name = "anomaly",
        .summary = "difference from the mean of the calendar month, or of all",
        .kind = SWIM_KERNEL_WINDOW, .n_inputs = SWIM_COUNT_OF(inputs), .inputs = inputs,
        .n_outputs = SWIM_COUNT_OF(outputs), .outputs = outputs,
        .n_params = SWIM_COUNT_OF(params), .params = params, .open = anomaly_open,
        .plan = anomaly_plan, .apply = anomaly_apply, .close = anomaly_close);
