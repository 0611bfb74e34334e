/* calc.h - expressions over datasets: parsed, made a kernel, made a job.
 *
 * An expression is what h5swim calc is given: numbers, names of inputs, operators and
 * functions as numpy has them (calc_functions.c lists them).  A value is a number or a
 * condition; conditions come of comparisons, count as 0 or 1 where a number is wanted,
 * and are what & | ~ and the first argument of where() want.  Numbers that need no
 * input are computed as double.
 *
 * Missing is NaN: comparisons with it are false, all else that it enters is missing.
 *
 * No text of an expression gets into the source of its kernel: names become numbers of
 * inputs, numbers are written anew, and operators stand for texts of ours. */
#ifndef SWIM_BATCH_CALC_H
#define SWIM_BATCH_CALC_H

#include <stdbool.h>
#include <stddef.h>

#include <h5swim/error.h>

#include "batch/job.h"
#include "batch/kernel_host.h"

#define CALC_INPUTS_MAX KERNEL_PORTS_MAX
#define CALC_OUTPUT "out"

struct calc;

/* Parse an expression over inputs of those names, which calc_name_check() has accepted.
 *
 * On SWIM_OK *out is the caller's, for calc_destroy(); the names stay the caller's and
 * must outlive it.  Errors: SWIM_ERR_ARG, with one line that quotes the expression and
 * names the column, which *column has, too (from 1; one beyond the end: something is
 * missing there); SWIM_ERR_NOMEM. */
int calc_parse(const char *expression, const char *const *names, size_t n_names,
               struct calc **out, size_t *column, swim_error_t *err);
void calc_destroy(struct calc *calc);

/* Whether the expression has the input; whether its result is a condition. */
bool calc_uses(const struct calc *calc, size_t input);
bool calc_is_condition(const struct calc *calc);

/* The part of an expression around a column that fits a line, as it may be shown, and
 * how many columns of it are in front. */
#define CALC_EXCERPT_SIZE 400
size_t calc_excerpt(const char *expression, size_t column,
                    char excerpt[CALC_EXCERPT_SIZE]);

/* A name for an input: [A-Za-z_][A-Za-z0-9_]*, at most 64 characters, not that of a
 * function, a constant or the output.  SWIM_ERR_ARG says what is wrong. */
int calc_name_check(const char *name, swim_error_t *err);

/* The C source of a kernel of kind map named calc: an input for each name, one output
 * CALC_OUTPUT, the parameters expression and units.  *text is the caller's (free). */
int calc_source(const struct calc *calc, char **text, swim_error_t *err);

/* --- as a job ------------------------------------------------------------------- */

/* An argument NAME=FILE:/DATASET, which text points to. */
struct calc_binding {
    const char *text;
    char *name, *file, *dataset;
};

/* Cut an argument.  SWIM_ERR_ARG: it is none.  The strings are for
 * calc_binding_clear(). */
int calc_binding_parse(const char *text, struct calc_binding *out, swim_error_t *err);
void calc_binding_clear(struct calc_binding *binding);

struct calc_request {
    const char *expression;
    const struct calc_binding *inputs, *output;
    size_t n_inputs;
    /* Of the output, as people write them; NULL: not given. */
    const char *type, *chunks, *deflate, *fill, *pack, *units;
    const char *const *sets; /* as of h5swim run, but for what the expression says */
    size_t n_sets;
};

/* Compile the kernel, unless the cache has it, and make the job of it.  *out is for
 * job_destroy().  Errors: those of kernel_find() and job_load(). */
int calc_job(const struct calc *calc, const struct calc_request *request,
             struct job **out, swim_error_t *err);

#endif /* SWIM_BATCH_CALC_H */
