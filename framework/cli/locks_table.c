/* locks_table.c - who holds and who waits, for people.
 *
 * All names were chosen by others: nothing goes out that a terminal could act on. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/locks.h"
#include "core/printable.h"

#define COLUMNS_MAX 9
#define CELL_SIZE 160
#define PROCESS_COLUMNS 26
#define USER_COLUMNS 10
#define JOB_COLUMNS 16

struct row {
    const char *title; /* a line of its own before the row; NULL: none */
    char cells[COLUMNS_MAX][CELL_SIZE];
    int widths[COLUMNS_MAX];
};

struct table {
    const char *indent;
    size_t n_columns;
    struct row *rows;
    size_t n, room;
};

/* A new row with nothing in it; NULL: no memory. */
static struct row *table_add(struct table *table)
{
    if (table->n == table->room) {
        size_t more = table->room ? 2 * table->room : 64;
        struct row *grown = reallocarray(table->rows, more, sizeof(*grown));
        if (!grown)
            return NULL;
        table->rows = grown;
        table->room = more;
    }
    struct row *row = &table->rows[table->n++];
    memset(row, 0, sizeof(*row));
    return row;
}

/* columns: the widest it may be; 0: any. */
static void cell_set(struct row *row, size_t column, const char *text, int columns)
{
    row->widths[column] =
        swim_printable(text[0] ? text : "-", columns, row->cells[column], CELL_SIZE);
}

const char *locks_time(int64_t ms, char *buf, size_t size)
{
    if (ms < 0)
        snprintf(buf, size, "-");
    else if (ms < 100000)
        snprintf(buf, size, "%.1f s", (double)ms / 1000);
    else if (ms < 100 * 60000LL)
        snprintf(buf, size, "%" PRId64 " min", ms / 60000);
    else if (ms < 48 * 3600000LL)
        snprintf(buf, size, "%" PRId64 " h", ms / 3600000);
    else
        snprintf(buf, size, "%" PRId64 " d", ms / 86400000);
    return buf;
}

static void cell_time(struct row *row, size_t column, int64_t ms)
{
    char text[32];

    cell_set(row, column, locks_time(ms, text, sizeof(text)), 0);
}

/* No blanks at the end of a line. */
static void row_print(FILE *to, const struct table *table, const struct row *row,
                      const int *widths)
{
    size_t last = table->n_columns - 1;

    while (last > 0 && !row->cells[last][0])
        last--;
    fputs(table->indent, to);
    for (size_t i = 0; i <= last; i++)
        fprintf(to, "%s%*s", row->cells[i],
                i < last ? widths[i] - row->widths[i] + 2 : 0, "");
    fputc('\n', to);
}

static void title_print(FILE *to, const char *title)
{
    size_t size = 4 * strlen(title) + 1;
    char *shown = malloc(size);

    if (shown)
        (void)swim_printable(title, 0, shown, size);
    fprintf(to, "%s\n", shown ? shown : "?");
    free(shown);
}

static void table_print(FILE *to, struct table *table)
{
    int widths[COLUMNS_MAX] = {0};

    for (size_t r = 0; r < table->n; r++)
        for (size_t i = 0; i < table->n_columns; i++)
            if (table->rows[r].widths[i] > widths[i])
                widths[i] = table->rows[r].widths[i];
    for (size_t r = 0; r < table->n; r++) {
        if (table->rows[r].title)
            title_print(to, table->rows[r].title);
        row_print(to, table, &table->rows[r], widths);
    }
    free(table->rows);
}

static void table_head(struct table *table, const char *const *names)
{
    struct row *row = table_add(table);

    for (size_t i = 0; row && i < table->n_columns; i++)
        cell_set(row, i, names[i], 0);
}

const char *locks_note(const struct inspect_session *s)
{
    if (s->dead)
        return "dead";
    return s->broken ? "broken" : "";
}

static void cell_rank(struct row *row, size_t column, const struct inspect_session *s)
{
    char rank[16] = "-";

    if (s->rank >= 0)
        snprintf(rank, sizeof(rank), "%d", (int)s->rank);
    cell_set(row, column, rank, 0);
}

