/* job.h - a job file, read and checked as far as that goes without its data.
 *
 * What a job file may hold, and what it means: cli/manual/job.txt, which is the text of
 * "h5swim help job" and of h5swim-job(5). */
#ifndef SWIM_BATCH_JOB_H
#define SWIM_BATCH_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <h5swim/kernel.h>

#include "batch/problems.h"

struct job_param {
    char *name;
    char *value; /* as written */
    struct job_place place;
};

struct job_input {
    char *port;
    char *file; /* as it is opened: relative names joined to the job's directory */
    char *dataset;
    char *units; /* in place of the attribute; NULL: as that says */
    bool raw;
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
    bool has_fill, fill_default;
    double fill;
    bool packed;          /* stored numbers times scale plus offset are the values */
    double scale, offset; /* of packed */
    bool sharded;         /* in a file for each node, which the named one joins, ... */
    bool shards_set;      /* "shards" was given: */
    bool by_rank;         /* ... or for each rank */
    struct job_place place;
};

struct job_edge {
    char *axis;
    enum swim_edge mode;
    struct job_place place;
};

#define JOB_KERNELS_MAX 16

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
    bool follow;
    struct job_place follow_place;
    char *follow_until; /* the attribute */
    struct job *before; /* a chain: the job whose outputs are the inputs of this one; it
                           has kernel, params, edges, timeout_ms, memory_bytes and
                           follow, the first one inputs; NULL: there is none */
    int64_t follow_timeout_ms;                    /* without new rows; 0: for ever */
    struct job_place inputs_place, outputs_place; /* of the keys; "": there are none */
    struct job_place memory_place;
    struct problems *problems; /* where all errors go; NULL: the first one ends */
};

/* Read a job file and put "--set" settings ("a.b.c=value", value in YAML) over it.
 *
 * On SWIM_OK *out is the caller's, for job_destroy().
 * Errors: SWIM_ERR_ARG (no such file, not YAML, unknown key with the nearest known one,
 * value of the wrong kind: with file, line and column), SWIM_ERR_NOMEM. */
int job_load(const char *path, const char *const *sets, size_t n_sets, struct job **out,
             swim_error_t *err);
void job_destroy(struct job *job);

/* The same with all that is wrong in problems, whose path is that of the file, and not
 * only the first of it.  *out is what could be read, and NULL where nothing could: with
 * errors a kernel, and the file and dataset of an input or output, may be NULL.  Later
 * checks add to problems, which must live as long as *out.
 * Errors: SWIM_ERR_NOMEM. */
int job_check(const char *const *sets, size_t n_sets, struct problems *problems,
              struct job **out, swim_error_t *err);

#endif /* SWIM_BATCH_JOB_H */
