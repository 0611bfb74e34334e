/* actions.c - our handler before the program's own, for each of the signals.
 *
 * What the program had is kept in a level: written once, before the handler of that
 * level is put in place, and never changed, so that handlers read it without a lock.
 * Each level has a handler function of its own.  If the program installs another
 * handler later, perhaps one that calls what it replaced (level 0), and that is taken
 * in as level 1, the calls go level 1 -> program's new -> level 0 -> program's old:
 * each once, and never in a circle. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>

#include "core/signals_private.h"

#define LEVELS 8
#define SIGNALS 3

struct level {
    bool used;
    struct sigaction program;
    atomic_bool spent; /* it had SA_RESETHAND and was called */
};

static struct watched {
    const int signo;
    struct level levels[LEVELS];
} watched[SIGNALS] = {{.signo = SIGTERM}, {.signo = SIGINT}, {.signo = SIGHUP}};

static struct watched *watched_find(int signo)
{
    for (size_t i = 0; i < SIGNALS; i++)
        if (watched[i].signo == signo)
            return &watched[i];
    return NULL;
}

static bool is_handler(const struct sigaction *action)
{
    return action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN;
}

/* A handler of the program is to be called. */
static bool level_is_own(struct level *level)
{
    return is_handler(&level->program) &&
           (!((unsigned)level->program.sa_flags & SA_RESETHAND) ||
            !atomic_load(&level->spent));
}

static void program_call(struct level *level, int signo, siginfo_t *info, void *context)
{
    const struct sigaction *program = &level->program;

    if (((unsigned)program->sa_flags & SA_RESETHAND) &&
        atomic_exchange(&level->spent, true))
        return; /* another thread was first */
    if (program->sa_flags & SA_SIGINFO)
        program->sa_sigaction(signo, info, context);
    else
        program->sa_handler(signo);
}

/* info is looked at only where it must be: a program's handler that calls ours as the
 * one it replaced may know of one argument only. */
static void action_arrived(int at, int signo, siginfo_t *info, void *context)
{
    struct watched *w = watched_find(signo);
    int saved = errno;

    if (!w)
        return; /* called by a program's handler, with a number of its own */
    struct level *level = &w->levels[at];
    bool own = level_is_own(level), other = false;
    if (!signals_arrived(signo, info, own) && level->program.sa_handler == SIG_DFL &&
        actions_taken(signo, &other))
        actions_die(signo);
    errno = saved;
    if (own)
        program_call(level, signo, info, context);
}

#define HANDLER(n)                                                     \
    static void handler_##n(int signo, siginfo_t *info, void *context) \
    {                                                                  \
        action_arrived(n, signo, info, context);                       \
    }
HANDLER(0)
HANDLER(1)
HANDLER(2)
HANDLER(3)
HANDLER(4)
HANDLER(5)
HANDLER(6)
HANDLER(7)

static void (*const handlers[LEVELS])(int, siginfo_t *, void *) = {
    handler_0, handler_1, handler_2, handler_3,
    handler_4, handler_5, handler_6, handler_7};

/* The level of our handler that is in place; -1: it is not ours. */
static int level_in_place(int signo, struct sigaction *now)
{
    *now = (struct sigaction){0};
    if (sigaction(signo, NULL, now) != 0 || !(now->sa_flags & SA_SIGINFO))
        return -1;
    for (int i = 0; i < LEVELS; i++)
        if (now->sa_sigaction == handlers[i])
            return i;
    return -1;
}

static bool same_action(const struct sigaction *a, const struct sigaction *b)
{
    for (int s = 1; s < NSIG; s++)
        if (sigismember(&a->sa_mask, s) != sigismember(&b->sa_mask, s))
            return false;
    return a->sa_flags == b->sa_flags && a->sa_handler == b->sa_handler;
}

/* The level that keeps this action, a new one if need be; -1: all are in use. */
static int level_for(struct watched *w, const struct sigaction *program)
{
    int i = 0;

    while (i < LEVELS && w->levels[i].used &&
           !same_action(&w->levels[i].program, program))
        i++;
    if (i == LEVELS)
        return -1;
    if (!w->levels[i].used)
        w->levels[i].program = *program;
    w->levels[i].used = true;
    atomic_store(&w->levels[i].spent, false);
    return i;
}

void actions_take(int signo, bool even_ignored)
{
    struct sigaction now, ours = {.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};

    if (level_in_place(signo, &now) >= 0)
        return;
    if (now.sa_handler == SIG_IGN && !even_ignored)
        return;
    int at = level_for(watched_find(signo), &now);
    if (at < 0)
        return; /* it changes hands all the time: leave it to the program */
    if (is_handler(&now)) {
        /* What interrupts what, on which stack: the program relies on it. */
        ours.sa_flags =
            SA_SIGINFO | (now.sa_flags & (SA_RESTART | SA_NODEFER | SA_ONSTACK));
        ours.sa_mask = now.sa_mask;
    }
    ours.sa_sigaction = handlers[at];
    sigaction(signo, &ours, NULL);
}

bool actions_restart(int signo)
{
    struct sigaction now;

    return sigaction(signo, NULL, &now) == 0 && (now.sa_flags & SA_RESTART);
}

void actions_give_back(int signo)
{
    struct sigaction now, program;
    int at = level_in_place(signo, &now);

    if (at < 0)
        return;
    const struct level *level = &watched_find(signo)->levels[at];
    program = level->program;
    if (atomic_load(&level->spent))
        program.sa_handler = SIG_DFL;
    sigaction(signo, &program, NULL);
}

bool actions_taken(int signo, bool *own_handler)
{
    struct sigaction now;
    int at = level_in_place(signo, &now);

    *own_handler = at >= 0 && level_is_own(&watched_find(signo)->levels[at]);
    return at >= 0;
}

void actions_die(int signo)
{
    const struct sigaction by_default = {.sa_handler = SIG_DFL};
    sigset_t set;

    sigaction(signo, &by_default, NULL);
    sigemptyset(&set);
    sigaddset(&set, signo);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    raise(signo);
}
