/* test_outputs.c - how a job begins: with nothing, with what it has left, or not at
 * all; with kernels, inputs, a lock server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "batch/partials.h"
#include "outputs_scene.h"

#define COLUMNS 512

static int setup(void **state)
{
    return scene_make(state) || scene_input(*state, "in.h5", COLUMNS, 0) ||
           scene_job(*state, "total.c",
                     "inputs: {x: {file: in.h5, dataset: A}}\n"
                     "outputs: {sum: {file: out.h5, dataset: S, chunks: [2]}}\n"
                     "params: {keep: 0}\n"
                     "block: [4, 512]\n");
}

static void begins(struct scene *s, unsigned run, const char *const *sets,
                   enum outputs_begun how)
{
    scene_plan(s, run, sets);
    scene_begins(s, how);
}

static void refused(struct scene *s, const char *const *sets, const char *says)
{
    scene_plan(s, 99, sets);
    scene_refused(s, SWIM_ERR_ARG, says);
}

/* What a writer does of some blocks of a phase; accumulators are full of their number.
 */
static void write_blocks(struct scene *s, uint32_t phase, uint64_t from, uint64_t to)
{
    const struct setup_targets *t = &s->setup->targets[phase];
    struct output *o = NULL;
    unsigned char acc[4096];

    setup_targets_mark(t, s->mark);
    assert_int_equal(t->n, 1);
    if (output_open(t->list[0].file, t->list[0].specs, t->list[0].n, &store_now, &o,
                    &s->err))
        fail_msg("%s", s->err.text);
    for (uint64_t b = from; b < to; b++) {
        const uint64_t start[2] = {b, 0}, count[2] = {1, s->setup->acc_bytes};
        memset(acc, (int)b + 1, sizeof(acc));
        if (s->setup->phases[phase] == SETUP_PARTIAL)
            assert_int_equal(output_write_slab(o, 0, start, count, acc, NULL), SWIM_OK);
        assert_int_equal(output_done(o, b, NULL), SWIM_OK);
    }
    assert_int_equal(output_close(o, true, NULL), SWIM_OK);
}

static void a_job_goes_on_with_what_it_has_left(void **state)
{
    struct scene *s = *state;

    begins(s, 1, NULL, OUTPUTS_CREATED);
    assert_int_equal(s->setup->n_phases, 1);
    assert_int_equal(s->setup->phase_blocks[0], ROWS / 4);
    assert_int_equal(scene_count_done(s, 0), 0);
    write_blocks(s, 0, 2, 5);
    begins(s, 2, NULL, OUTPUTS_RESUMED);
    assert_int_equal(scene_count_done(s, 0), 3);
    write_blocks(s, 0, 5, 10);
    write_blocks(s, 0, 0, 1);
    begins(s, 3, NULL, OUTPUTS_RESUMED);
    assert_int_equal(scene_count_done(s, 0), 9);
    write_blocks(s, 0, 1, 2);
    assert_int_equal(outputs_finish(&s->outputs, NULL), SWIM_OK);
    begins(s, 4, NULL, OUTPUTS_COMPLETE);
}

static void a_run_that_was_taken_over_ends(void **state)
{
    struct scene *s = *state;
    char first[sizeof(s->mark)];

    begins(s, 1, NULL, OUTPUTS_CREATED);
    memcpy(first, s->mark, sizeof(first));
    begins(s, 2, NULL, OUTPUTS_RESUMED);
    memcpy(s->mark, first, sizeof(first));
    assert_int_equal(outputs_finish(&s->outputs, NULL), SWIM_ERR_IO);
}

/* What is changed, and what is said of it. */
static void a_changed_job_is_refused_and_told_in_what(void **state)
{
    static const char *const cases[][2] = {
        {"params.keep=1", "params.keep is 1, was 0"},
        {"params.fail=x", "params.fail is x, was not given"},
        {"outputs.sum.chunks=[4]", "chunks of output sum are 4, were 2"},
        {"outputs.sum.type=float32", "type of output sum is float32, was float64"},
        {"outputs.sum.fill=3", "fill of output sum is 3, was 9.96"},
        {"outputs.sum.filters={deflate: 2}",
         "filters of output sum are shuffle off, deflate 2"},
        {"block=[8, 512]", "blocks are 8 x 512, were 4 x 512"},
        {"outputs.sum.dataset=T", "dataset of output sum is T, was S"},
        {"inputs.x.file=in2.h5", "file of input x is "},
    };
    struct scene *s = *state;

    assert_int_equal(scene_input(s, "in2.h5", COLUMNS, 7), 0);
    begins(s, 1, NULL, OUTPUTS_CREATED);
    scene_run(s, "cp out.h5 before; stat -c %z out.h5 > t");
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const char *const sets[] = {cases[i][0], NULL};
        refused(s, sets, cases[i][1]);
        assert_non_null(strstr(s->err.text, "unfinished output of another job"));
        assert_non_null(strstr(s->err.text, "--overwrite"));
    }
    scene_run(s, "cmp out.h5 before && stat -c %z out.h5 | cmp - t");
    begins(s, 2, NULL, OUTPUTS_RESUMED);
}

