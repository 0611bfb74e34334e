/* source_scene.h - what tests of files that jobs read and write share: a lock server
 * for the whole program, and files that are open for reading until they are forgotten.
 */
#ifndef SWIM_SUPPORT_SOURCE_SCENE_H
#define SWIM_SUPPORT_SOURCE_SCENE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <h5swim/store.h>

#include "redis_fixture.h"
#include "scratch_dir.h"
#include "store/dataset.h"

/* In the session of the process; nothing is waited for. */
static const struct store_access store_now = {.wait_ms = SWIM_LOCK_TRY};

static struct redis_fixture store_server;

static inline int store_server_start(void **state)
{
    (void)state;
    if (redis_fixture_open(&store_server, NULL) != 0)
        return -1;
    setenv("SWIM_REDIS_URL", store_server.url, 1);
    return 0;
}

static inline int store_server_end(void **state)
{
    (void)state;
    H5close(); /* the session as well */
    redis_fixture_close(&store_server);
    return 0;
}

/* Datasets that were looked at, and their files. */
#define STORE_SOURCES 8
static struct {
    struct dataset_info *info;
    struct source *source;
} store_sources[STORE_SOURCES];

static inline struct source *store_source_of(const struct dataset_info *info)
{
    for (int i = 0; i < STORE_SOURCES; i++)
        if (info && store_sources[i].info == info)
            return store_sources[i].source;
    return NULL;
}

/* Open the file and look at the dataset. */
static inline int store_inspect(const char *file, const char *dataset,
                                struct dataset_info **out, swim_error_t *err)
{
    struct source *source = NULL;
    int free_one = 0;

    *out = NULL;
    int rc = source_open(file, &store_now, NULL, &source, err);
    if (rc == SWIM_OK)
        rc = dataset_inspect(source, dataset, out, err);
    if (rc != SWIM_OK) {
        source_close(source);
        return rc;
    }
    while (free_one < STORE_SOURCES - 1 && store_sources[free_one].info)
        free_one++;
    store_sources[free_one].info = *out;
    store_sources[free_one].source = source;
    return rc;
}

static inline void store_forget(struct dataset_info *info)
{
    for (int i = 0; i < STORE_SOURCES; i++)
        if (info && store_sources[i].info == info) {
            source_close(store_sources[i].source);
            store_sources[i].source = NULL;
            store_sources[i].info = NULL;
        }
    dataset_info_destroy(info);
}

/* After a test that failed half-way. */
static inline void store_forget_all(void)
{
    for (int i = 0; i < STORE_SOURCES; i++)
        store_forget(store_sources[i].info);
}

/* NAME.nc of a text for ncgen, in a folder of its own, which *state is; for setup(). */
static inline int store_sample_make(void **state, const char *name, const char *cdl)
{
    struct scratch_dir *dir = (struct scratch_dir *)calloc(1, sizeof(*dir));
    char file[64], command[160];

    *state = dir;
    store_quiet();
    if (!dir || scratch_dir_make(dir) < 0)
        return -1;
    snprintf(file, sizeof(file), "%s.cdl", name);
    FILE *to = fopen(scratch_dir_file(dir, file), "w");
    if (!to)
        return -1;
    fputs(cdl, to);
    fclose(to);
    snprintf(command, sizeof(command), "ncgen -k netCDF-4 -o %s.nc %s.cdl", name, name);
    return scratch_dir_run(dir, command);
}

static inline int store_sample_remove(void **state)
{
    struct scratch_dir *dir = (struct scratch_dir *)*state;
    store_forget_all();
    int rc = scratch_dir_remove(dir);

    free(dir);
    return rc;
}

#endif /* SWIM_SUPPORT_SOURCE_SCENE_H */
