/* runfile.c - RUN.json: read, and its tables taken out as columns of numbers.
 *
 * What is written in it comes from job files, paths and error texts, and the file may
 * have been anywhere meanwhile: nothing of it is believed before runfile_schema.c has
 * looked. */
#include "report/runfile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "report/runfile_private.h"

#define NUMBER_MAX ((json_int_t)1 << 52) /* what a page can count with */

static const char *const block_names[BLOCK_COLUMNS] = {
    "block",        "phase",     "process",   "start_us", "read_us",
    "decode_us",    "kernel_us", "encode_us", "end_us",   "written_us",
    "committed_us", "bytes_in",  "bytes_out", "tries",
};
static const char *const span_names[SPAN_COLUMNS] = {
    "process",
    "activity",
    "start_us",
    "us",
};

const char *runfile_block_name(enum runfile_block column)
{
    return block_names[column];
}

const char *runfile_span_name(enum runfile_span column)
{
    return span_names[column];
}

/* --- tables ---------------------------------------------------------------------- */

/* Where a table is, for messages. */
struct place {
    const char *file, *table;
};

static int column_load(const struct place *place, const char *name, const json_t *list,
                       int64_t *to, swim_error_t *err)
{
    size_t i = 0;
    const json_t *value;

    json_array_foreach(list, i, value)
    {
        json_int_t number =
            json_is_null(value) ? RUNFILE_UNKNOWN : json_integer_value(value);
        if (!json_is_null(value) &&
            (!json_is_integer(value) || number < 0 || number > NUMBER_MAX))
            return runfile_refuse(err, place->file,
                                  "%s.%s[%zu] is no number from 0 to "
                                  "2^52",
                                  place->table, name, i);
        to[i] = number;
    }
    return SWIM_OK;
}

static int table_load(const struct place *place, const json_t *root, size_t n_columns,
                      const char *const *names, struct runfile_table *table,
                      swim_error_t *err)
{
    const json_t *object = json_object_get(root, place->table);
    int rc = SWIM_OK;

    for (size_t c = 0; c < n_columns && rc == SWIM_OK; c++) {
        const json_t *list = json_object_get(object, names[c]);
        size_t n = json_array_size(list);
        if (!json_is_array(list))
            return runfile_refuse(err, place->file, "%s.%s is no list of numbers",
                                  place->table, names[c]);
        if (c == 0)
            table->n = n;
        if (n != table->n)
            return runfile_refuse(
                err, place->file, "%s.%s has %zu numbers and %s.%s has %zu",
                place->table, names[0], table->n, place->table, names[c], n);
        table->columns[c] = calloc(n ? n : 1, sizeof(int64_t));
        if (!table->columns[c])
            return swim_error_set(err, SWIM_ERR_NOMEM, "read %s", place->file);
        rc = column_load(place, names[c], list, table->columns[c], err);
    }
    return rc;
}

/* Whether all of a column are known, and below a limit. */
static int column_below(const struct place *place, const char *name,
                        const struct runfile_table *table, size_t column, int64_t limit,
                        swim_error_t *err)
{
    const int64_t *numbers = table->columns[column];

    for (size_t i = 0; numbers && i < table->n; i++)
        if (numbers[i] < 0 || numbers[i] >= limit)
            return runfile_refuse(err, place->file, "%s.%s[%zu] leads nowhere",
                                  place->table, name, i);
    return SWIM_OK;
}

static int tables_load(struct runfile *r, const char *file, swim_error_t *err)
{
    const struct place blocks = {file, "blocks"}, spans = {file, "spans"};
    int64_t n_processes =
        (int64_t)json_array_size(json_object_get(r->root, "processes"));
    int64_t n_activities =
        (int64_t)json_array_size(json_object_get(r->root, "activities"));

    int rc = table_load(&blocks, r->root, BLOCK_COLUMNS, block_names, &r->blocks, err);
    if (rc == SWIM_OK)
        rc = table_load(&spans, r->root, SPAN_COLUMNS, span_names, &r->spans, err);
    if (rc == SWIM_OK)
        rc = column_below(&blocks, "process", &r->blocks, BLOCK_PROCESS, n_processes,
                          err);
    if (rc == SWIM_OK)
        rc = column_below(&blocks, "start_us", &r->blocks, BLOCK_START, NUMBER_MAX + 1,
                          err);
    if (rc == SWIM_OK)
        rc = column_below(&spans, "process", &r->spans, SPAN_PROCESS, n_processes, err);
    if (rc == SWIM_OK)
        rc = column_below(&spans, "activity", &r->spans, SPAN_ACTIVITY, n_activities,
                          err);
    if (rc == SWIM_OK)
        rc = column_below(&spans, "start_us", &r->spans, SPAN_START, NUMBER_MAX + 1,
                          err);
    if (rc == SWIM_OK)
        rc = runfile_flatten(&r->spans, file, err);
    json_object_del(r->root, "blocks");
    json_object_del(r->root, "spans");
    return rc;
}

/* --- the file -------------------------------------------------------------------- */

/* Jansson's flags reject duplicate keys: one of the two would be believed. */
static int file_parse(const char *file, json_t **root, swim_error_t *err)
{
    json_error_t why;
    FILE *from = fopen(file, "re");

    if (!from)
        return swim_error_sys(err, errno, "read %s", file);
    *root = json_loadf(from, JSON_REJECT_DUPLICATES, &why);
    int failed = ferror(from) ? errno : 0;
    fclose(from);
    if (*root)
        return SWIM_OK;
    if (failed)
        return swim_error_sys(err, failed, "read %s", file);
    return runfile_refuse(err, file, "line %d: %s", why.line, why.text);
}

int runfile_load(const char *file, struct runfile **out, swim_error_t *err)
{
    struct runfile *r = calloc(1, sizeof(*r));

    *out = NULL;
    if (!r)
        return swim_error_set(err, SWIM_ERR_NOMEM, "read %s", file);
    int rc = file_parse(file, &r->root, err);
    if (rc == SWIM_OK)
        rc = runfile_check(r->root, file, err);
    if (rc == SWIM_OK)
        rc = tables_load(r, file, err);
    if (rc == SWIM_OK)
        *out = r;
    else
        runfile_destroy(r);
    return rc;
}

void runfile_destroy(struct runfile *r)
{
    if (!r)
        return;
    for (size_t c = 0; c < RUNFILE_COLUMNS_MAX; c++) {
        free(r->blocks.columns[c]);
        free(r->spans.columns[c]);
    }
    json_decref(r->root);
    free(r);
}
