/* keeper_job.c - the process that starts the lock server of a job and ends it with it.
 *
 * A server that ends before the job is followed by another in the same place, at once:
 * leases run out meanwhile.  It is empty, and the sessions of the job tell it anew what
 * they hold, as they do any server that was restarted.  Where the first has never
 * listened, who wants to start it hears of it, and none follows.
 *
 * Neither it nor the server heeds the signals by which jobs are ended: batch systems
 * send them to every process, and the ranks that end need their locks until they have
 * given them back.  The server keeps nothing on a disk, so it can be killed. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/clock.h"
#include "server_job_private.h"

#define CONFIG_MAX 4096
#define PAUSE_NS 200000000 /* between two starts at least */
#define LINGER_MS 1000
#define LOOK_NS 10000000

/* Those that end a process and may be meant for all of a job. */
static void signals_block(void)
{
    static const int ends[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
        sigaddset(&set, ends[i]);
    sigprocmask(SIG_SETMASK, &set, NULL);
    signal(SIGCHLD, SIG_DFL);
}

/* The signals stay blocked in it. */
_Noreturn static void server_become(const char *program, int config, pid_t keeper)
{
    const char *const argv[] = {program, "-", NULL};

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != keeper || dup2(config, STDIN_FILENO) < 0)
        _exit(1);
    /* execv takes the strings as they are; its type is older than const */
    execv(program, (char *const *)argv);
    _exit(127);
}

/* A server with the configuration, which a pipe takes without being read; -1: none. */
static pid_t server_fork(const char *program, const char *config, size_t size)
{
    pid_t self = getpid(), pid = -1;
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) != 0)
        return -1;
    bool whole = write(fds[1], config, size) == (ssize_t)size;
    close(fds[1]);
    if (whole)
        pid = fork();
    if (pid == 0)
        server_become(program, fds[0], self);
    close(fds[0]);
    return pid;
}

/* Connections to the port in a table of the kernel. */
static unsigned connections(const char *table, unsigned port)
{
    FILE *f = fopen(table, "re");
    char line[512];
    unsigned at, state, n = 0;

    while (f && fgets(line, sizeof(line), f))
        n += sscanf(line, " %*d: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x", &at, &state) ==
                 2 &&
             at == port && state == 1; /* ESTABLISHED */
    if (f)
        fclose(f);
    return n;
}

/* Those who end after the starter give back what they hold. */
static void linger(unsigned port)
{
    int64_t until_ns = swim_clock_mono_ns() + LINGER_MS * 1000000LL;

    while (swim_clock_mono_ns() < until_ns &&
           connections("/proc/self/net/tcp", port) +
                   connections("/proc/self/net/tcp6", port) >
               0)
        swim_clock_nap_ns(LOOK_NS);
}

/* Until the server or the starter has ended; true: the server has. */
static bool server_await(pid_t pid)
{
    struct pollfd ends[] = {{JOB_STARTER, POLLIN, 0}, {pidfd_open(pid, 0), POLLIN, 0}};

    while (poll(ends, 2, -1) < 0 && errno == EINTR)
        ;
    if (ends[1].fd >= 0)
        close(ends[1].fd);
    return ends[0].revents == 0;
}

static void server_reap(pid_t pid)
{
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

/* One that cannot start, since another has its port just now or there is no memory, is
 * not tried all the time.  False: the starter has ended. */
static bool pause_since(int64_t began_ns)
{
    struct pollfd starter = {JOB_STARTER, POLLIN, 0};
    int64_t left_ms = (began_ns + PAUSE_NS - swim_clock_mono_ns()) / 1000000;

    return poll(&starter, 1, left_ms > 0 ? (int)left_ms : 0) != 1;
}

int server_job_keep(const char *program, unsigned port, swim_error_t *err)
{
    char config[CONFIG_MAX];
    bool started = false;

    signals_block();
    ssize_t size = read(JOB_CONFIG, config, sizeof(config));
    if (size <= 0 || fcntl(JOB_STARTER, F_SETFD, FD_CLOEXEC) != 0 ||
        fcntl(JOB_ALIVE, F_SETFD, FD_CLOEXEC) != 0)
        return swim_error_sys(err, errno, "keep a lock server");
    for (;;) {
        int64_t began_ns = swim_clock_mono_ns();
        pid_t pid = server_fork(program, config, (size_t)size);
        if (pid < 0 && !started)
            return swim_error_sys(err, errno, "fork a lock server");
        if (pid > 0 && !server_await(pid)) {
            linger(port);
            kill(pid, SIGKILL);
            server_reap(pid);
            _exit(0);
        }
        if (pid > 0)
            server_reap(pid);
        started = started || server_job_listened(JOB_OUT);
        if (!started || !pause_since(began_ns))
            _exit(started ? 0 : 1);
    }
}
