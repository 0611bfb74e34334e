/* test_output_progress.c - which blocks are in an output, and whose it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <hdf5.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scratch_dir.h"
#include "source_scene.h"
#include "store/output.h"
#include "store/vfd.h"

#define MARK "0123456789abcdef-0000000000000001"
#define NEXT "0123456789abcdef-0000000000000002"
#define OTHER "0123456789abcdee-0000000000000001"
#define DIGEST "0123456789abcdef"
#define ROWS 64
#define MANY 10000000

struct scene {
    struct scratch_dir dir;
    char file[300];
    struct output_spec specs[2];
};

static int setup(void **state)
{
    struct scene *s = calloc(1, sizeof(*s));

    *state = s;
    store_quiet();
    if (!s || scratch_dir_make(&s->dir) != 0)
        return -1;
    snprintf(s->file, sizeof(s->file), "%s/out.h5", s->dir.path);
    for (int i = 0; i < 2; i++)
        s->specs[i] = (struct output_spec){.file = s->file,
                                           .dataset = i ? "/g/b" : "a",
                                           .type = SWIM_TYPE_I32,
                                           .ndim = 2,
                                           .shape = {ROWS, 4},
                                           .chunk = {1, 4},
                                           .fill = -1,
                                           .from_axis = {-1, -1}};
    return 0;
}

static int teardown(void **state)
{
    struct scene *s = *state;

    store_forget_all();
    vfd_use_io(NULL, NULL);
    int rc = scratch_dir_remove(&s->dir);
    free(s);
    return rc;
}

static void make(const struct scene *s, const char *mark, const char *description,
                 uint64_t n_blocks)
{
    const struct output_job job = {
        .mark = mark, .description = description, .n_blocks = n_blocks};
    swim_error_t err = {0};

    if (output_create(s->file, true, s->specs, 2, "h5swim run", &job, &store_now, &err))
        fail_msg("%s", err.text);
}

static struct output *open_it(struct scene *s, const char *mark)
{
    struct output *o = NULL;
    swim_error_t err = {0};

    s->specs[0].mark = s->specs[1].mark = mark;
    if (output_open(s->file, s->specs, 2, &store_now, &o, &err))
        fail_msg("%s", err.text);
    return o;
}

/* A row of both datasets, all of it the number of the block. */
static int write_row(struct output *o, uint64_t block)
{
    const uint64_t start[2] = {block, 0}, count[2] = {1, 4};
    const int32_t n = (int32_t)block, row[4] = {n, n, n, n};
    int rc = output_write_slab(o, 0, start, count, row, NULL);

    return rc == SWIM_OK ? output_write_slab(o, 1, start, count, row, NULL) : rc;
}

static void done(struct output *o, uint64_t block)
{
    assert_int_equal(output_done(o, block, NULL), SWIM_OK);
}

static unsigned char bits[MANY / 8 + 1];

static void read_bits(struct scene *s, const char *mark, uint64_t n_blocks)
{
    swim_error_t err = {0};

    memset(bits, 0xee, sizeof(bits));
    s->specs[0].mark = s->specs[1].mark = mark;
    if (output_progress(s->file, s->specs, 2, &store_now, n_blocks, bits, &err))
        fail_msg("%s", err.text);
}

static bool is_done(uint64_t block)
{
    return bits[block / 8] >> block % 8 & 1;
}

static size_t count_done(uint64_t n_blocks)
{
    size_t n = 0;

    for (uint64_t b = 0; b < n_blocks; b++)
        n += is_done(b);
    return n;
}

static bool row_is(const struct scene *s, const char *dataset, uint64_t row,
                   int32_t value)
{
    const uint64_t start[2] = {row, 0}, count[2] = {1, 4}, zero[2] = {0, 0};
    struct dataset_info *info = NULL;
    struct dataset *set = NULL;
    int32_t found[4] = {0};

    assert_int_equal(store_inspect(s->file, dataset, &info, NULL), SWIM_OK);
    assert_int_equal(
        dataset_open(store_source_of(info), info, SWIM_TYPE_I32, NULL, &set, NULL),
        SWIM_OK);
    assert_int_equal(dataset_read(set, start, count, found, count, zero, NULL),
                     SWIM_OK);
    dataset_close(set);
    store_forget(info);
    return found[0] == value && found[3] == value;
}

