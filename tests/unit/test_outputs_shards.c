/* test_outputs_shards.c - outputs in several files, begun, written, joined and
 * finished; with kernels, inputs, a lock server.  What is written of a block are its
 * rows, and 1000 times the number of the shard. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "batch/shards.h"
#include "outputs_scene.h"

#define BLOCKS 10
#define BLOCK_ROWS (ROWS / BLOCKS)
#define FILL (-1.0)

static int setup(void **state)
{
    return scene_make(state) || scene_input(*state, "in.h5", 8, 0) ||
           scene_job(
               *state, "total.c",
               "inputs: {x: {file: in.h5, dataset: A}}\n"
               "outputs: {sum: {file: out.h5, dataset: S, chunks: [2], filters: none,\n"
               "                fill: -1, layout: sharded, shards: rank}}\n"
               "params: {keep: 0}\n"
               "block: [4, 8]\n");
}

/* The job as a new run of n ranks sees it. */
static void plan(struct scene *s, unsigned number, uint32_t n, const char *set)
{
    const char *const sets[] = {set, NULL};

    scene_plan(s, number, sets);
    assert_int_equal(s->setup->phase_blocks[s->setup->n_phases - 1], BLOCKS);
    s->outputs.n_ranks = n;
    s->outputs.n_hosts = 1;
}

static void begins(struct scene *s, unsigned number, uint32_t n, enum outputs_begun how)
{
    plan(s, number, n, NULL);
    scene_begins(s, how);
}

/* What the writer of a rank does of some blocks. */
static void write_blocks(struct scene *s, uint32_t rank, uint64_t from, uint64_t to)
{
    const struct shards_who who = {.rank = rank, .n_ranks = 9, .n_hosts = 1};
    const struct setup_access access = {.store = store_now};
    struct setup *mine = NULL;
    struct output *o = NULL;

    if (setup_create(s->job, &access, &mine, &s->err) ||
        shards_take(mine, &who, &s->err))
        fail_msg("%s", s->err.text);
    struct setup_targets *t = &mine->targets[mine->n_phases - 1];
    assert_true(t->alone);
    setup_targets_mark(t, s->mark);
    if (output_open(t->list[0].file, t->list[0].specs, t->list[0].n, &store_now, &o,
                    &s->err))
        fail_msg("%s", s->err.text);
    for (uint64_t b = from; b < to; b++) {
        const uint64_t start = b * BLOCK_ROWS, count = BLOCK_ROWS;
        double rows[BLOCK_ROWS];
        for (int i = 0; i < BLOCK_ROWS; i++)
            rows[i] = 1000.0 * rank + (double)start + i;
        assert_int_equal(output_write_slab(o, 0, &start, &count, rows, NULL), SWIM_OK);
        assert_int_equal(output_done(o, b, NULL), SWIM_OK);
    }
    assert_int_equal(output_close(o, true, NULL), SWIM_OK);
    setup_destroy(mine);
}

static size_t count_done(struct scene *s)
{
    return scene_count_done(s, s->setup->n_phases - 1);
}

/* What HDF5 alone reads in the master: from[b] is the shard of block b, -1: missing. */
static void expect_from(const struct scene *s, const int from[BLOCKS])
{
    double rows[ROWS];
    hid_t file =
        H5Fopen(scratch_dir_file(&s->dir, "out.h5"), H5F_ACC_RDONLY, H5P_DEFAULT);
    hid_t set = H5Dopen2(file, "S", H5P_DEFAULT);

    assert_true(H5Dread(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, rows) >=
                0);
    H5Dclose(set);
    H5Fclose(file);
    for (int i = 0; i < ROWS; i++) {
        int shard = from[i / BLOCK_ROWS];
        if (rows[i] != (shard < 0 ? FILL : 1000.0 * shard + i))
            fail_msg("row %d is %g, not from shard %d", i, rows[i], shard);
    }
}

static void look(const struct scene *s, const char *name, struct output_found *found)
{
    const struct setup_target *t = &s->setup->targets[s->setup->n_phases - 1].list[0];

    assert_int_equal(output_look(scratch_dir_file(&s->dir, name), t->specs, t->n,
                                 &store_now, found, NULL),
                     SWIM_OK);
}

/* Of the job as it was planned last. */
static const char *shard_name(const struct scene *s, unsigned number)
{
    static char name[40];

    snprintf(name, sizeof(name), "out.shard-%04u-%.8s.h5", number, s->mark);
    return name;
}

static void expect_state(const struct scene *s, const char *name,
                         enum output_state state)
{
    struct output_found found;

