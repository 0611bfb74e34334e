/* threshold.c - a table of the values beyond a threshold: where they are, and how
 * large.
 *
 * A filter.  A row is a value above "value", or below it, or between it and "upper", or
 * outside of these two, as "keep" says; with "inclusive" those that are equal count,
 * too. Missing values never do.
 *
 * Columns: index, from 0 on along each axis of x; coordinate, the same as the file's
 * coordinates say it, or the index where an axis has none; value. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <h5swim/kernel.h>

enum keep { KEEP_ABOVE, KEEP_BELOW, KEEP_BETWEEN, KEEP_OUTSIDE };

struct threshold {
    enum keep keep;
    double value, upper;
    int inclusive;
    const struct swim_axis *const *axes;
    struct swim_axis column; /* the axes, as an axis of the table */
    char index_name[1024], coordinate_name[2048];
};

static enum keep keep_of(const char *word)
{
    static const char *const words[] = {"above", "below", "between", "outside"};
    int k = KEEP_OUTSIDE;

    while (k > KEEP_ABOVE && strcmp(word, words[k]) != 0)
        k--;
    return (enum keep)k;
}

static int threshold_open(const swim_params_t *params, void **state, swim_error_t *err)
{
    struct threshold *t = calloc(1, sizeof(*t));

    if (!t)
        return swim_error_set(err, SWIM_ERR_NOMEM, "threshold: no memory");
    t->keep = keep_of(swim_params_text(params, "keep"));
    t->value = swim_params_real(params, "value");
    t->upper = swim_params_real(params, "upper");
    t->inclusive = swim_params_bool(params, "inclusive");
    if (t->keep < KEEP_BETWEEN || t->upper >= t->value) {
        *state = t;
        return SWIM_OK;
    }
    swim_error_set(
        err, SWIM_ERR_ARG,
        "threshold: \"upper\" is %g, less than \"value\", %g: give the larger "
        "one as \"upper\"",
        t->upper, t->value);
    free(t);
    return SWIM_ERR_ARG;
}

/* What the columns of index and coordinate are. */
static void name_columns(struct threshold *t, const struct swim_field *x)
{
    size_t at = (size_t)snprintf(t->index_name, sizeof(t->index_name), "index along");
    size_t to = (size_t)snprintf(t->coordinate_name, sizeof(t->coordinate_name),
                                 "coordinate along");

    for (uint32_t a = 0; a < x->ndim; a++) {
        const struct swim_axis *axis = x->axes[a];
        char number[32];
        const char *name = axis->name, *comma = a ? "," : "";
        snprintf(number, sizeof(number), "dim_%u", a);
        name = *name ? name : number;
        if (at < sizeof(t->index_name))
            at += (size_t)snprintf(t->index_name + at, sizeof(t->index_name) - at,
                                   "%s %s", comma, name);
        if (to < sizeof(t->coordinate_name))
            to += (size_t)snprintf(t->coordinate_name + to,
                                   sizeof(t->coordinate_name) - to, "%s %s (%s)", comma,
                                   name,
                                   !axis->values  ? "index"
                                   : *axis->units ? axis->units
                                                  : "1");
    }
}

static int threshold_plan(void *state, struct swim_plan *plan, swim_error_t *err)
{
    struct threshold *t = state;
    const struct swim_field *x = plan->inputs[0];
    struct swim_output *index = plan->outputs[0], *coordinate = plan->outputs[1];
    struct swim_output *value = plan->outputs[2];

    if (x->ndim == 0)
        return swim_error_set(err, SWIM_ERR_ARG,
                              "threshold: %s is a single number, not a field", x->name);
    t->value = swim_type_round(x->stored_type, t->value);
    t->upper = swim_type_round(x->stored_type, t->upper);
    t->axes = x->axes;
    t->column = (struct swim_axis){.name = "axis",
                                   .units = "",
                                   .calendar = "",
                                   .standard_name = "",
                                   .length = x->ndim};
    name_columns(t, x);
    for (uint32_t i = 0; i < 2; i++) {
        struct swim_output *out = plan->outputs[i];
        out->ndim = 2;
        out->from_axis[1] = -1;
        out->shape[1] = x->ndim;
        out->axes[1] = &t->column;
    }
    index->long_name = t->index_name;
    coordinate->long_name = t->coordinate_name;
    value->units = x->units;
    value->long_name = x->long_name;
    value->type = swim_type_floating(x->natural_type);
    return SWIM_OK;
}

