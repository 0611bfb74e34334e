/* signals.c - leaving cleanly on SIGTERM, SIGINT and SIGHUP.
 *
 * A signal gets here in one of two ways: the handler runs in some thread of the program
 * (actions.c), or all threads block it and the watcher, a thread of ours, reads it from
 * a signalfd.  Either way only one word is changed, `state`, and the watcher is woken;
 * forking, waiting and ending are done by the watcher, which takes no lock that a
 * thread of the program could hold for long, and allocates nothing.
 *
 * state:   0 -> pending -> ending              (the grace is over, a second signal)
 *               pending -> 0                   (swim_signals_clear)
 *          0 -> program's -> 0 or pending      (the program's handler decides)
 * Its value is unique to one signal, so whatever was prepared for another is noticed.
 */
#include "signals.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/signals_exec.h"
#include "core/signals_private.h"

#define GRACE_MAX_MS 3600000
#define SAME_WISH_US 20000
#define GUARDED_MAX_NS 5000000000LL /* longest wait of a handler for the guardian */
#define GUARDED_NAP_NS 100000
#define END_NAP_NS 1000000

/* state: signal number, two marks, and when it came in microseconds. */
#define STATE_SIGNO 0x7fULL
#define STATE_ENDING 0x80ULL
#define STATE_PROGRAMS 0x100ULL /* the program's handler decides */
#define STATE_TIME_SHIFT 9

/* swim_signals_options.flags, but none of the public ones */
#define FLAG_COMMAND 0x10000U /* a process of h5swim */
#define FLAG_EXEC 0x20000U    /* a program that knows nothing of h5swim */
#define FLAGS_PUBLIC                                                     \
    ((unsigned)SWIM_SIGNALS_HANDLER_DECIDES | SWIM_SIGNALS_EXIT_STATUS | \
     SWIM_SIGNALS_PARENT_REPEATS)

static const struct {
    int signo;
    unsigned bit;
} all_signals[] = {{SIGTERM, SWIM_SIGNALS_TERM},
                   {SIGINT, SWIM_SIGNALS_INT},
                   {SIGHUP, SWIM_SIGNALS_HUP}};
#define ALL_COUNT (sizeof(all_signals) / sizeof(*all_signals))

static struct {
    pthread_mutex_t install_mutex; /* install and remove, from beginning to end */
    pthread_mutex_t mutex;         /* actions, wanted, what is in signal_fd */
    unsigned wanted;               /* enum swim_signals_which */
    pthread_t watcher;
    atomic_int owner; /* the process where it is installed; 0: nowhere */
    atomic_uint grace_ms, flags;
    atomic_int calls; /* FLAG_EXEC: of the program, that may wait for a lock now */
    atomic_bool stop;
    atomic_ullong state;
    atomic_ullong hurry;   /* the state that a second signal came for */
    atomic_ullong guarded; /* the state that the guardian is ready for */
    /* Made once and kept, so that no handler writes to what has become another file. */
    atomic_int event_fd;  /* for poll(): readable while a signal is pending */
    atomic_int wake_fd;   /* eventfd that wakes the watcher */
    atomic_int signal_fd; /* signals that the program has no handler for */
    atomic_int *told;     /* NULL: nobody wants to know */
} signals = {.install_mutex = PTHREAD_MUTEX_INITIALIZER,
             .mutex = PTHREAD_MUTEX_INITIALIZER,
             .event_fd = -1,
             .wake_fd = -1,
             .signal_fd = -1};

static uint64_t now_us(void)
{
    return (uint64_t)swim_clock_mono_ns() / 1000;
}

/* The end of the process is what this state leads to. */
static bool state_ends(uint64_t s)
{
    return s != 0 && !(s & STATE_PROGRAMS);
}

static bool is_exec(void)
{
    return atomic_load(&signals.flags) & FLAG_EXEC;
}

static void fd_add_one(int fd)
{
    const uint64_t one = 1;
    ssize_t ignored = write(fd, &one, sizeof(one));

    (void)ignored; /* it fails only when it is readable already */
}

static void fd_drain(int fd)
{
    uint64_t count;
    ssize_t ignored = read(fd, &count, sizeof(count));

    (void)ignored; /* nothing in it: as wished */
}

