/* mem_disk.h - a few small files in memory under struct swim_io, quickly made anew. */
#ifndef SWIM_FUZZ_MEM_DISK_H
#define SWIM_FUZZ_MEM_DISK_H

#include <stdbool.h>

#include "store/io.h"

#define MEM_FILE_MAX (1U << 18) /* beyond it a write fails with EFBIG */

extern const struct swim_io mem_disk_io;

void mem_disk_reset(void);
/* A file of that inode number, which is one that is not taken. */
void mem_disk_put(const char *path, unsigned inode, const void *bytes, size_t size);
/* What is there; NULL: nothing. */
const unsigned char *mem_disk_get(const char *path, size_t *size);

#endif /* SWIM_FUZZ_MEM_DISK_H */
