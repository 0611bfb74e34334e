/* link.h - how a rank talks to the coordinator: shared memory or MPI.
 *
 * exchange() never waits: it hands the report over and says whether orders came.  Under
 * MPI an answer comes with a later call; blocks in it are for the asker all the same.
 */
#ifndef SWIM_BATCH_LINK_H
#define SWIM_BATCH_LINK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <h5swim/error.h>

#include "batch/coordinator.h"
#include "batch/joined.h"

struct link;

#define LINK_GATHERS 2u

struct link_ops {
    /* True: orders are filled in.  SWIM_ERR_IO through err when the link broke. */
    int (*exchange)(struct link *link, const struct rank_report *report,
                    struct rank_orders *orders, bool *answered, swim_error_t *err);
    /* Rank 0 only, before its report says ready: the states of the inputs, ... */
    void (*set_states)(struct link *link, const struct source_state *states,
                       uint32_t n_states);
    /* ... and what there is to do: coordinator_set_work() and, then and whenever it is
     * told to look, coordinator_set_pass(). SWIM_ERR_NOMEM. */
    int (*set_work)(struct link *link, uint32_t n_phases, const uint64_t *blocks,
                    bool fail_fast, swim_error_t *err);
    /* Likewise, coordinator_set_epoch(); SWIM_ERR_NOMEM. */
    int (*set_epoch)(struct link *link, const struct setup_epoch *epoch,
                     uint64_t n_blocks, swim_error_t *err);
    uint64_t (*set_pass)(struct link *link, int32_t phase, const unsigned char *done);
    void (*set_aside)(struct link *link, const struct block_failure *failure);
    /* Rank 0 only: copies of the coordinator (failures point to what may still grow at
     * its end; todo is not to be looked at) and of all ranks, n_ranks and those that
     * joined: room for LINK_RANKS_MOST(n_ranks). */
    void (*observe)(struct link *link, struct coordinator *c,
                    struct coordinator_rank *ranks);
    /* Rank 0 only: fn with the coordinator and all ranks, while no other asks it. */
    void (*with)(struct link *link,
                 void (*fn)(struct coordinator *c, struct coordinator_rank *ranks,
                            void *arg),
                 void *arg);
    /* The last report (leaving) has been exchanged.  Rank 0 waits at most wait_ms until
     * everybody's has come; then part and free link.  meet: all ranks are sound and on
     * their way here, so that parting may wait for them. */
    void (*close)(struct link *link, int wait_ms, bool meet);
    /* Where n_hosts is more than 1, by every rank, for each of the LINK_GATHERS once,
     * again until *done; it does not wait, and what the first call was given goes on
     * its way whether or not there is a next.  Rank 0 gets size bytes of each rank, the
     * others NULL; the link's. */
    int (*gather)(struct link *link, uint32_t which, const void *mine, size_t size,
                  const void **all, bool *done, swim_error_t *err);
    /* Likewise, after the first gather, once: rank 0's bytes come to all. */
    int (*share)(struct link *link, void *bytes, size_t size, bool *done,
                 swim_error_t *err);
};

struct link {
    const struct link_ops *ops;
    uint32_t rank, n_ranks;
    /* Set by the rank before it is ready: for how long one that is may be silent before
     * it is given up, where nobody else sees that it died.  0: for ever. */
    int64_t silent_ms;
    uint32_t host, n_hosts; /* which one of those that the ranks are on */
    const char *library;    /* of MPI, for people; NULL: there is none */
};

#define LINK_RANKS_MOST(n_ranks) ((size_t)(n_ranks) + JOINED_MOST)

/* Shared memory for n_ranks forked ranks: made by the driver before it forks. */
struct fork_shared;
int fork_shared_create(uint32_t n_ranks, struct fork_shared **out, swim_error_t *err);
void fork_shared_destroy(struct fork_shared *shared);
int fork_link_open(struct fork_shared *shared, uint32_t rank, struct link **out,
                   swim_error_t *err);
/* For the driver, when a rank has ended without its last report. */
void fork_shared_stop(struct fork_shared *shared, const swim_error_t *err,
                      uint32_t signo, uint32_t rank);
/* Where the signal is that this rank leaves for, see swim_signals_tell(). */
atomic_int *fork_shared_told(struct fork_shared *shared, uint32_t rank);
/* A rank has ended without its last report, and will begin anew: what it had goes to
 * others. */
void fork_shared_gone(struct fork_shared *shared, uint32_t rank, const char *why);
/* Was it ever ready? */
bool fork_shared_ready(struct fork_shared *shared, uint32_t rank);
/* 0 while the job goes on; once it is to stop, the signal that says so to ranks ... */
int fork_shared_stopped(struct fork_shared *shared);
/* ... that have not heard of it. */
bool fork_shared_heard(struct fork_shared *shared, uint32_t rank);
/* Why it was stopped: the signal, or 0 and the error. */
int fork_shared_cause(struct fork_shared *shared, swim_error_t *err);
/* Did this rank leave by itself? */
bool fork_shared_left(struct fork_shared *shared, uint32_t rank);

/* To a job that runs elsewhere, by its lock server (url; NULL: as lock.h says), found
 * by the first output of the job.  The link has the rank that it was given.  Waits at
 * most wait_ms, as in struct swim_lock_options, for the answer.
 * Errors: SWIM_ERR_ARG (no job is there, it refuses), SWIM_ERR_TIMEOUT, SWIM_ERR_IO,
 * SWIM_ERR_CANCELLED.  exchange() fails when the job is another one (SWIM_ERR_ARG),
 * does not want it any more (SWIM_ERR_LOST), or is gone (SWIM_ERR_IO). */
int link_join_open(const struct job *job, const char *url, int64_t wait_ms,
                   struct link **out, swim_error_t *err);

/* The MPI plug-in, lib/h5swim/h5swim_mpi.so (h5swim_mpich.so under the launcher of
 * MPICH, where both are), has this one symbol: the table that its open() call gives.
 * Loaded only under an MPI launcher. */
#define LINK_MPI_SYMBOL "swim_mpi_link_open_v5"
typedef int (*link_mpi_open_fn)(struct link **out, swim_error_t *err);

/* Load the plug-in, start MPI.  Errors: SWIM_ERR_IO (cannot be loaded, MPI_Init, or it
 * is another MPI than the launcher's). */
int link_mpi_load(struct link **out, swim_error_t *err);

/* Was this process started by mpirun or srun --mpi=pmix?  The number of ranks, else 0.
 */
uint32_t link_mpi_ranks(void);
/* Who started it, for people, asked before MPI is: "mpi", "slurm". */
const char *link_launcher(void);
/* And which one of them it is, as the launcher says before MPI is started. */
uint32_t link_mpi_rank(void);

#endif /* SWIM_BATCH_LINK_H */
