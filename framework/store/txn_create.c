/* txn_create.c - a new file, or one in the place of another.
 *
 * It is written under another name, without a journal, and takes the name when it is
 * whole and on the disk; who reads the one that had the name goes on reading that.  The
 * journal of that one says first what comes, so that it is neither taken for one of the
 * new file nor missed by the old one, whenever this is stopped. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "txn_private.h"

/* The file that is there, to be followed; none: t->old stays NULL. */
static int fresh_open_old(struct txn *t, bool exclusive, struct stat *st,
                          swim_error_t *err)
{
    if (io_lstat(t->io, t->path, st) != 0)
        return errno == ENOENT ? SWIM_OK
                               : swim_error_sys(err, errno, "look at %s", t->path);
    if (exclusive)
        return swim_error_sys(err, EEXIST, "create %s", t->path);
    int rc = txn_open(&t->old, t->path, &t->opt, err);
    /* What follows will be added to its journal; and a new file that is under way is
     * removed by that. */
    return rc == SWIM_OK && t->old->log.fd >= 0 ? txn_journal_begin(t->old, err) : rc;
}

int txn_create(struct txn **out, const char *path, const struct txn_options *options,
               bool exclusive, mode_t mode, swim_error_t *err)
{
    struct txn *t = txn_new(path, options);
    struct stat st = {0};

    *out = NULL;
    if (!t)
        return swim_error_set(err, SWIM_ERR_NOMEM, "create %s: no memory", path);
    t->exclusive = exclusive;
    t->main.path = t->new_path;
    int rc = txn_may_change(t, err);
    if (rc == SWIM_OK)
        rc = fresh_open_old(t, exclusive, &st, err);
    if (rc == SWIM_OK)
        rc = txn_open_anew(t, &t->main, t->old ? 0600 : mode, err);
    if (rc != SWIM_OK) {
        t->state = TXN_READS; /* there is nothing to be dropped */
        txn_close(t);
        return rc;
    }
    t->fresh = true;
    if (t->old) {
        /* Who may not give it away keeps it, as with any new file. */
        (void)io_fchown(t->io, t->main.fd, st.st_uid, st.st_gid);
        (void)io_fchmod(t->io, t->main.fd, st.st_mode & 07777);
    }
    t->direct = true;
    journal_start(&t->journal);
    t->state = TXN_CHANGED;
    *out = t;
    return SWIM_OK;
}

/* The journal of the old file says which one follows. */
static int fresh_announce(struct txn *t, bool sync, swim_error_t *err)
{
    struct txn *old = t->old;

    if (!old || old->log.fd < 0)
        return SWIM_OK;
    struct journal_commit c = old->journal.last;
    c.replaced_by = (uint64_t)t->st.st_ino;
    c.fence = t->opt.fence;
    memcpy(c.boot, t->opt.boot, JOURNAL_ID);
    int rc = sync ? txn_sync_all(old, err) : SWIM_OK;
    if (rc != SWIM_OK)
        return rc;
    return txn_log_synced(old, journal_append_commit(&old->append, &c, sync, err));
}

static int fresh_rename(struct txn *t, swim_error_t *err)
{
    struct stat st;

    if (t->exclusive && io_lstat(t->io, t->path, &st) == 0)
        return swim_error_sys(err, EEXIST, "create %s", t->path);
    int rc = txn_flock(t, &t->main, LOCK_SH, err);
    if (rc == SWIM_OK)
        rc = txn_may_change(t, err);
    if (rc == SWIM_OK && io_rename(t->io, t->new_path, t->path) != 0)
        rc = swim_error_sys(err, errno, "rename %s to %s", t->new_path, t->path);
    return rc;
}

/* It is a file like others from here on. */
static int fresh_settle(struct txn *t, bool sync, swim_error_t *err)
{
    struct txn *old = t->old;

    t->fresh = false;
    t->old = NULL;
    t->direct = t->opt.flocks;
    t->main.path = t->path;
    int rc = txn_start_bare(t, err);
    if (rc == SWIM_OK && old && old->log.fd >= 0) /* it says itself that it is over */
        rc = sync ? txn_sync_dir(t, err) : SWIM_OK;
    if (rc == SWIM_OK && old && old->log.fd >= 0)
        rc = txn_journal_remove(old, err);
    txn_close(old);
    return rc == SWIM_OK && sync ? txn_sync_dir(t, err) : rc;
}

/* Another may have been set aside before: NAME.swimlog.discarded, and then .1 and so
 * on.  *aside is to be freed. */
static int aside_name(const struct txn *t, char **aside, swim_error_t *err)
{
    struct stat st;

    for (int n = 0;; n++) {
        int size =
            n == 0 ? asprintf(aside, "%s" JOURNAL_DISCARDED_SUFFIX, t->path)
                   : asprintf(aside, "%s" JOURNAL_DISCARDED_SUFFIX ".%d", t->path, n);
        if (size < 0) {
            *aside = NULL;
            return swim_error_set(err, SWIM_ERR_NOMEM, "create %s: no memory", t->path);
        }
        if (io_lstat(t->io, *aside, &st) != 0)
            return errno == ENOENT ? SWIM_OK
                                   : swim_error_sys(err, errno, "look at %s", *aside);
        free(*aside);
    }
}

/* The file that a journal was for is gone, and its name is about to be taken: the
 * journal gets another, as nobody but people can know whether the file is elsewhere. */
static int fresh_set_aside(struct txn *t, bool sync, swim_error_t *err)
{
    char *aside = NULL;
    struct stat st;

    if (t->old || io_lstat(t->io, t->journal_path, &st) != 0)
        return SWIM_OK;
    int rc = aside_name(t, &aside, err);
    if (rc == SWIM_OK)
        rc = txn_may_change(t, err);
    if (rc == SWIM_OK && io_rename(t->io, t->journal_path, aside) != 0)
        rc = swim_error_sys(err, errno, "rename %s to %s", t->journal_path, aside);
    free(aside);
    return rc == SWIM_OK && sync ? txn_sync_dir(t, err) : rc;
}

int txn_commit_fresh(struct txn *t, bool sync, swim_error_t *err)
{
    swim_error_t now = {0};
    int rc = txn_tail_put(t, err);

    if (rc == SWIM_OK)
        rc = io_truncate(&t->main, t->size, err);
    if (rc == SWIM_OK && sync)
        rc = io_sync_with_mode(&t->main, err);
    if (rc == SWIM_OK && io_fstat(t->io, t->main.fd, &t->st) != 0)
        rc = swim_error_sys(err, errno, "look at %s", t->new_path);
    if (rc == SWIM_OK)
        rc = fresh_announce(t, sync, err);
    if (rc == SWIM_OK)
        rc = fresh_set_aside(t, sync, err);
    if (rc == SWIM_OK)
        rc = fresh_rename(t, err);
    if (rc != SWIM_OK)
        return rc;
    rc = fresh_settle(t, sync, &now);
    return rc == SWIM_OK ? rc : txn_unsure(t, &now, err);
}
