/* inspect.c - what a dataset is: shape, type, filters, missing values, axes. */
#include <hdf5_hl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "store/codec.h"
#include "store/store_private.h"

#define RANGE_NEAR 1e-6 /* of a stored number, ... */
#define RANGE_PRECISION \
    1.2e-7 /* and what limits of float32 may be off, to themselves */

static int no_memory(const struct dataset_info *info, swim_error_t *err)
{
    return swim_error_set(err, SWIM_ERR_NOMEM, "inspect %s in %s", info->path,
                          info->file);
}

/* --- the object ---------------------------------------------------------------- */

static int inspect_open(hid_t file, struct dataset_info *info, hid_t *out,
                        swim_error_t *err)
{
    char hint[320];
    H5I_type_t kind;

    *out = H5Oopen(file, info->path, H5P_DEFAULT);
    if (*out < 0)
        return swim_error_set(err, SWIM_ERR_ARG, "no dataset %s in %s; %s", info->path,
                              info->file,
                              names_hint(file, info->path, hint, sizeof(hint)));
    kind = H5Iget_type(*out);
    if (kind == H5I_DATASET)
        return SWIM_OK;
    names_hint(kind == H5I_GROUP ? *out : file, "", hint, sizeof(hint));
    return swim_error_set(err, SWIM_ERR_ARG, "%s in %s is a %s, not a dataset; %s",
                          info->path, info->file,
                          kind == H5I_GROUP ? "group" : "named type", hint);
}

static int inspect_type(hid_t set, struct dataset_info *info, swim_error_t *err)
{
    hid_t type = H5Dget_type(set);
    int rc = SWIM_OK;

    if (type < 0)
        return h5_fail(err, SWIM_ERR_IO, "read the type of %s in %s", info->path,
                       info->file);
    bool copied = info->opaque;
    info->stored_type = types_from_h5(type);
    info->native = H5Tequal(type, types_native(info->stored_type)) > 0;
    info->opaque = copied && info->stored_type == SWIM_TYPE_ANY;
    if (info->opaque)
        info->stored_type = types_carrier(type);
    if (info->stored_type == SWIM_TYPE_ANY && copied)
        rc = swim_error_set(
            err, SWIM_ERR_ARG,
            "%s in %s is of %s, of %zu bytes; besides numbers elements of "
            "1, 2, 4, 8 or 16 bytes are copied, without parts of "
            "variable length or references: h5repack takes the others",
            info->path, info->file, types_describe(type), H5Tget_size(type));
    else if (info->stored_type == SWIM_TYPE_ANY)
        rc = swim_error_set(
            err, SWIM_ERR_ARG,
            "%s in %s is of %s; kernels that compute take integers up to 64 bits and "
            "floating-point numbers",
            info->path, info->file, types_describe(type));
    h5_release(type);
    return rc;
}

static int inspect_shape(hid_t set, struct dataset_info *info, swim_error_t *err)
{
    hsize_t dims[SWIM_NDIM_MAX] = {0}, most[SWIM_NDIM_MAX] = {0};
    hid_t space = H5Dget_space(set);
    int ndim = space < 0 ? -1 : H5Sget_simple_extent_dims(space, dims, most);
    bool growing = info->grows;
    bool empty = ndim == 0 && H5Sget_simple_extent_type(space) == H5S_NULL;

    h5_release(space);
    if (ndim < 0)
        return h5_fail(err, SWIM_ERR_IO, "read the shape of %s in %s", info->path,
                       info->file);
    info->ndim = (uint32_t)ndim;
    for (uint32_t i = 0; i < info->ndim; i++) {
        info->shape[i] = dims[i];
        empty = empty || (dims[i] == 0 && !(i == 0 && growing));
    }
    info->grows = ndim > 0 && most[0] == H5S_UNLIMITED;
    if (empty)
        return swim_error_set(err, SWIM_ERR_ARG, "%s in %s has no elements", info->path,
                              info->file);
    return SWIM_OK;
}

static void inspect_filters(hid_t dcpl, struct dataset_info *info)
{
    int n = H5Pget_nfilters(dcpl);

    for (int i = 0; i < n; i++) {
        unsigned flags = 0, config = 0, values[8] = {0};
        size_t n_values = sizeof(values) / sizeof(*values);
        H5Z_filter_t filter = H5Pget_filter2(dcpl, (unsigned)i, &flags, &n_values,
                                             values, 0, NULL, &config);
        if (filter == H5Z_FILTER_DEFLATE)
            info->deflate = (int)values[0];
        else if (filter == H5Z_FILTER_SHUFFLE)
            info->shuffle = true;
        else if (filter == H5Z_FILTER_FLETCHER32)
            info->fletcher32 = true;
        else
            info->other_filters = true;
    }
}

