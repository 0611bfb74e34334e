/* test_refusal.c - what a lock server's refusals say of where to ask, and when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "lock/redis_refusal.h"

#define HOST_255 /* one more byte than there is room for is too many */ \
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"   \
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"  \
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"  \
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static void refusals_that_pass_are_told_from_others(void **state)
{
    static const struct {
        const char *reply;
        enum redis_refusal is;
    } table[] = {
        {"NOSCRIPT No matching script", REDIS_REFUSED},
        {"WRONGPASS invalid username-password pair", REDIS_REFUSED},
        {"", REDIS_REFUSED},
        {"LOADING Redis is loading the dataset in memory", REDIS_REFUSED_NOW},
        {"BUSY Redis is busy running a script", REDIS_REFUSED_NOW},
        {"TRYAGAIN Multiple keys request", REDIS_REFUSED_NOW},
        {"CLUSTERDOWN The cluster is down", REDIS_REFUSED_HERE},
        {"MASTERDOWN Link with MASTER is down", REDIS_REFUSED_HERE},
        {"READONLY You can't write against a read only replica.", REDIS_REFUSED_HERE},
        {"ERR Error running script: @user_script: READONLY You can't write",
         REDIS_REFUSED_HERE},
        {"ASK 1 h:7", REDIS_REFUSED_HERE},
        {"MOVED 1 h:7", REDIS_REFUSED_HERE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
        if (redis_refusal_of(table[i].reply) != table[i].is)
            fail_msg("%s: %d", table[i].reply, (int)redis_refusal_of(table[i].reply));
}

/* The password and the database of the URL go along. */
static void whoever_is_sent_on_keeps_the_login(void **state)
{
    static const struct {
        const char *reply, *host;
        int port;
    } table[] = {
        {"MOVED 3999 127.0.0.1:6381", "127.0.0.1", 6381},
        {"MOVED 3999 node.example.org:1", "node.example.org", 1},
        {"MOVED 3999 ::1:7000", "::1", 7000},
        {"MOVED 3999 :6381", "from", 6381},
        {"MOVED 3999 " HOST_255 ":65535", HOST_255, 65535},
    };
    const struct lock_url from = {.host = "from",
                                  .port = 6379,
                                  .password = "pw",
                                  .has_login = true,
                                  .is_tls = true,
                                  .db = 3};

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
        struct lock_url to = {0};
        assert_true(redis_refusal_moves(table[i].reply, &from, &to));
        assert_string_equal(to.host, table[i].host);
        assert_int_equal(to.port, table[i].port);
        assert_string_equal(to.password, "pw");
        assert_true(to.has_login && to.is_tls && !to.is_unix && to.db == 3);
    }
}

static void a_socket_is_left_for_a_named_host_alone(void **state)
{
    const struct lock_url from = {.is_unix = true, .path = "/run/r.sock"};
    struct lock_url to;

    (void)state;
    assert_true(redis_refusal_moves("MOVED 1 127.0.0.1:7000", &from, &to));
    assert_false(to.is_unix);
    assert_string_equal(to.host, "127.0.0.1");
    assert_false(redis_refusal_moves("MOVED 1 :7000", &from, &to));
}

static void what_leads_nowhere_is_not_followed(void **state)
{
    static const char *const table[] = {
        "",
        "MOVED",
        "MOVED ",
        "MOVED 1",
        "MOVED 1 h",
        "MOVED 1 h:",
        "MOVED 1 h:0",
        "MOVED 1 h:-1",
        "MOVED 1 h:65536",
        "MOVED 1 h:7x",
        "ASK 1 h:7",
        "ERR MOVED 1 h:7",
        "MOVED 1 x" HOST_255 ":7",
    };
    const struct lock_url from = {.host = "from", .port = 6379};
    struct lock_url to;

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
        if (redis_refusal_moves(table[i], &from, &to))
            fail_msg("%s leads to %s:%d", table[i], to.host, to.port);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refusals_that_pass_are_told_from_others),
        cmocka_unit_test(whoever_is_sent_on_keeps_the_login),
        cmocka_unit_test(a_socket_is_left_for_a_named_host_alone),
        cmocka_unit_test(what_leads_nowhere_is_not_followed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
