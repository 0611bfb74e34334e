/* mem_disk.c - a few small files in memory. */
#include "mem_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define INODES 10
#define NAMES 10
#define FOLDER 1000

static struct {
    struct {
        unsigned char bytes[MEM_FILE_MAX];
        size_t size, dirty; /* behind dirty all is zero */
        unsigned names;
        bool used;
    } inodes[INODES];
    struct {
        char path[64];
        int inode; /* -1: free */
    } names[NAMES];
} disk;

void mem_disk_reset(void)
{
    for (int n = 0; n < NAMES; n++)
        disk.names[n].inode = -1;
    for (int i = 0; i < INODES; i++) {
        memset(disk.inodes[i].bytes, 0, disk.inodes[i].dirty);
        disk.inodes[i].size = disk.inodes[i].dirty = 0;
        disk.inodes[i].names = 0;
        disk.inodes[i].used = false;
    }
}

static int name_find(const char *path)
{
    for (int n = 0; n < NAMES; n++)
        if (disk.names[n].inode >= 0 && strcmp(disk.names[n].path, path) == 0)
            return n;
    errno = ENOENT;
    return -1;
}

static void name_set(const char *path, int inode)
{
    int n = name_find(path);

    if (n >= 0)
        disk.inodes[disk.names[n].inode].names--;
    for (int i = 0; n < 0 && i < NAMES; i++)
        if (disk.names[i].inode < 0)
            n = i;
    if (n < 0 || strlen(path) >= sizeof(disk.names[n].path))
        abort();
    memcpy(disk.names[n].path, path, strlen(path) + 1);
    disk.names[n].inode = inode;
    disk.inodes[inode].names++;
}

static void inode_store(int i, const void *bytes, size_t size, size_t at)
{
    memcpy(disk.inodes[i].bytes + at, bytes, size);
    if (at + size > disk.inodes[i].size)
        disk.inodes[i].size = at + size;
    if (at + size > disk.inodes[i].dirty)
        disk.inodes[i].dirty = at + size;
}

void mem_disk_put(const char *path, unsigned inode, const void *bytes, size_t size)
{
    if (inode >= INODES || size > MEM_FILE_MAX)
        abort();
    disk.inodes[inode].used = true;
    inode_store((int)inode, bytes, size, 0);
    name_set(path, (int)inode);
}

const unsigned char *mem_disk_get(const char *path, size_t *size)
{
    int n = name_find(path);

    if (n < 0)
        return NULL;
    *size = disk.inodes[disk.names[n].inode].size;
    return disk.inodes[disk.names[n].inode].bytes;
}

static int mem_open(const char *path, int flags, mode_t mode)
{
    (void)mode;
    if (flags & O_DIRECTORY)
        return FOLDER;
    int n = name_find(path);
    errno = n < 0 ? ENOENT : EEXIST;
    if ((n < 0 && !(flags & O_CREAT)) || (n >= 0 && (flags & O_EXCL)))
        return -1;
    if (n >= 0)
        return disk.names[n].inode;
    for (int i = INODES - 1; i >= 0; i--)
        if (!disk.inodes[i].used) {
            disk.inodes[i].used = true;
            name_set(path, i);
            return i;
        }
    abort();
}

static int mem_close(int fd)
{
    (void)fd;
    return 0;
}

static ssize_t mem_pread(int fd, void *bytes, size_t size, off_t at)
{
    size_t all = disk.inodes[fd].size;

    errno = EINVAL;
    if (at < 0)
        return -1;
    size_t left = (uint64_t)at < all ? all - (size_t)at : 0;
    size_t n = size < left ? size : left;
    memcpy(bytes, disk.inodes[fd].bytes + (n ? at : 0), n);
    return (ssize_t)n;
}

static ssize_t mem_pwritev(int fd, const struct iovec *parts, int n, off_t at)
{
    ssize_t all = 0;

    for (int p = 0; p < n; p++) {
        errno = EFBIG;
        if (at < 0 || (uint64_t)at > MEM_FILE_MAX ||
            parts[p].iov_len > MEM_FILE_MAX - (size_t)at)
            return -1;
        inode_store(fd, parts[p].iov_base, parts[p].iov_len, (size_t)at);
        at += (off_t)parts[p].iov_len;
        all += (ssize_t)parts[p].iov_len;
    }
    return all;
}

static int mem_ftruncate(int fd, off_t size)
{
    errno = EFBIG;
    if (size < 0 || (uint64_t)size > MEM_FILE_MAX)
        return -1;
    if ((size_t)size < disk.inodes[fd].size)
        memset(disk.inodes[fd].bytes + size, 0, disk.inodes[fd].size - (size_t)size);
    disk.inodes[fd].size = (size_t)size;
    return 0;
}

static int mem_sync(int fd)
{
    (void)fd;
    return 0;
}

static int mem_fstat(int fd, struct stat *st)
{
    memset(st, 0, sizeof(*st));
    st->st_mode = S_IFREG | 0600;
    st->st_nlink = disk.inodes[fd].names;
    st->st_uid = geteuid();
    st->st_ino = (ino_t)fd;
    st->st_size = (off_t)disk.inodes[fd].size;
    return 0;
}

static int mem_lstat(const char *path, struct stat *st)
{
    int n = name_find(path);

    return n < 0 ? -1 : mem_fstat(disk.names[n].inode, st);
}

static int mem_flock(int fd, int how)
{
    (void)fd;
    (void)how;
    return 0;
}

static int mem_unlink(const char *path)
{
    int n = name_find(path);

    if (n < 0)
        return -1;
    disk.inodes[disk.names[n].inode].names--;
    disk.names[n].inode = -1;
    return 0;
}

static int mem_link(const char *from, const char *to)
{
    int n = name_find(from);

    if (n < 0)
        return -1;
    if (name_find(to) >= 0) {
        errno = EEXIST;
        return -1;
    }
    name_set(to, disk.names[n].inode);
    return 0;
}

static int mem_rename(const char *from, const char *to)
{
    int n = name_find(from);

    if (n < 0)
        return -1;
    name_set(to, disk.names[n].inode);
    return mem_unlink(from);
}

static int mem_fchown(int fd, uid_t owner, gid_t group)
{
    (void)fd;
    (void)owner;
    (void)group;
    return 0;
}

static int mem_fchmod(int fd, mode_t mode)
{
    (void)fd;
    (void)mode;
    return 0;
}

static int64_t mem_birth_ns(int fd)
{
    (void)fd;
    return 0;
}

const struct swim_io mem_disk_io = {
    .open = mem_open,
    .close = mem_close,
    .pread = mem_pread,
    .pwritev = mem_pwritev,
    .ftruncate = mem_ftruncate,
    .fdatasync = mem_sync,
    .fsync = mem_sync,
    .fstat = mem_fstat,
    .lstat = mem_lstat,
    .flock = mem_flock,
    .unlink = mem_unlink,
    .rename = mem_rename,
    .link = mem_link,
    .fchown = mem_fchown,
    .fchmod = mem_fchmod,
    .birth_ns = mem_birth_ns,
};
