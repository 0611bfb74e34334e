/* signals.h - leaving on signals: what h5swim's own layers use beside h5swim/signals.h.
 *
 * At the first signal a child is forked; the process ends by itself or at the end of
 * its grace; and the child, having seen it dead, runs the leave hooks: nothing of the
 * process can still write when its locks are given away. */
#ifndef SWIM_CORE_SIGNALS_H
#define SWIM_CORE_SIGNALS_H

#include <stdatomic.h>

#include <h5swim/signals.h>

#define SWIM_SIGNALS_GRACE_MS 50

/* swim_signals_install() for a process of h5swim: the signals are blocked in this
 * thread and in all that it starts, so that none interrupts HDF5 or a kernel; SIGTERM
 * and SIGINT count even if they were ignored; SIGXFSZ is ignored; it ends with status
 * 128 + N; the parent's signals are passed on ones.  Install before the first other
 * thread starts. A child starts with the signals blocked: it installs for itself, or
 * calls swim_signals_unblock() before exec. */
int swim_signals_install_command(uint32_t grace_ms, swim_error_t *err);

/* Behave as if the signal had come (a parent or another rank asks to stop). */
void swim_signals_raise(int signo);

/* *where, which may be shared memory, becomes the signal before the process leaves for
 * one: a program in it that calls exit(143) by itself is told from that.  Call it
 * before the signals are installed. */
void swim_signals_tell(atomic_int *where);

/* SWIM_ERR_CANCELLED with a text when a signal is pending, else SWIM_OK. */
int swim_signals_check(const char *what, swim_error_t *err);

/* Take in the handlers that the program has installed since; not for signal handlers.
 */
void swim_signals_take_in(void);

/* Unblock the three signals and set their default action: before exec. */
void swim_signals_unblock(void);

/* Run fn(arg) in the forked child once the process is dead; only async-signal-safe
 * calls are allowed in it, and it should need no longer than 200 ms.
 * Returns a number for swim_signals_drop(), or -1 when there is no room.  A hook that
 * is dropped after the first signal may run all the same, on the memory as it was then.
 */
int swim_signals_on_leave(void (*fn)(void *arg), void *arg);
void swim_signals_drop(int hook);

#endif /* SWIM_CORE_SIGNALS_H */
