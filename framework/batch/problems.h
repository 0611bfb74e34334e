/* problems.h - all that is wrong with a job, at once.
 *
 * A job that is run ends with its first error.  One that is checked (job_check(),
 * setup_check()) has a list: what finds an error puts it there and goes on with the
 * rest, as far as that has a meaning. */
#ifndef SWIM_BATCH_PROBLEMS_H
#define SWIM_BATCH_PROBLEMS_H

#include <stdbool.h>
#include <stddef.h>

#include <h5swim/error.h>

#define JOB_NAME_MOST 200 /* of the name of a job file in a place: the end of it */

/* "FILE:LINE:COLUMN" for messages; of a --set: "--set a.b=value". */
struct job_place {
    char text[256];
};

/* That of a --set. */
void job_place_set(const char *set, struct job_place *place);

struct problem {
    bool warning;
    struct job_place place;
    char *text;
};

struct problems {
    const char *path;        /* of the job file */
    const char *const *sets; /* "--set" texts that were put over it */
    size_t n_sets;
    struct problem *list;
    size_t n, n_errors;
};

/* What err says becomes an error of the list, err is empty again, and SWIM_OK is
 * returned: go on.  Its place is that which the text begins with, else place; NULL: the
 * beginning of the file.  rc is returned as it is where problems is NULL, and for
 * errors that are none of the job: no memory, asked to stop. */
int problems_take(struct problems *problems, const struct job_place *place, int rc,
                  swim_error_t *err);

/* What may well be meant, and most often is not. */
void problems_warn(struct problems *problems, const struct job_place *place,
                   const char *fmt, ...) SWIM_PRINTF(3, 4);

/* By their places in the file. */
void problems_sort(struct problems *problems);

/* The line and the column of a place; false: it is none of the job file's. */
bool problem_place(const struct problem *problem, unsigned *line, unsigned *column);

void problems_clear(struct problems *problems);

#endif /* SWIM_BATCH_PROBLEMS_H */
