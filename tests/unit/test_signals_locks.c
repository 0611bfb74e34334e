/* test_signals_locks.c - programs that hold a lock and are told to go, wherever they
 * are.
 *
 * Each holds WRITE with a lease of 60 s and counts up in shared memory, which stands
 * for what the lock protects.  Its session seems to be of another host: only the leave
 * hook can have given the lock to the next holder.  When the next holder has it, the
 * count must not move any more. */
#include "lock_tools.h"

#include <hdf5.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <h5swim/signals.h>

#include "victim.h"

#define LEASE_MS 60000
#define SOON_MS 5000 /* far below the lease, far above what a busy machine needs */
#define OTHER "/data/b.h5"

struct scene {
    struct redis_fixture redis;
    struct victim *v;
    swim_session_t *next;
};

static int setup(void **state)
{
    struct scene *s = calloc(1, sizeof(*s));

    *state = s;
    if (!s || redis_fixture_open(&s->redis, NULL) != 0)
        return -1;
    s->v = victim_create();
    return s->v ? 0 : -1;
}

static int teardown(void **state)
{
    struct scene *s = *state;
    char name[96];

    victim_destroy(s->v);
    snprintf(name, sizeof(name), "%s/a.h5", s->redis.dir);
    unlink(name);
    kill(s->redis.pid, SIGCONT);
    swim_session_close(s->next);
    redis_fixture_close(&s->redis);
    free(s);
    return 0;
}

/* --- in the victim --- */

static swim_session_t *session;
static swim_lock_t *held;

static void hold(const struct victim *v)
{
    const struct scene *s = v->scene;
    swim_error_t err = {0};

    if (session_try(s->redis.url, LEASE_MS, NULL, &session, &err) != SWIM_OK ||
        take_at(session, RESOURCE, SWIM_LOCK_WRITE, SWIM_LOCK_TRY, &held, &err) !=
            SWIM_OK) {
        fprintf(stderr, "%s\n", err.text);
        _exit(97);
    }
}

static void start_writer(struct victim *v)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, victim_writer, v) != 0)
        _exit(96);
}

static void in_hdf5(struct victim *v)
{
    static double values[256 * 256];
    const hsize_t dims[2] = {4096, 256}, chunk[2] = {256, 256};
    char name[96];
    const struct scene *s = v->scene;

    victim_install(0, 0, 0);
    hold(v);
    start_writer(v);
    snprintf(name, sizeof(name), "%s/a.h5", s->redis.dir);
    hid_t file = H5Fcreate(name, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hid_t space = H5Screate_simple(2, dims, NULL);
    hid_t memory = H5Screate_simple(2, chunk, NULL);
    hid_t plist = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(plist, 2, chunk);
    H5Pset_deflate(plist, 4);
    hid_t dataset = H5Dcreate2(file, "d", H5T_NATIVE_DOUBLE, space, H5P_DEFAULT, plist,
                               H5P_DEFAULT);
    victim_ready(v);
    for (hsize_t i = 0;; i++) {
        const hsize_t start[2] = {i % 16 * 256, 0};
        for (unsigned k = 0; k < 256 * 256; k++)
            values[k] = sin((double)i + k);
        H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, chunk, NULL);
        if (H5Dwrite(dataset, H5T_NATIVE_DOUBLE, memory, space, H5P_DEFAULT, values) <
            0)
            _exit(95);
    }
}

static void *allocates(void *unused)
{
    for (size_t i = 1;; i = i * 7 % 100003) {
        char *p = malloc(i);
        if (p)
            memset(p, 1, i < 64 ? i : 64);
        free(p);
    }
    return unused;
}

static void in_malloc(struct victim *v)
{
    pthread_t thread;

    pthread_create(&thread, NULL, allocates, NULL);
    victim_install(0, 0, 0);
    hold(v);
    start_writer(v);
    victim_ready(v);
    allocates(NULL);
}

static void in_a_kernel(struct victim *v)
{
    volatile double sum = 0;

    victim_install(0, 0, 0);
    hold(v);
    victim_ready(v);
    for (long i = 0;; i++) {
        sum = sum + sqrt((double)i);
        atomic_fetch_add(&v->writes, 1);
    }
}

static void in_questions(struct victim *v)
{
    victim_install(0, 0, 0);
    hold(v);
    start_writer(v);
    victim_ready(v);
    for (;;) {
        swim_lock_t *lock = NULL;
        if (take_at(session, OTHER, SWIM_LOCK_WRITE, SWIM_LOCK_TRY, &lock, NULL) ==
            SWIM_OK)
            atomic_fetch_add(&v->calls[0], 1);
        swim_lock_release(lock, NULL);
    }
}

