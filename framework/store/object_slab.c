/* object_slab.c - values of datasets are read and written. */
#include <stdlib.h>
#include <string.h>

#include "store/object_private.h"

/* What is read or written; count elements of type at values. */
struct transfer {
    hid_t dataset, stored, file_space, mem_space;
    enum swim_data type;
    size_t count;
};

/* --- what part of it */

static int slab_dimension(struct object_call *c, const struct swim_slab *slab,
                          uint32_t i, uint64_t dim, hsize_t *part)
{
    uint64_t start = slab->start ? slab->start[i] : 0;
    uint64_t stride = slab->stride ? slab->stride[i] : 1;

    if (stride == 0)
        return object_fail(c, SWIM_ERR_ARG, "the stride of dimension %u is 0", i);
    uint64_t left = start < dim ? (dim - 1 - start) / stride + 1 : 0;
    uint64_t count = slab->count ? slab->count[i] : left;
    if (count > left || start > dim)
        return object_fail(c, SWIM_ERR_ARG,
                           "dimension %u has %llu elements, too few for %llu from "
                           "%llu on, %llu apart",
                           i, (unsigned long long)dim, (unsigned long long)count,
                           (unsigned long long)start, (unsigned long long)stride);
    part[0] = start;
    part[1] = stride;
    part[2] = count;
    return SWIM_OK;
}

static int slab_select(struct object_call *c, const struct swim_slab *slab, hid_t space)
{
    hsize_t dims[SWIM_RANK_MAX], start[SWIM_RANK_MAX], stride[SWIM_RANK_MAX],
        count[SWIM_RANK_MAX], part[3] = {0};
    int rank = H5Sget_simple_extent_dims(space, dims, NULL), rc = SWIM_OK;
    bool none = false;

    if (!slab)
        return SWIM_OK;
    if (rank < 0 || slab->rank != (uint32_t)rank)
        return object_fail(c, SWIM_ERR_ARG, "its rank is %d, that of the slab %u", rank,
                           slab->rank);
    for (uint32_t i = 0; rc == SWIM_OK && i < slab->rank; i++) {
        rc = slab_dimension(c, slab, i, dims[i], part);
        start[i] = part[0];
        stride[i] = part[1];
        count[i] = part[2];
        none |= part[2] == 0;
    }
    if (rc != SWIM_OK || rank == 0)
        return rc;
    if ((none ? H5Sselect_none(space)
              : H5Sselect_hyperslab(space, H5S_SELECT_SET, start, stride, count,
                                    NULL)) < 0)
        return object_fail_h5(c, "select a part of it");
    return rc;
}

static void transfer_close(const struct transfer *t)
{
    h5_release(t->mem_space);
    h5_release(t->file_space);
    h5_release(t->stored);
    h5_release(t->dataset);
}

static int transfer_open(struct object_call *c, struct transfer *t,
                         const struct swim_slab *slab, const void *values, bool writes)
{
    const hsize_t n = t->count;

    t->dataset = t->stored = t->file_space = t->mem_space = H5I_INVALID_HID;
    int rc = object_open(c, SWIM_KIND_DATASET, writes, &t->dataset);
    if (rc != SWIM_OK)
        return rc;
    t->stored = H5Dget_type(t->dataset);
    t->file_space = H5Dget_space(t->dataset);
    t->mem_space = H5Screate_simple(1, &n, NULL);
    if (t->stored < 0 || t->file_space < 0 || t->mem_space < 0)
        return object_fail_h5(c, "describe it");
    rc = object_check_types(c, t->stored, t->type);
    if (rc == SWIM_OK)
        rc = slab_select(c, slab, t->file_space);
    if (rc != SWIM_OK)
        return rc;
    hssize_t selected = H5Sget_select_npoints(t->file_space);
    if (selected < 0 || (uint64_t)selected != t->count)
        return object_fail(c, SWIM_ERR_ARG, "%lld elements are meant, %zu are given",
                           (long long)selected, t->count);
    if (t->count && !values)
        return object_fail(c, SWIM_ERR_ARG, "values is NULL");
    return SWIM_OK;
}

