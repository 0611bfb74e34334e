/* recover.c - locks a file and its journal, and does what the verdict asks for. */
#include "recover.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#include "recover_private.h"

int recover_may_change(const struct recovery *r, swim_error_t *err)
{
    return r->opt->may_change ? r->opt->may_change(r->opt->arg, err) : SWIM_OK;
}

int recover_sync_dir(const struct recovery *r, swim_error_t *err)
{
    int fd = io_open(r->io, r->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);

    if (fd < 0)
        return swim_error_sys(err, errno, "open the directory %s", r->dir);
    const struct io_file dir = {r->io, fd, r->dir, NULL};
    int rc = io_sync_with_mode(&dir, err);
    r->io->close(fd);
    return rc;
}

static bool flock_is_unknown(int errnum)
{
    return errnum == ENOSYS || errnum == EOPNOTSUPP || errnum == ENOLCK;
}

int recover_flock(struct recovery *r, int fd, const char *path, swim_error_t *err)
{
    int rc = 0;

    if (!r->flocks)
        return SWIM_OK;
    rc = io_flock(r->io, fd, LOCK_EX | LOCK_NB);
    if (rc != 0 && errno == EWOULDBLOCK)
        return swim_error_set(err, SWIM_ERR_TIMEOUT,
                              "recover %s: another program has it open", path);
    if (rc != 0 && !flock_is_unknown(errno))
        return swim_error_sys(err, errno, "lock %s", path);
    r->flocks = rc == 0;
    return SWIM_OK;
}

static int lock_main(struct recovery *r, swim_error_t *err)
{
    r->main_lock = io_open(r->io, r->path, O_RDWR | O_CLOEXEC | O_NONBLOCK, 0);
    if (r->main_lock < 0)
        return swim_error_sys(err, errno, "open %s", r->path);
    return recover_flock(r, r->main_lock, r->path, err);
}

/* What is no journal is not locked either. */
static int lock_log(struct recovery *r, swim_error_t *err)
{
    struct stat st;

    if (io_lstat(r->io, r->journal_path, &st) != 0 || !S_ISREG(st.st_mode))
        return SWIM_OK;
    r->log_lock = io_open(r->io, r->journal_path,
                          O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0);
    if (r->log_lock < 0)
        return swim_error_sys(err, errno, "open %s", r->journal_path);
    return recover_flock(r, r->log_lock, r->journal_path, err);
}

static void unlock(struct recovery *r)
{
    if (r->log_lock >= 0)
        r->io->close(r->log_lock);
    if (r->main_lock >= 0)
        r->io->close(r->main_lock);
    r->main_lock = r->log_lock = -1;
}

static int look(struct recovery *r, swim_error_t *err)
{
    struct verdict_options options = {.io = r->io};

    memcpy(options.boot, r->opt->boot, JOURNAL_ID);
    verdict_close(r->verdict);
    r->verdict = NULL;
    return verdict_open(&r->verdict, r->path, &options, err);
}

/* Both are whole at this moment, so a transaction may take its own locks.  Where there
 * is no flock a journal in which nothing is committed goes in a copy alone: it tells
 * how far the file goes. */
static int by_transaction(struct recovery *r, swim_error_t *err)
{
    struct txn_options opt = *r->opt;
    struct txn *t = NULL;
    struct stat st;

    opt.write = true;
    opt.flocks = r->flocks;
    opt.at = NULL;
    if (opt.fence < r->verdict->journal.last.fence)
        opt.fence = r->verdict->journal.last.fence;
    unlock(r);
    int rc = txn_open(&t, r->path, &opt, err);
    if (rc == SWIM_OK)
        rc = txn_checkpoint(t, err);
    txn_close(t);
    if (rc == SWIM_OK && io_lstat(r->io, r->journal_path, &st) == 0)
        rc = swim_error_set(err, SWIM_ERR_IO,
                            "remove %s: it is still there (look at its folder, and "
                            "run this again)",
                            r->journal_path);
    return rc;
}

static bool leads_to(const struct recovery *r, const char *name, const struct stat *st)
{
    struct stat now;

    return io_lstat(r->io, name, &now) == 0 && now.st_ino == st->st_ino &&
           now.st_dev == st->st_dev;
}

/* Or leads to what is to have it, by a recovery that was stopped. */
static int name_is_free(const struct recovery *r, const char *name,
                        const struct stat *wants, swim_error_t *err)
{
    struct stat st;

    if (io_lstat(r->io, name, &st) != 0)
        return errno == ENOENT ? SWIM_OK
                               : swim_error_sys(err, errno, "look at %s", name);
    if (leads_to(r, name, wants))
        return SWIM_OK;
    return swim_error_set(err, SWIM_ERR_ARG,
                          "recover %s: %s is there from before and would be lost (move "
                          "it, and run this again)",
                          r->path, name);
}

/* Those who use another name would keep the old file. */
static int has_one_name(const struct recovery *r, swim_error_t *err)
{
    uintmax_t names = (uintmax_t)r->verdict->main_st.st_nlink;

    if (names > 1 && leads_to(r, r->saved_path, &r->verdict->main_st))
        names--; /* by a recovery that was stopped */
    if (names <= 1)
        return SWIM_OK;
    return swim_error_set(err, SWIM_ERR_ARG,
                          "recover %s: it has %ju names (hard links), and a file made "
                          "anew has one (remove the others, or copy the file)",
                          r->path, names);
}

/* A power failure may keep both names of a rename(2). */
static int new_name_drop(const struct recovery *r, swim_error_t *err)
{
    struct stat st;

    if (io_lstat(r->io, r->path, &st) != 0 || !leads_to(r, r->new_path, &st))
        return SWIM_OK;
    if (io_unlink(r->io, r->new_path) != 0)
        return swim_error_sys(err, errno, "remove %s", r->new_path);
    return SWIM_OK;
}

