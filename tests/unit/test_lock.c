/* test_lock.c - modes, order, time limits and threads of locks. */
#include "lock_tools.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define WAITERS 6

/* A thread that waits for a lock, notes when it got it, and holds until told. */
struct waiter {
    pthread_t thread;
    swim_session_t *session;
    atomic_int *turn; /* counts those that were let in */
    enum swim_lock_mode mode;
    atomic_int place; /* 0: waits */
    atomic_int go;    /* release now */
    int rc;
    bool runs; /* not joined yet */
};

struct scene {
    struct redis_fixture redis;
    swim_session_t *a, *b;
    atomic_int turn;
    struct waiter w[WAITERS]; /* in the order in which they queue */
};

static swim_session_t *session_new(const struct scene *s, uint32_t lease_ms)
{
    const struct swim_session_options opt = {.struct_size = sizeof(opt),
                                             .url = s->redis.url,
                                             .lease_ms = lease_ms,
                                             .job = "nightly",
                                             .rank = 3};
    swim_session_t *session = NULL;
    swim_error_t err = {0};

    if (swim_session_open(&opt, &session, &err) != SWIM_OK)
        fail_msg("%s", err.text);
    return session;
}

static int setup(void **state)
{
    struct scene *s = calloc(1, sizeof(*s));

    *state = s;
    if (!s || redis_fixture_open(&s->redis, NULL) != 0)
        return -1;
    s->a = session_new(s, 0);
    s->b = session_new(s, 0);
    return 0;
}

static int teardown(void **state)
{
    struct scene *s = *state;
    char answer[64];

    /* After a failed test some may still wait: without data all are lost, and end. */
    for (int i = 0; i < WAITERS; i++) {
        if (!s->w[i].runs)
            continue;
        redis_fixture_say(&s->redis, "FLUSHALL", answer, sizeof(answer));
        atomic_store(&s->w[i].go, 1);
        pthread_join(s->w[i].thread, NULL);
    }
    pair_close(&s->redis, s->a, s->b);
    free(s);
    return 0;
}

/* Another thread asks in the session of the first. */
struct asking {
    swim_session_t *session;
    enum swim_lock_mode mode;
    int rc;
    bool has_lock;
};

static void *ask_once(void *arg)
{
    struct asking *a = arg;
    swim_lock_t *lock = NULL;

    a->rc = take(a->session, a->mode, SWIM_LOCK_TRY, &lock);
    a->has_lock = lock != NULL;
    if (swim_lock_release(lock, NULL) != SWIM_OK)
        a->rc = SWIM_ERR_IO;
    return NULL;
}

static void modes_go_together_as_the_table_says(void **state)
{
    static const int together[4][4] = {{0}, {0, 1, 1, 0}, {0, 1, 0, 0}, {0, 0, 0, 0}};
    const struct scene *s = *state;

    for (enum swim_lock_mode held = SWIM_LOCK_READ; held <= SWIM_LOCK_WRITE; held++)
        for (enum swim_lock_mode mode = SWIM_LOCK_READ; mode <= SWIM_LOCK_WRITE; mode++)
            for (int same = 0; same <= 1; same++) {
                struct asking ask = {.session = same ? s->a : s->b, .mode = mode};
                swim_lock_t *first = NULL;
                pthread_t thread;
                assert_int_equal(take(s->a, held, SWIM_LOCK_TRY, &first), SWIM_OK);
                pthread_create(&thread, NULL, ask_once, &ask);
                pthread_join(thread, NULL);
                if (ask.rc != (together[held][mode] ? SWIM_OK : SWIM_ERR_TIMEOUT))
                    fail_msg("held %d asked %d: %d", (int)held, (int)mode, ask.rc);
                assert_true((ask.rc == SWIM_OK) == ask.has_lock);
                assert_int_equal(swim_lock_release(first, NULL), SWIM_OK);
            }
    assert_int_equal(redis_fixture_number(&s->redis, "EXISTS {h5swim}:r:/data/a.h5 "
                                                     "{h5swim}:w:/data/a.h5 "
                                                     "{h5swim}:q:/data/a.h5"),
                     0);
}