static void another_kernel_is_told(void **state)
{
    const char *const sets[] = {"kernel=./k.c", NULL};
    struct scene *s = *state;
    char command[400];

    snprintf(command, sizeof(command), "cp '%s/tests/support/kernels/total.c' k.c",
             getenv("SWIM_SOURCE"));
    scene_run(s, command);
    begins(s, 1, sets, OUTPUTS_CREATED);
    begins(s, 2, sets, OUTPUTS_RESUMED);
    scene_run(s, "sed -i 's/sum\\[i\\] += more\\[i\\]/sum[i] -= more[i]/' k.c");
    refused(s, sets, "kernel total was changed");
}

static void what_is_no_output_of_this_job_is_refused(void **state)
{
    const char *const other[] = {"params.keep=1", NULL};
    struct scene *s = *state;

    scene_run(s, "echo text > out.h5");
    refused(s, NULL, "no readable HDF5 file");
    scene_run(s, "cp in.h5 out.h5");
    refused(s, NULL, "not an unfinished output");
    scene_run(s, "rm out.h5");
    begins(s, 1, NULL, OUTPUTS_CREATED);
    assert_int_equal(outputs_finish(&s->outputs, NULL), SWIM_OK);
    refused(s, other, "changed since: the parameters");
    scene_run(s, "rm out.h5");
    begins(s, 1, NULL, OUTPUTS_CREATED);
    scene_plan(s, 2, NULL);
    s->outputs.resume = false;
    assert_int_equal(scene_begin(s), SWIM_ERR_ARG);
    assert_non_null(strstr(s->err.text, "--resume goes on with it"));
    s->outputs.overwrite = true;
    assert_int_equal(scene_begin(s), SWIM_OK);
    assert_int_equal(s->how, OUTPUTS_CREATED);
}

/* --- two files ----------------------------------------------------------------- */

static const char *const two_files[] = {"outputs.twice.file=one.h5",
                                        "outputs.positive.file=two.h5", NULL};

static int setup_two(void **state)
{
    return setup(state) ||
           scene_job(*state, "pair.c",
                     "inputs: {a: {file: in.h5, dataset: A}}\n"
                     "outputs:\n"
                     "  twice: {file: both.h5, dataset: T, chunks: [4, 512]}\n"
                     "  positive: {file: both.h5, dataset: P, chunks: [4, 512]}\n"
                     "block: [4, 512]\n");
}

static void mark_blocks(struct scene *s, size_t file, uint64_t from, uint64_t to)
{
    const struct setup_target *t = &s->setup->targets[0].list[file];
    struct output *o = NULL;

    setup_targets_mark(&s->setup->targets[0], s->mark);
    assert_int_equal(output_open(t->file, t->specs, t->n, &store_now, &o, NULL),
                     SWIM_OK);
    for (uint64_t b = from; b < to; b++)
        assert_int_equal(output_done(o, b, NULL), SWIM_OK);
    assert_int_equal(output_close(o, false, NULL), SWIM_OK);
}

static void a_block_is_done_when_it_is_in_all_files(void **state)
{
    struct scene *s = *state;

    begins(s, 1, two_files, OUTPUTS_CREATED);
    assert_int_equal(s->setup->targets[0].n, 2);
    mark_blocks(s, 0, 0, 6);
    assert_int_equal(scene_count_done(s, 0), 0);
    mark_blocks(s, 1, 4, 10);
    assert_int_equal(scene_count_done(s, 0), 2);
    scene_run(s, "rm two.h5");
    begins(s, 2, two_files, OUTPUTS_RESUMED);
    assert_int_equal(scene_count_done(s, 0), 0);
}

