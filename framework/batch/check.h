/* check.h - is a job right, and does it fit its kernel, its data and this machine. */
#ifndef SWIM_BATCH_CHECK_H
#define SWIM_BATCH_CHECK_H

#include "batch/problems.h"

#include <stdint.h>

struct check_options {
    const char *const *sets; /* "--set" texts */
    size_t n_sets;
    bool overwrite, resume; /* outputs that exist are looked at as run does with these;
                               with neither, they are warned of */
    const char *url;        /* as in struct run_options */
    int64_t wait_ms;
};

/* All that is wrong with the job of problems->path goes into problems.  Inputs are
 * opened for reading, with READ of their locks, and no file is changed; a kernel that
 * is a .c file is compiled into the cache.  Errors: SWIM_ERR_NOMEM, SWIM_ERR_CANCELLED.
 */
int check_job(const struct check_options *options, struct problems *problems,
              swim_error_t *err);

#endif /* SWIM_BATCH_CHECK_H */
