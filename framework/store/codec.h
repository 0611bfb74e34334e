/* codec.h - from kernel arrays to stored elements and finished chunks.
 *
 * Pure functions on memory, except that types are converted by HDF5 (H5Tconvert).
 * Filters as HDF5 defines them (HDF5 File Format Specification, IV.A.2.l: filter
 * pipeline; shuffle and deflate as in H5Zshuffle and RFC 1950, fletcher32 as
 * H5_checksum_fletcher32). */
#ifndef SWIM_STORE_CODEC_H
#define SWIM_STORE_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <h5swim/kernel.h>

/* Turn n elements of type from into elements of type to; dst and src do not overlap, or
 * are the same and so are the types.  They are aligned as their types want.
 * Floating-point NaN becomes fill where to is an integer type or fill is not NaN.
 * Values out of range of an integer type become fill as well (has_fill), else the
 * nearest value. */
int codec_convert(enum swim_type from, const void *src, enum swim_type to, void *dst,
                  size_t n, bool has_fill, double fill, swim_error_t *err);

struct codec;

/* For chunks of chunk_bytes made of elements of element_size bytes. */
int codec_create(size_t chunk_bytes, size_t element_size, bool shuffle, int deflate,
                 bool fletcher32, struct codec **out, swim_error_t *err);
void codec_destroy(struct codec *codec);

/* The most bytes that an encoded chunk can have. */
size_t codec_bound(const struct codec *codec);

/* Encode one whole chunk into dst (codec_bound() bytes); *n_bytes is its length. */
int codec_encode(struct codec *codec, const void *chunk, void *dst, size_t *n_bytes,
                 swim_error_t *err);

/* Copy one chunk's elements out of a C array: the array has shape[] and its first
 * element is at offset[] of the dataset, the chunk begins at coords[]; places of the
 * chunk that lie outside the array are set to the element at fill. */
void codec_gather(const void *array, uint32_t ndim, const uint64_t *shape,
                  const uint64_t *offset, size_t element_size, const uint64_t *coords,
                  const uint64_t *chunk, const void *fill, void *dst);

/* Where that chunk lies in the array in one piece: there; NULL: it does not. */
const void *codec_find(const void *array, uint32_t ndim, const uint64_t *shape,
                       const uint64_t *offset, size_t element_size,
                       const uint64_t *coords, const uint64_t *chunk);

#endif /* SWIM_STORE_CODEC_H */