    look(s, name, &found);
    assert_int_equal(found.state, state);
    output_found_free(&found);
}

static void a_block_comes_from_the_first_shard_that_has_it(void **state)
{
    static const int before[BLOCKS] = {-1, 1, 1, 1, -1, -1, 2, 2, -1, -1};
    static const int after[BLOCKS] = {0, 0, 1, 1, -1, -1, 2, 2, -1, -1};
    struct scene *s = *state;

    begins(s, 1, 3, OUTPUTS_CREATED);
    write_blocks(s, 1, 1, 4);
    write_blocks(s, 2, 3, 4);
    write_blocks(s, 2, 6, 8);
    outputs_settle(&s->outputs);
    expect_from(s, before);
    write_blocks(s, 0, 0, 2);
    assert_int_equal(count_done(s), 6);
    outputs_settle(&s->outputs);
    expect_from(s, after);
}

/* The shard was lost meanwhile, and made anew by who goes on. */
static void other_blocks_of_the_same_number_are_joined_anew(void **state)
{
    static const int before[BLOCKS] = {0, 0, 0, -1, -1, -1, -1, -1, -1, -1};
    static const int after[BLOCKS] = {-1, -1, -1, 0, 0, 0, -1, -1, -1, -1};
    struct scene *s = *state;

    begins(s, 1, 1, OUTPUTS_CREATED);
    scene_run(s, "cp out.shard-0000-* empty");
    write_blocks(s, 0, 0, 3);
    outputs_settle(&s->outputs);
    expect_from(s, before);
    scene_run(s, "mv empty $(ls out.shard-0000-*)");
    write_blocks(s, 0, 3, 6);
    outputs_settle(&s->outputs);
    expect_from(s, after);
}

static void shards_of_ranks_that_are_gone_count(void **state)
{
    static const int all[BLOCKS] = {0, 0, 1, 1, 0, 0, 2, 2, 2, 0};
    struct scene *s = *state;

    begins(s, 1, 3, OUTPUTS_CREATED);
    write_blocks(s, 1, 2, 4);
    write_blocks(s, 2, 6, 9);
    begins(s, 2, 1, OUTPUTS_RESUMED);
    assert_int_equal(count_done(s), 5);
    write_blocks(s, 0, 0, 2);
    write_blocks(s, 0, 4, 6);
    assert_int_equal(outputs_finish(&s->outputs, NULL), SWIM_ERR_IO);
    expect_state(s, "out.h5", OUTPUT_UNFINISHED);
    write_blocks(s, 0, 9, 10);
    assert_int_equal(outputs_finish(&s->outputs, NULL), SWIM_OK);
    expect_from(s, all);
    for (unsigned i = 0; i < 3; i++)
        expect_state(s, shard_name(s, i), OUTPUT_FINISHED);
    begins(s, 3, 4, OUTPUTS_COMPLETE);
    assert_false(scene_has(s, shard_name(s, 3)));
}

static void blocks_of_a_lost_shard_are_done_again(void **state)
{
    struct scene *s = *state;

    begins(s, 1, 2, OUTPUTS_CREATED);
    write_blocks(s, 0, 0, 3);
    write_blocks(s, 1, 3, 8);
    scene_run(s, "rm out.shard-0001-*");
    begins(s, 2, 2, OUTPUTS_RESUMED);
    assert_int_equal(count_done(s), 3);
}

static void a_lost_master_is_made_anew(void **state)
{
    static const int some[BLOCKS] = {0, 0, 0, 1, 1, 1, 1, 1, -1, -1};
    struct scene *s = *state;

    begins(s, 1, 2, OUTPUTS_CREATED);
    write_blocks(s, 0, 0, 3);
    write_blocks(s, 1, 3, 8);
    scene_run(s, "rm out.h5*");
    begins(s, 2, 2, OUTPUTS_RESUMED);
    assert_int_equal(count_done(s), 8);
    outputs_settle(&s->outputs);
    expect_from(s, some);
}

static void a_job_killed_when_its_master_was_finished_is_complete(void **state)
{
    static const int all[BLOCKS] = {0, 0, 0, 1, 1, 1, 1, 1, 1, 1};
    struct scene *s = *state;

    begins(s, 1, 2, OUTPUTS_CREATED);
    write_blocks(s, 0, 0, 3);
    write_blocks(s, 1, 3, 10);
    outputs_settle(&s->outputs);
    scene_run(s, "cp out.shard-0001-* kept");
    assert_int_equal(outputs_finish(&s->outputs, NULL), SWIM_OK);
    scene_run(s, "mv kept out.shard-0001-*");
    expect_state(s, shard_name(s, 1), OUTPUT_UNFINISHED);
    begins(s, 2, 2, OUTPUTS_COMPLETE);
    expect_state(s, shard_name(s, 1), OUTPUT_FINISHED);
    expect_from(s, all);
}

