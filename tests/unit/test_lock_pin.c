/* test_lock_pin.c - commits that somebody reads are known as long as he lives. */
#include "lock_tools.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lock/pin.h"

#define LEASE_MS 60000
#define SHORT_LEASE_MS 3000
#define LINEAGE "00c0ffee00c0ffee"
#define LEFT "EVAL \"return #redis.call('KEYS','{h5swim}:p*')\" 0" /* keys of pins */
#define GRACE "EXISTS {h5swim}:grace"
#define THREADS 6
#define ROUNDS 100

struct scene {
    struct redis_fixture redis;
    swim_session_t *a, *b;
    pid_t child; /* pins number 7, and lives on */
    char child_id[SESSION_ID_MAX];
};

static int setup(void **state)
{
    struct scene *s = calloc(1, sizeof(*s));

    *state = s;
    return s ? pair_open(&s->redis, LEASE_MS, &s->a, &s->b) : -1;
}

static void child_kill(struct scene *s)
{
    if (s->child > 0) {
        kill(s->child, SIGKILL);
        waitpid(s->child, NULL, 0);
    }
    s->child = 0;
}

static int teardown(void **state)
{
    struct scene *s = *state;

    child_kill(s);
    pair_close(&s->redis, s->a, s->b);
    free(s);
    return 0;
}

static int set(swim_session_t *session, uint64_t number)
{
    return lock_pin_set(session, RESOURCE, LINEAGE, number, NULL);
}

static int clear(swim_session_t *session, uint64_t number)
{
    return lock_pin_clear(session, RESOURCE, LINEAGE, number, NULL);
}

/* How often it is listed; -1: the list is not to be had. */
static int listed_on(swim_session_t *session, const char *resource, const char *lineage,
                     uint64_t number)
{
    struct lock_pin *pins = NULL;
    size_t count = 0;
    swim_error_t err = {0};
    int times = 0;

    int rc = lock_pin_list(session, resource, &pins, &count, &err);
    if (rc == SWIM_ERR_TIMEOUT)
        return -1;
    if (rc != SWIM_OK)
        fail_msg("%s", err.text);
    for (size_t i = 0; i < count; i++)
        times += pins[i].number == number && strcmp(pins[i].lineage, lineage) == 0;
    free(pins);
    return times;
}

static int listed(swim_session_t *session, uint64_t number)
{
    return listed_on(session, RESOURCE, LINEAGE, number);
}

static void what_is_pinned_is_listed_until_it_is_cleared(void **state)
{
    struct scene *s = *state;
    struct lock_pin *pins = NULL;
    size_t count = 1;

    assert_int_equal(lock_pin_list(s->b, RESOURCE, &pins, &count, NULL), SWIM_OK);
    assert_int_equal(count, 0);
    assert_null(pins);
    assert_int_equal(set(s->a, 1), SWIM_OK);
    assert_int_equal(set(s->a, UINT64_MAX), SWIM_OK);
    assert_int_equal(lock_pin_set(s->a, RESOURCE, "ab", 1, NULL), SWIM_OK);
    assert_int_equal(lock_pin_set(s->a, RESOURCE "2", LINEAGE, 3, NULL), SWIM_OK);
    assert_int_equal(lock_pin_list(s->b, RESOURCE, &pins, &count, NULL), SWIM_OK);
    assert_int_equal(count, 3);
    free(pins);
    assert_int_equal(listed(s->b, 1), 1);
    assert_int_equal(listed(s->b, UINT64_MAX), 1);
    assert_int_equal(listed(s->a, 1), 1);
    assert_int_equal(listed_on(s->b, RESOURCE, "ab", 1), 1);
    assert_int_equal(clear(s->a, 1), SWIM_OK);
    assert_int_equal(listed(s->b, 1), 0);
    assert_int_equal(listed_on(s->b, RESOURCE, "ab", 1), 1);
    assert_int_equal(listed(s->b, UINT64_MAX), 1);
}

