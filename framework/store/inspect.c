/* inspect.c - what a dataset is: shape, type, filters, axes. */
#include <hdf5_hl.h>
#include <stdlib.h>
#include <string.h>

#include "store/codec.h"
#include "store/store_private.h"

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

/* n coordinates from one on as double, unpacked; none when they are not one number per
 * element. */
static int coordinates_read(hid_t scale, const struct swim_axis *axis, uint64_t from,
                            uint64_t n, double **out, swim_error_t *err)
{
    const hsize_t start = from, count = n;
    hid_t memory = H5I_INVALID_HID;
    hid_t type = H5Dget_type(scale), space = H5Dget_space(scale);
    double *values = NULL;
    enum swim_type means = type < 0 ? SWIM_TYPE_ANY : types_from_h5(type);
    struct dataset_info how = {.stored_type = means};
    int rc = SWIM_OK;

    if (type < 0 || space < 0 || means == SWIM_TYPE_ANY ||
        H5Sget_simple_extent_ndims(space) != 1 ||
        H5Sget_simple_extent_npoints(space) != (hssize_t)axis->length)
        goto out;
    values = (double *)calloc(n, sizeof(*values));
    memory = H5Screate_simple(1, &count, NULL);
    if (!values)
        rc = swim_error_set(err, SWIM_ERR_NOMEM, "read coordinates of %s", axis->name);
    else if (memory < 0 ||
             H5Sselect_hyperslab(space, H5S_SELECT_SET, &start, NULL, &count, NULL) <
                 0 ||
             H5Dread(scale, H5T_NATIVE_DOUBLE, memory, space, H5P_DEFAULT, values) < 0)
        rc = h5_fail(err, SWIM_ERR_IO, "read coordinates of %s", axis->name);
    if (rc == SWIM_OK)
        rc = inspect_meaning(scale, &how, err);
    for (uint64_t i = 0; values && i < n; i++)
        values[i] = inspect_value(&how, values[i]);
    if (rc == SWIM_OK) {
        *out = values;
        values = NULL;
    }
out:
    free(values);
    h5_release(memory);
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

/* values: its coordinates, too */
static int axis_read(hid_t file, const char *path, bool values, struct swim_axis *axis,
                     swim_error_t *err)
{
    double *all = NULL;
    hid_t scale = H5Dopen2(file, path, H5P_DEFAULT);
    int rc;

    if (scale < 0)
        return h5_fail(err, SWIM_ERR_IO, "open dimension scale %s", path);
    rc = axis_texts(scale, axis, err);
    if (rc == SWIM_OK && values && !inspect_is_pure_dimension(scale))
        rc = coordinates_read(scale, axis, 0, axis->length, &all, err);
    axis->values = all;
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
            rc = axis_read(file, info->axis_paths[i], !info->bare, &info->axes[i], err);
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

/* wish.grows: the first axis may be of length 0, and inspect_shape() says whether it
 * grows; likewise opaque: elements need not be numbers; bare: no coordinates */
static int inspect_any(const struct source *source, const char *dataset,
                       struct dataset_info wish, struct dataset_info **out,
                       swim_error_t *err)
{
    const char *file = source_name(source);
    struct dataset_info *info = (struct dataset_info *)calloc(1, sizeof(*info));
    int rc = SWIM_OK;

    *out = NULL;
    if (!info)
        return swim_error_set(err, SWIM_ERR_NOMEM, "inspect %s in %s", dataset, file);
    *info = wish;
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
    return inspect_any(source, dataset, (struct dataset_info){0}, out, err);
}

int dataset_inspect_growing(const struct source *source, const char *dataset,
                            struct dataset_info **out, swim_error_t *err)
{
    return inspect_any(source, dataset, (struct dataset_info){.grows = true}, out, err);
}

int dataset_inspect_copy(const struct source *source, const char *dataset, bool growing,
                         struct dataset_info **out, swim_error_t *err)
{
    const struct dataset_info wish = {.grows = growing, .opaque = true};

    return inspect_any(source, dataset, wish, out, err);
}

int dataset_inspect_bare(const struct source *source, const char *dataset,
                         struct dataset_info **out, swim_error_t *err)
{
    return inspect_any(source, dataset, (struct dataset_info){.bare = true}, out, err);
}

int dataset_coordinate(const struct source *source, const struct dataset_info *info,
                       uint32_t axis, uint64_t at, double *value, bool *is,
                       swim_error_t *err)
{
    const char *path = info->axis_paths[axis];
    double *one = NULL;
    int rc = SWIM_OK;

    *is = false;
    if (!path)
        return SWIM_OK;
    hid_t scale = H5Dopen2(source_file(source), path, H5P_DEFAULT);
    if (scale < 0)
        return h5_fail(err, SWIM_ERR_IO, "open dimension scale %s", path);
    if (!inspect_is_pure_dimension(scale))
        rc = coordinates_read(scale, &info->axes[axis], at, 1, &one, err);
    h5_release(scale);
    *is = one != NULL;
    *value = one ? *one : 0;
    free(one);
    return rc;
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
