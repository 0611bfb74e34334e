/* output_virtual.c - outputs whose data are in other files: virtual datasets. */
#include <stdlib.h>
#include <string.h>

#include "store/output_private.h"

static hid_t piece_space(const struct output_spec *spec, size_t piece)
{
    hsize_t dims[SWIM_NDIM_MAX], start[SWIM_NDIM_MAX], count[SWIM_NDIM_MAX];
    const uint64_t *range = spec->pieces->ranges + (size_t)2 * spec->ndim * piece;

    for (uint32_t i = 0; i < spec->ndim; i++) {
        dims[i] = spec->shape[i];
        start[i] = range[i];
        count[i] = range[spec->ndim + i];
    }
    hid_t space = H5Screate_simple((int)spec->ndim, dims, NULL);
    if (space >= 0 &&
        H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL) >= 0)
        return space;
    h5_release(space);
    return H5I_INVALID_HID;
}

/* Without a piece, too, it is virtual: all of it is missing. */
int virtual_layout(hid_t dcpl, const struct output_spec *spec, const char *path,
                   swim_error_t *err)
{
    const struct output_pieces *pieces = spec->pieces;
    bool ok = H5Pset_layout(dcpl, H5D_VIRTUAL) >= 0;

    for (size_t i = 0; ok && i < pieces->n; i++) {
        hid_t space = piece_space(spec, i);
        ok = space >= 0 && H5Pset_virtual(dcpl, space, pieces->files[pieces->file[i]],
                                          path, space) >= 0;
        h5_release(space);
    }
    return ok ? SWIM_OK
              : h5_fail(err, SWIM_ERR_IO, "create %s in %s: join %zu pieces", path,
                        spec->file, pieces->n);
}

int output_history(const char *file, const struct store_access *access, char **line,
                   swim_error_t *err)
{
    hid_t id = H5I_INVALID_HID;
    swim_error_t why = {0};

    *line = NULL;
    int rc = h5_file_open(file, false, access, NULL, &id, NULL, &why);
    if (rc == SWIM_OK && h5_attr_exists(id, "history"))
        rc = h5_attr_text(id, "history", line, &why);
    h5_release(id);
    H5Eclear2(H5E_DEFAULT);
    if (rc == SWIM_ERR_ARG || rc == SWIM_ERR_IO)
        return SWIM_OK;
    if (rc != SWIM_OK)
        return swim_error_set(err, rc, "%s", why.text);
    if (*line)
        (*line)[strcspn(*line, "\n")] = '\0';
    return SWIM_OK;
}