/* Somebody else has OTHER; it waits for that and does not care when it is cancelled. */
static void in_the_queue(struct victim *v)
{
    swim_lock_t *lock = NULL;

    victim_install(0, 0, 0);
    hold(v);
    start_writer(v);
    victim_ready(v);
    if (take_at(session, OTHER, SWIM_LOCK_WRITE, SWIM_LOCK_FOREVER, &lock, NULL) ==
        SWIM_ERR_CANCELLED)
        atomic_fetch_add(&v->calls[0], 1);
    for (;;)
        pause();
}

static void with_older_threads(struct victim *v)
{
    for (int i = 0; i < 8; i++)
        start_writer(v);
    hold(v);
    victim_install(0, 0, 0);
    victim_ready(v);
    for (;;)
        pause();
}

static void with_all_blocked(struct victim *v)
{
    sigset_t all;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    start_writer(v);
    victim_install(0, 0, 0);
    hold(v);
    victim_ready(v);
    victim_write(v);
}

static int handler_ends_with;

static void handler(int signo)
{
    (void)signo;
    if (handler_ends_with > 0)
        exit(handler_ends_with); /* NOLINT: what programs do */
}

static void handled(struct victim *v, uint32_t grace_ms)
{
    signal(SIGTERM, handler);
    signal(SIGINT, handler);
    victim_install(grace_ms, 0, 0);
    hold(v);
    start_writer(v);
    victim_ready(v);
    victim_write(v);
}

static void with_a_handler(struct victim *v)
{
    handled(v, 0);
}

static void with_a_handler_that_exits(struct victim *v)
{
    handler_ends_with = 5;
    handled(v, SOON_MS * 2);
}

/* It sees the signal and goes, without a word to the lock server. */
static void that_just_exits(struct victim *v)
{
    victim_install(SOON_MS * 2, 0, 0);
    hold(v);
    start_writer(v);
    victim_ready(v);
    while (!swim_signals_pending())
        ;
    _exit(5);
}

/* What it should do. */
static void that_leaves_at_a_safe_point(struct victim *v)
{
    victim_install(SOON_MS * 2, 0, 0);
    hold(v);
    victim_ready(v);
    while (!swim_signals_pending())
        if (swim_lock_check(held, 0, NULL) == SWIM_OK)
            atomic_fetch_add(&v->writes, 1);
    int rc = swim_lock_release(held, NULL);
    swim_session_close(session);
    _exit(rc == SWIM_OK ? 5 : 95);
}

/* Its child lives on, with copies of all it had. */
static void with_a_child(struct victim *v)
{
    victim_install(0, 0, 0);
    hold(v);
    if (fork() == 0) {
        atomic_store(&v->values[0], getpid());
        for (;;)
            pause();
    }
    start_writer(v);
    victim_ready(v);
    victim_write(v);
}

static void that_is_stubborn(struct victim *v)
{
    victim_install(SOON_MS * 4, 0, 0);
    hold(v);
    start_writer(v);
    victim_ready(v);
    victim_write(v);
}

/* --- in the test --- */

/* 0: killed by signo. */
static void assert_status(int status, int signo, int code)
{
    if (code == 0) {
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), signo);
    } else {
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), code);
    }
}

/* The next holder has the lock, and the count stands still. */
static void assert_taken_over(struct scene *s, int64_t begin_ms)
{
    swim_lock_t *lock = NULL;

    assert_int_equal(take(s->next, SWIM_LOCK_WRITE, SOON_MS, &lock), SWIM_OK);
    long writes = atomic_load(&s->v->writes);
    assert_true(test_now_ms() - begin_ms < SOON_MS);
    test_nap_ms(20);
    assert_int_equal(writes, atomic_load(&s->v->writes));
    assert_int_equal(swim_lock_release(lock, NULL), SWIM_OK);
}

static void begin(struct scene *s, void (*main)(struct victim *))
{
    assert_int_equal(victim_start(s->v, main, s), 0);
    move_sessions_elsewhere(&s->redis);
    if (!s->next)
        s->next = session_at(s->redis.url, LEASE_MS, NULL);
    assert_non_null(s->next);
}

static void is_taken_over(struct scene *s, void (*main)(struct victim *), int code)
{
    static const int signals[] = {SIGTERM, SIGINT};

    for (int i = 0; i < 2; i++) {
        begin(s, main);
        int64_t begin_ms = test_now_ms();
        kill(s->v->pid, signals[i]);
        assert_taken_over(s, begin_ms);
        assert_status(victim_reap(s->v), signals[i], code);
    }
}

#define TAKEN_OVER(name, main, code)       \
    static void name(void **state)         \
    {                                      \
        is_taken_over(*state, main, code); \
    }
