/* calc_job.c - from an expression and its datasets to a job.
 *
 * The job is the tree that a job file would give, so that what is checked there is
 * checked here, in the same words, with arguments of the command for places. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "batch/calc_private.h"
#include "batch/job_private.h"
#include "batch/kernel_private.h"

/* --- arguments -------------------------------------------------------------------- */

static int binding_fail(const char *text, const char *why, swim_error_t *err)
{
    return swim_error_set(err, SWIM_ERR_ARG,
                          "argument %.200s: %s; write NAME=FILE:/DATASET", text, why);
}

/* A file's name may have colons in it, times often do; "/" behind it starts the
 * dataset. */
static const char *dataset_start(const char *text)
{
    const char *found = NULL;

    for (const char *at = strstr(text, ":/"); at; at = strstr(at + 1, ":/"))
        found = at;
    return found;
}

/* What is to be written is shown where FILE:DATASET was, as h5swim view takes it. */
static int no_dataset(const char *text, const char *file, swim_error_t *err)
{
    const char *colon = strrchr(file, ':');

    if (!colon || colon == file || !colon[1] || strchr(colon, '/'))
        return binding_fail(text, "there is no dataset", err);
    return swim_error_set(err, SWIM_ERR_ARG,
                          "argument %.200s: a dataset begins with \"/\" here; write "
                          "%.*s:/%.100s",
                          text, (int)(colon - text), text, colon + 1);
}

int calc_binding_parse(const char *text, struct calc_binding *out, swim_error_t *err)
{
    size_t name_length = strcspn(text, "=");
    const char *file = text + name_length + 1, *colon = NULL;
    swim_error_t cause = {0};

    *out = (struct calc_binding){.text = text};
    if (!text[name_length] || name_length == 0)
        return binding_fail(text, "there is no name with \"=\"", err);
    colon = dataset_start(file);
    if (!colon || !colon[2])
        return no_dataset(text, file, err);
    if (colon == file)
        return binding_fail(text, "there is no file", err);
    out->name = strndup(text, name_length);
    out->file = strndup(file, (size_t)(colon - file));
    out->dataset = strdup(colon + 1);
    if (!out->name || !out->file || !out->dataset) {
        calc_binding_clear(out);
        return swim_error_set(err, SWIM_ERR_NOMEM, "argument %.200s: no memory", text);
    }
    if (strcmp(out->name, CALC_OUTPUT) == 0 ||
        calc_name_check(out->name, &cause) == SWIM_OK)
        return SWIM_OK;
    calc_binding_clear(out);
    return swim_error_set(err, cause.code, "argument %.200s: %s", text, cause.text);
}

void calc_binding_clear(struct calc_binding *binding)
{
    free(binding->name);
    free(binding->file);
    free(binding->dataset);
    binding->name = binding->file = binding->dataset = NULL;
}

/* --- the tree --------------------------------------------------------------------- */

/* What is added, and that memory was short once. */
struct tree {
    struct job_node *root;
    bool short_of_memory;
};

static struct job_place place_of(const char *before, const char *text)
{
    struct job_place place;

    snprintf(place.text, sizeof(place.text), "%s %.200s", before, text);
    return place;
}

/* parent NULL: it was not made either. */
static struct job_node *tree_add(struct tree *tree, struct job_node *parent,
                                 enum job_node_kind kind, const char *key,
                                 const struct job_place *place)
{
    struct job_node *node = parent ? job_node_create(kind, key, place) : NULL;

    if (node)
        job_node_append(parent, node);
    else
        tree->short_of_memory = true;
    return node;
}

static void tree_text_at(struct tree *tree, struct job_node *parent, const char *key,
                         const char *text, const struct job_place *place)
{
    struct job_node *node = tree_add(tree, parent, JOB_NODE_TEXT, key, place);

    if (node && !(node->text = strdup(text)))
        tree->short_of_memory = true;
}

/* text NULL: nothing is added. */
static void tree_text(struct tree *tree, struct job_node *parent, const char *key,
                      const char *text, const char *before)
{
    struct job_place place = place_of(before, text ? text : "");

    if (text)
        tree_text_at(tree, parent, key, text, &place);
}

static struct job_node *tree_dataset(struct tree *tree, struct job_node *parent,
                                     const struct calc_binding *binding)
{
    struct job_place place = place_of("argument", binding->text);
    struct job_node *node = tree_add(tree, parent, JOB_NODE_MAP, binding->name, &place);

    tree_text(tree, node, "file", binding->file, "argument");
    tree_text(tree, node, "dataset", binding->dataset, "argument");
    return node;
}

/* "12,73,144" */
static void tree_chunks(struct tree *tree, struct job_node *output, const char *text)
{
    struct job_place place = place_of("--chunks", text);
    struct job_node *list = tree_add(tree, output, JOB_NODE_LIST, "chunks", &place);
    char *sizes = strdup(text), *rest = sizes;

    if (!sizes)
        tree->short_of_memory = true;
    for (char *size = strsep(&rest, ","); size; size = strsep(&rest, ","))
        tree_text_at(tree, list, NULL, size, &place);
    free(sizes);
}

