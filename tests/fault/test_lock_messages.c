/* test_lock_messages.c - every operation, with each of its messages lost, late or
 * twice.
 *
 * A link table (struct redis_link_ops) harms the nth message, n = 1, 2, ... until none
 * is harmed, in four ways: the question is lost with its connection; its answer is; the
 * question arrives only when the operation is over; it arrives right behind the one
 * that is asked in its place, so that it is carried out twice.  Whatever happens, an
 * operation gives the result that it has without faults, and nothing of it is left at
 * the server. */
#define RESOURCE "r"
#include "lock_tools.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lock/inspect_private.h"
#include "lock/server_private.h"

#define LEASE_MS 2000
#define BRIEF_MS 1000 /* the least there is; for what ends with a lease */
#define HELD_MS 3000  /* for one that must not end, however busy the machine is */
#define MESSAGES_MAX 30

enum harm { LOST_QUESTION, LOST_ANSWER, LATE_QUESTION, TWICE, HARMS };

static const char *const harm_names[] = {"its question is lost", "its answer is lost",
                                         "its question comes late",
                                         "its question comes twice"};

static struct redis_fixture redis;

/* The harm that is to be done; counts messages of the threads that are meant. */
static struct {
    atomic_int harm;   /* enum harm */
    _Atomic long left; /* 1: the next one */
    atomic_bool done;
    atomic_bool away; /* the server hears nothing of anybody */
    bool heartbeat;   /* those of other threads than the test's, else of it alone */
    pid_t test;
    pthread_mutex_t mutex;
    char late[8192]; /* under mutex: a question that is still on its way */
    size_t late_size;
} plan = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static bool plan_means_me(void)
{
    return plan.heartbeat != (gettid() == plan.test);
}

static bool plan_hits(bool question)
{
    if (question == (plan.harm == LOST_ANSWER) || !plan_means_me() ||
        atomic_load(&plan.left) <= 0 || atomic_fetch_sub(&plan.left, 1) != 1)
        return false;
    atomic_store(&plan.done, true);
    return true;
}

/* Have the server carry a question out that nobody waits for. */
static void deliver(const void *bytes, size_t size)
{
    int fd = server_dial(redis.socket);
    struct pollfd p = {fd, POLLIN, 0};

    if (fd < 0 || send(fd, bytes, size, MSG_NOSIGNAL) != (ssize_t)size)
        fail_msg("a question cannot be delivered");
    (void)poll(&p, 1, 30); /* BLPOP has no answer yet */
    close(fd);
}

static void deliver_late(void)
{
    pthread_mutex_lock(&plan.mutex);
    if (plan.late_size > 0)
        deliver(plan.late, plan.late_size);
    plan.late_size = 0;
    pthread_mutex_unlock(&plan.mutex);
}

static void keep_late(const void *bytes, size_t size)
{
    pthread_mutex_lock(&plan.mutex);
    if (size <= sizeof(plan.late)) {
        memcpy(plan.late, bytes, size);
        plan.late_size = size;
    }
    pthread_mutex_unlock(&plan.mutex);
}

static ssize_t harmful_send(int fd, const void *bytes, size_t size)
{
    if (atomic_load(&plan.away)) {
        shutdown(fd, SHUT_RDWR);
        return (ssize_t)size;
    }
    if (!plan_hits(true)) {
        ssize_t n = redis_link_sockets.send(fd, bytes, size);
        if (plan.harm == TWICE && plan_means_me())
            deliver_late();
        return n;
    }
    if (plan.harm != LOST_QUESTION)
        keep_late(bytes, size);
    shutdown(fd, SHUT_RDWR);
    return (ssize_t)size; /* it seemed to go */
}

static ssize_t harmful_recv(int fd, void *bytes, size_t size, bool wait)
{
    ssize_t n = redis_link_sockets.recv(fd, bytes, size, wait);

    if (n <= 0 || !plan_hits(false))
        return n;
    errno = ECONNRESET;
    return -1;
}

static struct redis_link_ops harmful;

static int setup(void **state)
{
    (void)state;
    plan.test = gettid();
    harmful = redis_link_sockets;
    harmful.send = harmful_send;
    harmful.recv = harmful_recv;
    return redis_fixture_open(&redis, NULL);
}

static int teardown(void **state)
{
    (void)state;
    redis_fixture_close(&redis);
    return 0;
}

static void must_take(swim_session_t *session, enum swim_lock_mode mode,
                      swim_lock_t **lock)
{
    assert_int_equal(take(session, mode, 5000, lock), SWIM_OK);
}

static void must_release(swim_lock_t *lock)
{
    assert_int_equal(swim_lock_release(lock, NULL), SWIM_OK);
}

static long count(const char *command)
{
    return redis_fixture_number(&redis, command);
}

