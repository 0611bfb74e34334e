/* output_progress.c - which blocks of a job are in an output file.
 *
 * h5swim_progress is read and written in pages.  A page stays in memory as long as the
 * file is open for writing: nobody else changes it meanwhile.  Of each, the bytes from
 * the first that was changed to the last are written. */
#include <stdlib.h>
#include <string.h>

#include "store/output_private.h"

#define DESCRIPTION "h5swim_description"
#define BLOCKS "blocks" /* attribute of the first */
#define PAGE 4096
#define BLOCKS_MOST ((uint64_t)1 << 33) /* a map of 1 GiB */

struct page {
    bool touched;
    size_t from, to; /* bytes changed since the last write */
    unsigned char bytes[PAGE];
};

struct progress {
    const char *name;
    hid_t set;
    uint64_t n_blocks;
    bool grows;
    size_t n_bytes;
    struct page **pages; /* NULL: not read yet */
    size_t *touched;     /* numbers of pages */
    size_t n_pages, n_touched;
};

/* HDF5 is given at least a byte; a map that grows does so by pages. */
static size_t map_bytes(uint64_t n_blocks)
{
    if (n_blocks == OUTPUT_GROWS)
        return PAGE;
    return n_blocks ? (size_t)((n_blocks + 7) / 8) : 1;
}

/* --- making ------------------------------------------------------------------- */

/* Contiguous bytes, all there from the start, so that a block done changes nothing but
 * its own. */
static hid_t bytes_make(hid_t file, const char *path, size_t n)
{
    const hsize_t dim = n;
    const unsigned char zero = 0;
    unsigned order = H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED;
    hid_t dcpl = H5Pcreate(H5P_DATASET_CREATE);
    hid_t space = H5Screate_simple(1, &dim, NULL), set = H5I_INVALID_HID;

    if (dcpl >= 0 && space >= 0 && H5Pset_attr_creation_order(dcpl, order) >= 0 &&
        H5Pset_alloc_time(dcpl, H5D_ALLOC_TIME_EARLY) >= 0 &&
        H5Pset_fill_value(dcpl, H5T_NATIVE_UINT8, &zero) >= 0 &&
        H5Pset_fill_time(dcpl, H5D_FILL_TIME_ALLOC) >= 0)
        set =
            H5Dcreate2(file, path, H5T_STD_U8LE, space, H5P_DEFAULT, dcpl, H5P_DEFAULT);
    h5_release(space);
    h5_release(dcpl);
    return set;
}

/* One page, to which others are added: in chunks of a page. */
static hid_t pages_make(hid_t file, const char *path)
{
    const hsize_t dim = PAGE, most = H5S_UNLIMITED;
    unsigned order = H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED;
    hid_t dcpl = H5Pcreate(H5P_DATASET_CREATE);
    hid_t space = H5Screate_simple(1, &dim, &most), set = H5I_INVALID_HID;

    if (dcpl >= 0 && space >= 0 && H5Pset_attr_creation_order(dcpl, order) >= 0 &&
        H5Pset_chunk(dcpl, 1, &dim) >= 0)
        set =
            H5Dcreate2(file, path, H5T_STD_U8LE, space, H5P_DEFAULT, dcpl, H5P_DEFAULT);
    h5_release(space);
    h5_release(dcpl);
    return set;
}

static int description_make(hid_t file, const char *name, const char *text,
                            swim_error_t *err)
{
    size_t n = strlen(text);
    hid_t set = bytes_make(file, DESCRIPTION, n ? n : 1);
    int rc = SWIM_OK;

    if (set < 0 ||
        (n && H5Dwrite(set, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, text) < 0))
        rc = h5_fail(err, SWIM_ERR_IO, "create %s in %s", DESCRIPTION, name);
    h5_release(set);
    return rc;
}

