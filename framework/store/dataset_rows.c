/* dataset_rows.c - what those ask of a dataset who follow it while it grows. */
#include <stdlib.h>
#include <string.h>

#include "store/store_private.h"

int dataset_rows(const struct source *source, const struct dataset_info *info,
                 uint64_t *rows, swim_error_t *err)
{
    hsize_t dims[SWIM_NDIM_MAX] = {0};
    hid_t set = H5Dopen2(source_file(source), info->path, H5P_DEFAULT);
    hid_t space = set < 0 ? H5I_INVALID_HID : H5Dget_space(set);
    int ndim = space < 0 ? -1 : H5Sget_simple_extent_dims(space, dims, NULL);
    int rc = SWIM_OK;

    if (ndim < 0)
        rc = h5_fail(err, SWIM_ERR_IO, "open %s in %s", info->path, info->file);
    bool same = ndim == (int)info->ndim;
    for (uint32_t a = 1; same && a < info->ndim; a++)
        same = dims[a] == info->shape[a];
    if (rc == SWIM_OK && !same)
        rc = swim_error_set(err, SWIM_ERR_IO,
                            "%s in %s was replaced while a job follows it: its shape "
                            "is another one",
                            info->path, info->file);
    *rows = dims[0];
    h5_release(space);
    h5_release(set);
    return rc;
}

bool dataset_has_attribute(const struct source *source, const struct dataset_info *info,
                           const char *name)
{
    hid_t set = H5Dopen2(source_file(source), info->path, H5P_DEFAULT);
    bool has = (set >= 0 && h5_attr_exists(set, name)) ||
               h5_attr_exists(source_file(source), name);

    h5_release(set);
    return has;
}

bool dataset_is_unfinished(const struct source *source, const struct dataset_info *info)
{
    return dataset_has_attribute(source, info, UNFINISHED);
}

/* The numbers from start on, as far as there are so many. */
static int read_part(hid_t scale, hid_t type, uint64_t start, uint64_t count, void *buf)
{
    const hsize_t from = start, n = count;
    hsize_t dim = 0;
    hid_t in_file = H5Dget_space(scale), in_memory = H5Screate_simple(1, &n, NULL);
    bool ok =
        in_file >= 0 && in_memory >= 0 && H5Sget_simple_extent_ndims(in_file) == 1 &&
        H5Sget_simple_extent_dims(in_file, &dim, NULL) == 1 && dim >= start + count &&
        H5Sselect_hyperslab(in_file, H5S_SELECT_SET, &from, NULL, &n, NULL) >= 0 &&
        H5Dread(scale, type, in_memory, in_file, H5P_DEFAULT, buf) >= 0;

    h5_release(in_memory);
    h5_release(in_file);
    return ok ? 0 : -1;
}

int dataset_coordinates(const struct source *source, const struct dataset_info *info,
                        uint64_t start, uint64_t count, void *buf, size_t *n_bytes,
                        swim_error_t *err)
{
    const char *path = info->axis_paths[0];
    hid_t type = H5I_INVALID_HID;
    int rc = SWIM_OK;

    *n_bytes = 0;
    if (!path || count == 0)
        return rc;
    hid_t scale = H5Dopen2(source_file(source), path, H5P_DEFAULT);
    hid_t stored = scale < 0 ? H5I_INVALID_HID : H5Dget_type(scale);
    if (stored < 0)
        rc = h5_fail(err, SWIM_ERR_IO, "open dimension scale %s in %s", path,
                     info->file);
    else if (types_from_h5(stored) != SWIM_TYPE_ANY &&
             !inspect_is_pure_dimension(scale))
        type = H5Tget_native_type(stored, H5T_DIR_ASCEND);
    if (type >= 0 && H5Tget_size(type) <= DATASET_COORDINATE_BYTES &&
        read_part(scale, type, start, count, buf) == 0)
        *n_bytes = (size_t)count * H5Tget_size(type);
    H5Eclear2(H5E_DEFAULT); /* coordinates that are not there are no failure */
    h5_release(type);
    h5_release(stored);
    h5_release(scale);
    return rc;
}
