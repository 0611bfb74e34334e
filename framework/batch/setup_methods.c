/* setup_methods.c - cell_methods of an output: what was done to the values, in order.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "batch/setup.h"

/* "time: lat: mean", of a reduction that says "mean"; NULL: no memory. */
static char *method_of_axes(const struct setup *setup, const char *method)
{
    const struct swim_field *x = setup->plan.inputs[0];
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);

    if (!to)
        return NULL;
    for (uint32_t a = 0; a < x->ndim; a++) {
        if (setup->plan.reduced[a] && *x->axes[a]->name)
            fprintf(to, "%s: ", x->axes[a]->name);
        else if (setup->plan.reduced[a])
            fprintf(to, "dim_%u: ", a);
    }
    fputs(method, to);
    if (fclose(to) == 0)
        return text;
    free(text);
    return NULL;
}

/* given: what stands in place of that of the first input, NULL: nothing; more: what
 * comes behind. */
static int methods_add(const struct setup *setup, uint32_t output, const char **given,
                       char **more)
{
    const struct swim_kernel *k = &setup->kernel->api;
    const char *own = setup->outputs[output].planned.cell_methods;
    char *text = NULL, *joined = NULL;

    if (!own)
        return SWIM_OK;
    if (own[0]) {
        bool alone = k->kind == SWIM_KERNEL_REDUCE && !strchr(own, ':');
        bool behind = *more && (k->flags & SWIM_KERNEL_ADDS_METHODS);
        text = alone ? method_of_axes(setup, own) : strdup(own);
        if (!text || asprintf(&joined, "%s%s%s", behind ? *more : "", behind ? " " : "",
                              text) < 0) {
            free(text);
            return SWIM_ERR_NOMEM;
        }
        free(text);
    }
    if (!own[0] || !(k->flags & SWIM_KERNEL_ADDS_METHODS))
        *given = "";
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
