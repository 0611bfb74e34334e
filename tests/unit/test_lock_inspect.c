/* test_lock_inspect.c - looking at locks from outside, and ending sessions. */
#include "lock_tools.h"

#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lock/inspect.h"
#include "lock/redis_link.h"

#define LONG_MS 60000
#define SHORT_MS 5000
#define SLACK_MS 20000 /* a busy machine; LONG_MS and WAIT_MS are longer */
#define WAIT_MS 30000

struct scene {
    struct redis_fixture redis;
    struct actor a, b, c, d;
    struct inspector *in;
    struct inspection *seen;
};

static int setup(void **state)
{
    struct scene *s = calloc(1, sizeof(*s));

    *state = s;
    if (!s || redis_fixture_open(&s->redis, NULL) != 0)
        return -1;
    return inspect_open(s->redis.url, &s->in, NULL);
}

static int teardown(void **state)
{
    struct scene *s = *state;

    inspection_free(s->seen);
    inspect_close(s->in);
    actor_kill(&s->a);
    actor_kill(&s->b);
    actor_kill(&s->c);
    actor_kill(&s->d);
    redis_fixture_close(&s->redis);
    free(s);
    return 0;
}

/* Run a script on the server, with P the beginning of all keys. */
static void run_lua(const struct scene *s, const char *script)
{
    const struct redis_wait wait = {.until_ns = (test_now_ms() + SLACK_MS) * 1000000};
    struct redis_answer *answer = NULL;
    struct lock_url url;
    swim_error_t err = {0};
    char text[2048];

    snprintf(text, sizeof(text), "local c,P=redis.call,'{h5swim}:' %s", script);
    const char *argv[] = {"EVAL", text, "0"};
    assert_int_equal(lock_url_parse(s->redis.url, &url, NULL), SWIM_OK);
    struct redis_link *link = redis_link_create(&url, &redis_link_sockets);
    assert_non_null(link);
    if (redis_link_call(link, 3, argv, &wait, &answer, &err) != SWIM_OK)
        fail_msg("%s", err.text);
    redis_answer_free(answer);
    redis_link_destroy(link);
}

static void look(struct scene *s)
{
    swim_error_t err = {0};

    inspection_free(s->seen);
    if (inspect_look(s->in, NULL, 0, &s->seen, &err) != SWIM_OK)
        fail_msg("%s", err.text);
}

/* The one resource there is. */
static const struct inspect_resource *look_at_one(struct scene *s)
{
    look(s);
    assert_int_equal(s->seen->n_resources, 1);
    return &s->seen->resources[0];
}

/* The id of an actor's session. */
static const char *id_of(struct scene *s, const struct actor *a)
{
    static char id[160];

    look(s);
    for (size_t i = 0; i < s->seen->n_sessions; i++)
        if (s->seen->sessions[i]->pid == a->pid) {
            snprintf(id, sizeof(id), "%s", s->seen->sessions[i]->id);
            return id;
        }
    fail_msg("no session of process %d", (int)a->pid);
    return NULL;
}

static enum inspect_break_result break_it(struct scene *s, const char *id,
                                          int64_t wait_ms, int64_t *left_ms)
{
    enum inspect_break_result result = INSPECT_UNKNOWN;
    swim_error_t err = {0};

    if (inspect_break(s->in, id, wait_ms, &result, left_ms, &err) != SWIM_OK)
        fail_msg("%s", err.text);
    return result;
}

/* That many wait for a word of the server: the thread of a session listens. */
static void await_listening(const struct scene *s, long n)
{
    assert_true(redis_fixture_await(
        &s->redis,
        "EVAL \"return tonumber(string.match(redis.call('INFO','clients'),"
        "'blocked_clients:(%d+)'))\" 0",
        n));
}

static bool hears_nothing(const struct actor *a, int64_t ms)
{
    struct pollfd p = {a->out, POLLIN, 0};

    return poll(&p, 1, (int)ms) == 0;
}

/* --- looking -------------------------------------------------------------------- */

