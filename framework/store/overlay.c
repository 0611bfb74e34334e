/* overlay.c - which bytes of a file are covered, and by what. */
#include "overlay.h"

#include <stdlib.h>

/* Pieces do not overlap, so their ends are in the order of their places. */
static int piece_compare(const struct overlay_piece *a, const struct overlay_piece *b)
{
    return a->end < b->end ? -1 : a->end > b->end;
}

RB_GENERATE_INTERNAL(overlay_tree, overlay_piece, entry, piece_compare,
                     static __attribute__((unused)))

void overlay_init(struct overlay *overlay)
{
    RB_INIT(&overlay->tree);
    overlay->count = 0;
    overlay->bytes = 0;
}

static void piece_remove(struct overlay *overlay, struct overlay_piece *piece)
{
    RB_REMOVE(overlay_tree, &overlay->tree, piece);
    overlay->count--;
    overlay->bytes -= piece->end - piece->place;
}

static void piece_insert(struct overlay *overlay, struct overlay_piece *piece)
{
    RB_INSERT(overlay_tree, &overlay->tree, piece);
    overlay->count++;
    overlay->bytes += piece->end - piece->place;
}

void overlay_clear(struct overlay *overlay)
{
    struct overlay_piece *piece;

    while ((piece = RB_ROOT(&overlay->tree))) {
        piece_remove(overlay, piece);
        free(piece);
    }
}

struct overlay_piece *overlay_from(struct overlay *overlay, uint64_t place)
{
    struct overlay_piece key = {.end = place + 1};

    return RB_NFIND(overlay_tree, &overlay->tree, &key);
}

struct overlay_piece *overlay_next(struct overlay_piece *piece)
{
    return RB_NEXT(overlay_tree, NULL, piece);
}

/* Take [place, end) out of what is there; *spare is used when a piece is cut in two. */
static void overlay_hide(struct overlay *overlay, uint64_t place, uint64_t end,
                         struct overlay_piece **spare)
{
    struct overlay_piece *piece = overlay_from(overlay, place);

    /* The analyzer does not see that the tree has the pieces. */
    while (piece && piece->place < end) { /* NOLINT(clang-analyzer-unix.Malloc) */
        struct overlay_piece *next = overlay_next(piece);
        const struct overlay_piece was = *piece;
        piece_remove(overlay, piece);
        if (was.place < place) {
            piece->end = place;
            piece_insert(overlay, piece);
            piece = *spare; /* for what is left behind, in this piece alone */
        }
        if (was.end > end) {
            piece->place = end;
            piece->end = was.end;
            piece->source = was.source + (end - was.place);
            piece_insert(overlay, piece);
            if (was.place < place)
                *spare = NULL;
        } else if (was.place >= place) {
            free(piece);
        }
        piece = next;
    }
}

int overlay_put(struct overlay *overlay, uint64_t place, uint64_t size, uint64_t source,
                swim_error_t *err)
{
    struct overlay_piece *piece = malloc(sizeof(*piece));
    struct overlay_piece *spare = malloc(sizeof(*spare));

    if (!piece || !spare) {
        free(piece);
        free(spare);
        return swim_error_set(err, SWIM_ERR_NOMEM, "note what was written: no memory");
    }
    overlay_hide(overlay, place, place + size, &spare);
    free(spare);
    piece->place = place;
    piece->end = place + size;
    piece->source = source;
    piece_insert(overlay, piece);
    return SWIM_OK; /* NOLINT(clang-analyzer-unix.Malloc): the tree has it */
}
