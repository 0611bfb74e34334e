/* job.h - a job file, read and checked as far as that goes without its data.
 *
 *     kernel: wind_speed          # a name, a path to a .so or to a .c source; or a
 *                                 # mapping with the keys "name" and "timeout", the
 *                                 # seconds that one block may take
 *     params: {radius: 6371000}
 *     inputs:                     # by port of the kernel
 *       u: {file: winds.nc, dataset: UWND}
 *     outputs:
 *       speed:
 *         file: out.nc
 *         dataset: WSPD
 *         type: float32           # int8 ... uint64, float32, float64; default: the
 *                                 # kernel's
 *         chunks: [12, 73, 144]   # default: chosen
 *         filters: {shuffle: true, deflate: 4, fletcher32: false} # or none
 *         fill: -99.9             # also nan
 *         layout: sharded         # default: single; outputs in one file have the same
 *         shards: rank            # with sharded: a file for each; default: node
 *     block: auto                 # or sizes in elements: [12, 73, 144]
 *     memory: 256 MiB             # budget of one rank; at least 1 MiB
 *     edges: {lon: wrap, lat: nearest} # stencils; by name of the axis
 *
 * Relative paths are relative to the job file, those that --set gives too.  A "~" means
 * nothing special.  In memory k, M, G and KiB, MiB, GiB are binary, KB, MB, GB decimal.
 * Anchors and aliases work; a file of more than 1 MiB, 10000 values or 16 levels is
 * refused.  */
#ifndef SWIM_BATCH_JOB_H
#define SWIM_BATCH_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <h5swim/kernel.h>

/* "FILE:LINE:COLUMN" for messages; of a --set: "--set a.b=value". */
struct job_place {
    char text[256];
};

struct job_param {
    char *name;
    char *value; /* as written */
    struct job_place place;
};

struct job_input {
    char *port;
    char *file; /* as it is opened: relative names joined to the job's directory */
    char *dataset;
    struct job_place place;
};

struct job_output {
    char *port;
    char *file;
    char *dataset;
    enum swim_type type; /* SWIM_TYPE_ANY: the kernel's */
    uint32_t n_chunks;   /* 0: to be chosen */
    uint64_t chunks[SWIM_NDIM_MAX];
    bool filters_set; /* false: to be chosen */
    bool shuffle, fletcher32;
    int deflate; /* 0: none; 1 to 9 */
    bool has_fill;
    double fill;
    bool sharded;    /* in a file for each node, which the named one joins, ... */
    bool shards_set; /* "shards" was given: */
    bool by_rank;    /* ... or for each rank */
    struct job_place place;
};

struct job_edge {
    char *axis;
    enum swim_edge mode;
    struct job_place place;
};

struct job {
    char *path; /* of the job file, as given */
    char *dir;  /* its directory */
    char *name; /* the job file's name without directory and extension */
    char *kernel;
    struct job_place kernel_place;
    struct job_param *params;
    struct job_input *inputs;
    struct job_output *outputs;
    struct job_edge *edges;
    size_t n_params, n_inputs, n_outputs, n_edges;
    uint32_t n_block; /* 0: auto */
    uint64_t block[SWIM_NDIM_MAX];
    struct job_place block_place;
    uint64_t memory_bytes; /* default 256 MiB */
    int64_t timeout_ms;    /* for one block; 0: any time */
};

/* Read a job file and put "--set" settings ("a.b.c=value", value in YAML) over it.
 *
 * On SWIM_OK *out is the caller's, for job_destroy().
 * Errors: SWIM_ERR_ARG (no such file, not YAML, unknown key with the nearest known one,
 * value of the wrong kind: with file, line and column), SWIM_ERR_NOMEM. */
int job_load(const char *path, const char *const *sets, size_t n_sets, struct job **out,
             swim_error_t *err);
void job_destroy(struct job *job);

#endif /* SWIM_BATCH_JOB_H */
