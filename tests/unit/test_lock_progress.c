/* test_lock_progress.c - what a wait says while it goes on. */
#include "lock_tools.h"

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lock/wanted.h"

#define LEASE_MS 60000
#define SOON_MS 100
#define AGAIN_MS 10000
#define WAIT_MS 20000
#define BLOCKED                                                         \
    "EVAL \"return tonumber(string.match(redis.call('INFO','clients')," \
    "'blocked_clients:(%d+)'))\" 0" /* how many wait for a word of the server */

struct scene {
    struct redis_fixture redis;
    swim_session_t *a, *b;
    struct actor actor;
};

/* A thread that asks, and what it was told. */
struct asker {
    pthread_t thread;
    swim_session_t *session;
    enum swim_lock_mode mode;
    struct swim_lock_options opt;
    swim_lock_t *lock; /* to raise; else what it got */
    bool raises;
    int rc;
    pid_t self, told_in;
    atomic_int told, stay; /* stay: do not return from the call */
    int64_t told_ms[8], returned_ms, had_ms;
    char text[640];
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

    actor_kill(&s->actor);
    pair_close(&s->redis, s->a, s->b);
    free(s);
    return 0;
}

static void hear(void *arg, const char *text)
{
    struct asker *asker = arg;
    int n = atomic_load(&asker->told);

    asker->told_in = gettid();
    asker->told_ms[n % 8] = test_now_ms();
    snprintf(asker->text, sizeof(asker->text), "%s", text);
    atomic_store(&asker->told, n + 1);
    for (int64_t until = test_now_ms() + 10000;
         atomic_load(&asker->stay) && test_now_ms() < until;)
        test_nap_ms(1);
    asker->returned_ms = test_now_ms();
}

static void *ask(void *arg)
{
    struct asker *asker = arg;

    asker->self = gettid();
    asker->rc = asker->raises ? swim_lock_raise(asker->lock, &asker->opt, NULL)
                              : swim_lock_acquire(asker->session, RESOURCE, asker->mode,
                                                  &asker->opt, &asker->lock, NULL);
    asker->had_ms = test_now_ms();
    return NULL;
}

static struct asker asker_of(swim_session_t *session, enum swim_lock_mode mode,
                             uint32_t progress_ms)
{
    return (struct asker){.session = session,
                          .mode = mode,
                          .opt = {.struct_size = sizeof(struct swim_lock_options),
                                  .wait_ms = WAIT_MS,
                                  .progress = hear,
                                  .progress_ms = progress_ms}};
}

static void asker_start(struct asker *asker)
{
    asker->opt.progress_arg = asker;
    assert_int_equal(pthread_create(&asker->thread, NULL, ask, asker), 0);
}

static void await_told(struct asker *asker, int times)
{
    int64_t until = test_now_ms() + WAIT_MS;

    while (atomic_load(&asker->told) < times && test_now_ms() < until)
        test_nap_ms(1);
    assert_true(atomic_load(&asker->told) >= times);
}

static void asker_join(struct asker *asker, int wanted)
{
    pthread_join(asker->thread, NULL);
    assert_int_equal(asker->rc, wanted);
}

static void assert_says(const struct asker *asker, const char *words)
{
    if (!strstr(asker->text, words))
        fail_msg("\"%s\" is not in: %s", words, asker->text);
}

static void a_wait_says_in_its_thread_who_holds_the_lock(void **state)
{
    struct scene *s = *state;
    struct asker asker = asker_of(s->a, SWIM_LOCK_READ, SOON_MS);
    char holder[160];

    start_holding(&s->redis, &s->actor, LEASE_MS, SWIM_LOCK_WRITE);
    snprintf(holder, sizeof(holder), "WRITE held by %s:%d (%s", s->a->self.host,
             (int)s->actor.pid, s->a->self.user);
    int64_t begin_ms = test_now_ms();
    asker_start(&asker);
    await_told(&asker, 1);
    assert_told(&s->actor, 'r', SWIM_OK);
    asker_join(&asker, SWIM_OK);
    assert_int_equal(asker.told_in, asker.self);
    assert_int_equal(strncmp(asker.text, "READ of " RESOURCE ": ", 12), 0);
    assert_says(&asker, holder);
    assert_null(strchr(asker.text, '\n'));
    assert_true(asker.told_ms[0] - begin_ms >= SOON_MS);
    assert_int_equal(swim_lock_release(asker.lock, NULL), SWIM_OK);
}

