/* test_lock_change.c - raise and lower, taking twice, preferred writers, cancelling. */
#define RESOURCE "r"
#include "lock_tools.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAITERS 4
#define LEASE_MS 60000 /* a waiter that is not woken looks after a third of it */

/* A thread that does one thing with a lock and says how it went. */
struct waiter {
    pthread_t thread;
    swim_session_t *session;
    enum swim_lock_mode mode;
    struct swim_lock_options opt;
    swim_lock_t *raise; /* raise this instead of acquiring */
    atomic_int *turn;
    atomic_int place; /* 0: waits */
    atomic_int go;    /* give it back now */
    atomic_int done;
    int rc;
    swim_error_t err;
};

struct scene {
    struct redis_fixture redis;
    swim_session_t *a, *b;
    atomic_int turn;
    struct waiter w[WAITERS];
};

static int setup(void **state)
{
    struct scene *s = calloc(1, sizeof(*s));

    *state = s;
    return s ? pair_open(&s->redis, LEASE_MS, &s->a, &s->b) : -1;
}

static int teardown(void **state)
{
    struct scene *s = *state;

    for (int i = 0; i < WAITERS; i++) {
        if (!s->w[i].session)
            continue;
        atomic_store(&s->w[i].go, 1);
        pthread_join(s->w[i].thread, NULL);
    }
    pair_close(&s->redis, s->a, s->b);
    free(s);
    return 0;
}

static void *waiter_main(void *arg)
{
    struct waiter *w = arg;
    swim_lock_t *lock = w->raise;

    w->rc = lock ? swim_lock_raise(lock, &w->opt, &w->err)
                 : swim_lock_acquire(w->session, "r", w->mode, &w->opt, &lock, &w->err);
    if (w->rc == SWIM_OK)
        atomic_store(&w->place, atomic_fetch_add(w->turn, 1) + 1);
    atomic_store(&w->done, 1);
    while (!w->raise && w->rc == SWIM_OK && !atomic_load(&w->go))
        test_nap_ms(1);
    if (!w->raise && w->rc == SWIM_OK)
        w->rc = swim_lock_release(lock, &w->err);
    return NULL;
}

/* A waiter, seen in the queue as the nth. */
static void waiter_start(struct scene *s, int i, enum swim_lock_mode mode,
                         swim_lock_t *raise, struct swim_lock_options opt, long n)
{
    struct waiter *w = &s->w[i];

    memset(w, 0, sizeof(*w));
    w->session = s->b;
    w->mode = mode;
    w->raise = raise;
    w->opt = opt;
    w->opt.struct_size = sizeof(opt);
    w->turn = &s->turn;
    pthread_create(&w->thread, NULL, waiter_main, w);
    assert_true(redis_fixture_await(&s->redis, QUEUE, n));
}

static void waiter_await(const struct waiter *w)
{
    int64_t until = test_now_ms() + 10000;

    while (!atomic_load(&w->done) && test_now_ms() < until)
        test_nap_ms(1);
    assert_int_equal(atomic_load(&w->done), 1);
}

static int waiter_end(struct waiter *w)
{
    waiter_await(w);
    atomic_store(&w->go, 1);
    pthread_join(w->thread, NULL);
    w->session = NULL;
    return w->rc;
}

static const struct swim_lock_options fair = {.wait_ms = 20000};
static const struct swim_lock_options strict = {.wait_ms = 20000,
                                                .prefer = SWIM_PREFER_WRITER};

