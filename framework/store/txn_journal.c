/* txn_journal.c - the journal beside a file: found, begun, removed.
 *
 * It lies where others may be able to make files, so it is opened without following
 * links, and must be one file of one who could have written to the file itself. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <unistd.h>

#include "txn_private.h"

#define TRIES 3                /* while others are at it */
#define CLOSE_LATE (64U << 20) /* so large that closing it takes its time */

static int journal_refuse(const struct txn *t, const char *why, swim_error_t *err)
{
    return swim_error_set(err, SWIM_ERR_CORRUPT,
                          "open %s: %s, so it is no journal to be believed (look who "
                          "put it there, and remove it)",
                          t->journal_path, why);
}

static int journal_check_file(const struct txn *t, const struct stat *st,
                              swim_error_t *err)
{
    struct journal_doubt doubt;

    if (journal_trust(&t->main, &t->st, st, &doubt))
        return SWIM_OK;
    if (!doubt.of_another)
        return journal_refuse(t, doubt.why, err);
    return swim_error_set(
        err, SWIM_ERR_CORRUPT,
        "open %s: %s, so it is no journal to be believed (that user "
        "may have committed something: let that one open the file, or "
        "see h5swim check)",
        t->journal_path, doubt.why);
}

/* Whether the open journal is still the one by that name. */
static int journal_is_there(const struct txn *t, const struct stat *st, bool *is,
                            swim_error_t *err)
{
    struct stat now;

    *is = false;
    if (io_lstat(t->io, t->journal_path, &now) == 0)
        *is = now.st_ino == st->st_ino && now.st_dev == st->st_dev;
    else if (errno != ENOENT)
        return swim_error_sys(err, errno, "look at %s", t->journal_path);
    return SWIM_OK;
}

int txn_journal_is_there(const struct txn *t, bool *is, swim_error_t *err)
{
    struct stat st;

    *is = false;
    if (io_fstat(t->io, t->log.fd, &st) != 0)
        return swim_error_sys(err, errno, "look at %s", t->journal_path);
    return journal_is_there(t, &st, is, err);
}

/* *again: it was replaced or removed while it was opened. */
static int journal_open_once(struct txn *t, bool *again, swim_error_t *err)
{
    int how = (t->opt.write ? O_RDWR : O_RDONLY) | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
    struct stat st;
    bool is = true;

    *again = false;
    t->log.fd = io_open(t->io, t->journal_path, how, 0);
    if (t->log.fd < 0 && errno == ENOENT)
        return SWIM_OK;
    if (t->log.fd < 0 && (errno == ELOOP || errno == EISDIR))
        return journal_refuse(
            t, errno == ELOOP ? "it is a symbolic link" : "it is a folder", err);
    if (t->log.fd < 0 || io_fstat(t->io, t->log.fd, &st) != 0)
        return swim_error_sys(err, errno, "open %s", t->journal_path);
    int rc = journal_check_file(t, &st, err);
    if (rc == SWIM_OK && t->opt.write) {
        rc = txn_flock(t, &t->log, LOCK_EX, err);
        if (rc == SWIM_OK)
            rc = journal_is_there(t, &st, &is, err);
    }
    *again = rc == SWIM_OK && !is;
    return rc;
}

/* *over: the file has taken the name of the one whose journal it is, or nothing is
 * committed in it. */
static int journal_check_owner(const struct txn *t, bool *over, swim_error_t *err)
{
    const struct journal *j = &t->journal;

    *over = !journal_is_of(&j->header, &t->main, (uint64_t)t->st.st_ino);
    if (!*over || j->last.replaced_by == (uint64_t)t->st.st_ino ||
        j->last.number == j->header.number)
        return SWIM_OK;
    if (t->opt.at) /* what follows the file may be said behind that state */
        return txn_gone(t, err);
    return swim_error_set(err, SWIM_ERR_CORRUPT,
                          "open %s: %s is the journal of another file, which had this "
                          "name before or which this is a copy of (see h5swim check)",
                          t->path, t->journal_path);
}

/* The next writer would cut off what lies behind the last commit that can be read.  In
 * a journal that others add to, what they have added meanwhile is read first. */
