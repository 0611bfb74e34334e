/* test_h5pyswmr_use.c - what went wrong with h5pySWMR although nothing died, one test
 * for each: locks among real processes at a real server. */
#include "lock_scene.h"

#include <hdf5_hl.h>
#include <limits.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>

/* --- names -------------------------------------------------------------------------
 */

/* Hold the lock of test.h5, named as one does who works in its folder. */
static void name_main(struct victim *v)
{
    const struct scene *s = v->scene;
    char resource[PATH_MAX];
    swim_lock_t *lock = NULL;

    if (chdir(s->dir.path) != 0 ||
        swim_resource_of_file("test.h5", resource, sizeof(resource), NULL) != SWIM_OK)
        _exit(77);
    swim_session_t *session = session_new(s, LONG_LEASE_MS, NULL);
    if (take_at(session, resource, SWIM_LOCK_WRITE, 1000, &lock, NULL) != SWIM_OK)
        _exit(78);
    victim_ready(v);
    pause();
}

static void names_of_one_file_are_one_lock(void **state)
{
    static const char *const names[] = {"test.h5",        "./test.h5",      "soft.h5",
                                        "sub/../test.h5", "folder/test.h5", "hard.h5"};
    struct scene *s = *state;

    assert_int_equal(scratch_dir_run(&s->dir, "touch test.h5 other.h5; mkdir sub; "
                                              "ln test.h5 hard.h5; ln -s . folder; "
                                              "ln -s test.h5 soft.h5"),
                     0);
    assert_int_equal(victim_start(s->v[0], name_main, s), 0);
    swim_session_t *session = session_new(s, LONG_LEASE_MS, NULL);
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        char resource[PATH_MAX];
        swim_lock_t *lock = NULL;
        assert_int_equal(swim_resource_of_file(scratch_dir_file(&s->dir, names[i]),
                                               resource, sizeof(resource), NULL),
                         SWIM_OK);
        if (take_at(session, resource, SWIM_LOCK_READ, SWIM_LOCK_TRY, &lock, NULL) !=
            SWIM_ERR_TIMEOUT)
            fail_msg("%s is another lock", names[i]);
    }
    char resource[PATH_MAX];
    swim_lock_t *lock = NULL;
    assert_int_equal(swim_resource_of_file(scratch_dir_file(&s->dir, "other.h5"),
                                           resource, sizeof(resource), NULL),
                     SWIM_OK);
    assert_int_equal(
        take_at(session, resource, SWIM_LOCK_WRITE, SWIM_LOCK_TRY, &lock, NULL),
        SWIM_OK);
    assert_int_equal(swim_lock_release(lock, NULL), SWIM_OK);
    swim_session_close(session);
}

/* --- opening for reading -----------------------------------------------------------
 */

static void make_job(const struct scene *s)
{
    const hsize_t shape[] = {4, 4};
    const float data[16] = {1};

    hid_t file = H5Fcreate(scratch_dir_file(&s->dir, "in.h5"), H5F_ACC_TRUNC,
                           H5P_DEFAULT, H5P_DEFAULT);
    assert_true(file >= 0);
    assert_true(H5LTmake_dataset_float(file, "U", 2, shape, data) >= 0);
    assert_true(H5Fclose(file) >= 0);
    FILE *job = fopen(scratch_dir_file(&s->dir, "job.yaml"), "we");
    assert_non_null(job);
    assert_true(fputs("kernel: wind_speed\n"
                      "inputs: {u: {file: in.h5, dataset: U}, "
                      "v: {file: in.h5, dataset: U}}\n"
                      "outputs: {speed: {file: out.h5, dataset: S}}\n",
                      job) >= 0);
    assert_int_equal(fclose(job), 0);
}

