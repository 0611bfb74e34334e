/* calc_source.c - from a parsed expression to the C source of its kernel.
 *
 * Each node is a variable, which the loop computes in the order of the nodes, without
 * branches, so that the compiler can make vector instructions of it; nodes that need no
 * input are double and in front of the loop.  There is a loop for each type that may be
 * computed in: the widest floating type of the inputs, double for integers.  Inputs of
 * other types are converted, some thousand elements at a time.
 *
 * Only texts of this file and of calc_functions.c, numbers, and names that
 * calc_name_check() has accepted, as strings, get into the source. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "batch/calc_private.h"

static const char head[] =
    "#include <math.h>\n"
    "#include <stdlib.h>\n"
    "\n"
    "#include <h5swim/kernel.h>\n"
    "\n"
    "#define TILE 1024 /* elements that are converted at once */\n"
    "\n"
    "#define CALC_FUNCTIONS(real, f)                                            \\\n"
    "    static inline real calc_minimum##f(real a, real b)                     \\\n"
    "    {                                                                      \\\n"
    "        return (a <= b) | (a != a) ? a : b;                                \\\n"
    "    }                                                                      \\\n"
    "    static inline real calc_maximum##f(real a, real b)                     \\\n"
    "    {                                                                      \\\n"
    "        return (a >= b) | (a != a) ? a : b;                                \\\n"
    "    }                                                                      \\\n"
    "    static inline real calc_fmin##f(real a, real b)                        \\\n"
    "    {                                                                      \\\n"
    "        return (a <= b) | (b != b) ? a : b;                                \\\n"
    "    }                                                                      \\\n"
    "    static inline real calc_fmax##f(real a, real b)                        \\\n"
    "    {                                                                      \\\n"
    "        return (a >= b) | (b != b) ? a : b;                                \\\n"
    "    }                                                                      \\\n"
    "    static inline real calc_sign##f(real a)                                \\\n"
    "    {                                                                      \\\n"
    "        return a > 0 ? (real)1 : a < 0 ? (real)-1 : a == 0 ? (real)0 : a;  \\\n"
    "    }                                                                      \\\n"
    "    static inline real calc_mod##f(real a, real b) /* sign of b */         \\\n"
    "    {                                                                      \\\n"
    "        const real m = fmod##f(a, b);                                      \\\n"
    "        return m == 0 ? copysign##f(0, b) : (m < 0) != (b < 0) ? m + b : m; \\\n"
    "    }                                                                      \\\n"
    "    static inline real calc_deg2rad##f(real a)                             \\\n"
    "    {                                                                      \\\n"
    "        return a * ((real)0x1.921fb54442d18469898p+1L / 180);              \\\n"
    "    }                                                                      \\\n"
    "    static inline real calc_rad2deg##f(real a)                             \\\n"
    "    {                                                                      \\\n"
    "        return a * (180 / (real)0x1.921fb54442d18469898p+1L);              \\\n"
    "    }\n"
    "CALC_FUNCTIONS(float, f)\n"
    "CALC_FUNCTIONS(double, )\n"
    "CALC_FUNCTIONS(long double, l)\n";

