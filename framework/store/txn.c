/* txn.c - opening, reading and closing a file under its journal. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "txn_private.h"

int txn_flock(const struct txn *t, const struct io_file *file, int how,
              swim_error_t *err)
{
    if (!t->opt.flocks)
        return SWIM_OK;
    if (io_flock(t->io, file->fd, how | LOCK_NB) == 0)
        return SWIM_OK;
    if (errno == EWOULDBLOCK)
        return swim_error_set(err, SWIM_ERR_TIMEOUT,
                              "open %s: another program has it locked", file->path);
    return swim_error_sys(err, errno, "lock %s", file->path);
}

int txn_may_change(const struct txn *t, swim_error_t *err)
{
    return t->opt.may_change ? t->opt.may_change(t->opt.arg, err) : SWIM_OK;
}

uint64_t txn_main_end(const struct txn *t)
{
    uint64_t extent = t->journal.last.extent;

    return t->tail_end > extent ? t->tail_end : extent;
}

uint64_t txn_size(const struct txn *t)
{
    return t->size;
}

uint64_t txn_number(const struct txn *t)
{
    return t->journal.last.number;
}

int txn_fd(const struct txn *t)
{
    return t->main.fd;
}

bool txn_has_journal(const struct txn *t)
{
    return t->log.fd >= 0;
}

void txn_forget(struct txn *t)
{
    if (t->log.fd >= 0)
        close(t->log.fd);
    if (t->main.fd >= 0)
        close(t->main.fd);
    t->log.fd = t->main.fd = -1;
    t->state = TXN_READS;       /* there is nothing to be dropped */
    t->later.under_way = false; /* the thread is the parent's */
    if (t->old)
        txn_forget(t->old);
}

static int txn_open_main(struct txn *t, swim_error_t *err)
{
    int how = t->opt.write ? O_RDWR : O_RDONLY;

    t->main.fd = io_open_existing(t->io, t->path, how);
    if (t->main.fd < 0)
        return swim_error_sys(err, errno, "open %s", t->path);
    int rc = txn_flock(t, &t->main, LOCK_SH, err);
    if (rc == SWIM_OK && io_fstat(t->io, t->main.fd, &t->st) != 0)
        rc = swim_error_sys(err, errno, "look at %s", t->path);
    if (rc != SWIM_OK)
        return rc;
    if (!S_ISREG(t->st.st_mode))
        return swim_error_set(err, SWIM_ERR_ARG, "open %s: it is not a regular file",
                              t->path);
    if (t->opt.write && t->st.st_nlink > 1)
        return swim_error_set(err, SWIM_ERR_ARG,
                              "open %s for writing: it has %ju names (hard links), and "
                              "those who use another would not find its journal (copy "
                              "the file)",
                              t->path, (uintmax_t)t->st.st_nlink);
    return SWIM_OK;
}

/* Another file has taken the name since it was opened, and the journal may be gone. */
static int txn_has_moved(const struct txn *t, bool *moved, swim_error_t *err)
{
    struct stat st;

    if (io_lstat(t->io, t->path, &st) != 0)
        return swim_error_sys(err, errno, "look at %s", t->path);
    *moved = st.st_ino != t->st.st_ino || st.st_dev != t->st.st_dev;
    return SWIM_OK;
}

int txn_start_bare(struct txn *t, swim_error_t *err)
{
    if (io_fstat(t->io, t->main.fd, &t->st) != 0)
        return swim_error_sys(err, errno, "look at %s", t->path);
    uint64_t size = (uint64_t)t->st.st_size;
    t->journal.header =
        (struct journal_header){.inode = (uint64_t)t->st.st_ino,
                                .size = size,
                                .high_water = size,
                                .ctime_ns = journal_time_of(&t->main, &t->st)};
    journal_start(&t->journal);
    return SWIM_OK;
}

/* Without a journal the file is what is committed.  A writer may begin one at any
 * moment and write behind the end, so that size and time count only when they are the
 * same after the look for the journal. */
static int txn_look(struct txn *t, swim_error_t *err)
{
    int rc = txn_start_bare(t, err);

    while (rc == SWIM_OK) {
        const struct journal_header was = t->journal.header;
        rc = txn_journal_open(t, err);
        if (rc != SWIM_OK || t->log.fd >= 0)
            break;
        rc = txn_start_bare(t, err);
        if (was.size == t->journal.header.size &&
            was.ctime_ns == t->journal.header.ctime_ns)
            break;
    }
    return rc;
}

void txn_snapshot(const struct txn *t, struct txn_snapshot *s)
{
    const struct journal_header *h = &t->journal.header;

    *s = (struct txn_snapshot){.number = t->journal.last.number,
                               .inode = h->inode,
                               .when_ns = h->ctime_ns,
                               .size = t->journal.last.size};
    if (s->number == 0)
        return; /* the journal may come and go */
    memcpy(s->lineage, h->lineage, JOURNAL_ID);
    s->when_ns = t->journal.last.when_ns;
}

