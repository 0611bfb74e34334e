/* units.c - how numbers in one unit become numbers in another, by udunits. */
#include "batch/units.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <udunits2.h>

#define FAR 0x1p60      /* what is added to all is nothing beside it */
#define LINE_NEAR 1e-12 /* of points on a line, as far as doubles tell */

static bool line_holds(const cv_converter *converter, double x, double scale,
                       double offset)
{
    const double is = cv_convert_double(converter, x), line = x * scale + offset;

    return isfinite(is) && fabs(line - is) <= LINE_NEAR * (fabs(line) + fabs(offset));
}

/* Whether the converter is a line, which is then scale and offset. */
static bool converter_line(const cv_converter *converter, double *scale, double *offset)
{
    *offset = cv_convert_double(converter, 0);
    *scale = (cv_convert_double(converter, FAR) - *offset) / FAR;
    return isfinite(*offset) && isfinite(*scale) && *scale != 0 &&
           line_holds(converter, 1, *scale, *offset) &&
           line_holds(converter, 1000, *scale, *offset) &&
           line_holds(converter, -1000, *scale, *offset);
}

/* Without the blanks around it. */
static ut_unit *unit_parse(const ut_system *system, const char *text)
{
    char *copy = strdup(text + strspn(text, " \t\n"));
    /* It leaves those in front. */
    ut_unit *unit = copy ? ut_parse(system, ut_trim(copy, UT_UTF8), UT_UTF8) : NULL;

    free(copy);
    return unit;
}

static enum units_relation units_relate(ut_unit *from, ut_unit *to, double *scale,
                                        double *offset)
{
    cv_converter *converter = NULL;

    if (!from || !to)
        return UNITS_UNKNOWN;
    if (ut_are_convertible(from, to))
        converter = ut_get_converter(from, to);
    bool line = converter && converter_line(converter, scale, offset);
    cv_free(converter);
    if (!line)
        return UNITS_DIFFERENT;
    return *scale == 1 && *offset == 0 ? UNITS_SAME : UNITS_CONVERTIBLE;
}

enum units_relation units_compare(const char *from, const char *to, double *scale,
                                  double *offset)
{
    *scale = 1;
    *offset = 0;
    if (strcmp(from, to) == 0)
        return UNITS_SAME; /* without reading the database, which takes a while */
    /* Per process, not per call: others who use udunits get theirs back. */
    ut_error_message_handler before = ut_set_error_message_handler(ut_ignore);
    ut_system *system = ut_read_xml(NULL);
    ut_unit *one = system ? unit_parse(system, from) : NULL;
    ut_unit *other = system ? unit_parse(system, to) : NULL;
    enum units_relation relation =
        system ? units_relate(one, other, scale, offset) : UNITS_NONE;

    ut_free(other);
    ut_free(one);
    ut_free_system(system);
    ut_set_error_message_handler(before);
    return relation;
}
