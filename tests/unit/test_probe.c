/* test_probe.c - what kernel test knows of buffers and outputs, without a kernel. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/probe.h"

#define ELEMENTS ((size_t)10)

static struct probe_buffer *buffer_of(struct probe_buffer *b, size_t element,
                                      bool from_start)
{
    swim_error_t err = {0};

    memset(b, 0, sizeof(*b));
    snprintf(b->name, sizeof(b->name), "input u");
    b->element = element;
    assert_int_equal(probe_buffer_create(b, 2 * ELEMENTS * element, &err), SWIM_OK);
    probe_buffer_place(b, ELEMENTS * element, element, from_start);
    return b;
}

static void assert_explained(const struct probe_buffer *b, ptrdiff_t byte,
                             enum probe_access access, const char *wanted)
{
    char text[200];

    probe_buffer_explain(b, 1, (uintptr_t)b->data + (uintptr_t)byte, access, text,
                         sizeof(text));
    assert_string_equal(text, wanted);
}

static void an_address_is_told_in_elements(void **state)
{
    struct probe_buffer b;

    (void)state;
    buffer_of(&b, 4, false);
    assert_explained(&b, 40, PROBE_WRITES,
                     "writes to data[10] of input u, 1 element beyond its end");
    assert_explained(&b, 43, PROBE_READS,
                     "reads data[10] of input u, 1 element beyond its end");
    assert_explained(&b, 44, PROBE_READS,
                     "reads data[11] of input u, 2 elements beyond its end");
    assert_explained(&b, -1, PROBE_TOUCHES,
                     "touches data[-1] of input u, 1 element before its start");
    assert_explained(&b, -4, PROBE_WRITES,
                     "writes to data[-1] of input u, 1 element before its start");
    assert_explained(&b, -5, PROBE_WRITES,
                     "writes to data[-2] of input u, 2 elements before its start");
    assert_explained(&b, 39, PROBE_WRITES,
                     "writes to data[9] of input u, which must not be changed");
    assert_explained(&b, 0, PROBE_READS, "reads data[0] of input u");
}

static void with_a_halo_it_counts_as_the_kernel_does(void **state)
{
    struct probe_buffer b;

    (void)state;
    buffer_of(&b, 8, true);
    b.origin = 3;
    assert_explained(&b, 0, PROBE_WRITES,
                     "writes to data[-3] of input u, which must not be changed");
    assert_explained(&b, 80, PROBE_WRITES,
                     "writes to data[7] of input u, 1 element beyond its end");
}

static void accumulators_are_told_in_bytes(void **state)
{
    struct probe_buffer b;

    (void)state;
    buffer_of(&b, 1, true);
    assert_explained(&b, 10, PROBE_WRITES,
                     "writes to byte 10 of input u, 1 byte beyond its end");
    assert_explained(&b, 12, PROBE_WRITES,
                     "writes to byte 12 of input u, 3 bytes beyond its end");
}

static void addresses_elsewhere_are_told_as_they_are(void **state)
{
    struct probe_buffer b;
    char text[200];

    (void)state;
    buffer_of(&b, 4, true);
    probe_buffer_explain(&b, 1, 8, PROBE_READS, text, sizeof(text));
    assert_string_equal(text, "reads address 0x8: a pointer that is NULL");
    probe_buffer_explain(&b, 1, 0x10000, PROBE_WRITES, text, sizeof(text));
    assert_string_equal(text, "writes to address 0x10000, which is in no buffer");
}

/* Asked of the kernel, which does not fault. */
static bool is_readable(const char *byte)
{
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    bool good = write(ends[1], byte, 1) == 1;
    if (!good)
        assert_int_equal(errno, EFAULT);
    close(ends[0]);
    close(ends[1]);
    return good;
}

static void a_buffer_ends_or_begins_at_a_guard(void **state)
{
    struct probe_buffer b;

    (void)state;
    buffer_of(&b, 4, false);
    assert_true(is_readable(b.data + b.bytes - 1) && is_readable(b.data - 1));
    assert_false(is_readable(b.data + b.bytes));
    buffer_of(&b, 4, true);
    assert_true(is_readable(b.data) && is_readable(b.data + b.bytes));
    assert_false(is_readable(b.data - 1));
}

static void what_is_written_beside_it_is_seen(void **state)
{
    struct probe_buffer b;
    uintptr_t address = 0;

    (void)state;
    for (int start = 0; start < 2; start++) {
        buffer_of(&b, 4, start);
        memset(b.data, 7, b.bytes);
        assert_true(probe_buffer_intact(&b, &address));
        char *beside = start ? b.data + b.bytes : b.data - 1;
        *beside = 0;
        assert_false(probe_buffer_intact(&b, &address));
        assert_int_equal(address, (uintptr_t)beside);
    }
}

