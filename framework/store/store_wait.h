/* store_wait.h - how long opening a file waits. */
#ifndef SWIM_STORE_WAIT_H
#define SWIM_STORE_WAIT_H

#include <stdint.h>

#include <h5swim/error.h>

/* given, as in swim_store_options, or what $SWIM_WAIT says, in seconds, when it is 0:
 * as in swim_lock_options.  SWIM_ERR_ARG: $SWIM_WAIT is no number of seconds. */
int store_wait_ms(int64_t given, int64_t *wait_ms, swim_error_t *err);

#endif /* SWIM_STORE_WAIT_H */