static void raise_waits_for_readers_and_holds_off_new_ones(void **state)
{
    struct scene *s = *state;
    swim_lock_t *update = NULL, *read = NULL;

    assert_int_equal(take(s->a, SWIM_LOCK_UPDATE, 0, &update), SWIM_OK);
    assert_int_equal(take(s->b, SWIM_LOCK_READ, 0, &read), SWIM_OK);
    uint64_t fence = swim_lock_fence(update);
    waiter_start(s, 0, 0, update, fair, 1);
    waiter_start(s, 1, SWIM_LOCK_READ, NULL, fair, 2);
    assert_int_equal(atomic_load(&s->turn), 0);
    assert_int_equal(swim_lock_release(read, NULL), SWIM_OK);
    assert_int_equal(waiter_end(&s->w[0]), SWIM_OK);
    assert_true(swim_lock_fence(update) > fence);
    assert_int_equal(atomic_load(&s->turn), 1); /* the reader is still out */
    assert_int_equal(redis_fixture_number(&s->redis, QUEUE), 1);
    fence = swim_lock_fence(update);
    assert_int_equal(swim_lock_lower(update, NULL), SWIM_OK);
    assert_int_equal(redis_fixture_number(&s->redis, "HLEN {h5swim}:r:r"), 1);
    waiter_await(&s->w[1]);
    assert_int_equal(swim_lock_fence(update), fence);
    /* It is an UPDATE again: no other beside it, and it can be raised again. */
    assert_int_equal(take(s->b, SWIM_LOCK_UPDATE, SWIM_LOCK_TRY, &read),
                     SWIM_ERR_TIMEOUT);
    assert_int_equal(waiter_end(&s->w[1]), SWIM_OK);
    assert_int_equal(swim_lock_raise(update, NULL, NULL), SWIM_OK);
    assert_int_equal(take(s->b, SWIM_LOCK_READ, SWIM_LOCK_TRY, &read),
                     SWIM_ERR_TIMEOUT);
    assert_int_equal(swim_lock_release(update, NULL), SWIM_OK);
    assert_int_equal(redis_fixture_number(
                         &s->redis, "EXISTS {h5swim}:w:r {h5swim}:r:r {h5swim}:q:r"),
                     0);
}

/* A WRITE that waits already would wait for ever if it stayed before the raise. */
static void raise_goes_before_all_that_wait(void **state)
{
    struct scene *s = *state;
    swim_lock_t *update = NULL, *read = NULL;

    assert_int_equal(take(s->a, SWIM_LOCK_UPDATE, 0, &update), SWIM_OK);
    assert_int_equal(take(s->b, SWIM_LOCK_READ, 0, &read), SWIM_OK);
    waiter_start(s, 0, SWIM_LOCK_WRITE, NULL, strict, 1);
    waiter_start(s, 1, 0, update, fair, 2);
    assert_int_equal(swim_lock_release(read, NULL), SWIM_OK);
    assert_int_equal(waiter_end(&s->w[1]), SWIM_OK);
    assert_int_equal(swim_lock_lower(update, NULL), SWIM_OK);
    assert_int_equal(atomic_load(&s->w[0].done), 0);
    assert_int_equal(swim_lock_release(update, NULL), SWIM_OK);
    assert_int_equal(waiter_end(&s->w[0]), SWIM_OK);
}

static void a_raise_that_fails_leaves_the_update(void **state)
{
    struct scene *s = *state;
    const struct swim_lock_options few = {.struct_size = sizeof(few), .wait_ms = 60};
    const struct swim_lock_options none = {.struct_size = sizeof(none),
                                           .wait_ms = SWIM_LOCK_TRY};
    swim_lock_t *update = NULL, *read = NULL, *second = NULL;
    swim_error_t err = {0};

    assert_int_equal(take(s->a, SWIM_LOCK_UPDATE, 0, &update), SWIM_OK);
    assert_int_equal(take(s->b, SWIM_LOCK_READ, 0, &read), SWIM_OK);
    assert_int_equal(swim_lock_raise(update, &none, &err), SWIM_ERR_TIMEOUT);
    assert_non_null(strstr(err.text, "for WRITE"));
    assert_non_null(strstr(err.text, "READ held"));
    assert_int_equal(swim_lock_raise(update, &few, NULL), SWIM_ERR_TIMEOUT);
    assert_int_equal(redis_fixture_number(&s->redis, QUEUE), 0);
    assert_int_equal(swim_lock_check(update, 0, NULL), SWIM_OK);
    assert_int_equal(swim_lock_lower(update, NULL), SWIM_ERR_ARG);
    /* Readers come in as before. */
    assert_int_equal(take(s->a, SWIM_LOCK_UPDATE, SWIM_LOCK_TRY, &second), SWIM_OK);
    assert_ptr_equal(second, update);
    assert_int_equal(swim_lock_release(second, NULL), SWIM_OK);
    assert_int_equal(swim_lock_release(read, NULL), SWIM_OK);
    assert_int_equal(swim_lock_raise(update, &none, NULL), SWIM_OK);
    assert_int_equal(swim_lock_raise(update, &none, NULL), SWIM_ERR_ARG);
    assert_int_equal(swim_lock_release(update, NULL), SWIM_OK);
    assert_int_equal(take(s->b, SWIM_LOCK_WRITE, SWIM_LOCK_TRY, &second), SWIM_OK);
    assert_int_equal(swim_lock_raise(second, NULL, NULL), SWIM_ERR_ARG);
    assert_int_equal(swim_lock_release(second, NULL), SWIM_OK);
}

