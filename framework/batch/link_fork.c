/* link_fork.c - ranks on one host that share the coordinator's memory.
 *
 * A robust mutex guards it: a rank that dies inside an exchange leaves at worst blocks
 * handed out to itself, and they come again.  Pages of the bits and the failures cost
 * nothing until they are used. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "batch/link.h"
#include "core/clock.h"
#include "lock/process.h"

#define ORPHANS_LOOK_NS 100000000LL
#define FORKED_NS 10000000000LL /* a forked rank has entered its pid by then */

struct fork_shared {
    size_t mapped_bytes;
    pid_t driver;
    pthread_mutex_t mutex;
    struct coordinator coordinator;
    struct joined joined[JOINED_MOST];
    atomic_int *told;                /* of each forked rank: behind todo */
    struct coordinator_rank ranks[]; /* all, then the failures, then todo */
};

struct fork_link {
    struct link link;
    struct fork_shared *shared;
    struct process_id self;
    int64_t looked_ns, alone_ns; /* when it saw first that the driver is gone */
};

int fork_shared_create(uint32_t n_ranks, struct fork_shared **out, swim_error_t *err)
{
    size_t failures = COORDINATOR_FAILURES_MOST * sizeof(struct block_failure);
    size_t ranks = LINK_RANKS_MOST(n_ranks);
    size_t bytes = sizeof(**out) + ranks * sizeof(struct coordinator_rank) + failures +
                   COORDINATOR_BLOCKS_MOST / 8 + n_ranks * sizeof(atomic_int);
    struct fork_shared *shared =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE,
             MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    pthread_mutexattr_t attr;

    *out = NULL;
    if (shared == MAP_FAILED)
        return swim_error_set(
            err, SWIM_ERR_NOMEM,
            "map %zu MiB of addresses for %u ranks: %s; it takes little "
            "memory, but a larger limit of addresses (ulimit -v)",
            bytes >> 20, n_ranks, strerrordesc_np(errno));
    shared->mapped_bytes = bytes;
    shared->driver = getpid();
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&shared->mutex, &attr);
    pthread_mutexattr_destroy(&attr);
    char *behind = (char *)&shared->ranks[ranks];
    coordinator_init(&shared->coordinator, n_ranks, (void *)(behind + failures),
                     (void *)behind);
    shared->coordinator.joined = shared->joined;
    shared->coordinator.began_ns = swim_clock_mono_ns();
    shared->told = (void *)(behind + failures + COORDINATOR_BLOCKS_MOST / 8);
    *out = shared;
    return SWIM_OK;
}

void fork_shared_destroy(struct fork_shared *shared)
{
    if (shared)
        munmap(shared, shared->mapped_bytes);
}

static void shared_lock(struct fork_shared *shared)
{
    if (pthread_mutex_lock(&shared->mutex) == EOWNERDEAD) {
        coordinator_mend(&shared->coordinator);
        pthread_mutex_consistent(&shared->mutex);
    }
}

void fork_shared_stop(struct fork_shared *shared, const swim_error_t *err,
                      uint32_t signo, uint32_t rank)
{
    shared_lock(shared);
    coordinator_stop(&shared->coordinator, err, signo, rank);
    pthread_mutex_unlock(&shared->mutex);
}

int fork_shared_stopped(struct fork_shared *shared)
{
    shared_lock(shared);
    int stop = (int)shared->coordinator.stop, signo = (int)shared->coordinator.signo;
    pthread_mutex_unlock(&shared->mutex);
    return stop ? (signo ? signo : SIGTERM) : 0;
}

bool fork_shared_heard(struct fork_shared *shared, uint32_t rank)
{
    shared_lock(shared);
    bool heard = shared->ranks[rank].told_to_stop != 0;
    pthread_mutex_unlock(&shared->mutex);
    return heard;
}

int fork_shared_cause(struct fork_shared *shared, swim_error_t *err)
{
    shared_lock(shared);
    int signo = (int)shared->coordinator.signo;
    *err = shared->coordinator.error;
    pthread_mutex_unlock(&shared->mutex);
    return signo;
}

