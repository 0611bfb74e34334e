/* test_verdict.c - what is said of files and journals in any state; nothing changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <hdf5.h>

#include "scratch_dir.h"
#include "store/txn.h"
#include "store/verdict.h"

#define VALUES 10000

struct scene {
    struct scratch_dir dir;
    char path[300], journal[330];
    uint64_t data; /* where the values are in the file */
    uint64_t bytes;
};

static const unsigned char here[JOURNAL_ID] = "this boot", there[JOURNAL_ID] = "other";

/* Whoever only looks calls none of these. */
static int no_call(void)
{
    fail_msg("a call that changes something");
    return -1;
}

static ssize_t no_pwritev(int fd, const struct iovec *parts, int n, off_t at)
{
    (void)fd, (void)parts, (void)n, (void)at;
    return no_call();
}

static int no_ftruncate(int fd, off_t size)
{
    (void)fd, (void)size;
    return no_call();
}

static int no_fd(int fd)
{
    (void)fd;
    return no_call();
}

static int no_flock(int fd, int how)
{
    (void)fd, (void)how;
    return no_call();
}

static int no_unlink(const char *path)
{
    (void)path;
    return no_call();
}

static int no_rename(const char *from, const char *to)
{
    (void)from, (void)to;
    return no_call();
}

static int read_open(const char *path, int flags, mode_t mode)
{
    assert_int_equal(flags & (O_ACCMODE | O_CREAT | O_TRUNC), O_RDONLY);
    return swim_io_system.open(path, flags, mode);
}

static struct swim_io read_io;

static int make_hdf5(struct scene *s, bool latest, hsize_t userblock)
{
    hsize_t n = VALUES;
    int values[VALUES];
    hid_t create = H5Pcreate(H5P_FILE_CREATE), access = H5Pcreate(H5P_FILE_ACCESS);
    struct stat st;

    for (int i = 0; i < VALUES; i++)
        values[i] = i;
    H5Pset_userblock(create, userblock);
    if (latest)
        H5Pset_libver_bounds(access, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST);
    hid_t file = H5Fcreate(s->path, H5F_ACC_TRUNC, create, access);
    hid_t space = H5Screate_simple(1, &n, NULL);
    hid_t data = H5Dcreate2(file, "values", H5T_NATIVE_INT, space, H5P_DEFAULT,
                            H5P_DEFAULT, H5P_DEFAULT);
    herr_t rc = H5Dwrite(data, H5T_NATIVE_INT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
    s->data = H5Dget_offset(data);
    H5Dclose(data);
    H5Sclose(space);
    if (H5Fclose(file) < 0)
        rc = -1;
    H5Pclose(create);
    H5Pclose(access);
    if (stat(s->path, &st) != 0)
        return -1;
    s->bytes = (uint64_t)st.st_size;
    return rc < 0 ? -1 : 0;
}

static char unfinished[20000]; /* so long that it does not stay in memory */

static int setup(void **state)
{
    struct scene *s = calloc(1, sizeof(*s));

    *state = s;
    if (!s || scratch_dir_make(&s->dir) != 0)
        return -1;
    memset(unfinished, 'u', sizeof(unfinished));
    read_io = swim_io_system;
    read_io.open = read_open;
    read_io.pwritev = no_pwritev;
    read_io.ftruncate = no_ftruncate;
    read_io.fdatasync = read_io.fsync = no_fd;
    read_io.flock = no_flock;
    read_io.unlink = no_unlink;
    read_io.rename = read_io.link = no_rename;
    snprintf(s->path, sizeof(s->path), "%s/a.h5", s->dir.path);
    snprintf(s->journal, sizeof(s->journal), "%s%s", s->path, JOURNAL_SUFFIX);
    return make_hdf5(s, true, 0);
}

static int teardown(void **state)
{
    struct scene *s = *state;

    scratch_dir_remove(&s->dir);
    free(s);
    return 0;
}

static int look(const struct scene *s, struct verdict **v, swim_error_t *err)
{
    struct verdict_options opt = {.io = &read_io};

    memcpy(opt.boot, here, JOURNAL_ID);
    return verdict_open(v, s->path, &opt, err);
}

static struct verdict *must_look(const struct scene *s, enum verdict_is is)
{
    struct verdict *v = NULL;
    swim_error_t err = {0};

    if (look(s, &v, &err) != SWIM_OK)
        fail_msg("%s", err.text);
    if (v->is != is)
        fail_msg("%s: %s", verdict_name(v->is), v->why.text);
    return v;
}

/* It is that, and why says so. */
static void assert_verdict(const struct scene *s, enum verdict_is is, const char *why)
{
    struct verdict *v = must_look(s, is);

    if (!strstr(v->why.text, why))
        fail_msg("not \"%s\": %s", why, v->why.text);
    verdict_close(v);
}

static void flip(const char *path, uint64_t at)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    unsigned char byte;

    assert_int_equal(pread(fd, &byte, 1, (off_t)at), 1);
    byte ^= 0x10;
    assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
    close(fd);
}