static void any_name_of_a_resource_will_do(void **state)
{
    struct scene *s = *state;
    static const char *const names[] = {"1/ab/x", "/", "a\nb", "9/0/", "%d+ (.*)"};
    char longest[RESOURCE_MAX + 1], lineage[LOCK_LINEAGE_MAX + 1];

    memset(longest, 'x', RESOURCE_MAX);
    longest[RESOURCE_MAX] = '\0';
    memset(lineage, 'f', LOCK_LINEAGE_MAX);
    lineage[LOCK_LINEAGE_MAX] = '\0';
    for (size_t i = 0; i <= sizeof(names) / sizeof(*names); i++) {
        const char *name = i < sizeof(names) / sizeof(*names) ? names[i] : longest;
        assert_int_equal(lock_pin_set(s->a, name, lineage, UINT64_MAX, NULL), SWIM_OK);
        assert_int_equal(listed_on(s->b, name, lineage, UINT64_MAX), 1);
        assert_int_equal(lock_pin_clear(s->a, name, lineage, UINT64_MAX, NULL),
                         SWIM_OK);
    }
    assert_int_equal(redis_fixture_number(&s->redis, LEFT), 0);
}

static void what_is_pinned_twice_is_cleared_twice(void **state)
{
    struct scene *s = *state;

    assert_int_equal(set(s->a, 7), SWIM_OK);
    assert_int_equal(set(s->a, 7), SWIM_OK);
    assert_int_equal(listed(s->b, 7), 1);
    assert_int_equal(clear(s->a, 7), SWIM_OK);
    assert_int_equal(listed(s->b, 7), 1);
    assert_int_equal(clear(s->a, 7), SWIM_OK);
    assert_int_equal(listed(s->b, 7), 0);
    assert_int_equal(clear(s->a, 7), SWIM_ERR_ARG);
    assert_int_equal(set(s->a, 7), SWIM_OK);
    assert_int_equal(listed(s->b, 7), 1);
}

static void each_session_has_its_own(void **state)
{
    struct scene *s = *state;

    assert_int_equal(set(s->a, 7), SWIM_OK);
    assert_int_equal(clear(s->b, 7), SWIM_ERR_ARG);
    assert_int_equal(set(s->b, 7), SWIM_OK);
    assert_int_equal(listed(s->b, 7), 2);
    assert_int_equal(clear(s->a, 7), SWIM_OK);
    assert_int_equal(listed(s->a, 7), 1);
}

static void a_session_that_is_closed_leaves_nothing(void **state)
{
    struct scene *s = *state;

    for (int i = 0; i < 20; i++)
        assert_int_equal(set(s->a, (uint64_t)i), SWIM_OK);
    swim_session_close(s->a);
    s->a = NULL;
    assert_int_equal(redis_fixture_number(&s->redis, LEFT), 0);
}

/* A process that pins and then does nothing more. */
static void child_start(struct scene *s, uint32_t lease_ms)
{
    int out[2];

    assert_int_equal(pipe(out), 0);
    s->child = fork();
    if (s->child == 0) {
        swim_session_t *own = session_at(s->redis.url, lease_ms, NULL);
        if (set(own, 7) != SWIM_OK ||
            write(out[1], own->id, SESSION_ID_MAX) != SESSION_ID_MAX)
            _exit(1);
        for (;;)
            pause();
    }
    close(out[1]);
    assert_int_equal(read(out[0], s->child_id, SESSION_ID_MAX), SESSION_ID_MAX);
    close(out[0]);
}

static void child_stop(struct scene *s)
{
    int status = 0;

    kill(s->child, SIGSTOP);
    assert_int_equal(waitpid(s->child, &status, WUNTRACED), s->child);
}

static void await_unlisted(struct scene *s, int64_t wait_ms)
{
    int64_t until = test_now_ms() + wait_ms;

    while (listed(s->b, 7) != 0 && test_now_ms() < until)
        test_nap_ms(10);
    assert_int_equal(listed(s->b, 7), 0);
    assert_int_equal(redis_fixture_number(&s->redis, LEFT), 0);
}

static void a_paused_session_keeps_its_pins_for_its_lease(void **state)
{
    struct scene *s = *state;
    char command[64 + SESSION_ID_MAX];

    child_start(s, SHORT_LEASE_MS);
    child_stop(s);
    snprintf(command, sizeof(command), "PTTL {h5swim}:session:%s", s->child_id);
    int64_t begin_ms = test_now_ms();
    long left_ms = redis_fixture_number(&s->redis, command);
    assert_in_range(left_ms, 1, SHORT_LEASE_MS);
    assert_int_equal(listed(s->b, 7), 1);
    await_unlisted(s, INT64_C(10) * SHORT_LEASE_MS);
    assert_true(test_now_ms() - begin_ms >= left_ms - 10);
}