/* --- noting a signal: in handlers, and by the watcher --- */

/* Ctrl-C reaches a whole process group, and parents pass it on: that is one wish, not
 * two.  A second wish comes later, and from somebody else. */
static bool is_repeat(uint64_t first, const siginfo_t *info)
{
    if (now_us() - (first >> STATE_TIME_SHIFT) <= SAME_WISH_US)
        return true;
    return (atomic_load(&signals.flags) & SWIM_SIGNALS_PARENT_REPEATS) &&
           (info->si_code == SI_USER || info->si_code == SI_TKILL) &&
           (info->si_pid == getpid() || info->si_pid == getppid());
}

/* The state afterwards. */
static uint64_t signal_note(int signo, bool programs, const siginfo_t *info)
{
    uint64_t mine = now_us() << STATE_TIME_SHIFT | (uint64_t)signo;
    unsigned long long s = atomic_load(&signals.state);

    if (programs)
        mine |= STATE_PROGRAMS;
    while (s == 0 || (!state_ends(s) && !programs))
        if (atomic_compare_exchange_weak(&signals.state, &s, mine)) {
            fd_add_one(atomic_load(&signals.wake_fd));
            return mine;
        }
    s &= ~STATE_ENDING;
    if (!programs && !is_repeat(s, info)) {
        atomic_store(&signals.hurry, s);
        fd_add_one(atomic_load(&signals.wake_fd));
    }
    return s;
}

/* The program's handler may end the process at once: see swim_signals_pending(). */
static void guarded_await(uint64_t s)
{
    int64_t until_ns = swim_clock_mono_ns() + GUARDED_MAX_NS;

    while (atomic_load(&signals.guarded) != s && atomic_load(&signals.state) == s &&
           !atomic_load(&signals.stop) && swim_clock_mono_ns() < until_ns)
        swim_clock_nap_ns(GUARDED_NAP_NS);
}

/* Under FLAG_EXEC: whether a signal that the program handles is to end its waits. */
static bool interrupts_calls(int signo)
{
    return atomic_load(&signals.calls) > 0 &&
           (signo == SIGINT || !actions_restart(signo));
}

/* Under FLAG_EXEC nobody would call swim_signals_clear(), and no later call is to be
 * refused.  The last call asks when it is over, and our handler when it has noted a
 * signal: one of them sees the other. */
static void programs_forget(void)
{
    unsigned long long s = atomic_load(&signals.state);

    if ((s & STATE_PROGRAMS) && is_exec() && atomic_load(&signals.calls) == 0 &&
        atomic_compare_exchange_strong(&signals.state, &s, 0))
        fd_add_one(atomic_load(&signals.wake_fd));
}

/* What the program does after the default action of a signal it would not have done:
 * it may block the signal again, and be in the middle of what must not be cut. */
static void end_await(uint64_t s)
{
    while ((atomic_load(&signals.state) & ~STATE_ENDING) == s &&
           !atomic_load(&signals.stop))
        swim_clock_nap_ns(END_NAP_NS);
}

bool signals_arrived(int signo, const siginfo_t *info, bool own)
{
    bool programs = own && (atomic_load(&signals.flags) & SWIM_SIGNALS_HANDLER_DECIDES);
    int cancel = 0;

    if (atomic_load(&signals.owner) != getpid())
        return false;
    if (programs && is_exec() && !interrupts_calls(signo))
        return true;
    /* write() and naps are cancellation points, which the thread may not be at. */
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    uint64_t s = signal_note(signo, programs, info);
    if (own && !programs)
        guarded_await(s);
    if (programs)
        programs_forget();
    else if (!own && is_exec())
        end_await(s);
    pthread_setcancelstate(cancel, NULL);
    return true;
}

/* --- the watcher --- */

/* Which signals the watcher reads: those that only h5swim has a handler for.  The
 * program's handlers wait for the program to unblock their signals, and a program that
 * knows nothing of h5swim blocks what is not to end it yet, or what it takes itself by
 * sigwait() or signalfd().  Under the mutex. */
