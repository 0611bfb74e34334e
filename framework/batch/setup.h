/* setup.h - a job bound to its kernel and its data: what every process of a run knows.
 *
 * Each process makes its own with setup_create(), since a kernel's state never crosses
 * a fork; all come to the same result, which the digest shows. */
#ifndef SWIM_BATCH_SETUP_H
#define SWIM_BATCH_SETUP_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <h5swim/kernel.h>

#include "batch/blocks.h"
#include "batch/job.h"
#include "batch/kernel_host.h"
#include "store/dataset.h"
#include "store/output.h"
#include "store/source.h"

#define SETUP_PHASES_MAX 2
#define SETUP_INPUTS_MAX KERNEL_PORTS_MAX
#define SETUP_BUDGET_SHARE 16 /* of the memory budget, for the arrays of one block */

/* Where the plug-ins of a job's kernels are, in their order; "", or a kernel that has
 * no place there: it is looked for. */
#define SETUP_FOUND_MAX 16
struct setup_found {
    char so[SETUP_FOUND_MAX][1024];
};

/* How a process opens the inputs: the states of each that rank 0 has found; NULL: the
 * last ones.  And its kernels: as another process of the rank has found them, compiled
 * if need be; NULL: nobody has.  The setup keeps pointers to them. */
struct setup_access {
    struct store_access store;
    const struct source_state *states;
    uint32_t n_states;
    const struct setup_found *found;
};

struct setup_input {
    struct source *source; /* inputs in one file share it; NULL: closed */
    struct source_state state;
    struct dataset_info *info;
    struct swim_field field;
    const struct swim_axis **axes;
    enum swim_type type;  /* as the kernel sees it */
    uint64_t cache_bytes; /* of each reader's part of the rank's cache of its chunks */
    uint32_t from;        /* a chain: the output of the kernel before that it is */
};

/* A window kernel's rows: output row k is that of input row first + k * step. */
struct setup_window {
    uint64_t step; /* 0: the kernel is of another kind */
    uint64_t first, rows;
    uint32_t axis;
    bool whole;
    bool renamed; /* rows are not those of the input: their coordinates are */
    struct swim_axis coordinates;
    double *values;
};

/* A filter's rows: those of each block are kept as partial results first; then parts of
 * the table are made of them, of which there are as many as there could be rows. */
struct setup_table {
    uint64_t most_rows;  /* of the table; 0: the kernel is of another kind */
    uint64_t block_rows; /* of one block, at most */
    uint64_t part_rows;  /* of one part */
    uint64_t row_bytes;  /* as all outputs store them */
};

struct setup_output {
    struct swim_output planned; /* as the kernel planned it */
    struct output_spec spec;    /* as it is stored */
    enum swim_type type;        /* as the kernel writes it */
    double missing;             /* what the kernel's integers say for a missing value */
    bool table;                 /* its first axis is the rows of a filter */
    bool refill;                /* and which spec.fill replaces after conversion */
    const char *chunks_why, *filters_why; /* for people: whence they are */
    char *methods;                        /* what spec.more_methods is; its own */
    char file[PATH_MAX];                  /* its real path */
    bool sharded, by_rank; /* the file joins one of each node, or rank: shards.h */
    uint64_t in_slot; /* where in a slot the kernel writes it, as it is stored; 0: in
                         memory of the reader's own */
};

/* What of the inputs a job that follows them is at: rows that all of them have, and
 * states of them in which these are.  Rank 0 begins one epoch after the other. */
struct setup_epoch {
    uint64_t number; /* 0: none yet, and always of other jobs */
    uint64_t rows;
    uint32_t last; /* no others follow: blocks that are not full are done with it */
    uint32_t n_states;
    struct source_state states[SETUP_INPUTS_MAX];
};

enum setup_phase {
    SETUP_APPLY,   /* a block gives outputs */
    SETUP_PARTIAL, /* a block gives an accumulator; filter: rows */
    SETUP_MERGE,   /* a tile's accumulators give outputs; filter: a part of the table */
};

/* One file that a phase writes, with what is in it.  A writer opens all files of a
 * phase, in this order (by name, so that two jobs open in the same), writes finished
 * blocks into them, and commits them with the blocks' bits; of SETUP_PARTIAL it is the
 * file of partial results alone: partials.h, rows.h. */