static int inspect_layout(hid_t set, struct dataset_info *info, swim_error_t *err)
{
    hsize_t chunk[SWIM_NDIM_MAX] = {0};
    hid_t dcpl = H5Dget_create_plist(set);

    if (dcpl < 0)
        return h5_fail(err, SWIM_ERR_IO, "read the layout of %s in %s", info->path,
                       info->file);
    info->chunked = H5Pget_layout(dcpl) == H5D_CHUNKED &&
                    H5Pget_chunk(dcpl, (int)info->ndim, chunk) >= 0;
    for (uint32_t i = 0; info->chunked && i < info->ndim; i++)
        info->chunk[i] = chunk[i];
    haddr_t place =
        H5Pget_layout(dcpl) == H5D_CONTIGUOUS ? H5Dget_offset(set) : HADDR_UNDEF;
    info->place = place == HADDR_UNDEF ? 0 : place;
    inspect_filters(dcpl, info);
    h5_release(dcpl);
    return SWIM_OK;
}

/* --- attributes ------------------------------------------------------------------ */

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

/* The number of an attribute as elements of type, if it is one of its values. */
static bool missing_bits(hid_t set, const char *name, enum swim_type type,
                         unsigned char raw[16])
{
    double value = 0, back = 0;
    swim_error_t why = {0};

    memset(raw, 0, 16);
    return h5_attr_number(set, name, H5T_NATIVE_DOUBLE, &value) &&
           h5_attr_number(set, name, types_native(type), raw) &&
           codec_convert(type, raw, SWIM_TYPE_F64, &back, 1, false, 0, &why) ==
               SWIM_OK &&
           (swim_type_is_float(type) || back == value);
}

/* Add the missing value that an attribute names.  One that the stored type cannot hold
 * (1e20 for 16-bit integers) marks nothing, so it is left out.  With _Unsigned it is
 * given as it is stored, or as what it means. */
static int inspect_missing_one(hid_t set, const char *name, struct dataset_info *info,
                               swim_error_t *err)
{
    _Alignas(16) unsigned char raw[16];
    const enum swim_type type = info->stored_type;
    int rc = SWIM_OK;

    if (!(info->resigned && missing_bits(set, name, swim_type_other_sign(type), raw)) &&
        !missing_bits(set, name, type, raw))
        return rc;
    if (info->n_missing == 1 && memcmp(info->missing_raw[0], raw, sizeof(raw)) == 0)
        return rc;
    if (info->n_missing == 0)
        rc = codec_convert(type, raw, SWIM_TYPE_F64, &info->missing, 1, false, 0, err);
    memcpy(info->missing_raw[info->n_missing++], raw, sizeof(raw));
    info->has_missing = true;
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
    const bool narrow = info->stored_type == SWIM_TYPE_F32;
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
    info->low = narrow ? (double)(float)limits[0] : limits[0];
    info->high = narrow ? (double)(float)limits[1] : limits[1];
    if (info->packed && !swim_type_is_float(info->stored_type) && (real[0] || real[1]))
        range_packed(info);
    return range_missing(info, err);
}

static int inspect_attributes(hid_t set, struct dataset_info *info, swim_error_t *err)
{
    bool scaled, shifted;
    int rc = h5_attr_text(set, "units", &info->units, err);

    if (rc == SWIM_OK)
        rc = h5_attr_text(set, "long_name", &info->long_name, err);
    info->scale = 1;
    scaled = h5_attr_number(set, "scale_factor", H5T_NATIVE_DOUBLE, &info->scale);
    shifted = h5_attr_number(set, "add_offset", H5T_NATIVE_DOUBLE, &info->offset);
    info->packed = scaled || shifted;
    if (rc == SWIM_OK && !info->opaque)
        rc = inspect_sign(set, &info->stored_type, &info->resigned, err);
    if (rc == SWIM_OK)
        rc = inspect_missing_one(set, "_FillValue", info, err);
    if (rc == SWIM_OK)
        rc = inspect_missing_one(set, "missing_value", info, err);
    return rc == SWIM_OK ? inspect_range(set, info, err) : rc;
}

/* --- axes ------------------------------------------------------------------------ */

bool inspect_is_pure_dimension(hid_t scale)
{
    char name[sizeof(PURE_DIMENSION) + 16] = "";

    return H5DSget_scale_name(scale, name, sizeof(name)) > 0 &&
           strncmp(name, PURE_DIMENSION, strlen(PURE_DIMENSION)) == 0;
}

