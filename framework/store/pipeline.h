/* pipeline.h - undoing the filters of stored chunks. */
#ifndef SWIM_STORE_PIPELINE_H
#define SWIM_STORE_PIPELINE_H

#include <hdf5.h>
#include <stddef.h>
#include <stdint.h>

#include <h5swim/error.h>

struct pipeline;

/* Of a dataset's creation properties, for chunks of chunk_bytes.  *out stays NULL with
 * SWIM_OK when only HDF5 can undo its filters.  SWIM_ERR_NOMEM. */
int pipeline_create(hid_t dcpl, size_t chunk_bytes, struct pipeline **out,
                    swim_error_t *err);
/* Accepts NULL. */
void pipeline_destroy(struct pipeline *pipeline);

/* What becomes of the elements, size bytes each, while they are in the processor's
 * cache still: pipeline_decode() gives it all of them, n at a time. */
void pipeline_finish(struct pipeline *pipeline, size_t size,
                     void (*finish)(const void *arg, void *elements, size_t n),
                     const void *arg);
/* The same to a chunk that was not decoded. */
void pipeline_finish_chunk(const struct pipeline *pipeline, void *chunk);

/* A chunk as stored, n_bytes at raw, to chunk_bytes at dst, which do not overlap. mask:
 * bit i is set when filter i was left out (H5Dread_chunk).  Errors: SWIM_ERR_CORRUPT,
 * of which the text is the second half of a sentence; SWIM_ERR_NOMEM. */
int pipeline_decode(struct pipeline *pipeline, uint32_t mask, const void *raw,
                    size_t n_bytes, void *dst, swim_error_t *err);

#endif /* SWIM_STORE_PIPELINE_H */