struct setup_target {
    const char *file;
    struct output_spec *specs; /* for output_open() and so on */
    uint32_t *outputs;         /* their numbers in the setup; partial results: 0 */
    size_t n;
    struct shards *shards; /* file is the master of these; NULL: it holds the data */
    bool finished;         /* outputs_begin() found it so: it is left as it is */
};

struct setup_targets {
    struct setup_target *list;
    size_t n;
    bool alone; /* a writer's: no other rank writes them */
};

struct setup {
    const struct job *job;
    struct store_access access; /* by which its inputs were opened */
    const char *found;          /* the .so of its kernel; NULL: to be looked for */
    struct kernel_host *kernel;
    swim_params_t *params;
    void *state;
    bool opened;
    bool wrong;           /* something is, and stands in the job's problems */
    struct setup *before; /* a chain: of the kernel whose outputs are the inputs of this
                             one; NULL: the inputs are datasets of files */
    bool passes_on; /* there is a kernel behind it; it has no blocks: slice is what
                       is computed at once */

    struct setup_input *inputs;
    struct setup_output *outputs;
    uint32_t n_inputs, n_outputs;
    struct swim_plan plan;
    const struct swim_field **plan_fields;
    struct swim_output **plan_outputs;

    struct setup_window window;
    struct setup_table table;

    uint64_t rows; /* follow: that all inputs had when they were opened first */
    struct blocks blocks;
    uint64_t
        slice[SWIM_NDIM_MAX]; /* what a reader holds at once; reduce: part of a block */
    uint64_t acc_bytes; /* largest partial result: accumulator of a tile, or a block's
                           rows; 0: there are none */

    uint32_t n_phases;
    enum setup_phase phases[SETUP_PHASES_MAX];
    uint64_t phase_blocks[SETUP_PHASES_MAX];

    uint64_t input_bytes;  /* of a slice of all inputs, with halo, and chunk caches */
    uint64_t cache_bytes;  /* of those, what is a part of the rank's caches */
    uint64_t output_bytes; /* of a block of all outputs, the kernel's and stored */
    uint64_t slot_bytes;   /* at most, of a finished block */
    uint64_t record_bytes; /* of those, before what the kernel writes there itself */
    struct setup_targets targets[SETUP_PHASES_MAX];
    char partials_file[PATH_MAX];
    char *description; /* everything that decides the result */
    uint64_t digest;   /* of the description */
    char *kept;        /* of it, in finished outputs: setup_keep() */
};

/* Load the kernel, open and look at the inputs, plan.
 * Errors: as kernel_find(), kernel_load(), params_create(), source_open(),
 * dataset_inspect(); SWIM_ERR_ARG for inputs that do not fit the kernel or each
 * other; SWIM_ERR_KERNEL when the kernel refuses them.  job stays the caller's and must
 * outlive the setup. */
int setup_create(const struct job *job, const struct setup_access *access,
                 struct setup **out, swim_error_t *err);
void setup_destroy(struct setup *setup);

/* The inputs stay open, READ held, until then; for a process that reads no more. */
void setup_close_inputs(struct setup *setup);

/* follow: the blocks are those of so many rows.  Before the first call they are those
 * of one row of blocks, all full, which buffers are made for. */
void setup_take_rows(struct setup *setup, uint64_t rows);

/* follow: open the inputs anew, at an epoch's states. */
int setup_open_epoch(struct setup *setup, const struct setup_epoch *epoch,
                     swim_error_t *err);

/* source_look() at all inputs that are open. */
int setup_look_inputs(struct setup *setup, bool now, swim_error_t *err);

/* What h5swim_unfinished must say in the files of a phase; mark stays the caller's. */
void setup_targets_mark(const struct setup_targets *targets, const char *mark);

/* The setup whose inputs are datasets of files: the first of a chain, or the only one.
 */
const struct setup *setup_first(const struct setup *setup);
struct setup *setup_files(struct setup *setup);
/* The one so many before; the number of one in its chain, from 1 on. */
const struct setup *setup_back(const struct setup *setup, uint32_t back);
uint32_t setup_number(const struct setup *setup);

