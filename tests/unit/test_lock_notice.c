/* test_lock_notice.c - word of a change gets to those who listen for it. */
#include "lock_tools.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/signals.h"
#include "lock/notice.h"

#define LEASE_MS 60000
#define SOON_MS 5000
#define LISTENERS                                                                      \
    "EVAL \"return redis.call('PUBSUB','NUMSUB','{h5swim}:told:0:" RESOURCE "')[2]\" " \
    "0"

struct scene {
    struct redis_fixture redis;
    swim_session_t *a, *b;
    struct lock_notice *notice; /* of a */
    char text[64];
};

static int setup(void **state)
{
    struct scene *s = calloc(1, sizeof(*s));

    *state = s;
    if (!s || pair_open(&s->redis, LEASE_MS, &s->a, &s->b) != 0)
        return -1;
    return lock_notice_open(s->a, RESOURCE, &s->notice, NULL);
}

static int teardown(void **state)
{
    struct scene *s = *state;

    lock_notice_close(s->notice);
    pair_close(&s->redis, s->a, s->b);
    free(s);
    return 0;
}

static int hear(struct scene *s, int64_t wait_ms)
{
    return lock_notice_wait(s->notice, wait_ms, NULL, s->text, sizeof(s->text), NULL);
}

static void send(struct scene *s, const char *text)
{
    assert_int_equal(lock_notice_send(s->b, RESOURCE, text, NULL), SWIM_OK);
}

static void what_is_sent_is_heard_in_order(void **state)
{
    struct scene *s = *state;
    char text[16];

    for (int i = 0; i < 200; i++) {
        snprintf(text, sizeof(text), "commit %d", i);
        send(s, text);
    }
    for (int i = 0; i < 200; i++) {
        snprintf(text, sizeof(text), "commit %d", i);
        assert_int_equal(hear(s, i == 0 ? SOON_MS : 1000), SWIM_OK);
        assert_string_equal(s->text, text);
    }
    assert_int_equal(hear(s, 0), SWIM_ERR_TIMEOUT);
}

/* They are in one read, or in the reader's memory: neither waits for more to come. */
static void what_is_there_is_seen_without_waiting(void **state)
{
    struct scene *s = *state;

    send(s, "1");
    send(s, "2");
    assert_int_equal(hear(s, SOON_MS), SWIM_OK);
    int64_t until = test_now_ms() + SOON_MS;
    while (hear(s, 0) != SWIM_OK && test_now_ms() < until)
        test_nap_ms(1);
    assert_string_equal(s->text, "2");
}

static void none_comes_in_time(void **state)
{
    struct scene *s = *state;
    int64_t begin_ms = test_now_ms();

    assert_int_equal(lock_notice_send(s->b, RESOURCE "2", "other", NULL), SWIM_OK);
    assert_int_equal(hear(s, 200), SWIM_ERR_TIMEOUT);
    assert_string_equal(s->text, "");
    assert_true(test_now_ms() - begin_ms >= 199);
    send(s, "1"); /* the connection is as good as before */
    assert_int_equal(hear(s, SOON_MS), SWIM_OK);
    assert_string_equal(s->text, "1");
}

static void all_who_listen_are_told_the_sender_too(void **state)
{
    struct scene *s = *state;
    struct lock_notice *more[2];
    char text[4];

    assert_int_equal(lock_notice_open(s->b, RESOURCE, &more[0], NULL), SWIM_OK);
    assert_int_equal(lock_notice_open(s->b, RESOURCE, &more[1], NULL), SWIM_OK);
    assert_int_equal(redis_fixture_number(&s->redis, LISTENERS), 3);
    send(s, "long text");
    assert_int_equal(hear(s, SOON_MS), SWIM_OK);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(
            lock_notice_wait(more[i], SOON_MS, NULL, text, sizeof(text), NULL),
            SWIM_OK);
        assert_string_equal(text, "lon");
        lock_notice_close(more[i]);
    }
    assert_true(redis_fixture_await(&s->redis, LISTENERS, 1));
}

static void other_databases_are_not_told(void **state)
{
    struct scene *s = *state;
    char url[160];

    snprintf(url, sizeof(url), "%s?db=1", s->redis.url);
    swim_session_close(s->b);
    redis_fixture_vouch(&s->redis, 1);
    s->b = session_at(url, LEASE_MS, NULL);
    send(s, "1");
    assert_int_equal(hear(s, 100), SWIM_ERR_TIMEOUT);
}

struct listener {
    struct scene *scene;
    swim_cancel_t *cancel;
    pthread_t thread;
    atomic_int waits;
    int rc;
};

static void *listen(void *arg)
{
    struct listener *l = arg;
    char text[16];

    atomic_store(&l->waits, 1);
    l->rc = lock_notice_wait(l->scene->notice, SWIM_LOCK_FOREVER, l->cancel, text,
                             sizeof(text), NULL);
    return NULL;
}

static struct listener *listener_start(struct scene *s)
{
    struct listener *l = calloc(1, sizeof(*l));

