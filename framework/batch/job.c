/* job.c - from the tree of a job file to a struct job.
 *
 * Each mapping has a table of its keys; what is not in the table is refused with the
 * nearest key that is, so that a slip of the pen cannot change what a job does. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "batch/job_private.h"
#include "core/text.h"

#define MEMORY_DEFAULT ((uint64_t)256 << 20)
#define PORTS_MAX 64
#define FOLLOW_UNTIL "h5swim_end"

int job_map_expect(const struct job_node *node, const char *holds, swim_error_t *err)
{
    char found[80];

    if (node->kind == JOB_NODE_MAP)
        return SWIM_OK;
    return job_fail(err, &node->place, "\"%.60s\": expected a mapping of %s, found %s",
                    node->key ? node->key : "", holds,
                    job_node_describe(node, found, sizeof(found)));
}

/* Room for one element per child of a mapping; an empty one needs none. */
int job_array_create(size_t n, size_t size, void *out, swim_error_t *err)
{
    void *array = n ? calloc(n, size) : NULL;

    if (n && !array)
        return swim_error_set(err, SWIM_ERR_NOMEM, "read job file: no memory");
    memcpy(out, &array, sizeof(array));
    return SWIM_OK;
}

int job_key_copy(const struct job_node *node, char **out, swim_error_t *err)
{
    if (!*node->key)
        return job_fail(err, &node->key_place, "an empty key");
    *out = strdup(node->key);
    if (!*out)
        return swim_error_set(err, SWIM_ERR_NOMEM, "read job file: no memory");
    return SWIM_OK;
}

/* --- inputs --------------------------------------------------------------------- */

static int input_file(const struct job_node *value, void *into, swim_error_t *err)
{
    return job_value_text(value, &((struct job_input *)into)->file, err);
}

static int input_dataset(const struct job_node *value, void *into, swim_error_t *err)
{
    return job_value_text(value, &((struct job_input *)into)->dataset, err);
}

static int input_units(const struct job_node *value, void *into, swim_error_t *err)
{
    return job_value_text(value, &((struct job_input *)into)->units, err);
}

static int input_raw(const struct job_node *value, void *into, swim_error_t *err)
{
    return job_value_bool(value, &((struct job_input *)into)->raw, err);
}

static const struct job_key input_keys[] = {
    {"file", input_file},
    {"dataset", input_dataset},
    {"raw", input_raw},
    {"units", input_units},
};

static int place_needs(const struct job_place *place, const char *what,
                       const char *port, const char *key, swim_error_t *err)
{
    return job_fail(err, place, "%s \"%.60s\" has no \"%s\"", what, port, key);
}

/* "jobs/../data/x.h5" reads better as the real directory's name, where there is one;
 * the last part stays as it is.  Takes path. */
static char *path_tidy(char *path)
{
    char *slash = strrchr(path, '/'), *dir, *tidy = NULL;

    *slash = '\0';
    dir = realpath(path, NULL);
    *slash = '/';
    if (dir && asprintf(&tidy, "%s%s", dir, slash) < 0)
        tidy = NULL;
    free(dir);
    if (!tidy)
        return path;
    free(path);
    return tidy;
}

/* Relative names are relative to the job file, so that a job runs from anywhere. */
static int file_join(const char *dir, char **file, swim_error_t *err)
{
    char *joined = NULL;
    const char *slash = dir[strlen(dir) - 1] == '/' ? "" : "/";

    if (**file == '/' || strcmp(dir, ".") == 0)
        return SWIM_OK;
    if (asprintf(&joined, "%s%s%s", dir, slash, *file) < 0)
        return swim_error_set(err, SWIM_ERR_NOMEM, "read job file: no memory");
    free(*file);
    *file = path_tidy(joined);
    return SWIM_OK;
}

static int input_read(const struct job_node *node, const char *dir,
                      struct job_input *input, swim_error_t *err)
{
    int rc = job_key_copy(node, &input->port, err);