/* For the other processes of the rank. */
void setup_tell_found(const struct setup *setup, struct setup_found *found);

/* What of a job, described then, is different now, for people: "params.radius is 3, was
 * 2; input u (/d/winds.nc) was changed".  Either text may be anything.  Returns how
 * many differences there are; text is "" when that is 0. */
size_t setup_difference(const char *then, const char *now, char *text, size_t size);

/* What finished outputs keep of the description beside its digest: digests of its parts
 * and, in lines as there, the states of inputs that are of journals. */
int setup_keep(struct setup *setup, swim_error_t *err);

/* Whether a finished output is of this job; finished is what its h5swim_job says, or
 * anything.  States are compared as by setup_translate(). */
bool setup_has_finished(const struct setup *setup, const char *finished);

/* Which parts are different, for people: "the kernel, the inputs".  False: none, or
 * finished does not say. */
bool setup_parts_differ(const struct setup *setup, const char *finished, char *text,
                        size_t size);

/* Say of which inputs a job has not done all yet: say(arg, number, what of it). */
void setup_find_unfinished(const struct setup *setup,
                           void (*say)(void *arg, uint32_t input, const char *text),
                           void *arg);

/* A description of then as it is to be compared: states of inputs that are the same as
 * now but for their names (source_is_state()) have the names of now.  The inputs are
 * open.  Allocated; NULL: no memory. */
char *setup_translate(const struct setup *setup, const char *then);

/* The other way round: the description of now, in which such states have the names that
 * they have in the lines of then. */
char *setup_translate_back(const struct setup *setup, const char *then);

/* All that is wrong with a job that job_check() has read, against its kernel and its
 * data, in the job's problems; nothing is changed.  *out is there when the job fits so
 * far, else NULL.  Errors: SWIM_ERR_NOMEM, SWIM_ERR_CANCELLED. */
int setup_check(const struct job *job, const struct setup_access *access,
                struct setup **out, swim_error_t *err);

/* And what of such a job may well be meant, and most often is not; whether its outputs
 * fit on their disks, and it into the memory of this machine. */
void setup_advise(struct setup *setup);

/* problems_take() for the setup's job; what was found makes the setup a wrong one. */
int setup_goes_on(struct setup *setup, const struct job_place *place, int rc,
                  swim_error_t *err);

/* Steps of setup_create(), for each kernel of a chain from the first one on: an empty
 * setup; its kernel with its parameters; each of its inputs; what it plans.  After all
 * of them outputs and blocks, for the last kernel. */
int setup_alloc(const struct job *job, const struct setup_access *access,
                struct setup **out, swim_error_t *err);
int setup_load_kernel(struct setup *setup, swim_error_t *err);
int setup_plan_input(struct setup *setup, uint32_t number,
                     const struct setup_access *how, swim_error_t *err);
int setup_begin_plan(struct setup *setup, swim_error_t *err);
int setup_finish(struct setup *setup, swim_error_t *err);
/* Open an input that is a dataset, and look at it; the setup may be without kernel. */
int setup_inspect_input(struct setup *setup, uint32_t number,
                        const struct job_input *given, const struct setup_access *how,
                        swim_error_t *err);

/* What an input is in, by the job or by its attribute, as the kernel wants it: in
 * setup_units.c.  given NULL: it is an output of the kernel before.  SWIM_ERR_ARG: that
 * cannot be. */
int setup_take_units(struct setup *setup, uint32_t number,
                     const struct job_input *given, swim_error_t *err);

/* Steps of setup_create(): the preset of the plan, open() and plan(); whether the
 * kernel planned an output, and halos, that there can be. */
int setup_ask_kernel(struct setup *setup, swim_error_t *err);
int setup_check_planned(const struct setup *setup, const struct swim_output *planned,
                        swim_error_t *err);
int setup_check_halo(const struct setup *setup, swim_error_t *err);

/* What a job that follows needs besides, in setup_follow.c: before the kernel is asked,
 * and after the blocks were planned; how many rows a block has. */
int setup_follow_inputs(struct setup *setup, swim_error_t *err);
int setup_follow_outputs(struct setup *setup, swim_error_t *err);
uint64_t setup_follow_block(const struct setup *setup, const struct blocks_wish *wish);

