/* txn_read.c - reading the state that is open, or made.
 *
 * A state that is only read does not change, so that of small reads one behind the
 * other
 * - chunks of some hundred bytes, by the million - the next ones are read with them. */
#include <stdlib.h>
#include <string.h>

#include "txn_private.h"

#define AHEAD (64U << 10)
#define AHEAD_SMALL (8U << 10) /* larger ones are not worth it */
#define AHEAD_GAP (4U << 10)   /* nodes of an index lie between chunks */

/* Bytes that lie before its end. */
static int read_made(struct txn *t, void *bytes, size_t size, uint64_t place,
                     swim_error_t *err)
{
    const struct journal_view view = {&t->journal, &t->append.pending, &t->main,
                                      txn_main_end(t)};
    int rc = journal_read(&view, bytes, size, place, err);

    if (rc == SWIM_OK)
        txn_held_read(t, bytes, size, place);
    return rc;
}

static int read_ahead(struct txn *t, void *bytes, size_t size, uint64_t place,
                      swim_error_t *err)
{
    struct txn_ahead *a = &t->ahead;
    const uint64_t last = a->next, left = t->size - place;

    a->next = place + size;
    if (place >= a->from && place + size <= a->from + a->size) {
        memcpy(bytes, a->bytes + (place - a->from), size);
        return SWIM_OK;
    }
    if (size > AHEAD_SMALL || place < last || place - last > AHEAD_GAP)
        return read_made(t, bytes, size, place, err);
    if (!a->bytes)
        a->bytes = malloc(AHEAD);
    if (!a->bytes)
        return read_made(t, bytes, size, place, err);
    a->from = place;
    a->size = 0;
    int rc = read_made(t, a->bytes, left < AHEAD ? (size_t)left : AHEAD, place, err);
    if (rc != SWIM_OK)
        return rc;
    a->size = left < AHEAD ? (size_t)left : AHEAD;
    memcpy(bytes, a->bytes, size);
    return SWIM_OK;
}

int txn_read(struct txn *t, void *bytes, size_t size, uint64_t place, swim_error_t *err)
{
    uint64_t there = place < t->size ? t->size - place : 0;
    size_t held = size < there ? size : (size_t)there;

    memset((char *)bytes + held, 0, size - held);
    if (held == 0)
        return SWIM_OK;
    if (t->state == TXN_READS)
        return read_ahead(t, bytes, held, place, err);
    if (txn_tail_holds(t, place, held)) {
        swim_error_t now = {0};
        int rc = txn_may_change(t, &now);
        if (rc == SWIM_OK)
            rc = txn_tail_put(t, &now);
        if (rc != SWIM_OK)
            return txn_fail(t, rc, &now, err);
    }
    return read_made(t, bytes, held, place, err);
}
