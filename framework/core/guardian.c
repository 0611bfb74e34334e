/* guardian.c - the child that waits for the death of its process, then runs the leave
 * hooks.
 *
 * Order that must hold: the process is dead before a hook runs.  A thread in the middle
 * of a write cannot be stopped from inside; a pidfd becomes readable only when the last
 * thread has left its last system call and all descriptors are closed.
 *
 * The process does not see this child: it has no exit signal, so that wait() neither
 * finds it nor waits for it.  It keeps no descriptor, which could be a lock on a file
 * or somebody's end of a pipe. */
#include <errno.h>
#include <linux/sched.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/pidfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/signals.h"
#include "core/signals_private.h"

#define HOOKS_MAX 64
#define LOOK_AGAIN_NS 200000

struct hook {
    _Atomic(void (*)(void *)) fn;
    void *_Atomic arg;
};

static pthread_mutex_t hooks_mutex = PTHREAD_MUTEX_INITIALIZER; /* for changes */
static struct hook hooks[HOOKS_MAX];
static atomic_uint hooks_added; /* how often */
/* Of the thread that forks it. */
static pid_t guardian;
static unsigned guardian_knows; /* hooks_added when it was forked */

/* In a forked child: the hooks and the guardian are the parent's. */
static void guardian_forget(void)
{
    guardian = 0;
    for (size_t i = 0; i < HOOKS_MAX; i++)
        atomic_store(&hooks[i].fn, NULL);
    pthread_mutex_init(&hooks_mutex, NULL);
}

/* Hooks are added by programs that install nothing, too. */
static void guardian_register(void)
{
    pthread_atfork(NULL, NULL, guardian_forget);
}

int swim_signals_on_leave(void (*fn)(void *arg), void *arg)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    int slot = -1;

    pthread_once(&once, guardian_register);
    pthread_mutex_lock(&hooks_mutex);
    for (int i = 0; i < HOOKS_MAX && slot < 0; i++) {
        if (atomic_load(&hooks[i].fn))
            continue;
        atomic_store(&hooks[i].arg, arg);
        atomic_store(&hooks[i].fn, fn);
        atomic_fetch_add(&hooks_added, 1);
        slot = i;
    }
    pthread_mutex_unlock(&hooks_mutex);
    return slot;
}

void swim_signals_drop(int hook)
{
    if (hook >= 0 && hook < HOOKS_MAX)
        atomic_store(&hooks[hook].fn, NULL);
}

static void hooks_run(void)
{
    for (size_t i = 0; i < HOOKS_MAX; i++) {
        void (*fn)(void *) = atomic_load(&hooks[i].fn);
        if (fn)
            fn(atomic_load(&hooks[i].arg));
    }
}

static bool hooks_exist(void)
{
    for (size_t i = 0; i < HOOKS_MAX; i++)
        if (atomic_load(&hooks[i].fn))
            return true;
    return false;
}

static void death_await(pid_t process)
{
    struct pollfd p = {pidfd_open(process, 0), POLLIN, 0};

    /* If it is still our parent now, the descriptor is of it and of no later process
     * with its number. */
    if (getppid() != process)
        return;
    if (p.fd >= 0) {
        while (poll(&p, 1, -1) != 1)
            ;
    } else { /* an old kernel, or a sandbox that forbids it */
        while (getppid() == process)
            swim_clock_nap_ns(LOOK_AGAIN_NS);
    }
}

_Noreturn static void guardian_main(pid_t process)
{
    close_range(0, ~0U, 0);
    death_await(process);
    hooks_run();
    _exit(0);
}

void guardian_start(void)
{
    struct clone_args how = {.exit_signal = 0};
    unsigned added = atomic_load(&hooks_added);
    pid_t process = getpid();

    if (!hooks_exist() || (guardian > 0 && guardian_knows == added))
        return;
    guardian_dismiss();
    guardian_knows = added;
    /* Not fork(): no atfork handlers, they may wait for threads of the program. */
    guardian = (pid_t)syscall(SYS_clone3, &how, sizeof(how));
    if (guardian < 0)
        guardian = _Fork(); /* a sandbox without clone3: then wait() sees it */
    if (guardian == 0)
        guardian_main(process);
}

void guardian_dismiss(void)
{
    if (guardian <= 0)
        return;
    kill(guardian, SIGKILL);
    while (waitpid(guardian, NULL, __WALL) < 0 && errno == EINTR)
        ;
    guardian = 0;
}
