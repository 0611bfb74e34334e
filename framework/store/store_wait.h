/* store_wait.h - what the environment says where a program's options do not. */
#ifndef SWIM_STORE_WAIT_H
#define SWIM_STORE_WAIT_H

#include <stdbool.h>
#include <stdint.h>

#include <h5swim/error.h>

/* given, as in swim_store_options, or what $SWIM_WAIT says, in seconds, when it is 0:
 * as in swim_lock_options.  SWIM_ERR_ARG: $SWIM_WAIT is no number of seconds. */
int store_wait_ms(int64_t given, int64_t *wait_ms, swim_error_t *err);

/* Whether commits are to be on the disk: not when `none` is given, and when it is not
 * as $SWIM_SYNC says, commit or none.  SWIM_ERR_ARG: it says something else. */
int store_sync(bool none, bool *sync, swim_error_t *err);

#endif /* SWIM_STORE_WAIT_H */
