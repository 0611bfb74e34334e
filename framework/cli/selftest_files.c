/* selftest_files.c - checks in a folder of the user's choice. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/selftest.h"

/* A folder of the test's own below t->dir. */
struct folder {
    char path[PATH_MAX - 64];
    bool soft, hard; /* there are links of this kind */
};

static void folder_join(const struct folder *d, const char *name, char *buf)
{
    snprintf(buf, PATH_MAX, "%s/%s", d->path, name);
}

static int folder_touch(const struct folder *d, const char *name, swim_error_t *err)
{
    char path[PATH_MAX];

    folder_join(d, name, path);
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return swim_error_sys(err, errno, "make a file in %s (choose another by --dir)",
                              d->path);
    close(fd);
    return SWIM_OK;
}

static int folder_make(const struct selftest *t, struct folder *d, swim_error_t *err)
{
    memset(d, 0, sizeof(*d));
    int n = snprintf(d->path, sizeof(d->path), "%s/h5swim-%s-XXXXXX", t->dir, t->tag);
    if (n < 0 || (size_t)n >= sizeof(d->path))
        return swim_error_sys(err, ENAMETOOLONG, "make a folder in %.100s", t->dir);
    if (!mkdtemp(d->path)) {
        d->path[0] = '\0';
        return swim_error_sys(err, errno,
                              "make a folder in %s (choose another by --dir)", t->dir);
    }
    return folder_touch(d, "test.h5", err);
}

static void folder_remove(const struct folder *d)
{
    static const char *const files[] = {"test.h5", "soft.h5", "hard.h5", "folder"};
    char path[PATH_MAX];

    if (!d->path[0])
        return;
    for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
        folder_join(d, files[i], path);
        (void)unlink(path);
    }
    folder_join(d, "sub", path);
    (void)rmdir(path);
    (void)rmdir(d->path);
}

/* --- names ---------------------------------------------------------------------- */

/* Some file systems have no links: then there are no such names either. */
static void folder_link(struct folder *d)
{
    char file[PATH_MAX], name[PATH_MAX];

    folder_join(d, "sub", name);
    (void)mkdir(name, 0700);
    folder_join(d, "soft.h5", name);
    d->soft = symlink("test.h5", name) == 0;
    folder_join(d, "folder", name);
    d->soft = d->soft && symlink(".", name) == 0;
    folder_join(d, "test.h5", file);
    folder_join(d, "hard.h5", name);
    d->hard = link(file, name) == 0;
}

/* Whether the file by this name is locked by its holder; false: f says why. */
static bool name_is_locked(const struct selftest *t, const struct folder *d,
                           struct selftest_child *c, const char *name,
                           struct selftest_finding *f)
{
    char path[PATH_MAX], resource[PATH_MAX];
    struct player_answer a;
    swim_error_t err = {0};

    folder_join(d, name, path);
    if (t->locks->resource_of_file(path, resource, sizeof(resource), &err) != SWIM_OK) {
        finding_failed(f, "%s", err.text);
        return false;
    }
    int rc = player_take(c, SWIM_LOCK_WRITE, resource, SWIM_LOCK_TRY, &a);
    if (rc == SWIM_ERR_TIMEOUT)
        return true;
    if (rc == SWIM_OK)
        finding_failed(f, "test.h5 and %s are one file and two locks", name);
    else
        finding_failed(f, "%s", a.text);
    return false;
}

static void names_judge(const struct selftest *t, const struct folder *d,
                        struct selftest_child *c, struct selftest_finding *f)
{
    const char *const names[] = {
        "./test.h5",
        "sub/../test.h5",
        d->soft ? "soft.h5" : NULL,
        d->soft ? "folder/test.h5" : NULL,
        d->hard ? "hard.h5" : NULL,
    };
    int n = 1;

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if (names[i] && !name_is_locked(t, d, c, names[i], f))
            return;
        n += names[i] != NULL;
    }
    finding_ok(f, "%d names of one file in %s are one lock%s%s", n, t->dir,
               d->soft ? "" : "; no symbolic links there",
               d->hard ? "" : "; no hard links there");
}

