/* dataset.h - reading HDF5 datasets as kernels see them.
 *
 * Threads: one at a time per process (the HDF5 library is not thread-safe).
 * Fork: nothing here crosses a fork, except struct dataset_info, which is plain memory.
 */
#ifndef SWIM_STORE_DATASET_H
#define SWIM_STORE_DATASET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <h5swim/kernel.h>

#include "store/chunk_cache.h"
#include "store/source.h"

#define DATASET_UNCACHED UINT64_MAX

#define DATASET_MISSING_MOST 8 /* values that mean that there is none */

/* A dataset as found in a file; all memory is its own. */
struct dataset_info {
    char *file;
    char *path; /* absolute within the file: "/group/name" */
    char *name; /* its last part */
    uint32_t ndim;
    uint64_t shape[SWIM_NDIM_MAX];
    bool chunked;
    bool grows; /* its first axis has no largest length */
    uint64_t chunk[SWIM_NDIM_MAX];
    uint64_t place; /* of its values in the file, one behind the other; 0: not so */
    bool shuffle, fletcher32, other_filters;
    int deflate;          /* level; 0: none */
    uint64_t cache_bytes; /* for chunks that HDF5 decodes while it is open; set by the
                             caller, 0: a row of chunks, as far as that is 64 MiB;
                             DATASET_UNCACHED: none, each is read at once */
    enum swim_type stored_type;
    bool native;   /* in the form of this machine, but for the sign */
    bool resigned; /* _Unsigned: the file has stored_type with a sign, or without one */
    bool opaque; /* its elements are no numbers: stored_type is one of as many bytes */
    bool raw;    /* dataset_take_raw() */
    bool bare;   /* dataset_inspect_bare() */
    bool packed; /* scale_factor or add_offset */
    double scale, offset;
    bool has_missing; /* _FillValue or missing_value (these may differ) */
    bool implied;     /* it names none, and has a range: netCDF's default is the one */
    uint32_t n_missing;
    unsigned char missing_raw[DATASET_MISSING_MOST][16]; /* as stored_type in native
                                                            byte order */
    double missing;                                      /* the first, rounded */
    bool ranged;      /* stored values below low or above high are missing, too */
    double low, high; /* valid_range, or valid_min and valid_max; one may be infinite */
    char *units, *long_name; /* "" when there are none */
    char *units_from; /* what units were in the file, where they are others; or NULL */
    struct swim_axis *axes; /* ndim of them: dimension scales, in order */
    char **axis_paths;      /* of the scale datasets; NULL: no scale */
};

/* Look at one dataset.  dataset may be given with or without the leading '/'.
 * Errors: SWIM_ERR_ARG (no such dataset, with names near it; a group; a type that no
 * kernel can be given), SWIM_ERR_IO, SWIM_ERR_NOMEM. */
int dataset_inspect(const struct source *source, const char *dataset,
                    struct dataset_info **out, swim_error_t *err);
/* The same for one that may have no rows yet. */
int dataset_inspect_growing(const struct source *source, const char *dataset,
                            struct dataset_info **out, swim_error_t *err);
/* The same of either kind for a copy, which takes elements that are no numbers, too:
 * dataset_take_raw() is to follow. */
int dataset_inspect_copy(const struct source *source, const char *dataset, bool growing,
                         struct dataset_info **out, swim_error_t *err);
/* The same without the coordinates of axes, which may be very many. */
int dataset_inspect_bare(const struct source *source, const char *dataset,
                         struct dataset_info **out, swim_error_t *err);
void dataset_info_destroy(struct dataset_info *info);

/* One coordinate of an axis, unpacked.  *is: it has some. */
int dataset_coordinate(const struct source *source, const struct dataset_info *info,
                       uint32_t axis, uint64_t at, double *value, bool *is,
                       swim_error_t *err);

/* How long its first axis is in another state of the file that it was inspected in.
 * SWIM_ERR_IO: it is not there, or its other axes are not what they were. */
int dataset_rows(const struct source *source, const struct dataset_info *info,
                 uint64_t *rows, swim_error_t *err);

/* Whether the dataset, or its file, has an attribute of that name. */
bool dataset_has_attribute(const struct source *source, const struct dataset_info *info,
                           const char *name);

/* Whether it is the output of a job that has not finished it. */
bool dataset_is_unfinished(const struct source *source,
                           const struct dataset_info *info);

/* Coordinates of some rows, in the native form of the type in which they are stored:
 * at most DATASET_COORDINATE_BYTES for each.  *n_bytes is 0 where there are none. */
#define DATASET_COORDINATE_BYTES 16
int dataset_coordinates(const struct source *source, const struct dataset_info *info,
                        uint64_t start, uint64_t count, void *buf, size_t *n_bytes,
                        swim_error_t *err);

/* The type in which a kernel that asks for SWIM_TYPE_ANY gets it: the stored one; for
 * packed data float32, or float64 where their steps need it. */
enum swim_type dataset_natural_type(const struct dataset_info *info);

/* The stored numbers are wanted: nothing is packed, and no value is missing. */
void dataset_take_raw(struct dataset_info *info);

struct dataset;

/* Open for reading as elements of mem_type (not SWIM_TYPE_ANY).  cache: of its chunks
 * in this state, for those that are decoded by h5swim; NULL: none.  source is the one
 * that was inspected, or another process's at the same state; it is closed after the
 * dataset. Errors: SWIM_ERR_IO, SWIM_ERR_NOMEM. */
int dataset_open(const struct source *source, const struct dataset_info *info,
                 enum swim_type mem_type, const struct chunk_cache *cache,
                 struct dataset **out, swim_error_t *err);

/* Whether chunks of it are decoded by h5swim, and not by HDF5, as far as is known. */
bool dataset_is_direct(const struct dataset_info *info);

/* Bytes of one chunk. */
uint64_t dataset_chunk_bytes(const struct dataset_info *info);

/* Bytes for each element that wait to be converted while it is read as mem_type. */
size_t dataset_staged_bytes(const struct dataset_info *info, enum swim_type mem_type);

/* Read count[] elements from start[] into a C array of shape buf_shape[], there at
 * buf_start[]; all ndim long.  Converted, unpacked, missing values as kernel.h has
 * them. A scalar dataset has ndim 0. */
int dataset_read(struct dataset *ds, const uint64_t *start, const uint64_t *count,
                 void *buf, const uint64_t *buf_shape, const uint64_t *buf_start,
                 swim_error_t *err);
void dataset_close(struct dataset *ds);

/* These elements will be read soon: the system may bring them from the disk meanwhile,
 * if they lie close to each other in the file: the first 16 MiB of them, as a block of
 * a reduction can be of any size.  Those beyond the dataset do not count. */
void dataset_expect(const struct source *source, const struct dataset_info *info,
                    const uint64_t *start, const uint64_t *count);

#endif /* SWIM_STORE_DATASET_H */