static off_t size_of(const struct scene *s, const char *suffix)
{
    char path[400];
    struct stat st;

    snprintf(path, sizeof(path), "%s%s", s->file, suffix);
    return stat(path, &st) == 0 ? st.st_size : -1;
}

static void a_block_counts_from_its_commit_on(void **state)
{
    struct scene *s = *state;

    make(s, MARK, "kernel: k\n", ROWS);
    read_bits(s, MARK, ROWS);
    assert_int_equal(count_done(ROWS), 0);
    struct output *o = open_it(s, MARK);
    assert_int_equal(write_row(o, 9), SWIM_OK);
    done(o, 9);
    read_bits(s, MARK, ROWS);
    assert_int_equal(count_done(ROWS), 0);
    assert_int_equal(output_commit(o, NULL), SWIM_OK);
    read_bits(s, MARK, ROWS);
    assert_true(is_done(9) && count_done(ROWS) == 1);
    done(o, 10);
    done(o, 63);
    assert_int_equal(output_close(o, false, NULL), SWIM_OK);
    read_bits(s, MARK, ROWS);
    assert_true(is_done(9) && is_done(10) && is_done(63) && count_done(ROWS) == 3);
}

/* Commits blocks 0, 2, 4, ... until it is killed, in the middle of anything. */
static struct stat fails_to_sync;

static int failing_fdatasync(int fd)
{
    struct stat st;

    if (fstat(fd, &st) != 0 || st.st_ino != fails_to_sync.st_ino)
        return fdatasync(fd);
    errno = EIO;
    return -1;
}

/* Others may have seen it: it stays, and whoever does it again has it once. */
static void a_block_whose_commit_is_unsure_is_there_with_its_data(void **state)
{
    struct scene *s = *state;
    static struct swim_io io;
    char journal[400];

    io = swim_io_system;
    io.fdatasync = failing_fdatasync;
    make(s, MARK, "kernel: k\n", ROWS);
    snprintf(journal, sizeof(journal), "%s.swimlog", s->file);
    vfd_use_io(&io, NULL);
    struct output *o = open_it(s, MARK);
    assert_int_equal(write_row(o, 9), SWIM_OK);
    done(o, 9);
    assert_int_equal(output_commit(o, NULL), SWIM_OK);
    assert_int_equal(stat(journal, &fails_to_sync), 0);
    assert_int_equal(write_row(o, 10), SWIM_OK);
    done(o, 10);
    assert_int_equal(output_commit_begin(o, NULL), SWIM_OK);
    assert_int_equal(write_row(o, 11), SWIM_OK);
    done(o, 11);
    assert_int_equal(output_commit_end(o, NULL), SWIM_ERR_UNSURE);
    assert_int_equal(output_close(o, false, NULL), SWIM_ERR_UNSURE);
    vfd_use_io(NULL, NULL);
    read_bits(s, MARK, ROWS);
    assert_true(is_done(9) && is_done(10) && count_done(ROWS) == 2);
    assert_true(row_is(s, "a", 10, 10) && row_is(s, "/g/b", 10, 10));
    o = open_it(s, MARK);
    assert_int_equal(write_row(o, 10), SWIM_OK);
    assert_int_equal(write_row(o, 11), SWIM_OK);
    done(o, 10);
    done(o, 11);
    assert_int_equal(output_close(o, false, NULL), SWIM_OK);
    read_bits(s, MARK, ROWS);
    assert_int_equal(count_done(ROWS), 3);
    assert_true(row_is(s, "a", 9, 9) && row_is(s, "/g/b", 11, 11));
    assert_int_equal(size_of(s, ".swimlog"), -1);
}

static void write_for_ever(struct scene *s, int told)
{
    struct output *o = open_it(s, MARK);

    for (uint64_t b = 0;; b += 2) {
        if (write_row(o, b % ROWS) || output_done(o, b % ROWS, NULL))
            _exit(1);
        if (b % 8 == 0 && output_commit(o, NULL))
            _exit(1);
        if (b == 16 && write(told, "x", 1) != 1)
            _exit(1);
    }
}

