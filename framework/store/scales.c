/* scales.c - dimension scales of output files: made, copied and shared.
 *
 * As netCDF-4 has them: each dimension is a dataset of its own name in the group, with
 * coordinates or, marked in its NAME, without; _Netcdf4Dimid keeps their order. */
#include <hdf5_hl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/hdf5_version.h"
#include "store/store_private.h"

#define GROWING_CHUNK 512 /* coordinates of a dimension that grows */
#define COPY_MAX_BYTES ((size_t)1 << 30)

struct scale {
    char *group, *wanted, *name;     /* name: wanted, or wanted_2 after a conflict */
    char *source_file, *source_path; /* "" for new ones */
    uint64_t length;
    bool grows;     /* length is 0, and there is no end to it */
    double *values; /* NULL: none known */
};

struct note {
    struct note *next;
    char text[]; /* group, file and path */
};

struct scales {
    hid_t file;
    const struct output_spec *specs;
    size_t n_specs;
    struct scale *list;
    size_t n;
    struct note *notes; /* newest first */
};

/* What a dimension should be; the texts are the caller's. */
struct want {
    const char *group, *name;
    uint64_t length;
    bool grows;
    const struct swim_axis *axis; /* NULL: nothing but a length */
    const double *values;
    hid_t like_file;
    const char *source_file, *source_path; /* "" : no dataset to copy */
    const char *made_of; /* in like_file, what new coordinates were made of; or NULL */
};

int scales_create(hid_t file, const struct output_spec *specs, size_t n_specs,
                  struct scales **out, swim_error_t *err)
{
    *out = (struct scales *)calloc(1, sizeof(**out));
    if (!*out)
        return swim_error_set(err, SWIM_ERR_NOMEM, "make dimension scales");
    (*out)->file = file;
    (*out)->specs = specs;
    (*out)->n_specs = n_specs;
    return SWIM_OK;
}

static void scale_clear(struct scale *scale)
{
    free(scale->group);
    free(scale->wanted);
    free(scale->name);
    free(scale->source_file);
    free(scale->source_path);
    free(scale->values);
}

void scales_destroy(struct scales *scales)
{
    if (!scales)
        return;
    for (size_t i = 0; i < scales->n; i++)
        scale_clear(&scales->list[i]);
    while (scales->notes) {
        struct note *note = scales->notes;
        scales->notes = note->next;
        free(note);
    }
    free(scales->list);
    free(scales);
}

int scales_note(struct scales *scales, const char *group, const char *file,
                const char *path, swim_error_t *err)
{
    size_t size = strlen(group) + strlen(file) + strlen(path) + 3;
    struct note *note = (struct note *)malloc(sizeof(*note) + size);

    if (!note)
        return swim_error_set(err, SWIM_ERR_NOMEM, "copy %s", path);
    snprintf(note->text, size, "%s\n%s\n%s", group, file, path);
    note->next = scales->notes;
    scales->notes = note;
    return SWIM_OK;
}

bool scales_noted(const struct scales *scales, const char *group, const char *file,
                  const char *path)
{
    char *text = NULL;
    bool found = false;

    if (asprintf(&text, "%s\n%s\n%s", group, file, path) < 0)
        return false;
    for (const struct note *note = scales->notes; note && !found; note = note->next)
        found = strcmp(note->text, text) == 0;
    free(text);
    return found;
}

bool scales_skip_attribute(const char *name)
{
    static const char *const skipped[] = {
        "DIMENSION_LIST", "REFERENCE_LIST", "DIMENSION_LABELS", "CLASS", "NAME",
        "_NCProperties",  UNFINISHED,       FINISHED,           SHARD_OF};

    for (size_t i = 0; i < sizeof(skipped) / sizeof(*skipped); i++)
        if (strcmp(name, skipped[i]) == 0)
            return true;
    return strncmp(name, "_Netcdf4", 8) == 0 || strncmp(name, "_nc3", 4) == 0;
}

bool scales_grow(const struct scales *scales, const char *file, const char *path)
{
    for (size_t i = 0; i < scales->n; i++)
        if (scales->list[i].grows && strcmp(scales->list[i].source_path, path) == 0 &&
            strcmp(scales->list[i].source_file, file) == 0)
            return true;
    return false;
}

