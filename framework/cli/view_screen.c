/* view_screen.c - what the terminal can show, and how large a picture becomes. */
#include <langinfo.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/view.h"

#define COLUMNS_ELSE 80 /* where there is no terminal */
#define LINES_ELSE 44
#define LINES_KEPT 4     /* for the text below the picture, and the prompt */
#define SMALL_COLUMNS 48 /* a slice of fewer columns is magnified up to this */
#define NARROW_COLUMNS 16

static bool is_set(const char *variable)
{
    const char *value = getenv(variable);

    return value && value[0];
}

static bool variable_is(const char *variable, const char *value)
{
    const char *now = getenv(variable);

    return now && strcmp(now, value) == 0;
}

static bool colors_are_wanted(const struct view_options *o)
{
    if (o->color != VIEW_COLOR_AUTO)
        return o->color == VIEW_COLOR_ALWAYS;
    return isatty(STDOUT_FILENO) && !is_set("NO_COLOR") && is_set("TERM") &&
           !variable_is("TERM", "dumb");
}

struct view_screen view_screen_of(const struct view_options *options)
{
    struct view_screen s = {.columns = COLUMNS_ELSE, .lines = LINES_ELSE};
    struct winsize size = {0};

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 &&
        size.ws_row > 0) {
        s.columns = size.ws_col;
        s.lines = size.ws_row;
    }
    if (options->width > 0)
        s.columns = (uint32_t)options->width;
    s.color = colors_are_wanted(options);
    s.many_colors =
        variable_is("COLORTERM", "truecolor") || variable_is("COLORTERM", "24bit");
    s.utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    s.rows_of_line = s.color && s.utf8 ? 2 : 1;
    return s;
}

static uint32_t within(double value, uint32_t least, uint32_t most)
{
    if (value < (double)least)
        return least;
    return value < (double)most ? (uint32_t)value : most;
}

/* A character is about twice as high as it is wide. */
void view_screen_fit(const struct view_screen *s, uint64_t ny, uint64_t nx,
                     uint32_t *rows, uint32_t *columns)
{
    const uint32_t lines =
        s->lines > 2 * LINES_KEPT ? s->lines - LINES_KEPT : LINES_KEPT;
    const uint32_t most = lines * s->rows_of_line;
    const double shape = (double)ny / (double)nx * s->rows_of_line / 2;
    uint32_t wide = s->columns;

    if (nx < SMALL_COLUMNS && wide > SMALL_COLUMNS)
        wide = SMALL_COLUMNS;
    *columns = wide;
    if (shape * wide > most) {
        uint32_t narrow = wide < NARROW_COLUMNS ? wide : NARROW_COLUMNS;
        *columns = within(most / shape, narrow, wide);
    }
    *rows = within(shape * *columns + 0.5, 1, most);
}
