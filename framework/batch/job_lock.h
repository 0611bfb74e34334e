/* job_lock.h - one job at a time works at an output.
 *
 * WRITE of "job:" and the resource of each output file, held by rank 0 from before the
 * file is looked at to after it is finished.  It does not protect the file (UPDATE of
 * the file does), it makes jobs that want the same output queue: a job that is resumed
 * while an earlier run of it still lives somewhere waits for that.  Files are taken in
 * the order of their names, so two jobs cannot wait for each other. */
#ifndef SWIM_BATCH_JOB_LOCK_H
#define SWIM_BATCH_JOB_LOCK_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include <h5swim/lock.h>

#include "batch/setup.h"

struct job_lock;

/* The resource that is locked for an output file.  Errors as of
 * swim_resource_of_file().
 */
#define JOB_LOCK_NAME_SIZE (PATH_MAX + 8)
int job_lock_name(const char *file, char name[JOB_LOCK_NAME_SIZE], swim_error_t *err);

/* Errors as of swim_lock_acquire(), with the name of the file.  Unless quiet, whom it
 * waits for is said on stderr; else a little after it was asked by SIGUSR1. */
int job_lock_take(const struct setup *setup, swim_session_t *session, int64_t wait_ms,
                  bool quiet, struct job_lock **out, swim_error_t *err);

/* SWIM_ERR_LOST: the lease has ended, another job may be at the outputs. */
int job_lock_check(const struct job_lock *lock, swim_error_t *err);

/* Accepts NULL. */
void job_lock_release(struct job_lock *lock);

#endif /* SWIM_BATCH_JOB_LOCK_H */
