/* output.c - creating output files. */
#include "store/output.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <h5swim/store.h>

#include "store/codec.h"
#include "store/output_private.h"

/* --- checks -------------------------------------------------------------------------
 */

static int spec_fill(const struct output_spec *spec, void *fill, swim_error_t *err)
{
    enum swim_type type = spec->type;
    double back = 0;
    int rc;

    rc = codec_convert(SWIM_TYPE_F64, &spec->fill, type, fill, 1, false, 0, err);
    if (rc != SWIM_OK || swim_type_is_float(type))
        return rc;
    rc = codec_convert(type, fill, SWIM_TYPE_F64, &back, 1, false, 0, err);
    if (rc == SWIM_OK && !(back == spec->fill))
        rc = swim_error_set(
            err, SWIM_ERR_ARG, "create %s in %s: fill value %g is not a value of %s",
            spec->dataset, spec->file, spec->fill, swim_type_name(type));
    return rc;
}

static int spec_check(const struct output_spec *spec, swim_error_t *err)
{
    _Alignas(16) unsigned char fill[16];

    if (swim_type_size(spec->type) == 0 || spec->ndim > SWIM_NDIM_MAX ||
        spec->deflate < 0 || spec->deflate > 9)
        return swim_error_set(err, SWIM_ERR_ARG,
                              "create %s in %s: type %s, %u dimensions, deflate %d",
                              spec->dataset, spec->file, swim_type_name(spec->type),
                              spec->ndim, spec->deflate);
    for (uint32_t i = 0; i < spec->ndim; i++) {
        int from = spec->from_axis[i];
        bool grows = i == 0 && spec->grows;
        if (spec->chunk[i] < 1 || (!grows && spec->chunk[i] > spec->shape[i]))
            return swim_error_set(
                err, SWIM_ERR_ARG,
                "create %s in %s: dimension %u has length %llu, chunk %llu",
                spec->dataset, spec->file, i, (unsigned long long)spec->shape[i],
                (unsigned long long)spec->chunk[i]);
        if (from >= 0 && (!spec->like || (uint32_t)from >= spec->like->ndim ||
                          (!grows && spec->like->shape[from] != spec->shape[i])))
            return swim_error_set(err, SWIM_ERR_ARG,
                                  "create %s in %s: dimension %u is not axis %d of the "
                                  "input",
                                  spec->dataset, spec->file, i, from);
    }
    return spec_fill(spec, fill, err);
}

/* --- groups -------------------------------------------------------------------------
 */

/* Make the group of a dataset, each one on the way with the order of creation, which
 * netCDF-4 wants of all. */
static int group_make(hid_t file, const struct output_spec *spec, char *group,
                      swim_error_t *err)
{
    hid_t gcpl = H5Pcreate(H5P_GROUP_CREATE), id = H5I_INVALID_HID;
    unsigned order = H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED;
    int rc = SWIM_OK;

    if (gcpl < 0 || H5Pset_link_creation_order(gcpl, order) < 0 ||
        H5Pset_attr_creation_order(gcpl, order) < 0)
        rc = h5_fail(err, SWIM_ERR_IO, "make group %s", group);
    for (char *end = group; rc == SWIM_OK && end && strcmp(group, "/") != 0;) {
        end = strchr(end + 1, '/');
        if (end)
            *end = '\0';
        if (H5Lexists(file, group, H5P_DEFAULT) > 0)
            id = H5Gopen2(file, group, H5P_DEFAULT);
        else
            id = H5Gcreate2(file, group, H5P_DEFAULT, gcpl, H5P_DEFAULT);
        if (id < 0)
            rc = h5_fail(err, SWIM_ERR_ARG, "make group %s for %s in %s", group,
                         spec->dataset, spec->file);
        h5_release(id);
        if (end)
            *end = '/';
    }
    h5_release(gcpl);
    return rc;
}

/* --- the dataset --------------------------------------------------------------------
 */

