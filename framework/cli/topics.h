/* topics.h - what h5swim help explains besides the commands, and the manual has as
 * pages.
 *
 * All texts are plain: paragraphs with empty lines between them, headings in capitals,
 * lists of "word  what it is" whose text goes on further to the right, and lines with
 * four blanks before them that stay as they are.  manual_roff.c knows these forms. */
#ifndef SWIM_CLI_TOPICS_H
#define SWIM_CLI_TOPICS_H

#include <stddef.h>
#include <stdio.h>

struct topic {
    const char *name;
    int section; /* of the manual: h5swim-NAME(SECTION) */
    const char *summary;
    const char *text;        /* plain, or NULL: it is made of ... */
    const char *header;      /* ... a public header, h5swim/NAME.h; */
    void (*print)(FILE *to); /* ... or by this */
};

extern const struct topic topics[];
extern const size_t n_topics;

const struct topic *topic_find(const char *name);

/* Its text, ended by a line. */
void topic_print(const struct topic *topic, FILE *to);

/* A public header as such a text: each declaration, then what it says of it. */
void header_print(const char *header, FILE *to);

/* The table of all error codes, from h5swim/error.h. */
void errors_print(FILE *to);

#endif /* SWIM_CLI_TOPICS_H */
