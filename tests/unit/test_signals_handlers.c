/* test_signals_handlers.c - programs with signal handlers of their own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/signals.h"
#include "redis_fixture.h"
#include "victim.h"

#define LONG_MS 20000
#define SENT 4711

static struct victim *me; /* in the victim */

static int setup(void **state)
{
    *state = victim_create();
    return *state ? 0 : -1;
}

static int teardown(void **state)
{
    victim_destroy(*state);
    return 0;
}

static void called(int which)
{
    atomic_fetch_add(&me->calls[which], 1);
    atomic_store(&me->order, atomic_load(&me->order) % 100 * 10 + which + 1);
}

static void begin(struct victim *v)
{
    me = v;
    swim_signals_on_leave(victim_hook, v);
}

static void run(struct victim *v)
{
    victim_ready(v);
    victim_write(v);
}

static void act(int signo, void (*handler)(int), int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};

    sigaction(signo, &action, NULL);
}

/* --- what a handler sees --- */

static void plain(int signo)
{
    atomic_store(&me->values[0], signo);
    atomic_store(&me->values[1], swim_signals_pending());
    errno = EDOM;
    called(0);
}

static void with_plain(struct victim *v)
{
    begin(v);
    act(SIGTERM, plain, SA_RESTART);
    victim_install(0, 0, 0);
    run(v);
}

static void a_handler_is_called_once_and_the_process_ends(void **state)
{
    struct victim *v = *state;

    assert_int_equal(victim_start(v, with_plain, NULL), 0);
    kill(v->pid, SIGTERM);
    assert_int_equal(victim_killed_by(v), SIGTERM);
    assert_int_equal(atomic_load(&v->calls[0]), 1);
    assert_int_equal(atomic_load(&v->values[0]), SIGTERM);
    assert_int_equal(atomic_load(&v->values[1]), SIGTERM);
    assert_true(victim_reaches(&v->hook_ran, 1));
    assert_int_equal(atomic_load(&v->writes), atomic_load(&v->writes_at_hook));
}

static void with_siginfo(int signo, siginfo_t *info, void *context)
{
    sigset_t mask;
    stack_t stack;

    sigaltstack(NULL, &stack);
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    if (info->si_signo == signo && info->si_value.sival_int == SENT &&
        info->si_pid == getppid() && context && sigismember(&mask, SIGUSR1) &&
        sigismember(&mask, signo) && !sigismember(&mask, SIGUSR2) &&
        !(stack.ss_flags & SS_ONSTACK))
        called(0);
    else
        called(1);
}

static void with_arguments(struct victim *v)
{
    struct sigaction action = {.sa_sigaction = with_siginfo, .sa_flags = SA_SIGINFO};
    const stack_t small = {.ss_sp = malloc(65536), .ss_size = 65536};

    begin(v);
    sigaltstack(&small, NULL); /* not asked for: it may be too small for the handler */
    sigaddset(&action.sa_mask, SIGUSR1);
    sigaction(SIGTERM, &action, NULL);
    victim_install(LONG_MS, 0, 0);
    run(v);
}

static void a_handler_gets_its_arguments_and_its_mask(void **state)
{
    struct victim *v = *state;

    assert_int_equal(victim_start(v, with_arguments, NULL), 0);
    sigqueue(v->pid, SIGTERM, (union sigval){.sival_int = SENT});
    assert_true(victim_reaches(&v->order, 1));
    assert_int_equal(atomic_load(&v->order), 1);
}

static void interrupted(struct victim *v)
{
    const int *fds = v->scene;
    char byte;

    begin(v);
    act(SIGTERM, plain, 0); /* without SA_RESTART */
    victim_install(0, 0, SWIM_SIGNALS_HANDLER_DECIDES);
    victim_ready(v);
    int ok = read(fds[0], &byte, 1) == -1 && errno == EINTR;
    atomic_store(&v->calls[ok ? 2 : 3], 1);
    victim_write(v);
}

static void a_handler_interrupts_as_it_wants(void **state)
{
    struct victim *v = *state;
    int fds[2];

    assert_int_equal(pipe(fds), 0);
    assert_int_equal(victim_start(v, interrupted, fds), 0);
    for (int i = 0; i < 1000 && !atomic_load(&v->calls[2]); i++) {
        kill(v->pid, SIGTERM); /* again, if it came before the call */
        test_nap_ms(5);
    }
    assert_int_equal(atomic_load(&v->calls[2]), 1);
    close(fds[0]);
    close(fds[1]);
}

