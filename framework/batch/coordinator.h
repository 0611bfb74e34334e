/* coordinator.h - hands out blocks to ranks and decides when a job is done or stops.
 *
 * Pure: no I/O, no waiting.  Under fork it lies in shared memory and each rank asks it
 * directly; under MPI it is rank 0's and ranks ask by message (link.h).
 *
 * First rank 0 opens the inputs and says which states of them it has found; the others
 * ask until they are told, so that all read the same.
 *
 * Phases: WAITING until every rank has made the same setup and rank 0 has the outputs
 * ready, then the phases of the setup one after the other, then FINISHED.
 * Invariants: (1) each block of a phase is handed out once; (2) a phase begins when all
 * blocks of the one before are committed; (3) once stop is set nothing is handed out.
 */
#ifndef SWIM_BATCH_COORDINATOR_H
#define SWIM_BATCH_COORDINATOR_H

#include <stdint.h>

#include <h5swim/error.h>

#include "batch/setup.h"

#define COORDINATOR_WAITING (-1)
#define COORDINATOR_FINISHED SETUP_PHASES_MAX

/* What a rank tells; plain bytes, also sent by MPI. */
struct rank_report {
    uint32_t rank;
    uint32_t ready; /* setup made; rank 0: and outputs created */
    uint32_t signo; /* asked to leave by this signal; 0: no */
    uint32_t n_readers;
    uint32_t leaving;  /* this is the last report */
    uint32_t n_states; /* of the inputs, that it was told */
    uint64_t digest;
    uint64_t run_id; /* rank 0's choice */
    uint64_t want;   /* blocks wanted now */
    uint64_t done[SETUP_PHASES_MAX];
    uint64_t bytes_read, bytes_written, bytes_stored;
    uint64_t locks, locks_waited, lock_wait_ns;
    swim_error_t error; /* code SWIM_OK: none */
};

/* What it is told. */
struct rank_orders {
    int32_t phase;
    uint32_t stop; /* leave, without an error of one's own */
    uint32_t signo;
    int32_t code;  /* with stop: why, enum swim_status */
    uint32_t left; /* the answer to a report that was leaving */
    uint32_t reserved;
    uint64_t run_id;       /* of this run, among all that ever write an output */
    uint64_t first, count; /* blocks of the phase, for this rank */
    /* Of the inputs, in the order of the kernel's; 0: rank 0 has not opened them yet.
     * One at a time, as MPI waits for the receiver of a long message: the one after
     * those that it has. */
    uint32_t n_states, reserved2;
    struct source_state state;
};

struct coordinator {
    uint32_t n_ranks, n_phases;
    uint64_t blocks[SETUP_PHASES_MAX];
    int32_t phase;
    uint32_t stop;
    uint32_t signo;
    uint64_t next;
    uint64_t total_done; /* blocks of all phases */
    uint64_t run_id;     /* rank 0's */
    uint64_t digest;
    uint32_t has_digest;
    uint32_t n_states;
    struct source_state states[SETUP_INPUTS_MAX];
    swim_error_t error; /* the first one reported */
    uint32_t error_rank;
};

/* reports: n_ranks of them, zeroed, kept by the caller beside c. */
void coordinator_init(struct coordinator *c, uint32_t n_ranks);

/* Take a report, keep it in reports[rank], and answer. */
void coordinator_handle(struct coordinator *c, struct rank_report *reports,
                        const struct rank_report *report, struct rank_orders *orders);

/* Rank 0 says which states of the inputs all are to read: it has them open. */
void coordinator_set_states(struct coordinator *c, const struct source_state *states,
                            uint32_t n_states);

/* Rank 0 says, before it is ready, what there is to do. */
void coordinator_set_work(struct coordinator *c, uint32_t n_phases,
                          const uint64_t *blocks);

/* Somebody has seen that a rank is gone. */
void coordinator_stop(struct coordinator *c, const swim_error_t *err, uint32_t signo,
                      uint32_t rank);

#endif /* SWIM_BATCH_COORDINATOR_H */