static int run_job(const struct scene *s)
{
    char command[512];

    snprintf(command, sizeof(command),
             "\"$SWIM_BUILD\"/bin/h5swim run job.yaml --overwrite --quiet --wait 2 "
             "--redis %s 2>err",
             s->redis.url);
    int status = scratch_dir_run(&s->dir, command);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* gcc's address sanitizer may deadlock in the child of a process with threads, as the
 * command's are. */
#ifdef __SANITIZE_ADDRESS__
#define CAN_RUN_COMMAND false
#else
#define CAN_RUN_COMMAND true
#endif

/* A job opens its input beside one who reads it all the time, and not beside a writer:
 * so what it takes is the shared lock. */
static void opening_for_reading_takes_a_shared_lock(void **state)
{
    static const enum swim_lock_mode modes[] = {SWIM_LOCK_READ, SWIM_LOCK_WRITE};
    struct scene *s = *state;
    char resource[PATH_MAX];

    if (!CAN_RUN_COMMAND || !getenv("SWIM_BUILD"))
        skip();
    make_job(s);
    assert_int_equal(swim_resource_of_file(scratch_dir_file(&s->dir, "in.h5"), resource,
                                           sizeof(resource), NULL),
                     SWIM_OK);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(
            actor_start(&s->a, s->redis.url, LONG_LEASE_MS, modes[i], resource, 1000),
            0);
        assert_int_equal(actor_hear(&s->a, NULL), SWIM_OK);
        assert_int_equal(run_job(s), modes[i] == SWIM_LOCK_READ ? 0 : 4);
        release(&s->a);
    }
}

/* --- nesting -----------------------------------------------------------------------
 */

/* As visititems() does in h5py: it holds READ, and each node that it shows is read,
 * too. A writer that waits meanwhile does not come between. */
static void locks_nest_where_that_is_safe(void **state)
{
    struct scene *s = *state;
    swim_session_t *session = session_new(s, LONG_LEASE_MS, NULL);
    swim_lock_t *visit = NULL, *node = NULL, *none = NULL;

    assert_int_equal(take(session, SWIM_LOCK_READ, 0, &visit), SWIM_OK);
    start(&s->redis, &s->a, LONG_LEASE_MS, SWIM_LOCK_WRITE, 20000);
    assert_true(redis_fixture_await(&s->redis, QUEUE, 1));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(take(session, SWIM_LOCK_READ, 1000, &node), SWIM_OK);
        assert_int_equal(swim_lock_release(node, NULL), SWIM_OK);
        assert_int_equal(redis_fixture_number(&s->redis, QUEUE), 1);
    }
    /* Where it is not safe it says so instead of waiting for itself. */
    int64_t begin = test_now_ms();
    assert_int_equal(take(session, SWIM_LOCK_WRITE, 20000, &none), SWIM_ERR_DEADLOCK);
    assert_in_range(test_now_ms() - begin, 0, 15000);
    assert_int_equal(swim_lock_release(visit, NULL), SWIM_OK);
    assert_int_equal(actor_hear(&s->a, NULL), SWIM_OK);
    swim_session_close(session);
}

/* --- releasing ---------------------------------------------------------------------
 */

/* A release that names what another process holds, as h5pySWMR sent it; what is ours
 * begins with our session's name. */
static void say_release(swim_session_t *session, const char *ticket, const char *wanted)
{
    const char *argv[] = {session->id, ticket, RESOURCE, "plain"};
    struct redis_answer *answer = NULL;
    bool unsure = false;

    assert_int_equal(
        session_ask(session, &script_release, 4, argv, 0, &answer, &unsure, NULL),
        SWIM_OK);
    assert_string_equal(redis_answer_text(answer), wanted);
    redis_answer_free(answer);
}

static void release_is_by_the_owner_only(void **state)
{
    struct scene *s = *state;
    swim_session_t *session = session_new(s, LONG_LEASE_MS, NULL);
    swim_lock_t *mine = NULL;
    char ticket[TICKET_MAX];

    for (enum swim_lock_mode mode = SWIM_LOCK_READ; mode <= SWIM_LOCK_WRITE; mode++) {
        start_holding(&s->redis, &s->a, LONG_LEASE_MS, mode);
        for (int n = 0; n < 3; n++) {
            snprintf(ticket, sizeof(ticket), "%c/%s/%d", "?RUW"[mode], session -> id,
                     n);
            say_release(session, ticket, "absent");
            assert_closed(s);
        }
        if (mode == SWIM_LOCK_READ) { /* two hold it: each gives back its own */
            assert_int_equal(take(session, mode, 0, &mine), SWIM_OK);
            assert_int_equal(swim_lock_release(mine, NULL), SWIM_OK);
            assert_closed(s);
        }
        release(&s->a);
        start_holding(&s->redis, &s->a, LONG_LEASE_MS, SWIM_LOCK_WRITE);
        release(&s->a);
    }
    swim_session_close(session);
}

