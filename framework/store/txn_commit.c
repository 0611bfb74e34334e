/* txn_commit.c - what becomes of the changes of a transaction. */
#include <string.h>
#include <time.h>

#include "txn_private.h"

static uint64_t max_u64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* How far the file itself goes; it does so from here on. */
static int commit_tail(struct txn *t, struct journal_commit *c, swim_error_t *err)
{
    uint64_t size = 0;
    int rc = txn_tail_put(t, err);

    if (rc == SWIM_OK)
        rc = io_size(&t->main, &size, err);
    c->extent = t->journal.last.extent;
    if (rc != SWIM_OK || !t->direct || t->size <= t->journal.last.high_water)
        return rc;
    c->extent = t->size;
    t->main_unsynced = true;
    return size == t->size ? rc : io_truncate(&t->main, t->size, err);
}

/* Whether a frame that waits for its commit differs from what is committed. */
static int piece_differs(struct txn *t, const struct overlay_piece *piece,
                         bool *differs, swim_error_t *err)
{
    const struct journal_view view = {&t->journal, NULL, &t->main,
                                      t->journal.last.extent};
    uint64_t end = piece->end < t->size ? piece->end : t->size;
    size_t size = (size_t)(end - piece->place), got = 0;

    int rc = io_read(&t->log, t->under, size, piece->source, &got, err);
    if (rc == SWIM_OK)
        rc = journal_read(&view, t->current, size, piece->place, err);
    *differs = got < size || memcmp(t->current, t->under, size) != 0;
    return rc;
}

/* HDF5 writes the superblock when it opens and when it closes a file, and may mark it
 * as open between the two: all of it may come to nothing.  Where much was written that
 * is not looked for. */
static int commit_is_needed(struct txn *t, bool *needed, swim_error_t *err)
{
    const struct journal_commit *last = &t->journal.last;
    struct overlay_piece *piece = overlay_from(&t->append.pending, 0);
    int rc = SWIM_OK;

    /* What was written behind the high-water mark has made the size another one. */
    *needed = t->size != last->size || t->append.pending.bytes > TXN_BUFFER;
    for (; rc == SWIM_OK && !*needed && piece && piece->place < t->size;
         piece = overlay_next(piece))
        rc = piece_differs(t, piece, needed, err);
    return rc;
}

int txn_unsure(struct txn *t, const swim_error_t *why, swim_error_t *err)
{
    t->over = true;
    return swim_error_set(err, SWIM_ERR_UNSURE,
                          "%s; others may see this commit of %s already, and it may be "
                          "lost if the host fails (look at what is there before you "
                          "write it again)",
                          why->text, t->path);
}

/* It went to the journal that others read. */
static int commit_is_seen(struct txn *t, swim_error_t *err)
{
    bool is = false;
    int rc = txn_journal_is_there(t, &is, err);

    if (rc != SWIM_OK || is)
        return rc;
    return swim_error_set(err, SWIM_ERR_UNSURE,
                          "write to %s: another session has taken over meanwhile; what "
                          "was committed last may be lost (look, and start again)",
                          t->path);
}

enum commit_how { COMMIT_QUICK, COMMIT_SYNC, COMMIT_LATER };

static int commit_make(struct txn *t, struct journal_commit *c, swim_error_t *err)
{
    struct timespec now;

    *c = (struct journal_commit){
        .fence = t->opt.fence,
        .size = t->size,
        .high_water =
            max_u64(max_u64(t->journal.last.high_water, t->size), t->framed_end)};
    clock_gettime(CLOCK_REALTIME, &now);
    c->when_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
    memcpy(c->boot, t->opt.boot, JOURNAL_ID);
    return commit_tail(t, c, err);
}

/* Once its record is in the journal a commit cannot be undone. */
static int commit_put(struct txn *t, struct journal_commit *c, bool sync,
                      swim_error_t *err)
{
    const uint64_t number = t->journal.last.number;
    swim_error_t now = {0};
    int rc = txn_log_synced(t, journal_append_commit(&t->append, c, sync, &now));

    if (rc == SWIM_OK)
        t->log_unsynced = t->owes_sync = !sync;
    if (rc == SWIM_OK && !t->opt.flocks)
        rc = commit_is_seen(t, &now);
    if (rc == SWIM_OK)
        return rc;
    if (rc != SWIM_ERR_UNSURE && t->journal.last.number != number)
        return txn_unsure(t, &now, err);
    return swim_error_set(err, rc, "%s", now.text);
}

static int commit_record(struct txn *t, bool sync, swim_error_t *err)
{
    struct journal_commit c;
    int rc = commit_make(t, &c, err);

    if (rc == SWIM_OK && sync)
        rc = txn_sync_all(t, err);
    if (rc == SWIM_OK)
        rc = txn_may_change(t, err);
    return rc == SWIM_OK ? commit_put(t, &c, sync, err) : rc;
}

