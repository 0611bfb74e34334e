/* job_value.c - single values of a job file, from text to C. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "batch/job_private.h"
#include "batch/kernel_private.h"
#include "core/text.h"
#include "store/types.h"

#define KEYS_MAX 16

#define DESCRIBE_SIZE 80

static int value_fail(const struct job_node *node, const char *expected,
                      swim_error_t *err)
{
    char found[DESCRIBE_SIZE];

    return job_fail(err, &node->place, "%s%.60s%sexpected %s, found %s",
                    node->key ? "\"" : "", node->key ? node->key : "",
                    node->key ? "\": " : "", expected,
                    job_node_describe(node, found, sizeof(found)));
}

int job_value_text(const struct job_node *node, char **out, swim_error_t *err)
{
    *out = NULL;
    if (node->kind != JOB_NODE_TEXT || !*node->text)
        return value_fail(node, "a text", err);
    *out = strdup(node->text);
    if (!*out)
        return swim_error_set(err, SWIM_ERR_NOMEM, "read job file: no memory");
    return SWIM_OK;
}

int job_value_bool(const struct job_node *node, bool *out, swim_error_t *err)
{
    if (node->kind != JOB_NODE_TEXT || !value_bool(node->text, out))
        return value_fail(node, "true or false", err);
    return SWIM_OK;
}

int job_value_int(const struct job_node *node, int64_t min, int64_t max, int64_t *out,
                  swim_error_t *err)
{
    char expected[DESCRIBE_SIZE];

    if (node->kind == JOB_NODE_TEXT && value_int(node->text, out) && *out >= min &&
        *out <= max)
        return SWIM_OK;
    if (max == INT64_MAX)
        snprintf(expected, sizeof(expected), "a whole number from %lld on",
                 (long long)min);
    else
        snprintf(expected, sizeof(expected), "a whole number from %lld to %lld",
                 (long long)min, (long long)max);
    return value_fail(node, expected, err);
}

/* YAML writes .nan and .inf, people write nan and inf. */
int job_value_double(const struct job_node *node, double *out, swim_error_t *err)
{
    const char *text = node->text;
    double sign = 1;

    if (node->kind != JOB_NODE_TEXT)
        return value_fail(node, "a number", err);
    if (*text == '-' || *text == '+')
        sign = *text++ == '-' ? -1 : 1;
    if (*text == '.' &&
        (text[1] == 'n' || text[1] == 'N' || text[1] == 'i' || text[1] == 'I'))
        text++;
    if (strcasecmp(text, "nan") == 0)
        *out = (double)NAN;
    else if (strcasecmp(text, "inf") == 0)
        *out = sign * (double)INFINITY;
    else if (!value_real(node->text, out) || !isfinite(*out))
        return value_fail(node, "a number", err);
    return SWIM_OK;
}

/* 1, 1.5, k, KiB, KB: a lone letter is binary, as for Slurm and dd. */
static double bytes_factor(const char *unit)
{
    static const char letters[] = "kmgtp";
    const char *letter = NULL;
    double base = 1024;

    if (!*unit || !strcasecmp(unit, "b") || !strcasecmp(unit, "byte") ||
        !strcasecmp(unit, "bytes"))
        return 1;
    letter = strchr(letters, *unit | 0x20);
    if (!letter)
        return 0;
    if (strcasecmp(unit + 1, "b") == 0)
        base = 1000;
    else if (unit[1] && strcasecmp(unit + 1, "ib") != 0)
        return 0;
    return pow(base, (double)(letter - letters + 1));
}

int job_value_bytes(const struct job_node *node, uint64_t *out, swim_error_t *err)
{
    static const char expected[] = "a size of at least 1 MiB, such as 256 MiB or 2 GiB";
    char number[DESCRIBE_SIZE];
    double value = 0;

    if (node->kind != JOB_NODE_TEXT)
        return value_fail(node, expected, err);
    size_t digits = strspn(node->text, "0123456789.");
    if (digits == 0 || digits >= sizeof(number))
        return value_fail(node, expected, err);
    memcpy(number, node->text, digits);
    number[digits] = '\0';
    const char *unit = node->text + digits;
    unit += strspn(unit, " \t");
    if (!value_real(number, &value))
        return value_fail(node, expected, err);
    value *= bytes_factor(unit);
    if (!(value >= 1024.0 * 1024.0) || value >= 0x1p63)
        return value_fail(node, expected, err);
    *out = (uint64_t)value;
    return SWIM_OK;
}

int job_value_type(const struct job_node *node, enum swim_type *out, swim_error_t *err)
{
    *out = node->kind == JOB_NODE_TEXT ? swim_type_parse(node->text) : SWIM_TYPE_ANY;
    if (*out == SWIM_TYPE_ANY)
        return value_fail(node,
                          "one of int8, uint8, int16, uint16, int32, uint32, int64, "
                          "uint64, float32, float64",
                          err);
    return SWIM_OK;
}

