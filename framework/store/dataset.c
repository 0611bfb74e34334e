/* dataset.c - reading parts of a dataset as a kernel sees them.
 *
 * Chunks whose filters are known here are decoded one by one (chunks.h), everything
 * else HDF5 reads.
 *
 * Where each stored value is also a value of the wanted type, the values are read
 * straight into the caller's array, and finished there, or, where they are stored in
 * that type, as their chunks are decoded.  Else the stored elements go through a buffer
 * (dataset_values.c). */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/meter.h"
#include "store/box.h"
#include "store/chunks.h"
#include "store/codec.h"
#include "store/dataset_private.h"
#include "store/vfd.h"

#define CACHE_MAX ((size_t)64 << 20)
#define CACHE_CHUNK_MAX                                           \
    ((size_t)512 << 20) /* a single chunk is kept up to this size \
                         */

/* --- opening --------------------------------------------------------------------- */

bool dataset_is_direct(const struct dataset_info *info)
{
    return info->chunked && !info->other_filters;
}

uint64_t dataset_chunk_bytes(const struct dataset_info *info)
{
    uint64_t bytes = swim_type_size(info->stored_type);

    for (uint32_t i = 0; i < info->ndim; i++)
        bytes *= info->chunk[i];
    return bytes;
}

/* Whether values are made of stored ones in a buffer: see dataset_values.c. */
static bool is_buffered(const struct dataset_info *info, enum swim_type mem)
{
    bool special = info->packed || info->ranged;

    if (info->resigned) /* HDF5 would convert what the file says, and cut it off */
        return true;
    if (!swim_type_is_float(mem))
        return special; /* missing values stay as they are */
    return (special || info->n_missing) && !swim_type_fits(info->stored_type, mem);
}

size_t dataset_staged_bytes(const struct dataset_info *info, enum swim_type mem_type)
{
    size_t stored = swim_type_size(info->stored_type), mem = swim_type_size(mem_type);

    if (is_buffered(info, mem_type))
        return stored;
    if (!dataset_is_direct(info) || info->opaque ||
        (info->native && info->stored_type == mem_type))
        return 0;
    return stored > mem ? stored : mem;
}

/* Room for all chunks along the last dimensions, so that reading on along the first
 * one does not decode a chunk twice. */
static hid_t chunk_cache(const struct dataset_info *info, bool none)
{
    hid_t dapl = H5Pcreate(H5P_DATASET_ACCESS);
    size_t chunk = swim_type_size(info->stored_type), row, n_chunks = 1, bytes;

    if (dapl < 0 || !info->chunked)
        return dapl;
    for (uint32_t i = 0; i < info->ndim; i++) {
        chunk *= (size_t)info->chunk[i];
        if (i > 0)
            n_chunks *=
                (size_t)((info->shape[i] + info->chunk[i] - 1) / info->chunk[i]);
    }
    if (none)
        (void)H5Pset_chunk_cache(dapl, 1, 0, 0);
    if (chunk == 0 || chunk > CACHE_CHUNK_MAX || none)
        return dapl;
    row = n_chunks > CACHE_MAX / chunk ? CACHE_MAX : n_chunks * chunk;
    bytes = row > chunk ? row : chunk;
    if (info->cache_bytes)
        bytes = info->cache_bytes > chunk ? (size_t)info->cache_bytes : chunk;
    /* Slots: a hundred per chunk that fits, within reason; odd to spread them. */
    n_chunks = bytes / chunk;
    if (H5Pset_chunk_cache(dapl, n_chunks < 10000 ? n_chunks * 100 + 1 : 1000003, bytes,
                           0.75) < 0)
        H5Eclear2(H5E_DEFAULT);
    return dapl;
}

static int dataset_open_by(struct dataset *ds, const struct source *source,
                           const struct dataset_info *info, bool uncached,
                           swim_error_t *err)
{
    hid_t dapl = chunk_cache(info, uncached);
    int rc = SWIM_OK;

    ds->set = H5Dopen2(source_file(source), info->path, dapl < 0 ? H5P_DEFAULT : dapl);
    if (ds->set >= 0)
        ds->type = H5Dget_type(ds->set);
    if (ds->type < 0)
        rc = h5_fail(err, SWIM_ERR_IO, "open %s in %s", info->path, info->file);
    h5_release(dapl);
    return rc;
}

