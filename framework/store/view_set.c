/* view_set.c - one dataset of any type: what it is, and its first values. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/hdf5_version.h"
#include "store/view_private.h"

#define VALUE_MAX ((size_t)1 << 20) /* larger elements are not read to be shown */

enum view_kind view_kind_of(const struct source *source, const char *path)
{
    hid_t object = H5Oopen(source_file(source), path, H5P_DEFAULT);
    H5I_type_t type = object < 0 ? H5I_BADID : H5Iget_type(object);

    if (object < 0)
        H5Eclear2(H5E_DEFAULT); /* that there is nothing is no error */
    h5_release(object);
    switch (type) {
    case H5I_GROUP:
        return VIEW_GROUP;
    case H5I_DATASET:
        return VIEW_DATASET;
    case H5I_DATATYPE:
        return VIEW_NAMED_TYPE;
    default:
        return VIEW_NOTHING;
    }
}

/* --- filters ---------------------------------------------------------------------- */

static void write_filter(struct view_writer *w, hid_t dcpl, unsigned i)
{
    unsigned flags = 0, values[8] = {0}, config = 0;
    size_t n = sizeof(values) / sizeof(*values);
    char name[64] = "";

    H5Z_filter_t id =
        H5Pget_filter2(dcpl, i, &flags, &n, values, sizeof(name), name, &config);
    view_write(w, "%s", i ? ", " : "");
    if (id == H5Z_FILTER_DEFLATE)
        view_write(w, "deflate %u", values[0]);
    else if (id == H5Z_FILTER_SHUFFLE)
        view_write(w, "shuffle");
    else if (id == H5Z_FILTER_FLETCHER32)
        view_write(w, "fletcher32");
    else if (id >= 0 && name[0])
        view_write(w, "%s (%d)", name, id);
    else
        view_write(w, "filter %d", id);
    if (id >= 0 && H5Zfilter_avail(id) <= 0)
        view_write(w, ", which is not installed");
    H5Eclear2(H5E_DEFAULT);
}

static const char *layout_name(hid_t dcpl)
{
    if (H5Pget_external_count(dcpl) > 0)
        return "in external files";
    switch (H5Pget_layout(dcpl)) {
    case H5D_CHUNKED:
        return "chunked";
    case H5D_CONTIGUOUS:
        return "contiguous";
    case H5D_COMPACT:
        return "compact, with the header";
    case H5D_VIRTUAL:
        return "virtual, of parts of other datasets";
    default:
        return "of a kind that is not known here";
    }
}

static void set_storage(hid_t set, struct view_set *s)
{
    struct view_writer filters = {.text = s->filters};
    hsize_t chunk[SWIM_NDIM_MAX] = {0};
    hid_t dcpl = H5Dget_create_plist(set);

    if (dcpl < 0)
        return;
    snprintf(s->storage, sizeof(s->storage), "%s", layout_name(dcpl));
    s->chunked = H5Pget_layout(dcpl) == H5D_CHUNKED &&
                 H5Pget_chunk(dcpl, SWIM_NDIM_MAX, chunk) == (int)s->ndim;
    for (uint32_t i = 0; s->chunked && i < s->ndim; i++)
        s->chunk[i] = chunk[i];
    for (int i = 0; i < H5Pget_nfilters(dcpl); i++)
        write_filter(&filters, dcpl, (unsigned)i);
    s->stored = H5Dget_storage_size(set);
    h5_release(dcpl);
}

/* --- type and shape --------------------------------------------------------------- */

static void set_shape(hid_t set, struct view_set *s)
{
    hsize_t dims[SWIM_NDIM_MAX] = {0}, most[SWIM_NDIM_MAX] = {0};
    hid_t space = H5Dget_space(set);
    int ndim = space < 0 ? -1 : H5Sget_simple_extent_dims(space, dims, most);

    s->empty = ndim < 0 || H5Sget_simple_extent_type(space) == H5S_NULL;
    s->ndim = ndim > 0 ? (uint32_t)ndim : 0;
    s->count = s->empty ? 0 : 1;
    for (uint32_t i = 0; i < s->ndim; i++) {
        s->shape[i] = dims[i];
        s->most[i] = most[i] == H5S_UNLIMITED ? UINT64_MAX : most[i];
        s->count *= dims[i];
    }
    h5_release(space);
}