static bool spec_chunks(hid_t dcpl, const struct output_spec *spec)
{
    hsize_t chunk[SWIM_NDIM_MAX];

    for (uint32_t i = 0; i < spec->ndim; i++)
        chunk[i] = spec->chunk[i];
    return H5Pset_chunk(dcpl, (int)spec->ndim, chunk) >= 0 &&
           H5Pset_alloc_time(dcpl, H5D_ALLOC_TIME_INCR) >= 0 &&
           (!spec->shuffle || H5Pset_shuffle(dcpl) >= 0) &&
           (!spec->deflate || H5Pset_deflate(dcpl, (unsigned)spec->deflate) >= 0) &&
           (!spec->fletcher32 || H5Pset_fletcher32(dcpl) >= 0);
}

/* The type as it is stored; a named one belongs to the file of like. */
static hid_t spec_type(const struct output_spec *spec, hid_t like)
{
    hid_t of_like = spec->opaque && like >= 0 ? H5Dget_type(like) : H5I_INVALID_HID;
    hid_t type = H5Tcopy(of_like >= 0 ? of_like : types_native(spec->type));

    h5_release(of_like);
    return type;
}

/* The fill value of like to the last bit, if it has one. */
static bool dcpl_fill_like(hid_t dcpl, const struct output_spec *spec, hid_t like)
{
    _Alignas(16) unsigned char fill[16] = {0};
    hid_t type = spec_type(spec, like), of_like = H5Dget_create_plist(like);
    H5D_fill_value_t defined = H5D_FILL_VALUE_ERROR;
    bool ok = of_like >= 0 && H5Pfill_value_defined(of_like, &defined) >= 0;

    if (ok && defined == H5D_FILL_VALUE_USER_DEFINED)
        ok = H5Pget_fill_value(of_like, type, fill) >= 0 &&
             H5Pset_fill_value(dcpl, type, fill) >= 0;
    h5_release(of_like);
    h5_release(type);
    return ok;
}

static hid_t spec_dcpl(const struct output_spec *spec, const char *path,
                       const void *fill, hid_t like)
{
    hid_t dcpl = H5Pcreate(H5P_DATASET_CREATE);
    unsigned order = H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED;
    bool ok = dcpl >= 0 && H5Pset_attr_creation_order(dcpl, order) >= 0 &&
              H5Pset_fill_time(dcpl, H5D_FILL_TIME_IFSET) >= 0;

    if (ok && spec->verbatim && like >= 0)
        ok = dcpl_fill_like(dcpl, spec, like);
    else if (ok)
        ok = H5Pset_fill_value(dcpl, types_native(spec->type), fill) >= 0;
    if (ok && spec->pieces)
        ok = virtual_layout(dcpl, spec, path, NULL) == SWIM_OK;
    else if (ok && spec->ndim > 0)
        ok = spec_chunks(dcpl, spec);
    if (!ok) {
        h5_release(dcpl);
        return H5I_INVALID_HID;
    }
    return dcpl;
}

static int spec_make(hid_t file, const struct output_spec *spec, const char *path,
                     hid_t like, hid_t *out, swim_error_t *err)
{
    _Alignas(16) unsigned char fill[16] = {0};
    hsize_t dims[SWIM_NDIM_MAX] = {0}, most[SWIM_NDIM_MAX];
    hid_t dcpl = H5I_INVALID_HID, space = H5I_INVALID_HID, type = H5I_INVALID_HID;
    int rc = spec_fill(spec, fill, err);

    *out = H5I_INVALID_HID;
    if (rc != SWIM_OK)
        return rc;
    for (uint32_t i = 0; i < spec->ndim; i++)
        dims[i] = most[i] = spec->shape[i];
    if (spec->grows) {
        dims[0] = 0;
        most[0] = H5S_UNLIMITED;
    }
    space = spec->ndim ? H5Screate_simple((int)spec->ndim, dims, most)
                       : H5Screate(H5S_SCALAR);
    dcpl = spec_dcpl(spec, path, fill, like);
    type = spec_type(spec, like);
    if (space >= 0 && dcpl >= 0 && type >= 0)
        *out = H5Dcreate2(file, path, type, space, H5P_DEFAULT, dcpl, H5P_DEFAULT);
    if (*out < 0)
        rc = h5_fail(err, SWIM_ERR_IO, "create %s in %s", path, spec->file);
    h5_release(type);
    h5_release(dcpl);
    h5_release(space);
    return rc;
}

