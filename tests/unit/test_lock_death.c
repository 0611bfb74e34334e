/* test_lock_death.c - holders and waiters that die, hang or are told to go. */
#include "lock_scene.h"

#include <signal.h>
#include <sys/wait.h>

static void a_killed_writer_of_this_host_is_replaced_at_once(void **state)
{
    struct scene *s = *state;

    start_holding(&s->redis, &s->a, 60000, SWIM_LOCK_WRITE);
    start_queued(&s->redis, &s->b, LEASE_MS, SWIM_LOCK_WRITE, 1);
    test_nap_ms(200); /* past the quiet phase: it watches the holder */
    int64_t begin = test_now_ms();
    actor_kill(&s->a);
    assert_int_equal(actor_hear(&s->b, NULL), SWIM_OK);
    assert_true(test_now_ms() - begin < 1000);
}

static void a_killed_reader_of_this_host_is_forgotten_at_once(void **state)
{
    struct scene *s = *state;

    start_holding(&s->redis, &s->a, 60000, SWIM_LOCK_READ);
    start_holding(&s->redis, &s->c, 60000, SWIM_LOCK_READ);
    kill(s->a.pid, SIGKILL); /* not reaped: a zombie is dead too */
    int64_t begin = test_now_ms();
    start_queued(&s->redis, &s->b, LEASE_MS, SWIM_LOCK_WRITE, 1);
    assert_told(&s->c, 'r', SWIM_OK);
    assert_int_equal(actor_hear(&s->b, NULL), SWIM_OK);
    assert_true(test_now_ms() - begin < 2000);
}

static void a_killed_writer_elsewhere_is_replaced_within_its_lease(void **state)
{
    struct scene *s = *state;

    start_holding(&s->redis, &s->a, LEASE_MS, SWIM_LOCK_WRITE);
    move_sessions_elsewhere(&s->redis);
    start_queued(&s->redis, &s->b, LEASE_MS, SWIM_LOCK_WRITE, 1);
    start_queued(&s->redis, &s->c, LEASE_MS, SWIM_LOCK_WRITE,
                 2); /* two that retry renew nothing */
    int64_t begin = test_now_ms();
    actor_kill(&s->a);
    assert_int_equal(actor_hear(&s->b, NULL), SWIM_OK);
    assert_true(test_now_ms() - begin < LEASE_MS + 500);
}

static void a_killed_waiter_is_passed_by(void **state)
{
    struct scene *s = *state;

    start_holding(&s->redis, &s->a, LEASE_MS, SWIM_LOCK_READ);
    start_queued(&s->redis, &s->b, LEASE_MS, SWIM_LOCK_WRITE, 1);
    move_sessions_elsewhere(&s->redis);
    start_queued(&s->redis, &s->c, LEASE_MS, SWIM_LOCK_READ, 2);
    int64_t begin = test_now_ms();
    actor_kill(&s->b);
    assert_int_equal(actor_hear(&s->c, NULL), SWIM_OK);
    assert_true(test_now_ms() - begin < LEASE_MS + 500);
}

/* Both die, the waiter first in line as well: the lock must not go to it. */
static void a_dead_holder_hands_over_to_the_living(void **state)
{
    struct scene *s = *state;

    start_holding(&s->redis, &s->a, LEASE_MS, SWIM_LOCK_WRITE);
    start_queued(&s->redis, &s->b, LEASE_MS, SWIM_LOCK_WRITE, 1);
    move_sessions_elsewhere(&s->redis);
    start_queued(&s->redis, &s->c, LEASE_MS, SWIM_LOCK_WRITE, 2);
    int64_t begin = test_now_ms();
    actor_kill(&s->a);
    actor_kill(&s->b);
    assert_int_equal(actor_hear(&s->c, NULL), SWIM_OK);
    assert_true(test_now_ms() - begin < LEASE_MS + 700);
}

static void a_holder_told_to_go_leaves_the_lock_free(void **state)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
    struct scene *s = *state;

    for (int i = 0; i < 3; i++) {
        start_holding(&s->redis, &s->a, 60000, SWIM_LOCK_WRITE);
        start_queued(&s->redis, &s->b, LEASE_MS, SWIM_LOCK_WRITE, 1);
        int64_t begin = test_now_ms();
        kill(s->a.pid, signals[i]);
        assert_int_equal(actor_hear(&s->b, NULL), SWIM_OK);
        int64_t took = test_now_ms() - begin;
        int status = actor_reap(&s->a);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 128 + signals[i]);
        if (took >= 200)
            fail_msg("free after %ld ms", (long)took);
        actor_kill(&s->b);
        char answer[64];
        redis_fixture_say(&s->redis, "FLUSHALL", answer, sizeof(answer));
        assert_int_equal(redis_fixture_vouch(&s->redis, 0), 0);
    }
}

