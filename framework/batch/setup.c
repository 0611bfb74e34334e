/* setup.c - binds a job to its kernel and its inputs. */
#include "batch/setup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/text.h"

#define LAST_STATE_TRIES 5

static const struct job_input *input_of_port(const struct job *job, const char *port)
{
    for (size_t i = 0; i < job->n_inputs; i++)
        if (strcmp(job->inputs[i].port, port) == 0)
            return &job->inputs[i];
    return NULL;
}

/* A port that the job names and the kernel does not have. */
static int refuse_port(const struct kernel_host *kernel, const char *port,
                       const char *place, bool input, swim_error_t *err)
{
    const struct swim_port *ports = input ? kernel->inputs : kernel->outputs;
    uint32_t n = input ? kernel->api.n_inputs : kernel->api.n_outputs;
    const char *names[16];
    char all[256] = "";

    for (uint32_t i = 0; i < n && i < 16; i++) {
        names[i] = ports[i].name;
        size_t used = strlen(all);
        snprintf(all + used, sizeof(all) - used, "%s\"%s\"", i ? ", " : "", names[i]);
    }
    return swim_error_set(err, SWIM_ERR_ARG,
                          "%s: kernel %s has no %s \"%s\"; it has %s", place,
                          kernel->api.name, input ? "input" : "output", port, all);
}

int setup_goes_on(struct setup *setup, const struct job_place *place, int rc,
                  swim_error_t *err)
{
    int left = problems_take(setup->job->problems, place, rc, err);

    setup->wrong = setup->wrong || left != rc;
    return left;
}

static int check_ports(struct setup *setup, swim_error_t *err)
{
    const struct kernel_host *k = setup->kernel;
    const struct job *job = setup->job;
    int rc = SWIM_OK;

    for (size_t i = 0; rc == SWIM_OK && i < job->n_inputs; i++) {
        const struct job_input *given = &job->inputs[i];
        uint32_t p = 0;
        while (p < k->api.n_inputs && strcmp(given->port, k->inputs[p].name) != 0)
            p++;
        if (p == k->api.n_inputs)
            rc = refuse_port(k, given->port, given->place.text, true, err);
        rc = setup_goes_on(setup, &given->place, rc, err);
    }
    for (size_t i = 0; rc == SWIM_OK && i < job->n_outputs; i++) {
        const struct job_output *given = &job->outputs[i];
        uint32_t p = 0;
        while (p < k->api.n_outputs && strcmp(given->port, k->outputs[p].name) != 0)
            p++;
        if (p == k->api.n_outputs)
            rc = refuse_port(k, given->port, given->place.text, false, err);
        rc = setup_goes_on(setup, &given->place, rc, err);
    }
    return rc;
}

static const struct job_input *input_given(const struct setup *setup, uint32_t number,
                                           swim_error_t *err)
{
    const struct swim_port *port = &setup->kernel->inputs[number];
    const struct job_input *given = input_of_port(setup->job, port->name);

    if (!given)
        swim_error_set(err, SWIM_ERR_ARG, "%s: kernel %s needs the input \"%s\" (%s)",
                       setup->job->path, setup->kernel->api.name, port->name,
                       port->description ? port->description : "no description");
    return given;
}

/* What is committed last, kept for others to open.  A journal that was written anew
 * before it was kept has it no more. */
static int open_last_state(const char *file, const struct store_access *access,
                           struct setup_input *in, swim_error_t *err)
{
    swim_error_t why = {0};
    int rc = SWIM_OK;

    for (int i = 0; i < LAST_STATE_TRIES; i++) {
        swim_error_clear(&why);
        rc = source_open(file, access, NULL, &in->source, &why);
        if (rc == SWIM_OK)
            rc = source_state(in->source, &in->state, &why);
        if (rc == SWIM_OK)
            rc = source_look(in->source, true, &why);
        if (rc == SWIM_OK || !in->source)
            break;
        source_close(in->source);
        in->source = NULL;
    }
    return rc == SWIM_OK ? rc : swim_error_set(err, rc, "%s", why.text);
}

