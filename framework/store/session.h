/* session.h - the lock that a plain HDF5 session on a file holds. */
#ifndef SWIM_STORE_SESSION_H
#define SWIM_STORE_SESSION_H

#include <h5swim/lock.h>

/* Take the lock of a file by its name (swim_resource_of_file).  What a
 * journal beside it has committed is in the file then; for that WRITE is taken for a
 * moment.  Errors: as swim_lock_acquire(), swim_resource_of_file() and
 * txn_checkpoint(). */
int store_lock_file(swim_session_t *session, const char *file, enum swim_lock_mode mode,
                    int64_t wait_ms, swim_lock_t **out, swim_error_t *err);

#endif /* SWIM_STORE_SESSION_H */
