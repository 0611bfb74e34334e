/* vfd_exec.h - what the library gives to the objects that bring the driver to programs
 * that do not know it (framework/exec).
 *
 * Exported, but no part of the public interface: it changes with those objects. */
#ifndef SWIM_STORE_VFD_EXEC_H
#define SWIM_STORE_VFD_EXEC_H

#include <stdbool.h>

#include <h5swim/store.h>

/* The file that the driver's entries on HDF5's error stack name; not __FILE__, a path
 * of the machine where it was built. */
#define SWIM_VFD_FILE "h5swim/store/vfd.c"

/* The driver's id in HDF5; negative: HDF5 could not. */
SWIM_API hid_t swim_vfd_id(void);

/* The driver's H5FD_class_t, for a plug-in. */
SWIM_API const void *swim_vfd_class(void);

/* The driver for files that links lead to, as they inherit it otherwise; negative: HDF5
 * could not. */
SWIM_API herr_t swim_vfd_set_for_links(hid_t fapl);

/* Whether this process has the file open by the driver.  A new one has no name yet that
 * others would find. */
SWIM_API bool swim_vfd_has_open(const char *name);

/* As vfd_take_failure(). */
SWIM_API bool swim_vfd_take_failure(swim_error_t *why);

#endif /* SWIM_STORE_VFD_EXEC_H */
