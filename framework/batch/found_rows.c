/* found_rows.c - reading the rows that a filter found. */
#include "batch/found_rows.h"

#include <inttypes.h>
#include <stdlib.h>

#include "store/dataset.h"

struct entry {
    uint64_t at;   /* where its bytes begin */
    uint64_t rows; /* once open: of all blocks before it */
};

struct rows {
    struct source *source;
    struct dataset_info *info;
    struct dataset *set;
    struct entry *entries; /* of each block, and one for the end */
    uint64_t n_blocks, row_bytes, cache_bytes;
};

static int read_entries(struct rows *r, const struct output_spec *spec,
                        swim_error_t *err)
{
    const uint64_t start[2] = {0, 0}, count[2] = {r->n_blocks, 2};
    struct dataset_info *info = NULL;
    struct dataset *set = NULL;
    uint64_t sum = 0;

    int rc = dataset_inspect(r->source, spec->dataset, &info, err);
    if (rc == SWIM_OK && (info->ndim != 2 || info->stored_type != SWIM_TYPE_U64 ||
                          info->shape[0] != r->n_blocks || info->shape[1] != 2))
        rc = swim_error_set(err, SWIM_ERR_IO,
                            "read the rows found: %s was replaced by another job while "
                            "this one ran",
                            spec->file);
    if (rc == SWIM_OK)
        rc = dataset_open(r->source, info, SWIM_TYPE_U64, NULL, &set, err);
    if (rc == SWIM_OK)
        rc = dataset_read(set, start, count, r->entries, count, start, err);
    for (uint64_t b = 0; rc == SWIM_OK && b <= r->n_blocks; b++) {
        uint64_t rows = b < r->n_blocks ? r->entries[b].rows : 0;
        r->entries[b].rows = sum;
        sum += rows;
    }
    dataset_close(set);
    dataset_info_destroy(info);
    return rc;
}

static int open_bytes(struct rows *r, const struct output_spec *spec, swim_error_t *err)
{
    int rc = dataset_inspect_growing(r->source, spec->dataset, &r->info, err);

    if (rc == SWIM_OK && (r->info->ndim != 1 || r->info->stored_type != SWIM_TYPE_U8))
        rc = swim_error_set(err, SWIM_ERR_IO, "read the rows found: %s has none",
                            spec->file);
    if (rc != SWIM_OK)
        return rc;
    r->info->cache_bytes = r->cache_bytes;
    return dataset_open(r->source, r->info, SWIM_TYPE_U8, NULL, &r->set, err);
}

int rows_open(const struct setup *setup, const struct store_access *access,
              struct rows **out, swim_error_t *err)
{
    const struct output_spec *specs = setup->targets[0].list[0].specs;
    struct rows *r = calloc(1, sizeof(*r));

    *out = NULL;
    if (!r)
        return swim_error_set(err, SWIM_ERR_NOMEM, "open %s", specs[0].file);
    r->n_blocks = setup->blocks.n;
    r->row_bytes = setup->table.row_bytes;
    r->cache_bytes = rows_cache_bytes(setup);
    r->entries = calloc(r->n_blocks + 1, sizeof(*r->entries));
    if (!r->entries) {
        rows_close(r);
        return swim_error_set(err, SWIM_ERR_NOMEM, "open %s", specs[0].file);
    }
    int rc = source_open(specs[0].file, access, NULL, &r->source, err);
    if (rc == SWIM_OK)
        rc = read_entries(r, &specs[1], err);
    if (rc == SWIM_OK)
        rc = open_bytes(r, &specs[0], err);
    if (rc == SWIM_OK)
        *out = r;
    else
        rows_close(r);
    return rc;
}

uint64_t rows_before(const struct rows *r, uint64_t block)
{
    return r->entries[block].rows;
}

uint64_t rows_find(const struct rows *r, uint64_t row)
{
    uint64_t low = 0, high = r->n_blocks;

    while (high - low > 1) {
        uint64_t middle = low + (high - low) / 2;
        if (r->entries[middle].rows <= row)
            low = middle;
        else
            high = middle;
    }
    return low;
}

int rows_read(struct rows *r, uint64_t block, void *bytes, swim_error_t *err)
{
    const uint64_t start[1] = {r->entries[block].at}, zero[1] = {0};
    const uint64_t count[1] = {(r->entries[block + 1].rows - r->entries[block].rows) *
                               r->row_bytes};

    if (count[0] == 0)
        return SWIM_OK;
    return dataset_read(r->set, start, count, bytes, count, zero, err);
}

void rows_close(struct rows *r)
{
    if (!r)
        return;
    dataset_close(r->set);
    dataset_info_destroy(r->info);
    source_close(r->source);
    free(r->entries);
    free(r);
}
