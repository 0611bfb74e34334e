/* setup_methods.c - cell_methods of an output: what was done to the values, in order.
 */
#include <stdio.h>
#include <stdlib.h>

#include "batch/setup.h"

/* given: what stands in place of that of the first input, NULL: nothing; more: what
 * comes behind. */
static int methods_add(const struct setup *setup, uint32_t output, const char **given,
                       char **more)
{
    const char *own = setup->outputs[output].planned.cell_methods;
    char *joined = NULL;

    if (!own)
        return SWIM_OK;
    if (!own[0] || !(setup->kernel->api.flags & SWIM_KERNEL_ADDS_METHODS))
        *given = own;
    else if (asprintf(&joined, "%s%s%s", *more ? *more : "", *more ? " " : "", own) < 0)
        return SWIM_ERR_NOMEM;
    free(*more);
    *more = joined;
    return SWIM_OK;
}

static int methods_fold(const struct setup *setup, uint32_t output, const char **given,
                        char **more)
{
    int rc = SWIM_OK;

    if (setup->before && setup->kernel->api.kind != SWIM_KERNEL_FILTER)
        rc = methods_fold(setup->before, setup->inputs[0].from, given, more);
    return rc == SWIM_OK ? methods_add(setup, output, given, more) : rc;
}

int setup_cell_methods(struct setup *setup, uint32_t number, swim_error_t *err)
{
    struct setup_output *out = &setup->outputs[number];

    out->spec.cell_methods = NULL;
    if (methods_fold(setup, number, &out->spec.cell_methods, &out->methods) != SWIM_OK)
        return swim_error_set(err, SWIM_ERR_NOMEM, "setup: cell_methods of output %s",
                              setup->kernel->outputs[number].name);
    out->spec.more_methods = out->methods;
    return SWIM_OK;
}
