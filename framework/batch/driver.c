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
#define AGAIN_MS 10
#define NS_PER_MS 1000000LL
#define DEATHS_MOST 3  /* of one rank */
#define DEAF_MS 600    /* those that ask now and then have heard of a stop by then */
#define HEARD_MS 30000 /* they see to their workers, and rank 0 to the outputs */

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
    int64_t *told_ns;   /* when it was sent a signal; 0: not yet */
    int64_t stopped_ns; /* since when ranks leave as the job is to stop; 0: not yet */
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
    if (d->fds[rank].fd >= 0)
        return 0;
    /* Nobody would hear of its end. */
    int why = errno;
    kill(pid, SIGKILL);
    while (waitpid(pid, &d->statuses[rank], 0) < 0 && errno == EINTR)
        ;
    d->killed[d->n_killed++] = pid;
    d->pids[rank] = 0;
    errno = why;
    return -1;
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
        fork_shared_gone(d->shared, rank, err.text);
        if (run_tells(d->options))
            fprintf(stderr, "h5swim: %s: it is started again\n", err.text);
        if (driver_fork(d, rank) == 0)
            return;
    }
    fork_shared_stop(d->shared, &err, 0, rank);
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

/* When a rank that is still there is sent the next signal. */
static int64_t rank_deadline(const struct driver *d, uint32_t rank)
{
    if (d->told_ns[rank])
        return d->told_ns[rank] + RANKS_LEAVE_MS * NS_PER_MS;
    if (!d->stopped_ns)
        return INT64_MAX;
    return d->stopped_ns +
           (fork_shared_heard(d->shared, rank) ? HEARD_MS : DEAF_MS) * NS_PER_MS;
}

/* Our own signal is passed on; who does not leave in time is told to, then made to. */
static void driver_press(struct driver *d)
{
    int signo = swim_signals_pending(), stopped = fork_shared_stopped(d->shared);
    int64_t now = swim_clock_mono_ns();

    for (uint32_t r = 0; r < d->n_ranks; r++) {
        bool is_late = d->pids[r] && now >= rank_deadline(d, r);
        if (d->pids[r] && d->told_ns[r] && is_late) {
            kill(d->pids[r], SIGKILL);
        } else if (d->pids[r] && !d->told_ns[r] && (signo || is_late)) {
            kill(d->pids[r], signo ? signo : stopped);
            d->told_ns[r] = now;
        }
    }
}

static int driver_timeout_ms(const struct driver *d)
{
    int64_t next = INT64_MAX;

    for (uint32_t r = 0; r < d->n_ranks; r++)
        if (d->pids[r] && rank_deadline(d, r) < next)
            next = rank_deadline(d, r);
    int64_t left_ms = (next - swim_clock_mono_ns()) / NS_PER_MS;
    return next == INT64_MAX ? -1 : left_ms > AGAIN_MS ? (int)left_ms : AGAIN_MS;
}

/* Until all ranks have ended.  When one has and the job is to stop, those that do not
 * hear it (they wait for a lock, or a kernel plans) get a signal a little later. */
static void driver_wait(struct driver *d)
{
    for (uint32_t left; (left = driver_reap(d)) > 0; driver_press(d)) {
        if (!d->stopped_ns && left < d->n_ranks && fork_shared_stopped(d->shared))
            d->stopped_ns = swim_clock_mono_ns();
        /* A signal stays readable: it is heard once. */
        nfds_t n = d->n_ranks + (swim_signals_pending() ? 0 : 1);
        poll(d->fds, n, driver_timeout_ms(d));
        if (state_asked())
            signal_ranks(d, SIGUSR1);
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

/* Rank 0 prints why, unless it was ended before. */
static int driver_end(const struct driver *d)
{
    swim_error_t err = {0};
    int signo = fork_shared_cause(d->shared, &err), first = d->statuses[0];
    bool has_left = fork_shared_left(d->shared, 0);

    if (!has_left && signo)
        fprintf(stderr, "h5swim: job %s stopped by SIG%s\n", d->job->name,
                sigabbrev_np(signo));
    else if (!has_left && err.code != SWIM_OK)
        fprintf(stderr, "h5swim: %s\n", err.text);
    if (swim_signals_pending())
        return 128 + swim_signals_pending();
    if (has_left && WIFEXITED(first))
        return WEXITSTATUS(first);
    int status = run_exit_status(err.code, signo);
    return status ? status : 1;
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
    return driver_end(d);
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
    d.told_ns = calloc(n_ranks, sizeof(*d.told_ns));
    d.fds = calloc(n_ranks + 1, sizeof(*d.fds));
    if (d.pids && d.killed && d.deaths && d.statuses && d.told_ns && d.fds) {
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
    free(d.told_ns);
    free(d.fds);
    return status;
}