static void with_reset(struct victim *v)
{
    begin(v);
    act(SIGTERM, plain, (int)SA_RESETHAND);
    victim_install(LONG_MS, 0, 0);
    run(v);
}

static void a_handler_for_one_signal_is_called_for_one(void **state)
{
    struct victim *v = *state;

    assert_int_equal(victim_start(v, with_reset, NULL), 0);
    kill(v->pid, SIGTERM);
    assert_true(victim_reaches(&v->calls[0], 1));
    assert_true(victim_lives(v));
    victim_signal_until_gone(v, SIGTERM);
    assert_int_equal(victim_killed_by(v), SIGTERM);
    assert_int_equal(atomic_load(&v->calls[0]), 1);
}

/* Raised in the only thread, so that each has been delivered when raise() returns. */
static void resets_twice(struct victim *v)
{
    begin(v);
    for (int i = 0; i < 2; i++) {
        act(SIGTERM, plain, (int)SA_RESETHAND);
        victim_install(LONG_MS, 0, SWIM_SIGNALS_PARENT_REPEATS);
        raise(SIGTERM);
        raise(SIGTERM); /* its own: no second wish */
    }
    victim_ready(v);
    _exit(7);
}

static void a_handler_for_one_signal_can_be_set_again(void **state)
{
    struct victim *v = *state;

    assert_int_equal(victim_start(v, resets_twice, NULL), 0);
    assert_int_equal(victim_exit_status(v), 7);
    assert_int_equal(atomic_load(&v->calls[0]), 2);
}

/* --- how a handler may end --- */

static sigjmp_buf back;

static void ends(int signo)
{
    called(0);
    switch (*(const char *)me->scene) {
    case '_':
        _exit(5);
    case 'e':
        exit(6); /* NOLINT: what programs do */
    case 'r':
        signal(signo, SIG_DFL);
        raise(signo);
        break;
    case 'j':
        siglongjmp(back, 1);
    default:
        kill(getpid(), SIGKILL);
    }
}

static void with_ends(struct victim *v)
{
    begin(v);
    act(SIGTERM, ends, SA_RESTART);
    act(SIGINT, ends, SA_RESTART);
    victim_install(*(const char *)v->scene == 'j' ? 100 : LONG_MS, 0, 0);
    if (sigsetjmp(back, 1) == 0)
        victim_ready(v);
    else
        atomic_fetch_add(&v->calls[1], 1);
    victim_write(v);
}

/* At once, and still the hooks are run, when it is dead. */
static void a_handler_may_end_the_process(void **state)
{
    static const char ways[] = "_er!";
    struct victim *v = *state;

    for (int i = 0; i < 40; i++) {
        char way = ways[i % 4];
        assert_int_equal(victim_start(v, with_ends, &ways[i % 4]), 0);
        int64_t start = test_now_ms();
        kill(v->pid, SIGINT);
        if (way == '_' || way == 'e')
            assert_int_equal(victim_exit_status(v), way == '_' ? 5 : 6);
        else
            assert_int_equal(victim_killed_by(v), way == 'r' ? SIGINT : SIGKILL);
        assert_true(test_now_ms() - start < LONG_MS / 2);
        assert_true(victim_reaches(&v->hook_ran, 1));
        assert_int_equal(atomic_load(&v->writes), atomic_load(&v->writes_at_hook));
        atomic_store(&v->hook_ran, 0);
    }
}

static void a_handler_may_jump_out(void **state)
{
    struct victim *v = *state;

    assert_int_equal(victim_start(v, with_ends, "j"), 0);
    kill(v->pid, SIGTERM);
    assert_true(victim_reaches(&v->calls[1], 1));
    kill(v->pid, SIGTERM); /* soon: no second wish, but the handler's business */
    assert_int_equal(victim_killed_by(v), SIGTERM);
    assert_true(atomic_load(&v->calls[1]) >= 1);
    assert_true(victim_reaches(&v->hook_ran, 1));
}

static void forgets(int signo)
{
    (void)signo;
    if (swim_signals_clear() == SWIM_OK)
        called(0);
}

static void with_a_menu(struct victim *v)
{
    begin(v);
    act(SIGINT, forgets, SA_RESTART);
    victim_install(1000, 0, 0);
    run(v);
}