static void a_run_that_was_taken_over_changes_no_master(void **state)
{
    struct scene *s = *state;
    struct output_found found;
    char first[sizeof(s->mark)], second[sizeof(s->mark)];
    int64_t next_ns = 1;

    begins(s, 1, 2, OUTPUTS_CREATED);
    memcpy(first, s->mark, sizeof(first));
    write_blocks(s, 0, 0, 3);
    begins(s, 2, 2, OUTPUTS_RESUMED);
    memcpy(second, s->mark, sizeof(second));
    memcpy(s->mark, first, sizeof(first));
    outputs_checkpoint(&s->outputs, &next_ns);
    outputs_settle(&s->outputs);
    assert_int_equal(outputs_finish(&s->outputs, NULL), SWIM_ERR_IO);
    look(s, "out.h5", &found);
    assert_string_equal(found.mark, second);
    output_found_free(&found);
}

/* The other run has not come to the shards yet. */
static void a_master_that_was_taken_over_is_not_replaced(void **state)
{
    static const char next[] = "-00000000000000ff";
    struct scene *s = *state;
    char second[sizeof(s->mark)];

    begins(s, 1, 2, OUTPUTS_CREATED);
    write_blocks(s, 0, 0, 3);
    snprintf(second, sizeof(second), "%.16s%s", s->mark, next);
    const struct setup_target *t = &s->setup->targets[s->setup->n_phases - 1].list[0];
    const struct output_job job = {
        .mark = second, .description = s->setup->description, .n_blocks = BLOCKS};
    assert_int_equal(output_adopt(t->file, t->specs, t->n, &job, &store_now, NULL),
                     SWIM_OK);
    outputs_settle(&s->outputs);
    struct output_found found;
    look(s, "out.h5", &found);
    assert_string_equal(found.mark, second);
    output_found_free(&found);
}

/* One that says so stays also when the output it is of goes. */
static void a_shard_that_is_an_input_is_left_alone(void **state)
{
    struct scene *s = *state;
    char name[40], set[60];

    begins(s, 1, 1, OUTPUTS_CREATED);
    outputs_settle(&s->outputs);
    scene_run(s, "/usr/bin/python3 -c 'import glob, h5py\n"
                 "with h5py.File(glob.glob(\"out.shard-*\")[0], \"r+\") as f:\n"
                 "    f[\"A\"] = [[1.0] * 8] * 40'");
    snprintf(name, sizeof(name), "%s", shard_name(s, 0));
    snprintf(set, sizeof(set), "inputs.x.file=%s", name);
    plan(s, 2, 1, set);
    s->outputs.overwrite = true;
    s->outputs.resume = false;
    scene_refused(s, SWIM_ERR_ARG, "it is an input of the job");
    assert_true(scene_has(s, name));
}

static void overwrites(struct scene *s, unsigned number, uint32_t n, const char *set)
{
    plan(s, number, n, set);
    s->outputs.overwrite = true;
    s->outputs.resume = false;
    scene_begins(s, OUTPUTS_CREATED);
}

static void all_done(struct scene *s)
{
    write_blocks(s, 0, 0, 4);
    write_blocks(s, 1, 4, 10);
    assert_int_equal(outputs_finish(&s->outputs, &s->err), SWIM_OK);
}

static void a_copy_of_a_master_has_no_data_of_the_next_job(void **state)
{
    static const int none[BLOCKS] = {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1};
    struct scene *s = *state;
    char old[40];

    begins(s, 1, 2, OUTPUTS_CREATED);
    all_done(s);
    snprintf(old, sizeof(old), "%s", shard_name(s, 1));
    scene_run(s, "cp out.h5 keep.h5");
    scene_run(s, "sed -i 's/chunks: .2./chunks: [4]/' job.yaml");
    overwrites(s, 2, 2, NULL);
    all_done(s);
    assert_false(scene_has(s, old));
    assert_true(scene_has(s, shard_name(s, 1)));
    scene_run(s, "mv out.h5 new.h5; mv keep.h5 out.h5");
    expect_from(s, none);
}