static int commit_later(struct txn *t, swim_error_t *err)
{
    struct journal_commit c;
    int rc = commit_make(t, &c, err);

    if (rc == SWIM_OK && t->log_unsynced)
        rc = txn_sync_all(t, err);
    if (rc == SWIM_OK)
        rc = journal_append_seal(&t->append, &c, &t->later.record, err);
    if (rc == SWIM_OK)
        txn_later_start(t);
    return rc;
}

/* Nothing comes of it: what is held is gone already.  But who was told that a commit
 * may be lost makes the same again, to be sure. */
static int commit_nothing(struct txn *t, enum commit_how how, swim_error_t *err)
{
    bool unsure = t->journal.unsure;
    int rc = t->append.frames > 0 ? journal_append_abort(&t->append, err) : SWIM_OK;

    if (rc != SWIM_OK || how == COMMIT_QUICK)
        return rc;
    if (unsure)
        rc = txn_journal_begin(t, err);
    return rc == SWIM_OK && (unsure || t->owes_sync) ? txn_sync_all(t, err) : rc;
}

static int commit_changes(struct txn *t, enum commit_how how, swim_error_t *err)
{
    bool needed = false;
    int rc = txn_held_frame(t, t->size, err);

    if (rc == SWIM_OK)
        rc = commit_is_needed(t, &needed, err);
    if (rc != SWIM_OK || !needed)
        return rc == SWIM_OK ? commit_nothing(t, how, err) : rc;
    rc = txn_journal_begin(t, err);
    if (rc != SWIM_OK)
        return rc;
    return how == COMMIT_LATER ? commit_later(t, err)
                               : commit_record(t, how == COMMIT_SYNC, err);
}

static int commit(struct txn *t, enum commit_how how, swim_error_t *err)
{
    swim_error_t now = {0};

    if (t->state == TXN_CLEAN)
        return how != COMMIT_QUICK && t->owes_sync ? txn_sync_all(t, err) : SWIM_OK;
    int rc = txn_begin_change(t, &now);
    if (rc == SWIM_OK)
        rc = t->fresh ? txn_commit_fresh(t, how != COMMIT_QUICK, &now)
                      : commit_changes(t, how, &now);
    if (rc == SWIM_OK) {
        t->state = TXN_CLEAN;
        t->tail_end = t->framed_end = 0;
        t->unsent = (struct io_unsent){0};
    }
    return txn_fail(t, rc, &now, err);
}

int txn_commit(struct txn *t, bool sync, swim_error_t *err)
{
    bool changed = t->state != TXN_CLEAN;
    int rc = txn_commit_end(t, err);

    if (rc == SWIM_OK)
        rc = commit(t, sync ? COMMIT_SYNC : COMMIT_QUICK, err);
    if (rc == SWIM_OK && changed)
        txn_rewrite_if_long(t);
    return rc;
}

/* A new file has others in its place, and without flock it is looked at once more after
 * the record; one that is long is made shorter, which takes a state that is whole. */
int txn_commit_begin(struct txn *t, swim_error_t *err)
{
    int rc = txn_commit_end(t, err);

    if (rc != SWIM_OK)
        return rc;
    return !t->opt.flocks || t->fresh || txn_is_long(t) ? txn_commit(t, true, err)
                                                        : commit(t, COMMIT_LATER, err);
}

/* All of it was held. */
static bool abort_is_nothing(const struct txn *t)
{
    return t->state == TXN_CHANGED && t->append.frames == 0 && t->tail_end == 0;
}

int txn_abort(struct txn *t, swim_error_t *err)
{
    const struct journal_commit *last = &t->journal.last;
    uint64_t size = 0;
    int rc = SWIM_OK;

    (void)txn_commit_end(t, NULL); /* one that fails breaks it */
    if (t->state == TXN_CLEAN || t->state == TXN_READS)
        return SWIM_OK;
    t->size = last->size;
    t->tail_size = 0;
    txn_held_drop(t);
    if (t->fresh) {
        rc = txn_may_change(t, err);
        if (rc == SWIM_OK)
            rc = io_truncate(&t->main, 0, err);
    }
    if (t->log.fd >= 0 && t->owned && !abort_is_nothing(t)) {
        rc = txn_may_change(t, err);
        if (rc == SWIM_OK)
            rc = journal_append_abort(&t->append, err);
        if (rc == SWIM_OK && t->direct)
            rc = io_size(&t->main, &size, err);
        if (rc == SWIM_OK && size > last->high_water)
            rc = io_truncate(&t->main, last->high_water, err);
    }
    t->tail_end = t->framed_end = 0;
    t->unsent = (struct io_unsent){0};
    if (rc == SWIM_OK && t->over)
        rc = swim_error_set(err, t->broken.code, "%s", t->broken.text);
    t->state = rc != SWIM_OK ? TXN_BROKEN : t->fresh ? TXN_CHANGED : TXN_CLEAN;
    if (rc != SWIM_OK && t->broken.code == SWIM_OK)
        t->broken.code = rc;
    return rc;
}
