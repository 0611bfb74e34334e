/* top_line.c - a line of a screen.
 *
 * All names were chosen by others: each goes through swim_printable(). */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli/top.h"
#include "core/printable.h"

void top_put(struct top_line *line, const char *text, int columns, bool right)
{
    size_t size = 4 * strlen(text) + 4;
    char *shown = malloc(size);

    if (shown && line->room > 0) {
        int width = swim_printable(text, line->room, shown, size);
        int blanks = width < columns ? columns - width : 0;
        if (width + blanks > line->room)
            blanks = width < line->room ? line->room - width : 0;
        if (width > line->room) /* the dots alone have no room */
            shown[line->room] = '\0';
        fprintf(line->to, "%*s%s%*s", right ? blanks : 0, "", shown, right ? 0 : blanks,
                "");
        line->room -= width + blanks;
    }
    free(shown);
}

void top_print(struct top_line *line, const char *fmt, ...)
{
    char text[512];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    top_put(line, text, 0, false);
}

void top_put_path(struct top_line *line, const char *path)
{
    size_t size = 4 * strlen(path) + 1;
    char *shown = malloc(size);
    const char *rest = path;

    while (shown &&
           swim_printable(rest, 0, shown, size) + (rest > path ? 3 : 0) > line->room) {
        const char *next = strchr(rest + 1, '/');
        if (!next)
            break;
        rest = next;
    }
    if (rest > path)
        top_put(line, "...", 0, false);
    top_put(line, rest, 0, false);
    free(shown);
}