/* --- names and sharing ------------------------------------------------------------ */

bool scales_name_is_free(const struct scales *scales, const char *group,
                         const char *name)
{
    char *path = h5_path_join(group, name);
    bool is_free = path && H5Lexists(scales->file, path, H5P_DEFAULT) <= 0;

    for (size_t i = 0; is_free && i < scales->n_specs; i++) {
        char *other = h5_path_normal(scales->specs[i].dataset);
        is_free = other && strcmp(path, other) != 0;
        free(other);
    }
    free(path);
    return is_free;
}

static char *scale_free_name(const struct scales *scales, const struct want *want)
{
    char *name = strdup(want->name);

    for (int i = 2; name && !scales_name_is_free(scales, want->group, name); i++) {
        free(name);
        if (i > 10000 || asprintf(&name, "%s_%d", want->name, i) < 0)
            return NULL;
    }
    return name;
}

static bool scale_is_same(const struct scale *scale, const struct want *want)
{
    if (strcmp(scale->group, want->group) != 0 ||
        strcmp(scale->wanted, want->name) != 0 || scale->length != want->length ||
        scale->grows != want->grows)
        return false;
    if (want->source_path[0] && strcmp(scale->source_path, want->source_path) == 0 &&
        strcmp(scale->source_file, want->source_file) == 0)
        return true;
    if (!scale->values || !want->values)
        return !scale->values && !want->values;
    for (uint64_t i = 0; i < want->length; i++)
        if (!(scale->values[i] == want->values[i]))
            return false;
    return true;
}

static int scale_remember(struct scales *scales, const struct want *want,
                          const char *name, swim_error_t *err)
{
    struct scale *list =
        (struct scale *)realloc(scales->list, (scales->n + 1) * sizeof(*list));
    struct scale *scale;

    if (!list)
        return swim_error_set(err, SWIM_ERR_NOMEM, "make dimension %s", name);
    scales->list = list;
    scale = &list[scales->n];
    memset(scale, 0, sizeof(*scale));
    scale->group = strdup(want->group);
    scale->wanted = strdup(want->name);
    scale->name = strdup(name);
    scale->source_file = strdup(want->source_file);
    scale->source_path = strdup(want->source_path);
    scale->length = want->length;
    scale->grows = want->grows;
    if (want->values)
        scale->values = (double *)malloc(want->length * sizeof(double));
    if (!scale->group || !scale->wanted || !scale->name || !scale->source_file ||
        !scale->source_path || (want->values && !scale->values)) {
        scale_clear(scale);
        return swim_error_set(err, SWIM_ERR_NOMEM, "make dimension %s", name);
    }
    if (want->values)
        memcpy(scale->values, want->values, want->length * sizeof(double));
    scales->n++;
    return SWIM_OK;
}

/* --- datasets ----------------------------------------------------------------------
 */

static hid_t small_dataset(hid_t file, const char *group, const char *name, hid_t type,
                           hid_t space)
{
    char *path = h5_path_join(group, name);
    hid_t dcpl = H5Pcreate(H5P_DATASET_CREATE), set = H5I_INVALID_HID;

    if (path && dcpl >= 0 &&
        H5Pset_attr_creation_order(dcpl,
                                   H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED) >= 0)
        set = H5Dcreate2(file, path, type, space, H5P_DEFAULT, dcpl, H5P_DEFAULT);
    h5_release(dcpl);
    free(path);
    return set;
}

/* For a dimension that grows: of no length yet. */
static hid_t growing_dataset(hid_t file, const char *group, const char *name,
                             hid_t type)
{
    const hsize_t none = 0, most = H5S_UNLIMITED, chunk = GROWING_CHUNK;
    unsigned order = H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED;
    char *path = h5_path_join(group, name);
    hid_t dcpl = H5Pcreate(H5P_DATASET_CREATE),
          space = H5Screate_simple(1, &none, &most);
    hid_t set = H5I_INVALID_HID;

    if (path && dcpl >= 0 && space >= 0 && H5Pset_chunk(dcpl, 1, &chunk) >= 0 &&
        H5Pset_attr_creation_order(dcpl, order) >= 0)
        set = H5Dcreate2(file, path, type, space, H5P_DEFAULT, dcpl, H5P_DEFAULT);
    h5_release(space);
    h5_release(dcpl);
    free(path);
    return set;
}

