/* join.c - h5swim run --join: forks ranks that join a job, waits, tells what they did.
 *
 * They end with this process, in order, whatever ends it. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <h5swim/lock.h>

#include "batch/report.h"
#include "batch/run.h"
#include "core/clock.h"
#include "core/json_text.h"
#include "core/signals.h"

#define JOIN_GRACE_MS 950  /* a little more than a rank's */
#define RANKS_LEAVE_MS 900 /* after a signal */

struct joining {
    const struct run_options *options;
    const struct job *job;
    uint32_t n;
    struct join_outcome *outcomes; /* shared with the ranks */
    pid_t *pids;                   /* 0: ended */
    struct pollfd *fds;            /* n pidfds, then the signals */
    int *statuses;
    int64_t start_ns;
};

static int joining_fork(struct joining *j, uint32_t number)
{
    pid_t parent = getpid(), pid = fork();

    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != parent)
            _exit(128 + SIGTERM);
        int status = rank_join(j->options, j->job, &j->outcomes[number]);
        if (status == 0)
            exit(0);
        _exit(status);
    }
    if (pid < 0)
        return -1;
    j->pids[number] = pid;
    j->fds[number] = (struct pollfd){pidfd_open(pid, 0), POLLIN, 0};
    return j->fds[number].fd < 0 ? -1 : 0;
}

static void signal_ranks(const struct joining *j, int signo)
{
    for (uint32_t i = 0; i < j->n; i++)
        if (j->pids[i])
            kill(j->pids[i], signo);
}

/* One that was killed could not close its session: others need not wait for the lease.
 */
static void reap_session(const struct joining *j, pid_t pid)
{
    const struct swim_session_options opt = {.struct_size = sizeof(opt),
                                             .url = j->options->url,
                                             .job = j->job->name,
                                             .rank = -1};
    swim_session_t *session = NULL;

    if (!swim_signals_pending() && swim_session_open(&opt, &session, NULL) == SWIM_OK)
        (void)swim_session_reap(session, pid, NULL);
    swim_session_close(session);
}

static void rank_ended(struct joining *j, uint32_t number, pid_t pid)
{
    struct join_outcome *o = &j->outcomes[number];
    int status = j->statuses[number];

    if (WIFSIGNALED(status)) {
        swim_error_clear(&o->error);
        swim_error_set(&o->error, SWIM_ERR_IO, "rank %u was ended by SIG%s", o->rank,
                       sigabbrev_np(WTERMSIG(status)));
        o->status = 1;
        reap_session(j, pid);
    } else if (WEXITSTATUS(status) != o->status) { /* a kernel has ended it, or so */
        swim_error_set(&o->error, SWIM_ERR_IO, "rank %u ended with exit status %d",
                       o->rank, WEXITSTATUS(status));
        o->status = WEXITSTATUS(status) ? WEXITSTATUS(status) : 1;
    }
}

static uint32_t joining_reap(struct joining *j)
{
    uint32_t left = 0;

    for (uint32_t i = 0; i < j->n; i++) {
        pid_t pid = j->pids[i];
        if (pid == 0)
            continue;
        if (waitpid(pid, &j->statuses[i], WNOHANG) != pid) {
            left++;
            continue;
        }
        j->pids[i] = 0;
        close(j->fds[i].fd);
        j->fds[i].fd = -1; /* poll() passes over it */
        rank_ended(j, i, pid);
    }
    return left;
}

/* A signal is passed on, once, with a time limit. */
static void joining_wait(struct joining *j)
{
    int64_t until = INT64_MAX;
    int signo = 0;

    while (joining_reap(j) > 0) {
        int64_t left_ms = (until - swim_clock_mono_ns()) / 1000000;
        poll(j->fds, j->n + (signo ? 0 : 1),
             !signo        ? -1
             : left_ms > 0 ? (int)left_ms
                           : 10);
        if (!signo && swim_signals_pending()) {
            signo = swim_signals_pending();
            until = swim_clock_mono_ns() + RANKS_LEAVE_MS * 1000000LL;
            signal_ranks(j, signo);
        } else if (signo && swim_clock_mono_ns() > until) {
            signal_ranks(j, SIGKILL);
        }
    }
}

/* --- what came of it ----------------------------------------------------------------
 */

struct join_sums {
    uint32_t joined, readers;
    uint64_t blocks, bytes_read, bytes_written;
    bool done;                      /* for all of them */
    const struct join_outcome *bad; /* the first that failed */
};

static void sum_up(const struct joining *j, struct join_sums *s)
{
    memset(s, 0, sizeof(*s));
    s->done = true;
    for (uint32_t i = 0; i < j->n; i++) {
        const struct join_outcome *o = &j->outcomes[i];
        s->joined += o->joined;
        s->readers += o->n_readers;
        s->blocks += o->blocks;
        s->bytes_read += o->bytes_read;
        s->bytes_written += o->bytes_written;
        s->done = s->done && o->done;
        if (!s->bad && o->status && o->status <= 128)
            s->bad = o;
    }
}

