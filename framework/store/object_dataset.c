/* object_dataset.c - datasets are made, described and resized. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/object_private.h"

#define CHUNK_BYTES (256U * 1024U) /* of chunks that are chosen here, at most */
#define CHUNK_GROWING 1024U        /* of a dimension that is empty as yet */

/* --- what is asked for */

static int spec_read(struct object_call *c, const struct swim_dataset_spec *given,
                     struct swim_dataset_spec *spec)
{
    memset(spec, 0, sizeof(*spec));
    if (!given || given->struct_size < offsetof(struct swim_dataset_spec, maxdims))
        return object_fail(c, SWIM_ERR_ARG, "struct_size of what is to be is not set");
    memcpy(spec, given,
           given->struct_size < sizeof(*spec) ? given->struct_size : sizeof(*spec));
    if (object_data_size(spec->type) == 0)
        return object_fail(c, SWIM_ERR_ARG, "%d is no type of values", (int)spec->type);
    if (spec->type != SWIM_DATA_STRING)
        spec->string_size = 0;
    if (spec->rank > SWIM_RANK_MAX || (spec->rank > 0 && !spec->dims))
        return object_fail(c, SWIM_ERR_ARG, "its rank is %u and its dims are %s",
                           spec->rank, spec->dims ? "given" : "NULL");
    if (spec->compression > 9)
        return object_fail(c, SWIM_ERR_ARG, "compression is %u, not 0 to 9",
                           spec->compression);
    if (spec->rank == 0 &&
        (spec->maxdims || spec->chunks || spec->compression || spec->shuffle))
        return object_fail(c, SWIM_ERR_ARG, "a scalar has no chunks");
    if (spec->type == SWIM_DATA_STRING && spec->fill)
        return object_fail(c, SWIM_ERR_ARG, "strings are filled with \"\" alone");
    for (uint32_t i = 0; spec->maxdims && i < spec->rank; i++)
        if (spec->maxdims[i] < spec->dims[i])
            return object_fail(c, SWIM_ERR_ARG,
                               "dimension %u is %llu, but is to be at most %llu", i,
                               (unsigned long long)spec->dims[i],
                               (unsigned long long)spec->maxdims[i]);
    return SWIM_OK;
}

static void chunks_choose(const struct swim_dataset_spec *spec, hsize_t *chunks)
{
    uint64_t bytes =
        spec->string_size ? spec->string_size : object_data_size(spec->type);

    for (uint32_t i = 0; i < spec->rank; i++) {
        uint64_t most = spec->maxdims ? spec->maxdims[i] : spec->dims[i];
        chunks[i] = spec->dims[i];
        if (chunks[i] == 0)
            chunks[i] = most && most < CHUNK_GROWING ? most : CHUNK_GROWING;
    }
    while (spec->rank > 0) {
        uint32_t largest = 0;
        double all = (double)bytes;
        for (uint32_t i = 0; i < spec->rank; i++) {
            all *= (double)chunks[i];
            if (chunks[i] > chunks[largest])
                largest = i;
        }
        if (all <= CHUNK_BYTES || chunks[largest] == 1)
            return;
        chunks[largest] = (chunks[largest] + 1) / 2;
    }
}

static bool is_growing(const struct swim_dataset_spec *spec)
{
    for (uint32_t i = 0; spec->maxdims && i < spec->rank; i++)
        if (spec->maxdims[i] != spec->dims[i])
            return true;
    return false;
}

static hid_t spec_properties(const struct swim_dataset_spec *spec, hid_t type)
{
    hsize_t chunks[SWIM_RANK_MAX];
    hid_t dcpl = H5Pcreate(H5P_DATASET_CREATE);
    bool is = dcpl >= 0;

    for (uint32_t i = 0; spec->chunks && i < spec->rank; i++)
        chunks[i] = spec->chunks[i];
    if (spec->chunks || spec->compression || spec->shuffle || is_growing(spec)) {
        if (!spec->chunks)
            chunks_choose(spec, chunks);
        is = is && H5Pset_chunk(dcpl, (int)spec->rank, chunks) >= 0;
    }
    if (spec->shuffle)
        is = is && H5Pset_shuffle(dcpl) >= 0;
    if (spec->compression)
        is = is && H5Pset_deflate(dcpl, spec->compression) >= 0;
    if (spec->fill)
        is = is && H5Pset_fill_value(dcpl, type, spec->fill) >= 0;
    if (is)
        return dcpl;
    h5_release(dcpl);
    return H5I_INVALID_HID;
}

static hid_t spec_space(const struct swim_dataset_spec *spec)
{
    hsize_t dims[SWIM_RANK_MAX], maxdims[SWIM_RANK_MAX];

    if (spec->rank == 0)
        return H5Screate(H5S_SCALAR);
    for (uint32_t i = 0; i < spec->rank; i++) {
        dims[i] = spec->dims[i];
        maxdims[i] = spec->maxdims ? spec->maxdims[i] : spec->dims[i];
        if (maxdims[i] == SWIM_UNLIMITED)
            maxdims[i] = H5S_UNLIMITED;
    }
    return H5Screate_simple((int)spec->rank, dims, maxdims);
}

