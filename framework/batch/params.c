/* params.c - values of a kernel's parameters: what the job says, else the defaults. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "batch/job_private.h"
#include "batch/kernel_host.h"
#include "batch/kernel_private.h"
#include "core/log.h"
#include "core/text.h"

#define WHY_SIZE 200

struct swim_params {
    char *kernel;
    size_t n;
    struct param_value *values;
};

bool value_int(const char *text, int64_t *out)
{
    char *end = NULL;

    *out = 0;
    if (strspn(text, "+-0123456789") != strlen(text))
        return false;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno || end == text || *end)
        return false;
    *out = value;
    return true;
}

bool value_real(const char *text, double *out)
{
    if (!strpbrk(text, "xX ("))
        return swim_text_real(text, out);
    *out = 0;
    return false;
}

bool value_bool(const char *text, bool *out)
{
    static const char *const yes[] = {"true", "yes", "on"};
    static const char *const no[] = {"false", "no", "off"};

    for (size_t i = 0; i < SWIM_COUNT_OF(yes); i++) {
        *out = strcasecmp(text, yes[i]) == 0;
        if (*out || strcasecmp(text, no[i]) == 0)
            return true;
    }
    return false;
}

const char *param_type_name(enum swim_param_type type)
{
    switch (type) {
    case SWIM_PARAM_INT:
        return "int";
    case SWIM_PARAM_REAL:
        return "real";
    case SWIM_PARAM_BOOL:
        return "bool";
    case SWIM_PARAM_TEXT:
        return "text";
    }
    return "unknown";
}

static bool range_holds(const struct swim_param *param, double value, const char *text,
                        char *why, size_t size)
{
    if (!(param->min < param->max) || (value >= param->min && value <= param->max))
        return true;
    snprintf(why, size, "\"%.60s\" is not between %.10g and %.10g", text, param->min,
             param->max);
    return false;
}

static bool choice_holds(const struct swim_param *param, const char *text, char *why,
                         size_t size)
{
    size_t length = strlen(text);
    const char *choice = param->choices;

    while (choice) {
        size_t n = strcspn(choice, "|");
        if (n == length && strncmp(choice, text, n) == 0)
            return true;
        choice = choice[n] ? choice + n + 1 : NULL;
    }
    if (!param->choices)
        return true;
    snprintf(why, size, "\"%.60s\" is none of %.100s", text, param->choices);
    return false;
}

bool param_parse(const struct swim_param *param, const char *text,
                 struct param_value *value, char *why, size_t size)
{
    why[0] = '\0';
    value->type = param->type;
    switch (param->type) {
    case SWIM_PARAM_INT:
        if (value_int(text, &value->i))
            return range_holds(param, (double)value->i, text, why, size);
        snprintf(why, size, "\"%.60s\" is not a whole number", text);
        return false;
    case SWIM_PARAM_REAL:
        if (value_real(text, &value->r) && isfinite(value->r))
            return range_holds(param, value->r, text, why, size);
        snprintf(why, size, "\"%.60s\" is not a number", text);
        return false;
    case SWIM_PARAM_BOOL:
        if (value_bool(text, &value->b))
            return true;
        snprintf(why, size, "\"%.60s\" is not true or false", text);
        return false;
    case SWIM_PARAM_TEXT:
        return choice_holds(param, text, why, size);
    }
    return false;
}

/* "real, default 6371000 m": what a message says about a parameter. */
static const char *param_describe(const struct swim_param *param, char *buf,
                                  size_t size)
{
    bool unit = param->unit && *param->unit;

    if (param->preset)
        snprintf(buf, size, "%s, default %.60s%s%.40s", param_type_name(param->type),
                 param->preset, unit ? " " : "", unit ? param->unit : "");
    else
        snprintf(buf, size, "%s%s%.40s, no default", param_type_name(param->type),
                 unit ? ", " : "", unit ? param->unit : "");
    return buf;
}

static int param_unknown(const struct kernel_host *kernel,
                         const struct job_param *given, swim_error_t *err)
{
    const char **names = calloc(kernel->api.n_params + 1, sizeof(*names));
    const char *near = NULL;
    int rc = SWIM_ERR_NOMEM;

    if (!names)
        return swim_error_set(err, rc, "parameters of %s: no memory", kernel->api.name);
    for (uint32_t i = 0; i < kernel->api.n_params; i++)
        names[i] = kernel->params[i].name;
    near = swim_text_nearest(given->name, names, kernel->api.n_params);
    rc = job_fail(err, &given->place, "kernel %s has no parameter \"%.60s\"%s%s%s",
                  kernel->api.name, given->name, near ? "; did you mean \"" : "",
                  near ? near : "", near ? "\"?" : "");
    free(names);
    return rc;
}

static const struct job_param *given_find(const struct job_param *given, size_t n,
                                          const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(given[i].name, name) == 0)
            return &given[i];
    return NULL;
}