static void a_handler_may_forget_the_signal(void **state)
{
    struct victim *v = *state;

    assert_int_equal(victim_start(v, with_a_menu, NULL), 0);
    for (int i = 1; i <= 3; i++) {
        kill(v->pid, SIGINT);
        assert_true(victim_reaches(&v->calls[0], i));
    }
    test_nap_ms(1200); /* longer than the grace */
    assert_int_equal(waitpid(v->pid, NULL, WNOHANG), 0);
    assert_int_equal(atomic_load(&v->hook_ran), 0);
    kill(v->pid, SIGTERM);
    assert_int_equal(victim_killed_by(v), SIGTERM);
    assert_true(victim_reaches(&v->hook_ran, 1));
}

/* --- the program decides --- */

static void decides(struct victim *v)
{
    begin(v);
    act(SIGINT, plain, SA_RESTART);
    victim_install(0, 0, SWIM_SIGNALS_HANDLER_DECIDES);
    run(v);
}

static void the_handler_can_be_left_to_decide(void **state)
{
    struct victim *v = *state;

    assert_int_equal(victim_start(v, decides, NULL), 0);
    for (int i = 1; i <= 3; i++) {
        kill(v->pid, SIGINT);
        assert_true(victim_reaches(&v->calls[0], i));
        assert_true(victim_lives(v));
    }
    assert_int_equal(atomic_load(&v->values[1]), SIGINT); /* pending in the handler */
    kill(v->pid, SIGTERM); /* has none: it ends, though SIGINT is pending */
    assert_int_equal(victim_killed_by(v), SIGTERM);
    assert_int_equal(atomic_load(&v->calls[0]), 3);
    assert_true(victim_reaches(&v->hook_ran, 1));
}

/* --- masks --- */

static void blocks_for_a_while(struct victim *v)
{
    sigset_t set;

    begin(v);
    act(SIGTERM, plain, SA_RESTART);
    victim_install(0, 0, 0);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    victim_ready(v);
    if (!victim_reaches(&v->calls[2], 1))
        _exit(97);
    if (atomic_load(&v->calls[0]) || swim_signals_pending())
        _exit(96);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    victim_write(v);
}

static void a_blocked_signal_waits_for_its_handler(void **state)
{
    struct victim *v = *state;

    assert_int_equal(victim_start(v, blocks_for_a_while, NULL), 0);
    kill(v->pid, SIGTERM);
    assert_true(victim_lives(v));
    atomic_store(&v->calls[2], 1);
    assert_int_equal(victim_killed_by(v), SIGTERM);
    assert_int_equal(atomic_load(&v->calls[0]), 1);
}

/* --- handlers that come later --- */

static void later(int signo)
{
    (void)signo;
    called(1);
}

static void replaces(struct victim *v)
{
    begin(v);
    victim_install(0, 0, 0);
    signal(SIGTERM, later);
    run(v);
}

static void a_later_handler_has_its_signal_to_itself(void **state)
{
    struct victim *v = *state;

    assert_int_equal(victim_start(v, replaces, NULL), 0);
    for (int i = 1; i <= 200; i++) {
        kill(v->pid, SIGTERM);
        assert_true(victim_reaches(&v->calls[1], i));
    }
    assert_true(victim_lives(v));
    kill(v->pid, SIGINT);
    assert_int_equal(victim_killed_by(v), SIGINT);
}

static void (*replaced)(int);

static void calls_on(int signo)
{
    called(1);
    if (replaced != SIG_DFL && replaced != SIG_IGN)
        replaced(signo); /* one argument: it was got from signal() */
}

static void chains(struct victim *v)
{
    begin(v);
    act(SIGTERM, plain, SA_RESTART);
    victim_install(0, 0, 0);
    replaced = signal(SIGTERM, calls_on);
    for (int i = *(const char *)v->scene - '0'; i > 0; i--)
        swim_signals_take_in();
    run(v);
}

/* Taken in or not: each handler is called once. */
static void a_later_handler_may_call_ours(void **state)
{
    struct victim *v = *state;

    for (int i = 0; i < 3; i++) {
        assert_int_equal(victim_start(v, chains, &"012"[i]), 0);
        kill(v->pid, SIGTERM);
        assert_int_equal(victim_killed_by(v), SIGTERM);
        assert_int_equal(atomic_load(&v->order), 21);
        assert_true(victim_reaches(&v->hook_ran, 1));
        atomic_store(&v->order, 0);
        atomic_store(&v->hook_ran, 0);
    }
}

static void is_taken_in(struct victim *v)
{
    begin(v);
    act(SIGTERM, plain, SA_RESTART);
    victim_install(0, 0, 0);
    for (int i = 0; i < 100; i++) { /* as a program with prompts does */
        act(SIGTERM, i % 2 ? plain : later, 0);
        victim_install(0, 0, 0);
    }
    signal(SIGTERM, later);
    if (*(const char *)v->scene == 'i')
        victim_install(0, 0, 0);
    else
        swim_signals_take_in();
    run(v);
}

