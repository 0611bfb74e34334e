/* test_joined.c - ranks that join: each block once, whatever is lost, asked twice,
 * silent or wrong; and the job does not depend on them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "batch/joined.h"

#define OWN 1 /* ranks of the job */
#define BLOCKS 100
#define DIGEST 42
#define MS 1000000LL
#define LEASE_MS 3000

struct scene {
    struct coordinator c;
    struct joined places[JOINED_MOST];
    struct coordinator_rank ranks[OWN + JOINED_MOST];
    uint64_t todo[BLOCKS / 64 + 1];
    struct block_failure failures[COORDINATOR_FAILURES_MOST];
    struct rank_report own; /* of rank 0 */
    struct rank_orders orders;
    struct joined_answer answer;
    int64_t now;
};

/* One that joins. */
struct guest {
    char name[32];
    uint64_t seq;
    struct rank_report report;
};

static int setup(void **state)
{
    static const unsigned char none[BLOCKS / 8 + 1];
    const uint64_t blocks[1] = {BLOCKS};
    struct scene *s = calloc(1, sizeof(*s));

    *state = s;
    if (!s)
        return -1;
    coordinator_init(&s->c, OWN, s->todo, s->failures);
    s->c.joined = s->places;
    coordinator_set_work(&s->c, 1, blocks, false);
    coordinator_set_pass(&s->c, 0, none);
    s->own =
        (struct rank_report){.ready = 1, .n_readers = 1, .digest = DIGEST, .run_id = 7};
    s->now = 1000 * MS;
    coordinator_handle(&s->c, s->ranks, &s->own, &s->orders);
    return 0;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

static struct guest guest(const char *name)
{
    struct guest g = {.report = {.n_readers = 2, .digest = DIGEST, .pid = 4711}};

    snprintf(g.name, sizeof(g.name), "%s", name);
    return g;
}

static enum joined_said ask_again(struct scene *s, const struct guest *g)
{
    const struct joined_report r = {.session = g->name,
                                    .boot = "here",
                                    .lease_ms = LEASE_MS,
                                    .seq = g->seq,
                                    .report = g->report};

    return joined_handle(&s->c, s->ranks, &r, s->now, &s->answer);
}

static enum joined_said ask(struct scene *s, struct guest *g)
{
    g->seq++;
    return ask_again(s, g);
}

/* With a number, ready, and so many blocks. */
static struct guest begin(struct scene *s, const char *name, uint64_t want)
{
    struct guest g = guest(name);

    assert_int_equal(ask(s, &g), JOINED_TOLD);
    g.report.ready = 1;
    g.report.want = want;
    assert_int_equal(ask(s, &g), JOINED_TOLD);
    g.report.want = 0;
    return g;
}

static bool is_dead(const void *arg, const char *boot, int64_t pid, int64_t started)
{
    (void)started;
    return arg && strcmp(boot, "here") == 0 && pid == 4711;
}

static void a_rank_gets_a_number_then_blocks(void **state)
{
    struct scene *s = *state;
    struct guest a = guest("a");

    a.report.want = 4; /* not ready: it gets none */
    assert_int_equal(ask(s, &a), JOINED_TOLD);
    assert_int_equal(s->answer.rank, OWN);
    assert_int_equal(s->answer.orders.count, 0);
    (void)begin(s, "b", 4);
    assert_int_equal(s->answer.rank, OWN + 1);
    assert_int_equal(s->answer.orders.count, 4);
    assert_true(s->answer.orders.run_id == 7);
    assert_int_equal(s->c.joined_sums.ranks, 1);
    assert_int_equal(s->c.joined_sums.readers, 2);
    s->own.want = 4; /* and rank 0 others */
    coordinator_handle(&s->c, s->ranks, &s->own, &s->orders);
    assert_true(s->orders.first >= 4);
}

static void nobody_joins_before_the_job_is_known(void **state)
{
    struct scene *s = *state;
    struct guest a = guest("a");

    s->c.has_digest = 0;
    a.report.ready = 1;
    a.report.digest = DIGEST + 1;
    a.report.want = 4;
    assert_int_equal(ask(s, &a), JOINED_TOLD);
    assert_int_equal(s->c.has_digest, 0);
    assert_int_equal(s->answer.orders.count, 0);
}

static void what_is_asked_twice_is_handed_out_once(void **state)
{
    struct scene *s = *state;
    struct guest a = begin(s, "a", 4);
    struct rank_orders first = s->answer.orders;

    assert_int_equal(ask_again(s, &a), JOINED_TOLD);
    assert_memory_equal(&s->answer.orders, &first, sizeof(first));
    assert_int_equal(s->c.left, BLOCKS - 4);
    a.report.done = 4;
    assert_int_equal(ask(s, &a), JOINED_TOLD);
    assert_int_equal(ask_again(s, &a), JOINED_TOLD);
    assert_int_equal(s->c.in_pass, 4);
    a.seq--;
    assert_int_equal(ask_again(s, &a), JOINED_LATE);
}

static void another_job_is_refused_and_the_job_goes_on(void **state)
{
    struct scene *s = *state;
    struct guest a = guest("a");

    assert_int_equal(ask(s, &a), JOINED_TOLD);
    a.report.ready = 1;
    a.report.digest = DIGEST + 1;
    a.report.want = 4;
    assert_int_equal(ask(s, &a), JOINED_DIFFERS);
    assert_true(s->answer.text[0]);
    assert_int_equal(ask(s, &a), JOINED_REFUSED);
    assert_int_equal(s->c.stop, 0);
    assert_int_equal(s->c.left, BLOCKS);
}

static void an_error_or_a_signal_there_is_not_the_job_s(void **state)
{
    struct scene *s = *state;
    struct guest a = begin(s, "a", 4), b = begin(s, "b", 4);

    a.report.signo = 15;
    assert_int_equal(ask(s, &a), JOINED_TOLD);
    assert_int_equal(s->answer.orders.stop, 1);
    assert_int_equal(s->answer.orders.signo, 15);
    swim_error_set(&b.report.error, SWIM_ERR_IO, "its disk is full");
    b.report.leaving = 1;
    assert_int_equal(ask(s, &b), JOINED_TOLD);
    assert_int_equal(s->answer.orders.left, 1);
    assert_non_null(strstr(s->answer.text, "its disk is full"));
    assert_int_equal(s->c.stop, 0);
    assert_int_equal(s->c.error.code, SWIM_OK);
}

/* Rank 0 does all that is handed out to it; how many that is in this pass. */
static uint64_t rank_0_works(struct scene *s)
{
    uint64_t n = 0;

    s->own.want = 1000;
    do {
        coordinator_handle(&s->c, s->ranks, &s->own, &s->orders);
        s->own.done += s->orders.count;
        n += s->orders.count;
    } while (s->orders.count);
    coordinator_handle(&s->c, s->ranks, &s->own, &s->orders);
    return n;
}

static void a_pass_waits_for_those_that_live_and_for_no_others(void **state)
{
    struct scene *s = *state;
    struct guest a = begin(s, "a", 4), b = begin(s, "b", 4);
    swim_error_t why = {0};

    assert_int_equal(rank_0_works(s), BLOCKS - 8);
    assert_int_equal(s->orders.look, 0);
    a.report.done = 3;
    a.report.leaving = 1; /* one block of a was not committed */
    assert_int_equal(ask(s, &a), JOINED_TOLD);
    assert_int_equal(rank_0_works(s), 0);
    assert_int_equal(s->orders.look, 0);
    s->now += LEASE_MS * MS;
    assert_int_equal(joined_look(&s->c, s->ranks, is_dead, NULL, s->now, &why), 0);
    s->now += MS;
    assert_int_equal(joined_look(&s->c, s->ranks, is_dead, NULL, s->now, &why),
                     OWN + 1);
    assert_int_equal(joined_look(&s->c, s->ranks, is_dead, NULL, s->now, &why), 0);
    assert_int_equal(rank_0_works(s), 0);
    assert_int_equal(s->orders.look, 1);
    assert_int_equal(s->c.in_pass, BLOCKS - 5);
    b.report.done = 4; /* too late */
    assert_int_equal(ask(s, &b), JOINED_REFUSED);
    assert_int_equal(s->c.in_pass, BLOCKS - 5);
}

static void a_dead_process_of_this_host_is_not_waited_for(void **state)
{
    struct scene *s = *state;
    swim_error_t why = {0};

    struct guest a = begin(s, "a", 4);

    s->now += 100 * MS;
    assert_int_equal(joined_look(&s->c, s->ranks, is_dead, s, s->now, &why), 0);
    s->now += 500 * MS;
    assert_int_equal(joined_look(&s->c, s->ranks, is_dead, s, s->now, &why), OWN);
    assert_int_equal(ask(s, &a), JOINED_REFUSED);
}

static void more_than_was_given_is_not_believed(void **state)
{
    struct scene *s = *state;
    struct guest a = begin(s, "a", 4), b = begin(s, "b", 4), c = begin(s, "c", 4);

    a.report.done = 5;
    assert_int_equal(ask(s, &a), JOINED_REFUSED);
    b.report.n_failed = 1;
    b.report.failure.block = BLOCKS;
    assert_int_equal(ask(s, &b), JOINED_REFUSED);
    c.report.done = 4;
    c.report.n_failed = 1;
    assert_int_equal(ask(s, &c), JOINED_REFUSED);
    assert_int_equal(s->c.n_failed, 0);
    assert_int_equal(s->c.in_pass, 0);
}

/* Rank 0 has died in the middle of a report, and a new one finds it half done. */
static void a_report_that_was_half_handled_gives_the_blocks_back(void **state)
{
    struct scene *s = *state;
    struct guest a = begin(s, "a", 4);

    s->places[0].begun++;
    assert_int_equal(ask(s, &a), JOINED_REFUSED);
    assert_int_equal(s->ranks[OWN].outstanding, 0);
}

static void places_are_used_again(void **state)
{
    struct scene *s = *state;
    struct guest all[JOINED_MOST], late = guest("late");

    for (uint32_t i = 0; i < JOINED_MOST; i++) {
        all[i] = guest("");
        snprintf(all[i].name, sizeof(all[i].name), "g%u", i);
        assert_int_equal(ask(s, &all[i]), JOINED_TOLD);
        assert_int_equal(s->answer.rank, OWN + i);
    }
    assert_int_equal(ask(s, &late), JOINED_REFUSED);
    all[3].report.leaving = 1;
    assert_int_equal(ask(s, &all[3]), JOINED_TOLD);
    assert_int_equal(joined_remain(&s->c, s->now, MS), JOINED_MOST - 1);
    late.seq = 0;
    assert_int_equal(ask(s, &late), JOINED_TOLD);
    assert_int_equal(s->answer.rank, OWN + 3);
    assert_int_equal(joined_remain(&s->c, s->now + MS, MS), 0);
}

static void what_they_did_is_counted_when_they_have_gone_too(void **state)
{
    struct scene *s = *state;
    struct guest a = begin(s, "a", 4), b = begin(s, "b", 4);

    a.report.done = 4;
    a.report.bytes_read = 100;
    a.report.leaving = 1;
    b.report.done = 2;
    b.report.bytes_read = 10;
    (void)ask(s, &a);
    (void)ask_again(s, &a);
    (void)ask(s, &b);
    struct joined_sums sums = joined_sum_up(&s->c, s->ranks);
    assert_int_equal(sums.ranks, 2);
    assert_int_equal(sums.readers, 4);
    assert_int_equal(sums.blocks, 6);
    assert_int_equal(sums.bytes_read, 110);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_rank_gets_a_number_then_blocks),
        TEST(nobody_joins_before_the_job_is_known),
        TEST(what_is_asked_twice_is_handed_out_once),
        TEST(another_job_is_refused_and_the_job_goes_on),
        TEST(an_error_or_a_signal_there_is_not_the_job_s),
        TEST(a_pass_waits_for_those_that_live_and_for_no_others),
        TEST(a_dead_process_of_this_host_is_not_waited_for),
        TEST(more_than_was_given_is_not_believed),
        TEST(a_report_that_was_half_handled_gives_the_blocks_back),
        TEST(places_are_used_again),
        TEST(what_they_did_is_counted_when_they_have_gone_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
