/* coordinator.h - who does what in a job: one for all ranks, asked by each.
 *
 * Pure bookkeeping without communication: link.h brings reports in and orders out.
 * Before there is work it hands around the states of the inputs that rank 0 has
 * opened, one per order, so that all read the same.
 *
 * What is to be done is what is missing in the output files.  Rank 0 looks there for
 * the blocks that are not committed, and those are a pass: they are handed out, and
 * when nothing of it is outstanding any more, rank 0 looks again.  A pass is empty: the
 * next phase begins; that of the last phase: FINISHED.  So blocks of a rank that died
 * come again with the next pass, and a job that is resumed is one whose first pass is
 * not all blocks.
 *
 * In a job that follows its inputs rank 0 begins epochs, each with states of the inputs
 * and with more blocks, or the same: when a pass is over, or in the middle of one.  Who
 * does not know the states of the epoch is given no blocks.
 *
 * Invariants: (1) each block of a pass is handed out once; (2) a pass ends when all
 * that was handed out to ranks that live is committed or set aside; (3) once stop is
 * set nothing is handed out; (4) a block that was set aside is in no later pass. */
#ifndef SWIM_BATCH_COORDINATOR_H
#define SWIM_BATCH_COORDINATOR_H

#include <stdbool.h>
#include <stdint.h>

#include <h5swim/error.h>

#include "batch/setup.h"

#define COORDINATOR_WAITING (-1)
#define COORDINATOR_FINISHED SETUP_PHASES_MAX
#define COORDINATOR_BLOCKS_MOST ((uint64_t)1 << 32) /* of one phase */
#define COORDINATOR_FAILURES_MOST 10000             /* the job stops at more */

/* Of what ranks tell each other, which are structs as they are: raise it whenever what
 * one of rank_report, rank_orders, or a struct within them, holds or means is changed,
 * or what is answered to it.  Sizes alone do not tell two builds apart. */
enum { COORDINATOR_EXCHANGE = 2 };

/* Places where a block that was set aside is looked for: a power of two, larger. */
#define COORDINATOR_FAILURE_PLACES 16384

/* A block that no reader could do. */
struct block_failure {
    uint64_t block;
    uint32_t phase;
    uint32_t tries;
    char text[400]; /* of the last try */
};

/* What a rank tells; plain bytes, also sent by MPI and in letters.  With each change
 * COORDINATOR_EXCHANGE is raised. */
struct rank_report {
    uint32_t rank;
    uint32_t ready; /* setup made; rank 0: and the first pass is known */
    uint32_t signo; /* asked to leave by this signal; 0: no */
    uint32_t n_readers;
    uint32_t leaving;  /* this is the last report */
    uint32_t n_states; /* of the inputs, that it was told */
    uint64_t epoch;    /* of these */
    uint64_t digest;
    int64_t pid, started; /* of the process, as process.h has them */
    uint64_t run_id;      /* rank 0's choice */
    uint64_t want;        /* blocks wanted now */
    uint64_t done;        /* blocks committed since the rank began */
    uint64_t n_failed;    /* blocks set aside; the last of them is in failure */
    struct block_failure failure;
    uint64_t bytes_read, bytes_written, bytes_stored;
    uint64_t locks, locks_waited, lock_wait_ns;
    swim_error_t error; /* code SWIM_OK: none */
};

/* What it is told; likewise. */
struct rank_orders {
    int32_t phase;
    uint32_t stop; /* leave, without an error of one's own */
    uint32_t signo;
    int32_t code;          /* with stop: why, enum swim_status */
    uint32_t left;         /* the answer to a report that was leaving */
    uint32_t look;         /* rank 0: the pass is over */
    uint64_t run_id;       /* of this run, among all that ever write an output */
    uint64_t first, count; /* blocks of the phase, for this rank */
    uint64_t n_failed;     /* of its report: taken note of */
    /* Of the inputs, in the order of the kernel's; 0: rank 0 has not opened them yet.
     * One at a time, as MPI waits for the receiver of a long message: the one after
     * those that it has. */
    uint32_t n_states;
    uint32_t lost; /* ranks that were given up: parting does not wait for all */
    uint32_t
        given_up;  /* it is one of those: it is to do nothing until the job is over */
    uint32_t last; /* as in struct setup_epoch, as are: */
    uint64_t epoch, rows;
    struct source_state state;
};

struct joined; /* joined.h */

/* What is known of ranks that joined the job; of its own ranks there is none. */
struct joined_sums {
    uint64_t ranks, readers; /* that were ever ready */
    /* Of those that have gone: */
    uint64_t blocks, bytes_read, bytes_written, bytes_stored;
    uint64_t locks, locks_waited, lock_wait_ns;
};

/* A rank that is gone and had not said its last: who it was, when, and why. */
#define COORDINATOR_LOSSES_MOST 32 /* the first ones */

struct rank_loss {
    uint32_t rank;
    int64_t pid;
    int64_t at_ns; /* CLOCK_MONOTONIC of rank 0's host */
    char why[200];
};