static int open_with_lease(const struct scene *s, const char *text, swim_error_t *err)
{
    const struct swim_session_options opt = {
        .struct_size = sizeof(opt), .url = s->redis.url, .rank = -1};
    swim_session_t *session = NULL;

    setenv("SWIM_LEASE_MS", text, 1);
    swim_error_clear(err);
    int rc = swim_session_open(&opt, &session, err);
    if (rc == SWIM_OK)
        snprintf(err->text, sizeof(err->text), "%ld",
                 redis_fixture_number(&s->redis,
                                      "EVAL \"return tonumber(redis.call('HGET',"
                                      "'{h5swim}:epoch','lease'))\" 0"));
    swim_session_close(session);
    unsetenv("SWIM_LEASE_MS");
    return rc;
}

static void the_environment_sets_the_lease(void **state)
{
    static const char *const bad[] = {
        "x", "-5", "5s", "999", "600001", " 5000", "99999999999999999999"};
    const struct scene *s = *state;
    swim_error_t err = {0};

    assert_int_equal(open_with_lease(s, "33000", &err), SWIM_OK);
    assert_string_equal(err.text, "33000");
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        assert_int_equal(open_with_lease(s, bad[i], &err), SWIM_ERR_ARG);
        assert_non_null(strstr(err.text, "SWIM_LEASE_MS"));
    }
    assert_int_equal(open_with_lease(s, "", &err), SWIM_OK);
}

static void one_script_call_each_way(void **state)
{
    const struct scene *s = *state;
    swim_lock_t *lock = NULL;

    assert_int_equal(take(s->a, SWIM_LOCK_WRITE, 0, &lock), SWIM_OK);
    assert_int_equal(swim_lock_release(lock, NULL), SWIM_OK);
    long before = redis_fixture_calls(&s->redis, "evalsha");
    long full = redis_fixture_calls(&s->redis, "eval");
    for (int i = 0; i < 50; i++) {
        assert_int_equal(take(s->a, SWIM_LOCK_WRITE, 0, &lock), SWIM_OK);
        assert_int_equal(swim_lock_check(lock, 1000, NULL), SWIM_OK);
        assert_int_equal(swim_lock_release(lock, NULL), SWIM_OK);
    }
    assert_int_equal(redis_fixture_calls(&s->redis, "evalsha") - before, 100);
    assert_int_equal(redis_fixture_calls(&s->redis, "eval") - full, 0);
    assert_int_equal(redis_fixture_calls(&s->redis, "blpop"), 0);
}

static void scripts_survive_a_flush(void **state)
{
    const struct scene *s = *state;
    swim_lock_t *lock = NULL;
    char answer[64];

    assert_true(redis_fixture_say(&s->redis, "SCRIPT FLUSH", answer, sizeof(answer)));
    assert_int_equal(take(s->a, SWIM_LOCK_READ, 0, &lock), SWIM_OK);
    assert_int_equal(swim_lock_release(lock, NULL), SWIM_OK);
}

static void *waiter_main(void *arg)
{
    struct waiter *w = arg;
    swim_lock_t *lock = NULL;

    w->rc = take(w->session, w->mode, 20000, &lock);
    if (w->rc != SWIM_OK)
        return NULL;
    atomic_store(&w->place, atomic_fetch_add(w->turn, 1) + 1);
    while (!atomic_load(&w->go))
        test_nap_ms(1);
    w->rc = swim_lock_release(lock, NULL);
    return NULL;
}

/* Start a waiter and see it in the queue as the nth. */
static void waiter_queue(struct scene *s, struct waiter *w, enum swim_lock_mode mode,
                         long n)
{
    memset(w, 0, sizeof(*w));
    w->session = n % 2 ? s->b : s->a;
    w->mode = mode;
    w->turn = &s->turn;
    assert_int_equal(pthread_create(&w->thread, NULL, waiter_main, w), 0);
    w->runs = true;
    assert_true(redis_fixture_await(&s->redis, QUEUE, n));
}

static void waiter_await_in(struct waiter *w)
{
    int64_t until = test_now_ms() + 10000;

    while (atomic_load(&w->place) == 0 && test_now_ms() < until)
        test_nap_ms(1);
    assert_true(atomic_load(&w->place) > 0);
}

