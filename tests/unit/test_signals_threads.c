/* test_signals_threads.c - signals in programs with threads and children. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/signals.h"
#include "redis_fixture.h"
#include "victim.h"

#define LONG_MS 20000

extern char **environ;

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

static void *pauses(void *unused)
{
    while (pause() == -1)
        ;
    return unused;
}

static void block_all(void)
{
    sigset_t all;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
}

/* Threads that were there before; '1' the main thread blocks everything, '2' they
 * do, '3' all of them. */
static void with_old_threads(struct victim *v)
{
    char how = *(const char *)v->scene;
    pthread_t thread;
    sigset_t none;

    sigemptyset(&none);
    if (how >= '2')
        block_all();
    for (int i = 0; i < 8; i++)
        pthread_create(&thread, NULL, i % 2 ? pauses : victim_writer, v);
    pthread_sigmask(SIG_SETMASK, &none, NULL);
    victim_install(0, 0, 0);
    swim_signals_on_leave(victim_hook, v);
    if (how != '2')
        block_all();
    victim_ready(v);
    for (;;)
        pause();
}

static void threads_may_be_older_and_block_anything(void **state)
{
    struct victim *v = *state;

    for (int i = 0; i < 12; i++) {
        assert_int_equal(victim_start(v, with_old_threads, &"123"[i % 3]), 0);
        kill(v->pid, SIGTERM);
        assert_int_equal(victim_killed_by(v), SIGTERM);
        assert_true(victim_reaches(&v->hook_ran, 1));
        assert_int_equal(atomic_load(&v->writes), atomic_load(&v->writes_at_hook));
        atomic_store(&v->hook_ran, 0);
    }
}

/* Its thread is to be cancelled, and is not at a cancellation point: it must not end
 * inside the handler. */
static void cancels_a_thread(struct victim *v)
{
    pthread_t thread;

    victim_install(0, 0, 0);
    swim_signals_on_leave(victim_hook, v);
    pthread_create(&thread, NULL, victim_writer, v);
    while (!atomic_load(&v->writes))
        test_nap_ms(1);
    pthread_cancel(thread);
    pthread_kill(thread, SIGTERM); /* NOLINT(bugprone-bad-signal-to-kill-thread) */
    victim_ready(v);
    for (;;)
        pause();
}

static void a_thread_to_be_cancelled_passes_it_on(void **state)
{
    struct victim *v = *state;

    assert_int_equal(victim_start(v, cancels_a_thread, NULL), 0);
    assert_int_equal(victim_killed_by(v), SIGTERM);
    assert_true(victim_reaches(&v->hook_ran, 1));
}

static void reads_a_pipe(struct victim *v)
{
    const int *fds = v->scene;
    char byte = 0;

    victim_install(LONG_MS, 0, 0);
    victim_ready(v);
    ssize_t n = read(fds[0], &byte, 1); /* not interrupted */
    _exit(n == 1 && swim_signals_pending() == SIGTERM ? 7 : 97);
}

/* In a system call, within 10 s. */
static bool main_thread_sleeps(pid_t pid)
{
    int64_t until = test_now_ms() + 10000;
    char name[64], state = 0;

    snprintf(name, sizeof(name), "/proc/%d/task/%d/stat", pid, pid);
    while (state != 'S' && test_now_ms() < until) {
        FILE *stat = fopen(name, "re");
        if (!stat)
            return false;
        if (fscanf(stat, "%*d (%*[^)]) %c", &state) != 1) /* NOLINT: one letter */
            state = 0;
        fclose(stat);
    }
    return state == 'S';
}

static void system_calls_go_on(void **state)
{
    struct victim *v = *state;
    int fds[2];

    assert_int_equal(pipe(fds), 0);
    assert_int_equal(victim_start(v, reads_a_pipe, fds), 0);
    assert_true(main_thread_sleeps(v->pid));
    assert_int_equal(syscall(SYS_tgkill, v->pid, v->pid, SIGTERM), 0);
    assert_true(victim_lives(v));
    assert_int_equal(write(fds[1], "x", 1), 1);
    assert_int_equal(victim_exit_status(v), 7);
    close(fds[0]);
    close(fds[1]);
}

/* --- children --- */

static int status_of(pid_t pid)
{
    int status = 0;

    waitpid(pid, &status, 0);
    return status;
}

/* scene: whether it is a process of h5swim, whose children start with blocked signals.
 */
static void forks(struct victim *v)
{
    bool command = *(const bool *)v->scene;

    if (!command)
        victim_install(LONG_MS, 0, 0);
    else if (swim_signals_install_command(LONG_MS, NULL) != SWIM_OK)
        _exit(97);
    swim_signals_on_leave(victim_hook, v);
    pid_t child = fork();
    if (child == 0) {
        sigset_t mask;
        pthread_sigmask(SIG_SETMASK, NULL, &mask);
        if (swim_signals_fd() >= 0 || swim_signals_pending() ||
            sigismember(&mask, SIGTERM) != command)
            _exit(97);
        if (command)
            swim_signals_unblock();
        atomic_store(&v->calls[0], 1);
        victim_write(v);
    }
    atomic_store(&v->values[0], child);
    victim_ready(v);
    int status = status_of(child);
    _exit(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM ? 7 : 96);
}

