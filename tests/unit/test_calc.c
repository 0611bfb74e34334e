/* test_calc.c - expressions of h5swim calc: how they are read, what is said of wrong
 * ones, and what their kernels compute. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <math.h>

#include "batch/calc.h"
#include "batch/calc_private.h"
#include "batch/kernel_private.h"
#include "scratch_dir.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const names[] = {"u", "v", "Temp_2"};

struct scene {
    struct scratch_dir dir;
    struct calc *calc;
    size_t column;
    swim_error_t err;
    struct kernel_host *kernel;
};

static int setup(void **state)
{
    struct scene *s = calloc(1, sizeof(*s));

    *state = s;
    if (!s || scratch_dir_make(&s->dir) < 0)
        return -1;
    setenv("SWIM_CACHE_DIR", scratch_dir_file(&s->dir, "cache"), 1);
    unsetenv("SWIM_KERNEL_CFLAGS");
    unsetenv("CC");
    return 0;
}

static int teardown(void **state)
{
    struct scene *s = *state;
    int rc = scratch_dir_remove(&s->dir);

    kernel_unload(s->kernel);
    calc_destroy(s->calc);
    free(s);
    return rc;
}

static int parse(struct scene *s, const char *expression)
{
    calc_destroy(s->calc);
    swim_error_clear(&s->err);
    int rc = calc_parse(expression, names, COUNT(names), &s->calc, &s->column, &s->err);
    assert_int_equal(rc == SWIM_OK, s->calc != NULL);
    return rc;
}

/* --- reading -----------------------------------------------------------------------
 */

/* As Lisp would write it. */
static void show(const struct calc *calc, size_t number, FILE *to)
{
    const struct calc_node *node = &calc->nodes[number];

    switch (node->kind) {
    case CALC_NUMBER:
        fprintf(to, "%g", node->number);
        return;
    case CALC_INPUT:
        fputs(calc->names[node->input], to);
        return;
    case CALC_CALL:
        fprintf(to, "(%s", node->function->name);
        for (size_t i = 0; node->function->params[i]; i++) {
            fputc(' ', to);
            show(calc, node->args[i], to);
        }
        fputc(')', to);
    }
}

static void assert_reads(struct scene *s, const char *expression, const char *wanted)
{
    char text[512] = "";
    FILE *to = fmemopen(text, sizeof(text), "w");

    assert_non_null(to);
    if (parse(s, expression) != SWIM_OK)
        fail_msg("%s", s->err.text);
    show(s->calc, s->calc->n_nodes - 1, to);
    fclose(to);
    assert_string_equal(text, wanted);
}

static void operators_go_together_as_in_python(void **state)
{
    static const char *const cases[][2] = {
        {"u+v*2", "(+ u (* v 2))"},
        {"u*v+2", "(+ (* u v) 2)"},
        {"u-v-2", "(- (- u v) 2)"},
        {"u/v*2%3", "(% (* (/ u v) 2) 3)"},
        {"2**u**v", "(** 2 (** u v))"},
        {"-u**2", "(- (** u 2))"},
        {"(-u)**-v", "(** (- u) (- v))"},
        {"2**-1", "(** 2 -1)"},
        {"-2**2", "(- (** 2 2))"},
        {"- - u", "(- (- u))"},
        {"+u", "(+ u)"},
        {"u < v + 1", "(< u (+ v 1))"},
        {"(u>0)&(v>0)|(u<1)", "(| (& (> u 0) (> v 0)) (< u 1))"},
        {"u>0 and not v>0 or u<1", "(or (and (> u 0) (not (> v 0))) (< u 1))"},
        {"not not u==v", "(not (not (== u v)))"},
        {"~(u>0)", "(~ (> u 0))"},
        {"(u>0) == (v>0)", "(== (> u 0) (> v 0))"},
        {"where(u>v, u, -v)+1", "(+ (where (> u v) u (- v)) 1)"},
        {"Temp_2*pi", "(* Temp_2 3.14159)"},
        {" u\t*\n( v ) ", "(* u v)"},
    };

    for (size_t i = 0; i < COUNT(cases); i++)
        assert_reads(*state, cases[i][0], cases[i][1]);
}