/* Nobody waits, so nobody else can have ended the session. */
static void the_leave_hook_itself_closes_the_session(void **state)
{
    struct scene *s = *state;
    char answer[64];

    start_holding(&s->redis, &s->a, 60000, SWIM_LOCK_WRITE);
    redis_fixture_say(&s->redis, "SCRIPT FLUSH", answer, sizeof(answer));
    kill(s->a.pid, SIGTERM);
    assert_true(WIFEXITED(actor_reap(&s->a)));
    int64_t begin = test_now_ms();
    assert_true(redis_fixture_await(&s->redis, "ZCARD {h5swim}:sessions", 0));
    assert_true(test_now_ms() - begin < 200);
}

/* As where a container has it in another folder, or the server was started in it. */
static void the_leave_hook_finds_a_socket_by_the_name_in_the_url(void **state)
{
    struct scene *s = *state;
    char bound[sizeof(s->redis.socket)];

    memcpy(bound, s->redis.socket, sizeof(bound));
    snprintf(s->redis.socket, sizeof(s->redis.socket), "%s/moved", s->redis.dir);
    snprintf(s->redis.url, sizeof(s->redis.url), "unix://%s", s->redis.socket);
    assert_int_equal(rename(bound, s->redis.socket), 0);
    start_holding(&s->redis, &s->a, 60000, SWIM_LOCK_WRITE);
    kill(s->a.pid, SIGTERM);
    assert_true(WIFEXITED(actor_reap(&s->a)));
    assert_true(redis_fixture_await(&s->redis, "ZCARD {h5swim}:sessions", 0));
}

/* Over TCP, with a user, a password and a database that the hook must repeat. */
static void the_leave_hook_logs_in(void **state)
{
    static const char sessions[] = "EVAL \"redis.call('SELECT',3) return "
                                   "redis.call('ZCARD','{h5swim}:sessions')\" 0";
    struct scene *s = *state;
    char command[64], answer[64] = "", url[128];
    int port = 20000 + getpid() % 10000;

    for (int i = 0; i < 100 && answer[0] != '+'; i++) {
        snprintf(command, sizeof(command), "CONFIG SET port %d", ++port);
        redis_fixture_say(&s->redis, command, answer, sizeof(answer));
    }
    assert_int_equal(answer[0], '+');
    redis_fixture_say(&s->redis, "ACL SETUSER me on >p@ss ~* +@all", answer,
                      sizeof(answer));
    assert_int_equal(answer[0], '+');
    assert_int_equal(redis_fixture_vouch(&s->redis, 3), 0);
    snprintf(url, sizeof(url), "redis://me:p%%40ss@127.0.0.1:%d/3", port);
    assert_int_equal(actor_start(&s->a, url, 60000, SWIM_LOCK_WRITE, RESOURCE, 1000),
                     0);
    assert_int_equal(actor_hear(&s->a, NULL), SWIM_OK);
    assert_int_equal(redis_fixture_number(&s->redis, sessions), 1);
    kill(s->a.pid, SIGTERM);
    assert_true(WIFEXITED(actor_reap(&s->a)));
    int64_t begin = test_now_ms();
    assert_true(redis_fixture_await(&s->redis, sessions, 0));
    assert_true(test_now_ms() - begin < 200);
}

static void a_waiter_told_to_go_gives_its_place_up(void **state)
{
    struct scene *s = *state;

    start_holding(&s->redis, &s->a, LEASE_MS, SWIM_LOCK_WRITE);
    start_queued(&s->redis, &s->b, LEASE_MS, SWIM_LOCK_WRITE, 1);
    kill(s->b.pid, SIGTERM);
    assert_int_equal(actor_hear(&s->b, NULL), SWIM_ERR_CANCELLED);
    assert_true(redis_fixture_await(&s->redis, QUEUE, 0));
    assert_int_equal(WEXITSTATUS(actor_reap(&s->b)), 128 + SIGTERM);
}

