/* job_set.c - "--set a.b=value" put over the tree of a job file. */
#include <stdio.h>
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

/* The entry of a list by its number, from 1 on. */
static int list_entry(const struct job_node *list, const char *number, const char *set,
                      struct job_node **out, swim_error_t *err)
{
    unsigned long n = strtoul(number, NULL, 10);
    struct job_node *node = n > 0 ? list->first : NULL;
    char why[80];

    for (unsigned long i = 1; node && i < n; i++)
        node = node->next;
    *out = node;
    if (node)
        return SWIM_OK;
    snprintf(why, sizeof(why), "there is no entry %.20s, the list has 1 to %zu", number,
             list->n);
    return set_fail(set, why, err);
}

/* The child of a node; one that is missing is made, and what is no mapping (filters:
 * none) becomes one. */
static int child_reach(struct job_node *node, const char *part,
                       const struct job_place *place, const char *set,
                       struct job_node **out, swim_error_t *err)
{
    if (node->kind == JOB_NODE_LIST && strspn(part, "0123456789") == strlen(part))
        return list_entry(node, part, set, out, err);
    if (node->kind != JOB_NODE_MAP)
        node_empty(node, JOB_NODE_MAP, place);
    *out = job_node_child(node, part);
    if (*out)
        return SWIM_OK;
    *out = job_node_create(JOB_NODE_NULL, part, place);
    if (!*out)
        return swim_error_set(err, SWIM_ERR_NOMEM, "--set %.200s: no memory", set);
    job_node_append(node, *out);
    return SWIM_OK;
}

/* The node at a dotted path. */
static int set_reach(struct job_node *root, char *path, const struct job_place *place,
                     const char *set, struct job_node **out, swim_error_t *err)
{
    struct job_node *node = root;
    char *rest = path;

    for (char *part = strsep(&rest, "."); part; part = strsep(&rest, ".")) {
        struct job_node *child = NULL;
        int rc = child_reach(node, part, place, set, &child, err);
        if (!child)
            return rc;
        node = child;
    }
    *out = node;
    return SWIM_OK;
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
    rc = path ? set_reach(root, path, &value->place, set, &node, err)
              : swim_error_set(err, SWIM_ERR_NOMEM, "--set %.200s: no memory", set);
    if (!node)
        goto out;
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
