/* metrics.h - what the files of "h5swim metrics" share. */
#ifndef SWIM_CLI_METRICS_H
#define SWIM_CLI_METRICS_H

#include <stdio.h>

#include "cli/census.h"

/* What was found; of a server that was not reached server is NULL, and so is the rest.
 */
struct metrics {
    const char *server; /* without password */
    struct inspect_facts facts;
    const struct inspection *seen;
    const struct census *census;
};

/* The text format of Prometheus, version 0.0.4.  Names of others are shown as on a
 * terminal that knows UTF-8, whatever the locale, so that a series keeps its name. */
void metrics_write(FILE *to, const struct metrics *m);

#endif /* SWIM_CLI_METRICS_H */
