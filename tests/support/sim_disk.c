/* sim_disk.c - a disk in memory that loses what was not synced. */
#include "sim_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "sim_thread.h"

#define INODES 64
#define NAMES 8
#define FDS 16
#define FOLDER 1000 /* a descriptor of the folder, + the number */

/* A change since the last sync: a write, or (bytes is NULL) another size. */
struct change {
    uint64_t at, size;
    unsigned char *bytes;
};

struct inode {
    bool used;
    unsigned char *now, *synced; /* SIM_FILE_MAX each, zero behind the size */
    uint64_t size, synced_size;
    uint64_t reach; /* it was never longer */
    long touched;   /* when it was changed last */
    struct change *changes;
    size_t count;
    bool forgot; /* a sync has failed: `now` holds what will never be on the disk */
};

struct name {
    char path[64];
    int led_to[64]; /* since the last sync of the folder, the last one is now; -1: to
                       nothing */
    int count;
};

static struct {
    struct inode inodes[INODES];
    struct name names[NAMES];
    int fds[FDS]; /* inode; -1: free */
    long left, calls;
    int errnum;
    bool fired, dead, folder_forgot;
    long now;
    unsigned seed;
} disk;

static unsigned dice(unsigned sides)
{
    disk.seed = disk.seed * 1664525U + 1013904223U;
    return (disk.seed >> 8) % sides;
}

static void need(bool fine, const char *what)
{
    if (!fine) {
        (void)!write(2, what, strlen(what));
        (void)!write(2, ": the simulated disk is too small\n", 34);
        abort();
    }
}

static void changes_forget(struct inode *i)
{
    for (size_t n = 0; n < i->count; n++)
        free(i->changes[n].bytes);
    free(i->changes);
    i->changes = NULL;
    i->count = 0;
}

static void change_add(struct inode *i, struct change c)
{
    i->touched = ++disk.now;
    i->changes = realloc(i->changes, (i->count + 1) * sizeof(c));
    need(i->changes, "memory");
    i->changes[i->count++] = c;
}

static void change_apply(const struct change *c, unsigned char *bytes, uint64_t *size)
{
    if (c->bytes)
        memcpy(bytes + c->at, c->bytes, c->size);
    else if (c->at < *size)
        memset(bytes + c->at, 0, *size - c->at);
    if (!c->bytes)
        *size = c->at;
    else if (c->at + c->size > *size)
        *size = c->at + c->size;
}

static void inode_free(struct inode *i)
{
    changes_forget(i);
    memset(i->now, 0, i->reach);
    memset(i->synced, 0, i->reach);
    *i = (struct inode){.now = i->now, .synced = i->synced};
}

/* Memory that a program has used before is had at once. */
static void inode_begin(struct inode *i)
{
    i->used = true;
    i->touched = ++disk.now;
    i->now = i->now ? i->now : calloc(1, SIM_FILE_MAX);
    i->synced = i->synced ? i->synced : calloc(1, SIM_FILE_MAX);
    need(i->now && i->synced, "memory");
}

/* Its size changes. */
static void inode_size(struct inode *i, uint64_t size)
{
    i->size = size;
    if (size > i->reach)
        i->reach = size;
}

/* What no name has led to since the last sync of the folder, and nobody has open. */
static void inodes_collect(void)
{
    bool used[INODES] = {false};

    for (int n = 0; n < NAMES; n++)
        for (int v = 0; v < disk.names[n].count; v++)
            if (disk.names[n].led_to[v] >= 0)
                used[disk.names[n].led_to[v]] = true;
    for (int fd = 0; fd < FDS; fd++)
        if (disk.fds[fd] >= 0)
            used[disk.fds[fd]] = true;
    for (int n = 0; n < INODES; n++)
        if (disk.inodes[n].used && !used[n])
            inode_free(&disk.inodes[n]);
}

static int inode_new(void)
{
    inodes_collect();
    for (int n = 0; n < INODES; n++) {
        if (disk.inodes[n].used)
            continue;
        inode_begin(&disk.inodes[n]);
        return n;
    }
    need(false, "inodes");
    return -1;
}