static void signal_fd_update(void)
{
    sigset_t set;
    bool own = false;

    sigemptyset(&set);
    for (size_t i = 0; i < ALL_COUNT; i++)
        if (!is_exec() && (signals.wanted & all_signals[i].bit) &&
            actions_taken(all_signals[i].signo, &own) && !own)
            sigaddset(&set, all_signals[i].signo);
    /* Fails for want of nothing: the descriptor exists, the set is valid. */
    (void)signalfd(atomic_load(&signals.signal_fd), &set, 0);
}

static void watcher_read_signals(void)
{
    struct signalfd_siginfo info[ALL_COUNT];

    /* Not waited for: its owner may be in a handler that waits for the watcher. */
    if (pthread_mutex_trylock(&signals.mutex) != 0) {
        swim_clock_nap_ns(GUARDED_NAP_NS);
        return;
    }
    signal_fd_update(); /* a handler that came later than ours gets its signal */
    ssize_t n = read(atomic_load(&signals.signal_fd), info, sizeof(info));
    pthread_mutex_unlock(&signals.mutex);
    for (ssize_t i = 0; i < n / (ssize_t)sizeof(*info); i++) {
        const siginfo_t from = {.si_code = info[i].ssi_code,
                                .si_pid = (pid_t)info[i].ssi_pid};
        (void)signal_note((int)info[i].ssi_signo, false, &from);
    }
}

/* Another state than before. */
static void watcher_turn(uint64_t s)
{
    guardian_dismiss();
    if (state_ends(s)) {
        if (signals.told)
            atomic_store(signals.told, (int)(s & STATE_SIGNO));
        guardian_start();
    }
    atomic_store(&signals.guarded, s);
    fd_drain(atomic_load(&signals.event_fd));
    if (s != 0)
        fd_add_one(atomic_load(&signals.event_fd));
}

/* Until the end, -1: none is in sight.  The grace begins when the program is told:
 * forking a guardian takes a while where there is much memory. */
static int64_t watcher_left_ns(uint64_t s, int64_t told_ns)
{
    if (!state_ends(s))
        return -1;
    if (atomic_load(&signals.hurry) == s)
        return 0;
    int64_t until_ns = told_ns + (int64_t)atomic_load(&signals.grace_ms) * 1000000;
    int64_t left_ns = until_ns - swim_clock_mono_ns();
    return left_ns > 0 ? left_ns : 0;
}

static void watcher_end(unsigned long long s)
{
    int signo = (int)(s & STATE_SIGNO);

    if (!atomic_compare_exchange_strong(&signals.state, &s, s | STATE_ENDING))
        return; /* cleared a moment ago */
    guardian_start();
    if (!(atomic_load(&signals.flags) & SWIM_SIGNALS_EXIT_STATUS))
        actions_die(signo);
    _exit(128 + signo);
}

static void watcher_sleep(int64_t left_ns)
{
    struct pollfd fds[2] = {{atomic_load(&signals.wake_fd), POLLIN, 0},
                            {atomic_load(&signals.signal_fd), POLLIN, 0}};
    const struct timespec left = {left_ns / 1000000000, left_ns % 1000000000};

    if (ppoll(fds, 2, left_ns < 0 ? NULL : &left, NULL) <= 0)
        return;
    if (fds[0].revents)
        fd_drain(fds[0].fd);
    if (fds[1].revents)
        watcher_read_signals();
}

static void *watcher_main(void *unused)
{
    uint64_t seen = 0;
    int64_t told_ns = 0;

    (void)unused;
    while (!atomic_load(&signals.stop)) {
        uint64_t s = atomic_load(&signals.state);
        if (s != seen) {
            watcher_turn(s);
            told_ns = swim_clock_mono_ns();
            seen = s;
        }
        int64_t left_ns = watcher_left_ns(s, told_ns);
        if (left_ns == 0)
            watcher_end(s);
        else
            watcher_sleep(left_ns);
    }
    watcher_turn(0);
    return NULL;
}

/* --- installing --- */

