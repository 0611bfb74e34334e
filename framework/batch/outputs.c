/* outputs.c - the output files of a job, made and finished. */
#include "batch/outputs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static bool first_with_file(const struct setup *setup, uint32_t output)
{
    for (uint32_t i = 0; i < output; i++)
        if (strcmp(setup->outputs[i].spec.file, setup->outputs[output].spec.file) == 0)
            return false;
    return true;
}

/* The specs of all outputs in the same file as output number which. */
static size_t specs_of_file(const struct setup *setup, uint32_t which,
                            struct output_spec *specs)
{
    size_t n = 0;

    for (uint32_t i = which; i < setup->n_outputs; i++)
        if (strcmp(setup->outputs[i].spec.file, setup->outputs[which].spec.file) == 0)
            specs[n++] = setup->outputs[i].spec;
    return n;
}

static int create_file(const struct outputs *o, struct output_spec *specs, size_t n,
                       swim_error_t *err)
{
    char history[1024], date[64];
    time_t now = time(NULL);
    struct tm tm;

    strftime(date, sizeof(date), "%a %b %d %H:%M:%S %Y", localtime_r(&now, &tm));
    snprintf(history, sizeof(history), "%s: %s", date, o->command);
    const struct output_job job = {o->mark, "", 0};
    return output_create(specs->file, o->overwrite, specs, n, history, &job, &o->access,
                         err);
}

static int finish_file(const struct outputs *o, struct output_spec *specs, size_t n,
                       swim_error_t *err)
{
    for (size_t i = 0; i < n; i++)
        specs[i].mark = o->mark;
    return output_finish(specs->file, specs, n, &o->access, err);
}

/* Once for each file. */
static int each_file(const struct outputs *o,
                     int (*what)(const struct outputs *o, struct output_spec *specs,
                                 size_t n, swim_error_t *err),
                     swim_error_t *err)
{
    struct output_spec *specs = calloc(o->setup->n_outputs, sizeof(*specs));
    int rc = SWIM_OK;

    if (!specs)
        return swim_error_set(err, SWIM_ERR_NOMEM, "outputs");
    for (uint32_t i = 0; rc == SWIM_OK && i < o->setup->n_outputs; i++)
        if (first_with_file(o->setup, i))
            rc = what(o, specs, specs_of_file(o->setup, i, specs), err);
    free(specs);
    return rc;
}

static int refuse_file(const struct outputs *o, struct output_spec *specs, size_t n,
                       swim_error_t *err)
{
    (void)n;
    return output_refuse_existing(specs->file, &o->access, err);
}

int outputs_create(const struct outputs *o, swim_error_t *err)
{
    int rc = o->overwrite ? SWIM_OK : each_file(o, refuse_file, err);

    return rc == SWIM_OK ? each_file(o, create_file, err) : rc;
}

int outputs_finish(const struct outputs *o, swim_error_t *err)
{
    return each_file(o, finish_file, err);
}

static int settle_file(const struct outputs *o, struct output_spec *specs, size_t n,
                       swim_error_t *err)
{
    (void)n;
    (void)err;
    output_settle(specs->file, o->access.session);
    return SWIM_OK;
}

void outputs_settle(const struct outputs *o)
{
    (void)each_file(o, settle_file, NULL);
}
