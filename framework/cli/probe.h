/* probe.h - a kernel alone, on made data, through its interface: h5swim kernel test.
 *
 * The command itself runs no code of the kernel.  A run is a child process that loads
 * the kernel, plans, and computes all blocks of one cut of the data in buffers between
 * guard pages, as a reader of a job would; it leaves the outputs, and what happened, in
 * memory that both see.  Checks compare runs.
 *
 *     cmd_kernel_test   options, the report
 *     probe_test        a test from its beginning to its end
 *     probe_checks      what is run and compared, by kind: a table
 *     probe_run         the parent's side of a run: start, watch, explain
 *     probe_child       the child's side: load, plan, blocks, close
 *     probe_compute     blocks, the tiles of a reduce
 *     probe_table       the rows of a filter
 *     probe_subject     the made data
 *     probe_buffer      buffers between guard pages
 *     probe_compare     outputs of two runs */
#ifndef SWIM_CLI_PROBE_H
#define SWIM_CLI_PROBE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <h5swim/kernel.h>

#include "batch/blocks.h"
#include "batch/job.h"
#include "batch/kernel_host.h"

#define PROBE_TEXT 1024
#define PROBE_NAME 72
#define PROBE_BUFFERS (2 * KERNEL_PORTS_MAX + 2)
#define PROBE_LINES 24
#define PROBE_PATTERN_A 0xA5 /* what outputs hold before, in two runs */
#define PROBE_PATTERN_B 0x3C
#define PROBE_ACCS ((uint64_t)256 << 20) /* bytes of accumulators of one run */

/* --- Data and runs ------------------------------------------------------------- */

struct probe_options {
    const char *kernel; /* as in a job file */
    char *so;           /* kernel_find() has found it */
    struct job_param *params;
    size_t n_params;
    uint64_t shape[SWIM_NDIM_MAX];
    uint32_t ndim;       /* 0: --shape was not given */
    enum swim_type type; /* of ports that take any; SWIM_TYPE_ANY: not given */
    int64_t timeout_ms;  /* of one call of the kernel */
    bool json;
};

/* How the data are cut into blocks. */
enum probe_cut {
    PROBE_WHOLE,  /* one block */
    PROBE_THIRDS, /* three on each axis, the last one smaller where it does not divide
                   */
    PROBE_ROWS,   /* along the last axis */
    PROBE_SINGLE, /* one element each */
    PROBE_CUTS
};

enum probe_order {
    PROBE_FORWARD,
    PROBE_REVERSE,
    PROBE_TWICE, /* each block is computed twice, the second result counts */
    PROBE_ANEW,  /* closed, opened and planned before each block */
};

/* How far a run goes. */
enum probe_goal {
    PROBE_DECLARE, /* load, and tell what it declares */
    PROBE_PLAN,    /* open and plan, twice */
    PROBE_BLOCKS,
};

/* reduce: what becomes of the blocks of a tile. */
enum probe_parts {
    PROBE_MERGED,   /* an accumulator for each, merged in order */
    PROBE_SLICES,   /* one accumulator to which all are added */
    PROBE_PARTIALS, /* accumulators alone, left for ... */
    PROBE_MERGES,   /* ... another process to merge */
};

struct probe_run {
    enum probe_goal goal;
    enum probe_cut cut;
    enum probe_order order;
    enum probe_parts parts;
    bool from_start;       /* buffers begin at a guard page, else they end at one */
    unsigned char pattern; /* of outputs before */
    bool missing;          /* some of the input values are */
    bool with_edge;        /* the job gives this edge mode for all axes */
    enum swim_edge edge;
    enum swim_type type; /* of ports that take any */
};

/* --- What both processes see ---------------------------------------------------- */

enum probe_call {
    PROBE_NOTHING,
    PROBE_CALL_LOAD,
    PROBE_CALL_OPEN,
    PROBE_CALL_PLAN,
    PROBE_CALL_APPLY,
    PROBE_CALL_ACC_BYTES,
    PROBE_CALL_PARTIAL,
    PROBE_CALL_MERGE,
    PROBE_CALL_FINISH,
    PROBE_CALL_CLOSE,
};