int progress_make(hid_t file, const char *name, const struct output_job *job,
                  swim_error_t *err)
{
    bool grows = job->n_blocks == OUTPUT_GROWS;

    if (job->n_blocks > BLOCKS_MOST && !grows)
        return swim_error_set(err, SWIM_ERR_ARG,
                              "create %s: %llu blocks are more than the %llu that a "
                              "job may have; make them larger (block)",
                              name, (unsigned long long)job->n_blocks,
                              (unsigned long long)BLOCKS_MOST);
    hid_t set = grows ? pages_make(file, OUTPUT_PROGRESS)
                      : bytes_make(file, OUTPUT_PROGRESS, map_bytes(job->n_blocks));
    int rc = SWIM_OK;
    if (set < 0)
        rc = h5_fail(err, SWIM_ERR_IO, "create %s in %s", OUTPUT_PROGRESS, name);
    else if (job->done && job->n_blocks &&
             H5Dwrite(set, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, job->done) <
                 0)
        rc = h5_fail(err, SWIM_ERR_IO, "write %s in %s", OUTPUT_PROGRESS, name);
    if (rc == SWIM_OK)
        rc = h5_attr_put_number(set, BLOCKS, H5T_NATIVE_UINT64, &job->n_blocks, err);
    h5_release(set);
    return rc == SWIM_OK ? description_make(file, name, job->description, err) : rc;
}

/* --- what is there ------------------------------------------------------------ */

static hid_t bytes_open(hid_t file, const char *path)
{
    return H5Lexists(file, path, H5P_DEFAULT) > 0 ? H5Dopen2(file, path, H5P_DEFAULT)
                                                  : H5I_INVALID_HID;
}

/* The length of a dataset of bytes; 0: it is something else. */
static size_t bytes_count(hid_t set)
{
    hid_t space = set < 0 ? H5I_INVALID_HID : H5Dget_space(set);
    hid_t type = set < 0 ? H5I_INVALID_HID : H5Dget_type(set);
    hsize_t dim = 0;

    if (space < 0 || type < 0 || H5Sget_simple_extent_ndims(space) != 1 ||
        H5Sget_simple_extent_dims(space, &dim, NULL) != 1 ||
        H5Tequal(type, H5T_STD_U8LE) <= 0)
        dim = 0;
    h5_release(type);
    h5_release(space);
    return (size_t)dim;
}

static bool map_fits(uint64_t n_blocks, size_t n_bytes)
{
    if (n_blocks == OUTPUT_GROWS)
        return n_bytes >= PAGE && n_bytes % PAGE == 0 && n_bytes <= BLOCKS_MOST / 8;
    return n_blocks <= BLOCKS_MOST && n_bytes == map_bytes(n_blocks);
}

/* Open h5swim_progress; it is as it was made, or not opened. */
static hid_t map_open(hid_t file, uint64_t *n_blocks)
{
    hid_t set = bytes_open(file, OUTPUT_PROGRESS);

    *n_blocks = 0;
    if (set >= 0 && h5_attr_number(set, BLOCKS, H5T_NATIVE_UINT64, n_blocks) &&
        map_fits(*n_blocks, bytes_count(set)))
        return set;
    h5_release(set);
    *n_blocks = 0;
    return H5I_INVALID_HID;
}

static char *description_read(hid_t file)
{
    hid_t set = bytes_open(file, DESCRIPTION);
    size_t n = bytes_count(set);
    char *text = n ? (char *)calloc(1, n + 1) : NULL;

    if (text && H5Dread(set, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, text) < 0)
        text[0] = '\0';
    h5_release(set);
    return text;
}

bool progress_look(hid_t file, uint64_t *n_blocks, char **description)
{
    hid_t set = map_open(file, n_blocks);
    bool found = set >= 0;

    if (found && description)
        *description = description_read(file);
    h5_release(set);
    return found;
}

static int map_read(hid_t set, const char *name, unsigned char *bits, swim_error_t *err)
{
    if (H5Dread(set, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, bits) < 0)
        return h5_fail(err, SWIM_ERR_IO, "read %s in %s", OUTPUT_PROGRESS, name);
    return SWIM_OK;
}

/* A map that grows, as far as there are blocks. */
static int growing_read(hid_t set, const char *name, uint64_t n_blocks,
                        unsigned char *bits, swim_error_t *err)
{
    size_t n_bytes = bytes_count(set), wanted = (size_t)((n_blocks + 7) / 8);
    unsigned char *all = (unsigned char *)calloc(1, n_bytes + 1);

    if (!all)
        return swim_error_set(err, SWIM_ERR_NOMEM, "read %s in %s", OUTPUT_PROGRESS,
                              name);
    int rc = map_read(set, name, all, err);
    if (rc == SWIM_OK) {
        memset(bits, 0, wanted);
        memcpy(bits, all, wanted < n_bytes ? wanted : n_bytes);
    }
    free(all);
    return rc;
}