int txn_gone(const struct txn *t, swim_error_t *err)
{
    return swim_error_set(err, SWIM_ERR_ARG,
                          "open %s: the state %" PRIu64 " that is wanted is not there "
                          "any more (the session that took it has ended?)",
                          t->path, t->opt.at->number);
}

/* Whether what was found is the state that was asked for. */
static int txn_check_at(const struct txn *t, swim_error_t *err)
{
    const struct txn_snapshot *at = t->opt.at;
    struct txn_snapshot is;

    txn_snapshot(t, &is);
    if (!at ||
        (memcmp(at->lineage, is.lineage, JOURNAL_ID) == 0 && at->number == is.number &&
         at->inode == is.inode && at->when_ns == is.when_ns && at->size == is.size))
        return SWIM_OK;
    return txn_gone(t, err);
}

/* What is committed lies in the file as far as it says; while it was copied the file
 * may have been cut to a size that it has no more, and frames cover the rest. */
static int txn_check_main(const struct txn *t, uint64_t size, swim_error_t *err)
{
    const struct journal_commit *last = &t->journal.last;
    uint64_t needed = last->extent < last->size ? last->extent : last->size;

    if (size >= needed || t->journal.may_be_copied)
        return SWIM_OK;
    return swim_error_set(err, SWIM_ERR_CORRUPT,
                          "open %s: it was cut from outside, to %" PRIu64 " of %" PRIu64
                          " bytes (see h5swim check)",
                          t->path, size, needed);
}

/* A program that does not know of the journal changes the superblock when it makes the
 * file longer, or closes it. */
static int txn_check_first(const struct txn *t, swim_error_t *err)
{
    uint64_t sum = 0;

    if (t->log.fd < 0 || t->journal.may_be_copied)
        return SWIM_OK;
    int rc =
        journal_first_of(&t->main, t->journal.header.size, t->journal.seed, &sum, err);
    if (rc != SWIM_OK || sum == t->journal.header.first)
        return rc;
    return swim_error_set(err, SWIM_ERR_CORRUPT,
                          "open %s: it was changed from outside since its journal was "
                          "begun (see h5swim check)",
                          t->path);
}

/* What a dead writer left behind what counts of the file itself. */
static int txn_cut_main(struct txn *t, swim_error_t *err)
{
    uint64_t size = 0;
    int rc = io_size(&t->main, &size, err);

    if (rc != SWIM_OK || !t->direct || size <= t->journal.last.extent)
        return rc;
    rc = txn_may_change(t, err);
    return rc == SWIM_OK ? io_truncate(&t->main, t->journal.last.extent, err) : rc;
}

/* A journal that a dead writer was making: nobody reads it. */
static void txn_remove_rewritten(struct txn *t)
{
    struct stat st;

    if (io_lstat(t->io, t->rewritten_path, &st) == 0 &&
        txn_may_change(t, NULL) == SWIM_OK)
        (void)io_unlink(t->io, t->rewritten_path);
}

static int txn_recover(struct txn *t, swim_error_t *err)
{
    txn_remove_rewritten(t);
    if (t->log.fd < 0)
        return SWIM_OK;
    if (t->journal.last.fence > t->opt.fence)
        return swim_error_set(
            err, SWIM_ERR_LOST,
            "write to %s: a session that came later has written to it "
            "(start again)",
            t->path);
    int rc = txn_may_change(t, err);
    if (rc == SWIM_OK && t->owned)
        rc = journal_append_begin(&t->append, &t->journal, err);
    else
        journal_append_start(&t->append, &t->journal);
    return rc == SWIM_OK ? txn_cut_main(t, err) : rc;
}

static int txn_start(struct txn *t, swim_error_t *err)
{
    uint64_t size = 0;
    bool moved = false;
    int rc;

    do {
        if (t->main.fd >= 0)
            t->io->close(t->main.fd);
        rc = txn_open_main(t, err);
        if (rc == SWIM_OK)
            rc = txn_look(t, err);
        if (rc == SWIM_OK && t->log.fd < 0)
            rc = txn_has_moved(t, &moved, err);
    } while (rc == SWIM_OK && moved);
    if (rc == SWIM_OK)
        rc = txn_check_at(t, err);
    if (rc == SWIM_OK)
        rc = io_size(&t->main, &size, err);
    if (rc == SWIM_OK)
        rc = txn_check_main(t, size, err);
    if (rc == SWIM_OK)
        rc = txn_check_first(t, err);
    if (rc == SWIM_OK && t->opt.write)
        rc = txn_recover(t, err);
    t->size = t->journal.last.size;
    t->state = t->opt.write ? TXN_CLEAN : TXN_READS;
    return rc;
}

