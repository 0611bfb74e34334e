/* view_paint.c - pictures in a terminal: blocks of colour, or characters.
 *
 * Colours are those of matplotlib's viridis, which people see alike who do not see all
 * colours, and which turn into steps of grey in print. */
#include <math.h>
#include <stdio.h>

#include "cli/view.h"

#define BAR 24
#define PLOT_LINES 10

struct color {
    unsigned char r, g, b;
};

static const struct color missing_color = {110, 110, 110};
static const char ramp[] = ".:-=+*#%@"; /* a blank: missing */
#define RAMP ((int)sizeof(ramp) - 1)

/* 0 to 1; the middle where all values are the same.  The range may be more than a
 * number holds, its half is not. */
static double share(const struct view_picture *p, double value)
{
    if (!(p->high > p->low))
        return value < p->low ? 0 : value > p->high ? 1 : 0.5;
    const double scale = isfinite(p->high - p->low) ? 1 : 0.5;
    double part = (value * scale - p->low * scale) / (p->high * scale - p->low * scale);
    return part < 0 ? 0 : part > 1 ? 1 : part;
}

static double value_at(const struct view_picture *p, double part)
{
    const double half = (p->high / 2 - p->low / 2) * part;

    return p->low + half + half;
}

static unsigned char between(unsigned char a, unsigned char b, double part)
{
    return (unsigned char)lround(a + (b - a) * part);
}

static struct color color_of(const struct view_picture *p, double value)
{
    static const struct color steps[] = {
        {68, 1, 84},    {71, 44, 122}, {59, 81, 139},  {44, 113, 142}, {33, 144, 141},
        {39, 173, 129}, {92, 200, 99}, {170, 220, 50}, {253, 231, 37}};
    const int n = (int)(sizeof(steps) / sizeof(*steps)) - 1;

    if (isnan(value))
        return missing_color;
    double at = share(p, value) * n;
    int i = at < n ? (int)at : n - 1;
    return (struct color){between(steps[i].r, steps[i + 1].r, at - i),
                          between(steps[i].g, steps[i + 1].g, at - i),
                          between(steps[i].b, steps[i + 1].b, at - i)};
}

static char letter_of(const struct view_picture *p, double value)
{
    if (isnan(value))
        return ' ';
    int i = (int)(share(p, value) * RAMP);
    return ramp[i < RAMP ? i : RAMP - 1];
}

/* A level of the cube of 6 x 6 x 6 colours, which has 0, 95, 135, 175, 215 and 255. */
static int cube_level(unsigned char value)
{
    if (value < 48)
        return 0;
    return value < 115 ? 1 : (value - 35) / 40;
}

/* of: 38 the letter, 48 what is behind it */
static void color_set(const struct view_screen *s, int of, struct color c)
{
    if (s->many_colors)
        printf("\033[%d;2;%d;%d;%dm", of, c.r, c.g, c.b);
    else
        printf("\033[%d;5;%dm", of,
               16 + 36 * cube_level(c.r) + 6 * cube_level(c.g) + cube_level(c.b));
}

static void color_end(const struct view_screen *s)
{
    if (s->color)
        fputs("\033[0m", stdout);
}

static bool same_color(struct color a, struct color b)
{
    return a.r == b.r && a.g == b.g && a.b == b.b;
}

/* --- two axes ----------------------------------------------------------------------
 */

static double cell(const struct view_picture *p, uint32_t row, uint32_t column)
{
    return p->cells[(size_t)row * p->columns + column];
}

/* A half block has the upper cell's colour, and what is behind it the lower one's. */
static void line_of_blocks(const struct view_screen *s, const struct view_picture *p,
                           uint32_t row)
{
    struct color above = {0}, below = {0};

    for (uint32_t x = 0; x < p->columns; x++) {
        const struct color upper = color_of(p, cell(p, row, x));
        if (x == 0 || !same_color(upper, above))
            color_set(s, 38, upper);
        above = upper;
        if (row + 1 < p->rows) {
            const struct color lower = color_of(p, cell(p, row + 1, x));
            if (x == 0 || !same_color(lower, below))
                color_set(s, 48, lower);
            below = lower;
        }
        fputs("\xe2\x96\x80", stdout);
    }
    color_end(s);
}

