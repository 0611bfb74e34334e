/* txn_write.c - changing a file in a transaction: write, commit, abort. */
#include <string.h>
#include <time.h>

#include "txn_private.h"

#define BLOCK 4096 /* bytes that are the same are left out in pieces of this */

/* One that reads has nothing that could be broken, and stays one. */
static int txn_fail(struct txn *t, int rc, const swim_error_t *now, swim_error_t *err)
{
    if (rc == SWIM_OK)
        return rc;
    if (t->state == TXN_READS)
        return swim_error_set(err, rc, "%s", now->text);
    if (t->state != TXN_BROKEN)
        t->broken = *now;
    t->broken.code = rc;
    t->state = TXN_BROKEN;
    return swim_error_set(err, rc, "%s", t->broken.text);
}

/* May this one change the file now? */
static int txn_begin_change(struct txn *t, swim_error_t *err)
{
    if (t->state == TXN_READS)
        return swim_error_set(err, SWIM_ERR_ARG, "write to %s: it is open for reading",
                              t->path);
    if (t->state == TXN_BROKEN)
        return swim_error_set(err, t->broken.code, "%s", t->broken.text);
    return txn_may_change(t, err);
}

/* Whether no frame covers [place, place + size), so that the file itself counts. */
static bool is_bare(struct txn *t, uint64_t place, size_t size)
{
    const struct overlay_piece *a = overlay_from(&t->append.pending, place);
    const struct overlay_piece *b = overlay_from(&t->journal.overlay, place);

    return (!a || a->place >= place + size) && (!b || b->place >= place + size);
}

/* What is there now into current, and what the file itself holds into under. */
static int txn_read_both(struct txn *t, uint64_t place, size_t size, size_t *held,
                         swim_error_t *err)
{
    uint64_t end = t->journal.last.extent;
    uint64_t there = place < end ? end - place : 0;
    int rc = io_read(&t->main, t->under, size < there ? size : (size_t)there, place,
                     held, err);

    if (rc != SWIM_OK)
        return rc;
    if (!is_bare(t, place, size) || *held < size)
        return txn_read(t, t->current, size, place, err);
    memcpy(t->current, t->under, size);
    return SWIM_OK;
}

/* At most TXN_BUFFER bytes: the blocks that differ become frames. */
static int write_framed_piece(struct txn *t, const unsigned char *bytes, size_t size,
                              uint64_t place, swim_error_t *err)
{
    size_t held = 0;
    int rc = txn_read_both(t, place, size, &held, err);

    for (size_t at = 0; rc == SWIM_OK && at < size;) {
        size_t end = at;
        for (; end < size; end += BLOCK) {
            size_t n = size - end < BLOCK ? size - end : BLOCK;
            /* what is behind the end is written even if it is zero */
            if (place + end + n <= t->size &&
                memcmp(bytes + end, t->current + end, n) == 0)
                break;
        }
        end = end < size ? end : size;
        if (end > at) {
            rc = txn_journal_begin(t, err);
            t->state = TXN_CHANGED;
        }
        if (rc == SWIM_OK && end > at)
            rc = journal_append_frame(&t->append, bytes + at, end - at, place + at,
                                      t->under + (at < held ? at : held),
                                      at < held ? held - at : 0, err);
        at = end + (end < size ? BLOCK : 0);
    }
    return rc;
}

static int write_framed(struct txn *t, const unsigned char *bytes, size_t size,
                        uint64_t place, swim_error_t *err)
{
    int rc = SWIM_OK;

    for (size_t done = 0; rc == SWIM_OK && done < size;) {
        size_t n = size - done < TXN_BUFFER ? size - done : TXN_BUFFER;
        rc = write_framed_piece(t, bytes + done, n, place + done, err);
        done += n;
    }
    return rc;
}

/* Nothing committed refers to it: into the file itself. */
static int write_tail(struct txn *t, const unsigned char *bytes, size_t size,
                      uint64_t place, swim_error_t *err)
{
    /* iovec has no const; nothing is written to what is only sent */
    struct iovec part = {(void *)(uintptr_t)bytes, size};

    int rc = txn_journal_begin(t, err);
    if (rc != SWIM_OK)
        return rc;
    t->state = TXN_CHANGED;
    if (place + size > t->tail_end)
        t->tail_end = place + size;
    return io_write(&t->main, &part, 1, place, err);
}

/* The state grows to place: what is between is zero, whatever was there before it was
 * cut off.  Behind the high-water mark the file itself was cut. */
static int fill_gap(struct txn *t, uint64_t place, swim_error_t *err)
{
    static const unsigned char zeros[65536];
    uint64_t high_water = t->journal.last.high_water;
    uint64_t end = place < high_water ? place : high_water;
    int rc = SWIM_OK;

    for (uint64_t at = t->size; rc == SWIM_OK && at < end;) {
        size_t n = end - at < sizeof(zeros) ? (size_t)(end - at) : sizeof(zeros);
        rc = write_framed(t, zeros, n, at, err);
        at += n;
    }
    return rc;
}

/* The file itself, where nothing that is committed refers to it. */
static int cut_tail(struct txn *t, uint64_t size, swim_error_t *err)
{
    uint64_t end =
        size > t->journal.last.high_water ? size : t->journal.last.high_water;

    if (t->tail_end <= end)
        return SWIM_OK;
    t->tail_end = end;
    return io_truncate(&t->main, end, err);
}