/* What was in the shards would be fill values in the job that is complete. */
static void a_finished_master_without_a_shard_is_not_complete(void **state)
{
    struct scene *s = *state;
    char says[120];

    begins(s, 1, 2, OUTPUTS_CREATED);
    all_done(s);
    plan(s, 2, 2, NULL);
    scene_run(s, "mv out.shard-0001-* kept");
    snprintf(says, sizeof(says), "%s, with data of ", shard_name(s, 1));
    scene_refused(s, SWIM_ERR_ARG, says);
    scene_refused(s, SWIM_ERR_ARG,
                  " is not there; put it back, or --overwrite makes it anew");
    scene_run(s, "echo no > out.shard-0001-$(ls | sed -n 's/out.shard-0000-//p')");
    scene_refused(s, SWIM_ERR_ARG, " cannot be read; put it back");
    scene_run(s, "mv kept $(ls out.shard-0001-*)");
    scene_begins(s, OUTPUTS_COMPLETE);
    scene_run(s, "rm out.shard-0001-*");
    s->outputs.goes_on = true;
    scene_begins(s, OUTPUTS_CREATED);
    assert_true(scene_has(s, shard_name(s, 1)));
}

/* In the shard of that name, by a program that is not h5swim. */
static void a_finished_master_with_a_foreign_shard_is_not_complete(void **state)
{
    static const struct {
        const char *change, *says;
    } changes[] = {
        {"f.attrs['h5swim_shard_of'] = 'other.h5'", " is no shard of it; "},
        {"f['S'].attrs['h5swim_job'] = '0123456789abcdef'", " is of another job; "},
        {"del f['S']", " has not the dataset; "},
        {"a = dict(f['S'].attrs); del f['S']; f['S'] = [1.0] * 39; "
         "f['S'].attrs.update(a)",
         " has a dataset of another shape; "},
    };
    struct scene *s = *state;
    char command[400];

    begins(s, 1, 2, OUTPUTS_CREATED);
    all_done(s);
    plan(s, 2, 3, NULL);
    for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
        snprintf(command, sizeof(command),
                 "cp out.shard-0001-* kept; /usr/bin/python3 -c \"import glob, h5py\n"
                 "with h5py.File(glob.glob('out.shard-0001-*')[0], 'r+') as f:\n"
                 "    %s\"",
                 changes[i].change);
        scene_run(s, command);
        scene_refused(s, SWIM_ERR_ARG, changes[i].says);
        scene_run(s, "mv kept $(ls out.shard-0001-*)");
    }
    scene_begins(s, OUTPUTS_COMPLETE);
}

/* The folder as --overwrite by a run of n ranks, which put the files of new in the
 * place of those of old one after the other, left it when it was killed after some. */
static void killed_in_overwrite(const struct scene *s, unsigned after)
{
    char command[300];

    snprintf(command, sizeof(command),
             "rm -f out*; cp old/* .; "
             "for f in $(ls old new | grep ^out | sort -u | head -n %u); do "
             "if [ -e new/$f ]; then cp new/$f .; else rm $f; fi; done",
             after);
    scene_run(s, command);
}

static void overwriting_that_was_killed_goes_on(void **state)
{
    static const int all[BLOCKS] = {0, 0, 0, 0, 1, 1, 1, 1, 1, 1};
    static const int all_of_one[BLOCKS] = {0};
    struct scene *s = *state;

    begins(s, 1, 2, OUTPUTS_CREATED);
    all_done(s);
    scene_run(s, "mkdir old new; cp out* old");
    for (uint32_t n = 1; n <= 2; n++) {
        scene_run(s, "rm -f new/*");
        overwrites(s, 2, n, NULL);
        scene_run(s, "cp out* new; ! ls *.swimlog 2>/dev/null");
        for (unsigned after = 1; after <= 3; after++) {
            killed_in_overwrite(s, after);
            begins(s, 3, n, OUTPUTS_RESUMED);
            assert_int_equal(count_done(s), 0);
            assert_true(scene_has(s, shard_name(s, 1)) == (n == 2));
            write_blocks(s, 0, 0, n == 1 ? 10 : 4);
            if (n == 2)
                write_blocks(s, 1, 4, 10);
            assert_int_equal(outputs_finish(&s->outputs, &s->err), SWIM_OK);
            expect_from(s, n == 1 ? all_of_one : all);
        }
        killed_in_overwrite(s, 0);
        begins(s, 3, n, OUTPUTS_COMPLETE);
    }
}

static void a_shard_is_no_output_of_its_own(void **state)
{
    static const char *const how[] = {"", "overwrite", "resume"};
    struct scene *s = *state;
    char set[80], says[120];

    begins(s, 1, 2, OUTPUTS_CREATED);
    all_done(s);
    snprintf(set, sizeof(set), "outputs.sum.file=%s", shard_name(s, 1));
    snprintf(says, sizeof(says), "%s has data of out.h5: ", shard_name(s, 1));
    for (size_t i = 0; i < sizeof(how) / sizeof(*how); i++) {
        plan(s, 2, 2, set);
        s->outputs.overwrite = how[i][0] == 'o';
        s->outputs.resume = how[i][0] == 'r';
        scene_refused(s, SWIM_ERR_ARG, says);
    }
    begins(s, 3, 2, OUTPUTS_COMPLETE);
}

