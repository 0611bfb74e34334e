/* vfd.h - the HDF5 virtual file driver over openfile.h.
 *
 * Includes hdf5.h. */
#ifndef SWIM_STORE_VFD_H
#define SWIM_STORE_VFD_H

#include <stdbool.h>

#include <h5swim/store.h>

#include "store/openfile.h"

/* The options in a file access property list: no pointers to others' memory. */
struct vfd_info {
    int64_t wait_ms;
    swim_session_t *session;
    bool no_sync, read_only, at_snapshot;
    bool inherited; /* of a file that is open: HDF5 follows a link of it */
    bool quiet;     /* nothing is said on stderr while it waits */
    struct txn_snapshot snapshot;
};

/* The driver; registered when it is not, or not any more.  Negative: HDF5 could not. */
hid_t vfd_id(void);

/* The driver's H5FD_class_t. */
const void *vfd_class_get(void);

/* The open file of what H5Fget_vfd_handle() gave; NULL: it is another driver's. */
struct openfile *vfd_file_of_handle(const void *handle);

/* A close that could not commit is told here, too, and forgotten: HDF5 must not know.
 * true: there was one, whose text is in *why. */
bool vfd_take_failure(swim_error_t *why);

/* The code of what a call of the driver failed with last, in this thread, and
 * forgotten; SWIM_OK: none did. */
int vfd_take_code(void);

/* For tests: the calls of the system that files opened from here on make, and the boot
 * id of the host; NULL: the system's own. */
void vfd_use_io(const struct swim_io *io, const unsigned char *boot);

/* Those, for who opens files beside the driver. */
void vfd_set_io(struct openfile_options *opt);

#endif /* SWIM_STORE_VFD_H */
