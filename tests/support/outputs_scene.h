/* outputs_scene.h - what tests of a job's outputs share: a folder with an input and a
 * job file, the job as a new run sees it, and what has become of its outputs.  Include
 * cmocka first. */
#ifndef SWIM_SUPPORT_OUTPUTS_SCENE_H
#define SWIM_SUPPORT_OUTPUTS_SCENE_H

#include <hdf5.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "batch/outputs.h"
#include "scratch_dir.h"
#include "source_scene.h"

#define ROWS 40
#define SETS_MOST 8

struct scene {
    struct scratch_dir dir;
    char yaml[300];
    struct job *job;
    struct setup *setup;
    char mark[40];
    struct outputs outputs;
    enum outputs_begun how;
    swim_error_t err;
};

/* Dataset A of the file: element i is value + i. */
static inline int scene_input(const struct scene *s, const char *name, hsize_t columns,
                              double value)
{
    const hsize_t dims[2] = {ROWS, columns};
    double *data = malloc(ROWS * columns * sizeof(*data));

    for (hsize_t i = 0; data && i < ROWS * columns; i++)
        data[i] = value + (double)i;
    hid_t file = H5Fcreate(scratch_dir_file(&s->dir, name), H5F_ACC_TRUNC, H5P_DEFAULT,
                           H5P_DEFAULT);
    hid_t space = H5Screate_simple(2, dims, NULL);
    hid_t set = H5Dcreate2(file, "A", H5T_NATIVE_DOUBLE, space, H5P_DEFAULT,
                           H5P_DEFAULT, H5P_DEFAULT);
    herr_t wrote =
        data ? H5Dwrite(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, data)
             : -1;
    H5Dclose(set);
    H5Sclose(space);
    free(data);
    return H5Fclose(file) < 0 || wrote < 0 ? -1 : 0;
}

/* The job file: a kernel of tests/support/kernels, and the other lines. */
static inline int scene_job(const struct scene *s, const char *kernel,
                            const char *lines)
{
    FILE *f = fopen(s->yaml, "w");

    if (!f)
        return -1;
    fprintf(f, "kernel: %s/tests/support/kernels/%s\n%s", getenv("SWIM_SOURCE"), kernel,
            lines);
    return fclose(f);
}

/* An empty folder, and *state. */
static inline int scene_make(void **state)
{
    struct scene *s = calloc(1, sizeof(*s));

    *state = s;
    store_quiet();
    if (!s || scratch_dir_make(&s->dir) != 0)
        return -1;
    setenv("SWIM_CACHE_DIR", scratch_dir_file(&s->dir, ".cache"), 1);
    snprintf(s->yaml, sizeof(s->yaml), "%s/job.yaml", s->dir.path);
    return 0;
}

static inline void scene_end_run(struct scene *s)
{
    setup_destroy(s->setup);
    job_destroy(s->job);
    s->setup = NULL;
    s->job = NULL;
}

static inline int scene_remove(void **state)
{
    struct scene *s = *state;

    scene_end_run(s);
    int rc = scratch_dir_remove(&s->dir);
    free(s);
    return rc;
}

/* The job as a new run of it sees it; sets: of --set, the last one is NULL; or NULL. */
static inline void scene_plan(struct scene *s, unsigned run, const char *const *sets)
{
    const struct setup_access access = {.store = store_now};
    size_t n = 0;

    scene_end_run(s);
    s->err = (swim_error_t){0};
    while (sets && sets[n])
        n++;
    if (job_load(s->yaml, sets, n, &s->job, &s->err) ||
        setup_create(s->job, &access, &s->setup, &s->err))
        fail_msg("%s", s->err.text);
    snprintf(s->mark, sizeof(s->mark), "%016llx-%016x",
             (unsigned long long)s->setup->digest, run);
    s->outputs = (struct outputs){.setup = s->setup,
                                  .access = store_now,
                                  .mark = s->mark,
                                  .command = "h5swim run",
                                  .resume = true};
}

static inline int scene_begin(struct scene *s)
{
    s->err = (swim_error_t){0};
    int rc = outputs_begin(&s->outputs, &s->how, &s->err);
    return rc == SWIM_OK ? outputs_clear(&s->outputs, s->how, &s->err) : rc;
}

/* The run that is planned begins, and finds that. */
static inline void scene_begins(struct scene *s, enum outputs_begun how)
{
    if (scene_begin(s))
        fail_msg("%s", s->err.text);
    assert_int_equal(s->how, how);
}

/* It does not begin, and one line tells why. */
static inline void scene_refused(struct scene *s, int code, const char *says)
{
    assert_int_equal(scene_begin(s), code);
    if (!strstr(s->err.text, says))
        fail_msg("%s: no \"%s\"", s->err.text, says);
    assert_true(strlen(s->err.text) < 900);
}

/* How many blocks of a phase are done. */
static inline size_t scene_count_done(struct scene *s, uint32_t phase)
{
    unsigned char bits[64] = {0};
    size_t n = 0;

    if (outputs_progress(&s->outputs, phase, bits, &s->err))
        fail_msg("%s", s->err.text);
    for (size_t i = 0; i < 8 * sizeof(bits); i++)
        n += bits[i / 8] >> i % 8 & 1;
    return n;
}

static inline bool scene_has(const struct scene *s, const char *name)
{
    struct stat st;

    return stat(scratch_dir_file(&s->dir, name), &st) == 0;
}

static inline void scene_run(const struct scene *s, const char *command)
{
    if (scratch_dir_run(&s->dir, command) != 0)
        fail_msg("failed: %s", command);
}

#endif /* SWIM_SUPPORT_OUTPUTS_SCENE_H */
