/* top_live.c - the live view: what is selected, what keys do, when it looks anew. */
#include <stdlib.h>
#include <string.h>

#include "cli/top.h"
#include "core/clock.h"

#define HEAD_LINES 4 /* server, sums, the views, the columns */
#define FOOT_LINES 1

struct live {
    const char *url;
    int64_t interval_ns;
    struct top_look look;
    swim_error_t err; /* of the last look; code 0: it was one */
    enum top_view view;
    struct top_order orders[TOP_VIEWS];
    struct top_table table;
    size_t selected, first; /* rows; the first one on the screen */
    bool detail, help;
    size_t scrolled; /* lines of the detail above the screen */
    int columns, lines;
};

static size_t rows_shown(const struct live *l)
{
    return l->lines > HEAD_LINES + FOOT_LINES
               ? (size_t)(l->lines - HEAD_LINES - FOOT_LINES)
               : 1;
}

/* --- what is selected stays so
 * -------------------------------------------------------- */

/* What tells a row when all is seen anew. */
struct mark {
    char *session, *resource, *job, *user;
};

static char *copy(const char *text)
{
    return text ? strdup(text) : NULL;
}

static struct mark mark_of(const struct live *l)
{
    struct mark m = {0};

    if (l->selected >= l->table.n)
        return m;
    const struct top_row *row = &l->table.rows[l->selected];
    m.job = copy(row->job ? row->job->name : NULL);
    m.user = copy(row->job ? row->job->user : NULL);
    m.session = copy(row->session  ? row->session->is->key
                     : row->ticket ? row->ticket->session->key
                                   : NULL);
    m.resource = copy(row->resource ? row->resource->name : NULL);
    return m;
}

static bool same(const char *marked, const char *is)
{
    return marked && is && strcmp(marked, is) == 0;
}

static bool is_marked(const struct top_row *row, const struct mark *m)
{
    if (row->job)
        return same(m->job, row->job->name) && same(m->user, row->job->user);
    if (row->session)
        return same(m->session, row->session->is->key);
    return same(m->session, row->ticket->session->key) &&
           same(m->resource, row->resource->name);
}

/* One that is gone is not followed; its details are closed. */
static void mark_find(struct live *l, struct mark *m)
{
    bool found = false;

    for (size_t i = 0; !found && i < l->table.n; i++)
        if (is_marked(&l->table.rows[i], m)) {
            l->selected = i;
            found = true;
        }
    if (!found)
        l->detail = false;
    if (l->selected >= l->table.n)
        l->selected = l->table.n > 0 ? l->table.n - 1 : 0;
    free(m->session);
    free(m->resource);
    free(m->job);
    free(m->user);
}

/* --- looking
 * -------------------------------------------------------------------------- */

/* The table as it is to be now; new: of what is seen now. */
static int table_make(struct live *l, bool anew)
{
    struct mark m = mark_of(l);
    int rc = SWIM_OK;

    top_table_clear(&l->table); /* it points into what was seen */
    if (anew) {
        l->err = (swim_error_t){0};
        (void)top_look(&l->look, l->url, &l->err);
    }
    if (l->look.seen)
        rc = top_table_fill(&l->look, l->view, &l->orders[l->view], &l->table, &l->err);
    mark_find(l, &m);
    return rc;
}

static void view_change(struct live *l, enum top_view view)
{
    l->view = view;
    l->selected = l->first = 0;
    l->detail = false;
    (void)table_make(l, false);
}

/* --- drawing
 * -------------------------------------------------------------------------- */

static void views_put(FILE *to, const struct live *l)
{
    struct top_line line = {to, l->columns};

    if (l->err.code) {
        top_put(&line, l->err.text, 0, false);
        putc('\n', to);
        return;
    }
    for (int view = 0; view < TOP_VIEWS; view++)
        top_print(&line, view == (int)l->view ? "[%d %s]  " : " %d %s   ", view + 1,
                  top_view_name((enum top_view)view));
    putc('\n', to);
}

static void rows_put(FILE *to, struct live *l)
{
    struct top_line line = {to, l->columns};
    size_t room = rows_shown(l);

    if (l->selected < l->first)
        l->first = l->selected;
    if (l->selected >= l->first + room)
        l->first = l->selected - room + 1;
    fputs("\033[1m", to);
    top_put_head(&line, l->view, &l->orders[l->view]);
    putc('\n', to);
    for (size_t i = l->first; i < l->first + room; i++) {
        line.room = l->columns;
        if (i < l->table.n) {
            fputs(i == l->selected ? "\033[7m" : "", to);
            top_put_row(&line, l->view, &l->table.rows[i]);
            if (i == l->selected) /* the bar is as wide as the screen */
                top_put(&line, "", line.room, false);
        }
        putc('\n', to);
    }
}

static void detail_put(FILE *to, struct live *l)
{
    size_t room = rows_shown(l) + 1, lines = 0, size = 0, shown = 0;
    char *text = NULL;
    FILE *all = open_memstream(&text, &size);

    if (!all)
        return;
    top_put_detail(all, l->columns, &l->look, &l->table.rows[l->selected]);
    if (fclose(all) != 0 || !text) {
        free(text);
        return;
    }
    for (size_t i = 0; i < size; i++)
        lines += text[i] == '\n';
    if (l->scrolled + room > lines)
        l->scrolled = lines > room ? lines - room : 0;
    const char *at = text;
    for (size_t i = 0; i < l->scrolled; i++)
        at = strchr(at, '\n') + 1;
    for (; shown < room && *at; shown++) {
        size_t length = strcspn(at, "\n");
        fprintf(to, "%.*s\n", (int)length, at);
        at += length + 1;
    }
    for (; shown < room; shown++)
        putc('\n', to);
    free(text);
}