/* What describes how the input was stored, or what its numbers meant. */
static bool spec_skip_attribute(const char *name)
{
    static const char *const skipped[] = {
        "_FillValue",  "missing_value", "scale_factor", "add_offset", "units",
        "long_name",   "cell_methods",  "valid_range",  "valid_min",  "valid_max",
        "valid_count", "actual_range",  "bounds",       "_Unsigned",  "flag_values",
        "flag_masks",  "flag_meanings", "dtype"};

    for (size_t i = 0; i < sizeof(skipped) / sizeof(*skipped); i++)
        if (strcmp(name, skipped[i]) == 0)
            return true;
    return scales_skip_attribute(name);
}

static bool verbatim_skip_attribute(const char *name)
{
    return strcmp(name, "units") == 0 || strcmp(name, "long_name") == 0 ||
           strcmp(name, "cell_methods") == 0 || strcmp(name, "bounds") == 0 ||
           scales_skip_attribute(name);
}

/* What a quantity of another name is, the input's standard_name does not say. */
static bool spec_skip_named(const char *name)
{
    return strcmp(name, "standard_name") == 0 || spec_skip_attribute(name);
}

/* A text of the output: given, or as the input's, or none. */
static int spec_put_text(hid_t set, const char *name, const char *given, hid_t like,
                         swim_error_t *err)
{
    char *copied = NULL;
    int rc = SWIM_OK;

    if (!given && like >= 0)
        rc = h5_attr_text(like, name, &copied, err);
    if (!given)
        given = copied;
    if (rc == SWIM_OK && given && given[0])
        rc = h5_attr_put_text(set, name, given, err);
    free(copied);
    return rc;
}

static int spec_put_methods(hid_t set, const struct output_spec *spec, hid_t like,
                            swim_error_t *err)
{
    const char *more = spec->more_methods, *first = spec->cell_methods;
    char *copied = NULL, *all = NULL;
    int rc = SWIM_OK;

    if (!more)
        return spec_put_text(set, "cell_methods", first, like, err);
    if (!first && like >= 0)
        rc = h5_attr_text(like, "cell_methods", &copied, err);
    if (!first)
        first = copied ? copied : "";
    if (rc == SWIM_OK &&
        asprintf(&all, "%s%s%s", first, first[0] ? " " : "", more) < 0) {
        all = NULL;
        rc = swim_error_set(err, SWIM_ERR_NOMEM, "create %s", spec->dataset);
    }
    if (rc == SWIM_OK)
        rc = h5_attr_put_text(set, "cell_methods", all, err);
    free(all);
    free(copied);
    return rc;
}

static int spec_attributes(hid_t set, const struct output_spec *spec, hid_t like,
                           swim_error_t *err)
{
    hid_t native = types_native(spec->type);
    _Alignas(16) unsigned char fill[16] = {0};
    int rc = spec_fill(spec, fill, err);

    bool verbatim = spec->verbatim && like >= 0;
    if (rc == SWIM_OK && !verbatim)
        rc = h5_attr_put_number(set, "_FillValue", native, fill, err);
    if (rc == SWIM_OK && !verbatim && like >= 0 &&
        h5_attr_exists(like, "missing_value"))
        rc = h5_attr_put_number(set, "missing_value", native, fill, err);
    if (rc == SWIM_OK && spec->packed)
        rc = h5_attr_put_number(set, "scale_factor", H5T_NATIVE_DOUBLE, &spec->scale,
                                err);
    if (rc == SWIM_OK && spec->packed)
        rc = h5_attr_put_number(set, "add_offset", H5T_NATIVE_DOUBLE, &spec->offset,
                                err);
    if (rc == SWIM_OK)
        rc = spec_put_text(set, "units", spec->units, like, err);
    if (rc == SWIM_OK)
        rc = spec_put_text(set, "long_name", spec->long_name, like, err);
    if (rc == SWIM_OK)
        rc = spec_put_methods(set, spec, like, err);
    if (rc == SWIM_OK && like >= 0)
        rc = h5_attr_copy_all(like, set,
                              verbatim          ? verbatim_skip_attribute
                              : spec->long_name ? spec_skip_named
                                                : spec_skip_attribute,
                              err);
    return rc;
}

