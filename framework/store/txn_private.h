/* txn_private.h - what the files of a transaction share. */
#ifndef SWIM_STORE_TXN_PRIVATE_H
#define SWIM_STORE_TXN_PRIVATE_H

#include <stdatomic.h>

#include "journal.h"
#include "txn.h"

#define TXN_BUFFER (1U << 20)
/* Small writes are held in memory, so much in all and in so many pieces. */
#define TXN_SMALL (16U << 10)
#define TXN_HELD (64U << 10)
#define TXN_HELD_PIECES 1024
#define TXN_TAIL (128U << 10)

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
 * or in the journal before it (its place may be behind frames of the next commit), and
 * with sync when the commits before it are on the disk; 4 in
 * CLEAN, size is that of the last commit, no frame is pending and nothing is held, nor
 * a write to the file itself; 5 what is held is newer than the frames over the same
 * place; 6 nothing is added to a journal that is not owned, or is unsure; 7 what a
 * commit record refers to that others may have read is neither cut off nor written
 * over. */
enum txn_state { TXN_READS, TXN_CLEAN, TXN_CHANGED, TXN_BROKEN };

/* A commit that is on its way to the disk.  Until it has ended the thread alone syncs,
 * and looks at what is unsynced. */
struct txn_later {
    bool under_way, threaded;
    pthread_t thread;
    struct journal_record record;
    atomic_bool done;
    bool put; /* of the thread, when it is done: others may read the record */
    int rc;
    swim_error_t err;
};

/* What is read with what was asked for. */
struct txn_ahead {
    unsigned char *bytes; /* NULL: nothing was yet */
    uint64_t from, next;  /* next: behind the last read */
    size_t size;
};

struct txn {
    struct txn_options opt;
    const struct swim_io *io;
    enum txn_state state;
    char *path, *journal_path, *rewritten_path, *new_path, *dir;
    struct io_file main, log; /* log.fd is -1 without a journal */
    struct stat st;           /* of the file, when it was opened */
    struct journal journal;   /* without one: the file is its only state */
    struct journal_append append;
    /* Small writes that are in no frame yet; source: in held_bytes, which has room for
     * a run of them behind TXN_HELD. */
    struct overlay held;
    unsigned char *held_bytes;
    size_t held_size;
    struct txn_ahead ahead; /* of one that reads */
    /* Small writes to the file itself, one behind the other, that are not made yet. */
    unsigned char *tail_bytes;
    uint64_t tail_from;
    size_t tail_size;
    bool direct; /* nobody else can be writing: what is at the high-water mark or
                    behind goes to the file itself */
    bool began;  /* the journal is of this transaction: what is below its frames was
                    looked at */
    bool owned;  /* nobody else can add to it without being noticed: it is locked, or
                    this one has put it there */
    bool fresh;  /* it is new_path and has no journal; its first commit renames it */
    bool exclusive;
    struct txn *old; /* what it takes the name of; NULL: nothing */
    /* What may not be on the disk yet; of what was found nothing is known: a writer may
     * have been killed before it synced it. */
    bool main_unsynced, dir_unsynced, log_unsynced;
    uint64_t step;         /* bytes of a copy since it was looked whether others wait */
    uint64_t rewrite_over; /* the journal is left as it is up to here */
    bool owes_sync;        /* it has committed without one */
    bool sync_failed; /* nothing is known to be on the disk any more: see io_file */
    bool over;        /* a commit has failed half-way: it can only be closed */
    uint64_t size;    /* of the state that is made */
    struct io_unsent unsent; /* of the file itself */
    uint64_t tail_end; /* of what was written to the file itself since the last commit;
                          0: nothing */
    uint64_t framed_end;            /* so far frames, and what is held, go since then */
    unsigned char *current, *under; /* TXN_BUFFER each */
    swim_error_t broken;
    struct txn_later later;
};

/* Memory alone; NULL: there is none. */
struct txn *txn_new(const char *path, const struct txn_options *options);

/* Lock, without waiting; SWIM_ERR_TIMEOUT: others have it. */
int txn_flock(const struct txn *txn, const struct io_file *file, int how,
              swim_error_t *err);
int txn_may_change(const struct txn *txn, swim_error_t *err);

/* The state `at` is not there any more. */
int txn_gone(const struct txn *txn, swim_error_t *err);
/* Without a journal: the file as it is now is the state. */
int txn_start_bare(struct txn *txn, swim_error_t *err);

