/* regrid.c - a coarser grid: the means of blocks of neighbouring points.
 *
 * A map kernel whose output has fewer points: ratio[] of its axes says how many of the
 * input are one.  Where an axis is no multiple of that the last blocks are smaller.
 * With weights: cos a point counts by the cosine of its latitude, as the area around it
 * does on a regular grid.  Missing points are left out of the mean, which is missing
 * where fewer are there, by weight, than min_valid of the block. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <h5swim/kernel.h>

#define DEGREE (3.14159265358979323846 / 180)
#define ENOUGH (1 - 1e-12) /* a sum of weights is not exact */

struct regrid {
    const swim_params_t *params;
    double min_valid;
    uint32_t ndim;
    uint64_t ratio[SWIM_NDIM_MAX];
    int lat;                    /* the axis with weights; -1: none has */
    double *weights;            /* by place along it */
    double *sums, *valid, *row; /* of a row of the input */
    struct swim_axis axes[SWIM_NDIM_MAX];
    char cell_methods[512];
};

static int regrid_open(const swim_params_t *params, void **state, swim_error_t *err)
{
    struct regrid *r = calloc(1, sizeof(*r));

    if (!r)
        return swim_error_set(err, SWIM_ERR_NOMEM, "regrid: no memory");
    r->params = params;
    r->min_valid = swim_params_real(params, "min_valid");
    *state = r;
    return SWIM_OK;
}

static void regrid_free(struct regrid *r)
{
    for (uint32_t a = 0; a < r->ndim; a++)
        free((double *)(uintptr_t)r->axes[a].values);
    free(r->weights);
    free(r->sums);
    free(r->valid);
    free(r->row);
}

static void regrid_close(void *state)
{
    regrid_free(state);
    free(state);
}

/* "4": a whole number from 1 on. */
static int factor_parse(const char *text, uint64_t *factor, swim_error_t *err)
{
    const size_t digits = strspn(text, "0123456789");

    *factor = strtoull(text, NULL, 10);
    if (text[digits] || digits == 0 || digits > 9 || *factor == 0)
        return swim_error_set(err, SWIM_ERR_ARG,
                              "regrid: factor \"%s\" is no whole number from 1 to "
                              "999999999",
                              text);
    return SWIM_OK;
}

/* "lat=4". */
static int factor_named(struct regrid *r, const struct swim_field *x, char *text,
                        swim_error_t *err)
{
    char *number = strchr(text, '=');
    int axis = -1;

    if (!number)
        return swim_error_set(err, SWIM_ERR_ARG,
                              "regrid: factor \"%s\" names no axis: write it like "
                              "\"lat=4, lon=2\"",
                              text);
    *number++ = '\0';
    axis = swim_field_axis_named(x, text);
    if (axis < 0)
        return swim_error_set(err, SWIM_ERR_ARG, "regrid: %s has no axis \"%s\"",
                              x->name, text);
    return factor_parse(number, &r->ratio[axis], err);
}

/* A number alone is for latitude and longitude. */
static int factor_of_globe(struct regrid *r, const struct swim_field *x,
                           const char *text, swim_error_t *err)
{
    const int lat = swim_field_axis(x, SWIM_AXIS_LATITUDE);
    const int lon = swim_field_axis(x, SWIM_AXIS_LONGITUDE);
    uint64_t factor = 1;
    int rc = factor_parse(text, &factor, err);

    if (rc == SWIM_OK && (lat < 0 || lon < 0))
        rc = swim_error_set(err, SWIM_ERR_ARG,
                            "regrid: %s has no latitude and longitude axes: name axes "
                            "in factor, like \"y=4, x=2\"",
                            x->name);
    if (rc == SWIM_OK)
        r->ratio[lat] = r->ratio[lon] = factor;
    return rc;
}

static int regrid_factors(struct regrid *r, const struct swim_field *x,
                          swim_error_t *err)
{
    char *text = strdup(swim_params_text(r->params, "factor")), *rest = text, *one;
    int rc = SWIM_OK;

    if (!text)
        return swim_error_set(err, SWIM_ERR_NOMEM, "regrid: no memory");
    for (uint32_t a = 0; a < x->ndim; a++)
        r->ratio[a] = 1;
    if (strchr(text, '='))
        while (rc == SWIM_OK && (one = strsep(&rest, ","))) {
            one += strspn(one, " ");
            one[strcspn(one, " ")] = '\0';
            rc = factor_named(r, x, one, err);
        }
    else
        rc = factor_of_globe(r, x, text, err);
    free(text);
    return rc;
}

