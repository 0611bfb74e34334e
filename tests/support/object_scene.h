/* object_scene.h - what tests of the object interface share: a file that is open. */
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

#include "store_scene.h"

struct object_scene {
    struct scene at;
    swim_file_t *file; /* of at.path, made by mode x */
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
    if (!s || scene_open(&s->at) != 0)
        return -1;
    swim_error_clear(&err);
    s->file = open_as(s->at.path, "x", 20000);
    return 0;
}

static inline int teardown(void **state)
{
    struct object_scene *s = *state;

    swim_file_free(s->file);
    int rc = scene_close(&s->at);
    free(s);
    return rc;
}

#endif /* SWIM_SUPPORT_OBJECT_SCENE_H */
