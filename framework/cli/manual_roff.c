/* manual_roff.c - a plain text as a manual page, in man(7).
 *
 * The forms of a line, in the order in which they are tried:
 *     in capitals               a heading
 *     "Usage: ..."              the synopsis, with the lines behind it that are
 * indented "Exit status: ..."        a section of its own four blanks or more goes on,
 * of an item or of a line "Word: ..."; else example "word  text", "  word  text"   an
 * item of a list two blanks                example else                      a
 * paragraph, filled */
#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "cli/manual.h"

#define LINE_MOST 256
#define TAG_MOST 40

enum form { FORM_NONE, FORM_PROSE, FORM_LABEL, FORM_ITEM, FORM_EXAMPLE, FORM_SYNOPSIS };

struct roff {
    FILE *to;
    enum form form;
    bool began, options, notes; /* sections of the page that are there */
};

/* Text of a line, without being taken for a request, and as it was typed. */
static void put_text(const char *text, size_t length, bool dashes, FILE *to)
{
    static const struct {
        char c;
        const char *as;
    } special[] = {{'\\', "\\e"},  {'\'', "\\(aq"}, {'`', "\\(ga"},
                   {'^', "\\(ha"}, {'~', "\\(ti"},  {'"', "\\(dq"}};

    if (length && (*text == '.' || *text == '\''))
        fputs("\\&", to);
    for (size_t i = 0; i < length; i++) {
        const char *as = text[i] == '-' && dashes ? "\\-" : NULL;
        for (size_t k = 0; k < sizeof(special) / sizeof(*special); k++)
            if (text[i] == special[k].c)
                as = special[k].as;
        if (as)
            fputs(as, to);
        else
            fputc(text[i], to);
    }
}

static void put_line(const char *text, FILE *to)
{
    put_text(text, strlen(text), strstr(text, "--") || strstr(text, " -"), to);
    fputc('\n', to);
}

static void example_end(struct roff *r)
{
    if (r->form == FORM_EXAMPLE)
        fputs(".EE\n", r->to);
}

static void put_section(struct roff *r, const char *name)
{
    example_end(r);
    fprintf(r->to, ".SH %s\n", name);
    r->form = FORM_NONE;
    r->began = true;
}

static bool is_heading(const char *line)
{
    bool letters = false;

    for (const char *c = line; *c; c++) {
        if (islower((unsigned char)*c) || ispunct((unsigned char)*c) ||
            isdigit((unsigned char)*c))
            return false;
        letters = letters || isupper((unsigned char)*c);
    }
    return letters && line[0] != ' ' && strlen(line) > 2;
}