static void holders_and_the_queue_are_shown_in_order(void **state)
{
    struct scene *s = *state;
    uint64_t fence = 0;

    start_holding(&s->redis, &s->a, LONG_MS, SWIM_LOCK_READ);
    assert_int_equal(
        actor_start(&s->b, s->redis.url, LONG_MS, SWIM_LOCK_UPDATE, RESOURCE, 20000),
        0);
    assert_int_equal(actor_hear(&s->b, &fence), SWIM_OK);
    start_queued(&s->redis, &s->c, LONG_MS, SWIM_LOCK_WRITE, 1);
    test_nap_ms(60);
    start_queued(&s->redis, &s->d, LONG_MS, SWIM_LOCK_READ, 2);
    const struct inspect_resource *r = look_at_one(s);
    assert_string_equal(r->name, RESOURCE);
    assert_int_equal(r->n_held, 2);
    assert_int_equal(r->n_waiting, 2);
    const struct inspect_ticket *t = r->tickets;
    assert_int_equal(t[0].mode, SWIM_LOCK_UPDATE);
    assert_int_equal(t[0].session->pid, s->b.pid);
    assert_true(t[0].fence == fence && fence > 0);
    assert_int_equal(t[1].mode, SWIM_LOCK_READ);
    assert_int_equal(t[1].session->pid, s->a.pid);
    assert_true(t[1].for_ms >= t[0].for_ms);
    assert_int_equal(t[2].session->pid, s->c.pid);
    assert_int_equal(t[3].session->pid, s->d.pid);
    assert_true(t[2].for_ms >= t[3].for_ms + 60 && t[2].for_ms < 30000);
    for (int i = 0; i < 4; i++) {
        const struct inspect_session *who = t[i].session;
        assert_true(who->left_ms > 0 && who->left_ms <= LONG_MS);
        assert_int_equal(who->lease_ms, LONG_MS);
        assert_int_equal(who->tickets, 1);
        assert_int_equal(who->rank, -1);
        assert_true(who->host[0] && who->user[0] && !who->broken && !who->dead);
    }
}

struct raiser {
    swim_lock_t *lock;
    int rc;
};

static void *raise_main(void *arg)
{
    struct raiser *r = arg;

    r->rc = swim_lock_raise(r->lock, NULL, NULL);
    return NULL;
}

/* Each class of places tells since when. */
static void all_who_wait_tell_since_when(void **state)
{
    static const enum swim_lock_mode modes[] = {SWIM_LOCK_WRITE, SWIM_LOCK_WRITE,
                                                SWIM_LOCK_READ};
    struct swim_session_options opt = {.struct_size = sizeof(opt), .rank = 7};
    struct scene *s = *state;
    struct raiser raiser = {0};
    swim_session_t *session = NULL;
    pthread_t thread;

    opt.url = s->redis.url;
    opt.job = "winds";
    assert_int_equal(swim_session_open(&opt, &session, NULL), SWIM_OK);
    assert_int_equal(swim_lock_acquire(session, RESOURCE, SWIM_LOCK_UPDATE, NULL,
                                       &raiser.lock, NULL),
                     SWIM_OK);
    start_holding(&s->redis, &s->a, LONG_MS, SWIM_LOCK_READ);
    start_queued(&s->redis, &s->c, LONG_MS, SWIM_LOCK_READ + 2, 1);
    start_queued(&s->redis, &s->d, LONG_MS, SWIM_LOCK_READ, 2);
    pthread_create(&thread, NULL, raise_main, &raiser);
    assert_true(redis_fixture_await(&s->redis, QUEUE, 3));
    /* One that is preferred, as its client would enter it. */
    run_lua(s, "redis.call('ZADD','{h5swim}:q:" RESOURCE
               "',-4503599627370496+redis.call('TIME')[1]*1000000,'V/x:1:1/1')");
    test_nap_ms(20);
    const struct inspect_resource *r = look_at_one(s);
    assert_int_equal(r->n_waiting, 4);
    const struct inspect_ticket *t = r->tickets + r->n_held;
    assert_true(t[0].raised && t[0].session->pid == getpid());
    assert_int_equal(t[0].session->rank, 7);
    assert_string_equal(t[0].session->job, "winds");
    assert_true(t[1].preferred && !t[1].raised);
    assert_int_equal(t[2].mode, modes[1]);
    assert_int_equal(t[3].mode, modes[2]);
    for (int i = 0; i < 4; i++)
        if (t[i].for_ms < (i == 1 ? 0 : 20) || t[i].for_ms > 30000)
            fail_msg("ticket %d waits %" PRId64 " ms", i, t[i].for_ms);
    actor_kill(&s->a);
    pthread_join(thread, NULL);
    assert_int_equal(raiser.rc, SWIM_OK);
    r = look_at_one(s);
    assert_true(r->tickets[0].raised && r->tickets[0].mode == SWIM_LOCK_WRITE);
    swim_lock_release(raiser.lock, NULL);
    swim_session_close(session);
}

