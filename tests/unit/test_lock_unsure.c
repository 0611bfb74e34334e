/* test_lock_unsure.c - answers that are missing just when they matter: what the model
 * in tests/model found, each with the real server. */
#define RESOURCE "r"
#include "lock_tools.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct scene {
    struct redis_fixture redis;
};

/* What goes wrong on links made with cut_ops.  lose_send, lose_recv: that message
 * is lost, and its connection is cut.  heart_stops: only the test's thread can send. */
static struct {
    _Atomic long lose_send, lose_recv;
    atomic_bool fired, heart_stops, deaf; /* deaf: no answer arrives */
    void (*_Atomic on_absent)(void);      /* when that answer has come */
    pid_t test;
} links;

static bool is_hit(_Atomic long *at)
{
    if (atomic_load(at) <= 0 || atomic_fetch_sub(at, 1) != 1)
        return false;
    atomic_store(&links.fired, true);
    return true;
}

static ssize_t link_send(int fd, const void *bytes, size_t size)
{
    if (atomic_load(&links.heart_stops) && gettid() != links.test) {
        errno = ECONNRESET;
        return -1;
    }
    if (!is_hit(&links.lose_send))
        return redis_link_sockets.send(fd, bytes, size);
    shutdown(fd, SHUT_RDWR);
    return (ssize_t)size; /* it seemed to go */
}

static ssize_t link_recv(int fd, void *bytes, size_t size, bool wait)
{
    ssize_t n = redis_link_sockets.recv(fd, bytes, size, wait);

    if (n <= 0)
        return n;
    if (is_hit(&links.lose_recv) || atomic_load(&links.deaf)) {
        errno = ECONNRESET;
        return -1;
    }
    if (links.on_absent && memmem(bytes, (size_t)n, "absent", 6))
        links.on_absent();
    return n;
}

static int raise_in(swim_lock_t *lock, int64_t wait_ms)
{
    const struct swim_lock_options opt = {.struct_size = sizeof(opt),
                                          .wait_ms = wait_ms};

    return swim_lock_raise(lock, &opt, NULL);
}

static struct redis_link_ops cut_ops;

static void links_mend(void)
{
    atomic_store(&links.lose_send, 0);
    atomic_store(&links.lose_recv, 0);
    atomic_store(&links.fired, false);
    atomic_store(&links.heart_stops, false);
    atomic_store(&links.deaf, false);
    links.on_absent = NULL;
    links.test = gettid();
    cut_ops = redis_link_sockets;
    cut_ops.send = link_send;
    cut_ops.recv = link_recv;
}

static int setup(void **state)
{
    struct scene *s = calloc(1, sizeof(*s));

    *state = s;
    links_mend();
    return s ? redis_fixture_open(&s->redis, NULL) : -1;
}

static int teardown(void **state)
{
    struct scene *s = *state;

    redis_fixture_close(&s->redis);
    free(s);
    return 0;
}

/* lower.lua, as the pulse thread or an earlier call asks it. */
static void lower_by_hand(swim_session_t *session, const char *ticket, const char *base)
{
    const char *argv[] = {session->id, ticket, "r", "unsure", base, "0"};
    struct redis_answer *answer = NULL;
    bool unsure = false;

    assert_int_equal(
        session_ask(session, &script_lower, 6, argv, 0, &answer, &unsure, NULL),
        SWIM_OK);
    redis_answer_free(answer);
}

/* A raise is given up, and the server does not hear of it, or is not heard. */
static bool raise_in_vain(swim_session_t *session, bool recv, long n,
                          swim_lock_t **lock)
{
    assert_int_equal(take(session, SWIM_LOCK_UPDATE, 0, lock), SWIM_OK);
    atomic_store(&links.fired, false);
    atomic_store(recv ? &links.lose_recv : &links.lose_send, n);
    assert_int_equal(raise_in(*lock, 60), SWIM_ERR_TIMEOUT);
    atomic_store(&links.lose_recv, 0);
    atomic_store(&links.lose_send, 0);
    return atomic_load(&links.fired);
}

