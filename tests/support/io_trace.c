/* io_trace.c - calls that are written down and made again. */
#include "io_trace.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim_disk.h"

enum call_kind { OPEN, CLOSE, WRITE, TRUNCATE, DATASYNC, SYNC, UNLINK, RENAME };

struct call {
    enum call_kind kind;
    int fd, flags;
    char path[64], to[64];
    off_t at;
    size_t size;
    unsigned char *bytes;
};

static struct call *calls;
static long n_calls;

void io_trace_reset(void)
{
    for (long n = 0; n < n_calls; n++)
        free(calls[n].bytes);
    free(calls);
    calls = NULL;
    n_calls = 0;
}

long io_trace_length(void)
{
    return n_calls;
}

static struct call *call_add(enum call_kind kind, int fd, const char *path)
{
    calls = realloc(calls, (size_t)(n_calls + 1) * sizeof(*calls));
    if (!calls)
        abort();
    struct call *c = &calls[n_calls++];
    *c = (struct call){.kind = kind, .fd = fd};
    if (path && strlen(path) < sizeof(c->path))
        memcpy(c->path, path, strlen(path) + 1);
    return c;
}

static int trace_open(const char *path, int flags, mode_t mode)
{
    int fd = sim_disk_io.open(path, flags, mode);

    if (fd >= 0)
        call_add(OPEN, fd, path)->flags = flags;
    return fd;
}

static int trace_close(int fd)
{
    call_add(CLOSE, fd, NULL);
    return sim_disk_io.close(fd);
}

static ssize_t trace_pwritev(int fd, const struct iovec *parts, int n, off_t at)
{
    struct call *c = call_add(WRITE, fd, NULL);

    c->at = at;
    for (int i = 0; i < n; i++)
        c->size += parts[i].iov_len;
    c->bytes = malloc(c->size + 1);
    if (!c->bytes)
        abort();
    size_t done = 0;
    for (int i = 0; i < n; i++) {
        memcpy(c->bytes + done, parts[i].iov_base, parts[i].iov_len);
        done += parts[i].iov_len;
    }
    return sim_disk_io.pwritev(fd, parts, n, at);
}

static int trace_ftruncate(int fd, off_t size)
{
    call_add(TRUNCATE, fd, NULL)->at = size;
    return sim_disk_io.ftruncate(fd, size);
}

static int trace_fdatasync(int fd)
{
    call_add(DATASYNC, fd, NULL);
    return sim_disk_io.fdatasync(fd);
}

static int trace_fsync(int fd)
{
    call_add(SYNC, fd, NULL);
    return sim_disk_io.fsync(fd);
}

static int trace_unlink(const char *path)
{
    call_add(UNLINK, -1, path);
    return sim_disk_io.unlink(path);
}

static int trace_rename(const char *from, const char *to)
{
    struct call *c = call_add(RENAME, -1, from);

    memcpy(c->to, to, strlen(to) + 1);
    return sim_disk_io.rename(from, to);
}

/* The rest changes nothing, or nothing that can be lost. */
static ssize_t trace_pread(int fd, void *bytes, size_t size, off_t at)
{
    return sim_disk_io.pread(fd, bytes, size, at);
}

static int trace_fstat(int fd, struct stat *st)
{
    return sim_disk_io.fstat(fd, st);
}

static int trace_lstat(const char *path, struct stat *st)
{
    return sim_disk_io.lstat(path, st);
}

static int trace_flock(int fd, int how)
{
    return sim_disk_io.flock(fd, how);
}

static int trace_fchown(int fd, uid_t owner, gid_t group)
{
    return sim_disk_io.fchown(fd, owner, group);
}

static int trace_fchmod(int fd, mode_t mode)
{
    return sim_disk_io.fchmod(fd, mode);
}

static int64_t trace_birth_ns(int fd)
{
    (void)fd;
    return 0;
}

const struct swim_io io_trace_io = {
    .open = trace_open,
    .close = trace_close,
    .pread = trace_pread,
    .pwritev = trace_pwritev,
    .ftruncate = trace_ftruncate,
    .fdatasync = trace_fdatasync,
    .fsync = trace_fsync,
    .fstat = trace_fstat,
    .lstat = trace_lstat,
    .flock = trace_flock,
    .unlink = trace_unlink,
    .rename = trace_rename,
    .fchown = trace_fchown,
    .fchmod = trace_fchmod,
    .birth_ns = trace_birth_ns,
};

static void call_again(const struct call *c, size_t size)
{
    struct iovec part = {c->bytes, size};

    switch (c->kind) {
    case OPEN:
        (void)sim_disk_io.open(c->path, c->flags, 0600);
        break;
    case CLOSE:
        (void)sim_disk_io.close(c->fd);
        break;
    case WRITE:
        (void)sim_disk_io.pwritev(c->fd, &part, 1, c->at);
        break;
    case TRUNCATE:
        (void)sim_disk_io.ftruncate(c->fd, c->at);
        break;
    case DATASYNC:
        (void)sim_disk_io.fdatasync(c->fd);
        break;
    case SYNC:
        (void)sim_disk_io.fsync(c->fd);
        break;
    case UNLINK:
        (void)sim_disk_io.unlink(c->path);
        break;
    case RENAME:
        (void)sim_disk_io.rename(c->path, c->to);
        break;
    }
}

void io_trace_replay(long n, bool torn, unsigned seed)
{
    sim_disk_reset();
    for (long i = 0; i < n; i++) {
        const struct call *c = &calls[i];
        bool last = i == n - 1 && torn && c->kind == WRITE;
        call_again(c, last ? seed % (c->size + 1) : c->size);
    }
}

static void write_in_sectors(const struct call *c)
{
    for (size_t done = 0, size = 0; done < c->size; done += size) {
        struct iovec part = {c->bytes + done, 0};
        size = SIM_SECTOR - ((size_t)c->at + done) % SIM_SECTOR;
        size = size < c->size - done ? size : c->size - done;
        part.iov_len = size;
        (void)sim_disk_io.pwritev(c->fd, &part, 1, c->at + (off_t)done);
    }
}

void io_trace_replay_in_sectors(long n, bool in_sectors)
{
    sim_disk_reset();
    for (long i = 0; i < n; i++)
        if (in_sectors && calls[i].kind == WRITE)
            write_in_sectors(&calls[i]);
        else
            call_again(&calls[i], calls[i].size);
}

bool io_trace_is_sync(long n)
{
    return calls[n - 1].kind == DATASYNC || calls[n - 1].kind == SYNC;
}

bool io_trace_is_rename(long n)
{
    return calls[n - 1].kind == RENAME;
}
