/* openfile_private.h - what the files of an open file share. */
#ifndef SWIM_STORE_OPENFILE_PRIVATE_H
#define SWIM_STORE_OPENFILE_PRIVATE_H

#include <limits.h>
#include <sys/types.h>

#include "lock/pin.h"
#include "store/openfile.h"
#include "store/process_session.h"

enum openfile_state { OPENFILE_NAMED, OPENFILE_OPEN, OPENFILE_LOST };

struct openfile {
    struct openfile *next;
    char *path;              /* the real one */
    char resource[PATH_MAX]; /* of its lock */
    enum openfile_how how;
    struct openfile_options opt;
    enum openfile_state state;
    swim_error_t why; /* it is LOST */
    bool untold; /* and the program may not know: HDF5 is not told of all failures */
    int opens;
    pid_t pid;                               /* of who opened it */
    uint64_t mark;                           /* and his fork_mark() */
    bool is_new;                             /* created, and not yet committed */
    struct process_session *process_session; /* NULL: not used */
    swim_session_t *session;
    swim_lock_t *lock;
    struct txn *txn;
    bool flocks;        /* they keep others away, beside the lock */
    bool untold_commit; /* one was begun, and those who wait for it do not know */
    bool keep_journal;  /* at the last close */
    bool pinned;        /* a state of it was named to others */
    struct lock_pin pin;
};

/* Lock it and begin.  openfile_leave() undoes it; a transaction is dropped. */
int openfile_begin(struct openfile *file, swim_error_t *err);
void openfile_leave(struct openfile *file);

/* Commit, and tell those who wait for it; later: both in openfile_settle(), which waits
 * until the commit is on the disk. */
int openfile_commit_now(struct openfile *file, bool later, swim_error_t *err);
int openfile_settle(struct openfile *file, swim_error_t *err);

/* Keep the states that are there until the file is left. */
int openfile_pin(struct openfile *file, const struct txn_snapshot *state,
                 swim_error_t *err);

/* The last close: commit what is to be committed, copy the journal, give the lock back.
 */
int openfile_finish(struct openfile *file, bool commit, swim_error_t *err);

#endif /* SWIM_STORE_OPENFILE_PRIVATE_H */
