/* dataset.c - reading parts of a dataset as a kernel sees them.
 *
 * Chunks whose filters are known here are decoded one by one (chunks.h), everything
 * else HDF5 reads.
 *
 * Where each stored value is also a value of the wanted type, the values are read
 * straight into the caller's array and one pass over the rows just read makes missing
 * values NaN and unpacks.  Else the stored elements go through a buffer, because
 * missing values must be recognised before the conversion makes their neighbours equal
 * to them.
 */
#include "store/dataset.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/meter.h"
#include "store/box.h"
#include "store/chunks.h"
#include "store/codec.h"
#include "store/store_private.h"
#include "store/vfd.h"

#define CACHE_MAX ((size_t)64 << 20)
#define CACHE_CHUNK_MAX                                           \
    ((size_t)512 << 20) /* a single chunk is kept up to this size \
                         */
#define PART 4096       /* elements converted at a time */

struct dataset {
    hid_t set, type;       /* as stored */
    struct chunks *chunks; /* NULL: HDF5 reads it */
    char *file_name, *path;
    uint32_t ndim;
    enum swim_type stored, mem;
    bool packed, buffered;
    double scale, offset;
    uint32_t n_missing;
    _Alignas(16) unsigned char missing_raw[2][16]; /* as stored */
    long double missing_mem[2]; /* converted to mem, then to long double */
    unsigned char *buffer;
    size_t buffer_bytes;
};

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