static char *object_path(hid_t object)
{
    ssize_t n = H5Iget_name(object, NULL, 0);
    char *path = n > 0 ? (char *)calloc((size_t)n + 1, 1) : NULL;

    if (path && H5Iget_name(object, path, (size_t)n + 1) != n) {
        free(path);
        path = NULL;
    }
    return path;
}

static herr_t scale_visit(hid_t set, unsigned dim, hid_t scale, void *arg)
{
    (void)set;
    (void)dim;
    *(char **)arg = object_path(scale);
    return 1; /* the first one */
}

int inspect_scale_path(hid_t dataset, uint32_t dim, char **out, swim_error_t *err)
{
    *out = NULL;
    if (H5DSis_scale(dataset) > 0) {
        *out = object_path(dataset);
        return *out ? SWIM_OK : swim_error_set(err, SWIM_ERR_NOMEM, "read axes");
    }
    if (H5DSget_num_scales(dataset, dim) > 0)
        H5DSiterate_scales(dataset, dim, NULL, scale_visit, out);
    H5Eclear2(H5E_DEFAULT); /* scales that lead nowhere are no scales */
    return SWIM_OK;
}

/* Coordinates as double; none when they are not one number per element. */
static int axis_values(hid_t scale, struct swim_axis *axis, swim_error_t *err)
{
    hid_t type = H5Dget_type(scale), space = H5Dget_space(scale);
    double *values = NULL;
    enum swim_type means = type < 0 ? SWIM_TYPE_ANY : types_from_h5(type);
    bool resigned = false;
    int rc = SWIM_OK;

    if (type < 0 || space < 0 || means == SWIM_TYPE_ANY ||
        H5Sget_simple_extent_ndims(space) != 1 ||
        H5Sget_simple_extent_npoints(space) != (hssize_t)axis->length)
        goto out;
    values = (double *)calloc(axis->length, sizeof(*values));
    if (!values)
        rc = swim_error_set(err, SWIM_ERR_NOMEM, "read coordinates of %s", axis->name);
    else if (H5Dread(scale, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) <
             0)
        rc = h5_fail(err, SWIM_ERR_IO, "read coordinates of %s", axis->name);
    if (rc == SWIM_OK)
        rc = inspect_sign(scale, &means, &resigned, err);
    for (uint64_t i = 0; values && resigned && i < axis->length; i++)
        values[i] = resign(means, values[i]);
    if (rc == SWIM_OK) {
        axis->values = values;
        values = NULL;
    }
out:
    free(values);
    h5_release(space);
    h5_release(type);
    return rc;
}

static int axis_texts(hid_t scale, struct swim_axis *axis, swim_error_t *err)
{
    char *units = NULL, *calendar = NULL, *standard_name = NULL;
    int rc = h5_attr_text(scale, "units", &units, err);

    if (rc == SWIM_OK)
        rc = h5_attr_text(scale, "calendar", &calendar, err);
    if (rc == SWIM_OK)
        rc = h5_attr_text(scale, "standard_name", &standard_name, err);
    axis->units = units;
    axis->calendar = calendar;
    axis->standard_name = standard_name;
    return rc;
}

static int axis_read(hid_t file, const char *path, struct swim_axis *axis,
                     swim_error_t *err)
{
    hid_t scale = H5Dopen2(file, path, H5P_DEFAULT);
    int rc;

    if (scale < 0)
        return h5_fail(err, SWIM_ERR_IO, "open dimension scale %s", path);
    rc = axis_texts(scale, axis, err);
    if (rc == SWIM_OK && !inspect_is_pure_dimension(scale))
        rc = axis_values(scale, axis, err);
    h5_release(scale);
    return rc;
}

/* Without a scale an axis has at most a label (DIMENSION_LABELS) as its name. */
static int axis_plain(hid_t set, uint32_t dim, const char *path, struct swim_axis *axis)
{
    char label[256] = "";

    if (!path && H5DSget_label(set, dim, label, sizeof(label)) < 0)
        label[0] = '\0';
    axis->name = strdup(path ? h5_path_base(path) : label);
    if (path)
        return axis->name ? 0 : -1;
    axis->units = strdup("");
    axis->calendar = strdup("");
    axis->standard_name = strdup("");
    return axis->name && axis->units && axis->calendar && axis->standard_name ? 0 : -1;
}