    assert_non_null(l);
    l->scene = s;
    l->cancel = swim_cancel_create();
    assert_int_equal(pthread_create(&l->thread, NULL, listen, l), 0);
    while (!atomic_load(&l->waits))
        test_nap_ms(1);
    test_nap_ms(20); /* it sleeps by now; if not, the test is right as well */
    return l;
}

static void listener_end(struct listener *l, int wanted)
{
    pthread_join(l->thread, NULL);
    assert_int_equal(l->rc, wanted);
    swim_cancel_free(l->cancel);
    free(l);
}

static void a_wait_is_cancelled_and_nothing_is_lost_by_it(void **state)
{
    struct scene *s = *state;
    struct listener *l = listener_start(s);
    int64_t begin_ms = test_now_ms();

    swim_cancel_raise(l->cancel);
    listener_end(l, SWIM_ERR_CANCELLED);
    assert_true(test_now_ms() - begin_ms < 10000);
    send(s, "1");
    assert_int_equal(hear(s, SOON_MS), SWIM_OK);
    assert_string_equal(s->text, "1");
}

static void a_raised_cancel_goes_before_what_is_there(void **state)
{
    struct scene *s = *state;
    swim_cancel_t *cancel = swim_cancel_create();
    struct pollfd p = {redis_link_fd(atomic_load(&s->a->waiters)->link), POLLIN, 0};

    send(s, "1");
    assert_int_equal(poll(&p, 1, SOON_MS), 1);
    swim_cancel_raise(cancel);
    assert_int_equal(
        lock_notice_wait(s->notice, SOON_MS, cancel, s->text, sizeof(s->text), NULL),
        SWIM_ERR_CANCELLED);
    swim_cancel_free(cancel);
    assert_int_equal(hear(s, SOON_MS), SWIM_OK);
}

/* In a process of its own: what a signal does to a process stays done. */
static void a_signal_ends_the_wait(void **state)
{
    struct scene *s = *state;
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        struct lock_notice *notice = NULL;
        char text[16];
        if (swim_signals_install_command(SWIM_SIGNALS_GRACE_MS, NULL) != SWIM_OK)
            _exit(90);
        swim_session_t *own = session_at(s->redis.url, LEASE_MS, NULL);
        if (lock_notice_open(own, RESOURCE, &notice, NULL) != SWIM_OK)
            _exit(91);
        int rc =
            lock_notice_wait(notice, SWIM_LOCK_FOREVER, NULL, text, sizeof(text), NULL);
        _exit(rc == SWIM_ERR_CANCELLED ? 42 : 92);
    }
    assert_true(redis_fixture_await(&s->redis, LISTENERS, 2));
    kill(pid, SIGINT);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WIFEXITED(status) ? WEXITSTATUS(status) : -1, 42);
}

static void a_broken_connection_is_told_and_another_can_be_made(void **state)
{
    struct scene *s = *state;
    struct listener *l = listener_start(s);

    say(&s->redis, "CLIENT KILL TYPE pubsub", ":1");
    listener_end(l, SWIM_ERR_IO);
    assert_int_equal(hear(s, SOON_MS), SWIM_ERR_IO);
    lock_notice_close(s->notice);
    assert_int_equal(lock_notice_open(s->a, RESOURCE, &s->notice, NULL), SWIM_OK);
    send(s, "1");
    assert_int_equal(hear(s, SOON_MS), SWIM_OK);
}

static void without_a_server_it_says_so(void **state)
{
    struct scene *s = *state;
    struct lock_notice *notice = NULL;

    redis_fixture_kill(&s->redis);
    assert_int_equal(hear(s, SOON_MS), SWIM_ERR_IO);
    assert_int_equal(lock_notice_send(s->b, RESOURCE, "1", NULL), SWIM_ERR_IO);
    assert_int_equal(lock_notice_open(s->b, RESOURCE, &notice, NULL), SWIM_ERR_IO);
    assert_null(notice);
}

static void a_server_that_hangs_is_not_waited_for(void **state)
{
    struct scene *s = *state;
    int64_t begin_ms = test_now_ms();

    kill(s->redis.pid, SIGSTOP);
    assert_int_equal(lock_notice_send(s->b, RESOURCE, "1", NULL), SWIM_ERR_IO);
    assert_int_equal(hear(s, 200), SWIM_ERR_TIMEOUT);
    kill(s->redis.pid, SIGCONT);
    assert_true(test_now_ms() - begin_ms < 10000);
}

static void a_lost_session_listens_no_more(void **state)
{
    struct scene *s = *state;
    swim_session_t *brief = session_at(s->redis.url, 1000, NULL);
    struct lock_notice *notice = NULL;
    char text[16];

    assert_int_equal(lock_notice_open(brief, RESOURCE, &notice, NULL), SWIM_OK);
    char command[200];
    snprintf(command, sizeof(command), "RPUSH {h5swim}:notice:%s break", brief->id);
    say(&s->redis, command, ":1");
    assert_int_equal(lock_notice_wait(notice, 20000, NULL, text, sizeof(text), NULL),
                     SWIM_ERR_LOST);
    assert_int_equal(lock_notice_send(brief, RESOURCE, "1", NULL), SWIM_ERR_LOST);
    lock_notice_close(notice);
    swim_session_close(brief);
}

