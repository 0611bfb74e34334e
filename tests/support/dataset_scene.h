/* dataset_scene.h - a folder with one netCDF file, for tests of datasets and outputs.
 *
 * Include it behind cmocka.h. */
#ifndef SWIM_SUPPORT_DATASET_SCENE_H
#define SWIM_SUPPORT_DATASET_SCENE_H

#include <stdio.h>
#include <stdlib.h>

#include "scratch_dir.h"
#include "store/codec.h"
#include "store/dataset.h"

/* *state: a scratch_dir; in it NAME.nc, which is what the CDL says. */
static inline int dataset_scene_setup(void **state, const char *name, const char *cdl)
{
    char file[64], command[160];

    store_quiet();
    if (scratch_dir_setup(state) != 0)
        return -1;
    snprintf(file, sizeof(file), "%s.cdl", name);
    snprintf(command, sizeof(command), "ncgen -k netCDF-4 -o %s.nc %s", name, file);
    FILE *text = fopen(scratch_dir_file(*state, file), "w");
    bool written = text && fputs(cdl, text) >= 0;
    if (!text || fclose(text) != 0 || !written)
        return -1;
    return scratch_dir_run(*state, command);
}

static inline struct dataset_info *inspect(void **state, const char *file,
                                           const char *dataset)
{
    struct dataset_info *info = NULL;
    swim_error_t err = {0};

    if (dataset_inspect(scratch_dir_file(*state, file), dataset, &info, &err))
        fail_msg("%s", err.text);
    return info;
}

/* All of a dataset as mem. */
static inline void read_all(const struct dataset_info *info, enum swim_type mem,
                            void *buf)
{
    const uint64_t zero[SWIM_NDIM_MAX] = {0};
    struct dataset *ds = NULL;
    swim_error_t err = {0};

    if (dataset_open(info, mem, &ds, &err) ||
        dataset_read(ds, zero, info->shape, buf, info->shape, zero, &err))
        fail_msg("%s", err.text);
    dataset_close(ds);
}

#endif /* SWIM_SUPPORT_DATASET_SCENE_H */
