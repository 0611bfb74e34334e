/* view_attribute.c - the attributes of a group or dataset, with their values. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/hdf5_version.h"
#include "store/view_private.h"

#define BYTES_MAX ((size_t)1 << 20) /* of more the values are not read */

struct reading {
    struct view_attributes *all;
    size_t room;
    swim_error_t *err;
    int rc;
};

/* They are read by HDF5 as a whole. */
static int value_read(hid_t attr, hid_t type, hid_t space, struct view_writer *w,
                      swim_error_t *err)
{
    hssize_t points = H5Sget_simple_extent_npoints(space);
    const size_t n = points > 0 ? (size_t)points : 0, size = H5Tget_size(type);
    int rc = SWIM_OK;

    if (n == 0) {
        view_write(w, "(empty)");
        return rc;
    }
    if (size == 0 || n > BYTES_MAX / size) {
        view_write(w, "(%zu values, not shown)", n);
        return rc;
    }
    void *bytes = calloc(n, size);
    if (!bytes) {
        rc = swim_error_set(err, SWIM_ERR_NOMEM, "read attributes");
    } else if (H5Aread(attr, type, bytes) < 0) {
        H5Eclear2(H5E_DEFAULT);
        view_write(w, "(cannot be read)");
    } else {
        view_write_values(w, type, bytes, n < VIEW_VALUES ? n : VIEW_VALUES);
        if (n > VIEW_VALUES)
            view_write(w, ", ... (%zu in all)", n);
        HDF5_RECLAIM(type, space, bytes);
    }
    free(bytes);
    return rc;
}

static int attribute_fill(hid_t attr, const char *name, struct view_attribute *a,
                          swim_error_t *err)
{
    struct view_writer w = {.text = a->value};
    hid_t stored = H5Aget_type(attr), space = H5Aget_space(attr);
    hid_t type = stored < 0 ? H5I_INVALID_HID : view_memory_type(stored);
    int rc = SWIM_OK;

    a->name = strdup(name);
    if (!a->name)
        rc = swim_error_set(err, SWIM_ERR_NOMEM, "read attributes");
    else if (type < 0 || space < 0)
        view_write(&w, "(not shown)");
    else
        rc = value_read(attr, type, space, &w, err);
    h5_release(type);
    h5_release(space);
    h5_release(stored);
    return rc;
}

static herr_t attribute_visit(hid_t object, const char *name, const H5A_info_t *info,
                              void *arg)
{
    struct reading *r = (struct reading *)arg;
    struct view_attributes *all = r->all;

    (void)info;
    if (strcmp(name, "DIMENSION_LIST") == 0 || strcmp(name, "REFERENCE_LIST") == 0)
        return 0; /* the axes are told otherwise */
    if (all->n == r->room) {
        size_t more = r->room ? 2 * r->room : 16;
        struct view_attribute *grown = reallocarray(all->list, more, sizeof(*grown));
        if (!grown) {
            r->rc = swim_error_set(r->err, SWIM_ERR_NOMEM, "read attributes");
            return -1;
        }
        all->list = grown;
        r->room = more;
    }
    memset(&all->list[all->n], 0, sizeof(*all->list));
    hid_t attr = H5Aopen(object, name, H5P_DEFAULT);
    if (attr < 0)
        r->rc = h5_fail(r->err, SWIM_ERR_IO, "open attribute %s", name);
    else
        r->rc = attribute_fill(attr, name, &all->list[all->n++], r->err);
    h5_release(attr);
    return r->rc == SWIM_OK ? 0 : -1;
}

int view_attributes(const struct source *source, const char *path,
                    struct view_attributes **out, swim_error_t *err)
{
    struct reading r = {.all = calloc(1, sizeof(*r.all)), .err = err};
    hid_t object = H5Oopen(source_file(source), path, H5P_DEFAULT);

    *out = NULL;
    if (!r.all)
        r.rc = swim_error_set(err, SWIM_ERR_NOMEM, "read attributes");
    /* The order of creation is kept by few files besides those of netCDF. */
    else if (object < 0 || (H5Aiterate2(object, H5_INDEX_CRT_ORDER, H5_ITER_INC, NULL,
                                        attribute_visit, &r) < 0 &&
                            r.rc == SWIM_OK &&
                            H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, NULL,
                                        attribute_visit, &r) < 0 &&
                            r.rc == SWIM_OK))
        r.rc = h5_fail(err, SWIM_ERR_IO, "list the attributes of %s in %s", path,
                       source_name(source));
    H5Eclear2(H5E_DEFAULT);
    h5_release(object);
    if (r.rc == SWIM_OK)
        *out = r.all;
    else
        view_attributes_free(r.all);
    return r.rc;
}

void view_attributes_free(struct view_attributes *attributes)
{
    if (!attributes)
        return;
    for (size_t i = 0; i < attributes->n; i++)
        free(attributes->list[i].name);
    free(attributes->list);
    free(attributes);
}
