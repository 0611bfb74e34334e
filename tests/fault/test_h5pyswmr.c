/* test_h5pyswmr.c - how h5pySWMR broke, one test for each: locks among real processes
 * at a real server.
 *
 * "Elsewhere" is a host whose processes nobody here can look at: the sessions carry
 * another boot id, so leases alone can end them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <hdf5_hl.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "actor.h"
#include "lock/lock_private.h"
#include "redis_fixture.h"
#include "scratch_dir.h"
#include "victim.h"

#define RESOURCE "/data/a.h5"
#define QUEUE "ZCARD {h5swim}:q:" RESOURCE
#define LEASE_MS 1000
#define LONG_LEASE_MS 60000
#define SLACK_MS 1500 /* for a busy machine */
#define WAITERS 4

struct scene {
    struct redis_fixture redis;
    struct scratch_dir dir;
    struct actor a, b, c;
    struct victim *v[WAITERS];
};

static int setup(void **state)
{
    struct scene *s = calloc(1, sizeof(*s));

    *state = s;
    if (!s || redis_fixture_open(&s->redis, NULL) != 0 || scratch_dir_make(&s->dir))
        return -1;
    for (int i = 0; i < WAITERS; i++)
        if (!(s->v[i] = victim_create()))
            return -1;
    return 0;
}

static int teardown(void **state)
{
    struct scene *s = *state;

    actor_kill(&s->a);
    actor_kill(&s->b);
    actor_kill(&s->c);
    for (int i = 0; i < WAITERS; i++)
        victim_destroy(s->v[i]);
    redis_fixture_close(&s->redis);
    scratch_dir_remove(&s->dir);
    free(s);
    return 0;
}

static void start(const struct scene *s, struct actor *a, uint32_t lease_ms,
                  enum swim_lock_mode mode, int64_t wait_ms)
{
    assert_int_equal(actor_start(a, s->redis.url, lease_ms, mode, RESOURCE, wait_ms),
                     0);
}

static void start_holding(const struct scene *s, struct actor *a, uint32_t lease_ms,
                          enum swim_lock_mode mode)
{
    start(s, a, lease_ms, mode, 20000);
    assert_int_equal(actor_hear(a, NULL), SWIM_OK);
}

static void release(struct actor *a)
{
    actor_tell(a, 'r');
    assert_int_equal(actor_hear(a, NULL), SWIM_OK);
    actor_tell(a, 'x');
    assert_int_equal(actor_reap(a), 0);
}

/* Nobody else gets WRITE now. */
static void assert_closed(const struct scene *s)
{
    struct actor probe = {0};

    start(s, &probe, LEASE_MS, SWIM_LOCK_WRITE, SWIM_LOCK_TRY);
    assert_int_equal(actor_hear(&probe, NULL), SWIM_ERR_TIMEOUT);
    actor_tell(&probe, 'x');
    assert_int_equal(actor_reap(&probe), 0);
}

static void move_sessions_elsewhere(const struct scene *s)
{
    char answer[64];

    assert_true(redis_fixture_say(
        &s->redis,
        "EVAL \"for _,k in ipairs(redis.call('KEYS','{h5swim}:session:*')) do "
        "redis.call('HSET',k,'boot','other') end return 1\" 0",
        answer, sizeof(answer)));
}

/* In a child: a session, or its end with a status that a test sees. */
static swim_session_t *session_new(const struct scene *s, uint32_t lease_ms,
                                   const struct redis_link_ops *ops)
{
    const struct swim_session_options opt = {.struct_size = sizeof(opt),
                                             .url = s->redis.url,
                                             .lease_ms = lease_ms,
                                             .rank = -1};
    swim_session_t *session = NULL;
    swim_error_t err = {0};

    if (session_open(&opt, ops ? ops : &redis_link_sockets, &session, &err) !=
        SWIM_OK) {
        fprintf(stderr, "%s\n", err.text);
        _exit(70);
    }
    return session;
}

static int take(swim_session_t *session, const char *resource, enum swim_lock_mode mode,
                int64_t wait_ms, swim_lock_t **lock)
{
    const struct swim_lock_options opt = {.struct_size = sizeof(opt),
                                          .wait_ms = wait_ms};

    return swim_lock_acquire(session, resource, mode, &opt, lock, NULL);
}

