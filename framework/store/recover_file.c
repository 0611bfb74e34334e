/* recover_file.c - a recovered file in the place of one that is kept.
 *
 * Until the new file takes the name nothing has changed, and from then on the file is
 * what it is to be; the journal, still there, then does not fit it, and a recovery that
 * is run again finds that all is done. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "recover_private.h"

#define BUFFER (1U << 20)

static bool is_zero(const unsigned char *bytes, size_t size)
{
    return size == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0);
}

int recover_leftover(struct recovery *r, swim_error_t *err)
{
    struct stat st;

    if (io_lstat(r->io, r->new_path, &st) != 0)
        return errno == ENOENT ? SWIM_OK
                               : swim_error_sys(err, errno, "look at %s", r->new_path);
    int fd = -1, rc = SWIM_OK;
    if (S_ISREG(st.st_mode) && st.st_ino != r->verdict->main_st.st_ino)
        fd = io_open(r->io, r->new_path, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK,
                     0);
    if (fd >= 0)
        rc = recover_flock(r, fd, r->new_path, err);
    if (rc == SWIM_OK)
        rc = recover_may_change(r, err);
    if (rc == SWIM_OK && io_unlink(r->io, r->new_path) != 0)
        rc = swim_error_sys(err, errno, "remove %s", r->new_path);
    if (fd >= 0)
        r->io->close(fd);
    return rc;
}

/* What the new file is made of: what was committed; or, when another program has
 * changed the file, all that it holds with the frames over it; or the file without
 * them. */
static uint64_t state_size(const struct recovery *r, bool cut_back)
{
    const struct verdict *v = r->verdict;
    uint64_t size = (uint64_t)v->main_st.st_size, committed = v->journal.last.size;

    if (cut_back)
        return v->journal.header.size;
    return v->foreign && size > committed ? size : committed;
}

static int state_read(const struct recovery *r, bool cut_back, void *bytes, size_t size,
                      uint64_t place, swim_error_t *err)
{
    struct verdict *v = r->verdict;
    const struct journal_view view = {&v->journal, NULL, &v->main, UINT64_MAX};
    size_t got = 0;

    if (cut_back) {
        memset(bytes, 0, size);
        return io_read(&v->main, bytes, size, place, &got, err);
    }
    return v->foreign ? journal_read(&view, bytes, size, place, err)
                      : verdict_read(v, bytes, size, place, err);
}

/* Zeros are left to the holes of the file. */
static int new_fill(const struct recovery *r, const struct io_file *file, bool cut_back,
                    swim_error_t *err)
{
    const uint64_t size = state_size(r, cut_back);
    unsigned char *buf = malloc(BUFFER);
    int rc = SWIM_OK;

    if (!buf)
        return swim_error_set(err, SWIM_ERR_NOMEM, "make %s: no memory", file->path);
    for (uint64_t at = 0; rc == SWIM_OK && at < size; at += BUFFER) {
        size_t n = size - at < BUFFER ? (size_t)(size - at) : BUFFER;
        struct iovec part = {buf, n};
        rc = state_read(r, cut_back, buf, n, at, err);
        if (rc == SWIM_OK && !is_zero(buf, n))
            rc = io_write(file, &part, 1, at, err);
    }
    free(buf);
    return rc == SWIM_OK ? io_truncate(file, size, err) : rc;
}

static int new_finish(const struct recovery *r, const struct io_file *file,
                      swim_error_t *err)
{
    const struct stat *st = &r->verdict->main_st;

    /* Who may not give it away keeps it, as with any new file. */
    (void)io_fchown(r->io, file->fd, st->st_uid, st->st_gid);
    if (io_fchmod(r->io, file->fd, st->st_mode & 07777) != 0)
        return swim_error_sys(err, errno, "set the mode of %s", file->path);
    return io_sync_with_mode(file, err);
}

/* Whoever opens it by the name it takes waits until this is over: *fd stays open. */
static int new_make(struct recovery *r, bool cut_back, int *fd, swim_error_t *err)
{
    struct io_file file = {r->io, -1, r->new_path, NULL};
    int rc = recover_leftover(r, err);

    if (rc == SWIM_OK) {
        file.fd = *fd =
            io_open(r->io, r->new_path,
                    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (file.fd < 0)
            rc = swim_error_sys(err, errno, "create %s", r->new_path);
    }
    if (rc == SWIM_OK)
        rc = recover_flock(r, file.fd, r->new_path, err);
    if (rc == SWIM_OK)
        rc = new_fill(r, &file, cut_back, err);
    if (rc == SWIM_OK)
        rc = new_finish(r, &file, err);
    if (rc != SWIM_OK && file.fd >= 0)
        (void)io_unlink(r->io, r->new_path);
    return rc;
}

/* The file gets a second name, under which it stays. */
static int old_keep(const struct recovery *r, swim_error_t *err)
{
    struct stat st;

    if (io_link(r->io, r->path, r->saved_path) != 0) {
        int why = errno;
        if (why != EEXIST || io_lstat(r->io, r->saved_path, &st) != 0 ||
            st.st_ino != r->verdict->main_st.st_ino)
            return swim_error_sys(err, why, "keep %s as %s", r->path, r->saved_path);
    }
    return recover_sync_dir(r, err);
}

static int new_rename(const struct recovery *r, swim_error_t *err)
{
    int rc = recover_may_change(r, err);

    if (rc == SWIM_OK && io_rename(r->io, r->new_path, r->path) != 0)
        rc = swim_error_sys(err, errno, "rename %s to %s", r->new_path, r->path);
    return rc;
}

int recover_replace(struct recovery *r, bool cut_back, swim_error_t *err)
{
    int fd = -1, rc = new_make(r, cut_back, &fd, err);

    if (rc == SWIM_OK)
        rc = recover_may_change(r, err);
    if (rc == SWIM_OK)
        rc = old_keep(r, err);
    if (rc == SWIM_OK)
        rc = new_rename(r, err);
    if (fd >= 0)
        r->io->close(fd);
    return rc;
}

static int compare(const struct recovery *r, unsigned char *a, unsigned char *b,
                   bool *is, swim_error_t *err)
{
    const uint64_t size = state_size(r, false);
    int rc = SWIM_OK;

    *is = (uint64_t)r->verdict->main_st.st_size == size;
    for (uint64_t at = 0; rc == SWIM_OK && *is && at < size; at += BUFFER) {
        size_t n = size - at < BUFFER ? (size_t)(size - at) : BUFFER, got = 0;
        rc = state_read(r, false, a, n, at, err);
        if (rc == SWIM_OK)
            rc = io_read(&r->verdict->main, b, n, at, &got, err);
        *is = rc == SWIM_OK && got == n && memcmp(a, b, n) == 0;
    }
    return rc;
}

int recover_is_done(const struct recovery *r, bool *is, swim_error_t *err)
{
    unsigned char *both = malloc(2 * (size_t)BUFFER);

    *is = false;
    if (!both)
        return swim_error_set(err, SWIM_ERR_NOMEM, "read %s: no memory", r->path);
    int rc = compare(r, both, both + BUFFER, is, err);
    free(both);
    return rc;
}
