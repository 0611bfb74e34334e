/* top.h - what the files of "h5swim top" share. */
#ifndef SWIM_CLI_TOP_H
#define SWIM_CLI_TOP_H

#include <stdbool.h>
#include <stdio.h>

#include "cli/census.h"

enum { TOP_DONE = 0, TOP_FAILED = 1, TOP_USAGE = 2, TOP_SIGNAL = 128 };

/* --- top_look.c: what is shown -------------------------------------------------------
 */

struct top_look {
    struct inspector *inspector; /* NULL: no server runs */
    struct inspect_facts facts;
    struct inspection *seen; /* NULL: nothing was seen yet */
    struct census *census;
};

/* Look anew.  When it fails what was seen before is kept, with SWIM_OK and without a
 * server nothing is.  Errors: those of inspect_open() and inspect_look(). */
int top_look(struct top_look *look, const char *url, swim_error_t *err);
void top_look_end(struct top_look *look);

/* The whole as one JSON object, schema 1. */
int top_json(const struct top_look *look);

/* --- top_line.c: a line of a screen --------------------------------------------------
 */

/* No wider than `room` columns; nothing that a terminal acts on goes into it. */
struct top_line {
    FILE *to;
    int room; /* columns that are left */
};

/* A text, in a field of at least so many columns: to its left end, or its right one. */
void top_put(struct top_line *line, const char *text, int columns, bool right);
void top_print(struct top_line *line, const char *fmt, ...) SWIM_PRINTF(2, 3);
/* The end of a path rather than its beginning, where there is no room for all of it. */
void top_put_path(struct top_line *line, const char *path);

/* --- top_table.c: the three tables ---------------------------------------------------
 */

enum top_view { TOP_JOBS, TOP_SESSIONS, TOP_LOCKS, TOP_VIEWS };

/* What a row is about; NULL: it is about something else. */
struct top_row {
    const struct census_job *job;
    const struct census_session *session;
    const struct inspect_resource *resource;
    const struct inspect_ticket *ticket;
    size_t place; /* in the queue; 0: it holds */
};

struct top_order {
    size_t column;
    bool reversed;
};

struct top_table {
    enum top_view view;
    struct top_row *rows;
    size_t n;
};

const char *top_view_name(enum top_view view);
size_t top_columns(enum top_view view);
const char *top_column_name(enum top_view view, size_t column);

/* Rows in the order asked for; those that are alike there stay as the server has them.
 * `out` is to be given to top_table_clear().  Errors: SWIM_ERR_NOMEM. */
int top_table_fill(const struct top_look *look, enum top_view view,
                   const struct top_order *order, struct top_table *out,
                   swim_error_t *err);
void top_table_clear(struct top_table *table);

/* The names of the columns, that of the order marked; a row. */
void top_put_head(struct top_line *line, enum top_view view,
                  const struct top_order *order);
void top_put_row(struct top_line *line, enum top_view view, const struct top_row *row);

/* --- top_detail.c --------------------------------------------------------------------
 */

/* All that is known of what a row is about, as lines of so many columns. */
void top_put_detail(FILE *to, int columns, const struct top_look *look,
                    const struct top_row *row);

/* --- top_text.c ----------------------------------------------------------------------
 */

/* Two lines about the server and the sums. */
void top_put_server(FILE *to, int columns, const struct top_look *look);

/* The whole, once. */
int top_text(const struct top_look *look);

/* --- top_screen.c: the terminal ------------------------------------------------------
 */

enum top_key {
    TOP_KEY_NONE, /* the time is over, or a key that means nothing */
    TOP_KEY_SIGNAL,
    TOP_KEY_GONE, /* the terminal is */
    TOP_KEY_UP,
    TOP_KEY_DOWN,
    TOP_KEY_PAGE_UP,
    TOP_KEY_PAGE_DOWN,
    TOP_KEY_HOME,
    TOP_KEY_END,
    TOP_KEY_BACK,
    TOP_KEY_ENTER,
    TOP_KEY_TAB,
    TOP_KEY_RESIZE,
    TOP_KEY_LETTER /* and the letters and signs themselves, added to it */
};

/* Take the terminal: keys come one by one, the screen is another one.  From here on
 * top_screen_leave() must be called on every way out.
 * Errors: SWIM_ERR_ARG (stdin or stdout is no terminal), SWIM_ERR_IO. */
int top_screen_enter(swim_error_t *err);
void top_screen_leave(void);

void top_screen_size(int *columns, int *lines);

/* The whole screen: lines with '\n' between them.  false: it could not be written. */
bool top_screen_draw(const char *text, size_t size);

/* Wait for a key until a time of swim_clock_mono_ns().  While the process is stopped
 * (Ctrl-Z) the terminal is as it was. */
int top_screen_key(int64_t until_ns);

/* The signal that told it to end; 0: none has. */
int top_screen_signal(void);

/* --- top_live.c ----------------------------------------------------------------------
 */

int top_live(const char *url, int64_t interval_ms);

#endif /* SWIM_CLI_TOP_H */
