/* output.h - creating output files and writing blocks into them.
 *
 * Output files follow netCDF-4: dimension scales with coordinates, attributes carried
 * over from the input they are like, _FillValue, history.  What a job leaves in them
 * besides, that others may go on with it, is in FORMAT.md.
 *
 * Files are opened and made by the driver of h5swim/store.h: what is written is a
 * transaction, seen by others, whole, when it is committed, or never.  While an output
 * is open its UPDATE keeps other writers away, and no readers.
 *
 * Threads and fork: as source.h. */
#ifndef SWIM_STORE_OUTPUT_H
#define SWIM_STORE_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <h5swim/kernel.h>

#include "store/dataset.h"

/* Where the data of an output are when they are not in its own file: each range of it
 * is at the same place in a dataset of the same name and shape in another file. */
struct output_pieces {
    const char *const *files; /* as HDF5 looks for them: in the folder of the output */
    const uint32_t *file;     /* of each piece: a number in files */
    const uint64_t *ranges;   /* of each piece: ndim starts, then ndim counts */
    size_t n;
};

/* One output dataset to be. */
struct output_spec {
    const char *file;
    const char *dataset; /* with or without leading '/'; groups on the way are made */
    enum swim_type type; /* stored; not SWIM_TYPE_ANY */
    uint32_t ndim;
    uint64_t shape[SWIM_NDIM_MAX];
    uint64_t chunk[SWIM_NDIM_MAX]; /* 1 <= chunk <= shape */
    bool grows;                    /* along its first axis, which is like's first, or
                                      new: it is made without rows, whatever shape[0]
                                      says, and has those of output_rows() */
    bool shuffle, fletcher32;
    bool plain;       /* data alone: no _FillValue, no dimension scales, no like */
    int deflate;      /* 0: none; 1 to 9 */
    const char *mark; /* what h5swim_unfinished must say at output_open(),
                         output_progress() and output_finish(); NULL: anything */
    const char *kept; /* h5swim_job says it behind the digest and "-"; NULL: nothing */
    double fill;      /* NaN: stored as NaN (floating point only); as it is stored */
    double scale, offset;                         /* see packed */
    const char *units, *long_name, *cell_methods; /* NULL: as like's; "": none */
    const char *more_methods; /* stands behind these cell_methods; NULL: nothing */
    const struct dataset_info *like;  /* attributes come from it and its file, ... */
    const struct source *like_source; /* which is open; NULL when like is */
    bool bare;     /* of like, what its file has alone: no attributes of its own, nor
                      what these name */
    bool packed;   /* its numbers times scale plus offset are the values */
    bool verbatim; /* its numbers are like's: so are the fill value, which that here
                      gives way to, and the attributes that say what they mean */
    bool opaque;   /* with verbatim: its elements are of the type of like, which is no
                      number; type is one of as many bytes */
    int32_t from_axis[SWIM_NDIM_MAX]; /* axis of like that this one is, attributes and
                                         all; -1: new, see axes */
    const struct swim_axis *axes[SWIM_NDIM_MAX]; /* new axes; NULL: no coordinates */
    uint32_t made_of[SWIM_NDIM_MAX]; /* new axes: 1 + the axis of like whose coordinates
                                        theirs were made of; 0: of none */
    const struct output_pieces *pieces; /* NULL: the data are in the file; else it is
                                           virtual, chunks and filters do not apply */
};

#define OUTPUT_GROWS UINT64_MAX

/* What a job writes into each of its files. */
struct output_job {
    const char *mark;        /* h5swim_unfinished: the job's digest, "-", the run */
    const char *description; /* what the digest is of; read by people alone, here */
    uint64_t n_blocks;       /* at most 2^33, or OUTPUT_GROWS: as many as there come */
    uint64_t band_rows,
        band_blocks;   /* of the latter: so many rows are so many blocks */
    const char *taken; /* for output_adopt(): the mark that it must have; NULL: any of
                          the same digest */
    const char *shard_of;      /* the name, without folder, of the output that the file
                                  is a shard of; NULL: it is none */
    const unsigned char *done; /* for output_create(): blocks that are done, as
                                  output_progress() has them; NULL: none */
};

/* Whether a file of that name can be made, or replaced, as far as one can know before:
 * folder, rights, what is there.  SWIM_ERR_ARG, SWIM_ERR_IO. */
int output_replace_check(const char *file, swim_error_t *err);

/* SWIM_OK when file does not exist.  Else SWIM_ERR_ARG with a text that says whether it
 * is an unfinished output of a job or something else, and that --overwrite replaces it;
 * SWIM_ERR_TIMEOUT and others of swim_lock_acquire(), SWIM_ERR_CORRUPT. */
int output_refuse_existing(const char *file, const struct store_access *access,
                           swim_error_t *err);

/* Make one file with the given datasets (all with this file) and all-missing data.  It
 * takes its name when it is whole and on the disk, so that what had the name before
 * stays until then and after any failure; without replace that is refused as above.
 * history: one line to be put in front of the global attribute history; NULL: none.
 * Errors: SWIM_ERR_ARG (no such directory, too many blocks), SWIM_ERR_IO (not writable,
 * disk full, ...), SWIM_ERR_NOMEM, those of swim_lock_acquire(). */
int output_create(const char *file, bool replace, const struct output_spec *specs,
                  size_t n_specs, const char *history, const struct output_job *job,
                  const struct store_access *access, swim_error_t *err);

enum output_state {
    OUTPUT_ABSENT,
    OUTPUT_FOREIGN,    /* something else, or no HDF5 file */
    OUTPUT_UNFINISHED, /* of a job: mark; description and n_blocks, if it says so */
    OUTPUT_FINISHED,   /* all of specs were made by one job: digest */
};