/* --- reading */

static int read_as(struct object_call *c, const struct transfer *t, hid_t type,
                   void *values)
{
    return H5Dread(t->dataset, type, t->mem_space, t->file_space, H5P_DEFAULT, values) <
                   0
               ? object_fail_h5(c, "read its values")
               : SWIM_OK;
}

static int read_strings(struct object_call *c, const struct transfer *t, char **strings)
{
    size_t size = object_string_size(t->stored);
    bool whole = true;

    memset(strings, 0, t->count * sizeof(*strings));
    if (size == 0) {
        int rc = read_as(c, t, t->stored, strings);
        if (rc != SWIM_OK)
            swim_strings_clear(strings, t->count);
        else
            whole = object_text_whole(strings, t->count);
        return whole ? rc : object_fail(c, SWIM_ERR_NOMEM, "no memory");
    }
    char *raw = calloc(t->count, size);
    if (!raw)
        return object_fail(c, SWIM_ERR_NOMEM, "no memory");
    int rc = read_as(c, t, t->stored, raw);
    if (rc == SWIM_OK)
        whole = object_text_out(raw, t->stored, t->count, strings);
    free(raw);
    return whole ? rc : object_fail(c, SWIM_ERR_NOMEM, "no memory");
}

static int read_numbers(struct object_call *c, const struct transfer *t, void *values)
{
    hid_t type = object_number_type(t->type);

    int rc = type < 0 ? object_fail_h5(c, "make a type") : read_as(c, t, type, values);
    h5_release(type);
    return rc;
}

int swim_dataset_read(swim_file_t *file, const char *path, const struct swim_slab *slab,
                      enum swim_data type, size_t count, void *values,
                      swim_error_t *err)
{
    struct object_call c;
    struct transfer t = {.type = type, .count = count};
    bool strings = type == SWIM_DATA_STRING;

    int rc = object_begin(&c, file, "read", path, OBJECT_READ, err);
    if (rc != SWIM_OK)
        return rc;
    rc = transfer_open(&c, &t, slab, values, false);
    if (rc == SWIM_OK && count)
        rc = strings ? read_strings(&c, &t, values) : read_numbers(&c, &t, values);
    transfer_close(&t);
    return object_end(&c, rc);
}

/* --- writing */

static int write_as(struct object_call *c, const struct transfer *t, hid_t type,
                    const void *values)
{
    c->changing = true;
    return H5Dwrite(t->dataset, type, t->mem_space, t->file_space, H5P_DEFAULT,
                    values) < 0
               ? object_fail_h5(c, "write its values")
               : SWIM_OK;
}

static int write_strings(struct object_call *c, const struct transfer *t,
                         const char *const *strings)
{
    void *raw = NULL;

    int rc = object_text_in(c, strings, t->stored, t->count, &raw);
    if (rc == SWIM_OK)
        rc = write_as(c, t, t->stored, raw);
    free(raw);
    return rc;
}

static int write_numbers(struct object_call *c, const struct transfer *t,
                         const void *values)
{
    hid_t type = object_number_type(t->type);

    int rc = type < 0 ? object_fail_h5(c, "make a type") : write_as(c, t, type, values);
    h5_release(type);
    return rc;
}

int swim_dataset_write(swim_file_t *file, const char *path,
                       const struct swim_slab *slab, enum swim_data type, size_t count,
                       const void *values, swim_error_t *err)
{
    struct object_call c;
    struct transfer t = {.type = type, .count = count};
    bool strings = type == SWIM_DATA_STRING;

    int rc = object_begin(&c, file, "write", path, OBJECT_UPDATE, err);
    if (rc != SWIM_OK)
        return rc;
    rc = transfer_open(&c, &t, slab, values, true);
    if (rc == SWIM_OK && count)
        rc = strings ? write_strings(&c, &t, values) : write_numbers(&c, &t, values);
    transfer_close(&t);
    return object_end(&c, rc);
}