/* HDF5's cache of chunks is for what HDF5 decodes. */
static int dataset_open_set(struct dataset *ds, const struct source *source,
                            const struct dataset_info *info,
                            const struct chunk_cache *cache, swim_error_t *err)
{
    bool uncached = info->cache_bytes == DATASET_UNCACHED;
    bool direct = dataset_is_direct(info);
    swim_error_t why = {0};

    int rc = dataset_open_by(ds, source, info, uncached || direct, err);
    if (rc != SWIM_OK || !direct)
        return rc;
    rc = chunks_open(ds->set, cache, &ds->chunks, &why);
    if (rc != SWIM_OK)
        return swim_error_set(err, rc, "open %s in %s: %s", info->path, info->file,
                              why.text);
    ds->as_stored = ds->opaque || H5Tequal(ds->type, types_native(ds->mem)) > 0;
    if (ds->chunks && ds->as_stored && !ds->buffered && !dataset_is_plain(ds))
        ds->finished = chunks_finish(ds->chunks, dataset_finish_row, ds);
    if (ds->chunks || uncached)
        return rc;
    h5_release(ds->type);
    h5_release(ds->set);
    ds->set = ds->type = H5I_INVALID_HID;
    return dataset_open_by(ds, source, info, false, err);
}

/* How the values are to be treated, see the top of this file. */
static int dataset_prepare(struct dataset *ds, const struct dataset_info *info,
                           swim_error_t *err)
{
    int rc = SWIM_OK;

    ds->ndim = info->ndim;
    ds->stored = info->stored_type;
    ds->read = info->resigned ? swim_type_other_sign(ds->stored) : ds->stored;
    ds->packed = info->packed;
    ds->scale = info->scale;
    ds->offset = info->offset;
    ds->ranged = info->ranged;
    ds->opaque = info->opaque;
    ds->low = info->low;
    ds->high = info->high;
    ds->n_missing = info->n_missing;
    memcpy(ds->missing_raw, info->missing_raw, sizeof(ds->missing_raw));
    for (uint32_t i = 0; i < DATASET_MISSING_MOST && rc == SWIM_OK; i++) {
        _Alignas(16) unsigned char mem[16];
        ds->missing_mem[i] = (long double)NAN; /* equal to nothing */
        if (i >= ds->n_missing)
            continue;
        rc = codec_convert(ds->stored, ds->missing_raw[i], ds->mem, mem, 1, false, 0,
                           err);
        if (rc == SWIM_OK)
            rc = codec_convert(ds->mem, mem, SWIM_TYPE_LDOUBLE, &ds->missing_mem[i], 1,
                               false, 0, err);
    }
    ds->buffered = is_buffered(info, ds->mem);
    return rc;
}

int dataset_open(const struct source *source, const struct dataset_info *info,
                 enum swim_type mem_type, const struct chunk_cache *cache,
                 struct dataset **out, swim_error_t *err)
{
    struct dataset *ds = (struct dataset *)calloc(1, sizeof(*ds));
    int rc;

    *out = NULL;
    if (!ds)
        return swim_error_set(err, SWIM_ERR_NOMEM, "open %s", info->file);
    ds->set = ds->type = H5I_INVALID_HID;
    ds->mem = mem_type;
    ds->file_name = strdup(info->file);
    ds->path = strdup(info->path);
    if (!ds->file_name || !ds->path)
        rc = swim_error_set(err, SWIM_ERR_NOMEM, "open %s", info->file);
    else if (swim_type_size(mem_type) == 0)
        rc = swim_error_set(err, SWIM_ERR_ARG, "open %s in %s: no element type given",
                            info->path, info->file);
    else
        rc = dataset_prepare(ds, info, err);
    if (rc == SWIM_OK)
        rc = dataset_open_set(ds, source, info, cache, err);
    if (rc == SWIM_OK)
        *out = ds;
    else
        dataset_close(ds);
    return rc;
}