struct coordinator {
    uint32_t n_ranks, n_phases;
    uint32_t n_joined; /* places of ranks after the first n_ranks that were ever used */
    struct joined *joined; /* those places; NULL: nobody can join */
    struct joined_sums joined_sums;
    struct joined_sums gone_sums; /* likewise of its own that are gone: no ranks */
    uint64_t blocks[SETUP_PHASES_MAX];
    int32_t phase;
    uint32_t stop;
    uint32_t signo;
    uint32_t looking;    /* rank 0 is to say what is missing */
    uint32_t has_work;   /* it has said so once */
    uint32_t begun;      /* all ranks have been ready */
    uint64_t *todo;      /* a bit per block of the pass, not handed out yet */
    uint64_t next;       /* no bit before this one is set */
    uint64_t left;       /* bits that are set */
    uint64_t found;      /* blocks of all phases that were done when the pass began */
    uint64_t in_pass;    /* committed since */
    uint64_t before;     /* blocks that were done before any was handed out */
    uint32_t handed_out; /* some were */
    uint64_t n_failed;   /* of all phases */
    struct block_failure *failures;
    /* Each of them, 1 for the first, at or after the place that its block and phase
     * have; 0: the end of a row of such. */
    uint16_t failure_at[COORDINATOR_FAILURE_PLACES];
    uint64_t run_id; /* rank 0's */
    uint64_t digest;
    uint32_t has_digest;
    uint32_t
        n_lost; /* ranks that were given up, but for those that came back in time */
    uint32_t fail_fast; /* stop at the first block that is set aside */
    uint32_t n_states;
    struct source_state states[SETUP_INPUTS_MAX];
    struct setup_epoch epoch;
    uint64_t n_gone;   /* ranks that were gone, so far */
    uint32_t n_losses; /* those of them of which it was not known that they would be, */
    struct rank_loss losses[COORDINATOR_LOSSES_MOST]; /* and the first ones */
    int64_t began_ns; /* CLOCK_MONOTONIC when the ranks of this host were first forked;
                         0: none are */
    swim_error_t error; /* the first one reported */
    uint32_t error_rank;
};

/* What the coordinator keeps of a rank. */
struct coordinator_rank {
    struct rank_report report;
    uint64_t outstanding; /* handed out, neither committed nor set aside */
    uint32_t given_up;    /* it was silent for too long: others do its blocks ... */
    uint32_t is_back;     /* ... and yet it was heard of again */
    uint32_t told_to_stop;
};

/* todo: room for a bit for each block of the largest phase; failures: for
 * COORDINATOR_FAILURES_MOST.  Both are the caller's; todo may come later, before the
 * first pass. */
void coordinator_init(struct coordinator *c, uint32_t n_ranks, uint64_t *todo,
                      struct block_failure *failures);

/* Take a report of one of ranks, zeroed at first and kept by the caller beside c, and
 * answer.  The first n_ranks of them begin together; those after them join (joined.h).
 */
void coordinator_handle(struct coordinator *c, struct coordinator_rank *ranks,
                        const struct rank_report *report, struct rank_orders *orders);

/* Rank 0 says which states of the inputs all are to read: it has them open. */
void coordinator_set_states(struct coordinator *c, const struct source_state *states,
                            uint32_t n_states);

/* Rank 0 says, before it is ready, what there is to do in all. */
void coordinator_set_work(struct coordinator *c, uint32_t n_phases,
                          const uint64_t *blocks, bool fail_fast);

/* The next epoch, of so many blocks of the first phase: those that it has more can be
 * handed out from here on.  There is room for them in todo. */
void coordinator_set_epoch(struct coordinator *c, const struct setup_epoch *epoch,
                           uint64_t n_blocks);

/* And, then and whenever it is told to look, what is missing: done has a bit for each
 * block of the phase that is committed (done[b / 8] >> (b % 8)).  Phases before it
 * count as done.  Returns how many blocks the pass has; none: another call follows,
 * with the next phase or COORDINATOR_FINISHED, where done is not looked at. */
uint64_t coordinator_set_pass(struct coordinator *c, int32_t phase,
                              const unsigned char *done);

/* A block that nobody need try: what it is made of was set aside.  One that was set
 * aside before is not taken again; the job stops where there are too many. */
void coordinator_set_aside(struct coordinator *c, const struct block_failure *failure);

/* Somebody has seen that a rank is gone: what it had comes again.  It may begin anew.
 */
void coordinator_gone(struct coordinator *c, struct coordinator_rank *ranks,
                      uint32_t rank);

/* Before that, where it has not left by itself: it is kept for the record. */
void coordinator_note_loss(struct coordinator *c, const struct coordinator_rank *ranks,
                           uint32_t rank, int64_t now_ns, const char *why);

/* To the sums what a rank has come to. */
void coordinator_add_counters(struct joined_sums *sums,
                              const struct rank_report *report);

/* Whoever was in one of these calls has died in it: what it left half done is mended.
 * What it was given comes again when it is said to be gone. */
void coordinator_mend(struct coordinator *c);

/* A rank that cannot begin anew has been silent for too long: as above, and should it
 * be heard of again, it is given no blocks.  If it is not, it is as good as leaving. */
void coordinator_give_up(struct coordinator *c, struct coordinator_rank *ranks,
                         uint32_t rank);

/* Somebody has seen that the job cannot go on.  The first one counts; once the job is
 * FINISHED nobody but rank 0 can stop it. */
void coordinator_stop(struct coordinator *c, const swim_error_t *err, uint32_t signo,
                      uint32_t rank);

/* Blocks of all phases that are committed, and those there are. */
uint64_t coordinator_done(const struct coordinator *c);
uint64_t coordinator_total(const struct coordinator *c);

#endif /* SWIM_BATCH_COORDINATOR_H */
