/* session.c - the lock that a plain HDF5 session on a file holds. */
#include "store/session.h"

#include <limits.h>

int store_lock_file(swim_session_t *session, const char *file, enum swim_lock_mode mode,
                    int64_t wait_ms, swim_lock_t **out, swim_error_t *err)
{
    const struct swim_lock_options opt = {.struct_size = sizeof(opt),
                                          .wait_ms = wait_ms};
    char resource[PATH_MAX];

    *out = NULL;
    int rc = swim_resource_of_file(file, resource, sizeof(resource), err);
    if (rc == SWIM_OK)
        rc = swim_lock_acquire(session, resource, mode, &opt, out, err);
    return rc;
}
