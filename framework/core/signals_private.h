/* signals_private.h - what signals.c, actions.c and guardian.c share. */
#ifndef SWIM_CORE_SIGNALS_PRIVATE_H
#define SWIM_CORE_SIGNALS_PRIVATE_H

#include <signal.h>
#include <stdbool.h>

/* --- actions.c: what the kernel does with a signal, ours before the program's --- */

/* Put our handler before the action that the program has for the signal now.  One that
 * is ignored stays so, unless even_ignored.  Under the caller's mutex. */
void actions_take(int signo, bool even_ignored);

/* Whether system calls go on after the handler of the signal.  Async-signal-safe. */
bool actions_restart(int signo);

/* Put the program's action back, if ours is in place.  Async-signal-safe. */
void actions_give_back(int signo);

/* Whether ours is in place, and whether the program has a handler behind it.
 * Async-signal-safe. */
bool actions_taken(int signo, bool *own_handler);

/* End the process by the default action of the signal.  Returns where the kernel keeps
 * the process alive all the same (process 1 of a container).  Async-signal-safe. */
void actions_die(int signo);

/* --- signals.c --- */

/* A signal was delivered to our handler; own: the program's is called afterwards.
 * False: nothing is installed in this process (it is a child of vfork()). */
bool signals_arrived(int signo, const siginfo_t *info, bool own);

/* --- guardian.c: the child that runs the leave hooks.  All by one thread, which blocks
 * all signals. --- */

/* Fork it when there are hooks and it does not exist, or hooks were added since. */
void guardian_start(void);

/* End it; nothing will be run. */
void guardian_dismiss(void);

#endif /* SWIM_CORE_SIGNALS_PRIVATE_H */