static void a_forked_child_has_nothing_of_its_parents(void **state)
{
    struct victim *v = *state;

    for (int i = 0; i < 2; i++) {
        bool command = i == 1;
        atomic_store(&v->calls[0], 0);
        assert_int_equal(victim_start(v, forks, &command), 0);
        assert_true(victim_reaches(&v->calls[0], 1));
        kill((pid_t)atomic_load(&v->values[0]), SIGTERM);
        assert_int_equal(victim_exit_status(v), 7);
        assert_int_equal(atomic_load(&v->hook_ran), 0);
    }
}

static void a_child_installs(struct victim *v)
{
    victim_install(LONG_MS, 0, 0);
    swim_signals_on_leave(victim_hook, v);
    pid_t child = fork();
    if (child == 0) {
        victim_install(0, 0, SWIM_SIGNALS_EXIT_STATUS);
        atomic_store(&v->values[0], getpid());
        victim_ready(v);
        victim_write(v);
    }
    int status = status_of(child);
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 97);
}

static void a_forked_child_may_install_for_itself(void **state)
{
    struct victim *v = *state;

    assert_int_equal(victim_start(v, a_child_installs, NULL), 0);
    kill((pid_t)atomic_load(&v->values[0]), SIGHUP);
    assert_int_equal(victim_exit_status(v), 128 + SIGHUP);
    assert_int_equal(atomic_load(&v->hook_ran), 0); /* that was the parent's */
}

static void stubborn_child(struct victim *v)
{
    victim_install(0, 0, 0);
    atomic_store(&v->values[0], getpid());
    victim_ready(v);
    victim_write(v);
}

static void adds_a_hook_only(struct victim *v)
{
    swim_signals_on_leave(victim_hook, v);
    pid_t child = fork();
    if (child == 0)
        stubborn_child(v);
    int status = status_of(child);
    _exit(WIFSIGNALED(status) ? 7 : 97);
}

/* As one that opens a lock session and leaves its signals alone. */
static void hooks_are_not_inherited_without_signals_either(void **state)
{
    struct victim *v = *state;

    assert_int_equal(victim_start(v, adds_a_hook_only, NULL), 0);
    kill((pid_t)atomic_load(&v->values[0]), SIGTERM);
    assert_int_equal(victim_exit_status(v), 7);
    test_nap_ms(50);
    assert_int_equal(atomic_load(&v->hook_ran), 0);
}

/* A child of vfork() shares our memory, and still has our handler. */
static void vforks(struct victim *v)
{
    victim_install(LONG_MS, 0, 0);
    swim_signals_on_leave(victim_hook, v);
    /* The rules of vfork() forbid such children; they are there all the same. */
    pid_t child = vfork(); /* NOLINT */
    if (child == 0) {
        atomic_store(&v->values[0], getpid()); /* NOLINT */
        victim_ready(v);                       /* NOLINT */
        for (;;)
            atomic_fetch_add(&v->writes, 1);
    }
    int status = status_of(child);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGTERM)
        _exit(97);
    _exit(swim_signals_pending() ? 96 : 7);
}

static void a_child_of_vfork_dies_as_ever(void **state)
{
    struct victim *v = *state;

    assert_int_equal(victim_start(v, vforks, NULL), 0);
    kill((pid_t)atomic_load(&v->values[0]), SIGTERM);
    assert_int_equal(victim_exit_status(v), 7);
}

static void spawns(struct victim *v)
{
    char *const argv[] = {"sleep", "60", NULL};
    pid_t child = 0;

    victim_install(LONG_MS, 0, 0);
    if (posix_spawnp(&child, "sleep", NULL, NULL, argv, environ) != 0)
        _exit(97);
    kill(child, SIGTERM);
    victim_ready(v);
    int status = status_of(child);
    _exit(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM ? 7 : 96);
}

static void started_programs_see_nothing_of_it(void **state)
{
    struct victim *v = *state;

    assert_int_equal(victim_start(v, spawns, NULL), 0);
    assert_int_equal(victim_exit_status(v), 7);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(threads_may_be_older_and_block_anything),
        TEST(a_thread_to_be_cancelled_passes_it_on),
        TEST(system_calls_go_on),
        TEST(a_forked_child_has_nothing_of_its_parents),
        TEST(a_forked_child_may_install_for_itself),
        TEST(hooks_are_not_inherited_without_signals_either),
        TEST(a_child_of_vfork_dies_as_ever),
        TEST(started_programs_see_nothing_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
