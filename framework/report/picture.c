/* picture.c - what an output holds, for the page. */
#include "report/picture.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/json_text.h"
#include "report/pack.h"
#include "report/sample.h"

#define PICTURE_Y 360 /* cells */
#define PICTURE_X 720
#define LINE_X 1000
#define BUDGET ((uint64_t)1 << 30) /* bytes decoded for a picture: a second or two */
#define LEVELS 254
#define TAIL 200 /* one cell in so many may lie beyond each end of the colours */

/* --- members --------------------------------------------------------------------- */

static json_t *real(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *words(const char *text)
{
    return swim_json_text(text ? text : "");
}

static json_t *wholes(const uint64_t *numbers, uint32_t n)
{
    json_t *list = json_array();

    for (uint32_t i = 0; i < n; i++)
        json_array_append_new(list, json_integer((json_int_t)numbers[i]));
    return list;
}

static json_t *reals(const double *numbers, uint64_t n)
{
    json_t *list = json_array();

    for (uint64_t i = 0; i < n; i++)
        json_array_append_new(list, real(numbers[i]));
    return list;
}

static json_t *filters_of(const struct dataset_info *info)
{
    char text[96], deflate[32] = "";

    if (info->deflate)
        snprintf(deflate, sizeof(deflate), ", deflate %d", info->deflate);
    snprintf(text, sizeof(text), "%s%s%s%s", info->shuffle ? ", shuffle" : "", deflate,
             info->fletcher32 ? ", fletcher32" : "",
             info->other_filters ? ", others" : "");
    return json_string(text[0] ? text + 2 : "none");
}

static void describe(json_t *to, const struct dataset_info *info)
{
    json_object_set_new(to, "name", words(info->name));
    json_object_set_new(to, "units", words(info->units));
    json_object_set_new(to, "long_name", words(info->long_name));
    json_object_set_new(to, "type", json_string(swim_type_name(info->stored_type)));
    json_object_set_new(to, "shape", wholes(info->shape, info->ndim));
    json_object_set_new(to, "chunks",
                        info->chunked ? wholes(info->chunk, info->ndim) : json_null());
    json_object_set_new(to, "filters", filters_of(info));
}

static json_t *axis_names(const struct swim_axis *axis)
{
    json_t *of = json_object();

    json_object_set_new(of, "name", words(axis->name));
    json_object_set_new(of, "units", words(axis->units));
    json_object_set_new(of, "calendar", words(axis->calendar));
    json_object_set_new(of, "length", json_integer((json_int_t)axis->length));
    return of;
}

static json_t *axis_of_plane(const struct swim_axis *axis, uint64_t cells)
{
    json_t *of = axis_names(axis), *values = json_null();

    if (axis->values) {
        values = json_array();
        for (uint64_t i = 0; i < cells; i++)
            json_array_append_new(
                values, real(axis->values[sample_middle(i, cells, axis->length)]));
    }
    json_object_set_new(of, "values", values);
    return of;
}

static void describe_axes(json_t *to, const struct dataset_info *info,
                          const struct sample *s)
{
    json_t *place = json_array(), *axes = json_array();
    uint32_t shown = info->ndim > 1 ? 2 : 1, others = info->ndim - shown;

    for (uint32_t i = 0; i < others; i++) {
        const struct swim_axis *axis = &info->axes[i];
        json_t *of = axis_names(axis);
        json_object_set_new(of, "index", json_integer((json_int_t)s->place[i]));
        json_object_set_new(
            of, "value", axis->values ? real(axis->values[s->place[i]]) : json_null());
        json_array_append_new(place, of);
    }
    if (shown == 2)
        json_array_append_new(axes, axis_of_plane(&info->axes[others], s->ny));
    json_array_append_new(axes, axis_of_plane(&info->axes[info->ndim - 1], s->nx));
    json_object_set_new(to, "place", place);
    json_object_set_new(to, "axes", axes);
}

/* --- colours --------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* The range of the colours: of all cells but the few that would leave one colour to all
 * others. */
static int range_find(const struct sample *s, double *low, double *high)
{
    size_t n = 0;
    double *sorted = malloc((size_t)(s->ny * s->nx) * sizeof(*sorted));

    *low = *high = 0;
    if (!sorted)
        return SWIM_ERR_NOMEM;
    for (uint64_t i = 0; i < s->ny * s->nx; i++)
        if (isfinite(s->mean[i]))
            sorted[n++] = s->mean[i];
    if (n > 0) {
        qsort(sorted, n, sizeof(*sorted), compare);
        *low = sorted[n / TAIL];
        *high = sorted[n - 1 - n / TAIL];
    }
    free(sorted);
    return SWIM_OK;
}

/* The range may be more than a number holds, its half is not. */
static unsigned char level(double value, double low, double high)
{
    const double scale = isfinite(high - low) ? 1 : 0.5;

    if (isnan(value))
        return 0;
    if (value <= low || !(high > low))
        return 1;
    if (value >= high)
        return LEVELS + 1;
    double share = (value * scale - low * scale) / (high * scale - low * scale);
    return (unsigned char)(1 + lround(share * LEVELS));
}

static int add_cells(json_t *to, const struct sample *s)
{
    size_t n = (size_t)(s->ny * s->nx);
    unsigned char *bytes = malloc(n);
    double low, high;
    int rc = range_find(s, &low, &high);

    if (rc == SWIM_OK && bytes) {
        for (size_t i = 0; i < n; i++)
            bytes[i] = level(s->mean[i], low, high);
        json_object_set_new(to, "low", real(low));
        json_object_set_new(to, "high", real(high));
        json_object_set_new(to, "cells", pack_bytes(bytes, n));
        json_object_set_new(to, "ny", json_integer((json_int_t)s->ny));
        json_object_set_new(to, "nx", json_integer((json_int_t)s->nx));
    }
    free(bytes);
    return bytes && json_object_get(to, "cells") ? rc : SWIM_ERR_NOMEM;
}

/* --- datasets -------------------------------------------------------------------- */

static int add_plane(json_t *to, const struct source *source,
                     const struct dataset_info *info, swim_error_t *err)
{
    struct sample *s = NULL;
    bool line = info->ndim == 1;
    int rc = sample_read(source, info, line ? 1 : PICTURE_Y, line ? LINE_X : PICTURE_X,
                         BUDGET, &s, err);

    if (rc != SWIM_OK)
        return rc;
    json_object_set_new(to, "min", real(s->least));
    json_object_set_new(to, "max", real(s->most));
    json_object_set_new(to, "mean", real(s->average));
    json_object_set_new(to, "missing",
                        real((double)s->n_missing / (double)s->n_looked));
    describe_axes(to, info, s);
    if (line) {
        json_object_set_new(to, "lowest", reals(s->min, s->nx));
        json_object_set_new(to, "highest", reals(s->max, s->nx));
        json_object_set_new(to, "means", reals(s->mean, s->nx));
    } else if (add_cells(to, s) != SWIM_OK) {
        rc = swim_error_set(err, SWIM_ERR_NOMEM, "read %s in %s", info->path,
                            info->file);
    }
    sample_destroy(s);
    return rc;
}

static int add_value(json_t *to, const struct source *source,
                     const struct dataset_info *info, swim_error_t *err)
{
    static const uint64_t none[1];
    struct dataset *set = NULL;
    double value = NAN;

    int rc = dataset_open(source, info, SWIM_TYPE_F64, NULL, &set, err);
    if (rc == SWIM_OK)
        rc = dataset_read(set, none, none, &value, none, none, err);
    if (rc == SWIM_OK)
        json_object_set_new(to, "value", real(value));
    dataset_close(set);
    return rc;
}

int picture_read(const struct source *source, const char *dataset, json_t **out,
                 swim_error_t *err)
{
    struct dataset_info *info = NULL;
    bool empty = false;

    *out = NULL;
    int rc = dataset_inspect_growing(source, dataset, &info, err);
    if (rc != SWIM_OK)
        return rc;
    json_t *picture = json_object();
    describe(picture, info);
    for (uint32_t i = 0; i < info->ndim; i++)
        empty = empty || info->shape[i] == 0;
    if (info->ndim == 0)
        rc = add_value(picture, source, info, err);
    else if (!empty)
        rc = add_plane(picture, source, info, err);
    dataset_info_destroy(info);
    if (rc == SWIM_OK)
        *out = picture;
    else
        json_decref(picture);
    return rc;
}