/* --- one output in the new file
 * -------------------------------------------------------- */

static bool spec_skip_global(const char *name)
{
    return strcmp(name, "history") == 0 || scales_skip_attribute(name);
}

/* The new line of the history in front of the old ones. */
static int put_history(hid_t file, hid_t like_file, const char *line, swim_error_t *err)
{
    char *old = NULL, *all = NULL;
    int rc = SWIM_OK;

    if (like_file >= 0)
        rc = h5_attr_text(like_file, "history", &old, err);
    if (rc == SWIM_OK &&
        asprintf(&all, "%s%s%s", line, old && old[0] ? "\n" : "", old ? old : "") < 0) {
        all = NULL;
        rc = swim_error_set(err, SWIM_ERR_NOMEM, "write the history");
    }
    if (rc == SWIM_OK)
        rc = h5_attr_put_text(file, "history", all, err);
    free(all);
    free(old);
    return rc;
}

static int put_global(hid_t file, const struct output_spec *spec, const char *history,
                      swim_error_t *err)
{
    hid_t like_file = spec->like ? source_file(spec->like_source) : H5I_INVALID_HID;
    int rc = SWIM_OK;

    if (history)
        rc = put_history(file, like_file, history, err);
    if (rc == SWIM_OK && like_file >= 0)
        rc = h5_attr_copy_all(like_file, file,
                              history ? spec_skip_global : scales_skip_attribute, err);
    return rc;
}

static int put_output(hid_t file, struct scales *scales, const struct output_spec *spec,
                      const char *mark, swim_error_t *err)
{
    hid_t like_file = spec->like ? source_file(spec->like_source) : H5I_INVALID_HID;
    hid_t like = H5I_INVALID_HID, set = H5I_INVALID_HID;
    char *path = h5_path_normal(spec->dataset);
    char *group = path ? strndup(path, (size_t)(h5_path_base(path) - path)) : NULL;
    int rc = SWIM_OK;

    if (!group)
        rc = swim_error_set(err, SWIM_ERR_NOMEM, "create %s", spec->dataset);
    else if (group[1]) /* "/a/" as "/a" */
        group[strlen(group) - 1] = '\0';
    if (rc == SWIM_OK && !h5_path_base(path)[0])
        rc = swim_error_set(err, SWIM_ERR_ARG,
                            "create \"%s\" in %s: it is no name of a dataset",
                            spec->dataset, spec->file);
    if (rc == SWIM_OK && spec->like && !spec->bare) {
        like = H5Dopen2(like_file, spec->like->path, H5P_DEFAULT);
        if (like < 0)
            rc = h5_fail(err, SWIM_ERR_IO, "open %s in %s", spec->like->path,
                         spec->like->file);
    }
    if (rc == SWIM_OK)
        rc = group_make(file, spec, group, err);
    if (rc == SWIM_OK)
        rc = spec_make(file, spec, path, like, &set, err);
    if (rc == SWIM_OK && !spec->plain)
        rc = spec_attributes(set, spec, like, err);
    if (rc == SWIM_OK)
        rc = h5_attr_put_text(set, UNFINISHED, mark, err);
    if (rc == SWIM_OK && !spec->plain)
        rc = scales_attach(scales, spec, group, like_file, set, err);
    if (rc == SWIM_OK && spec->like && !spec->bare)
        rc = companions_of_output(scales, spec, group, like_file, set, err);
    h5_release(set);
    h5_release(like);
    free(group);
    free(path);
    return rc;
}