static struct txn *must_write_open(const struct scene *s, const unsigned char *boot)
{
    struct txn_options opt = {.write = true, .flocks = true, .fence = 3};
    struct txn *t = NULL;

    memcpy(opt.boot, boot, JOURNAL_ID);
    assert_int_equal(txn_open(&t, s->path, &opt, NULL), SWIM_OK);
    return t;
}

static void must_write(struct txn *t, const void *bytes, size_t size, uint64_t place)
{
    assert_int_equal(txn_write(t, bytes, size, place, NULL), SWIM_OK);
}

/* A writer was killed after so many commits, and in the middle of the next: each in one
 * value, the last one in one behind the end of the file. */
static void kill_a_writer(const struct scene *s, int commits, const unsigned char *boot)
{
    if (fork() == 0) {
        struct txn *t = must_write_open(s, boot);
        int64_t value = -1;
        for (int n = 0; n < commits; n++) {
            must_write(t, &value, sizeof(value), s->data + 4000 * (uint64_t)n);
            must_write(t, "tail", 4, s->bytes + 4 * (uint64_t)n);
            if (txn_commit(t, true, NULL) != SWIM_OK)
                _exit(1);
        }
        must_write(t, unfinished, sizeof(unfinished), s->data + 9000);
        must_write(t, "more", 4, s->bytes + 100);
        char seen[4]; /* a read has small writes made at once */
        _exit(txn_read(t, seen, sizeof(seen), s->bytes + 100, NULL) != SWIM_OK);
    }
    int status = -1;
    assert_true(wait(&status) > 0 && status == 0);
}

/* Where each commit ends in the journal. */
static void find_ends(const struct scene *s, int commits, uint64_t *ends)
{
    const struct io_file file = {
        &swim_io_system, open(s->journal, O_RDONLY | O_CLOEXEC), s->journal, NULL};
    enum journal_found found;

    ends[0] = JOURNAL_HEADER;
    for (int n = 1; n <= commits; n++) {
        struct journal j;
        assert_int_equal(journal_scan(&j, &file, (uint64_t)n, here, &found, NULL),
                         SWIM_OK);
        ends[n] = j.end;
        journal_clear(&j);
    }
    close(file.fd);
}

static void a_whole_file_without_a_journal_is_clean(void **state)
{
    struct scene *s = *state;

    for (int latest = 0; latest < 2; latest++)
        for (hsize_t userblock = 0; userblock <= 2048; userblock += 1024) {
            assert_int_equal(make_hdf5(s, latest, userblock), 0);
            struct verdict *v = must_look(s, VERDICT_CLEAN);
            assert_int_equal(v->superblock.at, userblock);
            assert_int_equal(v->superblock.is, SUPERBLOCK_WHOLE);
            assert_true(latest ? v->superblock.version >= 2
                               : v->superblock.version == 0);
            assert_int_equal(v->superblock.ends, s->bytes);
            assert_int_equal(v->has, JOURNAL_NONE);
            verdict_close(v);
        }
}