static void waiter_finish(struct waiter *w)
{
    waiter_await_in(w);
    atomic_store(&w->go, 1);
    pthread_join(w->thread, NULL);
    w->runs = false;
    assert_int_equal(w->rc, SWIM_OK);
}

static void writers_are_served_in_order(void **state)
{
    struct scene *s = *state;
    swim_lock_t *lock = NULL;

    assert_int_equal(take(s->a, SWIM_LOCK_WRITE, 0, &lock), SWIM_OK);
    for (int i = 0; i < 6; i++)
        waiter_queue(s, &s->w[i], i % 2 ? SWIM_LOCK_UPDATE : SWIM_LOCK_WRITE, i + 1);
    assert_int_equal(swim_lock_release(lock, NULL), SWIM_OK);
    for (int i = 0; i < 6; i++) {
        waiter_finish(&s->w[i]);
        assert_int_equal(atomic_load(&s->w[i].place), i + 1);
    }
}

/* Held R; queue W1 R1 W2 R2 U1.  W1 first; when it leaves R1 and R2 and, because W2 is
 * before it, not U1; then W2, then U1. */
static void admission_is_phase_fair(void **state)
{
    struct scene *s = *state;
    swim_lock_t *lock = NULL;

    assert_int_equal(take(s->a, SWIM_LOCK_READ, 0, &lock), SWIM_OK);
    waiter_queue(s, &s->w[0], SWIM_LOCK_WRITE, 1);
    waiter_queue(s, &s->w[1], SWIM_LOCK_READ, 2);
    waiter_queue(s, &s->w[2], SWIM_LOCK_WRITE, 3);
    waiter_queue(s, &s->w[3], SWIM_LOCK_READ, 4);
    waiter_queue(s, &s->w[4], SWIM_LOCK_UPDATE, 5);
    /* no reader passes the waiting writer */
    assert_int_equal(atomic_load(&s->turn), 0);
    assert_int_equal(swim_lock_release(lock, NULL), SWIM_OK);
    waiter_await_in(&s->w[0]);
    assert_int_equal(atomic_load(&s->turn), 1);
    waiter_finish(&s->w[0]);
    waiter_await_in(&s->w[1]);
    waiter_await_in(&s->w[3]);
    assert_int_equal(atomic_load(&s->turn), 3);
    assert_int_equal(redis_fixture_number(&s->redis, QUEUE), 2);
    waiter_finish(&s->w[1]);
    assert_int_equal(atomic_load(&s->w[2].place), 0);
    waiter_finish(&s->w[3]);
    waiter_finish(&s->w[2]);
    assert_int_equal(atomic_load(&s->w[2].place), 4);
    waiter_finish(&s->w[4]);
}

/* Held W; queue U1 W1 R1: R1 and U1 together, then W1. */
static void an_update_that_is_next_goes_with_the_readers(void **state)
{
    struct scene *s = *state;
    swim_lock_t *lock = NULL;

    assert_int_equal(take(s->a, SWIM_LOCK_WRITE, 0, &lock), SWIM_OK);
    waiter_queue(s, &s->w[0], SWIM_LOCK_UPDATE, 1);
    waiter_queue(s, &s->w[1], SWIM_LOCK_WRITE, 2);
    waiter_queue(s, &s->w[2], SWIM_LOCK_READ, 3);
    assert_int_equal(swim_lock_release(lock, NULL), SWIM_OK);
    waiter_await_in(&s->w[0]);
    waiter_await_in(&s->w[2]);
    assert_int_equal(atomic_load(&s->w[1].place), 0);
    waiter_finish(&s->w[0]);
    waiter_finish(&s->w[2]);
    waiter_finish(&s->w[1]);
}

/* The wake-up comes with the release, not when the waiter happens to look: after its
 * first look the next is a third of its lease away, and that is 20 s. */