/* --- the file
 * --------------------------------------------------------------------------- */

/* The folder that a file is in. */
static void folder_of(const char *file, char dir[PATH_MAX])
{
    const char *base = h5_path_base(file);

    snprintf(dir, PATH_MAX, "%.*s", base == file ? 1 : (int)(base - file),
             base == file ? "." : file);
}

/* Whether a file can be there at all. */
static int place_check(const char *file, swim_error_t *err)
{
    char dir[PATH_MAX];
    struct stat st;

    folder_of(file, dir);
    if (!h5_path_base(file)[0])
        return swim_error_set(err, SWIM_ERR_ARG, "create %s: it is a directory", file);
    if (stat(dir, &st) < 0 || !S_ISDIR(st.st_mode))
        return swim_error_set(err, SWIM_ERR_ARG, "create %s: no directory %s", file,
                              dir);
    if (stat(file, &st) == 0 && !S_ISREG(st.st_mode))
        return swim_error_set(err, SWIM_ERR_ARG,
                              "make the output %s: a %s is there; give it another name",
                              file, S_ISDIR(st.st_mode) ? "directory" : "special file");
    return SWIM_OK;
}

int output_replace_check(const char *file, swim_error_t *err)
{
    char dir[PATH_MAX];
    struct stat st;
    int rc = place_check(file, err);

    if (rc != SWIM_OK)
        return rc;
    folder_of(file, dir);
    if (access(dir, W_OK | X_OK) != 0)
        return swim_error_set(err, SWIM_ERR_IO,
                              "make the output %s: this user cannot make files in %s: "
                              "%s (change its rights, or give it another folder)",
                              file, dir, strerrordesc_np(errno));
    if (stat(file, &st) == 0 && st.st_nlink > 1)
        return swim_error_set(err, SWIM_ERR_ARG,
                              "make the output %s: the file there has %ju names (hard "
                              "links); give it another name",
                              file, (uintmax_t)st.st_nlink);
    return SWIM_OK;
}

static int file_fill(hid_t id, const char *file, const struct output_spec *specs,
                     size_t n_specs, const char *history, const struct output_job *job,
                     swim_error_t *err)
{
    struct scales *scales = NULL;
    int rc = progress_make(id, file, job, err);

    if (rc == SWIM_OK && job->shard_of)
        rc = h5_attr_put_text(id, SHARD_OF, job->shard_of, err);
    if (rc == SWIM_OK)
        rc = scales_create(id, specs, n_specs, &scales, err);
    if (rc == SWIM_OK && n_specs > 0)
        rc = put_global(id, &specs[0], history, err);
    for (size_t i = 0; i < n_specs && rc == SWIM_OK; i++)
        rc = put_output(id, scales, &specs[i], job->mark, err);
    scales_destroy(scales);
    return rc;
}

int output_create(const char *file, bool replace, const struct output_spec *specs,
                  size_t n_specs, const char *history, const struct output_job *job,
                  const struct store_access *access, swim_error_t *err)
{
    hid_t id = H5I_INVALID_HID;
    int rc = place_check(file, err);

    for (size_t i = 0; i < n_specs && rc == SWIM_OK; i++)
        rc = spec_check(&specs[i], err);
    if (rc == SWIM_OK && !replace)
        rc = output_refuse_existing(file, access, err);
    if (rc == SWIM_OK)
        rc = h5_file_create(file, !replace, access, &id, err);
    if (rc == SWIM_OK)
        rc = file_fill(id, file, specs, n_specs, history, job, err);
    if (rc == SWIM_OK)
        return swim_close(id, err);
    h5_file_drop(id);
    return rc;
}
