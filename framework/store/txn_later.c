/* txn_later.c - a commit that a thread brings to the disk while the next is made.
 *
 * Its record has its place in the journal from the start, and the frames of the next
 * commit come behind: as long as it is not written, whoever reads the journal finds
 * nothing there, and ends.  So the order on the disk is that of any commit: what it
 * rests on, then the record. */
#include "txn_private.h"

static int bring(struct txn *t, swim_error_t *err)
{
    int rc = txn_sync_below(t, err);

    if (rc == SWIM_OK)
        rc = txn_may_change(t, err);
    if (rc == SWIM_OK)
        rc = journal_put_record(&t->log, &t->later.record, err);
    t->later.put = rc == SWIM_OK;
    return rc == SWIM_OK ? io_sync(&t->log, err) : rc;
}

static void *later_main(void *arg)
{
    struct txn *t = arg;

    t->later.rc = bring(t, &t->later.err);
    atomic_store(&t->later.done, true);
    return NULL;
}

void txn_later_start(struct txn *t)
{
    t->later.err = (swim_error_t){0};
    atomic_store(&t->later.done, false);
    t->later.under_way = true;
    t->later.threaded = t->io->thread_start &&
                        t->io->thread_start(&t->later.thread, later_main, t) == 0;
    if (!t->later.threaded)
        (void)later_main(t);
}

bool txn_commit_is_over(const struct txn *t)
{
    return !t->later.under_way || atomic_load(&t->later.done);
}

/* All that was made on top of it is lost.  Without its record nobody has seen it, and
 * its frames are cut off with what came behind; else it stays. */
static int later_failed(struct txn *t, swim_error_t *err)
{
    swim_error_t now = {0};

    t->over = true;
    if (!t->later.put) {
        t->journal.end = t->journal.last.begin;
        return txn_fail(t, t->later.rc, &t->later.err, err);
    }
    t->journal.unsure = true;
    (void)txn_log_synced(t, t->later.rc);
    return txn_fail(t, txn_unsure(t, &t->later.err, &now), &now, err);
}

int txn_commit_end(struct txn *t, swim_error_t *err)
{
    if (!t->later.under_way)
        return SWIM_OK;
    if (t->later.threaded)
        (void)t->io->thread_join(t->later.thread);
    t->later.under_way = false;
    if (t->later.rc != SWIM_OK)
        return later_failed(t, err);
    t->log_unsynced = t->owes_sync = false;
    return SWIM_OK;
}