enum probe_end {
    PROBE_VANISHED, /* it said nothing more: a signal, exit(), or too long */
    PROBE_DONE,
    PROBE_USAGE,   /* parameters that are missing or wrong: text */
    PROBE_REFUSED, /* the kernel, or the host because of it, said no: text */
    PROBE_WRONG,   /* something that a kernel must not do: text */
    PROBE_FAULT,   /* a signal because of an address */
};

enum probe_access { PROBE_TOUCHES, PROBE_READS, PROBE_WRITES };

struct probe_buffer {
    char name[PROBE_NAME];
    char *map; /* a guard, pages, a guard */
    size_t pages_bytes;
    char *data; /* somewhere in the pages */
    size_t bytes;
    size_t element;
    size_t origin; /* which element the kernel knows as data[0] */
};

/* What the kernel plans, to be compared byte by byte: no pointers and no gaps, zeroed
 * before. */
struct probe_planned {
    uint32_t ndim; /* of the inputs */
    uint32_t n_outputs;
    uint32_t halo_lo[SWIM_NDIM_MAX], halo_hi[SWIM_NDIM_MAX];
    int32_t edge[SWIM_NDIM_MAX];
    uint32_t reduced[SWIM_NDIM_MAX];
    uint32_t window_axis, window_whole; /* as struct swim_plan has them */
    struct {
        uint32_t ndim;
        uint32_t type;
        int32_t from_axis[SWIM_NDIM_MAX];
        uint64_t shape[SWIM_NDIM_MAX]; /* of the whole output */
    } outputs[KERNEL_PORTS_MAX];
};

struct probe_shared {
    atomic_uint steps; /* calls of the kernel */
    atomic_uint end;   /* enum probe_end */
    enum probe_call call;
    bool in_block;
    uint64_t block, n_blocks;
    uint32_t ndim;
    struct block_range range;
    int signo;
    uintptr_t address;
    enum probe_access access;
    char text[PROBE_TEXT];
    struct probe_buffer buffers[PROBE_BUFFERS];
    uint32_t n_buffers;

    /* PROBE_DECLARE */
    enum swim_kernel_kind kind;
    uint32_t n_inputs, n_outputs, n_params;
    char name[PROBE_NAME];
    char inputs[KERNEL_PORTS_MAX][PROBE_NAME], outputs[KERNEL_PORTS_MAX][PROBE_NAME];
    bool any;      /* an input takes any type */
    bool integers; /* an input is of an integer type */

    /* PROBE_PLAN */
    struct probe_planned planned;

    /* PROBE_BLOCKS */
    uint64_t rows; /* filter: of the table */
};

/* --- The test -------------------------------------------------------------------- */

enum probe_result { PROBE_OK, PROBE_NOTE, PROBE_FAILED, PROBE_SKIPPED };

struct probe_line {
    const char *check;
    enum probe_result result;
    char text[PROBE_TEXT];
};

/* Where the outputs of a run are kept. */
enum probe_slot {
    SLOT_CUTS,                            /* one for each cut, buffers end at a guard */
    SLOT_STARTS = SLOT_CUTS + PROBE_CUTS, /* ... buffers begin at one */
    SLOT_OTHER = SLOT_STARTS + PROBE_CUTS,
    SLOT_ANOTHER,
    PROBE_SLOTS
};

struct probe {
    const struct probe_options *options;
    uint64_t shape[SWIM_NDIM_MAX];
    uint32_t ndim;
    enum swim_type type; /* of ports that take any */
    struct probe_shared *shared;
    struct probe_planned planned; /* as first */
    char *slots[PROBE_SLOTS];
    uint64_t rows[PROBE_SLOTS]; /* filter: of the table there */
    size_t slot_bytes[PROBE_SLOTS];
    char *accs; /* reduce: what one process leaves for another */
    struct probe_line lines[PROBE_LINES];
    uint32_t n_lines;
    swim_error_t err; /* of the command itself */
};

/* All checks.  The result is an exit status: 0 passed, 1 not, 2 usage (said in
 * p->err). */
