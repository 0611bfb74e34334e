/* job_set.c - "--set a.b=value" put over the tree of a job file. */
#include <stdlib.h>
#include <string.h>

#include "batch/job_private.h"

static int set_fail(const char *set, const char *why, swim_error_t *err)
{
    return swim_error_set(err, SWIM_ERR_ARG,
                          "--set %.200s: %s; write --set key=value or "
                          "--set key.key=value",
                          set, why);
}

/* Every part between the dots before '=' must be there. */
static int set_check(const char *set, swim_error_t *err)
{
    size_t length = strcspn(set, "=");

    if (set[length] != '=')
        return set_fail(set, "there is no \"=\"", err);
    if (length == 0 || set[0] == '.' || set[length - 1] == '.')
        return set_fail(set, "a part of the key is empty", err);
    for (size_t i = 1; i < length; i++)
        if (set[i] == '.' && set[i - 1] == '.')
            return set_fail(set, "a part of the key is empty", err);
    return SWIM_OK;
}

/* Turn a node into an empty one of another kind; its key stays. */
static void node_empty(struct job_node *node, enum job_node_kind kind,
                       const struct job_place *place)
{
    job_node_destroy(node->first);
    free(node->text);
    node->text = NULL;
    node->first = node->last = NULL;
    node->n = 0;
    node->kind = kind;
    node->place = *place;
    node->key_place = *place;
}

/* The node at a dotted path; what is missing on the way is made, and what is no
 * mapping (filters: none) becomes one.  NULL: no memory. */
static struct job_node *set_reach(struct job_node *root, char *path,
                                  const struct job_place *place)
{
    struct job_node *node = root;
    char *rest = path;

    for (char *part = strsep(&rest, "."); part; part = strsep(&rest, ".")) {
        if (node->kind != JOB_NODE_MAP)
            node_empty(node, JOB_NODE_MAP, place);
        struct job_node *child = job_node_child(node, part);
        if (!child) {
            child = job_node_create(JOB_NODE_NULL, part, place);
            if (!child)
                return NULL;
            job_node_append(node, child);
        }
        node = child;
    }
    return node;
}

int job_set_apply(struct job_node *root, const char *set, swim_error_t *err)
{
    struct job_node *value = NULL, *node = NULL;
    char *path = NULL;
    int rc = set_check(set, err);

    if (rc != SWIM_OK)
        return rc;
    size_t length = strcspn(set, "=");
    const char *text = set + length + 1;
    rc = job_node_parse(text, strlen(text), "--set", set, &value, err);
    if (rc != SWIM_OK)
        return rc;
    path = strndup(set, length);
    node = path ? set_reach(root, path, &value->place) : NULL;
    if (!node) {
        rc = swim_error_set(err, SWIM_ERR_NOMEM, "--set %.200s: no memory", set);
        goto out;
    }
    node_empty(node, value->kind, &value->place);
    node->text = value->text;
    node->first = value->first;
    node->last = value->last;
    node->n = value->n;
    value->text = NULL;
    value->first = NULL;
out:
    free(path);
    job_node_destroy(value);
    return rc;
}