static void a_release_wakes_a_long_waiter_at_once(void **state)
{
    struct scene *s = *state;
    swim_lock_t *lock = NULL;

    swim_session_close(s->a);
    swim_session_close(s->b);
    s->a = session_new(s, 60000);
    s->b = session_new(s, 60000);
    assert_int_equal(take(s->a, SWIM_LOCK_WRITE, 0, &lock), SWIM_OK);
    waiter_queue(s, &s->w[0], SWIM_LOCK_WRITE, 1);
    test_nap_ms(200);
    int64_t begin = test_now_ms();
    assert_int_equal(swim_lock_release(lock, NULL), SWIM_OK);
    waiter_await_in(&s->w[0]);
    assert_true(test_now_ms() - begin < 10000);
    waiter_finish(&s->w[0]);
}

static void readers_pass_a_waiting_update(void **state)
{
    struct scene *s = *state;
    swim_lock_t *update = NULL, *read = NULL;

    assert_int_equal(take(s->a, SWIM_LOCK_UPDATE, 0, &update), SWIM_OK);
    waiter_queue(s, &s->w[0], SWIM_LOCK_UPDATE, 1);
    assert_int_equal(take(s->b, SWIM_LOCK_READ, SWIM_LOCK_TRY, &read), SWIM_OK);
    assert_int_equal(swim_lock_release(read, NULL), SWIM_OK);
    assert_int_equal(swim_lock_release(update, NULL), SWIM_OK);
    waiter_finish(&s->w[0]);
}

static void a_time_limit_says_who_holds_it_and_leaves_nothing(void **state)
{
    const struct scene *s = *state;
    const struct swim_lock_options opt = {.struct_size = sizeof(opt), .wait_ms = 150};
    swim_lock_t *lock = NULL, *none = NULL, *read = NULL;
    swim_error_t err = {0};
    char pid[128];

    assert_int_equal(take(s->a, SWIM_LOCK_READ, 0, &lock), SWIM_OK);
    int64_t begin = test_now_ms();
    assert_int_equal(
        swim_lock_acquire(s->b, "/data/a.h5", SWIM_LOCK_WRITE, &opt, &none, &err),
        SWIM_ERR_TIMEOUT);
    assert_in_range(test_now_ms() - begin, 149, 20000);
    assert_null(none);
    snprintf(pid, sizeof(pid), ":%ld (%s, job nightly)", (long)getpid(),
             s->a->self.user);
    assert_non_null(strstr(err.text, "READ held"));
    assert_non_null(strstr(err.text, pid));
    /* The given-up WRITE no longer blocks readers. */
    assert_int_equal(take(s->b, SWIM_LOCK_READ, SWIM_LOCK_TRY, &read), SWIM_OK);
    assert_int_equal(redis_fixture_number(&s->redis, QUEUE), 0);
    assert_int_equal(swim_lock_release(read, NULL), SWIM_OK);
    assert_int_equal(swim_lock_release(lock, NULL), SWIM_OK);
}

static void a_waiter_that_gives_up_lets_others_pass(void **state)
{
    struct scene *s = *state;
    swim_lock_t *lock = NULL;

    assert_int_equal(take(s->a, SWIM_LOCK_READ, 0, &lock), SWIM_OK);
    waiter_queue(s, &s->w[1], SWIM_LOCK_WRITE, 1);
    waiter_queue(s, &s->w[0], SWIM_LOCK_READ, 2);
    /* A third party's WRITE gives up behind them: nothing moves. */
    swim_lock_t *none = NULL;
    assert_int_equal(take(s->b, SWIM_LOCK_WRITE, 60, &none), SWIM_ERR_TIMEOUT);
    assert_int_equal(atomic_load(&s->turn), 0);
    assert_int_equal(swim_lock_release(lock, NULL), SWIM_OK);
    waiter_finish(&s->w[1]);
    waiter_finish(&s->w[0]);
}

static void fences_grow(void **state)
{
    const struct scene *s = *state;
    uint64_t last = 0;

    for (int i = 0; i < 20; i++) {
        swim_lock_t *lock = NULL;
        enum swim_lock_mode mode = i % 2 ? SWIM_LOCK_UPDATE : SWIM_LOCK_WRITE;
        assert_int_equal(take(i % 3 ? s->a : s->b, mode, 0, &lock), SWIM_OK);
        assert_true(swim_lock_fence(lock) > last);
        last = swim_lock_fence(lock);
        assert_int_equal(swim_lock_release(lock, NULL), SWIM_OK);
        assert_int_equal(take(s->a, SWIM_LOCK_READ, 0, &lock), SWIM_OK);
        assert_int_equal(swim_lock_fence(lock), 0);
        assert_int_equal(swim_lock_release(lock, NULL), SWIM_OK);
    }
}

