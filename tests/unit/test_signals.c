/* test_signals.c - leaving on signals, each in a process of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/signals.h"
#include "redis_fixture.h"
#include "victim.h"

#define LONG_MS 20000

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

static void install_command(uint32_t grace_ms)
{
    if (swim_signals_install_command(grace_ms, NULL) != SWIM_OK)
        _exit(98);
}

/* The signals come neither from the parent nor from the process itself. */
static void signal_from_another(const struct victim *v, int signo)
{
    pid_t other = fork();

    if (other == 0) {
        for (;;) {
            kill(v->pid, signo);
            test_nap_ms(30);
        }
    }
    while (waitid(P_PID, (id_t)v->pid, &(siginfo_t){0}, WEXITED | WNOWAIT) != 0)
        ;
    kill(other, SIGKILL);
    waitpid(other, NULL, 0);
}

/* --- the end --- */

static void stubborn(struct victim *v)
{
    swim_signals_on_leave(victim_hook, v);
    victim_ready(v);
    victim_write(v);
}

static void stubborn_program(struct victim *v)
{
    victim_install(0, 0, 0);
    stubborn(v);
}

static void stubborn_command(struct victim *v)
{
    install_command(50);
    stubborn(v);
}

static void a_stubborn_process_leaves_after_its_grace(void **state)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
    struct victim *v = *state;

    for (int i = 0; i < 6; i++) {
        int signo = signals[i % 3];
        assert_int_equal(
            victim_start(v, i < 3 ? stubborn_program : stubborn_command, NULL), 0);
        int64_t start = test_now_ms();
        kill(v->pid, signo);
        if (i < 3)
            assert_int_equal(victim_killed_by(v), signo);
        else
            assert_int_equal(victim_exit_status(v), 128 + signo);
        assert_true(test_now_ms() - start >= 45);
        assert_true(victim_reaches(&v->hook_ran, 1));
        atomic_store(&v->hook_ran, 0);
    }
}

/* Nothing of the process may write when its locks are given away. */
static void hooks_run_when_the_process_is_dead(void **state)
{
    struct victim *v = *state;

    for (int i = 0; i < 20; i++) {
        assert_int_equal(victim_start(v, stubborn_program, NULL), 0);
        pid_t pid = v->pid;
        kill(pid, SIGINT);
        assert_true(victim_reaches(&v->hook_ran, 1));
        long writes = atomic_load(&v->writes);
        /* A hook that runs too early still is the child of the process that leaves. */
        assert_int_not_equal(atomic_load(&v->values[3]), pid);
        assert_int_equal(writes, atomic_load(&v->writes_at_hook));
        test_nap_ms(5);
        assert_int_equal(writes, atomic_load(&v->writes));
        assert_int_equal(victim_killed_by(v), SIGINT);
        atomic_store(&v->hook_ran, 0);
    }
}

static void patient_command(struct victim *v)
{
    install_command(LONG_MS);
    stubborn(v);
}

static void patient_program(struct victim *v)
{
    victim_install(LONG_MS, 0, 0);
    stubborn(v);
}

static void a_second_signal_ends_at_once(void **state)
{
    struct victim *v = *state;

    assert_int_equal(victim_start(v, patient_command, NULL), 0);
    int64_t start = test_now_ms();
    kill(v->pid, SIGTERM);
    test_nap_ms(50);
    kill(v->pid, SIGINT); /* from its parent: passed on, not a second wish */
    assert_true(victim_lives(v));
    signal_from_another(v, SIGINT);
    assert_int_equal(victim_exit_status(v), 128 + SIGTERM);
    assert_true(victim_reaches(&v->hook_ran, 1));

    assert_int_equal(victim_start(v, patient_program, NULL), 0);
    kill(v->pid, SIGINT);
    kill(v->pid, SIGTERM); /* at the same time: the same wish */
    assert_true(victim_lives(v));
    victim_signal_until_gone(v, SIGTERM);
    int status = victim_reap(v);
    assert_true(WIFSIGNALED(status));
    assert_true(WTERMSIG(status) == SIGINT || WTERMSIG(status) == SIGTERM);
    assert_true(test_now_ms() - start < LONG_MS / 2);
}

static void quits_when_told(struct victim *v)
{
    victim_install(LONG_MS, 0, 0);
    swim_signals_on_leave(victim_hook, v);
    victim_ready(v);
    while (!swim_signals_pending())
        atomic_fetch_add(&v->writes, 1);
    if (v->scene)
        raise(SIGKILL);
    _exit(7);
}

/* At once, without closing anything, or even killed: the hooks are run. */
static void hooks_run_however_it_dies_in_the_grace(void **state)
{
    struct victim *v = *state;

    for (int i = 0; i < 40; i++) {
        assert_int_equal(victim_start(v, quits_when_told, i % 2 ? "kill" : NULL), 0);
        kill(v->pid, SIGTERM);
        if (i % 2)
            assert_int_equal(victim_killed_by(v), SIGKILL);
        else
            assert_int_equal(victim_exit_status(v), 7);
        assert_true(victim_reaches(&v->hook_ran, 1));
        atomic_store(&v->hook_ran, 0);
    }
}