/* In a forked child: nothing is installed, the program's handlers are back. */
static void signals_after_fork(void)
{
    atomic_int *fds[] = {&signals.event_fd, &signals.wake_fd, &signals.signal_fd};

    for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++) {
        int fd = atomic_exchange(fds[i], -1);
        if (fd >= 0)
            close(fd);
    }
    if (atomic_exchange(&signals.owner, 0) != 0)
        for (size_t i = 0; i < ALL_COUNT; i++)
            actions_give_back(all_signals[i].signo);
    atomic_store(&signals.state, 0);
    atomic_store(&signals.calls, 0);
    signals.wanted = 0;
    pthread_mutex_init(&signals.mutex, NULL);
    pthread_mutex_init(&signals.install_mutex, NULL);
}

static void signals_register_atfork(void)
{
    pthread_atfork(NULL, NULL, signals_after_fork);
}

static int signals_make_fds(swim_error_t *err)
{
    sigset_t none;

    sigemptyset(&none);
    if (atomic_load(&signals.event_fd) < 0)
        atomic_store(&signals.event_fd, eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (atomic_load(&signals.wake_fd) < 0)
        atomic_store(&signals.wake_fd, eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (atomic_load(&signals.signal_fd) < 0)
        atomic_store(&signals.signal_fd,
                     signalfd(-1, &none, SFD_CLOEXEC | SFD_NONBLOCK));
    if (atomic_load(&signals.event_fd) < 0 || atomic_load(&signals.wake_fd) < 0 ||
        atomic_load(&signals.signal_fd) < 0)
        return swim_error_sys(err, errno, "eventfd and signalfd for signals");
    return SWIM_OK;
}

static int signals_start(swim_error_t *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_attr_t attr;
    sigset_t all, before;

    if (atomic_load(&signals.owner) != 0)
        signals_after_fork(); /* a child that was made without its handlers */
    pthread_once(&once, signals_register_atfork);
    int rc = signals_make_fds(err);
    if (rc != SWIM_OK)
        return rc;
    atomic_store(&signals.stop, false);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, 65536);
    int failed = pthread_create(&signals.watcher, &attr, watcher_main, NULL);
    pthread_attr_destroy(&attr);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed)
        return swim_error_sys(err, failed, "start the signal thread");
    atomic_store(&signals.owner, getpid());
    return SWIM_OK;
}

/* Take in what the program has changed.  Under the mutex. */
static void signals_take(unsigned wanted)
{
    bool command = atomic_load(&signals.flags) & FLAG_COMMAND;

    for (size_t i = 0; i < ALL_COUNT; i++) {
        int signo = all_signals[i].signo;
        if (wanted & all_signals[i].bit)
            actions_take(signo, command && signo != SIGHUP);
        else if (signals.wanted & all_signals[i].bit)
            actions_give_back(signo);
    }
    signals.wanted = wanted;
    signal_fd_update();
}

static int signals_install(uint32_t grace_ms, unsigned wanted, unsigned flags,
                           swim_error_t *err)
{
    int rc = SWIM_OK;

    pthread_mutex_lock(&signals.install_mutex);
    if (atomic_load(&signals.owner) != getpid())
        rc = signals_start(err);
    if (rc == SWIM_OK) {
        pthread_mutex_lock(&signals.mutex);
        atomic_store(&signals.grace_ms, grace_ms);
        atomic_store(&signals.flags, flags);
        signals_take(wanted);
        pthread_mutex_unlock(&signals.mutex);
        fd_add_one(atomic_load(&signals.wake_fd)); /* perhaps another end of grace */
    }
    pthread_mutex_unlock(&signals.install_mutex);
    return rc;
}

#define WANTED_ALL ((unsigned)SWIM_SIGNALS_TERM | SWIM_SIGNALS_INT | SWIM_SIGNALS_HUP)

int swim_signals_install(const struct swim_signals_options *options, swim_error_t *err)
{
    const struct swim_signals_options defaults = {.struct_size = sizeof(defaults)};
    const struct swim_signals_options *o = options ? options : &defaults;

    if (o->struct_size != sizeof(*o))
        return swim_error_set(err, SWIM_ERR_ARG,
                              "install signals: struct_size is %zu, not %zu",
                              o->struct_size, sizeof(*o));
    if (o->grace_ms > GRACE_MAX_MS)
        return swim_error_set(err, SWIM_ERR_ARG,
                              "install signals: a grace of %u ms is more than %d",
                              o->grace_ms, GRACE_MAX_MS);
    if ((o->signals & ~WANTED_ALL) || (o->flags & ~FLAGS_PUBLIC))
        return swim_error_set(err, SWIM_ERR_ARG,
                              "install signals: signals 0x%x or flags 0x%x do not "
                              "exist (the library is older than the header?)",
                              o->signals, o->flags);
    return signals_install(o->grace_ms ? o->grace_ms : SWIM_SIGNALS_GRACE_MS,
                           o->signals ? o->signals : WANTED_ALL, o->flags, err);
}

