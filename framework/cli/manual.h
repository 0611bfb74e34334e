/* manual.h - the manual pages, made of the help texts and the topics. */
#ifndef SWIM_CLI_MANUAL_H
#define SWIM_CLI_MANUAL_H

#include <stdio.h>

#include <h5swim/error.h>

/* Of one page: its name in capitals, h5swim-NAME, section, and what it is in few words.
 */
struct manual_page {
    const char *name; /* "h5swim-run" */
    int section;
    const char *summary;
    const char *synopsis; /* lines; NULL: the text begins with "Usage:" */
};

/* The start of a page, and the section that it ends with. */
void roff_begin(const struct manual_page *page, FILE *to);
void roff_end(const struct manual_page *page, FILE *to);

/* A text (topics.h, command.h) in man(7). */
void roff_text(const char *text, FILE *to);

/* Write all pages, DIR/man/manN/NAME.N, and the completions, DIR/completion/bash/h5swim
 * and DIR/completion/zsh/_h5swim; folders are made.  Errors: SWIM_ERR_IO,
 * SWIM_ERR_NOMEM.
 */
int manual_write(const char *dir, swim_error_t *err);

#endif /* SWIM_CLI_MANUAL_H */
