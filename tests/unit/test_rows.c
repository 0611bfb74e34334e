/* test_rows.c - rows of reduce blocks, elements of any type as double, axes by name. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <h5swim/kernel.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* --- rows ---------------------------------------------------------------------- */

struct scene {
    uint64_t shape[SWIM_NDIM_MAX];
    struct swim_array array;
    const struct swim_array *inputs[1];
    struct swim_block block;
};

static void scene_set(struct scene *s, uint32_t ndim, const uint64_t *shape)
{
    memset(s, 0, sizeof(*s));
    s->array.ndim = ndim;
    s->array.shape = s->shape;
    s->array.count = 1;
    for (uint32_t a = 0; a < ndim; a++) {
        s->shape[a] = shape[a];
        s->array.count *= shape[a];
    }
    s->inputs[0] = &s->array;
    s->block.n_inputs = 1;
    s->block.inputs = s->inputs;
}

/* The output that an element of the block goes to, one axis after the other. */
static uint64_t output_of(const struct scene *s, const uint8_t *reduced, uint64_t input)
{
    uint64_t output = 0, step = 1;

    for (uint32_t a = s->array.ndim; a-- > 0;) {
        const uint64_t length = s->shape[a] ? s->shape[a] : 1;
        if (!reduced[a]) {
            output += input % length * step;
            step *= length;
        }
        input /= length;
    }
    return output;
}

/* Returns the number of rows. */
static uint64_t check_rows(const struct scene *s, const uint8_t *reduced)
{
    uint64_t next = 0, n = 0;
    struct swim_rows rows;

    for (int more = swim_rows_begin(&rows, &s->block, reduced); more;
         more = swim_rows_next(&rows), n++) {
        assert_int_equal(rows.input, next);
        for (uint64_t i = 0; i < rows.length; i++)
            assert_int_equal(rows.output + (rows.kept ? i : 0),
                             output_of(s, reduced, rows.input + i));
        next += rows.length;
    }
    assert_int_equal(next, s->array.count);
    return n;
}

static void each_element_goes_to_its_output(void **state)
{
    static const uint64_t shapes[][4] = {
        {3, 4, 5, 6}, {1, 4, 1, 6}, {3, 1, 5, 1}, {1, 1, 1, 1}, {2, 1, 1, 7}};
    struct scene s;

    (void)state;
    for (size_t k = 0; k < COUNT(shapes); k++)
        for (unsigned bits = 0; bits < 16; bits++) {
            uint8_t reduced[SWIM_NDIM_MAX] = {bits & 1U, bits >> 1 & 1U, bits >> 2 & 1U,
                                              bits >> 3 & 1U};
            scene_set(&s, 4, shapes[k]);
            check_rows(&s, reduced);
        }
}

static void rows_are_as_long_as_they_can_be(void **state)
{
    static const uint64_t shape[] = {3, 4, 5, 6};
    struct scene s;

    (void)state;
    scene_set(&s, 4, shape);
    assert_int_equal(check_rows(&s, (const uint8_t[]){1, 1, 1, 1}), 1);
    assert_int_equal(check_rows(&s, (const uint8_t[]){0, 0, 0, 0}), 1);
    assert_int_equal(check_rows(&s, (const uint8_t[]){1, 0, 0, 0}), 3);
    assert_int_equal(check_rows(&s, (const uint8_t[]){0, 0, 1, 1}), 12);
}

static void one_number_is_a_row(void **state)
{
    struct scene s;

    (void)state;
    scene_set(&s, 0, NULL);
    assert_int_equal(check_rows(&s, (const uint8_t[]){0}), 1);
}

static void a_block_without_elements_has_no_rows(void **state)
{
    static const uint64_t shape[] = {3, 0};
    struct scene s;

    (void)state;
    scene_set(&s, 2, shape);
    assert_int_equal(check_rows(&s, (const uint8_t[]){1, 0}), 0);
}

/* --- elements ------------------------------------------------------------------- */

static void integers_become_doubles_and_missing_ones_nan(void **state)
{
    const int8_t i8[] = {-128, 0, 127};
    const uint64_t u64[] = {0, 5, (uint64_t)1 << 63};
    const int64_t i64[] = {-9223372036854775807, -9223372036854775806, 3};
    struct swim_array array = {.data = (void *)(uintptr_t)i8,
                               .type = SWIM_TYPE_I8,
                               .has_missing = 1,
                               .missing.i = 127};
    double out[3];

    (void)state;
    swim_array_doubles(&array, 0, 3, out);
    assert_true(out[0] == -128 && out[1] == 0 && isnan(out[2]));
    array.has_missing = 0;
    swim_array_doubles(&array, 1, 2, out);
    assert_true(out[0] == 0 && out[1] == 127);
    array = (struct swim_array){.data = (void *)(uintptr_t)u64,
                                .type = SWIM_TYPE_U64,
                                .has_missing = 1,
                                .missing.u = 5};
    swim_array_doubles(&array, 0, 3, out);
    assert_true(out[0] == 0 && isnan(out[1]) && out[2] == 0x1p63);
    /* The next integer is the same double, and not missing. */
    array = (struct swim_array){.data = (void *)(uintptr_t)i64,
                                .type = SWIM_TYPE_I64,
                                .has_missing = 1,
                                .missing.i = i64[0]};
    swim_array_doubles(&array, 0, 3, out);
    assert_true(isnan(out[0]) && out[1] == -0x1p63 && out[2] == 3);
}

