/* chunks.c - where the chunks of a dataset lie, all at once.
 *
 * HDF5 1.10 looks through all chunks for each question, which takes hours for a
 * million. Therefore the B-tree that the dataset's layout message names is walked in
 * the mapped file (HDF5 File Format Specification, III.A.1: version 1 B-trees, IV.A:
 * object headers of version 1), as HDF5 makes them unless told otherwise.  Later
 * versions of HDF5 have H5Dchunk_iter(). */
#include <stdlib.h>
#include <string.h>

#include "handtuned.h"

static void place_chunk(struct handtuned_set *set, const uint64_t *offset,
                        uint64_t address, uint32_t bytes)
{
    uint64_t at = 0;

    for (int d = 0; d < set->ndim; d++)
        at = at * set->counts[d] + offset[d] / set->chunk[d];
    if (at < set->n_chunks)
        set->chunks[at] = (struct handtuned_chunk){.address = address, .bytes = bytes};
}

#if H5_VERSION_GE(1, 14, 0)

static int take_chunk(const hsize_t *offset, unsigned mask, haddr_t address,
                      hsize_t bytes, void *data)
{
    uint64_t at[HANDTUNED_NDIM];
    struct handtuned_set *set = data;

    (void)mask;
    for (int d = 0; d < set->ndim; d++)
        at[d] = offset[d];
    place_chunk(set, at, address, (uint32_t)bytes);
    return H5_ITER_CONT;
}

static void find_chunks(const struct handtuned_file *map, hid_t dataset,
                        struct handtuned_set *set)
{
    (void)map;
    if (H5Dchunk_iter(dataset, H5P_DEFAULT, take_chunk, set) < 0)
        handtuned_die("chunks");
}

#else

#define MESSAGE_LAYOUT 8
#define MESSAGE_CONTINUED 16
#define LAYOUT_CHUNKED 2
#define NODE_HEAD 24
#define NODE_CHUNKS 1
#define RANGES_MOST 64

static uint16_t read_16(const unsigned char *p)
{
    uint16_t value;

    memcpy(&value, p, sizeof(value));
    return value;
}

static uint32_t read_32(const unsigned char *p)
{
    uint32_t value;

    memcpy(&value, p, sizeof(value));
    return value;
}

static uint64_t read_64(const unsigned char *p)
{
    uint64_t value;

    memcpy(&value, p, sizeof(value));
    return value;
}

static const unsigned char *look(const struct handtuned_file *map, uint64_t at,
                                 uint64_t bytes)
{
    if (at > map->size || bytes > map->size - at)
        handtuned_die("a place beyond the file");
    return map->bytes + at;
}

/* The root of the tree, from a layout message of version 3. */
static uint64_t layout_root(const unsigned char *message)
{
    if (message[0] != 3 || message[1] != LAYOUT_CHUNKED)
        handtuned_die("a layout that is not of version 3, or not chunked");
    return read_64(message + 3);
}

static uint64_t find_root(const struct handtuned_file *map, uint64_t header)
{
    const unsigned char *head = look(map, header, 16);
    uint64_t starts[RANGES_MOST] = {header + 16},
             sizes[RANGES_MOST] = {read_32(head + 8)};
    unsigned n = 1;

    if (head[0] != 1)
        handtuned_die("an object header that is not of version 1");
    for (unsigned i = 0; i < n; i++) {
        const unsigned char *p = look(map, starts[i], sizes[i]), *end = p + sizes[i];
        while (end - p >= 8) {
            const unsigned type = read_16(p), size = read_16(p + 2);
            if (type == MESSAGE_LAYOUT)
                return layout_root(p + 8);
            if (type == MESSAGE_CONTINUED && n < RANGES_MOST) {
                starts[n] = read_64(p + 8);
                sizes[n++] = read_64(p + 16);
            }
            p += 8 + size;
        }
    }
    handtuned_die("an object header without layout");
}

/* Key: bytes, filter mask, offsets of all dimensions and of the element; child. */
static void walk(const struct handtuned_file *map, struct handtuned_set *set,
                 uint64_t at)
{
    const size_t key = 8 + 8 * ((size_t)set->ndim + 1);
    const unsigned char *node = look(map, at, NODE_HEAD);
    const unsigned used = read_16(node + 6), level = node[5];

    if (memcmp(node, "TREE", 4) != 0 || node[4] != NODE_CHUNKS)
        handtuned_die("a node of a B-tree");
    const unsigned char *p = look(map, at + NODE_HEAD, used * (key + 8));
    for (unsigned i = 0; i < used; i++, p += key + 8) {
        const uint64_t child = read_64(p + key);
        uint64_t offset[HANDTUNED_NDIM];
        if (level > 0) {
            walk(map, set, child);
            continue;
        }
        for (int d = 0; d < set->ndim; d++)
            offset[d] = read_64(p + 8 + 8 * (size_t)d);
        place_chunk(set, offset, child, read_32(p));
    }
}

static void find_chunks(const struct handtuned_file *map, hid_t dataset,
                        struct handtuned_set *set)
{
    H5O_info_t info;

    if (H5Oget_info2(dataset, &info, H5O_INFO_BASIC) < 0)
        handtuned_die("an object header");
    walk(map, set, find_root(map, info.addr));
}

#endif

void handtuned_set_read(const struct handtuned_file *map, hid_t file, const char *name,
                        struct handtuned_set *set)
{
    const hid_t dataset = H5Dopen2(file, name, H5P_DEFAULT);
    const hid_t space = H5Dget_space(dataset);

    *set = (struct handtuned_set){.n = 1, .n_chunks = 1};
    set->ndim = H5Sget_simple_extent_ndims(space);
    set->like = H5Dget_create_plist(dataset);
    if (set->ndim < 1 || set->ndim > HANDTUNED_NDIM ||
        H5Sget_simple_extent_dims(space, set->shape, NULL) < 0 ||
        H5Pget_chunk(set->like, HANDTUNED_NDIM, set->chunk) != set->ndim ||
        H5Pget_fill_value(set->like, H5T_NATIVE_FLOAT, &set->fill) < 0)
        handtuned_die(name);
    for (int d = 0; d < set->ndim; d++) {
        set->counts[d] = (set->shape[d] + set->chunk[d] - 1) / set->chunk[d];
        set->n *= set->chunk[d];
        set->n_chunks *= set->counts[d];
    }
    set->bytes = set->n * sizeof(float);
    set->chunks = calloc(set->n_chunks, sizeof(*set->chunks));
    if (!set->chunks)
        handtuned_die("memory");
    find_chunks(map, dataset, set);
    for (uint64_t i = 0; i < set->n_chunks; i++)
        if (set->chunks[i].bytes == 0 ||
            set->chunks[i].address + set->chunks[i].bytes > map->size)
            handtuned_die("a chunk is not there");
    H5Sclose(space);
    H5Dclose(dataset);
}