static int joining_status(const struct joining *j, const struct join_sums *s)
{
    if (swim_signals_pending())
        return 128 + swim_signals_pending();
    for (uint32_t i = 0; !s->bad && i < j->n; i++)
        if (j->outcomes[i].status)
            return j->outcomes[i].status;
    return s->bad ? s->bad->status : 0;
}

/* Its exit status. */
static int show_json(const struct joining *j, const struct join_sums *s, int status,
                     double seconds)
{
    swim_error_t err = {0};
    json_t *o = json_pack("{s:i, s:o, s:s, s:i, s:i, s:i, s:I, s:f, s:I, s:I, s:o}",
                          "version", 1, "job", swim_json_text(j->job->name), "status",
                          s->done        ? "done"
                          : status > 128 ? "left"
                                         : "failed",
                          "exit_status", status, "joined_ranks", (int)s->joined,
                          "readers", (int)s->readers, "blocks", (json_int_t)s->blocks,
                          "seconds", seconds, "bytes_read", (json_int_t)s->bytes_read,
                          "bytes_written", (json_int_t)s->bytes_written, "error",
                          swim_json_text(s->bad ? s->bad->error.text : NULL));

    if (report_json_put(o, &err) == SWIM_OK)
        return status;
    fprintf(stderr, "h5swim: %s\n", err.text);
    return status ? status : run_exit_status(err.code, 0);
}

static int show(const struct joining *j)
{
    double seconds = (double)(swim_clock_mono_ns() - j->start_ns) / 1e9;
    struct join_sums s;

    sum_up(j, &s);
    int status = joining_status(j, &s);
    if (s.bad)
        fprintf(stderr, "h5swim: %s\n", s.bad->error.text);
    if (j->options->json)
        status = show_json(j, &s, status, seconds);
    else if (!j->options->quiet && s.joined)
        printf("%s: joined with %" PRIu32 " ranks, %" PRIu32 " readers: %" PRIu64
               " blocks in %.2f s; %s\n",
               j->job->name, s.joined, s.readers, s.blocks, seconds,
               s.done         ? "all blocks of the job are done"
               : status > 128 ? "left by a signal, the job goes on"
                              : "left before the job was done");
    fflush(stdout);
    return status;
}

/* --- all of it ----------------------------------------------------------------------
 */

static int joining_run(struct joining *j, swim_error_t *err)
{
    int rc = swim_signals_install_command(JOIN_GRACE_MS, err);

    if (rc != SWIM_OK)
        return rc;
    fflush(NULL);
    j->fds[j->n] = (struct pollfd){swim_signals_fd(), POLLIN, 0};
    for (uint32_t i = 0; i < j->n; i++) {
        if (joining_fork(j, i) == 0)
            continue;
        swim_error_sys(err, errno, "fork rank %u of %u that are to join", i, j->n);
        signal_ranks(j, SIGTERM);
        joining_wait(j);
        return SWIM_ERR_IO;
    }
    joining_wait(j);
    return SWIM_OK;
}

static int joining_room(struct joining *j, swim_error_t *err)
{
    j->pids = calloc(j->n, sizeof(*j->pids));
    j->fds = calloc(j->n + 1, sizeof(*j->fds));
    j->statuses = calloc(j->n, sizeof(*j->statuses));
    j->outcomes = mmap(NULL, j->n * sizeof(*j->outcomes), PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (j->outcomes == MAP_FAILED)
        j->outcomes = NULL;
    if (j->pids && j->fds && j->statuses && j->outcomes)
        return SWIM_OK;
    return swim_error_set(err, SWIM_ERR_NOMEM, "start %u ranks", j->n);
}

int join_main(const struct run_options *options, const struct job *job)
{
    struct run_options mine = *options;
    struct joining j = {.options = &mine, .job = job};
    swim_error_t err = {0};

    mine.n_ranks = options->n_ranks ? options->n_ranks : 1;
    j.n = mine.n_ranks;
    j.start_ns = swim_clock_mono_ns();
    int rc = joining_room(&j, &err);
    if (rc == SWIM_OK)
        rc = joining_run(&j, &err);
    int status = rc == SWIM_OK ? show(&j) : run_exit_status(rc, swim_signals_pending());
    if (rc != SWIM_OK)
        fprintf(stderr, "h5swim: %s\n", err.text);
    if (j.outcomes)
        munmap(j.outcomes, j.n * sizeof(*j.outcomes));
    free(j.pids);
    free(j.fds);
    free(j.statuses);
    return status;
}
