/* inspect_values.c - what the numbers of a dataset mean: units, packing, sign, missing
 * values and range, by its attributes. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "store/codec.h"
#include "store/store_private.h"

#define RANGE_NEAR 1e-6 /* of a stored number, ... */
#define RANGE_PRECISION \
    1.2e-7 /* and what limits of float32 may be off, to themselves */

/* _Unsigned of the NetCDF Users Guide (appendix B): formats without unsigned integers
 * store them as signed ones; OPeNDAP has no signed bytes, which it says the other way
 * round. */
static int inspect_sign(hid_t set, enum swim_type *type, bool *resigned,
                        swim_error_t *err)
{
    char *says = NULL;
    int rc = h5_attr_text(set, "_Unsigned", &says, err);

    *resigned = rc == SWIM_OK && !swim_type_is_float(*type) &&
                strcasecmp(says, swim_type_is_signed(*type) ? "true" : "false") == 0;
    if (*resigned)
        *type = swim_type_other_sign(*type);
    free(says);
    return rc;
}

/* A number as an integer type with the sign of the file has it, as one of the other
 * sign.  Those that are given as what they mean stay. */
static double resign(enum swim_type type, double value)
{
    const double all = ldexp(1, 8 * (int)swim_type_size(type));

    if (!swim_type_is_signed(type))
        return value < 0 && value >= -all / 2 ? value + all : value;
    return value >= all / 2 && value < all ? value - all : value;
}

/* One of the numbers that an attribute gives as an element of type, if that can be it.
 */
static bool missing_bits(enum swim_type type, const unsigned char *given, double value,
                         unsigned char raw[16])
{
    _Alignas(16) unsigned char bits[16] = {0};
    double back = 0;
    swim_error_t why = {0};

    memcpy(bits, given, swim_type_size(type));
    memcpy(raw, bits, sizeof(bits));
    return codec_convert(type, bits, SWIM_TYPE_F64, &back, 1, false, 0, &why) ==
               SWIM_OK &&
           (swim_type_is_float(type) || back == value);
}

static int missing_add(struct dataset_info *info, const unsigned char raw[16],
                       swim_error_t *err)
{
    int rc = SWIM_OK;

    for (uint32_t i = 0; i < info->n_missing; i++)
        if (memcmp(info->missing_raw[i], raw, 16) == 0)
            return SWIM_OK;
    if (info->n_missing == DATASET_MISSING_MOST)
        return swim_error_set(err, SWIM_ERR_ARG,
                              "%s in %s has more than %d missing values by its "
                              "attributes _FillValue and missing_value: replace some "
                              "of them by others, and shorten missing_value",
                              info->path, info->file, DATASET_MISSING_MOST);
    if (info->n_missing == 0)
        rc = codec_convert(info->stored_type, raw, SWIM_TYPE_F64, &info->missing, 1,
                           false, 0, err);
    memcpy(info->missing_raw[info->n_missing++], raw, 16);
    info->has_missing = true;
    return rc;
}

/* Add the missing values that an attribute names: one, or several (NetCDF Users Guide,
 * appendix A: missing_value).  One that the stored type cannot hold (1e20 for 16-bit
 * integers) marks nothing, so it is left out.  With _Unsigned it is given as it is
 * stored, or as what it means. */
static int inspect_missing(hid_t set, const char *name, struct dataset_info *info,
                           swim_error_t *err)
{
    enum { MOST = 64 };
    const enum swim_type type = info->stored_type;
    const enum swim_type other = info->resigned ? swim_type_other_sign(type) : type;
    const size_t n = h5_attr_count(set, name), size = swim_type_size(type);
    _Alignas(16) unsigned char given[MOST * 16], signless[MOST * 16], raw[16];
    double values[MOST];
    int rc = SWIM_OK;

    if (n > MOST)
        return swim_error_set(err, SWIM_ERR_ARG,
                              "%s in %s: its attribute %s has %zu values: shorten it",
                              info->path, info->file, name, n);
    if (n == 0 || !h5_attr_numbers(set, name, H5T_NATIVE_DOUBLE, n, values, NULL) ||
        !h5_attr_numbers(set, name, types_native(type), n, given, NULL) ||
        (info->resigned &&
         !h5_attr_numbers(set, name, types_native(other), n, signless, NULL)))
        return SWIM_OK;
    for (size_t i = 0; i < n && rc == SWIM_OK; i++)
        if ((info->resigned &&
             missing_bits(other, signless + i * size, values[i], raw)) ||
            missing_bits(type, given + i * size, values[i], raw))
            rc = missing_add(info, raw, err);
    return rc;
}

static double range_near(double limit)
{
    return RANGE_NEAR + RANGE_PRECISION * fabs(limit);
}

/* Limits of a floating-point type for packed integers are of the values that these
 * stand for (NetCDF Users Guide, appendix A: valid_range).  Stored numbers are whole:
 * those beside a limit that is nearly one are not to be told apart by its rounding. */
