/* inputs.h - what a reader reads of the input files: the setup has them open. */
#ifndef SWIM_BATCH_INPUTS_H
#define SWIM_BATCH_INPUTS_H

#include "batch/edges.h"
#include "batch/region.h"
#include "batch/setup.h"

struct inputs;

/* For a reader of the region, which has a cache of chunks.  Of a chain, the inputs of
 * the first kernel. */
int inputs_create(struct setup *setup, struct region *region, uint32_t reader,
                  struct inputs **out, swim_error_t *err);
void inputs_destroy(struct inputs *inputs);

/* A reader is dead: what it was putting into the cache is not there. */
void inputs_forget(const struct setup *setup, struct region *region, uint32_t reader);

/* Before a block: whether the files are still what they were (source_look). */
int inputs_begin(struct inputs *inputs, swim_error_t *err);

/* Whether there is anything that inputs_expect() could tell the system. */
bool inputs_are_raw(const struct inputs *inputs);

/* A block of this range will be read soon (dataset_expect). */
void inputs_expect(const struct inputs *inputs, const struct block_range *range);

/* Read a range of one input, with the plan's halo, into buf. */
int inputs_read(struct inputs *inputs, uint32_t input, const struct block_range *range,
                void *buf, swim_error_t *err);

/* How an input of a kernel goes on beyond the edges; extent: room for SWIM_NDIM_MAX,
 * which the result points to. */
struct edges inputs_edges(const struct setup *setup, uint32_t input,
                          const void *constant, uint64_t *extent);

/* After it: SWIM_OK while all locks are certain to be held. */
int inputs_check(const struct inputs *inputs, swim_error_t *err);

#endif /* SWIM_BATCH_INPUTS_H */
