/* test_problems.c - the list of all that is wrong with a job. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "batch/problems.h"

static void take(struct problems *p, const char *place, int code, const char *text)
{
    struct job_place at = {""};
    swim_error_t err = {0};

    snprintf(at.text, sizeof(at.text), "%s", place);
    swim_error_set(&err, code, "%s", text);
    assert_int_equal(problems_take(p, place[0] ? &at : NULL, code, &err), SWIM_OK);
    assert_int_equal(err.code, SWIM_OK);
}

static void without_a_list_the_first_error_stays(void **state)
{
    swim_error_t err = {0};

    (void)state;
    swim_error_set(&err, SWIM_ERR_ARG, "x");
    assert_int_equal(problems_take(NULL, NULL, SWIM_ERR_ARG, &err), SWIM_ERR_ARG);
    assert_string_equal(err.text, "x");
}

static void errors_that_are_none_of_the_job_stay(void **state)
{
    static const int codes[] = {SWIM_ERR_NOMEM, SWIM_ERR_CANCELLED};
    struct problems p = {.path = "a.yaml"};

    (void)state;
    for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++) {
        swim_error_t err = {0};
        swim_error_set(&err, codes[i], "x");
        assert_int_equal(problems_take(&p, NULL, codes[i], &err), codes[i]);
    }
    assert_int_equal(p.n + p.n_errors, 0);
}

static void the_place_is_that_of_the_text_or_the_given_one(void **state)
{
    static const char *const sets[] = {"edges={lat: wrap}"};
    static const struct {
        const char *given, *text, *place, *rest;
    } cases[] = {
        {"", "a.yaml:3:7: what", "a.yaml:3:7", "what"},
        {"a.yaml:2:1", "a.yaml:3:7: what", "a.yaml:3:7", "what"},
        {"a.yaml:2:1", "a.yaml: what: how", "a.yaml:2:1", "what: how"},
        {"a.yaml:2:1", "b.h5: what", "a.yaml:2:1", "b.h5: what"},
        {"", "b.h5:1:2: what", "a.yaml:1:1", "b.h5:1:2: what"},
        {"a.yaml:9:9", "--set edges={lat: wrap}: what", "--set edges={lat: wrap}",
         "what"},
        {"--set x=1: 2", "--set x=1: 2: why", "--set x=1: 2", "why"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct problems p = {.path = "a.yaml", .sets = sets, .n_sets = 1};
        take(&p, cases[i].given, SWIM_ERR_ARG, cases[i].text);
        assert_int_equal(p.n, 1);
        assert_string_equal(p.list[0].place.text, cases[i].place);
        assert_string_equal(p.list[0].text, cases[i].rest);
        problems_clear(&p);
    }
}

static void a_long_name_is_known_by_its_end(void **state)
{
    char path[400], text[600];

    (void)state;
    memset(path, 'd', sizeof(path));
    memcpy(path + sizeof(path) - 8, "/a.yaml", 8);
    struct problems p = {.path = path};
    snprintf(text, sizeof(text), "...%s:3:7: what",
             path + strlen(path) - JOB_NAME_MOST);
    take(&p, "", SWIM_ERR_ARG, text);
    assert_string_equal(p.list[0].text, "what");
    unsigned line, column;
    assert_true(problem_place(&p.list[0], &line, &column));
    assert_int_equal(line * 10 + column, 37);
    problems_clear(&p);
}

static void what_was_said_is_said_once(void **state)
{
    struct problems p = {.path = "a.yaml"};
    swim_error_t err = {0};

    (void)state;
    take(&p, "a.yaml:2:1", SWIM_ERR_ARG, "what");
    take(&p, "a.yaml:2:1", SWIM_ERR_ARG, "what");
    take(&p, "a.yaml:3:1", SWIM_ERR_KERNEL, "what");
    assert_int_equal(problems_take(&p, NULL, SWIM_ERR_ARG, &err), SWIM_OK);
    assert_int_equal(p.n, 2);
    assert_int_equal(p.n_errors, 2);
    problems_clear(&p);
}

static void they_are_sorted_by_line_and_column(void **state)
{
    static const char *const order[] = {"--set x=1", "a.yaml:2:10", "a.yaml:10:2",
                                        "a.yaml:10:2", "a.yaml:10:11"};
    struct problems p = {.path = "a.yaml"};

    (void)state;
    take(&p, order[4], SWIM_ERR_ARG, "5");
    take(&p, order[2], SWIM_ERR_ARG, "3");
    take(&p, order[1], SWIM_ERR_ARG, "2");
    take(&p, order[0], SWIM_ERR_ARG, "1");
    const struct job_place place = {"a.yaml:10:2"};
    problems_warn(&p, &place, "%d", 4);
    problems_sort(&p);
    assert_int_equal(p.n, 5);
    assert_int_equal(p.n_errors, 4);
    for (size_t i = 0; i < 5; i++) {
        assert_string_equal(p.list[i].place.text, order[i]);
        assert_int_equal(p.list[i].text[0], '1' + (int)i);
        assert_int_equal(p.list[i].warning, i == 3);
    }
    problems_clear(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_list_the_first_error_stays),
        cmocka_unit_test(errors_that_are_none_of_the_job_stay),
        cmocka_unit_test(the_place_is_that_of_the_text_or_the_given_one),
        cmocka_unit_test(a_long_name_is_known_by_its_end),
        cmocka_unit_test(what_was_said_is_said_once),
        cmocka_unit_test(they_are_sorted_by_line_and_column),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
