/* exit_status.h - whether the process is leaving, and how.
 *
 * HDF5 closes what is open in a handler of exit(), which does not know the status: the
 * handler here, registered later, runs before it. */
#ifndef SWIM_STORE_EXIT_STATUS_H
#define SWIM_STORE_EXIT_STATUS_H

#include <stdbool.h>

#define EXIT_STATUS_NONE (-1)

/* Be told: call it once HDF5 is in use.  at_exit(status) runs in exit(). */
void exit_status_watch(void (*at_exit)(int status));

/* The status that exit() was called with; EXIT_STATUS_NONE before. */
int exit_status_now(void);

/* An interpreter is taking itself apart and closes what its program left open, before
 * it calls exit(): the status is not known yet. */
bool exit_status_is_near(void);

/* What is to be committed while the process leaves is not: its status will be 1, not 0.
 * Before that it does nothing: the program is told, and decides. */
void exit_status_spoil(void);

#endif /* SWIM_STORE_EXIT_STATUS_H */