static void a_killed_writer_leaves_data_and_bits_together(void **state)
{
    struct scene *s = *state;
    char byte;

    for (int round = 0; round < 5; round++) {
        int fds[2], status;
        make(s, MARK, "kernel: k\n", ROWS);
        assert_int_equal(pipe(fds), 0);
        fflush(NULL);
        pid_t pid = fork();
        if (pid == 0)
            write_for_ever(s, fds[1]);
        close(fds[1]);
        assert_int_equal(read(fds[0], &byte, 1), 1);
        usleep((useconds_t)(round * 700));
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
        close(fds[0]);
        assert_true(WIFSIGNALED(status));
        read_bits(s, MARK, ROWS);
        assert_true(count_done(ROWS) >= 8);
        for (uint64_t b = 0; b < ROWS; b++) {
            assert_true(row_is(s, "a", b, is_done(b) ? (int32_t)b : -1));
            assert_true(row_is(s, "g/b", b, is_done(b) ? (int32_t)b : -1));
        }
    }
}

static void bits_of_all_sessions_add_up(void **state)
{
    struct scene *s = *state;
    size_t n = 0;

    make(s, MARK, "kernel: k\n", MANY);
    for (uint64_t session = 0; session < 20; session++) {
        struct output *o = open_it(s, MARK);
        for (uint64_t i = 0; i < 50; i++) {
            done(o, (i * 7919 * 977 + session) % MANY);
            if (i % 10 == 9)
                assert_int_equal(output_commit(o, NULL), SWIM_OK);
        }
        done(o, MANY - 1 - session);
        assert_int_equal(output_close(o, session % 2, NULL), SWIM_OK);
    }
    read_bits(s, MARK, MANY);
    for (uint64_t session = 0; session < 20; session++) {
        for (uint64_t i = 0; i < 50; i++)
            assert_true(is_done((i * 7919 * 977 + session) % MANY));
        assert_true(is_done(MANY - 1 - session));
    }
    for (uint64_t b = 0; b < MANY; b++)
        n += is_done(b);
    assert_int_equal(n, 20 * 51);
}

/* All of the map is 1.25 MB. */
static void a_commit_writes_the_bytes_that_were_changed(void **state)
{
    struct scene *s = *state;

    make(s, MARK, "kernel: k\n", MANY);
    struct output *o = open_it(s, MARK);
    done(o, 5);
    assert_int_equal(output_commit(o, NULL), SWIM_OK);
    off_t before = size_of(s, ".swimlog");
    for (uint64_t b = 0; b < 100; b++)
        done(o, MANY / 2 + b);
    assert_int_equal(output_commit(o, NULL), SWIM_OK);
    off_t close_by = size_of(s, ".swimlog") - before;
    before = size_of(s, ".swimlog");
    for (uint64_t b = 0; b < 100; b++)
        done(o, b * (MANY / 100));
    assert_int_equal(output_commit(o, NULL), SWIM_OK);
    off_t scattered = size_of(s, ".swimlog") - before;
    print_message("100 of %d blocks: %lld bytes close by, %lld scattered\n", MANY,
                  (long long)close_by, (long long)scattered);
    assert_true(before > 0 && close_by > 0);
    assert_true(close_by < 1000);
    assert_true(scattered < 20000);
    assert_int_equal(output_close(o, false, NULL), SWIM_OK);
}

static void a_job_may_have_no_blocks(void **state)
{
    struct scene *s = *state;
    struct output_found found;

    make(s, MARK, "", 0);
    struct output *o = open_it(s, MARK);
    assert_int_equal(output_commit(o, NULL), SWIM_OK);
    assert_int_equal(output_close(o, false, NULL), SWIM_OK);
    read_bits(s, MARK, 0);
    assert_int_equal(bits[0], 0xee);
    assert_int_equal(output_look(s->file, s->specs, 2, &store_now, &found, NULL),
                     SWIM_OK);
    assert_int_equal(found.state, OUTPUT_UNFINISHED);
    assert_true(found.n_blocks == 0 && found.description[0] == '\0');
    output_found_free(&found);
    assert_int_equal(output_finish(s->file, s->specs, 2, &store_now, NULL), SWIM_OK);
}