int swim_signals_install_command(uint32_t grace_ms, swim_error_t *err)
{
    struct sigaction hup;
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaction(SIGHUP, NULL, &hup);
    if (hup.sa_handler != SIG_IGN) /* blocked, it would not be dropped */
        sigaddset(&set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGXFSZ, SIG_IGN); /* a limit is told of as any other error of write(2) */
    return signals_install(
        grace_ms, WANTED_ALL,
        FLAG_COMMAND | SWIM_SIGNALS_EXIT_STATUS | SWIM_SIGNALS_PARENT_REPEATS, err);
}

int swim_signals_install_exec(swim_error_t *err)
{
    if (atomic_load(&signals.owner) == getpid())
        return SWIM_OK;
    return signals_install(SWIM_SIGNALS_GRACE_MS, WANTED_ALL,
                           FLAG_EXEC | SWIM_SIGNALS_HANDLER_DECIDES, err);
}

void swim_signals_exec_begin(void)
{
    if (atomic_fetch_add(&signals.calls, 1) == 0 && is_exec())
        swim_signals_take_in();
}

void swim_signals_exec_end(void)
{
    if (atomic_fetch_sub(&signals.calls, 1) == 1)
        programs_forget();
}

void swim_signals_remove(void)
{
    pthread_mutex_lock(&signals.install_mutex);
    if (atomic_load(&signals.owner) == getpid()) {
        pthread_mutex_lock(&signals.mutex);
        signals_take(0);
        pthread_mutex_unlock(&signals.mutex);
        atomic_store(&signals.stop, true);
        fd_add_one(atomic_load(&signals.wake_fd));
        pthread_join(signals.watcher, NULL);
        atomic_store(&signals.owner, 0);
        atomic_store(&signals.state, 0);
    }
    pthread_mutex_unlock(&signals.install_mutex);
}

/* --- asking --- */

/* A program that is told may leave at once: the guardian comes first. */
int swim_signals_pending(void)
{
    uint64_t s = atomic_load(&signals.state) & ~STATE_ENDING;

    if (state_ends(s) && atomic_load(&signals.guarded) != s)
        return 0;
    return (int)(s & STATE_SIGNO);
}

int swim_signals_fd(void)
{
    return atomic_load(&signals.owner) ? atomic_load(&signals.event_fd) : -1;
}

int swim_signals_clear(void)
{
    unsigned long long s = atomic_load(&signals.state);

    while (s != 0 && !(s & STATE_ENDING))
        if (atomic_compare_exchange_weak(&signals.state, &s, 0)) {
            fd_add_one(atomic_load(&signals.wake_fd));
            return SWIM_OK;
        }
    return s == 0 ? SWIM_OK : SWIM_ERR_CANCELLED;
}

void swim_signals_tell(atomic_int *where)
{
    signals.told = where;
}

void swim_signals_raise(int signo)
{
    kill(getpid(), signo);
}

int swim_signals_check(const char *what, swim_error_t *err)
{
    int signo = swim_signals_pending();

    if (signo != 0)
        return swim_error_set(err, SWIM_ERR_CANCELLED, "%s: stopped by SIG%s", what,
                              sigabbrev_np(signo));
    return SWIM_OK;
}

void swim_signals_take_in(void)
{
    if (atomic_load(&signals.owner) != getpid())
        return;
    pthread_mutex_lock(&signals.mutex);
    signals_take(signals.wanted);
    pthread_mutex_unlock(&signals.mutex);
}

void swim_signals_unblock(void)
{
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < ALL_COUNT; i++) {
        signal(all_signals[i].signo, SIG_DFL);
        sigaddset(&set, all_signals[i].signo);
    }
    signal(SIGXFSZ, SIG_DFL);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}
