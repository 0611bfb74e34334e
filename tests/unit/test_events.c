/* test_events.c - what workers tell of their time: nobody waits, nothing is lost that
 * is not counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "batch/events.h"

#define MS 1000000LL
#define TELLERS 4u
#define TOLD 20000

static int setup(void **state)
{
    *state = mmap(NULL, sizeof(struct events), PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return *state == MAP_FAILED ? -1 : 0;
}

static int teardown(void **state)
{
    return munmap(*state, sizeof(struct events));
}

struct heard {
    unsigned n;
    struct event last;
    unsigned of[TELLERS];
};

static void hear(void *arg, const struct event *event)
{
    struct heard *heard = arg;

    heard->n++;
    heard->of[event->process % TELLERS]++;
    heard->last.process = event->process;
    heard->last.is_lock_wait = event->is_lock_wait;
    heard->last.activity = event->activity;
    heard->last.start_ns = event->start_ns;
    heard->last.end_ns = event->end_ns;
    memcpy(heard->last.resource, event->resource, sizeof(event->resource));
}

static void spans_at_one_thing_are_one(void **state)
{
    struct teller teller = {.events = *state, .process = 3};
    struct heard heard = {0};

    teller_span(&teller, SWIM_AT_WRITE, 10 * MS, 11 * MS);
    teller_span(&teller, SWIM_AT_IDLE, 11 * MS, 11 * MS + 1);
    teller_span(&teller, SWIM_AT_WRITE, 11 * MS + 1, 12 * MS);
    events_drain(*state, hear, &heard);
    assert_int_equal(heard.n, 0); /* it may go on */
    teller_span(&teller, SWIM_AT_WRITE, 14 * MS, 15 * MS);
    events_drain(*state, hear, &heard);
    assert_int_equal(heard.n, 1);
    assert_int_equal(heard.last.process, 3);
    assert_int_equal(heard.last.start_ns, 10 * MS);
    assert_int_equal(heard.last.end_ns, 12 * MS);
    teller_span(&teller, SWIM_AT_COMMIT, 15 * MS, 16 * MS);
    teller_flush(&teller);
    teller_flush(&teller);
    events_drain(*state, hear, &heard);
    assert_int_equal(heard.n, 3);
    assert_int_equal(heard.last.activity, SWIM_AT_COMMIT);
}

static void of_a_long_name_the_end_is_kept(void **state)
{
    struct teller teller = {.events = *state};
    struct lock_holder holder = {.session = ""};
    char name[400];
    struct heard heard = {0};

    memset(name, 'x', sizeof(name));
    memcpy(name + sizeof(name) - 5, "/end", 5);
    teller_wait(&teller, &(struct lock_waited){.resource = name, .holder = &holder});
    events_drain(*state, hear, &heard);
    assert_true(heard.last.is_lock_wait);
    assert_int_equal(strlen(heard.last.resource), sizeof(heard.last.resource) - 1);
    assert_string_equal(heard.last.resource + strlen(heard.last.resource) - 4, "/end");
}

static void what_finds_no_place_is_counted(void **state)
{
    struct events *events = *state;
    struct teller teller = {.events = events};
    struct heard heard = {0};

    for (int64_t i = 0; i < EVENTS + 7; i++) {
        teller_span(&teller, SWIM_AT_WRITE, i * 10 * MS, i * 10 * MS + 1);
        teller_flush(&teller);
    }
    assert_int_equal(events->lost, 7);
    events_drain(events, hear, &heard);
    assert_int_equal(heard.n, EVENTS);
    teller_span(&teller, SWIM_AT_WRITE, 1, 2);
    teller_flush(&teller);
    events_drain(events, hear, &heard);
    assert_int_equal(heard.n, EVENTS + 1);
}

/* What a process and its parent know of each other. */
struct shared {
    atomic_bool heard;
    unsigned told;
};

/* As fast as it can, and until it was heard. */
_Noreturn static void tell(struct events *events, uint32_t process, struct shared *mine)
{
    struct teller teller = {.events = events, .process = process};

    for (; mine->told < TOLD || !atomic_load(&mine->heard); mine->told++) {
        const int64_t at = ((int64_t)mine->told + 1) * 10 * MS;
        teller_span(&teller, SWIM_AT_WRITE, at, at + 1);
        teller_flush(&teller);
    }
    _exit(0);
}

/* Each word is heard, or counted as lost. */
static void many_tell_at_once(void **state)
{
    struct events *events = *state;
    struct shared *shared =
        mmap(NULL, TELLERS * sizeof(*shared), PROT_READ | PROT_WRITE,
             MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct heard heard = {0};
    unsigned left = TELLERS, told = 0;

    assert_true(shared != MAP_FAILED);
    for (unsigned t = 0; t < TELLERS; t++)
        if (fork() == 0)
            tell(events, t, &shared[t]);
    while (left > 0) {
        events_drain(events, hear, &heard);
        for (unsigned t = 0; t < TELLERS; t++)
            atomic_store(&shared[t].heard, heard.of[t] > 0);
        left -= waitpid(-1, NULL, WNOHANG) > 0;
    }
    events_drain(events, hear, &heard);
    for (unsigned t = 0; t < TELLERS; t++)
        told += shared[t].told;
    assert_int_equal(heard.n + events->lost, told);
    munmap(shared, TELLERS * sizeof(*shared));
}

/* As if it had died between claiming a place and filling it. */
static void the_place_of_a_dead_one_comes_back(void **state)
{
    struct events *events = *state;
    struct teller teller = {.events = events, .process = 5};
    struct heard heard = {0};

    teller_span(&teller, SWIM_AT_WRITE, 1, 2);
    teller_flush(&teller);
    const unsigned claimed = events->list[0].state + 1 + 5; /* after FULL: of 5 */
    for (unsigned i = 0; i < EVENTS; i++)
        events->list[i].state = claimed;
    events_forget(events, 4);
    assert_int_equal(events->list[0].state, claimed);
    events_forget(events, 5);
    teller_span(&teller, SWIM_AT_WRITE, 1, 2);
    teller_flush(&teller);
    events_drain(events, hear, &heard);
    assert_int_equal(heard.n, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(spans_at_one_thing_are_one, setup, teardown),
        cmocka_unit_test_setup_teardown(of_a_long_name_the_end_is_kept, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_finds_no_place_is_counted, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(many_tell_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(the_place_of_a_dead_one_comes_back, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
