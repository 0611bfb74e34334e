/* runfile_private.h - what the files of runfile.h share. */
#ifndef SWIM_REPORT_RUNFILE_PRIVATE_H
#define SWIM_REPORT_RUNFILE_PRIVATE_H

#include <h5swim/error.h>
#include <jansson.h>

#include "report/runfile.h"

/* SWIM_ERR_ARG: the file is no record, with the reason in the words of fmt. */
int runfile_refuse(swim_error_t *err, const char *file, const char *fmt, ...)
    SWIM_PRINTF(3, 4);

/* Schema, version, and the members of all but the tables, with their types. */
int runfile_check(const json_t *root, const char *file, swim_error_t *err);

/* The spans as parts of which no two of a process overlap, by process and start: where
 * several do, it is at what began last.  Errors: SWIM_ERR_NOMEM. */
int runfile_flatten(struct runfile_table *spans, const char *file, swim_error_t *err);

#endif /* SWIM_REPORT_RUNFILE_PRIVATE_H */
