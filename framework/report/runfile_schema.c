/* runfile_schema.c - what a record has to have, version 1. */
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "report/runfile.h"
#include "report/runfile_private.h"

/* What a member may be. */
enum kind {
    TEXT = 1,
    WHOLE,  /* a whole number */
    NUMBER, /* any */
    TEXTS,  /* a list */
    WHOLES,
    OBJECT,
    LIST,
    NULL_TOO = 64,  /* or null */
    OPTIONAL = 128, /* records of earlier builds do not have it */
};

struct member {
    const char *name;
    int kind;
};

static const struct member run_members[] = {
    {"h5swim", TEXT},
    {"command", TEXT},
    {"run_id", TEXT},
    {"began", TEXT},
    {"seconds", NUMBER},
    {"status", TEXT},
    {"exit_status", WHOLE},
    {"error", TEXT | NULL_TOO},
    {"job", OBJECT},
    {"kernels", LIST},
    {"environment", OBJECT},
    {"plan", OBJECT},
    {"inputs", LIST},
    {"outputs", LIST},
    {"totals", OBJECT},
    {"processes", LIST},
    {"blocks", OBJECT},
    {"spans", OBJECT},
    {"activities", TEXTS},
    {"dropped", WHOLE},
    {"lock_waits", LIST},
    {"failed_blocks", LIST},
    {"replaced", LIST},
    {"missing_ranks", WHOLES},
    {"lost_ranks", LIST | OPTIONAL},
    {"joined", OBJECT | OPTIONAL},
    {0},
};
static const struct member job_members[] = {
    {"name", TEXT},
    {"file", TEXT | NULL_TOO},
    {"text", TEXT | NULL_TOO},
    {"sets", TEXTS},
    {0},
};
static const struct member environment_members[] = {
    {"host", TEXT},
    {"system", TEXT},
    {"processors", WHOLE},
    {"memory_bytes", WHOLE},
    {"launcher", TEXT},
    {"slurm_job", TEXT | NULL_TOO},
    {"hdf5", TEXT},
    {"mpi", TEXT | NULL_TOO},
    {"lock_server", TEXT | NULL_TOO},
    {0},
};
static const struct member plan_members[] = {
    {"extent", WHOLES},
    {"block", WHOLES},
    {"blocks", WHOLE},
    {"memory_per_rank", WHOLE},
    {0},
};
static const struct member totals_members[] = {
    {"blocks", WHOLE},       {"failed", WHOLE},
    {"bytes_read", WHOLE},   {"bytes_written", WHOLE},
    {"bytes_stored", WHOLE}, {"gb_per_s", NUMBER},
    {"locks", WHOLE},        {"locks_waited", WHOLE},
    {"lock_wait_s", NUMBER}, {0},
};
static const struct member kernel_members[] = {
    {"name", TEXT},
    {"kind", TEXT},
    {"path", TEXT | NULL_TOO},
    {"summary", TEXT | NULL_TOO},
    {0},
};
static const struct member port_members[] = {
    {"port", TEXT},
    {"file", TEXT},
    {"dataset", TEXT},
    {"shape", WHOLES},
    {"type", TEXT},
    {"chunks", WHOLES | NULL_TOO},
    {"filters", TEXT | NULL_TOO},
    {0},
};
static const struct member process_members[] = {
    {"rank", WHOLE},
    {"role", TEXT},
    {"index", WHOLE},
    {"host", TEXT},
    {"pid", WHOLE},
    {"began_us", WHOLE | NULL_TOO},
    {"ended_us", WHOLE | NULL_TOO},
    {"seconds", OBJECT},
    {"blocks", WHOLE},
    {0},
};
static const struct member seconds_members[] = {
    {"read", NUMBER},   {"decode", NUMBER},
    {"kernel", NUMBER}, {"encode", NUMBER},
    {"write", NUMBER},  {"commit", NUMBER},
    {"lock", NUMBER},   {"wait", NUMBER},
    {"idle", NUMBER},   {0},
};
static const struct member wait_members[] = {
    {"process", WHOLE},
    {"resource", TEXT},
    {"mode", TEXT},
    {"start_us", WHOLE},
    {"us", WHOLE},
    {"holder", OBJECT | NULL_TOO},
    {0},
};
static const struct member holder_members[] = {
    {"session", TEXT | NULL_TOO},
    {"host", TEXT | NULL_TOO},
    {"pid", WHOLE | NULL_TOO},
    {"job", TEXT | NULL_TOO},
    {0},
};
static const struct member failed_members[] = {
    {"block", WHOLE},
    {"phase", WHOLE},
    {"tries", WHOLE},
    {"error", TEXT},
    {"start", WHOLES},
    {"count", WHOLES},
    {0},
};
static const struct member replaced_members[] = {
    {"rank", WHOLE},  {"role", TEXT}, {"index", WHOLE},
    {"at_us", WHOLE}, {"why", TEXT},  {0},
};
static const struct member lost_members[] = {
    {"rank", WHOLE}, {"pid", WHOLE}, {"at_us", WHOLE}, {"why", TEXT}, {0},
};
static const struct member joined_members[] = {
    {"ranks", WHOLE},
    {"readers", WHOLE},
    {"blocks", WHOLE},
    {0},
};

int runfile_refuse(swim_error_t *err, const char *file, const char *fmt, ...)
{
    char why[320];
    va_list args;

    va_start(args, fmt);
    vsnprintf(why, sizeof(why), fmt, args);
    va_end(args);
    return swim_error_set(err, SWIM_ERR_ARG,
                          "read %s: %s; give a record as h5swim run writes it "
                          "(NAME.run.json)",
                          file, why);
}

