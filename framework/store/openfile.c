/* openfile.c - the files that this process has open, and what is done with them. */
#include "store/openfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/fork_mark.h"
#include "lock/resource.h"
#include "store/exit_status.h"
#include "store/openfile_private.h"
#include "store/superblock.h"

/* Guards the lists, not what is in a file. */
static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;
static struct openfile *files;   /* open */
static struct openfile *waiting; /* closed, until the exit status is known */

/* --- fork */

static void fork_prepare(void)
{
    pthread_mutex_lock(&guard);
}

static void fork_parent(void)
{
    pthread_mutex_unlock(&guard);
}

/* A child that lived on would keep the flocks of a parent that died. */
static void fork_child(void)
{
    for (struct openfile *f = files; f; f = f->next)
        if (f->txn)
            txn_forget(f->txn);
    for (struct openfile *f = waiting; f; f = f->next)
        if (f->txn)
            txn_forget(f->txn);
    files = NULL;
    waiting = NULL;
    pthread_mutex_unlock(&guard);
}

static void fork_watch(void)
{
    (void)pthread_atfork(fork_prepare, fork_parent, fork_child);
}

bool openfile_is_foreign(const struct openfile *f)
{
    return f->mark != fork_mark();
}

static int foreign_error(const struct openfile *f, swim_error_t *err)
{
    return swim_error_set(err, SWIM_ERR_ARG,
                          "use %s: it was opened by process %ld, which forked this one "
                          "(open it again in this one)",
                          f->path, (long)f->pid);
}

/* --- the end of the process */

void openfile_tell(const swim_error_t *why)
{
    fprintf(stderr, "h5swim: %s%s\n", why->text,
            why->code == SWIM_ERR_UNSURE
                ? ""
                : "; what was written since the last commit is lost");
}

static void finish_waiting(int status)
{
    pthread_mutex_lock(&guard);
    struct openfile *f = waiting;
    waiting = NULL;
    pthread_mutex_unlock(&guard);
    while (f) {
        struct openfile *next = f->next;
        swim_error_t why = {0};
        if (openfile_finish(f, status == 0, &why) != SWIM_OK) {
            openfile_tell(&why);
            exit_status_spoil();
        }
        free(f->path);
        free(f);
        f = next;
    }
}

/* --- the table */

static void unlink_from(struct openfile **list, const struct openfile *file)
{
    for (struct openfile **at = list; *at; at = &(*at)->next)
        if (*at == file) {
            *at = file->next;
            return;
        }
}

static bool is_of_state(const struct openfile *f, const struct openfile_options *o)
{
    return f->opt.at_snapshot == o->at_snapshot &&
           (!o->at_snapshot ||
            memcmp(&f->opt.snapshot, &o->snapshot, sizeof(o->snapshot)) == 0);
}

static struct openfile *find(const char *resource, const struct openfile_options *o)
{
    struct openfile *f = files;

    while (f && (strcmp(f->resource, resource) != 0 || !is_of_state(f, o)))
        f = f->next;
    return f;
}

/* Whether it could be opened: what its lock is worth waiting for. */
static int check_access(const char *path, enum openfile_how how, swim_error_t *err)
{
    int needed = how == OPENFILE_READ ? R_OK : R_OK | W_OK;
    struct stat st;

    if (how != OPENFILE_READ && how != OPENFILE_WRITE)
        return SWIM_OK;
    if (stat(path, &st) != 0 || faccessat(AT_FDCWD, path, needed, AT_EACCESS) != 0)
        return swim_error_sys(err, errno, "open %s%s", path,
                              how == OPENFILE_READ ? "" : " for writing");
    if (!S_ISREG(st.st_mode))
        return swim_error_set(err, SWIM_ERR_ARG, "open %s: it is not a regular file",
                              path);
    return SWIM_OK;
}

/* The real path of name, and its resource. */
static int openfile_name(const char *name, char real[PATH_MAX], struct openfile *f,
                         swim_error_t *err)
{
    int rc = resource_real_path(name, real, PATH_MAX, err);

    if (rc != SWIM_OK)
        return rc;
    return resource_of_real_path(real, f->resource, sizeof(f->resource), err);
}