/* The mean of the coordinates of each block. */
static int axis_coarsen(const struct swim_axis *axis, uint64_t ratio,
                        struct swim_axis *out, swim_error_t *err)
{
    const uint64_t n = axis->length / ratio + (axis->length % ratio != 0);
    double *values = NULL;

    *out = *axis;
    out->length = n;
    out->values = NULL;
    if (!axis->values)
        return SWIM_OK;
    values = malloc(n * sizeof(*values));
    if (!values)
        return swim_error_set(err, SWIM_ERR_NOMEM, "regrid: no memory");
    for (uint64_t i = 0; i < n; i++) {
        const uint64_t first = i * ratio;
        const uint64_t left = axis->length - first, count = left < ratio ? left : ratio;
        double sum = 0; /* of what differs from the first: no rounding of large ones */
        for (uint64_t k = 0; k < count; k++)
            sum += axis->values[first + k] - axis->values[first];
        values[i] = axis->values[first] + sum / (double)count;
    }
    out->values = values;
    return SWIM_OK;
}

static int regrid_weights(struct regrid *r, const struct swim_field *x,
                          swim_error_t *err)
{
    r->lat = -1;
    if (strcmp(swim_params_text(r->params, "weights"), "cos") != 0)
        return SWIM_OK;
    r->lat = swim_field_axis(x, SWIM_AXIS_LATITUDE);
    if (r->lat < 0 || !x->axes[r->lat]->values)
        return swim_error_set(err, SWIM_ERR_ARG,
                              "regrid: weights by the cosine of latitude: %s has no "
                              "latitude axis with coordinates",
                              x->name);
    const struct swim_axis *lat = x->axes[r->lat];
    r->weights = malloc(lat->length * sizeof(*r->weights));
    if (!r->weights)
        return swim_error_set(err, SWIM_ERR_NOMEM, "regrid: no memory");
    for (uint64_t i = 0; i < lat->length; i++)
        r->weights[i] = fmax(cos(lat->values[i] * DEGREE), 0);
    return SWIM_OK;
}

static int regrid_rows(struct regrid *r, const struct swim_field *x, swim_error_t *err)
{
    const uint64_t length = x->ndim ? x->shape[x->ndim - 1] : 1;

    r->sums = malloc(length * sizeof(double));
    r->valid = malloc(length * sizeof(double));
    r->row = malloc(length * sizeof(double));
    if (r->sums && r->valid && r->row)
        return SWIM_OK;
    return swim_error_set(err, SWIM_ERR_NOMEM, "regrid: no memory");
}

/* CF conventions, section 7.3: "lat: lon: mean". */
static void regrid_method(struct regrid *r)
{
    size_t used = 0, size = sizeof(r->cell_methods);

    for (uint32_t a = 0; a < r->ndim && used < size; a++)
        if (r->ratio[a] > 1 && *r->axes[a].name)
            used += (size_t)snprintf(r->cell_methods + used, size - used,
                                     "%s: ", r->axes[a].name);
    if (used > 0 && used < size)
        snprintf(r->cell_methods + used, size - used, "mean");
}

static int regrid_plan(void *state, struct swim_plan *plan, swim_error_t *err)
{
    struct regrid *r = state;
    const struct swim_field *x = plan->inputs[0];
    struct swim_output *mean = plan->outputs[0];
    int rc = regrid_factors(r, x, err);

    r->ndim = x->ndim;
    for (uint32_t a = 0; rc == SWIM_OK && a < x->ndim; a++) {
        rc = axis_coarsen(x->axes[a], r->ratio[a], &r->axes[a], err);
        mean->ratio[a] = r->ratio[a];
        mean->shape[a] = r->axes[a].length;
        mean->axes[a] = &r->axes[a];
    }
    if (rc == SWIM_OK)
        rc = regrid_weights(r, x, err);
    if (rc == SWIM_OK)
        rc = regrid_rows(r, x, err);
    if (rc != SWIM_OK)
        return rc;
    mean->type = x->type == SWIM_TYPE_F32 || x->type <= SWIM_TYPE_U16 ? SWIM_TYPE_F32
                                                                      : SWIM_TYPE_F64;
    regrid_method(r);
    mean->cell_methods = r->cell_methods[0] ? r->cell_methods : NULL;
    return SWIM_OK;
}

static void row_add(const double *restrict x, double weight, uint64_t n,
                    double *restrict sums, double *restrict valid)
{
    for (uint64_t i = 0; i < n; i++) {
        sums[i] += x[i] == x[i] ? weight * x[i] : 0.0;
        valid[i] += x[i] == x[i] ? weight : 0.0;
    }
}

/* All rows of the input, of which those of the output are made: at[] is a place in the
 * output, by all axes but the last.  Returns the weight of all. */