/* The file's own bytes that count: [0, end). */
uint64_t txn_main_end(const struct txn *txn);

/* Bring later.record, and what it rests on, to the disk. */
void txn_later_start(struct txn *txn);

int txn_commit_fresh(struct txn *txn, bool sync, swim_error_t *err);

/* May it change the file now?  And what it says when a change failed: rc, and the same
 * from then on. */
int txn_begin_change(struct txn *txn, swim_error_t *err);
int txn_fail(struct txn *txn, int rc, const swim_error_t *now, swim_error_t *err);

/* The next run of blocks at *at or behind that differ from what is in the same place,
 * as far as that goes: its size; 0: there is none. */
size_t txn_differs(const unsigned char *bytes, size_t size, const unsigned char *same,
                   size_t same_size, size_t *at);

/* Below the high-water mark: what differs from what is there becomes frames; at most
 * TXN_BUFFER bytes. */
int txn_frame(struct txn *txn, const unsigned char *bytes, size_t size, uint64_t place,
              swim_error_t *err);
/* Hold at most TXN_SMALL bytes, as the newest; make frames of what is held before end;
 * forget what is held; put it over what was read of [place, place + size). */
int txn_hold(struct txn *txn, const void *bytes, size_t size, uint64_t place,
             swim_error_t *err);
int txn_held_frame(struct txn *txn, uint64_t end, swim_error_t *err);
void txn_held_drop(struct txn *txn);
void txn_held_read(struct txn *txn, void *bytes, size_t size, uint64_t place);

/* Make the writes to the file itself that are held back; do such ones lie there? */
int txn_tail_put(struct txn *txn, swim_error_t *err);
bool txn_tail_holds(const struct txn *txn, uint64_t place, uint64_t size);

/* A commit that others may see already has failed, and why: SWIM_ERR_UNSURE. */
int txn_unsure(struct txn *txn, const swim_error_t *why, swim_error_t *err);

/* What a sync of the journal came to: rc.  When it has failed the next writer finds the
 * mark for that. */
int txn_log_synced(struct txn *txn, int rc);
/* Something may be added to the journal as it is. */
bool txn_may_add(const struct txn *txn);
/* Open the journal that is there; none: nothing happens.  Begin one; remove it. */
int txn_journal_open(struct txn *txn, swim_error_t *err);
int txn_journal_begin(struct txn *txn, swim_error_t *err);
int txn_journal_remove(struct txn *txn, swim_error_t *err);
/* Put a new journal in the place of one that somebody may still be adding to
 * (SWIM_ERR_LOST: somebody has), or of which the disk may not have all. */
int txn_take_over(struct txn *txn, swim_error_t *err);
/* Whether the journal is still the one by that name. */
int txn_journal_is_there(const struct txn *txn, bool *is, swim_error_t *err);
/* SWIM_ERR_CORRUPT: what is below the frames was changed from outside. */
int txn_verify(struct txn *txn, swim_error_t *err);
/* Who may read the file may read what lies beside it, whatever the umask says, and
 * whatever group this user's files have. */
void txn_open_to_readers(const struct txn *txn, const struct io_file *file);
/* A new file that is locked; one that a dead writer left there is removed.  file has a
 * path. */
int txn_open_anew(const struct txn *txn, struct io_file *file, mode_t mode,
                  swim_error_t *err);
/* Put a new journal with what is of use in this one in its place; nothing may be
 * uncommitted.  After a failure all is as it was. */
int txn_rewrite(struct txn *txn, swim_error_t *err);
/* The same; *was (NULL: it is closed) gets the old one, with its file. */
int txn_rewrite_keeping(struct txn *txn, struct journal *was, swim_error_t *err);
void txn_rewrite_if_long(struct txn *txn);
/* Whether it is so long that the next commit would try to. */
bool txn_is_long(const struct txn *txn);
/* What a commit rests on is on the disk: the bytes of the file itself and the directory
 * entry of the journal.  The same, and all that is committed. */
int txn_sync_below(struct txn *txn, swim_error_t *err);
int txn_sync_all(struct txn *txn, swim_error_t *err);
/* The directory alone. */
int txn_sync_dir(struct txn *txn, swim_error_t *err);

#endif /* SWIM_STORE_TXN_PRIVATE_H */
