/* h5swim/file.h - groups, datasets and attributes of HDF5 files that many processes
 * use.
 *
 *     swim_file_t *file = NULL;
 *     swim_file_open("FILE", "a", NULL, &file, &err);
 *     swim_dataset_write(file, "/x", NULL, SWIM_DATA_FLOAT64, count, values, &err);
 *     swim_file_free(file);
 *
 * Sessions.  A swim_file_t is a name and options: between calls nothing is open and no
 * lock is held.  Each call opens the file (h5swim/store.h), for reading or for writing,
 * does its work, commits and closes; it happens whole or not at all.  Calls that read
 * never wait for a writer; calls that write wait for each other.  To make several calls
 * one, put them between swim_file_begin() and swim_file_commit().
 *
 * Paths are absolute ("/group/name"); one without its first slash counts from the root
 * all the same.  Soft links are followed.  So are external links, for reading only: the
 * other file is then a session of its own.
 *
 * Types.  Numbers are converted between what the file has and what the caller has as
 * HDF5 does it: what is out of range becomes the nearest value.  Booleans are uint8_t
 * (0, 1) in memory, and in the file the enum that h5py makes of its own.  A string in
 * memory is a char * that ends with zero, UTF-8; in the file it has variable length, or
 * a fixed number of bytes.  Other types (compound, references, ...) are listed, not
 * read.
 *
 * Arrays are in C order, the last dimension varies fastest.  Counts are of elements.
 *
 * Errors.  One line: what was attempted on which object of which file, why it failed,
 * what to do.  Beside those that a function names, any may give
 *     SWIM_ERR_ARG      the path leads nowhere, or to something of another kind; opened
 *                       for reading; types or shapes that do not go together
 *     SWIM_ERR_TIMEOUT  the file was not had in time; the text says who has it
 *     SWIM_ERR_DEADLOCK this thread has the file in a transaction of another handle
 *     SWIM_ERR_LOST     the lease ended before the commit: nothing was written
 *     SWIM_ERR_UNSURE   the last sync of the commit has failed: others may see it, and
 *                       it may be gone when the host crashes; look at what is there
 *     SWIM_ERR_CORRUPT, SWIM_ERR_IO, SWIM_ERR_NOMEM, SWIM_ERR_CANCELLED
 * After any other error the file is as before; a call of a transaction that failed
 * half-way leaves a transaction that can only be aborted, which its commit says.
 *
 * Threads: a handle belongs to one thread at a time.  Different handles may be used by
 *          different threads; those of one file take turns, also to read, as HDF5 has
 *          each file open once in a process.
 * Fork:    a child may use its parent's handles, except one that was opened with a
 *          session of the parent.  A transaction that the parent has begun is not the
 *          child's: calls on the handle fail there, until the child begins its own, or
 *          aborts, which only forgets the parent's.  The child must not have been
 *          forked while another thread was in a call.
 * Together with HDF5: a file that this program itself has open by HDF5 cannot be used
 *          here meanwhile, and the reverse must not be done.
 */
#ifndef SWIM_FILE_H
#define SWIM_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <h5swim/error.h>
#include <h5swim/lock.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A file, as it was opened.  Made by swim_file_open(). */
typedef struct swim_file swim_file_t;

#define SWIM_RANK_MAX 32          /* HDF5's own limit */
#define SWIM_UNLIMITED UINT64_MAX /* in maxdims: the dimension may grow without end */

/* --- files */

/* Zero it, set struct_size, then what differs from the default. */
struct swim_file_options {
    size_t struct_size; /* sizeof(struct swim_file_options) */
    int64_t wait_ms;  /* longest wait for others: as in swim_lock_options; 0: $SWIM_WAIT
                         seconds, else 60 */
    uint32_t no_sync; /* not 0: as SWIM_SYNC_NONE of h5swim/store.h */
    uint32_t
        latest_format; /* not 0: what is made may need the newest HDF5 to read it */
    swim_session_t *session; /* of the locks, outlives the handle; NULL: one of the
                                process, opened when needed */
};

/* A handle for the file, by h5py's modes:
 *
 *     "r"         read; the file must be there
 *     "r+"        read and write; it must be there
 *     "a"         read and write; made if it is not there
 *     "w"         the same, made anew: an old one is replaced, in one commit
 *     "w-", "x"   the same; it must not be there
 *
 * The name is made absolute.  On SWIM_OK *out is the caller's, to be given to
 * swim_file_free().  Blocks for at most wait_ms. */