static void a_fence_handed_over_in_the_queue_grows_too(void **state)
{
    struct scene *s = *state;
    swim_lock_t *lock = NULL, *last = NULL;

    assert_int_equal(take(s->a, SWIM_LOCK_WRITE, 0, &lock), SWIM_OK);
    uint64_t first = swim_lock_fence(lock);
    waiter_queue(s, &s->w[0], SWIM_LOCK_WRITE, 1);
    assert_int_equal(swim_lock_release(lock, NULL), SWIM_OK);
    waiter_finish(&s->w[0]);
    assert_int_equal(take(s->a, SWIM_LOCK_WRITE, 0, &last), SWIM_OK);
    assert_true(swim_lock_fence(last) >= first + 2);
    assert_int_equal(swim_lock_release(last, NULL), SWIM_OK);
}

static void closing_a_session_releases_what_it_holds(void **state)
{
    struct scene *s = *state;
    swim_session_t *third = session_new(s, 0);
    swim_lock_t *lock = NULL;

    assert_int_equal(take(third, SWIM_LOCK_WRITE, 0, &lock), SWIM_OK);
    waiter_queue(s, &s->w[0], SWIM_LOCK_WRITE, 1);
    swim_session_close(third);
    waiter_finish(&s->w[0]);
}

static void a_lock_held_three_leases_is_kept(void **state)
{
    struct scene *s = *state;
    swim_session_t *brief = session_new(s, 3000);
    swim_lock_t *lock = NULL, *other = NULL;

    assert_int_equal(take(brief, SWIM_LOCK_WRITE, 0, &lock), SWIM_OK);
    for (int64_t until = test_now_ms() + 9000; test_now_ms() < until;) {
        assert_int_equal(swim_lock_check(lock, 300, NULL), SWIM_OK);
        assert_int_equal(take(s->a, SWIM_LOCK_READ, SWIM_LOCK_TRY, &other),
                         SWIM_ERR_TIMEOUT);
        test_nap_ms(100);
    }
    assert_int_equal(swim_lock_release(lock, NULL), SWIM_OK);
    swim_session_close(brief);
}

struct crowd {
    swim_session_t *session;
    atomic_int inside, writers, wrong, done;
};

static void *crowd_main(void *arg)
{
    struct crowd *c = arg;

    for (int i = 0; i < 60; i++) {
        int write = (i + atomic_load(&c->done)) % 3 == 0;
        swim_lock_t *lock = NULL;
        if (take(c->session, write ? SWIM_LOCK_WRITE : SWIM_LOCK_READ, 20000, &lock) !=
            SWIM_OK) {
            atomic_fetch_add(&c->wrong, 1);
            continue;
        }
        int others = atomic_fetch_add(&c->inside, 1);
        int writers =
            write ? atomic_fetch_add(&c->writers, 1) : atomic_load(&c->writers);
        if (writers > 0 || (write && others > 0))
            atomic_fetch_add(&c->wrong, 1);
        atomic_fetch_sub(&c->inside, 1);
        if (write)
            atomic_fetch_sub(&c->writers, 1);
        if (swim_lock_release(lock, NULL) != SWIM_OK)
            atomic_fetch_add(&c->wrong, 1);
        atomic_fetch_add(&c->done, 1);
    }
    return NULL;
}