static int dataset_make(struct object_call *c, const struct swim_dataset_spec *spec)
{
    hid_t type = object_file_type(spec->type, spec->string_size);
    hid_t space = spec_space(spec), dcpl = spec_properties(spec, type);
    hid_t dataset = H5I_INVALID_HID;
    char cause[400];
    int rc = SWIM_OK;

    if (type < 0 || space < 0 || dcpl < 0) {
        (void)object_cause(cause, sizeof(cause));
        rc = object_fail(c, SWIM_ERR_ARG, "its shape, chunks or type cannot be: %s",
                         cause);
    } else {
        c->changing = true;
        dataset =
            H5Dcreate2(c->file, c->path, type, space, c->names, dcpl, H5P_DEFAULT);
        if (dataset < 0)
            rc = object_fail_h5(c, "make the dataset");
    }
    h5_release(dataset);
    h5_release(dcpl);
    h5_release(space);
    h5_release(type);
    return rc;
}

/* --- made */

/* Nothing is at the path, or is not any more. */
static int place_free(struct object_call *c, bool overwrite)
{
    hid_t parent = H5I_INVALID_HID;
    enum swim_kind kind = object_kind_of(c->file, c->path, c->links);

    if (!overwrite || kind == SWIM_KIND_NONE || kind == SWIM_KIND_GROUP ||
        kind == SWIM_KIND_NAMED_TYPE)
        return object_check_free(c);
    int rc = object_open_parent(c, &parent);
    if (rc != SWIM_OK)
        return rc;
    c->changing = true;
    if (H5Ldelete(parent, h5_path_base(c->path), H5P_DEFAULT) < 0)
        rc = object_fail_h5(c, "replace what is there");
    h5_release(parent);
    return rc;
}

int swim_dataset_create(swim_file_t *file, const char *path,
                        const struct swim_dataset_spec *given, swim_error_t *err)
{
    struct object_call c;
    struct swim_dataset_spec spec;

    int rc = object_begin(&c, file, "create dataset", path, OBJECT_UPDATE, err);
    if (rc != SWIM_OK)
        return rc;
    rc = spec_read(&c, given, &spec);
    if (rc == SWIM_OK)
        rc = place_free(&c, spec.overwrite != 0);
    if (rc == SWIM_OK)
        rc = dataset_make(&c, &spec);
    return object_end(&c, rc);
}

/* "float64 of 3 x 4", into buf. */
static const char *describe(enum swim_data type, size_t string_size, uint32_t rank,
                            const uint64_t *dims, char *buf, size_t size)
{
    size_t n = (size_t)snprintf(buf, size, "%s", swim_data_name(type));

    if (string_size && n < size)
        n += (size_t)snprintf(buf + n, size - n, " of %zu bytes", string_size);
    if (rank == 0 && n < size)
        n += (size_t)snprintf(buf + n, size - n, ", a scalar");
    for (uint32_t i = 0; i < rank && n < size; i++)
        n += (size_t)snprintf(buf + n, size - n, "%s%llu", i ? " x " : ", ",
                              (unsigned long long)dims[i]);
    return buf;
}

static int compare(struct object_call *c, const struct swim_dataset_spec *spec)
{
    struct swim_dataset_info info;
    hid_t dataset = H5I_INVALID_HID;
    char is[160], wanted[160];

    int rc = object_open(c, SWIM_KIND_DATASET, false, &dataset);
    if (rc == SWIM_OK)
        rc = object_dataset_info(c, dataset, &info);
    h5_release(dataset);
    if (rc != SWIM_OK)
        return rc;
    if (info.type == spec->type && info.rank == spec->rank &&
        info.string_size == spec->string_size &&
        (info.rank == 0 ||
         memcmp(info.dims, spec->dims, info.rank * sizeof(uint64_t)) == 0))
        return SWIM_OK;
    describe(info.type, info.string_size, info.rank, info.dims, is, sizeof(is));
    describe(spec->type, spec->string_size, spec->rank, spec->dims, wanted,
             sizeof(wanted));
    return object_fail(c, SWIM_ERR_ARG, "it is %s, not %s", is, wanted);
}

int swim_dataset_require(swim_file_t *file, const char *path,
                         const struct swim_dataset_spec *given, swim_error_t *err)
{
    struct object_call c;
    struct swim_dataset_spec spec;

    int rc = object_begin(&c, file, "require dataset", path, OBJECT_UPDATE, err);
    if (rc != SWIM_OK)
        return rc;
    rc = spec_read(&c, given, &spec);
    if (rc == SWIM_OK && spec.overwrite)
        rc = object_fail(&c, SWIM_ERR_ARG, "overwrite is set");
    if (rc == SWIM_OK) {
        if (object_kind_of(c.file, c.path, c.links) == SWIM_KIND_DATASET)
            rc = compare(&c, &spec);
        else {
            rc = object_check_free(&c);
            rc = rc == SWIM_OK ? dataset_make(&c, &spec) : rc;
        }
    }
    return object_end(&c, rc);
}