SWIM_API int swim_file_open(const char *name, const char *mode,
                            const struct swim_file_options *options, swim_file_t **out,
                            swim_error_t *err);

/* Abort if something was begun, and free.  Accepts NULL.  Keeps errno. */
SWIM_API void swim_file_free(swim_file_t *file);

/* Until commit or abort all calls on the handle are in one session: SWIM_LOCK_READ, all
 * see one state of the file; SWIM_LOCK_UPDATE, what they write is seen by others whole,
 * at the commit, and no other process writes meanwhile.  A process that ends before it
 * has committed, in whichever way, has aborted.
 *
 * Errors: SWIM_ERR_ARG (begun already; another mode; UPDATE of a file opened by "r").
 * Blocks for at most wait_ms. */
SWIM_API int swim_file_begin(swim_file_t *file, enum swim_lock_mode mode,
                             swim_error_t *err);

/* End it; nothing is begun any more, whatever is returned.  On SWIM_OK what was written
 * is seen by others and, unless no_sync, on the disk; else nothing of it is. */
SWIM_API int swim_file_commit(swim_file_t *file, swim_error_t *err);

/* End it, and forget what was written. */
SWIM_API int swim_file_abort(swim_file_t *file, swim_error_t *err);

/* --- what there is */

/* What a name in a file stands for. */
enum swim_kind {
    SWIM_KIND_NONE = 0,          /* nothing */
    SWIM_KIND_GROUP = 1,         /* a group */
    SWIM_KIND_DATASET = 2,       /* a dataset */
    SWIM_KIND_NAMED_TYPE = 3,    /* a committed type */
    SWIM_KIND_SOFT_LINK = 4,     /* a path in this file */
    SWIM_KIND_EXTERNAL_LINK = 5, /* a path in another file */
    SWIM_KIND_OTHER = 6,         /* a link of a program's own kind */
};

/* "group", "soft link", ...; never NULL. */
SWIM_API const char *swim_kind_name(enum swim_kind kind);

/* One name in a list or a visit; the texts are those of the list or of the call. */
struct swim_entry {
    const char *name;    /* in a list: in its group; in a visit: its path */
    enum swim_kind kind; /* links are not followed */
    const char *target;  /* of a soft link its path, of an external one "FILE:PATH";
                            else NULL */
};

/* What path leads to; SWIM_KIND_SOFT_LINK or SWIM_KIND_EXTERNAL_LINK: a link that leads
 * nowhere.  That there is nothing is no error. */
SWIM_API int swim_object_kind(swim_file_t *file, const char *path, enum swim_kind *kind,
                              swim_error_t *err);

/* Take the name away; what has no other name is gone with all that is in it.  Links are
 * not followed in the last part of path. */
SWIM_API int swim_object_delete(swim_file_t *file, const char *path, swim_error_t *err);

/* What is in a group, by name; the last one, not counted, has the name NULL.  *entries
 * is the caller's, to be given to swim_entries_free(). */
SWIM_API int swim_group_list(swim_file_t *file, const char *path,
                             struct swim_entry **entries, size_t *count,
                             swim_error_t *err);

/* Accepts NULL. */
SWIM_API void swim_entries_free(struct swim_entry *entries);

/* Return 0 to go on, a positive number to stop (the visit is SWIM_OK), or what
 * swim_error_set() returns.  entry lives as long as the call. */
typedef int (*swim_visit_fn)(void *arg, const struct swim_entry *entry,
                             swim_error_t *err);

/* Call visit for all that is below the group, in the order of names, a group before
 * what is in it: each object once, by the first path that leads to it, however many
 * names it has and even if groups contain themselves; and each soft or external link,
 * which is not followed.  All is one state of the file: what there is was looked up
 * before the first call.  visit may use the handle: in the visit it has begun READ,
 * unless something was begun before; it must not end that. */
SWIM_API int swim_object_visit(swim_file_t *file, const char *path, swim_visit_fn visit,
                               void *arg, swim_error_t *err);

/* Make a group, and those above it that are not there.  SWIM_ERR_ARG: there is
 * something of that name. */
SWIM_API int swim_group_create(swim_file_t *file, const char *path, swim_error_t *err);

/* The same, but a group that is there will do. */
SWIM_API int swim_group_require(swim_file_t *file, const char *path, swim_error_t *err);

/* --- datasets */

