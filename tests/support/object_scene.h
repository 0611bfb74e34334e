/* object_scene.h - what tests of the object interface share: a lock server, a folder,
 * a file. */
#ifndef SWIM_SUPPORT_OBJECT_SCENE_H
#define SWIM_SUPPORT_OBJECT_SCENE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <h5swim/file.h>
#include <h5swim/store.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redis_fixture.h"
#include "scratch_dir.h"

struct object_scene {
    struct redis_fixture redis;
    struct scratch_dir dir;
    char path[300], other[300];
    swim_file_t *file; /* of path, made by mode x */
};

static swim_error_t err;

/* Say what failed. */
static inline void ok_at(int rc, int line)
{
    if (rc != SWIM_OK)
        fail_msg("line %d: %s: %s", line, swim_status_name(rc), err.text);
    swim_error_clear(&err);
}

static inline void refused_at(int rc, int code, const char *part, int line)
{
    if (rc != code || !strstr(err.text, part))
        fail_msg("line %d: %s, \"%s\" does not say \"%s\"", line, swim_status_name(rc),
                 err.text, part);
    swim_error_clear(&err);
}

#define OK(call) ok_at(call, __LINE__)
#define REFUSED(call, code, part) refused_at(call, code, part, __LINE__)

static inline swim_file_t *open_as(const char *path, const char *mode, int64_t wait_ms)
{
    const struct swim_file_options opt = {.struct_size = sizeof(opt),
                                          .wait_ms = wait_ms};
    swim_file_t *file = NULL;

    OK(swim_file_open(path, mode, &opt, &file, &err));
    assert_non_null(file);
    return file;
}

static inline int setup(void **state)
{
    struct object_scene *s = calloc(1, sizeof(*s));

    *state = s;
    if (!s || scratch_dir_make(&s->dir) != 0 ||
        redis_fixture_open(&s->redis, NULL) != 0)
        return -1;
    snprintf(s->path, sizeof(s->path), "%s/a.h5", s->dir.path);
    snprintf(s->other, sizeof(s->other), "%s/b.h5", s->dir.path);
    setenv("SWIM_REDIS_URL", s->redis.url, 1);
    swim_error_clear(&err);
    s->file = open_as(s->path, "x", 20000);
    return 0;
}

static inline int teardown(void **state)
{
    struct object_scene *s = *state;

    swim_file_free(s->file);
    H5close(); /* the session as well */
    redis_fixture_close(&s->redis);
    (void)scratch_dir_remove(&s->dir);
    free(s);
    return 0;
}

#endif /* SWIM_SUPPORT_OBJECT_SCENE_H */