/* --- a holder killed while others retry ------------------------------------------- */

/* Like the waiters of h5pySWMR: try, give up, try again; the second half of them waits
 * in the queue. */
static void retry_main(struct victim *v)
{
    const struct scene *s = v->scene;
    swim_session_t *session = session_new(s, LEASE_MS, NULL);
    int64_t wait_ms = v == s->v[0] || v == s->v[1] ? 20 : 20000;
    int64_t until = test_now_ms() + 20000;
    swim_lock_t *lock = NULL;

    victim_ready(v);
    while (take(session, RESOURCE, SWIM_LOCK_WRITE, wait_ms, &lock) != SWIM_OK) {
        atomic_fetch_add(&v->calls[0], 1);
        if (test_now_ms() >= until)
            _exit(71);
    }
    if (swim_lock_release(lock, NULL) != SWIM_OK)
        _exit(72);
    swim_session_close(session);
    _exit(0);
}

static void a_holder_killed_while_others_retry_does_not_deadlock(void **state)
{
    struct scene *s = *state;

    for (int elsewhere = 0; elsewhere < 2; elsewhere++) {
        uint32_t lease_ms = elsewhere ? LEASE_MS : LONG_LEASE_MS;
        start_holding(s, &s->a, lease_ms, SWIM_LOCK_WRITE);
        for (int i = 0; i < WAITERS; i++) {
            atomic_store(&s->v[i]->calls[0], 0);
            assert_int_equal(victim_start(s->v[i], retry_main, s), 0);
        }
        for (int i = 0; i < 2; i++)
            assert_true(victim_reaches(&s->v[i]->calls[0], 3));
        if (elsewhere)
            move_sessions_elsewhere(s);
        int64_t begin = test_now_ms();
        actor_kill(&s->a);
        for (int i = 0; i < WAITERS; i++)
            assert_int_equal(victim_exit_status(s->v[i]), 0);
        assert_in_range(test_now_ms() - begin, 0, LEASE_MS + SLACK_MS);
    }
}

/* --- a killed reader ---------------------------------------------------------------
 */

/* One reader is killed; those that come after it still keep writers out, together and
 * one by one, and the last of them lets a writer in. */
static void a_killed_reader_lets_no_writer_in_beside_later_readers(void **state)
{
    struct scene *s = *state;

    for (int i = 0; i < 8; i++) {
        int elsewhere = i >= 6;
        start_holding(s, &s->a, elsewhere ? LEASE_MS : LONG_LEASE_MS, SWIM_LOCK_READ);
        if (elsewhere)
            move_sessions_elsewhere(s);
        actor_kill(&s->a);
        start_holding(s, &s->b, LONG_LEASE_MS, SWIM_LOCK_READ);
        start_holding(s, &s->c, LONG_LEASE_MS, SWIM_LOCK_READ);
        assert_closed(s);
        release(&s->b);
        assert_closed(s);
        if (elsewhere) { /* its lease has ended as well: nothing is left of it */
            test_nap_ms(LEASE_MS + 50);
            assert_closed(s);
        }
        release(&s->c);
        start_holding(s, &s->a, LONG_LEASE_MS, SWIM_LOCK_WRITE);
        release(&s->a);
    }
}

/* --- holding for long --------------------------------------------------------------
 */

static void a_lock_held_longer_than_20_s(void **state)
{
    bool is_long = getenv("SWIM_LONG") != NULL;
    struct scene *s = *state;

    for (enum swim_lock_mode mode = SWIM_LOCK_READ; mode <= SWIM_LOCK_WRITE; mode++) {
        /* The usual lease of 10 s in the long run, else all in a tenth of the time. */
        bool real = is_long && mode != SWIM_LOCK_UPDATE;
        start_holding(s, &s->a, real ? 0 : LEASE_MS, mode);
        int64_t until = test_now_ms() + (real ? 25000 : 3 * LEASE_MS + 200);
        while (test_now_ms() < until) {
            assert_closed(s);
            test_nap_ms(100);
        }
        actor_tell(&s->a, 'c');
        assert_int_equal(actor_hear(&s->a, NULL), SWIM_OK);
        release(&s->a);
    }
}

