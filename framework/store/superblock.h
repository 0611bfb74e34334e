/* superblock.h - whether bytes begin as a whole HDF5 file does.
 *
 * The superblock alone is looked at, not what it leads to: that is enough to tell
 * whether H5Fopen() takes the file.  HDF5 itself is not asked, because it reads a name,
 * not a state under a journal, and locks the file. */
#ifndef SWIM_STORE_SUPERBLOCK_H
#define SWIM_STORE_SUPERBLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <h5swim/error.h>

enum superblock_is { SUPERBLOCK_NONE, SUPERBLOCK_DAMAGED, SUPERBLOCK_WHOLE };

struct superblock {
    enum superblock_is is;
    unsigned version;
    uint64_t at;       /* in the file: the size of the user block */
    uint64_t ends;     /* the size that the file must have at least */
    bool marked;       /* as open for writing: h5clear -s takes the mark away */
    bool is_a_part;    /* of a file of several: its own size says nothing */
    char problem[160]; /* when it is damaged */
};

/* Read size bytes at place, *got of them at its end. */
typedef int superblock_read_fn(void *arg, void *bytes, size_t size, uint64_t place,
                               size_t *got, swim_error_t *err);

/* Of a file of that size.  Errors: those of read. */
int superblock_look(superblock_read_fn *read, void *arg, uint64_t size,
                    struct superblock *superblock, swim_error_t *err);

/* Take the mark away from the bytes of a whole superblock, of which there are at least
 * SUPERBLOCK_MARKED, or all that the file has; how many bytes it has, 0: it has none.
 */
#define SUPERBLOCK_MARKED 48
size_t superblock_unmark(const struct superblock *superblock, unsigned char *bytes);

#endif /* SWIM_STORE_SUPERBLOCK_H */
