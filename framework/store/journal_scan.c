/* journal_scan.c - what is committed in a journal that nobody vouches for.
 *
 * Frames are noted as they come and enter the overlay with the commit record that they
 * belong to.  The first record that is not as it must be ends it all: behind it is what
 * a writer adds at this moment, or what a dead one left. */
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "journal.h"

#define WINDOW 65536
#define VERIFY 1048576

/* The journal seen through a buffer that moves along. */
struct window {
    const struct io_file *file;
    uint64_t begin, size; /* of the file, when the scan began */
    size_t held;
    unsigned char bytes[WINDOW];
};

/* Frames since the last commit record. */
struct pending {
    struct note {
        struct journal_frame frame;
        uint64_t source;
    } * notes;
    size_t count, room;
};

/* The bytes at [at, at + size), or NULL: the journal ends before, or *rc. */
static const unsigned char *window_at(struct window *w, uint64_t at, size_t size,
                                      int *rc, swim_error_t *err)
{
    if (at > w->size || w->size - at < size)
        return NULL;
    if (at < w->begin || at + size > w->begin + w->held) {
        w->begin = at;
        *rc = io_read(w->file, w->bytes, sizeof(w->bytes), at, &w->held, err);
        if (*rc != SWIM_OK || w->held < size)
            return NULL;
    }
    return w->bytes + (at - w->begin);
}

static int pending_add(struct pending *p, const struct journal_frame *frame,
                       uint64_t source, swim_error_t *err)
{
    if (p->count == p->room) {
        size_t room = p->room ? 2 * p->room : 64;
        struct note *notes = realloc(p->notes, room * sizeof(*notes));
        if (!notes)
            return swim_error_set(err, SWIM_ERR_NOMEM,
                                  "read the frames of a journal: no memory");
        p->notes = notes;
        p->room = room;
    }
    p->notes[p->count++] = (struct note){*frame, source};
    return SWIM_OK;
}

int journal_sum_of(const struct io_file *file, uint64_t place, uint64_t size,
                   uint64_t end, uint64_t seed, uint64_t *sum, swim_error_t *err)
{
    XXH3_state_t *state = XXH3_createState();
    unsigned char *buf = malloc(size < VERIFY ? (size_t)size : VERIFY);
    uint64_t stop = place + size < end ? place + size : end;
    int rc = state && buf ? SWIM_OK
                          : swim_error_set(err, SWIM_ERR_NOMEM, "read %s: no memory",
                                           file->path);

    if (rc == SWIM_OK)
        XXH3_64bits_reset_withSeed(state, seed);
    for (uint64_t at = place; rc == SWIM_OK && at < stop;) {
        size_t n = stop - at < VERIFY ? (size_t)(stop - at) : VERIFY, got = 0;
        rc = io_read(file, buf, n, at, &got, err);
        XXH3_64bits_update(state, buf, got);
        at = got == n ? at + n : stop;
    }
    if (rc == SWIM_OK)
        *sum = XXH3_64bits_digest(state);
    free(buf);
    XXH3_freeState(state);
    return rc;
}

/* Whether the data of the frames are what their headers say. */
static int pending_verify(const struct journal *j, const struct pending *p, bool *is,
                          swim_error_t *err)
{
    int rc = SWIM_OK;

    *is = true;
    for (size_t i = 0; rc == SWIM_OK && *is && i < p->count; i++) {
        uint64_t sum = 0;
        rc = journal_sum_of(&j->file, p->notes[i].source, p->notes[i].frame.size,
                            UINT64_MAX, j->seed, &sum, err);
        *is = sum == p->notes[i].frame.data;
    }
    return rc;
}

static bool frames_fit(const struct pending *p, uint64_t high_water)
{
    for (size_t i = 0; i < p->count; i++)
        if (p->notes[i].frame.place + p->notes[i].frame.size > high_water)
            return false;
    return true;
}

/* Whether a record closes the frames that were noted. */
static bool commit_fits(const struct journal *j, const struct journal_commit *c,
                        const struct pending *p, uint64_t chain)
{
    return c->number == j->last.number + 1 && c->begin == j->end &&
           c->frames == p->count && c->chain == chain && c->size <= c->high_water &&
           c->high_water >= j->last.high_water && c->extent >= j->last.extent &&
           frames_fit(p, c->high_water);
}

