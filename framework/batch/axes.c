/* axes.c - what an axis is by the CF conventions, how a reduce kernel drops some and a
 * window kernel runs along one. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <h5swim/kernel.h>

struct axis_words {
    const char *const *units; /* NULL: times, which are known by "since" */
    const char *standard_name;
    const char *const *names;
};

static const char *const latitude_units[] = {
    "degrees_north", "degree_north", "degrees_N", "degree_N",
    "degreesN",      "degreeN",      NULL};
static const char *const longitude_units[] = {
    "degrees_east", "degree_east", "degrees_E", "degree_E",
    "degreesE",     "degreeE",     NULL};
static const char *const time_names[] = {"time", "t", NULL};
static const char *const latitude_names[] = {"lat", "latitude", NULL};
static const char *const longitude_names[] = {"lon", "longitude", NULL};

static const struct axis_words words_of[] = {
    [SWIM_AXIS_TIME] = {NULL, "time", time_names},
    [SWIM_AXIS_LATITUDE] = {latitude_units, "latitude", latitude_names},
    [SWIM_AXIS_LONGITUDE] = {longitude_units, "longitude", longitude_names},
};

static const char *text_of(const char *text)
{
    return text ? text : "";
}

static int word_in(const char *word, const char *const *words)
{
    for (; *words; words++)
        if (strcasecmp(word, *words) == 0)
            return 1;
    return 0;
}

static int units_fit(const char *units, enum swim_axis_kind kind)
{
    if (words_of[kind].units)
        return word_in(units, words_of[kind].units);
    return strcasestr(units, " since ") != NULL;
}

/* How well an axis fits: by units 4, by standard_name 2, by name 1, together.  What
 * its units or its standard_name say it is, no name can talk it out of. */
static int axis_score(const struct swim_axis *axis, enum swim_axis_kind kind)
{
    const char *units = text_of(axis->units);
    const char *standard_name = text_of(axis->standard_name);
    int standard = strcasecmp(standard_name, words_of[kind].standard_name) == 0;
    int name = word_in(text_of(axis->name), words_of[kind].names);

    if (units_fit(units, kind))
        return 4 + 2 * standard + name;
    for (int other = SWIM_AXIS_TIME; other <= SWIM_AXIS_LONGITUDE; other++)
        if (units_fit(units, (enum swim_axis_kind)other))
            return 0;
    if (*standard_name)
        return standard ? 2 + name : 0;
    return name;
}

int swim_field_axis(const struct swim_field *field, enum swim_axis_kind kind)
{
    int best = -1, best_score = 0;

    if (kind < SWIM_AXIS_TIME || kind > SWIM_AXIS_LONGITUDE || !field->axes)
        return -1;
    for (uint32_t i = 0; i < field->ndim; i++) {
        int score = field->axes[i] ? axis_score(field->axes[i], kind) : 0;
        if (score > best_score) {
            best = (int)i;
            best_score = score;
        }
    }
    return best;
}

/* "dim_0" and so on for axes without a name. */
static int is_dim_number(const struct swim_axis *axis, uint32_t number,
                         const char *name)
{
    char text[16];

    snprintf(text, sizeof(text), "dim_%u", number);
    return (!axis || !*text_of(axis->name)) && strcmp(text, name) == 0;
}

int swim_field_axis_named(const struct swim_field *field, const char *name)
{
    for (uint32_t i = 0; field->axes && i < field->ndim; i++)
        if ((*name && field->axes[i] &&
             strcmp(text_of(field->axes[i]->name), name) == 0) ||
            is_dim_number(field->axes[i], i, name))
            return (int)i;
    for (int kind = SWIM_AXIS_TIME; kind <= SWIM_AXIS_LONGITUDE; kind++)
        if (strcmp(words_of[kind].standard_name, name) == 0)
            return swim_field_axis(field, (enum swim_axis_kind)kind);
    return -1;
}

static int refuse_axis(const struct swim_field *field, const char *name, int twice,
                       swim_error_t *err)
{
    char all[120] = "";

    for (uint32_t i = 0; i < field->ndim; i++) {
        size_t used = strlen(all);
        const char *own = field->axes && field->axes[i] ? field->axes[i]->name : "";
        if (*text_of(own))
            snprintf(all + used, sizeof(all) - used, "%s%s", i ? ", " : "", own);
        else
            snprintf(all + used, sizeof(all) - used, "%sdim_%u", i ? ", " : "", i);
    }
    if (twice)
        return swim_error_set(err, SWIM_ERR_ARG, "axes: \"%.60s\" is there twice",
                              name);
    return swim_error_set(err, SWIM_ERR_ARG,
                          "axes: %.60s has no axis \"%.60s\"; it has %s", field->name,
                          name, *all ? all : "none");
}