static void a_paused_holder_knows_that_it_has_lost(void **state)
{
    struct scene *s = *state;
    uint64_t first = 0, second = 0;

    start(&s->redis, &s->a, LEASE_MS, SWIM_LOCK_WRITE, 20000);
    assert_int_equal(actor_hear(&s->a, &first), SWIM_OK);
    start_queued(&s->redis, &s->b, LEASE_MS, SWIM_LOCK_WRITE, 1);
    kill(s->a.pid, SIGSTOP);
    assert_int_equal(actor_hear(&s->b, &second), SWIM_OK);
    assert_true(second > first);
    kill(s->a.pid, SIGCONT);
    assert_told(&s->a, 'c', SWIM_ERR_LOST);
    assert_told(&s->a, 'r', SWIM_ERR_LOST);
    /* Its late release took nothing from the new holder. */
    assert_told(&s->b, 'c', SWIM_OK);
    start_queued(&s->redis, &s->c, LEASE_MS, SWIM_LOCK_READ, 1);
    assert_told(&s->b, 'r', SWIM_OK);
    assert_int_equal(actor_hear(&s->c, NULL), SWIM_OK);
}

/* With nobody waiting the server may not have purged it yet: the client's own clock
 * decides, and its heartbeat does not revive it. */
static void a_paused_holder_has_lost_even_if_nobody_wanted_it(void **state)
{
    struct scene *s = *state;

    start_holding(&s->redis, &s->a, LEASE_MS, SWIM_LOCK_WRITE);
    kill(s->a.pid, SIGSTOP);
    test_nap_ms(LEASE_MS + 100);
    kill(s->a.pid, SIGCONT);
    test_nap_ms(LEASE_MS / 2); /* time for a renewal that must not be */
    assert_told(&s->a, 'c', SWIM_ERR_LOST);
    assert_true(redis_fixture_await(&s->redis, "ZCARD {h5swim}:sessions", 0));
}

/* Nobody waits for what it held: whoever opens a session next cleans up. */
static void the_dead_are_swept_by_those_who_come(void **state)
{
    struct scene *s = *state;

    start_holding(&s->redis, &s->a, 1000, SWIM_LOCK_WRITE);
    actor_kill(&s->a);
    test_nap_ms(1100);
    assert_int_equal(actor_start(&s->b, s->redis.url, LEASE_MS, SWIM_LOCK_READ, "other",
                                 SWIM_LOCK_TRY),
                     0);
    assert_int_equal(actor_hear(&s->b, NULL), SWIM_OK);
    assert_int_equal(redis_fixture_number(&s->redis, "EXISTS {h5swim}:w:" RESOURCE), 0);
    assert_int_equal(redis_fixture_number(&s->redis, "ZCARD {h5swim}:sessions"), 1);
}

/* Stopped while the server lost its data, and others have had the lock since: there is
 * nothing to reclaim any more, although its own lease still runs. */
static void a_holder_that_comes_after_the_grace_has_lost(void **state)
{
    struct scene *s = *state;
    int64_t until = test_now_ms() + 10000;
    int rc = SWIM_OK;

    start_holding(&s->redis, &s->a, 60000, SWIM_LOCK_WRITE);
    kill(s->a.pid, SIGSTOP);
    redis_fixture_kill(&s->redis);
    assert_int_equal(redis_fixture_start(&s->redis), 0);
    start_holding(&s->redis, &s->b, 1000, SWIM_LOCK_WRITE);
    assert_told(&s->b, 'r', SWIM_OK);
    kill(s->a.pid, SIGCONT);
    while (rc == SWIM_OK && test_now_ms() < until) {
        actor_tell(&s->a, 'c');
        rc = actor_hear(&s->a, NULL);
        test_nap_ms(5);
    }
    assert_int_equal(rc, SWIM_ERR_LOST);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(a_killed_writer_of_this_host_is_replaced_at_once),
        TEST(a_killed_reader_of_this_host_is_forgotten_at_once),
        TEST(a_killed_writer_elsewhere_is_replaced_within_its_lease),
        TEST(a_killed_waiter_is_passed_by),
        TEST(a_dead_holder_hands_over_to_the_living),
        TEST(a_holder_told_to_go_leaves_the_lock_free),
        TEST(the_leave_hook_itself_closes_the_session),
        TEST(the_leave_hook_finds_a_socket_by_the_name_in_the_url),
        TEST(the_leave_hook_logs_in),
        TEST(a_waiter_told_to_go_gives_its_place_up),
        TEST(a_paused_holder_knows_that_it_has_lost),
        TEST(a_paused_holder_has_lost_even_if_nobody_wanted_it),
        TEST(the_dead_are_swept_by_those_who_come),
        TEST(a_holder_that_comes_after_the_grace_has_lost),
    };
    if (actor_main(argc, argv))
        return 0;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