static void a_killed_child_that_is_reaped_leaves_nothing(void **state)
{
    struct scene *s = *state;

    child_start(s, LEASE_MS);
    pid_t pid = s->child;
    child_kill(s);
    assert_int_equal(listed(s->b, 7), 1);
    assert_int_equal(swim_session_reap(s->a, pid, NULL), SWIM_OK);
    await_unlisted(s, 0);
}

/* Whoever broke it may not be believed: its owner may read on until its lease is over.
 */
static void a_broken_session_keeps_its_pins_for_its_lease(void **state)
{
    struct scene *s = *state;
    struct redis_answer *answer = NULL;
    const char *argv[] = {s->child_id};
    bool unsure = false;

    child_start(s, SHORT_LEASE_MS);
    child_stop(s);
    assert_int_equal(
        session_ask(s->a, &script_break, 1, argv, 0, &answer, &unsure, NULL), SWIM_OK);
    assert_true(redis_answer_number(answer) > 0);
    redis_answer_free(answer);
    assert_int_equal(listed(s->b, 7), 1);
    await_unlisted(s, INT64_C(10) * SHORT_LEASE_MS);
}

static void flush(struct scene *s)
{
    say(&s->redis, "FLUSHALL", "+OK");
}

static void restart_empty(struct scene *s)
{
    redis_fixture_kill(&s->redis);
    assert_int_equal(redis_fixture_start(&s->redis), 0);
}

/* Nobody is shown a list without it, before or after the server was told. */
static void a_server_that_forgot_is_told_anew(void **state)
{
    static void (*const losses[])(struct scene * s) = {flush, restart_empty};
    struct scene *s = *state;

    for (int i = 0; i < 2; i++) {
        int seen = -1;
        swim_session_close(s->a);
        swim_session_close(s->b);
        s->a = session_at(s->redis.url, SHORT_LEASE_MS, NULL);
        s->b = session_at(s->redis.url, SHORT_LEASE_MS, NULL);
        while (listed(s->b, 7) < 0)
            test_nap_ms(10);
        assert_int_equal(set(s->a, 7), SWIM_OK);
        assert_int_equal(set(s->a, 7), SWIM_OK);
        assert_int_equal(set(s->a, 8), SWIM_OK);
        assert_int_equal(clear(s->a, 8), SWIM_OK);
        losses[i](s);
        assert_int_equal(listed(s->b, 7), -1);
        for (int64_t until = test_now_ms() + 20000; seen < 0 && test_now_ms() < until;)
            seen = listed(s->b, 7);
        assert_int_equal(seen, 1);
        assert_int_equal(listed(s->b, 8), 0);
        assert_int_equal(clear(s->a, 7), SWIM_OK);
        assert_int_equal(listed(s->b, 7), 1);
        assert_int_equal(clear(s->a, 7), SWIM_OK);
        assert_int_equal(listed(s->b, 7), 0);
    }
}

/* What is set or cleared is what tells a server that forgot. */
static void a_pin_is_set_or_cleared_at_a_server_that_forgot(void **state)
{
    struct scene *s = *state;

    for (int i = 0; i < 2; i++) {
        assert_int_equal(set(s->a, 7), SWIM_OK);
        flush(s);
        assert_int_equal(set(s->a, 8), SWIM_OK);
        assert_int_equal(redis_fixture_number(&s->redis, "HLEN {h5swim}:p:" RESOURCE),
                         2);
        assert_int_equal(clear(s->a, 7), SWIM_OK);
        assert_int_equal(redis_fixture_number(&s->redis, "HLEN {h5swim}:p:" RESOURCE),
                         1);
        flush(s);
        assert_int_equal(clear(s->a, 8), SWIM_OK);
        assert_int_equal(redis_fixture_number(&s->redis, LEFT), 0);
    }
}

