/* test_axes.c - which axis is what, calendar months, and the shape of reductions. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <h5swim/kernel.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* --- which axis ----------------------------------------------------------------- */

static struct swim_axis named(const char *name, const char *units, const char *standard)
{
    return (struct swim_axis){.name = name,
                              .units = units,
                              .calendar = "",
                              .standard_name = standard,
                              .length = 4};
}

static int find(const struct swim_axis *axes, uint32_t n, enum swim_axis_kind kind)
{
    const struct swim_axis *list[8];
    uint64_t shape[8];

    for (uint32_t i = 0; i < n; i++) {
        list[i] = &axes[i];
        shape[i] = axes[i].length;
    }
    const struct swim_field field = {.ndim = n, .shape = shape, .axes = list};
    return swim_field_axis(&field, kind);
}

static void axes_are_known_by_units(void **state)
{
    const struct swim_axis axes[] = {named("a", "hour since 1980-01-14 14:00:00", ""),
                                     named("b", "degree_N", ""),
                                     named("c", "degreesE", "")};
    (void)state;

    assert_int_equal(find(axes, 3, SWIM_AXIS_TIME), 0);
    assert_int_equal(find(axes, 3, SWIM_AXIS_LATITUDE), 1);
    assert_int_equal(find(axes, 3, SWIM_AXIS_LONGITUDE), 2);
}

static void axes_are_known_by_standard_name_then_by_name(void **state)
{
    const struct swim_axis axes[] = {named("LAT", "", ""), named("x", "1", "longitude"),
                                     named("Time", "", "")};
    (void)state;

    assert_int_equal(find(axes, 3, SWIM_AXIS_TIME), 2);
    assert_int_equal(find(axes, 3, SWIM_AXIS_LATITUDE), 0);
    assert_int_equal(find(axes, 3, SWIM_AXIS_LONGITUDE), 1);
}

static void stronger_evidence_wins_over_order(void **state)
{
    const struct swim_axis axes[] = {
        named("time", "", ""),
        named("reference", "days since 2000-01-01", "forecast_reference_time"),
        named("valid", "days since 2000-01-01", "time")};
    (void)state;

    assert_int_equal(find(axes, 3, SWIM_AXIS_TIME), 2);
    assert_int_equal(find(axes, 2, SWIM_AXIS_TIME), 1);
    assert_int_equal(find(axes, 1, SWIM_AXIS_TIME), 0);
}

static void a_name_does_not_outweigh_units_or_standard_name(void **state)
{
    const struct swim_axis axes[] = {named("lat", "degrees", "grid_latitude"),
                                     named("lon", "degrees_north", ""),
                                     named("y", "", ""), named("", "", "")};
    (void)state;

    assert_int_equal(find(axes, 1, SWIM_AXIS_LATITUDE), -1);
    assert_int_equal(find(axes, 4, SWIM_AXIS_LONGITUDE), -1);
    assert_int_equal(find(axes, 4, SWIM_AXIS_LATITUDE), 1);
    assert_int_equal(find(axes, 4, SWIM_AXIS_TIME), -1);
    assert_int_equal(find(axes, 4, (enum swim_axis_kind)9), -1);
}

/* --- months --------------------------------------------------------------------- */

static int month_of(const char *units, const char *calendar, double value)
{
    struct swim_axis axis = named("time", units, "time");
    uint8_t month = 0;
    swim_error_t err = {0};

    axis.calendar = calendar;
    axis.length = 1;
    axis.values = &value;
    int rc = swim_axis_months(&axis, &month, &err);
    return rc == SWIM_OK ? month : rc;
}

