/* signals.c - leaving cleanly on SIGTERM, SIGINT and SIGHUP.
 *
 * Order that must hold: the process is dead before a hook runs.  A thread in the middle
 * of a write cannot be stopped from inside, but the kernel has ended its last system
 * call when the forked child is given a new parent. */
#include "signals.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"

#define HOOKS_MAX 64
#define SAME_WISH_NS 20000000LL

struct hook {
    _Atomic(void (*)(void *)) fn;
    void *_Atomic arg;
};

static struct {
    pthread_mutex_t mutex; /* guards install and hook changes */
    atomic_int pending;
    atomic_int grace_ms;
    atomic_int event_fd; /* -1: not installed */
    struct hook hooks[HOOKS_MAX];
} signals = {.mutex = PTHREAD_MUTEX_INITIALIZER, .event_fd = -1};

static void signals_set(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
}

static void leave_child(pid_t parent)
{
    const struct timespec nap = {0, 200000};

    while (getppid() == parent)
        nanosleep(&nap, NULL);
    close_range(3, ~0U, 0);
    for (size_t i = 0; i < HOOKS_MAX; i++) {
        void (*fn)(void *) = atomic_load(&signals.hooks[i].fn);
        if (fn)
            fn(atomic_load(&signals.hooks[i].arg));
    }
    _exit(0);
}

_Noreturn static void leave_now(int signo)
{
    pid_t parent = getpid();
    int needed = 0;

    for (size_t i = 0; i < HOOKS_MAX; i++)
        needed |= atomic_load(&signals.hooks[i].fn) != NULL;
    if (needed && _Fork() == 0) /* no atfork handlers: they may wait for our threads */
        leave_child(parent);
    _exit(128 + signo);
}

static void signals_note(int signo)
{
    const uint64_t one = 1;
    int none = 0;

    if (atomic_compare_exchange_strong(&signals.pending, &none, signo)) {
        ssize_t ignored = write(atomic_load(&signals.event_fd), &one, sizeof(one));
        (void)ignored; /* an eventfd at 0 always takes a 1 */
    }
}

/* Ctrl-C reaches a whole process group, and parents pass it on: that is one wish, not
 * two.  A second wish comes later, and from somebody else. */
static int is_second_wish(const siginfo_t *info, int64_t first_ns)
{
    if (info->si_code == SI_USER && info->si_pid == getppid())
        return 0;
    return swim_clock_mono_ns() - first_ns > SAME_WISH_NS;
}

static void signals_grace(const sigset_t *set, int64_t first_ns)
{
    int64_t until = first_ns + (int64_t)atomic_load(&signals.grace_ms) * 1000000;
    siginfo_t info;

    for (;;) {
        int64_t left = until - swim_clock_mono_ns();
        if (left <= 0)
            return;
        const struct timespec wait = {left / 1000000000, left % 1000000000};
        if (sigtimedwait(set, &info, &wait) > 0 && is_second_wish(&info, first_ns))
            return;
    }
}

static void *signals_main(void *unused)
{
    sigset_t set;
    int signo = 0;

    (void)unused;
    signals_set(&set);
    while (sigwait(&set, &signo) != 0)
        ;
    signals_note(signo);
    signals_grace(&set, swim_clock_mono_ns());
    leave_now(atomic_load(&signals.pending));
}

static void signals_after_fork(void)
{
    int fd = atomic_exchange(&signals.event_fd, -1);

    if (fd >= 0)
        close(fd);
    atomic_store(&signals.pending, 0);
    for (size_t i = 0; i < HOOKS_MAX; i++)
        atomic_store(&signals.hooks[i].fn, NULL);
    pthread_mutex_init(&signals.mutex, NULL);
}

static void signals_add_atfork(void)
{
    pthread_atfork(NULL, NULL, signals_after_fork);
}

/* Also for programs that install nothing: they add hooks all the same. */
static void signals_register_atfork(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, signals_add_atfork);
}

static int signals_start(swim_error_t *err)
{
    pthread_t thread;
    pthread_attr_t attr;
    sigset_t set;

    signals_register_atfork();
    signals_set(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0)
        return swim_error_sys(err, errno, "eventfd for signals");
    atomic_store(&signals.event_fd, fd);
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, 65536);
    int rc = pthread_create(&thread, &attr, signals_main, NULL);
    pthread_attr_destroy(&attr);
    if (rc != 0) {
        atomic_store(&signals.event_fd, -1);
        close(fd);
        return swim_error_sys(err, rc, "start the signal thread");
    }
    return SWIM_OK;
}

int swim_signals_install(int grace_ms, swim_error_t *err)
{
    int rc = SWIM_OK;

    pthread_mutex_lock(&signals.mutex);
    atomic_store(&signals.grace_ms, grace_ms);
    if (atomic_load(&signals.event_fd) < 0)
        rc = signals_start(err);
    pthread_mutex_unlock(&signals.mutex);
    return rc;
}

int swim_signals_pending(void)
{
    return atomic_load(&signals.pending);
}

int swim_signals_fd(void)
{
    return atomic_load(&signals.event_fd);
}

void swim_signals_raise(int signo)
{
    kill(getpid(), signo);
}

int swim_signals_check(const char *what, swim_error_t *err)
{
    int signo = swim_signals_pending();

    if (signo == 0)
        return SWIM_OK;
    return swim_error_set(err, SWIM_ERR_CANCELLED, "%s: stopped by SIG%s", what,
                          sigabbrev_np(signo));
}

void swim_signals_unblock(void)
{
    sigset_t set;

    signal(SIGTERM, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    signal(SIGHUP, SIG_DFL);
    signals_set(&set);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

int swim_signals_on_leave(void (*fn)(void *arg), void *arg)
{
    int slot = -1;

    signals_register_atfork();
    pthread_mutex_lock(&signals.mutex);
    for (int i = 0; i < HOOKS_MAX && slot < 0; i++) {
        if (atomic_load(&signals.hooks[i].fn))
            continue;
        atomic_store(&signals.hooks[i].arg, arg);
        atomic_store(&signals.hooks[i].fn, fn);
        slot = i;
    }
    pthread_mutex_unlock(&signals.mutex);
    return slot;
}

void swim_signals_drop(int hook)
{
    if (hook >= 0 && hook < HOOKS_MAX)
        atomic_store(&signals.hooks[hook].fn, NULL);
}
