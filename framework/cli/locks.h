/* locks.h - what the files of "h5swim locks" share. */
#ifndef SWIM_CLI_LOCKS_H
#define SWIM_CLI_LOCKS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "lock/inspect.h"

/* Of the JSON output; grows when a field changes its meaning. */
#define LOCKS_SCHEMA 1

enum { LOCKS_DONE = 0, LOCKS_FAILED = 1, LOCKS_USAGE = 2 };

struct locks_options {
    const char *url;
    const char *session; /* to break; NULL: none */
    const char *const *files;
    size_t n_files;
    bool json, all_sessions, yes, quiet;
};

/* Print the reason and return LOCKS_FAILED. */
int locks_fail(const swim_error_t *err);

const char *locks_mode(enum swim_lock_mode mode);

/* "1.5 s", "3 h", ...; "-": not known. */
const char *locks_time(int64_t ms, char *buf, size_t size);

/* What is to be known of a session besides that it lives: "dead", "broken", "". */
const char *locks_note(const struct inspect_session *session);

/* The table: all of it, or what one session has a part in (its id; NULL: all). */
void locks_show(FILE *to, const struct inspection *seen, const char *id);
void locks_show_sessions(FILE *to, const struct inspection *seen);
/* "2 resources, 3 held, 1 waiting, 4 sessions at unix:///..." */
void locks_show_sum(FILE *to, const struct inspection *seen, const char *server);

/* The object that locks_json() prints; new, NULL: no memory. */
json_t *locks_json_object(const struct inspection *seen, const char *server,
                          bool all_sessions);
/* A text that others have chosen: see the top of locks_json.c. */
void locks_json_text(json_t *object, const char *key, const char *text);
/* -1 stands for what is not known: null. */
void locks_json_number(json_t *object, const char *key, int64_t value);

/* Both NULL: no server runs. */
int locks_json(const struct inspection *seen, const char *server, bool all_sessions);
int locks_json_break(const char *id, const char *result, int64_t left_ms);

/* inspector NULL: no server runs. */
int locks_break(struct inspector *inspector, const struct locks_options *options);

#endif /* SWIM_CLI_LOCKS_H */
