/* problems.c - all that is wrong with a job, at once. */
#include "batch/problems.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Length of ":LINE:COLUMN" at the start of text; 0: there is none. */
static size_t numbers_length(const char *text)
{
    size_t at = 0;

    for (int i = 0; i < 2; i++) {
        size_t digits = text[at] == ':' ? strspn(text + at + 1, "0123456789") : 0;
        if (digits == 0)
            return 0;
        at += digits + 1;
    }
    return at;
}

void job_place_set(const char *set, struct job_place *place)
{
    snprintf(place->text, sizeof(place->text), "--set %.*s%s", JOB_NAME_MOST, set,
             strlen(set) > JOB_NAME_MOST ? "..." : "");
}

/* As the reader of job files has it: a long one without its beginning. */
static void shown_name(const struct problems *p, char name[JOB_NAME_MOST + 4])
{
    size_t length = strlen(p->path);
    bool is_long = length > JOB_NAME_MOST;

    snprintf(name, JOB_NAME_MOST + 4, "%s%s", is_long ? "..." : "",
             p->path + (is_long ? length - JOB_NAME_MOST : 0));
}

/* What stands behind "PREFIX: "; NULL: text does not begin so. */
static const char *text_behind(const char *text, const char *prefix, size_t length)
{
    bool is_so =
        strncmp(text, prefix, length) == 0 && strncmp(text + length, ": ", 2) == 0;

    return is_so ? text + length + 2 : NULL;
}

/* The place that a text begins with as the reader of job files writes them: ": " may be
 * in a --set, too. */
static size_t place_length(const struct problems *p, const char *text)
{
    char name[JOB_NAME_MOST + 4];

    for (size_t i = 0; i < p->n_sets; i++) {
        struct job_place place;
        job_place_set(p->sets[i], &place);
        if (text_behind(text, place.text, strlen(place.text)))
            return strlen(place.text);
    }
    shown_name(p, name);
    size_t length = strlen(name);
    size_t numbers =
        strncmp(text, name, length) == 0 ? numbers_length(text + length) : 0;
    return numbers ? length + numbers : 0;
}

/* The text without its place, which becomes *place where it has one of its own. */
static const char *place_split(const struct problems *p, const char *text,
                               struct job_place *place)
{
    const char *rest = text_behind(text, place->text, strlen(place->text));

    if (rest)
        return rest;
    size_t length = place_length(p, text);
    rest = length ? text_behind(text, text, length) : NULL;
    if (rest)
        snprintf(place->text, sizeof(place->text), "%.*s", (int)length, text);
    else
        rest = text_behind(text, p->path, strlen(p->path));
    return rest ? rest : text;
}

static bool is_known(const struct problems *p, const struct problem *one)
{
    for (size_t i = 0; i < p->n; i++)
        if (strcmp(p->list[i].text, one->text) == 0 &&
            strcmp(p->list[i].place.text, one->place.text) == 0)
            return true;
    return false;
}

/* Takes the text.  A line that finds no memory is left out, and still counts. */
static void problem_add(struct problems *p, bool warning, const struct job_place *place,
                        char *text)
{
    struct problem one = {.warning = warning, .text = text, .place = *place};
    struct problem *list = NULL;

    if (text && is_known(p, &one)) {
        free(text);
        return;
    }
    p->n_errors += !warning;
    if (text)
        list = realloc(p->list, (p->n + 1) * sizeof(*list));
    if (!list) {
        free(text);
        return;
    }
    p->list = list;
    list[p->n++] = one;
}

static void place_begin(const struct problems *p, const struct job_place *given,
                        struct job_place *place)
{
    char name[JOB_NAME_MOST + 4];

    shown_name(p, name);
    snprintf(place->text, sizeof(place->text), "%s:1:1", name);
    if (given && given->text[0])
        *place = *given;
}

int problems_take(struct problems *p, const struct job_place *place, int rc,
                  swim_error_t *err)
{
    struct job_place at;

    if (!p || rc == SWIM_OK || rc == SWIM_ERR_NOMEM || rc == SWIM_ERR_CANCELLED)
        return rc;
    if (err->code == SWIM_OK) /* it was said before */
        return SWIM_OK;
    place_begin(p, place, &at);
    const char *text = place_split(p, err->text, &at);
    problem_add(p, false, &at, strdup(text));
    swim_error_clear(err);
    return SWIM_OK;
}

void problems_warn(struct problems *p, const struct job_place *place, const char *fmt,
                   ...)
{
    struct job_place at;
    char *text = NULL;
    va_list args;

    place_begin(p, place, &at);
    va_start(args, fmt);
    int n = vasprintf(&text, fmt, args);
    va_end(args);
    problem_add(p, true, &at, n >= 0 ? text : NULL);
}

bool problem_place(const struct problem *problem, unsigned *line, unsigned *column)
{
    const char *text = problem->place.text;
    const char *last = strrchr(text, ':'), *first = last;

    *line = *column = 0;
    if (!last || strncmp(text, "--set ", 6) == 0)
        return false;
    while (first > text && *--first != ':')
        ;
    if (numbers_length(first) != strlen(first))
        return false;
    *line = (unsigned)strtoul(first + 1, NULL, 10);
    *column = (unsigned)strtoul(last + 1, NULL, 10);
    return true;
}

static int by_place(const struct problem *a, const struct problem *b)
{
    unsigned line[2], column[2];

    problem_place(a, &line[0], &column[0]);
    problem_place(b, &line[1], &column[1]);
    if (line[0] != line[1])
        return line[0] < line[1] ? -1 : 1;
    return column[0] < column[1] ? -1 : column[0] > column[1];
}

/* They are few, and those of one place stay in their order. */
void problems_sort(struct problems *p)
{
    for (size_t i = 1; i < p->n; i++) {
        struct problem one = p->list[i];
        size_t at = i;
        for (; at > 0 && by_place(&p->list[at - 1], &one) > 0; at--)
            p->list[at] = p->list[at - 1];
        p->list[at] = one;
    }
}

void problems_clear(struct problems *p)
{
    for (size_t i = 0; i < p->n; i++)
        free(p->list[i].text);
    free(p->list);
    p->list = NULL;
    p->n = p->n_errors = 0;
}