static void numbers_are_read_whole(void **state)
{
    static const char *const cases[][2] = {
        {"1", "1"},       {"1.5", "1.5"},    {".5", "0.5"},     {"5.", "5"},
        {"1e3", "1000"},  {"1E-3", "0.001"}, {"2.5e+2", "250"}, {"-.5", "-0.5"},
        {"1e-400", "0"},  {"nan", "nan"},    {"inf", "inf"},    {"-inf", "-inf"},
        {"e", "2.71828"},
    };

    for (size_t i = 0; i < COUNT(cases); i++)
        assert_reads(*state, cases[i][0], cases[i][1]);
}

/* Each of the functions that the help names takes as many arguments as it says. */
static void all_functions_are_known(void **state)
{
    static const char *const ones[] = {
        "sqrt",  "exp",   "expm1", "log",   "log2",     "log10",   "log1p",  "sin",
        "cos",   "tan",   "asin",  "acos",  "atan",     "arcsin",  "arccos", "arctan",
        "sinh",  "cosh",  "tanh",  "abs",   "fabs",     "floor",   "ceil",   "rint",
        "round", "trunc", "sign",  "isnan", "isfinite", "deg2rad", "rad2deg"};
    static const char *const twos[] = {"atan2", "arctan2", "minimum",   "maximum",
                                       "fmin",  "fmax",    "hypot",     "power",
                                       "mod",   "fmod",    "nan_to_num"};
    char text[80];

    for (size_t i = 0; i < COUNT(ones); i++) {
        snprintf(text, sizeof(text), "%s(u)", ones[i]);
        assert_int_equal(parse(*state, text), SWIM_OK);
    }
    for (size_t i = 0; i < COUNT(twos); i++) {
        snprintf(text, sizeof(text), "%s(u, v)", twos[i]);
        assert_int_equal(parse(*state, text), SWIM_OK);
    }
    assert_int_equal(parse(*state, "clip(u, 0, 1)"), SWIM_OK);
}

static void a_result_is_a_number_or_a_condition(void **state)
{
    static const char *const conditions[] = {
        "u>v",       "isnan(u)", "~(u<1)", "(u>0)|(v>0)", "where(u>0, v>0, v<0)",
        "not u == 1"};
    static const char *const numbers[] = {"u", "(u>0)+1", "-(u>0)",
                                          "where(u>0, v>0, 1)", "minimum(u>0, v>0)"};
    struct scene *s = *state;

    for (size_t i = 0; i < COUNT(conditions); i++) {
        assert_int_equal(parse(s, conditions[i]), SWIM_OK);
        assert_true(calc_is_condition(s->calc));
    }
    for (size_t i = 0; i < COUNT(numbers); i++) {
        assert_int_equal(parse(s, numbers[i]), SWIM_OK);
        assert_false(calc_is_condition(s->calc));
    }
    assert_int_equal(parse(s, "u + 2"), SWIM_OK);
    assert_true(calc_uses(s->calc, 0));
    assert_false(calc_uses(s->calc, 1));
}

