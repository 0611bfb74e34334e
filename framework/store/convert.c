/* convert.c - elements of one type as elements of another. */
#include <math.h>
#include <string.h>

#include "store/codec.h"
#include "store/store_private.h"

#define PART_ELEMENTS 2048
#define ELEMENT_MAX 16

struct replace {
    bool has_fill;
    enum swim_type to;
    _Alignas(16) unsigned char fill[ELEMENT_MAX]; /* as type to */
};

/* HDF5 asks here about each integer that its target type cannot hold.  Left alone, it
 * takes the nearest value. */
static H5T_conv_ret_t convert_exception(H5T_conv_except_t except, hid_t from, hid_t to,
                                        void *src, void *dst, void *arg)
{
    const struct replace *replace = (const struct replace *)arg;

    (void)from;
    (void)to;
    (void)src;
    if (except == H5T_CONV_EXCEPT_TRUNCATE || except == H5T_CONV_EXCEPT_PRECISION ||
        !replace->has_fill)
        return H5T_CONV_UNHANDLED;
    memcpy(dst, replace->fill, swim_type_size(replace->to));
    return H5T_CONV_HANDLED;
}

/* Conversion works in place, so parts go through a buffer that is wide enough. */
static int convert_by_hdf5(enum swim_type from, const unsigned char *src,
                           enum swim_type to, unsigned char *dst, size_t n,
                           const struct replace *replace, swim_error_t *err)
{
    _Alignas(16) unsigned char part[PART_ELEMENTS * ELEMENT_MAX];
    size_t from_size = swim_type_size(from), to_size = swim_type_size(to);
    hid_t dxpl = H5I_INVALID_HID;
    int rc = SWIM_OK;

    /* Between floating-point types infinity is no exception to be replaced. */
    if (!swim_type_is_float(to) && replace->has_fill) {
        dxpl = H5Pcreate(H5P_DATASET_XFER);
        if (dxpl < 0 || H5Pset_type_conv_cb(dxpl, convert_exception,
                                            (void *)(uintptr_t)replace) < 0)
            rc = h5_fail(err, SWIM_ERR_IO, "prepare a conversion");
    }
    for (size_t at = 0; at < n && rc == SWIM_OK; at += PART_ELEMENTS) {
        size_t len = n - at < PART_ELEMENTS ? n - at : PART_ELEMENTS;
        memcpy(part, src + at * from_size, len * from_size);
        if (H5Tconvert(types_native(from), types_native(to), len, part, NULL,
                       dxpl < 0 ? H5P_DEFAULT : dxpl) < 0)
            rc = h5_fail(err, SWIM_ERR_IO, "convert %s to %s", swim_type_name(from),
                         swim_type_name(to));
        else
            memcpy(dst + at * to_size, part, len * to_size);
    }
    h5_release(dxpl);
    return rc;
}

SWIM_WIDE static void nan_to_fill(enum swim_type type, void *data, size_t n,
                                  double fill)
{
    float *f = (float *)data, fill_f = (float)fill;
    double *d = (double *)data;
    long double *l = (long double *)data;

    if (type == SWIM_TYPE_F32)
        for (size_t i = 0; i < n; i++)
            f[i] = f[i] == f[i] ? f[i] : fill_f;
    else if (type == SWIM_TYPE_F64)
        for (size_t i = 0; i < n; i++)
            d[i] = d[i] == d[i] ? d[i] : fill;
    else
        for (size_t i = 0; i < n; i++)
            l[i] = l[i] == l[i] ? l[i] : (long double)fill;
}

SWIM_WIDE static void convert_narrow(const double *restrict src, float *restrict dst,
                                     size_t n)
{
    for (size_t i = 0; i < n; i++)
        dst[i] = (float)src[i];
}

SWIM_WIDE static void convert_widen(const float *restrict src, double *restrict dst,
                                    size_t n)
{
    for (size_t i = 0; i < n; i++)
        dst[i] = src[i];
}

/* --- floating point to integers: HDF5 leaves NaN to the processor, which makes of it
 * what it likes, so these are ours.  Fractions are cut off, as C and HDF5 do. */

/* NOLINTBEGIN(bugprone-macro-parentheses): type cannot stand in parentheses */
/* low_1 is the number before the lowest one, or that itself where it cannot be told
 * apart; high_1 the one after the highest. */
#define FLOAT_TO_INT(name, real, type, low, high, low_1, high_1)             \
    static void name(const real *restrict src, type *restrict dst, size_t n, \
                     const struct replace *replace)                          \
    {                                                                        \
        type fill = 0;                                                       \
        memcpy(&fill, replace->fill, sizeof(fill));                          \
        for (size_t i = 0; i < n; i++) {                                     \
            const real x = src[i];                                           \
            if ((x > (low_1) || x == (low)) && x < (high_1))                 \
                dst[i] = (type)x;                                            \
            else if (replace->has_fill)                                      \
                dst[i] = fill;                                               \
            else if (x != x)                                                 \
                dst[i] = 0;                                                  \
            else                                                             \
                dst[i] = x < 0 ? (type)(low) : (type)(high);                 \
        }                                                                    \
    }
