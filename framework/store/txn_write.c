/* txn_write.c - changing a file in a transaction. */
#include <string.h>

#include "txn_private.h"

#define BLOCK 4096 /* bytes that are the same are left out in pieces of this */

/* One that reads has nothing that could be broken, and stays one. */
int txn_fail(struct txn *t, int rc, const swim_error_t *now, swim_error_t *err)
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

int txn_begin_change(struct txn *t, swim_error_t *err)
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

/* What the file itself holds, *below bytes of it into under; *is: what is there below
 * what is held, the same or in current. */
static int read_both(struct txn *t, uint64_t place, size_t size, size_t *below,
                     const unsigned char **is, swim_error_t *err)
{
    const struct journal_view view = {&t->journal, &t->append.pending, &t->main,
                                      txn_main_end(t)};
    uint64_t end = t->journal.last.extent;
    uint64_t there = place < end ? end - place : 0;
    int rc = io_read(&t->main, t->under, size < there ? size : (size_t)there, place,
                     below, err);

    *is = t->under;
    if (rc != SWIM_OK || (is_bare(t, place, size) && *below == size))
        return rc;
    *is = t->current;
    return journal_read(&view, t->current, size, place, err);
}

size_t txn_differs(const unsigned char *bytes, size_t size, const unsigned char *same,
                   size_t same_size, size_t *at)
{
    size_t end;

    for (; *at < size; *at += BLOCK) {
        size_t n = size - *at < BLOCK ? size - *at : BLOCK;
        if (*at + n > same_size || memcmp(bytes + *at, same + *at, n) != 0)
            break;
    }
    for (end = *at; end < size; end += BLOCK) {
        size_t n = size - end < BLOCK ? size - end : BLOCK;
        if (end + n <= same_size && memcmp(bytes + end, same + end, n) == 0)
            break;
    }
    if (*at >= size)
        return 0;
    return (end < size ? end : size) - *at;
}

/* Behind the committed size nothing is known of what is there: the file may have been
 * longer once. */
int txn_frame(struct txn *t, const unsigned char *bytes, size_t size, uint64_t place,
              swim_error_t *err)
{
    uint64_t last = t->journal.last.size;
    uint64_t there = place < last ? last - place : 0;
    size_t known = size < there ? size : (size_t)there;
    const unsigned char *is = NULL;
    size_t below = 0, at = 0, n;
    int rc = read_both(t, place, size, &below, &is, err);

    while (rc == SWIM_OK && (n = txn_differs(bytes, size, is, known, &at))) {
        bool may_add = txn_may_add(t);
        rc = txn_journal_begin(t, err);
        if (rc == SWIM_OK && !may_add) /* taking over needs the same memory */
            rc = read_both(t, place, size, &below, &is, err);
        if (rc == SWIM_OK)
            rc = journal_append_frame(&t->append, bytes + at, n, place + at,
                                      t->under + (at < below ? at : below),
                                      at < below ? below - at : 0, err);
        at += n;
    }
    return rc;
}

static int write_framed(struct txn *t, const unsigned char *bytes, size_t size,
                        uint64_t place, swim_error_t *err)
{
    const struct overlay_piece *held = overlay_from(&t->held, place);
    int rc = SWIM_OK;

    if (place + size > t->framed_end)
        t->framed_end = place + size;
    if (size <= TXN_SMALL)
        return txn_hold(t, bytes, size, place, err);
    if (held && held->place < place + size)
        rc = txn_held_frame(t, UINT64_MAX, err);
    for (size_t done = 0; rc == SWIM_OK && done < size;) {
        size_t n = size - done < TXN_BUFFER ? size - done : TXN_BUFFER;
        rc = txn_frame(t, bytes + done, n, place + done, err);
        done += n;
    }
    return rc;
}

static int tail_put_now(struct txn *t, const unsigned char *bytes, size_t size,
                        uint64_t place, swim_error_t *err)
{
    /* iovec has no const; nothing is written to what is only sent */
    struct iovec part = {(void *)(uintptr_t)bytes, size};
    int rc = io_write(&t->main, &part, 1, place, err);

    if (rc == SWIM_OK)
        io_wrote(&t->unsent, &t->main, place, size);
    return rc;
}

int txn_tail_put(struct txn *t, swim_error_t *err)
{
    size_t size = t->tail_size;

    t->tail_size = 0;
    return size ? tail_put_now(t, t->tail_bytes, size, t->tail_from, err) : SWIM_OK;
}

bool txn_tail_holds(const struct txn *t, uint64_t place, uint64_t size)
{
    return t->tail_size && place < t->tail_from + t->tail_size &&
           place + size > t->tail_from;
}

/* Nothing committed refers to it: into the file itself.  Small ones that follow each
 * other, chunks by the million, become one. */
static int write_tail(struct txn *t, const unsigned char *bytes, size_t size,
                      uint64_t place, swim_error_t *err)
{
    int rc = txn_journal_begin(t, err);

    if (rc != SWIM_OK)
        return rc;
    if (place + size > t->tail_end)
        t->tail_end = place + size;
    if (size > TXN_SMALL || place != t->tail_from + t->tail_size ||
        size > TXN_TAIL - t->tail_size)
        rc = txn_tail_put(t, err);
    if (rc != SWIM_OK || size > TXN_SMALL)
        return rc == SWIM_OK ? tail_put_now(t, bytes, size, place, err) : rc;
    if (t->tail_size == 0)
        t->tail_from = place;
    memcpy(t->tail_bytes + t->tail_size, bytes, size);
    t->tail_size += size;
    return rc;
}

/* The state grows to place: what is between is zero, whatever was there before it was
 * cut off.  Behind the high-water mark the file itself was cut. */
static int fill_gap(struct txn *t, uint64_t place, swim_error_t *err)
{
    static const unsigned char zeros[65536];
    uint64_t end = t->journal.last.high_water;
    int rc = SWIM_OK;

    end = t->framed_end > end ? t->framed_end : end;
    end = place < end ? place : end;
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
    int rc = txn_tail_put(t, err);
    t->tail_end = end;
    return rc == SWIM_OK ? io_truncate(&t->main, end, err) : rc;
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
    if (rc == SWIM_OK && size > 0) {
        t->state = TXN_CHANGED;
        rc = fill_gap(t, place, &now);
    }
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
    if (rc == SWIM_OK) {
        t->state = TXN_CHANGED;
        rc = fill_gap(t, size, &now);
    }
    if (rc == SWIM_OK)
        rc = cut_tail(t, size, &now);
    if (rc == SWIM_OK)
        t->size = size;
    return txn_fail(t, rc, &now, err);
}
