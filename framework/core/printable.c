/* printable.c - names that others have chosen, shown on a terminal. */
#include "printable.h"

#include <stdio.h>
#include <string.h>
#include <wchar.h>

#define DOTS "..."
#define DOTS_COLUMNS 3

/* What one step of the text is shown as: *used bytes of it; its width. */
static int step_show(const char *text, mbstate_t *state, char *shown, size_t size,
                     size_t *used)
{
    wchar_t c = 0;
    size_t n = mbrtowc(&c, text, strlen(text), state);
    int width = n > 0 && n < (size_t)-2 ? wcwidth(c) : -1;

    if (width > 0 && c != L'\\' && n < size) {
        memcpy(shown, text, n);
        shown[n] = '\0';
        *used = n;
        return width;
    }
    memset(state, 0, sizeof(*state));
    *used = 1;
    return snprintf(shown, size, c == L'\\' && n == 1 ? "\\\\" : "\\x%02x",
                    (unsigned char)*text);
}

int swim_printable(const char *text, int columns, char *buf, size_t size)
{
    mbstate_t state = {0};
    size_t len = 0, cut = 0;
    int width = 0, cut_width = 0;

    buf[0] = '\0';
    while (*text) {
        char shown[32];
        size_t used = 1;
        int more = step_show(text, &state, shown, sizeof(shown), &used);
        size_t bytes = strlen(shown);
        if (len + bytes + 1 > size)
            break;
        if (columns > 0 && width + more > columns) {
            snprintf(buf + cut, size - cut, "%s", DOTS);
            return cut_width + DOTS_COLUMNS;
        }
        memcpy(buf + len, shown, bytes + 1);
        len += bytes;
        width += more;
        if (width + DOTS_COLUMNS <= columns) {
            cut = len;
            cut_width = width;
        }
        text += used;
    }
    return width;
}
