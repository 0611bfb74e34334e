/* test_params.c - parameter values: types, ranges, defaults, and their messages. */
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "batch/kernel_host.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct swim_param declared[] = {
    {.name = "radius", .type = SWIM_PARAM_REAL, .preset = "6371000", .unit = "m"},
    {.name = "count", .type = SWIM_PARAM_INT, .preset = "3", .min = 1, .max = 10},
    {.name = "fast", .type = SWIM_PARAM_BOOL, .preset = "no"},
    {.name = "mode", .type = SWIM_PARAM_TEXT, .preset = "one", .choices = "one|two"},
    {.name = "label", .type = SWIM_PARAM_TEXT, .preset = ""},
    {.name = "needed", .type = SWIM_PARAM_INT},
};

static struct kernel_host kernel = {
    .api = {.name = "slope", .n_params = COUNT(declared), .params = declared},
    .params = declared,
};

static int create(const char *name, const char *value, swim_params_t **out,
                  swim_error_t *err)
{
    struct job_param given[] = {
        {.name = (char *)"needed", .value = (char *)"1", .place = {"JOB.yaml:4:5"}},
        {.name = (char *)name, .value = (char *)value, .place = {"JOB.yaml:5:11"}},
    };

    swim_error_clear(err);
    return params_create(&kernel, given, name ? 2 : 1, out, err);
}

static void defaults_hold_where_nothing_is_given(void **state)
{
    swim_params_t *p = NULL;
    swim_error_t err = {0};
    (void)state;

    assert_int_equal(create(NULL, NULL, &p, &err), SWIM_OK);
    assert_true(swim_params_real(p, "radius") == 6371000);
    assert_int_equal(swim_params_int(p, "count"), 3);
    assert_int_equal(swim_params_bool(p, "fast"), 0);
    assert_string_equal(swim_params_text(p, "mode"), "one");
    assert_string_equal(swim_params_text(p, "label"), "");
    assert_int_equal(swim_params_int(p, "needed"), 1);
    params_destroy(p);
}

static void good_values_are_taken(void **state)
{
    static const char *const cases[][2] = {
        {"radius", "5"},  {"radius", "-1.5e-3"}, {"radius", "+.5"},
        {"count", "1"},   {"count", "10"},       {"count", "+7"},
        {"fast", "true"}, {"fast", "off"},       {"fast", "YES"},
        {"mode", "two"},  {"label", "any text"}, {"needed", "-9223372036854775808"},
    };
    swim_error_t err = {0};
    (void)state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct job_param given[] = {
            {.name = (char *)cases[i][0], .value = (char *)cases[i][1]},
            {.name = (char *)"needed", .value = (char *)"1"}};
        swim_params_t *p = NULL;
        size_t n = strcmp(cases[i][0], "needed") ? 2 : 1;
        assert_int_equal(params_create(&kernel, given, n, &p, &err), SWIM_OK);
        params_destroy(p);
    }
}

static void values_arrive_typed(void **state)
{
    swim_params_t *p = NULL;
    swim_error_t err = {0};
    (void)state;

    assert_int_equal(create("radius", "-2.5", &p, &err), SWIM_OK);
    assert_true(swim_params_real(p, "radius") == -2.5);
    params_destroy(p);
    assert_int_equal(create("fast", "On", &p, &err), SWIM_OK);
    assert_int_equal(swim_params_bool(p, "fast"), 1);
    params_destroy(p);
    assert_int_equal(create("mode", "two", &p, &err), SWIM_OK);
    assert_string_equal(swim_params_text(p, "mode"), "two");
    params_destroy(p);
}

static void bad_values_are_refused_with_place_and_declaration(void **state)
{
    static const struct {
        const char *name, *value, *says;
    } cases[] = {
        {"radius", "abc",
         "JOB.yaml:5:11: parameter \"radius\" of kernel slope: \"abc\" is not a number "
         "(real, default 6371000 m)"},
        {"radius", "nan", "is not a number"},
        {"radius", "inf", "is not a number"},
        {"radius", "1e999", "is not a number"},
        {"radius", "1.5m", "is not a number"},
        {"radius", "0x10", "is not a number"},
        {"radius", "", "is not a number"},
        {"count", "1.5", "\"1.5\" is not a whole number"},
        {"count", "1e3", "is not a whole number"},
        {"count", " 1", "is not a whole number"},
        {"count", "99999999999999999999", "is not a whole number"},
        {"count", "0", "\"0\" is not between 1 and 10"},
        {"count", "11", "is not between 1 and 10"},
        {"fast", "2", "is not true or false"},
        {"mode", "three", "\"three\" is none of one|two"},
        {"mode", "on", "is none of"},
        {"mode", "one|two", "is none of"},
        {"radus", "1",
         "JOB.yaml:5:11: kernel slope has no parameter \"radus\"; did you "
         "mean \"radius\"?"},
        {"zzzzzzzz", "1", "kernel slope has no parameter \"zzzzzzzz\""},
    };
    swim_error_t err = {0};
    (void)state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        swim_params_t *p = NULL;
        assert_int_equal(create(cases[i].name, cases[i].value, &p, &err), SWIM_ERR_ARG);
        assert_null(p);
        if (!strstr(err.text, cases[i].says))
            fail_msg("\"%s\" is not in \"%s\"", cases[i].says, err.text);
    }
}

static void a_parameter_without_default_must_be_given(void **state)
{
    swim_params_t *p = NULL;
    swim_error_t err = {0};
    (void)state;

    assert_int_equal(params_create(&kernel, NULL, 0, &p, &err), SWIM_ERR_ARG);
    assert_non_null(strstr(err.text, "needs parameter \"needed\" (int, no default)"));
    assert_null(p);
}

static void what_is_not_declared_reads_as_nothing(void **state)
{
    swim_params_t *p = NULL;
    swim_error_t err = {0};
    (void)state;

    assert_int_equal(create(NULL, NULL, &p, &err), SWIM_OK);
    assert_int_equal(swim_params_int(p, "radius"), 0);
    assert_true(isnan(swim_params_real(p, "count")));
    assert_int_equal(swim_params_bool(p, "nobody"), 0);
    assert_string_equal(swim_params_text(p, "nobody"), "");
    params_destroy(p);
}

/* Where the machine has no such locale nothing can go wrong either. */
static void a_decimal_comma_locale_changes_nothing(void **state)
{
    swim_params_t *p = NULL;
    swim_error_t err = {0};
    (void)state;

    setlocale(LC_ALL, "de_DE.UTF-8");
    int rc = create("radius", "2.5", &p, &err);
    setlocale(LC_ALL, "C");
    assert_int_equal(rc, SWIM_OK);
    assert_true(swim_params_real(p, "radius") == 2.5);
    params_destroy(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_hold_where_nothing_is_given),
        cmocka_unit_test(good_values_are_taken),
        cmocka_unit_test(values_arrive_typed),
        cmocka_unit_test(bad_values_are_refused_with_place_and_declaration),
        cmocka_unit_test(a_parameter_without_default_must_be_given),
        cmocka_unit_test(what_is_not_declared_reads_as_nothing),
        cmocka_unit_test(a_decimal_comma_locale_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