static void what_is_no_hdf5_file_is_refused(void **state)
{
    static const char *const tricks[] = {"echo no such thing >a.h5",
                                         ": >a.h5",
                                         "mkfifo a.h5",
                                         "mkdir a.h5",
                                         "ln -s /dev/null a.h5",
                                         "head -c 5000 /dev/zero >a.h5"};
    struct scene *s = *state;

    for (size_t i = 0; i < sizeof(tricks) / sizeof(*tricks); i++) {
        struct verdict *v = NULL;
        swim_error_t err = {0};
        assert_int_equal(scratch_dir_run(&s->dir, "rm -rf a.h5"), 0);
        assert_int_equal(look(s, &v, &err), SWIM_ERR_IO);
        assert_int_equal(scratch_dir_run(&s->dir, tricks[i]), 0);
        swim_error_clear(&err);
        assert_int_equal(look(s, &v, &err), SWIM_ERR_ARG);
        assert_null(v);
        assert_non_null(strstr(err.text, "a.h5"));
    }
}

static void each_bit_of_a_new_superblock_counts(void **state)
{
    struct scene *s = *state;

    for (uint64_t at = 8; at < 48; at++) {
        flip(s->path, at);
        assert_verdict(s, VERDICT_DAMAGED, "superblock");
        flip(s->path, at);
    }
    assert_verdict(s, VERDICT_CLEAN, "");
}

static void a_file_that_is_cut_off_is_damaged(void **state)
{
    struct scene *s = *state;
    static const uint64_t sizes[] = {9, 14, 30, 47, 96, 5000, 0};

    for (int latest = 0; latest < 2; latest++)
        for (int i = 0; sizes[i]; i++) {
            assert_int_equal(make_hdf5(s, latest, 0), 0);
            assert_int_equal(truncate(s->path, (off_t)sizes[i]), 0);
            assert_verdict(s, VERDICT_DAMAGED, "cut off");
        }
    assert_int_equal(make_hdf5(s, false, 512), 0);
    assert_int_equal(truncate(s->path, (off_t)s->bytes - 1), 0);
    assert_verdict(s, VERDICT_DAMAGED, "cut off");
}

/* As h5jam and h5unjam do: addresses count from the superblock. */
static void a_user_block_may_be_put_before_a_file(void **state)
{
    struct scene *s = *state;

    assert_int_equal(
        scratch_dir_run(&s->dir,
                        "head -c 512 /dev/zero >b && cat a.h5 >>b && mv b a.h5"),
        0);
    struct verdict *v = must_look(s, VERDICT_CLEAN);
    assert_int_equal(v->superblock.at, 512);
    assert_int_equal(v->superblock.ends, s->bytes + 512);
    verdict_close(v);
}

static void a_file_that_a_program_has_open_is_marked(void **state)
{
    struct scene *s = *state;

    hid_t file = H5Fopen(s->path, H5F_ACC_RDWR | H5F_ACC_SWMR_WRITE, H5P_DEFAULT);
    assert_true(file >= 0);
    struct verdict *v = must_look(s, VERDICT_CLEAN);
    assert_true(v->superblock.marked);
    verdict_close(v);
    H5Fclose(file);
    v = must_look(s, VERDICT_CLEAN);
    assert_false(v->superblock.marked);
    verdict_close(v);
}

static void what_a_killed_writer_committed_is_recoverable(void **state)
{
    struct scene *s = *state;
    int value = 0;

    kill_a_writer(s, 3, here);
    struct verdict *v = must_look(s, VERDICT_RECOVERABLE);
    assert_int_equal(v->has, JOURNAL_VALID);
    assert_int_equal(v->commits, 3);
    assert_int_equal(v->journal.last.fence, 3);
    assert_true(v->journal.last.when_ns > UINT64_C(1600000000000000000));
    assert_int_equal(v->unfinished, JOURNAL_FRAME + sizeof(unfinished));
    assert_int_equal(v->journal.last.size, s->bytes + 12);
    assert_int_equal(v->file_tail, 100 + 4 - 12);
    assert_int_equal(v->superblock.is, SUPERBLOCK_WHOLE);
    assert_int_equal(verdict_read(v, &value, sizeof(value), s->data + 4000, NULL),
                     SWIM_OK);
    assert_int_equal(value, -1);
    verdict_close(v);
}