void check_names(struct selftest *t, struct selftest_finding *f)
{
    char path[PATH_MAX], resource[PATH_MAX];
    struct player_answer a;
    struct folder d;
    swim_error_t err = {0};

    int rc = folder_make(t, &d, &err);
    if (rc == SWIM_OK) {
        folder_link(&d);
        folder_join(&d, "test.h5", path);
        rc = t->locks->resource_of_file(path, resource, sizeof(resource), &err);
    }
    struct selftest_child *holder = NULL, *other = NULL;
    if (rc == SWIM_OK)
        holder = player_new(t, SELFTEST_LEASE_MS, &a);
    if (holder)
        other = player_new(t, SELFTEST_LEASE_MS, &a);
    if (rc != SWIM_OK)
        finding_failed(f, "%s", err.text);
    else if (!other || player_take(holder, SWIM_LOCK_WRITE, resource,
                                   SELFTEST_PATIENCE_MS, &a) != SWIM_OK)
        finding_failed(f, "%s", a.text);
    else
        names_judge(t, &d, other, f);
    folder_remove(&d);
}

/* --- flock ---------------------------------------------------------------------- */

/* Locks the file, tells how that went, and holds it until it is told to go. */
static void flock_main(const struct selftest *t, int fd, const void *arg)
{
    int file = open(arg, O_RDWR | O_CLOEXEC), failed = 0;
    char byte;

    (void)t;
    if (file < 0 || flock(file, LOCK_EX | LOCK_NB) != 0)
        failed = errno;
    if (send(fd, &failed, sizeof(failed), MSG_NOSIGNAL) == (ssize_t)sizeof(failed))
        (void)recv(fd, &byte, 1, 0);
}

/* Another process holds it: whether that has an effect here, and ends with it. */
static void flock_judge(const struct selftest *t, int file, struct selftest_child *c,
                        struct selftest_finding *f)
{
    if (flock(file, LOCK_EX | LOCK_NB) == 0) {
        finding_ok(f, "flock() has no effect in %s: leases alone protect files there",
                   t->dir);
        finding_figure(f, "works", 0);
        return;
    }
    selftest_kill(c);
    if (flock(file, LOCK_EX | LOCK_NB) == 0) {
        finding_ok(f, "flock() works in %s, as far as one host can tell", t->dir);
        finding_figure(f, "works", 1);
    } else {
        finding_failed(f, "flock() in %s outlives the process that had it", t->dir);
    }
}

/* That a file system has no flock() is nothing bad: it is the second line only. */
static void flock_try(struct selftest *t, const char *path, struct selftest_finding *f)
{
    swim_error_t err = {0};
    int failed = 0, file = open(path, O_RDWR | O_CLOEXEC);

    struct selftest_child *c = selftest_spawn(t, flock_main, path, &err);
    if (!c || selftest_receive(c, &failed, sizeof(failed), SELFTEST_PATIENCE_MS,
                               &err) != SWIM_OK) {
        finding_failed(f, "%s", err.text);
    } else if (failed) {
        finding_ok(f, "no flock() in %s (%s): leases alone protect files there", t->dir,
                   strerror(failed));
        finding_figure(f, "works", 0);
    } else {
        flock_judge(t, file, c, f);
    }
    if (file >= 0)
        close(file);
}

void check_flock(struct selftest *t, struct selftest_finding *f)
{
    char path[PATH_MAX];
    struct folder d;
    swim_error_t err = {0};

    if (folder_make(t, &d, &err) == SWIM_OK) {
        folder_join(&d, "test.h5", path);
        flock_try(t, path, f);
    } else {
        finding_failed(f, "%s", err.text);
    }
    folder_remove(&d);
}