static void many_threads_share_a_session(void **state)
{
    const struct scene *s = *state;
    struct crowd c = {.session = s->a};
    struct swim_session_stats stats = {.struct_size = sizeof(stats)};
    pthread_t threads[12];
    swim_lock_t *lock = NULL;

    /* Nobody waits for the first lock, all for its end. */
    assert_int_equal(take(s->a, SWIM_LOCK_WRITE, 0, &lock), SWIM_OK);
    swim_session_get_stats(s->a, &stats);
    assert_int_equal(stats.waited, 0);
    for (int i = 0; i < 12; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, crowd_main, &c), 0);
    test_nap_ms(100);
    assert_int_equal(swim_lock_release(lock, NULL), SWIM_OK);
    for (int i = 0; i < 12; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&c.wrong), 0);
    assert_int_equal(atomic_load(&c.done), 720);
    swim_session_get_stats(s->a, &stats);
    assert_int_equal(stats.acquired, 721);
    assert_true(stats.waited > 0 && stats.wait_ns > 0);
}

static void a_forked_child_has_no_locks(void **state)
{
    const struct scene *s = *state;
    swim_lock_t *lock = NULL, *other = NULL;
    int status = 0;

    assert_int_equal(take(s->a, SWIM_LOCK_WRITE, 0, &lock), SWIM_OK);
    pid_t pid = fork();
    if (pid == 0) {
        int bad = take(s->a, SWIM_LOCK_READ, 0, &other) != SWIM_ERR_ARG;
        bad |= (swim_lock_check(lock, 0, NULL) != SWIM_ERR_ARG) << 1;
        bad |= (swim_lock_release(lock, NULL) != SWIM_ERR_ARG) << 2;
        swim_session_close(s->a);
        swim_session_close(s->b);
        _exit(bad);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(swim_lock_check(lock, 0, NULL), SWIM_OK);
    assert_int_equal(take(s->b, SWIM_LOCK_READ, SWIM_LOCK_TRY, &other),
                     SWIM_ERR_TIMEOUT);
    assert_int_equal(swim_lock_release(lock, NULL), SWIM_OK);
}

static void wrong_arguments_are_refused(void **state)
{
    const struct scene *s = *state;
    const struct swim_lock_options bad = {.struct_size = 1};
    struct swim_session_options opt = {.struct_size = sizeof(opt), .lease_ms = 999};
    swim_lock_t *lock = NULL;
    swim_session_t *session = NULL;
    char name[4100];

    memset(name, 'x', sizeof(name));
    name[4096] = '\0';
    assert_int_equal(swim_lock_acquire(s->a, name, SWIM_LOCK_READ, NULL, &lock, NULL),
                     SWIM_ERR_ARG);
    name[4095] = '\0';
    assert_int_equal(swim_lock_acquire(s->a, name, SWIM_LOCK_READ, NULL, &lock, NULL),
                     SWIM_OK);
    assert_int_equal(swim_lock_release(lock, NULL), SWIM_OK);
    assert_int_equal(swim_lock_acquire(s->a, "", SWIM_LOCK_READ, NULL, &lock, NULL),
                     SWIM_ERR_ARG);
    assert_int_equal(take(s->a, (enum swim_lock_mode)4, 0, &lock), SWIM_ERR_ARG);
    assert_int_equal(swim_lock_acquire(s->a, "x", SWIM_LOCK_READ, &bad, &lock, NULL),
                     SWIM_ERR_ARG);
    assert_int_equal(swim_session_open(&opt, &session, NULL), SWIM_ERR_ARG);
    assert_int_equal(swim_lock_release(NULL, NULL), SWIM_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(modes_go_together_as_the_table_says),
        TEST(the_environment_sets_the_lease),
        TEST(one_script_call_each_way),
        TEST(scripts_survive_a_flush),
        TEST(writers_are_served_in_order),
        TEST(admission_is_phase_fair),
        TEST(an_update_that_is_next_goes_with_the_readers),
        TEST(a_release_wakes_a_long_waiter_at_once),
        TEST(readers_pass_a_waiting_update),
        TEST(a_time_limit_says_who_holds_it_and_leaves_nothing),
        TEST(a_waiter_that_gives_up_lets_others_pass),
        TEST(fences_grow),
        TEST(a_fence_handed_over_in_the_queue_grows_too),
        TEST(closing_a_session_releases_what_it_holds),
        TEST(a_lock_held_three_leases_is_kept),
        TEST(many_threads_share_a_session),
        TEST(a_forked_child_has_no_locks),
        TEST(wrong_arguments_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
