/* journal_first.c - what tells that a program without h5swim has written to the file.
 *
 * HDF5 changes the superblock whenever it makes a file longer, and from version 3 on
 * whenever it opens one to write.  It lies in the first bytes, or behind a user block
 * of any size. */
#include "journal.h"
#include "superblock.h"

static int read_file(void *arg, void *bytes, size_t size, uint64_t place, size_t *got,
                     swim_error_t *err)
{
    return io_read(arg, bytes, size, place, got, err);
}

int journal_first_of(const struct io_file *file, uint64_t end, uint64_t seed,
                     uint64_t *sum, swim_error_t *err)
{
    struct io_file like = *file;
    struct superblock s;

    int rc = superblock_look(read_file, &like, end, &s, err);
    if (rc == SWIM_OK)
        rc = journal_sum_of(file, 0, JOURNAL_FIRST, end, seed, sum, err);
    if (rc == SWIM_OK && s.at >= JOURNAL_FIRST)
        rc = journal_sum_of(file, s.at, JOURNAL_FIRST, end, *sum, sum, err);
    return rc;
}