static void what_a_killed_writer_did_not_commit_leaves_it_clean(void **state)
{
    struct scene *s = *state;

    kill_a_writer(s, 0, here);
    struct verdict *v = must_look(s, VERDICT_CLEAN);
    assert_int_equal(v->has, JOURNAL_EMPTY);
    assert_true(v->unfinished > 0);
    assert_int_equal(v->file_tail, 104);
    verdict_close(v);
    /* and one that was never synced */
    for (off_t size = 127; size >= 0; size -= 127) {
        assert_int_equal(truncate(s->journal, size), 0);
        v = must_look(s, VERDICT_CLEAN);
        assert_int_equal(v->has, JOURNAL_EMPTY);
        verdict_close(v);
    }
}

static void the_superblock_of_the_committed_state_counts(void **state)
{
    struct scene *s = *state;
    struct txn *t = must_write_open(s, here), *reader = NULL;
    const struct txn_options opt = {.flocks = true};

    assert_int_equal(txn_open(&reader, s->path, &opt, NULL), SWIM_OK);
    must_write(t, "?", 1, 20);
    assert_int_equal(txn_commit(t, true, NULL), SWIM_OK);
    txn_close(t);
    assert_verdict(s, VERDICT_DAMAGED, "checksum of its superblock");
    txn_close(reader);
}

static void a_change_of_the_first_bytes_is_foreign(void **state)
{
    struct scene *s = *state;

    for (int commits = 0; commits < 3; commits++) {
        kill_a_writer(s, commits, here);
        flip(s->path, 1000);
        assert_verdict(s, VERDICT_FOREIGN, "first 4096 bytes");
        flip(s->path, 1000);
        unlink(s->journal);
        assert_int_equal(truncate(s->path, (off_t)s->bytes), 0);
    }
}

static void a_change_below_a_frame_is_foreign(void **state)
{
    struct scene *s = *state;
    char why[60];

    kill_a_writer(s, 3, here);
    flip(s->path, s->data + 8001);
    struct verdict *v = must_look(s, VERDICT_FOREIGN);
    assert_int_equal(v->changed_frames, 1);
    snprintf(why, sizeof(why), "changed from outside at byte %ju",
             (uintmax_t)v->changed_at);
    assert_in_range(s->data + 8001 - v->changed_at, 0, 4095);
    assert_non_null(strstr(v->why.text, why));
    assert_int_equal(v->file_tail, 0); /* it may be of the other program */
    assert_int_equal(v->superblock.is, SUPERBLOCK_WHOLE);
    verdict_close(v);
}

static void a_file_that_was_cut_from_outside_is_foreign(void **state)
{
    struct scene *s = *state;

    kill_a_writer(s, 3, here);
    assert_int_equal(truncate(s->path, (off_t)s->bytes + 11), 0);
    assert_verdict(s, VERDICT_FOREIGN, "was cut from outside");
}

static void a_file_that_took_the_name_is_foreign(void **state)
{
    struct scene *s = *state;

    kill_a_writer(s, 1, here);
    assert_int_equal(scratch_dir_run(&s->dir, "cp a.h5 b && mv b a.h5"), 0);
    assert_verdict(s, VERDICT_FOREIGN, "another file has taken the name");
    unlink(s->journal);
    kill_a_writer(s, 0, here); /* nothing is lost by that */
    assert_int_equal(scratch_dir_run(&s->dir, "cp a.h5 b && mv b a.h5"), 0);
    struct verdict *v = must_look(s, VERDICT_CLEAN);
    assert_int_equal(v->has, JOURNAL_OVER);
    verdict_close(v);
}