static void foot_put(FILE *to, const struct live *l)
{
    static const char keys[] = "1 2 3 Tab: view  Up Down: select  Enter: details  < >: "
                               "sort by  r: reverse  Space: now  q: quit";
    struct top_line line = {to, l->columns};

    if (l->detail)
        top_put(&line, "Up Down: scroll  Esc: back  q: quit", 0, false);
    else if (l->help)
        top_put(&line, keys, 0, false);
    else
        top_print(&line, "%zu %s, by %s   ?: keys  q: quit", l->table.n,
                  top_view_name(l->view),
                  top_column_name(l->view, l->orders[l->view].column));
}

static bool draw(struct live *l)
{
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);

    if (!to)
        return false;
    top_screen_size(&l->columns, &l->lines);
    if (l->err.code && !l->look.seen) /* it is not known that none runs */
        fputs("\n\n", to);
    else
        top_put_server(to, l->columns, &l->look);
    views_put(to, l);
    if (l->detail && l->selected < l->table.n)
        detail_put(to, l);
    else
        rows_put(to, l);
    foot_put(to, l);
    bool done = fclose(to) == 0 && text;
    if (done) { /* a screen with few lines shows those above */
        size_t end = 0;
        for (int line = 0; line < l->lines && end < size; end++)
            line += text[end] == '\n';
        if (end < size)
            end--;
        done = top_screen_draw(text, end);
    }
    free(text);
    return done;
}

/* --- keys
 * ----------------------------------------------------------------------------- */

static void move(struct live *l, bool down, size_t by)
{
    size_t *at = l->detail ? &l->scrolled : &l->selected;

    if (down)
        *at += by;
    else
        *at = *at > by ? *at - by : 0;
    if (!l->detail && l->selected >= l->table.n)
        l->selected = l->table.n > 0 ? l->table.n - 1 : 0;
}

static void order_by(struct live *l, bool next)
{
    struct top_order *order = &l->orders[l->view];
    size_t n = top_columns(l->view);

    order->column = (order->column + (next ? 1 : n - 1)) % n;
    order->reversed = false;
    (void)table_make(l, false);
}

static void letter_take(struct live *l, int letter)
{
    switch (letter) {
    case '1':
    case '2':
    case '3':
        view_change(l, (enum top_view)(letter - '1'));
        break;
    case '<':
        order_by(l, false);
        break;
    case '>':
        order_by(l, true);
        break;
    case 'r':
        l->orders[l->view].reversed = !l->orders[l->view].reversed;
        (void)table_make(l, false);
        break;
    case 'k':
        move(l, false, 1);
        break;
    case 'j':
        move(l, true, 1);
        break;
    case ' ':
        (void)table_make(l, true);
        break;
    case '?':
    case 'h':
        l->help = !l->help;
        break;
    default:
        break;
    }
}

static void key_take(struct live *l, int key)
{
    switch (key) {
    case TOP_KEY_UP:
    case TOP_KEY_DOWN:
        move(l, key == TOP_KEY_DOWN, 1);
        break;
    case TOP_KEY_PAGE_UP:
    case TOP_KEY_PAGE_DOWN:
        move(l, key == TOP_KEY_PAGE_DOWN, rows_shown(l));
        break;
    case TOP_KEY_HOME:
        move(l, false, SIZE_MAX);
        break;
    case TOP_KEY_END:
        move(l, true, l->table.n);
        break;
    case TOP_KEY_TAB:
        view_change(l, (enum top_view)((l->view + 1) % TOP_VIEWS));
        break;
    case TOP_KEY_ENTER:
        l->detail = l->selected < l->table.n;
        l->scrolled = 0;
        break;
    case TOP_KEY_BACK:
        l->detail = false;
        break;
    default:
        letter_take(l, key - TOP_KEY_LETTER);
        break;
    }
}

/* Until it is told to end. */
static int run(struct live *l)
{
    int64_t next_ns = 0;

    for (;;) {
        if (swim_clock_mono_ns() >= next_ns) {
            (void)table_make(l, true);
            next_ns = swim_clock_mono_ns() + l->interval_ns;
        }
        if (!draw(l))
            return TOP_FAILED;
        int key = top_screen_key(next_ns);
        if (key == TOP_KEY_SIGNAL)
            return TOP_SIGNAL + top_screen_signal();
        if (key == TOP_KEY_GONE)
            return TOP_FAILED;
        if (key == TOP_KEY_LETTER + 'q')
            return TOP_DONE;
        key_take(l, key);
    }
}

int top_live(const char *url, int64_t interval_ms)
{
    struct live l = {.url = url, .interval_ns = interval_ms * 1000000};
    swim_error_t err = {0};

    /* A URL that is none is told of before the screen is another one. */
    if (inspect_open(url, &l.look.inspector, &err) != SWIM_OK &&
        err.code == SWIM_ERR_ARG) {
        fprintf(stderr, "h5swim top: %s\n", err.text);
        return TOP_USAGE;
    }
    if (top_screen_enter(&err) != SWIM_OK) {
        fprintf(stderr, "h5swim top: %s\n", err.text);
        top_look_end(&l.look);
        return err.code == SWIM_ERR_ARG ? TOP_USAGE : TOP_FAILED;
    }
    int status = run(&l);
    top_screen_leave();
    top_table_clear(&l.table);
    top_look_end(&l.look);
    return status;
}
