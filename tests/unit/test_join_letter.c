/* test_join_letter.c - what joined ranks and rank 0 write arrives as it was written,
 * and what is not theirs is not taken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "batch/join_letter.h"

static struct join_letter a_report(void)
{
    struct join_letter l = {.kind = JOIN_REPORT,
                            .from = "node1:4711:99",
                            .boot = "5e1f-77/4026531836",
                            .lease_ms = 10000,
                            .seq = UINT64_MAX - 1,
                            .rank = 7};

    l.report.digest = 0xfedcba9876543210;
    l.report.want = 12;
    l.report.failure.block = 1234567890123;
    snprintf(l.report.error.text, sizeof(l.report.error.text), "a b\n%%s \"c\"");
    return l;
}

static void each_kind_arrives_as_it_was_written(void **state)
{
    struct join_letter l = a_report(), got;
    char text[JOIN_LETTER_SIZE];
    (void)state;

    join_letter_write(&l, text);
    assert_int_equal(join_letter_read(text, &got, NULL), SWIM_OK);
    assert_memory_equal(&got.report, &l.report, sizeof(l.report));
    assert_string_equal(got.from, l.from);
    assert_string_equal(got.boot, l.boot);
    assert_true(got.seq == l.seq && got.rank == 7 && got.lease_ms == 10000);
    l.kind = JOIN_ORDERS;
    l.boot[0] = '\0';
    l.orders.first = 5;
    l.orders.state.bytes[79] = 200;
    join_letter_write(&l, text);
    assert_int_equal(join_letter_read(text, &got, NULL), SWIM_OK);
    assert_int_equal(got.kind, JOIN_ORDERS);
    assert_memory_equal(&got.orders, &l.orders, sizeof(l.orders));
    for (int i = 0; i < 2; i++) {
        l.kind = i ? JOIN_DIFFERS : JOIN_REFUSED;
        memset(l.text, 'x' + i, sizeof(l.text) - 1);
        join_letter_write(&l, text);
        assert_int_equal(join_letter_read(text, &got, NULL), SWIM_OK);
        assert_int_equal(got.kind, l.kind);
        assert_string_equal(got.text, l.text);
    }
}

static void another_build_is_told_from_ours(void **state)
{
    struct join_letter l = a_report(), got;
    char text[JOIN_LETTER_SIZE], *build;
    swim_error_t err = {0};
    (void)state;

    for (int number = 1; number <= 2; number++) { /* of the format, of the exchange */
        join_letter_write(&l, text);
        build = strchr(text, ' ') + 1;
        if (number == 2)
            build += strcspn(build, "/") + 1;
        assert_int_equal(strtol(build, NULL, 10),
                         number == 1 ? JOIN_LETTER_FORMAT : COORDINATOR_EXCHANGE);
        build[strcspn(build, "/") - 1] = '9';
        swim_error_clear(&err);
        assert_int_equal(join_letter_read(text, &got, &err), SWIM_ERR_ABI);
        assert_string_equal(got.from, l.from);
        assert_non_null(strstr(err.text, "another build"));
    }
}

/* Every text that is shorter, and every one in which a byte of the head differs. */
static void what_is_no_letter_is_not_taken(void **state)
{
    struct join_letter l = a_report(), got;
    char text[JOIN_LETTER_SIZE], cut[JOIN_LETTER_SIZE];
    (void)state;

    join_letter_write(&l, text);
    size_t len = strlen(text);
    for (size_t n = 0; n < len; n++) {
        memcpy(cut, text, n);
        cut[n] = '\0';
        assert_int_not_equal(join_letter_read(cut, &got, NULL), SWIM_OK);
    }
    memcpy(cut, text, len + 1);
    cut[len - 1] = 'g'; /* no hexadecimal digit */
    assert_int_equal(join_letter_read(cut, &got, NULL), SWIM_ERR_CORRUPT);
    memcpy(cut, text, len + 1);
    memcpy(cut + len, "00", sizeof("00"));
    assert_int_equal(join_letter_read(cut, &got, NULL), SWIM_ERR_CORRUPT);
}

/* They are taken for indices and for texts. */
static void numbers_out_of_range_are_not_taken(void **state)
{
    struct join_letter l = a_report(), got;
    char text[JOIN_LETTER_SIZE];
    (void)state;

    l.report.failure.phase = SETUP_PHASES_MAX;
    join_letter_write(&l, text);
    assert_int_equal(join_letter_read(text, &got, NULL), SWIM_ERR_CORRUPT);
    l = a_report();
    l.report.n_states = SETUP_INPUTS_MAX + 1;
    join_letter_write(&l, text);
    assert_int_equal(join_letter_read(text, &got, NULL), SWIM_ERR_CORRUPT);
    l = a_report();
    memset(l.report.error.text, 'x', sizeof(l.report.error.text));
    join_letter_write(&l, text);
    assert_int_equal(join_letter_read(text, &got, NULL), SWIM_OK);
    assert_int_equal(strlen(got.report.error.text), sizeof(l.report.error.text) - 1);
    l.kind = JOIN_ORDERS;
    l.orders.n_states = SETUP_INPUTS_MAX + 1;
    join_letter_write(&l, text);
    assert_int_equal(join_letter_read(text, &got, NULL), SWIM_ERR_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_arrives_as_it_was_written),
        cmocka_unit_test(another_build_is_told_from_ours),
        cmocka_unit_test(what_is_no_letter_is_not_taken),
        cmocka_unit_test(numbers_out_of_range_are_not_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