static void polls(struct victim *v)
{
    struct pollfd fd = {.events = POLLIN};
    swim_error_t err = {0};

    install_command(LONG_MS);
    fd.fd = swim_signals_fd();
    if (swim_signals_check("test", &err) != SWIM_OK)
        _exit(97);
    victim_ready(v);
    if (poll(&fd, 1, 10000) != 1 || swim_signals_pending() != SIGHUP)
        _exit(96);
    _exit(swim_signals_check("test", &err) == SWIM_ERR_CANCELLED ? 7 : 95);
}

static void a_process_that_looks_can_leave_by_itself(void **state)
{
    struct victim *v = *state;

    assert_int_equal(victim_start(v, polls, NULL), 0);
    kill(v->pid, SIGHUP);
    assert_int_equal(victim_exit_status(v), 7);
}

static void drops_its_hook(struct victim *v)
{
    victim_install(1, 0, 0);
    swim_signals_drop(swim_signals_on_leave(victim_hook, v));
    victim_ready(v);
    victim_write(v);
}

static void a_dropped_hook_does_not_run(void **state)
{
    struct victim *v = *state;

    assert_int_equal(victim_start(v, drops_its_hook, NULL), 0);
    kill(v->pid, SIGTERM);
    assert_int_equal(victim_killed_by(v), SIGTERM);
    test_nap_ms(50);
    assert_int_equal(atomic_load(&v->hook_ran), 0);
}

/* A program that ends its children and waits for them must not wait for ours. */
static void waits_for_children(struct victim *v)
{
    victim_install(LONG_MS, 0, 0);
    swim_signals_on_leave(victim_hook, v);
    victim_ready(v);
    while (!swim_signals_pending())
        test_nap_ms(1);
    _exit(wait(NULL) == -1 && errno == ECHILD ? 7 : 97);
}

static void the_forked_child_is_not_seen(void **state)
{
    struct victim *v = *state;

    assert_int_equal(victim_start(v, waits_for_children, NULL), 0);
    kill(v->pid, SIGTERM);
    assert_int_equal(victim_exit_status(v), 7);
    assert_true(victim_reaches(&v->hook_ran, 1));
}

static void late_hook(void *arg)
{
    struct victim *v = arg;

    atomic_store(&v->calls[3], 1);
}

static void slow_hook(void *arg)
{
    struct victim *v = arg;

    victim_hook(v);
    (void)victim_reaches(&v->calls[2], 1);
}

static void adds_a_hook_in_its_grace(struct victim *v)
{
    victim_install(100, 0, 0);
    swim_signals_on_leave(victim_hook, v);
    victim_ready(v);
    while (!swim_signals_pending())
        test_nap_ms(1);
    swim_signals_on_leave(late_hook, v);
    victim_write(v);
}

/* As when the signal comes while a lock session is being opened. */
static void hooks_added_in_the_grace_run_too(void **state)
{
    struct victim *v = *state;

    assert_int_equal(victim_start(v, adds_a_hook_in_its_grace, NULL), 0);
    kill(v->pid, SIGTERM);
    assert_true(victim_reaches(&v->calls[3], 1));
    assert_int_equal(atomic_load(&v->hook_ran), 1);
    assert_int_equal(victim_killed_by(v), SIGTERM);
}

static void locks_a_file(struct victim *v)
{
    int fd = open(v->scene, O_RDWR | O_CLOEXEC);

    victim_install(0, 0, 0);
    swim_signals_on_leave(slow_hook, v);
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        victim_ready(v);
    victim_write(v);
}

/* A copy of a descriptor would hold a dead process's lock on a file, or its end of a
 * pipe. */
static void the_forked_child_holds_nothing_open(void **state)
{
    struct victim *v = *state;
    char name[] = "/tmp/swim-test-XXXXXX";
    int fd = mkstemp(name);

    assert_int_equal(victim_start(v, locks_a_file, name), 0);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), -1);
    kill(v->pid, SIGTERM);
    assert_true(victim_reaches(&v->hook_ran, 1));
    int rc = flock(fd, LOCK_EX | LOCK_NB);
    atomic_store(&v->calls[2], 1); /* the hook may end */
    assert_int_equal(rc, 0);
    unlink(name);
    close(fd);
}

/* --- going on --- */

static void goes_on_once(struct victim *v)
{
    victim_install(1000, 0, 0);
    swim_signals_on_leave(victim_hook, v);
    victim_ready(v);
    while (!swim_signals_pending())
        test_nap_ms(1);
    if (swim_signals_clear() != SWIM_OK || swim_signals_pending())
        _exit(97);
    atomic_fetch_add(&v->calls[0], 1);
    struct pollfd fd = {swim_signals_fd(), POLLIN, 0};
    /* In the end nothing is to be read and no child is left behind.  Asked again and
     * again: the thread of ours may not even have told of the signal yet. */
    while (poll(&fd, 1, 0) != 0 || waitpid(-1, NULL, WNOHANG | __WALL) != -1)
        test_nap_ms(1);
    atomic_fetch_add(&v->calls[0], 1);
    victim_write(v);
}

