/* spawner.c - the process that forks a rank's readers and writer.
 *
 * It is forked before MPI starts and holds nothing but one socket to its rank, so what
 * it forks inherits no connection, no lock and no file.  Children end with it, and it
 * with the rank (PR_SET_PDEATHSIG), whatever kills them. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "batch/state.h"
#include "batch/worker.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/signals.h"

#define SPAWNER_GRACE_MS 800
#define WORKER_LEAVE_MS 500

struct child {
    pid_t pid; /* 0: ended */
    int pidfd;
    struct worker_event event;
};

struct nursery {
    const struct worker *worker;
    int fd;                 /* to the rank */
    struct child *children; /* the readers, then the writer */
    struct pollfd *fds;     /* room for two more than children */
    size_t n;
};

/* What the rank asks for. */
enum spawner_word {
    SPAWNER_LAUNCH = 'L',
    SPAWNER_AGAIN = 'A',
    SPAWNER_KILL = 'K',
    SPAWNER_QUIT = 'Q',
};
struct spawner_order {
    int32_t word;    /* enum spawner_word */
    int32_t child;   /* of AGAIN and KILL */
    int64_t busy_ns; /* of KILL */
};

/* A child of parent from here on ends when parent does. */
static void die_with(pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(128 + SIGTERM); /* it was gone before the line above */
}

_Noreturn static void child_main(const struct worker *worker, enum worker_role role,
                                 int index, pid_t parent)
{
    struct worker mine = *worker;

    close_range(3, ~0U, 0);
    die_with(parent);
    mine.index = (uint32_t)index;
    mine.rank = worker->region->rank;
    int status = role == WORKER_READER ? reader_main(&mine) : writer_main(&mine);
    if (status == 0)
        exit(0);
    _exit(status); /* HDF5 may be in no state to be closed by its exit handler */
}

static int fork_child(struct nursery *nursery, size_t number)
{
    bool reader = number < nursery->worker->region->n_readers;
    struct child *child = &nursery->children[number];
    enum worker_role role = reader ? WORKER_READER : WORKER_WRITER;
    int index = reader ? (int)number : 0;
    pid_t parent = getpid();
    pid_t pid = fork();

    if (pid == 0)
        child_main(nursery->worker, role, index, parent);
    if (pid < 0)
        return -1;
    child->pid = pid;
    child->pidfd = pidfd_open(pid, 0);
    child->event = (struct worker_event){(int32_t)role, index, 0, pid};
    return child->pidfd < 0 ? -1 : 0;
}

static void fork_failed(const struct nursery *nursery)
{
    swim_error_t err = {0};

    swim_error_sys(&err, errno, "rank %u: fork %u readers and a writer",
                   nursery->worker->rank, nursery->worker->region->n_readers);
    region_fail(nursery->worker->region, &err);
}

static void fork_children(struct nursery *nursery)
{
    size_t n = nursery->worker->region->n_readers + 1;
    struct pollfd *fds = calloc(n + 2, sizeof(*fds));
    int rc = 0;

    nursery->children = calloc(n, sizeof(*nursery->children));
    if (!nursery->children || !fds) {
        free(fds);
        fork_failed(nursery);
        return;
    }
    free(nursery->fds);
    nursery->fds = fds;
    for (; rc == 0 && nursery->n < n; nursery->n++)
        rc = fork_child(nursery, nursery->n);
    if (rc != 0)
        fork_failed(nursery);
}

/* It may have gone on to another block since the rank looked. */
static bool is_at(const struct nursery *nursery, size_t child, int64_t busy_ns)
{
    struct region *region = nursery->worker->region;

    return child < region->n_readers &&
           atomic_load(&region_reader(region, (uint32_t)child)->busy_ns) == busy_ns;
}

static void obey(struct nursery *nursery, const struct spawner_order *order)
{
    size_t child = (size_t)order->child;

    if (order->word == SPAWNER_LAUNCH && nursery->n == 0)
        fork_children(nursery);
    if (!nursery->children || child >= nursery->n)
        return;
    pid_t pid = nursery->children[child].pid;
    if (order->word == SPAWNER_AGAIN && pid == 0 && fork_child(nursery, child) != 0)
        fork_failed(nursery);
    if (order->word == SPAWNER_KILL && pid && is_at(nursery, child, order->busy_ns))
        kill(pid, SIGKILL);
}

