/* text.c - small helpers for what people write and read. */
#include "text.h"

#include <ctype.h>
#include <inttypes.h>
#include <locale.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORD_MAX 64
#define CUT "..."     /* stands for what has no room */
#define TAIL_MOST 240 /* of a long text: the cause and what to do are at its end */

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t m = a < b ? a : b;

    return m < c ? m : c;
}

/* Optimal string alignment: insert, delete, replace, swap of neighbours. */
static size_t word_distance(const char *a, const char *b)
{
    size_t rows[3][WORD_MAX + 1];
    size_t la = strlen(a), lb = strlen(b);

    if (la > WORD_MAX || lb > WORD_MAX)
        return SIZE_MAX;
    for (size_t j = 0; j <= lb; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= la; i++) {
        size_t *now = rows[i % 3];
        const size_t *last = rows[(i - 1) % 3], *before = rows[(i + 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= lb; j++) {
            int ca = tolower((unsigned char)a[i - 1]);
            int cb = tolower((unsigned char)b[j - 1]);
            now[j] = min3(now[j - 1] + 1, last[j] + 1, last[j - 1] + (ca != cb));
            if (i > 1 && j > 1 && ca == tolower((unsigned char)b[j - 2]) &&
                cb == tolower((unsigned char)a[i - 2]) && before[j - 2] + 1 < now[j])
                now[j] = before[j - 2] + 1;
        }
    }
    return rows[la % 3][lb];
}

const char *swim_text_nearest(const char *word, const char *const *words, size_t n)
{
    const char *best = NULL;
    size_t best_distance = strlen(word) / 3 + 2;

    for (size_t i = 0; i < n; i++) {
        size_t distance = word_distance(word, words[i]);
        if (distance < best_distance) {
            best = words[i];
            best_distance = distance;
        }
    }
    return best;
}

const char *swim_text_bytes(uint64_t bytes, char *buf, size_t size)
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB"};
    double value = (double)bytes;
    size_t unit = 0;

    while (value >= 1024 && unit + 1 < sizeof(units) / sizeof(*units)) {
        value /= 1024;
        unit++;
    }
    snprintf(buf, size, unit && value < 100 ? "%.1f %s" : "%.0f %s", value,
             units[unit]);
    return buf;
}

const char *swim_text_shape(const uint64_t *shape, uint32_t ndim, char *buf,
                            size_t size)
{
    snprintf(buf, size, "%s", ndim ? "" : "a scalar");
    for (uint32_t a = 0; a < ndim; a++) {
        size_t used = strlen(buf);
        snprintf(buf + used, size - used, "%s%" PRIu64, a ? " x " : "", shape[a]);
    }
    return buf;
}

bool swim_text_real(const char *text, double *out)
{
    char *end = NULL;
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);

    *out = 0;
    if (!c)
        return false;
    double value = strtod_l(text, &end, c);
    freelocale(c);
    if (end == text || *end)
        return false;
    *out = value;
    return true;
}

void swim_text_line(char *text)
{
    for (char *c = text; *c; c++)
        if (*c == '\n' || *c == '\r' || *c == '\t')
            *c = ' ';
        else if (iscntrl((unsigned char)*c))
            *c = '?';
}

const char *swim_text_shown(const char *text, char *buf, size_t size)
{
    snprintf(buf, size, "%s", text);
    swim_text_line(buf);
    return buf;
}

static bool is_continued(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

void swim_text_fit(const char *text, char *buf, size_t size)
{
    size_t length = strlen(text), head = size - 1 - strlen(CUT) - TAIL_MOST;

    if (length < size) {
        memcpy(buf, text, length + 1);
        return;
    }
    const char *tail = text + length - TAIL_MOST;
    while (head > 0 && is_continued(text[head]))
        head--;
    while (is_continued(*tail))
        tail++;
    snprintf(buf, size, "%.*s%s%s", (int)head, text, CUT, tail);
}
