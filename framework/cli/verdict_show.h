/* verdict_show.h - a verdict on a file, for people and for programs. */
#ifndef SWIM_CLI_VERDICT_SHOW_H
#define SWIM_CLI_VERDICT_SHOW_H

#include "store/verdict.h"

#define VERDICT_SCHEMA 1

enum { VERDICT_DONE = 0, VERDICT_FAILED = 1, VERDICT_USAGE = 2, VERDICT_BUSY = 4 };

/* Look at the file of that name, as it was given.  Errors: verdict_open(). */
int verdict_of(const char *file, struct verdict **out, swim_error_t *err);

/* The same, and at its shards. */
int verdict_with_shards(const char *file, struct verdict **out, swim_error_t *err);

/* A headline and facts; with plans also what recovery would do. */
void verdict_show(const struct verdict *verdict, bool plans);
/* SWIM_OK unless the output cannot be written. */
int verdict_json(const struct verdict *verdict);

/* The exit status that a verdict means. */
int verdict_status(const struct verdict *verdict);

/* Write the error, as of a command, and give its exit status. */
int verdict_fail(const char *command, const swim_error_t *err);

/* The one file that a command's arguments name; NULL: they do not, and it was said. */
const char *verdict_file(const char *command, int argc, char **argv, int at);

#endif /* SWIM_CLI_VERDICT_SHOW_H */
