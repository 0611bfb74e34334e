/* test_lock_failover.c - a replica becomes the primary while locks are held.
 *
 * The clients' URL is a symbolic link that leads to the primary's socket, as a virtual
 * address or a name would. */
#define RESOURCE "r"
#include "lock_tools.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LEASE_MS 2000
#define TRIES 20

struct scene {
    struct redis_fixture primary, replica;
    char port[16], link[96], url[128];
    const char *extra[8];
    swim_session_t *a, *b;
};

static void await_text(const struct redis_fixture *redis, const char *command,
                       const char *wanted)
{
    int64_t until = test_now_ms() + 20000;
    char answer[8192] = "";

    while (test_now_ms() < until) {
        redis_fixture_say(redis, command, answer, sizeof(answer));
        if (strstr(answer, wanted))
            return;
        test_nap_ms(10);
    }
    fail_msg("%s: no %s in %s", command, wanted, answer);
}

static int primary_start(struct scene *s)
{
    for (int i = 0; i < TRIES; i++) {
        snprintf(s->port, sizeof(s->port), "%d", 19000 + (getpid() + i * 97) % 1000);
        const char *extra[] = {
            "--port", s->port, "--bind", "127.0.0.1", "--repl-diskless-sync-delay",
            "0",      NULL};
        memcpy(s->extra, extra, sizeof(extra));
        if (redis_fixture_open(&s->primary, s->extra) == 0)
            return 0;
        redis_fixture_close(&s->primary);
    }
    return -1;
}

static void lead_to(const struct scene *s, const struct redis_fixture *redis)
{
    char fresh[112];

    snprintf(fresh, sizeof(fresh), "%s.new", s->link);
    assert_int_equal(symlink(redis->socket, fresh), 0);
    assert_int_equal(rename(fresh, s->link), 0);
}

static int setup(void **state)
{
    struct scene *s = calloc(1, sizeof(*s));
    char command[64];

    *state = s;
    if (!s || primary_start(s) != 0 || redis_fixture_open(&s->replica, NULL) != 0)
        return -1;
    snprintf(s->link, sizeof(s->link), "%s/link", s->replica.dir);
    snprintf(s->url, sizeof(s->url), "unix://%s", s->link);
    lead_to(s, &s->primary);
    s->a = session_at(s->url, LEASE_MS, NULL);
    s->b = session_at(s->url, LEASE_MS, NULL);
    snprintf(command, sizeof(command), "REPLICAOF 127.0.0.1 %s", s->port);
    say(&s->replica, command, "+OK");
    await_text(&s->replica, "INFO replication", "master_link_status:up");
    return 0;
}

static int teardown(void **state)
{
    struct scene *s = *state;

    swim_session_close(s->a);
    swim_session_close(s->b);
    unlink(s->link);
    redis_fixture_close(&s->replica);
    redis_fixture_close(&s->primary);
    free(s);
    return 0;
}

/* The holder holds on, whatever of its lock the replica had got. */
static void holder_holds(struct scene *s, swim_lock_t *lock)
{
    uint64_t fence = swim_lock_fence(lock);
    swim_lock_t *other = NULL;

    assert_int_equal(take(s->b, SWIM_LOCK_READ, LEASE_MS + LEASE_MS / 2, &other),
                     SWIM_ERR_TIMEOUT);
    assert_int_equal(swim_lock_check(lock, 0, NULL), SWIM_OK);
    assert_int_equal(swim_lock_release(lock, NULL), SWIM_OK);
    assert_int_equal(take(s->b, SWIM_LOCK_WRITE, 0, &other), SWIM_OK);
    assert_true(swim_lock_fence(other) > fence);
    assert_int_equal(swim_lock_release(other, NULL), SWIM_OK);
}

static void promote_replica(struct scene *s)
{
    say(&s->replica, "REPLICAOF NO ONE", "+OK");
    lead_to(s, &s->replica);
}

static void a_lock_outlives_the_primary(void **state)
{
    struct scene *s = *state;
    swim_lock_t *lock = NULL;

    assert_int_equal(take(s->a, SWIM_LOCK_WRITE, 0, &lock), SWIM_OK);
    redis_fixture_kill(&s->primary);
    promote_replica(s);
    holder_holds(s, lock);
}

/* The replica was behind: it never heard of the lock, and of an older one that is gone
 * it believes that it is held. */
static void what_the_replica_missed_is_told(void **state)
{
    struct scene *s = *state;
    swim_lock_t *old = NULL, *lock = NULL;

    assert_int_equal(take(s->b, SWIM_LOCK_WRITE, 0, &old), SWIM_OK);
    await_text(&s->replica, "EXISTS {h5swim}:w:r", ":1");
    say(&s->replica, "REPLICAOF 127.0.0.1 1", "+OK"); /* cut off */
    assert_int_equal(swim_lock_release(old, NULL), SWIM_OK);
    assert_int_equal(take(s->a, SWIM_LOCK_WRITE, 0, &lock), SWIM_OK);
    redis_fixture_kill(&s->primary);
    promote_replica(s);
    holder_holds(s, lock);
}

/* The old primary lives on as a replica, and the links to it stay open. */
static void a_demoted_primary_is_left(void **state)
{
    struct scene *s = *state;
    swim_lock_t *lock = NULL;

    assert_int_equal(take(s->a, SWIM_LOCK_WRITE, 0, &lock), SWIM_OK);
    promote_replica(s);
    say(&s->primary, "REPLICAOF 127.0.0.1 1", "+OK");
    holder_holds(s, lock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_lock_outlives_the_primary),
        TEST(what_the_replica_missed_is_told),
        TEST(a_demoted_primary_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