static void range_packed(struct dataset_info *info)
{
    double a = (info->low - info->offset) / info->scale;
    double b = (info->high - info->offset) / info->scale;

    info->low = fmin(a, b);
    info->high = fmax(a, b);
    if (isfinite(info->low))
        info->low = ceil(info->low - range_near(info->low));
    if (isfinite(info->high))
        info->high = floor(info->high + range_near(info->high));
}

/* Integers without a missing value get that of netCDF's defaults, if that is none of
 * the valid ones: what is beyond the range becomes it. */
static int range_missing(struct dataset_info *info, swim_error_t *err)
{
    double fill = swim_type_default_fill(info->stored_type);

    if (info->has_missing || swim_type_is_float(info->stored_type) ||
        (fill >= info->low && fill <= info->high))
        return SWIM_OK;
    info->has_missing = info->implied = true;
    info->n_missing = 1;
    info->missing = fill;
    return codec_convert(SWIM_TYPE_F64, &fill, info->stored_type, info->missing_raw[0],
                         1, false, 0, err);
}

/* valid_range or valid_min and valid_max.  What is no range limits nothing. */
static int inspect_range(hid_t set, struct dataset_info *info, swim_error_t *err)
{
    double limits[2] = {-(double)INFINITY, (double)INFINITY};
    bool real[2] = {false, false};
    bool some =
        h5_attr_numbers(set, "valid_range", H5T_NATIVE_DOUBLE, 2, limits, &real[0]);

    if (!some) {
        some =
            h5_attr_numbers(set, "valid_min", H5T_NATIVE_DOUBLE, 1, limits, &real[0]);
        some = h5_attr_numbers(set, "valid_max", H5T_NATIVE_DOUBLE, 1, &limits[1],
                               &real[1]) ||
               some;
    }
    for (int i = 0; info->resigned && i < 2; i++)
        if (!real[i] && isfinite(limits[i]))
            limits[i] = resign(info->stored_type, limits[i]);
    if (!some || !(limits[0] <= limits[1]))
        return SWIM_OK;
    info->ranged = true;
    info->low = swim_type_round(info->stored_type, limits[0]);
    info->high = swim_type_round(info->stored_type, limits[1]);
    if (info->packed && !swim_type_is_float(info->stored_type) && (real[0] || real[1]))
        range_packed(info);
    return range_missing(info, err);
}

int inspect_meaning(hid_t set, struct dataset_info *info, swim_error_t *err)
{
    info->scale = 1;
    bool scaled = h5_attr_number(set, "scale_factor", H5T_NATIVE_DOUBLE, &info->scale);
    bool shifted = h5_attr_number(set, "add_offset", H5T_NATIVE_DOUBLE, &info->offset);
    info->packed = scaled || shifted;
    return info->opaque ? SWIM_OK
                        : inspect_sign(set, &info->stored_type, &info->resigned, err);
}

double inspect_value(const struct dataset_info *info, double stored)
{
    const double value = info->resigned ? resign(info->stored_type, stored) : stored;

    return info->packed ? value * info->scale + info->offset : value;
}

int inspect_attributes(hid_t set, struct dataset_info *info, swim_error_t *err)
{
    int rc = h5_attr_text(set, "units", &info->units, err);

    if (rc == SWIM_OK)
        rc = h5_attr_text(set, "long_name", &info->long_name, err);
    if (rc == SWIM_OK)
        rc = inspect_meaning(set, info, err);
    if (rc == SWIM_OK)
        rc = inspect_missing(set, "_FillValue", info, err);
    if (rc == SWIM_OK)
        rc = inspect_missing(set, "missing_value", info, err);
    return rc == SWIM_OK ? inspect_range(set, info, err) : rc;
}

void dataset_take_raw(struct dataset_info *info)
{
    if (info->resigned)
        info->stored_type = swim_type_other_sign(info->stored_type);
    info->resigned = false;
    info->raw = true;
    info->packed = info->has_missing = info->ranged = false;
    info->n_missing = 0;
}

/* Whether float32 keeps what packed integers mean, to a sixteenth of their step: it has
 * 24 bits, of which an offset that is large beside the step takes some. */
static bool packed_fits_single(const struct dataset_info *info)
{
    const int bits = 8 * (int)swim_type_size(info->stored_type);
    const double step = fabs(info->scale), most = ldexp(step, bits);

    return swim_type_fits(info->stored_type, SWIM_TYPE_F32) &&
           (swim_type_is_float(info->stored_type) ||
            fabs(info->offset) + most <= ldexp(step, 20));
}

enum swim_type dataset_natural_type(const struct dataset_info *info)
{
    if (!info->packed || info->stored_type == SWIM_TYPE_LDOUBLE)
        return info->stored_type;
    return packed_fits_single(info) ? SWIM_TYPE_F32 : SWIM_TYPE_F64;
}
