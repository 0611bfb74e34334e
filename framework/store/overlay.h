/* overlay.h - which bytes of a file are covered, and where the covering bytes are.
 *
 * Pieces do not overlap; a new one hides what it covers of older ones.  Finding one is
 * O(log n), a put O(log n + the pieces it hides).  Plain memory: one thread at a time,
 * a fork copies it. */
#ifndef SWIM_STORE_OVERLAY_H
#define SWIM_STORE_OVERLAY_H

#include <stddef.h>
#include <stdint.h>

#include <bsd/sys/tree.h>

#include <h5swim/error.h>

struct overlay_piece {
    RB_ENTRY(overlay_piece) entry;
    uint64_t place, end; /* of the file: [place, end), never empty */
    uint64_t source;     /* where the byte of place is */
};

struct overlay {
    RB_HEAD(overlay_tree, overlay_piece) tree;
    size_t count;
    uint64_t bytes;
};

void overlay_init(struct overlay *overlay);
void overlay_clear(struct overlay *overlay);

/* Cover [place, place + size) by what begins at source; size > 0 and no sum exceeds
 * 2^64 - 1.  SWIM_ERR_NOMEM. */
int overlay_put(struct overlay *overlay, uint64_t place, uint64_t size, uint64_t source,
                swim_error_t *err);

/* The first piece that ends after place, and the one behind a piece; NULL: none.  Valid
 * until the next change. */
struct overlay_piece *overlay_from(struct overlay *overlay, uint64_t place);
struct overlay_piece *overlay_next(struct overlay_piece *piece);

#endif /* SWIM_STORE_OVERLAY_H */