/* How often a raise was left behind, each message being lost once. */
static int strays(struct scene *s, swim_session_t *session, bool recv)
{
    swim_lock_t *lock = NULL;
    int stray = 0;

    for (long n = 1;; n++) {
        bool fired = raise_in_vain(session, recv, n, &lock);
        char base[TICKET_MAX], ticket[TICKET_MAX];
        snprintf(base, sizeof(base), "%s", lock->ticket);
        snprintf(ticket, sizeof(ticket), "%s", lock->stray);
        stray += ticket[0] != '\0';
        assert_int_equal(swim_lock_release(lock, NULL), SWIM_OK);
        if (ticket[0])
            lower_by_hand(session, ticket, base); /* what the pulse thread still asks */
        assert_int_equal(
            redis_fixture_number(&s->redis, "EXISTS {h5swim}:w:r {h5swim}:q:r"), 0);
        if (!fired)
            return stray;
    }
}

/* On a busy machine the time of a raise may be over before it sends what is to be lost:
 * that one is tried again. */
static void a_raise_given_up_unheard_goes_with_its_update(void **state)
{
    struct scene *s = *state;
    swim_session_t *a = session_at(s->redis.url, 60000, &cut_ops),
                   *b = session_at(s->redis.url, 60000, &cut_ops);
    swim_lock_t *read = NULL;

    assert_int_equal(take(b, SWIM_LOCK_READ, 0, &read), SWIM_OK);
    for (int kind = 0; kind < 2; kind++) {
        int stray = 0;
        for (int tries = 0; stray == 0 && tries < 20; tries++)
            stray = strays(s, a, kind == 1);
        assert_true(stray > 0);
    }
    assert_int_equal(swim_lock_release(read, NULL), SWIM_OK);
    swim_session_close(a);
    swim_session_close(b);
}

static void a_raise_given_up_unheard_is_no_hindrance_to_the_next(void **state)
{
    struct scene *s = *state;
    swim_session_t *a = session_at(s->redis.url, 60000, &cut_ops),
                   *b = session_at(s->redis.url, 60000, &cut_ops);
    swim_lock_t *read = NULL, *lock = NULL;

    for (int kind = 0; kind < 2; kind++)
        for (long n = 1;; n++) {
            assert_int_equal(take(b, SWIM_LOCK_READ, 0, &read), SWIM_OK);
            bool fired = raise_in_vain(a, kind == 1, n, &lock);
            assert_int_equal(swim_lock_release(read, NULL), SWIM_OK);
            assert_int_equal(raise_in(lock, 2000), SWIM_OK);
            assert_int_equal(swim_lock_lower(lock, NULL), SWIM_OK);
            assert_int_equal(swim_lock_release(lock, NULL), SWIM_OK);
            if (!fired)
                break;
        }
    swim_session_close(a);
    swim_session_close(b);
}

/* A grant that is not entered yet when the server is told anew, perhaps, is asked for
 * again: the server may not know it and renew the session all the same. */
static void who_told_the_server_perhaps_asks_again(void **state)
{
    struct scene *s = *state;
    swim_session_t *session = session_at(s->redis.url, 1500, &cut_ops);
    uint64_t seq = atomic_load(&session->seq);

    atomic_store(&links.heart_stops, true);
    say(&s->redis, "FLUSHALL", "+OK");
    atomic_store(&links.deaf, true);
    assert_int_not_equal(session_revive(session, seq, 0, "r", NULL), SWIM_OK);
    assert_true(atomic_load(&session->seq) != seq);
    swim_session_close(session);
}

/* While a lock is lowered readers may be in already: a server that forgets is told of
 * an UPDATE. */
static void a_lock_being_lowered_is_told_as_lowered(void **state)
{
    struct scene *s = *state;
    swim_session_t *session = session_at(s->redis.url, 60000, &cut_ops);
    swim_lock_t *lock = NULL;
    char held[256] = "";

    assert_int_equal(take(session, SWIM_LOCK_UPDATE, 0, &lock), SWIM_OK);
    assert_int_equal(raise_in(lock, 0), SWIM_OK);
    held_lowering(lock);
    say(&s->redis, "FLUSHALL", "+OK");
    assert_int_equal(session_revive(session, atomic_load(&session->seq), 0, "r", NULL),
                     SWIM_OK);
    assert_true(redis_fixture_say(&s->redis, "GET {h5swim}:w:r", held, sizeof(held)));
    assert_non_null(strstr(held, lock->ticket));
    assert_int_equal(swim_lock_lower(lock, NULL), SWIM_OK);
    assert_int_equal(swim_lock_release(lock, NULL), SWIM_OK);
    swim_session_close(session);
}

