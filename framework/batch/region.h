/* region.h - the memory that the processes of one rank share.
 *
 * Mapped before the first fork, larger than needed (pages cost nothing until touched),
 * laid out by region_layout() once the plan is known.
 *
 * An item is a block that the rank was given, and a slot the memory for one that is
 * finished; slots belong to readers, slots_each to each one.  Who moves them on:
 *
 *     item   FREE     --rank-->                         QUEUED
 *            QUEUED   --reader-->                       TAKEN
 *            TAKEN    --reader, kernel has failed-->    FAILED
 *            TAKEN    --rank, its reader has died-->    QUEUED, or FREE
 *            TAKEN    --writer, it is in the output-->  WRITTEN
 *            WRITTEN  --writer, it has committed-->     DONE
 *            WRITTEN  --rank, the writer has died-->    QUEUED, or TAKEN (see below)
 *            DONE, FAILED  --rank-->                    FREE (or QUEUED once more)
 *     slot   FREE --reader--> FILLING --reader--> READY --writer, after the item-->
 * FREE
 *
 * An item is moved by one store or exchange, which also says by whom it is taken, so a
 * process that dies at any instruction leaves each block with exactly one owner who
 * lives: rank, reader, or the writer by a slot that is READY.  What a writer that died
 * has written and not committed is gone: those blocks are computed again, but where the
 * slot is still READY, from which the next writer takes it.  seq tells a slot of this
 * block from one of an earlier block in the same item, which a dead writer did not
 * free.  Semaphores wake: who is woken looks at the states, so a post too many does no
 * harm, and one that never came costs a look a little later.  Nothing here is locked,
 * so no process that dies can leave a lock. */
#ifndef SWIM_BATCH_REGION_H
#define SWIM_BATCH_REGION_H

#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <h5swim/error.h>

#include "batch/events.h"
#include "batch/setup.h"
#include "core/meter.h"

#define REGION_ITEMS 1024u
#define REGION_URL_SIZE 1024

enum item_state {
    ITEM_FREE,
    ITEM_QUEUED,
    ITEM_TAKEN,
    ITEM_FAILED,
    ITEM_WRITTEN,
    ITEM_DONE
};

struct item {
    atomic_uint state; /* enum item_state; TAKEN and FAILED: plus 8 times the reader */
    uint32_t tries;    /* that have failed; the rank's own */
    atomic_ullong seq; /* of all grants to this rank */
    uint64_t block;
};

/* Of the block of an item: by whom it was done, when and for how long.  Set by the
 * reader that does it, the last two by the writer; the rank reads it of DONE. */
struct block_times {
    uint32_t process; /* the number that its record has for the reader */
    uint32_t phase;
    int64_t start_ns, end_ns; /* CLOCK_MONOTONIC */
    int64_t read_ns, decode_ns, kernel_ns, encode_ns;
    int64_t written_ns, committed_ns;
    uint64_t bytes_in, bytes_out;
};

static inline unsigned item_by(enum item_state state, uint32_t reader)
{
    return (unsigned)state + 8 * reader;
}
static inline enum item_state item_state_of(unsigned value)
{
    return (enum item_state)(value % 8);
}
static inline uint32_t item_reader_of(unsigned value)
{
    return value / 8;
}

enum slot_state { SLOT_FREE, SLOT_FILLING, SLOT_READY };

struct slot {
    atomic_uint state;
    uint32_t phase;
    uint32_t item;
    uint64_t seq;
    uint64_t block;
    uint64_t rows;    /* follow, filter: that the outputs have with it */
    uint32_t partial; /* follow: it is not done yet with this */
    uint64_t n_bytes; /* of the payload, see payload.h */
};

struct reader_shared {
    sem_t slot_freed;
    atomic_uint opened;   /* by this process of it: the inputs */
    atomic_int told;      /* it leaves for this signal; 0: for another reason */
    atomic_llong busy_ns; /* when it began the block it is at (monotonic), of a chain
                             the kernel that it is at; 0: none */
    atomic_uint back;     /* a chain: which kernel that is, counted from the last one */
    atomic_uint said; /* error is of an item that is FAILED; the rank takes it back */
    swim_error_t error;
    struct swim_meter meter;
    uint32_t process;             /* as in struct block_times */
    uint64_t bytes_in, bytes_out; /* of kernels, so far; its own */
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
    uint32_t n_ranks, rank; /* of the job, and this one */
    uint32_t host, n_hosts; /* where this rank is, and how many there are */
    uint32_t n_states;
    struct source_state states[SETUP_INPUTS_MAX]; /* of the inputs */
    struct setup_found found;                     /* what the rank has compiled */
    atomic_ullong run_id;                         /* set before the first block */
    char url[REGION_URL_SIZE]; /* of the job's lock server; "": worker's says it */
    atomic_ullong epoch_begun, epoch_set; /* numbers; equal while epoch is whole */
    struct setup_epoch epoch;             /* of the blocks that are queued */