static void writer_is(char kind)
{
    char answer[512];

    assert_true(redis_fixture_say(&redis, "GET {h5swim}:w:r", answer, sizeof(answer)));
    const char *line = strchr(answer, '\n');
    assert_non_null(line);
    assert_int_equal(line[1], kind);
}

/* What an operation works with: a session that is harmed and one that is not. */
struct scene {
    swim_session_t *harmed, *other;
    swim_lock_t *lock;
};

typedef void operation(struct scene *s);

static void read_and_release(struct scene *s)
{
    must_take(s->harmed, SWIM_LOCK_READ, &s->lock);
    assert_int_equal(count("HLEN {h5swim}:r:r"), 1);
    must_release(s->lock);
}

static void update_and_release(struct scene *s)
{
    must_take(s->harmed, SWIM_LOCK_UPDATE, &s->lock);
    writer_is('U');
    must_release(s->lock);
}

static void write_and_release(struct scene *s)
{
    must_take(s->harmed, SWIM_LOCK_WRITE, &s->lock);
    writer_is('W');
    must_release(s->lock);
}

static void try_what_is_held(struct scene *s)
{
    swim_lock_t *held = NULL;

    must_take(s->other, SWIM_LOCK_WRITE, &held);
    assert_int_equal(take(s->harmed, SWIM_LOCK_READ, SWIM_LOCK_TRY, &s->lock),
                     SWIM_ERR_TIMEOUT);
    must_release(held);
}

static void wait_in_vain(struct scene *s)
{
    swim_lock_t *held = NULL;

    must_take(s->other, SWIM_LOCK_WRITE, &held);
    assert_int_equal(take(s->harmed, SWIM_LOCK_UPDATE, 30, &s->lock), SWIM_ERR_TIMEOUT);
    must_release(held);
}

static void *release_soon(void *lock)
{
    test_nap_ms(60);
    return swim_lock_release(lock, NULL) == SWIM_OK ? NULL : lock;
}

static void wait_for_a_turn(struct scene *s)
{
    swim_lock_t *held = NULL;
    pthread_t thread;
    void *failed = NULL;

    must_take(s->other, SWIM_LOCK_WRITE, &held);
    pthread_create(&thread, NULL, release_soon, held);
    must_take(s->harmed, SWIM_LOCK_WRITE, &s->lock);
    pthread_join(thread, &failed);
    assert_null(failed);
    must_release(s->lock);
}

static void *cancel_soon(void *cancel)
{
    test_nap_ms(40);
    swim_cancel_raise(cancel);
    return NULL;
}

static void wait_until_cancelled(struct scene *s)
{
    struct swim_lock_options opt = {.struct_size = sizeof(opt), .wait_ms = 5000};
    swim_lock_t *held = NULL;
    pthread_t thread;

    opt.cancel = swim_cancel_create();
    assert_non_null(opt.cancel);
    must_take(s->other, SWIM_LOCK_WRITE, &held);
    pthread_create(&thread, NULL, cancel_soon, opt.cancel);
    assert_int_equal(
        swim_lock_acquire(s->harmed, "r", SWIM_LOCK_READ, &opt, &s->lock, NULL),
        SWIM_ERR_CANCELLED);
    pthread_join(thread, NULL);
    swim_cancel_free(opt.cancel);
    must_release(held);
}

static void raise_and_lower(struct scene *s)
{
    swim_lock_t *reader = NULL;

    must_take(s->harmed, SWIM_LOCK_UPDATE, &s->lock);
    uint64_t before = swim_lock_fence(s->lock);
    assert_int_equal(swim_lock_raise(s->lock, NULL, NULL), SWIM_OK);
    writer_is('X');
    uint64_t raised = swim_lock_fence(s->lock);
    assert_true(raised > before);
    assert_int_equal(take(s->other, SWIM_LOCK_READ, SWIM_LOCK_TRY, &reader),
                     SWIM_ERR_TIMEOUT);
    assert_int_equal(swim_lock_lower(s->lock, NULL), SWIM_OK);
    writer_is('U');
    assert_int_equal(swim_lock_fence(s->lock), raised);
    must_take(s->other, SWIM_LOCK_READ, &reader);
    must_release(reader);
    must_release(s->lock);
}

static void raise_and_release(struct scene *s)
{
    must_take(s->harmed, SWIM_LOCK_UPDATE, &s->lock);
    assert_int_equal(swim_lock_raise(s->lock, NULL, NULL), SWIM_OK);
    must_release(s->lock);
}