    input->place = node->key_place;
    if (rc == SWIM_OK)
        rc = job_map_expect(node, "file, dataset, units and raw", err);
    if (rc == SWIM_OK)
        rc = job_keys_read(node, input_keys, SWIM_COUNT_OF(input_keys), input, err);
    if (rc != SWIM_OK)
        return rc;
    if (!input->file)
        rc = place_needs(&input->place, "input", input->port, "file", err);
    rc = job_goes_on(node, rc, err);
    if (rc == SWIM_OK && !input->dataset)
        rc = place_needs(&input->place, "input", input->port, "dataset", err);
    return rc == SWIM_OK && input->file ? file_join(dir, &input->file, err) : rc;
}

/* The count grows with each element begun: job_destroy() frees what is there. */
static int job_inputs(const struct job_node *node, void *into, swim_error_t *err)
{
    struct job *job = into;
    int rc = job_map_expect(node, "ports of the kernel", err);

    job->inputs_place = node->key_place;
    if (rc == SWIM_OK && node->n > PORTS_MAX)
        rc = job_fail(err, &node->place, "more than %d inputs", PORTS_MAX);
    if (rc == SWIM_OK)
        rc = job_array_create(node->n, sizeof(*job->inputs), &job->inputs, err);
    for (const struct job_node *c = node->first; c && rc == SWIM_OK; c = c->next)
        rc = job_goes_on(c, input_read(c, job->dir, &job->inputs[job->n_inputs++], err),
                         err);
    return rc;
}

/* --- outputs -------------------------------------------------------------------- */

static int output_file(const struct job_node *value, void *into, swim_error_t *err)
{
    return job_value_text(value, &((struct job_output *)into)->file, err);
}

static int output_dataset(const struct job_node *value, void *into, swim_error_t *err)
{
    return job_value_text(value, &((struct job_output *)into)->dataset, err);
}

static int output_type(const struct job_node *value, void *into, swim_error_t *err)
{
    return job_value_type(value, &((struct job_output *)into)->type, err);
}

static int output_chunks(const struct job_node *value, void *into, swim_error_t *err)
{
    struct job_output *output = into;

    return job_value_sizes(value, NULL, output->chunks, &output->n_chunks, err);
}

static int output_fill(const struct job_node *value, void *into, swim_error_t *err)
{
    struct job_output *output = into;

    if (value->kind == JOB_NODE_TEXT && strcmp(value->text, "default") == 0) {
        output->fill_default = true;
        return SWIM_OK;
    }
    int rc = job_value_double(value, &output->fill, err);
    output->has_fill = rc == SWIM_OK;
    return rc;
}

static int output_layout(const struct job_node *value, void *into, swim_error_t *err)
{
    struct job_output *output = into;

    return job_value_choice(value, "single", "sharded", &output->sharded, err);
}

static int output_shards(const struct job_node *value, void *into, swim_error_t *err)
{
    struct job_output *output = into;

    output->shards_set = true;
    return job_value_choice(value, "node", "rank", &output->by_rank, err);
}

static int filter_shuffle(const struct job_node *value, void *into, swim_error_t *err)
{
    return job_value_bool(value, &((struct job_output *)into)->shuffle, err);
}

static int filter_fletcher32(const struct job_node *value, void *into,
                             swim_error_t *err)
{
    return job_value_bool(value, &((struct job_output *)into)->fletcher32, err);
}

static int filter_deflate(const struct job_node *value, void *into, swim_error_t *err)
{
    struct job_output *output = into;
    int64_t level = 0;
    int rc = job_value_int(value, 0, 9, &level, err);

    output->deflate = rc == SWIM_OK ? (int)level : 0;
    return rc;
}

static const struct job_key filter_keys[] = {
    {"shuffle", filter_shuffle},
    {"deflate", filter_deflate},
    {"fletcher32", filter_fletcher32},
};

static int output_filters(const struct job_node *value, void *into, swim_error_t *err)
{
    struct job_output *output = into;
    char found[80];

    output->filters_set = true;
    if (value->kind == JOB_NODE_MAP)
        return job_keys_read(value, filter_keys, SWIM_COUNT_OF(filter_keys), into, err);
    if (value->kind == JOB_NODE_TEXT && strcmp(value->text, "none") == 0)
        return SWIM_OK;
    return job_fail(err, &value->place,
                    "\"filters\": expected none or a mapping of shuffle, deflate and "
                    "fletcher32, found %s",
                    job_node_describe(value, found, sizeof(found)));
}