static void line_of_letters(const struct view_screen *s, const struct view_picture *p,
                            uint32_t row)
{
    for (uint32_t x = 0; x < p->columns; x++) {
        const double value = cell(p, row, x);
        if (s->color)
            color_set(s, 48, color_of(p, value));
        putchar(s->color ? ' ' : letter_of(p, value));
    }
    color_end(s);
}

static bool has_missing(const struct view_picture *p)
{
    for (size_t i = 0; i < (size_t)p->rows * p->columns; i++)
        if (isnan(p->cells[i]))
            return true;
    return false;
}

static void missing_put(const struct view_screen *s)
{
    fputs("   ", stdout);
    if (s->color) {
        color_set(s, 48, missing_color);
        fputs("  ", stdout);
        color_end(s);
        fputs(" missing", stdout);
    } else {
        fputs("blank: missing", stdout);
    }
}

/* Which colours or letters are which values. */
static void legend(const struct view_screen *s, const struct view_picture *p,
                   const char *units)
{
    if (p->low > p->high) {
        puts("all values of the slice are missing or infinite");
        return;
    }
    view_put_number((long double)p->low, false);
    putchar(' ');
    for (int i = 0; s->color && i < BAR; i++) {
        color_set(s, 48, color_of(p, value_at(p, (double)i / (BAR - 1))));
        putchar(' ');
    }
    color_end(s);
    if (!s->color)
        fputs(ramp, stdout);
    putchar(' ');
    view_put_number((long double)p->high, false);
    view_put_units(units);
    if (has_missing(p))
        missing_put(s);
    putchar('\n');
}

void view_paint(const struct view_screen *s, const struct view_picture *p,
                const char *units)
{
    for (uint32_t row = 0; row < p->rows; row += s->rows_of_line) {
        if (s->rows_of_line == 2)
            line_of_blocks(s, p, row);
        else
            line_of_letters(s, p, row);
        putchar('\n');
    }
    legend(s, p, units);
}

/* --- one axis ----------------------------------------------------------------------
 */

/* How much of a line, counted from the bottom, a value fills: in eighths. */
static int filled(const struct view_picture *p, double value, int line)
{
    if (isnan(value))
        return 0;
    int eighths = 1 + (int)(share(p, value) * (8 * PLOT_LINES - 1));
    eighths -= 8 * line;
    return eighths < 0 ? 0 : eighths > 8 ? 8 : eighths;
}

static void plot_line(const struct view_screen *s, const struct view_picture *p,
                      int line)
{
    static const char *const blocks[] = {" ",
                                         "\xe2\x96\x81",
                                         "\xe2\x96\x82",
                                         "\xe2\x96\x83",
                                         "\xe2\x96\x84",
                                         "\xe2\x96\x85",
                                         "\xe2\x96\x86",
                                         "\xe2\x96\x87",
                                         "\xe2\x96\x88"};

    for (uint32_t x = 0; x < p->columns; x++) {
        const double value = cell(p, 0, x);
        int eighths = filled(p, value, line);
        if (isnan(value) && line == 0)
            putchar('?');
        else if (!s->color || !s->utf8)
            putchar(eighths >= 4 || (line == 0 && eighths > 0) ? '*' : ' ');
        else
            fputs(blocks[eighths], stdout);
    }
}

void view_plot(const struct view_screen *s, const struct view_picture *p,
               const char *units)
{
    if (p->low > p->high) {
        legend(s, p, units);
        return;
    }
    for (int line = PLOT_LINES - 1; line >= 0; line--) {
        if (s->color)
            color_set(s, 38, color_of(p, value_at(p, (double)line / PLOT_LINES)));
        plot_line(s, p, line);
        color_end(s);
        putchar('\n');
    }
    fputs("from ", stdout);
    view_put_number((long double)p->low, false);
    fputs(" to ", stdout);
    view_put_number((long double)p->high, false);
    view_put_units(units);
    if (has_missing(p))
        fputs("   ?: missing", stdout);
    putchar('\n');
}