/* Others may have seen a list without its pins. */
static void who_comes_after_the_grace_with_pins_is_lost(void **state)
{
    struct scene *s = *state;

    swim_session_close(s->a);
    swim_session_close(s->b);
    s->b = NULL;
    long listeners = redis_fixture_calls(&s->redis, "blpop");
    s->a = session_at(s->redis.url, LEASE_MS, NULL);
    assert_int_equal(set(s->a, 7), SWIM_OK);
    int64_t until = test_now_ms() + 20000; /* after that it says nothing of its own */
    while (redis_fixture_calls(&s->redis, "blpop") == listeners &&
           test_now_ms() < until)
        test_nap_ms(1);
    assert_int_equal(redis_fixture_calls(&s->redis, "blpop"), listeners + 1);
    flush(s);
    s->b = session_at(s->redis.url, SHORT_LEASE_MS, NULL);
    assert_true(redis_fixture_await(&s->redis, GRACE, 0));
    assert_int_equal(listed(s->b, 7), 0);
    assert_int_equal(set(s->a, 8), SWIM_ERR_LOST);
    assert_int_equal(clear(s->a, 7), SWIM_ERR_LOST);
    assert_int_equal(listed(s->b, 7), 0);
}

static atomic_bool is_down;

static int dead_connect(const struct lock_url *url, const struct redis_wait *wait,
                        atomic_int *fd, swim_error_t *err)
{
    if (!atomic_load(&is_down))
        return redis_link_sockets.connect(url, wait, fd, err);
    atomic_store(fd, -1);
    return swim_error_set(err, SWIM_ERR_IO, "connect: the test has cut it");
}

static ssize_t dead_send(int fd, const void *bytes, size_t size)
{
    if (!atomic_load(&is_down))
        return redis_link_sockets.send(fd, bytes, size);
    errno = EPIPE;
    return -1;
}

static ssize_t dead_recv(int fd, void *bytes, size_t size, bool wait)
{
    return redis_link_sockets.recv(fd, bytes, size, wait);
}

static const struct redis_link_ops dead_ops = {dead_connect, dead_send, dead_recv};

static void what_could_not_be_cleared_is_cleared_later(void **state)
{
    struct scene *s = *state;
    swim_session_t *cut = session_at(s->redis.url, 18000, &dead_ops);

    assert_int_equal(set(cut, 7), SWIM_OK);
    assert_int_equal(set(cut, 8), SWIM_OK);
    atomic_store(&is_down, true);
    assert_int_equal(clear(cut, 7), SWIM_ERR_UNSURE);
    assert_int_equal(clear(cut, 7), SWIM_ERR_ARG);
    assert_int_equal(listed(s->b, 7), 1);
    atomic_store(&is_down, false);
    int64_t until = test_now_ms() + 15000;
    while (listed(s->b, 7) != 0 && test_now_ms() < until)
        test_nap_ms(10);
    assert_int_equal(listed(s->b, 7), 0);
    assert_int_equal(listed(s->b, 8), 1);
    swim_session_close(cut);
}

static void ask_pin(swim_session_t *session, const char *serial, const char *wish)
{
    static const char what[] = "7/" LINEAGE "/" RESOURCE;
    char epoch[24];
    const char *argv[] = {session->id, epoch, what, serial, wish};
    struct redis_answer *answer = NULL;
    bool unsure = false;

    snprintf(epoch, sizeof(epoch), "%llu", atomic_load(&session->epoch));
    assert_int_equal(
        session_ask(session, &script_pin, 5, argv, 0, &answer, &unsure, NULL), SWIM_OK);
    assert_string_equal(redis_answer_text(answer), "done");
    redis_answer_free(answer);
}

static void a_question_that_is_late_does_not_clear_a_later_pin(void **state)
{
    struct scene *s = *state;

    assert_int_equal(set(s->a, 7), SWIM_OK);
    assert_int_equal(clear(s->a, 7), SWIM_OK);
    assert_int_equal(set(s->a, 7), SWIM_OK);
    ask_pin(s->a, "2", "clear");
    assert_int_equal(listed(s->b, 7), 1);
    assert_int_equal(clear(s->a, 7), SWIM_OK);
    assert_int_equal(listed(s->b, 7), 0);
}