/* The type of elements, in memory and (but for fixed strings) in the file. */
enum swim_data {
    SWIM_DATA_OTHER = 0,    /* none of these */
    SWIM_DATA_INT8 = 1,     /* int8_t */
    SWIM_DATA_UINT8 = 2,    /* uint8_t */
    SWIM_DATA_INT16 = 3,    /* int16_t */
    SWIM_DATA_UINT16 = 4,   /* uint16_t */
    SWIM_DATA_INT32 = 5,    /* int32_t */
    SWIM_DATA_UINT32 = 6,   /* uint32_t */
    SWIM_DATA_INT64 = 7,    /* int64_t */
    SWIM_DATA_UINT64 = 8,   /* uint64_t */
    SWIM_DATA_FLOAT32 = 9,  /* float */
    SWIM_DATA_FLOAT64 = 10, /* double */
    SWIM_DATA_BOOL = 11,    /* uint8_t */
    SWIM_DATA_STRING = 12,  /* char * */
};

/* "float64", ...; never NULL. */
SWIM_API const char *swim_data_name(enum swim_data type);

/* Zero it, set struct_size, then what differs from the default.  Arrays have rank
 * elements. */
struct swim_dataset_spec {
    size_t struct_size;      /* sizeof(struct swim_dataset_spec) */
    enum swim_data type;     /* of the elements in the file */
    uint32_t rank;           /* 0: a scalar */
    const uint64_t *dims;    /* NULL when rank is 0 */
    const uint64_t *maxdims; /* SWIM_UNLIMITED: any; NULL: as dims, no resizing */
    const uint64_t *chunks;  /* NULL: one piece, or, where maxdims, compression or
                                shuffle need chunks, chosen */
    size_t string_size;      /* bytes of each string in the file; 0: variable */
    const void *fill;        /* one number; NULL: 0.  Strings are "" */
    uint32_t compression;    /* gzip, 1 to 9; 0: none */
    uint32_t shuffle;        /* not 0: bytes are sorted before they are compressed */
    uint32_t overwrite;      /* not 0: a dataset or link of that name is replaced */
};

/* Make a dataset, and the groups above it that are not there.  SWIM_ERR_ARG: there is
 * something of that name, and overwrite is 0 or it is a group. */
SWIM_API int swim_dataset_create(swim_file_t *file, const char *path,
                                 const struct swim_dataset_spec *spec,
                                 swim_error_t *err);

/* The same, but a dataset of that type and shape will do; overwrite must be 0.
 * SWIM_ERR_ARG: there is another; the text says how it differs. */
SWIM_API int swim_dataset_require(swim_file_t *file, const char *path,
                                  const struct swim_dataset_spec *spec,
                                  swim_error_t *err);

/* A dataset as it is.  Of the arrays the first rank elements are set. */
struct swim_dataset_info {
    enum swim_data type;             /* of the elements in the file */
    size_t string_size;              /* bytes in the file; 0: variable, or no strings */
    uint64_t count;                  /* elements */
    uint32_t rank;                   /* 0: a scalar, or no elements at all (count 0) */
    uint32_t compression;            /* gzip; 0: none, or another filter */
    bool shuffle;                    /* bytes are sorted before they are compressed */
    bool chunked;                    /* stored in chunks, which may be resized */
    uint64_t dims[SWIM_RANK_MAX];    /* elements along each dimension */
    uint64_t maxdims[SWIM_RANK_MAX]; /* SWIM_UNLIMITED: any number */
    uint64_t chunks[SWIM_RANK_MAX];  /* 0: not chunked */
};

/* Shape, type and storage, into *info, the caller's. */
SWIM_API int swim_dataset_info(swim_file_t *file, const char *path,
                               struct swim_dataset_info *info, swim_error_t *err);

/* Give it another shape; what is cut off is gone, what is new has the fill value.
 * SWIM_ERR_ARG: another rank, beyond maxdims, not chunked. */
SWIM_API int swim_dataset_resize(swim_file_t *file, const char *path, uint32_t rank,
                                 const uint64_t *dims, swim_error_t *err);

/* A part of a dataset: in each dimension count elements from start, stride apart. */
struct swim_slab {
    uint32_t rank;          /* of the dataset, and of what follows */
    const uint64_t *start;  /* NULL: 0 */
    const uint64_t *stride; /* NULL: 1 */
    const uint64_t *count;  /* NULL: as many as there are from start on */
};

