/* victim.h - a process of its own that a test sends signals to. */
#ifndef SWIM_VICTIM_H
#define SWIM_VICTIM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Shared with the test.  The process has made itself ready, then does what the test
 * is about and counts what it sees. */
struct victim {
    pid_t pid;
    const void *scene; /* the test's, as it was at the start */
    atomic_int ready;
    atomic_int calls[4];   /* of handlers */
    atomic_int order;      /* the calls as digits, first one first */
    atomic_long values[4]; /* whatever is to be compared */
    atomic_int hook_ran;
    atomic_long writes, writes_at_hook;
};

/* NULL: no memory. */
struct victim *victim_create(void);
/* Also kills it, if it lives. */
void victim_destroy(struct victim *v);

/* Fork it, with default actions and no signal blocked: it runs main, and must call
 * victim_ready().  0 when it has, -1 when it died before or has not within 10 s. */
int victim_start(struct victim *v, void (*main)(struct victim *), const void *scene);
void victim_ready(struct victim *v);

/* In it: swim_signals_install(), or an end with status 98. */
void victim_install(uint32_t grace_ms, uint32_t which, uint32_t flags);

/* Its wait status; -1 when it lives on for 10 s. */
int victim_reap(struct victim *v);
/* The same: the signal that ended it, its exit status; -1 when that is not how. */
int victim_killed_by(struct victim *v);
int victim_exit_status(struct victim *v);
/* Whether it is still there after 100 ms. */
bool victim_lives(const struct victim *v);

/* Signal it again and again until it is gone, or 10 s have passed: a signal that comes
 * before the last one was seen is none. */
void victim_signal_until_gone(const struct victim *v, int signo);

/* Whether the value gets there within 10 s. */
bool victim_reaches(const atomic_int *value, int least);

/* A leave hook for swim_signals_on_leave(): it notes how many writes there were. */
void victim_hook(void *v);

/* Write until the end of the process. */
_Noreturn void victim_write(struct victim *v);

/* The same in another thread; arg is the victim. */
void *victim_writer(void *arg);

#endif /* SWIM_VICTIM_H */