void dataset_close(struct dataset *ds)
{
    int saved = errno;

    if (!ds)
        return;
    chunks_close(ds->chunks);
    h5_release(ds->type);
    h5_release(ds->set);
    free(ds->buffer);
    free(ds->path);
    free(ds->file_name);
    free(ds);
    errno = saved;
}

/* --- by HDF5 ---------------------------------------------------------------------- */

static int buffer_grow(struct dataset *ds, size_t bytes, swim_error_t *err)
{
    void *grown;

    if (bytes <= ds->buffer_bytes)
        return SWIM_OK;
    grown = realloc(ds->buffer, bytes);
    if (!grown)
        return swim_error_set(err, SWIM_ERR_NOMEM, "read %s in %s: %zu bytes", ds->path,
                              ds->file_name, bytes);
    ds->buffer = (unsigned char *)grown;
    ds->buffer_bytes = bytes;
    return SWIM_OK;
}

/* A dataspace of shape with count at start selected; scalar for ndim 0. */
static hid_t space_select(uint32_t ndim, const uint64_t *shape, const uint64_t *start,
                          const uint64_t *count)
{
    hsize_t dims[SWIM_NDIM_MAX], from[SWIM_NDIM_MAX], n[SWIM_NDIM_MAX];
    hid_t space;

    if (ndim == 0)
        return H5Screate(H5S_SCALAR);
    for (uint32_t i = 0; i < ndim; i++) {
        dims[i] = shape[i];
        from[i] = start ? start[i] : 0;
        n[i] = count[i];
    }
    space = H5Screate_simple((int)ndim, dims, NULL);
    if (space >= 0 && start &&
        H5Sselect_hyperslab(space, H5S_SELECT_SET, from, NULL, n, NULL) < 0) {
        H5Sclose(space);
        return H5I_INVALID_HID;
    }
    return space;
}

static hid_t space_of_file(const struct dataset *ds, const uint64_t *start,
                           const uint64_t *count)
{
    uint64_t shape[SWIM_NDIM_MAX];
    hsize_t dims[SWIM_NDIM_MAX] = {0};
    hid_t space = H5Dget_space(ds->set);
    int ndim = space < 0 ? -1 : H5Sget_simple_extent_dims(space, dims, NULL);

    h5_release(space);
    if (ndim != (int)ds->ndim)
        return H5I_INVALID_HID;
    for (uint32_t i = 0; i < ds->ndim; i++)
        shape[i] = dims[i];
    return space_select(ds->ndim, shape, start, count);
}

/* Of a virtual dataset HDF5 gives fill values where a file cannot be opened, which is
 * right when there is none. */
static int check_sources(const struct dataset *ds, swim_error_t *err)
{
    int code = vfd_take_code();

    if (code != SWIM_ERR_TIMEOUT && code != SWIM_ERR_LOST && code != SWIM_ERR_UNSURE &&
        code != SWIM_ERR_CORRUPT && code != SWIM_ERR_CANCELLED)
        return SWIM_OK;
    return swim_error_set(err, code,
                          "read %s in %s: it is made of others, of which one could not "
                          "be opened: %s",
                          ds->path, ds->file_name,
                          code == SWIM_ERR_CORRUPT ? "h5swim check says why"
                                                   : "its lock was not had");
}

static int dataset_read_into(struct dataset *ds, hid_t in_file, hid_t in_memory,
                             enum swim_type type, void *buf, swim_error_t *err)
{
    if (in_file < 0 || in_memory < 0)
        return h5_fail(err, SWIM_ERR_IO, "read %s in %s: select", ds->path,
                       ds->file_name);
    (void)vfd_take_code();
    if (H5Dread(ds->set, ds->opaque ? ds->type : types_native(type), in_memory, in_file,
                H5P_DEFAULT, buf) < 0)
        return h5_fail(err, SWIM_ERR_IO, "read %s in %s", ds->path, ds->file_name);
    return check_sources(ds, err);
}

