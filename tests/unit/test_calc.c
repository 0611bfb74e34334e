/* test_calc.c - expressions of h5swim calc: how they are read, and what is said of
 * wrong ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "batch/calc.h"
#include "batch/calc_private.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const names[] = {"u", "v", "Temp_2"};

struct scene {
    struct calc *calc;
    size_t column;
    swim_error_t err;
};

static int setup(void **state)
{
    *state = calloc(1, sizeof(struct scene));
    return *state ? 0 : -1;
}

static int teardown(void **state)
{
    struct scene *s = *state;

    calc_destroy(s->calc);
    free(s);
    return 0;
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
        {"u*x", 3, "unknown name \"x\"; did you mean \"u\"?"},
        {"u*zzzzzz", 3, "\"zzzzzz\"; an input is given as zzzzzz=FILE:/DATASET"},
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
    char *end = stpcpy(text, first);
    for (size_t i = 0; i < n; i++)
        end = stpcpy(end, more);
    stpcpy(end, last);
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
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
