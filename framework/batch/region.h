/* region.h - the memory that the processes of one rank share.
 *
 * Mapped before the first fork, larger than needed (pages cost nothing until touched),
 * laid out by region_layout() once the plan is known.
 *
 * Slots belong to readers, slots_each to each one.  The states of a slot and who moves
 * it on (invariants: a slot has one owner at any time; only a COMMITTED block counts as
 * done):
 *
 *     FREE --reader--> FILLING --reader--> READY --writer--> FREE
 *                                                    (after its commit)
 *
 * Blocks come through a ring: the rank's main process puts numbers in, readers take
 * them. Semaphores wake: who is woken looks at the states, so a post too many does no
 * harm.  Nothing here is locked, so no process that dies can leave a lock. */
#ifndef SWIM_BATCH_REGION_H
#define SWIM_BATCH_REGION_H

#include <semaphore.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <h5swim/error.h>

#include "batch/setup.h"

#define REGION_RING 1024u

enum slot_state { SLOT_FREE, SLOT_FILLING, SLOT_READY };

struct slot {
    atomic_uint state;
    uint32_t phase;
    uint64_t block;
    uint64_t n_bytes; /* of the payload, see payload.h */
};

struct reader_shared {
    sem_t slot_freed;
    atomic_ullong block; /* in work, plus 1; 0: none: for messages about a crash */
};

/* Sums over the rank's processes since the start. */
struct region_counters {
    atomic_ullong bytes_read, bytes_written, bytes_stored;
    atomic_ullong locks, locks_waited, lock_wait_ns;
};

struct region {
    size_t mapped_bytes;

    /* Set by region_layout(), before readers and writer are forked. */
    uint32_t n_readers, slots_each;
    uint64_t slot_bytes, slot_stride;
    uint64_t digest;
    uint32_t n_ranks; /* of the job */
    uint32_t n_states;
    struct source_state states[SETUP_INPUTS_MAX]; /* of the inputs */
    atomic_ullong run_id;                         /* set before the first block */

    atomic_uint phase;
    atomic_uint stop; /* everybody leaves */

    sem_t blocks_ready; /* posted once per block put into the ring */
    sem_t slot_ready;   /* posted by readers for the writer */
    atomic_ullong ring_head, ring_tail;
    atomic_ullong ring[REGION_RING];

    atomic_ullong done[2]; /* blocks committed, by phase */
    struct region_counters counters;

    atomic_uint error_claimed, error_set;
    swim_error_t error; /* the first one of any process of this rank */
};

#define REGION_MARK_SIZE 40

/* What h5swim_unfinished says of outputs of this run: digest and run. */
void region_mark(struct region *region, char mark[REGION_MARK_SIZE]);

/* Map a region with room for bytes_for_slots.  NULL err allowed. */
int region_create(uint64_t bytes_for_slots, struct region **out, swim_error_t *err);
void region_destroy(struct region *region);

/* Lay out readers and slots.  SWIM_ERR_ARG: does not fit into what was mapped. */
int region_layout(struct region *region, uint32_t n_readers, uint32_t slots_each,
                  uint64_t slot_bytes, swim_error_t *err);

struct reader_shared *region_reader(struct region *region, uint32_t reader);
struct slot *region_slot(struct region *region, uint32_t slot);
void *region_payload(struct region *region, uint32_t slot);

/* Put a block into the ring; false: no room.  One process only. */
int region_push(struct region *region, uint64_t block);

/* Take a block, waiting at most wait_ms; false: none came. */
int region_pop(struct region *region, int wait_ms, uint64_t *block);

/* Blocks put in and not taken yet. */
uint64_t region_queued(struct region *region);

/* Wait for a post, at most wait_ms; returns true when there was one. */
int region_wait(sem_t *sem, int wait_ms);

/* Everybody leaves: sets stop and wakes who waits. */
void region_stop(struct region *region);

/* Report the error that ends the job; the first one wins. */
void region_fail(struct region *region, const swim_error_t *err);

/* SWIM_OK, or the error that was reported. */
int region_failed(struct region *region, swim_error_t *err);

#endif /* SWIM_BATCH_REGION_H */
