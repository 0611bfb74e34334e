/* victim.c - a process of its own that a test sends signals to. */
#include "victim.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <h5swim/signals.h>

#include "redis_fixture.h"

#define DEADLINE_MS 10000

struct victim *victim_create(void)
{
    struct victim *v = mmap(NULL, sizeof(*v), PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    return v == MAP_FAILED ? NULL : v;
}

void victim_destroy(struct victim *v)
{
    if (v->pid > 0) {
        kill(v->pid, SIGKILL);
        waitpid(v->pid, NULL, 0);
    }
    munmap(v, sizeof(*v));
}

/* Whether it gets ready before it dies. */
static bool victim_gets_ready(const struct victim *v, pid_t pid)
{
    int64_t until = test_now_ms() + DEADLINE_MS;
    siginfo_t info = {.si_pid = 0};

    while (atomic_load(&v->ready) == 0 && info.si_pid == 0 && test_now_ms() < until) {
        test_nap_ms(1);
        (void)waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT);
    }
    return atomic_load(&v->ready) != 0;
}

int victim_start(struct victim *v, void (*main)(struct victim *), const void *scene)
{
    sigset_t none;

    atomic_store(&v->ready, 0);
    v->scene = scene;
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        v->pid = getpid();
        /* A shell ignores SIGINT in what it runs in the background. */
        signal(SIGTERM, SIG_DFL);
        signal(SIGINT, SIG_DFL);
        signal(SIGHUP, SIG_DFL);
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        main(v);
        _exit(99);
    }
    v->pid = pid;
    return pid > 0 && victim_gets_ready(v, pid) ? 0 : -1;
}

void victim_ready(struct victim *v)
{
    atomic_store(&v->ready, 1);
}

int victim_reap(struct victim *v)
{
    int64_t until = test_now_ms() + DEADLINE_MS;
    int status = -1;

    while (waitpid(v->pid, &status, WNOHANG) == 0) {
        if (test_now_ms() >= until)
            return -1;
        test_nap_ms(1);
    }
    v->pid = 0;
    return status;
}

int victim_killed_by(struct victim *v)
{
    int status = victim_reap(v);

    return status != -1 && WIFSIGNALED(status) ? WTERMSIG(status) : -1;
}

int victim_exit_status(struct victim *v)
{
    int status = victim_reap(v);

    return status != -1 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool victim_lives(const struct victim *v)
{
    test_nap_ms(100);
    return waitpid(v->pid, NULL, WNOHANG) == 0;
}

void victim_install(uint32_t grace_ms, uint32_t which, uint32_t flags)
{
    const struct swim_signals_options o = {.struct_size = sizeof(o),
                                           .grace_ms = grace_ms,
                                           .signals = which,
                                           .flags = flags};

    if (swim_signals_install(&o, NULL) != SWIM_OK)
        _exit(98);
}

void victim_signal_until_gone(const struct victim *v, int signo)
{
    int64_t until = test_now_ms() + DEADLINE_MS;
    siginfo_t info = {.si_pid = 0};

    while (waitid(P_PID, (id_t)v->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == 0 && test_now_ms() < until) {
        kill(v->pid, signo);
        test_nap_ms(30); /* more than what counts as the same */
    }
}

bool victim_reaches(const atomic_int *value, int least)
{
    int64_t until = test_now_ms() + DEADLINE_MS;

    while (atomic_load(value) < least && test_now_ms() < until)
        test_nap_ms(1);
    return atomic_load(value) >= least;
}

void victim_hook(void *arg)
{
    struct victim *v = arg;

    atomic_store(&v->writes_at_hook, atomic_load(&v->writes));
    atomic_store(&v->values[3], getppid());
    atomic_store(&v->hook_ran, 1);
}

_Noreturn void victim_write(struct victim *v)
{
    for (;;)
        atomic_fetch_add(&v->writes, 1);
}

void *victim_writer(void *arg)
{
    victim_write(arg);
}