static int journal_check_behind(struct txn *t, swim_error_t *err)
{
    struct journal *j = &t->journal;
    struct journal_behind behind;

    for (int tries = 0; tries < TRIES; tries++) {
        int rc = journal_look_behind(j, t->opt.boot, &behind, err);
        if (rc != SWIM_OK || behind.lost_upto == 0)
            return rc;
        rc = journal_scan_on(j, t->opt.boot, err);
        if (rc != SWIM_OK || j->last.number >= behind.lost_upto)
            return rc;
    }
    return swim_error_set(err, SWIM_ERR_CORRUPT,
                          "open %s: its journal is damaged at byte %" PRIu64
                          ", and commits up to number %" PRIu64
                          " came after that (see h5swim check, and h5swim recover, "
                          "which goes on without them)",
                          t->path, j->stop, behind.lost_upto);
}

static void journal_let_go(struct txn *t)
{
    if (t->log.fd >= 0)
        t->io->close(t->log.fd);
    t->log.fd = -1;
}

int txn_journal_open(struct txn *t, swim_error_t *err)
{
    enum journal_found found = JOURNAL_NOTHING;
    const struct journal_header none = t->journal.header;
    bool again = true, over = true;
    int rc = SWIM_OK;

    while (rc == SWIM_OK && again) {
        journal_let_go(t);
        rc = journal_open_once(t, &again, err);
    }
    if (rc != SWIM_OK || t->log.fd < 0)
        return rc;
    rc = journal_scan(&t->journal, &t->log, t->opt.at ? t->opt.at->number : UINT64_MAX,
                      t->opt.boot, &found, err);
    if (rc == SWIM_ERR_ARG) {
        swim_error_clear(err); /* it speaks of the journal */
        return txn_gone(t, err);
    }
    if (rc == SWIM_OK && found == JOURNAL_FOUND && !t->opt.at)
        rc = journal_check_behind(t, err);
    if (rc == SWIM_OK && found == JOURNAL_FOUND)
        rc = journal_check_owner(t, &over, err);
    if (rc != SWIM_OK || !over) {
        t->main_unsynced = t->dir_unsynced = t->log_unsynced = rc == SWIM_OK;
        return rc;
    }
    /* Whoever put the file there may have been killed before the disk knew of the name:
     * it may lead to the old one once more, which needs its journal then. */
    if (t->opt.write)
        rc = txn_sync_dir(t, err);
    if (rc == SWIM_OK && t->opt.write)
        rc = txn_journal_remove(t, err);
    if (rc == SWIM_OK && t->opt.write)
        rc = txn_sync_dir(t, err);
    journal_let_go(t);
    journal_clear(&t->journal);
    t->journal.header = none;
    return rc;
}

/* One that could not be begun. */
static void journal_discard(struct txn *t)
{
    bool is = false;

    if (txn_journal_is_there(t, &is, NULL) == SWIM_OK && is)
        (void)io_unlink(t->io, t->journal_path);
    journal_let_go(t);
}

void txn_open_to_readers(const struct txn *t, const struct io_file *file)
{
    struct stat st;

    if (io_fstat(t->io, file->fd, &st) != 0)
        return; /* it is for this user, then */
    if (st.st_gid != t->st.st_gid)
        (void)io_fchown(t->io, file->fd, (uid_t)-1, t->st.st_gid);
    if ((st.st_mode & 0666) != (t->st.st_mode & 0666))
        (void)io_fchmod(t->io, file->fd, t->st.st_mode & 0666);
}

/* Locked, by its name, and still with the right to: nobody has done anything to the
 * file since it was looked at. */
static int journal_claim(struct txn *t, swim_error_t *err)
{
    bool is = true;
    int rc = txn_flock(t, &t->log, LOCK_EX, err);

    if (rc == SWIM_OK)
        rc = txn_may_change(t, err);
    if (rc == SWIM_OK)
        rc = txn_journal_is_there(t, &is, err);
    if (rc != SWIM_OK || is)
        return rc;
    return swim_error_set(err, SWIM_ERR_LOST,
                          "write to %s: another session has taken its journal away "
                          "(start again)",
                          t->path);
}

static int journal_fill(struct txn *t, swim_error_t *err)
{
    struct journal_header h = {.size = t->journal.last.size,
                               .high_water = t->journal.last.high_water,
                               .inode = (uint64_t)t->st.st_ino,
                               .fence = t->opt.fence};
    struct stat st;
    int rc = journal_claim(t, err);

    if (rc != SWIM_OK)
        return rc;
    txn_open_to_readers(t, &t->log);
    if (io_fstat(t->io, t->main.fd, &st) != 0)
        return swim_error_sys(err, errno, "look at %s", t->path);
    h.ctime_ns = journal_time_of(&t->main, &st);
    if (getrandom(h.id, sizeof(h.id), 0) != sizeof(h.id))
        return swim_error_sys(err, errno, "name the journal of %s", t->path);
    memcpy(h.lineage, h.id, JOURNAL_ID);
    rc = journal_first_of(&t->main, h.size, journal_seed(h.id), &h.first, err);
    if (rc == SWIM_OK)
        rc = journal_begin(&t->journal, &t->log, &h, err);
    if (rc == SWIM_OK)
        rc = journal_append_begin(&t->append, &t->journal, err);
    return rc;
}

