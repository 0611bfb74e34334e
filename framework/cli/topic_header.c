/* topic_header.c - a public header as a text for people.
 *
 * Comments that begin a line are prose; all else is code, and is indented.  A comment
 * stands before what it explains, and in the text behind it. */
#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cli/topics.h"

#define LINE_MOST 200

struct lines {
    const char *at; /* what is not read yet */
    char line[LINE_MOST];
};

static bool line_next(struct lines *l)
{
    size_t length = strcspn(l->at, "\n");

    if (!*l->at)
        return false;
    snprintf(l->line, sizeof(l->line), "%.*s", (int)length, l->at);
    l->at += length + (l->at[length] == '\n');
    return true;
}

static bool begins(const char *line, const char *with)
{
    return strncmp(line, with, strlen(with)) == 0;
}

/* A line of a comment without its marks; true: it is the last one. */
static bool comment_line(const char *line, FILE *to)
{
    const char *text = line + strspn(line, " ");
    const char *end = strstr(line, "*/");

    if (begins(text, "/*"))
        text += 2;
    else if (begins(text, "*") && text != end)
        text += 1;
    text += *text == ' ';
    size_t length = end ? (size_t)(end > text ? end - text : 0) : strlen(text);
    while (length && text[length - 1] == ' ')
        length--;
    if (length || !end)
        fprintf(to, "%.*s\n", (int)length, text);
    return end != NULL;
}

/* A whole comment; l->line is its first line. */
static void comment_copy(struct lines *l, FILE *to)
{
    while (!comment_line(l->line, to) && line_next(l))
        ;
}

/* What compilers need and people do not. */
static bool is_machinery(const char *line)
{
    size_t length = strlen(line);

    return begins(line, "#ifndef SWIM_") || begins(line, "#include") ||
           (begins(line, "#define SWIM_") && strcmp(line + length - 2, "_H") == 0);
}

/* "#ifdef __cplusplus" up to its #endif; the last #endif of the file. */
static bool skip(struct lines *l)
{
    if (begins(l->line, "#ifdef __cplusplus")) {
        while (!begins(l->line, "#endif") && line_next(l))
            ;
        return true;
    }
    return is_machinery(l->line) || begins(l->line, "#endif /* SWIM_");
}

/* What follows a line that has lost SWIM_API moves with it, up to the end of the
 * declaration. */
static void code_copy(const char *line, bool *moved, FILE *to)
{
    static const char api[] = "SWIM_API ", blanks[] = "         ";
    const char *text = line;

    if (begins(line, api)) {
        text += strlen(api);
        *moved = true;
    } else if (*moved && begins(line, blanks)) {
        text += strlen(blanks);
    }
    if (strchr(text, ';'))
        *moved = false;
    fprintf(to, "    %s\n", text);
}

/* "--- Title ------": a heading. */
static void title_put(const char *line, FILE *to)
{
    const char *title = line + strlen("/* --- ");
    const char *end = strstr(title, " --");

    fputc('\n', to);
    for (const char *c = title; *c && c != end; c++)
        fputc(toupper((unsigned char)*c), to);
    fputc('\n', to);
}

/* The comment that waits goes behind the code that it stood before. */
static void comment_put(char **comment, size_t *size, FILE **into, FILE *to)
{
    if (!*into)
        return;
    fclose(*into);
    fprintf(to, "\n%s", *comment);
    free(*comment);
    *comment = NULL;
    *size = 0;
    *into = NULL;
}

void header_print(const char *header, FILE *to)
{
    struct lines l = {.at = header};
    char *comment = NULL;
    size_t size = 0;
    FILE *waits = NULL;
    bool blank = true, moved = false;

    if (line_next(&l))
        comment_copy(&l, to);
    fputs("\nDECLARATIONS\n", to);
    while (line_next(&l)) {
        if (skip(&l))
            continue;
        if (begins(l.line, "/* --- ")) {
            comment_put(&comment, &size, &waits, to);
            title_put(l.line, to);
            blank = true;
            continue;
        }
        if (begins(l.line, "/*")) {
            comment_put(&comment, &size, &waits, to);
            waits = open_memstream(&comment, &size);
            if (!waits)
                return;
            comment_copy(&l, waits);
            blank = true;
            continue;
        }
        if (!l.line[0]) {
            comment_put(&comment, &size, &waits, to);
            blank = true;
            continue;
        }
        if (blank)
            fputc('\n', to);
        blank = false;
        code_copy(l.line, &moved, to);
    }
    comment_put(&comment, &size, &waits, to);
}