static void what_was_asked_for_alone_is_shown(void **state)
{
    static const char *const names[] = {"/no/such", RESOURCE};
    struct scene *s = *state;

    start_holding(&s->redis, &s->a, LONG_MS, SWIM_LOCK_READ);
    assert_int_equal(
        actor_start(&s->b, s->redis.url, LONG_MS, SWIM_LOCK_READ, "/other", 1000), 0);
    assert_int_equal(actor_hear(&s->b, NULL), SWIM_OK);
    assert_int_equal(inspect_look(s->in, names, 2, &s->seen, NULL), SWIM_OK);
    assert_int_equal(s->seen->n_resources, 1);
    assert_string_equal(s->seen->resources[0].name, RESOURCE);
    assert_int_equal(s->seen->n_sessions, 1);
    assert_int_equal(s->seen->sessions[0]->pid, s->a.pid);
}

static void looking_changes_nothing(void **state)
{
    static const char digest[] =
        "EVAL \"local all='' local names=redis.call('KEYS','*') table.sort(names) "
        "for _,k in ipairs(names) do all=all..k..redis.call('DUMP',k) end "
        "return redis.sha1hex(all)\" 0";
    struct scene *s = *state;
    char before[256], after[256];

    start_holding(&s->redis, &s->a, LONG_MS, SWIM_LOCK_WRITE);
    start_queued(&s->redis, &s->b, LONG_MS, SWIM_LOCK_READ, 1);
    test_nap_ms(100); /* it has asked for the last time for a while */
    kill(s->a.pid, SIGSTOP);
    kill(s->b.pid, SIGSTOP);
    assert_true(redis_fixture_say(&s->redis, digest, before, sizeof(before)));
    for (int i = 0; i < 3; i++)
        look_at_one(s);
    assert_true(redis_fixture_say(&s->redis, digest, after, sizeof(after)));
    assert_string_equal(before, after);
}

/* 300 sessions with one resource each, and one with 5,000. */
static void very_many_are_asked_for_in_pages(void **state)
{
    struct scene *s = *state;

    run_lua(
        s,
        "for i=1,300 do local S='h:'..i..':1'"
        " c('ZADD',P..'sessions',1,S) c('HSET',P..'session:'..S,'pid',i)"
        " for j=1,(i==300 and 5000 or 1) do local R,T='/d/'..i..'/'..j,'R/'..S..'/'..j"
        " c('HSET',P..'tickets:'..S,T,R) c('HSET',P..'r:'..R,T,'5') end end");
    long before = redis_fixture_calls(&s->redis, "evalsha") +
                  redis_fixture_calls(&s->redis, "eval");
    look(s);
    long asked = redis_fixture_calls(&s->redis, "evalsha") +
                 redis_fixture_calls(&s->redis, "eval") - before;
    assert_int_equal(s->seen->n_resources, 5299);
    assert_int_equal(s->seen->n_sessions, 300);
    for (size_t i = 0; i < s->seen->n_resources; i++) {
        assert_int_equal(s->seen->resources[i].n_held, 1);
        assert_true(i == 0 || strcmp(s->seen->resources[i - 1].name,
                                     s->seen->resources[i].name) < 0);
    }
    if (asked < 5299 / 128 || asked > 100)
        fail_msg("%ld questions", asked);
}

/* One resource with more readers than a page has room for. */
static void a_crowded_resource_is_shown_whole(void **state)
{
    struct scene *s = *state;

    run_lua(
        s, "for i=1,3000 do local S='h:'..i..':1'"
           " c('ZADD',P..'sessions',1,S) c('HSET',P..'session:'..S,'pid',i)"
           " for j=1,2 do local T='R/'..S..'/'..j c('HSET',P..'tickets:'..S,T,'/d/'..j)"
           " c('HSET',P..'r:/d/'..j,T,'5') end end");
    look(s);
    assert_int_equal(s->seen->n_resources, 2);
    assert_int_equal(s->seen->n_sessions, 3000);
    assert_int_equal(s->seen->resources[0].n_held, 3000);
    assert_int_equal(s->seen->resources[1].n_held, 3000);
}

