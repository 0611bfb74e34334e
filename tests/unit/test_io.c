/* test_io.c - calls of the system that are interrupted, or do a part of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <sys/file.h>

#include "txn_scene.h"

/* Each call is interrupted every other time, reads and writes end after a few bytes. */
static unsigned calls;
static bool is_done_first; /* the interrupted call has done it all the same */

static bool interrupted(void)
{
    errno = EINTR;
    return ++calls % 2 == 1;
}

static int weak_open(const char *path, int flags, mode_t mode)
{
    return interrupted() ? -1 : swim_io_system.open(path, flags, mode);
}

static ssize_t weak_pread(int fd, void *bytes, size_t size, off_t at)
{
    return interrupted() ? -1 : pread(fd, bytes, size < 700 ? size : 700, at);
}

static ssize_t weak_pwritev(int fd, const struct iovec *parts, int n, off_t at)
{
    struct iovec part = parts[0];

    (void)n;
    if (interrupted())
        return -1;
    part.iov_len = part.iov_len < 700 ? part.iov_len : 700;
    return pwritev(fd, &part, 1, at);
}

static int weak_ftruncate(int fd, off_t size)
{
    return interrupted() ? -1 : ftruncate(fd, size);
}

static int weak_fdatasync(int fd)
{
    return interrupted() ? -1 : fdatasync(fd);
}

static int weak_fsync(int fd)
{
    return interrupted() ? -1 : fsync(fd);
}

static int weak_fstat(int fd, struct stat *st)
{
    return interrupted() ? -1 : fstat(fd, st);
}

static int weak_lstat(const char *path, struct stat *st)
{
    return interrupted() ? -1 : lstat(path, st);
}

static int weak_flock(int fd, int how)
{
    return interrupted() ? -1 : flock(fd, how);
}

static int weak_unlink(const char *path)
{
    bool now = interrupted();

    if (!now || is_done_first)
        assert_true(unlink(path) == 0 || errno == ENOENT);
    int why = errno;
    errno = now ? EINTR : why;
    return now || (is_done_first && why == ENOENT) ? -1 : 0;
}

static int weak_rename(const char *from, const char *to)
{
    bool now = interrupted();

    if (now && is_done_first)
        assert_int_equal(rename(from, to), 0);
    errno = EINTR;
    return now ? -1 : rename(from, to);
}

static int weak_link(const char *from, const char *to)
{
    return interrupted() ? -1 : link(from, to);
}

static int weak_fchown(int fd, uid_t owner, gid_t group)
{
    return interrupted() ? -1 : fchown(fd, owner, group);
}

static int weak_set_mtime(int fd, uint64_t ns)
{
    return interrupted() ? -1 : swim_io_system.set_mtime(fd, ns);
}

static int weak_fchmod(int fd, mode_t mode)
{
    return interrupted() ? -1 : fchmod(fd, mode);
}

static int64_t weak_birth_ns(int fd)
{
    return swim_io_system.birth_ns(fd);
}

static const struct swim_io weak = {
    .open = weak_open,
    .close = close,
    .pread = weak_pread,
    .pwritev = weak_pwritev,
    .ftruncate = weak_ftruncate,
    .fdatasync = weak_fdatasync,
    .fsync = weak_fsync,
    .fstat = weak_fstat,
    .lstat = weak_lstat,
    .flock = weak_flock,
    .unlink = weak_unlink,
    .rename = weak_rename,
    .link = weak_link,
    .fchown = weak_fchown,
    .fchmod = weak_fchmod,
    .birth_ns = weak_birth_ns,
    .set_mtime = weak_set_mtime,
};

static int setup(void **state)
{
    calls = 0;
    is_done_first = false;
    return scene_setup(state);
}

