/* check_job.h - what h5swim check prints of a job. */
#ifndef SWIM_CLI_CHECK_JOB_H
#define SWIM_CLI_CHECK_JOB_H

#include "batch/run.h"

/* A line for each error and warning on stderr, and how many there are on stdout; or one
 * JSON object.  Of the options it takes those that check_job() has.  Returns an exit
 * status. */
int check_job_print(const char *path, const struct run_options *run);

#endif /* SWIM_CLI_CHECK_JOB_H */
