/* txn_private.h - what the files of a transaction share. */
#ifndef SWIM_STORE_TXN_PRIVATE_H
#define SWIM_STORE_TXN_PRIVATE_H

#include "journal.h"
#include "txn.h"

#define TXN_BUFFER (1U << 20)

/* States of one that writes:
 *
 *   CLEAN    nothing is uncommitted        write, set_size -> CHANGED; checkpoint
 *   CHANGED                                commit, abort -> CLEAN
 *   BROKEN   a call failed half-way        abort -> CLEAN
 *
 * Invariants: 1 the journal exists before a byte of the file is written, unless it is
 * fresh, when nobody else sees it; 2 nothing
 * below high_water is written to the file but by a checkpoint, and nothing at all
 * unless direct; 3 a commit record is written when all that it refers to is on the disk
 * or in the journal before it; 4 in CLEAN, size is that of the last commit and no frame
 * is pending. */
enum txn_state { TXN_READS, TXN_CLEAN, TXN_CHANGED, TXN_BROKEN };

struct txn {
    struct txn_options opt;
    const struct swim_io *io;
    enum txn_state state;
    char *path, *journal_path, *new_path, *dir;
    struct io_file main, log; /* log.fd is -1 without a journal */
    struct stat st;           /* of the file, when it was opened */
    struct journal journal;   /* without one: the file is its only state */
    struct journal_append append;
    bool direct; /* nobody else can be writing: what is at the high-water mark or
                    behind goes to the file itself */
    bool began;  /* the journal is of this transaction */
    bool fresh;  /* it is new_path and has no journal; its first commit renames it */
    bool exclusive;
    struct txn *old; /* what it takes the name of; NULL: nothing */
    /* What may not be on the disk yet; of what was found nothing is known: a writer may
     * have been killed before it synced it. */
    bool main_unsynced, dir_unsynced, log_unsynced;
    uint64_t size;     /* of the state that is made */
    uint64_t tail_end; /* of what was written to the file itself since the last commit;
                          0: nothing */
    unsigned char *current, *under; /* TXN_BUFFER each */
    swim_error_t broken;
};

/* Memory alone; NULL: there is none. */
struct txn *txn_new(const char *path, const struct txn_options *options);

/* Lock, without waiting; SWIM_ERR_TIMEOUT: others have it. */
int txn_flock(const struct txn *txn, const struct io_file *file, int how,
              swim_error_t *err);
int txn_may_change(const struct txn *txn, swim_error_t *err);

/* The file's own bytes that count: [0, end). */
uint64_t txn_main_end(const struct txn *txn);

int txn_commit_fresh(struct txn *txn, bool sync, swim_error_t *err);

/* Open the journal that is there; none: nothing happens.  Begin one; remove it. */
int txn_journal_open(struct txn *txn, swim_error_t *err);
int txn_journal_begin(struct txn *txn, swim_error_t *err);
int txn_journal_remove(struct txn *txn, swim_error_t *err);
/* What a commit rests on is on the disk: the bytes of the file itself and the directory
 * entry of the journal.  All that is committed is on the disk. */
int txn_sync_below(struct txn *txn, swim_error_t *err);
int txn_sync_all(struct txn *txn, swim_error_t *err);
/* The directory alone. */
int txn_sync_dir(struct txn *txn, swim_error_t *err);

#endif /* SWIM_STORE_TXN_PRIVATE_H */