bool fork_shared_left(struct fork_shared *shared, uint32_t rank)
{
    shared_lock(shared);
    bool left = shared->ranks[rank].report.leaving != 0;
    pthread_mutex_unlock(&shared->mutex);
    return left;
}

void fork_shared_gone(struct fork_shared *shared, uint32_t rank, const char *why)
{
    shared_lock(shared);
    coordinator_note_loss(&shared->coordinator, shared->ranks, rank,
                          swim_clock_mono_ns(), why);
    coordinator_gone(&shared->coordinator, shared->ranks, rank);
    pthread_mutex_unlock(&shared->mutex);
}

atomic_int *fork_shared_told(struct fork_shared *shared, uint32_t rank)
{
    return &shared->told[rank];
}

bool fork_shared_ready(struct fork_shared *shared, uint32_t rank)
{
    shared_lock(shared);
    bool ready = shared->ranks[rank].report.ready != 0;
    pthread_mutex_unlock(&shared->mutex);
    return ready;
}

/* Only what is certain counts: a rank of which nothing can be known may live.  One that
 * has not entered its pid is not there yet, or the driver died before it forked it. */
static bool has_died(const struct fork_link *f, uint32_t rank)
{
    const struct rank_report *report = &f->shared->ranks[rank].report;
    int pidfd = -1;

    if (rank == f->link.rank || report->leaving)
        return false;
    if (report->pid == 0)
        return f->looked_ns - f->alone_ns > FORKED_NS;
    enum process_state state =
        process_watch(&f->self, f->self.boot, report->pid, report->started, &pidfd);
    if (pidfd >= 0)
        close(pidfd);
    return state == PROCESS_DEAD;
}

/* Without the driver nobody starts a rank again, and nobody else sees that it died. */
static void look_after_others(struct fork_link *f)
{
    struct fork_shared *shared = f->shared;
    int64_t now = swim_clock_mono_ns();
    swim_error_t err = {0};

    if (getppid() == shared->driver || now - f->looked_ns < ORPHANS_LOOK_NS)
        return;
    f->looked_ns = now;
    if (!f->alone_ns)
        f->alone_ns = now;
    for (uint32_t r = 0; r < f->link.n_ranks; r++) {
        if (!has_died(f, r))
            continue;
        swim_error_set(&err, SWIM_ERR_IO,
                       "rank %u and the driver that would start it again have died", r);
        coordinator_stop(&shared->coordinator, &err, 0, r);
        if (r == 0 && f->link.rank == 1)
            fprintf(stderr, "h5swim: %s\n", err.text);
    }
}

static int fork_exchange(struct link *link, const struct rank_report *report,
                         struct rank_orders *orders, bool *answered, swim_error_t *err)
{
    struct fork_link *f = (struct fork_link *)(void *)link;
    struct fork_shared *shared = f->shared;

    (void)err;
    shared_lock(shared);
    look_after_others(f);
    coordinator_handle(&shared->coordinator, shared->ranks, report, orders);
    pthread_mutex_unlock(&shared->mutex);
    *answered = true;
    return SWIM_OK;
}

static void fork_set_states(struct link *link, const struct source_state *states,
                            uint32_t n_states)
{
    struct fork_shared *shared = ((struct fork_link *)(void *)link)->shared;

    shared_lock(shared);
    coordinator_set_states(&shared->coordinator, states, n_states);
    pthread_mutex_unlock(&shared->mutex);
}

static int fork_set_work(struct link *link, uint32_t n_phases, const uint64_t *blocks,
                         bool fail_fast, swim_error_t *err)
{
    struct fork_shared *shared = ((struct fork_link *)(void *)link)->shared;

    (void)err;
    shared_lock(shared);
    coordinator_set_work(&shared->coordinator, n_phases, blocks, fail_fast);
    pthread_mutex_unlock(&shared->mutex);
    return SWIM_OK;
}

