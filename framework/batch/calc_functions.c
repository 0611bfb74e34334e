/* calc_functions.c - the functions, operators and constants of expressions, and the C
 * that they stand for. */
#include <math.h>
#include <string.h>

#include "batch/calc_private.h"

/* calc_... are those of the text in calc_source.c. */
static const struct calc_function functions[] = {
    {"abs", "n", "fabs@($1)", false},
    {"acos", "n", "acos@($1)", false},
    {"arccos", "n", "acos@($1)", false},
    {"arcsin", "n", "asin@($1)", false},
    {"arctan", "n", "atan@($1)", false},
    {"arctan2", "nn", "atan2@($1, $2)", false},
    {"asin", "n", "asin@($1)", false},
    {"atan", "n", "atan@($1)", false},
    {"atan2", "nn", "atan2@($1, $2)", false},
    {"ceil", "n", "ceil@($1)", false},
    {"clip", "nnn", "calc_minimum@(calc_maximum@($1, $2), $3)", false},
    {"cos", "n", "cos@($1)", false},
    {"cosh", "n", "cosh@($1)", false},
    {"deg2rad", "n", "calc_deg2rad@($1)", false},
    {"exp", "n", "exp@($1)", false},
    {"expm1", "n", "expm1@($1)", false},
    {"fabs", "n", "fabs@($1)", false},
    {"floor", "n", "floor@($1)", false},
    {"fmax", "nn", "calc_fmax@($1, $2)", false},
    {"fmin", "nn", "calc_fmin@($1, $2)", false},
    {"fmod", "nn", "fmod@($1, $2)", false},
    {"hypot", "nn", "hypot@($1, $2)", false},
    {"isfinite", "n", "$1 - $1 == 0", true},
    {"isnan", "n", "$1 != $1", true},
    {"log", "n", "log@($1)", false},
    {"log10", "n", "log10@($1)", false},
    {"log1p", "n", "log1p@($1)", false},
    {"log2", "n", "log2@($1)", false},
    {"maximum", "nn", "calc_maximum@($1, $2)", false},
    {"minimum", "nn", "calc_minimum@($1, $2)", false},
    {"mod", "nn", "calc_mod@($1, $2)", false},
    {"nan_to_num", "nn", "$1 != $1 ? $2 : $1", false},
    {"power", "nn", "pow@($1, $2)", false},
    {"rad2deg", "n", "calc_rad2deg@($1)", false},
    {"rint", "n", "rint@($1)", false},
    {"round", "n", "rint@($1)", false},
    {"sign", "n", "calc_sign@($1)", false},
    {"sin", "n", "sin@($1)", false},
    {"sinh", "n", "sinh@($1)", false},
    {"sqrt", "n", "sqrt@($1)", false},
    {"tan", "n", "tan@($1)", false},
    {"tanh", "n", "tanh@($1)", false},
    {"trunc", "n", "trunc@($1)", false},
    {"where", "cxx", "$1 ? $2 : $3", false},
};

static const struct calc_function operators[] = {
    {"+", "nn", "$1 + $2", false},
    {"-", "nn", "$1 - $2", false},
    {"*", "nn", "$1 * $2", false},
    {"/", "nn", "$1 / $2", false},
    {"%", "nn", "calc_mod@($1, $2)", false},
    {"**", "nn", "pow@($1, $2)", false},
    {"<", "nn", "$1 < $2", true},
    {"<=", "nn", "$1 <= $2", true},
    {">", "nn", "$1 > $2", true},
    {">=", "nn", "$1 >= $2", true},
    {"==", "nn", "$1 == $2", true},
    {"!=", "nn", "$1 != $2", true},
    {"&", "cc", "$1 & $2", true},
    {"and", "cc", "$1 & $2", true},
    {"|", "cc", "$1 | $2", true},
    {"or", "cc", "$1 | $2", true},
    {"~", "c", "!$1", true},
    {"not", "c", "!$1", true},
    {"-", "n", "-$1", false},
    {"+", "n", "$1", false},
};

static const struct {
    const char *name;
    double value;
} constants[] = {
    {"pi", 0x1.921fb54442d18p+1},
    {"e", 0x1.5bf0a8b145769p+1},
    {"nan", (double)NAN},
    {"inf", (double)INFINITY},
};

/* Powers that need no pow(): exact for those that numpy has them for (2, 0.5, -1, 1),
 * and within 2 ulp for the others. */
static const struct {
    double exponent;
    const char *code;
} powers[] = {
    {2, "$1 * $1"}, {3, "$1 * $1 * $1"}, {4, "($1 * $1) * ($1 * $1)"},
    {1, "$1"},      {-1, "1 / $1"},      {0.5, "sqrt@($1)"},
};

const struct calc_function *calc_function_find(const char *name)
{
    for (size_t i = 0; i < SWIM_COUNT_OF(functions); i++)
        if (strcmp(functions[i].name, name) == 0)
            return &functions[i];
    return NULL;
}

const struct calc_function *calc_operator_find(const char *name, size_t n_args)
{
    for (size_t i = 0; i < SWIM_COUNT_OF(operators); i++)
        if (strcmp(operators[i].name, name) == 0 &&
            strlen(operators[i].params) == n_args)
            return &operators[i];
    return NULL;
}

bool calc_constant_find(const char *name, double *value)
{
    for (size_t i = 0; i < SWIM_COUNT_OF(constants); i++)
        if (strcmp(constants[i].name, name) == 0) {
            *value = constants[i].value;
            return true;
        }
    return false;
}

const char *calc_power_code(const struct calc_function *function,
                            const double *exponent)
{
    bool power = strncmp(function->code, "pow@", 4) == 0;

    for (size_t i = 0; power && exponent && i < SWIM_COUNT_OF(powers); i++)
        if (powers[i].exponent == *exponent)
            return powers[i].code;
    return function->code;
}

void calc_function_names(const char **names, size_t *n, size_t room)
{
    for (size_t i = 0; i < SWIM_COUNT_OF(functions) && *n < room; i++)
        names[(*n)++] = functions[i].name;
}

void calc_constant_names(const char **names, size_t *n, size_t room)
{
    for (size_t i = 0; i < SWIM_COUNT_OF(constants) && *n < room; i++)
        names[(*n)++] = constants[i].name;
}
