/* partials.c - reading the accumulators of a reduce. */
#include "batch/partials.h"

#include <stdlib.h>

#include "store/dataset.h"

struct partials {
    struct source *source;
    struct dataset_info *info;
    struct dataset *set;
    uint64_t acc_bytes;
};

int partials_open(const struct setup *setup, const struct store_access *access,
                  struct partials **out, swim_error_t *err)
{
    const struct output_spec *spec = &setup->targets[0].list[0].specs[0];
    struct partials *p = calloc(1, sizeof(*p));

    *out = NULL;
    if (!p)
        return swim_error_set(err, SWIM_ERR_NOMEM, "open %s", spec->file);
    p->acc_bytes = setup->acc_bytes;
    int rc = source_open(spec->file, access, NULL, &p->source, err);
    if (rc == SWIM_OK)
        rc = dataset_inspect(p->source, spec->dataset, &p->info, err);
    if (rc == SWIM_OK &&
        (p->info->ndim != 2 || p->info->stored_type != SWIM_TYPE_U8 ||
         p->info->shape[0] != spec->shape[0] || p->info->shape[1] != spec->shape[1]))
        rc = swim_error_set(err, SWIM_ERR_IO,
                            "read partial results: %s was replaced by another job "
                            "while this one ran",
                            spec->file);
    if (rc == SWIM_OK) {
        p->info->cache_bytes = DATASET_UNCACHED;
        rc = dataset_open(p->source, p->info, SWIM_TYPE_U8, NULL, &p->set, err);
    }
    if (rc == SWIM_OK)
        *out = p;
    else
        partials_close(p);
    return rc;
}

int partials_read(struct partials *p, uint64_t block, void *acc, swim_error_t *err)
{
    const uint64_t start[2] = {block, 0}, count[2] = {1, p->acc_bytes};
    const uint64_t zero[2] = {0, 0};

    return dataset_read(p->set, start, count, acc, count, zero, err);
}

void partials_close(struct partials *p)
{
    if (!p)
        return;
    dataset_close(p->set);
    dataset_info_destroy(p->info);
    source_close(p->source);
    free(p);
}
