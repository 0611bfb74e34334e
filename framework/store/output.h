/* output.h - creating output files and writing blocks into them.
 *
 * Output files follow netCDF-4: dimension scales with coordinates, attributes carried
 * over from the input they are like, _FillValue, history.  While a job writes, each
 * output dataset has the attribute "h5swim_unfinished" (the job's digest as text).
 *
 * Nothing here takes locks: the caller holds WRITE on the file around output_create(),
 * around output_open() ... output_close(), and around output_finish().
 * Threads and fork: as dataset.h. */
#ifndef SWIM_STORE_OUTPUT_H
#define SWIM_STORE_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <h5swim/kernel.h>

#include "store/dataset.h"

/* One output dataset to be. */
struct output_spec {
    const char *file;
    const char *dataset; /* with or without leading '/'; groups on the way are made */
    enum swim_type type; /* stored; not SWIM_TYPE_ANY */
    uint32_t ndim;
    uint64_t shape[SWIM_NDIM_MAX];
    uint64_t chunk[SWIM_NDIM_MAX]; /* 1 <= chunk <= shape */
    bool shuffle, fletcher32;
    int deflate;      /* 0: none; 1 to 9 */
    const char *mark; /* what h5swim_unfinished must say at output_open() and
                         output_finish(); NULL: anything */
    double fill;      /* NaN: stored as NaN (floating point only) */
    const char *units, *long_name, *cell_methods; /* NULL: as like's; "": none */
    const struct dataset_info *like;  /* attributes come from it and its file */
    int32_t from_axis[SWIM_NDIM_MAX]; /* axis of like that this one is, attributes and
                                         all; -1: new, see axes */
    const struct swim_axis *axes[SWIM_NDIM_MAX]; /* new axes; NULL: no coordinates */
};

/* SWIM_OK when file does not exist.  Else SWIM_ERR_ARG with a text that says whether it
 * is an unfinished output of a job or something else, and that --overwrite replaces it.
 */
int output_refuse_existing(const char *file, swim_error_t *err);

/* Make one file with the given datasets (all with this file) and all-missing data:
 * built under another name in the same directory, synced, then renamed over file, so
 * that what had the name before stays until then and after any failure. history: one
 * line to be put in front of the global attribute history. digest: the text of
 * h5swim_unfinished. Errors: SWIM_ERR_ARG (no such directory), SWIM_ERR_IO (not
 * writable, disk full, ...), SWIM_ERR_NOMEM. */
int output_create(const char *file, const struct output_spec *specs, size_t n_specs,
                  const char *history, const char *digest, swim_error_t *err);

struct output;

/* Open an output file for writing; specs as at its creation. */
int output_open(const char *file, const struct output_spec *specs, size_t n_specs,
                struct output **out, swim_error_t *err);

/* Write one finished (encoded) chunk of dataset number which; coords is the chunk's
 * first element. */
int output_write_chunk(struct output *o, size_t which, const uint64_t *coords,
                       const void *bytes, size_t n_bytes, swim_error_t *err);

/* Write plain elements of the stored type. */
int output_write_slab(struct output *o, size_t which, const uint64_t *start,
                      const uint64_t *count, const void *elements, swim_error_t *err);

/* Flush, sync the file (fsync) and close; o is freed whatever is returned. */
int output_close(struct output *o, swim_error_t *err);

/* The job is done: take away h5swim_unfinished of all datasets, sync. */
int output_finish(const char *file, const struct output_spec *specs, size_t n_specs,
                  swim_error_t *err);

#endif /* SWIM_STORE_OUTPUT_H */