/* "Threads: ...", "Fork:    ...": words that say what the line is about. */
static bool is_label(const char *line)
{
    size_t n = strspn(line, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");

    return n > 2 && isupper((unsigned char)line[0]) && line[n] == ':' &&
           line[n + 1] == ' ';
}

/* Where the text of an item begins, after two blanks; 0: it is none.  A sentence may
 * end before two blanks. */
static size_t item_text(const char *line)
{
    size_t start = strspn(line, " ");
    const char *gap = strstr(line + start, "  ");

    if ((start != 0 && start != 2) || !gap || gap == line + start ||
        gap - line > TAG_MOST || strchr(".:;", gap[-1]))
        return 0;
    return (size_t)(gap - line) + strspn(gap, " ");
}

/* Options stand in a section of their own, what comes after them in another. */
static void choose_section(struct roff *r, bool is_option)
{
    if (!r->began)
        put_section(r, "DESCRIPTION");
    if (is_option && !r->options && !r->notes) {
        put_section(r, "OPTIONS");
        r->options = true;
    }
}

static void put_item(struct roff *r, const char *line, size_t text)
{
    size_t start = strspn(line, " "), length = text;

    while (line[length - 1] == ' ')
        length--;
    choose_section(r, line[start] == '-');
    example_end(r);
    fputs(".TP\n\\fB", r->to);
    put_text(line + start, length - start, true, r->to);
    fputs("\\fR\n", r->to);
    put_line(line + text, r->to);
    r->form = FORM_ITEM;
}

static void put_example(struct roff *r, const char *line)
{
    choose_section(r, false);
    if (r->form != FORM_EXAMPLE)
        fputs(r->form == FORM_NONE ? ".EX\n" : ".PP\n.EX\n", r->to);
    put_text(line, strlen(line), true, r->to);
    fputc('\n', r->to);
    r->form = FORM_EXAMPLE;
}

static void put_prose(struct roff *r, const char *line, bool goes_on)
{
    choose_section(r, false);
    example_end(r);
    bool label = is_label(line);
    if (r->form == FORM_NONE)
        r->form = FORM_PROSE;
    else if (!goes_on || r->form == FORM_ITEM || r->form == FORM_EXAMPLE)
        fputs(".PP\n", r->to);
    else if (label)
        fputs(".br\n", r->to);
    put_line(line, r->to);
    r->form = label                              ? FORM_LABEL
              : goes_on && r->form == FORM_LABEL ? FORM_LABEL
                                                 : FORM_PROSE;
}

static void put_usage(struct roff *r, const char *line)
{
    const char *at = line + strspn(line, " ");

    if (r->form != FORM_SYNOPSIS)
        put_section(r, "SYNOPSIS");
    else
        fputs(".br\n", r->to);
    put_text(at, strlen(at), true, r->to);
    fputc('\n', r->to);
    r->form = FORM_SYNOPSIS;
}

/* A line that is neither empty nor one of the first three forms. */
static void put_other(struct roff *r, const char *line, bool goes_on)
{
    size_t text = item_text(line), indent = strspn(line, " ");
    bool continues = goes_on && indent >= 4;

    if (continues && (r->form == FORM_ITEM || r->form == FORM_LABEL))
        put_line(line + indent, r->to);
    else if (indent < 4 && text)
        put_item(r, line, text);
    else if (indent >= 2)
        put_example(r, line);
    else
        put_prose(r, line, goes_on);
}

static void put_any(struct roff *r, const char *line, bool goes_on)
{
    static const char usage[] = "Usage: ", status[] = "Exit status: ";

    if (strncmp(line, usage, sizeof(usage) - 1) == 0) {
        put_usage(r, line + sizeof(usage) - 1);
    } else if (r->form == FORM_SYNOPSIS && *line == ' ') {
        put_usage(r, line);
    } else if (strncmp(line, status, sizeof(status) - 1) == 0) {
        put_section(r, "EXIT STATUS");
        put_prose(r, line + sizeof(status) - 1, false);
    } else if (is_heading(line)) {
        put_section(r, line);
    } else {
        if (r->form == FORM_SYNOPSIS)
            put_section(r, "DESCRIPTION");
        put_other(r, line, goes_on);
    }
}

void roff_text(const char *text, FILE *to)
{
    struct roff r = {.to = to};
    char line[LINE_MOST];
    bool goes_on = false;

    while (*text) {
        size_t length = strcspn(text, "\n");
        snprintf(line, sizeof(line), "%.*s", (int)length, text);
        text += length + (text[length] == '\n');
        if (!line[0] && r.form == FORM_EXAMPLE && strncmp(text, "    ", 4) == 0)
            fputs("\\&\n", to); /* an example goes on */
        else if (line[0]) {
            if (!goes_on && r.options && !r.notes && line[0] != ' ' &&
                strncmp(line, "Exit status:", 12) != 0) {
                put_section(&r, "NOTES");
                r.notes = true;
            }
            put_any(&r, line, goes_on);
        }
        goes_on = line[0] != '\0';
    }
    example_end(&r);
}

void roff_begin(const struct manual_page *page, FILE *to)
{
    char name[TAG_MOST];
    size_t n = 0;

    for (const char *c = page->name; *c && n + 1 < sizeof(name); c++)
        name[n++] = (char)toupper((unsigned char)*c);
    name[n] = '\0';
    fprintf(to,
            ".\\\" Made by h5swim help --make.\n.TH %s %d %s \"h5swim " SWIM_VERSION
            "\" \"h5swim\"\n.SH NAME\n",
            name, page->section, SWIM_DATE);
    put_text(page->name, strlen(page->name), true, to);
    fputs(" \\- ", to);
    put_line(page->summary, to);
    if (!page->synopsis)
        return;
    fputs(".SH SYNOPSIS\n.nf\n", to);
    for (const char *at = page->synopsis; *at;) {
        size_t length = strcspn(at, "\n");
        fputs("\\fB", to);
        put_text(at, length, true, to);
        fputs("\\fR\n", to);
        at += length + (at[length] == '\n');
    }
    fputs(".fi\n", to);
}

void roff_end(const struct manual_page *page, FILE *to)
{
    static const struct {
        const char *name;
        int section;
    } pages[] = {{"h5swim", 1},
                 {"h5swim-job", 5},
                 {"h5swim-errors", 7},
                 {"h5swim-environment", 7}};
    bool first = true;

    fputs(".SH SEE ALSO\n", to);
    for (size_t i = 0; i < sizeof(pages) / sizeof(*pages); i++) {
        if (strcmp(page->name, pages[i].name) == 0)
            continue;
        fputs(first ? ".BR " : ",\n.BR ", to);
        put_text(pages[i].name, strlen(pages[i].name), true, to);
        fprintf(to, " (%d)", pages[i].section);
        first = false;
    }
    fputc('\n', to);
}
