/* trace.c - a run in the Trace Event Format.
 *
 * Events of one track must lie inside each other or beside each other, which blocks and
 * what is done for them do.  Lock waits need not, so they are asynchronous. */
#include "report/trace.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

struct trace {
    const struct runfile *record;
    const json_t *processes;
    FILE *to;
    bool begun; /* an event was written */
};

/* A text as JSON has it. */
static void put_text(FILE *to, const char *text)
{
    json_t *value = json_string_nocheck(text);

    if (!value || json_dumpf(value, to, JSON_ENCODE_ANY) != 0)
        fputs("\"\"", to);
    json_decref(value);
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

static json_int_t number_of(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

/* The beginning of an event on the track of a process; the caller writes the rest. */
static void event_begin(struct trace *t, const char *phase, const char *name,
                        int64_t process)
{
    const json_t *one = json_array_get(t->processes, (size_t)process);

    fputs(t->begun ? ",\n{\"ph\":\"" : "\n{\"ph\":\"", t->to);
    t->begun = true;
    fprintf(t->to,
            "%s\",\"pid\":%" JSON_INTEGER_FORMAT ",\"tid\":%" PRId64 ",\"name\":",
            phase, number_of(one, "rank"), process + 1);
    put_text(t->to, name);
}

/* The rest of one that names a track. */
static void event_name(struct trace *t, const char *name)
{
    fputs(",\"args\":{\"name\":", t->to);
    put_text(t->to, name);
    fputs("}}", t->to);
}

/* --- names of tracks ------------------------------------------------------------- */

static void track_name(struct trace *t, int64_t process, const json_t *one)
{
    char name[96];
    const char *role = text_of(one, "role");
    json_int_t rank = number_of(one, "rank");

    event_begin(t, "M", "process_name", process);
    snprintf(name, sizeof(name), "rank %" JSON_INTEGER_FORMAT ", %s", rank,
             text_of(one, "host"));
    event_name(t, name);
    event_begin(t, "M", "process_sort_index", process);
    fprintf(t->to, ",\"args\":{\"sort_index\":%" JSON_INTEGER_FORMAT "}}", rank);
    event_begin(t, "M", "thread_name", process);
    if (strcmp(role, "reader") == 0)
        snprintf(name, sizeof(name),
                 "reader %" JSON_INTEGER_FORMAT " (pid %" JSON_INTEGER_FORMAT ")",
                 number_of(one, "index"), number_of(one, "pid"));
    else
        snprintf(name, sizeof(name), "%s (pid %" JSON_INTEGER_FORMAT ")", role,
                 number_of(one, "pid"));
    event_name(t, name);
    event_begin(t, "M", "thread_sort_index", process);
    fprintf(t->to, ",\"args\":{\"sort_index\":%" PRId64 "}}", process + 1);
}

/* --- blocks ---------------------------------------------------------------------- */

static void block_event(struct trace *t, size_t i)
{
    static const struct {
        enum runfile_block column;
        const char *name;
    } parts[] = {
        {BLOCK_READ, "read"},
        {BLOCK_DECODE, "decode"},
        {BLOCK_KERNEL, "kernel"},
        {BLOCK_ENCODE, "encode"},
    };
    int64_t *const *c = t->record->blocks.columns;
    int64_t process = c[BLOCK_PROCESS][i], at = c[BLOCK_START][i];
    int64_t end = c[BLOCK_END][i];
    char name[40];

    snprintf(name, sizeof(name), "block %" PRId64, c[BLOCK_NUMBER][i]);
    event_begin(t, "X", name, process);
    fprintf(t->to,
            ",\"cat\":\"block\",\"ts\":%" PRId64 ",\"dur\":%" PRId64
            ",\"args\":{\"phase\":%" PRId64 ",\"bytes_in\":%" PRId64
            ",\"bytes_out\":%" PRId64 ",\"tries\":%" PRId64 ",\"written_us\":%" PRId64
            ",\"committed_us\":%" PRId64 "}}",
            at, end > at ? end - at : 0, c[BLOCK_PHASE][i], c[BLOCK_BYTES_IN][i],
            c[BLOCK_BYTES_OUT][i], c[BLOCK_TRIES][i], c[BLOCK_WRITTEN][i],
            c[BLOCK_COMMITTED][i]);
    for (size_t part = 0; part < sizeof(parts) / sizeof(*parts); part++) {
        int64_t length = c[parts[part].column][i];
        if (length <= 0)
            continue;
        event_begin(t, "X", parts[part].name, process);
        fprintf(t->to, ",\"cat\":\"work\",\"ts\":%" PRId64 ",\"dur\":%" PRId64 "}", at,
                length);
        at += length;
    }
}

static void span_event(struct trace *t, size_t i)
{
    int64_t *const *c = t->record->spans.columns;
    const json_t *names = json_object_get(t->record->root, "activities");
    const json_t *name = json_array_get(names, (size_t)c[SPAN_ACTIVITY][i]);

    event_begin(t, "X", json_string_value(name), c[SPAN_PROCESS][i]);
    fprintf(t->to, ",\"cat\":\"span\",\"ts\":%" PRId64 ",\"dur\":%" PRId64 "}",
            c[SPAN_START][i], c[SPAN_LENGTH][i] > 0 ? c[SPAN_LENGTH][i] : 0);
}

/* --- lock waits and replacements ---------------------------------------------------
 */

static void wait_event(struct trace *t, size_t number, const json_t *wait)
{
    json_int_t process = number_of(wait, "process"), at = number_of(wait, "start_us");
    const json_t *holder = json_object_get(wait, "holder");

    event_begin(t, "b", "lock wait", process);
    fprintf(t->to,
            ",\"cat\":\"lock\",\"id\":%zu,\"ts\":%" JSON_INTEGER_FORMAT
            ",\"args\":{\"mode\":",
            number, at);
    put_text(t->to, text_of(wait, "mode"));
    fputs(",\"resource\":", t->to);
    put_text(t->to, text_of(wait, "resource"));
    fputs(",\"holder\":", t->to);
    put_text(t->to, text_of(holder, "session"));
    fputs("}}", t->to);
    event_begin(t, "e", "lock wait", process);
    fprintf(t->to, ",\"cat\":\"lock\",\"id\":%zu,\"ts\":%" JSON_INTEGER_FORMAT "}",
            number, at + number_of(wait, "us"));
}

/* On the track of the process that came instead, which has the same place. */
static void replaced_event(struct trace *t, const json_t *replaced)
{
    size_t i, found = 0;
    const json_t *one;

    json_array_foreach(
        t->processes, i,
        one) if (number_of(one, "rank") == number_of(replaced, "rank") &&
                 number_of(one, "index") == number_of(replaced, "index") &&
                 strcmp(text_of(one, "role"), text_of(replaced, "role")) == 0) found =
        i;
    event_begin(t, "i", "replaced", (int64_t)found);
    fprintf(t->to,
            ",\"cat\":\"process\",\"s\":\"t\",\"ts\":%" JSON_INTEGER_FORMAT
            ",\"args\":{\"why\":",
            number_of(replaced, "at_us"));
    put_text(t->to, text_of(replaced, "why"));
    fputs("}}", t->to);
}

void trace_write(const struct runfile *record, FILE *to)
{
    struct trace t = {.record = record,
                      .processes = json_object_get(record->root, "processes"),
                      .to = to};
    const json_t *root = record->root, *job = json_object_get(root, "job"), *one;
    size_t i;

    fputs("{\"displayTimeUnit\":\"ms\",\n\"otherData\":{\"job\":", to);
    put_text(to, text_of(job, "name"));
    fputs(",\"command\":", to);
    put_text(to, text_of(root, "command"));
    fputs(",\"began\":", to);
    put_text(to, text_of(root, "began"));
    fputs(",\"h5swim\":", to);
    put_text(to, text_of(root, "h5swim"));
    fputs("},\n\"traceEvents\":[", to);
    json_array_foreach(t.processes, i, one) track_name(&t, (int64_t)i, one);
    for (i = 0; i < record->blocks.n; i++)
        block_event(&t, i);
    for (i = 0; i < record->spans.n; i++)
        span_event(&t, i);
    json_array_foreach(json_object_get(root, "lock_waits"), i, one)
        wait_event(&t, i, one);
    json_array_foreach(json_object_get(root, "replaced"), i, one)
        replaced_event(&t, one);
    fputs("\n]}\n", to);
}
