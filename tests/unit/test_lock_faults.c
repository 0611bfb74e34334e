/* test_lock_faults.c - servers that are not fit or gone, and leases in time. */
#define RESOURCE "r"
#include "lock_tools.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/clock.h"

struct scene {
    struct redis_fixture redis;
    char url[192];
};

static int setup(void **state)
{
    struct scene *s = calloc(1, sizeof(*s));

    *state = s;
    if (!s || redis_fixture_open(&s->redis, NULL) != 0)
        return -1;
    snprintf(s->url, sizeof(s->url), "%s", s->redis.url);
    return 0;
}

static int teardown(void **state)
{
    struct scene *s = *state;

    redis_fixture_close(&s->redis);
    free(s);
    return 0;
}

static void a_server_that_may_lose_locks_is_refused(void **state)
{
    struct scene *s = *state;
    swim_session_t *session = NULL;
    swim_error_t err = {0};

    say(&s->redis, "CONFIG SET maxmemory 100mb", "+OK");
    say(&s->redis, "CONFIG SET maxmemory-policy allkeys-lru", "+OK");
    assert_int_equal(session_try(s->url, 0, NULL, &session, &err), SWIM_ERR_IO);
    assert_non_null(strstr(err.text, "allkeys-lru"));
    assert_null(session);
    say(&s->redis, "CONFIG SET maxmemory-policy noeviction", "+OK");
    session = session_at(s->url, 0, NULL);
    swim_session_close(session);
    say(&s->redis, "REPLICAOF 127.0.0.1 1", "+OK");
    swim_error_clear(&err);
    assert_int_equal(session_try(s->url, 0, NULL, &session, &err), SWIM_ERR_IO);
    assert_non_null(strstr(err.text, "replica"));
}

static void a_wrong_password_is_said_and_not_shown(void **state)
{
    struct scene *s = *state;
    char url[160];
    swim_session_t *session = NULL;
    swim_error_t err = {0};

    say(&s->redis, "CONFIG SET requirepass TRUEPW", "+OK");
    assert_int_equal(session_try(s->url, 0, NULL, &session, &err),
                     SWIM_ERR_IO); /* none at all */
    static const char *const logins[] = {":WRONGPW", "default:WRONGPW", "me:WRONGPW"};
    for (int i = 0; i < 3; i++) {
        swim_error_clear(&err);
        snprintf(url, sizeof(url), "unix://%s@%s", logins[i], s->redis.socket);
        assert_int_equal(session_try(url, 0, NULL, &session, &err), SWIM_ERR_IO);
        assert_non_null(strstr(err.text, "log in"));
        assert_null(strstr(err.text, "WRONGPW"));
    }
    snprintf(s->url, sizeof(s->url), "unix://default:TRUEPW@%s?db=3", s->redis.socket);
    session = session_at(s->url, 0, NULL);
    swim_session_close(session);
}

static void no_server_is_said_in_bounded_time(void **state)
{
    struct scene *s = *state;
    swim_session_t *session = NULL;
    swim_error_t err = {0};

    redis_fixture_kill(&s->redis);
    int64_t begin = test_now_ms();
    assert_int_equal(session_try(s->url, 0, NULL, &session, &err), SWIM_ERR_IO);
    assert_non_null(strstr(err.text, "No such file"));
    swim_error_clear(&err);
    assert_int_equal(session_try("redis://127.0.0.1:1", 0, NULL, &session, &err),
                     SWIM_ERR_IO);
    assert_non_null(strstr(err.text, "Connection refused"));
    assert_null(strchr(err.text, '\n'));
    assert_true(test_now_ms() - begin < 2000);
}

/* The server is stopped, not dead: nothing answers. */
static void a_server_that_hangs_is_said_in_bounded_time(void **state)
{
    struct scene *s = *state;
    swim_session_t *session = NULL;
    swim_error_t err = {0};

    kill(s->redis.pid, SIGSTOP);
    int64_t begin = test_now_ms();
    int rc = session_try(s->url, 0, NULL, &session, &err);
    int64_t took = test_now_ms() - begin;
    kill(s->redis.pid, SIGCONT);
    assert_int_equal(rc, SWIM_ERR_IO);
    assert_in_range(took, 4500, 10000);
}