static const struct job_key output_keys[] = {
    {"file", output_file},     {"dataset", output_dataset}, {"type", output_type},
    {"chunks", output_chunks}, {"filters", output_filters}, {"fill", output_fill},
    {"layout", output_layout}, {"shards", output_shards},   {"pack", job_pack},
};

static const char *dataset_bare(const char *dataset)
{
    return dataset + strspn(dataset, "/");
}

/* Two outputs in one dataset would overwrite each other. */
static int output_alone(const struct job *job, size_t index, swim_error_t *err)
{
    const struct job_output *output = &job->outputs[index];

    for (size_t i = 0; i < index; i++)
        if (job->outputs[i].file && job->outputs[i].dataset &&
            strcmp(job->outputs[i].file, output->file) == 0 &&
            strcmp(dataset_bare(job->outputs[i].dataset),
                   dataset_bare(output->dataset)) == 0)
            return job_fail(
                err, &output->place,
                "outputs \"%.60s\" and \"%.60s\" are the same dataset %.100s",
                job->outputs[i].port, output->port, output->dataset);
    return SWIM_OK;
}

static int output_read(const struct job_node *node, const char *dir,
                       struct job_output *output, swim_error_t *err)
{
    int rc = job_key_copy(node, &output->port, err);

    output->place = node->key_place;
    if (rc == SWIM_OK)
        rc = job_map_expect(node, "file, dataset and what it is stored like", err);
    if (rc == SWIM_OK)
        rc = job_keys_read(node, output_keys, SWIM_COUNT_OF(output_keys), output, err);
    if (rc != SWIM_OK)
        return rc;
    if (!output->file)
        rc = place_needs(&output->place, "output", output->port, "file", err);
    rc = job_goes_on(node, rc, err);
    if (rc == SWIM_OK && !output->dataset)
        rc = place_needs(&output->place, "output", output->port, "dataset", err);
    rc = job_goes_on(node, rc, err);
    if (rc == SWIM_OK && output->shards_set && !output->sharded)
        rc = job_fail(err, &output->place,
                      "output \"%.60s\": \"shards\" goes with layout: sharded",
                      output->port);
    rc = job_goes_on(node, rc, err);
    if (rc == SWIM_OK)
        rc = job_goes_on(node, job_pack_settle(output, err), err);
    return rc == SWIM_OK && output->file ? file_join(dir, &output->file, err) : rc;
}

static int job_outputs(const struct job_node *node, void *into, swim_error_t *err)
{
    struct job *job = into;
    int rc = job_map_expect(node, "ports of the kernel", err);

    job->outputs_place = node->key_place;
    if (rc == SWIM_OK && node->n > PORTS_MAX)
        rc = job_fail(err, &node->place, "more than %d outputs", PORTS_MAX);
    if (rc == SWIM_OK)
        rc = job_array_create(node->n, sizeof(*job->outputs), &job->outputs, err);
    for (const struct job_node *c = node->first; c && rc == SWIM_OK; c = c->next) {
        struct job_output *output = &job->outputs[job->n_outputs++];
        rc = job_goes_on(c, output_read(c, job->dir, output, err), err);
        if (rc == SWIM_OK && output->file && output->dataset)
            rc = job_goes_on(c, output_alone(job, job->n_outputs - 1, err), err);
    }
    return rc;
}

/* --- the job -------------------------------------------------------------------- */

static int job_block(const struct job_node *node, void *into, swim_error_t *err)
{
    struct job *job = into;

    job->block_place = node->place;
    return job_value_sizes(node, "auto", job->block, &job->n_block, err);
}

static int job_memory(const struct job_node *node, void *into, swim_error_t *err)
{
    struct job *job = into;

    job->memory_place = node->key_place;
    return job_value_bytes(node, &job->memory_bytes, err);
}