/* Path, type, shape and count. */
static int set_begin(hid_t set, const char *path, struct view_set *s, swim_error_t *err)
{
    struct view_writer w = {.text = s->type};
    hid_t type = H5Dget_type(set);

    if (type < 0)
        return h5_fail(err, SWIM_ERR_IO, "read the type of %s", path);
    view_write_type(&w, type);
    set_shape(set, s);
    s->numeric = types_from_h5(type) != SWIM_TYPE_ANY;
    s->bytes = s->count * H5Tget_size(type);
    h5_release(type);
    s->path = h5_path_normal(path);
    return s->path ? SWIM_OK : swim_error_set(err, SWIM_ERR_NOMEM, "look at %s", path);
}

int view_set(const struct source *source, const char *path, struct view_set **out,
             swim_error_t *err)
{
    hid_t file = source_file(source), set = H5I_INVALID_HID;
    struct view_set *s = calloc(1, sizeof(*s));
    char hint[320];
    int rc = SWIM_OK;

    *out = NULL;
    if (!s)
        return swim_error_set(err, SWIM_ERR_NOMEM, "look at %s", path);
    if (view_kind_of(source, path) != VIEW_DATASET)
        rc = swim_error_set(err, SWIM_ERR_ARG, "no dataset %s in %s; %s", path,
                            source_name(source),
                            names_hint(file, path, hint, sizeof(hint)));
    else if ((set = H5Dopen2(file, path, H5P_DEFAULT)) < 0)
        rc = h5_fail(err, SWIM_ERR_IO, "open %s in %s", path, source_name(source));
    if (rc == SWIM_OK)
        rc = set_begin(set, path, s, err);
    if (rc == SWIM_OK)
        set_storage(set, s);
    h5_release(set);
    if (rc == SWIM_OK)
        *out = s;
    else
        view_set_free(s);
    return rc;
}

void view_set_free(struct view_set *s)
{
    if (s)
        free(s->path);
    free(s);
}

/* --- the first values ------------------------------------------------------------- */

/* How many of them, and where: a box at the beginning, whole rows of the last axes. */
static size_t first_box(const struct view_set *s, hsize_t *count)
{
    size_t n = 1;

    for (uint32_t i = s->ndim; i-- > 0;) {
        size_t room = VIEW_VALUES / n;
        count[i] = s->shape[i] < room ? s->shape[i] : room;
        n *= (size_t)count[i];
    }
    return n;
}

static int read_first(hid_t set, hid_t type, const struct view_set *s,
                      struct view_writer *w, swim_error_t *err)
{
    hsize_t start[SWIM_NDIM_MAX] = {0}, count[SWIM_NDIM_MAX] = {0}, n_wanted;
    const size_t n = first_box(s, count), size = H5Tget_size(type);
    void *bytes = calloc(n, size);
    hid_t space = H5Dget_space(set), wanted = H5I_INVALID_HID;
    int rc = SWIM_OK;

    n_wanted = n;
    if (space >= 0)
        wanted = H5Screate_simple(1, &n_wanted, NULL);
    if (!bytes)
        rc = swim_error_set(err, SWIM_ERR_NOMEM, "read %s", s->path);
    else if (wanted < 0 ||
             (s->ndim > 0 && H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL,
                                                 count, NULL) < 0) ||
             H5Dread(set, type, wanted, space, H5P_DEFAULT, bytes) < 0)
        rc = h5_fail(err, SWIM_ERR_IO, "read %s", s->path);
    if (rc == SWIM_OK) {
        view_write_values(w, type, bytes, n);
        if (n < s->count)
            view_write(w, ", ...");
        HDF5_RECLAIM(type, wanted, bytes);
    }
    h5_release(wanted);
    h5_release(space);
    free(bytes);
    return rc;
}

