/* months.c - the calendar month of each coordinate of a time axis.
 *
 * udunits knows the units, with its own lengths of month and year (a twelfth and the
 * whole of 365.242198781 days), but only one calendar: dates are counted here, as days
 * from an origin of each calendar's own.  Years of the standard and julian calendars
 * have no zero (CF section 4.4.1); -1 and 0 both mean the year before 1, as udunits
 * has it. */
#include <ctype.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <udunits2.h>

#include <h5swim/kernel.h>

#include "core/text.h"

#define DAY_MS 86400000LL
#define YEAR_MAX 1000000
#define MS_MAX 3e16 /* about a million years */

enum calendar {
    CALENDAR_STANDARD,
    CALENDAR_PROLEPTIC,
    CALENDAR_JULIAN,
    CALENDAR_NOLEAP,
    CALENDAR_ALL_LEAP,
    CALENDAR_360,
};

static const char *const calendar_names[] = {
    "standard", "gregorian", "proleptic_gregorian",
    "julian",   "noleap",    "365_day",
    "all_leap", "366_day",   "360_day"};
static const enum calendar calendars[] = {
    CALENDAR_STANDARD, CALENDAR_STANDARD, CALENDAR_PROLEPTIC,
    CALENDAR_JULIAN,   CALENDAR_NOLEAP,   CALENDAR_NOLEAP,
    CALENDAR_ALL_LEAP, CALENDAR_ALL_LEAP, CALENDAR_360};

struct date {
    int64_t year;
    int month, day;
    int64_t ms; /* of the day, in UTC: may lie outside it */
};

/* Days before each month, from March on: the leap day then comes last. */
static const int march_days[] = {0, 31, 61, 92, 122, 153, 184, 214, 245, 275, 306, 337};
static const int month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

