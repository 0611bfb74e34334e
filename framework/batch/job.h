/* job.h - a job file, read and checked as far as that goes without its data.
 *
 *     kernel: wind_speed          # a name, a path to a .so or to a .c source; or a
 *                                 # mapping with the keys "name" and "timeout", the
 *                                 # seconds that one block may take
 *                                 # or, in its place, "kernels": a chain; see below
 *     params: {radius: 6371000}
 *     inputs:                     # by port of the kernel
 *       u: {file: winds.nc, dataset: UWND}
 *       # raw: true               # numbers as they are stored: not unpacked by
 *                                 # scale_factor and add_offset, none is missing; what
 *                                 # SWIM_KERNEL_RAW of kernel.h says of outputs applies
 *     outputs:
 *       speed:
 *         file: out.nc
 *         dataset: WSPD
 *         type: float32           # int8 ... uint64, float32, float64; default: the
 *                                 # kernel's
 *         chunks: [12, 73, 144]   # default: chosen
 *         filters: {shuffle: true, deflate: 4, fletcher32: false} # or none
 *         fill: -99.9             # also nan; or default: that of netCDF for the type,
 *                                 # and not the missing value of the first input
 *         layout: sharded         # default: single; outputs in one file have the same
 *         shards: rank            # with sharded: a file for each; default: node
 *     block: auto                 # or sizes in elements: [12, 73, 144]
 *     memory: 256 MiB             # budget of one rank; at least 1 MiB
 *     edges: {lon: wrap, lat: nearest} # stencils, windows; by name of the axis; also:
 *                                 # reflect, constant; for windows none, too
 *     follow: true                # or a mapping: "until" and "timeout", see below
 *
 * kernels: a chain.  Each kernel but the first has the outputs of the one before as its
 * inputs, in memory, without a file in between; "inputs" are those of the first, and
 * "outputs" those of the last:
 *
 *     kernels:
 *       - kernel: wind_speed      # each with params and edges of its own
 *       - kernel: rolling_mean
 *         params: {length: 5}     # --set kernels.2.params.length=7
 *
 * An output goes to the input of its name, where one kernel's outputs and the next
 * one's inputs have the same names, else they are taken in their order; there must be
 * as many.  The result is, to the last bit, that of one job after the other with files
 * in between of the types that the kernels give: at the edges, too, where each kernel
 * has its own modes for what the one before gives within the dataset.  But for this: in
 * a file, a floating-point number that happens to be the fill value is missing, here it
 * is a number.
 *
 * All but the last are maps or stencils whose outputs have the axes of their inputs;
 * raw inputs, and kernels that want them, are in no chain.  What a stencil or window
 * needs around its block is computed for each block anew: wide halos cost time.
 * "timeout" is for each kernel on its own, each time that it is called.
 *
 * follow: the inputs are still being written, by others who commit with h5swim: rows,
 * along the first axis, are processed as they are committed, as far as all inputs have
 * them.  The job ends, and its outputs are finished, when all rows of an input that has
 * ended are processed: the dataset, or its file, has an attribute named as "until" says
 * (default h5swim_end; whatever its value), set in the commit of the last rows or
 * later. Or when no new rows have come for "timeout" seconds (default: it waits for
 * ever).
 *
 * That is for maps, and stencils whose halo along the first axis is 0.  The inputs must
 * be extendible along the first axis, without limit, and the outputs begin with it. The
 * kernel's plan() is told that the axis has 2^32 rows, without coordinates.  A block is
 * at most as many rows as "block" says, or an output chunk (as the input's, unless
 * "chunks" gives another); one that is not full yet is done again when it grows, so
 * that a chunk of one row, or of as many as are committed at once, costs least.
 *
 * What is promised: each row that was committed is in the outputs when the job ends, in
 * the state that it had in one of the commits since it came, with its coordinates, if
 * these came in the same commit or before.  Rows are to be complete when they are
 * committed: one that is changed later may have been processed, and is not looked at
 * again.  An input in whose place another file is, or which becomes shorter, ends the
 * job with an error.  Outputs become longer in whole commits; a row in them holds the
 * fill value until it is done, and rows are done out of order where several readers or
 * ranks are at work.
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
    int64_t follow_timeout_ms; /* without new rows; 0: for ever */
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