static void raise_in_vain(struct scene *s)
{
    const struct swim_lock_options brief = {.struct_size = sizeof(brief),
                                            .wait_ms = 30};
    swim_lock_t *reader = NULL, *second = NULL;

    must_take(s->other, SWIM_LOCK_READ, &reader);
    must_take(s->harmed, SWIM_LOCK_UPDATE, &s->lock);
    assert_int_equal(swim_lock_raise(s->lock, &brief, NULL), SWIM_ERR_TIMEOUT);
    writer_is('U');
    if (!atomic_load(&plan.done)) /* a lost cancel is made up for by the heartbeat */
        assert_int_equal(count(QUEUE), 0);
    assert_true(redis_fixture_await(&redis, QUEUE, 0));
    assert_int_equal(take(s->other, SWIM_LOCK_UPDATE, SWIM_LOCK_TRY, &second),
                     SWIM_ERR_DEADLOCK);
    must_release(reader);
    must_release(s->lock);
}

static void tell_a_server_that_forgot(struct scene *s)
{
    int64_t until_ns = (test_now_ms() + 10000) * 1000000;

    must_take(s->harmed, SWIM_LOCK_WRITE, &s->lock);
    say(&redis, "FLUSHALL", "+OK");
    assert_int_equal(
        session_revive(s->harmed, atomic_load(&s->harmed->seq), until_ns, "r", NULL),
        SWIM_OK);
    writer_is('W');
    assert_int_equal(swim_lock_check(s->lock, 0, NULL), SWIM_OK);
    must_release(s->lock);
}

/* Nothing is at stake before a session is there: opening may fail, and says so. */
static swim_session_t *open_at_last(void)
{
    swim_session_t *session = NULL;

    int rc = session_try(redis.url, BRIEF_MS, &harmful, &session, NULL);
    if (rc == SWIM_OK)
        return session;
    assert_true(atomic_load(&plan.done));
    assert_int_equal(rc, SWIM_ERR_IO);
    return session_at(redis.url, BRIEF_MS, &harmful);
}

static void open_and_close(struct scene *s)
{
    (void)s;
    swim_session_close(open_at_last());
}

static void close_what_holds(struct scene *s)
{
    swim_session_t *session = open_at_last();

    must_take(session, SWIM_LOCK_WRITE, &s->lock);
    swim_session_close(session);
    must_take(s->other, SWIM_LOCK_WRITE, &s->lock); /* a lease later at worst */
    must_release(s->lock);
}

static void reap_a_child(struct scene *s)
{
    struct actor child;

    assert_int_equal(
        actor_start(&child, redis.url, LEASE_MS * 10, SWIM_LOCK_WRITE, "r", 5000), 0);
    assert_int_equal(actor_hear(&child, NULL), SWIM_OK);
    pid_t pid = child.pid;
    actor_kill(&child);
    int rc = swim_session_reap(s->harmed, pid, NULL);
    if (rc == SWIM_ERR_IO && atomic_load(&plan.done))
        rc = swim_session_reap(s->harmed, pid, NULL);
    assert_int_equal(rc, SWIM_OK);
    assert_int_equal(count("EXISTS {h5swim}:w:r"), 0);
}

static void end_another_session(struct scene *s)
{
    swim_session_t *broken = session_at(redis.url, LEASE_MS, NULL);
    enum inspect_break_result result = INSPECT_UNKNOWN;
    struct inspector *in = NULL;
    int64_t left_ms = -1;

    (void)s;
    must_take(broken, SWIM_LOCK_WRITE, &s->lock);
    assert_int_equal(inspect_open(redis.url, &in, NULL), SWIM_OK);
    redis_link_destroy(in->link);
    in->link = redis_link_create(&in->url, &harmful);
    int rc = inspect_break(in, swim_session_id(broken), 2000, &result, &left_ms, NULL);
    if (rc == SWIM_ERR_UNSURE && atomic_load(&plan.done))
        rc = inspect_break(in, swim_session_id(broken), 2000, &result, &left_ms, NULL);
    assert_int_equal(rc, SWIM_OK);
    assert_true(result == INSPECT_ENDED || atomic_load(&plan.done));
    assert_true(redis_fixture_await(&redis, "EXISTS {h5swim}:w:r", 0));
    assert_int_equal(swim_lock_check(s->lock, 0, NULL), SWIM_ERR_LOST);
    inspect_close(in);
    swim_session_close(broken);
}

/* Longer than a lease; the messages of the heartbeat are those harmed. */
static void be_held_for_long(struct scene *s)
{
    swim_session_t *session = session_at(redis.url, HELD_MS, &harmful);
    int64_t until_ms = test_now_ms() + HELD_MS * 5 / 4;

    must_take(session, SWIM_LOCK_WRITE, &s->lock);
    while (test_now_ms() < until_ms) {
        assert_int_equal(swim_lock_check(s->lock, 0, NULL), SWIM_OK);
        assert_int_equal(count("EXISTS {h5swim}:w:r"), 1);
        test_nap_ms(20);
    }
    must_release(s->lock);
    swim_session_close(session);
}

