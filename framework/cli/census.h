/* census.h - what a lock server knows, added up by session and by job. */
#ifndef SWIM_CLI_CENSUS_H
#define SWIM_CLI_CENSUS_H

#include <stddef.h>
#include <stdint.h>

#include "lock/inspect.h"

#define CENSUS_MODES (SWIM_LOCK_WRITE + 1) /* arrays of modes; [0] is nothing */

struct census_count {
    uint64_t held[CENSUS_MODES], waiting[CENSUS_MODES];
    int64_t longest_wait_ms; /* of those who wait now; 0: nobody does */
};

struct census_session {
    const struct inspect_session *is;
    struct census_count count;
    size_t job; /* its place in jobs */
};

/* The sessions of one user with one job name: a job that runs twice at once is one. */
struct census_job {
    const char *name, *user; /* "": not known */
    uint64_t sessions;
    uint64_t ranks;   /* different ones; 0: its sessions are of no rank */
    uint64_t readers; /* sessions that hold READ */
    int64_t age_ms;   /* of its oldest session; -1: not known */
    struct census_count count;
};

struct census {
    struct census_session *sessions; /* by user, job and rank */
    struct census_job *jobs;         /* by user and name */
    size_t n_sessions, n_jobs;
    struct census_count all;
};

/* What seen holds is used, and must outlive it.  *out is the caller's.
 * Errors: SWIM_ERR_NOMEM. */
int census_take(const struct inspection *seen, struct census **out, swim_error_t *err);
/* Accepts NULL. */
void census_free(struct census *census);

/* The session's entry; NULL: there is none. */
struct census_session *census_find(const struct census *census,
                                   const struct inspect_session *session);

uint64_t census_sum(const uint64_t by_mode[CENSUS_MODES]);

#endif /* SWIM_CLI_CENSUS_H */
