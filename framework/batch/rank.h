/* rank.h - what the files of a rank's main process share. */
#ifndef SWIM_BATCH_RANK_H
#define SWIM_BATCH_RANK_H

#include <stdbool.h>
#include <stdint.h>

#include "batch/follow.h"
#include "batch/job_lock.h"
#include "batch/join_serve.h"
#include "batch/outputs.h"
#include "batch/progress.h"
#include "batch/record.h"
#include "batch/report.h"
#include "batch/run.h"
#include "batch/worker.h"

#define RANK_OTHERS_MS 500 /* rank 0 waits so long for the others' last reports */

/* How the job ends, as this rank knows it: all blocks are done, else by a signal, else
 * by an error.  Decided once, when the rank has left its work; rank 0 may find out
 * after that that the outputs cannot be finished. */
struct outcome {
    bool done;
    int signo;
    swim_error_t error;
    bool unlinked; /* rank 0 could not be asked: the error is this rank's alone */
};

struct rank {
    const struct run_options *options;
    const struct job *job;
    struct worker worker;
    struct spawner spawner;
    struct link *link;
    swim_session_t *session;
    struct setup *setup;
    struct rank_report report;
    struct swim_session_stats last;
    struct join_outcome *joining; /* it has joined; NULL: it is one of the job's */
    struct outcome end;
    struct record *record;   /* NULL: none is wanted */
    const char *launcher;    /* as the record says it */
    struct setup_epoch told; /* follow: the epoch, as far as its states are known */
    int64_t start_ns, exchanged_ns; /* when orders came last */
    int64_t lease_ms;
    int32_t phase;
    bool forked;       /* by the driver, which starts it again if it dies */
    bool spawner_gone; /* it is of no use without */
    bool over;         /* it was told so while it prepared */
    bool lost;         /* a rank was given up */
    bool given_up;     /* this one was */
    bool hurry;        /* there is something to be said at once */

    /* rank_items.c */
    uint64_t next, count; /* blocks granted, not yet in an item */
    uint64_t seq;
    uint32_t put, queued; /* the item after the last one filled; how many wait */
    uint32_t want;
    struct block_failure *failed; /* set aside; the first report.n_failed are told */
    uint32_t n_failed, room;
    uint32_t unopened, writers_lost; /* deaths since something went well */
    int64_t *timed_out; /* by reader: busy_ns of what it is ended for; 0: nothing */
    bool granted;       /* some blocks came since want grew */

    /* rank 0: rank_zero.c */
    bool again;   /* an earlier rank 0 of this run has died */
    bool created; /* the outputs are ours */
    enum outputs_begun begun;
    char mark[REGION_MARK_SIZE];
    struct job_lock *lock;    /* of the outputs, for the whole run */
    struct join_serve *serve; /* those who join */
    unsigned char *done;      /* bits of the phase */
    uint64_t missing;         /* of it, when last looked at */
    uint32_t idle_passes;     /* that have brought nothing */
    int64_t checkpoint_ns;    /* the next one of the outputs */
    struct follow *follow;    /* NULL: the inputs are read as they are */
    struct coordinator seen;
    struct coordinator_rank *ranks;
    struct progress progress;
};

/* --- rank.c ----------------------------------------------------------------------- */

/* Report and take orders; rank 0 answers those that have joined before it asks itself.
 */
int rank_talk(struct rank *r, struct rank_orders *orders, bool *answered,
              swim_error_t *err);

/* The job is over, well or not. */
bool rank_is_over(const struct rank_orders *orders);

void rank_fill_report(struct rank *r);

/* --- rank_end.c ------------------------------------------------------------------- */

/* It has left its work with these orders and, perhaps, an error of its own: the workers
 * leave, rank 0 finishes the outputs and prints.  The exit status. */
int rank_end(struct rank *r, const struct rank_orders *orders, const swim_error_t *own);

/* --- rank_items.c: the blocks that the rank was given, and who works on them ----- */

/* Blocks granted into items, finished ones out of them. */
void items_turn(struct rank *r);

/* How many blocks to ask for. */
uint64_t items_wanted(struct rank *r);

/* Readers and the writer that have ended are replaced; readers that take too long are
 * ended.  An error ends the job. */
int items_look_after_workers(struct rank *r, swim_error_t *err);

/* Tell the next block that was set aside, once the last one was taken note of. */
void items_tell_failures(struct rank *r, uint64_t n_told);

/* --- rank_zero.c: what rank 0 does besides ---------------------------------------- */

/* An earlier rank 0 may have begun. */
void zero_join(struct rank *r);

/* Take the outputs, make them or go on with them, and say what there is to do. */
int zero_begin(struct rank *r, swim_error_t *err);

/* What is missing of a phase is the next pass; *left: so much. */
int zero_pass(struct rank *r, uint32_t phase, uint64_t *left, swim_error_t *err);

/* The pass is over: what is missing is the next one. */
int zero_look(struct rank *r, swim_error_t *err);

/* Room for what is done of all the blocks that the setup has now. */
int zero_make_room(struct rank *r, swim_error_t *err);

/* The lease of the outputs, now and then. */
int zero_check(struct rank *r, swim_error_t *err);

/* All is done: the outputs are finished. */
int zero_finish(struct rank *r, swim_error_t *err);

/* ... and what is left of the work beside them, once no worker has it open. */
void zero_tidy(struct rank *r);

/* The job ends before that. */
void zero_give_up(struct rank *r);

/* --- rank_late.c: when the result is there, the lock server may have gone --------- */

/* What is finished is to be in the files themselves for programs without h5swim. */
void late_copy(const struct rank *r, const struct outputs *outputs);

/* outputs_clear(); that it could not is said, and is no reason to fail. */
void late_clear(const struct rank *r, const struct outputs *outputs,
                enum outputs_begun how);

/* The result, printed; the exit status of all. */
int zero_print(struct rank *r, int status);

void zero_end(struct rank *r);

#endif /* SWIM_BATCH_RANK_H */