static bool is_of(const json_t *value, int kind)
{
    int each = kind == TEXTS ? TEXT : WHOLE;
    size_t i;
    const json_t *one;

    switch (kind) {
    case TEXT:
        return json_is_string(value);
    case WHOLE:
        return json_is_integer(value);
    case NUMBER:
        return json_is_number(value);
    case OBJECT:
        return json_is_object(value);
    case LIST:
        return json_is_array(value);
    default:
        break;
    }
    json_array_foreach(value, i, one) if (!is_of(one, each)) return false;
    return json_is_array(value);
}

static const char *kind_name(int kind)
{
    static const char *const names[] = {
        [TEXT] = "text",
        [WHOLE] = "a whole number",
        [NUMBER] = "a number",
        [TEXTS] = "a list of texts",
        [WHOLES] = "a list of whole numbers",
        [OBJECT] = "an object",
        [LIST] = "a list",
    };

    return names[kind & ~(NULL_TOO | OPTIONAL)];
}

/* where: "" or as "totals.". */
static int object_check(const json_t *object, const char *where,
                        const struct member *members, const char *file,
                        swim_error_t *err)
{
    if (!json_is_object(object))
        return runfile_refuse(err, file, "%.*s is no object", (int)strcspn(where, "."),
                              where);
    for (const struct member *m = members; m->name; m++) {
        const json_t *value = json_object_get(object, m->name);
        if (!value && (m->kind & OPTIONAL))
            continue;
        if (!value)
            return runfile_refuse(err, file, "%s%s is missing", where, m->name);
        if ((m->kind & NULL_TOO) && json_is_null(value))
            continue;
        if (!is_of(value, m->kind & ~(NULL_TOO | OPTIONAL)))
            return runfile_refuse(err, file, "%s%s is not %s", where, m->name,
                                  kind_name(m->kind));
    }
    return SWIM_OK;
}

static int list_check(const json_t *root, const char *name,
                      const struct member *members, const char *file, swim_error_t *err)
{
    const json_t *list = json_object_get(root, name);
    char where[64];
    int rc = SWIM_OK;

    for (size_t i = 0; i < json_array_size(list) && rc == SWIM_OK; i++) {
        snprintf(where, sizeof(where), "%s[%zu].", name, i);
        rc = object_check(json_array_get(list, i), where, members, file, err);
    }
    return rc;
}

/* What is inside the members of the lists. */
static int inner_check(const json_t *root, const char *file, swim_error_t *err)
{
    const json_t *processes = json_object_get(root, "processes");
    const json_t *waits = json_object_get(root, "lock_waits");
    const json_t *joined = json_object_get(root, "joined");
    int rc = SWIM_OK;
    size_t i;
    const json_t *one;

    if (joined)
        rc = object_check(joined, "joined.", joined_members, file, err);
    json_array_foreach(processes, i, one) if (rc == SWIM_OK) rc =
        object_check(json_object_get(one, "seconds"), "processes.seconds.",
                     seconds_members, file, err);
    json_array_foreach(waits, i, one)
    {
        const json_t *holder = json_object_get(one, "holder");
        json_int_t process = json_integer_value(json_object_get(one, "process"));
        if (rc == SWIM_OK &&
            (process < 0 || (size_t)process >= json_array_size(processes)))
            rc = runfile_refuse(err, file, "lock_waits[%zu].process leads nowhere", i);
        if (rc == SWIM_OK && !json_is_null(holder))
            rc = object_check(holder, "lock_waits.holder.", holder_members, file, err);
    }
    return rc;
}

static int version_check(const json_t *root, const char *file, swim_error_t *err)
{
    const char *schema = json_string_value(json_object_get(root, "schema"));
    const json_t *version = json_object_get(root, "version");

    if (!schema || strcmp(schema, RUNFILE_SCHEMA) != 0)
        return runfile_refuse(err, file, "its schema is not \"" RUNFILE_SCHEMA "\"");
    if (!json_is_integer(version))
        return runfile_refuse(err, file, "it has no version");
    if (json_integer_value(version) != RUNFILE_VERSION)
        return swim_error_set(err, SWIM_ERR_ARG,
                              "read %s: it has version %" JSON_INTEGER_FORMAT
                              " and this h5swim knows version %d; take the h5swim that "
                              "wrote it",
                              file, json_integer_value(version), RUNFILE_VERSION);
    return SWIM_OK;
}

int runfile_check(const json_t *root, const char *file, swim_error_t *err)
{
    static const struct {
        const char *name, *where;
        const struct member *members;
    } objects[] = {
        {"job", "job.", job_members},
        {"environment", "environment.", environment_members},
        {"plan", "plan.", plan_members},
        {"totals", "totals.", totals_members},
    };
    static const struct {
        const char *name;
        const struct member *members;
    } lists[] = {
        {"kernels", kernel_members},    {"inputs", port_members},
        {"outputs", port_members},      {"processes", process_members},
        {"lock_waits", wait_members},   {"failed_blocks", failed_members},
        {"replaced", replaced_members}, {"lost_ranks", lost_members},
    };

    int rc = version_check(root, file, err);
    if (rc == SWIM_OK)
        rc = object_check(root, "", run_members, file, err);
    for (size_t i = 0; i < sizeof(objects) / sizeof(*objects) && rc == SWIM_OK; i++)
        rc = object_check(json_object_get(root, objects[i].name), objects[i].where,
                          objects[i].members, file, err);
    for (size_t i = 0; i < sizeof(lists) / sizeof(*lists) && rc == SWIM_OK; i++)
        rc = list_check(root, lists[i].name, lists[i].members, file, err);
    return rc == SWIM_OK ? inner_check(root, file, err) : rc;
}