/* --- Outputs ------------------------------------------------------------------- */

/* Two outputs of 2 x 3: float32 and int16. */
struct scene {
    struct probe p;
    struct probe_shared shared;
    char slots[3][64];
};

static int setup(void **state)
{
    struct scene *s = calloc(1, sizeof(*s));

    *state = s;
    if (!s)
        return -1;
    s->p.shared = &s->shared;
    s->shared.n_outputs = 2;
    s->p.planned.ndim = 2;
    s->p.planned.n_outputs = 2;
    s->p.shape[0] = 2;
    s->p.shape[1] = 3;
    for (int i = 0; i < 2; i++) {
        s->p.planned.outputs[i].ndim = 2;
        s->p.planned.outputs[i].type = i ? SWIM_TYPE_I16 : SWIM_TYPE_F32;
        s->p.planned.outputs[i].from_axis[1] = 1;
        s->p.planned.outputs[i].shape[0] = 2;
        s->p.planned.outputs[i].shape[1] = 3;
    }
    for (int i = 0; i < 3; i++)
        s->p.slots[i] = s->slots[i];
    return 0;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

static void float_put(struct scene *s, int slot, size_t place, float value)
{
    memcpy(s->slots[slot] + place * 4, &value, sizeof(value));
}

static void short_put(struct scene *s, int slot, size_t place, int16_t value)
{
    memcpy(s->slots[slot] + probe_output_at(&s->p.planned, 1) + place * 2, &value,
           sizeof(value));
}

static void outputs_lie_behind_each_other(void **state)
{
    struct scene *s = *state;

    assert_int_equal(probe_output_at(&s->p.planned, 0), 0);
    assert_int_equal(probe_output_at(&s->p.planned, 1), 32); /* 24, up to whole 16 */
    assert_int_equal(probe_output_count(&s->p.planned, 1), 6);
}

static void the_first_difference_beyond_the_tolerance_is_shown(void **state)
{
    struct scene *s = *state;
    struct probe_difference d;

    for (int slot = 0; slot < 2; slot++) {
        float_put(s, slot, 0, 1000);
        float_put(s, slot, 1, slot ? 1.001F : 1); /* 1e-6 of the largest */
        float_put(s, slot, 2, slot ? NAN : -NAN);
        float_put(s, slot, 4, slot ? 3 : 2);
        float_put(s, slot, 5, slot ? NAN : 5);
    }
    probe_compare(&s->p, (enum probe_slot)0, (enum probe_slot)1, 1e-5, &d);
    assert_int_equal(d.n, 3);
    assert_int_equal(d.beyond, 2);
    assert_int_equal(d.output, 0);
    assert_string_equal(d.index, "(1, 1)");
    assert_true(d.a == 2 && d.b == 3);
    probe_compare(&s->p, (enum probe_slot)0, (enum probe_slot)1, 1, &d);
    assert_int_equal(d.beyond, 1); /* of a NaN it is never within */
    assert_string_equal(d.index, "(1, 2)");
}

static void integers_are_equal_or_not(void **state)
{
    struct scene *s = *state;
    struct probe_difference d;

    short_put(s, 0, 0, 30000);
    short_put(s, 1, 0, 30000);
    short_put(s, 0, 3, 1);
    probe_compare(&s->p, (enum probe_slot)0, (enum probe_slot)1, 0.5, &d);
    assert_int_equal(d.beyond, 1);
    assert_int_equal(d.output, 1);
    assert_string_equal(d.index, "(1, 0)");
}

static void what_holds_both_patterns_was_not_written(void **state)
{
    struct scene *s = *state;
    struct probe_unwritten u;

    probe_find_unwritten(&s->p, (enum probe_slot)0, (enum probe_slot)1, &u);
    assert_int_equal(u.n, 0);
    memset(s->slots[0] + 8, PROBE_PATTERN_A, 8);
    memset(s->slots[1] + 8, PROBE_PATTERN_B, 7); /* the last byte was */
    probe_find_unwritten(&s->p, (enum probe_slot)0, (enum probe_slot)1, &u);
    assert_int_equal(u.n, 1);
    assert_int_equal(u.output, 0);
    assert_string_equal(u.index, "(0, 2)");
}

static void a_value_in_the_place_of_a_missing_one_is_lost(void **state)
{
    struct scene *s = *state;
    struct probe_unwritten lost;

    assert_true(probe_subject_missing(0) && probe_subject_missing(3));
    for (size_t i = 0; i < 6; i++) {
        float_put(s, 0, i, probe_subject_missing(i) ? NAN : 1);
        short_put(s, 0, i, probe_subject_missing(i) ? -32767 : 1);
    }
    probe_find_lost(&s->p, (enum probe_slot)0, &lost);
    assert_int_equal(lost.n, 0);
    short_put(s, 0, 3, 5);
    probe_find_lost(&s->p, (enum probe_slot)0, &lost);
    assert_int_equal(lost.n, 1);
    assert_int_equal(lost.output, 1);
    assert_string_equal(lost.index, "(1, 0)");
    /* Of other axes than the inputs have there is no such place. */
    s->p.planned.outputs[1].from_axis[0] = -1;
    probe_find_lost(&s->p, (enum probe_slot)0, &lost);
    assert_int_equal(lost.n, 0);
    s->p.planned.outputs[1].from_axis[0] = 0;
    s->p.shape[0] = 20; /* each of its rows is of ten of the inputs' */
    probe_find_lost(&s->p, (enum probe_slot)0, &lost);
    assert_int_equal(lost.n, 0);
}

static void of_a_table_only_the_rows_found_are_looked_at(void **state)
{
    struct scene *s = *state;
    struct probe_difference d;
    struct probe_unwritten u;

    s->shared.kind = SWIM_KERNEL_FILTER;
    s->p.rows[0] = s->p.rows[1] = 1;
    memset(s->slots[0], PROBE_PATTERN_A, sizeof(s->slots[0]));
    memset(s->slots[1], PROBE_PATTERN_B, sizeof(s->slots[1]));
    for (int slot = 0; slot < 2; slot++)
        for (size_t i = 0; i < 3; i++) {
            float_put(s, slot, i, 1);
            short_put(s, slot, i, 2);
        }
    probe_compare(&s->p, (enum probe_slot)0, (enum probe_slot)1, 0, &d);
    assert_int_equal(d.n, 0);
    probe_find_unwritten(&s->p, (enum probe_slot)0, (enum probe_slot)1, &u);
    assert_int_equal(u.n, 0);
    s->p.rows[1] = 2; /* one that the other table does not have */
    probe_compare(&s->p, (enum probe_slot)0, (enum probe_slot)1, 0, &d);
    assert_int_equal(d.n, 1);
    assert_int_equal(d.beyond, 1);
    assert_true(d.rows_a == 1 && d.rows_b == 2);
}

static void rows_are_sorted_by_all_their_columns(void **state)
{
    struct scene *s = *state;
    struct probe_difference d;

    s->shared.kind = SWIM_KERNEL_FILTER;
    s->p.rows[0] = s->p.rows[1] = 2;
    for (size_t row = 0; row < 2; row++)
        for (size_t i = 0; i < 3; i++) {
            float_put(s, 0, 3 * row + i, i ? NAN : 7); /* the same in both */
            float_put(s, 1, 3 * row + i, i ? NAN : 7);
            short_put(s, 0, 3 * row + i, (int16_t)(row * 10 + i));
            short_put(s, 1, 3 * row + i, (int16_t)(10 - row * 10 + i));
        }
    probe_compare(&s->p, (enum probe_slot)0, (enum probe_slot)1, 0, &d);
    assert_int_equal(d.n, 6);
    probe_sort_rows(&s->p, (enum probe_slot)1, (enum probe_slot)2);
    assert_int_equal(s->p.rows[2], 2);
    probe_compare(&s->p, (enum probe_slot)0, (enum probe_slot)2, 0, &d);
    assert_int_equal(d.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_is_told_in_elements),
        cmocka_unit_test(with_a_halo_it_counts_as_the_kernel_does),
        cmocka_unit_test(accumulators_are_told_in_bytes),
        cmocka_unit_test(addresses_elsewhere_are_told_as_they_are),
        cmocka_unit_test(a_buffer_ends_or_begins_at_a_guard),
        cmocka_unit_test(what_is_written_beside_it_is_seen),
        cmocka_unit_test_setup_teardown(outputs_lie_behind_each_other, setup, teardown),
        cmocka_unit_test_setup_teardown(
            the_first_difference_beyond_the_tolerance_is_shown, setup, teardown),
        cmocka_unit_test_setup_teardown(integers_are_equal_or_not, setup, teardown),
        cmocka_unit_test_setup_teardown(what_holds_both_patterns_was_not_written, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_value_in_the_place_of_a_missing_one_is_lost,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(of_a_table_only_the_rows_found_are_looked_at,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(rows_are_sorted_by_all_their_columns, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