/* A simple dataspace of the same shape that cannot grow. */
static hid_t space_fixed(hid_t set)
{
    hsize_t dims[SWIM_NDIM_MAX];
    hid_t space = H5Dget_space(set), fixed = H5I_INVALID_HID;
    int ndim = space < 0 ? -1 : H5Sget_simple_extent_dims(space, dims, NULL);

    if (ndim == 0)
        fixed = H5Scopy(space);
    else if (ndim > 0)
        fixed = H5Screate_simple(ndim, dims, NULL);
    h5_release(space);
    return fixed;
}

static int copy_data(hid_t from, hid_t to, hid_t type, hid_t space, size_t n,
                     swim_error_t *err)
{
    void *buf = calloc(n, H5Tget_size(type));
    int rc = SWIM_OK;

    if (!buf)
        return swim_error_set(err, SWIM_ERR_NOMEM, "copy a coordinate variable");
    if (H5Dread(from, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, buf) < 0)
        rc = h5_fail(err, SWIM_ERR_IO, "read a coordinate variable");
    else if (H5Dwrite(to, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, buf) < 0)
        rc = h5_fail(err, SWIM_ERR_IO, "write a coordinate variable");
    if (H5Tis_variable_str(type) > 0) {
        HDF5_RECLAIM(type, space, buf);
    }
    free(buf);
    return rc;
}

int scales_copy_dataset(struct scales *scales, hid_t from, const char *group,
                        const char *name, hid_t *out, swim_error_t *err)
{
    hid_t stored = H5Dget_type(from), space = space_fixed(from);
    hid_t type = stored < 0 ? H5I_INVALID_HID : H5Tcopy(stored);
    H5T_class_t class = type < 0 ? H5T_NO_CLASS : H5Tget_class(type);
    hssize_t n = space < 0 ? 0 : H5Sget_simple_extent_npoints(space);
    int rc = SWIM_OK;

    *out = H5I_INVALID_HID;
    if ((class != H5T_INTEGER && class != H5T_FLOAT && class != H5T_STRING) || n <= 0 ||
        (size_t)n > COPY_MAX_BYTES / H5Tget_size(type))
        goto out;
    *out = small_dataset(scales->file, group, name, type, space);
    if (*out < 0)
        rc = h5_fail(err, SWIM_ERR_IO, "create %s in group %s", name, group);
    if (rc == SWIM_OK)
        rc = copy_data(from, *out, type, space, (size_t)n, err);
    if (rc == SWIM_OK)
        rc = h5_attr_copy_all(from, *out, scales_skip_attribute, err);
    if (rc != SWIM_OK) {
        h5_release(*out);
        *out = H5I_INVALID_HID;
    }
out:
    h5_release(type);
    h5_release(space);
    h5_release(stored);
    return rc;
}

/* --- the kinds of scales ------------------------------------------------------------
 */

static int scale_set(struct scales *scales, hid_t scale, const char *name, bool pure,
                     uint64_t length, swim_error_t *err)
{
    char mark[sizeof(PURE_DIMENSION) + 24];
    const int id = (int)scales->n;

    snprintf(mark, sizeof(mark), PURE_DIMENSION ".%10llu", (unsigned long long)length);
    if (H5DSset_scale(scale, pure ? mark : name) < 0)
        return h5_fail(err, SWIM_ERR_IO, "make %s a dimension scale", name);
    return h5_attr_put_number(scale, "_Netcdf4Dimid", H5T_NATIVE_INT, &id, err);
}

/* What is still so of coordinates that were made of others. */
static int scale_describe(const struct want *want, hid_t scale, swim_error_t *err)
{
    static const char *const names[] = {"long_name", "positive", "axis"};
    hid_t source = want->made_of ? H5Dopen2(want->like_file, want->made_of, H5P_DEFAULT)
                                 : H5I_INVALID_HID;
    int rc = SWIM_OK;

    for (size_t i = 0; source >= 0 && rc == SWIM_OK && i < 3; i++) {
        char *text = NULL;
        rc = h5_attr_text(source, names[i], &text, err);
        if (rc == SWIM_OK && *text)
            rc = h5_attr_put_text(scale, names[i], text, err);
        free(text);
    }
    h5_release(source);
    return rc;
}