static const char convert[] =
    "\n"
    "#define CONVERT(type, none)                                    \\\n"
    "    for (uint64_t i = 0; i < n; i++) {                         \\\n"
    "        const type value = ((const type *)a->data)[at + i];    \\\n"
    "        room[i] = none ? (double)NAN : (double)value;          \\\n"
    "    }                                                          \\\n"
    "    break\n"
    "#define CONVERT_INTEGER(type, m)                               \\\n"
    "    if (a->has_missing) {                                      \\\n"
    "        const type missing = (type)a->missing.m;               \\\n"
    "        CONVERT(type, value == missing);                       \\\n"
    "    }                                                          \\\n"
    "    CONVERT(type, 0)\n"
    "\n"
    "static const double *as_double(const struct swim_array *a, uint64_t at, uint64_t "
    "n,\n"
    "                               double *restrict room)\n"
    "{\n"
    "    switch (a->type) {\n"
    "    case SWIM_TYPE_I8:\n        CONVERT_INTEGER(int8_t, i);\n"
    "    case SWIM_TYPE_U8:\n        CONVERT_INTEGER(uint8_t, u);\n"
    "    case SWIM_TYPE_I16:\n        CONVERT_INTEGER(int16_t, i);\n"
    "    case SWIM_TYPE_U16:\n        CONVERT_INTEGER(uint16_t, u);\n"
    "    case SWIM_TYPE_I32:\n        CONVERT_INTEGER(int32_t, i);\n"
    "    case SWIM_TYPE_U32:\n        CONVERT_INTEGER(uint32_t, u);\n"
    "    case SWIM_TYPE_I64:\n        CONVERT_INTEGER(int64_t, i);\n"
    "    case SWIM_TYPE_U64:\n        CONVERT_INTEGER(uint64_t, u);\n"
    "    case SWIM_TYPE_F32:\n        CONVERT(float, 0);\n"
    "    default:\n        return (const double *)a->data + at;\n"
    "    }\n"
    "    return room;\n"
    "}\n"
    "\n"
    "static const long double *as_longdouble(const struct swim_array *a, uint64_t at,\n"
    "                                        uint64_t n, long double *restrict room)\n"
    "{\n"
    "    double small[TILE];\n"
    "\n"
    "    if (a->type == SWIM_TYPE_LDOUBLE)\n"
    "        return (const long double *)a->data + at;\n"
    "    const double *values = as_double(a, at, n, small);\n"
    "    for (uint64_t i = 0; i < n; i++)\n"
    "        room[i] = values[i];\n"
    "    return room;\n"
    "}\n";

static const char tail[] =
    "\n"
    "struct calc_state {\n"
    "    const char *expression, *units;\n"
    "};\n"
    "\n"
    "static int calc_open(const swim_params_t *params, void **state, swim_error_t "
    "*err)\n"
    "{\n"
    "    struct calc_state *calc = malloc(sizeof(*calc));\n"
    "\n"
    "    if (!calc)\n"
    "        return swim_error_set(err, SWIM_ERR_NOMEM, \"calc: state\");\n"
    "    calc->expression = swim_params_text(params, \"expression\");\n"
    "    calc->units = swim_params_text(params, \"units\");\n"
    "    *state = calc;\n"
    "    return SWIM_OK;\n"
    "}\n"
    "\n"
    "static int calc_plan(void *state, struct swim_plan *plan, swim_error_t *err)\n"
    "{\n"
    "    const struct calc_state *calc = state;\n"
    "    enum swim_type type = SWIM_TYPE_F32;\n"
    "\n"
    "    (void)err;\n"
    "    for (uint32_t i = 0; i < plan->n_inputs; i++)\n"
    "        type = wider(type, plan->inputs[i]->type);\n"
    "    plan->outputs[0]->type = CONDITION ? SWIM_TYPE_U8 : type;\n"
    "    plan->outputs[0]->units = calc->units;\n"
    "    plan->outputs[0]->long_name = calc->expression;\n"
    "    plan->outputs[0]->cell_methods = \"\";\n"
    "    return SWIM_OK;\n"
    "}\n"
    "\n"
    "static int calc_apply(void *state, const struct swim_block *block, swim_error_t "
    "*err)\n"
    "{\n"
    "    enum swim_type type = SWIM_TYPE_F32;\n"
    "\n"
    "    (void)state;\n"
    "    (void)err;\n"
    "    for (uint32_t i = 0; i < block->n_inputs; i++)\n"
    "        type = wider(type, block->inputs[i]->type);\n"
    "    if (type == SWIM_TYPE_F32)\n"
    "        run_float(block);\n"
    "    else if (type == SWIM_TYPE_F64)\n"
    "        run_double(block);\n"
    "    else\n"
    "        run_longdouble(block);\n"
    "    return SWIM_OK;\n"
    "}\n"
    "\n"
    "static const struct swim_param params[] = {\n"
    "    {\"expression\", SWIM_PARAM_TEXT, \"\", NULL, \"long_name of the result\", "
    "NULL, 0, 0},\n"
    "    {\"units\", SWIM_PARAM_TEXT, \"\", NULL, \"units of the result\", NULL, 0, "
    "0},\n"
    "};\n"
    "static const struct swim_port outputs[] = {{\"" CALC_OUTPUT
    "\", SWIM_TYPE_ANY, NULL, \"the result\"}};\n"
    "\n"
    "SWIM_KERNEL_DEFINE(.name = \"calc\", .summary = \"an expression of h5swim "
    "calc\",\n"
    "                   .kind = SWIM_KERNEL_MAP, .n_inputs = SWIM_COUNT_OF(inputs),\n"
    "                   .inputs = inputs, .n_outputs = SWIM_COUNT_OF(outputs),\n"
    "                   .outputs = outputs, .n_params = SWIM_COUNT_OF(params),\n"
    "                   .params = params, .open = calc_open, .plan = calc_plan,\n"
    "                   .apply = calc_apply, .close = free);\n";