static void a_job_killed_between_two_finished_files_goes_on(void **state)
{
    struct scene *s = *state;

    begins(s, 1, two_files, OUTPUTS_CREATED);
    mark_blocks(s, 0, 0, 10);
    mark_blocks(s, 1, 0, 10);
    const struct setup_target *t = &s->setup->targets[0].list[0];
    assert_int_equal(output_finish(t->file, t->specs, t->n, &store_now, NULL), SWIM_OK);
    begins(s, 2, two_files, OUTPUTS_RESUMED);
    assert_int_equal(scene_count_done(s, 0), 10);
    assert_int_equal(outputs_finish(&s->outputs, NULL), SWIM_OK);
    begins(s, 3, two_files, OUTPUTS_COMPLETE);
    scene_run(s, "rm two.h5");
    refused(s, two_files, "two.h5 is not there");
    assert_false(scene_has(s, "two.h5"));
}

/* --overwrite had made the first file anew. */
static void overwriting_killed_between_two_files_goes_on(void **state)
{
    struct scene *s = *state;

    begins(s, 1, two_files, OUTPUTS_CREATED);
    mark_blocks(s, 0, 0, 10);
    mark_blocks(s, 1, 0, 10);
    assert_int_equal(outputs_finish(&s->outputs, NULL), SWIM_OK);
    scene_run(s, "cp two.h5 kept");
    scene_plan(s, 2, two_files);
    s->outputs.overwrite = true;
    s->outputs.resume = false;
    scene_begins(s, OUTPUTS_CREATED);
    mark_blocks(s, 0, 0, 3);
    scene_run(s, "mv kept two.h5");
    begins(s, 3, two_files, OUTPUTS_RESUMED);
    assert_int_equal(scene_count_done(s, 0), 0);
    mark_blocks(s, 0, 3, 10);
    mark_blocks(s, 1, 0, 10);
    assert_int_equal(outputs_finish(&s->outputs, NULL), SWIM_OK);
    begins(s, 4, two_files, OUTPUTS_COMPLETE);
}

/* As a new rank 0 of the run that was to overwrite both. */
static void overwriting_goes_on_beside_a_finished_file(void **state)
{
    struct scene *s = *state;

    begins(s, 1, two_files, OUTPUTS_CREATED);
    mark_blocks(s, 0, 0, 10);
    mark_blocks(s, 1, 0, 10);
    assert_int_equal(outputs_finish(&s->outputs, NULL), SWIM_OK);
    scene_run(s, "echo text > two.h5");
    refused(s, two_files, "two.h5 exists already");
    scene_plan(s, 2, two_files);
    s->outputs.goes_on = true;
    scene_begins(s, OUTPUTS_CREATED);
    assert_int_equal(scene_count_done(s, 0), 0);
}

static void a_refused_job_makes_no_file(void **state)
{
    struct scene *s = *state;

    scene_run(s, "echo text > two.h5");
    refused(s, two_files, "two.h5 exists already");
    assert_false(scene_has(s, "one.h5"));
}

/* --- partial results ---------------------------------------------------------------
 */

static const char *const segments[] = {"block=[4, 128]", NULL};
#define PARTIALS "out.h5.h5swim-partials"

static void partial_results_outlive_a_run(void **state)
{
    struct scene *s = *state;
    struct partials *p = NULL;
    unsigned char acc[4096];

    begins(s, 1, segments, OUTPUTS_CREATED);
    assert_int_equal(s->setup->n_phases, 2);
    assert_int_equal(s->setup->phase_blocks[0], 40);
    assert_true(scene_has(s, PARTIALS));
    write_blocks(s, 0, 0, 30);
    begins(s, 2, segments, OUTPUTS_RESUMED);
    assert_int_equal(scene_count_done(s, 0), 30);
    assert_int_equal(scene_count_done(s, 1), 0);
    write_blocks(s, 0, 30, 40);
    assert_int_equal(partials_open(s->setup, &store_now, &p, NULL), SWIM_OK);
    for (uint64_t b = 0; b < 40; b++) {
        assert_int_equal(partials_read(p, b, acc, NULL), SWIM_OK);
        for (uint64_t i = 0; i < s->setup->acc_bytes; i++)
            assert_int_equal(acc[i], b + 1);
    }
    partials_close(p);
    write_blocks(s, 1, 0, 4);
    begins(s, 3, segments, OUTPUTS_RESUMED);
    assert_int_equal(scene_count_done(s, 0), 40);
    assert_int_equal(scene_count_done(s, 1), 4);
    write_blocks(s, 1, 4, 10);
    assert_int_equal(outputs_finish(&s->outputs, NULL), SWIM_OK);
    assert_int_equal(outputs_clear(&s->outputs, OUTPUTS_COMPLETE, NULL), SWIM_OK);
    scene_run(s, "test \"$(ls)\" = \"in.h5\njob.yaml\nout.h5\"");
}