void sim_disk_reset(void)
{
    for (int n = 0; n < INODES; n++)
        if (disk.inodes[n].used)
            inode_free(&disk.inodes[n]);
    memset(disk.names, 0, sizeof(disk.names));
    for (int n = 0; n < FDS; n++)
        disk.fds[n] = -1;
    disk.dead = disk.folder_forgot = false;
    sim_disk_arm(0, 0);
}

static struct name *name_find(const char *path, bool make)
{
    for (int n = 0; n < NAMES; n++)
        if (strcmp(disk.names[n].path, path) == 0)
            return &disk.names[n];
    for (int n = 0; make && n < NAMES; n++)
        if (!disk.names[n].path[0]) {
            need(strlen(path) < sizeof(disk.names[n].path), "names");
            memcpy(disk.names[n].path, path, strlen(path) + 1);
            disk.names[n].led_to[0] = -1;
            disk.names[n].count = 1;
            return &disk.names[n];
        }
    need(!make, "names");
    return NULL;
}

static int name_inode(const struct name *name)
{
    return name ? name->led_to[name->count - 1] : -1;
}

static void name_lead(struct name *name, int inode)
{
    need(name->count < 64, "versions of a name");
    name->led_to[name->count++] = inode;
}

void sim_disk_put(const char *path, const void *bytes, size_t size)
{
    struct name *name = name_find(path, true);
    int n = inode_new();
    struct inode *i = &disk.inodes[n];

    memcpy(i->now, bytes, size);
    memcpy(i->synced, bytes, size);
    inode_size(i, size);
    i->synced_size = size;
    name->led_to[0] = n;
    name->count = 1;
}

long sim_disk_get(const char *path, void *bytes, size_t size)
{
    int n = name_inode(name_find(path, false));

    if (n < 0)
        return -1;
    const struct inode *i = &disk.inodes[n];
    memcpy(bytes, i->now, size < i->size ? size : i->size);
    return (long)i->size;
}

void sim_disk_arm(long n, int errnum)
{
    disk.left = n;
    disk.errnum = errnum;
    disk.fired = false;
    disk.calls = 0;
}

bool sim_disk_fired(void)
{
    return disk.fired;
}

long sim_disk_calls(void)
{
    return disk.calls;
}

/* Whether this call is the one; errno is set. */
static bool disk_hits(void)
{
    disk.calls++;
    if (disk.left <= 0 || --disk.left > 0)
        return false;
    disk.fired = true;
    disk.dead = disk.errnum == 0;
    errno = disk.errnum == 0 ? EIO : disk.errnum == SIM_SHORT ? ENOSPC : disk.errnum;
    return true;
}

/* The call fails; a sync that is not made again has lost what it was for. */
static bool is_final(void)
{
    return !disk.dead && disk.errnum != EINTR;
}

static bool is_dead(void)
{
    sim_thread_turn();
    errno = EIO;
    return disk.dead;
}

static struct inode *inode_of(int fd)
{
    need(fd >= 0 && fd < FDS && disk.fds[fd] >= 0, "descriptors");
    return &disk.inodes[disk.fds[fd]];
}

static int fd_new(int inode)
{
    for (int fd = 0; fd < FDS; fd++)
        if (disk.fds[fd] < 0) {
            disk.fds[fd] = inode;
            return fd;
        }
    need(false, "descriptors");
    return -1;
}

static int sim_open(const char *path, int flags, mode_t mode)
{
    (void)mode;
    if (is_dead())
        return -1;
    if (flags & O_DIRECTORY)
        return FOLDER;
    struct name *name = name_find(path, (flags & O_CREAT) != 0);
    int inode = name_inode(name);
    errno = inode < 0 ? ENOENT : EEXIST;
    if (inode < 0 && !(flags & O_CREAT))
        return -1;
    if (inode >= 0 && (flags & O_EXCL))
        return -1;
    if (inode < 0) {
        if (disk_hits())
            return -1;
        inode = inode_new();
        name_lead(name, inode);
    }
    return fd_new(inode);
}