/* All keys that a session or a lock has. */
static const char left_over[] =
    "EVAL \"local n = 0 for _, part in ipairs({'r', 'w', 'q', 'wake', 'tickets', "
    "'session', 'notice'}) do n = n + #redis.call('KEYS', '{h5swim}:' .. part .. ':*') "
    "end return n\" 0";

static void begin(struct scene *s, enum harm harm, long n)
{
    say(&redis, "FLUSHALL", "+OK");
    assert_int_equal(redis_fixture_vouch(&redis, 0), 0);
    s->other = session_at(redis.url, LEASE_MS, NULL);
    s->harmed = session_at(redis.url, LEASE_MS, &harmful);
    s->lock = NULL;
    plan.harm = (int)harm;
    atomic_store(&plan.done, false);
    atomic_store(&plan.left, n);
}

/* Nothing of the operation is left; of the sessions, when they are closed. */
static void end(struct scene *s)
{
    atomic_store(&plan.left, 0);
    deliver_late();
    assert_true(redis_fixture_await(
        &redis, "EXISTS {h5swim}:r:r {h5swim}:w:r {h5swim}:q:r", 0));
    swim_session_close(s->harmed);
    swim_session_close(s->other);
    assert_true(redis_fixture_await(&redis, left_over, 0));
}

static void sweep(const char *name, operation *run, long least, long most)
{
    for (int harm = 0; harm < HARMS; harm++) {
        long n = 1;
        for (;; n++) {
            struct scene s;
            begin(&s, (enum harm)harm, n);
            run(&s);
            end(&s);
            if (!atomic_load(&plan.done) || n == most)
                break;
        }
        print_message("%s, %s: %ld times\n", name, harm_names[harm], n - 1);
        if (n < least || n > MESSAGES_MAX)
            fail_msg("%s: %ld messages harmed", name, n - 1);
    }
}

#define SWEEP(operation_name, least)                                       \
    static void operation_name##_survives_any_message(void **state)        \
    {                                                                      \
        (void)state;                                                       \
        plan.heartbeat = false;                                            \
        sweep(#operation_name, operation_name, (least) + 1, MESSAGES_MAX); \
    }

SWEEP(read_and_release, 2)
SWEEP(update_and_release, 2)
SWEEP(write_and_release, 2)
SWEEP(try_what_is_held, 1)
SWEEP(wait_in_vain, 3)
SWEEP(wait_for_a_turn, 3)
SWEEP(wait_until_cancelled, 2)
SWEEP(raise_and_lower, 4)
SWEEP(raise_and_release, 3)
SWEEP(raise_in_vain, 4)
SWEEP(tell_a_server_that_forgot, 3)
SWEEP(open_and_close, 3)
SWEEP(close_what_holds, 4)
SWEEP(reap_a_child, 2)
SWEEP(end_another_session, 2)

static void a_lock_is_held_whatever_happens_to_a_heartbeat(void **state)
{
    (void)state;
    plan.heartbeat = true;
    sweep("be_held_for_long", be_held_for_long, 3, getenv("SWIM_LONG") ? 8 : 3);
}

/* A release that no patience gets through is made when the server is back. */
static void a_release_while_the_server_is_away_is_made_later(void **state)
{
    swim_session_t *session = session_at(redis.url, 12000, &harmful);
    swim_lock_t *lock = NULL;

    (void)state;
    must_take(session, SWIM_LOCK_WRITE, &lock);
    atomic_store(&plan.away, true);
    assert_int_equal(swim_lock_release(lock, NULL), SWIM_ERR_UNSURE);
    assert_int_equal(count("EXISTS {h5swim}:w:r"), 1);
    atomic_store(&plan.away, false);
    assert_true(redis_fixture_await(&redis, "EXISTS {h5swim}:w:r", 0));
    assert_int_equal(atomic_load(&session->lost), false);
    swim_session_close(session);
}

#define TEST_SWEEP(name) TEST(name##_survives_any_message)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST_SWEEP(read_and_release),
        TEST_SWEEP(update_and_release),
        TEST_SWEEP(write_and_release),
        TEST_SWEEP(try_what_is_held),
        TEST_SWEEP(wait_in_vain),
        TEST_SWEEP(wait_for_a_turn),
        TEST_SWEEP(wait_until_cancelled),
        TEST_SWEEP(raise_and_lower),
        TEST_SWEEP(raise_and_release),
        TEST_SWEEP(raise_in_vain),
        TEST_SWEEP(tell_a_server_that_forgot),
        TEST_SWEEP(open_and_close),
        TEST_SWEEP(close_what_holds),
        TEST_SWEEP(reap_a_child),
        TEST_SWEEP(end_another_session),
        TEST(a_lock_is_held_whatever_happens_to_a_heartbeat),
        TEST(a_release_while_the_server_is_away_is_made_later),
    };
    if (actor_main(argc, argv))
        return 0;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
