/* h5swim/file.h - groups, datasets and attributes of HDF5 files that many processes
 * use.
 *
 *     swim_file_t *file = NULL;
 *     swim_file_open("FILE", "a", NULL, &file, &err);
 *     swim_group_create(file, "/results", &err);
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
 * Errors.  One line: what was attempted on which object of which file, why it failed,
 * what to do.  Beside those that a function names, any may give
 *     SWIM_ERR_ARG      the path leads nowhere, or to something of another kind; opened
 *                       for reading; types or shapes that do not go together
 *     SWIM_ERR_TIMEOUT  the file was not had in time; the text says who has it
 *     SWIM_ERR_DEADLOCK this thread has the file in a transaction of another handle
 *     SWIM_ERR_LOST     the lease ended before the commit: nothing was written
 *     SWIM_ERR_CORRUPT, SWIM_ERR_IO, SWIM_ERR_NOMEM, SWIM_ERR_CANCELLED
 * After an error the file is as before; a call of a transaction that failed half-way
 * leaves a transaction that can only be aborted, which its commit says.
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

typedef struct swim_file swim_file_t;

/* --- files */

/* Zero it, set struct_size, then what differs from the default. */
struct swim_file_options {
    size_t struct_size;
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

enum swim_kind {
    SWIM_KIND_NONE = 0, /* nothing */
    SWIM_KIND_GROUP = 1,
    SWIM_KIND_DATASET = 2,
    SWIM_KIND_NAMED_TYPE = 3,
    SWIM_KIND_SOFT_LINK = 4,
    SWIM_KIND_EXTERNAL_LINK = 5,
    SWIM_KIND_OTHER = 6, /* a link of a program's own kind */
};

/* "group", "soft link", ...; never NULL. */
SWIM_API const char *swim_kind_name(enum swim_kind kind);

struct swim_entry {
    const char *name;    /* in its group */
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

/* Make a group, and those above it that are not there.  SWIM_ERR_ARG: there is
 * something of that name. */
SWIM_API int swim_group_create(swim_file_t *file, const char *path, swim_error_t *err);

/* The same, but a group that is there will do. */
SWIM_API int swim_group_require(swim_file_t *file, const char *path, swim_error_t *err);

#ifdef __cplusplus
}
#endif

#endif /* SWIM_FILE_H */