static int sim_close(int fd)
{
    if (fd < FDS && !is_dead())
        disk.fds[fd] = -1;
    return 0;
}

static ssize_t sim_pread(int fd, void *bytes, size_t size, off_t at)
{
    if (is_dead())
        return -1;
    const struct inode *i = inode_of(fd);
    uint64_t left = (uint64_t)at < i->size ? i->size - (uint64_t)at : 0;
    size_t n = size < left ? size : (size_t)left;
    memcpy(bytes, i->now + (n ? at : 0), n);
    return (ssize_t)n;
}

static void inode_write(struct inode *i, const struct iovec *part, uint64_t at)
{
    unsigned char *bytes = malloc(part->iov_len + 1);

    need(bytes && at + part->iov_len <= SIM_FILE_MAX, "a file");
    memcpy(bytes, part->iov_base, part->iov_len);
    memcpy(i->now + at, bytes, part->iov_len);
    change_add(i, (struct change){at, part->iov_len, bytes});
    if (at + part->iov_len > i->size)
        inode_size(i, at + part->iov_len);
}

static ssize_t sim_pwritev(int fd, const struct iovec *parts, int n, off_t at)
{
    ssize_t all = 0;

    if (is_dead())
        return -1;
    struct inode *i = inode_of(fd);
    bool hit = disk_hits(), is_short = hit && disk.errnum == SIM_SHORT;
    if (hit && !disk.dead && !is_short)
        return -1;
    for (int p = 0; p < n; p++) {
        struct iovec part = parts[p];
        if (hit) /* it ends in the middle of it */
            part.iov_len = dice((unsigned)part.iov_len + 1);
        if (part.iov_len > 0)
            inode_write(i, &part, (uint64_t)at);
        at += (off_t)part.iov_len;
        all += (ssize_t)part.iov_len;
        if (part.iov_len < parts[p].iov_len)
            break;
    }
    if (is_short && all > 0) { /* the rest of it is what fails */
        disk.left = 1;
        disk.errnum = ENOSPC;
        return all;
    }
    errno = is_short ? ENOSPC : EIO;
    return hit ? -1 : all;
}

static int sim_ftruncate(int fd, off_t size)
{
    if (is_dead() || disk_hits())
        return -1;
    struct inode *i = inode_of(fd);
    need((uint64_t)size <= SIM_FILE_MAX, "a file");
    if ((uint64_t)size < i->size)
        memset(i->now + size, 0, (size_t)(i->size - (uint64_t)size));
    inode_size(i, (uint64_t)size);
    change_add(i, (struct change){(uint64_t)size, 0, NULL});
    return 0;
}

static int sim_fdatasync(int fd)
{
    if (is_dead())
        return -1;
    struct inode *i = inode_of(fd);
    bool hit = disk_hits();
    if (hit && !is_final())
        return -1;
    for (size_t c = 0; c < i->count && !hit; c++)
        change_apply(&i->changes[c], i->synced, &i->synced_size);
    changes_forget(i);
    i->forgot |= hit;
    errno = disk.errnum == SIM_SHORT ? ENOSPC : disk.errnum;
    return hit ? -1 : 0;
}

static int sim_fsync(int fd)
{
    if (fd != FOLDER)
        return sim_fdatasync(fd);
    if (is_dead())
        return -1;
    if (disk_hits()) {
        disk.folder_forgot |= is_final();
        return -1;
    }
    for (int n = 0; n < NAMES && !disk.folder_forgot; n++)
        if (disk.names[n].path[0]) {
            disk.names[n].led_to[0] = name_inode(&disk.names[n]);
            disk.names[n].count = 1;
        }
    return 0;
}

static int stat_of(int inode, struct stat *st)
{
    memset(st, 0, sizeof(*st));
    st->st_mode = S_IFREG | 0600;
    st->st_nlink = 1;
    st->st_uid = geteuid();
    st->st_ino = (ino_t)inode + 1;
    st->st_size = (off_t)disk.inodes[inode].size;
    st->st_ctim.tv_nsec = disk.inodes[inode].touched;
    return 0;
}

