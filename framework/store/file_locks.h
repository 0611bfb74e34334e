/* file_locks.h - flock(2): where it works, and who is in the way. */
#ifndef SWIM_STORE_FILE_LOCKS_H
#define SWIM_STORE_FILE_LOCKS_H

#include <stdbool.h>
#include <stddef.h>

/* Whether flock works where path is, and is wanted: HDF5_USE_FILE_LOCKING is neither
 * FALSE nor 0, as for HDF5.  Where there is no such file its directory tells. */
bool file_locks_work(const char *path);

/* "process 123 (python3)", with ", which is stopped," when a signal has stopped it: who
 * has a lock on the file, into text; false: not known. */
bool file_locks_holder(const char *path, char *text, size_t size);

#endif /* SWIM_STORE_FILE_LOCKS_H */
