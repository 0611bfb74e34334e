/* dataset_values.c - stored elements as the values that a kernel sees.
 *
 * Where each stored value is also a value of the wanted type, one pass over the rows
 * just read, or the part of a chunk just decoded, makes missing values NaN and unpacks,
 * in place.  Else the stored elements go through a buffer, because missing values must
 * be recognised before the conversion makes their neighbours equal to them. */
#include <math.h>
#include <string.h>

#include "core/meter.h"
#include "store/box.h"
#include "store/codec.h"
#include "store/dataset_private.h"

#define PART 4096 /* elements converted at a time */

/* --- values in place ------------------------------------------------------------- */

/* NOLINTBEGIN(bugprone-macro-parentheses): type cannot stand in parentheses */
/* | and not ||: without branches the loops become vector instructions. */
#define FINISH_ROW(name, type)                                                   \
    SWIM_WIDE static void finish_##name(type *restrict v, size_t n,              \
                                        const struct dataset *ds)                \
    {                                                                            \
        const type m0 = (type)ds->missing_mem[0], m1 = (type)ds->missing_mem[1]; \
        const double scale = ds->scale, offset = ds->offset;                     \
        if (!ds->packed && ds->n_missing == 1)                                   \
            for (size_t i = 0; i < n; i++)                                       \
                v[i] = v[i] == m0 ? (type)NAN : v[i];                            \
        else if (!ds->packed)                                                    \
            for (size_t i = 0; i < n; i++)                                       \
                v[i] = ((v[i] == m0) | (v[i] == m1)) ? (type)NAN : v[i];         \
        else                                                                     \
            for (size_t i = 0; i < n; i++) {                                     \
                const type u = (type)((double)v[i] * scale + offset);            \
                v[i] = ((v[i] == m0) | (v[i] == m1)) ? (type)NAN : u;            \
            }                                                                    \
    }
FINISH_ROW(float, float)
FINISH_ROW(double, double)
FINISH_ROW(ldouble, long double)
/* Before that, while they are as they were stored. */
#define LIMIT_ROW(type)                                               \
    do {                                                              \
        const type low = (type)ds->low, high = (type)ds->high;        \
        type *restrict v = (type *)row;                               \
        for (size_t i = 0; i < n; i++)                                \
            v[i] = ((v[i] < low) | (v[i] > high)) ? (type)NAN : v[i]; \
    } while (0)
/* Integers have one missing value as a kernel sees them, and rows of others are
 * finished for two: those behind become the first. */
#define MERGE_ROW(type)                                                          \
    do {                                                                         \
        const type m0 = (type)ds->missing_mem[0], mk = (type)ds->missing_mem[k]; \
        type *restrict v = (type *)row;                                          \
        for (size_t i = 0; i < n; i++)                                           \
            v[i] = v[i] == mk ? m0 : v[i];                                       \
    } while (0)
/* NOLINTEND(bugprone-macro-parentheses) */

static void limit_row(const struct dataset *ds, void *row, size_t n)
{
    if (ds->mem == SWIM_TYPE_F32)
        LIMIT_ROW(float);
    else if (ds->mem == SWIM_TYPE_F64)
        LIMIT_ROW(double);
    else
        LIMIT_ROW(long double);
}

static void merge_row(const struct dataset *ds, void *row, size_t n, uint32_t k)
{
    switch (ds->mem) {
    case SWIM_TYPE_I8:
        MERGE_ROW(int8_t);
        break;
    case SWIM_TYPE_U8:
        MERGE_ROW(uint8_t);
        break;
    case SWIM_TYPE_I16:
        MERGE_ROW(int16_t);
        break;
    case SWIM_TYPE_U16:
        MERGE_ROW(uint16_t);
        break;
    case SWIM_TYPE_I32:
        MERGE_ROW(int32_t);
        break;
    case SWIM_TYPE_U32:
        MERGE_ROW(uint32_t);
        break;
    case SWIM_TYPE_I64:
        MERGE_ROW(int64_t);
        break;
    case SWIM_TYPE_U64:
        MERGE_ROW(uint64_t);
        break;
    case SWIM_TYPE_F32:
        MERGE_ROW(float);
        break;
    case SWIM_TYPE_F64:
        MERGE_ROW(double);
        break;
    case SWIM_TYPE_LDOUBLE:
        MERGE_ROW(long double);
        break;
    default:
        break;
    }
}

void dataset_finish_row(const void *dataset, void *row, size_t n)
{
    const struct dataset *ds = (const struct dataset *)dataset;
    const bool merged = !swim_type_is_float(ds->mem);

    if (ds->ranged && !merged)
        limit_row(ds, row, n);
    for (uint32_t k = merged ? 1 : 2; k < ds->n_missing; k++)
        merge_row(ds, row, n, k);
    if (merged)
        return;
    if (ds->mem == SWIM_TYPE_F32)
        finish_float((float *)row, n, ds);
    else if (ds->mem == SWIM_TYPE_F64)
        finish_double((double *)row, n, ds);
    else
        finish_ldouble((long double *)row, n, ds);
}

bool dataset_is_plain(const struct dataset *ds)
{
    if (!swim_type_is_float(ds->mem))
        return ds->n_missing < 2;
    return !ds->packed && !ds->n_missing && !ds->ranged;
}