static void wrong_expressions_are_shown_with_their_column(void **state)
{
    static const struct {
        const char *expression;
        size_t column;
        const char *says;
    } cases[] = {
        {"", 1, "there is nothing"},
        {"  ", 3, "there is nothing"},
        {"u+", 3, "is missing after \"+\""},
        {"u + ", 5, "is missing after \"+\""},
        {"*u", 1, "is missing before \"*\""},
        {"u+*v", 3, "is missing after \"+\""},
        {"(u+v", 1, "not closed"},
        {"sqrt((u)", 5, "not closed"},
        {"u)", 2, "no opening parenthesis"},
        {")", 1, "no opening parenthesis"},
        {"()", 2, "is missing after \"(\""},
        {"u v", 3, "an operator is missing before \"v\""},
        {"(u v)", 4, "an operator is missing before \"v\""},
        {"sqrt(u v)", 8, "or a comma, is missing before \"v\""},
        {"u, v", 2, "a comma outside"},
        {"(u, v)", 3, "operator is missing before \",\""},
        {"sqrt(u*u+w)", 10, "unknown name \"w\"; did you mean \"u\"?"},
        {"u*temp_2", 3, "did you mean \"Temp_2\"?"},
        {"sqr(u)", 1, "unknown function \"sqr\"; did you mean \"sqrt\"?"},
        {"zzzzzzzzz(u)", 1, "unknown function \"zzzzzzzzz\""},
        {"u(2)", 2, "\"u\" is no function"},
        {"pi(2)", 3, "\"pi\" is no function"},
        {"1 + sqrt", 5, "sqrt is a function"},
        {"sqrt()", 1, "sqrt takes 1 argument, and is given 0"},
        {"1+hypot(u)", 3, "hypot takes 2 arguments, and is given 1"},
        {"clip(u,1,2,3,4)", 1, "clip takes 3 arguments, and is given 5"},
        {"hypot(u,)", 9, "is missing after \",\""},
        {"2u", 2, "\"u\" right behind a number"},
        {"1.2.3", 4, "\".\" right behind a number"},
        {"1e", 2, "\"e\" right behind a number"},
        {"1e999", 1, "too large"},
        {"u^2", 2, "written **"},
        {"u//2", 2, "floor(a / b)"},
        {"(u>0)&&(v>0)", 6, "write &"},
        {"(u>0)||(v>0)", 6, "write |"},
        {"!(u>0)", 1, "write ~"},
        {"u=v", 2, "written =="},
        {"u[0]", 2, "means nothing here"},
        {"u.x", 2, "no points"},
        {"u;v", 2, "\";\" means nothing here"},
        {"u\xc3\x97v", 2, "byte 0xc3"},
        {"u\x01", 2, "byte 0x01"},
        {"u > 0 & v > 0", 5, "& wants conditions, and this is a number"},
        {"u and v>0", 1, "and wants conditions"},
        {"~u", 2, "~ wants a condition"},
        {"not u", 5, "not wants a condition"},
        {"where(u, 1, 2)", 7, "where wants a condition"},
        {"0 < u < 1", 7, "cannot be chained"},
        {"u + not v > 0", 5, "goes in parentheses"},
        {"v * 1\n + ", 10, "is missing after \"+\""},
    };
    struct scene *s = *state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        char where[40];
        assert_int_equal(parse(s, cases[i].expression), SWIM_ERR_ARG);
        snprintf(where, sizeof(where), "\", column %zu: ", cases[i].column);
        if (s->column != cases[i].column || !strstr(s->err.text, cases[i].says) ||
            !strstr(s->err.text, where))
            fail_msg("%s: column %zu: %s", cases[i].expression, s->column, s->err.text);
        assert_null(strpbrk(s->err.text, "\n\x01\xc3"));
    }
}

/* The part around the column is shown; what is in front of it has that many columns. */
static void of_a_long_expression_a_part_is_shown(void **state)
{
    struct scene *s = *state;
    char text[3000], excerpt[CALC_EXCERPT_SIZE];

    memset(text, ' ', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    memcpy(text, "u+", 2);
    memcpy(text + 2000, "word*2", 6);
    assert_int_equal(parse(s, text), SWIM_ERR_ARG);
    assert_int_equal(s->column, 2001);
    size_t before = calc_excerpt(text, s->column, excerpt);
    assert_memory_equal(excerpt + before, "word*2", 6);
    assert_memory_equal(excerpt, "...", 3);
    assert_string_equal(excerpt + strlen(excerpt) - 3, "...");
    assert_non_null(strstr(s->err.text, excerpt));
    assert_in_range(strlen(excerpt), 60, 80);
    assert_int_equal(calc_excerpt("\t\tu", 3, excerpt), 8);
    assert_string_equal(excerpt, "\\x09\\x09u");
    assert_int_equal(calc_excerpt("", 1, excerpt), 0);
    assert_string_equal(excerpt, "");
}

static char *repeated(const char *first, const char *more, size_t n, const char *last)
{
    char *text = calloc(1, strlen(first) + n * strlen(more) + strlen(last) + 1);

    assert_non_null(text);
    strcpy(text, first);
    char *end = text + strlen(text);
    for (size_t i = 0; i < n; i++)
        end = stpcpy(end, more);
    strcpy(end, last);
    return text;
}

static void what_is_too_much_is_refused(void **state)
{
    static const struct {
        const char *first, *more, *last;
        size_t n;
        const char *says;
    } cases[] = {
        {"", "(", "u", 100000, "nested too deep"},
        {"", "-", "u", 100000, "nested too deep"},
        {"", "u**", "u", 100000, "nested too deep"},
        {"", "sqrt(", "u", 100000, "nested too deep"},
        {"", "not ", "u", 100000, "nested too deep"},
        {"u", "+u", "", 100000, "more than 4096"},
        {"u", "u", "", 64, "a name of more than 64"},
        {"1", "0", "", 64, "a number of more than 64"},
    };
    struct scene *s = *state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        char *text = repeated(cases[i].first, cases[i].more, cases[i].n, cases[i].last);
        assert_int_equal(parse(s, text), SWIM_ERR_ARG);
        free(text);
        if (!strstr(s->err.text, cases[i].says))
            fail_msg("%s", s->err.text);
    }
    char *text = repeated("u", "+u", 2000, "");
    assert_int_equal(parse(s, text), SWIM_OK);
    free(text);
    text = repeated("", "(", 60, "u");
    assert_int_equal(parse(s, text), SWIM_ERR_ARG);
    assert_int_equal(s->column, 60); /* the innermost that is not closed */
    free(text);
}

