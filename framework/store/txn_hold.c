/* txn_hold.c - small writes are held in memory for a while.
 *
 * So a session that changes nothing in the end has no journal, and small writes that
 * lie side by side become one frame. */
#include <string.h>

#include "txn_private.h"

int txn_hold(struct txn *t, const void *bytes, size_t size, uint64_t place,
             swim_error_t *err)
{
    int rc = SWIM_OK;

    if (t->held_size + size > TXN_HELD || t->held.count >= TXN_HELD_PIECES)
        rc = txn_held_frame(t, UINT64_MAX, err);
    if (rc == SWIM_OK && size > 0)
        rc = overlay_put(&t->held, place, size, t->held_size, err);
    if (rc != SWIM_OK)
        return rc;
    memcpy(t->held_bytes + t->held_size, bytes, size);
    t->held_size += size;
    return SWIM_OK;
}

void txn_held_drop(struct txn *t)
{
    overlay_clear(&t->held);
    t->held_size = 0;
}

int txn_held_frame(struct txn *t, uint64_t end, swim_error_t *err)
{
    unsigned char *run = t->held_bytes + TXN_HELD;
    struct overlay_piece *piece = overlay_from(&t->held, 0);
    int rc = SWIM_OK;

    while (rc == SWIM_OK && piece && piece->place < end) {
        uint64_t place = piece->place, at = place;
        for (; piece && piece->place == at && at < end; piece = overlay_next(piece)) {
            uint64_t stop = piece->end < end ? piece->end : end;
            memcpy(run + (at - place), t->held_bytes + piece->source,
                   (size_t)(stop - at));
            at = stop;
        }
        rc = txn_frame(t, run, (size_t)(at - place), place, err);
    }
    if (rc == SWIM_OK)
        txn_held_drop(t);
    return rc;
}

void txn_held_read(struct txn *t, void *bytes, size_t size, uint64_t place)
{
    struct overlay_piece *piece = overlay_from(&t->held, place);

    for (; piece && piece->place < place + size; piece = overlay_next(piece)) {
        uint64_t from = piece->place > place ? piece->place : place;
        uint64_t to = piece->end < place + size ? piece->end : place + size;
        memcpy((unsigned char *)bytes + (from - place),
               t->held_bytes + piece->source + (from - piece->place),
               (size_t)(to - from));
    }
}