static void each_byte_of_what_is_committed_counts(void **state)
{
    struct scene *s = *state;
    uint64_t ends[4];

    kill_a_writer(s, 3, here);
    find_ends(s, 3, ends);
    for (uint64_t at = 0; at < ends[2]; at += at < 300 || at + 200 > ends[2] ? 1 : 97) {
        flip(s->journal, at);
        struct verdict *v = must_look(s, VERDICT_DAMAGED);
        if (at >= JOURNAL_HEADER) {
            uint64_t commits = at < ends[1] ? 0 : 1;
            assert_int_equal(v->has, JOURNAL_BROKEN);
            assert_int_equal(v->commits, commits);
            assert_int_equal(v->lost_upto, 3);
            assert_int_equal(v->journal.end, ends[commits]);
            assert_in_range(at, v->broken_at, ends[commits + 1]);
        } else {
            assert_int_equal(v->has, JOURNAL_UNREADABLE);
        }
        verdict_close(v);
        flip(s->journal, at);
    }
    assert_verdict(s, VERDICT_RECOVERABLE, "");
}

/* A record that is not whole looks as one that was being written. */
static void a_last_commit_that_is_not_whole_is_none(void **state)
{
    struct scene *s = *state;
    uint64_t ends[4];

    kill_a_writer(s, 3, here);
    find_ends(s, 3, ends);
    flip(s->journal, ends[3] - 50);
    struct verdict *v = must_look(s, VERDICT_RECOVERABLE);
    assert_int_equal(v->commits, 2);
    assert_true(v->unfinished > ends[3] - ends[2]);
    verdict_close(v);
}

/* Without a power failure the data of a commit are there when its record is; after one
 * the last may have been lost, unless another has followed. */
static void lost_data_are_damage_unless_the_power_failed(void **state)
{
    struct scene *s = *state;

    for (int power = 0; power < 2; power++)
        for (int last = 0; last < 2; last++) {
            uint64_t ends[4];
            kill_a_writer(s, 3, power ? there : here);
            find_ends(s, 3, ends);
            flip(s->journal, (last ? ends[2] : ends[1]) + JOURNAL_FRAME + 5);
            bool fine = power && last;
            struct verdict *v =
                must_look(s, fine ? VERDICT_RECOVERABLE : VERDICT_DAMAGED);
            assert_int_equal(v->commits, last ? 2 : 1);
            assert_int_equal(v->stopped_by_power, power);
            if (!fine)
                assert_non_null(strstr(v->why.text, "the data of the frame at byte"));
            verdict_close(v);
            unlink(s->journal);
            assert_int_equal(truncate(s->path, (off_t)s->bytes), 0);
        }
}

static void a_journal_that_somebody_put_there_is_not_believed(void **state)
{
    static const char *const tricks[] = {"ln -s other a.h5" JOURNAL_SUFFIX,
                                         "ln other a.h5" JOURNAL_SUFFIX,
                                         "mkfifo a.h5" JOURNAL_SUFFIX,
                                         "mkdir a.h5" JOURNAL_SUFFIX,
                                         "cp LICENSE a.h5" JOURNAL_SUFFIX,
                                         "install -o 12345 other a.h5" JOURNAL_SUFFIX};
    struct scene *s = *state;

    kill_a_writer(s, 1, here);
    assert_int_equal(scratch_dir_run(&s->dir,
                                     "mv a.h5" JOURNAL_SUFFIX
                                     " other; head -c 500 /dev/urandom >LICENSE"),
                     0);
    for (size_t i = 0; i < sizeof(tricks) / sizeof(*tricks) - (geteuid() != 0); i++) {
        assert_int_equal(scratch_dir_run(&s->dir, tricks[i]), 0);
        assert_verdict(s, VERDICT_DAMAGED, JOURNAL_SUFFIX);
        assert_int_equal(scratch_dir_run(&s->dir, "rm -rf a.h5" JOURNAL_SUFFIX), 0);
    }
}

