/* setup_check.c - all that is wrong with a job, against its kernel and its data.
 *
 * The steps are those of setup_create(), so that what a run would say is said here.
 * Where one of them needs what another found to be wrong, it is left out: an error that
 * follows from another is no news. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "batch/setup.h"

/* From the first of a chain on. */
static int check_kernels(struct setup *setup, swim_error_t *err)
{
    int rc = setup->before ? check_kernels(setup->before, err) : SWIM_OK;

    if (rc != SWIM_OK)
        return rc;
    if (setup->job->kernel)
        return setup_goes_on(setup, &setup->job->kernel_place,
                             setup_load_kernel(setup, err), err);
    setup->wrong = true;
    return SWIM_OK;
}

/* Without a kernel each input is looked at by itself. */
static int check_bare_inputs(struct setup *setup, const struct setup_access *access,
                             swim_error_t *err)
{
    const struct job *job = setup->job;
    int rc = SWIM_OK;

    free(setup->inputs);
    setup->inputs = calloc(job->n_inputs + 1, sizeof(*setup->inputs));
    if (!setup->inputs)
        return swim_error_set(err, SWIM_ERR_NOMEM, "setup of %s", job->path);
    setup->n_inputs = (uint32_t)job->n_inputs;
    for (uint32_t i = 0; rc == SWIM_OK && i < setup->n_inputs; i++) {
        const struct job_input *given = &job->inputs[i];
        if (!given->file || !given->dataset)
            continue;
        rc = setup_inspect_input(setup, i, given, access, err);
        rc = setup_goes_on(setup, &given->place, rc, err);
    }
    return rc;
}

static const struct job_place *input_place(const struct setup *setup, uint32_t number)
{
    const struct job *job = setup->job;

    for (size_t i = 0; i < job->n_inputs; i++)
        if (strcmp(job->inputs[i].port, setup->kernel->inputs[number].name) == 0)
            return &job->inputs[i].place;
    return &job->inputs_place;
}

static int check_inputs(struct setup *setup, const struct setup_access *access,
                        swim_error_t *err)
{
    int rc = SWIM_OK;

    if (!setup->kernel)
        return check_bare_inputs(setup, access, err);
    for (uint32_t i = 0; rc == SWIM_OK && i < setup->n_inputs; i++) {
        rc = setup_plan_input(setup, i, access, err);
        rc = setup_goes_on(setup, input_place(setup, i), rc, err);
    }
    return rc;
}

/* Who may write to a file and not to its folder cannot write by h5swim: its journal
 * needs a place. */
static int check_rights(const struct job_output *given, swim_error_t *err)
{
    char dir[PATH_MAX];
    const char *slash = strrchr(given->file, '/');
    struct stat st;

    int rc = setup_check_directory(given->file, err);
    if (rc != SWIM_OK)
        return rc;
    snprintf(dir, sizeof(dir), "%.*s", slash ? (int)(slash - given->file) + 1 : 1,
             slash ? given->file : ".");
    if (access(dir, W_OK | X_OK) != 0)
        return swim_error_set(err, SWIM_ERR_ARG,
                              "output %s: this user cannot make files in %s: %s; give "
                              "the output another folder, or change its rights",
                              given->file, dir, strerrordesc_np(errno));
    if (stat(given->file, &st) != 0)
        return SWIM_OK;
    if (!S_ISREG(st.st_mode))
        return swim_error_set(
            err, SWIM_ERR_ARG,
            "output %s: this is no file: give the output another name", given->file);
    if (access(given->file, W_OK) != 0)
        return swim_error_set(err, SWIM_ERR_ARG,
                              "output %s: this user cannot write to it: %s; give the "
                              "output another file, or change its rights",
                              given->file, strerrordesc_np(errno));
    return SWIM_OK;
}

static int check_outputs(struct setup *setup, swim_error_t *err)
{
    const struct job *job = setup->job;
    int rc = SWIM_OK;

    for (uint32_t i = 0; rc == SWIM_OK && setup->kernel && i < setup->n_outputs; i++)
        rc = setup_goes_on(setup, &job->outputs_place, setup_check_given(setup, i, err),
                           err);
    for (size_t i = 0; rc == SWIM_OK && i < job->n_outputs; i++)
        if (job->outputs[i].file)
            rc = setup_goes_on(setup, &job->outputs[i].place,
                               check_rights(&job->outputs[i], err), err);
    return rc;
}

static bool is_wrong(const struct setup *setup)
{
    return setup->wrong || (setup->before && is_wrong(setup->before));
}

/* What each kernel of a chain makes of what the one before gives. */
static int check_plans(struct setup *setup, const struct setup_access *access,
                       swim_error_t *err)
{
    int rc = setup->before ? check_plans(setup->before, access, err) : SWIM_OK;

    if (setup->before && is_wrong(setup->before)) {
        setup->wrong = true;
        return rc;
    }
    for (uint32_t i = 0; setup->before && rc == SWIM_OK && i < setup->n_inputs; i++)
        rc = setup_plan_input(setup, i, access, err);
    if (rc == SWIM_OK)
        rc = setup_begin_plan(setup, err);
    return setup_goes_on(setup, &setup->job->kernel_place, rc, err);
}

int setup_check(const struct job *job, const struct setup_access *access,
                struct setup **out, swim_error_t *err)
{
    struct setup *setup = NULL;
    int rc = setup_alloc(job, access, &setup, err);

    *out = NULL;
    if (rc == SWIM_OK)
        rc = check_kernels(setup, err);
    if (rc == SWIM_OK && access->store.session)
        rc = check_inputs(setup_files(setup), access, err);
    if (rc == SWIM_OK)
        rc = check_outputs(setup, err);
    bool ends = rc != SWIM_OK || is_wrong(setup) || !access->store.session;
    if (!ends)
        rc = check_plans(setup, access, err);
    if (!ends && rc == SWIM_OK && !is_wrong(setup))
        rc = setup_goes_on(setup, &job->kernel_place, setup_finish(setup, err), err);
    if (!ends && rc == SWIM_OK && !is_wrong(setup))
        *out = setup;
    else
        setup_destroy(setup);
    return rc;
}