/* --- killed between any two steps --------------------------------------------------
 */

/* Where a process is killed: at its nth message to the server or from it. */
enum step { BEFORE_SEND, AFTER_SEND, AFTER_RECV, N_STEPS };

static struct {
    enum step step;
    int at;
    atomic_int sent, received;
} deadly;

static ssize_t deadly_send(int fd, const void *bytes, size_t size)
{
    int n = atomic_fetch_add(&deadly.sent, 1) + 1;

    if (deadly.step == BEFORE_SEND && n == deadly.at)
        raise(SIGKILL);
    ssize_t sent = redis_link_sockets.send(fd, bytes, size);
    if (deadly.step == AFTER_SEND && n == deadly.at)
        raise(SIGKILL);
    return sent;
}

static ssize_t deadly_recv(int fd, void *bytes, size_t size, bool wait)
{
    ssize_t n = redis_link_sockets.recv(fd, bytes, size, wait);

    if (n > 0 && atomic_fetch_add(&deadly.received, 1) + 1 == deadly.at &&
        deadly.step == AFTER_RECV)
        raise(SIGKILL);
    return n;
}

/* What it does when it is killed: it takes a lock and gives it back, by way of a raise
 * when that is an UPDATE; or it waits for one that it does not get. */
enum play { PLAY_READ = 1, PLAY_UPDATE, PLAY_WRITE, PLAY_WAIT, N_PLAYS };

static void play_resource(enum play play, char *buf, size_t size)
{
    if (play == PLAY_WAIT)
        snprintf(buf, size, RESOURCE);
    else
        snprintf(buf, size, "/steps/%d/%d/%d", (int)play, (int)deadly.step, deadly.at);
}

static void deadly_main(struct victim *v)
{
    const struct redis_link_ops ops = {redis_link_sockets.connect, deadly_send,
                                       deadly_recv};
    enum play play = (enum play)atomic_load(&v->values[0]);
    char resource[64];
    swim_lock_t *lock = NULL;

    victim_ready(v);
    play_resource(play, resource, sizeof(resource));
    swim_session_t *session = session_new(v->scene, LEASE_MS, &ops);
    if (play == PLAY_WAIT) {
        if (take(session, resource, SWIM_LOCK_WRITE, 60, &lock) != SWIM_ERR_TIMEOUT)
            _exit(73);
    } else {
        if (take(session, resource, (enum swim_lock_mode)play, 20000, &lock) != SWIM_OK)
            _exit(74);
        if (play == PLAY_UPDATE && (swim_lock_raise(lock, NULL, NULL) != SWIM_OK ||
                                    swim_lock_lower(lock, NULL) != SWIM_OK))
            _exit(75);
        if (swim_lock_release(lock, NULL) != SWIM_OK)
            _exit(76);
    }
    swim_session_close(session);
    _exit(0);
}

/* Kill one at its 1st message, one at its 2nd, ... until one comes to its end: so many
 * were killed. */
static int kill_at_each_message(struct scene *s, enum play play)
{
    int at = 0;

    for (;;) {
        deadly.at = ++at;
        atomic_store(&s->v[0]->values[0], (long)play);
        assert_int_equal(victim_start(s->v[0], deadly_main, s), 0);
        int status = victim_reap(s->v[0]);
        if (WIFEXITED(status)) {
            assert_int_equal(WEXITSTATUS(status), 0);
            return at - 1;
        }
        assert_int_equal(WTERMSIG(status), SIGKILL);
    }
}

/* All resources of the plays can be had for WRITE. */
static void take_all(const struct scene *s, int killed[N_PLAYS][N_STEPS])
{
    swim_session_t *session = session_new(s, LONG_LEASE_MS, NULL);

    for (int play = PLAY_READ; play <= PLAY_WAIT; play++)
        for (int step = 0; step < N_STEPS; step++)
            for (int at = 1; at <= killed[play][step]; at++) {
                swim_lock_t *lock = NULL;
                char resource[64];
                deadly.step = (enum step)step;
                deadly.at = at;
                play_resource((enum play)play, resource, sizeof(resource));
                if (take(session, resource, SWIM_LOCK_WRITE, 10000, &lock) != SWIM_OK)
                    fail_msg("%s stays locked", resource);
                assert_int_equal(swim_lock_release(lock, NULL), SWIM_OK);
            }
    swim_session_close(session);
}

