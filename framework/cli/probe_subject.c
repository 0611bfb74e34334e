/* probe_subject.c - the made data: a setup as of a job, whose inputs are in memory. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "batch/setup.h"
#include "cli/probe.h"
#include "store/codec.h"

#define PRIME 997.0 /* values in whole parts of it have no exact binary form */

static const struct job no_job = {.path = (char *)"kernel test", .dir = (char *)"."};

bool probe_subject_missing(uint64_t place)
{
    return place % 7 == 3 || place == 0;
}

double probe_subject_missing_value(enum swim_type type)
{
    switch (type) {
    case SWIM_TYPE_I8:
        return -127;
    case SWIM_TYPE_U8:
        return 255;
    case SWIM_TYPE_U16:
    case SWIM_TYPE_U32:
    case SWIM_TYPE_U64:
        return 65535;
    default:
        return type < SWIM_TYPE_F32 ? -32767 : (double)NAN;
    }
}

/* --- Axes ----------------------------------------------------------------------- */

/* The last two are latitude and longitude, once around the globe; the first, of one or
 * of more than two, is time, in steps of a month. */
struct axis_form {
    const char *name, *units, *standard_name;
    double first, step;
};

static struct axis_form axis_form(uint32_t axis, uint32_t ndim, uint64_t length)
{
    const double n = (double)length;

    if (ndim > 1 && axis == ndim - 1)
        return (struct axis_form){"lon", "degrees_east", "longitude", 0, 360 / n};
    if (ndim > 1 && axis == ndim - 2)
        return (struct axis_form){"lat", "degrees_north", "latitude",
                                  length > 1 ? -90 : 0, length > 1 ? 180 / (n - 1) : 0};
    if (axis == 0)
        return (struct axis_form){"time", "days since 2001-01-01", "time", 15, 31};
    return (struct axis_form){"", "1", "", 0, 1};
}

static bool axis_make(struct swim_axis *axis, uint32_t number, uint32_t ndim,
                      uint64_t length)
{
    struct axis_form form = axis_form(number, ndim, length);
    char name[24];
    double *values = calloc(length, sizeof(*values));

    snprintf(name, sizeof(name), "level_%u", number);
    for (uint64_t i = 0; values && i < length; i++)
        values[i] = form.first + (double)i * form.step;
    *axis = (struct swim_axis){.name = strdup(*form.name ? form.name : name),
                               .units = strdup(form.units),
                               .calendar = strdup(""),
                               .standard_name = strdup(form.standard_name),
                               .length = length,
                               .values = values};
    return axis->name && axis->units && axis->calendar && axis->standard_name && values;
}

/* --- Inputs ------------------------------------------------------------------------
 */

static struct dataset_info *info_make(const struct probe *p,
                                      const struct probe_run *run,
                                      const struct swim_port *port)
{
    struct dataset_info *info = calloc(1, sizeof(*info));
    bool ok = info != NULL;

    if (!ok)
        return NULL;
    info->ndim = p->ndim;
    info->stored_type = port->type ? port->type : run->type;
    info->has_missing = run->missing;
    info->missing = probe_subject_missing_value(info->stored_type);
    info->file = strdup("made data");
    info->path = strdup(port->name);
    info->name = strdup(port->name);
    const bool named = port->unit && *port->unit != '='; /* "=u" is that of others */
    info->units = strdup(named ? port->unit : "1");
    info->long_name = strdup("");
    info->axes = calloc(p->ndim + 1, sizeof(*info->axes));
    ok = info->file && info->path && info->name && info->units && info->long_name &&
         info->axes;
    for (uint32_t a = 0; a < p->ndim && ok; a++) {
        info->shape[a] = p->shape[a];
        ok = axis_make(&info->axes[a], a, p->ndim, p->shape[a]);
    }
    /* Packed: the missing value is not looked for in the stored form. */
    info->packed = true;
    if (ok)
        return info;
    dataset_info_destroy(info);
    return NULL;
}

static int input_make(const struct probe *p, const struct probe_run *run,
                      struct setup *setup, uint32_t number, swim_error_t *err)
{
    const struct swim_port *port = &setup->kernel->inputs[number];
    struct setup_input *in = &setup->inputs[number];