static void months_of_known_dates(void **state)
{
    static const struct {
        const char *units, *calendar;
        double value;
        int month;
    } cases[] = {
        {"hour since 1980-01-14 14:00:00", "", 0, 1},
        {"hour since 1980-01-14 14:00:00", "", 417.999, 1},
        {"hour since 1980-01-14 14:00:00", "", 418, 2}, /* 17 days and 10 hours on */
        {"hour since 1980-01-14 14:00:00", "", -326.001, 12},
        {"days since 1900-01-01", "standard", 58, 2},
        {"days since 1900-01-01", "standard", 59, 3}, /* 1900 had no leap day */
        {"days since 1900-01-01", "julian", 59, 2},   /* there it had */
        {"days since 2000-01-01", "gregorian", 59, 2},
        {"days since 2000-01-01", "noleap", 59, 3},
        {"days since 2001-01-01", "366_day", 59, 2},
        {"days since 2001-01-01", "all_leap", 60, 3},
        {"days since 2000-02-30", "360_day", 0, 2},
        {"days since 2000-02-30", "360_day", 1, 3},
        {"seconds since 1970-01-01T00:00:00Z", "", 951782400 - 1, 2},
        {"seconds since 1970-01-01T00:00:00Z", "", 951782400 + 86400, 3},
        {"days since 1582-10-04", "standard", 1, 10}, /* the 15th */
        {"days since 1582-10-04", "standard", 17, 10},
        {"days since 1582-10-04", "standard", 18, 11},
        {"days since 1582-10-04", "proleptic_gregorian", 27, 10},
        {"days since 1582-10-04", "proleptic_gregorian", 28, 11},
        /* 2000-01-01 is 730119 days after 0001-01-01 Gregorian, 730121 by the
         * standard calendar, which was Julian then. */
        {"days since 0001-01-01", "proleptic_gregorian", 730119, 1},
        {"days since 0001-01-01", "proleptic_gregorian", 730118, 12},
        {"hours since 1-1-1 00:00:0.0", "standard", 730121 * 24., 1},
        {"hours since 1-1-1 00:00:0.0", "", 730121 * 24. - 1, 12},
        {"minutes since 2001-03-01 00:30 +01:00", "", 0, 2},
        {"minutes since 2001-03-01 00:30 +0100", "", 30, 3},
        {"minutes since 2001-02-28 20:00 -5", "", 0, 3},
        {"minutes since 2001-02-28 20:00 UTC", "", 0, 2},
        {"days since 2001", "", 31, 2},
        {"days since 2001-2", "", 27, 2},
        {"DAYS SINCE 2001-2-1", "", 28, 3},
        {"days Since 2001-02-01", "Standard", 28, 3},
        /* udunits: a month is 30.436849898 days, a year 365.242198781 */
        {"months since 2001-01-01", "", 1, 1},
        {"months since 2001-01-31", "", 1, 3},
        {"years since 2001-01-01", "", 1, 1},
        {"years since 2001-01-01", "360_day", 6, 2},
    };
    (void)state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        int month = month_of(cases[i].units, cases[i].calendar, cases[i].value);
        if (month != cases[i].month)
            fail_msg("%g %s (%s): %d, not %d", cases[i].value, cases[i].units,
                     cases[i].calendar, month, cases[i].month);
    }
}

static void rounding_errors_do_not_flip_a_month(void **state)
{
    (void)state;
    assert_int_equal(month_of("days since 2001-01-01", "", 31 - 1e-9), 2);
    assert_int_equal(month_of("days since 2001-01-01", "", 31 - 1e-7), 1);
    assert_int_equal(month_of("hours since 2001-01-01", "", nextafter(744, 0)), 2);
    assert_int_equal(month_of("days since 2001-02-01", "", -1e-10), 2);
}