static void an_interrupted_call_is_made_again(void **state)
{
    const struct scene *s = *state;
    char other[340];
    struct stat st;

    snprintf(other, sizeof(other), "%s.other", s->path);
    int fd = io_open(&weak, s->path, O_RDWR | O_CLOEXEC, 0);
    assert_true(fd >= 0);
    for (int odd = 0; odd < 2; odd++, calls++) {
        assert_int_equal(io_fstat(&weak, fd, &st), 0);
        assert_int_equal(io_lstat(&weak, s->path, &st), 0);
        assert_int_equal(io_flock(&weak, fd, LOCK_EX | LOCK_NB), 0);
        assert_int_equal(io_fchmod(&weak, fd, 0600), 0);
        assert_int_equal(io_set_mtime(&weak, fd, 1700000000123456789), 0);
        assert_int_equal(io_fchown(&weak, fd, geteuid(), getegid()), 0);
        assert_int_equal(io_fsync(&weak, fd), 0);
        assert_int_equal(io_link(&weak, s->path, other), 0);
        assert_int_equal(io_unlink(&weak, s->path), 0);
        assert_int_equal(io_rename(&weak, other, s->path), 0);
    }
    close(fd);
}

static void what_the_interrupted_call_has_done_is_done(void **state)
{
    const struct scene *s = *state;
    char other[340];

    is_done_first = true;
    snprintf(other, sizeof(other), "%s.other", s->path);
    assert_int_equal(io_rename(&weak, s->path, other), 0);
    assert_true(is_there(other) && !is_there(s->path));
    assert_int_equal(io_unlink(&weak, other), 0);
    assert_false(is_there(other));
    is_done_first = false;
    errno = 0;
    calls = 1; /* not interrupted: there is none */
    assert_int_equal(io_rename(&weak, other, s->path), -1);
    assert_int_equal(errno, ENOENT);
}

/* Open, write, commit, make the journal anew, copy it into the file, read. */
static void a_transaction_does_not_notice(void **state)
{
    struct scene *s = *state;
    unsigned char all[BYTES + 3000], seen[BYTES + 3000];
    const struct txn_options options = {
        .io = &weak, .write = true, .flocks = true, .fence = 1, .rewrite_over = 1};
    swim_error_t err = {0};
    struct txn *t = NULL;

    memcpy(all, s->bytes, BYTES);
    memset(all + BYTES - 9000, 'n', 12000);
    if (txn_open(&t, s->path, &options, &err) != SWIM_OK)
        fail_msg("%s", err.text);
    for (int commits = 0; commits < 3; commits++) {
        memset(all, '0' + commits, 5000);
        assert_int_equal(txn_write(t, all, sizeof(all), 0, &err), SWIM_OK);
        assert_int_equal(txn_commit(t, true, &err), SWIM_OK);
    }
    assert_int_equal(txn_checkpoint(t, &err), SWIM_OK);
    assert_int_equal(txn_size(t), sizeof(all));
    assert_int_equal(txn_read(t, seen, sizeof(all), 0, &err), SWIM_OK);
    assert_memory_equal(seen, all, sizeof(all));
    txn_close(t);
    assert_true(file_begins(s, all, BYTES));
    assert_false(is_there(s->journal));
}

static int failing_fdatasync(int fd)
{
    (void)fd;
    errno = EIO;
    return calls++ ? 0 : -1;
}

static void after_a_sync_that_failed_none_succeeds(void **state)
{
    const struct scene *s = *state;
    struct swim_io io = swim_io_system;
    bool failed = false;
    swim_error_t err = {0};

    io.fdatasync = failing_fdatasync;
    struct io_file file = {&io, -1, s->path, &failed};
    assert_int_equal(io_sync(&file, &err), SWIM_ERR_IO);
    assert_true(failed);
    assert_int_equal(io_sync(&file, &err), SWIM_ERR_IO);
    assert_int_equal(io_sync_with_mode(&file, &err), SWIM_ERR_IO);
    file.sync_failed = NULL;
    assert_int_equal(io_sync(&file, &err), SWIM_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_interrupted_call_is_made_again, setup,
                                        scene_teardown),
        cmocka_unit_test_setup_teardown(what_the_interrupted_call_has_done_is_done,
                                        setup, scene_teardown),
        cmocka_unit_test_setup_teardown(a_transaction_does_not_notice, setup,
                                        scene_teardown),
        cmocka_unit_test_setup_teardown(after_a_sync_that_failed_none_succeeds, setup,
                                        scene_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