static int openfile_new(struct openfile **out, const char *real,
                        const struct openfile *like, swim_error_t *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)pthread_once(&once, fork_watch);
    *out = NULL;
    int rc = check_access(real, like->how, err);
    if (rc != SWIM_OK)
        return rc;
    struct openfile *f = malloc(sizeof(*f));
    char *path = strdup(real);
    if (!f || !path) {
        free(f);
        free(path);
        return swim_error_set(err, SWIM_ERR_NOMEM, "open %s: no memory", real);
    }
    *f = *like;
    f->path = path;
    f->pid = getpid();
    f->mark = fork_mark();
    *out = f;
    return SWIM_OK;
}

/* It is open already. */
static int openfile_again(struct openfile *f, enum openfile_how how, swim_error_t *err)
{
    if (how == OPENFILE_CREATE || how == OPENFILE_CREATE_NEW)
        return swim_error_set(err, SWIM_ERR_ARG,
                              "create %s: this process has it open (close it first)",
                              f->path);
    if (how == OPENFILE_WRITE && f->how == OPENFILE_READ)
        return swim_error_set(err, SWIM_ERR_ARG,
                              "open %s for writing: this process has it open for "
                              "reading (close it first)",
                              f->path);
    return SWIM_OK;
}

static void openfile_free(struct openfile *f)
{
    pthread_mutex_lock(&guard);
    unlink_from(&files, f);
    pthread_mutex_unlock(&guard);
    free(f->path);
    free(f);
}

int openfile_get(struct openfile **out, const char *name, enum openfile_how how,
                 const struct openfile_options *options, swim_error_t *err)
{
    struct openfile like = {.how = how, .opt = *options, .opens = 1};
    char real[PATH_MAX];

    *out = NULL;
    int rc = openfile_name(name, real, &like, err);
    if (rc != SWIM_OK)
        return rc;
    pthread_mutex_lock(&guard);
    struct openfile *f = find(like.resource, options);
    if (f) {
        rc = openfile_again(f, how, err);
        f->opens += rc == SWIM_OK;
        pthread_mutex_unlock(&guard);
        *out = rc == SWIM_OK ? f : NULL;
        return rc;
    }
    rc = openfile_new(&f, real, &like, err);
    if (f) {
        f->next = files;
        files = f;
    }
    pthread_mutex_unlock(&guard);
    if (f && (how == OPENFILE_CREATE || how == OPENFILE_CREATE_NEW)) {
        f->is_new = true;
        rc = openfile_enter(f, err);
        if (rc != SWIM_OK)
            openfile_free(f);
    }
    *out = rc == SWIM_OK ? f : NULL;
    return rc;
}

bool openfile_is_open(const char *name, const struct txn_snapshot *at)
{
    struct openfile_options like = {.at_snapshot = at != NULL};
    char resource[PATH_MAX];

    if (at)
        like.snapshot = *at;

    if (swim_resource_of_file(name, resource, sizeof(resource), NULL) != SWIM_OK)
        return false;
    pthread_mutex_lock(&guard);
    bool is = find(resource, &like) != NULL;
    pthread_mutex_unlock(&guard);
    return is;
}

/* An interpreter that takes itself apart is not asked again: it keeps its lock. */
static bool openfile_await_status(struct openfile *f)
{
    if (f->how == OPENFILE_READ || f->state != OPENFILE_OPEN || !exit_status_is_near())
        return false;
    pthread_mutex_lock(&guard);
    unlink_from(&files, f);
    f->next = waiting;
    waiting = f;
    pthread_mutex_unlock(&guard);
    return true;
}

void openfile_keep_journal(struct openfile *f)
{
    f->keep_journal = true;
}