struct output_found {
    enum output_state state;
    char *mark, *description, *digest; /* NULL: does not apply; digest: h5swim_job */
    char *shard_of;                    /* as in struct output_job */
    uint64_t n_blocks;
};

/* What there is by that name; nothing is changed.  *found is for output_found_free()
 * in any case.  Errors: SWIM_ERR_TIMEOUT and others of swim_lock_acquire(),
 * SWIM_ERR_CORRUPT. */
int output_look(const char *file, const struct output_spec *specs, size_t n_specs,
                const struct store_access *access, struct output_found *found,
                swim_error_t *err);
void output_found_free(struct output_found *found);

/* Whether all shards that the datasets of a finished output name are beside it, and of
 * it.  SWIM_ERR_ARG: one is not, with its name and what can be done; as output_look().
 */
int output_look_shards(const char *file, const struct store_access *access,
                       swim_error_t *err);

/* Whether two marks, or a mark and a digest, are of one job. */
bool output_same_job(const char *mark, const char *digest);

/* The newest line of the history of a file, which output_create() would put there
 * again; *line is allocated, NULL: there is none, or no readable file. */
int output_history(const char *file, const struct store_access *access, char **line,
                   swim_error_t *err);

/* Go on with an unfinished output under a new mark and description: a run that still
 * lives somewhere finds that it was replaced when it opens the file next.  Of one that
 * grows the last blocks, if they are not full, are not done any more: there may be more
 * rows now.
 * SWIM_ERR_ARG, nothing is changed: it has another mark than expected, or does not fit
 * specs or n_blocks.  SWIM_ERR_IO, those of swim_lock_acquire(). */
int output_adopt(const char *file, const struct output_spec *specs, size_t n_specs,
                 const struct output_job *job, const struct store_access *access,
                 swim_error_t *err);

/* The blocks that are committed in an unfinished output: bit b of byte b/8, (n_blocks +
 * 7) / 8 bytes.  SWIM_ERR_ARG: it has another number of blocks, or it grows and has
 * more rows than shape[0]; SWIM_ERR_IO: replaced, or not readable. */
int output_progress(const char *file, const struct output_spec *specs, size_t n_specs,
                    const struct store_access *access, uint64_t n_blocks,
                    unsigned char *bits, swim_error_t *err);

struct output;

/* Open an output file for writing; specs as at its creation. */
int output_open(const char *file, const struct output_spec *specs, size_t n_specs,
                const struct store_access *access, struct output **out,
                swim_error_t *err);

/* Write one finished (encoded) chunk of dataset number which; coords is the chunk's
 * first element. */
int output_write_chunk(struct output *o, size_t which, const uint64_t *coords,
                       const void *bytes, size_t n_bytes, swim_error_t *err);

/* Write plain elements of the stored type. */
int output_write_slab(struct output *o, size_t which, const uint64_t *start,
                      const uint64_t *count, const void *elements, swim_error_t *err);

/* One that grows is to have at least so many rows, before they are written; those that
 * are not hold the fill value.  The same for its first dimension. */
int output_rows(struct output *o, size_t which, uint64_t rows, swim_error_t *err);

/* The same, of one dimension: count elements more, from *at on. */
int output_append(struct output *o, size_t which, uint64_t count, const void *elements,
                  uint64_t *at, swim_error_t *err);

/* Coordinates of rows that there are, as dataset_coordinates() gives them.  Nothing is
 * done where the first dimension has none. */
int output_coordinates(struct output *o, size_t which, uint64_t start, uint64_t count,
                       const void *elements, size_t n_bytes, swim_error_t *err);

/* The data of this block were written since the last commit, which the next one says,
 * too.  SWIM_ERR_ARG: there is no such block; SWIM_ERR_IO.  A failure is like that of a
 * write. */
int output_done(struct output *o, uint64_t block, swim_error_t *err);

/* What was written is on the disk and seen by others; it stays open.  After a failure,
 * of this or of a write, all since the last commit is gone and the file can only be
 * closed. */
int output_commit(struct output *o, swim_error_t *err);

/* The same, while more is written: what was written so far is on the disk when
 * output_commit_end() says so, for which it waits.  At most one is under way. */
int output_commit_begin(struct output *o, swim_error_t *err);
bool output_commit_is_over(const struct output *o);
int output_commit_end(struct output *o, swim_error_t *err);

/* Whether others wait for the file. */
bool output_is_wanted(const struct output *o);

/* Commit and close, after a failure only close; o is freed whatever is returned.
 * more: it will be opened again soon, and what is committed stays in its journal until
 * then, which costs less.  Accepts NULL. */
int output_close(struct output *o, bool more, swim_error_t *err);

/* Nobody opens it again: if it was closed with more, and nobody has it open, what is
 * committed is copied into the file itself. */
void output_settle(const char *file, swim_session_t *session);

/* The dataset at the root of a file in which a job is not finished: FORMAT.md. */
#define OUTPUT_PROGRESS "h5swim_progress"

/* The job is done: take away h5swim_unfinished of all datasets and what was said of
 * progress, and leave the digest as h5swim_job. */
int output_finish(const char *file, const struct output_spec *specs, size_t n_specs,
                  const struct store_access *access, swim_error_t *err);

/* Remove the file and its journal, under WRITE; none: SWIM_OK.  Errors: SWIM_ERR_IO,
 * those of swim_lock_acquire(). */
int output_remove(const char *file, const struct store_access *access,
                  swim_error_t *err);

#endif /* SWIM_STORE_OUTPUT_H */
