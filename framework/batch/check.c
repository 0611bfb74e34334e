/* check.c - is a job right, and does it fit its kernel, its data and this machine. */
#include "batch/check.h"

#include <stdio.h>

#include "batch/outputs.h"
#include "batch/region.h"
#include "batch/worker.h"
#include "core/signals.h"

/* What is there by the names of the outputs.  Only run's options say what is to become
 * of it: without them it is no error yet. */
static int check_existing(const struct check_options *options, struct setup *setup,
                          const struct setup_access *access, swim_error_t *err)
{
    const struct job *job = setup->job;
    char mark[REGION_MARK_SIZE];
    struct outputs outputs = {.setup = setup,
                              .access = access->store,
                              .mark = mark,
                              .overwrite = options->overwrite,
                              .resume = options->resume};
    enum outputs_begun how;

    snprintf(mark, sizeof(mark), "%016llx-%016llx", (unsigned long long)setup->digest,
             0ULL);
    int rc = outputs_check(&outputs, &how, err);
    if (rc == SWIM_ERR_ARG && !options->overwrite && !options->resume) {
        problems_warn(job->problems, &job->outputs_place, "%s", err->text);
        swim_error_clear(err);
        return SWIM_OK;
    }
    return setup_goes_on(setup, &job->outputs_place, rc, err);
}

int check_job(const struct check_options *options, struct problems *problems,
              swim_error_t *err)
{
    swim_session_t *session = NULL;
    struct setup *setup = NULL;
    struct job *job = NULL;

    store_quiet();
    int rc = swim_signals_install_command(SWIM_SIGNALS_GRACE_MS, err);
    if (rc == SWIM_OK)
        rc = job_check(options->sets, options->n_sets, problems, &job, err);
    if (rc == SWIM_OK && job) {
        const struct worker worker = {.job = job, .url = options->url};
        rc = problems_take(problems, NULL, worker_session_open(&worker, &session, err),
                           err);
    }
    const struct setup_access access = {
        .store = {.session = session, .wait_ms = options->wait_ms}};
    if (rc == SWIM_OK && job)
        rc = setup_check(job, &access, &setup, err);
    if (rc == SWIM_OK && setup) {
        setup_advise(setup);
        rc = check_existing(options, setup, &access, err);
    }
    setup_destroy(setup);
    swim_session_close(session);
    job_destroy(job);
    problems_sort(problems);
    return rc;
}