static void a_block_that_is_none_breaks_the_session(void **state)
{
    struct scene *s = *state;

    make(s, MARK, "kernel: k\n", 9);
    struct output *o = open_it(s, MARK);
    done(o, 8);
    assert_int_equal(output_done(o, 9, NULL), SWIM_ERR_ARG);
    assert_int_equal(output_done(o, 1, NULL), SWIM_ERR_ARG);
    assert_int_equal(output_commit(o, NULL), SWIM_ERR_ARG);
    assert_int_equal(output_close(o, false, NULL), SWIM_ERR_ARG);
    read_bits(s, MARK, 9);
    assert_int_equal(count_done(9), 0);
    assert_int_equal(output_progress(s->file, s->specs, 2, &store_now, 10, bits, NULL),
                     SWIM_ERR_ARG);
    const struct output_job huge = {
        .mark = MARK, .description = "", .n_blocks = (uint64_t)1 << 40};
    assert_int_equal(
        output_create(s->file, true, s->specs, 2, NULL, &huge, &store_now, NULL),
        SWIM_ERR_ARG);
}

static enum output_state state_of(const struct scene *s, struct output_found *found)
{
    assert_int_equal(output_look(s->file, s->specs, 2, &store_now, found, NULL),
                     SWIM_OK);
    return found->state;
}

static void a_look_tells_what_is_there_and_changes_nothing(void **state)
{
    struct scene *s = *state;
    struct output_found found;
    char *description = calloc(1, 200001);

    assert_int_equal(state_of(s, &found), OUTPUT_ABSENT);
    assert_int_equal(scratch_dir_run(&s->dir, "echo no > out.h5"), 0);
    assert_int_equal(state_of(s, &found), OUTPUT_FOREIGN);
    assert_int_equal(scratch_dir_run(&s->dir, "rm out.h5; mkdir out.h5"), 0);
    assert_int_equal(state_of(s, &found), OUTPUT_FOREIGN);
    assert_int_equal(scratch_dir_run(&s->dir, "rmdir out.h5"), 0);
    H5Fclose(H5Fcreate(s->file, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT));
    assert_int_equal(state_of(s, &found), OUTPUT_FOREIGN);
    assert_null(found.mark);

    memset(description, 'd', 200000);
    make(s, MARK, description, 77);
    assert_int_equal(scratch_dir_run(&s->dir, "cp out.h5 copy; stat -c %z out.h5 > t"),
                     0);
    assert_int_equal(state_of(s, &found), OUTPUT_UNFINISHED);
    assert_string_equal(found.mark, MARK);
    assert_string_equal(found.description, description);
    assert_true(found.n_blocks == 77);
    assert_null(found.digest);
    output_found_free(&found);
    assert_int_equal(
        scratch_dir_run(&s->dir, "cmp out.h5 copy && stat -c %z out.h5 | cmp - t"), 0);

    assert_int_equal(output_finish(s->file, s->specs, 2, &store_now, NULL), SWIM_OK);
    assert_int_equal(state_of(s, &found), OUTPUT_FINISHED);
    assert_string_equal(found.digest, DIGEST);
    output_found_free(&found);
    s->specs[1].dataset = "elsewhere";
    assert_int_equal(state_of(s, &found), OUTPUT_FOREIGN);
    free(description);
}

static void the_run_before_stops_when_it_is_taken_over(void **state)
{
    struct scene *s = *state;
    const struct output_job next = {
        .mark = NEXT, .description = "kernel: k\n", .n_blocks = ROWS};
    struct output *o = NULL;

    make(s, MARK, "kernel: k\n", ROWS);
    o = open_it(s, MARK);
    assert_int_equal(write_row(o, 3), SWIM_OK);
    done(o, 3);
    assert_int_equal(output_close(o, true, NULL), SWIM_OK);
    assert_int_equal(output_adopt(s->file, s->specs, 2, &next, &store_now, NULL),
                     SWIM_OK);
    assert_int_equal(output_open(s->file, s->specs, 2, &store_now, &o, NULL),
                     SWIM_ERR_IO);
    assert_int_equal(
        output_progress(s->file, s->specs, 2, &store_now, ROWS, bits, NULL),
        SWIM_ERR_IO);
    assert_int_equal(output_finish(s->file, s->specs, 2, &store_now, NULL),
                     SWIM_ERR_IO);
    read_bits(s, NEXT, ROWS);
    assert_true(is_done(3) && count_done(ROWS) == 1);
    o = open_it(s, NEXT);
    done(o, 4);
    assert_int_equal(output_close(o, false, NULL), SWIM_OK);
    read_bits(s, NEXT, ROWS);
    assert_true(is_done(3) && is_done(4) && count_done(ROWS) == 2);
}