static void cell_lease(struct row *row, size_t column, const struct inspect_session *s)
{
    if (s->left_ms < 0)
        cell_set(row, column, "over", 0);
    else
        cell_time(row, column, s->left_ms);
}

static void ticket_add(struct table *table, const char *title,
                       const struct inspect_ticket *t, const char *state)
{
    const struct inspect_session *s = t->session;
    struct row *row = table_add(table);
    char process[CELL_SIZE];

    if (!row)
        return;
    row->title = title;
    snprintf(process, sizeof(process), "%.120s:%" PRId64, s->host[0] ? s->host : "?",
             s->pid);
    cell_set(row, 0, state, 0);
    cell_set(row, 1, locks_mode(t->mode), 0);
    cell_set(row, 2, process, PROCESS_COLUMNS);
    cell_set(row, 3, s->user, USER_COLUMNS);
    cell_set(row, 4, s->job, JOB_COLUMNS);
    cell_rank(row, 5, s);
    cell_time(row, 6, t->for_ms);
    cell_lease(row, 7, s);
    if (locks_note(s)[0])
        cell_set(row, 8, locks_note(s), 0);
}

void locks_show(FILE *to, const struct inspection *seen, const char *id)
{
    static const char *const names[] = {"STATE", "MODE", "PROCESS", "USER",
                                        "JOB",   "RANK", "FOR",     "LEASE"};
    struct table table = {.indent = "  ", .n_columns = sizeof(names) / sizeof(*names)};

    table_head(&table, names);
    table.n_columns++; /* the note, which needs no name */
    for (size_t i = 0; i < seen->n_resources; i++) {
        const struct inspect_resource *r = &seen->resources[i];
        const char *title = r->name;
        for (size_t k = 0; k < r->n_held + r->n_waiting; k++) {
            if (id && strcmp(r->tickets[k].session->id, id) != 0)
                continue;
            ticket_add(&table, title, &r->tickets[k], k < r->n_held ? "held" : "waits");
            title = NULL;
        }
    }
    table_print(to, &table);
}

void locks_show_sessions(FILE *to, const struct inspection *seen)
{
    static const char *const names[] = {"SESSION", "USER",  "JOB",  "RANK",
                                        "AGE",     "LEASE", "LOCKS"};
    struct table table = {.indent = "", .n_columns = sizeof(names) / sizeof(*names)};

    table_head(&table, names);
    table.n_columns++;
    for (size_t i = 0; i < seen->n_sessions; i++) {
        const struct inspect_session *s = seen->sessions[i];
        struct row *row = table_add(&table);
        char locks[24];
        if (!row)
            break;
        snprintf(locks, sizeof(locks), "%" PRIu64, s->tickets);
        cell_set(row, 0, s->id, 0);
        cell_set(row, 1, s->user, USER_COLUMNS);
        cell_set(row, 2, s->job, JOB_COLUMNS);
        cell_rank(row, 3, s);
        cell_time(row, 4, s->age_ms);
        cell_lease(row, 5, s);
        cell_set(row, 6, locks, 0);
        if (locks_note(s)[0])
            cell_set(row, 7, locks_note(s), 0);
    }
    table_print(to, &table);
}

static void count_print(FILE *to, uint64_t n, const char *one, const char *many)
{
    fprintf(to, "%" PRIu64 " %s", n, n == 1 ? one : many);
}

void locks_show_sum(FILE *to, const struct inspection *seen, const char *server)
{
    uint64_t held = 0, waiting = 0;

    for (size_t i = 0; i < seen->n_resources; i++) {
        held += seen->resources[i].n_held;
        waiting += seen->resources[i].n_waiting;
    }
    count_print(to, seen->n_resources, "resource, ", "resources, ");
    fprintf(to, "%" PRIu64 " held, %" PRIu64 " waiting, ", held, waiting);
    count_print(to, seen->n_sessions, "session", "sessions");
    fprintf(to, " at lock server %s\n", server);
    if (seen->grace_ms > 0)
        fprintf(to,
                "It is new or lost its data, and grants nothing for another %.1f s.\n",
                (double)seen->grace_ms / 1000);
}