static const char wider[] =
    "\n"
    "/* What is computed in: float, double for integers, long double. */\n"
    "static enum swim_type wider(enum swim_type type, enum swim_type other)\n"
    "{\n"
    "    if (other < SWIM_TYPE_F32)\n"
    "        other = SWIM_TYPE_F64;\n"
    "    return other > type ? other : type;\n"
    "}\n";

/* A type to compute in. */
struct real {
    const char *name, *word, *suffix;
};

static const struct real reals[] = {
    {"float", "float", "f"},
    {"double", "double", ""},
    {"long double", "longdouble", "l"},
};

static void put_number(FILE *to, double number)
{
    if (isnan(number))
        fputs("(double)NAN", to);
    else if (isinf(number))
        fputs(number < 0 ? "-(double)INFINITY" : "(double)INFINITY", to);
    else
        fprintf(to, "%a", number);
}

/* An argument: a cast where a number is wanted and the variable is of another type. */
static void put_argument(FILE *to, const struct calc *calc,
                         const struct calc_node *call, size_t arg, const char *real)
{
    const struct calc_node *node = &calc->nodes[call->args[arg]];
    char param = call->function->params[arg];
    bool condition = param == 'c' || (param == 'x' && call->condition);

    if (!condition && (node->condition || node->constant != call->constant))
        fprintf(to, "(%s)", real);
    fprintf(to, "t%zu", call->args[arg]);
}

static void put_code(FILE *to, const struct calc *calc, const struct calc_node *call,
                     const struct real *real)
{
    const struct calc_node *second = &calc->nodes[call->args[1]];
    const double *exponent = second->kind == CALC_NUMBER ? &second->number : NULL;

    for (const char *c = calc_power_code(call->function, exponent); *c; c++)
        if (*c == '$')
            put_argument(to, calc, call, (size_t)(*++c - '1'), real->name);
        else if (*c == '@')
            fputs(real->suffix, to);
        else
            fputc(*c, to);
}

static void put_node(FILE *to, const struct calc *calc, size_t number,
                     const struct real *real, const char *indent)
{
    const struct calc_node *node = &calc->nodes[number];

    fprintf(to, "%sconst %s t%zu = ", indent, node->condition ? "_Bool" : real->name,
            number);
    switch (node->kind) {
    case CALC_NUMBER:
        put_number(to, node->number);
        break;
    case CALC_INPUT:
        fprintf(to, "x%zu[i]", node->input);
        break;
    case CALC_CALL:
        put_code(to, calc, node, real);
        break;
    }
    fputs(";\n", to);
}