int progress_read(hid_t file, const char *name, uint64_t n_blocks, unsigned char *bits,
                  swim_error_t *err)
{
    uint64_t found = 0;
    hid_t set = map_open(file, &found);
    int rc = SWIM_OK;

    if (set >= 0 && found == OUTPUT_GROWS)
        rc = growing_read(set, name, n_blocks, bits, err);
    else if (set < 0 || found != n_blocks)
        rc = swim_error_set(err, SWIM_ERR_ARG,
                            "read what is done in %s: it is of %llu blocks, the job "
                            "has %llu",
                            name, (unsigned long long)found,
                            (unsigned long long)n_blocks);
    else if (n_blocks)
        rc = map_read(set, name, bits, err);
    h5_release(set);
    return rc;
}

static int bytes_remove(hid_t file, const char *name, const char *path,
                        swim_error_t *err)
{
    if (H5Lexists(file, path, H5P_DEFAULT) > 0 &&
        H5Ldelete(file, path, H5P_DEFAULT) < 0)
        return h5_fail(err, SWIM_ERR_IO, "remove %s from %s", path, name);
    return SWIM_OK;
}

int progress_remove(hid_t file, const char *name, swim_error_t *err)
{
    int rc = bytes_remove(file, name, OUTPUT_PROGRESS, err);

    return rc == SWIM_OK ? bytes_remove(file, name, DESCRIPTION, err) : rc;
}

int progress_describe(hid_t file, const char *name, const char *description,
                      swim_error_t *err)
{
    char *there = description_read(file);
    bool same = there && strcmp(there, description) == 0;

    free(there);
    if (same)
        return SWIM_OK;
    int rc = bytes_remove(file, name, DESCRIPTION, err);
    return rc == SWIM_OK ? description_make(file, name, description, err) : rc;
}

/* --- setting bits ------------------------------------------------------------- */

int progress_open(hid_t file, const char *name, struct progress **out,
                  swim_error_t *err)
{
    struct progress *p = (struct progress *)calloc(1, sizeof(*p));

    *out = NULL;
    if (!p)
        return swim_error_set(err, SWIM_ERR_NOMEM, "open %s", name);
    p->name = name;
    p->set = map_open(file, &p->n_blocks);
    if (p->set < 0) {
        free(p);
        return swim_error_set(err, SWIM_ERR_ARG,
                              "open %s: it does not say which blocks of the job are "
                              "done (%s)",
                              name, OUTPUT_PROGRESS);
    }
    p->grows = p->n_blocks == OUTPUT_GROWS;
    p->n_bytes = bytes_count(p->set);
    p->n_pages = (p->n_bytes - 1) / PAGE + 1;
    p->pages = (struct page **)calloc(p->n_pages, sizeof(struct page *));
    p->touched = (size_t *)calloc(p->n_pages, sizeof(*p->touched));
    if (!p->pages || !p->touched) {
        progress_free(p);
        return swim_error_set(err, SWIM_ERR_NOMEM, "open %s", name);
    }
    *out = p;
    return SWIM_OK;
}

void progress_free(struct progress *p)
{
    if (!p)
        return;
    for (size_t i = 0; p->pages && i < p->n_pages; i++)
        free(p->pages[i]);
    free((void *)p->pages);
    free(p->touched);
    free(p);
}

/* Read or write count bytes from start on. */
static int part_move(const struct progress *p, size_t start, size_t count,
                     unsigned char *bytes, bool write, swim_error_t *err)
{
    const hsize_t from = start, n = count;
    hid_t in_file = H5Dget_space(p->set), in_memory = H5Screate_simple(1, &n, NULL);
    int rc = SWIM_OK;

    if (in_file < 0 || in_memory < 0 ||
        H5Sselect_hyperslab(in_file, H5S_SELECT_SET, &from, NULL, &n, NULL) < 0 ||
        (write ? H5Dwrite(p->set, H5T_NATIVE_UINT8, in_memory, in_file, H5P_DEFAULT,
                          bytes)
               : H5Dread(p->set, H5T_NATIVE_UINT8, in_memory, in_file, H5P_DEFAULT,
                         bytes)) < 0)
        rc = h5_fail(err, SWIM_ERR_IO, "%s %s in %s", write ? "write" : "read",
                     OUTPUT_PROGRESS, p->name);
    h5_release(in_memory);
    h5_release(in_file);
    return rc;
}

