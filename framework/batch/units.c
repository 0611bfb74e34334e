/* units.c - how numbers in one unit become numbers in another, by udunits. */
#include "batch/units.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <udunits2.h>

#define LINE_NEAR 1e-12 /* of three points on a line, as far as doubles tell */

/* Whether the converter is a line, which is then scale and offset. */
static bool converter_line(const cv_converter *converter, double *scale, double *offset)
{
    const double at_0 = cv_convert_double(converter, 0);
    const double at_1 = cv_convert_double(converter, 1);
    const double at_1000 = cv_convert_double(converter, 1000);

    *offset = at_0;
    *scale = at_0 == 0 ? at_1 : (at_1000 - at_0) / 1000;
    const double line = *scale * 1000 + at_0;
    return isfinite(at_0) && isfinite(at_1000) && *scale != 0 &&
           fabs(line - at_1000) <= LINE_NEAR * (fabs(line) + fabs(at_0));
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
    ut_unit *one = system ? ut_parse(system, from, UT_UTF8) : NULL;
    ut_unit *other = system ? ut_parse(system, to, UT_UTF8) : NULL;
    enum units_relation relation = units_relate(one, other, scale, offset);

    ut_free(other);
    ut_free(one);
    ut_free_system(system);
    ut_set_error_message_handler(before);
    return relation;
}