/* Read the slab, NULL: all, as elements of type into values, which has room for exactly
 * count of them.  (Six arguments, as in other calls of this kind: a structure would
 * hide what is read.)  Strings are allocated one by one: they are the caller's, to be
 * given to swim_strings_clear(); after an error there are none.
 *
 * SWIM_ERR_ARG: the slab ends beyond the dataset or has not count elements; numbers are
 * asked for as strings or the reverse. */
SWIM_API int swim_dataset_read(swim_file_t *file, const char *path,
                               const struct swim_slab *slab, enum swim_data type,
                               size_t count, void *values, swim_error_t *err);

/* Write values to the slab; the dataset is not resized.  SWIM_ERR_ARG: as above; a
 * string is longer than those in the file. */
SWIM_API int swim_dataset_write(swim_file_t *file, const char *path,
                                const struct swim_slab *slab, enum swim_data type,
                                size_t count, const void *values, swim_error_t *err);

/* Free each of the strings; strings[i] is NULL then. */
SWIM_API void swim_strings_clear(char **strings, size_t count);

/* The same, and the array.  Accepts NULL. */
SWIM_API void swim_strings_free(char **strings, size_t count);

/* --- attributes: path is that of a group or dataset, "/" of the file */

/* The value of an attribute, an array in C order. */
struct swim_attribute {
    enum swim_data type;          /* of the values, in memory and in the file */
    uint32_t rank;                /* 0: one value */
    uint64_t dims[SWIM_RANK_MAX]; /* the first rank are set */
    size_t count; /* elements; 0, with rank 0: an empty attribute.  Not read by set */
    void *values; /* count elements of type */
};

/* Make it, or replace it whatever it was. */
SWIM_API int swim_attribute_set(swim_file_t *file, const char *path, const char *name,
                                const struct swim_attribute *value, swim_error_t *err);

/* The same of one value, an int64. */
SWIM_API int swim_attribute_set_int(swim_file_t *file, const char *path,
                                    const char *name, int64_t value, swim_error_t *err);

/* The same of one value, a float64. */
SWIM_API int swim_attribute_set_double(swim_file_t *file, const char *path,
                                       const char *name, double value,
                                       swim_error_t *err);

/* The same of one value, a string of variable length. */
SWIM_API int swim_attribute_set_text(swim_file_t *file, const char *path,
                                     const char *name, const char *value,
                                     swim_error_t *err);

/* The type that it has, whatever its rank.  *out is the caller's, to be given to
 * swim_attribute_free().  SWIM_ERR_ARG: there is none of that name, or it has a type
 * that is none of enum swim_data. */
SWIM_API int swim_attribute_get(swim_file_t *file, const char *path, const char *name,
                                struct swim_attribute **out, swim_error_t *err);

/* Accepts NULL. */
SWIM_API void swim_attribute_free(struct swim_attribute *attribute);

/* One value; `otherwise` when the object has no attribute of that name.  SWIM_ERR_ARG:
 * it is no single value of that type; an int is also taken from a boolean, a double
 * from any number. */
SWIM_API int swim_attribute_get_int(swim_file_t *file, const char *path,
                                    const char *name, int64_t otherwise, int64_t *value,
                                    swim_error_t *err);

/* The same of a floating-point number, or of any other number. */
SWIM_API int swim_attribute_get_double(swim_file_t *file, const char *path,
                                       const char *name, double otherwise,
                                       double *value, swim_error_t *err);

/* The same of a string.  *value is the caller's, to be freed by free(); NULL when
 * `otherwise` is and counts. */
SWIM_API int swim_attribute_get_text(swim_file_t *file, const char *path,
                                     const char *name, const char *otherwise,
                                     char **value, swim_error_t *err);

/* Take it away.  SWIM_ERR_ARG: there is none. */
SWIM_API int swim_attribute_delete(swim_file_t *file, const char *path,
                                   const char *name, swim_error_t *err);

/* Whether there is one of that name. */
SWIM_API int swim_attribute_exists(swim_file_t *file, const char *path,
                                   const char *name, bool *exists, swim_error_t *err);

/* The names of all, sorted; *names is the caller's, to be given to swim_strings_free().
 */
SWIM_API int swim_attribute_list(swim_file_t *file, const char *path, char ***names,
                                 size_t *count, swim_error_t *err);

#ifdef __cplusplus
}
#endif

#endif /* SWIM_FILE_H */