/* --- described */

static void info_storage(hid_t dcpl, struct swim_dataset_info *info)
{
    hsize_t chunks[SWIM_RANK_MAX];

    info->chunked = H5Pget_layout(dcpl) == H5D_CHUNKED;
    if (info->chunked && H5Pget_chunk(dcpl, (int)info->rank, chunks) >= 0)
        for (uint32_t i = 0; i < info->rank; i++)
            info->chunks[i] = chunks[i];
    int n = H5Pget_nfilters(dcpl);
    for (int i = 0; i < n; i++) {
        unsigned flags = 0, values[1] = {0};
        size_t n_values = 1;
        H5Z_filter_t filter =
            H5Pget_filter2(dcpl, (unsigned)i, &flags, &n_values, values, 0, NULL, NULL);
        info->shuffle |= filter == H5Z_FILTER_SHUFFLE;
        if (filter == H5Z_FILTER_DEFLATE)
            info->compression = values[0];
    }
}

static bool info_shape(hid_t space, struct swim_dataset_info *info)
{
    hsize_t dims[SWIM_RANK_MAX], maxdims[SWIM_RANK_MAX];
    int rank = H5Sget_simple_extent_dims(space, dims, maxdims);
    hssize_t count = H5Sget_simple_extent_npoints(space);

    if (rank < 0 || count < 0)
        return false;
    info->rank = (uint32_t)rank;
    info->count = (uint64_t)count;
    for (int i = 0; i < rank; i++) {
        info->dims[i] = dims[i];
        info->maxdims[i] = maxdims[i] == H5S_UNLIMITED ? SWIM_UNLIMITED : maxdims[i];
    }
    return true;
}

int object_dataset_info(struct object_call *c, hid_t dataset,
                        struct swim_dataset_info *info)
{
    hid_t space = H5Dget_space(dataset), type = H5Dget_type(dataset),
          dcpl = H5Dget_create_plist(dataset);
    int rc = SWIM_OK;

    memset(info, 0, sizeof(*info));
    if (space < 0 || type < 0 || dcpl < 0 || !info_shape(space, info))
        rc = object_fail_h5(c, "describe it");
    else {
        info->type = object_data_of(type);
        info->string_size = object_string_size(type);
        info_storage(dcpl, info);
    }
    h5_release(dcpl);
    h5_release(type);
    h5_release(space);
    return rc;
}

int swim_dataset_info(swim_file_t *file, const char *path,
                      struct swim_dataset_info *info, swim_error_t *err)
{
    struct object_call c;
    hid_t dataset = H5I_INVALID_HID;

    memset(info, 0, sizeof(*info));
    int rc = object_begin(&c, file, "describe", path, OBJECT_READ, err);
    if (rc != SWIM_OK)
        return rc;
    rc = object_open(&c, SWIM_KIND_DATASET, false, &dataset);
    if (rc == SWIM_OK)
        rc = object_dataset_info(&c, dataset, info);
    h5_release(dataset);
    return object_end(&c, rc);
}

/* --- resized */

static int dataset_resize(struct object_call *c, hid_t dataset, uint32_t rank,
                          const uint64_t *dims)
{
    struct swim_dataset_info info;
    hsize_t wanted[SWIM_RANK_MAX];

    int rc = object_dataset_info(c, dataset, &info);
    if (rc != SWIM_OK)
        return rc;
    if (rank != info.rank || rank == 0 || !dims)
        return object_fail(c, SWIM_ERR_ARG, "its rank is %u, not %u", info.rank, rank);
    if (!info.chunked)
        return object_fail(c, SWIM_ERR_ARG,
                           "it is in one piece (make it with chunks or maxdims)");
    for (uint32_t i = 0; i < rank; i++) {
        wanted[i] = dims[i];
        if (dims[i] > info.maxdims[i] || dims[i] == SWIM_UNLIMITED)
            return object_fail(
                c, SWIM_ERR_ARG, "dimension %u may be at most %llu, not %llu", i,
                (unsigned long long)info.maxdims[i], (unsigned long long)dims[i]);
    }
    c->changing = true;
    return H5Dset_extent(dataset, wanted) < 0 ? object_fail_h5(c, "change its shape")
                                              : SWIM_OK;
}

int swim_dataset_resize(swim_file_t *file, const char *path, uint32_t rank,
                        const uint64_t *dims, swim_error_t *err)
{
    struct object_call c;
    hid_t dataset = H5I_INVALID_HID;

    int rc = object_begin(&c, file, "resize", path, OBJECT_UPDATE, err);
    if (rc != SWIM_OK)
        return rc;
    rc = object_open(&c, SWIM_KIND_DATASET, true, &dataset);
    if (rc == SWIM_OK)
        rc = dataset_resize(&c, dataset, rank, dims);
    h5_release(dataset);
    return object_end(&c, rc);
}