static void adopt_refused(const struct scene *s, const char *mark, uint64_t n_blocks,
                          int code)
{
    const struct output_job job = {
        .mark = mark, .description = "kernel: k\n", .n_blocks = n_blocks};

    assert_int_equal(output_adopt(s->file, s->specs, 2, &job, &store_now, NULL), code);
    assert_int_equal(scratch_dir_run(&s->dir, "cmp out.h5 copy"), 0);
    assert_int_equal(size_of(s, ".swimlog"), -1);
}

static void what_is_not_this_job_is_not_taken_over(void **state)
{
    struct scene *s = *state;

    make(s, MARK, "kernel: k\n", ROWS);
    assert_int_equal(scratch_dir_run(&s->dir, "cp out.h5 copy"), 0);
    adopt_refused(s, OTHER, ROWS, SWIM_ERR_ARG);
    adopt_refused(s, NEXT, ROWS + 1, SWIM_ERR_ARG);
    s->specs[1].chunk[0] = 2;
    adopt_refused(s, NEXT, ROWS, SWIM_ERR_ARG);
    s->specs[1].chunk[0] = 1;
    s->specs[1].dataset = "none";
    adopt_refused(s, NEXT, ROWS, SWIM_ERR_IO);
    assert_int_equal(scratch_dir_run(&s->dir, "rm out.h5; cp copy out.h5"), 0);
    s->specs[1].dataset = "/g/b";
    assert_int_equal(output_finish(s->file, s->specs, 2, &store_now, NULL), SWIM_OK);
    assert_int_equal(scratch_dir_run(&s->dir, "cp out.h5 copy"), 0);
    adopt_refused(s, NEXT, ROWS, SWIM_ERR_ARG);
}

static void a_finished_output_keeps_the_digest_alone(void **state)
{
    struct scene *s = *state;
    char command[400];

    make(s, MARK, "kernel: k\n", ROWS);
    s->specs[0].mark = s->specs[1].mark = MARK;
    assert_int_equal(output_finish(s->file, s->specs, 2, &store_now, NULL), SWIM_OK);
    assert_int_equal(
        scratch_dir_run(&s->dir, "h5dump -a /a/h5swim_job -a /g/b/h5swim_job out.h5 |"
                                 " grep -c '\"" DIGEST "\"' | grep -qx 2 && "
                                 "! h5dump -A out.h5 | grep -q "
                                 "'h5swim_[upd]'"),
        0);
    /* Once more, by a run that was killed before all files were finished. */
    s->specs[0].mark = s->specs[1].mark = NEXT;
    assert_int_equal(output_finish(s->file, s->specs, 2, &store_now, NULL), SWIM_OK);
    s->specs[0].mark = s->specs[1].mark = OTHER;
    assert_int_equal(output_finish(s->file, s->specs, 2, &store_now, NULL),
                     SWIM_ERR_IO);
    snprintf(command, sizeof(command), "ncdump -h out.h5 | grep -q 'int a('");
    assert_int_equal(scratch_dir_run(&s->dir, command), 0);
}

/* An output of a job as the input of another: of a finished one, and of none. */
static void marks_are_not_copied_from_an_input(void **state)
{
    struct scene *s = *state;
    const struct output_job job = {
        .mark = OTHER, .description = "kernel: k\n", .n_blocks = ROWS};
    char other[320];

    snprintf(other, sizeof(other), "%s.2", s->file);
    for (int finished = 0; finished < 2; finished++) {
        struct dataset_info *like = NULL;
        make(s, MARK, "kernel: k\n", ROWS);
        s->specs[0].mark = s->specs[1].mark = NULL;
        if (finished)
            assert_int_equal(output_finish(s->file, s->specs, 2, &store_now, NULL),
                             SWIM_OK);
        assert_int_equal(store_inspect(s->file, "a", &like, NULL), SWIM_OK);
        struct output_spec spec = s->specs[0];
        spec.file = other;
        spec.like = like;
        spec.like_source = store_source_of(like);
        spec.from_axis[0] = 0;
        spec.from_axis[1] = 1;
        assert_int_equal(
            output_create(other, true, &spec, 1, NULL, &job, &store_now, NULL),
            SWIM_OK);
        assert_int_equal(scratch_dir_run(&s->dir, "! h5dump -A out.h5.2 | grep -q -e "
                                                  "h5swim_job -e " DIGEST),
                         0);
        store_forget(like);
    }
}