static int leap(const char *calendar, int year)
{
    if (!strcmp(calendar, "noleap"))
        return 0;
    if (!strcmp(calendar, "all_leap"))
        return 1;
    if (!strcmp(calendar, "julian") || (!strcmp(calendar, "standard") && year < 1583))
        return year % 4 == 0;
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Day after day from the year -4 (proleptic calendars with a year 0: astronomical) to
 * 2500, with nothing but the lengths of months, against the closed formulas. */
static void every_day_of_2500_years_is_in_its_month(void **state)
{
    static const char *const calendars[] = {
        "standard", "proleptic_gregorian", "julian", "noleap", "all_leap", "360_day"};
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const size_t max = (size_t)2510 * 366;
    double *values = malloc(max * sizeof(*values));
    uint8_t *expected = malloc(max), *months = malloc(max);
    (void)state;

    assert_true(values && expected && months);
    for (size_t c = 0; c < COUNT(calendars); c++) {
        int is360 = !strcmp(calendars[c], "360_day");
        size_t n = 0, origin = 0;
        for (int year = -4; year < 2500; year++)
            for (int month = 1; month <= 12; month++) {
                int days =
                    lengths[month - 1] + (month == 2 && leap(calendars[c], year));
                if (year == 1999 && month == 7)
                    origin = n;
                for (int day = 1; day <= (is360 ? 30 : days); day++) {
                    if (!strcmp(calendars[c], "standard") && year == 1582 &&
                        month == 10 && day > 4 && day < 15)
                        continue;
                    expected[n++] = (uint8_t)month;
                }
            }
        for (size_t i = 0; i < n; i++)
            values[i] = (double)i - (double)origin + 0.75;
        struct swim_axis axis = named("time", "days since 1999-07-01", "");
        axis.calendar = calendars[c];
        axis.values = values;
        axis.length = n;
        swim_error_t err = {0};
        assert_int_equal(swim_axis_months(&axis, months, &err), SWIM_OK);
        assert_memory_equal(months, expected, n);
        /* And the reference date by itself: from the first day of the year 1. */
        axis.units = "days since 0001-01-01";
        double since_one = 0;
        for (int year = -4; year < 1; year++)
            since_one += is360 ? 360 : 365 + leap(calendars[c], year);
        for (size_t i = 0; i < n; i++)
            values[i] = (double)i - since_one + 0.25;
        assert_int_equal(swim_axis_months(&axis, months, &err), SWIM_OK);
        assert_memory_equal(months, expected, n);
    }
    free(values);
    free(expected);
    free(months);
}

static void what_is_no_time_is_refused_in_silence(void **state)
{
    static const char *const cases[][2] = {
        {"", ""},
        {"days", ""},
        {"kg since 2000-01-01", ""},
        {"nonsense since 2000-01-01", ""},
        {"days since", ""},
        {"days since yesterday", ""},
        {"days since 2000-13-01", ""},
        {"days since 2001-02-29", ""},
        {"days since 1900-02-29", "standard"},
        {"days since 2000-02-29", "noleap"},
        {"days since 2000-01-31", "360_day"},
        {"days since 1582-10-10", "standard"},
        {"days since 2000-01-01 25:00", ""},
        {"days since 2000-01-01 10:61", ""},
        {"days since 2000-01-01 10:00 nowhere", ""},
        {"days since 99999999999999999999-01-01", ""},
        {"days since 2000-01-01", "none"},
        {"days since 2000-01-01", "lunar"},
    };
    FILE *printed = tmpfile();
    (void)state;

    assert_non_null(printed);
    fflush(stderr);
    int saved = dup(STDERR_FILENO);
    dup2(fileno(printed), STDERR_FILENO);
    int wrong = 0;
    for (size_t i = 0; i < COUNT(cases); i++)
        wrong += month_of(cases[i][0], cases[i][1], 1) != SWIM_ERR_ARG;
    fflush(stderr);
    dup2(saved, STDERR_FILENO);
    close(saved);
    long bytes = (fseek(printed, 0, SEEK_END), ftell(printed));
    fclose(printed);
    assert_int_equal(wrong, 0);
    assert_int_equal(bytes, 0);
    assert_int_equal(month_of("days since 2000-01-01", "", (double)NAN), SWIM_ERR_ARG);
    assert_int_equal(month_of("days since 2000-01-01", "", 1e300), SWIM_ERR_ARG);
    struct swim_axis axis = named("time", "days since 2000-01-01", "");
    uint8_t months[4];
    assert_int_equal(swim_axis_months(&axis, months, NULL), SWIM_ERR_ARG);
}

static void an_unknown_calendar_gets_a_hint(void **state)
{
    struct swim_axis axis = named("time", "days since 2000-01-01", "");
    double value = 0;
    uint8_t month = 0;
    swim_error_t err = {0};
    (void)state;

    axis.values = &value;
    axis.length = 1;
    axis.calendar = "nolaep";
    assert_int_equal(swim_axis_months(&axis, &month, &err), SWIM_ERR_ARG);
    assert_non_null(strstr(err.text, "did you mean \"noleap\"?"));
}

/* --- reductions ----------------------------------------------------------------- */

struct reduction {
    struct swim_field field;
    uint64_t shape[3];
    struct swim_output outputs[2];
    const struct swim_field *inputs[1];
    struct swim_output *list[2];
    struct swim_plan plan;
};

static void reduction_make(struct reduction *r)
{
    *r = (struct reduction){.shape = {120, 73, 144}};
    r->field.ndim = 3;
    r->field.shape = r->shape;
    r->inputs[0] = &r->field;
    r->list[0] = &r->outputs[0];
    r->list[1] = &r->outputs[1];
    r->plan.n_inputs = 1;
    r->plan.n_outputs = 2;
    r->plan.inputs = r->inputs;
    r->plan.outputs = r->list;
    memset(r->plan.reduced, 1, 3);
}

static void a_reduced_axis_goes(void **state)
{
    struct reduction r;
    (void)state;

    reduction_make(&r);
    assert_int_equal(swim_plan_reduce(&r.plan, 1, 0, NULL, NULL), SWIM_OK);
    assert_int_equal(r.plan.reduced[0], 0);
    assert_int_equal(r.plan.reduced[1], 1);
    assert_int_equal(r.plan.reduced[2], 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(r.outputs[i].ndim, 2);
        assert_int_equal(r.outputs[i].from_axis[0], 0);
        assert_int_equal(r.outputs[i].from_axis[1], 2);
        assert_int_equal(r.outputs[i].shape[0], 120);
        assert_int_equal(r.outputs[i].shape[1], 144);
        assert_null(r.outputs[i].axes[1]);
    }
}

static void a_reduced_axis_is_replaced_in_its_place(void **state)
{
    struct swim_axis month = named("month", "1", "");
    struct reduction r;
    (void)state;

    month.length = 12;
    reduction_make(&r);
    assert_int_equal(swim_plan_reduce(&r.plan, 0, 12, &month, NULL), SWIM_OK);
    assert_int_equal(r.outputs[1].ndim, 3);
    assert_int_equal(r.outputs[1].from_axis[0], -1);
    assert_int_equal(r.outputs[1].from_axis[2], 2);
    assert_int_equal(r.outputs[1].shape[0], 12);
    assert_ptr_equal(r.outputs[1].axes[0], &month);
    assert_null(r.outputs[1].axes[1]);
    assert_int_equal(swim_plan_reduce(&r.plan, 2, 4, NULL, NULL), SWIM_OK);
    assert_int_equal(r.outputs[0].from_axis[2], -1);
    assert_null(r.outputs[0].axes[2]);
    assert_int_equal(r.plan.reduced[0], 0);
}

static void a_wrong_reduction_changes_nothing(void **state)
{
    struct swim_axis month = named("month", "1", "");
    struct reduction r;
    swim_error_t err = {0};
    (void)state;

    reduction_make(&r);
    assert_int_equal(swim_plan_reduce(&r.plan, 3, 0, NULL, &err), SWIM_ERR_ARG);
    assert_int_equal(swim_plan_reduce(&r.plan, 0, 12, &month, NULL), SWIM_ERR_ARG);
    assert_int_equal(swim_plan_reduce(&r.plan, 0, 0, &month, NULL), SWIM_ERR_ARG);
    assert_int_equal(r.plan.reduced[0] + r.plan.reduced[1] + r.plan.reduced[2], 3);
    assert_int_equal(r.outputs[0].ndim, 0);
}

static void windows_run_along_one_axis(void **state)
{
    struct reduction r;
    (void)state;

    reduction_make(&r);
    r.plan.halo_lo[2] = 7;
    assert_int_equal(swim_plan_window(&r.plan, 1, 3, 4, 2, NULL), SWIM_OK);
    assert_int_equal(r.plan.window_axis, 1);
    assert_int_equal(r.plan.window_step, 2);
    assert_int_equal(r.plan.window_whole, 0);
    assert_int_equal(r.plan.halo_lo[1], 3);
    assert_int_equal(r.plan.halo_hi[1], 4);
    assert_int_equal(r.plan.halo_lo[2], 0);
    assert_int_equal(
        swim_plan_window(&r.plan, 0, SWIM_WINDOW_WHOLE, SWIM_WINDOW_WHOLE, 1, NULL),
        SWIM_OK);
    assert_int_equal(r.plan.window_whole, 1);
    assert_int_equal(r.plan.halo_lo[0] + r.plan.halo_hi[0] + r.plan.halo_lo[1], 0);
}

static void a_wrong_window_changes_nothing(void **state)
{
    struct reduction r;
    swim_error_t err = {0};
    (void)state;

    reduction_make(&r);
    assert_int_equal(swim_plan_window(&r.plan, 3, 1, 1, 1, &err), SWIM_ERR_ARG);
    assert_int_equal(swim_plan_window(&r.plan, 0, 1, 1, 0, NULL), SWIM_ERR_ARG);
    assert_int_equal(swim_plan_window(&r.plan, 0, SWIM_WINDOW_WHOLE, 1, 1, NULL),
                     SWIM_ERR_ARG);
    assert_int_equal(
        swim_plan_window(&r.plan, 0, SWIM_WINDOW_WHOLE, SWIM_WINDOW_WHOLE, 2, NULL),
        SWIM_ERR_ARG);
    assert_int_equal(r.plan.window_step, 0);
    assert_int_equal(r.plan.halo_lo[0], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(axes_are_known_by_units),
        cmocka_unit_test(axes_are_known_by_standard_name_then_by_name),
        cmocka_unit_test(stronger_evidence_wins_over_order),
        cmocka_unit_test(a_name_does_not_outweigh_units_or_standard_name),
        cmocka_unit_test(months_of_known_dates),
        cmocka_unit_test(rounding_errors_do_not_flip_a_month),
        cmocka_unit_test(every_day_of_2500_years_is_in_its_month),
        cmocka_unit_test(what_is_no_time_is_refused_in_silence),
        cmocka_unit_test(an_unknown_calendar_gets_a_hint),
        cmocka_unit_test(a_reduced_axis_goes),
        cmocka_unit_test(a_reduced_axis_is_replaced_in_its_place),
        cmocka_unit_test(a_wrong_reduction_changes_nothing),
        cmocka_unit_test(windows_run_along_one_axis),
        cmocka_unit_test(a_wrong_window_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
