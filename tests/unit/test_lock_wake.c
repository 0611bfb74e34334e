/* test_lock_wake.c - wake-ups of waiters do not stay behind at the server. */
#define RESOURCE "r"
#include "lock_tools.h"

#include <stdbool.h>
#include <stdio.h>

#define WAKE_UPS "EVAL \"return #redis.call('KEYS', '*:wake:*')\" 0"

static struct redis_fixture redis;
static swim_session_t *holder, *waiter;

static int setup(void **state)
{
    (void)state;
    return pair_open(&redis, 60000, &holder, &waiter);
}

static int teardown(void **state)
{
    (void)state;
    pair_close(&redis, waiter, holder);
    return 0;
}

static void ask(const char *ticket, const char *how, bool granted)
{
    char epoch[24];
    const char *argv[] = {waiter->id, ticket, "r", how, "0", epoch};
    struct redis_answer *answer = NULL;
    bool unsure = false;

    snprintf(epoch, sizeof(epoch), "%llu", atomic_load(&waiter->epoch));
    assert_int_equal(
        session_ask(waiter, &script_acquire, 6, argv, 0, &answer, &unsure, NULL),
        SWIM_OK);
    assert_int_equal(redis_answer_is_number(answer), granted);
    redis_answer_free(answer);
}

static void give_back(const char *ticket)
{
    const char *argv[] = {waiter->id, ticket, "r", "plain"};
    struct redis_answer *answer = NULL;
    bool unsure = false;

    assert_int_equal(
        session_ask(waiter, &script_release, 4, argv, 0, &answer, &unsure, NULL),
        SWIM_OK);
    assert_string_equal(redis_answer_text(answer), "held");
    redis_answer_free(answer);
}

/* Its nap ended, or an answer was lost, in the instant in which it was let in. */
static void a_waiter_that_asks_when_it_was_let_in_takes_its_wake_up_away(void **state)
{
    (void)state;
    for (int i = 0; i < 6; i++) {
        char ticket[TICKET_MAX];
        swim_lock_t *held = NULL;

        snprintf(ticket, sizeof(ticket), "%c/%s/%d", "RUW"[i / 2], waiter -> id, i);
        assert_int_equal(take(holder, SWIM_LOCK_WRITE, 0, &held), SWIM_OK);
        ask(ticket, "wait", false);
        assert_int_equal(swim_lock_release(held, NULL), SWIM_OK);
        assert_int_equal(redis_fixture_number(&redis, WAKE_UPS), 1);
        ask(ticket, i % 2 ? "wait" : "who", true);
        assert_int_equal(redis_fixture_number(&redis, WAKE_UPS), 0);
        give_back(ticket);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            a_waiter_that_asks_when_it_was_let_in_takes_its_wake_up_away, setup,
            teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
