/* test_record.c - what a rank keeps of a run has a bound, and goes to rank 0 whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "batch/record_private.h"
#include "scratch_dir.h"

#define RUN 4711
#define MOST 100u

static const size_t sizes[RECORD_LISTS] = {
    [RECORD_PROCESSES] = sizeof(struct record_process),
    [RECORD_BLOCKS] = sizeof(struct record_block),
    [RECORD_INTERVALS] = sizeof(struct record_interval),
    [RECORD_WAITS] = sizeof(struct record_wait),
    [RECORD_REPLACEMENTS] = sizeof(struct record_replacement),
};

static struct scratch_dir dir;

static int setup(void **state)
{
    (void)state;
    return scratch_dir_make(&dir);
}

static int teardown(void **state)
{
    (void)state;
    return scratch_dir_remove(&dir);
}

static void begin(struct record *record, uint32_t rank, int64_t clock_ns)
{
    *record = (struct record){.rank = rank, .clock_ns = clock_ns};
    snprintf(record->path, sizeof(record->path), "%s",
             scratch_dir_file(&dir, "out.run.json"));
    for (unsigned i = 0; i < RECORD_LISTS; i++) {
        record->lists[i].size = sizes[i];
        record->lists[i].most = MOST;
    }
    struct record_process *process = record_add(record, RECORD_PROCESSES);
    process->rank = rank;
    process->began_ns = 1000;
}

static void end(struct record *record)
{
    for (unsigned i = 0; i < RECORD_LISTS; i++)
        free(record->lists[i].items);
}

static void add_block(struct record *record, uint64_t number, uint32_t process)
{
    struct record_block *block = record_add(record, RECORD_BLOCKS);

    block->block = number;
    block->times.process = process;
    block->times.start_ns = 5000;
}

static void a_list_ends_at_its_limit(void **state)
{
    struct record record;

    (void)state;
    begin(&record, 0, 0);
    for (unsigned i = 0; i < MOST; i++)
        add_block(&record, i, 0);
    for (unsigned i = 0; i < 3; i++)
        assert_null(record_add(&record, RECORD_BLOCKS));
    assert_int_equal(record.dropped, 3);
    assert_int_equal(record.lists[RECORD_BLOCKS].n, MOST);
    for (unsigned i = 0; i < MOST; i++)
        assert_int_equal(
            ((struct record_block *)record_at(&record, RECORD_BLOCKS, i))->block, i);
    end(&record);
}

static void a_part_arrives_by_the_clock_of_rank_0(void **state)
{
    struct record zero, one;
    struct stat st;
    char part[PATH_MAX];

    (void)state;
    begin(&zero, 0, 1000000);
    begin(&one, 1, 1000300); /* its host has been up for 300 ns less */
    one.dropped = 2;
    add_block(&one, 7, 0);
    add_block(&one, 8, 99); /* of nobody that is known */
    struct record_wait *wait = record_add(&one, RECORD_WAITS);
    wait->start_ns = 10;
    snprintf(wait->resource, sizeof(wait->resource), "/data/in.h5");
    assert_int_equal(record_part_write(&one, RUN, NULL), SWIM_OK);
    record_part_name(&zero, 1, part);
    assert_string_equal(part, scratch_dir_file(&dir, ".out.run.rank1.part"));
    assert_true(record_part_take(&zero, 1, RUN));
    assert_int_equal(stat(part, &st), -1);
    assert_int_equal(zero.dropped, 2);
    assert_int_equal(zero.lists[RECORD_PROCESSES].n, 2);
    assert_int_equal(zero.lists[RECORD_BLOCKS].n, 1);
    const struct record_block *block = record_at(&zero, RECORD_BLOCKS, 0);
    assert_int_equal(block->block, 7);
    assert_int_equal(block->times.process, 1);
    assert_int_equal(block->times.start_ns, 5300);
    wait = record_at(&zero, RECORD_WAITS, 0);
    assert_int_equal(wait->start_ns, 310);
    assert_string_equal(wait->resource, "/data/in.h5");
    end(&zero);
    end(&one);
}

