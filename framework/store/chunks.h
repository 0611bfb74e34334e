/* chunks.h - reading a chunked dataset chunk by chunk: each is found by HDF5 and
 * decoded here, which is faster than H5Dread.
 *
 * HDF5 looks a chunk up in its index in logarithmic time, also where there are 10^6 of
 * them; what it keeps of the index is bounded by its metadata cache.  H5Dread_chunk
 * reads through the file's driver, so what is read is of the state that is open. */
#ifndef SWIM_STORE_CHUNKS_H
#define SWIM_STORE_CHUNKS_H

#include <hdf5.h>
#include <stdbool.h>
#include <stdint.h>

#include <h5swim/error.h>

#include "store/chunk_cache.h"

struct chunks;

/* set is the caller's, and open until chunks_close().  cache: chunks of this state of
 * it, which several blocks need; NULL: the last one is kept.  *out stays NULL with
 * SWIM_OK when only HDF5 can read it: it is not chunked, or has filters of others.
 * Errors: SWIM_ERR_IO, SWIM_ERR_NOMEM. */
int chunks_open(hid_t set, const struct chunk_cache *cache, struct chunks **out,
                swim_error_t *err);
/* What becomes of the elements of each chunk when it is decoded, before it is read; not
 * of those in a cache, which others read as well: false. */
bool chunks_finish(struct chunks *chunks,
                   void (*finish)(const void *arg, void *elements, size_t n),
                   const void *arg);
/* Accepts NULL. */
void chunks_close(struct chunks *chunks);

/* Read count[] elements from start[], which lie inside the dataset, as they are stored,
 * into a C array of dst_shape[], there at dst_start[].
 * Errors: SWIM_ERR_IO, SWIM_ERR_CORRUPT (a chunk that cannot be decoded: the text says
 * where it begins, and is the second half of a sentence), SWIM_ERR_NOMEM, and those of
 * the driver. */
int chunks_read(struct chunks *chunks, const uint64_t *start, const uint64_t *count,
                void *dst, const uint64_t *dst_shape, const uint64_t *dst_start,
                swim_error_t *err);

#endif /* SWIM_STORE_CHUNKS_H */
