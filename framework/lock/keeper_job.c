/* keeper_job.c - the process that starts the lock server of a job and ends it with it.
 *
 * Neither it nor the server heeds the signals by which jobs are ended: batch systems
 * send them to every process, and the ranks that end need their locks until they have
 * given them back.  The server keeps nothing on a disk, so it can be killed. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/clock.h"
#include "server_job_private.h"

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
_Noreturn static void server_become(const char *program, pid_t keeper)
{
    const char *const argv[] = {program, "-", NULL};

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != keeper)
        _exit(1);
    /* execv takes the strings as they are; its type is older than const */
    execv(program, (char *const *)argv);
    _exit(127);
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

int server_job_keep(const char *program, unsigned port, swim_error_t *err)
{
    pid_t self = getpid();

    signals_block();
    if (fcntl(JOB_STARTER, F_SETFD, FD_CLOEXEC) != 0 ||
        fcntl(JOB_ALIVE, F_SETFD, FD_CLOEXEC) != 0)
        return swim_error_sys(err, errno, "keep a lock server");
    pid_t pid = fork();
    if (pid == 0)
        server_become(program, self);
    if (pid < 0)
        return swim_error_sys(err, errno, "fork a lock server");
    close(JOB_CONFIG);
    struct pollfd ends[] = {{JOB_STARTER, POLLIN, 0}, {pidfd_open(pid, 0), POLLIN, 0}};
    while (poll(ends, 2, -1) < 0 && errno == EINTR)
        ;
    if (!ends[1].revents) {
        linger(port);
        kill(pid, SIGKILL);
    }
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    _exit(0);
}