/* What is no ticket, no place, no number must not end the looking. */
static void garbage_is_passed_over(void **state)
{
    struct scene *s = *state;

    start_holding(&s->redis, &s->a, LONG_MS, SWIM_LOCK_READ);
    run_lua(s,
            "for _,T in ipairs({'','R','R/','R//',"
            "'R/x','Z/a:1:1/1','//////','R/'..string.rep('y',500)..'/1','W/a b/1'}) do"
            " c('ZADD',P..'q:" RESOURCE "',7,T) c('HSET',P..'r:" RESOURCE "',T,'x')"
            " c('HSET',P..'tickets:z',T,'/r'..T) end c('ZADD',P..'sessions',1,'z')"
            " c('ZADD',P..'sessions',1,'') c('SET',P..'w:" RESOURCE "','W/h:1:2/3')");
    look(s);
    bool found = false;
    for (size_t i = 0; i < s->seen->n_resources; i++)
        for (size_t t = 0; t < s->seen->resources[i].n_held; t++)
            found |= s->seen->resources[i].tickets[t].session->pid == s->a.pid;
    assert_true(found);
}

static void a_server_that_is_gone_is_an_error(void **state)
{
    struct scene *s = *state;
    int64_t left = 0;
    enum inspect_break_result result;

    redis_fixture_kill(&s->redis);
    assert_int_equal(inspect_look(s->in, NULL, 0, &s->seen, NULL), SWIM_ERR_IO);
    assert_null(s->seen);
    assert_int_equal(inspect_break(s->in, "h:1:1", 100, &result, &left, NULL),
                     SWIM_ERR_IO);
}

/* --- breaking ------------------------------------------------------------------- */

static void a_live_holder_is_told_and_lets_go(void **state)
{
    struct scene *s = *state;
    uint64_t first = 0, second = 0;
    int64_t left = 1;

    assert_int_equal(
        actor_start(&s->a, s->redis.url, LONG_MS, SWIM_LOCK_WRITE, RESOURCE, 1000), 0);
    assert_int_equal(actor_hear(&s->a, &first), SWIM_OK);
    await_listening(s, 1);
    start_queued(&s->redis, &s->b, LONG_MS, SWIM_LOCK_WRITE, 1);
    const char *id = id_of(s, &s->a);
    int64_t begin = test_now_ms();
    assert_int_equal(break_it(s, id, WAIT_MS, &left), INSPECT_ENDED);
    assert_int_equal(left, 0);
    assert_int_equal(actor_hear(&s->b, &second), SWIM_OK);
    assert_true(test_now_ms() - begin < SLACK_MS);
    assert_true(second > first);
    assert_told(&s->a, 'c', SWIM_ERR_LOST);
    assert_told(&s->a, 'r', SWIM_ERR_LOST);
    assert_told(&s->b, 'c', SWIM_OK);
    assert_int_equal(break_it(s, id, 1000, &left), INSPECT_UNKNOWN);
}

/* It may believe in its lock until its lease is over; so long nobody else gets it. */
static void a_stopped_holder_is_waited_for_until_its_lease_ends(void **state)
{
    struct scene *s = *state;
    int64_t left = 0;

    start_holding(&s->redis, &s->a, SHORT_MS, SWIM_LOCK_WRITE);
    start_queued(&s->redis, &s->b, LONG_MS, SWIM_LOCK_WRITE, 1);
    const char *id = id_of(s, &s->a);
    kill(s->a.pid, SIGSTOP);
    int64_t before = test_now_ms();
    assert_int_equal(break_it(s, id, 50, &left), INSPECT_FENCED);
    assert_true(left > 0 && left <= SHORT_MS);
    const struct inspect_resource *r = look_at_one(s);
    assert_true(r->n_held == 1 && r->tickets[0].session->broken);
    assert_string_equal(r->tickets[0].session->id, id);
    assert_int_equal(r->tickets[0].session->pid, s->a.pid);
    assert_int_equal(actor_hear(&s->b, NULL), SWIM_OK);
    int64_t took = test_now_ms() - before;
    assert_true(took >= left - 100 && took < left + SLACK_MS);
    kill(s->a.pid, SIGCONT);
    assert_told(&s->a, 'c', SWIM_ERR_LOST);
    assert_told(&s->a, 'r', SWIM_ERR_LOST);
    assert_told(&s->b, 'c', SWIM_OK);
}