    atomic_uint phase;
    atomic_uint stop;    /* everybody leaves */
    atomic_uint writing; /* the writer has outputs open; of one that is dead, perhaps */

    sem_t blocks_ready; /* posted once per item that is queued */
    sem_t slot_ready;   /* posted by readers for the writer */
    atomic_uint hint;   /* about where the first of them is */
    struct item items[REGION_ITEMS];
    struct block_times times[REGION_ITEMS]; /* of each item, apart from what is looked
                                               at again and again */
    struct region_counters counters;

    struct swim_meter rank_meter, writer_meter;
    uint32_t writer_process;
    struct events events;

    atomic_uint error_claimed, error_set;
    swim_error_t error; /* the first one of any process of this rank */
};

/* The rank begins an epoch; its workers look which one it is. */
void region_set_epoch(struct region *region, const struct setup_epoch *epoch);
void region_get_epoch(struct region *region, struct setup_epoch *epoch);
uint64_t region_epoch(struct region *region);

#define REGION_MARK_SIZE 40

/* What h5swim_unfinished says of outputs of this run: digest and run. */
void region_mark(struct region *region, char mark[REGION_MARK_SIZE]);

/* Map a region with room for bytes_for_slots.  NULL err allowed. */
int region_create(uint64_t bytes_for_slots, struct region **out, swim_error_t *err);
void region_destroy(struct region *region);

/* Lay out readers and slots, and cache_bytes of memory for chunks, all zero.
 * SWIM_ERR_ARG: does not fit into what was mapped. */
int region_layout(struct region *region, uint32_t n_readers, uint32_t slots_each,
                  uint64_t slot_bytes, uint64_t cache_bytes, swim_error_t *err);

/* In a reader's process: from now on it dies of writing into the slots of others, and
 * on behind the end of its own. */
int region_guard(struct region *region, uint32_t reader, swim_error_t *err);
void *region_cache(struct region *region);

struct reader_shared *region_reader(struct region *region, uint32_t reader);
struct slot *region_slot(struct region *region, uint32_t slot);
void *region_payload(struct region *region, uint32_t slot);
uint32_t region_slots(const struct region *region);

/* The rank queues a block in an item that is its own (FREE, FAILED, or TAKEN by a
 * reader that is dead). */
void region_queue(struct region *region, uint32_t item);

/* A reader takes an item, waiting at most wait_ms; false: none came. */
bool region_take(struct region *region, uint32_t reader, int wait_ms, uint32_t *item);

/* The block that will be taken after n others, as it looks now; false: there are not as
 * many. */
bool region_ahead(struct region *region, uint32_t n, uint64_t *block);

/* Is the slot READY, and of a block that is not committed yet?  One that is READY and
 * was committed by a writer that died is freed. */
bool region_slot_ready(struct region *region, uint32_t slot);

/* Is any block queued here, or at a reader that has not finished it? */
bool region_at_work(struct region *region);

/* The writer has written what is in the slot, which is free again; the item.  And it
 * has committed that. */
uint32_t region_slot_written(struct region *region, uint32_t slot);
void region_item_done(struct region *region, uint32_t item);

/* The writer is dead: what it had not committed is to be done, or written, again. */
void region_writer_gone(struct region *region);

/* A reader is dead: its slots that are not READY are freed; *item: what it was at.
 * false: it was at none. */
bool region_reader_gone(struct region *region, uint32_t reader, uint32_t *item);

/* Has the reader left the item in a slot for the writer? */
bool region_item_finished(struct region *region, uint32_t reader, uint32_t item);

/* Wait for a post, at most wait_ms; returns true when there was one. */
int region_wait(sem_t *sem, int wait_ms);

/* The same for one that nobody else waits for: who looks at all slots after it has
 * heard of one need not hear of the others, which came while he did not listen. */
void region_wait_alone(sem_t *sem, int wait_ms);

/* Everybody leaves: sets stop and wakes who waits. */
void region_stop(struct region *region);

/* Report the error that ends the job; the first one wins. */
void region_fail(struct region *region, const swim_error_t *err);

/* SWIM_OK, or the error that was reported. */
int region_failed(struct region *region, swim_error_t *err);

#endif /* SWIM_BATCH_REGION_H */