static void names_and_arguments_are_checked(void **state)
{
    static const char *const bad[] = {"",     "2u", "u-v", "a b", "u\"", "é",
                                      "sqrt", "pi", "e",   "and", "not"};
    static const struct {
        const char *text, *name, *file, *dataset;
    } cases[] = {
        {"u=a.h5:/U", "u", "a.h5", "/U"},
        {"T2=/d/wrf_2020-01-01_00:00:00:/g/T2", "T2", "/d/wrf_2020-01-01_00:00:00",
         "/g/T2"},
        {"u=/d/disk:/a.h5:/U", "u", "/d/disk:/a.h5", "/U"},
        {"out=a=b.h5:/x y", "out", "a=b.h5", "/x y"},
    };
    static const char *const wrong[] = {"u",        "=a.h5:/U", "u=a.h5",    "u=a.h5:U",
                                        "u=a.h5:/", "u=:/U",    "1u=a.h5:/U"};
    char longest[70];

    (void)state;
    memset(longest, 'u', sizeof(longest));
    longest[65] = '\0';
    assert_int_equal(calc_name_check(longest, NULL), SWIM_ERR_ARG);
    longest[64] = '\0';
    assert_int_equal(calc_name_check(longest, NULL), SWIM_OK);
    assert_int_equal(calc_name_check("_U_10m", NULL), SWIM_OK);
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_int_equal(calc_name_check(bad[i], NULL), SWIM_ERR_ARG);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct calc_binding b;
        assert_int_equal(calc_binding_parse(cases[i].text, &b, NULL), SWIM_OK);
        assert_string_equal(b.name, cases[i].name);
        assert_string_equal(b.file, cases[i].file);
        assert_string_equal(b.dataset, cases[i].dataset);
        calc_binding_clear(&b);
    }
    for (size_t i = 0; i < COUNT(wrong); i++) {
        struct calc_binding b;
        assert_int_equal(calc_binding_parse(wrong[i], &b, NULL), SWIM_ERR_ARG);
        calc_binding_clear(&b);
    }
}

/* --- what comes of random texts -------------------------------------------------- */

static uint64_t random_state = 42;

static size_t random_below(size_t n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (size_t)(random_state % n);
}

static void random_bytes(char *text, size_t size)
{
    size_t n = random_below(size);

    for (size_t i = 0; i < n; i++)
        text[i] = (char)(1 + random_below(255));
    text[n] = '\0';
}

static void random_words(char *text, size_t size)
{
    static const char *const words[] = {
        "u",  "v",  "Temp_2", "w",  "sqrt", "where", "clip", "hypot", "pi", "nan",
        "1",  "2.", ".5e3",   "1e", "(",    "(",     "(",    ")",     ")",  ")",
        ",",  ",",  "+",      "-",  "*",    "/",     "%",    "**",    "<",  "<=",
        "==", "!=", "&",      "|",  "~",    "and",   "or",   "not",   " ",  "^"};
    size_t n = random_below(25);

    *text = '\0';
    for (size_t i = 0; i < n; i++) {
        strncat(text, words[random_below(COUNT(words))], size - strlen(text) - 1);
        if (random_below(2))
            strncat(text, " ", size - strlen(text) - 1);
    }
}

/* An error has a column that is in the text or right behind it, and one line that can
 * be shown; what is no error becomes a source. */