static void lost_partial_results_are_made_anew_where_they_are_wanted(void **state)
{
    struct scene *s = *state;

    begins(s, 1, segments, OUTPUTS_CREATED);
    write_blocks(s, 0, 0, 40);
    write_blocks(s, 1, 0, 3);
    scene_run(s, "rm " PARTIALS "*");
    begins(s, 2, segments, OUTPUTS_RESUMED);
    assert_true(scene_has(s, PARTIALS));
    assert_int_equal(scene_count_done(s, 1), 3);
    assert_int_equal(scene_count_done(s, 0), 3 * 4);
}

static void partial_results_that_are_left_over_go(void **state)
{
    const char *const other[] = {"block=[4, 256]", NULL};
    struct scene *s = *state;

    /* Killed after the last output was finished. */
    begins(s, 1, segments, OUTPUTS_CREATED);
    scene_run(s, "cp " PARTIALS " kept");
    assert_int_equal(outputs_finish(&s->outputs, NULL), SWIM_OK);
    scene_run(s, "mv kept " PARTIALS);
    begins(s, 2, segments, OUTPUTS_COMPLETE);
    assert_false(scene_has(s, PARTIALS));
    /* Of an output that was removed: of this job, and of another. */
    scene_run(s, "rm out.h5");
    begins(s, 3, segments, OUTPUTS_CREATED);
    write_blocks(s, 0, 0, 7);
    scene_run(s, "rm out.h5");
    begins(s, 4, other, OUTPUTS_CREATED);
    assert_int_equal(scene_count_done(s, 0), 0);
    /* Of a job that has none any more. */
    scene_plan(s, 5, NULL);
    s->outputs.overwrite = true;
    s->outputs.resume = false;
    assert_int_equal(scene_begin(s), SWIM_OK);
    assert_false(scene_has(s, PARTIALS));
    /* Something else by that name is no partial result. */
    scene_run(s, "rm out.h5; echo text > " PARTIALS);
    refused(s, segments, PARTIALS " exists already");
    assert_false(scene_has(s, "out.h5"));
}

/* --- inputs that change -------------------------------------------------------------
 */

/* In a process of its own, by the driver: all of it is value. */
static void change_input(struct scene *s, const char *name, bool driver, double value,
                         int signo)
{
    int status;

    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        const struct swim_store_options opt = {.struct_size = sizeof(opt)};
        hid_t fapl = H5Pcreate(H5P_FILE_ACCESS);
        if (driver && swim_fapl_set(fapl, &opt, NULL) != SWIM_OK)
            _exit(1);
        hid_t file = H5Fopen(scratch_dir_file(&s->dir, name), H5F_ACC_RDWR, fapl);
        hid_t set = H5Dopen2(file, "A", H5P_DEFAULT);
        static double data[ROWS * COLUMNS];
        for (int i = 0; i < ROWS * COLUMNS; i++)
            data[i] = value;
        if (H5Dwrite(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0 ||
            (driver && swim_commit(file, NULL) != SWIM_OK))
            _exit(2);
        if (signo)
            raise(signo);
        H5Dclose(set);
        H5close();
        _exit(0);
    }
    waitpid(pid, &status, 0);
    assert_true(signo ? WIFSIGNALED(status)
                      : WIFEXITED(status) && !WEXITSTATUS(status));
}

static void an_input_that_is_touched_by_nobody_is_the_same(void **state)
{
    struct scene *s = *state;
    char *before;

    scene_plan(s, 1, NULL);
    before = strdup(s->setup->description);
    scene_plan(s, 2, NULL);
    assert_string_equal(before, s->setup->description);
    free(before);
}

/* The run is over.  The killed writer's session is at its end by now, or its locks are
 * soon. */
static void copy_journal(struct scene *s)
{
    scene_end_run(s);
    for (int i = 0; scene_has(s, "in.h5.swimlog") && i < 600; i++) {
        output_settle(scratch_dir_file(&s->dir, "in.h5"), NULL);
        usleep(50000);
    }
    assert_false(scene_has(s, "in.h5.swimlog"));
}

