/* record.h - what a run leaves for people and `h5swim report`: RUN.md.
 *
 * Each rank of the job keeps what there is to say of its processes and blocks, in
 * memory that has a limit; what does not fit is counted.  At the end ranks other than 0
 * leave their part in a file beside the record to be, and rank 0 puts all together.
 * Nothing of it can make a job fail: where it cannot be had, one line says so.
 *
 * All calls accept NULL: nothing is kept. */
#ifndef SWIM_BATCH_RECORD_H
#define SWIM_BATCH_RECORD_H

#include <stdint.h>

#include "batch/region.h"
#include "batch/setup.h"
#include "batch/worker.h"

struct rank;
struct record;
struct run_result;

/* Enough for what is looked at as a picture, and some twenty MB. */
#define RECORD_BLOCKS_MOST 200000u
#define RECORD_SPANS_MOST 100000u
#define RECORD_WAITS_MOST 4000u
#define RECORD_PROCESSES_MOST 4096u /* of one rank, those that were replaced too */
#define RECORD_PROCESSES_ALL 65536u /* of all */

/* What the rank itself did, beside what it waited for. */
enum record_span { RECORD_BEGIN, RECORD_FINISH };

/* The rank has a number and a region: from now on its meter runs, as of start_ns. NULL:
 * no record is wanted, or there is no memory for one. */
struct record *record_create(const struct rank *r);
void record_destroy(struct record *record);

/* The name of the record is known. */
void record_name(struct record *record, const struct setup *setup);

/* The region is laid out; its workers, which are about to start, have numbers. */
void record_workers(struct record *record);

/* A worker has ended, why, and another one is about to begin in its place. */
void record_replaced(struct record *record, const struct worker_event *event,
                     const char *why);

/* The block of an item that is DONE, before it is FREE. */
void record_block(struct record *record, uint32_t item);

/* What workers have told meanwhile. */
void record_turn(struct record *record);

/* The rank was at the outputs since then. */
void record_span(struct record *record, enum record_span what, int64_t start_ns);

/* All workers have left.  A rank other than 0: its part is left for rank 0. */
void record_leave(struct record *record, uint64_t run_id);

/* Rank 0, when the others have: the parts are taken, and the record is written.  Result
 * NULL: there is to be none, and nothing stays of the parts.  Returns its name; NULL:
 * it was not written. */
const char *record_write(struct record *record, const struct rank *r,
                         const struct run_result *result);

#endif /* SWIM_BATCH_RECORD_H */
