/* bench_lock.h - what the parts of the lock benchmark share. */
#ifndef SWIM_BENCH_LOCK_H
#define SWIM_BENCH_LOCK_H

#include <stdbool.h>
#include <stdint.h>

#include <h5swim/lock.h>

#include "redis_fixture.h"

#define BENCH_WORKERS_MAX 32

/* What a worker process finds out; in shared memory. */
struct bench_worker {
    uint64_t pairs;
    int64_t longest_ns; /* wait of one acquire */
    int64_t held_ns;    /* all holds together */
    int rc;             /* of the first call that failed */
};

/* Processes that take one lock again and again. */
struct bench_crowd {
    int readers, writers; /* processes */
    int64_t hold_ns, time_ns;
    struct bench_worker *worker; /* readers first */
};

int64_t bench_now_ns(void);

/* Print and end with status 1. */
_Noreturn void bench_fail(const char *what, const char *why);

swim_session_t *bench_session(const char *url, uint32_t lease_ms);
swim_lock_t *bench_take(swim_session_t *session, const char *resource,
                        enum swim_lock_mode mode);
void bench_give(swim_lock_t *lock);

/* Zeroed memory that children share. */
void *bench_shared(size_t size);

/* Sort and take the middle. */
int64_t bench_median(int64_t *values, size_t count);

/* Run the crowd to its end; its workers are filled. */
void bench_crowd_run(struct bench_crowd *crowd, const char *url);
uint64_t bench_crowd_pairs(const struct bench_crowd *crowd, bool readers);
/* How long a hold took, which is longer than it was to be. */
int64_t bench_crowd_hold(const struct bench_crowd *crowd);
int64_t bench_crowd_longest(const struct bench_crowd *crowd, bool readers);

/* Run this process, or the server, on one core; -1: on any. */
void bench_pin(pid_t pid, int core);

/* Processor time of a process so far. */
int64_t bench_cpu_ns(pid_t pid);

#endif /* SWIM_BENCH_LOCK_H */