static void who_has_it_open_is_told(void **state)
{
    struct scene *s = *state;
    int pipes[2];
    char byte;

    assert_int_equal(pipe(pipes), 0);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* also when the test fails */
        struct txn *t = must_write_open(s, here);
        must_write(t, "x", 1, s->data);
        if (txn_commit(t, true, NULL) == SWIM_OK)
            (void)!write(pipes[1], "x", 1);
        pause();
        _exit(0);
    }
    assert_int_equal(read(pipes[0], &byte, 1), 1);
    struct verdict *v = must_look(s, VERDICT_RECOVERABLE);
    assert_true(v->writer.is);
    assert_int_equal(v->writer.pid, pid);
    assert_true(v->user.is && !v->user.alone);
    verdict_close(v);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    v = must_look(s, VERDICT_RECOVERABLE);
    assert_false(v->writer.is || v->user.is);
    verdict_close(v);
    close(pipes[0]);
    close(pipes[1]);
}

static void what_lies_beside_it_is_told(void **state)
{
    struct scene *s = *state;

    for (int i = 0; i < SIDES; i++) {
        char command[100];
        snprintf(command, sizeof(command), "touch a.h5%s", verdict_side_suffixes[i]);
        assert_int_equal(scratch_dir_run(&s->dir, command), 0);
        struct verdict *v = must_look(s, VERDICT_CLEAN);
        for (int n = 0; n < SIDES; n++)
            assert_int_equal(v->sides[n], n <= i);
        verdict_close(v);
    }
}

static ssize_t end_at_pwritev(int fd, const struct iovec *parts, int n, off_t at)
{
    static int calls;

    if (calls++ == 1) { /* the mark first, then the file itself */
        (void)pwritev(fd, &(struct iovec){parts->iov_base, parts->iov_len / 2}, 1, at);
        _exit(0);
    }
    return pwritev(fd, parts, n, at);
}

static void a_copy_that_was_stopped_is_not_foreign(void **state)
{
    struct scene *s = *state;

    kill_a_writer(s, 2, here);
    if (fork() == 0) {
        struct swim_io io = swim_io_system;
        struct txn_options opt = {.io = &io, .write = true, .flocks = true, .fence = 9};
        struct txn *t = NULL;
        io.pwritev = end_at_pwritev;
        memcpy(opt.boot, here, JOURNAL_ID);
        if (txn_open(&t, s->path, &opt, NULL) == SWIM_OK)
            (void)txn_checkpoint(t, NULL);
        _exit(1);
    }
    int status = -1;
    assert_true(wait(&status) > 0 && status == 0);
    struct verdict *v = must_look(s, VERDICT_RECOVERABLE);
    assert_true(v->journal.may_be_copied);
    verdict_close(v);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_whole_file_without_a_journal_is_clean),
        TEST(what_is_no_hdf5_file_is_refused),
        TEST(each_bit_of_a_new_superblock_counts),
        TEST(a_file_that_is_cut_off_is_damaged),
        TEST(a_user_block_may_be_put_before_a_file),
        TEST(a_file_that_a_program_has_open_is_marked),
        TEST(what_a_killed_writer_committed_is_recoverable),
        TEST(what_a_killed_writer_did_not_commit_leaves_it_clean),
        TEST(the_superblock_of_the_committed_state_counts),
        TEST(a_change_of_the_first_bytes_is_foreign),
        TEST(a_change_below_a_frame_is_foreign),
        TEST(a_file_that_was_cut_from_outside_is_foreign),
        TEST(a_file_that_took_the_name_is_foreign),
        TEST(each_byte_of_what_is_committed_counts),
        TEST(a_last_commit_that_is_not_whole_is_none),
        TEST(lost_data_are_damage_unless_the_power_failed),
        TEST(a_journal_that_somebody_put_there_is_not_believed),
        TEST(a_copy_that_was_stopped_is_not_foreign),
        TEST(who_has_it_open_is_told),
        TEST(what_lies_beside_it_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