static void plain_data_have_no_attributes_but_the_mark(void **state)
{
    struct scene *s = *state;
    const struct output_job job = {
        .mark = MARK, .description = "kernel: k\n", .n_blocks = ROWS};
    const uint64_t start[2] = {5, 0}, count[2] = {1, 4};
    struct output *o = NULL;

    s->specs[0].plain = true;
    s->specs[0].mark = MARK;
    assert_int_equal(
        output_create(s->file, true, s->specs, 1, NULL, &job, &store_now, NULL),
        SWIM_OK);
    assert_int_equal(
        scratch_dir_run(&s->dir, "h5dump -A out.h5 | grep ATTRIBUTE | sort | tr -d "
                                 "' {\\n' | grep -qx "
                                 "'ATTRIBUTE\"blocks\"ATTRIBUTE\"h5swim_unfinished\"'"),
        0);
    assert_int_equal(
        scratch_dir_run(&s->dir, "h5ls out.h5 | cut -d' ' -f1 | tr '\\n' ' ' | grep "
                                 "-qx 'a h5swim_description h5swim_progress '"),
        0);
    assert_int_equal(output_open(s->file, s->specs, 1, &store_now, &o, NULL), SWIM_OK);
    const int32_t row[4] = {5, 5, 5, 5};
    assert_int_equal(output_write_slab(o, 0, start, count, row, NULL), SWIM_OK);
    assert_int_equal(output_close(o, false, NULL), SWIM_OK);
    assert_true(row_is(s, "a", 5, 5));
}

static void an_output_is_removed_with_its_journal_when_nobody_has_it(void **state)
{
    struct scene *s = *state;
    const struct swim_lock_options now = {.struct_size = sizeof(now),
                                          .wait_ms = SWIM_LOCK_TRY};
    const struct swim_session_options options = {.struct_size = sizeof(options)};
    swim_session_t *reader = NULL;
    swim_lock_t *held = NULL;
    char resource[400];

    make(s, MARK, "kernel: k\n", ROWS);
    assert_int_equal(swim_session_open(&options, &reader, NULL), SWIM_OK);
    assert_int_equal(swim_resource_of_file(s->file, resource, sizeof(resource), NULL),
                     SWIM_OK);
    assert_int_equal(
        swim_lock_acquire(reader, resource, SWIM_LOCK_READ, &now, &held, NULL),
        SWIM_OK);
    struct output *o = open_it(s, MARK);
    done(o, 1);
    assert_int_equal(output_close(o, true, NULL), SWIM_OK);
    assert_true(size_of(s, ".swimlog") > 0);
    assert_int_equal(output_remove(s->file, &store_now, NULL), SWIM_ERR_TIMEOUT);
    assert_true(size_of(s, "") > 0 && size_of(s, ".swimlog") > 0);
    assert_int_equal(swim_lock_release(held, NULL), SWIM_OK);
    swim_session_close(reader);
    assert_int_equal(output_remove(s->file, &store_now, NULL), SWIM_OK);
    assert_int_equal(scratch_dir_run(&s->dir, "test -z \"$(ls)\""), 0);
    assert_int_equal(output_remove(s->file, &store_now, NULL), SWIM_OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_block_counts_from_its_commit_on),
        TEST(a_block_whose_commit_is_unsure_is_there_with_its_data),
        TEST(a_killed_writer_leaves_data_and_bits_together),
        TEST(bits_of_all_sessions_add_up),
        TEST(a_commit_writes_the_bytes_that_were_changed),
        TEST(a_job_may_have_no_blocks),
        TEST(a_block_that_is_none_breaks_the_session),
        TEST(a_look_tells_what_is_there_and_changes_nothing),
        TEST(the_run_before_stops_when_it_is_taken_over),
        TEST(what_is_not_this_job_is_not_taken_over),
        TEST(a_finished_output_keeps_the_digest_alone),
        TEST(marks_are_not_copied_from_an_input),
        TEST(plain_data_have_no_attributes_but_the_mark),
        TEST(an_output_is_removed_with_its_journal_when_nobody_has_it),
    };
    return cmocka_run_group_tests(tests, store_server_start, store_server_end);
}