static int fork_set_epoch(struct link *link, const struct setup_epoch *epoch,
                          uint64_t n_blocks, swim_error_t *err)
{
    struct fork_shared *shared = ((struct fork_link *)(void *)link)->shared;

    if (n_blocks > COORDINATOR_BLOCKS_MOST)
        return swim_error_set(err, SWIM_ERR_NOMEM,
                              "follow: %llu blocks are more than there is room for",
                              (unsigned long long)n_blocks);
    shared_lock(shared);
    coordinator_set_epoch(&shared->coordinator, epoch, n_blocks);
    pthread_mutex_unlock(&shared->mutex);
    return SWIM_OK;
}

static uint64_t fork_set_pass(struct link *link, int32_t phase,
                              const unsigned char *done)
{
    struct fork_shared *shared = ((struct fork_link *)(void *)link)->shared;

    shared_lock(shared);
    uint64_t left = coordinator_set_pass(&shared->coordinator, phase, done);
    pthread_mutex_unlock(&shared->mutex);
    return left;
}

static void fork_set_aside(struct link *link, const struct block_failure *failure)
{
    struct fork_shared *shared = ((struct fork_link *)(void *)link)->shared;

    shared_lock(shared);
    coordinator_set_aside(&shared->coordinator, failure);
    pthread_mutex_unlock(&shared->mutex);
}

static void fork_observe(struct link *link, struct coordinator *c,
                         struct coordinator_rank *ranks)
{
    struct fork_shared *shared = ((struct fork_link *)(void *)link)->shared;

    shared_lock(shared);
    *c = shared->coordinator;
    memcpy(ranks, shared->ranks, (link->n_ranks + c->n_joined) * sizeof(*ranks));
    pthread_mutex_unlock(&shared->mutex);
}

static void fork_with(struct link *link,
                      void (*fn)(struct coordinator *c, struct coordinator_rank *ranks,
                                 void *arg),
                      void *arg)
{
    struct fork_shared *shared = ((struct fork_link *)(void *)link)->shared;

    shared_lock(shared);
    fn(&shared->coordinator, shared->ranks, arg);
    pthread_mutex_unlock(&shared->mutex);
}

/* Rank 0 prints the result: it stays until the others have said their last. */
static void fork_close(struct link *link, int wait_ms, bool meet)
{
    struct fork_shared *shared = ((struct fork_link *)(void *)link)->shared;
    int64_t until = swim_clock_mono_ns() + (int64_t)wait_ms * 1000000;
    bool all = link->rank != 0;

    (void)meet;
    while (!all && swim_clock_mono_ns() < until) {
        all = true;
        for (uint32_t r = 0; r < link->n_ranks; r++)
            all = all && fork_shared_left(shared, r);
        if (!all)
            swim_clock_nap_ns(1000000);
    }
    free(link);
}

static const struct link_ops fork_ops = {
    .exchange = fork_exchange,
    .set_states = fork_set_states,
    .set_work = fork_set_work,
    .set_epoch = fork_set_epoch,
    .set_pass = fork_set_pass,
    .set_aside = fork_set_aside,
    .observe = fork_observe,
    .with = fork_with,
    .close = fork_close,
};

int fork_link_open(struct fork_shared *shared, uint32_t rank, struct link **out,
                   swim_error_t *err)
{
    struct fork_link *f = calloc(1, sizeof(*f));

    *out = NULL;
    if (!f)
        return swim_error_set(err, SWIM_ERR_NOMEM, "link of rank %u", rank);
    f->link.ops = &fork_ops;
    f->link.rank = rank;
    f->link.n_ranks = shared->coordinator.n_ranks;
    f->link.n_hosts = 1;
    f->shared = shared;
    process_self(&f->self);
    /* Others are to know it before the first exchange, which may be hours away. */
    shared_lock(shared);
    shared->ranks[rank].report.pid = f->self.pid;
    shared->ranks[rank].report.started = f->self.start;
    pthread_mutex_unlock(&shared->mutex);
    *out = &f->link;
    return SWIM_OK;
}
