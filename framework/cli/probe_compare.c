/* probe_compare.c - outputs of two runs, element by element. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
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
static long double largest_of(const struct probe *p, const char *data, uint32_t number)
{
    const enum swim_type type = (enum swim_type)p->planned.outputs[number].type;
    const uint64_t n = output_count(&p->planned, number);
    long double largest = 0;

    for (uint64_t i = 0; i < n; i++) {
        long double v = fabsl(value_of(type, data + i * swim_type_size(type)));
        if (isfinite(v) && v > largest)
            largest = v;
    }
    return largest;
}

static void compare_output(const struct probe *p, const char *a, const char *b,
                           uint32_t number, double tolerance,
                           struct probe_difference *d)
{
    const enum swim_type type = (enum swim_type)p->planned.outputs[number].type;
    const uint64_t n = output_count(&p->planned, number);
    const long double scale = largest_of(p, a, number);

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
    for (uint32_t i = 0; i < p->shared->n_outputs; i++) {
        size_t at = probe_output_at(&p->planned, i);
        compare_output(p, p->slots[a] + at, p->slots[b] + at, i, tolerance, d);
    }
}

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
        const uint64_t n = output_count(&p->planned, o);
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
static bool output_is_like_inputs(const struct probe_planned *planned, uint32_t number)
{
    uint32_t d = 0;

    while (d < planned->ndim && planned->outputs[number].from_axis[d] == (int32_t)d)
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
        for (uint64_t i = 0; output_is_like_inputs(&p->planned, o) && i < n; i++) {
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