static int64_t div_floor(int64_t a, int64_t b)
{
    return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

/* Days from 1 March of year 0 of a calendar with leap years. */
static int64_t leap_days(int64_t year, int month, int day, bool gregorian)
{
    int64_t y = month > 2 ? year : year - 1;
    int64_t days = 365 * y + div_floor(y, 4);

    if (gregorian)
        days += div_floor(y, 400) - div_floor(y, 100);
    return days + march_days[(month + 9) % 12] + day - 1;
}

static int month_of_march_day(int64_t day)
{
    int m = 11;

    while (march_days[m] > day)
        m--;
    return (m + 2) % 12 + 1;
}

static int julian_month(int64_t days)
{
    int64_t in_cycle = days - div_floor(days, 1461) * 1461;
    int64_t year = in_cycle / 365 < 3 ? in_cycle / 365 : 3;

    return month_of_march_day(in_cycle - 365 * year);
}

static int gregorian_month(int64_t days)
{
    int64_t in_cycle = days - div_floor(days, 146097) * 146097;
    int64_t century = in_cycle / 36524 < 3 ? in_cycle / 36524 : 3;

    return julian_month(in_cycle - 36524 * century);
}

/* 1 March of year 0 is two days earlier in the Julian calendar; 15 October 1582
 * is the first Gregorian day. */
#define JULIAN_OFFSET (-2)

static int64_t switch_day(void)
{
    return leap_days(1582, 10, 15, true);
}

static int year_month(int64_t days, int year_days)
{
    int64_t day = days - div_floor(days, year_days) * year_days;
    int month = 0;

    for (; month < 11; month++) {
        int length = month_days[month] + (month == 1 && year_days == 366);
        if (day < length)
            break;
        day -= length;
    }
    return month + 1;
}

static int64_t year_start_days(const struct date *d, int year_days)
{
    int64_t days = d->year * year_days + d->day - 1;

    for (int m = 0; m < d->month - 1; m++)
        days += month_days[m] + (m == 1 && year_days == 366);
    return days;
}

static int64_t days_from_date(enum calendar calendar, const struct date *d)
{
    int64_t year = d->year < 0 ? d->year + 1 : d->year;

    switch (calendar) {
    case CALENDAR_PROLEPTIC:
        return leap_days(d->year, d->month, d->day, true);
    case CALENDAR_JULIAN:
        return leap_days(year, d->month, d->day, false);
    case CALENDAR_NOLEAP:
        return year_start_days(d, 365);
    case CALENDAR_ALL_LEAP:
        return year_start_days(d, 366);
    case CALENDAR_360:
        return d->year * 360 + (d->month - 1) * INT64_C(30) + d->day - 1;
    case CALENDAR_STANDARD:
        break;
    }
    if (d->year > 1582 || (d->year == 1582 && d->month * 100 + d->day >= 1015))
        return leap_days(year, d->month, d->day, true);
    return leap_days(year, d->month, d->day, false) + JULIAN_OFFSET;
}

static int month_from_days(enum calendar calendar, int64_t days)
{
    switch (calendar) {
    case CALENDAR_PROLEPTIC:
        return gregorian_month(days);
    case CALENDAR_JULIAN:
        return julian_month(days);
    case CALENDAR_NOLEAP:
        return year_month(days, 365);
    case CALENDAR_ALL_LEAP:
        return year_month(days, 366);
    case CALENDAR_360:
        return (int)((days - div_floor(days, 360) * 360) / 30) + 1;
    case CALENDAR_STANDARD:
        break;
    }
    return days >= switch_day() ? gregorian_month(days)
                                : julian_month(days - JULIAN_OFFSET);
}

static bool leap_year(enum calendar calendar, int64_t year)
{
    if (calendar == CALENDAR_ALL_LEAP)
        return true;
    if (calendar == CALENDAR_NOLEAP)
        return false;
    if (calendar != CALENDAR_PROLEPTIC && year < 0)
        year++;
    bool julian =
        calendar == CALENDAR_JULIAN || (calendar == CALENDAR_STANDARD && year <= 1582);
    return year % 4 == 0 && (julian || year % 100 != 0 || year % 400 == 0);
}

static bool date_exists(enum calendar calendar, const struct date *d)
{
    int last = 30;

    if (d->month < 1 || d->month > 12 || d->day < 1)
        return false;
    if (calendar != CALENDAR_360)
        last =
            month_days[d->month - 1] + (d->month == 2 && leap_year(calendar, d->year));
    if (calendar == CALENDAR_STANDARD && d->year == 1582 && d->month == 10 &&
        d->day > 4 && d->day < 15)
        return false;
    return d->day <= last;
}

/* Digits into *out; false when there are none or too many. */
static bool digits_read(const char **text, int64_t *out)
{
    const char *start = *text;

    *out = 0;
    while (isdigit((unsigned char)**text) && *text - start < 8)
        *out = *out * 10 + (*(*text)++ - '0');
    return *text > start && !isdigit((unsigned char)**text);
}

/* h[:m[:s[.f]]] */
static bool clock_read(const char **text, int64_t *ms)
{
    int64_t part[3] = {0}, scale = 100;

    for (int i = 0; i < 3; i++) {
        if (i && **text != ':')
            break;
        *text += i > 0;
        if (!digits_read(text, &part[i]))
            return false;
        if (i == 2 && **text == '.')
            for (++*text; isdigit((unsigned char)**text); ++*text, scale /= 10)
                *ms += (**text - '0') * scale;
    }
    *ms += ((part[0] * 60 + part[1]) * 60 + part[2]) * 1000;
    return part[0] <= 24 && part[1] < 60 && part[2] <= 60;
}

/* "", Z, UTC, GMT, +h, +h:mm, +hhmm: what to take off to get UTC. */
static bool zone_read(const char **text, int64_t *ms)
{
    int64_t hours = 0, minutes = 0;

    if (**text == 'Z' || **text == 'z') {
        ++*text;
    } else if (strncasecmp(*text, "UTC", 3) == 0 || strncasecmp(*text, "GMT", 3) == 0) {
        *text += 3;
    } else if (**text == '+' || **text == '-') {
        int sign = *(*text)++ == '-' ? -1 : 1;
        const char *start = *text;
        if (!digits_read(text, &hours))
            return false;
        if (*text - start > 2) {
            minutes = hours % 100;
            hours /= 100;
        } else if (**text == ':' && (++*text, !digits_read(text, &minutes))) {
            return false;
        }
        *ms = sign * (hours * 60 + minutes) * 60000;
    }
    return hours <= 15 && minutes < 60;
}

static void spaces_skip(const char **text)
{
    *text += strspn(*text, " \t");
}

/* Y[-M[-D]][( |T)clock][ zone] */
static bool date_read(const char *text, struct date *d)
{
    int64_t month = 1, day = 1, clock = 0, zone = 0;
    int sign = 1;

    spaces_skip(&text);
    if (*text == '-' || *text == '+')
        sign = *text++ == '-' ? -1 : 1;
    if (!digits_read(&text, &d->year) || d->year > YEAR_MAX)
        return false;
    d->year *= sign;
    if (*text == '-' && (text++, !digits_read(&text, &month)))
        return false;
    if (*text == '-' && (text++, !digits_read(&text, &day)))
        return false;
    if (*text == 'T' || *text == 't')
        text++;
    spaces_skip(&text);
    if (isdigit((unsigned char)*text) && !clock_read(&text, &clock))
        return false;
    spaces_skip(&text);
    if (!zone_read(&text, &zone))
        return false;
    spaces_skip(&text);
    d->month = (int)month;
    d->day = (int)day;
    d->ms = clock - zone;
    return !*text && month <= 12 && day <= 31;
}

/* Milliseconds in one unit by udunits; 0: it is no unit of time. */
static double unit_ms(const char *text)
{
    double ms = 0;
    ut_system *system = NULL;
    ut_unit *second = NULL, *unit = NULL;
    cv_converter *converter = NULL;
    /* Per process, not per call: others who use udunits get theirs back. */
    ut_error_message_handler before = ut_set_error_message_handler(ut_ignore);

    system = ut_read_xml(NULL);
    if (!system)
        goto out;
    second = ut_get_unit_by_name(system, "second");
    unit = ut_parse(system, text, UT_UTF8);
    if (second && unit && ut_are_convertible(unit, second))
        converter = ut_get_converter(unit, second);
    if (converter)
        ms = (cv_convert_double(converter, 1) - cv_convert_double(converter, 0)) * 1000;
out:
    cv_free(converter);
    ut_free(unit);
    ut_free(second);
    ut_free_system(system);
    ut_set_error_message_handler(before);
    return isfinite(ms) && ms > 0 ? ms : 0;
}

static int calendar_read(const struct swim_axis *axis, enum calendar *out,
                         swim_error_t *err)
{
    const char *name = axis->calendar && *axis->calendar ? axis->calendar : "standard";
    const char *near = NULL;

    for (size_t i = 0; i < SWIM_COUNT_OF(calendar_names); i++)
        if (strcasecmp(name, calendar_names[i]) == 0) {
            *out = calendars[i];
            return SWIM_OK;
        }
    near = swim_text_nearest(name, calendar_names, SWIM_COUNT_OF(calendar_names));
    return swim_error_set(
        err, SWIM_ERR_ARG, "axis %s: unknown calendar \"%.60s\"%s%s%s",
        axis->name ? axis->name : "", name, near ? "; did you mean \"" : "",
        near ? near : "", near ? "\"?" : "");
}

static int units_read(const struct swim_axis *axis, enum calendar calendar,
                      double *unit, int64_t *reference_ms, swim_error_t *err)
{
    const char *units = axis->units ? axis->units : "";
    const char *since = strcasestr(units, " since ");
    const char *name = axis->name ? axis->name : "";
    struct date date = {0};
    char *text = since ? strndup(units, (size_t)(since - units)) : NULL;

    if (since && !text)
        return swim_error_set(err, SWIM_ERR_NOMEM, "axis %s: no memory", name);
    *unit = text ? unit_ms(ut_trim(text, UT_UTF8)) : 0;
    free(text);
    if (!since || *unit <= 0)
        return swim_error_set(err, SWIM_ERR_ARG,
                              "axis %s: \"%.80s\" is no unit of time as in \"hours "
                              "since 1980-01-01\"",
                              name, units);
    if (!date_read(since + 7, &date) || !date_exists(calendar, &date))
        return swim_error_set(err, SWIM_ERR_ARG,
                              "axis %s: \"%.80s\" has no date of its calendar after "
                              "\"since\"",
                              name, units);
    *reference_ms = days_from_date(calendar, &date) * DAY_MS + date.ms;
    return SWIM_OK;
}

int swim_axis_months(const struct swim_axis *axis, uint8_t *months, swim_error_t *err)
{
    enum calendar calendar = CALENDAR_STANDARD;
    double unit = 0;
    int64_t reference_ms = 0;
    int rc = SWIM_OK;
    const char *name = axis->name ? axis->name : "";

    if (!axis->values)
        return swim_error_set(err, SWIM_ERR_ARG, "axis %s has no coordinates", name);
    rc = calendar_read(axis, &calendar, err);
    if (rc == SWIM_OK)
        rc = units_read(axis, calendar, &unit, &reference_ms, err);
    for (uint64_t i = 0; i < axis->length && rc == SWIM_OK; i++) {
        /* Whole milliseconds: 1.999999... days are two days. */
        double ms = round(axis->values[i] * unit);
        if (!(fabs(ms) < MS_MAX))
            rc = swim_error_set(err, SWIM_ERR_ARG,
                                "axis %s: coordinate %llu is %g, which is no time",
                                name, (unsigned long long)i, axis->values[i]);
        else
            months[i] = (uint8_t)month_from_days(
                calendar, div_floor((int64_t)ms + reference_ms, DAY_MS));
    }
    return rc;
}