/* The axes of a text, as in struct swim_plan. */
static int reduced_of(const struct swim_field *field, const char *axes,
                      uint8_t *reduced, swim_error_t *err)
{
    char *copy = strdup(axes), *rest = copy, *name = NULL;
    int rc = SWIM_OK;

    if (!copy)
        return swim_error_set(err, SWIM_ERR_NOMEM, "axes: no memory");
    while (rc == SWIM_OK && (name = strsep(&rest, ","))) {
        name += strspn(name, " ");
        name[strcspn(name, " ")] = '\0';
        int axis = swim_field_axis_named(field, name);
        if (axis < 0 || reduced[axis])
            rc = refuse_axis(field, name, axis >= 0, err);
        else
            reduced[axis] = 1;
    }
    free(copy);
    return rc;
}

int swim_plan_reduce_axes(struct swim_plan *plan, const char *axes, swim_error_t *err)
{
    const struct swim_field *field = plan->inputs[0];
    uint8_t reduced[SWIM_NDIM_MAX] = {0};
    uint32_t n = 0;
    int rc = SWIM_OK;

    if (strcmp(axes, "all") == 0)
        memset(reduced, 1, field->ndim);
    else
        rc = reduced_of(field, axes, reduced, err);
    if (rc != SWIM_OK)
        return rc;
    memcpy(plan->reduced, reduced, sizeof(reduced));
    for (uint32_t i = 0; i < plan->n_outputs; i++) {
        struct swim_output *output = plan->outputs[i];
        n = 0;
        for (uint32_t a = 0; a < field->ndim; a++)
            if (!reduced[a]) {
                output->from_axis[n] = (int32_t)a;
                output->shape[n] = field->shape[a];
                output->axes[n++] = NULL;
            }
        output->ndim = n;
    }
    return SWIM_OK;
}

static void output_reduce(const struct swim_plan *plan, uint32_t input_axis,
                          uint64_t length, const struct swim_axis *axis,
                          struct swim_output *output)
{
    const struct swim_field *field = plan->inputs[0];
    uint32_t n = 0;

    for (uint32_t i = 0; i < field->ndim; i++) {
        if (i == input_axis && length == 0)
            continue;
        output->from_axis[n] = i == input_axis ? -1 : (int32_t)i;
        output->shape[n] = i == input_axis ? length : field->shape[i];
        output->axes[n] = i == input_axis ? axis : NULL;
        n++;
    }
    output->ndim = n;
}

int swim_plan_reduce(struct swim_plan *plan, uint32_t input_axis, uint64_t length,
                     const struct swim_axis *axis, swim_error_t *err)
{
    const struct swim_field *field = plan->n_inputs ? plan->inputs[0] : NULL;

    if (!field || field->ndim > SWIM_NDIM_MAX || input_axis >= field->ndim)
        return swim_error_set(err, SWIM_ERR_ARG,
                              "reduce axis %u: the inputs have %u axes", input_axis,
                              field ? field->ndim : 0);
    if (axis && axis->length != length)
        return swim_error_set(err, SWIM_ERR_ARG,
                              "reduce axis %u: the new axis has %llu coordinates for "
                              "%llu places",
                              input_axis, (unsigned long long)axis->length,
                              (unsigned long long)length);
    memset(plan->reduced, 0, sizeof(plan->reduced));
    plan->reduced[input_axis] = 1;
    for (uint32_t i = 0; i < plan->n_outputs; i++)
        output_reduce(plan, input_axis, length, axis, plan->outputs[i]);
    return SWIM_OK;
}

int swim_plan_window(struct swim_plan *plan, uint32_t axis, uint32_t lo, uint32_t hi,
                     uint32_t step, swim_error_t *err)
{
    const struct swim_field *field = plan->n_inputs ? plan->inputs[0] : NULL;
    bool whole = lo == SWIM_WINDOW_WHOLE && hi == SWIM_WINDOW_WHOLE && step == 1;

    if (!field || field->ndim > SWIM_NDIM_MAX || axis >= field->ndim)
        return swim_error_set(err, SWIM_ERR_ARG,
                              "window along axis %u: the inputs have %u axes", axis,
                              field ? field->ndim : 0);
    if (step == 0 || (!whole && (lo == SWIM_WINDOW_WHOLE || hi == SWIM_WINDOW_WHOLE)))
        return swim_error_set(
            err, SWIM_ERR_ARG,
            "window along axis %u: %u rows before and %u behind every "
            "row, step %u",
            axis, lo, hi, step);
    memset(plan->halo_lo, 0, sizeof(plan->halo_lo));
    memset(plan->halo_hi, 0, sizeof(plan->halo_hi));
    plan->halo_lo[axis] = whole ? 0 : lo;
    plan->halo_hi[axis] = whole ? 0 : hi;
    plan->window_axis = axis;
    plan->window_step = step;
    plan->window_whole = whole;
    return SWIM_OK;
}
