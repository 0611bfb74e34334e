/* openfile.h - a file that this process has open: its lock, and the transaction.
 *
 * HDF5 opens a file by its name again and again, to look whether it has it already, and
 * opens one that it will make anew before it makes it.  So the opens of one file share
 * an openfile, and a file that is there is not locked before something is asked of it.
 *
 *   NAMED    nothing is held                  first use -> OPEN; close
 *   OPEN     lock and transaction are held    commit -> OPEN; a failure, abort -> LOST
 *   LOST     the same, but nothing is committed any more
 *
 * The last close commits (OPEN), copies the journal into the file if nobody else has it
 * open, and gives the lock back.  When an interpreter closes what its program left
 * open, that waits for the exit status.
 *
 * Threads: the opens of one file by one thread at a time, as HDF5 sees to; different
 * files by any.  Fork: in a child all calls fail but the close, which frees memory. */
#ifndef SWIM_STORE_OPENFILE_H
#define SWIM_STORE_OPENFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <h5swim/lock.h>

#include "store/txn.h"

enum openfile_how {
    OPENFILE_READ,
    OPENFILE_WRITE,
    OPENFILE_CREATE,
    OPENFILE_CREATE_NEW
};

struct openfile_options {
    bool at_snapshot; /* that is read, not what was committed last */
    struct txn_snapshot snapshot;
    int64_t wait_ms;           /* as in swim_lock_options */
    bool sync;                 /* commits */
    bool quiet;                /* nothing is said on stderr while it waits */
    swim_session_t *session;   /* NULL: the process's */
    const struct swim_io *io;  /* NULL: the system's */
    const unsigned char *boot; /* id; NULL: this host's */
};

struct openfile;

/* The openfile of name; its state is NAMED when this is the first open of it, and when
 * it is to be created OPEN.  One that is open at another snapshot is another.  Where
 * one is open already `how` is only compared: with CREATE, and to write when it is open
 * to read, SWIM_ERR_ARG.
 *
 * Errors: SWIM_ERR_IO (it is not there, or may not be opened), SWIM_ERR_ARG, and when
 * it is created those of swim_lock_acquire() and txn_create(). */
int openfile_get(struct openfile **out, const char *name, enum openfile_how how,
                 const struct openfile_options *options, swim_error_t *err);

/* Whether this process has it open, at that snapshot; NULL: at the last state. */
bool openfile_is_open(const char *name, const struct txn_snapshot *at);

/* After the last one: commit if it is to be written.  A failure of that is returned,
 * but the file is closed all the same.  Accepts NULL. */
int openfile_put(struct openfile *file, swim_error_t *err);
/* Say on stderr why, where there is no other way to. */
void openfile_tell(const swim_error_t *why);

/* The last close is to leave the journal where it is: another session follows soon. */
void openfile_keep_journal(struct openfile *file);

/* Errors of these: those of opening (the first time), and of txn.h. */
int openfile_enter(struct openfile *file, swim_error_t *err);
int openfile_size(struct openfile *file, uint64_t *size, swim_error_t *err);
/* Not SWIM_OK, but why: something that was written is gone, so that what is read is not
 * what the program believes is there. */
int openfile_is_whole(const struct openfile *file, swim_error_t *err);
int openfile_read(struct openfile *file, void *bytes, size_t size, uint64_t place,
                  swim_error_t *err);
int openfile_write(struct openfile *file, const void *bytes, size_t size,
                   uint64_t place, swim_error_t *err);
int openfile_set_size(struct openfile *file, uint64_t size, swim_error_t *err);
/* Without status flags in the superblock, if it has them. */
int openfile_commit(struct openfile *file, swim_error_t *err);
/* As txn_commit_begin() and txn_commit_end(). */
int openfile_commit_begin(struct openfile *file, swim_error_t *err);
bool openfile_commit_is_over(const struct openfile *file);
int openfile_commit_end(struct openfile *file, swim_error_t *err);
/* Whether others wait for its lock, see lock_is_wanted(). */
bool openfile_is_wanted(const struct openfile *file);
int openfile_abort(struct openfile *file, swim_error_t *err);
/* Why nothing of it is committed any more; SWIM_OK: it can be.  Told once. */
int openfile_failed(struct openfile *file, swim_error_t *err);

/* What is read, or was committed last.  SWIM_ERR_ARG: it is new, and nothing was. */
int openfile_snapshot(struct openfile *file, struct txn_snapshot *snapshot,
                      swim_error_t *err);

/* SWIM_OK while the lease of its lock runs, else SWIM_ERR_LOST.  No network. */
int openfile_check(const struct openfile *file, swim_error_t *err);

/* Whether the state that is read could still be opened.  Errors as of txn_open(). */
int openfile_is_there(struct openfile *file, swim_error_t *err);

/* What is committed last in a file that this process has open, or not. */
int openfile_look(const char *name, const struct openfile_options *options,
                  struct txn_snapshot *state, swim_error_t *err);

/* For H5Fget_vfd_handle(); -1 when it could not be opened. */
int openfile_fd(struct openfile *file, swim_error_t *err);
const char *openfile_path(const struct openfile *file);
bool openfile_is_new(const struct openfile *file); /* and has never been committed */
bool openfile_writes(const struct openfile *file);
/* Whether it was opened by the parent of this process, before it forked. */
bool openfile_is_foreign(const struct openfile *file);

#endif /* SWIM_STORE_OPENFILE_H */