    in->info = info_make(p, run, port);
    in->axes = calloc(p->ndim + 1, sizeof(*in->axes));
    if (!in->info || !in->axes)
        return swim_error_set(err, SWIM_ERR_NOMEM, "made data: no memory");
    in->type = in->info->stored_type;
    for (uint32_t a = 0; a < p->ndim; a++)
        in->axes[a] = &in->info->axes[a];
    in->field = (struct swim_field){
        .port = port->name,
        .name = in->info->name,
        .units = in->info->units,
        .long_name = in->info->long_name,
        .type = in->type,
        .stored_type = in->type,
        .natural_type = in->type,
        .ndim = p->ndim,
        .has_missing = in->info->has_missing,
        .shape = in->info->shape,
        .axes = in->axes,
        .missing = in->info->missing,
    };
    return SWIM_OK;
}

int probe_subject_create(const struct probe *p, const struct probe_run *run,
                         struct setup **out, swim_error_t *err)
{
    struct setup *setup = calloc(1, sizeof(*setup));
    int rc = SWIM_OK;

    *out = setup; /* on failure too: setup_destroy() takes what there is */
    if (!setup)
        return swim_error_set(err, SWIM_ERR_NOMEM, "made data: no memory");
    setup->job = &no_job;
    rc = kernel_load(p->options->so, &setup->kernel, err);
    if (rc == SWIM_OK)
        rc = params_create(setup->kernel, p->options->params, p->options->n_params,
                           &setup->params, err);
    if (rc != SWIM_OK)
        return rc;
    setup->n_inputs = setup->kernel->api.n_inputs;
    setup->n_outputs = setup->kernel->api.n_outputs;
    setup->inputs = calloc(setup->n_inputs + 1, sizeof(*setup->inputs));
    setup->outputs = calloc(setup->n_outputs + 1, sizeof(*setup->outputs));
    setup->plan_fields = calloc(setup->n_inputs + 1, sizeof(*setup->plan_fields));
    setup->plan_outputs = calloc(setup->n_outputs + 1, sizeof(*setup->plan_outputs));
    if (!setup->inputs || !setup->outputs || !setup->plan_fields ||
        !setup->plan_outputs) {
        setup->n_inputs = 0;
        return swim_error_set(err, SWIM_ERR_NOMEM, "made data: no memory");
    }
    for (uint32_t i = 0; rc == SWIM_OK && i < setup->n_inputs; i++)
        rc = input_make(p, run, setup, i, err);
    return rc;
}

/* --- Values ------------------------------------------------------------------------
 */

/* Spread evenly, the same in every run (splitmix64). */
static uint64_t scatter(uint64_t x)
{
    x += 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

static double value_at(enum swim_type type, uint32_t input, uint64_t place)
{
    uint64_t x = scatter(place * KERNEL_PORTS_MAX + input);

    switch (type) {
    case SWIM_TYPE_U8:
    case SWIM_TYPE_U16:
    case SWIM_TYPE_U32:
    case SWIM_TYPE_U64:
        return (double)(x % 101);
    case SWIM_TYPE_I8:
    case SWIM_TYPE_I16:
    case SWIM_TYPE_I32:
    case SWIM_TYPE_I64:
        return (double)(x % 101) - 50;
    default:
        return ((double)(x % 39881) - 19940) / PRIME; /* -20 to 20 */
    }
}

int probe_subject_values(const struct probe *p, const struct probe_run *run,
                         const struct setup *setup, uint32_t input, void **out,
                         swim_error_t *err)
{
    enum swim_type type = setup->inputs[input].type;
    uint64_t n = 1;
    int rc = SWIM_ERR_NOMEM;

    for (uint32_t a = 0; a < p->ndim; a++)
        n *= p->shape[a];
    double *values = calloc(n, sizeof(*values));
    *out = calloc(n, swim_type_size(type));
    if (values && *out) {
        for (uint64_t i = 0; i < n; i++)
            values[i] = run->missing && probe_subject_missing(i)
                            ? probe_subject_missing_value(type)
                            : value_at(type, input, i);
        rc = codec_convert(SWIM_TYPE_F64, values, type, *out, n, false, 0, err);
    } else {
        swim_error_set(err, rc, "made data: no memory");
    }
    free(values);
    return rc;
}