/* Inputs in one file are read in one state of it. */
static int open_input(struct setup *setup, uint32_t number,
                      const struct job_input *given, const struct setup_access *how,
                      swim_error_t *err)
{
    struct setup_input *in = &setup->inputs[number];
    bool named = how->states && number < how->n_states;

    for (uint32_t i = 0; i < number; i++)
        if (setup->inputs[i].info &&
            strcmp(setup->inputs[i].info->file, given->file) == 0) {
            in->source = setup->inputs[i].source;
            in->state = setup->inputs[i].state;
            return SWIM_OK;
        }
    if (!named && access(given->file, F_OK) != 0)
        return swim_error_set(err, SWIM_ERR_ARG, "%s: input %s: there is no file %s",
                              given->place.text, given->port, given->file);
    if (!named)
        return open_last_state(given->file, &how->store, in, err);
    int rc =
        source_open(given->file, &how->store, &how->states[number], &in->source, err);
    return rc == SWIM_OK ? source_state(in->source, &in->state, err) : rc;
}

int setup_inspect_input(struct setup *setup, uint32_t number,
                        const struct job_input *given, const struct setup_access *how,
                        swim_error_t *err)
{
    struct setup_input *in = &setup->inputs[number];
    const uint32_t copies = SWIM_KERNEL_RAW | SWIM_KERNEL_COPIES;
    const bool follow = setup->job->follow;
    int rc = open_input(setup, number, given, how, err);

    if (rc == SWIM_OK && number == 0 && setup->kernel &&
        (setup->kernel->api.flags & copies) == copies)
        rc = dataset_inspect_copy(in->source, given->dataset, follow, &in->info, err);
    else if (rc == SWIM_OK && follow)
        rc = dataset_inspect_growing(in->source, given->dataset, &in->info, err);
    else if (rc == SWIM_OK)
        rc = dataset_inspect(in->source, given->dataset, &in->info, err);
    if (rc == SWIM_OK)
        rc = source_check(in->source, err);
    if (rc != SWIM_OK)
        return rc;

    if (given->raw || (setup->kernel && setup->kernel->api.flags & SWIM_KERNEL_RAW))
        dataset_take_raw(in->info);
    return SWIM_OK;
}

int setup_plan_input(struct setup *setup, uint32_t number,
                     const struct setup_access *how, swim_error_t *err)
{
    struct setup_input *in = &setup->inputs[number];
    const struct swim_port *port = &setup->kernel->inputs[number];
    const struct job_input *given = NULL;
    int rc = SWIM_OK;

    if (!setup->before && !(given = input_given(setup, number, err)))
        return SWIM_ERR_ARG;
    if (given && (!given->file || !given->dataset))
        return SWIM_ERR_ARG; /* that was said when the job file was read */
    rc = given ? setup_inspect_input(setup, number, given, how, err)
               : setup_chain_input(setup, number, err);

    if (rc == SWIM_OK)
        rc = setup_take_units(setup, number, given, err);
    if (rc != SWIM_OK)
        return rc;
    in->type = port->type ? port->type : dataset_natural_type(in->info);
    in->axes = calloc(in->info->ndim + 1, sizeof(*in->axes));
    if (!in->axes)
        return swim_error_set(err, SWIM_ERR_NOMEM, "setup: axes of %s", in->info->path);
    for (uint32_t a = 0; a < in->info->ndim; a++)
        in->axes[a] = &in->info->axes[a];
    in->field = (struct swim_field){
        .port = port->name,
        .name = in->info->name,
        .units = in->info->units,
        .long_name = in->info->long_name,
        .type = in->type,
        .stored_type = in->info->stored_type,
        .ndim = in->info->ndim,
        .has_missing = in->info->has_missing,
        .shape = in->info->shape,
        .axes = in->axes,
        .missing = in->info->missing,
        .natural_type = dataset_natural_type(in->info),
    };
    return SWIM_OK;
}

static int check_shapes(struct setup *setup, swim_error_t *err)
{
    const struct dataset_info *first = setup->inputs[0].info;
    int rc = SWIM_OK;

    for (uint32_t i = 1; rc == SWIM_OK && i < setup->n_inputs; i++) {
        const struct dataset_info *other = setup->inputs[i].info;
        char a[160], b[160];
        if (other->ndim == first->ndim &&
            memcmp(other->shape, first->shape, first->ndim * sizeof(*first->shape)) ==
                0)
            continue;
        swim_text_shape(first->shape, first->ndim, a, sizeof(a));
        swim_text_shape(other->shape, other->ndim, b, sizeof(b));
        rc = swim_error_set(err, SWIM_ERR_ARG,
                            "shapes do not match: input %s (%s:%s) is %s, input %s "
                            "(%s:%s) is %s; kernel inputs must have one shape",
                            setup->inputs[0].field.port, first->file, first->path, a,
                            setup->inputs[i].field.port, other->file, other->path, b);
        const struct job_input *given =
            input_of_port(setup->job, setup->inputs[i].field.port);
        rc = setup_goes_on(setup, given ? &given->place : NULL, rc, err);
    }
    return rc;
}

