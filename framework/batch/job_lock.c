/* job_lock.c - one job at a time works at an output. */
#include "batch/job_lock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "batch/state.h"

struct job_lock {
    uint32_t n, n_held;
    char (*names)[JOB_LOCK_NAME_SIZE];
    swim_lock_t **held;
};

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

int job_lock_name(const char *file, char name[JOB_LOCK_NAME_SIZE], swim_error_t *err)
{
    char resource[PATH_MAX];
    int rc = swim_resource_of_file(file, resource, sizeof(resource), err);

    if (rc == SWIM_OK)
        snprintf(name, JOB_LOCK_NAME_SIZE, "job:%s", resource);
    return rc;
}

/* The names of the resources, each once. */
static int list_names(const struct setup *setup, struct job_lock *lock,
                      swim_error_t *err)
{
    for (uint32_t i = 0; i < setup->n_outputs; i++) {
        int rc = job_lock_name(setup->outputs[i].spec.file, lock->names[i], err);
        if (rc != SWIM_OK)
            return rc;
    }
    qsort(lock->names, setup->n_outputs, sizeof(*lock->names), by_name);
    for (uint32_t i = 0; i < setup->n_outputs; i++)
        if (i == 0 || strcmp(lock->names[lock->n - 1], lock->names[i]) != 0)
            memmove(lock->names[lock->n++], lock->names[i], sizeof(*lock->names));
    return SWIM_OK;
}

/* Also when that is quiet, if somebody asks. */
static void say_whom(void *arg, const char *text)
{
    const bool *quiet = arg;
    bool asked = state_asked();

    if (*quiet && !asked)
        return;
    fprintf(stderr, "h5swim: another job is at the output: %s\n", text);
}

static int take_all(struct job_lock *lock, swim_session_t *session, int64_t wait_ms,
                    bool quiet, swim_error_t *err)
{
    const struct swim_lock_options opt = {
        .struct_size = sizeof(opt),
        .wait_ms = wait_ms,
        .progress = say_whom,
        .progress_arg = &quiet,
    };

    for (; lock->n_held < lock->n; lock->n_held++) {
        swim_error_t why = {0};
        int rc = swim_lock_acquire(session, lock->names[lock->n_held], SWIM_LOCK_WRITE,
                                   &opt, &lock->held[lock->n_held], &why);
        if (rc == SWIM_ERR_TIMEOUT)
            return swim_error_set(err, rc,
                                  "another job is at the output %s: %s; --wait SECONDS "
                                  "waits longer for it",
                                  lock->names[lock->n_held] + strlen("job:"), why.text);
        if (rc != SWIM_OK)
            return swim_error_set(err, rc, "%s", why.text);
    }
    return SWIM_OK;
}

int job_lock_take(const struct setup *setup, swim_session_t *session, int64_t wait_ms,
                  bool quiet, struct job_lock **out, swim_error_t *err)
{
    struct job_lock *lock = calloc(1, sizeof(*lock));

    *out = NULL;
    if (!lock)
        return swim_error_set(err, SWIM_ERR_NOMEM, "lock of the outputs");
    lock->names = calloc(setup->n_outputs, sizeof(*lock->names));
    lock->held = calloc(setup->n_outputs, sizeof(*lock->held));
    if (!lock->names || !lock->held) {
        job_lock_release(lock);
        return swim_error_set(err, SWIM_ERR_NOMEM, "lock of the outputs");
    }
    int rc = list_names(setup, lock, err);
    if (rc == SWIM_OK)
        rc = take_all(lock, session, wait_ms, quiet, err);
    if (rc != SWIM_OK) {
        job_lock_release(lock);
        return rc;
    }
    *out = lock;
    return SWIM_OK;
}

int job_lock_check(const struct job_lock *lock, swim_error_t *err)
{
    int rc = SWIM_OK;

    for (uint32_t i = 0; rc == SWIM_OK && i < lock->n_held; i++)
        rc = swim_lock_check(lock->held[i], 0, err);
    return rc;
}

void job_lock_release(struct job_lock *lock)
{
    if (!lock)
        return;
    while (lock->held && lock->n_held > 0)
        (void)swim_lock_release(lock->held[--lock->n_held], NULL);
    free(lock->held);
    free(lock->names);
    free(lock);
}
