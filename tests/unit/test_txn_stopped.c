/* test_txn_stopped.c - a writer that is stopped by a signal, and continued when its
 * lease is over, changes nothing.
 *
 * It is a process of its own, stopped at its nth point, n = 1, 2, ...: when it asks
 * whether it may change something, and behind each call that has changed or synced
 * something.  So it stands before a commit, between what it writes to the journal and
 * the commit record, where it makes the journal anew, in a checkpoint, at the close.
 * Meanwhile another one commits, if the locks let it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <sys/wait.h>
#include <xxhash.h>

#include "store/txn_private.h"
#include "txn_scene.h"

static int stop_at;
static bool was_stopped;

static void point(void)
{
    if (--stop_at != 0)
        return;
    was_stopped = true;
    (void)raise(SIGSTOP);
}

static ssize_t pwritev_and_stop(int fd, const struct iovec *parts, int n, off_t at)
{
    ssize_t rc = pwritev(fd, parts, n, at);

    point();
    return rc;
}

static int ftruncate_and_stop(int fd, off_t size)
{
    int rc = ftruncate(fd, size);

    point();
    return rc;
}

static int fdatasync_and_stop(int fd)
{
    int rc = fdatasync(fd);

    point();
    return rc;
}

static int fsync_and_stop(int fd)
{
    int rc = fsync(fd);

    point();
    return rc;
}

static int unlink_and_stop(const char *path)
{
    int rc = unlink(path);

    point();
    return rc;
}

static int rename_and_stop(const char *from, const char *to)
{
    int rc = rename(from, to);

    point();
    return rc;
}

static int open_and_stop(const char *path, int flags, mode_t mode)
{
    int fd = swim_io_system.open(path, flags, mode);

    if (flags & O_CREAT)
        point();
    return fd;
}

static int ask(void *arg, swim_error_t *err)
{
    (void)arg;
    point();
    return !was_stopped ? SWIM_OK
                        : swim_error_set(err, SWIM_ERR_LOST, "the lease is over");
}

/* Exit status: 0 it was not stopped, 1 it was told, 2 it was not. */
_Noreturn static void old_writer(const struct scene *s, bool flocks, int n)
{
    struct swim_io io = swim_io_system;
    const struct txn_options opt = {.io = &io,
                                    .write = true,
                                    .flocks = flocks,
                                    .fence = 1,
                                    .boot = "boot",
                                    .rewrite_over = 1,
                                    .may_change = ask};
    unsigned char many[BYTES];
    struct txn *t = NULL;

    io.pwritev = pwritev_and_stop;
    io.ftruncate = ftruncate_and_stop;
    io.fdatasync = fdatasync_and_stop;
    io.fsync = fsync_and_stop;
    io.unlink = unlink_and_stop;
    io.rename = rename_and_stop;
    io.open = open_and_stop;
    stop_at = n;
    int rc = txn_open(&t, s->path, &opt, NULL);
    for (int commits = 0; rc == SWIM_OK && commits < 3; commits++) {
        memset(many, 'a' + commits, BYTES);
        rc = txn_write(t, many, BYTES / 2, 1000, NULL);
        if (rc == SWIM_OK)
            rc = txn_write(t, "its tail", 8, txn_size(t), NULL);
        if (rc == SWIM_OK)
            rc = txn_commit(t, true, NULL);
    }
    if (rc == SWIM_OK)
        rc = txn_write(t, "its end", 7, 5000, NULL);
    if (rc == SWIM_OK)
        rc = txn_commit(t, true, NULL);
    if (rc == SWIM_OK)
        rc = txn_checkpoint(t, NULL);
    txn_close(t);
    _exit(!was_stopped ? 0 : rc != SWIM_OK ? 1 : 2);
}

/* true: it is stopped; false: it came to its end. */
static bool start(const struct scene *s, bool flocks, int n, pid_t *pid)
{
    int status = -1;

    *pid = fork();
    assert_true(*pid >= 0);
    if (*pid == 0)
        old_writer(s, flocks, n);
    assert_int_equal(waitpid(*pid, &status, WUNTRACED), *pid);
    if (WIFSTOPPED(status))
        return true;
    assert_int_equal(status, 0);
    return false;
}

