/* locks.h - what the files of "h5swim locks" share. */
#ifndef SWIM_CLI_LOCKS_H
#define SWIM_CLI_LOCKS_H

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

/* The table: all of it, or what one session has a part in (its id; NULL: all). */
void locks_show(FILE *to, const struct inspection *seen, const char *id);
void locks_show_sessions(FILE *to, const struct inspection *seen);
/* "2 resources, 3 held, 1 waiting, 4 sessions at unix:///..." */
void locks_show_sum(FILE *to, const struct inspection *seen, const char *server);

/* Both NULL: no server runs. */
int locks_json(const struct inspection *seen, const char *server, bool all_sessions);
int locks_json_break(const char *id, const char *result, int64_t left_ms);

/* inspector NULL: no server runs. */
int locks_break(struct inspector *inspector, const struct locks_options *options);

#endif /* SWIM_CLI_LOCKS_H */