/* How long two sessions take to close at a server that hangs: one that holds a lock,
 * and one that has asked for a new lease. */
static void close_at_a_hung_server(struct scene *s, int64_t *holding, int64_t *asking)
{
    swim_session_t *session = session_at(s->url, 60000, NULL);
    swim_session_t *renewing = session_at(s->url, 6000, NULL);
    swim_lock_t *lock = NULL;

    /* READ: the server may still have the session of the round before */
    assert_int_equal(take(session, SWIM_LOCK_READ, 0, &lock), SWIM_OK);
    kill(s->redis.pid, SIGSTOP);
    test_nap_ms(800); /* it has asked for a new lease */
    int64_t begin = test_now_ms();
    swim_session_close(session);
    int64_t middle = test_now_ms();
    swim_session_close(renewing);
    int64_t end = test_now_ms();
    kill(s->redis.pid, SIGCONT);
    *holding = middle - begin;
    *asking = end - middle;
}

/* Neither the renewal that waits for an answer nor the farewell keeps the process.  The
 * shortest of several times counts: any other question would take two seconds. */
static void closing_at_a_hung_server_takes_a_second(void **state)
{
    int64_t holding = INT64_MAX, asking = INT64_MAX;

    for (int i = 0; i < 8 && (holding > 1800 || asking > 1800); i++) {
        int64_t took[2];
        close_at_a_hung_server(*state, &took[0], &took[1]);
        holding = took[0] < holding ? took[0] : holding;
        asking = took[1] < asking ? took[1] : asking;
    }
    assert_in_range(holding, 900, 1800);
    assert_in_range(asking, 900, 1800);
}

static void a_server_that_went_away_ends_in_errors(void **state)
{
    struct scene *s = *state;
    swim_session_t *session = session_at(s->url, 1500, NULL);
    swim_lock_t *lock = NULL, *none = NULL;
    swim_error_t err = {0};

    assert_int_equal(take(session, SWIM_LOCK_WRITE, 0, &lock), SWIM_OK);
    redis_fixture_kill(&s->redis);
    int64_t begin = test_now_ms();
    int rc = swim_lock_acquire(session, "other", SWIM_LOCK_READ, NULL, &none, &err);
    assert_int_equal(rc, SWIM_ERR_IO);
    assert_null(none);
    assert_true(test_now_ms() - begin < 8000);
    rc = swim_lock_release(lock, NULL);
    assert_true(rc == SWIM_ERR_LOST || rc == SWIM_ERR_UNSURE);
    swim_session_close(session);
}

/* Links that all break are made again, and the session lives on for more than a lease.
 */
static void broken_links_are_made_again(void **state)
{
    struct scene *s = *state;
    swim_session_t *session = session_at(s->url, 3000, NULL);
    swim_lock_t *lock = NULL;

    for (int i = 0; i < 8; i++) {
        assert_int_equal(take(session, SWIM_LOCK_WRITE, 0, &lock), SWIM_OK);
        (void)redis_fixture_number(&s->redis, "CLIENT KILL TYPE normal SKIPME yes");
        assert_int_equal(swim_lock_check(lock, 0, NULL), SWIM_OK);
        assert_int_equal(swim_lock_release(lock, NULL), SWIM_OK);
        test_nap_ms(450);
    }
    swim_session_close(session);
}

static atomic_int slow_ms;

static ssize_t slow_recv(int fd, void *bytes, size_t size, bool wait)
{
    ssize_t n = redis_link_sockets.recv(fd, bytes, size, wait);

    if (n > 0)
        test_nap_ms(atomic_load(&slow_ms));
    return n;
}

