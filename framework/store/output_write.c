/* output_write.c - writing blocks into output files. */
#include <stdlib.h>
#include <string.h>

#include <h5swim/store.h>

#include "store/output_private.h"

/* --- opening
 * --------------------------------------------------------------------------- */

int output_dataset(hid_t file, const struct output_spec *spec, hid_t *set,
                   swim_error_t *err)
{
    char *path = h5_path_normal(spec->dataset);
    int rc = SWIM_OK;

    *set = path ? H5Dopen2(file, path, H5P_DEFAULT) : H5I_INVALID_HID;
    if (!path)
        rc = swim_error_set(err, SWIM_ERR_NOMEM, "open %s", spec->dataset);
    else if (*set < 0)
        rc = h5_fail(err, SWIM_ERR_IO, "open %s in %s", path, spec->file);
    free(path);
    return rc;
}

bool output_set_fits(hid_t set, const struct output_spec *spec)
{
    hsize_t dims[SWIM_NDIM_MAX] = {0}, chunk[SWIM_NDIM_MAX] = {0};
    hid_t space = H5Dget_space(set), type = H5Dget_type(set);
    hid_t dcpl = H5Dget_create_plist(set);
    int n_filters = spec->ndim == 0 || spec->pieces
                        ? 0
                        : (spec->shuffle ? 1 : 0) + (spec->deflate ? 1 : 0) +
                              (spec->fletcher32 ? 1 : 0);
    bool fits = space >= 0 && type >= 0 && dcpl >= 0 &&
                H5Sget_simple_extent_dims(space, dims, NULL) == (int)spec->ndim &&
                (spec->opaque ? types_carrier(type) == spec->type
                              : H5Tequal(type, types_native(spec->type)) > 0) &&
                H5Pget_nfilters(dcpl) == n_filters;

    if (spec->pieces)
        fits = fits && H5Pget_layout(dcpl) == H5D_VIRTUAL;
    else if (fits && spec->ndim > 0)
        fits = H5Pget_layout(dcpl) == H5D_CHUNKED &&
               H5Pget_chunk(dcpl, (int)spec->ndim, chunk) == (int)spec->ndim;
    for (uint32_t i = 0; fits && i < spec->ndim; i++)
        fits = ((i == 0 && spec->grows) || dims[i] == spec->shape[i]) &&
               (spec->pieces || chunk[i] == spec->chunk[i]);
    h5_release(dcpl);
    h5_release(type);
    h5_release(space);
    return fits;
}

size_t output_mark_digest(const char *mark)
{
    return strcspn(mark, "-");
}

int output_check_mark(hid_t set, const struct output_spec *spec, const char *name,
                      swim_error_t *err)
{
    char *found = NULL;
    int rc = SWIM_OK;

    if (!spec->mark)
        return SWIM_OK;
    if (!h5_attr_exists(set, UNFINISHED) ||
        h5_attr_text(set, UNFINISHED, &found, NULL) != SWIM_OK || !found ||
        strcmp(found, spec->mark) != 0)
        rc = swim_error_set(err, SWIM_ERR_IO,
                            "%s was replaced by another job while this one ran", name);
    free(found);
    return rc;
}

static int output_open_set(struct output *o, size_t i, const struct output_spec *spec,
                           swim_error_t *err)
{
    char *path = h5_path_normal(spec->dataset);
    int rc = SWIM_OK;

    if (!path)
        return swim_error_set(err, SWIM_ERR_NOMEM, "open %s in %s", spec->dataset,
                              o->name);
    o->types[i] = spec->type;
    o->ndims[i] = spec->ndim;
    o->sets[i] = H5Dopen2(o->file, path, H5P_DEFAULT);
    if (o->sets[i] < 0)
        rc = h5_fail(err, SWIM_ERR_IO, "open %s in %s", path, o->name);
    else if (!h5_attr_exists(o->sets[i], UNFINISHED))
        rc = swim_error_set(err, SWIM_ERR_ARG,
                            "open %s in %s: it is no unfinished output of a job", path,
                            o->name);
    else if (!output_set_fits(o->sets[i], spec))
        rc = swim_error_set(err, SWIM_ERR_ARG,
                            "open %s in %s: its shape, type, chunks or filters are not "
                            "those of the job",
                            path, o->name);
    else
        rc = output_check_mark(o->sets[i], spec, o->name, err);
    if (rc == SWIM_OK && spec->grows)
        rc = growth_open(o->sets[i], o->name, &o->growths[i], err);
    free(path);
    return rc;
}