/* As an older version leaves them, which does not know of pins. */
static void pins_of_forgotten_sessions_are_swept_from_the_list(void **state)
{
    struct scene *s = *state;

    say(&s->redis, "HSET {h5swim}:p:" RESOURCE " 7/" LINEAGE "/gone:1:2 1", ":1");
    say(&s->redis, "HSET {h5swim}:p:" RESOURCE " 8/" LINEAGE "/gone:1:2 2", ":1");
    assert_int_equal(listed(s->b, 7), 0);
    assert_int_equal(redis_fixture_number(&s->redis, LEFT), 0);
}

static void *set_and_clear(void *arg)
{
    swim_session_t *session = arg;
    unsigned seed = (unsigned)gettid();
    uintptr_t bad = 0;

    for (int i = 0; i < ROUNDS; i++) {
        uint64_t number = (uint64_t)rand_r(&seed) % 2;
        bad += set(session, number) != SWIM_OK;
        bad += listed(session, number) < 1;
        bad += clear(session, number) != SWIM_OK;
    }
    return (void *)bad;
}

static void threads_pin_and_clear_the_same(void **state)
{
    struct scene *s = *state;
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, set_and_clear, s->a), 0);
    for (int i = 0; i < THREADS; i++) {
        void *bad = NULL;
        pthread_join(threads[i], &bad);
        assert_null(bad);
    }
    assert_int_equal(redis_fixture_number(&s->redis, LEFT), 0);
    assert_null(s->a->pins);
}

static void a_child_has_no_part_in_it(void **state)
{
    struct scene *s = *state;
    int status = 0;

    assert_int_equal(set(s->a, 7), SWIM_OK);
    pid_t pid = fork();
    if (pid == 0) {
        struct lock_pin *pins = NULL;
        size_t count = 0;
        bool refused =
            set(s->a, 8) == SWIM_ERR_ARG && clear(s->a, 7) == SWIM_ERR_ARG &&
            lock_pin_list(s->a, RESOURCE, &pins, &count, NULL) == SWIM_ERR_ARG;
        swim_session_close(s->a);
        _exit(refused ? 42 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WIFEXITED(status) ? WEXITSTATUS(status) : -1, 42);
    assert_int_equal(listed(s->b, 7), 1);
}

static void bad_arguments_are_refused(void **state)
{
    struct scene *s = *state;
    static const char *const lineages[] = {
        NULL,
        "",
        "xyz",
        "AB",
        "a/b",
        "12 ",
        "00000000000000000000000000000000000000000000000000000000000000000"};
    struct lock_pin *pins = NULL;
    size_t count = 0;

    for (size_t i = 0; i < sizeof(lineages) / sizeof(*lineages); i++)
        assert_int_equal(lock_pin_set(s->a, RESOURCE, lineages[i], 1, NULL),
                         SWIM_ERR_ARG);
    assert_int_equal(lock_pin_set(s->a, "", LINEAGE, 1, NULL), SWIM_ERR_ARG);
    assert_int_equal(lock_pin_set(NULL, RESOURCE, LINEAGE, 1, NULL), SWIM_ERR_ARG);
    assert_int_equal(lock_pin_list(s->a, NULL, &pins, &count, NULL), SWIM_ERR_ARG);
    assert_int_equal(redis_fixture_number(&s->redis, LEFT), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_pinned_is_listed_until_it_is_cleared),
        TEST(any_name_of_a_resource_will_do),
        TEST(what_is_pinned_twice_is_cleared_twice),
        TEST(each_session_has_its_own),
        TEST(a_session_that_is_closed_leaves_nothing),
        TEST(a_paused_session_keeps_its_pins_for_its_lease),
        TEST(a_killed_child_that_is_reaped_leaves_nothing),
        TEST(a_broken_session_keeps_its_pins_for_its_lease),
        TEST(a_server_that_forgot_is_told_anew),
        TEST(a_pin_is_set_or_cleared_at_a_server_that_forgot),
        TEST(who_comes_after_the_grace_with_pins_is_lost),
        TEST(what_could_not_be_cleared_is_cleared_later),
        TEST(a_question_that_is_late_does_not_clear_a_later_pin),
        TEST(pins_of_forgotten_sessions_are_swept_from_the_list),
        TEST(threads_pin_and_clear_the_same),
        TEST(a_child_has_no_part_in_it),
        TEST(bad_arguments_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
