/* top_table.c - jobs, sessions and locks as tables that can be sorted.
 *
 * A row is what it is about, and its cells are made when they are shown: there may be
 * very many rows, and few are on a screen. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/locks.h"
#include "cli/top.h"

#define CELL 320
#define PROCESS_COLUMNS 18

struct column {
    const char *name;
    int width; /* 0: what is left of the line */
    void (*show)(const struct top_row *row, char *cell);
    int64_t (*key)(
        const struct top_row *row); /* large ones come first; NULL: by text */
};

static void text_set(char *cell, const char *text)
{
    snprintf(cell, CELL, "%s", text[0] ? text : "-");
}

static void number_set(char *cell, int64_t n)
{
    if (n >= 0)
        snprintf(cell, CELL, "%" PRId64, n);
    else
        text_set(cell, "");
}

static void time_set(char *cell, int64_t ms)
{
    (void)locks_time(ms, cell, CELL);
}

/* --- what the columns hold
 * ------------------------------------------------------------ */

#define KEY_COLUMN(name, value, set)                            \
    static int64_t name##_key(const struct top_row *row)        \
    {                                                           \
        return (int64_t)(value);                                \
    }                                                           \
    static void name##_show(const struct top_row *row, char *c) \
    {                                                           \
        set(c, name##_key(row));                                \
    }
#define NUMBER_COLUMN(name, value) KEY_COLUMN(name, value, number_set)
#define TIME_COLUMN(name, value) KEY_COLUMN(name, value, time_set)
#define TEXT_COLUMN(name, value)                                \
    static void name##_show(const struct top_row *row, char *c) \
    {                                                           \
        text_set(c, value);                                     \
    }

/* 0 waits: nothing to be told. */
static int64_t wait_of(const struct census_count *count)
{
    return census_sum(count->waiting) > 0 ? count->longest_wait_ms : -1;
}

TEXT_COLUMN(job_name, row->job->name)
TEXT_COLUMN(job_user, row->job->user)
NUMBER_COLUMN(job_sessions, row->job->sessions)
NUMBER_COLUMN(job_ranks, row->job->ranks)
NUMBER_COLUMN(job_readers, row->job->readers)
NUMBER_COLUMN(job_held, census_sum(row->job->count.held))
NUMBER_COLUMN(job_waits, census_sum(row->job->count.waiting))
TIME_COLUMN(job_longest, wait_of(&row->job->count))
TIME_COLUMN(job_age, row->job->age_ms)

/* Of a session, and of the one that has a ticket. */
static const struct inspect_session *session_of(const struct top_row *row)
{
    return row->session ? row->session->is : row->ticket->session;
}

static void process_show(const struct top_row *row, char *cell)
{
    const struct inspect_session *s = session_of(row);
    char pid[24];

    /* The number is what tells them apart. */
    int len = snprintf(pid, sizeof(pid), ":%" PRId64, s->pid);
    snprintf(cell, CELL, "%.*s%s", len < PROCESS_COLUMNS ? PROCESS_COLUMNS - len : 1,
             s->host[0] ? s->host : "?", pid);
}

TEXT_COLUMN(user, session_of(row)->user)
TEXT_COLUMN(name, session_of(row)->job)
TEXT_COLUMN(note, locks_note(session_of(row)))
NUMBER_COLUMN(rank, session_of(row)->rank)
NUMBER_COLUMN(held, census_sum(row->session->count.held))
NUMBER_COLUMN(waits, census_sum(row->session->count.waiting))
TIME_COLUMN(longest, wait_of(&row->session->count))
TIME_COLUMN(age, session_of(row)->age_ms)
TIME_COLUMN(lease, session_of(row)->left_ms)

TEXT_COLUMN(mode, locks_mode(row->ticket->mode))
TEXT_COLUMN(resource, row->resource->name) /* for the order; it is shown otherwise */
TIME_COLUMN(since, row->ticket->for_ms)

/* Those who wait have a place in the queue, and come before those who hold. */
static int64_t state_key(const struct top_row *row)
{
    return row->place > 0 ? INT64_MAX - (int64_t)row->place : 0;
}

static void state_show(const struct top_row *row, char *cell)
{
    if (row->place > 0)
        snprintf(cell, CELL, "waits %zu", row->place);
    else
        text_set(cell, "held");
}

/* A name and the mark of the order fit into a width; on 80 columns only the last one of
 * a table is cut. */
static const struct column job_columns[] = {
    {"JOB", 16, job_name_show, NULL},
    {"USER", 8, job_user_show, NULL},
    {"SESS", 5, job_sessions_show, job_sessions_key},
    {"RANKS", 6, job_ranks_show, job_ranks_key},
    {"READERS", 8, job_readers_show, job_readers_key},
    {"HELD", 5, job_held_show, job_held_key},
    {"WAITS", 6, job_waits_show, job_waits_key},
    {"LONGEST", 8, job_longest_show, job_longest_key},
    {"AGE", 7, job_age_show, job_age_key},
};
static const struct column session_columns[] = {
    {"PROCESS", PROCESS_COLUMNS, process_show, NULL},
    {"JOB", 10, name_show, NULL},
    {"RANK", 5, rank_show, rank_key},
    {"HELD", 5, held_show, held_key},
    {"WAITS", 6, waits_show, waits_key},
    {"LONGEST", 8, longest_show, longest_key},
    {"AGE", 7, age_show, age_key},
    {"LEASE", 6, lease_show, lease_key},
    {"NOTE", 6, note_show, NULL},
    {"USER", 8, user_show, NULL},
};
static const struct column lock_columns[] = {
    {"STATE", 8, state_show, state_key},
    {"MODE", 6, mode_show, NULL},
    {"FOR", 7, since_show, since_key},
    {"PROCESS", PROCESS_COLUMNS, process_show, NULL},
    {"JOB", 10, name_show, NULL},
    {"RANK", 5, rank_show, rank_key},
    {"RESOURCE", 0, resource_show, NULL},
};

static const struct {
    const char *name;
    const struct column *columns;
    size_t n;
} views[TOP_VIEWS] = {
    [TOP_JOBS] = {"jobs", job_columns, sizeof(job_columns) / sizeof(*job_columns)},
    [TOP_SESSIONS] = {"sessions", session_columns,
                      sizeof(session_columns) / sizeof(*session_columns)},
    [TOP_LOCKS] = {"locks", lock_columns, sizeof(lock_columns) / sizeof(*lock_columns)},
};

const char *top_view_name(enum top_view view)
{
    return views[view].name;
}

size_t top_columns(enum top_view view)
{
    return views[view].n;
}

const char *top_column_name(enum top_view view, size_t column)
{
    return views[view].columns[column].name;
}

/* --- rows
 * ------------------------------------------------------------------------------ */

static size_t rows_count(const struct top_look *look, enum top_view view)
{
    size_t n = 0;

    if (view == TOP_JOBS)
        return look->census->n_jobs;
    if (view == TOP_SESSIONS)
        return look->census->n_sessions;
    for (size_t i = 0; i < look->seen->n_resources; i++)
        n += look->seen->resources[i].n_held + look->seen->resources[i].n_waiting;
    return n;
}

static void rows_fill(const struct top_look *look, enum top_view view,
                      struct top_row *rows)
{
    const struct census *census = look->census;
    size_t n = 0;

    for (size_t i = 0; view == TOP_JOBS && i < census->n_jobs; i++)
        rows[n++].job = &census->jobs[i];
    for (size_t i = 0; view == TOP_SESSIONS && i < census->n_sessions; i++)
        rows[n++].session = &census->sessions[i];
    for (size_t i = 0; view == TOP_LOCKS && i < look->seen->n_resources; i++) {
        const struct inspect_resource *r = &look->seen->resources[i];
        for (size_t k = 0; k < r->n_held + r->n_waiting; k++)
            rows[n++] =
                (struct top_row){.resource = r,
                                 .ticket = &r->tickets[k],
                                 .place = k < r->n_held ? 0 : k - r->n_held + 1};
    }
}

struct sorting {
    const struct column *column;
    bool reversed;
};

/* Those that are alike stay as they lie in the array. */
static int row_compare(const void *a, const void *b, void *arg)
{
    const struct sorting *s = arg;
    char one[CELL], other[CELL];
    int order = 0;

    if (s->column->key) {
        int64_t x = s->column->key(*(const struct top_row *const *)a);
        int64_t y = s->column->key(*(const struct top_row *const *)b);
        order = x == y ? 0 : x > y ? -1 : 1;
    } else {
        s->column->show(*(const struct top_row *const *)a, one);
        s->column->show(*(const struct top_row *const *)b, other);
        order = strcmp(one, other);
    }
    if (s->reversed)
        order = -order;
    if (order)
        return order;
    return *(const struct top_row *const *)a < *(const struct top_row *const *)b ? -1
                                                                                 : 1;
}

int top_table_fill(const struct top_look *look, enum top_view view,
                   const struct top_order *order, struct top_table *out,
                   swim_error_t *err)
{
    struct sorting sorting = {&views[view].columns[order->column], order->reversed};
    size_t n = look->seen ? rows_count(look, view) : 0, room = n ? n : 1;
    struct top_row *plain = calloc(room, sizeof(*plain));
    const struct top_row **sorted = calloc(room, sizeof(*sorted));
    int rc = SWIM_OK;

    *out = (struct top_table){.view = view, .rows = calloc(room, sizeof(*out->rows))};
    if (plain && sorted && out->rows) {
        if (n > 0)
            rows_fill(look, view, plain);
        for (size_t i = 0; i < n; i++)
            sorted[i] = &plain[i];
        if (n > 0)
            qsort_r(sorted, n, sizeof(*sorted), row_compare, &sorting);
        for (size_t i = 0; i < n; i++)
            out->rows[i] = *sorted[i];
        out->n = n;
    } else {
        rc = swim_error_set(err, SWIM_ERR_NOMEM, "show locks: no memory");
    }
    free(sorted);
    free(plain);
    return rc;
}

void top_table_clear(struct top_table *table)
{
    free(table->rows);
    *table = (struct top_table){0};
}

/* --- lines
 * ----------------------------------------------------------------------------- */

void top_put_head(struct top_line *line, enum top_view view,
                  const struct top_order *order)
{
    for (size_t i = 0; i < views[view].n; i++) {
        const struct column *c = &views[view].columns[i];
        char name[24];
        bool marked = order && order->column == i;
        snprintf(name, sizeof(name), "%s%s", c->name,
                 !marked           ? ""
                 : order->reversed ? "^"
                                   : "v");
        top_put(line, name, c->width, c->key != NULL && c->key != state_key);
        top_put(line, " ", 0, false);
    }
}

void top_put_row(struct top_line *line, enum top_view view, const struct top_row *row)
{
    for (size_t i = 0; i < views[view].n; i++) {
        const struct column *c = &views[view].columns[i];
        struct top_line field = {line->to, line->room};
        char cell[CELL];
        if (c->width == 0) {
            top_put_path(line, row->resource->name);
            continue;
        }
        if (c->width < field.room)
            field.room = c->width;
        int before = field.room;
        c->show(row, cell);
        top_put(&field, cell, c->width, c->key != NULL && c->key != state_key);
        line->room -= before - field.room;
        top_put(line, " ", 0, false);
    }
}