static void a_later_handler_is_taken_in(void **state)
{
    struct victim *v = *state;

    for (int i = 0; i < 2; i++) {
        assert_int_equal(victim_start(v, is_taken_in, &"ic"[i]), 0);
        kill(v->pid, SIGTERM);
        assert_int_equal(victim_killed_by(v), SIGTERM);
        assert_int_equal(atomic_load(&v->order), 2);
        assert_true(victim_reaches(&v->hook_ran, 1));
        atomic_store(&v->order, 0);
        atomic_store(&v->hook_ran, 0);
    }
}

/* --- what is put back --- */

static void forks(struct victim *v)
{
    int status = 0;

    begin(v);
    act(SIGTERM, plain, SA_RESTART);
    signal(SIGHUP, SIG_IGN);
    victim_install(0, 0, 0);
    pid_t child = fork();
    if (child == 0) {
        struct sigaction term, intr, hup;
        sigaction(SIGTERM, NULL, &term);
        sigaction(SIGINT, NULL, &intr);
        sigaction(SIGHUP, NULL, &hup);
        _exit(term.sa_handler == plain && !(term.sa_flags & SA_SIGINFO) &&
                      (term.sa_flags & SA_RESTART) && intr.sa_handler == SIG_DFL &&
                      hup.sa_handler == SIG_IGN
                  ? 7
                  : 97);
    }
    waitpid(child, &status, 0);
    swim_signals_remove();
    struct sigaction term;
    sigaction(SIGTERM, NULL, &term);
    victim_ready(v);
    _exit(term.sa_handler == plain ? WEXITSTATUS(status) : 96);
}

static void the_handlers_are_put_back(void **state)
{
    struct victim *v = *state;

    assert_int_equal(victim_start(v, forks, NULL), 0);
    assert_int_equal(victim_exit_status(v), 7);
}

/* A child of vfork() shares our memory: the handler is for it to call, and nothing is
 * pending in its parent. */
static void vforks(struct victim *v)
{
    int status = 0;

    begin(v);
    act(SIGTERM, plain, SA_RESTART);
    victim_install(0, 0, 0);
    pid_t child = vfork(); /* NOLINT */
    if (child == 0) {
        raise(SIGTERM); /* NOLINT */
        _exit(7);
    }
    waitpid(child, &status, 0);
    victim_ready(v);
    _exit(swim_signals_pending() ? 97 : WIFEXITED(status) ? WEXITSTATUS(status) : 96);
}

static void a_child_of_vfork_has_the_handler(void **state)
{
    struct victim *v = *state;

    assert_int_equal(victim_start(v, vforks, NULL), 0);
    assert_int_equal(victim_exit_status(v), 7);
    assert_int_equal(atomic_load(&v->calls[0]), 1);
}

static void removes_under_a_later_one(struct victim *v)
{
    begin(v);
    act(SIGTERM, plain, SA_RESTART);
    victim_install(0, 0, 0);
    replaced = signal(SIGTERM, calls_on);
    swim_signals_remove();
    run(v);
}

static void a_later_handler_may_call_ours_when_it_is_gone(void **state)
{
    struct victim *v = *state;

    assert_int_equal(victim_start(v, removes_under_a_later_one, NULL), 0);
    kill(v->pid, SIGTERM);
    assert_true(victim_reaches(&v->calls[0], 1));
    assert_int_equal(atomic_load(&v->order), 21);
    assert_true(victim_lives(v));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_handler_is_called_once_and_the_process_ends),
        TEST(a_handler_gets_its_arguments_and_its_mask),
        TEST(a_handler_interrupts_as_it_wants),
        TEST(a_handler_for_one_signal_is_called_for_one),
        TEST(a_handler_for_one_signal_can_be_set_again),
        TEST(a_handler_may_end_the_process),
        TEST(a_handler_may_jump_out),
        TEST(a_handler_may_forget_the_signal),
        TEST(the_handler_can_be_left_to_decide),
        TEST(a_blocked_signal_waits_for_its_handler),
        TEST(a_later_handler_has_its_signal_to_itself),
        TEST(a_later_handler_may_call_ours),
        TEST(a_later_handler_is_taken_in),
        TEST(the_handlers_are_put_back),
        TEST(a_child_of_vfork_has_the_handler),
        TEST(a_later_handler_may_call_ours_when_it_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