static void random_texts_are_read_or_refused(void **state)
{
    struct scene *s = *state;
    size_t n_good = 0;
    char text[200];

    for (size_t i = 0; i < 20000; i++) {
        if (i % 4 == 0)
            random_bytes(text, sizeof(text));
        else
            random_words(text, sizeof(text));
        if (parse(s, text) == SWIM_OK) {
            char *source = NULL;
            assert_int_equal(calc_source(s->calc, &source, NULL), SWIM_OK);
            free(source);
            n_good++;
            continue;
        }
        assert_int_equal(s->err.code, SWIM_ERR_ARG);
        assert_in_range(s->column, 1, strlen(text) + 1);
        for (const char *c = s->err.text; *c; c++)
            assert_in_range(*c, ' ', '~');
    }
    assert_true(n_good > 100);
}

/* --- kernels -----------------------------------------------------------------------
 */

/* The source of an expression, without what all have. */
static char *source_of(struct scene *s, const char *expression)
{
    char *text = NULL;

    if (parse(s, expression) != SWIM_OK)
        fail_msg("%s", s->err.text);
    assert_int_equal(calc_source(s->calc, &text, &s->err), SWIM_OK);
    return text;
}

static void no_text_of_an_expression_gets_into_the_source(void **state)
{
    static const char *const used[] = {"system", "x0", "t1", "__FILE__"};
    struct scene *s = *state;
    char *text = NULL;

    calc_destroy(s->calc);
    assert_int_equal(calc_parse("system + x0 * t1 / __FILE__ - 0.1000 + sqrt(x0)", used,
                                COUNT(used), &s->calc, &s->column, &s->err),
                     SWIM_OK);
    assert_int_equal(calc_source(s->calc, &text, &s->err), SWIM_OK);
    assert_null(strstr(text, "0.1000"));
    assert_non_null(strstr(text, "= 0x1.999999999999ap-4;"));
    for (size_t i = 0; i < COUNT(used); i++) {
        char quoted[40];
        snprintf(quoted, sizeof(quoted), "    {\"%s\", SWIM_TYPE_ANY", used[i]);
        assert_non_null(strstr(text, quoted));
    }
    const char *found = strstr(text, "system");
    assert_null(strstr(found + 1, "system"));
    found = strstr(text, "__FILE__");
    assert_null(strstr(found + 1, "__FILE__"));
    free(text);
}

static void the_same_expression_in_other_words_is_the_same_source(void **state)
{
    char *first = source_of(*state, "u*u + 0.5"),
         *second = source_of(*state, "(u) *u+5e-1");

    assert_string_equal(first, second);
    free(first);
    free(second);
}

static void load(struct scene *s, const char *expression)
{
    char *text = source_of(s, expression), *so = NULL;

    if (kernel_compile_text("calc", text, &so, &s->err) != SWIM_OK)
        fail_msg("%s", s->err.text);
    kernel_unload(s->kernel);
    s->kernel = NULL;
    if (kernel_load(so, &s->kernel, &s->err) != SWIM_OK)
        fail_msg("%s", s->err.text);
    free(text);
    free(so);
}

/* Runs the kernel over u and v (Temp_2 is u once more). */
static void apply(const struct scene *s, const struct swim_array *u,
                  const struct swim_array *v, void *out, enum swim_type type)
{
    struct swim_array result = {.data = out, .type = type, .count = u->count};
    struct swim_array *results[] = {&result};
    const struct swim_array *inputs[] = {u, v, u};
    const struct swim_block block = {.struct_size = sizeof(block),
                                     .n_inputs = 3,
                                     .n_outputs = 1,
                                     .inputs = inputs,
                                     .outputs = results};

    assert_int_equal(s->kernel->api.apply(NULL, &block, NULL), 0);
}

static void float_stays_float_and_numbers_are_double_first(void **state)
{
    float u[] = {1.1F, -2.5F, NAN}, v[] = {3.0F, 0.0F, 1.0F}, out[3];
    const struct swim_array a = {.data = u, .type = SWIM_TYPE_F32, .count = 3};
    const struct swim_array b = {.data = v, .type = SWIM_TYPE_F32, .count = 3};

    load(*state, "u * (1/3) + v");
    apply(*state, &a, &b, out, SWIM_TYPE_F32);
    for (int i = 0; i < 2; i++)
        assert_true(out[i] == u[i] * (float)(1.0 / 3.0) + v[i]);
    assert_true(isnan(out[2]));
}