int job_value_choice(const struct job_node *node, const char *first, const char *second,
                     bool *is_second, swim_error_t *err)
{
    char expected[80];

    snprintf(expected, sizeof(expected), "%s or %s", first, second);
    if (node->kind != JOB_NODE_TEXT ||
        (strcmp(node->text, first) != 0 && strcmp(node->text, second) != 0))
        return value_fail(node, expected, err);
    *is_second = strcmp(node->text, second) == 0;
    return SWIM_OK;
}

int job_value_edge(const struct job_node *node, enum swim_edge *out, swim_error_t *err)
{
    static const char *const names[] = {"nearest", "reflect", "wrap", "constant",
                                        "none"};
    static const enum swim_edge modes[] = {SWIM_EDGE_NEAREST, SWIM_EDGE_REFLECT,
                                           SWIM_EDGE_WRAP, SWIM_EDGE_CONSTANT,
                                           SWIM_EDGE_NONE};
    char expected[160];

    if (node->kind == JOB_NODE_TEXT)
        for (size_t i = 0; i < SWIM_COUNT_OF(names); i++)
            if (strcmp(node->text, names[i]) == 0) {
                *out = modes[i];
                return SWIM_OK;
            }
    const char *near = node->kind == JOB_NODE_TEXT
                           ? swim_text_nearest(node->text, names, SWIM_COUNT_OF(names))
                           : NULL;
    snprintf(expected, sizeof(expected),
             "nearest, reflect, wrap, constant or none%s%s%s",
             near ? " (did you mean \"" : "", near ? near : "", near ? "\"?)" : "");
    return value_fail(node, expected, err);
}

int job_value_sizes(const struct job_node *node, const char *word, uint64_t *sizes,
                    uint32_t *n, swim_error_t *err)
{
    char expected[DESCRIBE_SIZE];

    *n = 0;
    if (word && node->kind == JOB_NODE_TEXT && strcmp(node->text, word) == 0)
        return SWIM_OK;
    snprintf(expected, sizeof(expected), "%s%sa list of sizes such as [12, 73, 144]",
             word ? word : "", word ? " or " : "");
    if (node->kind != JOB_NODE_LIST || node->n == 0)
        return value_fail(node, expected, err);
    if (node->n > SWIM_NDIM_MAX)
        return job_fail(err, &node->place,
                        "\"%.60s\": %zu sizes; HDF5 has at most %d "
                        "dimensions",
                        node->key ? node->key : "", node->n, SWIM_NDIM_MAX);
    for (const struct job_node *item = node->first; item; item = item->next) {
        int64_t size = 0;
        int rc = job_value_int(item, 1, INT64_MAX, &size, err);
        if (rc != SWIM_OK) {
            *n = 0;
            return rc;
        }
        sizes[(*n)++] = (uint64_t)size;
    }
    return SWIM_OK;
}

int job_value_seconds(const struct job_node *node, int64_t *ms, swim_error_t *err)
{
    double seconds = 0;
    int rc = job_value_double(node, &seconds, err);

    if (rc == SWIM_OK && !(seconds >= 0.001 && seconds <= 1e9))
        rc = value_fail(node, "0.001 to 1e9 seconds", err);
    if (rc == SWIM_OK)
        *ms = (int64_t)(seconds * 1000);
    return rc;
}

/* --- mappings ------------------------------------------------------------------------
 */

static int key_unknown(const struct job_node *child, const struct job_key *keys,
                       size_t n, swim_error_t *err)
{
    const char *names[KEYS_MAX];
    const char *near = NULL;

    for (size_t i = 0; i < n; i++)
        names[i] = keys[i].name;
    near = swim_text_nearest(child->key, names, n);
    return job_fail(err, &child->key_place, "unknown key \"%.60s\"%s%s%s", child->key,
                    near ? "; did you mean \"" : "", near ? near : "",
                    near ? "\"?" : "");
}

int job_goes_on(const struct job_node *node, int rc, swim_error_t *err)
{
    return problems_take(node->problems, &node->key_place, rc, err);
}

int job_keys_read(const struct job_node *map, const struct job_key *keys, size_t n,
                  void *into, swim_error_t *err)
{
    for (const struct job_node *child = map->first; child; child = child->next) {
        size_t i = 0;
        int rc = SWIM_OK;
        while (i < n && strcmp(keys[i].name, child->key) != 0)
            i++;
        rc = i < n ? keys[i].read(child, into, err) : key_unknown(child, keys, n, err);
        rc = job_goes_on(child, rc, err);
        if (rc != SWIM_OK)
            return rc;
    }
    return SWIM_OK;
}