static int is_hit(const struct threshold *t, double x)
{
    const int equal = t->inclusive;

    switch (t->keep) {
    case KEEP_ABOVE:
        return x > t->value || (equal && x == t->value);
    case KEEP_BELOW:
        return x < t->value || (equal && x == t->value);
    case KEEP_BETWEEN:
        return (x > t->value && x < t->upper) ||
               (equal && (x == t->value || x == t->upper));
    case KEEP_OUTSIDE:
        break;
    }
    return x < t->value || x > t->upper || (equal && (x == t->value || x == t->upper));
}

static int threshold_apply(void *state, const struct swim_block *block,
                           swim_error_t *err)
{
    const struct threshold *t = state;
    const struct swim_array *x = block->inputs[0];
    const double *in = x->data;
    int64_t *index = block->outputs[0]->data;
    double *coordinate = block->outputs[1]->data;
    struct swim_array *value = block->outputs[2];
    uint64_t rows = 0;

    (void)err;
    for (uint64_t i = 0; i < x->count; i++) {
        uint64_t rest = i;
        if (!is_hit(t, in[i]))
            continue;
        for (uint32_t a = x->ndim; a-- > 0; rest /= x->shape[a]) {
            uint64_t at = x->offset[a] + rest % x->shape[a];
            index[rows * x->ndim + a] = (int64_t)at;
            coordinate[rows * x->ndim + a] =
                t->axes[a]->values ? t->axes[a]->values[at] : (double)at;
        }
        if (value->type == SWIM_TYPE_F32)
            ((float *)value->data)[rows++] = (float)in[i];
        else
            ((double *)value->data)[rows++] = in[i];
    }
    for (uint32_t o = 0; o < block->n_outputs; o++)
        block->outputs[o]->rows = rows;
    return SWIM_OK;
}

static const struct swim_param params[] = {
    {.name = "keep",
     .type = SWIM_PARAM_TEXT,
     .preset = "above",
     .choices = "above|below|between|outside",
     .description = "which values: above or below \"value\", or of it and \"upper\""},
    {.name = "value",
     .type = SWIM_PARAM_REAL,
     .description = "the threshold, in the unit of x"},
    {.name = "upper",
     .type = SWIM_PARAM_REAL,
     .preset = "0",
     .description = "between, outside: the second threshold, not less than \"value\""},
    {.name = "inclusive",
     .type = SWIM_PARAM_BOOL,
     .preset = "false",
     .description = "values that are equal to a threshold, too"},
};
static const struct swim_port inputs[] = {
    {"x", SWIM_TYPE_F64, NULL, "values"},
};
static const struct swim_port outputs[] = {
    {"index", SWIM_TYPE_I64, NULL, "of each value along each axis of x, from 0 on"},
    {"coordinate", SWIM_TYPE_F64, NULL, "of each value along each axis of x"},
    {"value", SWIM_TYPE_ANY, NULL, "the values, in the unit of x"},
};

SWIM_KERNEL_DEFINE(
        .name = "threshold",
        .summary = "table of the values beyond a threshold, and where they are",
        .kind = SWIM_KERNEL_FILTER, .n_inputs = SWIM_COUNT_OF(inputs), .inputs = inputs,
        .n_outputs = SWIM_COUNT_OF(outputs), .outputs = outputs,
        .n_params = SWIM_COUNT_OF(params), .params = params, .open = threshold_open,
        .plan = threshold_plan, .apply = threshold_apply, .close = free);