/* More than are converted at once, and a number of them that is no multiple. */
static void integers_are_converted_and_their_missing_values_are_nan(void **state)
{
    enum { N = 2500 };
    static int16_t u[N];
    static uint8_t v[N];
    static double out[N];
    const struct swim_array a = {.data = u,
                                 .type = SWIM_TYPE_I16,
                                 .count = N,
                                 .has_missing = 1,
                                 .missing.i = -7};
    const struct swim_array b = {.data = v, .type = SWIM_TYPE_U8, .count = N};

    for (int i = 0; i < N; i++) {
        u[i] = (int16_t)(i % 100 == 0 ? -7 : i - 1200);
        v[i] = (uint8_t)(i % 251);
    }
    load(*state, "u / 3 + v");
    apply(*state, &a, &b, out, SWIM_TYPE_F64);
    for (int i = 0; i < N; i++)
        if (u[i] == -7)
            assert_true(isnan(out[i]));
        else
            assert_true(out[i] == u[i] / 3.0 + v[i]);
}

/* Of each type the least, the largest, and one value that is missing. */
static void every_integer_type_is_converted(void **state)
{
    static const struct {
        enum swim_type type;
        int64_t least;
        uint64_t most;
    } cases[] = {
        {SWIM_TYPE_I8, INT8_MIN, INT8_MAX},    {SWIM_TYPE_U8, 0, UINT8_MAX},
        {SWIM_TYPE_I16, INT16_MIN, INT16_MAX}, {SWIM_TYPE_U16, 0, UINT16_MAX},
        {SWIM_TYPE_I32, INT32_MIN, INT32_MAX}, {SWIM_TYPE_U32, 0, UINT32_MAX},
        {SWIM_TYPE_I64, INT64_MIN, INT64_MAX}, {SWIM_TYPE_U64, 0, UINT64_MAX},
    };
    static const float one[3] = {1, 1, 1};

    load(*state, "u * v");
    for (size_t i = 0; i < COUNT(cases); i++) {
        unsigned char bytes[3 * 8];
        size_t size = swim_type_size(cases[i].type);
        const uint64_t values[3] = {(uint64_t)cases[i].least, cases[i].most, 5};
        struct swim_array a = {.data = bytes,
                               .type = cases[i].type,
                               .count = 3,
                               .has_missing = 1,
                               .missing.i = 5};
        const struct swim_array b = {
            .data = (void *)(uintptr_t)one, .type = SWIM_TYPE_F32, .count = 3};
        double out[3];
        for (size_t k = 0; k < 3; k++)
            memcpy(bytes + k * size, &values[k],
                   size); /* little-endian, as all hosts */
        apply(*state, &a, &b, out, SWIM_TYPE_F64);
        assert_true(out[0] == (double)cases[i].least);
        assert_true(out[1] == (double)cases[i].most);
        assert_true(isnan(out[2]));
        a.has_missing = 0;
        apply(*state, &a, &b, out, SWIM_TYPE_F64);
        assert_true(out[2] == 5);
    }
}

static void long_double_is_not_narrowed(void **state)
{
    long double u[] = {1 + 0x1p-60L, 2}, out[2];
    float v[] = {1, 3};
    const struct swim_array a = {.data = u, .type = SWIM_TYPE_LDOUBLE, .count = 2};
    const struct swim_array b = {.data = v, .type = SWIM_TYPE_F32, .count = 2};

    load(*state, "u - v + sqrt(v - v)");
    apply(*state, &a, &b, out, SWIM_TYPE_LDOUBLE);
    assert_true(out[0] == 0x1p-60L);
    assert_true(out[1] == -1);
}

static void conditions_are_bytes_of_0_and_1(void **state)
{
    double u[] = {1, 2, NAN, 0}, v[] = {1, 3, 1, NAN};
    uint8_t out[4];
    const struct swim_array a = {.data = u, .type = SWIM_TYPE_F64, .count = 4};
    const struct swim_array b = {.data = v, .type = SWIM_TYPE_F64, .count = 4};

    load(*state, "(u < v) | isnan(u)");
    apply(*state, &a, &b, out, SWIM_TYPE_U8);
    assert_memory_equal(out, ((uint8_t[]){0, 1, 1, 0}), 4);
    load(*state, "~(u == v) & (1 < 2)");
    apply(*state, &a, &b, out, SWIM_TYPE_U8);
    assert_memory_equal(out, ((uint8_t[]){0, 1, 1, 1}), 4);
}

