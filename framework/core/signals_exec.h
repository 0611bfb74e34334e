/* signals_exec.h - signals of a program that knows nothing of h5swim, for the object
 * that brings the driver to it (framework/exec).
 *
 * Exported, but no part of the public interface: it changes with that object. */
#ifndef SWIM_CORE_SIGNALS_EXEC_H
#define SWIM_CORE_SIGNALS_EXEC_H

#include <h5swim/error.h>

/* swim_signals_install() for such a program, unless it has done so itself.
 *
 * The default action gives the locks back as it ends the program, and does nothing else
 * than it did: a signal that the program blocks waits until it is unblocked, or taken
 * by sigwait() or signalfd(), and then the thread that it came to does not go on.
 *
 * A signal that the program handles is none of h5swim's business but in a call that
 * waits, see below.  Then it ends the wait as it would that of a system call: not if
 * the handler has SA_RESTART, but SIGINT (Ctrl-C) always. */
SWIM_API int swim_signals_install_exec(swim_error_t *err);

/* A call of the program begins, or ends, that may wait for a lock: in it a handled
 * signal is pending.  The first one takes in handlers that the program has installed
 * since.  Any number of threads at once; not in signal handlers. */
SWIM_API void swim_signals_exec_begin(void);
SWIM_API void swim_signals_exec_end(void);

#endif /* SWIM_CORE_SIGNALS_EXEC_H */