struct txn *txn_new(const char *path, const struct txn_options *options)
{
    struct txn *t = calloc(1, sizeof(*t));

    if (!t)
        return NULL;
    t->opt = *options;
    t->io = options->io ? options->io : &swim_io_system;
    t->path = strdup(path);
    t->dir = strdup(path);
    if (asprintf(&t->journal_path, "%s%s", path, JOURNAL_SUFFIX) < 0)
        t->journal_path = NULL;
    if (asprintf(&t->new_path, "%s%s", path, JOURNAL_NEW_SUFFIX) < 0)
        t->new_path = NULL;
    if (asprintf(&t->rewritten_path, "%s%s", path, JOURNAL_REWRITTEN_SUFFIX) < 0)
        t->rewritten_path = NULL;
    t->rewrite_over = options->rewrite_over;
    t->main = (struct io_file){t->io, -1, t->path, &t->sync_failed};
    t->log = (struct io_file){t->io, -1, t->journal_path, &t->sync_failed};
    overlay_init(&t->journal.overlay);
    overlay_init(&t->append.pending);
    overlay_init(&t->held);
    t->direct = t->owned = options->flocks;
    if (options->write) {
        t->current = malloc(TXN_BUFFER);
        t->under = malloc(TXN_BUFFER);
        t->held_bytes = malloc((size_t)2 * TXN_HELD);
        t->tail_bytes = malloc(TXN_TAIL);
    }
    if (t->path && t->dir && t->journal_path && t->new_path && t->rewritten_path &&
        (!options->write ||
         (t->current && t->under && t->held_bytes && t->tail_bytes))) {
        char *slash = strrchr(t->dir, '/');
        if (slash)
            slash[slash == t->dir] = '\0';
        else
            snprintf(t->dir, strlen(t->dir) + 1, ".");
        return t;
    }
    txn_close(t);
    return NULL;
}

int txn_open(struct txn **out, const char *path, const struct txn_options *options,
             swim_error_t *err)
{
    struct txn *t = txn_new(path, options);

    *out = NULL;
    if (!t)
        return swim_error_set(err, SWIM_ERR_NOMEM, "open %s: no memory", path);
    int rc = options->at && options->write
                 ? swim_error_set(err, SWIM_ERR_ARG,
                                  "open %s for writing: a writer continues the last "
                                  "state (open one before that for reading)",
                                  path)
                 : txn_start(t, err);
    t->opt.at = NULL; /* it is the caller's */
    if (rc != SWIM_OK) {
        t->state = TXN_READS; /* there is nothing to be dropped */
        txn_close(t);
        return rc;
    }
    *out = t;
    return SWIM_OK;
}

/* A journal in which nothing is committed tells how far the file goes, when more was
 * written to it; and when the file has been touched it tells what was committed before,
 * as long as there is somebody to whom that matters. */
static bool txn_is_of_use(const struct txn *t)
{
    const struct journal *j = &t->journal;
    struct stat st;

    if (t->log.fd < 0 || j->last.number != j->header.number ||
        io_fstat(t->io, t->main.fd, &st) != 0 || (uint64_t)st.st_size != j->header.size)
        return true;
    return journal_time_of(&t->main, &st) != j->header.ctime_ns &&
           txn_flock(t, &t->main, LOCK_EX, NULL) != SWIM_OK;
}

static void txn_drop(struct txn *t)
{
    if (t->fresh) {
        if (txn_may_change(t, NULL) == SWIM_OK)
            (void)io_unlink(t->io, t->new_path);
        return;
    }
    if (t->state != TXN_CLEAN && txn_abort(t, NULL) != SWIM_OK)
        return; /* the next writer cuts it off */
    if (txn_is_of_use(t))
        return;
    if (txn_journal_remove(t, NULL) == SWIM_OK)
        (void)txn_sync_dir(t, NULL); /* or it may come back when others have written */
}

void txn_close(struct txn *t)
{
    int saved = errno;

    if (!t)
        return;
    (void)txn_commit_end(t, NULL);
    if (t->state != TXN_READS)
        txn_drop(t);
    if (t->log.fd >= 0)
        t->io->close(t->log.fd);
    if (t->main.fd >= 0)
        t->io->close(t->main.fd);
    txn_close(t->old);
    overlay_clear(&t->append.pending);
    txn_held_drop(t);
    journal_clear(&t->journal);
    free(t->path);
    free(t->journal_path);
    free(t->rewritten_path);
    free(t->new_path);
    free(t->dir);
    free(t->current);
    free(t->under);
    free(t->held_bytes);
    free(t->tail_bytes);
    free(t->ahead.bytes);
    free(t);
    errno = saved;
}