size_t dataset_staged_bytes(const struct dataset_info *info, enum swim_type mem_type)
{
    size_t stored = swim_type_size(info->stored_type), mem = swim_type_size(mem_type);

    if (info->packed)
        return stored;
    if (!dataset_is_direct(info) || (info->native && info->stored_type == mem_type))
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
    ds->packed = info->packed;
    ds->scale = info->scale;
    ds->offset = info->offset;
    ds->n_missing = info->n_missing;
    memcpy(ds->missing_raw, info->missing_raw, sizeof(ds->missing_raw));
    for (uint32_t i = 0; i < 2 && rc == SWIM_OK; i++) {
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
    if (!swim_type_is_float(ds->mem))
        ds->buffered = ds->packed; /* missing values stay as they are */
    else if (ds->packed || (ds->n_missing && !swim_type_is_float(ds->stored)))
        ds->buffered = !swim_type_fits(ds->stored, ds->mem);
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

/* --- values in place ------------------------------------------------------------- */

/* NOLINTBEGIN(bugprone-macro-parentheses): type cannot stand in parentheses */
/* | and not ||: without branches the loops become vector instructions. */
#define FINISH_ROW(name, type)                                                      \
    static void finish_##name(type *restrict v, size_t n, const struct dataset *ds) \
    {                                                                               \
        const type m0 = (type)ds->missing_mem[0], m1 = (type)ds->missing_mem[1];    \
        const double scale = ds->scale, offset = ds->offset;                        \
        if (!ds->packed && ds->n_missing == 1)                                      \
            for (size_t i = 0; i < n; i++)                                          \
                v[i] = v[i] == m0 ? (type)NAN : v[i];                               \
        else if (!ds->packed)                                                       \
            for (size_t i = 0; i < n; i++)                                          \
                v[i] = ((v[i] == m0) | (v[i] == m1)) ? (type)NAN : v[i];            \
        else                                                                        \
            for (size_t i = 0; i < n; i++) {                                        \
                const type u = (type)((double)v[i] * scale + offset);               \
                v[i] = ((v[i] == m0) | (v[i] == m1)) ? (type)NAN : u;               \
            }                                                                       \
    }
FINISH_ROW(float, float)
FINISH_ROW(double, double)
FINISH_ROW(ldouble, long double)
/* Integers have one missing value as a kernel sees them: the second becomes the first.
 */
#define MERGE_ROW(type)                                                          \
    do {                                                                         \
        const type m0 = (type)ds->missing_mem[0], m1 = (type)ds->missing_mem[1]; \
        type *restrict v = (type *)row;                                          \
        for (size_t i = 0; i < n; i++)                                           \
            v[i] = v[i] == m1 ? m0 : v[i];                                       \
    } while (0)
/* NOLINTEND(bugprone-macro-parentheses) */

static void merge_row(const struct dataset *ds, void *row, size_t n)
{
    switch (ds->mem) {
    case SWIM_TYPE_I8:
        MERGE_ROW(int8_t);
        break;
    case SWIM_TYPE_U8:
        MERGE_ROW(uint8_t);
        break;
    case SWIM_TYPE_I16:
        MERGE_ROW(int16_t);
        break;
    case SWIM_TYPE_U16:
        MERGE_ROW(uint16_t);
        break;
    case SWIM_TYPE_I32:
        MERGE_ROW(int32_t);
        break;
    case SWIM_TYPE_U32:
        MERGE_ROW(uint32_t);
        break;
    case SWIM_TYPE_I64:
        MERGE_ROW(int64_t);
        break;
    case SWIM_TYPE_U64:
        MERGE_ROW(uint64_t);
        break;
    default:
        break;
    }
}

static void finish_box(const struct dataset *ds, unsigned char *buf,
                       const uint64_t *shape, const uint64_t *start,
                       const uint64_t *count)
{
    struct box box;

    const bool merged = !swim_type_is_float(ds->mem);

    if (merged ? ds->n_missing < 2 : !ds->packed && !ds->n_missing)
        return;
    const enum swim_activity was = swim_meter_set(SWIM_AT_DECODE);
    for (bool more = box_begin(&box, ds->ndim, shape, start, count); more;
         more = box_next(&box)) {
        void *row = buf + box.offset * swim_type_size(ds->mem);
        if (merged)
            merge_row(ds, row, box.row);
        else if (ds->mem == SWIM_TYPE_F32)
            finish_float((float *)row, box.row, ds);
        else if (ds->mem == SWIM_TYPE_F64)
            finish_double((double *)row, box.row, ds);
        else
            finish_ldouble((long double *)row, box.row, ds);
    }
    (void)swim_meter_set(was);
}

/* --- values through a buffer ------------------------------------------------------ */

static bool raw_is_missing(const struct dataset *ds, const unsigned char *raw)
{
    size_t size = swim_type_size(ds->stored);

    for (uint32_t m = 0; m < ds->n_missing; m++)
        if (memcmp(raw, ds->missing_raw[m], size) == 0)
            return true;
    return false;
}

static void element_set(enum swim_type type, unsigned char *at, long double value)
{
    float f = (float)value;
    double d = (double)value;

    if (type == SWIM_TYPE_F32)
        memcpy(at, &f, sizeof(f));
    else if (type == SWIM_TYPE_F64)
        memcpy(at, &d, sizeof(d));
    else
        memcpy(at, &value, sizeof(value));
}

/* Unpacked integers are rounded to the nearest; conversion alone would cut. */
static int unpack_part(const struct dataset *ds, const unsigned char *raw,
                       unsigned char *dst, size_t n, swim_error_t *err)
{
    double wide[PART];
    bool round = !swim_type_is_float(ds->mem);
    int rc = codec_convert(ds->stored, raw, SWIM_TYPE_F64, wide, n, false, 0, err);

    if (rc != SWIM_OK)
        return rc;
    for (size_t i = 0; i < n; i++) {
        wide[i] = wide[i] * ds->scale + ds->offset;
        if (round)
            wide[i] = nearbyint(wide[i]);
    }
    return codec_convert(SWIM_TYPE_F64, wide, ds->mem, dst, n, false, 0, err);
}

static int buffered_part(const struct dataset *ds, const unsigned char *raw,
                         unsigned char *dst, size_t n, swim_error_t *err)
{
    size_t raw_size = swim_type_size(ds->stored), size = swim_type_size(ds->mem);
    int rc = ds->packed
                 ? unpack_part(ds, raw, dst, n, err)
                 : codec_convert(ds->stored, raw, ds->mem, dst, n, false, 0, err);

    for (size_t i = 0; i < n && rc == SWIM_OK && ds->n_missing; i++) {
        const unsigned char *element = raw + i * raw_size;
        if (!raw_is_missing(ds, element))
            continue;
        if (swim_type_is_float(ds->mem))
            element_set(ds->mem, dst + i * size, (long double)NAN);
        else
            rc = codec_convert(ds->stored, ds->missing_raw[0], ds->mem, dst + i * size,
                               1, false, 0, err);
    }
    return rc;
}

static int buffered_box(struct dataset *ds, unsigned char *buf, const uint64_t *shape,
                        const uint64_t *start, const uint64_t *count, swim_error_t *err)
{
    size_t raw_size = swim_type_size(ds->stored), size = swim_type_size(ds->mem);
    const enum swim_activity was = swim_meter_set(SWIM_AT_DECODE);
    struct box box;
    int rc = SWIM_OK;

    for (bool more = box_begin(&box, ds->ndim, shape, start, count);
         more && rc == SWIM_OK; more = box_next(&box))
        for (size_t i = 0; i < box.row && rc == SWIM_OK; i += PART) {
            size_t n = box.row - i < PART ? box.row - i : PART;
            rc = buffered_part(ds, ds->buffer + (box.done + i) * raw_size,
                               buf + (box.offset + i) * size, n, err);
        }
    (void)swim_meter_set(was);
    return rc;
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
    if (H5Dread(ds->set, types_native(type), in_memory, in_file, H5P_DEFAULT, buf) < 0)
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
            rc = dataset_read_into(ds, in_file, in_memory, ds->stored, ds->buffer, err);
        if (rc == SWIM_OK)
            rc = buffered_box(ds, bytes, buf_shape, buf_start, count, err);
    } else {
        in_memory = space_select(ds->ndim, buf_shape, buf_start, count);
        rc = dataset_read_into(ds, in_file, in_memory, ds->mem, buf, err);
        if (rc == SWIM_OK)
            finish_box(ds, bytes, buf_shape, buf_start, count);
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
        rc = read_converted(ds, n, start, count, ds->stored, err);
        return rc == SWIM_OK ? buffered_box(ds, buf, buf_shape, buf_start, count, err)
                             : rc;
    }
    if (H5Tequal(ds->type, types_native(ds->mem)) > 0) {
        rc = read_chunks(ds, start, count, buf, buf_shape, buf_start, err);
    } else {
        rc = read_converted(ds, n, start, count, ds->mem, err);
        if (rc == SWIM_OK)
            box_copy(ds->ndim, count, swim_type_size(ds->mem), ds->buffer, count,
                     origin, buf, buf_shape, buf_start);
    }
    if (rc == SWIM_OK)
        finish_box(ds, buf, buf_shape, buf_start, count);
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
