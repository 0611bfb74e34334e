/* signals.h - leaving cleanly on SIGTERM, SIGINT and SIGHUP.
 *
 * One thread of the process waits for the three signals, which are blocked everywhere
 * else.  On the first one it makes swim_signals_pending() say so and gives the rest of
 * the process a time of grace to leave by itself.  When that has passed, or a second
 * signal comes (not one that the parent passes on), a child is forked, the process ends
 * at once with status 128 + N, and the child, having seen it dead, runs the leave
 * hooks: nothing of the process can still write when its locks are given away.
 *
 * Threads: install before the first other thread starts, so that all inherit the mask.
 * Fork:    a child starts with nothing installed, no hooks and the signals blocked; it
 *          installs for itself, or calls swim_signals_unblock() before exec. */
#ifndef SWIM_CORE_SIGNALS_H
#define SWIM_CORE_SIGNALS_H

#include <h5swim/error.h>

#define SWIM_SIGNALS_GRACE_MS 50

/* Block the signals and start the thread.  Twice is once; the later grace counts. */
int swim_signals_install(int grace_ms, swim_error_t *err);

/* The signal that asked this process to leave, 0 when none did. */
int swim_signals_pending(void);

/* Readable from the first signal on, for poll(); -1 when nothing is installed. */
int swim_signals_fd(void);

/* Behave as if the signal had come (a parent or another rank asks to stop). */
void swim_signals_raise(int signo);

/* SWIM_ERR_CANCELLED with a text when a signal is pending, else SWIM_OK. */
int swim_signals_check(const char *what, swim_error_t *err);

/* Unblock the three signals and set their default action: before exec. */
void swim_signals_unblock(void);

/* Run fn(arg) in the forked child once the process is dead; only async-signal-safe
 * calls are allowed in it, and it should need no longer than 200 ms.
 * Returns a number for swim_signals_drop(), or -1 when there is no room. */
int swim_signals_on_leave(void (*fn)(void *arg), void *arg);
void swim_signals_drop(int hook);

#endif /* SWIM_CORE_SIGNALS_H */