static void put_loop(FILE *to, const struct calc *calc, const struct real *real)
{
    size_t result = calc->n_nodes - 1;
    bool cast = calc->nodes[result].constant && !calc->nodes[result].condition;

    fprintf(to, "\nstatic void loop_%s(uint64_t n", real->word);
    for (size_t i = 0; i < calc->n_names; i++)
        fprintf(to, ", const %s *restrict x%zu", real->name, i);
    fprintf(to, ", %s *restrict out)\n{\n",
            calc->nodes[result].condition ? "uint8_t" : real->name);
    for (size_t i = 0; i < calc->n_nodes; i++)
        if (calc->nodes[i].constant)
            put_node(to, calc, i, &reals[1], "    ");
    fputs("    for (uint64_t i = 0; i < n; i++) {\n", to);
    for (size_t i = 0; i < calc->n_nodes; i++)
        if (!calc->nodes[i].constant)
            put_node(to, calc, i, real, "        ");
    fprintf(to, "        out[i] = %s%s%st%zu;\n    }\n}\n", cast ? "(" : "",
            cast ? real->name : "", cast ? ")" : "", result);
}

/* All inputs are float then: nothing is converted. */
static void put_run_float(FILE *to, const struct calc *calc)
{
    fputs("\nstatic void run_float(const struct swim_block *block)\n{\n"
          "    loop_float(block->outputs[0]->count",
          to);
    for (size_t i = 0; i < calc->n_names; i++)
        fprintf(to, ", block->inputs[%zu]->data", i);
    fputs(", block->outputs[0]->data);\n}\n", to);
}

static void put_run(FILE *to, const struct calc *calc, const struct real *real)
{
    fprintf(to,
            "\nstatic void run_%s(const struct swim_block *block)\n{\n"
            "    const uint64_t count = block->outputs[0]->count;\n"
            "    %s *out = block->outputs[0]->data;\n"
            "    %s room[%zu][TILE];\n\n"
            "    for (uint64_t at = 0; at < count; at += TILE) {\n"
            "        const uint64_t n = count - at < TILE ? count - at : TILE;\n"
            "        loop_%s(n",
            real->word, calc_is_condition(calc) ? "uint8_t" : real->name, real->name,
            calc->n_names, real->word);
    for (size_t i = 0; i < calc->n_names; i++)
        fprintf(to, ",\n            as_%s(block->inputs[%zu], at, n, room[%zu])",
                real->word, i, i);
    fputs(",\n            out + at);\n    }\n}\n", to);
}

static void put_inputs(FILE *to, const struct calc *calc)
{
    fputs("\nstatic const struct swim_port inputs[] = {\n", to);
    for (size_t i = 0; i < calc->n_names; i++)
        fprintf(to, "    {\"%s\", SWIM_TYPE_ANY, NULL, \"an input\"},\n",
                calc->names[i]);
    fprintf(to, "};\n#define CONDITION %d\n", calc_is_condition(calc));
}

int calc_source(const struct calc *calc, char **text, swim_error_t *err)
{
    size_t size = 0;
    FILE *to = open_memstream(text, &size);

    if (!to) {
        *text = NULL;
        return swim_error_set(err, SWIM_ERR_NOMEM, "source of an expression");
    }
    fputs(head, to);
    fputs(convert, to);
    fputs(wider, to);
    for (size_t i = 0; i < SWIM_COUNT_OF(reals); i++) {
        put_loop(to, calc, &reals[i]);
        if (i == 0)
            put_run_float(to, calc);
        else
            put_run(to, calc, &reals[i]);
    }
    put_inputs(to, calc);
    fputs(tail, to);
    if (fclose(to) == 0)
        return SWIM_OK;
    free(*text);
    *text = NULL;
    return swim_error_set(err, SWIM_ERR_NOMEM, "source of an expression");
}
