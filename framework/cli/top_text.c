/* top_text.c - the server and the sums; and all of it, printed once. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/locks.h"
#include "cli/top.h"
#include "core/text.h"

#define COLUMNS_ONCE 4096 /* lines of a text are not cut */

static void memory_put(struct top_line *line, const struct inspect_facts *f)
{
    char text[32];

    if (f->memory_bytes >= 0)
        top_print(line, ", %s",
                  swim_text_bytes((uint64_t)f->memory_bytes, text, sizeof(text)));
    if (f->memory_limit_bytes > 0)
        top_print(line, " of %s",
                  swim_text_bytes((uint64_t)f->memory_limit_bytes, text, sizeof(text)));
    if (f->append_only >= 0)
        top_print(line, ", append-only file %s", f->append_only ? "on" : "off");
    if (f->saves_ok == 0)
        top_print(line, ", CANNOT SAVE");
}

static void sums_put(struct top_line *line, const struct top_look *look)
{
    const struct census *c = look->census;
    const struct census_count *all = &c->all;
    char text[32];

    top_print(line, "%zu job%s, %zu session%s, held %" PRIu64 " (", c->n_jobs,
              c->n_jobs == 1 ? "" : "s", c->n_sessions, c->n_sessions == 1 ? "" : "s",
              census_sum(all->held));
    for (int mode = SWIM_LOCK_READ; mode < CENSUS_MODES; mode++)
        top_print(line, "%s%s %" PRIu64, mode > SWIM_LOCK_READ ? ", " : "",
                  locks_mode((enum swim_lock_mode)mode), all->held[mode]);
    top_print(line, "), waiting %" PRIu64, census_sum(all->waiting));
    if (census_sum(all->waiting) > 0)
        top_print(line, ", for up to %s",
                  locks_time(all->longest_wait_ms, text, sizeof(text)));
    if (look->seen->grace_ms > 0)
        top_print(line, ", GRACE %s",
                  locks_time(look->seen->grace_ms, text, sizeof(text)));
}

void top_put_server(FILE *to, int columns, const struct top_look *look)
{
    struct top_line line = {to, columns};
    char text[32];

    if (!look->inspector || !look->seen) {
        top_put(&line, "no lock server runs, so nobody holds a lock", 0, false);
        fputs("\n\n", to);
        return;
    }
    top_print(&line, "redis %s, up %s", look->facts.version,
              locks_time(look->facts.up_s >= 0 ? look->facts.up_s * 1000 : -1, text,
                         sizeof(text)));
    memory_put(&line, &look->facts);
    top_print(&line, ", %s", inspect_server(look->inspector));
    putc('\n', to);
    line.room = columns;
    sums_put(&line, look);
    putc('\n', to);
}

/* No blanks at the ends of lines, and no empty line at the end. */
static void print_trimmed(const char *text)
{
    while (*text && strcmp(text, "\n") != 0) {
        size_t length = strcspn(text, "\n"), shown = length;
        while (shown > 0 && text[shown - 1] == ' ')
            shown--;
        printf("%.*s\n", (int)shown, text);
        text += length + (text[length] == '\n');
    }
}

static int tables_put(FILE *to, const struct top_look *look, swim_error_t *err)
{
    static const struct top_order order = {0};
    int rc = SWIM_OK;

    top_put_server(to, COLUMNS_ONCE, look);
    for (int view = 0; rc == SWIM_OK && look->seen && view < TOP_VIEWS; view++) {
        struct top_table table = {0};
        struct top_line line = {to, COLUMNS_ONCE};
        rc = top_table_fill(look, (enum top_view)view, &order, &table, err);
        if (rc == SWIM_OK && table.n > 0) {
            putc('\n', to);
            top_put_head(&line, (enum top_view)view, NULL);
            putc('\n', to);
        }
        for (size_t i = 0; rc == SWIM_OK && i < table.n; i++) {
            line.room = COLUMNS_ONCE;
            top_put_row(&line, (enum top_view)view, &table.rows[i]);
            putc('\n', to);
        }
        top_table_clear(&table);
    }
    return rc;
}

int top_text(const struct top_look *look)
{
    char *text = NULL;
    size_t size = 0;
    swim_error_t err = {0};
    FILE *to = open_memstream(&text, &size);

    int rc = to ? tables_put(to, look, &err)
                : swim_error_set(&err, SWIM_ERR_NOMEM, "show locks: no memory");
    if (to && fclose(to) != 0 && rc == SWIM_OK)
        rc = swim_error_set(&err, SWIM_ERR_NOMEM, "show locks: no memory");
    if (rc == SWIM_OK)
        print_trimmed(text);
    free(text);
    if (rc == SWIM_OK && fflush(stdout) == 0 && !ferror(stdout))
        return TOP_DONE;
    fprintf(stderr, "h5swim top: %s\n",
            rc != SWIM_OK ? err.text : "write: it failed (is the disk full?)");
    return TOP_FAILED;
}
