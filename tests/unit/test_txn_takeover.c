/* test_txn_takeover.c - a writer that is stopped for longer than its lease, and goes
 * on.
 *
 * It is a process of its own, stopped in its nth write, n = 1, 2, ...; meanwhile
 * another one commits.  When it goes on it has lost the right to change anything. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <sys/wait.h>

#include "txn_scene.h"

static int stop_at = -1; /* which write; -1: none */
static int stopped_pipe[2], go_on_pipe[2];
static bool was_stopped;

/* The call itself goes on: nothing can hold it back any more. */
static ssize_t stopping_pwritev(int fd, const struct iovec *parts, int n, off_t at)
{
    char byte = 0;

    if (stop_at > 0 && --stop_at == 0) {
        was_stopped = true;
        if (write(stopped_pipe[1], "s", 1) != 1 || read(go_on_pipe[0], &byte, 1) != 1)
            _exit(99);
    }
    return pwritev(fd, parts, n, at);
}

static int may_change_until_stopped(void *arg, swim_error_t *err)
{
    (void)arg;
    return !was_stopped ? SWIM_OK
                        : swim_error_set(err, SWIM_ERR_LOST, "the lease is over");
}

static int open_old(const struct scene *s, bool flocks, struct txn **t)
{
    static struct swim_io io;
    const struct txn_options opt = {.io = &io,
                                    .write = true,
                                    .flocks = flocks,
                                    .fence = 1,
                                    .boot = "boot",
                                    .may_change = may_change_until_stopped};

    io = swim_io_system;
    io.pwritev = stopping_pwritev;
    return txn_open(t, s->path, &opt, NULL);
}

/* The life of the one that is stopped: 0 when it was not. */
static void old_writer(const struct scene *s, bool flocks, int n)
{
    struct txn *t = NULL;
    bool tried = false;

    stop_at = n;
    int rc = open_old(s, flocks, &t);
    for (int commits = 0; rc == SWIM_OK && commits < 2; commits++) {
        rc = txn_write(t, "the old writer", 14, 5000, NULL);
        if (rc == SWIM_OK)
            rc = txn_write(t, "its tail", 8, txn_size(t), NULL);
        if (rc == SWIM_OK)
            rc = txn_commit(t, true, NULL);
    }
    tried = t && rc != SWIM_OK;
    txn_close(t);
    _exit(!was_stopped ? 0 : tried ? 1 : 2);
}

/* true: it stands in its nth write; false: it came to its end. */
static bool start_old_writer(const struct scene *s, bool flocks, int n, pid_t *pid)
{
    char byte = 0;

    assert_int_equal(pipe(stopped_pipe), 0);
    assert_int_equal(pipe(go_on_pipe), 0);
    *pid = fork();
    assert_true(*pid >= 0);
    if (*pid == 0) {
        close(stopped_pipe[0]);
        close(go_on_pipe[1]);
        old_writer(s, flocks, n);
    }
    close(stopped_pipe[1]);
    return read(stopped_pipe[0], &byte, 1) == 1;
}