int openfile_put(struct openfile *f, swim_error_t *err)
{
    int rc = SWIM_OK;

    if (!f)
        return rc;
    pthread_mutex_lock(&guard);
    bool last = --f->opens == 0;
    pthread_mutex_unlock(&guard);
    if (!last || (!openfile_is_foreign(f) && openfile_await_status(f)))
        return rc;
    if (openfile_is_foreign(f))
        openfile_leave(f); /* its memory */
    else if (f->state != OPENFILE_NAMED)
        rc = openfile_finish(f, f->state == OPENFILE_OPEN && exit_status_now() <= 0,
                             err);
    if (rc == SWIM_OK && f->untold)
        rc = swim_error_set(err, f->why.code, "%s", f->why.text);
    openfile_free(f);
    return rc;
}

/* --- using one */

int openfile_enter(struct openfile *f, swim_error_t *err)
{
    if (openfile_is_foreign(f))
        return foreign_error(f, err);
    if (f->state != OPENFILE_NAMED)
        return SWIM_OK;
    int rc = openfile_begin(f, err);
    if (rc == SWIM_OK)
        f->state = OPENFILE_OPEN;
    if (rc == SWIM_OK && f->how != OPENFILE_READ)
        exit_status_watch(finish_waiting);
    return rc;
}

int openfile_size(struct openfile *f, uint64_t *size, swim_error_t *err)
{
    int rc = openfile_enter(f, err);

    *size = rc == SWIM_OK ? txn_size(f->txn) : 0;
    return rc;
}

int openfile_fd(struct openfile *f, swim_error_t *err)
{
    return openfile_enter(f, err) == SWIM_OK ? txn_fd(f->txn) : -1;
}

int openfile_read(struct openfile *f, void *bytes, size_t size, uint64_t place,
                  swim_error_t *err)
{
    int rc = openfile_enter(f, err);

    if (rc == SWIM_OK)
        rc = txn_read(f->txn, bytes, size, place, err);
    /* Without flock nothing but the lock keeps the bytes from being copied over: what
     * was read is of the state if it was still held afterwards. */
    if (rc == SWIM_OK && f->how == OPENFILE_READ && !f->flocks)
        rc = openfile_check(f, err);
    return rc;
}

int openfile_is_whole(const struct openfile *f, swim_error_t *err)
{
    if (f->state != OPENFILE_LOST || openfile_is_foreign(f))
        return SWIM_OK;
    return swim_error_set(err, f->why.code, "%s", f->why.text);
}

/* After a failure nothing is committed any more. */
static int openfile_note(struct openfile *f, int rc, const swim_error_t *now,
                         swim_error_t *err)
{
    if (rc == SWIM_OK)
        return rc;
    if (f->state == OPENFILE_OPEN) {
        f->why = *now;
        f->untold = true;
    }
    f->state = OPENFILE_LOST;
    return swim_error_set(err, rc, "%s", now->text);
}

int openfile_write(struct openfile *f, const void *bytes, size_t size, uint64_t place,
                   swim_error_t *err)
{
    int rc = openfile_enter(f, err);

    swim_error_t now = {0};

    if (rc != SWIM_OK)
        return rc;
    rc = txn_write(f->txn, bytes, size, place, &now);
    return openfile_note(f, rc, &now, err);
}

int openfile_set_size(struct openfile *f, uint64_t size, swim_error_t *err)
{
    int rc = openfile_enter(f, err);

    swim_error_t now = {0};

    if (rc != SWIM_OK)
        return rc;
    rc = txn_set_size(f->txn, size, &now);
    return openfile_note(f, rc, &now, err);
}

static int read_state(void *arg, void *bytes, size_t size, uint64_t place, size_t *got,
                      swim_error_t *err)
{
    uint64_t end = txn_size(arg), left = place < end ? end - place : 0;

    *got = size < left ? size : (size_t)left;
    return txn_read(arg, bytes, size, place, err);
}

/* From version 3 on a superblock says that a writer has the file open, and HDF5 refuses
 * such a file; a committed state has no writer. */
static int clear_mark(struct openfile *f, swim_error_t *err)
{
    unsigned char bytes[SUPERBLOCK_MARKED];
    struct superblock s;

    int rc = superblock_look(read_state, f->txn, txn_size(f->txn), &s, err);
    if (rc != SWIM_OK || !s.marked)
        return rc;
    rc = txn_read(f->txn, bytes, sizeof(bytes), s.at, err);
    if (rc != SWIM_OK)
        return rc;
    return txn_write(f->txn, bytes, superblock_unmark(&s, bytes), s.at, err);
}

