/* superblock.h - where an HDF5 file begins, and who has it open according to itself.
 *
 * HDF5 File Format Specification, version 3.0, II.A "Disk Format: Level 0A": from
 * version 3 on the superblock says whether a writer has the file open, and HDF5 refuses
 * to open one that says so.  A committed state must not. */
#ifndef SWIM_STORE_SUPERBLOCK_H
#define SWIM_STORE_SUPERBLOCK_H

#include <stddef.h>
#include <stdint.h>

#include <h5swim/error.h>

#define SUPERBLOCK_WRITER 1U /* status flags */
#define SUPERBLOCK_SWMR 4U

#define SUPERBLOCK_MAX 48 /* bytes of a version 3 one with 8-byte addresses */

/* What is at place; less than size only behind the end, where bytes are zero. */
typedef int superblock_read_fn(void *arg, void *bytes, size_t size, uint64_t place,
                               swim_error_t *err);

struct superblock {
    uint64_t base; /* where it is */
    unsigned version;
    size_t size;    /* of bytes, for version 3; else 0 */
    unsigned flags; /* of version 3; else 0 */
    unsigned char bytes[SUPERBLOCK_MAX];
};

/* Find it in a file of end bytes, behind a user block of 0, 512, 1024, 2048, ... bytes.
 * version UINT_MAX: there is none. */
int superblock_find(superblock_read_fn *read, void *arg, uint64_t end,
                    struct superblock *found, swim_error_t *err);

/* The bytes of a version 3 one without status flags. */
void superblock_clear_flags(struct superblock *superblock);

#endif /* SWIM_STORE_SUPERBLOCK_H */
