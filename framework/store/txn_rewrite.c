/* txn_rewrite.c - the journal is written anew, with what is of use in it alone.
 *
 * As long as sessions overlap nothing can be copied into the file, and every commit
 * makes the journal longer.  The new one holds what the last commit has come to, and
 * takes the name when it is whole and on the disk; who reads the old one goes on doing
 * so.  The two say the same, so that it does not matter which of them a crash leaves;
 * but no commit may be acknowledged that is in one which may lose its name. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <unistd.h>

#include "txn_private.h"

#define REWRITE_OVER (64U << 10)

struct rewriting {
    struct io_file file;
    struct journal journal;
    struct journal_append append;
};

int txn_open_anew(const struct txn *t, struct io_file *file, mode_t mode,
                  swim_error_t *err)
{
    for (int tries = 0; tries < 2; tries++) {
        file->fd = io_open(t->io, file->path,
                           O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
        if (file->fd >= 0)
            return txn_flock(t, file, LOCK_EX, err);
        if (errno != EEXIST || tries > 0)
            break;
        file->fd =
            io_open(t->io, file->path, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0);
        if (file->fd < 0)
            break;
        int rc = txn_flock(t, file, LOCK_EX, err); /* if somebody is at it */
        if (rc == SWIM_OK && io_unlink(t->io, file->path) != 0)
            rc = swim_error_sys(err, errno, "remove %s", file->path);
        t->io->close(file->fd);
        file->fd = -1;
        if (rc != SWIM_OK)
            return rc;
    }
    if (errno == ELOOP)
        return swim_error_set(err, SWIM_ERR_IO,
                              "create %s: a symbolic link is there, which is not "
                              "followed (look who put it there, and remove it)",
                              file->path);
    if (errno == EACCES || errno == EPERM || errno == EROFS)
        return swim_error_set(err, SWIM_ERR_IO,
                              "create %s: %s (this user cannot make files in the "
                              "folder, which is needed to change one in it: change its "
                              "rights, or use another folder)",
                              file->path, strerrordesc_np(errno));
    return swim_error_sys(err, errno, "create %s", file->path);
}

/* Nothing is committed in it: the new one is the first of its lineage as well. */
static bool is_empty(const struct txn *t)
{
    return t->journal.last.number == t->journal.header.number;
}

/* The one commit of the new journal has the number of the last one of the old. */
static int rewrite_begin(struct txn *t, struct rewriting *r, swim_error_t *err)
{
    const struct journal_commit *last = &t->journal.last;
    struct journal_header h = t->journal.header;

    h.fence = t->opt.fence;
    if (getrandom(h.id, sizeof(h.id), 0) != sizeof(h.id))
        return swim_error_sys(err, errno, "name the journal of %s", t->path);
    if (is_empty(t)) {
        memcpy(h.lineage, h.id, JOURNAL_ID);
    } else {
        memcpy(h.continues, t->journal.header.id, JOURNAL_ID);
        h.number = last->number - 1;
        h.size = last->extent;
        h.high_water = last->high_water;
    }
    int rc = journal_first_of(&t->main, h.size, journal_seed(h.id), &h.first, err);
    if (rc == SWIM_OK)
        rc = txn_may_change(t, err);
    if (rc == SWIM_OK)
        rc = txn_open_anew(t, &r->file, t->st.st_mode & 0666, err);
    if (rc == SWIM_OK)
        txn_open_to_readers(t, &r->file);
    if (rc == SWIM_OK)
        rc = journal_begin(&r->journal, &r->file, &h, err);
    return rc == SWIM_OK ? journal_append_begin(&r->append, &r->journal, err) : rc;
}

/* The bytes are in current.  Those that the file holds itself are of no use, unless
 * copying has begun: then it may hold them for now, and not on the disk. */
static int rewrite_run(struct txn *t, struct rewriting *r, size_t size, uint64_t place,
                       swim_error_t *err)
{
    uint64_t end = t->journal.last.extent;
    uint64_t there = place < end ? end - place : 0;
    size_t below = 0, at = 0, n;

    int rc = io_read(&t->main, t->under, size < there ? size : (size_t)there, place,
                     &below, err);
    size_t same = t->journal.may_be_copied ? 0 : below;
    while (rc == SWIM_OK && (n = txn_differs(t->current, size, t->under, same, &at))) {
        rc = journal_append_frame(&r->append, t->current + at, n, place + at,
                                  t->under + (at < below ? at : below),
                                  at < below ? below - at : 0, err);
        at += n;
    }
    return rc;
}

/* What covers the file from place on, into current: *size. */
static int rewrite_gather(struct txn *t, struct overlay_piece *piece, uint64_t place,
                          size_t *size, swim_error_t *err)
{
    int rc = SWIM_OK;

    *size = 0;
    while (rc == SWIM_OK && piece && *size < TXN_BUFFER) {
        uint64_t at = place + *size;
        uint64_t end =
            piece->end < t->journal.last.size ? piece->end : t->journal.last.size;
        if (piece->place > at || at >= end)
            break;
        size_t room = TXN_BUFFER - *size, got = 0;
        size_t n = end - at < room ? (size_t)(end - at) : room;
        rc = io_read(&t->log, t->current + *size, n,
                     piece->source + (at - piece->place), &got, err);
        if (rc == SWIM_OK && got < n)
            rc = swim_error_set(err, SWIM_ERR_CORRUPT,
                                "read %s: it is shorter than it was", t->log.path);
        *size += n;
        if (at + n == piece->end)
            piece = overlay_next(piece);
    }
    return rc;
}