int openfile_failed(struct openfile *f, swim_error_t *err)
{
    if (f->state != OPENFILE_LOST)
        return SWIM_OK;
    f->untold = false;
    return swim_error_set(err, f->why.code, "commit %s: %s", f->path, f->why.text);
}

static int openfile_commit_by(struct openfile *f, bool later, swim_error_t *err)
{
    int rc = openfile_enter(f, err);
    swim_error_t now = {0};

    if (rc != SWIM_OK)
        return rc;
    if (f->how == OPENFILE_READ)
        return swim_error_set(err, SWIM_ERR_ARG, "commit %s: it is open for reading",
                              f->path);
    rc = openfile_failed(f, err);
    if (rc != SWIM_OK)
        return rc;
    rc = clear_mark(f, &now);
    if (rc == SWIM_OK)
        rc = openfile_commit_now(f, later, &now);
    if (rc == SWIM_OK)
        f->is_new = false;
    rc = openfile_note(f, rc, &now, err);
    f->untold = false;
    return rc;
}

int openfile_commit(struct openfile *f, swim_error_t *err)
{
    return openfile_commit_by(f, false, err);
}

int openfile_commit_begin(struct openfile *f, swim_error_t *err)
{
    return openfile_commit_by(f, true, err);
}

bool openfile_commit_is_over(const struct openfile *f)
{
    return f->state == OPENFILE_NAMED || txn_commit_is_over(f->txn);
}

int openfile_commit_end(struct openfile *f, swim_error_t *err)
{
    swim_error_t now = {0};

    if (f->state == OPENFILE_NAMED)
        return SWIM_OK;
    int rc = openfile_settle(f, &now);
    rc = openfile_note(f, rc, &now, err);
    f->untold = false;
    return rc;
}

int openfile_abort(struct openfile *f, swim_error_t *err)
{
    if (openfile_is_foreign(f))
        return foreign_error(f, err);
    if (f->how == OPENFILE_READ)
        return swim_error_set(err, SWIM_ERR_ARG, "abort %s: it is open for reading",
                              f->path);
    int rc = openfile_enter(f, err);
    if (rc == SWIM_OK && f->state == OPENFILE_OPEN) {
        f->state = OPENFILE_LOST;
        (void)swim_error_set(&f->why, SWIM_ERR_ARG, "it was aborted");
    }
    f->untold = false;
    return rc;
}

int openfile_snapshot(struct openfile *f, struct txn_snapshot *snapshot,
                      swim_error_t *err)
{
    int rc = openfile_enter(f, err);

    if (rc == SWIM_OK && f->is_new)
        return swim_error_set(err, SWIM_ERR_ARG,
                              "name the state of %s: it is new, and nothing has been "
                              "committed (swim_commit)",
                              f->path);
    if (rc != SWIM_OK)
        return rc;
    txn_snapshot(f->txn, snapshot);
    return openfile_pin(f, snapshot, err);
}

int openfile_look(const char *name, const struct openfile_options *options,
                  struct txn_snapshot *state, swim_error_t *err)
{
    struct openfile like = {.how = OPENFILE_READ, .opt = *options}, *f = NULL;
    char real[PATH_MAX];

    int rc = openfile_name(name, real, &like, err);
    if (rc == SWIM_OK)
        rc = openfile_new(&f, real, &like, err);
    if (!f)
        return rc;
    rc = openfile_begin(f, err);
    if (rc == SWIM_OK) {
        txn_snapshot(f->txn, state);
        openfile_leave(f);
    }
    free(f->path);
    free(f);
    return rc;
}

const char *openfile_path(const struct openfile *f)
{
    return f->path;
}

bool openfile_is_new(const struct openfile *f)
{
    return f->is_new;
}

bool openfile_writes(const struct openfile *f)
{
    return f->how != OPENFILE_READ;
}
