/* setup_units.c - inputs in the units that a kernel declares.
 *
 * A port's unit is one that udunits knows, or "=" and another input's name: the unit of
 * that one.  Values in a unit that is convertible are converted: those of files as
 * packed ones are unpacked, while they are read; those of a kernel before when they are
 * passed on, in chain.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "batch/setup.h"
#include "batch/units.h"
#include "store/types.h"

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
            const char *units =
                setup->inputs[i].info ? setup->inputs[i].info->units : NULL;
            /* One without is taken to be in the kernel's. */
            return units && !*units && ports[i].unit
                       ? unit_wanted(setup, i, whose, size)
                       : units;
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

/* From now on it is in that unit. */
static int unit_name(struct dataset_info *info, const char *units, swim_error_t *err)
{
    char *copy = strdup(units);

    if (!copy)
        return swim_error_set(err, SWIM_ERR_NOMEM, "setup: units of %s", info->path);
    free(info->units_from);
    info->units_from = info->units;
    info->units = copy;
    return SWIM_OK;
}

/* As what is packed is unpacked. */
static int unit_convert(struct dataset_info *info, const char *wanted, double scale,
                        double offset, swim_error_t *err)
{
    if (!info->packed) {
        info->scale = 1;
        info->offset = 0;
    }
    info->packed = true;
    info->scale *= scale;
    info->offset = info->offset * scale + offset;
    return unit_name(info, wanted, err);
}

int setup_take_units(struct setup *setup, uint32_t number,
                     const struct job_input *given, swim_error_t *err)
{
    struct dataset_info *info = setup->inputs[number].info;
    char whose[160];
    enum swim_type type = setup->kernel->inputs[number].type;
    double scale, offset;

    if (given && given->units && unit_name(info, given->units, err) != SWIM_OK)
        return SWIM_ERR_NOMEM;
    const char *wanted = unit_wanted(setup, number, whose, sizeof(whose));
    bool paired = wanted && setup->kernel->inputs[number].unit[0] == '=';
    /* Without an attribute it is taken for the kernel's; raw numbers are no values. */
    if (!wanted || info->raw || (!paired && !info->units[0]))
        return SWIM_OK;
    switch (units_compare(info->units, wanted, &scale, &offset)) {
    case UNITS_SAME:
        return SWIM_OK;
    case UNITS_CONVERTIBLE:
        if (!swim_type_is_float(type ? type : dataset_natural_type(info)))
            return unit_refuse(setup, number, wanted, whose,
                               setup->before
                                   ? "integers that one kernel passes to the next are "
                                     "not converted: run the kernels one after the "
                                     "other, with a file in between"
                                   : "a kernel that takes integers gets none "
                                     "converted, as they would be rounded",
                               err);
        return unit_convert(info, wanted, scale, offset, err);
    case UNITS_DIFFERENT:
        return unit_refuse(setup, number, wanted, whose,
                           "one cannot be converted to the other", err);
    case UNITS_NONE:
        return unit_refuse(
            setup, number, wanted, whose,
            "the database of udunits cannot be read (install libudunits2-0, "
            "or name it by UDUNITS2_XML_PATH)",
            err);
    case UNITS_UNKNOWN:
        break;
    }
    return unit_refuse(setup, number, wanted, whose,
                       "udunits does not know how one becomes the other", err);
}