/* The name that the file has is on the disk first, also when an earlier recovery gave
 * it and was stopped.  Where the journal has both names a rename would do nothing. */
static int set_aside(const struct recovery *r, swim_error_t *err)
{
    struct stat st;

    if (io_lstat(r->io, r->journal_path, &st) != 0)
        return swim_error_sys(err, errno, "look at %s", r->journal_path);
    int rc = name_is_free(r, r->discarded_path, &st, err);
    if (rc == SWIM_OK)
        rc = recover_may_change(r, err);
    if (rc == SWIM_OK)
        rc = new_name_drop(r, err);
    if (rc == SWIM_OK)
        rc = recover_sync_dir(r, err);
    if (rc != SWIM_OK)
        return rc;
    if (leads_to(r, r->discarded_path, &st)
            ? io_unlink(r->io, r->journal_path) != 0
            : io_rename(r->io, r->journal_path, r->discarded_path) != 0)
        return swim_error_sys(err, errno, "rename %s to %s", r->journal_path,
                              r->discarded_path);
    return recover_sync_dir(r, err);
}

static int replace(struct recovery *r, bool cut_back, swim_error_t *err)
{
    const struct verdict *v = r->verdict;
    bool is_done = false;
    int rc = name_is_free(r, r->discarded_path, &v->log_st, err);

    if (rc == SWIM_OK && !cut_back)
        rc = recover_is_done(r, &is_done, err);
    if (rc == SWIM_OK && !is_done)
        rc = name_is_free(r, r->saved_path, &v->main_st, err);
    if (rc == SWIM_OK && !is_done)
        rc = has_one_name(r, err);
    if (rc == SWIM_OK && !is_done)
        rc = recover_replace(r, cut_back, err);
    return rc == SWIM_OK ? set_aside(r, err) : rc;
}

static int act(struct recovery *r, const struct recover_plan *plan, swim_error_t *err)
{
    switch (plan->how) {
    case RECOVER_NOTHING:
        return SWIM_OK;
    case RECOVER_LEFTOVER:
        return recover_leftover(r, err);
    case RECOVER_TIDY:
    case RECOVER_CHECKPOINT:
        return by_transaction(r, err);
    case RECOVER_REBUILD:
        return replace(r, false, err);
    case RECOVER_CUT_BACK:
        return replace(r, true, err);
    case RECOVER_SET_ASIDE:
        return set_aside(r, err);
    case RECOVER_CANNOT:
        break;
    }
    return swim_error_set(err, SWIM_ERR_CORRUPT, "recover %s: %s", r->path, plan->text);
}

/* Name the process that has it open, where that is one of this host. */
static int say_busy(struct recovery *r, swim_error_t *now, swim_error_t *err)
{
    const struct verdict_holder *h = NULL;

    unlock(r);
    if (look(r, NULL) == SWIM_OK)
        h = r->verdict->writer.is ? &r->verdict->writer : &r->verdict->user;
    if (h && h->pid > 0)
        return swim_error_set(err, now->code, "%s (process %" PRId64 "; let it end)",
                              now->text, h->pid);
    return swim_error_set(err, now->code, "%s (let it end; see h5swim locks)",
                          now->text);
}

static int names_make(struct recovery *r, const char *path, swim_error_t *err)
{
    const struct {
        char **name;
        const char *suffix;
    } names[] = {{&r->path, ""},
                 {&r->dir, ""},
                 {&r->journal_path, JOURNAL_SUFFIX},
                 {&r->new_path, JOURNAL_NEW_SUFFIX},
                 {&r->saved_path, VERDICT_SAVED_SUFFIX},
                 {&r->discarded_path, JOURNAL_DISCARDED_SUFFIX}};

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (asprintf(names[i].name, "%s%s", path, names[i].suffix) < 0) {
            *names[i].name = NULL;
            return swim_error_set(err, SWIM_ERR_NOMEM, "recover %s: no memory", path);
        }
    char *slash = strrchr(r->dir, '/');
    if (slash)
        slash[slash == r->dir] = '\0';
    else
        snprintf(r->dir, strlen(r->dir) + 1, ".");
    return SWIM_OK;
}

static void names_free(struct recovery *r)
{
    free(r->path);
    free(r->dir);
    free(r->journal_path);
    free(r->new_path);
    free(r->saved_path);
    free(r->discarded_path);
}

int recover_run(const char *path, enum recover_action action,
                const struct txn_options *options, struct recover_plan *done,
                bool *no_flock, swim_error_t *err)
{
    struct recovery r = {.io = options->io ? options->io : &swim_io_system,
                         .opt = options,
                         .main_lock = -1,
                         .log_lock = -1,
                         .flocks = options->flocks};
    swim_error_t now = {0};

    memset(done, 0, sizeof(*done));
    int rc = names_make(&r, path, &now);
    if (rc == SWIM_OK)
        rc = lock_main(&r, &now);
    if (rc == SWIM_OK)
        rc = lock_log(&r, &now);
    if (rc == SWIM_OK)
        rc = look(&r, &now);
    if (rc == SWIM_OK) {
        recover_plan(r.verdict, action, done);
        rc = act(&r, done, &now);
    }
    *no_flock = options->flocks && !r.flocks;
    if (rc == SWIM_ERR_TIMEOUT)
        rc = say_busy(&r, &now, err);
    else if (rc != SWIM_OK)
        rc = swim_error_set(err, rc, "%s", now.text);
    unlock(&r);
    verdict_close(r.verdict);
    names_free(&r);
    return rc;
}