static void a_lower_may_be_asked_twice(void **state)
{
    struct scene *s = *state;
    swim_session_t *session = session_at(s->redis.url, 60000, &cut_ops);
    swim_lock_t *lock = NULL;

    assert_int_equal(take(session, SWIM_LOCK_UPDATE, 0, &lock), SWIM_OK);
    assert_int_equal(raise_in(lock, 0), SWIM_OK);
    held_lowering(lock); /* a call that ended in SWIM_ERR_UNSURE */
    lower_by_hand(session, lock->raised, lock->ticket);
    assert_int_equal(swim_lock_lower(lock, NULL), SWIM_OK);
    assert_int_equal(swim_lock_release(lock, NULL), SWIM_OK);
    swim_session_close(session);
}

/* Another thread tells the server anew, without the lock that is being given back, and
 * its answer comes after that of the release. */
static struct {
    swim_session_t *session;
    pthread_t thread;
    atomic_bool asks;
} teller;

static void *tell(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&teller.session->held_mutex);
    atomic_store(&teller.asks, true);
    test_nap_ms(100);
    atomic_fetch_add(&teller.session->seq, 1);
    pthread_mutex_unlock(&teller.session->held_mutex);
    return NULL;
}

static void tell_meanwhile(void)
{
    links.on_absent = NULL;
    pthread_create(&teller.thread, NULL, tell, NULL);
    while (!atomic_load(&teller.asks))
        test_nap_ms(1);
}

static void a_lock_given_back_while_the_server_is_told_is_not_lost(void **state)
{
    struct scene *s = *state;
    swim_session_t *session = session_at(s->redis.url, 60000, &cut_ops);
    swim_lock_t *lock = NULL;

    assert_int_equal(take(session, SWIM_LOCK_WRITE, 0, &lock), SWIM_OK);
    assert_int_equal(redis_fixture_number(&s->redis, "DEL {h5swim}:w:r"), 1);
    teller.session = session;
    atomic_store(&teller.asks, false);
    links.on_absent = tell_meanwhile;
    assert_int_equal(swim_lock_release(lock, NULL), SWIM_OK);
    assert_int_equal(pthread_join(teller.thread, NULL), 0);
    swim_session_close(session);
}

/* The server's clock is behind the numbers that were given, and one that has seen few
 * of them comes back first. */
static void fences_grow_beyond_what_the_second_has_seen(void **state)
{
    struct scene *s = *state;
    swim_session_t *a = session_at(s->redis.url, 1000, &cut_ops),
                   *b = session_at(s->redis.url, 1000, &cut_ops);
    swim_lock_t *lock = NULL;

    (void)redis_fixture_number(&s->redis, "INCRBY {h5swim}:fence 3600000000");
    assert_int_equal(take(a, SWIM_LOCK_WRITE, 0, &lock), SWIM_OK);
    uint64_t fence = swim_lock_fence(lock);
    atomic_store(&links.heart_stops, true);
    say(&s->redis, "FLUSHALL", "+OK");
    assert_int_equal(session_revive(b, atomic_load(&b->seq), 0, "r", NULL), SWIM_OK);
    assert_int_equal(session_revive(a, atomic_load(&a->seq), 0, "r", NULL), SWIM_OK);
    atomic_store(&links.heart_stops, false);
    assert_int_equal(swim_lock_release(lock, NULL), SWIM_OK);
    assert_int_equal(take(b, SWIM_LOCK_WRITE, 0, &lock), SWIM_OK);
    assert_true(swim_lock_fence(lock) > fence);
    assert_int_equal(swim_lock_release(lock, NULL), SWIM_OK);
    swim_session_close(a);
    swim_session_close(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_raise_given_up_unheard_goes_with_its_update),
        TEST(a_raise_given_up_unheard_is_no_hindrance_to_the_next),
        TEST(who_told_the_server_perhaps_asks_again),
        TEST(a_lock_being_lowered_is_told_as_lowered),
        TEST(a_lower_may_be_asked_twice),
        TEST(a_lock_given_back_while_the_server_is_told_is_not_lost),
        TEST(fences_grow_beyond_what_the_second_has_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