/* --- what it costs -----------------------------------------------------------------
 */

/* All commands that the server has carried out, those of scripts too; the question is
 * not among them. */
static long all_calls(const struct scene *s)
{
    char info[16384];
    long sum = 0;

    assert_true(redis_fixture_say(&s->redis, "INFO commandstats", info, sizeof(info)));
    for (const char *at = info; (at = strstr(at, "cmdstat_")); at++) {
        const char *calls = strstr(at, ":calls=");
        if (calls && strncmp(at, "cmdstat_info:", 13) != 0)
            sum += strtol(calls + 7, NULL, 10);
    }
    return sum;
}

static long questions(const struct scene *s)
{
    return redis_fixture_calls(&s->redis, "evalsha") +
           redis_fixture_calls(&s->redis, "eval") +
           redis_fixture_calls(&s->redis, "blpop");
}

/* A waiter is woken; besides, it looks once a second whether the holder still lives.
 * One that asked each 50 ms would ask 40 times. */
static void no_polling(void **state)
{
    struct scene *s = *state;

    start_holding(&s->redis, &s->a, 10000, SWIM_LOCK_WRITE);
    start(&s->redis, &s->b, 10000, SWIM_LOCK_WRITE, 20000);
    assert_true(redis_fixture_await(&s->redis, QUEUE, 1));
    long asked = questions(s), calls = all_calls(s);
    test_nap_ms(2000);
    asked = questions(s) - asked;
    calls = all_calls(s) - calls;
    print_message("2 s of waiting: %ld questions, %ld commands\n", asked, calls);
    assert_in_range(asked, 0, 16);
    assert_in_range(calls, 0, 200);
    release(&s->a);
    assert_int_equal(actor_hear(&s->b, NULL), SWIM_OK);
}

static atomic_int sends;
static pid_t counted_thread;

static ssize_t counting_send(int fd, const void *bytes, size_t size)
{
    if (gettid() == counted_thread) /* not the heartbeat */
        atomic_fetch_add(&sends, 1);
    return redis_link_sockets.send(fd, bytes, size);
}

/* h5pySWMR: 27 for a read lock, 22 for a write lock. */
static void round_trips(void **state)
{
    struct scene *s = *state;
    const struct redis_link_ops ops = {redis_link_sockets.connect, counting_send,
                                       redis_link_sockets.recv};
    swim_session_t *session = session_new(s, LONG_LEASE_MS, &ops);
    swim_lock_t *lock = NULL;

    counted_thread = gettid();
    for (enum swim_lock_mode mode = SWIM_LOCK_READ; mode <= SWIM_LOCK_WRITE; mode++) {
        assert_int_equal(take(session, mode, 0, &lock), SWIM_OK);
        assert_int_equal(swim_lock_release(lock, NULL),
                         SWIM_OK); /* scripts are known */
        atomic_store(&sends, 0);
        for (int i = 0; i < 10; i++) {
            assert_int_equal(take(session, mode, 0, &lock), SWIM_OK);
            assert_int_equal(swim_lock_check(lock, 0, NULL), SWIM_OK);
            assert_int_equal(swim_lock_release(lock, NULL), SWIM_OK);
        }
        assert_int_equal(atomic_load(&sends), 20);
    }
    swim_session_close(session);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(names_of_one_file_are_one_lock),
        TEST(opening_for_reading_takes_a_shared_lock),
        TEST(locks_nest_where_that_is_safe),
        TEST(release_is_by_the_owner_only),
        TEST(no_polling),
        TEST(round_trips),
    };
    if (actor_main(argc, argv))
        return 0;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
