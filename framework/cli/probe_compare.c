/* probe_compare.c - outputs of two runs, element by element. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/probe.h"

static uint64_t output_count(const struct probe_planned *planned, uint32_t number)
{
    uint64_t n = 1;

    for (uint32_t d = 0; d < planned->outputs[number].ndim; d++)
        n *= planned->outputs[number].shape[d];
    return n;
}

static size_t output_element(const struct probe_planned *planned, uint32_t number)
{
    return swim_type_size((enum swim_type)planned->outputs[number].type);
}

uint64_t probe_output_count(const struct probe_planned *planned, uint32_t number)
{
    return output_count(planned, number);
}

/* How many elements of an output there are in a slot: of a table, those of the rows
 * that were found. */
static uint64_t held_count(const struct probe *p, enum probe_slot slot, uint32_t number)
{
    const uint64_t n = output_count(&p->planned, number);

    if (p->shared->kind != SWIM_KERNEL_FILTER)
        return n;
    return n / p->planned.outputs[number].shape[0] * p->rows[slot];
}

static uint64_t less_of(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

size_t probe_output_at(const struct probe_planned *planned, uint32_t number)
{
    size_t at = 0;

    for (uint32_t i = 0; i < number; i++)
        at += (output_count(planned, i) * output_element(planned, i) + 15) / 16 * 16;
    return at;
}

static void index_text(const struct probe_planned *planned, uint32_t number,
                       uint64_t place, char *text, size_t size)
{
    uint32_t ndim = planned->outputs[number].ndim;
    uint64_t at[SWIM_NDIM_MAX];

    for (uint32_t d = ndim; d-- > 0;) {
        at[d] = place % planned->outputs[number].shape[d];
        place /= planned->outputs[number].shape[d];
    }
    snprintf(text, size, "(");
    for (uint32_t d = 0; d < ndim; d++) {
        size_t used = strlen(text);
        snprintf(text + used, size - used, "%s%" PRIu64, d ? ", " : "", at[d]);
    }
    size_t used = strlen(text);
    snprintf(text + used, size - used, ")");
}

#define READ_AS(type)                     \
    do {                                  \
        type x_;                          \
        memcpy(&x_, element, sizeof(x_)); \
        return (long double)x_;           \
    } while (0)

static long double value_of(enum swim_type type, const char *element)
{
    switch (type) {
    case SWIM_TYPE_I8:
        READ_AS(int8_t);
    case SWIM_TYPE_U8:
        READ_AS(uint8_t);
    case SWIM_TYPE_I16:
        READ_AS(int16_t);
    case SWIM_TYPE_U16:
        READ_AS(uint16_t);
    case SWIM_TYPE_I32:
        READ_AS(int32_t);
    case SWIM_TYPE_U32:
        READ_AS(uint32_t);
    case SWIM_TYPE_I64:
        READ_AS(int64_t);
    case SWIM_TYPE_U64:
        READ_AS(uint64_t);
    case SWIM_TYPE_F32:
        READ_AS(float);
    case SWIM_TYPE_F64:
        READ_AS(double);
    case SWIM_TYPE_LDOUBLE:
        READ_AS(long double);
    case SWIM_TYPE_ANY:
        break;
    }
    return 0;
}

/* The largest finite absolute value of an output. */
static long double largest_of(const struct probe *p, enum probe_slot slot,
                              uint32_t number)
{
    const enum swim_type type = (enum swim_type)p->planned.outputs[number].type;
    const char *data = p->slots[slot] + probe_output_at(&p->planned, number);
    const uint64_t n = held_count(p, slot, number);
    long double largest = 0;

    for (uint64_t i = 0; i < n; i++) {
        long double v = fabsl(value_of(type, data + i * swim_type_size(type)));
        if (isfinite(v) && v > largest)
            largest = v;
    }
    return largest;
}

static void compare_output(const struct probe *p, enum probe_slot slot_a,
                           enum probe_slot slot_b, uint32_t number, double tolerance,
                           struct probe_difference *d)
{
    const enum swim_type type = (enum swim_type)p->planned.outputs[number].type;
    const size_t at = probe_output_at(&p->planned, number);
    const char *a = p->slots[slot_a] + at, *b = p->slots[slot_b] + at;
    const uint64_t n =
        less_of(held_count(p, slot_a, number), held_count(p, slot_b, number));
    const long double scale = largest_of(p, slot_a, number);

    for (uint64_t i = 0; i < n; i++) {
        long double x = value_of(type, a + i * swim_type_size(type));
        long double y = value_of(type, b + i * swim_type_size(type));
        if (x == y || (isnan(x) && isnan(y)))
            continue;
        double apart = scale > 0 ? (double)(fabsl(x - y) / scale) : (double)INFINITY;
        bool beyond = type < SWIM_TYPE_F32 || !(apart <= tolerance);
        if (!(apart <= d->largest))
            d->largest = apart;
        if (d->n == 0 || (beyond && d->beyond == 0)) {
            d->output = number;
            d->a = (double)x;
            d->b = (double)y;
            index_text(&p->planned, number, i, d->index, sizeof(d->index));
        }
        d->n++;
        d->beyond += beyond;
    }
}

void probe_compare(const struct probe *p, enum probe_slot a, enum probe_slot b,
                   double tolerance, struct probe_difference *d)
{
    memset(d, 0, sizeof(*d));
    for (uint32_t i = 0; i < p->shared->n_outputs; i++)
        compare_output(p, a, b, i, tolerance, d);
    d->rows_a = p->rows[a];
    d->rows_b = p->rows[b];
    const uint64_t apart = d->rows_a - less_of(d->rows_a, d->rows_b) + d->rows_b -
                           less_of(d->rows_a, d->rows_b);
    d->n += apart;
    d->beyond += apart;
}

/* --- Tables -------------------------------------------------------------------------
 */

struct rows {
    const struct probe *p;
    const char *data; /* of all outputs */
};

static int value_order(long double x, long double y)
{
    if (isnan(x) || isnan(y))
        return !isnan(x) - !isnan(y);
    return (x > y) - (x < y);
}

/* By the first column in which they differ. */
static int row_order(const void *a, const void *b, void *of)
{
    const struct rows *rows = of;
    const struct probe_planned *planned = &rows->p->planned;
    int order = 0;

    for (uint32_t o = 0; order == 0 && o < planned->n_outputs; o++) {
        const enum swim_type type = (enum swim_type)planned->outputs[o].type;
        const uint64_t size = swim_type_size(type),
                       n = output_count(planned, o) / planned->outputs[o].shape[0];
        const char *column = rows->data + probe_output_at(planned, o);
        const char *x = column + *(const uint64_t *)a * n * size,
                   *y = column + *(const uint64_t *)b * n * size;
        for (uint64_t i = 0; order == 0 && i < n; i++)
            order =
                value_order(value_of(type, x + i * size), value_of(type, y + i * size));
    }
    return order;
}

void probe_sort_rows(struct probe *p, enum probe_slot from, enum probe_slot to)
{
    struct rows rows = {p, p->slots[from]};
    const uint64_t n = p->rows[from];
    uint64_t *order = calloc(n + 1, sizeof(*order));

    if (!order) {
        swim_error_set(&p->err, SWIM_ERR_NOMEM, "sort rows: no memory");
        return;
    }
    for (uint64_t i = 0; i < n; i++)
        order[i] = i;
    qsort_r(order, n, sizeof(*order), row_order, &rows);
    for (uint32_t o = 0; o < p->planned.n_outputs; o++) {
        const size_t at = probe_output_at(&p->planned, o);
        const size_t width = output_count(&p->planned, o) /
                             p->planned.outputs[o].shape[0] *
                             output_element(&p->planned, o);
        for (uint64_t i = 0; i < n; i++)
            memcpy(p->slots[to] + at + i * width,
                   p->slots[from] + at + order[i] * width, width);
    }
    p->rows[to] = n;
    free(order);
}

/* --- What is not as it should be
 * ------------------------------------------------------
 */

static bool is_filled(const char *element, size_t size, int pattern)
{
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)element[i] != pattern)
            return false;
    return true;
}