/* "0.01", or with what is added to all: "0.01,20" */
static void tree_pack(struct tree *tree, struct job_node *output, const char *text)
{
    struct job_place place = place_of("--pack", text);
    struct job_node *pack = tree_add(tree, output, JOB_NODE_MAP, "pack", &place);
    char *scale = strdup(text), *offset = scale ? strchr(scale, ',') : NULL;

    if (offset)
        *offset++ = '\0';
    if (scale)
        tree_text_at(tree, pack, "scale_factor", scale, &place);
    else
        tree->short_of_memory = true;
    if (offset)
        tree_text_at(tree, pack, "add_offset", offset, &place);
    free(scale);
}

static void tree_output(struct tree *tree, const struct calc_request *request,
                        struct job_node *outputs)
{
    struct job_node *node = tree_dataset(tree, outputs, request->output);
    struct job_place place =
        place_of("--deflate", request->deflate ? request->deflate : "");

    tree_text(tree, node, "type", request->type, "--type");
    if (request->chunks)
        tree_chunks(tree, node, request->chunks);
    if (request->pack)
        tree_pack(tree, node, request->pack);
    tree_text(tree, node, "fill", request->fill ? request->fill : "default", "--fill");
    if (request->deflate) {
        struct job_node *filters =
            tree_add(tree, node, JOB_NODE_MAP, "filters", &place);
        bool none = strcmp(request->deflate, "0") == 0;
        tree_text(tree, filters, "shuffle", none ? "false" : "true", "--deflate");
        tree_text(tree, filters, "deflate", request->deflate, "--deflate");
    }
}

/* The long_name: the expression on one line. */
static char *expression_line(const char *expression)
{
    char *line = strdup(expression), *to = line;

    for (const char *c = expression; line && *c; c++) {
        bool blank = *c == ' ' || *c == '\t' || *c == '\n' || *c == '\r';
        if (!blank)
            *to++ = *c;
        else if (to > line && to[-1] != ' ')
            *to++ = ' ';
    }
    if (line) {
        while (to > line && to[-1] == ' ')
            to--;
        *to = '\0';
    }
    return line;
}

static int tree_fill(struct tree *tree, const struct calc_request *request,
                     const char *so, swim_error_t *err)
{
    struct job_place place = place_of("h5swim", "calc");
    char *line = expression_line(request->expression);
    struct job_node *kernel = NULL, *params = NULL, *inputs = NULL, *outputs = NULL;

    tree->root = job_node_create(JOB_NODE_MAP, NULL, &place);
    kernel = tree_add(tree, tree->root, JOB_NODE_MAP, "kernel", &place);
    tree_text(tree, kernel, "name", so, "kernel");
    params = tree_add(tree, tree->root, JOB_NODE_MAP, "params", &place);
    tree_text(tree, params, "expression", line, "expression");
    tree_text(tree, params, "units", request->units, "--units");
    inputs = tree_add(tree, tree->root, JOB_NODE_MAP, "inputs", &place);
    for (size_t i = 0; i < request->n_inputs; i++)
        tree_dataset(tree, inputs, &request->inputs[i]);
    outputs = tree_add(tree, tree->root, JOB_NODE_MAP, "outputs", &place);
    tree_output(tree, request, outputs);
    if (!line)
        tree->short_of_memory = true;
    free(line);
    return tree->short_of_memory
               ? swim_error_set(err, SWIM_ERR_NOMEM, "job of an expression: no memory")
               : SWIM_OK;
}

/* What makes it another computation is said by the expression alone. */
static int sets_check(const struct calc_request *request, swim_error_t *err)
{
    static const char *const kept[] = {"kernel", "params", "inputs"};

    for (size_t i = 0; i < request->n_sets; i++) {
        const char *set = request->sets[i];
        size_t part = strcspn(set, ".=");
        bool timeout = strncmp(set, "kernel.timeout=", 15) == 0;
        for (size_t k = 0; k < SWIM_COUNT_OF(kept); k++)
            if (!timeout && part == strlen(kept[k]) && strncmp(set, kept[k], part) == 0)
                return swim_error_set(err, SWIM_ERR_ARG,
                                      "--set %.200s: h5swim calc sets %s itself", set,
                                      kept[k]);
    }
    return SWIM_OK;
}

int calc_job(const struct calc *calc, const struct calc_request *request,
             struct job **out, swim_error_t *err)
{
    struct tree tree = {.root = NULL};
    char *source = NULL, *so = NULL;
    int rc = sets_check(request, err);

    *out = NULL;
    if (rc == SWIM_OK)
        rc = calc_source(calc, &source, err);
    if (rc == SWIM_OK)
        rc = kernel_compile_text("calc", source, &so, err);
    if (rc == SWIM_OK)
        rc = tree_fill(&tree, request, so, err);
    if (rc == SWIM_OK)
        rc = job_from_tree("calc", tree.root, request->sets, request->n_sets, out, err);
    job_node_destroy(tree.root);
    free(source);
    free(so);
    return rc;
}