static size_t children_left(const struct nursery *nursery)
{
    size_t left = 0;

    for (size_t i = 0; i < nursery->n; i++)
        left += nursery->children[i].pid != 0;
    return left;
}

static void reap(struct nursery *nursery)
{
    for (size_t i = 0; i < nursery->n; i++) {
        struct child *child = &nursery->children[i];
        int status = 0;
        if (child->pid == 0 || waitpid(child->pid, &status, WNOHANG) != child->pid)
            continue;
        close(child->pidfd);
        child->pid = 0;
        child->event.status = status;
        send(nursery->fd, &child->event, sizeof(child->event), MSG_NOSIGNAL);
    }
}

static void signal_children(const struct nursery *nursery, int signo)
{
    for (size_t i = 0; i < nursery->n; i++)
        if (nursery->children[i].pid)
            kill(nursery->children[i].pid, signo);
}

/* Wait for anything to happen: a word from the rank, a signal, the end of a child. */
static int nursery_wait(const struct nursery *nursery, int timeout_ms)
{
    struct pollfd *fds = nursery->fds;
    nfds_t n = 2;

    fds[0] = (struct pollfd){nursery->fd, POLLIN, 0};
    /* It stays readable: once a signal is known it must not wake us again. */
    fds[1] =
        (struct pollfd){swim_signals_pending() ? -1 : swim_signals_fd(), POLLIN, 0};
    for (size_t i = 0; i < nursery->n; i++)
        if (nursery->children[i].pid)
            fds[n++] = (struct pollfd){nursery->children[i].pidfd, POLLIN, 0};
    if (poll(fds, n, timeout_ms) < 0)
        return 0;
    return fds[0].revents;
}

/* All children leave: by themselves (they see region->stop), on SIGTERM, or by force.
 */
static void nursery_end(struct nursery *nursery, int signo)
{
    int64_t until = swim_clock_mono_ns() + (int64_t)WORKER_LEAVE_MS * 1000000;

    region_stop(nursery->worker->region);
    if (signo)
        signal_children(nursery, signo);
    reap(nursery);
    while (children_left(nursery)) {
        int64_t left = (until - swim_clock_mono_ns()) / 1000000;
        if (left <= 0)
            signal_children(nursery, signo ? SIGKILL : SIGTERM);
        nursery_wait(nursery, left > 0 ? (int)left : 20);
        reap(nursery);
        if (left <= 0 && !signo) {
            signo = SIGTERM;
            until = swim_clock_mono_ns() + (int64_t)WORKER_LEAVE_MS * 1000000;
        }
    }
}

static void nursery_run(struct nursery *nursery)
{
    struct spawner_order order;

    for (;;) {
        if (swim_signals_pending())
            return;
        if (nursery_wait(nursery, -1) & (POLLIN | POLLHUP)) {
            ssize_t n = recv(nursery->fd, &order, sizeof(order), MSG_DONTWAIT);
            if (n == 0 || (n > 0 && order.word == SPAWNER_QUIT))
                return;
            if (n == (ssize_t)sizeof(order))
                obey(nursery, &order);
        }
        reap(nursery);
    }
}

_Noreturn static void spawner_main(const struct worker *worker, int fd, pid_t rank)
{
    struct nursery nursery = {.worker = worker, .fd = fd};
    swim_error_t err = {0};

    nursery.fds = calloc(2, sizeof(*nursery.fds));
    if (!nursery.fds)
        _exit(1);
    if (fd > 3)
        close_range(3, (unsigned)fd - 1, 0);
    close_range((unsigned)fd + 1, ~0U, 0);
    die_with(rank);
    state_deafen();
    swim_signals_tell(NULL); /* that is the rank's word, which it dies without */
    if (swim_signals_install_command(SPAWNER_GRACE_MS, &err) != SWIM_OK) {
        region_fail(worker->region, &err);
        _exit(1);
    }
    nursery_run(&nursery);
    int signo = swim_signals_pending();
    nursery_end(&nursery, signo);
    free(nursery.children);
    free(nursery.fds);
    _exit(signo ? 128 + signo : 0);
}