static void the_same_mode_is_counted(void **state)
{
    struct scene *s = *state;

    for (enum swim_lock_mode mode = SWIM_LOCK_READ; mode <= SWIM_LOCK_WRITE; mode++) {
        swim_lock_t *first = NULL, *second = NULL, *other = NULL;
        assert_int_equal(take(s->a, mode, 0, &first), SWIM_OK);
        waiter_start(s, 0, SWIM_LOCK_WRITE, NULL, fair, 1);
        long calls = redis_fixture_calls(&s->redis, "evalsha");
        /* A WRITE that waits does not keep it out: that would be for ever. */
        assert_int_equal(take(s->a, mode, 0, &second), SWIM_OK);
        assert_ptr_equal(first, second);
        assert_int_equal(swim_lock_release(second, NULL), SWIM_OK);
        assert_in_range(redis_fixture_calls(&s->redis, "evalsha") - calls, 0, 1);
        assert_int_equal(atomic_load(&s->w[0].done), 0);
        assert_int_equal(take(s->b, SWIM_LOCK_WRITE, SWIM_LOCK_TRY, &other),
                         SWIM_ERR_TIMEOUT);
        assert_int_equal(swim_lock_release(first, NULL), SWIM_OK);
        assert_int_equal(waiter_end(&s->w[0]), SWIM_OK);
    }
}

static void another_mode_would_be_a_deadlock(void **state)
{
    const struct scene *s = *state;

    for (enum swim_lock_mode held = SWIM_LOCK_READ; held <= SWIM_LOCK_WRITE; held++)
        for (enum swim_lock_mode ask = SWIM_LOCK_READ; ask <= SWIM_LOCK_WRITE; ask++) {
            swim_lock_t *lock = NULL, *none = NULL;
            swim_error_t err = {0};
            if (ask == held)
                continue;
            assert_int_equal(take(s->a, held, 0, &lock), SWIM_OK);
            assert_int_equal(take_at(s->a, RESOURCE, ask, 0, &none, &err),
                             SWIM_ERR_DEADLOCK);
            assert_null(none);
            assert_non_null(strstr(err.text, "wait for itself"));
            /* Another resource is another matter. */
            assert_int_equal(swim_lock_acquire(s->a, "q", ask, NULL, &none, NULL),
                             SWIM_OK);
            assert_int_equal(swim_lock_release(none, NULL), SWIM_OK);
            assert_int_equal(swim_lock_release(lock, NULL), SWIM_OK);
        }
}

/* The strict rule: while such a writer waits, no reader and no fair writer goes before
 * it, not even readers that waited when a writer left. */
static void a_preferred_writer_goes_first(void **state)
{
    static const enum swim_lock_mode modes[] = {SWIM_LOCK_WRITE, SWIM_LOCK_UPDATE};
    struct scene *s = *state;

    for (int m = 0; m < 2; m++) {
        swim_lock_t *lock = NULL;
        atomic_store(&s->turn, 0);
        assert_int_equal(take(s->a, SWIM_LOCK_WRITE, 0, &lock), SWIM_OK);
        waiter_start(s, 0, SWIM_LOCK_WRITE, NULL, fair, 1);
        waiter_start(s, 1, modes[m], NULL, strict, 2);
        waiter_start(s, 2, modes[m], NULL, strict, 3);
        assert_int_equal(swim_lock_release(lock, NULL), SWIM_OK);
        assert_int_equal(waiter_end(&s->w[1]), SWIM_OK);
        assert_int_equal(waiter_end(&s->w[2]), SWIM_OK);
        assert_int_equal(waiter_end(&s->w[0]), SWIM_OK);
        assert_int_equal(atomic_load(&s->w[1].place), 1);
        assert_int_equal(atomic_load(&s->w[2].place), 2);
        assert_int_equal(atomic_load(&s->w[0].place), 3);
    }
    atomic_store(&s->turn, 0);
    swim_lock_t *lock = NULL;
    assert_int_equal(take(s->a, SWIM_LOCK_WRITE, 0, &lock), SWIM_OK);
    waiter_start(s, 0, SWIM_LOCK_READ, NULL, strict, 1);
    waiter_start(s, 1, SWIM_LOCK_WRITE, NULL, strict, 2);
    assert_int_equal(swim_lock_release(lock, NULL), SWIM_OK);
    assert_int_equal(waiter_end(&s->w[1]), SWIM_OK);
    assert_int_equal(waiter_end(&s->w[0]), SWIM_OK);
    assert_int_equal(atomic_load(&s->w[1].place), 1);
}

