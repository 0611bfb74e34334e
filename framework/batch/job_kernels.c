/* job_kernels.c - the kernel of a job file with what belongs to it, or a chain of them.
 *
 * A chain becomes a list of jobs, each with the kernel, parameters and edges of its
 * own, of which each but the first takes the outputs of the one before. */
#include <stdlib.h>
#include <string.h>

#include "batch/job_private.h"

static int kernel_name_key(const struct job_node *node, void *into, swim_error_t *err)
{
    struct job *job = into;

    job->kernel_place = node->place;
    return job_value_text(node, &job->kernel, err);
}

static int kernel_timeout_key(const struct job_node *node, void *into,
                              swim_error_t *err)
{
    return job_value_seconds(node, &((struct job *)into)->timeout_ms, err);
}

static const struct job_key kernel_keys[] = {
    {"name", kernel_name_key},
    {"timeout", kernel_timeout_key},
};

int job_kernel(const struct job_node *node, void *into, swim_error_t *err)
{
    struct job *job = into;
    int rc = SWIM_OK;

    if (node->kind != JOB_NODE_MAP)
        return kernel_name_key(node, into, err);
    rc = job_keys_read(node, kernel_keys, SWIM_COUNT_OF(kernel_keys), job, err);
    if (rc == SWIM_OK && !job->kernel)
        rc = job_fail(err, &node->key_place, "\"kernel\" has no \"name\"");
    return rc;
}

static int param_read(const struct job_node *node, struct job_param *param,
                      swim_error_t *err)
{
    char found[80];
    int rc = job_key_copy(node, &param->name, err);

    param->place = node->place;
    if (rc != SWIM_OK)
        return rc;
    if (node->kind != JOB_NODE_TEXT)
        rc = job_fail(err, &node->place,
                      "parameter \"%.60s\": expected one value, found %s", node->key,
                      job_node_describe(node, found, sizeof(found)));
    else if (!(param->value = strdup(node->text)))
        rc = swim_error_set(err, SWIM_ERR_NOMEM, "read job file: no memory");
    if (rc != SWIM_OK)
        free(param->name);
    return rc;
}

int job_params(const struct job_node *node, void *into, swim_error_t *err)
{
    struct job *job = into;
    int rc = SWIM_OK;

    if (node->kind == JOB_NODE_NULL)
        return SWIM_OK;
    rc = job_map_expect(node, "parameters", err);
    if (rc == SWIM_OK)
        rc = job_array_create(node->n, sizeof(*job->params), &job->params, err);
    for (const struct job_node *c = node->first; c && rc == SWIM_OK; c = c->next) {
        rc = param_read(c, &job->params[job->n_params], err);
        job->n_params += rc == SWIM_OK;
        rc = job_goes_on(c, rc, err);
    }
    return rc;
}

static int edge_read(const struct job_node *node, struct job_edge *edge,
                     swim_error_t *err)
{
    int rc = job_key_copy(node, &edge->axis, err);

    edge->place = node->key_place;
    return rc == SWIM_OK ? job_value_edge(node, &edge->mode, err) : rc;
}

int job_edges(const struct job_node *node, void *into, swim_error_t *err)
{
    struct job *job = into;
    int rc = SWIM_OK;

    if (node->kind == JOB_NODE_NULL)
        return SWIM_OK;
    rc = job_map_expect(node, "axes and edge modes", err);
    if (rc == SWIM_OK)
        rc = job_array_create(node->n, sizeof(*job->edges), &job->edges, err);
    for (const struct job_node *c = node->first; c && rc == SWIM_OK; c = c->next)
        rc = job_goes_on(c, edge_read(c, &job->edges[job->n_edges++], err), err);
    return rc;
}

/* --- chains --------------------------------------------------------------------- */

static const struct job_key entry_keys[] = {
    {"kernel", job_kernel},
    {"params", job_params},
    {"edges", job_edges},
};

static int entry_read(const struct job_node *node, struct job *job, swim_error_t *err)
{
    char found[80];

    if (node->kind != JOB_NODE_MAP)
        return job_fail(err, &node->place,
                        "\"kernels\": expected a mapping of kernel, params and edges, "
                        "found %s",
                        job_node_describe(node, found, sizeof(found)));
    int rc = job_keys_read(node, entry_keys, SWIM_COUNT_OF(entry_keys), job, err);
    if (rc == SWIM_OK && !job->kernel)
        rc = job_fail(err, &node->place, "\"kernels\": a mapping without \"kernel\"");
    return rc;
}

int job_kernels(const struct job_node *node, void *into, swim_error_t *err)
{
    struct job *job = into, *before = NULL;
    char found[80];
    int rc = SWIM_OK;

    if (node->kind != JOB_NODE_LIST || node->n == 0)
        return job_fail(err, &node->place, "\"kernels\": expected a list, found %s",
                        node->kind == JOB_NODE_LIST
                            ? "an empty one"
                            : job_node_describe(node, found, sizeof(found)));
    if (node->n > JOB_KERNELS_MAX)
        return job_fail(err, &node->place, "more than %d kernels", JOB_KERNELS_MAX);
    for (const struct job_node *c = node->first; c && rc == SWIM_OK; c = c->next) {
        struct job *stage = job;
        if (c->next)
            rc = job_create(job->path, &stage, err);
        if (!stage)
            break;
        stage->before = before;
        before = stage;
        stage->problems = job->problems;
        if (rc == SWIM_OK)
            rc = job_goes_on(c, entry_read(c, stage, err), err);
    }
    if (before != job)
        job->before = before;
    return rc;
}

int job_kernels_settle(const struct job_node *root, struct job *job, swim_error_t *err)
{
    static const char *const single[] = {"kernel", "params", "edges"};
    struct job *first = job;

    for (size_t i = 0; i < SWIM_COUNT_OF(single); i++) {
        const struct job_node *node = job_node_child(root, single[i]);
        if (!node || !job_node_child(root, "kernels"))
            continue;
        int rc = job_fail(err, &node->key_place,
                          "\"%s\" beside \"kernels\": put it into the list, to the "
                          "kernel that it belongs to",
                          single[i]);
        rc = job_goes_on(node, rc, err);
        if (rc != SWIM_OK)
            return rc;
    }
    while (first->before) {
        first = first->before;
        first->memory_bytes = job->memory_bytes;
        first->follow = job->follow;
        first->follow_place = job->follow_place;
    }
    if (first != job) {
        first->inputs = job->inputs;
        first->n_inputs = job->n_inputs;
        job->inputs = NULL;
        job->n_inputs = 0;
    }
    return SWIM_OK;
}