static int pending_enter(struct journal *j, struct pending *p, swim_error_t *err)
{
    int rc = SWIM_OK;

    for (size_t i = 0; rc == SWIM_OK && i < p->count; i++)
        rc = overlay_put(&j->overlay, p->notes[i].frame.place, p->notes[i].frame.size,
                         p->notes[i].source, err);
    p->count = 0;
    return rc;
}

/* One record at *at: *more is false when that is no valid one. */
static int scan_frame(struct journal *j, struct window *w, struct pending *p,
                      uint64_t *at, uint64_t *chain, bool *more, swim_error_t *err)
{
    struct journal_frame frame;
    int rc = SWIM_OK;
    const unsigned char *bytes = window_at(w, *at, JOURNAL_FRAME, &rc, err);

    *more = bytes && journal_frame_decode(bytes, j->seed, chain, &frame);
    if (!*more)
        return rc;
    rc = pending_add(p, &frame, *at + JOURNAL_FRAME, err);
    *at += journal_frame_bytes(frame.size);
    return rc;
}

static int scan_commit(struct journal *j, struct window *w, struct pending *p,
                       uint64_t at, uint64_t chain, const unsigned char *boot,
                       bool *more, swim_error_t *err)
{
    struct journal_commit commit;
    uint64_t before = chain;
    int rc = SWIM_OK;
    const unsigned char *bytes = window_at(w, at, JOURNAL_COMMIT, &rc, err);

    *more = bytes && journal_commit_decode(bytes, j->seed, &chain, &commit) &&
            commit_fits(j, &commit, p, before);
    if (*more && memcmp(commit.boot, boot, JOURNAL_ID) != 0)
        rc = pending_verify(j, p, more, err);
    if (rc != SWIM_OK || !*more)
        return rc;
    rc = pending_enter(j, p, err);
    j->last = commit;
    j->may_be_copied |= (commit.flags & JOURNAL_MAY_BE_COPIED) != 0;
    j->chain = chain;
    j->end = at + JOURNAL_COMMIT;
    return rc;
}

static int scan_records(struct journal *j, struct window *w, uint64_t upto,
                        const unsigned char *boot, swim_error_t *err)
{
    struct pending pending = {0};
    uint64_t at = j->end, chain = j->chain;
    bool more = true;
    int rc = SWIM_OK;

    while (rc == SWIM_OK && more && j->last.number < upto) {
        rc = scan_frame(j, w, &pending, &at, &chain, &more, err);
        if (rc != SWIM_OK || more)
            continue;
        j->stop = at;
        rc = scan_commit(j, w, &pending, at, chain, boot, &more, err);
        at = j->end;
        chain = j->chain;
    }
    free(pending.notes);
    return rc;
}

static int commit_is_gone(const struct journal *j, uint64_t upto, swim_error_t *err)
{
    return swim_error_set(
        err, SWIM_ERR_ARG,
        "read %s: commit %llu is not in it any more (the session that "
        "took it has ended?)",
        j->file.path, (unsigned long long)upto);
}

/* A journal that was rewritten has a commit, without which it has no state. */
static int scan_check(const struct journal *j, uint64_t upto, swim_error_t *err)
{
    static const unsigned char none[JOURNAL_ID];

    if (j->last.number != j->header.number ||
        memcmp(j->header.continues, none, JOURNAL_ID) == 0)
        return SWIM_OK;
    if (upto <= j->header.number)
        return commit_is_gone(j, upto, err);
    return swim_error_set(err, SWIM_ERR_CORRUPT,
                          "read %s: the commit with which it begins is damaged (see "
                          "h5swim check)",
                          j->file.path);
}

/* The commit that was asked for is there, and none behind it was copied over it. */
static int scan_behind(const struct journal *j, struct window *w, uint64_t upto,
                       const unsigned char *boot, swim_error_t *err)
{
    struct journal behind = *j;

    overlay_init(&behind.overlay);
    int rc = scan_records(&behind, w, UINT64_MAX, boot, err);
    overlay_clear(&behind.overlay);
    if (rc != SWIM_OK ||
        (j->last.number == upto && behind.may_be_copied == j->may_be_copied))
        return rc;
    return commit_is_gone(j, upto, err);
}

