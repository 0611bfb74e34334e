/* txn_takeover.c - a journal that is not added to as it is.
 *
 * Of one that could not be synced the disk may lack what can be read, and will not get
 * it by another sync: what is of use in it goes to a new journal, with any flock.  And
 * without flock it may be one that another may still be adding to.
 *
 * The one who wrote before may be stopped, for longer than its lease, and go on at any
 * time.  So whoever writes next puts a new journal in the place of the one that is
 * there: what is added to the old one from then on is read by nobody.  One of two
 * notices the other: the old writer looks, behind each commit, whether its journal
 * still has the name; the new one looks, when it has taken the name, whether there is a
 * commit more in the old one. */
#include <string.h>

#include "txn_private.h"

static int is_late(const struct txn *t, swim_error_t *err)
{
    return swim_error_set(err, SWIM_ERR_LOST,
                          "write to %s: the session before has committed since it was "
                          "opened (start again)",
                          t->path);
}

/* What the other may be about to give a name. */
static void remove_unfinished(struct txn *t)
{
    struct stat st;

    if (io_lstat(t->io, t->rewritten_path, &st) == 0)
        (void)io_unlink(t->io, t->rewritten_path);
    if (io_lstat(t->io, t->new_path, &st) == 0)
        (void)io_unlink(t->io, t->new_path);
}

/* Back to the journal that was there, which has a commit more. */
static void go_back(struct txn *t, const struct journal *was)
{
    t->io->close(t->log.fd);
    journal_clear(&t->journal);
    t->journal = *was;
    t->log.fd = was->file.fd;
    t->began = false;
    journal_append_start(&t->append, &t->journal);
}

int txn_take_over(struct txn *t, swim_error_t *err)
{
    const uint64_t number = t->journal.last.number;
    struct journal was;
    bool more = true;

    int rc = txn_may_change(t, err);
    if (rc != SWIM_OK)
        return rc;
    remove_unfinished(t);
    while (rc == SWIM_OK && more) {
        rc = txn_rewrite_keeping(t, &was, err);
        if (rc != SWIM_OK)
            break;
        rc = journal_scan_on(&was, t->opt.boot, err);
        more = rc == SWIM_OK && was.last.number != t->journal.last.number;
        if (more) {
            go_back(t, &was);
            continue;
        }
        t->io->close(was.file.fd);
        journal_clear(&was);
    }
    if (rc == SWIM_OK && t->journal.last.number != number)
        return is_late(t, err);
    return rc;
}
