/* test_h5pyswmr.c - how h5pySWMR broke when processes died or took their time, one test
 * for each: locks among real processes at a real server. */
#include "lock_scene.h"

#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>

#define HELD_MS 4000  /* a lease that must not end, however busy the machine is */
#define LATE_MS 15000 /* what is waited for in vain takes longer */

/* --- a holder killed while others retry ------------------------------------------- */

/* Like the waiters of h5pySWMR: try, give up, try again; the second half of them waits
 * in the queue. */
static void retry_main(struct victim *v)
{
    const struct scene *s = v->scene;
    swim_session_t *session = session_new(s, LONG_LEASE_MS, NULL);
    int64_t wait_ms = v == s->v[0] || v == s->v[1] ? 20 : 20000;
    int64_t until = test_now_ms() + 20000;
    swim_lock_t *lock = NULL;

    victim_ready(v);
    while (take(session, SWIM_LOCK_WRITE, wait_ms, &lock) != SWIM_OK) {
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
        start_holding(&s->redis, &s->a, lease_ms, SWIM_LOCK_WRITE);
        for (int i = 0; i < WAITERS; i++) {
            atomic_store(&s->v[i]->calls[0], 0);
            assert_int_equal(victim_start(s->v[i], retry_main, s), 0);
        }
        for (int i = 0; i < 2; i++)
            assert_true(victim_reaches(&s->v[i]->calls[0], 3));
        if (elsewhere)
            move_sessions_elsewhere(&s->redis);
        int64_t begin = test_now_ms();
        actor_kill(&s->a);
        for (int i = 0; i < WAITERS; i++)
            assert_int_equal(victim_exit_status(s->v[i]), 0);
        assert_in_range(test_now_ms() - begin, 0, LATE_MS);
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
        start_holding(&s->redis, &s->a, elsewhere ? LEASE_MS : LONG_LEASE_MS,
                      SWIM_LOCK_READ);
        if (elsewhere)
            move_sessions_elsewhere(&s->redis);
        actor_kill(&s->a);
        start_holding(&s->redis, &s->b, LONG_LEASE_MS, SWIM_LOCK_READ);
        start_holding(&s->redis, &s->c, LONG_LEASE_MS, SWIM_LOCK_READ);
        assert_closed(s);
        release(&s->b);
        assert_closed(s);
        if (elsewhere) { /* its lease has ended as well: nothing is left of it */
            test_nap_ms(LEASE_MS + 50);
            assert_closed(s);
        }
        release(&s->c);
        start_holding(&s->redis, &s->a, LONG_LEASE_MS, SWIM_LOCK_WRITE);
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
        /* The usual lease of 10 s in the long run, else all in a third of the time. */
        bool real = is_long && mode != SWIM_LOCK_UPDATE;
        start_holding(&s->redis, &s->a, real ? 0 : HELD_MS, mode);
        int64_t until = test_now_ms() + (real ? 25000 : 2 * HELD_MS + 200);
        while (test_now_ms() < until) {
            assert_closed(s);
            test_nap_ms(100);
        }
        assert_told(&s->a, 'c', SWIM_OK);
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

/* Long enough that all of them are dead before the first lease ends: who opens a
 * session after that would sweep them away. */
#define STEPS_LEASE_MS 3000

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
    swim_session_t *session = session_new(v->scene, STEPS_LEASE_MS, &ops);
    if (play == PLAY_WAIT) {
        if (take_at(session, resource, SWIM_LOCK_WRITE, 30, &lock, NULL) !=
            SWIM_ERR_TIMEOUT)
            _exit(73);
    } else {
        if (take_at(session, resource, (enum swim_lock_mode)play, 20000, &lock, NULL) !=
            SWIM_OK)
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
                if (take_at(session, resource, SWIM_LOCK_WRITE, 10000, &lock, NULL) !=
                    SWIM_OK)
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
                       "if not k:find('^{h5swim}:epoch') and k~='{h5swim}:fence' and "
                       "redis.call('PTTL',k)<0 then n=n+1 end end return n\" 0"),
        0);
}

static void killed_between_any_two_steps_nothing_stays_for_ever(void **state)
{
    struct scene *s = *state;
    int killed[N_PLAYS][N_STEPS] = {{0}}, all = 0;

    start_holding(&s->redis, &s->a, STEPS_LEASE_MS, SWIM_LOCK_READ);
    for (int play = PLAY_READ; play <= PLAY_WAIT; play++)
        for (int step = 0; step < N_STEPS; step++) {
            deadly.step = (enum step)step;
            killed[play][step] = kill_at_each_message(s, (enum play)play);
            /* open twice, take, give back, close at the least */
            assert_true(killed[play][step] >= 5);
            all += killed[play][step];
        }
    print_message("%d killed\n", all);
    move_sessions_elsewhere(&s->redis);
    int64_t begin = test_now_ms();
    release(&s->a);
    take_all(s, killed);
    assert_in_range(test_now_ms() - begin, 0, STEPS_LEASE_MS + 6000);
    test_nap_ms(STEPS_LEASE_MS + 50);
    assert_nothing_is_for_ever(s, all);
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
    assert_in_range(test_now_ms() - begin, 0, 8000); /* 10 s: it was waited for */
    assert_int_equal(victim_exit_status(v), 3);
    start(&s->redis, &s->a, LONG_LEASE_MS, SWIM_LOCK_READ, 1000);
    kill(s->a.pid, SIGKILL);
    (void)actor_hear(&s->a, NULL);
    assert_int_equal(actor_hear(&s->a, NULL), 1);
    assert_int_not_equal(actor_reap(&s->a), 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(a_holder_killed_while_others_retry_does_not_deadlock),
        TEST(a_killed_reader_lets_no_writer_in_beside_later_readers),
        TEST(a_lock_held_longer_than_20_s),
        TEST(killed_between_any_two_steps_nothing_stays_for_ever),
        TEST(a_failing_child_is_noticed),
    };
    if (actor_main(argc, argv))
        return 0;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
