/* txn.h - a file open for reading one committed state of it, or for a transaction.
 *
 * Bytes and files alone: no HDF5, and no lock server.  Whoever opens one holds READ of
 * the file's resource to read, UPDATE to write, and WRITE for txn_checkpoint(); what is
 * done here besides are the flocks that keep programs apart that do not ask the same
 * lock server.  The bytes of the file below its high-water mark change in
 * txn_checkpoint() alone; what is written there goes to the journal (FORMAT.md), the
 * rest to the file itself.
 *
 * Without flock nothing holds back a writer that was stopped for longer than its lease
 * and goes on beside its successor.  It asks may_change() before each change, so that
 * one call of the system is left that it was stopped in, or right before.
 *   Guaranteed all the same: what that call writes, cuts or syncs of the journal is
 * read by nobody, since the successor has put a new journal in the place of the old one
 * before its first change (and nothing but a checkpoint touches the file itself); a
 * commit of the old writer that came before is kept, and the successor starts again;
 * one that came later is told SWIM_ERR_UNSURE.
 *   Not guaranteed: a call that goes by name, right behind the look at what the name
 * leads to, may hit what is the successor's by then (the removal of a journal, at a
 * close or behind a checkpoint; the rename of one that was rewritten, or of a new
 * file). And a writer that is stopped in a checkpoint may still write one piece of a
 * frame, of 1 MiB at most, or set the size, of the file itself.  That is not read while
 * there is a journal: its frames cover those places.  It does harm when the successor
 * has copied other bytes there and removed the journal.  Who can, lets some time pass
 * between the end of such a lease and the next checkpoint. Programs that use flock and
 * ones that do not may take turns on one file.
 *
 * One thread at a time; not for a forked child.  The functions of swim_io, and
 * may_change, are called by a thread of this when a commit was begun. */
#ifndef SWIM_STORE_TXN_H
#define SWIM_STORE_TXN_H

#include "io.h"
#include "journal_format.h"

struct txn_options {
    const struct swim_io *io; /* NULL: the system's */
    bool write;
    bool flocks; /* flock works on this file system, and is wanted */
    const struct txn_snapshot
        *at;        /* to read: the state; NULL: what is committed last */
    uint64_t fence; /* to write: of the UPDATE */
    unsigned char boot[JOURNAL_ID];
    /* Asked before each change of a file; not SWIM_OK: the change is not made.  NULL:
     * any change may be made. */
    int (*may_change)(void *arg, swim_error_t *err);
    /* To write.  A journal longer than rewrite_over bytes (0: 64 KiB) and than twice
     * what is of use in it is rewritten after a commit: the states before that are not
     * to be opened any more, but by who has them open.  Asked before, not SWIM_OK: it
     * stays.  NULL: it may be. */
    uint64_t rewrite_over;
    int (*may_rewrite)(void *arg);
    /* Whether others wait for the file: asked now and then while it is copied, which
     * then is left to a later session.  NULL: nobody ever does. */
    bool (*is_wanted)(void *arg);
    void *arg;
};

struct txn;

/* Open path, which is the real path of a file that exists.  What a dead writer left
 * uncommitted is cut off by the next one.
 *
 * SWIM_ERR_TIMEOUT: another program has it locked (try again); SWIM_ERR_CORRUPT: the
 * journal is damaged or belongs to another file, or the file was changed from outside;
 * SWIM_ERR_LOST: a writer that came later has been there; SWIM_ERR_ARG: the state `at`
 * is not there any more; else SWIM_ERR_IO, SWIM_ERR_NOMEM. */
int txn_open(struct txn **out, const char *path, const struct txn_options *options,
             swim_error_t *err);

/* Make path anew, with exclusive only where there is none (SWIM_ERR_IO, File exists).
 * The first commit puts it in the place of what has the name until then, whose mode
 * and, as far as this user may, owner it has; else mode less the umask.  Options are
 * those of one that writes.  Errors as of txn_open(). */
int txn_create(struct txn **out, const char *path, const struct txn_options *options,
               bool exclusive, mode_t mode, swim_error_t *err);

/* Close it; what is not committed is dropped.  Accepts NULL. */
void txn_close(struct txn *txn);

/* The size of the state that is read, or made. */
uint64_t txn_size(const struct txn *txn);
/* The number of the commit that is read, or was made last; 0: the file has no journal.
 */
uint64_t txn_number(const struct txn *txn);
/* Which state is read, or was made last; txn_snapshot_encode() makes bytes of it.  It
 * can be opened as long as a session that reads it, or one that came later, is open and
 * nothing is copied into the file or taken out of the journal: whoever hands it on
 * holds READ. */
void txn_snapshot(const struct txn *txn, struct txn_snapshot *snapshot);
/* For H5Fget_vfd_handle(): of the file itself. */
int txn_fd(const struct txn *txn);

/* Whether something is, or may be, in a journal. */
bool txn_has_journal(const struct txn *txn);
/* In a forked child: close its descriptors, and touch nothing; then only txn_close().
 */
void txn_forget(struct txn *txn);

/* Bytes behind the end are zero. */
int txn_read(struct txn *txn, void *bytes, size_t size, uint64_t place,
             swim_error_t *err);

/* After a failure of one of these nothing but abort and close is of use: the other
 * calls give the same error again. */
int txn_write(struct txn *txn, const void *bytes, size_t size, uint64_t place,
              swim_error_t *err);
int txn_set_size(struct txn *txn, uint64_t size, swim_error_t *err);
/* Make all since the last commit visible at once; with sync that, and what this one has
 * committed before, is on the disk when this returns.  When nothing differs from what
 * is committed it makes no journal and syncs nothing, not even what was found.
 *
 * When a sync has failed no later one of this transaction succeeds: what it could not
 * write is forgotten by the system, and not known to be on the disk.  A session that
 * comes later finds a mark when it was one of the journal, and puts another in its
 * place before it commits; of other syncs it cannot know, but what it rests on was
 * acknowledged by one before, or was committed without, or by a writer that was killed
 * in its commit.
 *
 * SWIM_ERR_LOST: another session has written since this one opened it.
 * SWIM_ERR_UNSURE: others may see it already, and it may be lost, as the last sync has
 * failed; the transaction can only be closed, and what was committed stays as it is for
 * those who have it open.  Without flock also: another has taken over meanwhile; it may
 * be lost. */
int txn_commit(struct txn *txn, bool sync, swim_error_t *err);

/* The same with sync, but another thread brings it to the disk, while the next
 * transaction may be made.  Others see it when that is done, and it may fail until
 * then: txn_commit_end() waits for it, and tells.  At most one is under way; a call of
 * commit, abort, checkpoint and close ends it before.  Where it is not worth a thread
 * it is made at once.  After a failure of one the transaction can only be closed. */
int txn_commit_begin(struct txn *txn, swim_error_t *err);
bool txn_commit_is_over(const struct txn *txn);
int txn_commit_end(struct txn *txn, swim_error_t *err);

/* Forget all since the last commit.  After one that is unsure, its error again. */
int txn_abort(struct txn *txn, swim_error_t *err);

/* Copy what is committed into the file and remove the journal; nothing may be
 * uncommitted.  SWIM_ERR_TIMEOUT: another session or program has the file open, or
 * waits for it, and the file is to be closed now: it may not be locked any more.
 * SWIM_ERR_CORRUPT: it was changed from outside. */
int txn_checkpoint(struct txn *txn, swim_error_t *err);

#endif /* SWIM_STORE_TXN_H */