static int end_old_writer(pid_t pid)
{
    int status = -1;

    (void)!write(go_on_pipe[1], "g", 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    close(stopped_pipe[0]);
    close(go_on_pipe[0]);
    close(go_on_pipe[1]);
    return status;
}

static void read_all(struct txn *t, unsigned char seen[BYTES + 500], uint64_t *size)
{
    memset(seen, 0, BYTES + 500);
    *size = txn_size(t);
    assert_true(*size <= BYTES + 500);
    assert_int_equal(txn_read(t, seen, *size, 0, NULL), SWIM_OK);
}

/* What a reader sees, and the bytes of the file itself. */
struct view {
    unsigned char seen[BYTES + 500], itself[BYTES + 500];
    uint64_t size, number;
};

static struct view look(const struct scene *s)
{
    struct view v = {{0}, {0}, 0, 0};
    struct txn *t = NULL;
    swim_error_t err = {0};

    if (open_as(s, false, false, 0, &t, &err) != SWIM_OK)
        fail_msg("%s", err.text);
    read_all(t, v.seen, &v.size);
    v.number = txn_number(t);
    txn_close(t);
    int fd = open(s->path, O_RDONLY | O_CLOEXEC);
    assert_true(pread(fd, v.itself, sizeof(v.itself), 0) > 0);
    close(fd);
    return v;
}

static void begin_again(const struct scene *s, bool with_journal)
{
    struct txn *t = NULL;

    unlink(s->journal);
    int fd = open(s->path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    assert_int_equal(write(fd, s->bytes, BYTES), BYTES);
    close(fd);
    if (!with_journal)
        return;
    assert_int_equal(open_as(s, true, false, 1, &t, NULL), SWIM_OK);
    assert_int_equal(txn_write(t, "first", 5, 100, NULL), SWIM_OK);
    assert_int_equal(txn_commit(t, true, NULL), SWIM_OK);
    txn_close(t);
}

/* then: 0 leaves its journal, 1 copies it into the file, 2 stays open */
static struct txn *succeed(const struct scene *s, int then)
{
    struct txn *t = NULL;
    swim_error_t err = {0};

    if (open_as(s, true, false, 2, &t, &err) != SWIM_OK)
        fail_msg("%s", err.text);
    assert_int_equal(txn_write(t, "successor", 9, 5003, NULL), SWIM_OK);
    if (txn_commit(t, true, &err) != SWIM_OK)
        fail_msg("%s", err.text);
    if (then == 1)
        assert_int_equal(txn_checkpoint(t, NULL), SWIM_OK);
    if (then == 2)
        return t;
    txn_close(t);
    return NULL;
}

static void without_flock_a_stopped_writer_changes_nothing_that_is_read(void **state)
{
    struct scene *s = *state;
    int points = 0;

    for (int how = 0; how < 6; how++)
        for (int n = 1;; n++) {
            pid_t pid;
            begin_again(s, how % 2);
            bool stands = start_old_writer(s, false, n, &pid);
            struct txn *t = stands ? succeed(s, how / 2) : NULL;
            const struct view before = look(s);
            int status = end_old_writer(pid);
            if (!stands) {
                assert_int_equal(status, 0);
                break;
            }
            const struct view after = look(s);
            assert_memory_equal(before.seen + 5003, "successor", 9);
            assert_memory_equal(&after, &before, sizeof(after));
            assert_int_equal(WEXITSTATUS(status), 1); /* and it was told */
            if (t) {                                  /* the successor goes on */
                assert_int_equal(txn_write(t, "more", 4, 9000, NULL), SWIM_OK);
                assert_int_equal(txn_commit(t, true, NULL), SWIM_OK);
                txn_close(t);
                assert_memory_equal(look(s).seen + 9000, "more", 4);
            }
            points++;
        }
    print_message("stopped at %d points\n", points);
    assert_true(points > 20);
}

/* It holds the lock on its journal as long as it lives. */
static void with_flock_a_stopped_writer_keeps_others_out_until_it_is_gone(void **state)
{
    struct scene *s = *state;
    int points = 0;

    for (int n = 1;; n++) {
        pid_t pid;
        struct txn *t = NULL;
        int status = -1;
        begin_again(s, false);
        if (!start_old_writer(s, true, n, &pid)) {
            assert_int_equal(end_old_writer(pid), 0);
            break;
        }
        const struct view before = look(s);
        assert_int_equal(open_as(s, true, true, 2, &t, NULL), SWIM_ERR_TIMEOUT);
        if (n % 2)
            assert_int_equal(kill(pid, SIGKILL), 0);
        status = end_old_writer(pid);
        if (n % 2)
            assert_int_equal(WTERMSIG(status), SIGKILL);
        else /* its last commit is made: it had no successor */
            assert_in_range(WEXITSTATUS(status), 1, 2);
        const struct view after = look(s);
        assert_in_range(after.number, before.number, before.number + 1);
        assert_int_equal(open_as(s, true, true, 2, &t, NULL), SWIM_OK);
        assert_int_equal(txn_write(t, "successor", 9, 5003, NULL), SWIM_OK);
        assert_int_equal(txn_commit(t, true, NULL), SWIM_OK);
        txn_close(t);
        assert_memory_equal(look(s).seen + 5003, "successor", 9);
        points++;
    }
    assert_true(points > 3);
}

static struct txn *open_plain(const struct scene *s, uint64_t fence)
{
    struct txn *t = NULL;
    swim_error_t err = {0};

    if (open_as(s, true, false, fence, &t, &err) != SWIM_OK)
        fail_msg("%s", err.text);
    return t;
}

static bool file_holds(const struct scene *s, const char *text, off_t place)
{
    char is[40] = "";
    int fd = open(s->path, O_RDONLY | O_CLOEXEC);
    ssize_t n = pread(fd, is, strlen(text), place);

    close(fd);
    return n > 0 && strcmp(is, text) == 0;
}

static void a_commit_that_came_before_the_takeover_is_kept(void **state)
{
    struct scene *s = *state;
    swim_error_t err = {0};

    begin_again(s, true);
    struct txn *old = open_plain(s, 1);
    assert_int_equal(txn_write(old, "x", 1, 300, NULL), SWIM_OK);
    assert_int_equal(txn_commit(old, true, NULL), SWIM_OK);
    struct txn *t = open_plain(s, 2);
    assert_int_equal(txn_write(old, "late", 4, 200, NULL), SWIM_OK);
    assert_int_equal(txn_commit(old, true, NULL), SWIM_OK);
    assert_int_equal(txn_write(t, "successor", 9, 5003, NULL), SWIM_OK);
    assert_int_equal(txn_commit(t, true, &err), SWIM_ERR_LOST);
    assert_non_null(strstr(err.text, "start again"));
    txn_close(t);
    assert_memory_equal(look(s).seen + 200, "late", 4);
    t = succeed(s, 2);
    assert_memory_equal(look(s).seen + 200, "late", 4);
    swim_error_clear(&err);
    assert_int_equal(txn_write(old, "too late", 8, 200, NULL), SWIM_OK);
    assert_int_equal(txn_commit(old, true, &err), SWIM_ERR_UNSURE);
    assert_non_null(strstr(err.text, "taken over"));
    assert_memory_equal(look(s).seen + 200, "late", 4);
    txn_close(old);
    txn_close(t);
    assert_memory_equal(look(s).seen + 200, "late", 4);
}

/* Between the look at the old journal and the name. */
static struct txn *sneaks_in;

static int sneaking_rename(const char *from, const char *to)
{
    struct txn *t = sneaks_in;

    sneaks_in = NULL;
    if (t) {
        assert_int_equal(txn_write(t, "in time", 7, 200, NULL), SWIM_OK);
        assert_int_equal(txn_commit(t, true, NULL), SWIM_OK);
    }
    return rename(from, to);
}

static void a_commit_that_comes_within_the_takeover_is_kept(void **state)
{
    struct scene *s = *state;

    begin_again(s, true);
    struct txn *old = open_plain(s, 1);
    assert_int_equal(txn_write(old, "x", 1, 300, NULL), SWIM_OK);
    assert_int_equal(txn_commit(old, true, NULL), SWIM_OK);
    struct txn *t = open_plain(s, 2);
    sneaks_in = old;
    counted.rename = sneaking_rename;
    assert_int_equal(txn_write(t, "successor", 9, 5003, NULL), SWIM_OK);
    assert_int_equal(txn_commit(t, true, NULL), SWIM_ERR_LOST);
    assert_null(sneaks_in);
    txn_close(t);
    assert_memory_equal(look(s).seen + 200, "in time", 7);
    (void)succeed(s, 0);
    assert_memory_equal(look(s).seen + 200, "in time", 7);
    txn_close(old);
}

/* Nothing was committed in it, so it would be removed. */
static void one_that_closes_late_does_not_remove_the_journal_of_another(void **state)
{
    struct scene *s = *state;
    unsigned char many[BYTES];

    memset(many, 7, BYTES);
    begin_again(s, false);
    struct txn *old = open_plain(s, 1);
    assert_int_equal(txn_write(old, many, BYTES, 0, NULL), SWIM_OK);
    (void)succeed(s, 0);
    txn_close(old); /* its caller has not noticed yet */
    assert_memory_equal(look(s).seen + 5003, "successor", 9);
}

/* It may still write what it was about to; until the next checkpoint that is covered.
 */
static void what_a_stopped_checkpoint_still_copies_is_not_read(void **state)
{
    struct scene *s = *state;
    struct txn *old = open_plain(s, 1);

    assert_int_equal(txn_write(old, "old writer", 10, 5000, NULL), SWIM_OK);
    assert_int_equal(txn_commit(old, true, NULL), SWIM_OK);
    int n = 0;
    do /* until it has copied it, and goes no further */
        allowed = ++n;
    while (txn_checkpoint(old, NULL) != SWIM_OK && !file_holds(s, "old writer", 5000));
    allowed = 1000000;
    assert_true(is_there(s->journal));
    struct txn *t = open_plain(s, 2);
    assert_int_equal(txn_write(t, "elsewhere", 9, 300, NULL), SWIM_OK);
    assert_int_equal(txn_commit(t, true, NULL), SWIM_OK);
    int fd = open(s->path, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "old", 3, 5000), 3); /* a part of it */
    assert_int_equal(pwrite(fd, "???????", 7, 5003), 7);
    close(fd);
    assert_memory_equal(look(s).seen + 5000, "old writer", 10);
    txn_close(t);
    txn_close(old);
}

/* What a session that has been killed was making. */
static void what_another_may_be_about_to_name_is_removed(void **state)
{
    struct scene *s = *state;

    begin_again(s, true);
    assert_int_equal(scratch_dir_run(&s->dir,
                                     "echo x >a.h5" JOURNAL_NEW_SUFFIX
                                     "; echo x >a.h5" JOURNAL_REWRITTEN_SUFFIX),
                     0);
    (void)succeed(s, 0);
    assert_int_equal(scratch_dir_run(&s->dir, "test $(ls | wc -l) = 2"), 0);
}

/* Programs differ in whether they use flock: one that does was killed behind the end.
 */
static void what_one_with_flock_left_behind_the_end_is_not_seen_without(void **state)
{
    struct scene *s = *state;
    const unsigned char zeros[600] = {0};
    unsigned char many[900];

    memset(many, 7, sizeof(many));
    for (int with = 0; with < 2; with++) {
        begin_again(s, false);
        if (fork() == 0) {
            struct txn *t = must_open(s, true);
            _exit(txn_write(t, many, sizeof(many), BYTES, NULL) != SWIM_OK);
        }
        int status = -1;
        assert_true(wait(&status) > 0 && status == 0);
        txn_close(open_plain(s, 2)); /* changes nothing */
        assert_int_equal(look(s).size, BYTES);
        struct txn *t = open_plain(s, 3);
        assert_int_equal(txn_write(t, "far", 3, BYTES + 400, NULL), SWIM_OK);
        assert_int_equal(txn_commit(t, true, NULL), SWIM_OK);
        txn_close(t);
        assert_int_equal(open_as(s, true, with, 4, &t, NULL), SWIM_OK);
        assert_int_equal(txn_write(t, "last", 4, BYTES + 450, NULL), SWIM_OK);
        assert_int_equal(txn_commit(t, true, NULL), SWIM_OK);
        assert_memory_equal(look(s).seen + BYTES, zeros, 400);
        assert_int_equal(txn_checkpoint(t, NULL), SWIM_OK);
        txn_close(t);
        assert_memory_equal(look(s).seen + BYTES, zeros, 400);
        assert_memory_equal(look(s).seen + BYTES + 400, "far", 3);
    }
}

static void what_was_cut_off_before_the_commit_does_not_come_back(void **state)
{
    struct scene *s = *state;
    const unsigned char zeros[600] = {0};
    unsigned char many[400];
    struct txn *t = open_plain(s, 1);

    memset(many, 7, sizeof(many));
    assert_int_equal(txn_write(t, many, sizeof(many), BYTES, NULL), SWIM_OK);
    assert_int_equal(txn_set_size(t, BYTES, NULL), SWIM_OK);
    assert_int_equal(txn_write(t, "far", 3, BYTES + 300, NULL), SWIM_OK);
    assert_int_equal(txn_commit(t, true, NULL), SWIM_OK);
    assert_memory_equal(look(s).seen + BYTES, zeros, 300);
    txn_close(t);
    t = must_open(s, true); /* one with flock writes where frames are no more */
    assert_int_equal(txn_write(t, "behind", 6, BYTES + 303, NULL), SWIM_OK);
    assert_int_equal(txn_commit(t, true, NULL), SWIM_OK);
    assert_memory_equal(look(s).seen + BYTES + 300, "farbehind", 9);
    txn_close(t);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_flock_a_stopped_writer_changes_nothing_that_is_read),
        TEST(with_flock_a_stopped_writer_keeps_others_out_until_it_is_gone),
        TEST(a_commit_that_came_before_the_takeover_is_kept),
        TEST(a_commit_that_comes_within_the_takeover_is_kept),
        TEST(one_that_closes_late_does_not_remove_the_journal_of_another),
        TEST(what_a_stopped_checkpoint_still_copies_is_not_read),
        TEST(what_another_may_be_about_to_name_is_removed),
        TEST(what_one_with_flock_left_behind_the_end_is_not_seen_without),
        TEST(what_was_cut_off_before_the_commit_does_not_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
