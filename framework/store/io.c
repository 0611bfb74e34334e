/* io.c - whole reads and writes over the table of system calls. */
#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "store/late_close.h"

#define IO_SEND (8U << 20) /* 8 MiB: fewer are slower, more leave the disk idle */
#define IO_STACK (256U << 10)
#define IO_PAGES (64U << 10) /* no page is larger */

static int system_open(const char *path, int flags, mode_t mode)
{
    return open(path, flags, mode);
}

static int64_t system_birth_ns(int fd)
{
    struct statx sx;

    if (statx(fd, "", AT_EMPTY_PATH, STATX_BTIME, &sx) != 0 ||
        !(sx.stx_mask & STATX_BTIME))
        return 0;
    return sx.stx_btime.tv_sec * 1000000000 + sx.stx_btime.tv_nsec;
}

/* Not all file systems have it. */
static int system_start_sync(int fd, off_t at, off_t size)
{
    return sync_file_range(fd, at, size, SYNC_FILE_RANGE_WRITE);
}

static int system_set_mtime(int fd, uint64_t ns)
{
    const struct timespec times[2] = {
        {.tv_nsec = UTIME_OMIT}, {(time_t)(ns / 1000000000), (long)(ns % 1000000000)}};

    return futimens(fd, times);
}

static int system_thread_start(pthread_t *thread, void *(*fn)(void *), void *arg)
{
    sigset_t all, before;
    pthread_attr_t how;

    (void)pthread_attr_init(&how);
    (void)pthread_attr_setstacksize(&how, IO_STACK);
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    int rc = pthread_create(thread, &how, fn, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&how);
    return rc;
}

static int system_thread_join(pthread_t thread)
{
    return pthread_join(thread, NULL);
}

const struct swim_io swim_io_system = {
    .open = system_open,
    .close = close,
    .pread = pread,
    .pwritev = pwritev,
    .ftruncate = ftruncate,
    .fdatasync = fdatasync,
    .fsync = fsync,
    .fstat = fstat,
    .lstat = lstat,
    .flock = flock,
    .unlink = unlink,
    .rename = rename,
    .link = link,
    .fchown = fchown,
    .fchmod = fchmod,
    .birth_ns = system_birth_ns,
    .start_sync = system_start_sync,
    .set_mtime = system_set_mtime,
    .close_late = late_close,
    .thread_start = system_thread_start,
    .thread_join = system_thread_join,
};

/* A call made until no signal interrupts it. */
#define WHOLE(rc, call) \
    do                  \
        (rc) = (call);  \
    while ((rc) < 0 && errno == EINTR)

int io_open(const struct swim_io *io, const char *path, int flags, mode_t mode)
{
    int fd;

    WHOLE(fd, io->open(path, flags, mode));
    return fd;
}

int io_open_existing(const struct swim_io *io, const char *path, int flags)
{
    struct stat st;
    int fd = io_open(io, path, flags | O_CLOEXEC | O_NONBLOCK, 0);

    /* Somebody's lease of the file (fcntl(2)) is being ended, as of a file server. */
    if (fd < 0 && errno == EAGAIN && stat(path, &st) == 0 && S_ISREG(st.st_mode))
        return io_open(io, path, flags | O_CLOEXEC, 0);
    if (fd >= 0) /* it was for the opening alone */
        (void)fcntl(fd, F_SETFL, flags & O_APPEND);
    return fd;
}

int io_fstat(const struct swim_io *io, int fd, struct stat *st)
{
    int rc;

    WHOLE(rc, io->fstat(fd, st));
    return rc;
}

int io_lstat(const struct swim_io *io, const char *path, struct stat *st)
{
    int rc;

    WHOLE(rc, io->lstat(path, st));
    return rc;
}

int io_flock(const struct swim_io *io, int fd, int how)
{
    int rc;

    WHOLE(rc, io->flock(fd, how));
    return rc;
}

int io_unlink(const struct swim_io *io, const char *path)
{
    int rc = io->unlink(path);

    if (rc == 0 || errno != EINTR)
        return rc;
    WHOLE(rc, io->unlink(path));
    return rc != 0 && errno == ENOENT ? 0 : rc;
}

int io_rename(const struct swim_io *io, const char *from, const char *to)
{
    int rc = io->rename(from, to);

    if (rc == 0 || errno != EINTR)
        return rc;
    WHOLE(rc, io->rename(from, to));
    return rc != 0 && errno == ENOENT ? 0 : rc;
}

int io_link(const struct swim_io *io, const char *from, const char *to)
{
    int rc;

    WHOLE(rc, io->link(from, to));
    return rc;
}