/* Names of shards, and what they say, are of the file that the link leads to. */
static void a_master_by_a_link_is_the_same(void **state)
{
    static const int all[BLOCKS] = {0, 0, 0, 0, 1, 1, 1, 1, 1, 1};
    struct scene *s = *state;

    begins(s, 1, 2, OUTPUTS_CREATED);
    write_blocks(s, 0, 0, 4);
    scene_run(s, "mkdir sub; ln -s ../out.h5 sub/alias.h5");
    plan(s, 2, 2, "outputs.sum.file=sub/alias.h5");
    scene_begins(s, OUTPUTS_RESUMED);
    assert_int_equal(count_done(s), 4);
    write_blocks(s, 1, 4, 10);
    assert_int_equal(outputs_finish(&s->outputs, &s->err), SWIM_OK);
    expect_from(s, all);
    begins(s, 3, 2, OUTPUTS_COMPLETE);
    scene_run(s, "[ $(ls sub | wc -l) = 1 ] && [ $(ls out.* | wc -l) = 3 ]");
}

/* As a new rank 0 of that run; another job's files are still there. */
static void a_run_that_overwrites_another_job_goes_on(void **state)
{
    static const int all[BLOCKS] = {0, 0, 0, 0, 1, 1, 1, 1, 1, 1};
    struct scene *s = *state;

    begins(s, 1, 3, OUTPUTS_CREATED);
    all_done(s);
    scene_run(s, "mkdir old new; cp out* old");
    scene_run(s, "sed -i 's/chunks: .2./chunks: [4]/' job.yaml");
    overwrites(s, 2, 2, NULL);
    scene_run(s, "cp out* new");
    for (unsigned after = 0; after <= 6; after++) {
        killed_in_overwrite(s, after);
        plan(s, 2, 2, NULL);
        if (after == 0)
            scene_refused(s, SWIM_ERR_ARG, "--overwrite");
        s->outputs.goes_on = true;
        assert_int_equal(scene_begin(s), SWIM_OK);
        assert_int_equal(count_done(s), 0);
        scene_run(s, "[ $(ls out.shard-* | wc -l) = 2 ]");
        all_done(s);
        expect_from(s, all);
    }
}

static void checkpoints_come_now_and_then(void **state)
{
    static const int some[BLOCKS] = {0, 0, 0, -1, -1, -1, -1, -1, -1, -1};
    static const int none[BLOCKS] = {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1};
    struct scene *s = *state;
    int64_t next_ns = 0;

    begins(s, 1, 1, OUTPUTS_CREATED);
    write_blocks(s, 0, 0, 3);
    outputs_checkpoint(&s->outputs, &next_ns);
    assert_true(next_ns > 0);
    int64_t then = next_ns;
    outputs_checkpoint(&s->outputs, &next_ns);
    assert_true(next_ns == then);
    expect_from(s, none);
    next_ns = 1;
    outputs_checkpoint(&s->outputs, &next_ns);
    assert_true(next_ns > then);
    expect_from(s, some);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, scene_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_block_comes_from_the_first_shard_that_has_it),
        TEST(other_blocks_of_the_same_number_are_joined_anew),
        TEST(shards_of_ranks_that_are_gone_count),
        TEST(blocks_of_a_lost_shard_are_done_again),
        TEST(a_lost_master_is_made_anew),
        TEST(a_job_killed_when_its_master_was_finished_is_complete),
        TEST(a_run_that_was_taken_over_changes_no_master),
        TEST(a_master_that_was_taken_over_is_not_replaced),
        TEST(a_shard_that_is_an_input_is_left_alone),
        TEST(a_copy_of_a_master_has_no_data_of_the_next_job),
        TEST(a_finished_master_without_a_shard_is_not_complete),
        TEST(a_finished_master_with_a_foreign_shard_is_not_complete),
        TEST(overwriting_that_was_killed_goes_on),
        TEST(a_shard_is_no_output_of_its_own),
        TEST(a_master_by_a_link_is_the_same),
        TEST(a_run_that_overwrites_another_job_goes_on),
        TEST(checkpoints_come_now_and_then),
    };
    return cmocka_run_group_tests(tests, store_server_start, store_server_end);
}