/* Its own word that it has heard of the end is enough, and comes when it runs again. */
static void a_stopped_holder_that_goes_on_lets_go_at_once(void **state)
{
    struct scene *s = *state;
    int64_t left = 0;

    start_holding(&s->redis, &s->a, LONG_MS, SWIM_LOCK_WRITE);
    start_queued(&s->redis, &s->b, LONG_MS, SWIM_LOCK_WRITE, 1);
    kill(s->a.pid, SIGSTOP);
    assert_int_equal(break_it(s, id_of(s, &s->a), 50, &left), INSPECT_FENCED);
    assert_true(hears_nothing(&s->b, 100));
    int64_t begin = test_now_ms();
    kill(s->a.pid, SIGCONT);
    assert_int_equal(actor_hear(&s->b, NULL), SWIM_OK);
    assert_true(test_now_ms() - begin < SLACK_MS);
    assert_told(&s->a, 'c', SWIM_ERR_LOST);
}

static void a_broken_holder_that_dies_is_waited_for_no_longer(void **state)
{
    struct scene *s = *state;
    int64_t left = 0;

    start_holding(&s->redis, &s->a, LONG_MS, SWIM_LOCK_WRITE);
    start_queued(&s->redis, &s->b, LONG_MS, SWIM_LOCK_WRITE, 1);
    const char *id = id_of(s, &s->a);
    kill(s->a.pid, SIGSTOP);
    assert_int_equal(break_it(s, id, 0, &left), INSPECT_FENCED);
    actor_kill(&s->a);
    assert_int_equal(break_it(s, id, 0, &left), INSPECT_ENDED);
    assert_int_equal(actor_hear(&s->b, NULL), SWIM_OK);
}

/* The waiter sees it by itself, as it sees any dead holder of its host. */
static void a_waiter_sees_that_a_broken_holder_has_died(void **state)
{
    struct scene *s = *state;
    int64_t left = 0;

    start_holding(&s->redis, &s->a, LONG_MS, SWIM_LOCK_WRITE);
    kill(s->a.pid, SIGSTOP);
    assert_int_equal(break_it(s, id_of(s, &s->a), 0, &left), INSPECT_FENCED);
    start_queued(&s->redis, &s->b, LONG_MS, SWIM_LOCK_WRITE, 1);
    test_nap_ms(200); /* past the quiet phase: it watches the holder */
    int64_t begin = test_now_ms();
    actor_kill(&s->a);
    assert_int_equal(actor_hear(&s->b, NULL), SWIM_OK);
    assert_true(test_now_ms() - begin < SLACK_MS);
}

static void a_dead_holder_is_ended_at_once(void **state)
{
    struct scene *s = *state;
    int64_t left = 1;

    start_holding(&s->redis, &s->a, LONG_MS, SWIM_LOCK_WRITE);
    const char *id = id_of(s, &s->a);
    kill(s->a.pid, SIGKILL); /* not reaped: a zombie is dead too */
    for (int64_t until = test_now_ms() + 5000; test_now_ms() < until; test_nap_ms(1)) {
        look(s);
        if (s->seen->sessions[0]->dead)
            break;
    }
    int64_t begin = test_now_ms();
    assert_int_equal(break_it(s, id, WAIT_MS, &left), INSPECT_ENDED);
    assert_true(test_now_ms() - begin < SLACK_MS);
    assert_int_equal(redis_fixture_number(&s->redis, "ZCARD {h5swim}:sessions"), 0);
}

/* As if on another host: alive it answers, dead or stopped only its lease tells. */
static void a_holder_elsewhere_is_given_its_lease(void **state)
{
    struct scene *s = *state;
    int64_t left = 0;

    start_holding(&s->redis, &s->a, LONG_MS, SWIM_LOCK_WRITE);
    move_sessions_elsewhere(&s->redis);
    assert_int_equal(break_it(s, id_of(s, &s->a), WAIT_MS, &left), INSPECT_ENDED);
    assert_told(&s->a, 'c', SWIM_ERR_LOST);

    start_holding(&s->redis, &s->b, SHORT_MS, SWIM_LOCK_WRITE);
    move_sessions_elsewhere(&s->redis);
    const char *id = id_of(s, &s->b);
    start_queued(&s->redis, &s->c, LONG_MS, SWIM_LOCK_WRITE, 1);
    actor_kill(&s->b);
    int64_t before = test_now_ms();
    assert_int_equal(break_it(s, id, 50, &left), INSPECT_FENCED);
    assert_true(left > 0 && left <= SHORT_MS);
    assert_int_equal(actor_hear(&s->c, NULL), SWIM_OK);
    int64_t took = test_now_ms() - before;
    assert_true(took >= left - 100 && took < left + SLACK_MS);
    assert_int_equal(break_it(s, id, 0, &left), INSPECT_UNKNOWN);
}

