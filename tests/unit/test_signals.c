/* test_signals.c - leaving on signals, each in a process of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/clock.h"
#include "core/signals.h"

struct shared {
    atomic_int ready, hook_ran, writes, writes_at_hook;
    atomic_int pid, parent_at_hook;
};

static int setup(void **state)
{
    struct shared *s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    *state = s;
    return s == MAP_FAILED ? -1 : 0;
}

static int teardown(void **state)
{
    return munmap(*state, sizeof(struct shared));
}

static void hook(void *arg)
{
    struct shared *s = arg;

    atomic_store(&s->writes_at_hook, atomic_load(&s->writes));
    atomic_store(&s->parent_at_hook, getppid());
    atomic_store(&s->hook_ran, 1);
}

static void wait_until(atomic_int *value)
{
    int64_t until = swim_clock_mono_ns() + 5000000000LL;

    while (!atomic_load(value) && swim_clock_mono_ns() < until)
        swim_clock_nap_ns(1000000);
    assert_true(atomic_load(value));
}

static int ended(pid_t pid)
{
    int status = 0;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

/* A child that writes all the time and does not look at signals. */
static pid_t stubborn_child(struct shared *s, int grace_ms)
{
    pid_t pid = fork();

    if (pid == 0) {
        if (swim_signals_install(grace_ms, NULL) != SWIM_OK)
            _exit(99);
        swim_signals_on_leave(hook, s);
        atomic_store(&s->ready, 1);
        for (;;)
            atomic_fetch_add(&s->writes, 1);
    }
    wait_until(&s->ready);
    return pid;
}

static void a_stubborn_process_leaves_after_its_grace(void **state)
{
    struct shared *s = *state;
    pid_t pid = stubborn_child(s, 50);
    int64_t start = swim_clock_mono_ns();

    kill(pid, SIGTERM);
    int status = ended(pid);
    int64_t took = swim_clock_mono_ns() - start;
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 128 + SIGTERM);
    assert_true(took >= 45000000);
    wait_until(&s->hook_ran);
}

/* Nothing of the process may write when its locks are given away. */
static void hooks_run_when_the_process_is_dead(void **state)
{
    struct shared *s = *state;
    pid_t pid = stubborn_child(s, 20);

    kill(pid, SIGINT);
    wait_until(&s->hook_ran);
    /* A hook that runs too early still is the child of the process that leaves. */
    assert_int_not_equal(atomic_load(&s->parent_at_hook), pid);
    int writes = atomic_load(&s->writes);
    assert_int_equal(writes, atomic_load(&s->writes_at_hook));
    swim_clock_nap_ns(20000000);
    assert_int_equal(writes, atomic_load(&s->writes));
    assert_int_equal(WEXITSTATUS(ended(pid)), 128 + SIGINT);
}

static void a_second_signal_ends_at_once(void **state)
{
    struct shared *s = *state;
    pid_t pid = stubborn_child(s, 20000);
    int64_t start = swim_clock_mono_ns();

    kill(pid, SIGTERM);
    swim_clock_nap_ns(50000000);
    kill(pid, SIGINT); /* from its parent: passed on, not a second wish */
    swim_clock_nap_ns(50000000);
    assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
    pid_t other = fork();
    if (other == 0) {
        kill(pid, SIGINT);
        _exit(0);
    }
    ended(other);
    assert_int_equal(WEXITSTATUS(ended(pid)), 128 + SIGTERM);
    assert_true(swim_clock_mono_ns() - start < 5000000000LL);
    wait_until(&s->hook_ran);
}

static void a_process_that_looks_can_leave_by_itself(void **state)
{
    struct shared *s = *state;
    pid_t pid = fork();

    if (pid == 0) {
        struct pollfd fd = {.events = POLLIN};
        swim_error_t err = {0};
        swim_signals_install(10000, NULL);
        fd.fd = swim_signals_fd();
        atomic_store(&s->ready, 1);
        if (swim_signals_check("test", &err) != SWIM_OK)
            _exit(98);
        if (poll(&fd, 1, 5000) != 1 || swim_signals_pending() != SIGHUP)
            _exit(99);
        _exit(swim_signals_check("test", &err) == SWIM_ERR_CANCELLED ? 7 : 97);
    }
    wait_until(&s->ready);
    kill(pid, SIGHUP);
    assert_int_equal(WEXITSTATUS(ended(pid)), 7);
}

static void a_forked_child_has_nothing_of_its_parents(void **state)
{
    struct shared *s = *state;
    pid_t pid = fork();

    if (pid == 0) {
        swim_signals_install(20, NULL);
        swim_signals_on_leave(hook, s);
        pid_t grandchild = fork();
        if (grandchild == 0) {
            if (swim_signals_fd() >= 0 || swim_signals_pending())
                _exit(99);
            swim_signals_unblock();
            atomic_store(&s->ready, 1);
            for (;;)
                pause();
        }
        atomic_store(&s->pid, grandchild);
        int status = 0;
        waitpid(grandchild, &status, 0);
        _exit(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM ? 7 : 98);
    }
    wait_until(&s->ready);
    wait_until(&s->pid);
    kill(atomic_load(&s->pid), SIGTERM);
    assert_int_equal(WEXITSTATUS(ended(pid)), 7);
    assert_int_equal(atomic_load(&s->hook_ran), 0);
}

/* A program that opens a lock session and leaves its signals alone; its child does not.
 */
static void hooks_are_not_inherited_without_signals_either(void **state)
{
    struct shared *s = *state;
    pid_t pid = fork();

    if (pid == 0) {
        swim_signals_on_leave(hook, s);
        pid_t grandchild = fork();
        if (grandchild == 0) {
            swim_signals_install(0, NULL);
            atomic_store(&s->ready, 1);
            for (;;)
                pause();
        }
        atomic_store(&s->pid, grandchild);
        _exit(WEXITSTATUS(ended(grandchild)));
    }
    wait_until(&s->ready);
    wait_until(&s->pid);
    kill(atomic_load(&s->pid), SIGTERM);
    assert_int_equal(WEXITSTATUS(ended(pid)), 128 + SIGTERM);
    swim_clock_nap_ns(50000000);
    assert_int_equal(atomic_load(&s->hook_ran), 0);
}

static void a_dropped_hook_does_not_run(void **state)
{
    struct shared *s = *state;
    pid_t pid = fork();

    if (pid == 0) {
        swim_signals_install(0, NULL);
        swim_signals_drop(swim_signals_on_leave(hook, s));
        atomic_store(&s->ready, 1);
        for (;;)
            pause();
    }
    wait_until(&s->ready);
    kill(pid, SIGTERM);
    ended(pid);
    swim_clock_nap_ns(50000000);
    assert_int_equal(atomic_load(&s->hook_ran), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_stubborn_process_leaves_after_its_grace,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(hooks_run_when_the_process_is_dead, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_second_signal_ends_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_process_that_looks_can_leave_by_itself, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_forked_child_has_nothing_of_its_parents,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(hooks_are_not_inherited_without_signals_either,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_dropped_hook_does_not_run, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
