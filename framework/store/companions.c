/* companions.c - variables that others name in their attributes.
 *
 * CF links variables by name: bounds, coordinates, grid_mapping.  A name that leads
 * nowhere makes readers warn or fail, so either the variable comes along or the name
 * goes. */
#include <hdf5_hl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/store_private.h"

/* One variable to bring along. */
struct companion {
    struct scales *scales;
    const char *group;
    hid_t like_file;
    const char *file;               /* name of like_file */
    const struct output_spec *spec; /* its axes must be kept; NULL: no such condition */
};

/* Whether a dimension of the source is one that the output has in full. */
static bool axis_is_kept(const struct output_spec *spec, const char *scale_path)
{
    for (uint32_t i = 0; i < spec->ndim; i++) {
        int from = spec->from_axis[i];
        if (from >= 0 && spec->like->axis_paths[from] &&
            strcmp(spec->like->axis_paths[from], scale_path) == 0)
            return true;
    }
    return false;
}

/* Paths of the scales of all dimensions; *n is -1 when one has none, is not kept or
 * grows, as what is copied once would not. */
static int companion_axes(const struct companion *c, hid_t set, char **paths, int *n,
                          swim_error_t *err)
{
    hid_t space = H5Dget_space(set);
    int ndim = space < 0 ? -1 : H5Sget_simple_extent_ndims(space);
    int rc = SWIM_OK;

    h5_release(space);
    *n = H5DSis_scale(set) > 0 ? -1 : ndim;
    for (int i = 0; i < *n && rc == SWIM_OK; i++) {
        rc = inspect_scale_path(set, (uint32_t)i, &paths[i], err);
        if (rc != SWIM_OK || !paths[i] ||
            (c->spec && !axis_is_kept(c->spec, paths[i])) ||
            scales_grow(c->scales, c->file, paths[i]))
            *n = -1;
    }
    return rc;
}

static int companion_attach(const struct companion *c, hid_t made, char *const *paths,
                            int n, swim_error_t *err)
{
    int rc = SWIM_OK;

    for (int i = 0; i < n && rc == SWIM_OK; i++)
        rc = scales_attach_copy(c->scales, c->group, c->like_file, c->file, paths[i],
                                made, (uint32_t)i, err);
    return rc;
}

static int companion_bounds(const struct companion *c, const char *path, hid_t made,
                            swim_error_t *err);

static int companion_make(const struct companion *c, hid_t set, const char *path,
                          char *const *paths, int n, bool *made_it, swim_error_t *err)
{
    hid_t made = H5I_INVALID_HID;
    int rc =
        scales_copy_dataset(c->scales, set, c->group, h5_path_base(path), &made, err);

    *made_it = rc == SWIM_OK && made >= 0;
    if (*made_it)
        rc = scales_note(c->scales, c->group, c->file, path, err);
    if (*made_it && rc == SWIM_OK)
        rc = companion_attach(c, made, paths, n, err);
    if (*made_it && rc == SWIM_OK)
        rc = companion_bounds(c, path, made, err);
    h5_release(made);
    return rc;
}

/* Copy the dataset at path unless it was; *kept says whether the output has it now. */
static int companion_copy(const struct companion *c, const char *path, bool *kept,
                          swim_error_t *err)
{
    char *paths[SWIM_NDIM_MAX] = {NULL};
    hid_t set = H5I_INVALID_HID;
    int n = -1, rc = SWIM_OK;

    *kept = scales_noted(c->scales, c->group, c->file, path) ||
            (c->spec && axis_is_kept(c->spec, path));
    if (*kept)
        return SWIM_OK;
    set = H5Dopen2(c->like_file, path, H5P_DEFAULT);
    if (set < 0) {
        H5Eclear2(H5E_DEFAULT);
        return SWIM_OK;
    }
    rc = companion_axes(c, set, paths, &n, err);
    if (rc == SWIM_OK && n >= 0 &&
        scales_name_is_free(c->scales, c->group, h5_path_base(path)))
        rc = companion_make(c, set, path, paths, n, kept, err);
    for (int i = 0; i < SWIM_NDIM_MAX; i++)
        free(paths[i]);
    h5_release(set);
    return rc;
}

/* Path of a variable that the one at path names: absolute, or in the same group. */
static char *companion_path(const char *path, const char *name)
{
    char *full = NULL;

    if (name[0] == '/')
        return h5_path_normal(name);
    if (asprintf(&full, "%.*s/%s", (int)(h5_path_base(path) - path - 1), path, name) <
        0)
        return NULL;
    return full;
}

/* Go through the words of an attribute; what is left of it are the words kept. */
static int companions_named(const struct companion *c, const char *path,
                            const char *attribute, hid_t made, swim_error_t *err)
{
    char *text = NULL, *left = NULL, *rest = NULL;
    size_t used = 0, size = 0;
    int rc = h5_attr_text(made, attribute, &text, err);

    if (rc != SWIM_OK || !text[0])
        goto out;
    size = strlen(text) + 2;
    left = (char *)calloc(size, 1);
    if (!left) {
        rc = swim_error_set(err, SWIM_ERR_NOMEM, "copy what %s names", path);
        goto out;
    }
    for (char *word = strtok_r(text, " ", &rest); word && rc == SWIM_OK;
         word = strtok_r(NULL, " ", &rest)) {
        char *full = companion_path(path, word);
        bool kept = false;
        rc = full ? companion_copy(c, full, &kept, err)
                  : swim_error_set(err, SWIM_ERR_NOMEM, "copy %s", word);
        if (kept)
            used += (size_t)snprintf(left + used, size - used, "%s%s", used ? " " : "",
                                     h5_path_base(full));
        free(full);
    }
    if (rc == SWIM_OK && used)
        rc = h5_attr_put_text(made, attribute, left, err);
    else if (rc == SWIM_OK && H5Adelete(made, attribute) < 0)
        rc = h5_fail(err, SWIM_ERR_IO, "remove attribute %s", attribute);
out:
    free(left);
    free(text);
    return rc;
}

/* Bounds have a dimension of their own, the corners, that nothing else has. */
static int companion_bounds(const struct companion *c, const char *path, hid_t made,
                            swim_error_t *err)
{
    struct companion free_axes = *c;

    free_axes.spec = NULL;
    return companions_named(&free_axes, path, "bounds", made, err);
}

int companions_of_scale(struct scales *scales, const char *group, hid_t like_file,
                        const char *file, const char *path, hid_t scale,
                        swim_error_t *err)
{
    struct companion c = {scales, group, like_file, file, NULL};

    return companion_bounds(&c, path, scale, err);
}

int companions_of_output(struct scales *scales, const struct output_spec *spec,
                         const char *group, hid_t like_file, hid_t dataset,
                         swim_error_t *err)
{
    static const char *const attributes[] = {"coordinates", "grid_mapping",
                                             "ancillary_variables", "cell_measures"};
    struct companion c = {scales, group, like_file, spec->like->file, spec};
    int rc = SWIM_OK;

    /* cell_measures and ancillary_variables may name large data: those names go. */
    for (size_t i = 2; i < 4 && rc == SWIM_OK; i++)
        if (h5_attr_exists(dataset, attributes[i]) &&
            H5Adelete(dataset, attributes[i]) < 0)
            rc = h5_fail(err, SWIM_ERR_IO, "remove attribute %s", attributes[i]);
    for (size_t i = 0; i < 2 && rc == SWIM_OK; i++)
        rc = companions_named(&c, spec->like->path, attributes[i], dataset, err);
    return rc;
}