static int inspect_axes(hid_t file, hid_t set, struct dataset_info *info,
                        swim_error_t *err)
{
    int rc = SWIM_OK;
    size_t n = info->ndim ? info->ndim : 1;

    info->axes = (struct swim_axis *)calloc(n, sizeof(*info->axes));
    info->axis_paths = (char **)calloc(n, sizeof(*info->axis_paths));
    if (!info->axes || !info->axis_paths)
        return no_memory(info, err);
    for (uint32_t i = 0; i < info->ndim && rc == SWIM_OK; i++) {
        info->axes[i].length = info->shape[i];
        if (info->ndim == 1 || H5DSis_scale(set) <= 0)
            rc = inspect_scale_path(set, i, &info->axis_paths[i], err);
        if (rc == SWIM_OK &&
            axis_plain(set, i, info->axis_paths[i], &info->axes[i]) < 0)
            rc = no_memory(info, err);
        if (rc == SWIM_OK && info->axis_paths[i])
            rc = axis_read(file, info->axis_paths[i], &info->axes[i], err);
    }
    return rc;
}

/* --- all of it ------------------------------------------------------------------- */

static int inspect_all(hid_t file, struct dataset_info *info, swim_error_t *err)
{
    hid_t set = H5I_INVALID_HID;
    int rc = inspect_open(file, info, &set, err);

    if (rc == SWIM_OK)
        rc = inspect_type(set, info, err);
    if (rc == SWIM_OK)
        rc = inspect_shape(set, info, err);
    if (rc == SWIM_OK)
        rc = inspect_layout(set, info, err);
    if (rc == SWIM_OK)
        rc = inspect_attributes(set, info, err);
    if (rc == SWIM_OK)
        rc = inspect_axes(file, set, info, err);
    h5_release(set);
    return rc;
}

/* growing: the first axis may be of length 0; copied: elements need not be numbers */
static int inspect_any(const struct source *source, const char *dataset, bool growing,
                       bool copied, struct dataset_info **out, swim_error_t *err)
{
    const char *file = source_name(source);
    struct dataset_info *info = (struct dataset_info *)calloc(1, sizeof(*info));
    int rc = SWIM_OK;

    *out = NULL;
    if (!info)
        return swim_error_set(err, SWIM_ERR_NOMEM, "inspect %s in %s", dataset, file);
    info->grows = growing; /* for inspect_shape(), which says whether it is so */
    info->opaque = copied; /* likewise inspect_type() */
    info->file = strdup(file);
    info->path = h5_path_normal(dataset);
    info->name = info->path ? strdup(h5_path_base(info->path)) : NULL;
    if (!info->file || !info->name)
        rc = swim_error_set(err, SWIM_ERR_NOMEM, "inspect %s in %s", dataset, file);
    if (rc == SWIM_OK)
        rc = inspect_all(source_file(source), info, err);
    if (rc == SWIM_OK)
        *out = info;
    else
        dataset_info_destroy(info);
    return rc;
}

int dataset_inspect(const struct source *source, const char *dataset,
                    struct dataset_info **out, swim_error_t *err)
{
    return inspect_any(source, dataset, false, false, out, err);
}

int dataset_inspect_growing(const struct source *source, const char *dataset,
                            struct dataset_info **out, swim_error_t *err)
{
    return inspect_any(source, dataset, true, false, out, err);
}

int dataset_inspect_copy(const struct source *source, const char *dataset, bool growing,
                         struct dataset_info **out, swim_error_t *err)
{
    return inspect_any(source, dataset, growing, true, out, err);
}

static void axis_free(struct swim_axis *axis)
{
    free((void *)(uintptr_t)axis->name);
    free((void *)(uintptr_t)axis->units);
    free((void *)(uintptr_t)axis->calendar);
    free((void *)(uintptr_t)axis->standard_name);
    free((void *)(uintptr_t)axis->values);
}

void dataset_info_destroy(struct dataset_info *info)
{
    if (!info)
        return;
    for (uint32_t i = 0; i < info->ndim; i++) {
        if (info->axes)
            axis_free(&info->axes[i]);
        if (info->axis_paths)
            free(info->axis_paths[i]);
    }
    free((void *)info->axis_paths);
    free(info->axes);
    free(info->long_name);
    free(info->units_from);
    free(info->units);
    free(info->name);
    free(info->path);
    free(info->file);
    free(info);
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

enum swim_type dataset_natural_type(const struct dataset_info *info)
{
    if (!info->packed || info->stored_type == SWIM_TYPE_LDOUBLE)
        return info->stored_type;
    return swim_type_fits(info->stored_type, SWIM_TYPE_F32) ? SWIM_TYPE_F32
                                                            : SWIM_TYPE_F64;
}
