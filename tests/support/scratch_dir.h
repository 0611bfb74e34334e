/* scratch_dir.h - a temporary folder per test, for tests that make files. */
#ifndef SWIM_SUPPORT_SCRATCH_DIR_H
#define SWIM_SUPPORT_SCRATCH_DIR_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct scratch_dir {
    char path[256];
};

static inline int scratch_dir_make(struct scratch_dir *dir)
{
    const char *base = getenv("TMPDIR");

    snprintf(dir->path, sizeof(dir->path), "%s/h5swim-test-XXXXXX",
             base ? base : "/tmp");
    return mkdtemp(dir->path) ? 0 : -1;
}

/* Run a shell command in the folder. */
static inline int scratch_dir_run(const struct scratch_dir *dir, const char *command)
{
    char line[4096];

    snprintf(line, sizeof(line), "cd '%s' && { %s; }", dir->path, command);
    return system(line); /* NOLINT(cert-env33-c): a test */
}

static inline int scratch_dir_remove(const struct scratch_dir *dir)
{
    char line[512];

    snprintf(line, sizeof(line), "rm -rf '%s'", dir->path);
    return system(line);
}

/* The path of a file in the folder; four results live at a time. */
static inline const char *scratch_dir_file(const struct scratch_dir *dir,
                                           const char *name)
{
    static char paths[4][512];
    static int next;

    next = (next + 1) % 4;
    snprintf(paths[next], sizeof(paths[next]), "%s/%s", dir->path, name);
    return paths[next];
}

/* For cmocka: *state is the folder. */
static inline int scratch_dir_setup(void **state)
{
    struct scratch_dir *dir = calloc(1, sizeof(*dir));

    *state = dir;
    return dir ? scratch_dir_make(dir) : -1;
}

static inline int scratch_dir_teardown(void **state)
{
    struct scratch_dir *dir = *state;
    int rc = scratch_dir_remove(dir);

    free(dir);
    return rc;
}

#endif /* SWIM_SUPPORT_SCRATCH_DIR_H */
