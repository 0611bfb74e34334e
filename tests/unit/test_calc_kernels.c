/* test_calc_kernels.c - kernels of expressions: what their sources hold, and what they
 * compute. */
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