static int go_on(pid_t pid)
{
    int status = -1;

    assert_int_equal(kill(pid, SIGCONT), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* Every byte of the file, the journal and what lies beside them. */
enum { NAMES = 4 };
struct print {
    off_t sizes[NAMES];
    XXH64_hash_t sums[NAMES];
};

static struct print look(const struct scene *s)
{
    static const char *const suffixes[NAMES] = {
        "", JOURNAL_SUFFIX, JOURNAL_REWRITTEN_SUFFIX, JOURNAL_NEW_SUFFIX};
    static unsigned char bytes[1 << 20];
    struct print print = {{0}, {0}};

    for (int i = 0; i < NAMES; i++) {
        char name[340];
        snprintf(name, sizeof(name), "%s%s", s->path, suffixes[i]);
        print.sizes[i] = size_of(name);
        int fd = open(name, O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? 0 : pread(fd, bytes, sizeof(bytes), 0);
        assert_in_range(n, 0, sizeof(bytes) - 1);
        print.sums[i] = XXH3_64bits(bytes, (size_t)n);
        if (fd >= 0)
            close(fd);
    }
    return print;
}

static void begin_again(const struct scene *s)
{
    (void)scratch_dir_run(&s->dir, "rm -f a.h5*");
    int fd = open(s->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, s->bytes, BYTES), BYTES);
    close(fd);
}

/* false: the locks keep it out. */
static bool succeed(const struct scene *s, bool flocks, bool copies)
{
    struct txn *t = NULL;
    swim_error_t err = {0};

    int rc = open_as(s, true, flocks, 2, &t, &err);
    if (rc == SWIM_ERR_TIMEOUT && flocks)
        return false;
    if (rc == SWIM_OK)
        rc = txn_write(t, "successor", 9, 5003, &err);
    if (rc == SWIM_OK)
        rc = txn_write(t, "a longer file", 13, txn_size(t), &err);
    if (rc == SWIM_OK)
        rc = txn_commit(t, true, &err);
    if (rc == SWIM_OK && copies) {
        int copied = txn_checkpoint(t, &err);
        assert_true(copied == SWIM_OK || (flocks && copied == SWIM_ERR_TIMEOUT));
    }
    txn_close(t);
    if (rc != SWIM_OK)
        fail_msg("the successor: %s", err.text);
    return true;
}

static void assert_successor_is_read(const struct scene *s, bool flocks)
{
    char is[10] = "";
    struct txn *t = NULL;

    assert_int_equal(open_as(s, false, flocks, 0, &t, NULL), SWIM_OK);
    assert_int_equal(txn_read(t, is, 9, 5003, NULL), SWIM_OK);
    assert_string_equal(is, "successor");
    txn_close(t);
}

/* Counts where it was stopped: beside a successor, and keeping others out. */
static void stop_everywhere(const struct scene *s, bool flocks, int *beside, int *alone)
{
    for (int copies = 0; copies < 2; copies++)
        for (int n = 1;; n++) {
            pid_t pid;
            begin_again(s);
            if (!start(s, flocks, n, &pid))
                break;
            bool committed = succeed(s, flocks, copies);
            const struct print before = look(s);
            assert_in_range(go_on(pid), 1, 2); /* it may have been at its end */
            const struct print after = look(s);
            if (committed && memcmp(&after, &before, sizeof(after)) != 0)
                fail_msg("stopped at point %d, it has changed something", n);
            ++*(committed ? beside : alone);
            if (!committed) /* it is gone now */
                assert_true(succeed(s, flocks, copies));
            assert_successor_is_read(s, flocks);
        }
}

static void without_flock_it_changes_nothing(void **state)
{
    int beside = 0, alone = 0;

    stop_everywhere(*state, false, &beside, &alone);
    print_message("stopped at %d points\n", beside);
    assert_true(beside > 40 && alone == 0);
}

static void with_flock_it_changes_nothing_or_keeps_others_out(void **state)
{
    int beside = 0, alone = 0;

    stop_everywhere(*state, true, &beside, &alone);
    print_message("stopped at %d points, and at %d that kept others out\n", beside,
                  alone);
    assert_true(alone > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(without_flock_it_changes_nothing, scene_setup,
                                        scene_teardown),
        cmocka_unit_test_setup_teardown(
            with_flock_it_changes_nothing_or_keeps_others_out, scene_setup,
            scene_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