/* The holder seems to be on another host: nobody looks at it often. */
static void forget_host(const struct scene *s, const swim_session_t *session)
{
    char command[256], answer[64];

    snprintf(command, sizeof(command), "HSET {h5swim}:session:%s boot other",
             swim_session_id(session));
    assert_true(redis_fixture_say(&s->redis, command, answer, sizeof(answer)));
    assert_string_equal(answer, ":0\r\n");
}

static void a_wait_is_cancelled_from_another_thread(void **state)
{
    struct scene *s = *state;
    struct swim_lock_options opt = {.wait_ms = SWIM_LOCK_FOREVER};
    swim_lock_t *lock = NULL, *none = NULL;

    opt.cancel = swim_cancel_create();
    assert_non_null(opt.cancel);
    assert_int_equal(take(s->a, SWIM_LOCK_WRITE, 0, &lock), SWIM_OK);
    forget_host(s, s->a);
    waiter_start(s, 0, SWIM_LOCK_READ, NULL, opt, 1);
    waiter_start(s, 1, SWIM_LOCK_WRITE, NULL, opt, 2);
    waiter_start(s, 2, SWIM_LOCK_READ, NULL, fair, 3);
    test_nap_ms(200); /* past the first look at who is in the way */
    int64_t begin = test_now_ms();
    swim_cancel_raise(opt.cancel);
    assert_int_equal(waiter_end(&s->w[0]), SWIM_ERR_CANCELLED);
    assert_int_equal(waiter_end(&s->w[1]), SWIM_ERR_CANCELLED);
    assert_true(test_now_ms() - begin < 10000);
    assert_non_null(strstr(s->w[0].err.text, "cancelled"));
    assert_true(redis_fixture_await(&s->redis, QUEUE, 1));
    /* Raised before the wait counts too; after a reset it does not. */
    opt.struct_size = sizeof(opt);
    assert_int_equal(swim_lock_acquire(s->b, "q", SWIM_LOCK_READ, &opt, &none, NULL),
                     SWIM_ERR_CANCELLED);
    swim_cancel_reset(opt.cancel);
    assert_int_equal(swim_lock_acquire(s->b, "q", SWIM_LOCK_READ, &opt, &none, NULL),
                     SWIM_OK);
    assert_int_equal(swim_lock_release(none, NULL), SWIM_OK);
    assert_int_equal(swim_lock_release(lock, NULL), SWIM_OK);
    assert_int_equal(waiter_end(&s->w[2]), SWIM_OK);
    swim_cancel_free(opt.cancel);
    swim_cancel_free(NULL);
}

/* A raise that is cancelled lets the readers behind it in. */
static void a_cancelled_raise_lets_readers_in(void **state)
{
    struct scene *s = *state;
    struct swim_lock_options opt = {.wait_ms = SWIM_LOCK_FOREVER};
    swim_lock_t *update = NULL, *read = NULL;

    opt.cancel = swim_cancel_create();
    assert_int_equal(take(s->a, SWIM_LOCK_UPDATE, 0, &update), SWIM_OK);
    assert_int_equal(take(s->b, SWIM_LOCK_READ, 0, &read), SWIM_OK);
    waiter_start(s, 0, 0, update, opt, 1);
    waiter_start(s, 1, SWIM_LOCK_READ, NULL, fair, 2);
    swim_cancel_raise(opt.cancel);
    assert_int_equal(waiter_end(&s->w[0]), SWIM_ERR_CANCELLED);
    assert_int_equal(waiter_end(&s->w[1]), SWIM_OK);
    assert_int_equal(swim_lock_release(read, NULL), SWIM_OK);
    assert_int_equal(swim_lock_release(update, NULL), SWIM_OK);
    swim_cancel_free(opt.cancel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(raise_waits_for_readers_and_holds_off_new_ones),
        TEST(raise_goes_before_all_that_wait),
        TEST(a_raise_that_fails_leaves_the_update),
        TEST(the_same_mode_is_counted),
        TEST(another_mode_would_be_a_deadlock),
        TEST(a_preferred_writer_goes_first),
        TEST(a_wait_is_cancelled_from_another_thread),
        TEST(a_cancelled_raise_lets_readers_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