/* A waiter holds nothing that it could believe in: its place is free at once. */
static void a_waiter_that_is_broken_gives_its_place_up(void **state)
{
    struct scene *s = *state;
    int64_t left = 0;

    start_holding(&s->redis, &s->a, LONG_MS, SWIM_LOCK_READ);
    start_queued(&s->redis, &s->b, LONG_MS, SWIM_LOCK_WRITE, 1);
    start_queued(&s->redis, &s->c, LONG_MS, SWIM_LOCK_READ, 2);
    const char *id = id_of(s, &s->b);
    kill(s->b.pid, SIGSTOP);
    assert_int_equal(break_it(s, id, 0, &left), INSPECT_FENCED);
    assert_int_equal(actor_hear(&s->c, NULL), SWIM_OK);
    kill(s->b.pid, SIGCONT);
    assert_int_equal(actor_hear(&s->b, NULL), SWIM_ERR_LOST);
}

/* Both the UPDATE and the WRITE that it was raised to are kept, and in the end go. */
static void a_raised_lock_is_broken_as_a_whole(void **state)
{
    struct scene *s = *state;
    int64_t left = 0;

    run_lua(
        s, "c('ZADD',P..'sessions',9e15,'h:1:1')"
           " c('HSET',P..'session:h:1:1','pid',1) c('PEXPIRE',P..'session:h:1:1',5000)"
           " c('SET',P..'w:" RESOURCE "','X/h:1:1/2 77 5') c('HSET',P..'tickets:h:1:1',"
           "'U/h:1:1/1','" RESOURCE "','X/h:1:1/2','" RESOURCE "')");
    assert_int_equal(break_it(s, "h:1:1", 0, &left), INSPECT_FENCED);
    const struct inspect_resource *r = look_at_one(s);
    assert_int_equal(r->n_held, 1);
    assert_true(r->tickets[0].raised && r->tickets[0].fence == 77);
    assert_string_equal(r->tickets[0].session->id, "h:1:1");
    assert_int_equal(r->tickets[0].session->tickets, 2);
    assert_int_equal(
        redis_fixture_number(&s->redis,
                             "EXISTS {h5swim}:session:h:1:1 {h5swim}:tickets:h:1:1"),
        0);
    start_queued(&s->redis, &s->a, LONG_MS, SWIM_LOCK_READ, 1);
    assert_int_equal(actor_hear(&s->a, NULL), SWIM_OK);
    assert_int_equal(redis_fixture_number(&s->redis, "EXISTS {h5swim}:w:" RESOURCE), 0);
    assert_int_equal(redis_fixture_number(&s->redis, "EXISTS {h5swim}:tickets:h:1:1!"),
                     0);
}

/* A raise that still waits goes; the UPDATE under it stays. */
static void a_waiting_raise_is_given_up(void **state)
{
    struct scene *s = *state;
    int64_t left = 0;

    start_holding(&s->redis, &s->a, LONG_MS, SWIM_LOCK_READ);
    run_lua(
        s, "c('ZADD',P..'sessions',9e15,'h:1:1')"
           " c('HSET',P..'session:h:1:1','pid',1) c('PEXPIRE',P..'session:h:1:1',60000)"
           " c('SET',P..'w:" RESOURCE "','U/h:1:1/1 77 5') c('ZADD',P..'q:" RESOURCE
           "',-9e15,'X/h:1:1/2') c('HSET',P..'tickets:h:1:1',"
           "'U/h:1:1/1','" RESOURCE "','X/h:1:1/2','" RESOURCE "')");
    start_queued(&s->redis, &s->b, LONG_MS, SWIM_LOCK_READ, 2);
    assert_int_equal(break_it(s, "h:1:1", 0, &left), INSPECT_FENCED);
    assert_int_equal(actor_hear(&s->b, NULL), SWIM_OK);
    const struct inspect_resource *r = look_at_one(s);
    assert_true(r->n_held == 3 && r->n_waiting == 0);
    assert_true(r->tickets[0].mode == SWIM_LOCK_UPDATE &&
                r->tickets[0].session->broken);
}