void probe_find_unwritten(const struct probe *p, enum probe_slot a, enum probe_slot b,
                          struct probe_unwritten *u)
{
    memset(u, 0, sizeof(*u));
    for (uint32_t o = 0; o < p->shared->n_outputs; o++) {
        const size_t at = probe_output_at(&p->planned, o);
        const size_t size = output_element(&p->planned, o);
        const uint64_t n = less_of(held_count(p, a, o), held_count(p, b, o));
        for (uint64_t i = 0; i < n; i++) {
            if (!is_filled(p->slots[a] + at + i * size, size, PROBE_PATTERN_A) ||
                !is_filled(p->slots[b] + at + i * size, size, PROBE_PATTERN_B))
                continue;
            if (u->n++ == 0) {
                u->output = o;
                index_text(&p->planned, o, i, u->index, sizeof(u->index));
            }
        }
    }
}

/* Whether an element of the output lies at the place of one of the inputs. */
static bool output_is_like_inputs(const struct probe *p, uint32_t number)
{
    const struct probe_planned *planned = &p->planned;
    uint32_t d = 0;

    while (d < planned->ndim && planned->outputs[number].from_axis[d] == (int32_t)d &&
           planned->outputs[number].shape[d] == p->shape[d])
        d++;
    return d == planned->ndim && planned->outputs[number].ndim == d;
}

void probe_find_lost(const struct probe *p, enum probe_slot slot,
                     struct probe_unwritten *lost)
{
    memset(lost, 0, sizeof(*lost));
    for (uint32_t o = 0; o < p->shared->n_outputs; o++) {
        const enum swim_type type = (enum swim_type)p->planned.outputs[o].type;
        const double missing = probe_subject_missing_value(type);
        const char *data = p->slots[slot] + probe_output_at(&p->planned, o);
        const uint64_t n = output_count(&p->planned, o);
        for (uint64_t i = 0; output_is_like_inputs(p, o) && i < n; i++) {
            long double v = value_of(type, data + i * swim_type_size(type));
            if (!probe_subject_missing(i) || isnan(v) || v == (long double)missing)
                continue;
            if (lost->n++ == 0) {
                lost->output = o;
                index_text(&p->planned, o, i, lost->index, sizeof(lost->index));
            }
        }
    }
}
