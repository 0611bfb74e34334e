/* signals_exec.h - signals of a program that knows nothing of h5swim, for the object
 * that brings the driver to it (framework/exec).
 *
 * Exported, but no part of the public interface: it changes with that object. */
#ifndef SWIM_CORE_SIGNALS_EXEC_H
#define SWIM_CORE_SIGNALS_EXEC_H

#include <h5swim/error.h>

/* swim_signals_install() of these signals (enum swim_signals_which), whose default
 * action gives the locks back as it ends the program, and does nothing else than it
 * did: a signal that the program blocks waits until it is unblocked, or taken by
 * sigwait() or signalfd(), and then the thread that it came to does not go on. */
SWIM_API int swim_signals_install_exec(unsigned which, swim_error_t *err);

#endif /* SWIM_CORE_SIGNALS_EXEC_H */
