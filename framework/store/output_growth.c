/* output_growth.c - outputs that become longer along their first axis while a job runs.
 *
 * The dimension scale of that axis becomes longer with them, in the same commits, so
 * that a program that reads the file between two of them finds both of one length. */
#include <stdlib.h>
#include <string.h>

#include "store/output_private.h"

struct growth {
    const char *name;
    hid_t set, scale; /* scale: H5I_INVALID_HID where there is none */
    hid_t type;       /* of coordinates, in memory; H5I_INVALID_HID: there are none */
    uint64_t rows;
};

static int rows_of(hid_t set, hsize_t *dims, uint64_t *rows)
{
    hid_t space = H5Dget_space(set);
    int ndim = space < 0 ? -1 : H5Sget_simple_extent_dims(space, dims, NULL);

    h5_release(space);
    *rows = ndim > 0 ? dims[0] : 0;
    return ndim > 0 ? 0 : -1;
}

int growth_count(hid_t set, const char *name, uint64_t *rows, swim_error_t *err)
{
    hsize_t dims[SWIM_NDIM_MAX] = {0};

    return rows_of(set, dims, rows) == 0
               ? SWIM_OK
               : h5_fail(err, SWIM_ERR_IO, "read the shape of an output in %s", name);
}

static int scale_open(struct growth *g, swim_error_t *err)
{
    char *path = NULL;
    int rc = inspect_scale_path(g->set, 0, &path, err);

    if (rc != SWIM_OK || !path)
        return rc;
    g->scale = H5Dopen2(g->set, path, H5P_DEFAULT);
    hid_t stored = g->scale < 0 ? H5I_INVALID_HID : H5Dget_type(g->scale);
    if (stored >= 0 && !inspect_is_pure_dimension(g->scale))
        g->type = H5Tget_native_type(stored, H5T_DIR_ASCEND);
    h5_release(stored);
    if (g->scale < 0)
        rc = h5_fail(err, SWIM_ERR_IO, "open dimension %s in %s", path, g->name);
    free(path);
    return rc;
}

int growth_open(hid_t set, const char *name, struct growth **out, swim_error_t *err)
{
    struct growth *g = (struct growth *)calloc(1, sizeof(*g));

    *out = NULL;
    if (!g)
        return swim_error_set(err, SWIM_ERR_NOMEM, "open %s", name);
    g->name = name;
    g->set = set;
    g->scale = g->type = H5I_INVALID_HID;
    int rc = growth_count(set, name, &g->rows, err);
    if (rc == SWIM_OK)
        rc = scale_open(g, err);
    if (rc == SWIM_OK)
        *out = g;
    else
        growth_free(g);
    return rc;
}

uint64_t growth_has(const struct growth *g)
{
    return g->rows;
}

int growth_check(hid_t set, const struct output_spec *spec, swim_error_t *err)
{
    uint64_t rows = 0;
    int rc = growth_count(set, spec->file, &rows, err);

    if (rc != SWIM_OK || rows <= spec->shape[0])
        return rc;
    return swim_error_set(
        err, SWIM_ERR_ARG,
        "%s of %s has %llu rows already and the inputs have %llu: they "
        "are not what the job followed; --overwrite starts anew",
        spec->dataset, spec->file, (unsigned long long)rows,
        (unsigned long long)spec->shape[0]);
}

void growth_free(struct growth *g)
{
    if (g)
        h5_release(g->type);
    free(g);
}

static int extend(const struct growth *g, hid_t set, uint64_t rows, swim_error_t *err)
{
    hsize_t dims[SWIM_NDIM_MAX] = {0};
    uint64_t has = 0;

    if (rows_of(set, dims, &has) < 0)
        return h5_fail(err, SWIM_ERR_IO, "read the shape of an output in %s", g->name);
    if (has >= rows) /* a scale that two outputs share */
        return SWIM_OK;
    dims[0] = rows;
    return H5Dset_extent(set, dims) < 0
               ? h5_fail(err, SWIM_ERR_IO, "make an output in %s longer", g->name)
               : SWIM_OK;
}

int growth_rows(struct growth *g, uint64_t rows, swim_error_t *err)
{
    if (rows <= g->rows)
        return SWIM_OK;
    int rc = extend(g, g->set, rows, err);
    if (rc == SWIM_OK && g->scale >= 0)
        rc = extend(g, g->scale, rows, err);
    if (rc == SWIM_OK)
        g->rows = rows;
    return rc;
}

int growth_coordinates(struct growth *g, uint64_t start, uint64_t count,
                       const void *elements, size_t n_bytes, swim_error_t *err)
{
    const hsize_t from = start, n = count;
    int rc = SWIM_OK;

    if (g->type < 0 || count == 0 || n_bytes != count * H5Tget_size(g->type))
        return SWIM_OK;
    hid_t in_file = H5Dget_space(g->scale), in_memory = H5Screate_simple(1, &n, NULL);
    if (in_file < 0 || in_memory < 0 ||
        H5Sselect_hyperslab(in_file, H5S_SELECT_SET, &from, NULL, &n, NULL) < 0 ||
        H5Dwrite(g->scale, g->type, in_memory, in_file, H5P_DEFAULT, elements) < 0)
        rc = h5_fail(err, SWIM_ERR_IO, "write coordinates in %s", g->name);
    h5_release(in_memory);
    h5_release(in_file);
    return rc;
}