static int take_params(struct setup *setup, swim_error_t *err)
{
    const struct job *job = setup->job;
    const size_t n_errors = job->problems ? job->problems->n_errors : 0;
    int rc = params_check_all(setup->kernel, job->params, job->n_params, job->problems,
                              &job->kernel_place, err);

    if (job->problems && job->problems->n_errors > n_errors)
        setup->wrong = true;
    if (rc == SWIM_OK && !setup->wrong)
        rc = params_create(setup->kernel, job->params, job->n_params, &setup->params,
                           err);
    return rc;
}

int setup_load_kernel(struct setup *setup, swim_error_t *err)
{
    const struct job *job = setup->job;
    char *so = NULL;
    int rc = setup->found ? SWIM_OK : kernel_find(job->kernel, job->dir, &so, err);

    if (rc == SWIM_OK)
        rc = kernel_load(so ? so : setup->found, &setup->kernel, err);
    free(so);
    if (rc == SWIM_OK)
        rc = check_ports(setup, err);
    if (rc == SWIM_OK && (setup->before || setup->passes_on))
        rc = setup_goes_on(setup, &job->kernel_place, setup_chain_kernel(setup, err),
                           err);
    if (rc == SWIM_OK)
        rc = take_params(setup, err);
    if (rc != SWIM_OK)
        return rc;
    setup->n_inputs = setup->kernel->api.n_inputs;
    setup->n_outputs = setup->kernel->api.n_outputs;
    setup->inputs = calloc(setup->n_inputs, sizeof(*setup->inputs));
    setup->outputs = calloc(setup->n_outputs, sizeof(*setup->outputs));
    setup->plan_fields = calloc(setup->n_inputs, sizeof(*setup->plan_fields));
    setup->plan_outputs = calloc(setup->n_outputs, sizeof(*setup->plan_outputs));
    if (!setup->inputs || !setup->outputs || !setup->plan_fields ||
        !setup->plan_outputs)
        return swim_error_set(err, SWIM_ERR_NOMEM, "setup of kernel %s",
                              setup->kernel->api.name);
    return SWIM_OK;
}

/* "dim_0" and so on for axes that the file gives no name. */
static bool is_dim_number(const char *word, const char *name, uint32_t axis)
{
    char number[16];

    snprintf(number, sizeof(number), "dim_%u", axis);
    return !*name && strcmp(word, number) == 0;
}

/* An edge mode that the job gives by the name of an axis. */
static int take_edge(struct setup *setup, const struct job_edge *edge,
                     swim_error_t *err)
{
    const struct dataset_info *info = setup->inputs[0].info;
    const char *names[SWIM_NDIM_MAX];
    uint32_t a = 0;

    for (uint32_t i = 0; i < info->ndim; i++)
        names[i] = info->axes[i].name;
    while (a < info->ndim && strcmp(names[a], edge->axis) != 0 &&
           !is_dim_number(edge->axis, names[a], a))
        a++;
    if (a == info->ndim) {
        const char *near = swim_text_nearest(edge->axis, names, info->ndim);
        return swim_error_set(err, SWIM_ERR_ARG, "%s: %s:%s has no axis \"%s\"%s%s%s",
                              edge->place.text, info->file, info->path, edge->axis,
                              near ? "; did you mean \"" : "", near ? near : "",
                              near ? "\"?" : "");
    }
    if (edge->mode == SWIM_EDGE_NONE && setup->kernel->api.kind != SWIM_KERNEL_WINDOW)
        return swim_error_set(
            err, SWIM_ERR_ARG,
            "%s: axis \"%s\" cannot be without an edge: \"none\" is for window "
            "kernels, and %s is a %s: take another mode",
            edge->place.text, edge->axis, setup->kernel->api.name,
            kernel_kind_name(setup->kernel->api.kind));
    setup->plan.edge[a] = edge->mode;
    setup->plan.edge_given[a] = 1;
    return SWIM_OK;
}