static int sim_fstat(int fd, struct stat *st)
{
    return is_dead() ? -1 : stat_of((int)(inode_of(fd) - disk.inodes), st);
}

static int sim_lstat(const char *path, struct stat *st)
{
    int inode = name_inode(name_find(path, false));

    if (is_dead())
        return -1;
    errno = ENOENT;
    return inode < 0 ? -1 : stat_of(inode, st);
}

static int sim_flock(int fd, int how)
{
    (void)fd;
    (void)how;
    return is_dead() ? -1 : 0;
}

static int sim_unlink(const char *path)
{
    struct name *name = name_find(path, false);

    errno = ENOENT;
    if (name_inode(name) < 0 || is_dead() || disk_hits())
        return -1;
    name_lead(name, -1);
    return 0;
}

/* The names are changed one by one: more may happen than does. */
static int sim_rename(const char *from, const char *to)
{
    struct name *name = name_find(from, false);

    errno = ENOENT;
    if (name_inode(name) < 0 || is_dead() || disk_hits())
        return -1;
    disk.inodes[name_inode(name)].touched = ++disk.now;
    name_lead(name_find(to, true), name_inode(name));
    name_lead(name, -1);
    return 0;
}

static int sim_link(const char *from, const char *to)
{
    int inode = name_inode(name_find(from, false));

    errno = inode < 0 ? ENOENT : EEXIST;
    if (inode < 0 || name_inode(name_find(to, false)) >= 0 || is_dead() || disk_hits())
        return -1;
    name_lead(name_find(to, true), inode);
    return 0;
}

static int sim_fchown(int fd, uid_t owner, gid_t group)
{
    (void)fd;
    (void)owner;
    (void)group;
    return is_dead() ? -1 : 0;
}

static int sim_fchmod(int fd, mode_t mode)
{
    (void)fd;
    (void)mode;
    return is_dead() ? -1 : 0;
}

static int64_t sim_birth_ns(int fd)
{
    (void)fd;
    return 0;
}

const struct swim_io sim_disk_io = {
    .open = sim_open,
    .close = sim_close,
    .pread = sim_pread,
    .pwritev = sim_pwritev,
    .ftruncate = sim_ftruncate,
    .fdatasync = sim_fdatasync,
    .fsync = sim_fsync,
    .fstat = sim_fstat,
    .lstat = sim_lstat,
    .flock = sim_flock,
    .unlink = sim_unlink,
    .rename = sim_rename,
    .link = sim_link,
    .fchown = sim_fchown,
    .fchmod = sim_fchmod,
    .birth_ns = sim_birth_ns,
    .thread_start = sim_thread_start,
    .thread_join = sim_thread_join,
};

/* A sector, and the size of the file, after the first n changes. */
static void sector_after(const struct inode *i, uint64_t sector, size_t n,
                         unsigned char *bytes)
{
    uint64_t begin = sector * SIM_SECTOR, end = begin + SIM_SECTOR;

    memcpy(bytes, i->synced + begin, SIM_SECTOR);
    for (size_t c = 0; c < n; c++) {
        const struct change *change = &i->changes[c];
        uint64_t from = change->at > begin ? change->at : begin;
        uint64_t to = change->bytes && change->at + change->size < end
                          ? change->at + change->size
                          : end;
        if (from >= to)
            continue;
        if (change->bytes)
            memcpy(bytes + (from - begin), change->bytes + (from - change->at),
                   (size_t)(to - from));
        else
            memset(bytes + (from - begin), 0, (size_t)(to - from));
    }
}

static uint64_t size_after(const struct inode *i, size_t n)
{
    uint64_t size = i->synced_size;

    for (size_t c = 0; c < n; c++) {
        const struct change *change = &i->changes[c];
        if (!change->bytes)
            size = change->at;
        else if (change->at + change->size > size)
            size = change->at + change->size;
    }
    return size;
}