int txn_write(struct txn *t, const void *bytes, size_t size, uint64_t place,
              swim_error_t *err)
{
    const unsigned char *from = bytes;
    uint64_t high_water = t->journal.last.high_water;
    swim_error_t now = {0};

    if (place > JOURNAL_PLACE_MAX || size > JOURNAL_PLACE_MAX - place)
        return swim_error_set(err, SWIM_ERR_ARG, "write to %s: beyond 2^62", t->path);
    int rc = txn_begin_change(t, &now);
    size_t framed = size;
    if (t->direct && place + size > high_water)
        framed = place < high_water ? (size_t)(high_water - place) : 0;
    if (rc == SWIM_OK && size > 0)
        rc = fill_gap(t, place, &now);
    if (rc == SWIM_OK && framed > 0)
        rc = write_framed(t, from, framed, place, &now);
    if (rc == SWIM_OK && framed < size)
        rc = write_tail(t, from + framed, size - framed, place + framed, &now);
    if (rc == SWIM_OK && size > 0 && place + size > t->size)
        t->size = place + size;
    return txn_fail(t, rc, &now, err);
}

int txn_set_size(struct txn *t, uint64_t size, swim_error_t *err)
{
    swim_error_t now = {0};

    if (size > JOURNAL_PLACE_MAX)
        return swim_error_set(err, SWIM_ERR_ARG, "size of %s: beyond 2^62", t->path);
    if (size == t->size)
        return SWIM_OK;
    int rc = txn_begin_change(t, &now);
    if (rc == SWIM_OK)
        rc = txn_journal_begin(t, &now);
    if (rc == SWIM_OK)
        rc = fill_gap(t, size, &now);
    if (rc == SWIM_OK)
        rc = cut_tail(t, size, &now);
    if (rc == SWIM_OK) {
        t->state = TXN_CHANGED;
        t->size = size;
    }
    return txn_fail(t, rc, &now, err);
}

static uint64_t max_u64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* How far the file itself goes; it does so from here on. */
static int commit_tail(struct txn *t, struct journal_commit *c, swim_error_t *err)
{
    uint64_t size = 0;
    int rc = io_size(&t->main, &size, err);

    c->extent = t->journal.last.extent;
    if (rc != SWIM_OK || !t->direct || t->size <= t->journal.last.high_water)
        return rc;
    c->extent = t->size;
    t->main_unsynced = true;
    return size == t->size ? rc : io_truncate(&t->main, t->size, err);
}

static int commit_changes(struct txn *t, bool sync, swim_error_t *err)
{
    struct timespec now;
    struct journal_commit c = {.fence = t->opt.fence,
                               .size = t->size,
                               .high_water =
                                   max_u64(t->journal.last.high_water, t->size)};

    clock_gettime(CLOCK_REALTIME, &now);
    c.when_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
    memcpy(c.boot, t->opt.boot, JOURNAL_ID);
    int rc = commit_tail(t, &c, err);
    if (rc == SWIM_OK && sync)
        rc = txn_sync_below(t, err);
    if (rc == SWIM_OK)
        rc = txn_may_change(t, err);
    if (rc == SWIM_OK)
        rc = journal_append_commit(&t->append, &c, sync, err);
    if (rc == SWIM_OK)
        t->log_unsynced = !sync;
    return rc;
}

int txn_commit(struct txn *t, bool sync, swim_error_t *err)
{
    swim_error_t now = {0};

    if (t->state == TXN_CLEAN) /* what was found may not be on the disk yet */
        return sync ? txn_sync_all(t, err) : SWIM_OK;
    int rc = txn_begin_change(t, &now);
    if (rc == SWIM_OK)
        rc = t->fresh ? txn_commit_fresh(t, sync, &now) : commit_changes(t, sync, &now);
    if (rc == SWIM_OK) {
        t->state = TXN_CLEAN;
        t->tail_end = 0;
    }
    return txn_fail(t, rc, &now, err);
}

int txn_abort(struct txn *t, swim_error_t *err)
{
    const struct journal_commit *last = &t->journal.last;
    uint64_t size = 0;
    int rc = SWIM_OK;

    if (t->state == TXN_CLEAN || t->state == TXN_READS)
        return SWIM_OK;
    t->size = last->size;
    if (t->fresh) {
        rc = txn_may_change(t, err);
        if (rc == SWIM_OK)
            rc = io_truncate(&t->main, 0, err);
    }
    if (t->log.fd >= 0) {
        rc = txn_may_change(t, err);
        if (rc == SWIM_OK)
            rc = journal_append_abort(&t->append, err);
        if (rc == SWIM_OK && t->direct)
            rc = io_size(&t->main, &size, err);
        if (rc == SWIM_OK && size > last->high_water)
            rc = io_truncate(&t->main, last->high_water, err);
    }
    t->tail_end = 0;
    t->state = rc != SWIM_OK ? TXN_BROKEN : t->fresh ? TXN_CHANGED : TXN_CLEAN;
    if (rc != SWIM_OK && t->broken.code == SWIM_OK)
        t->broken.code = rc;
    return rc;
}