static int read_whole(struct dataset *ds, size_t n, const uint64_t *start,
                      const uint64_t *count, void *buf, const uint64_t *buf_shape,
                      const uint64_t *buf_start, swim_error_t *err)
{
    unsigned char *bytes = (unsigned char *)buf;
    hid_t in_file = H5I_INVALID_HID, in_memory = H5I_INVALID_HID;
    int rc = SWIM_OK;

    in_file = space_of_file(ds, start, count);
    if (ds->buffered) {
        in_memory = space_select(ds->ndim, count, NULL, count);
        rc = buffer_grow(ds, n * swim_type_size(ds->stored), err);
        if (rc == SWIM_OK)
            rc = dataset_read_into(ds, in_file, in_memory, ds->read, ds->buffer, err);
        if (rc == SWIM_OK)
            rc = dataset_convert(ds, bytes, buf_shape, buf_start, count, err);
    } else {
        in_memory = space_select(ds->ndim, buf_shape, buf_start, count);
        rc = dataset_read_into(ds, in_file, in_memory, ds->mem, buf, err);
        if (rc == SWIM_OK)
            dataset_finish(ds, bytes, buf_shape, buf_start, count);
    }
    h5_release(in_memory);
    h5_release(in_file);
    return rc;
}

/* --- chunk by chunk -----------------------------------------------------------------
 */

static int read_chunks(struct dataset *ds, const uint64_t *start, const uint64_t *count,
                       void *buf, const uint64_t *buf_shape, const uint64_t *buf_start,
                       swim_error_t *err)
{
    swim_error_t why = {0};
    int rc = chunks_read(ds->chunks, start, count, buf, buf_shape, buf_start, &why);

    return rc == SWIM_OK ? rc
                         : swim_error_set(err, rc, "read %s in %s: %s", ds->path,
                                          ds->file_name, why.text);
}

/* The n stored elements of a box, in ds->buffer, as elements of type. */
static int read_converted(struct dataset *ds, size_t n, const uint64_t *start,
                          const uint64_t *count, enum swim_type type, swim_error_t *err)
{
    static const uint64_t origin[SWIM_NDIM_MAX];
    size_t stored = H5Tget_size(ds->type), size = swim_type_size(type);
    hid_t native = types_native(type);

    int rc = buffer_grow(ds, n * (stored > size ? stored : size), err);
    if (rc == SWIM_OK)
        rc = read_chunks(ds, start, count, ds->buffer, count, origin, err);
    const enum swim_activity was = swim_meter_set(SWIM_AT_DECODE);
    if (rc == SWIM_OK && H5Tequal(ds->type, native) <= 0 &&
        H5Tconvert(ds->type, native, n, ds->buffer, NULL, H5P_DEFAULT) < 0)
        rc = h5_fail(err, SWIM_ERR_IO, "read %s in %s: convert", ds->path,
                     ds->file_name);
    (void)swim_meter_set(was);
    return rc;
}

static int read_by_chunks(struct dataset *ds, size_t n, const uint64_t *start,
                          const uint64_t *count, void *buf, const uint64_t *buf_shape,
                          const uint64_t *buf_start, swim_error_t *err)
{
    static const uint64_t origin[SWIM_NDIM_MAX];
    int rc;

    if (ds->buffered) {
        rc = read_converted(ds, n, start, count, ds->read, err);
        return rc == SWIM_OK
                   ? dataset_convert(ds, buf, buf_shape, buf_start, count, err)
                   : rc;
    }
    if (ds->as_stored) {
        rc = read_chunks(ds, start, count, buf, buf_shape, buf_start, err);
    } else {
        rc = read_converted(ds, n, start, count, ds->mem, err);
        if (rc == SWIM_OK)
            box_copy(ds->ndim, count, swim_type_size(ds->mem), ds->buffer, count,
                     origin, buf, buf_shape, buf_start);
    }
    if (rc == SWIM_OK && !ds->finished)
        dataset_finish(ds, buf, buf_shape, buf_start, count);
    return rc;
}

int dataset_read(struct dataset *ds, const uint64_t *start, const uint64_t *count,
                 void *buf, const uint64_t *buf_shape, const uint64_t *buf_start,
                 swim_error_t *err)
{
    size_t n = 1;

    for (uint32_t i = 0; i < ds->ndim; i++)
        n *= (size_t)count[i];
    if (n == 0)
        return SWIM_OK;
    return ds->chunks
               ? read_by_chunks(ds, n, start, count, buf, buf_shape, buf_start, err)
               : read_whole(ds, n, start, count, buf, buf_shape, buf_start, err);
}