static int rewrite_frames(struct txn *t, struct rewriting *r, swim_error_t *err)
{
    const uint64_t end = t->journal.last.size;
    struct overlay_piece *piece;
    uint64_t at = 0;
    int rc = SWIM_OK;

    while (rc == SWIM_OK && (piece = overlay_from(&t->journal.overlay, at))) {
        uint64_t place = piece->place > at ? piece->place : at;
        size_t size = 0;
        if (place >= end)
            break;
        rc = rewrite_gather(t, piece, place, &size, err);
        if (rc == SWIM_OK)
            rc = rewrite_run(t, r, size, place, err);
        at = place + size;
    }
    return rc;
}

static int rewrite_commit(struct txn *t, struct rewriting *r, swim_error_t *err)
{
    struct journal_commit c = t->journal.last;

    if (is_empty(t))
        return io_sync(&r->file, err);
    c.flags = t->journal.may_be_copied ? JOURNAL_MAY_BE_COPIED : 0;
    c.fence = t->opt.fence;
    c.replaced_by = 0;
    memcpy(c.boot, t->opt.boot, JOURNAL_ID);
    return journal_append_commit(&r->append, &c, true, err);
}

static int rewrite_take_name(struct txn *t, struct rewriting *r, struct journal *was,
                             swim_error_t *err)
{
    int rc = txn_may_change(t, err);

    if (rc == SWIM_OK && io_rename(t->io, r->file.path, t->journal_path) != 0)
        rc = swim_error_sys(err, errno, "rename %s to %s", r->file.path,
                            t->journal_path);
    if (rc != SWIM_OK)
        return rc;
    if (was) {
        *was = t->journal;
    } else {
        t->io->close(t->log.fd);
        journal_clear(&t->journal);
    }
    t->log.fd = r->file.fd;
    r->file.fd = -1;
    t->journal = r->journal;
    t->journal.file = t->log;
    overlay_init(&r->journal.overlay);
    t->append = r->append;
    t->append.journal = &t->journal;
    t->dir_unsynced = true;
    t->began = t->owned = true;
    t->log_unsynced = t->owes_sync = false;
    return SWIM_OK;
}

static void rewrite_give_up(struct txn *t, struct rewriting *r, int why)
{
    if (r->file.fd >= 0)
        t->io->close(r->file.fd);
    /* Who may not change anything any more might remove that of another. */
    if (r->file.fd >= 0 && why != SWIM_ERR_LOST)
        (void)io_unlink(t->io, r->file.path);
    overlay_clear(&r->append.pending);
    journal_clear(&r->journal);
}

int txn_rewrite_keeping(struct txn *t, struct journal *was, swim_error_t *err)
{
    struct rewriting r = {.file = {t->io, -1, t->rewritten_path, NULL}};

    overlay_init(&r.journal.overlay);
    overlay_init(&r.append.pending);
    int rc = txn_verify(t, err);
    if (rc == SWIM_OK && t->main_unsynced)
        rc = io_sync(&t->main, err);
    if (rc == SWIM_OK) {
        t->main_unsynced = false;
        rc = rewrite_begin(t, &r, err);
    }
    if (rc == SWIM_OK)
        rc = rewrite_frames(t, &r, err);
    if (rc == SWIM_OK)
        rc = rewrite_commit(t, &r, err);
    if (rc == SWIM_OK)
        rc = rewrite_take_name(t, &r, was, err);
    if (rc != SWIM_OK) {
        rewrite_give_up(t, &r, rc);
        return rc;
    }
    /* When this fails the next commit has to do it: until then both are good. */
    if (txn_sync_dir(t, NULL) == SWIM_OK)
        t->dir_unsynced = false;
    return SWIM_OK;
}

int txn_rewrite(struct txn *t, swim_error_t *err)
{
    return txn_rewrite_keeping(t, NULL, err);
}

bool txn_is_long(const struct txn *t)
{
    const struct journal *j = &t->journal;
    uint64_t over = t->rewrite_over ? t->rewrite_over : REWRITE_OVER;
    uint64_t of_use = JOURNAL_HEADER + JOURNAL_COMMIT + j->overlay.bytes +
                      j->overlay.count * (JOURNAL_FRAME + 8);

    return t->log.fd >= 0 && j->end > over && j->end > 2 * of_use;
}

void txn_rewrite_if_long(struct txn *t)
{
    if (!txn_is_long(t))
        return;
    if (t->opt.may_rewrite && t->opt.may_rewrite(t->opt.arg) != SWIM_OK)
        return;
    if (txn_rewrite(t, NULL) != SWIM_OK) /* the commit is made; not at each again */
        t->rewrite_over = 2 * t->journal.end;
}