#define FLOATS_TO_INT(name, type, low, high, low_1, high_1)             \
    FLOAT_TO_INT(f64_to_##name, double, type, low, high, low_1, high_1) \
    FLOAT_TO_INT(wide_to_##name, long double, type, low, high, low_1, high_1)

FLOATS_TO_INT(i8, int8_t, INT8_MIN, INT8_MAX, -129.0, 128.0)
FLOATS_TO_INT(u8, uint8_t, 0, UINT8_MAX, -1.0, 256.0)
FLOATS_TO_INT(i16, int16_t, INT16_MIN, INT16_MAX, -32769.0, 32768.0)
FLOATS_TO_INT(u16, uint16_t, 0, UINT16_MAX, -1.0, 65536.0)
FLOATS_TO_INT(i32, int32_t, INT32_MIN, INT32_MAX, -2147483649.0, 2147483648.0)
FLOATS_TO_INT(u32, uint32_t, 0, UINT32_MAX, -1.0, 4294967296.0)
FLOATS_TO_INT(i64, int64_t, INT64_MIN, INT64_MAX, -0x1p63, 0x1p63)
FLOATS_TO_INT(u64, uint64_t, 0, UINT64_MAX, -1.0, 0x1p64)
/* NOLINTEND(bugprone-macro-parentheses) */

static void f64_to_int(enum swim_type to, const double *src, void *dst, size_t n,
                       const struct replace *replace)
{
    switch (to) {
    case SWIM_TYPE_I8:
        f64_to_i8(src, (int8_t *)dst, n, replace);
        break;
    case SWIM_TYPE_U8:
        f64_to_u8(src, (uint8_t *)dst, n, replace);
        break;
    case SWIM_TYPE_I16:
        f64_to_i16(src, (int16_t *)dst, n, replace);
        break;
    case SWIM_TYPE_U16:
        f64_to_u16(src, (uint16_t *)dst, n, replace);
        break;
    case SWIM_TYPE_I32:
        f64_to_i32(src, (int32_t *)dst, n, replace);
        break;
    case SWIM_TYPE_U32:
        f64_to_u32(src, (uint32_t *)dst, n, replace);
        break;
    case SWIM_TYPE_I64:
        f64_to_i64(src, (int64_t *)dst, n, replace);
        break;
    default:
        f64_to_u64(src, (uint64_t *)dst, n, replace);
        break;
    }
}

static void wide_to_int(enum swim_type to, const long double *src, void *dst, size_t n,
                        const struct replace *replace)
{
    switch (to) {
    case SWIM_TYPE_I8:
        wide_to_i8(src, (int8_t *)dst, n, replace);
        break;
    case SWIM_TYPE_U8:
        wide_to_u8(src, (uint8_t *)dst, n, replace);
        break;
    case SWIM_TYPE_I16:
        wide_to_i16(src, (int16_t *)dst, n, replace);
        break;
    case SWIM_TYPE_U16:
        wide_to_u16(src, (uint16_t *)dst, n, replace);
        break;
    case SWIM_TYPE_I32:
        wide_to_i32(src, (int32_t *)dst, n, replace);
        break;
    case SWIM_TYPE_U32:
        wide_to_u32(src, (uint32_t *)dst, n, replace);
        break;
    case SWIM_TYPE_I64:
        wide_to_i64(src, (int64_t *)dst, n, replace);
        break;
    default:
        wide_to_u64(src, (uint64_t *)dst, n, replace);
        break;
    }
}

static void float_to_int(enum swim_type from, const void *src, enum swim_type to,
                         void *dst, size_t n, const struct replace *replace)
{
    double part[PART_ELEMENTS];
    unsigned char *bytes = (unsigned char *)dst;

    if (from == SWIM_TYPE_F64)
        f64_to_int(to, (const double *)src, dst, n, replace);
    else if (from == SWIM_TYPE_LDOUBLE)
        wide_to_int(to, (const long double *)src, dst, n, replace);
    else
        for (size_t at = 0; at < n; at += PART_ELEMENTS) {
            size_t len = n - at < PART_ELEMENTS ? n - at : PART_ELEMENTS;
            convert_widen((const float *)src + at, part, len);
            f64_to_int(to, part, bytes + at * swim_type_size(to), len, replace);
        }
}

/* The fill value as type to; out of range it is the nearest. */
static int replace_prepare(struct replace *replace, double fill, swim_error_t *err)
{
    const struct replace none = {false, replace->to, {0}};

    if (swim_type_is_float(replace->to))
        return convert_by_hdf5(SWIM_TYPE_F64, (const unsigned char *)&fill, replace->to,
                               replace->fill, 1, &none, err);
    float_to_int(SWIM_TYPE_F64, &fill, replace->to, replace->fill, 1, &none);
    return SWIM_OK;
}

int codec_convert(enum swim_type from, const void *src, enum swim_type to, void *dst,
                  size_t n, bool has_fill, double fill, swim_error_t *err)
{
    /* Of a fill value that is NaN the integer is 0. */
    struct replace replace = {has_fill, to, {0}};
    int rc = SWIM_OK;

    if (from == to) {
        if (dst != src)
            memcpy(dst, src, n * swim_type_size(to));
    } else if (from == SWIM_TYPE_F64 && to == SWIM_TYPE_F32) {
        convert_narrow((const double *)src, (float *)dst, n);
    } else if (from == SWIM_TYPE_F32 && to == SWIM_TYPE_F64) {
        convert_widen((const float *)src, (double *)dst, n);
    } else {
        if (replace.has_fill)
            rc = replace_prepare(&replace, fill, err);
        if (rc == SWIM_OK && swim_type_is_float(from) && !swim_type_is_float(to))
            float_to_int(from, src, to, dst, n, &replace);
        else if (rc == SWIM_OK)
            rc = convert_by_hdf5(from, (const unsigned char *)src, to,
                                 (unsigned char *)dst, n, &replace, err);
    }
    if (rc == SWIM_OK && has_fill && !isnan(fill) && swim_type_is_float(from) &&
        swim_type_is_float(to))
        nan_to_fill(to, dst, n, fill);
    return rc;
}
