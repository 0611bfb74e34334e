/* test_lock_cluster.c - a Redis Cluster holds the locks, on whichever node. */
#include "lock_tools.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lock/notice.h"
#include "lock/pin.h"

#define NODES 2
#define SLOTS 16384
#define TRIES 20
#define LEASE_MS 3000

struct node {
    struct redis_fixture redis;
    char port[16], bus[16], file[96];
    const char *extra[12];
};

struct scene {
    struct node node[NODES];
    long slot; /* of our keys */
    char url[64];
    struct actor actor;
};

/* A node on ports that are free. */
static int node_start(struct node *n, int number)
{
    for (int i = 0; i < TRIES; i++) {
        int port = 21000 + (getpid() * NODES + number + i * 97) % 9000;
        snprintf(n->port, sizeof(n->port), "%d", port);
        snprintf(n->bus, sizeof(n->bus), "%d", port + 10000);
        const char *extra[] = {"--port",
                               n->port,
                               "--bind",
                               "127.0.0.1",
                               "--cluster-enabled",
                               "yes",
                               "--cluster-port",
                               n->bus,
                               "--cluster-config-file",
                               n->port,
                               NULL};
        memcpy(n->extra, extra, sizeof(extra));
        if (redis_fixture_open(&n->redis, n->extra) == 0)
            return 0;
        redis_fixture_close(&n->redis);
    }
    return -1;
}

static void await_cluster(const struct node *n)
{
    int64_t until = test_now_ms() + 20000;
    char answer[4096] = "";

    while (test_now_ms() < until) {
        redis_fixture_say(&n->redis, "CLUSTER INFO", answer, sizeof(answer));
        if (strstr(answer, "cluster_state:ok") && strstr(answer, "known_nodes:2"))
            return;
        test_nap_ms(20);
    }
    fail_msg("%s", answer);
}

/* Our slot on node 1, all others on node 0. */
static int setup(void **state)
{
    struct scene *s = calloc(1, sizeof(*s));
    char command[128];

    *state = s;
    for (int i = 0; i < NODES; i++)
        if (!s || node_start(&s->node[i], i) != 0)
            return -1;
    s->slot = redis_fixture_number(&s->node[0].redis, "CLUSTER KEYSLOT {h5swim}:epoch");
    snprintf(command, sizeof(command), "CLUSTER ADDSLOTSRANGE 0 %ld %ld %d",
             s->slot - 1, s->slot + 1, SLOTS - 1);
    say(&s->node[0].redis, command, "+OK");
    snprintf(command, sizeof(command), "CLUSTER ADDSLOTS %ld", s->slot);
    say(&s->node[1].redis, command, "+OK");
    snprintf(command, sizeof(command), "CLUSTER MEET 127.0.0.1 %s %s", s->node[1].port,
             s->node[1].bus);
    say(&s->node[0].redis, command, "+OK");
    await_cluster(&s->node[0]);
    await_cluster(&s->node[1]);
    say(&s->node[1].redis, "SET {h5swim}:fresh 1", "+OK");
    snprintf(s->url, sizeof(s->url), "redis://127.0.0.1:%s", s->node[0].port);
    return 0;
}

static int teardown(void **state)
{
    struct scene *s = *state;
    char file[128];

    actor_kill(&s->actor);
    for (int i = 0; i < NODES; i++) {
        redis_fixture_kill(&s->node[i].redis);
        snprintf(file, sizeof(file), "%s/%s", s->node[i].redis.dir, s->node[i].port);
        unlink(file);
        redis_fixture_close(&s->node[i].redis);
    }
    free(s);
    return 0;
}

static void *take_and_release(void *arg)
{
    swim_lock_t *lock = NULL;

    if (take(arg, SWIM_LOCK_WRITE, 0, &lock) == SWIM_OK &&
        swim_lock_release(lock, NULL) == SWIM_OK)
        return NULL;
    return "failed";
}