/* Who opens a session sweeps some of the dead, so a few do. */
static void assert_nothing_is_for_ever(const struct scene *s, int killed)
{
    for (int i = 0; i <= killed / 16; i++)
        swim_session_close(session_new(s, LEASE_MS, NULL));
    assert_int_equal(redis_fixture_number(&s->redis, "ZCARD {h5swim}:sessions"), 0);
    assert_int_equal(
        redis_fixture_number(
            &s->redis, "EVAL \"local n=0 for _,k in ipairs(redis.call('KEYS','*')) do "
                       "if k~='{h5swim}:epoch' and k~='{h5swim}:fence' and "
                       "redis.call('PTTL',k)<0 then n=n+1 end end return n\" 0"),
        0);
}

static void killed_between_any_two_steps_nothing_stays_for_ever(void **state)
{
    struct scene *s = *state;
    int killed[N_PLAYS][N_STEPS] = {{0}}, all = 0;

    start_holding(s, &s->a, LEASE_MS, SWIM_LOCK_READ);
    for (int play = PLAY_READ; play <= PLAY_WAIT; play++)
        for (int step = 0; step < N_STEPS; step++) {
            deadly.step = (enum step)step;
            killed[play][step] = kill_at_each_message(s, (enum play)play);
            /* open twice, take, give back, close at the least */
            assert_true(killed[play][step] >= 5);
            all += killed[play][step];
        }
    print_message("%d killed\n", all);
    move_sessions_elsewhere(s);
    int64_t begin = test_now_ms();
    release(&s->a);
    take_all(s, killed);
    assert_in_range(test_now_ms() - begin, 0, LEASE_MS + SLACK_MS);
    test_nap_ms(LEASE_MS + 50);
    assert_nothing_is_for_ever(s, all);
}

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
    if (take(session, resource, SWIM_LOCK_WRITE, 1000, &lock) != SWIM_OK)
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
        if (take(session, resource, SWIM_LOCK_READ, SWIM_LOCK_TRY, &lock) !=
            SWIM_ERR_TIMEOUT)
            fail_msg("%s is another lock", names[i]);
    }
    char resource[PATH_MAX];
    swim_lock_t *lock = NULL;
    assert_int_equal(swim_resource_of_file(scratch_dir_file(&s->dir, "other.h5"),
                                           resource, sizeof(resource), NULL),
                     SWIM_OK);
    assert_int_equal(take(session, resource, SWIM_LOCK_WRITE, SWIM_LOCK_TRY, &lock),
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

/* A job opens its input beside one who reads it all the time, and not beside a writer:
 * so what it takes is the shared lock. */
static void opening_for_reading_takes_a_shared_lock(void **state)
{
    static const enum swim_lock_mode modes[] = {SWIM_LOCK_READ, SWIM_LOCK_WRITE};
    struct scene *s = *state;
    char resource[PATH_MAX];

    if (!getenv("SWIM_BUILD"))
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

    assert_int_equal(take(session, RESOURCE, SWIM_LOCK_READ, 0, &visit), SWIM_OK);
    start(s, &s->a, LONG_LEASE_MS, SWIM_LOCK_WRITE, 20000);
    assert_true(redis_fixture_await(&s->redis, QUEUE, 1));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(take(session, RESOURCE, SWIM_LOCK_READ, 1000, &node), SWIM_OK);
        assert_int_equal(swim_lock_release(node, NULL), SWIM_OK);
        assert_int_equal(redis_fixture_number(&s->redis, QUEUE), 1);
    }
    /* Where it is not safe it says so instead of waiting for itself. */
    int64_t begin = test_now_ms();
    assert_int_equal(take(session, RESOURCE, SWIM_LOCK_WRITE, 20000, &none),
                     SWIM_ERR_DEADLOCK);
    assert_in_range(test_now_ms() - begin, 0, SLACK_MS);
    assert_int_equal(swim_lock_release(visit, NULL), SWIM_OK);
    assert_int_equal(actor_hear(&s->a, NULL), SWIM_OK);
    swim_session_close(session);
}