static void a_signal_can_be_forgotten(void **state)
{
    struct victim *v = *state;

    assert_int_equal(victim_start(v, goes_on_once, NULL), 0);
    kill(v->pid, SIGTERM);
    assert_true(victim_reaches(&v->calls[0], 2));
    test_nap_ms(1200); /* longer than its grace */
    assert_int_equal(waitpid(v->pid, NULL, WNOHANG), 0);
    int64_t start = test_now_ms();
    kill(v->pid, SIGINT); /* the first one again */
    assert_int_equal(victim_killed_by(v), SIGINT);
    assert_true(test_now_ms() - start >= 950);
    assert_true(victim_reaches(&v->hook_ran, 1));
}

static void beside_others(struct victim *v)
{
    signal(SIGHUP, SIG_IGN);
    victim_install(0, SWIM_SIGNALS_TERM | SWIM_SIGNALS_HUP, 0);
    swim_signals_on_leave(victim_hook, v);
    victim_ready(v);
    victim_write(v);
}

static void signals_stay_ignored_or_left_alone(void **state)
{
    struct victim *v = *state;

    assert_int_equal(victim_start(v, beside_others, NULL), 0);
    kill(v->pid, SIGHUP);
    assert_true(victim_lives(v));
    kill(v->pid, SIGINT); /* not ours: its default action */
    assert_int_equal(victim_killed_by(v), SIGINT);
    test_nap_ms(50);
    assert_int_equal(atomic_load(&v->hook_ran), 0);
}

static void under_nohup(struct victim *v)
{
    signal(SIGHUP, SIG_IGN);
    signal(SIGINT, SIG_IGN); /* as a shell does for a background job */
    install_command(50);
    victim_ready(v);
    victim_write(v);
}

static void a_command_ignores_only_hup(void **state)
{
    struct victim *v = *state;

    assert_int_equal(victim_start(v, under_nohup, NULL), 0);
    kill(v->pid, SIGHUP);
    assert_true(victim_lives(v));
    kill(v->pid, SIGINT);
    assert_int_equal(victim_exit_status(v), 128 + SIGINT);
}

/* --- removing, wrong options --- */

static void removes(struct victim *v)
{
    victim_install(LONG_MS, 0, 0);
    swim_signals_on_leave(victim_hook, v);
    raise(SIGHUP);
    while (!swim_signals_pending())
        test_nap_ms(1);
    swim_signals_remove();
    swim_signals_remove();
    if (swim_signals_fd() >= 0 || swim_signals_pending())
        _exit(97);
    victim_install(0, 0, SWIM_SIGNALS_EXIT_STATUS);
    test_nap_ms(100); /* longer than its grace */
    if (swim_signals_fd() < 0 || swim_signals_pending())
        _exit(96);
    swim_signals_remove();
    victim_ready(v);
    victim_write(v);
}

static void it_can_be_removed_and_installed_again(void **state)
{
    struct victim *v = *state;

    assert_int_equal(victim_start(v, removes, NULL), 0);
    kill(v->pid, SIGTERM);
    assert_int_equal(victim_killed_by(v), SIGTERM);
    test_nap_ms(20);
    assert_int_equal(atomic_load(&v->hook_ran), 0);
}

static void wrong_options_are_refused(void **state)
{
    const size_t size = sizeof(struct swim_signals_options);
    const struct swim_signals_options wrong[] = {
        {.struct_size = size - 4},
        {.struct_size = size, .grace_ms = 3600001},
        {.struct_size = size, .signals = 8},
        {.struct_size = size, .flags = 0x10000},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        swim_error_t err = {0};
        assert_int_equal(swim_signals_install(&wrong[i], &err), SWIM_ERR_ARG);
        assert_int_equal(err.code, SWIM_ERR_ARG);
        assert_int_equal(swim_signals_fd(), -1);
    }
    assert_int_equal(swim_signals_clear(), SWIM_OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_stubborn_process_leaves_after_its_grace),
        TEST(hooks_run_when_the_process_is_dead),
        TEST(a_second_signal_ends_at_once),
        TEST(hooks_run_however_it_dies_in_the_grace),
        TEST(a_process_that_looks_can_leave_by_itself),
        TEST(a_dropped_hook_does_not_run),
        TEST(the_forked_child_is_not_seen),
        TEST(the_forked_child_holds_nothing_open),
        TEST(hooks_added_in_the_grace_run_too),
        TEST(a_signal_can_be_forgotten),
        TEST(signals_stay_ignored_or_left_alone),
        TEST(a_command_ignores_only_hup),
        TEST(it_can_be_removed_and_installed_again),
        TEST(wrong_options_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