static int scale_make_new(struct scales *scales, const struct want *want,
                          const char *name, hid_t *out, swim_error_t *err)
{
    const struct swim_axis *axis = want->axis;
    const hsize_t length = want->length;
    bool pure = !want->values;
    hid_t space = H5Screate_simple(1, &length, NULL);
    int rc = SWIM_OK;

    *out = small_dataset(scales->file, want->group, name,
                         pure ? H5T_IEEE_F32BE : H5T_NATIVE_DOUBLE, space);
    if (*out < 0)
        rc = h5_fail(err, SWIM_ERR_IO, "create dimension %s", name);
    else if (!pure && H5Dwrite(*out, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT,
                               want->values) < 0)
        rc = h5_fail(err, SWIM_ERR_IO, "write the coordinates of %s", name);
    if (rc == SWIM_OK && !pure && axis && axis->units && axis->units[0])
        rc = h5_attr_put_text(*out, "units", axis->units, err);
    if (rc == SWIM_OK && !pure && axis && axis->calendar && axis->calendar[0])
        rc = h5_attr_put_text(*out, "calendar", axis->calendar, err);
    if (rc == SWIM_OK && !pure && axis && axis->standard_name && axis->standard_name[0])
        rc = h5_attr_put_text(*out, "standard_name", axis->standard_name, err);
    if (rc == SWIM_OK && !pure)
        rc = scale_describe(want, *out, err);
    if (rc == SWIM_OK)
        rc = scale_set(scales, *out, name, pure, want->length, err);
    h5_release(space);
    return rc;
}

/* The coordinates come with the data; attributes are those of the source, if it has
 * coordinates that can be copied. */
static int scale_make_growing(struct scales *scales, const struct want *want,
                              const char *name, hid_t *out, swim_error_t *err)
{
    hid_t source = want->source_path[0]
                       ? H5Dopen2(want->like_file, want->source_path, H5P_DEFAULT)
                       : H5I_INVALID_HID;
    hid_t stored = source < 0 ? H5I_INVALID_HID : H5Dget_type(source);
    bool pure = stored < 0 || types_from_h5(stored) == SWIM_TYPE_ANY ||
                inspect_is_pure_dimension(source);
    int rc = SWIM_OK;

    *out = growing_dataset(scales->file, want->group, name,
                           pure ? H5T_IEEE_F32BE : stored);
    if (*out < 0)
        rc = h5_fail(err, SWIM_ERR_IO, "create dimension %s", name);
    if (rc == SWIM_OK && !pure)
        rc = h5_attr_copy_all(source, *out, scales_skip_attribute, err);
    if (rc == SWIM_OK)
        rc = scale_set(scales, *out, name, pure, 0, err);
    h5_release(stored);
    h5_release(source);
    return rc;
}

/* SWIM_OK and no id: the source has no coordinates that can be copied. */
static int scale_make_copy(struct scales *scales, const struct want *want,
                           const char *name, hid_t *out, swim_error_t *err)
{
    hid_t source = H5Dopen2(want->like_file, want->source_path, H5P_DEFAULT);
    hid_t space = source < 0 ? H5I_INVALID_HID : H5Dget_space(source);
    int rc = SWIM_OK;

    *out = H5I_INVALID_HID;
    if (space < 0)
        rc = h5_fail(err, SWIM_ERR_IO, "open dimension scale %s in %s",
                     want->source_path, want->source_file);
    else if (!inspect_is_pure_dimension(source) &&
             H5Sget_simple_extent_ndims(space) == 1 &&
             H5Sget_simple_extent_npoints(space) == (hssize_t)want->length)
        rc = scales_copy_dataset(scales, source, want->group, name, out, err);
    if (rc == SWIM_OK && *out >= 0)
        rc = scale_set(scales, *out, name, false, want->length, err);
    h5_release(space);
    h5_release(source);
    return rc;
}

