/* journal_read.c - the file as it is with its frames over it. */
#include <string.h>

#include "journal.h"

/* A run of bytes to be read. */
struct run {
    unsigned char *bytes;
    uint64_t place, end;
};

static int read_main(const struct journal_view *v, struct run r, swim_error_t *err)
{
    uint64_t end = r.end < v->main_end ? r.end : v->main_end;
    size_t got = 0;
    int rc = SWIM_OK;

    if (r.place < end)
        rc = io_read(v->main, r.bytes, (size_t)(end - r.place), r.place, &got, err);
    memset(r.bytes + got, 0, (size_t)(r.end - r.place) - got);
    return rc;
}

static int read_piece(const struct journal_view *v, const struct overlay_piece *piece,
                      struct run r, swim_error_t *err)
{
    const struct io_file *file = &v->journal->file;
    size_t size = (size_t)(r.end - r.place), got = 0;

    int rc = io_read(file, r.bytes, size, piece->source + (r.place - piece->place),
                     &got, err);
    if (rc == SWIM_OK && got < size)
        return swim_error_set(err, SWIM_ERR_CORRUPT,
                              "read %s: it is shorter than it was (do not touch it; "
                              "see h5swim check)",
                              file->path);
    return rc;
}

typedef int read_below(const struct journal_view *v, struct run r, swim_error_t *err);

/* What the overlay covers comes from the journal, the rest from below. */
static int read_through(const struct journal_view *v, struct overlay *overlay,
                        read_below *below, struct run r, swim_error_t *err)
{
    struct overlay_piece *piece = overlay_from(overlay, r.place);
    int rc = SWIM_OK;

    while (rc == SWIM_OK && r.place < r.end) {
        struct run part = r;
        bool covered = piece && piece->place <= r.place;
        if (covered && piece->end < part.end)
            part.end = piece->end;
        else if (!covered && piece && piece->place < part.end)
            part.end = piece->place;
        rc = covered ? read_piece(v, piece, part, err) : below(v, part, err);
        if (covered)
            piece = overlay_next(piece);
        r.bytes += part.end - part.place;
        r.place = part.end;
    }
    return rc;
}

static int read_committed(const struct journal_view *v, struct run r, swim_error_t *err)
{
    return read_through(v, &v->journal->overlay, read_main, r, err);
}

int journal_read(const struct journal_view *v, void *bytes, size_t size, uint64_t place,
                 swim_error_t *err)
{
    const struct run r = {bytes, place, place + size};

    if (!v->pending)
        return read_committed(v, r, err);
    return read_through(v, v->pending, read_committed, r, err);
}
