/* topic_errors.c - the table of error codes, from the comments of h5swim/error.h. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <h5swim/error.h>

#include "batch/run.h"
#include "cli/topics.h"
#include "texts.h"

#define TEXT_MOST 600
#define WIDTH 84
#define INDENT 20

static const char intro[] =
    "An error of h5swim is one line: what was attempted, on what, why it failed and, "
    "where\n"
    "there is something to do, what to do.  What follows is the same by its kind: the "
    "codes\n"
    "that functions of the library return (swim_status of h5swim/error.h) and the "
    "exit\n"
    "statuses of the commands.\n"
    "\n"
    "Unless a code says otherwise nothing has changed after a failure.\n"
    "\n"
    "CODES\n";

static const char statuses[] =
    "\n"
    "EXIT STATUSES\n"
    "\n"
    "0      done\n"
    "1      failed: the line says why\n"
    "2      wrong usage, or a job that does not fit its kernel or its data; h5swim "
    "check\n"
    "       JOB.yaml lists all that is wrong with it\n"
    "3      finished, with failed blocks: they keep fill values, and --resume tries "
    "just\n"
    "       those again\n"
    "4      a lock was not had in time: h5swim locks shows who has it\n"
    "5      a file is damaged: h5swim check FILE says what is wrong\n"
    "128+N  ended by signal N; a job goes on with --resume\n"
    "\n"
    "h5swim exec ends with the status of its program, with 126 when that cannot be run "
    "and\n"
    "with 127 when it is not found.\n";

/* Words of text, from column INDENT on; the first line has its head already. */
static void wrap(const char *text, FILE *to)
{
    int column = INDENT;

    while (*text) {
        int length = (int)strcspn(text, " ");
        if (column > INDENT && column + 1 + length > WIDTH) {
            fprintf(to, "\n%*s", INDENT, "");
            column = INDENT;
        }
        column += fprintf(to, "%s%.*s", column > INDENT ? " " : "", length, text);
        text += length;
        text += strspn(text, " ");
    }
    fputc('\n', to);
}

/* The words of a comment, with one blank between them; returns what is behind it. */
static const char *comment_take(const char *at, char text[TEXT_MOST])
{
    const char *end = strstr(at, "*/");
    size_t n = 0;
    bool blank = false;

    for (at += 2; at < end && n + 2 < TEXT_MOST; at++) {
        bool star = *at == '*' && (at[1] == ' ' || at[1] == '\n');
        if (star || *at == ' ' || *at == '\n') {
            blank = true;
            continue;
        }
        if (blank && n)
            text[n++] = ' ';
        blank = false;
        text[n++] = *at;
    }
    text[n] = '\0';
    return end + 2;
}

static void code_print(const char *name, int length, int code, const char *text,
                       FILE *to)
{
    const char *remedy = strstr(text, " Remedy: ");

    fprintf(to, "%-*.*s", INDENT, length, name);
    fprintf(to, "code %d, \"%s\", exit status %d:\n%*s", code, swim_status_name(code),
            run_exit_status(code, 0), INDENT, "");
    char meaning[TEXT_MOST];
    snprintf(meaning, sizeof(meaning), "%.*s",
             remedy ? (int)(remedy - text) : (int)strlen(text), text);
    wrap(meaning, to);
    if (remedy) {
        fprintf(to, "%*s", INDENT, "");
        wrap(remedy + 1, to);
    }
}

void errors_print(FILE *to)
{
    const char *at = strstr(text_error_h, "enum swim_status {");
    const char *end = strstr(at, "};");
    char text[TEXT_MOST];

    fputs(intro, to);
    for (at = strstr(at, "/*"); at && at < end; at = strstr(at, "/*")) {
        at = comment_take(at, text);
        at += strspn(at, " \n");
        int length = (int)strcspn(at, " ");
        int code = atoi(at + length + strcspn(at + length, "-"));
        fputc('\n', to);
        code_print(at, length, code, text, to);
    }
    fputs(statuses, to);
}
