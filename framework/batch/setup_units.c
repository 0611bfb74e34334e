/* setup_units.c - inputs in the units that a kernel declares.
 *
 * A port's unit is one that udunits knows, or "=" and another input's name: the unit of
 * that one.  Values in a unit that is convertible are converted as packed ones are
 * unpacked, while they are read. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "batch/setup.h"
#include "batch/units.h"

/* The unit that an input is to have, and whose it is, for people; NULL: any. */
static const char *unit_wanted(const struct setup *setup, uint32_t number, char *whose,
                               size_t size)
{
    const struct swim_port *ports = setup->kernel->inputs;
    const char *unit = ports[number].unit;

    if (!unit || !*unit)
        return NULL;
    if (*unit != '=') {
        snprintf(whose, size, "kernel %s", setup->kernel->api.name);
        return unit;
    }
    for (uint32_t i = 0; i < number; i++)
        if (strcmp(ports[i].name, unit + 1) == 0) {
            snprintf(whose, size, "input %s", ports[i].name);
            return setup->inputs[i].info ? setup->inputs[i].info->units : NULL;
        }
    return NULL; /* kernel_load() refuses those */
}

static int unit_refuse(const struct setup *setup, uint32_t number, const char *wanted,
                       const char *whose, const char *cause, swim_error_t *err)
{
    const struct dataset_info *info = setup->inputs[number].info;
    const char *port = setup->kernel->inputs[number].name;

    return swim_error_set(
        err, SWIM_ERR_ARG,
        "input %s (%s:%s) is in \"%s\", and the unit of %s is \"%s\": %s%s", port,
        info->file, info->path, info->units, whose, wanted, cause,
        setup->before ? "" : "; \"units\" of an input says what it is in instead");
}

/* What is in a file, from now on in another unit. */
static int unit_convert(struct dataset_info *info, const char *wanted, double scale,
                        double offset, swim_error_t *err)
{
    char *units = strdup(wanted);

    if (!units)
        return swim_error_set(err, SWIM_ERR_NOMEM, "setup: units of %s", info->path);
    if (!info->packed) {
        info->scale = 1;
        info->offset = 0;
    }
    info->packed = true;
    info->scale *= scale;
    info->offset = info->offset * scale + offset;
    free(info->units_from);
    info->units_from = info->units;
    info->units = units;
    return SWIM_OK;
}

int setup_take_units(struct setup *setup, uint32_t number,
                     const struct job_input *given, swim_error_t *err)
{
    struct dataset_info *info = setup->inputs[number].info;
    char whose[160];
    double scale, offset;

    if (given && given->units) {
        char *units = strdup(given->units);
        if (!units)
            return swim_error_set(err, SWIM_ERR_NOMEM, "setup: units of %s",
                                  info->path);
        info->units_from = info->units;
        info->units = units;
    }
    const char *wanted = unit_wanted(setup, number, whose, sizeof(whose));
    bool paired = wanted && setup->kernel->inputs[number].unit[0] == '=';
    /* Without an attribute it is taken for the kernel's; raw numbers are no values. */
    if (!wanted || info->raw || (!paired && !info->units[0]))
        return SWIM_OK;
    switch (units_compare(info->units, wanted, &scale, &offset)) {
    case UNITS_SAME:
        return SWIM_OK;
    case UNITS_CONVERTIBLE:
        if (setup->before)
            return unit_refuse(setup, number, wanted, whose,
                               "what one kernel passes to the next is not converted",
                               err);
        return unit_convert(info, wanted, scale, offset, err);
    case UNITS_DIFFERENT:
        return unit_refuse(setup, number, wanted, whose,
                           "one cannot be converted to the other", err);
    case UNITS_UNKNOWN:
        break;
    }
    return unit_refuse(setup, number, wanted, whose,
                       "udunits does not know how one becomes the other", err);
}