/* A journal is beside the input when the job begins, and in it when it is resumed. */
static void an_input_whose_journal_was_copied_is_the_same(void **state)
{
    struct scene *s = *state;
    struct output_found found;
    uint64_t then;

    change_input(s, "in.h5", true, 5, SIGKILL);
    assert_true(scene_has(s, "in.h5.swimlog"));
    begins(s, 1, segments, OUTPUTS_CREATED);
    write_blocks(s, 0, 0, 7);
    then = s->setup->digest;
    copy_journal(s);
    begins(s, 2, segments, OUTPUTS_RESUMED);
    assert_int_equal(scene_count_done(s, 0), 7);
    /* Under its name of now it is known to the next as well. */
    assert_true(then != s->setup->digest);
    const struct setup_target *t = &s->setup->targets[1].list[0];
    assert_int_equal(output_look(t->file, t->specs, t->n, &store_now, &found, NULL),
                     SWIM_OK);
    assert_string_equal(found.description, s->setup->description);
    assert_string_equal(found.mark, s->mark);
    output_found_free(&found);
    begins(s, 3, segments, OUTPUTS_RESUMED);
    write_blocks(s, 0, 7, 8);
    assert_int_equal(scene_count_done(s, 0), 8);
}

/* The same when the output is finished, and partial results are left beside it. */
static void a_finished_output_is_known_when_the_journal_was_copied(void **state)
{
    struct scene *s = *state;

    change_input(s, "in.h5", true, 5, SIGKILL);
    begins(s, 1, segments, OUTPUTS_CREATED);
    const uint64_t then = s->setup->digest;
    scene_run(s, "cp " PARTIALS " kept");
    assert_int_equal(outputs_finish(&s->outputs, NULL), SWIM_OK);
    scene_run(s, "mv kept " PARTIALS);
    copy_journal(s);
    begins(s, 2, segments, OUTPUTS_COMPLETE);
    assert_true(then != s->setup->digest);
    assert_false(scene_has(s, PARTIALS));
}

static void a_changed_input_is_told(void **state)
{
    struct scene *s = *state;

    for (int driver = 0; driver < 2; driver++)
        for (int journal = 0; journal < 2; journal++) {
            scene_run(s, "rm -f out.h5* in.h5*");
            assert_int_equal(scene_input(s, "in.h5", COLUMNS, 1), 0);
            if (journal)
                change_input(s, "in.h5", true, 5, 0);
            begins(s, 1, NULL, OUTPUTS_CREATED);
            scene_end_run(s);
            change_input(s, "in.h5", driver, 6, 0);
            refused(s, NULL, "another job: input x (");
            assert_non_null(strstr(s->err.text, "in.h5) was changed; --overwrite"));
        }
}

/* The same change, after a job that has read a journal. */
static void an_input_changed_since_its_journal_was_copied_is_told(void **state)
{
    struct scene *s = *state;

    for (int driver = 0; driver < 2; driver++) {
        scene_run(s, "rm -f out.h5* in.h5*");
        assert_int_equal(scene_input(s, "in.h5", COLUMNS, 1), 0);
        change_input(s, "in.h5", true, 5, SIGKILL);
        begins(s, 1, NULL, OUTPUTS_CREATED);
        copy_journal(s);
        change_input(s, "in.h5", driver, 6, 0);
        refused(s, NULL, "was changed");
    }
}

static void a_replaced_input_is_told(void **state)
{
    struct scene *s = *state;

    begins(s, 1, NULL, OUTPUTS_CREATED);
    scene_end_run(s);
    scene_run(s, "cp -p in.h5 new && mv new in.h5");
    refused(s, NULL, "was changed");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, scene_remove)
#define TWO(name) cmocka_unit_test_setup_teardown(name, setup_two, scene_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_job_goes_on_with_what_it_has_left),
        TEST(a_run_that_was_taken_over_ends),
        TEST(a_changed_job_is_refused_and_told_in_what),
        TEST(another_kernel_is_told),
        TEST(what_is_no_output_of_this_job_is_refused),
        TWO(a_block_is_done_when_it_is_in_all_files),
        TWO(a_job_killed_between_two_finished_files_goes_on),
        TWO(overwriting_killed_between_two_files_goes_on),
        TWO(overwriting_goes_on_beside_a_finished_file),
        TWO(a_refused_job_makes_no_file),
        TEST(partial_results_outlive_a_run),
        TEST(lost_partial_results_are_made_anew_where_they_are_wanted),
        TEST(partial_results_that_are_left_over_go),
        TEST(an_input_that_is_touched_by_nobody_is_the_same),
        TEST(an_input_whose_journal_was_copied_is_the_same),
        TEST(a_finished_output_is_known_when_the_journal_was_copied),
        TEST(a_changed_input_is_told),
        TEST(an_input_changed_since_its_journal_was_copied_is_told),
        TEST(a_replaced_input_is_told),
    };
    return cmocka_run_group_tests(tests, store_server_start, store_server_end);
}