/* An answer that was long on its way does not make the lease longer. */
static void a_lease_counts_from_when_its_renewal_was_sent(void **state)
{
    struct scene *s = *state;
    const struct redis_link_ops ops = {redis_link_sockets.connect,
                                       redis_link_sockets.send, slow_recv};
    swim_session_t *session = session_at(s->url, 3000, &ops);
    int64_t until = test_now_ms() + 5000;

    atomic_store(&slow_ms, 200);
    long long first = atomic_load(&session->deadline_ns);
    while (atomic_load(&session->deadline_ns) == first && test_now_ms() < until)
        test_nap_ms(1);
    assert_true(atomic_load(&session->deadline_ns) > first);
    assert_true(atomic_load(&session->deadline_ns) - swim_clock_boot_ns() < 2850000000);
    atomic_store(&slow_ms, 0);
    swim_session_close(session);
}

/* Answers with these bytes in them are kept back until then. */
static struct {
    char bytes[16];
    bool all; /* these, and no others */
    atomic_long until_ms;
    atomic_int heart_stops; /* 1: other threads than the test's send nothing */
    pid_t test;
} late;

static ssize_t late_recv(int fd, void *bytes, size_t size, bool wait)
{
    ssize_t n = redis_link_sockets.recv(fd, bytes, size, wait);
    long left_ms = atomic_load(&late.until_ms) - (long)test_now_ms();
    size_t length = strlen(late.bytes);

    if (n > 0 && left_ms > 0 && (!late.all || (size_t)n == length) &&
        memmem(bytes, (size_t)n, late.bytes, length))
        test_nap_ms(left_ms);
    return n;
}

static ssize_t late_send(int fd, const void *bytes, size_t size)
{
    if (!atomic_load(&late.heart_stops) || gettid() == late.test)
        return redis_link_sockets.send(fd, bytes, size);
    errno = ECONNRESET;
    return -1;
}

/* A session that outlives a failed test uses them still. */
static const struct redis_link_ops *late_ops(const char *bytes, bool all)
{
    static struct redis_link_ops ops;

    ops = redis_link_sockets;
    snprintf(late.bytes, sizeof(late.bytes), "%s", bytes);
    late.all = all;
    atomic_store(&late.until_ms, 0);
    atomic_store(&late.heart_stops, 0);
    late.test = gettid();
    ops.recv = late_recv;
    ops.send = late_send;
    return &ops;
}

static long left_ms(const swim_session_t *session)
{
    return (long)((atomic_load(&session->deadline_ns) - swim_clock_boot_ns()) /
                  1000000);
}

/* The answer to a renewal comes when the lease is over: what the server says of the
 * time before does not matter any more. */
static void a_renewal_answered_too_late_is_none(void **state)
{
    struct scene *s = *state;
    swim_session_t *session = session_at(s->url, 1500, late_ops(":1\r\n", true));
    swim_lock_t *lock = NULL;

    assert_int_equal(take(session, SWIM_LOCK_WRITE, 0, &lock), SWIM_OK);
    atomic_store(&late.until_ms, test_now_ms() + left_ms(session) + 50);
    int64_t until_ms = test_now_ms() + 10000;
    while (!atomic_load(&session->lost) && test_now_ms() < until_ms)
        test_nap_ms(5); /* nobody asks how the lock stands */
    assert_true(atomic_load(&session->lost));
    assert_int_equal(swim_lock_release(lock, NULL), SWIM_ERR_LOST);
    swim_session_close(session);
}

/* The server forgets, is told anew, and the answer takes until the old lease is over:
 * before it forgot, it may have given the lock to others. */