/* It keeps no descriptor of it either: the server would not see the parent's end. */
static void a_child_has_no_part_in_it(void **state)
{
    struct scene *s = *state;
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        char text[16];
        int fd = redis_link_fd(atomic_load(&s->a->waiters)->link);
        int heard = lock_notice_wait(s->notice, 0, NULL, text, sizeof(text), NULL);
        int sent = lock_notice_send(s->a, RESOURCE, "1", NULL);
        lock_notice_close(s->notice);
        _exit(heard == SWIM_ERR_ARG && sent == SWIM_ERR_ARG && fd < 0 ? 42 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WIFEXITED(status) ? WEXITSTATUS(status) : -1, 42);
    send(s, "still there");
    assert_int_equal(hear(s, SOON_MS), SWIM_OK);
    assert_string_equal(s->text, "still there");
}

static void a_link_that_listened_serves_waits_for_locks_again(void **state)
{
    struct scene *s = *state;
    swim_lock_t *held = NULL, *none = NULL;

    lock_notice_close(s->notice);
    s->notice = NULL;
    assert_int_equal(take(s->b, SWIM_LOCK_WRITE, 0, &held), SWIM_OK);
    assert_int_equal(take(s->a, SWIM_LOCK_WRITE, 100, &none), SWIM_ERR_TIMEOUT);
    assert_int_equal(swim_lock_release(held, NULL), SWIM_OK);
    char answer[64]; /* that link is broken now, which nobody has seen */
    assert_true(redis_fixture_say(&s->redis, "CLIENT KILL TYPE normal SKIPME yes",
                                  answer, sizeof(answer)));
    assert_int_equal(take(s->b, SWIM_LOCK_WRITE, 0, &held), SWIM_OK);
    assert_int_equal(swim_lock_release(held, NULL), SWIM_OK);
    assert_int_equal(lock_notice_open(s->a, RESOURCE, &s->notice, NULL), SWIM_OK);
    send(s, "1");
    assert_int_equal(hear(s, SOON_MS), SWIM_OK);
}

static void a_user_may_need_the_right_to_do_so(void **state)
{
    struct scene *s = *state;
    char url[200], answer[64];
    struct lock_notice *notice = NULL;
    swim_session_t *user = NULL;
    swim_error_t err = {0};

    snprintf(url, sizeof(url), "unix://me:pw@%s", s->redis.socket);
    redis_fixture_say(&s->redis, "ACL SETUSER me on >pw ~* +@all resetchannels", answer,
                      sizeof(answer));
    assert_string_equal(answer, "+OK\r\n");
    user = session_at(url, LEASE_MS, NULL);
    assert_int_equal(lock_notice_open(user, RESOURCE, &notice, &err), SWIM_ERR_IO);
    assert_non_null(strstr(err.text, "NOPERM"));
    say(&s->redis, "ACL SETUSER me &{h5swim}:*", "+OK");
    assert_int_equal(lock_notice_open(user, RESOURCE, &notice, NULL), SWIM_OK);
    send(s, "1");
    assert_int_equal(
        lock_notice_wait(notice, SOON_MS, NULL, s->text, sizeof(s->text), NULL),
        SWIM_OK);
    lock_notice_close(notice);
    swim_session_close(user);
}

static void bad_arguments_are_refused(void **state)
{
    struct scene *s = *state;
    struct lock_notice *notice = NULL;

    assert_int_equal(lock_notice_send(s->a, "", "1", NULL), SWIM_ERR_ARG);
    assert_int_equal(lock_notice_send(NULL, RESOURCE, "1", NULL), SWIM_ERR_ARG);
    assert_int_equal(lock_notice_open(s->a, NULL, &notice, NULL), SWIM_ERR_ARG);
    lock_notice_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_sent_is_heard_in_order),
        TEST(what_is_there_is_seen_without_waiting),
        TEST(none_comes_in_time),
        TEST(all_who_listen_are_told_the_sender_too),
        TEST(other_databases_are_not_told),
        TEST(a_wait_is_cancelled_and_nothing_is_lost_by_it),
        TEST(a_raised_cancel_goes_before_what_is_there),
        TEST(a_signal_ends_the_wait),
        TEST(a_broken_connection_is_told_and_another_can_be_made),
        TEST(without_a_server_it_says_so),
        TEST(a_server_that_hangs_is_not_waited_for),
        TEST(a_lost_session_listens_no_more),
        TEST(a_child_has_no_part_in_it),
        TEST(a_link_that_listened_serves_waits_for_locks_again),
        TEST(a_user_may_need_the_right_to_do_so),
        TEST(bad_arguments_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