static int follow_until_key(const struct job_node *node, void *into, swim_error_t *err)
{
    return job_value_text(node, &((struct job *)into)->follow_until, err);
}

static int follow_timeout_key(const struct job_node *node, void *into,
                              swim_error_t *err)
{
    return job_value_seconds(node, &((struct job *)into)->follow_timeout_ms, err);
}

static const struct job_key follow_keys[] = {
    {"until", follow_until_key},
    {"timeout", follow_timeout_key},
};

static int job_follow(const struct job_node *node, void *into, swim_error_t *err)
{
    struct job *job = into;

    job->follow_place = node->place;
    job->follow = true;
    int rc =
        node->kind == JOB_NODE_MAP
            ? job_keys_read(node, follow_keys, SWIM_COUNT_OF(follow_keys), job, err)
            : job_value_bool(node, &job->follow, err);
    if (rc == SWIM_OK && !job->follow_until) {
        job->follow_until = strdup(FOLLOW_UNTIL);
        if (!job->follow_until)
            rc = swim_error_set(err, SWIM_ERR_NOMEM, "read job file: no memory");
    }
    return rc;
}

static const struct job_key job_keys[] = {
    {"kernel", job_kernel},   {"params", job_params}, {"inputs", job_inputs},
    {"outputs", job_outputs}, {"block", job_block},   {"memory", job_memory},
    {"edges", job_edges},     {"follow", job_follow}, {"kernels", job_kernels},
};

static int job_check_follow(const struct job *job, swim_error_t *err)
{
    for (size_t i = 0; job->follow && i < job->n_outputs; i++)
        if (job->outputs[i].sharded)
            return job_fail(err, &job->outputs[i].place,
                            "output \"%.60s\": an output that grows (follow) cannot be "
                            "sharded",
                            job->outputs[i].port);
    return SWIM_OK;
}

/* One that is there and wrong is not missing. */
static int job_check_keys(const struct job_node *root, const struct job *job,
                          swim_error_t *err)
{
    const struct {
        const char *key, *other;
        bool is_read;
    } needs[] = {{"kernel", "kernels", job->kernel != NULL},
                 {"inputs", "inputs", job->n_inputs > 0},
                 {"outputs", "outputs", job->n_outputs > 0}};
    int rc = SWIM_OK;

    for (size_t i = 0; rc == SWIM_OK && i < SWIM_COUNT_OF(needs); i++) {
        const struct job_node *node = job_node_child(root, needs[i].key);
        node = node ? node : job_node_child(root, needs[i].other);
        if (needs[i].is_read || (node && job->problems && job->problems->n_errors))
            continue;
        rc =
            swim_error_set(err, SWIM_ERR_ARG, "%s: no \"%s\"", job->path, needs[i].key);
        rc = job_goes_on(root, rc, err);
    }
    return rc;
}

static int job_read(const struct job_node *root, struct job *job, swim_error_t *err)
{
    char found[80];
    int rc = SWIM_OK;

    if (root->kind == JOB_NODE_NULL)
        return swim_error_set(err, SWIM_ERR_ARG,
                              "%s: empty; a job needs kernel, inputs and outputs",
                              job->path);
    if (root->kind != JOB_NODE_MAP)
        return job_fail(err, &root->place,
                        "expected a mapping with kernel, inputs and outputs, found %s",
                        job_node_describe(root, found, sizeof(found)));
    rc = job_keys_read(root, job_keys, SWIM_COUNT_OF(job_keys), job, err);
    if (rc == SWIM_OK)
        rc = job_check_keys(root, job, err);
    if (rc == SWIM_OK)
        rc = job_goes_on(root, job_check_follow(job, err), err);
    return rc == SWIM_OK ? job_kernels_settle(root, job, err) : rc;
}

/* Directory and name are taken from the path as given: no link is followed. */
static int job_names(struct job *job, const char *path, swim_error_t *err)
{
    const char *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path;
    size_t length = strlen(base);

    if (length > 5 && strcmp(base + length - 5, ".yaml") == 0)
        length -= 5;
    else if (length > 4 && strcmp(base + length - 4, ".yml") == 0)
        length -= 4;
    job->path = strdup(path);
    job->name = strndup(base, length);
    if (!slash)
        job->dir = strdup(".");
    else
        job->dir = strndup(path, slash == path ? 1 : (size_t)(slash - path));
    if (!job->path || !job->name || !job->dir)
        return swim_error_set(err, SWIM_ERR_NOMEM, "read job file %s: no memory", path);
    return SWIM_OK;
}

