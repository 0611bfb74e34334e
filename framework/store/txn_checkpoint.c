/* txn_checkpoint.c - copying what is committed into the file itself.
 *
 * The journal stays until all of it is on the disk, and whoever reads meanwhile or
 * after a crash sees the frames over whatever the file holds: copying can be done again
 * from the beginning at any time.  From the first byte on the file may hold a frame in
 * part, so it cannot be told any more whether it was changed from outside; a commit
 * that says so goes before. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/file.h>

#include "txn_private.h"

#define STEP (64U << 20)

/* Those who want the file meanwhile wait for a step of the work, not for all of it:
 * what was copied is put on the disk by then, or the sync at the end would take its
 * time. */
static int checkpoint_step(struct txn *t, uint64_t bytes, bool wrote, swim_error_t *err)
{
    t->step += bytes;
    if (t->step < STEP || !t->opt.is_wanted)
        return SWIM_OK;
    t->step = 0;
    int rc = wrote ? io_sync(&t->main, err) : SWIM_OK;
    if (rc != SWIM_OK || !t->opt.is_wanted(t->opt.arg))
        return rc;
    return swim_error_set(err, SWIM_ERR_TIMEOUT,
                          "copy the journal into %s: others wait for it", t->path);
}

struct verify {
    struct txn *txn;
    bool for_copy;
};

/* Compare what the file holds below a frame with what it held. */
static int verify_frame(void *arg, const struct journal_frame *frame, uint64_t extent,
                        swim_error_t *err)
{
    const struct verify *verify = arg;
    struct txn *t = verify->txn;
    uint64_t sum = 0;

    int rc = journal_sum_of(&t->main, frame->place, frame->size, extent,
                            t->journal.seed, &sum, err);
    if (rc == SWIM_OK && sum == frame->under)
        return verify->for_copy ? checkpoint_step(t, frame->size, false, err) : rc;
    if (rc != SWIM_OK)
        return rc;
    return swim_error_set(err, SWIM_ERR_CORRUPT,
                          "write to %s: it was changed from outside at byte %" PRIu64
                          " since its journal was begun (see h5swim check)",
                          t->path, frame->place);
}

/* All frames, in the state before any of them was copied. */
static int verify_all(struct txn *t, bool for_copy, swim_error_t *err)
{
    struct verify verify = {t, for_copy};

    if (t->began || t->journal.may_be_copied)
        return SWIM_OK;
    int rc = journal_each_frame(&t->journal, verify_frame, &verify, err);
    t->began = rc == SWIM_OK;
    return rc;
}

int txn_verify(struct txn *t, swim_error_t *err)
{
    return verify_all(t, false, err);
}

/* All of the journal is on the disk, also what was found in it and what was committed
 * without a sync: the file may not get ahead of it. */
static int checkpoint_mark(struct txn *t, swim_error_t *err)
{
    struct journal_commit c = t->journal.last;

    int rc = txn_sync_all(t, err);
    if (rc != SWIM_OK || t->journal.may_be_copied)
        return rc;
    c.flags = JOURNAL_MAY_BE_COPIED;
    c.fence = t->opt.fence;
    memcpy(c.boot, t->opt.boot, JOURNAL_ID);
    return txn_log_synced(t, journal_append_commit(&t->append, &c, true, err));
}

static int copy_piece(struct txn *t, const struct overlay_piece *piece, uint64_t end,
                      swim_error_t *err)
{
    int rc = SWIM_OK;

    for (uint64_t at = piece->place; rc == SWIM_OK && at < end;) {
        size_t n = end - at < TXN_BUFFER ? (size_t)(end - at) : TXN_BUFFER, got = 0;
        struct iovec part = {t->current, n};
        rc = io_read(&t->log, t->current, n, piece->source + (at - piece->place), &got,
                     err);
        if (rc == SWIM_OK && got < n)
            rc = swim_error_set(err, SWIM_ERR_CORRUPT,
                                "read %s: it is shorter than it was", t->log.path);
        if (rc == SWIM_OK)
            rc = txn_may_change(t, err);
        if (rc == SWIM_OK)
            rc = io_write(&t->main, &part, 1, at, err);
        if (rc == SWIM_OK)
            io_wrote(&t->unsent, &t->main, at, n);
        if (rc == SWIM_OK)
            rc = checkpoint_step(t, n, true, err);
        at += n;
    }
    return rc;
}

/* Behind the extent lies what a dead writer left there. */
static int checkpoint_cut(struct txn *t, swim_error_t *err)
{
    uint64_t size = 0;
    int rc = io_size(&t->main, &size, err);

    if (rc != SWIM_OK || size <= t->journal.last.extent)
        return rc;
    rc = txn_may_change(t, err);
    return rc == SWIM_OK ? io_truncate(&t->main, t->journal.last.extent, err) : rc;
}

static int checkpoint_copy(struct txn *t, swim_error_t *err)
{
    uint64_t end = t->journal.last.size;
    int rc = checkpoint_cut(t, err);

    for (struct overlay_piece *piece = overlay_from(&t->journal.overlay, 0);
         rc == SWIM_OK && piece && piece->place < end; piece = overlay_next(piece))
        rc = copy_piece(t, piece, piece->end < end ? piece->end : end, err);
    if (rc == SWIM_OK)
        rc = txn_may_change(t, err);
    if (rc == SWIM_OK)
        rc = io_truncate(&t->main, end, err);
    /* The bytes are those of the commit, and so it can be told that they are that state
     * when its journal is gone; where it cannot be set, it is not told.  Without a
     * commit there is no time. */
    if (rc == SWIM_OK && t->journal.last.when_ns > 0)
        (void)io_set_mtime(t->io, t->main.fd, t->journal.last.when_ns);
    return rc == SWIM_OK ? io_sync(&t->main, err) : rc;
}

/* From here on the file is its only state. */
static int checkpoint_end(struct txn *t, swim_error_t *err)
{
    int rc = txn_journal_remove(t, err);

    if (rc != SWIM_OK)
        return rc;
    memset(&t->journal, 0, sizeof(t->journal));
    overlay_init(&t->journal.overlay);
    rc = txn_start_bare(t, err);
    return rc == SWIM_OK ? txn_sync_dir(t, err) : rc;
}

/* Nobody else has the file open, and it is as it was when the journal was begun. */
static int checkpoint_begin(struct txn *t, swim_error_t *err)
{
    int rc = txn_flock(t, &t->main, LOCK_EX, err);

    if (rc == SWIM_OK)
        rc = txn_may_change(t, err);
    return rc == SWIM_OK ? verify_all(t, true, err) : rc;
}

int txn_checkpoint(struct txn *t, swim_error_t *err)
{
    int rc = txn_commit_end(t, err);

    if (rc != SWIM_OK)
        return rc;
    if (t->state != TXN_CLEAN)
        return swim_error_set(err, SWIM_ERR_ARG,
                              "copy the journal into %s: something is uncommitted",
                              t->path);
    if (t->log.fd < 0)
        return SWIM_OK;
    rc = checkpoint_begin(t, err);
    if (rc == SWIM_OK)
        rc = txn_journal_begin(t, err);
    if (rc == SWIM_OK)
        rc = checkpoint_mark(t, err);
    if (rc == SWIM_OK)
        rc = checkpoint_copy(t, err);
    return rc == SWIM_OK ? checkpoint_end(t, err) : rc;
}