static void await_calls(const struct scene *s, const char *command, long least)
{
    int64_t until = test_now_ms() + WAIT_MS;

    while (redis_fixture_calls(&s->redis, command) < least && test_now_ms() < until)
        test_nap_ms(1);
    assert_true(redis_fixture_calls(&s->redis, command) >= least);
}

/* How many questions a wait takes that goes on for 300 ms after its first look. */
static long questions_of_a_wait(struct scene *s, struct asker *asker)
{
    swim_lock_t *held = NULL;

    assert_int_equal(take(s->b, SWIM_LOCK_WRITE, 0, &held), SWIM_OK);
    long scripts = redis_fixture_calls(&s->redis, "evalsha");
    long before = scripts + redis_fixture_calls(&s->redis, "blpop");
    asker_start(asker);
    await_calls(s, "evalsha", scripts + 2); /* it has asked, and looked once */
    assert_true(redis_fixture_await(&s->redis, BLOCKED, 3));
    test_nap_ms(300);
    assert_int_equal(swim_lock_release(held, NULL), SWIM_OK);
    asker_join(asker, SWIM_OK);
    long asked = redis_fixture_calls(&s->redis, "evalsha") +
                 redis_fixture_calls(&s->redis, "blpop") - before;
    assert_int_equal(swim_lock_release(asker->lock, NULL), SWIM_OK);
    return asked;
}

/* The fewest of several waits: one that takes long on a busy machine looks again. */
static long questions_of_a_short_wait(struct scene *s, struct asker *asker)
{
    long fewest = LONG_MAX;

    for (int i = 0; i < 3; i++) {
        long asked = questions_of_a_wait(s, asker);
        fewest = asked < fewest ? asked : fewest;
    }
    return fewest;
}

static void a_shorter_wait_says_nothing_and_asks_no_more(void **state)
{
    struct scene *s = *state;
    struct asker first = asker_of(s->a, SWIM_LOCK_READ, 0); /* sends the scripts */
    struct asker with = asker_of(s->a, SWIM_LOCK_READ, 15000);
    struct asker without = asker_of(s->a, SWIM_LOCK_READ, 0);

    without.opt.progress = NULL;
    assert_true(redis_fixture_await(&s->redis, BLOCKED, 2)); /* both sessions listen */
    (void)questions_of_a_short_wait(s, &first);
    long asked = questions_of_a_short_wait(s, &with);
    assert_int_equal(atomic_load(&with.told), 0);
    assert_int_equal(questions_of_a_short_wait(s, &without), asked);
}

/* A reader comes later, and the lock becomes free while the writer is being told. */
static void who_is_being_told_keeps_its_place_and_is_let_in(void **state)
{
    struct scene *s = *state;
    struct asker writer = asker_of(s->a, SWIM_LOCK_WRITE, SOON_MS);
    char ticket[TICKET_MAX];
    swim_lock_t *held = NULL;

    assert_int_equal(take(s->b, SWIM_LOCK_READ, 0, &held), SWIM_OK);
    atomic_store(&writer.stay, 1);
    asker_start(&writer);
    await_told(&writer, 1);
    start_queued(&s->redis, &s->actor, LEASE_MS, SWIM_LOCK_READ, 2);
    assert_int_equal(swim_lock_release(held, NULL), SWIM_OK);
    snprintf(ticket, sizeof(ticket), "W/%s/", s->a->id);
    char answer[512];
    assert_true(redis_fixture_say(&s->redis, "GET {h5swim}:w:" RESOURCE, answer,
                                  sizeof(answer)));
    assert_non_null(strstr(answer, ticket));
    assert_int_equal(redis_fixture_number(&s->redis, QUEUE), 1);
    atomic_store(&writer.stay, 0);
    asker_join(&writer, SWIM_OK);
    assert_true(writer.had_ms - writer.returned_ms < 10000);
    assert_int_equal(swim_lock_release(writer.lock, NULL), SWIM_OK);
    assert_int_equal(actor_hear(&s->actor, NULL), SWIM_OK);
}