static void a_lease_that_ended_while_it_was_told_anew_is_lost(void **state)
{
    struct scene *s = *state;
    swim_session_t *session = session_at(s->url, 3000, late_ops("reclaimed", false));
    swim_lock_t *lock = NULL, *none = NULL;

    assert_int_equal(take(session, SWIM_LOCK_WRITE, 0, &lock), SWIM_OK);
    test_nap_ms(1100); /* between two renewals */
    atomic_store(&late.heart_stops, 1);
    atomic_store(&late.until_ms, test_now_ms() + left_ms(session) + 50);
    say(&s->redis, "FLUSHALL", "+OK");
    assert_int_equal(
        swim_lock_acquire(session, "other", SWIM_LOCK_READ, NULL, &none, NULL),
        SWIM_ERR_LOST);
    assert_true(test_now_ms() < atomic_load(&late.until_ms) + 5000); /* and not later */
    assert_int_equal(swim_lock_check(lock, 0, NULL), SWIM_ERR_LOST);
    assert_int_equal(swim_lock_release(lock, NULL), SWIM_ERR_LOST);
    swim_session_close(session);
}

/* Our clock says that it is over while the server would still renew it: it is over, for
 * the lock, for ever, and at the server too. */
static void a_lease_that_has_run_out_here_is_not_renewed(void **state)
{
    struct scene *s = *state;
    swim_session_t *session = session_at(s->url, 6000, NULL);
    swim_lock_t *lock = NULL;

    for (int asked = 1; asked >= 0; asked--) {
        assert_int_equal(take(session, SWIM_LOCK_WRITE, 0, &lock), SWIM_OK);
        assert_int_equal(swim_lock_check(lock, 3000, NULL), SWIM_OK);
        assert_int_equal(swim_lock_check(lock, 6100, NULL), SWIM_ERR_LOST);
        assert_int_equal(swim_lock_check(lock, 0, NULL), SWIM_OK);
        atomic_store(&session->deadline_ns, swim_clock_boot_ns() - 1);
        if (asked)
            assert_int_equal(swim_lock_check(lock, 0, NULL), SWIM_ERR_LOST);
        assert_true(redis_fixture_await(&s->redis, "ZCARD {h5swim}:sessions", 0));
        assert_int_equal(swim_lock_check(lock, 0, NULL), SWIM_ERR_LOST);
        assert_int_equal(swim_lock_release(lock, NULL), SWIM_ERR_LOST);
        swim_session_close(session);
        session = session_at(s->url, 6000, NULL);
    }
    swim_session_close(session);
}

static void nothing_is_left(const struct scene *s)
{
    assert_int_equal(redis_fixture_number(
                         &s->redis, "EXISTS {h5swim}:r:r {h5swim}:w:r {h5swim}:q:r"),
                     0);
}

/* The lease is ended by somebody else (a break): nothing of it is left, all say so. */
static void a_broken_session_is_lost_for_ever(void **state)
{
    struct scene *s = *state;
    swim_session_t *session = session_at(s->url, 1000, NULL);
    struct redis_answer *answer = NULL;
    swim_lock_t *lock = NULL, *none = NULL;
    bool unsure = false;
    const char *argv[] = {session->id};

    assert_int_equal(take(session, SWIM_LOCK_WRITE, 0, &lock), SWIM_OK);
    assert_int_equal(
        session_ask(session, &script_close, 1, argv, 0, &answer, &unsure, NULL),
        SWIM_OK);
    assert_int_equal(redis_answer_number(answer), 1);
    redis_answer_free(answer);
    nothing_is_left(s);
    assert_int_equal(swim_lock_release(lock, NULL), SWIM_ERR_LOST);
    assert_int_equal(take(session, SWIM_LOCK_READ, 0, &none), SWIM_ERR_LOST);
    swim_session_close(session);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_server_that_may_lose_locks_is_refused),
        TEST(a_wrong_password_is_said_and_not_shown),
        TEST(no_server_is_said_in_bounded_time),
        TEST(a_server_that_hangs_is_said_in_bounded_time),
        TEST(closing_at_a_hung_server_takes_a_second),
        TEST(a_server_that_went_away_ends_in_errors),
        TEST(broken_links_are_made_again),
        TEST(a_lease_counts_from_when_its_renewal_was_sent),
        TEST(a_renewal_answered_too_late_is_none),
        TEST(a_lease_that_ended_while_it_was_told_anew_is_lost),
        TEST(a_lease_that_has_run_out_here_is_not_renewed),
        TEST(a_broken_session_is_lost_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
