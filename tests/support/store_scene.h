/* store_scene.h - a lock server, a folder and the names of files in it, for tests that
 * open files through the driver.
 *
 * Include it behind cmocka.h. */
#ifndef SWIM_SUPPORT_STORE_SCENE_H
#define SWIM_SUPPORT_STORE_SCENE_H

#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>

#include "redis_fixture.h"
#include "scratch_dir.h"
#include "store/journal_format.h"

struct scene {
    struct redis_fixture redis;
    struct scratch_dir dir;
    char path[300], journal[320], other[300]; /* journal: of path */
};

static inline int scene_open(struct scene *s)
{
    if (scratch_dir_make(&s->dir) != 0 || redis_fixture_open(&s->redis, NULL) != 0)
        return -1;
    snprintf(s->path, sizeof(s->path), "%s/a.h5", s->dir.path);
    snprintf(s->journal, sizeof(s->journal), "%s%s", s->path, JOURNAL_SUFFIX);
    snprintf(s->other, sizeof(s->other), "%s/b.h5", s->dir.path);
    setenv("SWIM_REDIS_URL", s->redis.url, 1);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    return 0;
}

static inline int scene_close(struct scene *s)
{
    H5close(); /* the session as well */
    redis_fixture_close(&s->redis);
    return scratch_dir_remove(&s->dir);
}

static inline int scene_setup(void **state)
{
    struct scene *s = calloc(1, sizeof(*s));

    *state = s;
    return s ? scene_open(s) : -1;
}

static inline int scene_teardown(void **state)
{
    struct scene *s = *state;
    int rc = scene_close(s);

    free(s);
    return rc;
}

#endif /* SWIM_SUPPORT_STORE_SCENE_H */
