/* json_out.c - writing JSON of any size to a file, without having it in memory. */
#include "core/json_out.h"

#include <locale.h>
#include <math.h>
#include <string.h>

static void separate(struct json_out *j)
{
    if (j->more)
        putc_unlocked(',', j->to);
    j->more = true;
}

void json_out_open(struct json_out *j, char bracket)
{
    separate(j);
    putc_unlocked(bracket, j->to);
    j->more = false;
    j->depth++;
}

void json_out_close(struct json_out *j, char bracket)
{
    putc_unlocked(bracket, j->to);
    j->more = true;
    if (--j->depth == 0)
        putc_unlocked('\n', j->to);
}

/* Of one sequence, at most left bytes of it: its length; 0: it is none. */
static size_t utf8_length(const unsigned char *at, size_t left)
{
    const unsigned char c = at[0];
    const size_t n = c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

    if (n == 0 || c > 0xf4 || n > left)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    /* Too long a form, a surrogate, beyond the last one. */
    if ((c == 0xe0 && at[1] < 0xa0) || (c == 0xed && at[1] > 0x9f) ||
        (c == 0xf0 && at[1] < 0x90) || (c == 0xf4 && at[1] > 0x8f))
        return 0;
    return n;
}

static void put_quoted(struct json_out *j, const char *text)
{
    size_t left = strlen(text);

    putc_unlocked('"', j->to);
    while (left > 0) {
        const size_t n = utf8_length((const unsigned char *)text, left);
        if (n == 0)
            fputs("\\ufffd", j->to);
        else if (*text == '"' || *text == '\\')
            fprintf(j->to, "\\%c", *text);
        else if (*text == '\n')
            fputs("\\n", j->to);
        else if ((unsigned char)*text < 0x20 || *text == 0x7f)
            fprintf(j->to, "\\u%04x", (unsigned)*text);
        else
            fwrite(text, 1, n, j->to);
        text += n ? n : 1;
        left -= n ? n : 1;
    }
    putc_unlocked('"', j->to);
}

void json_out_key(struct json_out *j, const char *key)
{
    separate(j);
    if (j->depth == 1)
        putc_unlocked('\n', j->to);
    put_quoted(j, key);
    putc_unlocked(':', j->to);
    j->more = false;
}

void json_out_text(struct json_out *j, const char *text)
{
    if (!text) {
        json_out_null(j);
        return;
    }
    separate(j);
    put_quoted(j, text);
}

/* There are very many of them: not by way of a format. */
void json_out_number(struct json_out *j, int64_t number)
{
    char digits[24], *at = digits + sizeof(digits);
    uint64_t left = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;

    separate(j);
    do {
        *--at = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    if (number < 0)
        *--at = '-';
    while (at < digits + sizeof(digits))
        putc_unlocked(*at++, j->to);
}

void json_out_real(struct json_out *j, double real)
{
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    locale_t before = c ? uselocale(c) : (locale_t)0;

    separate(j);
    fprintf(j->to, "%.6f", isfinite(real) ? real : 0);
    if (c) {
        uselocale(before);
        freelocale(c);
    }
}

void json_out_null(struct json_out *j)
{
    separate(j);
    fputs("null", j->to);
}

void json_out_text_of(struct json_out *j, const char *key, const char *text)
{
    json_out_key(j, key);
    json_out_text(j, text);
}

void json_out_number_of(struct json_out *j, const char *key, int64_t number)
{
    json_out_key(j, key);
    json_out_number(j, number);
}

void json_out_real_of(struct json_out *j, const char *key, double real)
{
    json_out_key(j, key);
    json_out_real(j, real);
}

void json_out_numbers_of(struct json_out *j, const char *key, const uint64_t *numbers,
                         size_t n)
{
    json_out_key(j, key);
    json_out_open(j, '[');
    for (size_t i = 0; i < n; i++)
        json_out_number(j, (int64_t)numbers[i]);
    json_out_close(j, ']');
}