static int scale_make(struct scales *scales, const struct want *want, hid_t *out,
                      swim_error_t *err)
{
    char *name = scale_free_name(scales, want);
    int rc = SWIM_OK;

    *out = H5I_INVALID_HID;
    if (!name)
        return swim_error_set(err, SWIM_ERR_NOMEM, "name dimension %s", want->name);
    if (want->grows)
        rc = scale_make_growing(scales, want, name, out, err);
    else if (want->source_path[0])
        rc = scale_make_copy(scales, want, name, out, err);
    if (rc == SWIM_OK && *out < 0)
        rc = scale_make_new(scales, want, name, out, err);
    if (rc == SWIM_OK)
        rc = scale_remember(scales, want, name, err);
    if (rc == SWIM_OK && want->source_path[0])
        rc = companions_of_scale(scales, want->group, want->like_file,
                                 want->source_file, want->source_path, *out, err);
    free(name);
    return rc;
}

static int scale_attach(struct scales *scales, const struct want *want, hid_t dataset,
                        uint32_t dim, swim_error_t *err)
{
    hid_t scale = H5I_INVALID_HID;
    int rc = SWIM_OK;

    for (size_t i = 0; scale < 0 && i < scales->n; i++) {
        if (!scale_is_same(&scales->list[i], want))
            continue;
        char *path = h5_path_join(want->group, scales->list[i].name);
        scale = path ? H5Dopen2(scales->file, path, H5P_DEFAULT) : H5I_INVALID_HID;
        free(path);
        if (scale < 0)
            return h5_fail(err, SWIM_ERR_IO, "open dimension %s", want->name);
    }
    if (scale < 0)
        rc = scale_make(scales, want, &scale, err);
    if (rc == SWIM_OK && H5DSattach_scale(dataset, scale, dim) < 0)
        rc = h5_fail(err, SWIM_ERR_IO, "attach dimension %s", want->name);
    h5_release(scale);
    return rc;
}

/* --- what outputs ask for ------------------------------------------------------------
 */

int scales_attach_copy(struct scales *scales, const char *group, hid_t like_file,
                       const char *file, const char *path, hid_t dataset, uint32_t dim,
                       swim_error_t *err)
{
    hsize_t dims[SWIM_NDIM_MAX] = {0};
    hid_t space = H5Dget_space(dataset);
    int ndim = space < 0 ? -1 : H5Sget_simple_extent_dims(space, dims, NULL);
    struct want want = {.group = group,
                        .name = h5_path_base(path),
                        .like_file = like_file,
                        .source_file = file,
                        .source_path = path};

    h5_release(space);
    if (ndim <= (int)dim)
        return h5_fail(err, SWIM_ERR_IO, "attach dimension %s", want.name);
    want.length = dims[dim];
    return scale_attach(scales, &want, dataset, dim, err);
}

static void want_of_spec(const struct output_spec *spec, uint32_t dim, hid_t like_file,
                         char *plain, size_t plain_size, struct want *want)
{
    const struct dataset_info *like = spec->like;
    int from = spec->from_axis[dim];

    want->length = spec->shape[dim];
    want->like_file = like_file;
    if (like && from >= 0) {
        want->axis = &like->axes[from];
        if (like_file >= 0 && like->axis_paths[from]) {
            want->source_file = like->file;
            want->source_path = like->axis_paths[from];
        }
    } else {
        want->axis = spec->axes[dim];
        if (like && like_file >= 0 && spec->made_of[dim])
            want->made_of = like->axis_paths[spec->made_of[dim] - 1];
    }
    want->grows = dim == 0 && spec->grows;
    if (want->grows)
        want->length = 0;
    want->values = want->axis && !want->grows ? want->axis->values : NULL;
    /* An axis without a name keeps the one that kernels know it by. */
    snprintf(plain, plain_size, "dim_%u", from >= 0 ? (uint32_t)from : dim);
    want->name = want->axis && want->axis->name && want->axis->name[0]
                     ? want->axis->name
                     : plain;
}

int scales_attach(struct scales *scales, const struct output_spec *spec,
                  const char *group, hid_t like_file, hid_t dataset, swim_error_t *err)
{
    int rc = SWIM_OK;

    for (uint32_t i = 0; i < spec->ndim && rc == SWIM_OK; i++) {
        char plain[32];
        struct want want = {.group = group, .source_file = "", .source_path = ""};
        want_of_spec(spec, i, like_file, plain, sizeof(plain), &want);
        if (strchr(want.name, '/')) /* a name from elsewhere must not be a path */
            want.name = h5_path_base(want.name);
        rc = scale_attach(scales, &want, dataset, i, err);
    }
    return rc;
}