int job_create(const char *path, struct job **out, swim_error_t *err)
{
    struct job *job = calloc(1, sizeof(*job));

    *out = job;
    if (!job)
        return swim_error_set(err, SWIM_ERR_NOMEM, "read job file %s: no memory", path);
    job->memory_bytes = MEMORY_DEFAULT;
    return job_names(job, path, err);
}

int job_from_tree(const char *path, struct job_node *root, const char *const *sets,
                  size_t n_sets, struct job **out, swim_error_t *err)
{
    struct job *job = NULL;
    int rc = job_create(path, &job, err);

    for (size_t i = 0; i < n_sets && rc == SWIM_OK; i++)
        rc = job_set_apply(root, sets[i], err);
    if (rc == SWIM_OK)
        rc = job_read(root, job, err);
    *out = rc == SWIM_OK ? job : NULL;
    if (rc != SWIM_OK)
        job_destroy(job);
    return rc;
}

int job_load(const char *path, const char *const *sets, size_t n_sets, struct job **out,
             swim_error_t *err)
{
    struct job_node *root = NULL;
    int rc = job_node_read(path, &root, err);

    *out = NULL;
    if (rc == SWIM_OK)
        rc = job_from_tree(path, root, sets, n_sets, out, err);
    job_node_destroy(root);
    return rc;
}

static void nodes_have(struct job_node *node, struct problems *problems)
{
    for (; node; node = node->next) {
        node->problems = problems;
        nodes_have(node->first, problems);
    }
}

/* With what could be made of the tree, and of those of the sets that fit. */
static int job_check_tree(struct job_node *root, const char *const *sets, size_t n_sets,
                          struct problems *problems, struct job **out,
                          swim_error_t *err)
{
    int rc = job_create(problems->path, out, err);

    for (size_t i = 0; i < n_sets && rc == SWIM_OK; i++)
        rc = problems_take(problems, NULL, job_set_apply(root, sets[i], err), err);
    if (rc != SWIM_OK || !*out)
        return rc;
    (*out)->problems = problems;
    nodes_have(root, problems);
    return problems_take(problems, NULL, job_read(root, *out, err), err);
}

int job_check(const char *const *sets, size_t n_sets, struct problems *problems,
              struct job **out, swim_error_t *err)
{
    struct job_node *root = NULL;
    int rc = job_node_read(problems->path, &root, err);

    problems->sets = sets;
    problems->n_sets = n_sets;
    *out = NULL;
    if (rc == SWIM_OK)
        rc = job_check_tree(root, sets, n_sets, problems, out, err);
    else
        rc = problems_take(problems, NULL, rc, err);
    job_node_destroy(root);
    if (rc != SWIM_OK) {
        job_destroy(*out);
        *out = NULL;
    }
    return rc;
}

void job_destroy(struct job *job)
{
    if (!job)
        return;
    job_destroy(job->before);
    for (size_t i = 0; i < job->n_params; i++) {
        free(job->params[i].name);
        free(job->params[i].value);
    }
    for (size_t i = 0; i < job->n_inputs; i++) {
        free(job->inputs[i].port);
        free(job->inputs[i].file);
        free(job->inputs[i].dataset);
        free(job->inputs[i].units);
    }
    for (size_t i = 0; i < job->n_outputs; i++) {
        free(job->outputs[i].port);
        free(job->outputs[i].file);
        free(job->outputs[i].dataset);
    }
    for (size_t i = 0; i < job->n_edges; i++)
        free(job->edges[i].axis);
    free(job->params);
    free(job->inputs);
    free(job->outputs);
    free(job->edges);
    free(job->follow_until);
    free(job->kernel);
    free(job->name);
    free(job->dir);
    free(job->path);
    free(job);
}