static void inode_lose(struct inode *i)
{
    /* 0: all is lost, 1: all is kept, 2: most is, 3: little is, else each as it may be
     */
    unsigned how = dice(6);

    if (i->count == 0 && !i->forgot)
        return;
    const size_t all = i->count;
    uint64_t size = size_after(i, how > 3   ? dice((unsigned)all + 1)
                                  : how > 0 ? all
                                            : 0);
    for (uint64_t s = 0; s * SIM_SECTOR < i->reach; s++) {
        size_t n = how == 1 ? all : 0;
        if (how == 2 || how == 3)
            n = (dice(8) == 0) == (how == 3) ? all : 0;
        else if (how > 3)
            n = dice((unsigned)all + 1);
        sector_after(i, s, n, i->now + s * SIM_SECTOR);
    }
    memset(i->now + size, 0, (size_t)(i->reach - size));
    i->size = size;
    memcpy(i->synced, i->now, i->reach);
    i->synced_size = size;
    i->forgot = false;
    changes_forget(i);
}

static void names_lose(void)
{
    for (int n = 0; n < NAMES; n++) {
        struct name *name = &disk.names[n];
        if (!name->path[0])
            continue;
        name->led_to[0] = name->led_to[dice((unsigned)name->count)];
        name->count = 1;
    }
}

uint64_t sim_disk_sum(void)
{
    uint64_t sum = 0;

    for (int n = 0; n < NAMES; n++) {
        int inode = disk.names[n].path[0] ? name_inode(&disk.names[n]) : -1;
        if (inode < 0)
            continue;
        const struct inode *i = &disk.inodes[inode];
        uint64_t path = XXH3_64bits(disk.names[n].path, strlen(disk.names[n].path));
        sum += path ^ XXH3_64bits_withSeed(i->now, i->size, path);
    }
    return sum;
}

unsigned sim_disk_loose(void)
{
    unsigned loose = 0;

    for (int n = 0; n < NAMES; n++)
        if (disk.names[n].path[0])
            loose += (unsigned)disk.names[n].count - 1;
    for (int n = 0; n < INODES; n++)
        loose += (unsigned)disk.inodes[n].count;
    return loose;
}

static bool bit_next(uint64_t *bits)
{
    bool bit = *bits & 1;

    *bits >>= 1;
    return bit;
}

/* It leads where the last kept change made it lead. */
static void name_keep(struct name *name, uint64_t *kept)
{
    int to = name->led_to[0];

    for (int v = 1; v < name->count; v++)
        if (bit_next(kept))
            to = name->led_to[v];
    name->led_to[0] = to;
    name->count = 1;
}

static void inode_keep(struct inode *i, uint64_t *kept)
{
    memcpy(i->now, i->synced, i->reach);
    i->size = i->synced_size;
    for (size_t c = 0; c < i->count; c++) {
        const struct change *change = &i->changes[c];
        if (bit_next(kept))
            change_apply(change, i->now, &i->size);
    }
    memcpy(i->synced, i->now, i->reach);
    i->synced_size = i->size;
    i->forgot = false;
    changes_forget(i);
}

/* All descriptors are closed, and what has no name is gone. */
static void disk_begin_again(void)
{
    for (int fd = 0; fd < FDS; fd++)
        disk.fds[fd] = -1;
    inodes_collect();
    disk.dead = disk.folder_forgot = false;
    sim_disk_arm(0, 0);
}

void sim_disk_restart_with(uint64_t kept)
{
    for (int n = 0; n < NAMES; n++)
        if (disk.names[n].path[0])
            name_keep(&disk.names[n], &kept);
    for (int n = 0; n < INODES; n++)
        if (disk.inodes[n].used)
            inode_keep(&disk.inodes[n], &kept);
    disk_begin_again();
}

void sim_disk_restart(bool power_off, unsigned seed)
{
    disk.seed = seed;
    if (power_off) {
        names_lose();
        for (int n = 0; n < INODES; n++)
            if (disk.inodes[n].used)
                inode_lose(&disk.inodes[n]);
    }
    disk_begin_again();
}
