/* driver.c - forks the ranks of a job on this host and waits for them.
 *
 * A rank that dies is forked again; if the driver dies itself, the ranks go on. */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <h5swim/lock.h>

#include "batch/run.h"
#include "batch/state.h"
#include "core/clock.h"
#include "core/signals.h"

#define DRIVER_GRACE_MS 950 /* a little more than a rank's */
#define RANKS_LEAVE_MS 900
#define DEATHS_MOST 3 /* of one rank */
#define DEAF_MS 600   /* a rank that has heard of a stop is gone by then */

struct driver {
    const struct run_options *options;
    const struct job *job;
    struct fork_shared *shared;
    uint32_t n_ranks;
    pid_t *pids;   /* 0: ended */
    pid_t *killed; /* those that had no chance to close their sessions */
    size_t n_killed;
    uint32_t *deaths;
    int *statuses;
    struct pollfd *fds; /* n_ranks pidfds, then the signals */
};

uint32_t run_processors(void)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof(set), &set) != 0)
        return 1;
    return (uint32_t)CPU_COUNT(&set);
}

static int driver_fork(struct driver *d, uint32_t rank)
{
    pid_t pid = fork();

    if (pid == 0) {
        int status = rank_main(d->options, d->job, d->shared, rank);
        if (status == 0)
            exit(0);
        fflush(stdout);
        _exit(status);
    }
    if (pid < 0)
        return -1;
    d->pids[rank] = pid;
    d->fds[rank] = (struct pollfd){pidfd_open(pid, 0), POLLIN, 0};
    return d->fds[rank].fd < 0 ? -1 : 0;
}

static void signal_ranks(const struct driver *d, int signo)
{
    for (uint32_t r = 0; r < d->n_ranks; r++)
        if (d->pids[r])
            kill(d->pids[r], signo);
}

static void describe_death(uint32_t rank, int status, swim_error_t *err)
{
    if (WIFSIGNALED(status))
        swim_error_set(err, SWIM_ERR_IO, "rank %u was ended by signal %d (SIG%s)", rank,
                       WTERMSIG(status), sigabbrev_np(WTERMSIG(status)));
    else
        swim_error_set(err, SWIM_ERR_IO, "rank %u ended with exit status %d", rank,
                       WEXITSTATUS(status));
}

/* Not a kernel's plan() that has ended it with such a status. */
static bool left_by_signal(const struct driver *d, uint32_t rank)
{
    int status = d->statuses[rank];

    return WIFEXITED(status) && WEXITSTATUS(status) > 128 &&
           atomic_load(fork_shared_told(d->shared, rank)) != 0;
}

/* A rank that did not say its last has died.  One that had got as far as to work is
 * started again; else, or when it dies again and again, the others are told to stop. */
static void rank_gone(struct driver *d, uint32_t rank)
{
    int status = d->statuses[rank];
    swim_error_t err = {0};

    if (fork_shared_left(d->shared, rank))
        return;
    if (left_by_signal(d, rank)) {
        fork_shared_stop(d->shared, NULL, (uint32_t)WEXITSTATUS(status) - 128, rank);
        return;
    }
    describe_death(rank, status, &err);
    if (!swim_signals_pending() && !fork_shared_stopped(d->shared) &&
        fork_shared_ready(d->shared, rank) && d->deaths[rank]++ < DEATHS_MOST) {
        fork_shared_gone(d->shared, rank);
        if (!d->options->quiet && !d->options->json)
            fprintf(stderr, "h5swim: %s: it is started again\n", err.text);
        if (driver_fork(d, rank) == 0)
            return;
    }
    fork_shared_stop(d->shared, &err, 0, rank);
    if (rank == 0) /* which would have printed it */
        fprintf(stderr, "h5swim: %s\n", err.text);
}

static uint32_t driver_reap(struct driver *d)
{
    uint32_t left = 0;

    for (uint32_t r = 0; r < d->n_ranks; r++) {
        if (d->pids[r] == 0)
            continue;
        if (waitpid(d->pids[r], &d->statuses[r], WNOHANG) != d->pids[r]) {
            left++;
            continue;
        }
        if (WIFSIGNALED(d->statuses[r]))
            d->killed[d->n_killed++] = d->pids[r];
        d->pids[r] = 0;
        close(d->fds[r].fd);
        d->fds[r].fd = -1; /* poll() passes over it */
        rank_gone(d, r);
        left += d->pids[r] != 0;
    }
    return left;
}

/* Until all ranks have ended; a signal is passed on, once, with a time limit.  When a
 * rank has ended and the job is to stop, those that do not hear it (they wait for a
 * lock, or a kernel plans) get a signal a little later. */