static void it_is_said_again_every_ten_seconds_until_time_is_up(void **state)
{
    struct scene *s = *state;
    struct asker asker = asker_of(s->a, SWIM_LOCK_UPDATE, SOON_MS);
    swim_lock_t *held = NULL;

    assert_int_equal(take(s->b, SWIM_LOCK_UPDATE, 0, &held), SWIM_OK);
    asker.opt.wait_ms = AGAIN_MS + 6000;
    asker_start(&asker);
    asker_join(&asker, SWIM_ERR_TIMEOUT);
    assert_int_equal(atomic_load(&asker.told), 2);
    assert_true(asker.told_ms[1] - asker.told_ms[0] >= AGAIN_MS);
    assert_says(&asker, "UPDATE held by");
    assert_int_equal(redis_fixture_number(&s->redis, QUEUE), 0);
    assert_int_equal(swim_lock_release(held, NULL), SWIM_OK);
}

static void a_raise_says_which_readers_it_waits_for(void **state)
{
    struct scene *s = *state;
    struct asker asker = asker_of(s->a, SWIM_LOCK_WRITE, SOON_MS);

    start_holding(&s->redis, &s->actor, LEASE_MS, SWIM_LOCK_READ);
    assert_int_equal(take(s->a, SWIM_LOCK_UPDATE, 0, &asker.lock), SWIM_OK);
    asker.raises = true;
    asker_start(&asker);
    await_told(&asker, 1);
    assert_told(&s->actor, 'r', SWIM_OK);
    asker_join(&asker, SWIM_OK);
    assert_int_equal(strncmp(asker.text, "WRITE of " RESOURCE ": ", 13), 0);
    assert_says(&asker, "READ held by");
    assert_int_equal(swim_lock_release(asker.lock, NULL), SWIM_OK);
}

/* Its memory ends with the struct, so a sanitizer sees who reads on. */
static void callers_with_the_shorter_struct_are_served(void **state)
{
    struct scene *s = *state;
    volatile size_t first = offsetof(struct swim_lock_options, progress);
    const size_t size = first; /* which the compiler does not follow */
    struct swim_lock_options *opt = calloc(1, size);
    swim_lock_t *lock = NULL, *other = NULL;

    assert_non_null(opt);
    opt->struct_size = size;
    opt->wait_ms = 300;
    assert_int_equal(
        swim_lock_acquire(s->a, RESOURCE, SWIM_LOCK_UPDATE, opt, &lock, NULL), SWIM_OK);
    assert_int_equal(
        swim_lock_acquire(s->b, RESOURCE, SWIM_LOCK_UPDATE, opt, &other, NULL),
        SWIM_ERR_TIMEOUT);
    assert_int_equal(swim_lock_raise(lock, opt, NULL), SWIM_OK);
    assert_int_equal(swim_lock_release(lock, NULL), SWIM_OK);
    opt->struct_size = size - 1;
    assert_int_equal(
        swim_lock_acquire(s->a, RESOURCE, SWIM_LOCK_READ, opt, &lock, NULL),
        SWIM_ERR_ARG);
    free(opt);
}

static void give_up(void *arg, const char *text)
{
    (void)text;
    swim_cancel_raise(arg);
}

static void who_is_told_may_give_up(void **state)
{
    struct scene *s = *state;
    struct asker asker = asker_of(s->a, SWIM_LOCK_READ, SOON_MS);
    swim_lock_t *held = NULL;

    asker.opt.cancel = swim_cancel_create();
    asker.opt.progress = give_up;
    asker.opt.progress_arg = asker.opt.cancel;
    assert_int_equal(take(s->b, SWIM_LOCK_WRITE, 0, &held), SWIM_OK);
    (void)ask(&asker);
    assert_int_equal(asker.rc, SWIM_ERR_CANCELLED);
    assert_int_equal(redis_fixture_number(&s->redis, QUEUE), 0);
    assert_int_equal(swim_lock_release(held, NULL), SWIM_OK);
    swim_cancel_free(asker.opt.cancel);
}