int io_fchown(const struct swim_io *io, int fd, uid_t owner, gid_t group)
{
    int rc;

    WHOLE(rc, io->fchown(fd, owner, group));
    return rc;
}

int io_fchmod(const struct swim_io *io, int fd, mode_t mode)
{
    int rc;

    WHOLE(rc, io->fchmod(fd, mode));
    return rc;
}

int io_set_mtime(const struct swim_io *io, int fd, uint64_t ns)
{
    int rc;

    WHOLE(rc, io->set_mtime ? io->set_mtime(fd, ns) : 0);
    return rc;
}

int io_fsync(const struct swim_io *io, int fd)
{
    int rc;

    WHOLE(rc, io->fsync(fd));
    return rc;
}

int io_read(const struct io_file *file, void *bytes, size_t size, uint64_t at,
            size_t *got, swim_error_t *err)
{
    *got = 0;
    while (*got < size) {
        ssize_t n;
        WHOLE(n, file->io->pread(file->fd, (char *)bytes + *got, size - *got,
                                 (off_t)(at + *got)));
        if (n < 0)
            return swim_error_sys(err, errno, "read %s", file->path);
        if (n == 0)
            return SWIM_OK;
        *got += (size_t)n;
    }
    return SWIM_OK;
}

/* Step over what has been written; true: nothing is left. */
static bool parts_step(struct iovec **parts, int *n, size_t written)
{
    while (*n > 0 && written >= (*parts)->iov_len) {
        written -= (*parts)->iov_len;
        (*parts)++;
        (*n)--;
    }
    if (*n > 0) {
        (*parts)->iov_base = (char *)(*parts)->iov_base + written;
        (*parts)->iov_len -= written;
    }
    return *n == 0;
}

int io_write(const struct io_file *file, struct iovec *parts, int n, uint64_t at,
             swim_error_t *err)
{
    while (!parts_step(&parts, &n, 0)) {
        ssize_t written;
        WHOLE(written, file->io->pwritev(file->fd, parts, n, (off_t)at));
        if (written <= 0)
            return swim_error_sys(err, written < 0 ? errno : EIO, "write %s",
                                  file->path);
        at += (uint64_t)written;
        (void)parts_step(&parts, &n, (size_t)written);
    }
    return SWIM_OK;
}

int io_truncate(const struct io_file *file, uint64_t size, swim_error_t *err)
{
    int rc;

    WHOLE(rc, file->io->ftruncate(file->fd, (off_t)size));
    return rc == 0 ? SWIM_OK
                   : swim_error_sys(err, errno, "set the size of %s", file->path);
}

static int sync_by(const struct io_file *file, int (*sync)(int fd), swim_error_t *err)
{
    int rc;

    if (file->sync_failed && *file->sync_failed)
        return swim_error_set(err, SWIM_ERR_IO,
                              "sync %s: what an earlier sync could not write may be "
                              "lost (close the file, and look)",
                              file->path);
    WHOLE(rc, sync(file->fd));
    if (rc == 0)
        return SWIM_OK;
    if (file->sync_failed)
        *file->sync_failed = true;
    return swim_error_sys(err, errno, "sync %s", file->path);
}

int io_sync(const struct io_file *file, swim_error_t *err)
{
    return sync_by(file, file->io->fdatasync, err);
}

int io_sync_with_mode(const struct io_file *file, swim_error_t *err)
{
    return sync_by(file, file->io->fsync, err);
}

int io_size(const struct io_file *file, uint64_t *size, swim_error_t *err)
{
    struct stat st;

    *size = 0;
    if (io_fstat(file->io, file->fd, &st) != 0)
        return swim_error_sys(err, errno, "look at %s", file->path);
    *size = (uint64_t)st.st_size;
    return SWIM_OK;
}

void io_wrote(struct io_unsent *u, const struct io_file *file, uint64_t place,
              uint64_t size)
{
    int saved = errno;

    if (u->bytes == 0 || place < u->from)
        u->from = place;
    if (u->bytes == 0 || place + size > u->to)
        u->to = place + size;
    u->bytes += size;
    if (u->bytes < IO_SEND || !file->io->start_sync)
        return;
    /* The last page may be written to again. */
    uint64_t to = u->to & ~(uint64_t)(IO_PAGES - 1);
    if (to > u->from)
        (void)file->io->start_sync(file->fd, (off_t)u->from, (off_t)(to - u->from));
    *u = (struct io_unsent){.bytes = u->to - to, .from = to, .to = u->to};
    errno = saved;
}