/* Take, wait, wake, renew, close: all by way of a node that does not have the keys. */
static void a_cluster_holds_the_locks(void **state)
{
    struct scene *s = *state;
    swim_session_t *a = session_at(s->url, LEASE_MS, NULL),
                   *b = session_at(s->url, LEASE_MS, NULL);
    swim_lock_t *lock = NULL;
    pthread_t thread;
    void *failed = NULL;

    assert_int_equal(take(a, SWIM_LOCK_UPDATE, 0, &lock), SWIM_OK);
    assert_int_equal(swim_lock_raise(lock, NULL, NULL), SWIM_OK);
    assert_int_equal(
        redis_fixture_number(&s->node[1].redis, "EXISTS {h5swim}:w:" RESOURCE), 1);
    pthread_create(&thread, NULL, take_and_release, b);
    assert_true(redis_fixture_await(&s->node[1].redis, QUEUE, 1));
    test_nap_ms(LEASE_MS + 500);
    assert_int_equal(swim_lock_check(lock, 0, NULL), SWIM_OK);
    assert_int_equal(swim_lock_release(lock, NULL), SWIM_OK);
    pthread_join(thread, &failed);
    assert_null(failed);
    swim_session_close(a);
    swim_session_close(b);
    assert_int_equal(redis_fixture_number(&s->node[1].redis, "ZCARD {h5swim}:sessions"),
                     0);
}

/* The leave hook knows to which node. */
static void a_process_told_to_go_frees_its_locks(void **state)
{
    struct scene *s = *state;

    assert_int_equal(
        actor_start(&s->actor, s->url, 60000, SWIM_LOCK_WRITE, RESOURCE, 5000), 0);
    assert_int_equal(actor_hear(&s->actor, NULL), SWIM_OK);
    kill(s->actor.pid, SIGTERM);
    assert_int_equal(WEXITSTATUS(actor_reap(&s->actor)), 128 + SIGTERM);
    assert_true(redis_fixture_await(&s->node[1].redis, "ZCARD {h5swim}:sessions", 0));
}

/* The node loses its data: holders keep what they hold. */
static void an_epoch_ends_in_a_cluster_too(void **state)
{
    struct scene *s = *state;
    swim_session_t *a = session_at(s->url, LEASE_MS, NULL),
                   *b = session_at(s->url, LEASE_MS, NULL);
    swim_lock_t *lock = NULL, *none = NULL;

    assert_int_equal(take(a, SWIM_LOCK_WRITE, 0, &lock), SWIM_OK);
    say(&s->node[1].redis, "FLUSHALL", "+OK");
    assert_int_equal(take(b, SWIM_LOCK_READ, LEASE_MS + 1500, &none), SWIM_ERR_TIMEOUT);
    assert_int_equal(swim_lock_check(lock, 0, NULL), SWIM_OK);
    assert_int_equal(swim_lock_release(lock, NULL), SWIM_OK);
    swim_session_close(a);
    swim_session_close(b);
}

/* A notice goes from node to node; a pin is where the locks are. */
static void notices_and_pins_work_in_a_cluster(void **state)
{
    struct scene *s = *state;
    swim_session_t *a = session_at(s->url, 60000, NULL),
                   *b = session_at(s->url, 60000, NULL);
    struct lock_notice *notice = NULL;
    struct lock_pin *pins = NULL;
    size_t count = 0;
    char text[16];

    assert_int_equal(lock_notice_open(a, RESOURCE, &notice, NULL), SWIM_OK);
    assert_int_equal(lock_notice_send(b, RESOURCE, "commit 1", NULL), SWIM_OK);
    assert_int_equal(lock_notice_wait(notice, 10000, NULL, text, sizeof(text), NULL),
                     SWIM_OK);
    assert_string_equal(text, "commit 1");
    lock_notice_close(notice);
    assert_int_equal(lock_pin_set(a, RESOURCE, "ab", 1, NULL), SWIM_OK);
    assert_int_equal(lock_pin_list(b, RESOURCE, &pins, &count, NULL), SWIM_OK);
    assert_int_equal(count, 1);
    free(pins);
    swim_session_close(a);
    assert_int_equal(lock_pin_list(b, RESOURCE, &pins, &count, NULL), SWIM_OK);
    assert_int_equal(count, 0);
    swim_session_close(b);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(a_cluster_holds_the_locks),
        TEST(a_process_told_to_go_frees_its_locks),
        TEST(an_epoch_ends_in_a_cluster_too),
        TEST(notices_and_pins_work_in_a_cluster),
    };
    if (actor_main(argc, argv))
        return 0;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