static double rows_add(const struct regrid *r, const struct swim_array *in,
                       const uint64_t *at)
{
    const uint32_t outer = in->ndim ? in->ndim - 1 : 0;
    const uint64_t length = in->ndim ? in->shape[outer] : 1;
    uint64_t k[SWIM_NDIM_MAX] = {0};
    double total = 0;

    memset(r->sums, 0, length * sizeof(double));
    memset(r->valid, 0, length * sizeof(double));
    for (;;) {
        uint64_t first = 0;
        double weight = 1;
        for (uint32_t a = 0; a < outer; a++) {
            uint64_t place = at[a] * r->ratio[a] + k[a];
            first = first * in->shape[a] + place;
            if ((int)a == r->lat)
                weight = r->weights[in->offset[a] + place];
        }
        swim_array_doubles(in, first * length, length, r->row);
        row_add(r->row, weight, length, r->sums, r->valid);
        total += weight;
        uint32_t a = outer;
        while (a-- > 0) {
            if (++k[a] < r->ratio[a] && at[a] * r->ratio[a] + k[a] < in->shape[a])
                break;
            k[a] = 0;
        }
        if (a == UINT32_MAX)
            return total;
    }
}

/* Points side by side, of the sums of rows that weigh total, are one. */
static double block_mean(const struct regrid *r, const struct swim_array *in,
                         uint64_t at, double total)
{
    const uint32_t last = in->ndim ? in->ndim - 1 : 0;
    const uint64_t ratio = in->ndim ? r->ratio[last] : 1;
    const uint64_t length = in->ndim ? in->shape[last] : 1, first = at * ratio;
    const uint64_t end = length - first < ratio ? length : first + ratio;
    const double *weights =
        in->ndim && r->lat == (int)last ? r->weights + in->offset[last] : NULL;
    double sum = 0, valid = 0, all = 0;

    for (uint64_t i = first; i < end; i++) {
        const double weight = weights ? weights[i] : 1;
        sum += weight * r->sums[i];
        valid += weight * r->valid[i];
        all += weight * total;
    }
    return valid > 0 && valid >= r->min_valid * all * ENOUGH ? sum / valid
                                                             : (double)NAN;
}

static int regrid_apply(void *state, const struct swim_block *block, swim_error_t *err)
{
    const struct regrid *r = state;
    const struct swim_array *in = block->inputs[0], *out = block->outputs[0];
    const uint64_t length = out->ndim ? out->shape[out->ndim - 1] : 1;

    (void)err;
    for (uint64_t o = 0; o < out->count / length; o++) {
        uint64_t at[SWIM_NDIM_MAX] = {0}, rest = o;
        for (uint32_t a = out->ndim ? out->ndim - 1 : 0; a-- > 0;) {
            at[a] = rest % out->shape[a];
            rest /= out->shape[a];
        }
        const double total = rows_add(r, in, at);
        for (uint64_t i = 0; i < length; i++) {
            const double mean = block_mean(r, in, i, total);
            if (out->type == SWIM_TYPE_F32)
                ((float *)out->data)[o * length + i] = (float)mean;
            else
                ((double *)out->data)[o * length + i] = mean;
        }
    }
    return SWIM_OK;
}

static const struct swim_port inputs[] = {
    {"x", SWIM_TYPE_ANY, NULL, "values"},
};
static const struct swim_port outputs[] = {
    {"mean", SWIM_TYPE_ANY, NULL, "mean of each block, in the unit of x"},
};
static const struct swim_param params[] = {
    {.name = "factor",
     .type = SWIM_PARAM_TEXT,
     .preset = "2",
     .description = "points that are one: a number, for latitude and longitude, or "
                    "like \"lat=4, lon=2\""},
    {.name = "weights",
     .type = SWIM_PARAM_TEXT,
     .preset = "none",
     .description = "all points alike, or by the cosine of their latitude",
     .choices = "none|cos"},
    {.name = "min_valid",
     .type = SWIM_PARAM_REAL,
     .preset = "0",
     .description = "share of a block that must be there; 0: one point is enough",
     .min = 0,
     .max = 1},
};

SWIM_KERNEL_DEFINE(.name = "regrid", .summary = "a coarser grid of block means",
                   .kind = SWIM_KERNEL_MAP, .flags = SWIM_KERNEL_ADDS_METHODS,
                   .n_inputs = SWIM_COUNT_OF(inputs), .inputs = inputs,
                   .n_outputs = SWIM_COUNT_OF(outputs), .outputs = outputs,
                   .n_params = SWIM_COUNT_OF(params), .params = params,
                   .open = regrid_open, .plan = regrid_plan, .apply = regrid_apply,
                   .close = regrid_close);