static int scan_header(struct journal *j, struct window *w, enum journal_found *found,
                       swim_error_t *err)
{
    int rc = io_read(w->file, w->bytes, sizeof(w->bytes), 0, &w->held, err);

    if (rc != SWIM_OK)
        return rc;
    switch (journal_header_decode(w->bytes, w->held, &j->header)) {
    case HEADER_VALID:
        *found = JOURNAL_FOUND;
        return SWIM_OK;
    case HEADER_NEVER_SYNCED:
        return SWIM_OK;
    case HEADER_NEWER:
        return swim_error_set(
            err, SWIM_ERR_CORRUPT,
            "read %s: it was written by a later h5swim (use that one)", w->file->path);
    case HEADER_DAMAGED:
        break;
    }
    return swim_error_set(err, SWIM_ERR_CORRUPT,
                          "read %s: it is no journal of h5swim, or its header is "
                          "damaged (see h5swim check)",
                          w->file->path);
}

int journal_scan(struct journal *j, const struct io_file *file, uint64_t upto,
                 const unsigned char boot[JOURNAL_ID], enum journal_found *found,
                 swim_error_t *err)
{
    struct window *w = calloc(1, sizeof(*w));

    memset(j, 0, sizeof(*j));
    overlay_init(&j->overlay);
    j->file = *file;
    *found = JOURNAL_NOTHING;
    if (!w)
        return swim_error_set(err, SWIM_ERR_NOMEM, "read %s: no memory", file->path);
    w->file = file;
    int rc = io_size(file, &w->size, err);
    if (rc == SWIM_OK)
        rc = scan_header(j, w, found, err);
    if (rc == SWIM_OK && *found == JOURNAL_FOUND) {
        journal_start(j);
        rc = scan_records(j, w, upto, boot, err);
        j->unsure = w->size == j->end + JOURNAL_MARK;
    }
    if (rc == SWIM_OK && *found == JOURNAL_FOUND)
        rc = scan_check(j, upto, err);
    if (rc == SWIM_OK && upto != UINT64_MAX && *found == JOURNAL_FOUND)
        rc = scan_behind(j, w, upto, boot, err);
    free(w);
    return rc;
}

int journal_scan_on(struct journal *j, const unsigned char boot[JOURNAL_ID],
                    swim_error_t *err)
{
    struct window *w = calloc(1, sizeof(*w));

    if (!w)
        return swim_error_set(err, SWIM_ERR_NOMEM, "read %s: no memory", j->file.path);
    w->file = &j->file;
    int rc = io_size(&j->file, &w->size, err);
    if (rc == SWIM_OK)
        rc = scan_records(j, w, UINT64_MAX, boot, err);
    free(w);
    return rc;
}

uint64_t journal_time_of(const struct io_file *file, const struct stat *st)
{
    int64_t birth_ns = file->io->birth_ns(file->fd);
    uint64_t born = birth_ns > 0 ? (uint64_t)birth_ns : 0;
    uint64_t changed =
        (uint64_t)st->st_ctim.tv_sec * 1000000000 + (uint64_t)st->st_ctim.tv_nsec;

    return changed < born ? born + (born - changed) : changed;
}

bool journal_is_of(const struct journal_header *header, const struct io_file *file,
                   uint64_t inode)
{
    int64_t birth_ns = file->io->birth_ns(file->fd);

    return header->inode == inode &&
           (birth_ns <= 0 || (uint64_t)birth_ns <= header->ctime_ns);
}

void journal_clear(struct journal *j)
{
    overlay_clear(&j->overlay);
}

int journal_each_frame(const struct journal *j, journal_frame_fn *fn, void *arg,
                       swim_error_t *err)
{
    struct window *w = calloc(1, sizeof(*w));
    uint64_t at = JOURNAL_HEADER, chain = j->seed, extent = j->header.size;
    int rc = SWIM_OK;

    if (!w)
        return swim_error_set(err, SWIM_ERR_NOMEM, "read %s: no memory", j->file.path);
    w->file = &j->file;
    w->size = j->end;
    while (rc == SWIM_OK && at < j->end) {
        struct journal_frame frame;
        struct journal_commit commit;
        const unsigned char *bytes = window_at(w, at, JOURNAL_FRAME, &rc, err);
        if (bytes && journal_frame_decode(bytes, j->seed, &chain, &frame)) {
            rc = fn(arg, &frame, extent, err);
            at += journal_frame_bytes(frame.size);
            continue;
        }
        bytes = window_at(w, at, JOURNAL_COMMIT, &rc, err);
        if (bytes && journal_commit_decode(bytes, j->seed, &chain, &commit)) {
            extent = commit.extent;
            at += JOURNAL_COMMIT;
        } else if (rc == SWIM_OK) {
            rc = swim_error_set(err, SWIM_ERR_CORRUPT,
                                "read %s: it was changed while it was in use",
                                j->file.path);
        }
    }
    free(w);
    return rc;
}
