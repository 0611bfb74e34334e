/* run.c - running a job: who takes part, and what it comes to. */
#include "batch/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "batch/report.h"
#include "batch/worker.h"
#include "core/signals.h"

int run_exit_status(int code, int signo)
{
    if (signo)
        return 128 + signo;
    switch (code) {
    case SWIM_OK:
        return 0;
    case SWIM_ERR_ARG:
    case SWIM_ERR_ABI:
        return 2;
    case SWIM_ERR_TIMEOUT:
        return 4;
    case SWIM_ERR_CORRUPT:
        return 5;
    default:
        return 1;
    }
}

static int show_plan(const struct run_options *options, const struct job *job,
                     uint32_t n_ranks, swim_error_t *err)
{
    const struct worker worker = {.job = job, .url = options->url};
    uint32_t n_readers = options->n_readers;
    swim_session_t *session = NULL;
    struct setup *setup = NULL;

    if (link_mpi_rank() != 0) /* one of those that a launcher started shows it */
        return SWIM_OK;
    if (n_readers == 0)
        n_readers = run_processors() > n_ranks ? run_processors() / n_ranks : 1;
    store_quiet();
    int rc = swim_signals_install_command(SWIM_SIGNALS_GRACE_MS, err);
    if (rc == SWIM_OK)
        rc = worker_session_open(&worker, &session, err);
    const struct setup_access access = {.store = {.session = session,
                                                  .wait_ms = options->wait_ms,
                                                  .tells = run_tells(options)}};
    if (rc == SWIM_OK)
        rc = setup_create(job, &access, &setup, err);
    uint32_t slots_each = 1;
    if (rc == SWIM_OK)
        rc = setup_divide_memory(setup, &n_readers, options->n_readers == 0,
                                 &slots_each, err);
    if (rc == SWIM_OK && job->follow)
        setup_take_rows(setup, setup->rows);
    if (rc == SWIM_OK)
        rc = report_plan(options, job, setup, n_ranks, n_readers, slots_each, err);
    setup_destroy(setup);
    swim_session_close(session);
    return rc;
}

static int check_ranks(const struct run_options *options, uint32_t launched,
                       swim_error_t *err)
{
    if (launched && options->n_ranks && options->n_ranks != launched)
        return swim_error_set(
            err, SWIM_ERR_ARG,
            "-n %u under a launcher that started %u ranks: leave -n away",
            options->n_ranks, launched);
    return SWIM_OK;
}

static int run_loaded(const struct run_options *options, const struct job *job,
                      uint32_t launched, swim_error_t *err)
{
    uint32_t n_ranks = launched ? launched : options->n_ranks ? options->n_ranks : 1;
    int rc = SWIM_OK;

    if (options->join && job->follow)
        rc = swim_error_set(err, SWIM_ERR_ARG,
                            "%s: a job that follows an instrument cannot be joined",
                            job->path);
    if (rc == SWIM_OK && options->dry_run)
        rc = show_plan(options, job, n_ranks, err);
    if (rc != SWIM_OK || options->dry_run)
        return run_exit_status(rc, rc == SWIM_OK ? 0 : swim_signals_pending());
    if (options->join)
        return join_main(options, job);
    return launched ? rank_main(options, job, NULL, link_mpi_rank())
                    : driver_main(options, job, n_ranks);
}

int run_job(const struct run_options *options)
{
    struct job *loaded = NULL;
    swim_error_t err = {0};
    uint32_t launched = options->join ? 0 : link_mpi_ranks();
    int status = 0;

    int rc = check_ranks(options, launched, &err);
    if (rc == SWIM_OK && !options->job)
        rc = job_load(options->job_path, options->sets, options->n_sets, &loaded, &err);
    if (rc == SWIM_OK)
        status =
            run_loaded(options, options->job ? options->job : loaded, launched, &err);
    else
        status = run_exit_status(rc, swim_signals_pending());
    if (err.code != SWIM_OK && link_mpi_rank() == 0)
        fprintf(stderr, "h5swim: %s\n", err.text);
    job_destroy(loaded);
    return status;
}
