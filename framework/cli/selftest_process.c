/* selftest_process.c - the children of a self-test: none outlives it, however it ends.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/selftest.h"
#include "core/clock.h"
#include "core/signals.h"

#define GO_MS 5000  /* to go when the socket is closed, also on a busy host */
#define TOLD_MS 700 /* to go when told so */
#define CHILD_FD 3

/* Only what it needs is kept of the parent's descriptors. */
static void child_become(int fd, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGTERM); /* so it gives back what it holds */
    if (getppid() != parent)
        _exit(1);
    if (fd != CHILD_FD && dup2(fd, CHILD_FD) < 0)
        _exit(1);
    close_range(CHILD_FD + 1, ~0U, 0);
    /* That a lock is lost is what one of them is there for. */
    setenv("SWIM_LOG", "error", 0);
    if (swim_signals_install_command(SWIM_SIGNALS_GRACE_MS, NULL) != SWIM_OK)
        _exit(1);
}

struct selftest_child *selftest_spawn(struct selftest *t,
                                      void (*main)(const struct selftest *t, int fd,
                                                   const void *arg),
                                      const void *arg, swim_error_t *err)
{
    struct selftest_child *c = t->children, *end = c + SELFTEST_CHILDREN;
    pid_t parent = getpid();
    int fds[2];

    while (c < end && c->pid)
        c++;
    if (c == end || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) != 0) {
        swim_error_sys(err, c == end ? EAGAIN : errno, "start a process for the test");
        return NULL;
    }
    fflush(NULL); /* or the child has it to write, too */
    memset(c, 0, sizeof(*c));
    c->fd = fds[0];
    c->pid = fork();
    if (c->pid == 0) {
        child_become(fds[1], parent);
        main(t, CHILD_FD, arg);
        _exit(0);
    }
    close(fds[1]);
    if (c->pid > 0)
        return c;
    swim_error_sys(err, errno, "start a process for the test");
    close(c->fd);
    c->pid = 0;
    return NULL;
}

int selftest_receive(const struct selftest_child *c, void *buf, size_t size,
                     int64_t wait_ms, swim_error_t *err)
{
    struct pollfd p[] = {{c->fd, POLLIN, 0}, {swim_signals_fd(), POLLIN, 0}};

    int n = poll(p, 2, (int)wait_ms);
    if (selftest_interrupted())
        return swim_error_set(err, SWIM_ERR_CANCELLED, "interrupted by a signal");
    if (n <= 0 || !p[0].revents)
        return swim_error_set(err, SWIM_ERR_TIMEOUT,
                              "process %ld of the test says nothing for %.1f s",
                              (long)c->pid, (double)wait_ms / 1000);
    if (recv(c->fd, buf, size, 0) != (ssize_t)size)
        return swim_error_set(err, SWIM_ERR_IO,
                              "process %ld of the test has died without a word",
                              (long)c->pid);
    return SWIM_OK;
}

void selftest_kill(struct selftest_child *c)
{
    siginfo_t info;

    c->doomed = true;
    kill(c->pid, SIGKILL);
    (void)waitid(P_PID, (id_t)c->pid, &info, WEXITED | WNOWAIT);
}

/* Whether it has ended badly; it is reaped. */
static bool child_is_bad(const struct selftest_child *c, int status, swim_error_t *err)
{
    if (c->doomed || status == 0)
        return false;
    swim_error_set(err, SWIM_ERR_IO, "process %ld of the test ended with %s %d",
                   (long)c->pid, WIFSIGNALED(status) ? "signal" : "status",
                   WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    return true;
}

/* Reap those that have ended, for at most ms: how many are left.  *bad: one ended
 * badly.
 */
static int children_wait(struct selftest *t, int64_t ms, bool *bad, swim_error_t *err)
{
    int64_t until_ns = swim_clock_mono_ns() + ms * 1000000;
    int left;

    for (;;) {
        left = 0;
        for (int i = 0; i < SELFTEST_CHILDREN; i++) {
            struct selftest_child *c = &t->children[i];
            int status = 0;
            if (c->pid && waitpid(c->pid, &status, WNOHANG) == c->pid) {
                *bad |= child_is_bad(c, status, err);
                t->strangers |= status != 0 && !c->doomed && !c->session[0];
                c->pid = 0;
            }
            left += c->pid != 0;
        }
        if (left == 0 || swim_clock_mono_ns() >= until_ns)
            return left;
        swim_clock_nap_ns(500000);
    }
}

static void children_signal(struct selftest *t, int signo)
{
    for (int i = 0; i < SELFTEST_CHILDREN; i++)
        if (t->children[i].pid)
            kill(t->children[i].pid, signo);
}

/* End a session; false: the server does not answer, and its lease will end it. */
static bool session_end(struct selftest *t, const char *id)
{
    enum inspect_break_result result;
    int64_t left_ms = 0;

    return inspect_break(t->inspector, id, 0, &result, &left_ms, NULL) == SWIM_OK;
}

/* The sessions of this run, whatever their names. */
static void strangers_forget(struct selftest *t)
{
    struct inspection *seen = NULL;

    if (inspect_look(t->inspector, NULL, 0, &seen, NULL) != SWIM_OK)
        return;
    for (size_t i = 0; i < seen->n_sessions; i++)
        if (strcmp(seen->sessions[i]->job, t->tag) == 0 &&
            !session_end(t, seen->sessions[i]->id))
            break;
    inspection_free(seen);
}

/* A session that was not closed is ended now; that is no matter for one that was. */
static void children_forget(struct selftest *t)
{
    bool answers = t->inspector != NULL;

    for (int i = 0; i < SELFTEST_CHILDREN; i++) {
        char *session = t->children[i].session;
        if (session[0] && answers)
            answers = session_end(t, session);
        session[0] = '\0';
    }
    if (t->strangers && answers)
        strangers_forget(t);
    t->strangers = false;
}

bool selftest_end_children(struct selftest *t, swim_error_t *err)
{
    bool bad = false, interrupted = selftest_interrupted();

    for (int i = 0; i < SELFTEST_CHILDREN; i++)
        if (t->children[i].pid)
            close(t->children[i].fd);
    children_signal(t, SIGCONT);
    if (interrupted || children_wait(t, GO_MS, &bad, err) > 0)
        children_signal(t, SIGTERM);
    if (children_wait(t, TOLD_MS, &bad, err) > 0) {
        children_signal(t, SIGKILL);
        (void)children_wait(t, INT_MAX, &bad, err);
    }
    children_forget(t);
    return !bad;
}