static int value_create(const struct kernel_host *kernel,
                        const struct swim_param *param, const struct job_param *given,
                        struct param_value *value, swim_error_t *err)
{
    char why[WHY_SIZE], about[WHY_SIZE];
    const char *text = given ? given->value : param->preset;

    param_describe(param, about, sizeof(about));
    if (!text)
        return swim_error_set(err, SWIM_ERR_ARG,
                              "kernel %s needs parameter \"%s\" (%s): put it under "
                              "params in the job file",
                              kernel->api.name, param->name, about);
    if (!param_parse(param, text, value, why, sizeof(why))) {
        if (given)
            return job_fail(err, &given->place,
                            "parameter \"%s\" of kernel %s: %s (%s)", param->name,
                            kernel->api.name, why, about);
        return swim_error_set(err, SWIM_ERR_KERNEL,
                              "kernel %s: default of parameter \"%s\": %s",
                              kernel->api.name, param->name, why);
    }
    value->name = strdup(param->name);
    value->text = strdup(text);
    if (!value->name || !value->text)
        return swim_error_set(err, SWIM_ERR_NOMEM, "parameters of %s: no memory",
                              kernel->api.name);
    return SWIM_OK;
}

static int given_check(const struct kernel_host *kernel, const struct job_param *given,
                       swim_error_t *err)
{
    for (uint32_t i = 0; i < kernel->api.n_params; i++)
        if (strcmp(kernel->params[i].name, given->name) == 0)
            return SWIM_OK;
    return param_unknown(kernel, given, err);
}

int params_check_all(const struct kernel_host *kernel, const struct job_param *given,
                     size_t n_given, struct problems *problems,
                     const struct job_place *kernel_place, swim_error_t *err)
{
    int rc = SWIM_OK;

    for (size_t g = 0; g < n_given && rc == SWIM_OK; g++)
        rc = problems_take(problems, &given[g].place,
                           given_check(kernel, &given[g], err), err);
    for (uint32_t i = 0; i < kernel->api.n_params && rc == SWIM_OK; i++) {
        const struct swim_param *param = &kernel->params[i];
        const struct job_param *one = given_find(given, n_given, param->name);
        struct param_value value = {0};
        rc = value_create(kernel, param, one, &value, err);
        rc = problems_take(problems, one ? &one->place : kernel_place, rc, err);
        free(value.name);
        free(value.text);
    }
    return rc;
}

int params_create(const struct kernel_host *kernel, const struct job_param *given,
                  size_t n_given, swim_params_t **out, swim_error_t *err)
{
    swim_params_t *params = calloc(1, sizeof(*params));
    int rc = SWIM_OK;

    *out = NULL;
    if (params) {
        params->kernel = strdup(kernel->api.name);
        params->values = calloc(kernel->api.n_params + 1, sizeof(*params->values));
    }
    if (!params || !params->kernel || !params->values) {
        rc = swim_error_set(err, SWIM_ERR_NOMEM, "parameters of %s: no memory",
                            kernel->api.name);
        goto out;
    }
    params->n = kernel->api.n_params;
    for (size_t g = 0; g < n_given && rc == SWIM_OK; g++)
        rc = given_check(kernel, &given[g], err);
    for (uint32_t i = 0; i < params->n && rc == SWIM_OK; i++) {
        const struct swim_param *param = &kernel->params[i];
        rc = value_create(kernel, param, given_find(given, n_given, param->name),
                          &params->values[i], err);
    }
out:
    if (rc == SWIM_OK)
        *out = params;
    else
        params_destroy(params);
    return rc;
}

void params_destroy(swim_params_t *params)
{
    if (!params)
        return;
    for (size_t i = 0; i < params->n; i++) {
        free(params->values[i].name);
        free(params->values[i].text);
    }
    free(params->values);
    free(params->kernel);
    free(params);
}

static const struct param_value *value_find(const swim_params_t *params,
                                            const char *name, enum swim_param_type type)
{
    for (size_t i = 0; i < params->n; i++)
        if (params->values[i].type == type && strcmp(params->values[i].name, name) == 0)
            return &params->values[i];
    swim_log(SWIM_LOG_ERROR, "kernel",
             "kernel %s asked for a parameter it does not declare: %s %s",
             params->kernel, param_type_name(type), name);
    return NULL;
}

int64_t swim_params_int(const swim_params_t *params, const char *name)
{
    const struct param_value *value = value_find(params, name, SWIM_PARAM_INT);

    return value ? value->i : 0;
}

double swim_params_real(const swim_params_t *params, const char *name)
{
    const struct param_value *value = value_find(params, name, SWIM_PARAM_REAL);

    return value ? value->r : (double)NAN;
}

int swim_params_bool(const swim_params_t *params, const char *name)
{
    const struct param_value *value = value_find(params, name, SWIM_PARAM_BOOL);

    return value ? value->b : 0;
}

const char *swim_params_text(const swim_params_t *params, const char *name)
{
    const struct param_value *value = value_find(params, name, SWIM_PARAM_TEXT);

    return value ? value->text : "";
}