/* A chain, in setup_chain.c: whether a kernel can be where it is; what one that another
 * follows gives; an input that is such an output; what of the spec of an output comes
 * from the first input. */
int setup_chain_kernel(const struct setup *setup, swim_error_t *err);
int setup_chain_outputs(struct setup *setup, swim_error_t *err);
int setup_chain_input(struct setup *setup, uint32_t number, swim_error_t *err);
void setup_chain_spec(const struct setup *setup, struct output_spec *spec);

/* cell_methods of an output, in its spec: of all kernels of a chain.  In
 * setup_methods.c. */
int setup_cell_methods(struct setup *setup, uint32_t number, swim_error_t *err);

/* Bytes of all that the kernels before have in memory, per element of a block; what
 * each of them computes at once, for slices of the last one, and its bytes, about; how
 * many elements that is. */
uint64_t setup_chain_element_bytes(const struct setup *setup);
double setup_chain_slices(struct setup *setup);
uint64_t setup_chain_elements(const struct setup *setup);

/* What the job says of an output of the kernel, NULL: nothing; whether it says enough;
 * whether there is a folder for the file. */
const struct job_output *setup_output_of(const struct job *job, const char *port);
int setup_check_given(const struct setup *setup, uint32_t number, swim_error_t *err);
int setup_check_directory(const char *file, swim_error_t *err);

/* The fill value of an output of that type for which the job gives none. */
double setup_fill_of(const struct dataset_info *first, const struct swim_port *port,
                     enum swim_type type);

/* What a window kernel's plan() comes to; nothing is done for others. */
int setup_plan_window(struct setup *setup, swim_error_t *err);
/* Chunks that let a block with its windows fit into the budget. */
void setup_window_chunks(const struct setup *setup, const struct swim_output *planned,
                         struct output_spec *spec);
/* Which range of the inputs, without halos, blocks of that range need; along one axis.
 */
void setup_input_range(const struct setup *setup, const struct block_range *range,
                       struct block_range *out);
uint64_t setup_input_length(const struct setup *setup, uint32_t axis, uint64_t count);

/* Second half of setup_create(), in setup_outputs.c, setup_blocks.c, setup_memory.c,
 * setup_targets.c and setup_describe.c. */
int setup_plan_outputs(struct setup *setup, swim_error_t *err);
int setup_plan_blocks(struct setup *setup, swim_error_t *err);
int setup_plan_memory(struct setup *setup, swim_error_t *err);
int setup_plan_targets(struct setup *setup, swim_error_t *err);
void setup_free_targets(struct setup *setup);
int setup_describe(struct setup *setup, swim_error_t *err);

/* Elements of its input axis that one on this axis of an output stands for. */
uint64_t setup_output_ratio(const struct swim_output *planned, uint32_t axis);

/* Where a range of blocks falls in an output: start and count on each of its axes; in a
 * table there is room for a row for each element of it. */
void setup_output_range(const struct setup_output *output,
                        const struct block_range *range, struct block_range *out);

/* How many elements of an output a reader has room for, as they are stored. */
uint64_t setup_stored_elements(const struct setup *setup, uint32_t output);

/* What a reader needs, with one slot. */
uint64_t setup_reader_bytes(const struct setup *setup);

/* The rank's cache of the chunks of an input, for a reader, in memory of n_readers
 * times cache_bytes; false: it has none. */
bool setup_chunk_cache(const struct setup *setup, uint32_t input, void *memory,
                       uint32_t n_readers, uint32_t reader, struct chunk_cache *out);

/* What all processes of a rank take, about, blocks and all else. */
uint64_t setup_rank_bytes(const struct setup *setup, uint32_t n_readers,
                          uint32_t slots_each);

/* How many slots each of *readers gets from the memory budget.  fewer: when not even
 * one for each is possible, take fewer readers; else that is SWIM_ERR_ARG. */
int setup_divide_memory(const struct setup *setup, uint32_t *readers, bool fewer,
                        uint32_t *slots_each, swim_error_t *err);

#endif /* SWIM_BATCH_SETUP_H */