int view_first_values(const struct source *source, const struct view_set *s,
                      char text[VIEW_TEXT], swim_error_t *err)
{
    struct view_writer w = {.text = text};
    hid_t set = H5Dopen2(source_file(source), s->path, H5P_DEFAULT);
    hid_t stored = set < 0 ? H5I_INVALID_HID : H5Dget_type(set);
    hid_t type = stored < 0 ? H5I_INVALID_HID : view_memory_type(stored);
    int rc = SWIM_OK;

    text[0] = '\0';
    if (stored < 0)
        rc = h5_fail(err, SWIM_ERR_IO, "open %s in %s", s->path, source_name(source));
    else if (type < 0 || H5Tget_size(type) > VALUE_MAX)
        view_write(&w, "(not shown)");
    else if (s->count > 0)
        rc = read_first(set, type, s, &w, err);
    h5_release(type);
    h5_release(stored);
    h5_release(set);
    return rc;
}

/* --- all of a group --------------------------------------------------------------- */

struct listing {
    struct view_list *list;
    size_t room;
    const char *group;
    swim_error_t *err;
    int rc;
};

static int list_add(hid_t object, const char *path, void *arg)
{
    struct listing *l = (struct listing *)arg;
    struct view_list *list = l->list;
    hid_t set = H5I_INVALID_HID;

    if (list->n == l->room) {
        size_t more = l->room ? 2 * l->room : 64;
        struct view_set *grown = reallocarray(list->sets, more, sizeof(*grown));
        if (!grown) {
            l->rc = swim_error_set(l->err, SWIM_ERR_NOMEM, "list datasets");
            return -1;
        }
        list->sets = grown;
        l->room = more;
    }
    struct view_set *s = &list->sets[list->n];
    memset(s, 0, sizeof(*s));
    char *whole = h5_path_join(l->group, path);
    if (!whole)
        l->rc = swim_error_set(l->err, SWIM_ERR_NOMEM, "list datasets");
    else if ((set = H5Dopen2(object, path, H5P_DEFAULT)) < 0)
        l->rc = h5_fail(l->err, SWIM_ERR_IO, "open %s", whole);
    else
        l->rc = set_begin(set, whole, s, l->err);
    h5_release(set);
    free(whole);
    if (l->rc == SWIM_OK)
        list->n++;
    return l->rc == SWIM_OK ? 0 : -1;
}

static int set_order(const void *a, const void *b)
{
    return strcmp(((const struct view_set *)a)->path,
                  ((const struct view_set *)b)->path);
}

int view_list(const struct source *source, const char *group, struct view_list **out,
              swim_error_t *err)
{
    struct listing l = {.list = calloc(1, sizeof(*l.list)), .group = group, .err = err};
    hid_t object = H5Oopen(source_file(source), group, H5P_DEFAULT);

    *out = NULL;
    if (!l.list)
        l.rc = swim_error_set(err, SWIM_ERR_NOMEM, "list datasets");
    else if (object < 0 || (names_each_dataset(object, list_add, &l) < 0 && l.rc == 0))
        l.rc = h5_fail(err, SWIM_ERR_IO, "list the datasets of %s in %s", group,
                       source_name(source));
    h5_release(object);
    if (l.rc == SWIM_OK && l.list) {
        if (l.list->n > 0)
            qsort(l.list->sets, l.list->n, sizeof(*l.list->sets), set_order);
        *out = l.list;
    } else {
        view_list_free(l.list);
    }
    return l.rc;
}

void view_list_free(struct view_list *list)
{
    if (!list)
        return;
    for (size_t i = 0; i < list->n; i++)
        free(list->sets[i].path);
    free(list->sets);
    free(list);
}