void dataset_finish(const struct dataset *ds, unsigned char *buf, const uint64_t *shape,
                    const uint64_t *start, const uint64_t *count)
{
    struct box box;

    if (dataset_is_plain(ds))
        return;
    const enum swim_activity was = swim_meter_set(SWIM_AT_DECODE);
    for (bool more = box_begin(&box, ds->ndim, shape, start, count); more;
         more = box_next(&box))
        dataset_finish_row(ds, buf + box.offset * swim_type_size(ds->mem), box.row);
    (void)swim_meter_set(was);
}

/* --- values through a buffer ------------------------------------------------------ */

/* NOLINTBEGIN(bugprone-macro-parentheses): type cannot stand in parentheses */
#define FIND_MISSING(type)                                  \
    do {                                                    \
        const type *restrict v = (const type *)raw;         \
        type missing;                                       \
        memcpy(&missing, ds->missing_raw[k], sizeof(type)); \
        for (size_t i = 0; i < n; i++)                      \
            gone[i] |= v[i] == missing;                     \
    } while (0)
/* NOLINTEND(bugprone-macro-parentheses) */

/* Floating-point numbers by their values, for which there are two zeros. */
static void find_missing(const struct dataset *ds, uint32_t k, const void *raw,
                         uint8_t *restrict gone, size_t n)
{
    if (ds->stored == SWIM_TYPE_F32)
        FIND_MISSING(float);
    else if (ds->stored == SWIM_TYPE_F64)
        FIND_MISSING(double);
    else if (ds->stored == SWIM_TYPE_LDOUBLE)
        FIND_MISSING(long double);
    else if (swim_type_size(ds->stored) == 1)
        FIND_MISSING(uint8_t);
    else if (swim_type_size(ds->stored) == 2)
        FIND_MISSING(uint16_t);
    else if (swim_type_size(ds->stored) == 4)
        FIND_MISSING(uint32_t);
    else
        FIND_MISSING(uint64_t);
}

static void element_set(enum swim_type type, unsigned char *at, long double value)
{
    float f = (float)value;
    double d = (double)value;

    if (type == SWIM_TYPE_F32)
        memcpy(at, &f, sizeof(f));
    else if (type == SWIM_TYPE_F64)
        memcpy(at, &d, sizeof(d));
    else
        memcpy(at, &value, sizeof(value));
}

/* Unpacked integers are rounded to the nearest; conversion alone would cut. */
static int unpack_part(const struct dataset *ds, const unsigned char *raw,
                       unsigned char *dst, size_t n, swim_error_t *err)
{
    double wide[PART];
    bool round = !swim_type_is_float(ds->mem);
    int rc = codec_convert(ds->stored, raw, SWIM_TYPE_F64, wide, n, false, 0, err);

    if (rc != SWIM_OK)
        return rc;
    for (size_t i = 0; i < n; i++) {
        wide[i] = wide[i] * ds->scale + ds->offset;
        if (round)
            wide[i] = nearbyint(wide[i]);
    }
    return codec_convert(SWIM_TYPE_F64, wide, ds->mem, dst, n, false, 0, err);
}

/* What stands for a missing value, where there is such a thing: integers need a missing
 * value in the file. */
static int element_gone(const struct dataset *ds, unsigned char *at, swim_error_t *err)
{
    if (swim_type_is_float(ds->mem))
        element_set(ds->mem, at, (long double)NAN);
    else if (ds->n_missing)
        return codec_convert(ds->stored, ds->missing_raw[0], ds->mem, at, 1, false, 0,
                             err);
    return SWIM_OK;
}

static int range_part(const struct dataset *ds, const unsigned char *raw,
                      unsigned char *dst, size_t n, swim_error_t *err)
{
    double wide[PART];
    int rc = codec_convert(ds->stored, raw, SWIM_TYPE_F64, wide, n, false, 0, err);

    for (size_t i = 0; i < n && rc == SWIM_OK; i++)
        if (wide[i] < ds->low || wide[i] > ds->high)
            rc = element_gone(ds, dst + i * swim_type_size(ds->mem), err);
    return rc;
}

static int buffered_part(const struct dataset *ds, const unsigned char *raw,
                         unsigned char *dst, size_t n, swim_error_t *err)
{
    const size_t size = swim_type_size(ds->mem);
    uint8_t gone[PART];
    int rc = ds->packed
                 ? unpack_part(ds, raw, dst, n, err)
                 : codec_convert(ds->stored, raw, ds->mem, dst, n, false, 0, err);

    memset(gone, 0, n);
    for (uint32_t k = 0; k < ds->n_missing; k++)
        find_missing(ds, k, raw, gone, n);
    for (size_t i = 0; i < n && rc == SWIM_OK && ds->n_missing; i++)
        if (gone[i])
            rc = element_gone(ds, dst + i * size, err);
    return rc == SWIM_OK && ds->ranged ? range_part(ds, raw, dst, n, err) : rc;
}

int dataset_convert(struct dataset *ds, unsigned char *buf, const uint64_t *shape,
                    const uint64_t *start, const uint64_t *count, swim_error_t *err)
{
    size_t raw_size = swim_type_size(ds->stored), size = swim_type_size(ds->mem);
    const enum swim_activity was = swim_meter_set(SWIM_AT_DECODE);
    struct box box;
    int rc = SWIM_OK;

    for (bool more = box_begin(&box, ds->ndim, shape, start, count);
         more && rc == SWIM_OK; more = box_next(&box))
        for (size_t i = 0; i < box.row && rc == SWIM_OK; i += PART) {
            size_t n = box.row - i < PART ? box.row - i : PART;
            rc = buffered_part(ds, ds->buffer + (box.done + i) * raw_size,
                               buf + (box.offset + i) * size, n, err);
        }
    (void)swim_meter_set(was);
    return rc;
}