/* --- children that fail ------------------------------------------------------------
 */

static void fail_main(struct victim *v)
{
    if (atomic_load(&v->values[0]) == 0)
        _exit(3); /* before it is ready */
    victim_ready(v);
    if (atomic_load(&v->values[0]) == 1)
        _exit(3);
    abort();
}

/* Of the tests themselves: a child that ends badly, at whatever moment, is no success.
 */
static void a_failing_child_is_noticed(void **state)
{
    struct scene *s = *state;
    struct victim *v = s->v[0];

    for (long when = 1; when <= 2; when++) {
        atomic_store(&v->values[0], when);
        assert_int_equal(victim_start(v, fail_main, s), 0);
        int status = victim_reap(v);
        assert_int_not_equal(status, 0);
        assert_true(when == 1 ? WIFEXITED(status) && WEXITSTATUS(status) == 3
                              : WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    }
    /* One that dies before it says a word is neither ready nor silent for ever. */
    atomic_store(&v->values[0], 0);
    int64_t begin = test_now_ms();
    assert_int_equal(victim_start(v, fail_main, s), -1);
    assert_in_range(test_now_ms() - begin, 0, 2000);
    assert_int_equal(victim_exit_status(v), 3);
    start(s, &s->a, LONG_LEASE_MS, SWIM_LOCK_READ, 1000);
    kill(s->a.pid, SIGKILL);
    (void)actor_hear(&s->a, NULL);
    assert_int_equal(actor_hear(&s->a, NULL), 1);
    assert_int_not_equal(actor_reap(&s->a), 0);
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
        start_holding(s, &s->a, LONG_LEASE_MS, mode);
        for (int n = 0; n < 3; n++) {
            snprintf(ticket, sizeof(ticket), "%c/%s/%d", "?RUW"[mode], session -> id,
                     n);
            say_release(session, ticket, "absent");
            assert_closed(s);
        }
        if (mode == SWIM_LOCK_READ) { /* two hold it: each gives back its own */
            assert_int_equal(take(session, RESOURCE, mode, 0, &mine), SWIM_OK);
            assert_int_equal(swim_lock_release(mine, NULL), SWIM_OK);
            assert_closed(s);
        }
        release(&s->a);
        start_holding(s, &s->a, LONG_LEASE_MS, SWIM_LOCK_WRITE);
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

    start_holding(s, &s->a, 10000, SWIM_LOCK_WRITE);
    start(s, &s->b, 10000, SWIM_LOCK_WRITE, 20000);
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
        assert_int_equal(take(session, RESOURCE, mode, 0, &lock), SWIM_OK);
        assert_int_equal(swim_lock_release(lock, NULL),
                         SWIM_OK); /* scripts are known */
        atomic_store(&sends, 0);
        for (int i = 0; i < 10; i++) {
            assert_int_equal(take(session, RESOURCE, mode, 0, &lock), SWIM_OK);
            assert_int_equal(swim_lock_check(lock, 0, NULL), SWIM_OK);
            assert_int_equal(swim_lock_release(lock, NULL), SWIM_OK);
        }
        assert_int_equal(atomic_load(&sends), 20);
    }
    swim_session_close(session);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(a_holder_killed_while_others_retry_does_not_deadlock),
        TEST(a_killed_reader_lets_no_writer_in_beside_later_readers),
        TEST(a_lock_held_longer_than_20_s),
        TEST(killed_between_any_two_steps_nothing_stays_for_ever),
        TEST(names_of_one_file_are_one_lock),
        TEST(opening_for_reading_takes_a_shared_lock),
        TEST(locks_nest_where_that_is_safe),
        TEST(a_failing_child_is_noticed),
        TEST(release_is_by_the_owner_only),
        TEST(no_polling),
        TEST(round_trips),
    };
    if (actor_main(argc, argv))
        return 0;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