bool txn_may_add(const struct txn *t)
{
    return t->log.fd >= 0 && t->owned && !t->journal.unsure;
}

int txn_journal_begin(struct txn *t, swim_error_t *err)
{
    if (t->fresh)
        return SWIM_OK;
    if (t->log.fd >= 0)
        return txn_may_add(t) ? SWIM_OK : txn_take_over(t, err);
    t->log.fd = io_open(t->io, t->journal_path,
                        O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                        t->st.st_mode & 0666);
    if (t->log.fd < 0 && errno == EEXIST)
        return swim_error_set(err, SWIM_ERR_LOST,
                              "write to %s: another session has begun to, since it was "
                              "opened (start again)",
                              t->path);
    if (t->log.fd < 0)
        return swim_error_sys(err, errno, "create %s", t->journal_path);
    const struct journal before = t->journal;
    int rc = journal_fill(t, err);
    if (rc == SWIM_OK) {
        t->began = t->owned = true;
        t->dir_unsynced = true;
        return rc;
    }
    journal_discard(t);
    t->journal = before;
    return rc;
}

int txn_sync_dir(struct txn *t, swim_error_t *err)
{
    int fd = io_open(t->io, t->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);

    if (fd < 0)
        return swim_error_sys(err, errno, "open the directory %s", t->dir);
    const struct io_file dir = {t->io, fd, t->dir, &t->sync_failed};
    int rc = io_sync_with_mode(&dir, err);
    t->io->close(fd);
    return rc;
}

int txn_sync_below(struct txn *t, swim_error_t *err)
{
    /* One that has failed is told here, before others see a commit. */
    int rc = t->main_unsynced || t->sync_failed ? io_sync(&t->main, err) : SWIM_OK;

    if (rc != SWIM_OK)
        return rc;
    t->main_unsynced = false;
    rc = t->dir_unsynced ? txn_sync_dir(t, err) : SWIM_OK;
    if (rc == SWIM_OK)
        t->dir_unsynced = false;
    return rc;
}

/* What could not be written is forgotten by the system, and the sync of a writer that
 * comes later succeeds without it: so that one has to know. */
int txn_log_synced(struct txn *t, int rc)
{
    if (rc != SWIM_OK && t->journal.unsure && txn_may_change(t, NULL) == SWIM_OK)
        (void)journal_append_abort(&t->append, NULL);
    return rc;
}

int txn_sync_all(struct txn *t, swim_error_t *err)
{
    int rc = txn_sync_below(t, err);

    if (rc != SWIM_OK || !t->log_unsynced)
        return rc;
    rc = io_sync(&t->log, err);
    t->log_unsynced = rc != SWIM_OK;
    t->journal.unsure |= rc != SWIM_OK;
    return txn_log_synced(t, rc);
}

/* Not that of another, which has the name by now. */
static int journal_unlink(struct txn *t, swim_error_t *err)
{
    bool is = true;
    int rc = t->opt.flocks ? SWIM_OK : txn_may_change(t, err);

    if (rc == SWIM_OK && !t->opt.flocks)
        rc = txn_journal_is_there(t, &is, err);
    if (rc != SWIM_OK)
        return rc;
    if (!is)
        return swim_error_set(err, SWIM_ERR_LOST,
                              "remove %s: it is that of a later session",
                              t->journal_path);
    if (io_unlink(t->io, t->journal_path) != 0)
        return swim_error_sys(err, errno, "remove %s", t->journal_path);
    return SWIM_OK;
}

int txn_journal_remove(struct txn *t, swim_error_t *err)
{
    int rc = journal_unlink(t, err);

    if (rc != SWIM_OK)
        return rc;
    if (t->io->close_late && t->journal.end > CLOSE_LATE) {
        (void)t->io->close_late(t->log.fd);
        t->log.fd = -1;
    }
    journal_let_go(t);
    overlay_clear(&t->append.pending);
    journal_clear(&t->journal);
    return SWIM_OK;
}
