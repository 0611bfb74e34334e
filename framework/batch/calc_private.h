/* calc_private.h - what the parts of the expression reader share. */
#ifndef SWIM_BATCH_CALC_PRIVATE_H
#define SWIM_BATCH_CALC_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "batch/calc.h"

#define CALC_ARGS_MAX 3
#define CALC_NODES_MAX 4096
#define CALC_DEPTH_MAX 200

/* A function or an operator.
 *
 * params has a letter for each argument: n a number, c a condition, x a number, but a
 * condition when all that are x are; the result is then one, too.  code is C: $1 to $3
 * stand for the arguments, each a variable or a cast of one, @ for the suffix of the
 * type's functions (f, nothing, l). */
struct calc_function {
    const char *name;
    const char *params;
    const char *code;
    bool condition; /* of the result */
};

/* NULL: there is none. */
const struct calc_function *calc_function_find(const char *name);
const struct calc_function *calc_operator_find(const char *name, size_t n_args);
bool calc_constant_find(const char *name, double *value);

/* The code for a power; exponent NULL: it is no number that one knows. */
const char *calc_power_code(const struct calc_function *function,
                            const double *exponent);

/* Names of functions and constants, for hints, from *names[*n] on; at most room. */
void calc_function_names(const char **names, size_t *n, size_t room);
void calc_constant_names(const char **names, size_t *n, size_t room);

enum calc_kind { CALC_NUMBER, CALC_INPUT, CALC_CALL };

struct calc_node {
    enum calc_kind kind;
    bool condition; /* else a number */
    bool constant;  /* no input is in it */
    size_t start;   /* the column where it begins */
    double number;
    size_t input;
    const struct calc_function *function;
    size_t args[CALC_ARGS_MAX]; /* nodes with smaller numbers */
};

struct calc {
    const char *const *names;
    size_t n_names;
    struct calc_node *nodes; /* the last one is the result */
    size_t n_nodes;
};

#endif /* SWIM_BATCH_CALC_PRIVATE_H */