static void driver_wait(struct driver *d)
{
    int64_t until = INT64_MAX, deaf = INT64_MAX;
    uint32_t left;
    int signo = 0;

    while ((left = driver_reap(d)) > 0) {
        int stopped = fork_shared_stopped(d->shared);
        nfds_t n = d->n_ranks + (signo ? 0 : 1);
        int64_t now = swim_clock_mono_ns();
        if (stopped && left < d->n_ranks && deaf == INT64_MAX)
            deaf = now + DEAF_MS * 1000000LL;
        int64_t next = signo ? until : deaf;
        int64_t left_ms = (next - now) / 1000000;
        poll(d->fds, n, next == INT64_MAX ? -1 : left_ms > 0 ? (int)left_ms : 10);
        if (state_asked())
            signal_ranks(d, SIGUSR1);
        bool passed = !signo && swim_clock_mono_ns() > deaf;
        if (!signo && (swim_signals_pending() || passed)) {
            signo = passed ? stopped : swim_signals_pending();
            until = swim_clock_mono_ns() + RANKS_LEAVE_MS * 1000000LL;
            signal_ranks(d, signo);
        } else if (signo && swim_clock_mono_ns() > until) {
            signal_ranks(d, SIGKILL);
        }
    }
}

/* End the sessions of ranks that were killed, so that hosts that cannot see them dead
 * need not wait for their leases.  Only when all have left, who must not be kept
 * waiting by a server that does not answer; and then that ends with the leases. */
static void driver_reap_sessions(const struct driver *d, const char *url)
{
    const struct swim_session_options opt = {
        .struct_size = sizeof(opt), .url = url, .job = "driver", .rank = -1};
    swim_session_t *session = NULL;

    for (size_t i = 0; i < d->n_killed; i++) {
        if (!session && swim_session_open(&opt, &session, NULL) != SWIM_OK)
            return;
        (void)swim_session_reap(session, d->killed[i], NULL);
    }
    swim_session_close(session);
}

static int driver_status(const struct driver *d)
{
    int first = d->statuses[0];

    if (swim_signals_pending())
        return 128 + swim_signals_pending();
    if (WIFEXITED(first) && (left_by_signal(d, 0) || fork_shared_left(d->shared, 0)))
        return WEXITSTATUS(first);
    return 1; /* it was killed, or a kernel's plan() has ended it */
}

static int driver_run(struct driver *d, swim_error_t *err)
{
    int rc = swim_signals_install_command(DRIVER_GRACE_MS, err);

    if (rc == SWIM_OK)
        rc = fork_shared_create(d->n_ranks, &d->shared, err);
    if (rc != SWIM_OK)
        return run_exit_status(rc, 0);
    fflush(NULL);
    state_listen();
    d->fds[d->n_ranks] = (struct pollfd){swim_signals_fd(), POLLIN, 0};
    for (uint32_t r = 0; r < d->n_ranks; r++) {
        if (driver_fork(d, r) == 0)
            continue;
        swim_error_sys(err, errno, "fork rank %u of %u", r, d->n_ranks);
        fork_shared_stop(d->shared, err, 0, r);
        signal_ranks(d, SIGTERM);
        driver_wait(d);
        return 1;
    }
    driver_wait(d);
    driver_reap_sessions(d, d->options->url);
    return driver_status(d);
}

int driver_main(const struct run_options *options, const struct job *job,
                uint32_t n_ranks)
{
    struct driver d = {.options = options, .job = job, .n_ranks = n_ranks};
    swim_error_t err = {0};
    int status;

    d.pids = calloc(n_ranks, sizeof(*d.pids));
    d.killed = calloc((size_t)n_ranks * (DEATHS_MOST + 1), sizeof(*d.killed));
    d.deaths = calloc(n_ranks, sizeof(*d.deaths));
    d.statuses = calloc(n_ranks, sizeof(*d.statuses));
    d.fds = calloc(n_ranks + 1, sizeof(*d.fds));
    if (d.pids && d.killed && d.deaths && d.statuses && d.fds) {
        status = driver_run(&d, &err);
    } else {
        swim_error_set(&err, SWIM_ERR_NOMEM, "start %u ranks", n_ranks);
        status = 1;
    }
    if (err.code != SWIM_OK)
        fprintf(stderr, "h5swim: %s\n", err.text);
    fork_shared_destroy(d.shared);
    free(d.pids);
    free(d.killed);
    free(d.deaths);
    free(d.statuses);
    free(d.fds);
    return status;
}
