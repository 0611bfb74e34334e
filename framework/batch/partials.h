/* partials.h - the accumulators of a reduce, kept beside the first output until they
 * are merged: FILE.h5swim-partials, one place of acc_bytes for each block, by block
 * number. Temporary, in the byte order of the machine; made and removed by rank 0. */
#ifndef SWIM_BATCH_PARTIALS_H
#define SWIM_BATCH_PARTIALS_H

#include <stddef.h>
#include <stdint.h>

#include <h5swim/error.h>

void partials_path(const char *output_file, uint64_t run_id, char *path, size_t size);

/* Make it, empty; those of other runs, whose output this run has replaced, are removed.
 */
int partials_create(const char *output_file, uint64_t run_id, swim_error_t *err);
void partials_remove(const char *output_file, uint64_t run_id);

/* A descriptor for reading and writing. */
int partials_open(const char *output_file, uint64_t run_id, int *fd, swim_error_t *err);
int partials_write(int fd, uint64_t block, const void *acc, uint64_t acc_bytes,
                   swim_error_t *err);
int partials_read(int fd, uint64_t block, void *acc, uint64_t acc_bytes,
                  swim_error_t *err);

#endif /* SWIM_BATCH_PARTIALS_H */
