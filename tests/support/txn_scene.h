/* txn_scene.h - a file in a folder of its own, for tests of transactions on real files.
 *
 * Include it behind cmocka.h. */
#ifndef SWIM_SUPPORT_TXN_SCENE_H
#define SWIM_SUPPORT_TXN_SCENE_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "scratch_dir.h"
#include "store/txn.h"

#define BYTES 20000

struct scene {
    struct scratch_dir dir;
    char path[300], journal[320];
    unsigned char bytes[BYTES];
};

/* Calls of the system that change or sync something, and those that sync. */
static int changes, syncs;
static int allowed; /* how often may_change() says yes */

static inline ssize_t counted_pwritev(int fd, const struct iovec *parts, int n,
                                      off_t at)
{
    changes++;
    return pwritev(fd, parts, n, at);
}

static inline int counted_ftruncate(int fd, off_t size)
{
    changes++;
    return ftruncate(fd, size);
}

static inline int counted_fdatasync(int fd)
{
    changes++;
    syncs++;
    return fdatasync(fd);
}

static inline int counted_fsync(int fd)
{
    changes++;
    syncs++;
    return fsync(fd);
}

static inline int counted_unlink(const char *path)
{
    changes++;
    return unlink(path);
}

static struct swim_io counted;

/* When every file was made, as counted.birth_ns: the clock was set back by a day. */
static inline int64_t born_tomorrow(int fd)
{
    static int64_t tomorrow_ns;

    (void)fd;
    if (tomorrow_ns == 0)
        tomorrow_ns = ((int64_t)time(NULL) + 86400) * 1000000000;
    return tomorrow_ns;
}

static inline int may_change(void *arg, swim_error_t *err)
{
    (void)arg;
    return allowed-- > 0 ? SWIM_OK
                         : swim_error_set(err, SWIM_ERR_LOST, "the lease is over");
}

static inline int scene_setup(void **state)
{
    struct scene *s = calloc(1, sizeof(*s));

    *state = s;
    if (!s || scratch_dir_make(&s->dir) != 0)
        return -1;
    counted = swim_io_system;
    counted.pwritev = counted_pwritev;
    counted.ftruncate = counted_ftruncate;
    counted.fdatasync = counted_fdatasync;
    counted.fsync = counted_fsync;
    counted.unlink = counted_unlink;
    changes = syncs = 0;
    allowed = 1000000;
    snprintf(s->path, sizeof(s->path), "%s/a.h5", s->dir.path);
    snprintf(s->journal, sizeof(s->journal), "%s%s", s->path, JOURNAL_SUFFIX);
    for (size_t i = 0; i < BYTES; i++)
        s->bytes[i] = (unsigned char)(i % 251);
    FILE *f = fopen(s->path, "we");
    bool written = f && fwrite(s->bytes, 1, BYTES, f) == BYTES;
    return f && fclose(f) == 0 && written ? 0 : -1;
}

static inline int scene_teardown(void **state)
{
    struct scene *s = *state;

    scratch_dir_remove(&s->dir);
    free(s);
    return 0;
}

static inline int open_as(const struct scene *s, bool write, bool flocks,
                          uint64_t fence, struct txn **t, swim_error_t *err)
{
    const struct txn_options opt = {.io = &counted,
                                    .write = write,
                                    .flocks = flocks,
                                    .fence = fence,
                                    .boot = "boot",
                                    .may_change = may_change};

    return txn_open(t, s->path, &opt, err);
}

static inline int open_at(const struct scene *s, const struct txn_snapshot *at,
                          struct txn **t, swim_error_t *err)
{
    const struct txn_options opt = {
        .io = &counted, .at = at, .flocks = true, .boot = "boot"};

    return txn_open(t, s->path, &opt, err);
}

static inline struct txn *must_open(const struct scene *s, bool write)
{
    swim_error_t err = {0};
    struct txn *t = NULL;

    if (open_as(s, write, true, 1, &t, &err) != SWIM_OK)
        fail_msg("%s", err.text);
    return t;
}

static inline void must_write(struct scene *s, struct txn *t, const char *text,
                              uint64_t place)
{
    assert_int_equal(txn_write(t, text, strlen(text), place, NULL), SWIM_OK);
    if (place + strlen(text) <= BYTES)
        memcpy(s->bytes + place, text, strlen(text));
}

static inline bool is_there(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0;
}

static inline off_t size_of(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 ? st.st_size : -1;
}

static inline bool file_begins(const struct scene *s, const void *bytes, size_t size)
{
    unsigned char is[BYTES];
    int fd = open(s->path, O_RDONLY | O_CLOEXEC);
    ssize_t n = pread(fd, is, size, 0);

    close(fd);
    return n == (ssize_t)size && memcmp(is, bytes, size) == 0;
}

#endif /* SWIM_SUPPORT_TXN_SCENE_H */
