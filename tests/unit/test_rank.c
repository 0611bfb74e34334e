/* test_rank.c - a rank that comes into a job when the others are through with it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/wait.h>
#include <unistd.h>

#include "batch/link.h"
#include "batch/run.h"
#include "outputs_scene.h"
#include "redis_fixture.h"

#define RANKS 2

static struct redis_fixture redis;

static int setup(void **state)
{
    return redis_fixture_open(&redis, NULL) || scene_make(state) ||
           scene_input(*state, "in.h5", 8, 1) ||
           scene_job(*state, "total.c",
                     "inputs: {x: {file: in.h5, dataset: A}}\n"
                     "outputs: {sum: {file: out.h5, dataset: S, chunks: [2]}}\n"
                     "params: {keep: 0}\n"
                     "block: [4, 8]\n");
}

static int teardown(void **state)
{
    redis_fixture_close(&redis);
    return scene_remove(state);
}

/* Two ranks say that they are ready; the driver's children, as others look after the
 * dead. */
static void begin_ranks(struct link *links[RANKS])
{
    struct rank_orders orders;
    bool answered = false;
    int status = -1;
    pid_t pid = fork();

    if (pid == 0) {
        for (uint32_t i = 0; i < RANKS; i++) {
            const struct rank_report report = {.rank = i, .ready = 1};
            links[i]->ops->exchange(links[i], &report, &orders, &answered, NULL);
        }
        _exit(orders.phase == COORDINATOR_FINISHED ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* What the ranks of a job share that have nothing left to do. */
static struct fork_shared *job_finished(struct link *links[RANKS])
{
    const uint64_t blocks[1] = {0};
    struct fork_shared *shared = NULL;

    assert_int_equal(fork_shared_create(RANKS, &shared, NULL), SWIM_OK);
    for (uint32_t i = 0; i < RANKS; i++)
        assert_int_equal(fork_link_open(shared, i, &links[i], NULL), SWIM_OK);
    links[0]->ops->set_work(links[0], 1, blocks, false, NULL);
    links[0]->ops->set_pass(links[0], COORDINATOR_FINISHED, NULL);
    begin_ranks(links);
    return shared;
}

static void job_end(struct fork_shared *shared, struct link *links[RANKS])
{
    for (uint32_t i = 0; i < RANKS; i++)
        links[i]->ops->close(links[i], 0, false);
    fork_shared_destroy(shared);
}

/* Its exit status. */
static int run_rank(const struct scene *s, struct fork_shared *shared, uint32_t rank,
                    bool overwrite)
{
    const struct run_options options = {.job_path = s->yaml,
                                        .n_ranks = RANKS,
                                        .n_readers = 1,
                                        .overwrite = overwrite,
                                        .quiet = true,
                                        .url = redis.url,
                                        .command = "h5swim run"};
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        struct job *job = NULL;
        _exit(job_load(s->yaml, NULL, 0, &job, NULL) == SWIM_OK
                  ? rank_main(&options, job, shared, rank)
                  : 99);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void a_rank_that_comes_to_a_finished_job_leaves_in_peace(void **state)
{
    struct coordinator_rank ranks[LINK_RANKS_MOST(RANKS)];
    struct link *links[RANKS];
    struct coordinator c;

    struct fork_shared *shared = job_finished(links);
    fork_shared_gone(shared, 1, "killed"); /* it was killed, and is started again */
    assert_int_equal(run_rank(*state, shared, 1, false), 0);
    assert_true(fork_shared_left(shared, 1));
    links[0]->ops->observe(links[0], &c, ranks);
    assert_int_equal(c.stop, 0);
    assert_int_equal(c.error.code, SWIM_OK);
    assert_int_equal(ranks[1].report.error.code, SWIM_OK);
    job_end(shared, links);
}

static void a_job_that_was_stopped_leaves_the_outputs_as_they_are(void **state)
{
    const struct scene *s = *state;
    struct fork_shared *shared = NULL;
    struct stat before, after;
    swim_error_t err = {0};

    assert_int_equal(scene_input(s, "out.h5", 8, 1), 0);
    assert_int_equal(stat(scratch_dir_file(&s->dir, "out.h5"), &before), 0);
    assert_int_equal(fork_shared_create(RANKS, &shared, NULL), SWIM_OK);
    swim_error_set(&err, SWIM_ERR_IO, "rank 1 has failed");
    fork_shared_stop(shared, &err, 0, 1);
    assert_int_equal(run_rank(s, shared, 0, true), 1);
    assert_int_equal(stat(scratch_dir_file(&s->dir, "out.h5"), &after), 0);
    assert_int_equal(after.st_ino, before.st_ino);
    assert_int_equal(after.st_size, before.st_size);
    assert_int_equal(after.st_mtime, before.st_mtime);
    fork_shared_destroy(shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            a_rank_that_comes_to_a_finished_job_leaves_in_peace, setup, teardown),
        cmocka_unit_test_setup_teardown(
            a_job_that_was_stopped_leaves_the_outputs_as_they_are, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