int probe_all(struct probe *p);
void probe_free(struct probe *p);

/* A line for the report. */
void probe_say(struct probe *p, const char *check, enum probe_result result,
               const char *fmt, ...) SWIM_PRINTF(4, 5);

/* Run in a child; its outputs go to a slot.  Anything but PROBE_DONE: text says what
 * happened and where. */
enum probe_end probe_run(struct probe *p, const struct probe_run *run,
                         enum probe_slot slot, char text[PROBE_TEXT]);

/* The child's side; does not return. */
_Noreturn void probe_child(const struct probe *p, const struct probe_run *run,
                           char *results);

const char *probe_cut_name(enum probe_cut cut);

/* --- Outputs in a slot ------------------------------------------------------------ */

/* Where output number i begins, and how many elements it has (filter: at most). */
size_t probe_output_at(const struct probe_planned *planned, uint32_t number);
uint64_t probe_output_count(const struct probe_planned *planned, uint32_t number);

struct probe_difference {
    uint64_t n;      /* elements that are not the same; NaN is the same as NaN */
    uint64_t beyond; /* ... by more than the tolerance */
    uint32_t output; /* where the first of these (else of those) is */
    char index[200]; /* "(0, 3, 7)" */
    double a, b;
    double largest;          /* relative to the largest value of its output */
    uint64_t rows_a, rows_b; /* filter: those that only one has count as different */
};

/* tolerance: for floating point, relative to the largest value of an output.  Of a
 * table the first row is compared with the first one, and so on. */
void probe_compare(const struct probe *p, enum probe_slot a, enum probe_slot b,
                   double tolerance, struct probe_difference *difference);

/* filter: the rows of a table in another slot, in the order of their values. */
void probe_sort_rows(struct probe *p, enum probe_slot from, enum probe_slot to);

struct probe_unwritten {
    uint64_t n;
    uint32_t output;
    char index[200];
};

/* Elements that hold one pattern in a and the other in b. */
void probe_find_unwritten(const struct probe *p, enum probe_slot a, enum probe_slot b,
                          struct probe_unwritten *unwritten);

/* Elements of outputs with the axes of the inputs that have a value where the inputs'
 * are missing. */
void probe_find_lost(const struct probe *p, enum probe_slot slot,
                     struct probe_unwritten *lost);

/* --- Buffers -----------------------------------------------------------------------
 */

/* Space for most_bytes between guards. */
int probe_buffer_create(struct probe_buffer *buffer, size_t most_bytes,
                        swim_error_t *err);

/* bytes of it from here on, which begin or end at a guard; what is left holds a
 * pattern.  alignment: of an end, a power of two. */
void probe_buffer_place(struct probe_buffer *buffer, size_t bytes, size_t alignment,
                        bool from_start);

void probe_buffer_protect(const struct probe_buffer *buffer, bool read_only);

/* Whether the pattern beside the data is as it was; *address: else the first byte that
 * is not, seen from the data. */
bool probe_buffer_intact(const struct probe_buffer *buffer, uintptr_t *address);

/* "writes to data[9] of output y, 1 element beyond its end": what an address is. */
void probe_buffer_explain(const struct probe_buffer *buffers, uint32_t n,
                          uintptr_t address, enum probe_access access, char *text,
                          size_t size);

/* --- Made data ---------------------------------------------------------------------
 */

struct setup;

/* A setup as of a job with such inputs, whose kernel was not asked yet. */
int probe_subject_create(const struct probe *p, const struct probe_run *run,
                         struct setup **out, swim_error_t *err);

/* The values of an input, allocated: the whole of it. */
int probe_subject_values(const struct probe *p, const struct probe_run *run,
                         const struct setup *setup, uint32_t input, void **out,
                         swim_error_t *err);

/* Whether that place of the inputs is missing where run.missing. */
bool probe_subject_missing(uint64_t place);

/* What a missing value is in outputs (inputs, where some are missing) of that type. */
double probe_subject_missing_value(enum swim_type type);

#endif /* SWIM_CLI_PROBE_H */
