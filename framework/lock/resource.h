/* resource.h - names of files. */
#ifndef SWIM_LOCK_RESOURCE_H
#define SWIM_LOCK_RESOURCE_H

#include <stddef.h>

#include <h5swim/error.h>

/* The path of a file without symbolic links and "..", absolute.  The file need not
 * exist, its directory must.  SWIM_ERR_IO, SWIM_ERR_ARG (longer than size). */
int resource_real_path(const char *path, char *real, size_t size, swim_error_t *err);

/* swim_resource_of_file() of such a path. */
int resource_of_real_path(const char *real, char *resource, size_t size,
                          swim_error_t *err);

#endif /* SWIM_LOCK_RESOURCE_H */