static int job_edges(struct setup *setup, swim_error_t *err)
{
    const struct job *job = setup->job;
    int rc = SWIM_OK;

    for (size_t e = 0; rc == SWIM_OK && e < job->n_edges; e++)
        rc = setup_goes_on(setup, &job->edges[e].place,
                           take_edge(setup, &job->edges[e], err), err);
    return rc;
}

/* What the kernel finds in the plan before it changes it. */
static int preset_plan(struct setup *setup, swim_error_t *err)
{
    static const struct swim_axis row = {
        .name = "row", .units = "", .calendar = "", .standard_name = ""};
    const struct dataset_info *first = setup->inputs[0].info;
    bool reduce = setup->kernel->api.kind == SWIM_KERNEL_REDUCE;
    bool filter = setup->kernel->api.kind == SWIM_KERNEL_FILTER;
    struct swim_plan *plan = &setup->plan;

    plan->struct_size = sizeof(*plan);
    plan->n_inputs = setup->n_inputs;
    plan->n_outputs = setup->n_outputs;
    plan->inputs = setup->plan_fields;
    plan->outputs = setup->plan_outputs;
    for (uint32_t i = 0; i < setup->n_inputs; i++)
        setup->plan_fields[i] = &setup->inputs[i].field;
    for (uint32_t i = 0; i < setup->n_outputs; i++) {
        struct swim_output *out = &setup->outputs[i].planned;
        enum swim_type type = setup->kernel->outputs[i].type;
        setup->plan_outputs[i] = out;
        out->type = type ? type : setup->inputs[0].type;
        out->ndim = reduce ? 0 : filter ? 1 : first->ndim;
        out->from_axis[0] = -1;
        out->axes[0] = filter ? &row : NULL;
        for (uint32_t a = 0; !filter && a < out->ndim; a++) {
            out->from_axis[a] = (int32_t)a;
            out->shape[a] = first->shape[a];
        }
    }
    for (uint32_t a = 0; reduce && a < first->ndim; a++)
        plan->reduced[a] = 1;
    return job_edges(setup, err);
}

int setup_ask_kernel(struct setup *setup, swim_error_t *err)
{
    const struct swim_kernel *k = &setup->kernel->api;
    int rc = preset_plan(setup, err);

    if (rc == SWIM_OK && setup->wrong)
        return SWIM_ERR_ARG; /* and it was said */
    if (rc == SWIM_OK && k->open)
        rc = k->open(setup->params, &setup->state, err);
    if (rc != SWIM_OK)
        return swim_error_set(err, rc, "kernel %s: open() failed (%s)", k->name,
                              swim_status_name(rc));
    setup->opened = true;
    if (k->plan)
        rc = k->plan(setup->state, &setup->plan, err);
    if (rc != SWIM_OK)
        return swim_error_set(err, rc, "kernel %s refuses the inputs (%s)", k->name,
                              swim_status_name(rc));
    return SWIM_OK;
}

int setup_begin_plan(struct setup *setup, swim_error_t *err)
{
    int rc = SWIM_OK;

    if (!setup->inputs[0].info)
        rc = swim_error_set(err, SWIM_ERR_KERNEL, "kernel %s has no inputs",
                            setup->job->kernel);
    if (rc == SWIM_OK && setup->job->follow)
        rc = setup_follow_inputs(setup, err);
    if (rc == SWIM_OK)
        rc = check_shapes(setup, err);
    if (rc == SWIM_OK)
        rc = setup_ask_kernel(setup, err);
    return rc == SWIM_OK && setup->passes_on ? setup_chain_outputs(setup, err) : rc;
}

/* Up to what the kernel has planned. */
static int setup_begin(struct setup *setup, const struct setup_access *access,
                       swim_error_t *err)
{
    int rc = setup_load_kernel(setup, err);

    for (uint32_t i = 0; rc == SWIM_OK && i < setup->n_inputs; i++)
        rc = setup_plan_input(setup, i, access, err);
    return rc == SWIM_OK ? setup_begin_plan(setup, err) : rc;
}