static void output_free(struct output *o)
{
    free(o->sets); /* the ids went with the file, which closes all that is in it */
    free(o->types);
    free(o->ndims);
    for (size_t i = 0; o->growths && i < o->n; i++)
        growth_free(o->growths[i]);
    free((void *)o->growths);
    progress_free(o->progress);
    free(o->name);
    free(o);
}

static struct output *output_alloc(const char *file, size_t n_specs)
{
    struct output *o = (struct output *)calloc(1, sizeof(*o));
    size_t n = n_specs ? n_specs : 1;

    if (!o)
        return NULL;
    o->file = H5I_INVALID_HID;
    o->n = n_specs;
    o->name = strdup(file);
    o->sets = (hid_t *)calloc(n, sizeof(*o->sets));
    o->types = (enum swim_type *)calloc(n, sizeof(*o->types));
    o->ndims = (uint32_t *)calloc(n, sizeof(*o->ndims));
    o->growths = (struct growth **)calloc(n, sizeof(*o->growths));
    if (o->name && o->sets && o->types && o->ndims && o->growths)
        return o;
    output_free(o);
    return NULL;
}

int output_open(const char *file, const struct output_spec *specs, size_t n_specs,
                const struct store_access *access, struct output **out,
                swim_error_t *err)
{
    struct output *o = output_alloc(file, n_specs);
    int rc;

    *out = NULL;
    if (!o)
        return swim_error_set(err, SWIM_ERR_NOMEM, "open %s", file);
    rc = h5_file_open(file, true, access, NULL, &o->file, &o->open, err);
    for (size_t i = 0; i < n_specs && rc == SWIM_OK; i++)
        rc = output_open_set(o, i, &specs[i], err);
    if (rc == SWIM_OK)
        rc = progress_open(o->file, o->name, &o->progress, err);
    if (rc == SWIM_OK) {
        *out = o;
        return SWIM_OK;
    }
    h5_file_drop(o->file);
    (void)openfile_put(o->open, NULL);
    output_free(o);
    return rc;
}

/* --- writing
 * ---------------------------------------------------------------------------- */

/* Before a write: an earlier failure stays the answer. */
static int output_usable(const struct output *o, size_t which, swim_error_t *err)
{
    if (o->failed.code != SWIM_OK)
        return swim_error_set(err, o->failed.code, "%s", o->failed.text);
    if (which >= o->n)
        return swim_error_set(err, SWIM_ERR_ARG, "write %s: it has no output %zu",
                              o->name, which);
    return SWIM_OK;
}

static int output_broke(struct output *o, swim_error_t *err)
{
    h5_fail(&o->failed, SWIM_ERR_IO, "write %s", o->name);
    return swim_error_set(err, o->failed.code, "%s", o->failed.text);
}

int output_write_chunk(struct output *o, size_t which, const uint64_t *coords,
                       const void *bytes, size_t n_bytes, swim_error_t *err)
{
    hsize_t offset[SWIM_NDIM_MAX] = {0};
    int rc = output_usable(o, which, err);

    if (rc != SWIM_OK)
        return rc;
    for (uint32_t i = 0; i < o->ndims[which]; i++)
        offset[i] = coords[i];
    if (H5Dwrite_chunk(o->sets[which], H5P_DEFAULT, 0, offset, n_bytes, bytes) < 0)
        return output_broke(o, err);
    return SWIM_OK;
}

int output_write_slab(struct output *o, size_t which, const uint64_t *start,
                      const uint64_t *count, const void *elements, swim_error_t *err)
{
    hsize_t from[SWIM_NDIM_MAX] = {0}, n[SWIM_NDIM_MAX] = {0};
    hid_t in_file = H5I_INVALID_HID, in_memory = H5I_INVALID_HID;
    int rc = output_usable(o, which, err);
    int ndim;

    if (rc != SWIM_OK)
        return rc;
    ndim = (int)o->ndims[which];
    for (int i = 0; i < ndim; i++) {
        from[i] = start[i];
        n[i] = count[i];
    }
    in_file = H5Dget_space(o->sets[which]);
    in_memory = ndim ? H5Screate_simple(ndim, n, NULL) : H5Screate(H5S_SCALAR);
    hid_t stored = H5Dget_type(o->sets[which]);
    bool opaque = stored >= 0 && types_from_h5(stored) == SWIM_TYPE_ANY;
    if (in_file < 0 || in_memory < 0 || stored < 0 ||
        (ndim &&
         H5Sselect_hyperslab(in_file, H5S_SELECT_SET, from, NULL, n, NULL) < 0) ||
        H5Dwrite(o->sets[which], opaque ? stored : types_native(o->types[which]),
                 in_memory, in_file, H5P_DEFAULT, elements) < 0)
        rc = output_broke(o, err);
    h5_release(stored);
    h5_release(in_memory);
    h5_release(in_file);
    return rc;
}