static void nobody_is_broken_for_another(void **state)
{
    struct scene *s = *state;
    int64_t left = 0;

    start_holding(&s->redis, &s->a, LONG_MS, SWIM_LOCK_WRITE);
    assert_int_equal(break_it(s, "no:1:1", 1000, &left), INSPECT_UNKNOWN);
    assert_int_equal(break_it(s, "", 1000, &left), INSPECT_UNKNOWN);
    assert_int_equal(redis_fixture_number(&s->redis, "ZCARD {h5swim}:sessions"), 1);
    assert_int_equal(redis_fixture_number(
                         &s->redis, "EXISTS {h5swim}:notice:no:1:1 {h5swim}:notice:"),
                     0);
    assert_told(&s->a, 'c', SWIM_OK);
}

/* --- children ------------------------------------------------------------------- */

static void a_dead_child_is_forgotten_at_once(void **state)
{
    struct scene *s = *state;
    swim_session_t *session = session_at(s->redis.url, 0, NULL);

    start_holding(&s->redis, &s->a, LONG_MS, SWIM_LOCK_READ);
    start_holding(&s->redis, &s->b, LONG_MS, SWIM_LOCK_READ);
    pid_t dead = s->a.pid;
    actor_kill(&s->a);
    assert_int_equal(swim_session_reap(session, dead, NULL), SWIM_OK);
    assert_int_equal(redis_fixture_number(&s->redis, "ZCARD {h5swim}:sessions"), 2);
    assert_int_equal(redis_fixture_number(&s->redis, "HLEN {h5swim}:r:" RESOURCE), 1);
    assert_int_equal(swim_session_reap(session, dead, NULL), SWIM_OK);
    assert_told(&s->b, 'c', SWIM_OK);
    swim_session_close(session);
}

static void the_living_and_those_elsewhere_are_not_reaped(void **state)
{
    struct scene *s = *state;
    swim_session_t *session = session_at(s->redis.url, 0, NULL);

    start_holding(&s->redis, &s->a, LONG_MS, SWIM_LOCK_READ);
    assert_int_equal(swim_session_reap(session, s->a.pid, NULL), SWIM_OK);
    assert_int_equal(swim_session_reap(session, getpid(), NULL), SWIM_OK);
    assert_told(&s->a, 'c', SWIM_OK);
    move_sessions_elsewhere(&s->redis);
    pid_t dead = s->a.pid;
    actor_kill(&s->a);
    assert_int_equal(swim_session_reap(session, dead, NULL), SWIM_OK);
    assert_int_equal(redis_fixture_number(&s->redis, "ZCARD {h5swim}:sessions"), 2);
    assert_int_equal(swim_session_reap(session, 0, NULL), SWIM_ERR_ARG);
    assert_int_equal(swim_session_reap(session, -1, NULL), SWIM_ERR_ARG);
    swim_session_close(session);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(holders_and_the_queue_are_shown_in_order),
        TEST(all_who_wait_tell_since_when),
        TEST(what_was_asked_for_alone_is_shown),
        TEST(looking_changes_nothing),
        TEST(very_many_are_asked_for_in_pages),
        TEST(a_crowded_resource_is_shown_whole),
        TEST(garbage_is_passed_over),
        TEST(a_server_that_is_gone_is_an_error),
        TEST(a_live_holder_is_told_and_lets_go),
        TEST(a_stopped_holder_is_waited_for_until_its_lease_ends),
        TEST(a_stopped_holder_that_goes_on_lets_go_at_once),
        TEST(a_broken_holder_that_dies_is_waited_for_no_longer),
        TEST(a_waiter_sees_that_a_broken_holder_has_died),
        TEST(a_dead_holder_is_ended_at_once),
        TEST(a_holder_elsewhere_is_given_its_lease),
        TEST(a_waiter_that_is_broken_gives_its_place_up),
        TEST(a_raised_lock_is_broken_as_a_whole),
        TEST(a_waiting_raise_is_given_up),
        TEST(nobody_is_broken_for_another),
        TEST(a_dead_child_is_forgotten_at_once),
        TEST(the_living_and_those_elsewhere_are_not_reaped),
    };
    if (actor_main(argc, argv))
        return 0;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