/* Functions where C and numpy are not the same. */
static void functions_do_what_numpys_do(void **state)
{
    static const struct {
        const char *expression;
        double u, v, wanted;
    } cases[] = {
        {"u % v", -7, 3, 2},
        {"u % v", 7, -3, -2},
        {"u % v", -1, INFINITY, INFINITY},
        {"u % v", 1, 0, NAN},
        {"fmod(u, v)", -7, 3, -1},
        {"minimum(u, v)", NAN, 1, NAN},
        {"minimum(u, v)", 1, NAN, NAN},
        {"maximum(u, v)", 1, NAN, NAN},
        {"maximum(u, v)", 1, 2, 2},
        {"fmin(u, v)", NAN, 1, 1},
        {"fmin(u, v)", 1, NAN, 1},
        {"fmax(u, v)", NAN, 1, 1},
        {"fmax(u, v)", 3, 1, 3},
        {"clip(u, v, 5)", 9, 1, 5},
        {"clip(u, v, 5)", 0, 1, 1},
        {"clip(u, v, 5)", NAN, 1, NAN},
        {"sign(u)", -3, 0, -1},
        {"sign(u)", NAN, 0, NAN},
        {"sign(u)", 0, 0, 0},
        {"round(u)", 2.5, 0, 2},
        {"rint(u)", -3.5, 0, -4},
        {"nan_to_num(u, v)", NAN, 4, 4},
        {"nan_to_num(u, v)", INFINITY, 4, INFINITY},
        {"isfinite(u) + 0", INFINITY, 0, 0},
        {"isfinite(u) + 0", NAN, 0, 0},
        {"isfinite(u) + 0", 1e308, 0, 1},
        {"where(u > 0, v, nan)", 1, 4, 4},
        {"where(u > 0, v, nan)", NAN, 4, NAN},
        {"u**2", -3, 0, 9},
        {"u**0.5", 9, 0, 3},
        {"u**-1", 4, 0, 0.25},
        {"u**3 + power(u, 4)", -2, 0, 8},
        {"2**u", 10, 0, 1024},
        {"deg2rad(u)", 180, 0, 0x1.921fb54442d18p+1},
        {"rad2deg(u)", 0x1.921fb54442d18p+1, 0, 180},
        {"-u**2", 3, 0, -9},
        {"(u > v) - (u < v)", 1, 2, -1},
    };
    const char *loaded = NULL;

    for (size_t i = 0; i < COUNT(cases); i++) {
        double u = cases[i].u, v = cases[i].v, out = -99;
        const struct swim_array a = {.data = &u, .type = SWIM_TYPE_F64, .count = 1};
        const struct swim_array b = {.data = &v, .type = SWIM_TYPE_F64, .count = 1};
        if (!loaded || strcmp(loaded, cases[i].expression) != 0)
            load(*state, cases[i].expression);
        loaded = cases[i].expression;
        apply(*state, &a, &b, &out, SWIM_TYPE_F64);
        if (isnan(cases[i].wanted) ? !isnan(out) : out != cases[i].wanted)
            fail_msg("%s of %g and %g: %.17g", cases[i].expression, u, v, out);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(operators_go_together_as_in_python),
        TEST(numbers_are_read_whole),
        TEST(all_functions_are_known),
        TEST(a_result_is_a_number_or_a_condition),
        TEST(wrong_expressions_are_shown_with_their_column),
        TEST(of_a_long_expression_a_part_is_shown),
        TEST(what_is_too_much_is_refused),
        TEST(names_and_arguments_are_checked),
        TEST(random_texts_are_read_or_refused),
        TEST(no_text_of_an_expression_gets_into_the_source),
        TEST(the_same_expression_in_other_words_is_the_same_source),
        TEST(float_stays_float_and_numbers_are_double_first),
        TEST(integers_are_converted_and_their_missing_values_are_nan),
        TEST(every_integer_type_is_converted),
        TEST(long_double_is_not_narrowed),
        TEST(conditions_are_bytes_of_0_and_1),
        TEST(functions_do_what_numpys_do),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