static int page_get(struct progress *p, size_t number, struct page **out,
                    swim_error_t *err)
{
    size_t start = number * PAGE, left = p->n_bytes - start;

    *out = p->pages[number];
    if (*out)
        return SWIM_OK;
    struct page *page = (struct page *)calloc(1, sizeof(*page));
    if (!page)
        return swim_error_set(err, SWIM_ERR_NOMEM, "write %s", p->name);
    int rc = part_move(p, start, left < PAGE ? left : PAGE, page->bytes, false, err);
    if (rc != SWIM_OK) {
        free(page);
        return rc;
    }
    *out = p->pages[number] = page;
    return SWIM_OK;
}

/* Of a map that grows; the new pages are zeros. */
static int pages_add(struct progress *p, size_t n_pages, swim_error_t *err)
{
    const hsize_t dim = (hsize_t)n_pages * PAGE;
    struct page **pages =
        (struct page **)realloc((void *)p->pages, n_pages * sizeof(struct page *));

    if (pages)
        p->pages = pages;
    size_t *touched = (size_t *)realloc(p->touched, n_pages * sizeof(*touched));
    if (touched)
        p->touched = touched;
    if (!pages || !touched)
        return swim_error_set(err, SWIM_ERR_NOMEM, "write %s", p->name);
    if (H5Dset_extent(p->set, &dim) < 0)
        return h5_fail(err, SWIM_ERR_IO, "make %s in %s longer", OUTPUT_PROGRESS,
                       p->name);
    for (size_t i = p->n_pages; i < n_pages; i++)
        p->pages[i] = NULL;
    p->n_pages = n_pages;
    p->n_bytes = (size_t)dim;
    return SWIM_OK;
}

int progress_set(struct progress *p, uint64_t block, swim_error_t *err)
{
    struct page *page = NULL;

    if (block >= (p->grows ? BLOCKS_MOST : p->n_blocks))
        return swim_error_set(err, SWIM_ERR_ARG, "write %s: block %llu of %llu is done",
                              p->name, (unsigned long long)block,
                              (unsigned long long)p->n_blocks);
    size_t number = (size_t)(block / 8 / PAGE), at = (size_t)(block / 8 % PAGE);
    int rc = number < p->n_pages ? SWIM_OK : pages_add(p, number + 1, err);
    if (rc == SWIM_OK)
        rc = page_get(p, number, &page, err);
    if (rc != SWIM_OK)
        return rc;
    page->bytes[at] = (unsigned char)(page->bytes[at] | 1U << block % 8);
    if (!page->touched) {
        page->touched = true;
        page->from = page->to = at;
        p->touched[p->n_touched++] = number;
    }
    if (at < page->from)
        page->from = at;
    if (at > page->to)
        page->to = at;
    return SWIM_OK;
}

int progress_forget(struct progress *p, uint64_t first, swim_error_t *err)
{
    const size_t start = (size_t)(first / 8),
                 n = start < p->n_bytes ? p->n_bytes - start : 0;
    unsigned char byte = 0;

    if (n == 0)
        return SWIM_OK;
    unsigned char *bytes = (unsigned char *)calloc(1, n);
    if (!bytes)
        return swim_error_set(err, SWIM_ERR_NOMEM, "write %s", p->name);
    int rc = part_move(p, start, 1, &byte, false, err);
    bytes[0] = (unsigned char)(byte & ((1U << first % 8) - 1));
    if (rc == SWIM_OK)
        rc = part_move(p, start, n, bytes, true, err);
    free(bytes);
    return rc;
}

int progress_write(struct progress *p, swim_error_t *err)
{
    int rc = SWIM_OK;

    for (size_t i = 0; rc == SWIM_OK && i < p->n_touched; i++) {
        struct page *page = p->pages[p->touched[i]];
        rc = part_move(p, p->touched[i] * PAGE + page->from, page->to - page->from + 1,
                       page->bytes + page->from, true, err);
        page->touched = false;
    }
    p->n_touched = 0;
    return rc;
}