int output_rows(struct output *o, size_t which, uint64_t rows, swim_error_t *err)
{
    int rc = output_usable(o, which, err);

    if (rc == SWIM_OK && o->growths[which])
        rc = growth_rows(o->growths[which], rows, &o->failed);
    return rc == SWIM_OK ? rc : swim_error_set(err, rc, "%s", o->failed.text);
}

int output_append(struct output *o, size_t which, uint64_t count, const void *elements,
                  uint64_t *at, swim_error_t *err)
{
    int rc = output_usable(o, which, err);

    *at = 0;
    if (rc != SWIM_OK)
        return rc;
    if (!o->growths[which] || o->ndims[which] != 1)
        return swim_error_set(err, SWIM_ERR_ARG,
                              "append to %s: output %zu does not grow", o->name, which);
    *at = growth_has(o->growths[which]);
    if (count == 0)
        return SWIM_OK;
    rc = output_rows(o, which, *at + count, err);
    return rc == SWIM_OK ? output_write_slab(o, which, at, &count, elements, err) : rc;
}

int output_coordinates(struct output *o, size_t which, uint64_t start, uint64_t count,
                       const void *elements, size_t n_bytes, swim_error_t *err)
{
    int rc = output_usable(o, which, err);

    if (rc == SWIM_OK && o->growths[which])
        rc = growth_coordinates(o->growths[which], start, count, elements, n_bytes,
                                &o->failed);
    return rc == SWIM_OK ? rc : swim_error_set(err, rc, "%s", o->failed.text);
}

int output_done(struct output *o, uint64_t block, swim_error_t *err)
{
    int rc = o->failed.code;

    if (rc == SWIM_OK)
        rc = progress_set(o->progress, block, &o->failed);
    return rc == SWIM_OK ? rc : swim_error_set(err, rc, "%s", o->failed.text);
}

/* The bits go with the data that they speak of. */
static void put_progress(struct output *o)
{
    if (o->failed.code == SWIM_OK)
        (void)progress_write(o->progress, &o->failed);
}

static int output_said(const struct output *o, swim_error_t *err)
{
    if (o->failed.code == SWIM_OK)
        return SWIM_OK;
    return swim_error_set(err, o->failed.code, "%s", o->failed.text);
}

int output_commit(struct output *o, swim_error_t *err)
{
    put_progress(o);
    if (o->failed.code == SWIM_OK)
        (void)swim_commit(o->file, &o->failed);
    return output_said(o, err);
}

int output_commit_begin(struct output *o, swim_error_t *err)
{
    put_progress(o);
    if (o->failed.code == SWIM_OK)
        (void)store_commit_begin(o->file, &o->failed);
    return output_said(o, err);
}

bool output_commit_is_over(const struct output *o)
{
    return openfile_commit_is_over(o->open);
}

int output_commit_end(struct output *o, swim_error_t *err)
{
    if (o->failed.code == SWIM_OK)
        (void)openfile_commit_end(o->open, &o->failed);
    return output_said(o, err);
}

bool output_is_wanted(const struct output *o)
{
    return openfile_is_wanted(o->open);
}

int output_close(struct output *o, bool more, swim_error_t *err)
{
    if (!o)
        return SWIM_OK;
    put_progress(o);
    int rc = o->failed.code;
    if (rc == SWIM_OK) {
        rc = swim_close(o->file, err);
        if (rc == SWIM_OK && more)
            openfile_keep_journal(o->open);
    } else {
        swim_error_set(err, rc, "%s", o->failed.text);
        h5_file_drop(o->file);
    }
    /* HDF5 has written to it in the close. */
    int put = openfile_put(o->open, rc == SWIM_OK ? err : NULL);
    output_free(o);
    return rc == SWIM_OK ? put : rc;
}

void output_settle(const char *file, swim_session_t *session)
{
    const struct store_access access = {.session = session, .wait_ms = SWIM_LOCK_TRY};
    hid_t id = H5I_INVALID_HID;

    if (h5_file_open(file, false, &access, NULL, &id, NULL, NULL) == SWIM_OK)
        h5_release(id); /* one that has read copies it when it is the last */
}
