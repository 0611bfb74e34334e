/* test_units.c - which unit becomes which other one. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "batch/units.h"

static void assert_becomes(const char *from, const char *to, double value, double other)
{
    double scale = 0, offset = 0;

    assert_int_equal(units_compare(from, to, &scale, &offset), UNITS_CONVERTIBLE);
    assert_true(fabs(value * scale + offset - other) <= 1e-12 * (1 + fabs(other)));
}

static void assert_is(const char *from, const char *to, enum units_relation relation)
{
    double scale = 0, offset = 0;

    assert_int_equal(units_compare(from, to, &scale, &offset), relation);
    if (relation == UNITS_SAME)
        assert_true(scale == 1 && offset == 0);
}

static void units_of_one_quantity_are_converted(void **state)
{
    (void)state;
    assert_becomes("km/h", "m s-1", 36, 10);
    assert_becomes("knot", "m/s", 1, 1852.0 / 3600);
    assert_becomes("degC", "K", 20, 293.15);
    assert_becomes("degF", "degC", 212, 100);
    assert_becomes("%", "1", 50, 0.5);
    assert_becomes(" m s-1  ", "km/h ", 10, 36);
    assert_becomes("milliseconds since 1970-01-01", "days since 1970-01-02", 86400e6,
                   999);
    assert_becomes("hours since 2000-01-02", "days since 2000-01-01", 12, 1.5);
}

static void spellings_of_one_unit_are_the_same(void **state)
{
    (void)state;
    assert_is("m s-1", "m/s", UNITS_SAME);
    assert_is("metre second^-1", "m.s-1", UNITS_SAME);
    assert_is("kelvin", "K", UNITS_SAME);
    assert_is("METRES PER SECOND", "m/s", UNITS_SAME);
    assert_is("", "1", UNITS_SAME);
    assert_is("cubits a day", "cubits a day", UNITS_SAME);
}

static void other_quantities_are_not_converted(void **state)
{
    (void)state;
    assert_is("degrees", "m/s", UNITS_DIFFERENT);
    assert_is("m", "m2", UNITS_DIFFERENT);
    assert_is("", "m/s", UNITS_DIFFERENT);
}

static void what_is_no_line_is_not_converted(void **state)
{
    (void)state;
    assert_is("lg(re 1 K)", "K", UNITS_DIFFERENT);
    assert_is("K", "lg(re 1 K)", UNITS_DIFFERENT);
    assert_is("dBZ", "mm6 m-3", UNITS_DIFFERENT);
    assert_is("0.1 lg(re 1 mW)", "W", UNITS_DIFFERENT);
    assert_is("Hz", "s", UNITS_DIFFERENT);
}

static void texts_that_are_no_units_are_unknown(void **state)
{
    (void)state;
    assert_is("cubits a day", "m/s", UNITS_UNKNOWN);
    assert_is("m/s", "speed of the ship", UNITS_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(units_of_one_quantity_are_converted),
        cmocka_unit_test(spellings_of_one_unit_are_the_same),
        cmocka_unit_test(other_quantities_are_not_converted),
        cmocka_unit_test(what_is_no_line_is_not_converted),
        cmocka_unit_test(texts_that_are_no_units_are_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