/* Of another run, another rank, cut off, or none: as if it were not there. */
static void a_part_that_is_not_right_is_left_out(void **state)
{
    struct record zero, one;
    struct stat st;
    char part[PATH_MAX];

    (void)state;
    begin(&zero, 0, 0);
    begin(&one, 1, 0);
    add_block(&one, 7, 0);
    record_part_name(&zero, 1, part);
    assert_false(record_part_take(&zero, 1, RUN));
    assert_int_equal(record_part_write(&one, RUN + 1, NULL), SWIM_OK);
    assert_false(record_part_take(&zero, 1, RUN));
    assert_int_equal(stat(part, &st), -1); /* nobody will want it any more */
    for (long cut = 0;; cut += 40) {
        assert_int_equal(record_part_write(&one, RUN, NULL), SWIM_OK);
        assert_int_equal(stat(part, &st), 0);
        if (cut >= st.st_size)
            break;
        assert_int_equal(truncate(part, cut), 0);
        assert_false(record_part_take(&zero, 1, RUN));
        assert_int_equal(zero.lists[RECORD_PROCESSES].n, 1);
        assert_int_equal(zero.lists[RECORD_BLOCKS].n, 0);
    }
    assert_true(record_part_take(&zero, 1, RUN));
    end(&zero);
    end(&one);
}

static bool holds(const char *path, const char *text)
{
    char seen[64] = "";
    FILE *file = fopen(path, "r");

    assert_non_null(file);
    (void)fread(seen, 1, sizeof(seen) - 1, file);
    fclose(file);
    return strcmp(seen, text) == 0;
}

/* In a folder in which others may write, too, the name of a part leads somewhere else.
 */
static void a_part_is_not_written_through_a_link(void **state)
{
    struct record zero, one;
    struct stat st;
    char part[PATH_MAX], other[PATH_MAX];

    (void)state;
    begin(&zero, 0, 0);
    begin(&one, 1, 0);
    add_block(&one, 7, 0);
    record_part_name(&zero, 1, part);
    snprintf(other, sizeof(other), "%s", scratch_dir_file(&dir, "other"));
    FILE *file = fopen(other, "w");
    assert_non_null(file);
    fputs("not ours", file);
    fclose(file);
    for (int hard = 0; hard < 2; hard++) {
        assert_int_equal(hard ? link(other, part) : symlink(other, part), 0);
        assert_int_equal(record_part_write(&one, RUN, NULL), SWIM_OK);
        assert_true(holds(other, "not ours"));
        assert_int_equal(lstat(part, &st), 0);
        assert_true(S_ISREG(st.st_mode));
        assert_true(record_part_take(&zero, 1, RUN));
    }
    assert_int_equal(zero.lists[RECORD_BLOCKS].n, 2);
    end(&zero);
    end(&one);
}

/* A whole part, but not where a rank has left it; and a pipe, which nobody writes to.
 */
static void a_part_is_not_read_through_a_link(void **state)
{
    struct record zero, one;
    struct stat st;
    char part[PATH_MAX], other[PATH_MAX];

    (void)state;
    begin(&zero, 0, 0);
    begin(&one, 1, 0);
    record_part_name(&zero, 1, part);
    snprintf(other, sizeof(other), "%s", scratch_dir_file(&dir, "other"));
    assert_int_equal(record_part_write(&one, RUN, NULL), SWIM_OK);
    assert_int_equal(rename(part, other), 0);
    assert_int_equal(symlink(other, part), 0);
    assert_false(record_part_take(&zero, 1, RUN));
    assert_int_equal(lstat(part, &st), -1);
    assert_int_equal(stat(other, &st), 0);
    assert_int_equal(mkfifo(part, 0600), 0);
    assert_false(record_part_take(&zero, 1, RUN));
    assert_int_equal(lstat(part, &st), -1);
    assert_int_equal(mkfifo(part, 0600), 0);
    assert_int_equal(record_part_write(&one, RUN, NULL), SWIM_OK);
    assert_true(record_part_take(&zero, 1, RUN));
    end(&zero);
    end(&one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_list_ends_at_its_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(a_part_arrives_by_the_clock_of_rank_0, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_part_that_is_not_right_is_left_out, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_part_is_not_written_through_a_link, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_part_is_not_read_through_a_link, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