TAKEN_OVER(told_to_go_in_hdf5, in_hdf5, 0)
TAKEN_OVER(told_to_go_in_malloc, in_malloc, 0)
TAKEN_OVER(told_to_go_in_a_kernel, in_a_kernel, 0)
TAKEN_OVER(told_to_go_while_it_asks_the_server, in_questions, 0)
TAKEN_OVER(told_to_go_with_threads_older_than_the_handler, with_older_threads, 0)
TAKEN_OVER(told_to_go_with_everything_blocked, with_all_blocked, 0)
TAKEN_OVER(told_to_go_with_a_handler_of_its_own, with_a_handler, 0)
TAKEN_OVER(told_to_go_with_a_handler_that_exits, with_a_handler_that_exits, 5)
TAKEN_OVER(told_to_go_it_exits_at_once, that_just_exits, 5)
TAKEN_OVER(told_to_go_it_leaves_at_a_safe_point, that_leaves_at_a_safe_point, 5)

static void told_to_go_while_it_waits(void **state)
{
    struct scene *s = *state;
    swim_lock_t *other = NULL;

    s->next = session_at(s->redis.url, LEASE_MS, NULL);
    assert_int_equal(
        take_at(s->next, OTHER, SWIM_LOCK_WRITE, SWIM_LOCK_TRY, &other, NULL), SWIM_OK);
    begin(s, in_the_queue);
    assert_true(redis_fixture_await(&s->redis, "ZCARD {h5swim}:q:" OTHER, 1));
    int64_t begin_ms = test_now_ms();
    kill(s->v->pid, SIGTERM);
    assert_taken_over(s, begin_ms);
    assert_status(victim_reap(s->v), SIGTERM, 0);
    assert_int_equal(atomic_load(&s->v->calls[0]), 1); /* it was cancelled in time */
    assert_int_equal(redis_fixture_number(&s->redis, "ZCARD {h5swim}:q:" OTHER), 0);
    swim_lock_release(other, NULL);
}

/* In the middle of a question that is not answered: it ends all the same, and the
 * server hears of it when it goes on. */
static void told_to_go_with_a_server_that_hangs(void **state)
{
    struct scene *s = *state;

    begin(s, in_questions);
    assert_true(victim_reaches(&s->v->calls[0], 1));
    kill(s->redis.pid, SIGSTOP);
    test_nap_ms(20);
    kill(s->v->pid, SIGTERM);
    assert_status(victim_reap(s->v), SIGTERM, 0);
    test_nap_ms(300); /* by then the hook has given up, too */
    kill(s->redis.pid, SIGCONT);
    assert_taken_over(s, test_now_ms());
}

static void told_to_go_beside_a_child_that_stays(void **state)
{
    struct scene *s = *state;

    begin(s, with_a_child);
    int64_t begin_ms = test_now_ms();
    kill(s->v->pid, SIGTERM);
    assert_taken_over(s, begin_ms);
    assert_status(victim_reap(s->v), SIGTERM, 0);
    pid_t child = (pid_t)atomic_load(&s->v->values[0]);
    assert_int_equal(kill(child, 0), 0);
    kill(child, SIGKILL);
}

static void told_twice_it_goes_at_once(void **state)
{
    struct scene *s = *state;

    begin(s, that_is_stubborn);
    int64_t begin_ms = test_now_ms();
    victim_signal_until_gone(s->v, SIGTERM);
    assert_taken_over(s, begin_ms);
    assert_status(victim_reap(s->v), SIGTERM, 0);
}

/* As mpirun and Slurm do when the grace is too long for them. */
static void killed_in_the_grace(void **state)
{
    struct scene *s = *state;

    begin(s, that_is_stubborn);
    int64_t begin_ms = test_now_ms();
    kill(s->v->pid, SIGTERM);
    test_nap_ms(50);
    kill(s->v->pid, SIGKILL);
    assert_taken_over(s, begin_ms);
    assert_status(victim_reap(s->v), SIGKILL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(told_to_go_in_hdf5),
        TEST(told_to_go_in_malloc),
        TEST(told_to_go_in_a_kernel),
        TEST(told_to_go_while_it_asks_the_server),
        TEST(told_to_go_with_a_server_that_hangs),
        TEST(told_to_go_while_it_waits),
        TEST(told_to_go_with_threads_older_than_the_handler),
        TEST(told_to_go_with_everything_blocked),
        TEST(told_to_go_with_a_handler_of_its_own),
        TEST(told_to_go_with_a_handler_that_exits),
        TEST(told_to_go_it_exits_at_once),
        TEST(told_to_go_it_leaves_at_a_safe_point),
        TEST(told_to_go_beside_a_child_that_stays),
        TEST(told_twice_it_goes_at_once),
        TEST(killed_in_the_grace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
