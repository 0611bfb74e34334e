/* probe_child.h - what the parts of the child's side of a run share. */
#ifndef SWIM_CLI_PROBE_CHILD_H
#define SWIM_CLI_PROBE_CHILD_H

#include "batch/setup.h"
#include "batch/work.h"
#include "cli/probe.h"

/* A block's part of the table of a filter: its rows, and where they are kept. */
struct probe_part {
    uint64_t first, rows;
};

struct probe_child {
    const struct probe *p;
    const struct probe_run *run;
    struct probe_shared *shared;
    char *results;
    struct setup *setup;
    struct work *work;
    void *values[KERNEL_PORTS_MAX]; /* the inputs, whole */
    unsigned char constants[KERNEL_PORTS_MAX][16];
    struct probe_buffer *in, *out; /* one for each port, in shared->buffers */
    struct probe_buffer *acc, *other;
    struct probe_part *parts; /* filter: of each block; else NULL */
    enum probe_end end;       /* what a failure means */
};

/* A function of the kernel is called next; where: NULL, or the range of a block. */
void child_calls(struct probe_child *c, enum probe_call call);
void child_at(struct probe_child *c, uint64_t block, uint64_t n,
              const struct block_range *range);

/* What a function of the kernel left: its status and text, and buffers. */
int child_returned(struct probe_child *c, int rc, const swim_error_t *said,
                   swim_error_t *err);

/* Close the kernel's state, open and plan anew. */
int child_anew(struct probe_child *c, swim_error_t *err);

/* All blocks of kernels that apply(), and of reduce kernels. */
int probe_compute_apply(struct probe_child *c, swim_error_t *err);
int probe_compute_reduce(struct probe_child *c, swim_error_t *err);

/* filter: rows of a block, kept at the place of its first element; when all blocks are
 * done, all rows one after the other. */
int probe_table_create(struct probe_child *c, swim_error_t *err);
int probe_table_keep(struct probe_child *c, uint64_t block, swim_error_t *err);
void probe_table_close_up(struct probe_child *c);

/* Buffers for the largest block. */
int probe_compute_buffers(struct probe_child *c, swim_error_t *err);

#endif /* SWIM_CLI_PROBE_CHILD_H */