/* How the last kernel's outputs are made, and in which blocks. */
int setup_finish(struct setup *setup, swim_error_t *err)
{
    int rc = setup_plan_window(setup, err);

    if (rc == SWIM_OK)
        rc = setup_plan_outputs(setup, err);
    if (rc == SWIM_OK && setup->wrong)
        return SWIM_ERR_ARG; /* and it was said */
    if (rc == SWIM_OK)
        rc = setup_plan_blocks(setup, err);
    if (rc == SWIM_OK && setup->wrong)
        return SWIM_ERR_ARG;
    if (rc == SWIM_OK && setup->job->follow)
        rc = setup_follow_outputs(setup, err);
    if (rc == SWIM_OK)
        rc = setup_describe(setup, err);
    if (rc == SWIM_OK)
        rc = setup_plan_targets(setup, err);
    return rc;
}

/* One for each kernel of a chain, the last one's for the caller. */
int setup_alloc(const struct job *job, const struct setup_access *access,
                struct setup **out, swim_error_t *err)
{
    struct setup *before = NULL;

    *out = NULL;
    if (job->before) {
        int rc = setup_alloc(job->before, access, &before, err);
        if (rc != SWIM_OK)
            return rc;
        before->passes_on = true;
    }
    *out = calloc(1, sizeof(**out));
    if (!*out) {
        setup_destroy(before);
        return swim_error_set(err, SWIM_ERR_NOMEM, "setup of %s", job->path);
    }
    (*out)->job = job;
    (*out)->access = access->store;
    (*out)->before = before;
    uint32_t i = setup_number(*out) - 1;
    if (access->found && i < SETUP_FOUND_MAX && *access->found->so[i])
        (*out)->found = access->found->so[i];
    return SWIM_OK;
}

static int begin_all(struct setup *setup, const struct setup_access *access,
                     swim_error_t *err)
{
    int rc = setup->before ? begin_all(setup->before, access, err) : SWIM_OK;

    return rc == SWIM_OK ? setup_begin(setup, access, err) : rc;
}

int setup_create(const struct job *job, const struct setup_access *access,
                 struct setup **out, swim_error_t *err)
{
    struct setup *setup = NULL;
    int rc = setup_alloc(job, access, &setup, err);

    *out = NULL;
    if (rc == SWIM_OK)
        rc = begin_all(setup, access, err);
    if (rc == SWIM_OK)
        rc = setup_finish(setup, err);
    if (rc != SWIM_OK) {
        setup_destroy(setup);
        return rc;
    }
    *out = setup;
    return SWIM_OK;
}

void setup_close_inputs(struct setup *setup)
{
    setup = setup_files(setup);
    for (uint32_t i = 0; setup->inputs && i < setup->n_inputs; i++) {
        struct source *source = setup->inputs[i].source;
        for (uint32_t k = i; k < setup->n_inputs; k++)
            if (setup->inputs[k].source == source)
                setup->inputs[k].source = NULL;
        if (setup->job->follow)
            source_leave(source);
        else
            source_close(source);
    }
}

int setup_look_inputs(struct setup *setup, bool now, swim_error_t *err)
{
    int rc = SWIM_OK;

    setup = setup_files(setup);
    for (uint32_t i = 0; rc == SWIM_OK && i < setup->n_inputs; i++)
        if (setup->inputs[i].source)
            rc = source_look(setup->inputs[i].source, now, err);
    return rc;
}

void setup_destroy(struct setup *setup)
{
    if (!setup)
        return;
    if (setup->opened && setup->kernel->api.close)
        setup->kernel->api.close(setup->state);
    if (!setup->before)
        setup_close_inputs(setup);
    for (uint32_t i = 0; setup->inputs && i < setup->n_inputs; i++) {
        dataset_info_destroy(setup->inputs[i].info);
        free(setup->inputs[i].axes);
    }
    setup_free_targets(setup);
    free(setup->window.values);
    free(setup->description);
    free(setup->kept);
    for (uint32_t i = 0; setup->outputs && i < setup->n_outputs; i++)
        free(setup->outputs[i].methods);
    free(setup->inputs);
    free(setup->outputs);
    free(setup->plan_fields);
    free(setup->plan_outputs);
    params_destroy(setup->params);
    kernel_unload(setup->kernel);
    setup_destroy(setup->before);
    free(setup);
}