static void floating_point_keeps_its_values(void **state)
{
    const float f32[] = {1.5F, NAN, INFINITY};
    const long double wide[] = {1e300L, -0.25L};
    struct swim_array array = {.data = (void *)(uintptr_t)f32, .type = SWIM_TYPE_F32};
    double out[3];

    (void)state;
    swim_array_doubles(&array, 0, 3, out);
    assert_true(out[0] == 1.5 && isnan(out[1]) && isinf(out[2]));
    array.data = (void *)(uintptr_t)wide;
    array.type = SWIM_TYPE_LDOUBLE;
    swim_array_doubles(&array, 1, 1, out);
    assert_true(out[0] == -0.25);
}

/* --- axes by name ---------------------------------------------------------------- */

static const struct swim_axis axes[] = {
    {.name = "T", .units = "hours since 1980-01-01", .length = 5},
    {.name = "", .units = "", .length = 4},
    {.name = "Y", .units = "degrees_north", .length = 3},
};
static const struct swim_axis *const axis_list[] = {&axes[0], &axes[1], &axes[2]};
static const uint64_t field_shape[] = {5, 4, 3};
static const struct swim_field field = {
    .name = "x", .ndim = 3, .shape = field_shape, .axes = axis_list};

static int reduce(const char *text, struct swim_output *output, uint8_t *reduced,
                  swim_error_t *err)
{
    static const struct swim_field *const inputs[] = {&field};
    struct swim_output *const outputs[] = {output};
    struct swim_plan plan = {.n_inputs = 1, .inputs = inputs, .n_outputs = 1};

    plan.outputs = outputs;
    int rc = swim_plan_reduce_axes(&plan, text, err);
    memcpy(reduced, plan.reduced, 3);
    return rc;
}

static void axes_are_found_by_name_number_or_kind(void **state)
{
    (void)state;
    assert_int_equal(swim_field_axis_named(&field, "T"), 0);
    assert_int_equal(swim_field_axis_named(&field, "time"), 0);
    assert_int_equal(swim_field_axis_named(&field, "dim_1"), 1);
    assert_int_equal(swim_field_axis_named(&field, "latitude"), 2);
    assert_int_equal(swim_field_axis_named(&field, "longitude"), -1);
    assert_int_equal(swim_field_axis_named(&field, "dim_2"), -1); /* it has a name */
    assert_int_equal(swim_field_axis_named(&field, ""), -1);
}

static void the_named_axes_go(void **state)
{
    struct swim_output out;
    uint8_t reduced[3];

    (void)state;
    assert_int_equal(reduce("Y, time", &out, reduced, NULL), SWIM_OK);
    assert_memory_equal(reduced, ((const uint8_t[]){1, 0, 1}), 3);
    assert_int_equal(out.ndim, 1);
    assert_int_equal(out.from_axis[0], 1);
    assert_int_equal(reduce("all", &out, reduced, NULL), SWIM_OK);
    assert_memory_equal(reduced, ((const uint8_t[]){1, 1, 1}), 3);
    assert_int_equal(out.ndim, 0);
    assert_int_equal(reduce("dim_1", &out, reduced, NULL), SWIM_OK);
    assert_int_equal(out.ndim, 2);
    assert_int_equal(out.from_axis[1], 2);
}

static void unknown_and_repeated_axes_are_refused(void **state)
{
    static const char *const texts[] = {"Z", "T,", "T, time", "", "all, T"};
    struct swim_output out;
    uint8_t reduced[3];

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        swim_error_t err = {0};
        assert_int_equal(reduce(texts[i], &out, reduced, &err), SWIM_ERR_ARG);
        assert_memory_equal(reduced, ((const uint8_t[]){0, 0, 0}), 3);
    }
    swim_error_t err = {0};
    reduce("Z", &out, reduced, &err);
    assert_non_null(strstr(err.text, "T, dim_1, Y"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_element_goes_to_its_output),
        cmocka_unit_test(rows_are_as_long_as_they_can_be),
        cmocka_unit_test(one_number_is_a_row),
        cmocka_unit_test(a_block_without_elements_has_no_rows),
        cmocka_unit_test(integers_become_doubles_and_missing_ones_nan),
        cmocka_unit_test(floating_point_keeps_its_values),
        cmocka_unit_test(axes_are_found_by_name_number_or_kind),
        cmocka_unit_test(the_named_axes_go),
        cmocka_unit_test(unknown_and_repeated_axes_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
