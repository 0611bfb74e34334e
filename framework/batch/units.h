/* units.h - how numbers in one unit become numbers in another, by udunits.
 *
 * Threads: one at a time per process (udunits keeps what it has read for all). */
#ifndef SWIM_BATCH_UNITS_H
#define SWIM_BATCH_UNITS_H

enum units_relation {
    UNITS_SAME,
    UNITS_CONVERTIBLE, /* value * scale + offset is the value in the other unit */
    UNITS_DIFFERENT,   /* of other quantities, or not in a line: decibels and watts */
    UNITS_UNKNOWN,     /* one of them is no unit that udunits knows */
    UNITS_NONE,        /* udunits has not found its database */
};

/* Texts that are alike are the same unit, known or not. */
enum units_relation units_compare(const char *from, const char *to, double *scale,
                                  double *offset);

#endif /* SWIM_BATCH_UNITS_H */
