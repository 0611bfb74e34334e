/* top_detail.c - all that is known of a job, a session, or a resource. */
#include <inttypes.h>
#include <string.h>

#include "cli/locks.h"
#include "cli/top.h"

struct detail {
    FILE *to;
    int columns;
    const struct top_look *look;
};

static struct top_line begin(const struct detail *d)
{
    return (struct top_line){d->to, d->columns};
}

static void end(const struct detail *d)
{
    putc('\n', d->to);
}

static void fact(const struct detail *d, const char *name, const char *text)
{
    struct top_line line = begin(d);

    top_put(&line, name, 12, false);
    top_put(&line, text[0] ? text : "-", 0, false);
    end(d);
}

static void fact_number(const struct detail *d, const char *name, int64_t n)
{
    char text[32] = "";

    if (n >= 0)
        snprintf(text, sizeof(text), "%" PRId64, n);
    fact(d, name, text);
}

static void fact_time(const struct detail *d, const char *name, int64_t ms)
{
    char text[32];

    fact(d, name, locks_time(ms, text, sizeof(text)));
}

static void facts_of_count(const struct detail *d, const struct census_count *c)
{
    struct top_line line = begin(d);

    top_put(&line, "held", 12, false);
    for (int mode = SWIM_LOCK_READ; mode < CENSUS_MODES; mode++)
        top_print(&line, "%s %" PRIu64 "  ", locks_mode((enum swim_lock_mode)mode),
                  c->held[mode]);
    end(d);
    fact_number(d, "waits for", (int64_t)census_sum(c->waiting));
    if (census_sum(c->waiting) > 0)
        fact_time(d, "longest wait", c->longest_wait_ms);
}

/* The rows of a table that fit. */
static void rows_put(const struct detail *d, enum top_view view,
                     bool (*fits)(const struct top_row *row, const void *arg),
                     const void *arg)
{
    static const struct top_order order = {0};
    struct top_line line = begin(d);
    struct top_table table = {0};

    end(d);
    top_put_head(&line, view, NULL);
    end(d);
    if (top_table_fill(d->look, view, &order, &table, NULL) != SWIM_OK)
        return;
    for (size_t i = 0; i < table.n; i++)
        if (fits(&table.rows[i], arg)) {
            line = begin(d);
            top_put_row(&line, view, &table.rows[i]);
            end(d);
        }
    top_table_clear(&table);
}

static bool is_of_session(const struct top_row *row, const void *session)
{
    return row->ticket->session == session;
}

static bool is_of_job(const struct top_row *row, const void *job)
{
    const struct census_job *j = job;

    return strcmp(row->session->is->job, j->name) == 0 &&
           strcmp(row->session->is->user, j->user) == 0;
}

static bool is_of_resource(const struct top_row *row, const void *resource)
{
    return row->resource == resource;
}

static void session_put(const struct detail *d, const struct inspect_session *s)
{
    const struct census_session *c = census_find(d->look->census, s);

    fact(d, "session", s->id);
    fact(d, "host", s->host);
    fact_number(d, "process", s->pid > 0 ? s->pid : -1);
    fact(d, "user", s->user);
    fact(d, "job", s->job);
    fact_number(d, "rank", s->rank);
    fact_time(d, "age", s->age_ms);
    fact_time(d, "lease", s->lease_ms);
    fact_time(d, "left of it", s->left_ms);
    fact(d, "state",
         s->broken ? "broken: ended by h5swim locks --break"
         : s->dead ? "dead: its process was of this host and is gone"
                   : "lives");
    if (c)
        facts_of_count(d, &c->count);
    rows_put(d, TOP_LOCKS, is_of_session, s);
}

static void job_put(const struct detail *d, const struct census_job *job)
{
    fact(d, "job", job->name);
    fact(d, "user", job->user);
    fact_number(d, "sessions", (int64_t)job->sessions);
    fact_number(d, "ranks", (int64_t)job->ranks);
    fact_number(d, "readers", (int64_t)job->readers);
    fact_time(d, "age", job->age_ms);
    facts_of_count(d, &job->count);
    rows_put(d, TOP_SESSIONS, is_of_job, job);
}

void top_put_detail(FILE *to, int columns, const struct top_look *look,
                    const struct top_row *row)
{
    const struct detail d = {to, columns, look};

    if (row->job) {
        job_put(&d, row->job);
    } else if (row->session) {
        session_put(&d, row->session->is);
    } else {
        fact(&d, "resource", row->resource->name);
        fact_number(&d, "held by", (int64_t)row->resource->n_held);
        fact_number(&d, "waited for", (int64_t)row->resource->n_waiting);
        fact(&d, "session", row->ticket->session->id);
        rows_put(&d, TOP_LOCKS, is_of_resource, row->resource);
    }
}