static void hear_and_give_up(void *arg, const char *text)
{
    struct asker *asker = arg;

    hear(asker, text);
    swim_cancel_raise(asker->opt.cancel);
}

static void a_server_that_lost_its_data_is_named(void **state)
{
    struct scene *s = *state;
    struct asker asker;

    swim_session_close(s->a); /* the grace would be as long as its lease */
    s->a = NULL;
    swim_session_close(s->b);
    say(&s->redis, "FLUSHALL", "+OK");
    s->b = session_at(s->redis.url, 5000, NULL);
    asker = asker_of(s->b, SWIM_LOCK_READ, SOON_MS);
    asker_start(&asker);
    asker_join(&asker, SWIM_OK);
    assert_int_equal(atomic_load(&asker.told), 1);
    assert_says(&asker, "lost its data");
    assert_int_equal(swim_lock_release(asker.lock, NULL), SWIM_OK);
}

/* The line stays one, and whole. */
static void a_long_name_is_said_by_its_end(void **state)
{
    struct scene *s = *state;
    struct asker asker = asker_of(s->a, SWIM_LOCK_READ, SOON_MS);
    char name[4096];
    swim_lock_t *held = NULL;

    memset(name, 'x', sizeof(name));
    snprintf(name + sizeof(name) - 11, 11, "/two\nlines");
    assert_int_equal(take_at(s->b, name, SWIM_LOCK_WRITE, 0, &held, NULL), SWIM_OK);
    asker.opt.progress = hear_and_give_up;
    asker.opt.progress_arg = &asker;
    asker.opt.cancel = swim_cancel_create();
    assert_int_equal(
        swim_lock_acquire(s->a, name, SWIM_LOCK_READ, &asker.opt, &asker.lock, NULL),
        SWIM_ERR_CANCELLED);
    swim_cancel_free(asker.opt.cancel);
    assert_int_equal(strncmp(asker.text, "READ of ...xxx", 14), 0);
    assert_says(&asker, "/two?lines: ");
    assert_says(&asker, "WRITE held by");
    assert_int_equal(swim_lock_release(held, NULL), SWIM_OK);
}

static void a_holder_can_ask_whether_others_wait(void **state)
{
    struct scene *s = *state;
    swim_lock_t *held = NULL, *other = NULL;

    assert_int_equal(take_at(s->a, RESOURCE, SWIM_LOCK_WRITE, 0, &held, NULL), SWIM_OK);
    assert_int_equal(take_at(s->a, "/data/b.h5", SWIM_LOCK_WRITE, 0, &other, NULL),
                     SWIM_OK);
    assert_false(lock_is_wanted(held));
    start(&s->redis, &s->actor, LEASE_MS, SWIM_LOCK_READ, WAIT_MS);
    assert_true(redis_fixture_await(&s->redis, QUEUE, 1));
    assert_true(lock_is_wanted(held));
    assert_false(lock_is_wanted(other));
    redis_fixture_kill(&s->redis);
    assert_true(lock_is_wanted(other)); /* who knows? */
    (void)swim_lock_release(other, NULL);
    (void)swim_lock_release(held, NULL);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(a_wait_says_in_its_thread_who_holds_the_lock),
        TEST(a_shorter_wait_says_nothing_and_asks_no_more),
        TEST(who_is_being_told_keeps_its_place_and_is_let_in),
        TEST(it_is_said_again_every_ten_seconds_until_time_is_up),
        TEST(a_raise_says_which_readers_it_waits_for),
        TEST(callers_with_the_shorter_struct_are_served),
        TEST(who_is_told_may_give_up),
        TEST(a_server_that_lost_its_data_is_named),
        TEST(a_long_name_is_said_by_its_end),
        TEST(a_holder_can_ask_whether_others_wait),
    };

    (void)actor_main(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