int spawner_start(const struct worker *worker, struct spawner *out, swim_error_t *err)
{
    pid_t rank = getpid();
    int fds[2];

    *out = (struct spawner){0, -1};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
        return swim_error_sys(err, errno, "socket pair for rank %u", worker->rank);
    pid_t pid = fork();
    if (pid == 0)
        spawner_main(worker, fds[1], rank);
    close(fds[1]);
    if (pid < 0) {
        close(fds[0]);
        return swim_error_sys(err, errno, "fork the spawner of rank %u", worker->rank);
    }
    *out = (struct spawner){pid, fds[0]};
    return SWIM_OK;
}

static int spawner_send(const struct spawner *spawner, enum spawner_word word,
                        uint32_t child, int64_t busy_ns)
{
    const struct spawner_order order = {(int32_t)word, (int32_t)child, busy_ns};
    ssize_t n = send(spawner->fd, &order, sizeof(order), MSG_NOSIGNAL);

    return n == (ssize_t)sizeof(order) ? 0 : -1;
}

int spawner_launch(struct spawner *spawner, swim_error_t *err)
{
    if (spawner_send(spawner, SPAWNER_LAUNCH, 0, 0) != 0)
        return swim_error_sys(err, errno, "start the readers and the writer");
    return SWIM_OK;
}

void spawner_again(struct spawner *spawner, const struct worker *worker,
                   const struct worker_event *event)
{
    bool reader = event->role == WORKER_READER;

    /* It may be gone: that is heard of next. */
    (void)spawner_send(spawner, SPAWNER_AGAIN,
                       reader ? (uint32_t)event->index : worker->region->n_readers, 0);
}

void spawner_kill(struct spawner *spawner, uint32_t reader, int64_t busy_ns)
{
    (void)spawner_send(spawner, SPAWNER_KILL, reader, busy_ns);
}

bool spawner_poll(struct spawner *spawner, struct worker_event *event, bool *gone)
{
    ssize_t n = recv(spawner->fd, event, sizeof(*event), MSG_DONTWAIT);

    *gone = n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
    return n == (ssize_t)sizeof(*event);
}

int spawner_wait(struct spawner *spawner)
{
    int status = 0;

    if (spawner->pid > 0)
        waitpid(spawner->pid, &status, 0);
    close(spawner->fd);
    *spawner = (struct spawner){0, -1};
    return status;
}

/* Whatever it tells, or it would wait for room in the socket: that takes the ends of
 * some hundred workers. */
static void spawner_ignore(struct spawner *spawner)
{
    struct worker_event event;
    bool gone;

    while (spawner_poll(spawner, &event, &gone))
        ;
}

void spawner_quit(const struct spawner *spawner)
{
    (void)spawner_send(spawner, SPAWNER_QUIT, 0, 0);
}

void spawner_stop(struct spawner *spawner, int wait_ms, int signo)
{
    int64_t until = swim_clock_mono_ns() + (int64_t)wait_ms * 1000000;
    int status;

    if (spawner->pid <= 0)
        return;
    if (signo)
        kill(spawner->pid, signo);
    else
        spawner_quit(spawner);
    while (waitpid(spawner->pid, &status, WNOHANG) == 0) {
        spawner_ignore(spawner);
        if (!signo && swim_signals_pending()) {
            int64_t soon = swim_clock_mono_ns() + WORKERS_LEAVE_MS * 1000000LL;
            until = soon < until ? soon : until;
            signo = swim_signals_pending();
            kill(spawner->pid, signo);
        }
        if (swim_clock_mono_ns() > until) {
            /* Its children get SIGTERM from the kernel when it is gone. */
            kill(spawner->pid, SIGKILL);
            waitpid(spawner->pid, &status, 0);
            break;
        }
        swim_clock_nap_ns(500000);
    }
    close(spawner->fd);
    *spawner = (struct spawner){0, -1};
}
