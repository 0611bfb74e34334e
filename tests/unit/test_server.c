/* test_server.c - the private lock server: started once, closed to others, ended. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <h5swim/lock.h>

#include "lock/server.h"
#include "lock/server_private.h"
#include "redis_fixture.h"

struct scene {
    char base[64], dir[80], path[110];
};

static int setup(void **state)
{
    struct scene *s = calloc(1, sizeof(*s));

    *state = s;
    if (!s)
        return -1;
    snprintf(s->base, sizeof(s->base), "/tmp/swim-test-XXXXXX");
    if (!mkdtemp(s->base))
        return -1;
    snprintf(s->dir, sizeof(s->dir), "%s/run", s->base);
    setenv("SWIM_SERVER_DIR", s->dir, 1);
    setenv("SWIM_SERVER_IDLE_S", "1", 1);
    unsetenv("SWIM_REDIS_URL");
    return 0;
}

static int teardown(void **state)
{
    struct scene *s = *state;
    static const char *const names[] = {"redis.sock", "redis.pid", "redis.log",
                                        "start.lock", "used",      "stay",
                                        "url",        "keeper.pid"};
    struct server_status status;

    (void)server_private_stop(NULL);
    int64_t until = test_now_ms() + 5000;
    while (server_private_status(&status, NULL) == SWIM_OK && status.running &&
           test_now_ms() < until)
        test_nap_ms(5);
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        snprintf(s->path, sizeof(s->path), "%s/%s", s->dir, names[i]);
        unlink(s->path);
    }
    rmdir(s->dir);
    unlink(s->dir);
    int rc = rmdir(s->base);
    free(s);
    return rc;
}

static swim_session_t *session_new(void)
{
    const struct swim_session_options opt = {.struct_size = sizeof(opt), .rank = -1};
    swim_session_t *session = NULL;
    swim_error_t err = {0};

    if (swim_session_open(&opt, &session, &err) != SWIM_OK)
        fail_msg("%s", err.text);
    return session;
}

static bool path_is(struct scene *s, const char *name, mode_t mode)
{
    struct stat st;

    snprintf(s->path, sizeof(s->path), "%s/%s", s->dir, name);
    return lstat(s->path, &st) == 0 && (st.st_mode & 07777) == mode;
}

static long server_pid(void)
{
    struct server_status status;

    assert_int_equal(server_private_status(&status, NULL), SWIM_OK);
    return status.running ? status.pid : 0;
}

static void it_is_started_and_nobody_else_gets_in(void **state)
{
    struct scene *s = *state;

    assert_int_equal(server_pid(), 0);
    swim_session_t *session = session_new();
    assert_true(server_pid() > 0);
    assert_true(path_is(s, "", 0700));
    assert_true(path_is(s, "redis.sock", 0700));
    swim_session_close(session);
}

static void many_that_start_at_once_share_one(void **state)
{
    enum { N = 100 };
    pid_t pids[N];
    long first = 0;
    int pipes[2];

    (void)state;
    setenv("SWIM_SERVER_IDLE_S", "20", 1);
    assert_int_equal(pipe(pipes), 0);
    for (int i = 0; i < N; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            char url[256];
            if (server_private_url(url, sizeof(url), NULL) != SWIM_OK)
                _exit(1);
            long pid = server_pid();
            _exit(write(pipes[1], &pid, sizeof(pid)) == sizeof(pid) ? 0 : 2);
        }
    }
    for (int i = 0; i < N; i++) {
        int status = -1;
        long pid = 0;
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_int_equal(status, 0);
        assert_int_equal(read(pipes[0], &pid, sizeof(pid)), sizeof(pid));
        assert_true(pid > 0 && (first == 0 || pid == first));
        first = pid;
    }
    close(pipes[0]);
    close(pipes[1]);
}

static bool ended_by(int64_t until)
{
    while (server_pid() != 0)
        if (test_now_ms() >= until)
            return false;
        else
            test_nap_ms(300); /* each look is a use for a moment, but not a long one */
    return true;
}

/* A hundred that come at once would wait for each other's looks. */
static void who_looks_is_in_nobodys_way(void **state)
{
    struct scene *s = *state;
    char url[256];
    swim_session_t *session = session_new();

    assert_true(path_is(s, "start.lock", 0600));
    int fd = open(s->path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(flock(fd, LOCK_SH | LOCK_NB), 0);
    int64_t start = test_now_ms();
    assert_int_equal(server_private_url(url, sizeof(url), NULL), SWIM_OK);
    assert_in_range(test_now_ms() - start, 0, 5000);
    swim_session_close(session);
    test_nap_ms(2500);
    assert_true(server_pid() > 0); /* one that looks may be about to use it */
    close(fd);
}

static void it_ends_when_idle_and_not_before(void **state)
{
    struct scene *s = *state;
    struct stat st;

    swim_session_t *session = session_new();
    long pid = server_pid();
    test_nap_ms(2500);
    assert_int_equal(server_pid(), pid); /* a session is open */
    swim_session_close(session);
    /* The socket goes first, then the process, then the pid file. */
    snprintf(s->path, sizeof(s->path), "%s/redis.pid", s->dir);
    int64_t until = test_now_ms() + 8000;
    while (lstat(s->path, &st) == 0 && test_now_ms() < until)
        test_nap_ms(20);
    assert_int_equal(server_pid(), 0);
    until = test_now_ms() + 8000;
    while (kill((pid_t)pid, 0) == 0 && test_now_ms() < until)
        test_nap_ms(5);
    assert_true(kill((pid_t)pid, 0) != 0);
    snprintf(s->path, sizeof(s->path), "%s/redis.sock", s->dir);
    assert_true(lstat(s->path, &st) != 0);
    swim_session_close(session_new()); /* and it comes again */
}

static void one_whose_folder_is_gone_ends_when_idle(void **state)
{
    struct scene *s = *state;
    char command[128];

    swim_session_t *session = session_new();
    long pid = server_pid();
    test_nap_ms(1500); /* its keeper is connected, too, by then */
    snprintf(command, sizeof(command), "rm -r '%s'", s->dir);
    assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c): a test */
    test_nap_ms(2500);
    assert_int_equal(kill((pid_t)pid, 0), 0); /* a session is open */
    swim_session_close(session);
    int64_t until = test_now_ms() + 8000;
    while (kill((pid_t)pid, 0) == 0 && test_now_ms() < until)
        test_nap_ms(5);
    if (kill((pid_t)pid, SIGKILL) == 0)
        fail_msg("server %ld stays for ever", pid);
}

static void a_killed_one_is_replaced(void **state)
{
    swim_session_t *session = session_new();
    long pid = server_pid();

    (void)state;
    swim_session_close(session);
    kill((pid_t)pid, SIGKILL);
    session = session_new();
    assert_true(server_pid() > 0 && server_pid() != pid);
    swim_session_close(session);
}

static ino_t socket_inode(struct scene *s)
{
    struct stat st = {0};

    snprintf(s->path, sizeof(s->path), "%s/redis.sock", s->dir);
    return lstat(s->path, &st) == 0 ? st.st_ino : 0;
}

/* Others may hold its locks, and it may go on at any time. */
static void one_that_hangs_is_not_replaced(void **state)
{
    struct scene *s = *state;
    struct server_status status;
    swim_error_t err = {0};
    char url[256], who[32];

    swim_session_t *session = session_new();
    long pid = server_pid();
    ino_t inode = socket_inode(s);
    assert_int_equal(kill((pid_t)pid, SIGSTOP), 0);
    assert_int_equal(server_private_url(url, sizeof(url), &err), SWIM_ERR_IO);
    snprintf(who, sizeof(who), "process %ld runs", pid);
    assert_non_null(strstr(err.text, who));
    assert_int_equal(server_private_status(&status, NULL), SWIM_OK);
    assert_true(status.running && status.silent && status.pid == pid);
    assert_int_equal(kill((pid_t)pid, SIGCONT), 0);
    assert_int_equal(server_private_url(url, sizeof(url), NULL), SWIM_OK);
    assert_int_equal(server_pid(), pid);
    assert_true(inode != 0 && socket_inode(s) == inode);
    swim_session_close(session);
}

/* More than the socket's backlog holds: connecting does not block either. */
static void one_that_hangs_holds_nobody_up(void **state)
{
    enum { MANY = 600 };
    struct scene *s = *state;
    int fds[MANY], full = 0;
    char url[256];

    swim_session_close(session_new());
    long pid = server_pid();
    snprintf(s->path, sizeof(s->path), "%s/redis.sock", s->dir);
    assert_int_equal(kill((pid_t)pid, SIGSTOP), 0);
    for (int i = 0; i < MANY; i++) {
        fds[i] = server_dial(s->path);
        full += fds[i] < 0;
    }
    assert_true(full > 0);
    int64_t begin = test_now_ms();
    assert_int_equal(server_private_url(url, sizeof(url), NULL), SWIM_ERR_IO);
    assert_in_range(test_now_ms() - begin, 4000, 12000);
    assert_int_equal(kill((pid_t)pid, SIGCONT), 0);
    for (int i = 0; i < MANY; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    assert_int_equal(server_private_url(url, sizeof(url), NULL), SWIM_OK);
    assert_int_equal(server_pid(), pid);
}

/* Its use cannot be seen. */
static void one_that_hangs_is_not_idle(void **state)
{
    (void)state;
    swim_session_t *session = session_new();
    long pid = server_pid();
    assert_int_equal(kill((pid_t)pid, SIGSTOP), 0);
    test_nap_ms(3500); /* it is idle after 1 s, and the keeper waits 2 s more */
    assert_int_equal(kill((pid_t)pid, SIGCONT), 0);
    assert_int_equal(server_pid(), pid);
    swim_session_close(session);
}

static void one_that_hangs_can_be_ended(void **state)
{
    (void)state;
    swim_session_t *session = session_new();
    long pid = server_pid();
    assert_int_equal(kill((pid_t)pid, SIGSTOP), 0);
    assert_int_equal(server_private_stop(NULL), SWIM_OK);
    swim_session_close(session);
    session = session_new();
    assert_true(server_pid() > 0 && server_pid() != pid);
    swim_session_close(session);
}

/* Those who look never leave the place to who wants to end it, if they look with
 * start.lock held all the time. */
static void one_that_hangs_can_be_ended_while_others_look(void **state)
{
    enum { N = 6 };
    pid_t pids[N];
    char url[256];

    (void)state;
    setenv("SWIM_SERVER_IDLE_S", "20", 1);
    swim_session_close(session_new());
    long pid = server_pid();
    assert_int_equal(kill((pid_t)pid, SIGSTOP), 0);
    for (int i = 0; i < N; i++) {
        test_nap_ms(150);
        pids[i] = fork();
        if (pids[i] == 0) {
            while (server_private_url(url, sizeof(url), NULL) != SWIM_OK)
                ;
            _exit(0);
        }
    }
    swim_error_t err = {0};
    if (server_private_stop(&err) != SWIM_OK)
        fail_msg("%s", err.text);
    for (int i = 0; i < N; i++) {
        int status = -1;
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_int_equal(status, 0);
    }
    assert_true(server_pid() > 0 && server_pid() != pid);
}

/* Its starter may have been killed before the server came up, and another follows. */
static void a_place_has_one_keeper(void **state)
{
    struct scene *s = *state;
    char config[128];
    int status = 0;

    swim_session_t *session = session_new();
    long pid = server_pid();
    ino_t inode = socket_inode(s);
    snprintf(config, sizeof(config), "%s/none.conf", s->dir);
    pid_t child = fork();
    if (child == 0) {
        (void)server_keep(s->dir, config, 1, NULL);
        _exit(3);
    }
    int64_t until = test_now_ms() + 10000;
    while (waitpid(child, &status, WNOHANG) == 0) {
        if (test_now_ms() > until)
            kill(child, SIGTERM);
        test_nap_ms(10);
    }
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    assert_int_equal(server_pid(), pid);
    assert_true(inode != 0 && socket_inode(s) == inode);
    swim_session_close(session);
}

/* The parent of the server. */
static long keeper_pid(void)
{
    char path[64], stat[256];

    snprintf(path, sizeof(path), "/proc/%ld/stat", server_pid());
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    assert_non_null(fgets(stat, sizeof(stat), f));
    fclose(f);
    long keeper = strtol(strrchr(stat, ')') + 4, NULL, 10);
    assert_true(keeper > 1);
    return keeper;
}

/* As when a whole batch job is frozen. */
static void one_whose_keeper_hangs_too_can_be_ended(void **state)
{
    struct server_status status;

    (void)state;
    swim_session_t *session = session_new();
    long pid = server_pid(), keeper = keeper_pid();
    assert_int_equal(kill((pid_t)keeper, SIGSTOP), 0);
    assert_int_equal(kill((pid_t)pid, SIGKILL), 0);
    assert_int_equal(server_private_status(&status, NULL), SWIM_OK);
    assert_true(status.silent && status.pid == 0 && status.keeper == keeper);
    assert_int_equal(server_private_stop(NULL), SWIM_OK);
    assert_int_equal(server_private_status(&status, NULL), SWIM_OK);
    assert_false(status.running);
    swim_session_close(session);
}

/* A cleaner of /tmp took it away. */
static void one_without_its_socket_can_be_ended(void **state)
{
    struct scene *s = *state;
    swim_error_t err = {0};
    char url[256];

    swim_session_t *session = session_new();
    struct server_status status;
    test_nap_ms(100); /* its keeper has connected */
    assert_true(socket_inode(s) != 0 && unlink(s->path) == 0);
    test_nap_ms(2000); /* it is in use, and does not end */
    assert_int_equal(server_private_url(url, sizeof(url), &err), SWIM_ERR_IO);
    assert_non_null(strstr(err.text, "its keeper, process"));
    assert_int_equal(server_private_stop(NULL), SWIM_OK);
    assert_int_equal(server_private_status(&status, NULL), SWIM_OK);
    assert_false(status.running);
    swim_session_close(session);
}

/* Its end would not be noticed by the next starter while the server lives. */
static void the_server_holds_the_place_as_well(void **state)
{
    struct scene *s = *state;
    char link[64], to[128];
    bool held = false;

    swim_session_t *session = session_new();
    for (int fd = 0; fd < 64 && !held; fd++) {
        snprintf(link, sizeof(link), "/proc/%ld/fd/%d", server_pid(), fd);
        ssize_t n = readlink(link, to, sizeof(to) - 1);
        to[n > 0 ? n : 0] = '\0';
        held = strcmp(to, s->dir) == 0;
    }
    assert_true(held);
    swim_session_close(session);
}

/* It may come up after its starter has given up, and be used: what it grants is not
 * granted again when it is killed. */
static void one_that_starts_too_late_is_remembered(void **state)
{
    struct scene *s = *state;
    char script[160], path[4096], url[256], was[4096];
    swim_error_t err = {0};
    struct stat st;

    snprintf(script, sizeof(script), "%s/redis-server", s->base);
    FILE *f = fopen(script, "we");
    assert_non_null(f);
    fprintf(f,
            "#!/bin/sh\ncp \"$1\" %s/kept\nsleep 6\nexec /usr/bin/redis-server "
            "%s/kept\n",
            s->base, s->base);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(script, 0700), 0);
    snprintf(was, sizeof(was), "%s", getenv("PATH"));
    snprintf(path, sizeof(path), "%.100s:%.3900s", s->base, was);
    setenv("PATH", path, 1);
    setenv("SWIM_SERVER_IDLE_S", "60", 1);
    assert_int_equal(server_private_url(url, sizeof(url), &err), SWIM_ERR_IO);
    setenv("PATH", was, 1);
    int64_t until = test_now_ms() + 5000;
    while (server_private_url(url, sizeof(url), NULL) != SWIM_OK &&
           test_now_ms() < until)
        test_nap_ms(50);
    snprintf(s->path, sizeof(s->path), "%s/used", s->dir);
    assert_int_equal(lstat(s->path, &st), 0);
    unlink(script);
    snprintf(script, sizeof(script), "%s/kept", s->base);
    unlink(script);
}

/* Without the keeper nobody would end the server. */
static void it_dies_with_its_keeper(void **state)
{
    (void)state;
    swim_session_close(session_new());
    kill((pid_t)keeper_pid(), SIGKILL);
    assert_true(ended_by(test_now_ms() + 3000));
    swim_session_close(session_new());
}

static int ask(swim_session_t *session, int64_t wait_ms, swim_lock_t **lock)
{
    const struct swim_lock_options opt = {.struct_size = sizeof(opt),
                                          .wait_ms = wait_ms};

    return swim_lock_acquire(session, "r", SWIM_LOCK_WRITE, &opt, lock, NULL);
}

/* Those who held its locks are alive and believe so: the next one gives them time. */
static void what_a_killed_one_granted_is_not_granted_again(void **state)
{
    swim_lock_t *held = NULL, *none = NULL;

    (void)state;
    setenv("SWIM_LEASE_MS", "3000", 1);
    swim_session_t *holder = session_new();
    assert_int_equal(ask(holder, 0, &held), SWIM_OK);
    kill((pid_t)server_pid(), SIGKILL);
    swim_session_t *other = session_new();
    assert_int_equal(ask(other, 500, &none), SWIM_ERR_TIMEOUT);
    assert_int_equal(swim_lock_check(held, 0, NULL), SWIM_OK);
    assert_int_equal(swim_lock_release(held, NULL), SWIM_OK);
    assert_int_equal(ask(other, 5000, &none), SWIM_OK); /* when the grace is over */
    assert_int_equal(swim_lock_release(none, NULL), SWIM_OK);
    swim_session_close(other);
    swim_session_close(holder);
    unsetenv("SWIM_LEASE_MS");
}

/* It was idle when it ended: the next one need not wait for anybody. */
static void one_that_ended_idle_is_followed_at_once(void **state)
{
    struct scene *s = *state;
    swim_lock_t *lock = NULL;
    struct stat st;

    for (int stopped = 0; stopped < 2; stopped++) {
        swim_session_t *session = session_new();
        assert_int_equal(ask(session, SWIM_LOCK_TRY, &lock), SWIM_OK);
        assert_int_equal(swim_lock_release(lock, NULL), SWIM_OK);
        swim_session_close(session);
        int64_t until = test_now_ms() + 8000;
        if (stopped)
            assert_int_equal(server_private_stop(NULL), SWIM_OK);
        snprintf(s->path, sizeof(s->path), "%s/used", s->dir);
        while (lstat(s->path, &st) == 0 && test_now_ms() < until)
            test_nap_ms(20);
        assert_true(lstat(s->path, &st) != 0);
    }
    swim_session_t *session = session_new();
    assert_int_equal(ask(session, SWIM_LOCK_TRY, &lock), SWIM_OK);
    assert_int_equal(swim_lock_release(lock, NULL), SWIM_OK);
    swim_session_close(session);
}

static void it_is_kept_by_the_command(void **state)
{
    char path[64], name[64] = "";

    (void)state;
    swim_session_t *session = session_new();
    snprintf(path, sizeof(path), "/proc/%ld/comm", keeper_pid());
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    assert_non_null(fgets(name, sizeof(name), f));
    fclose(f);
    assert_string_equal(name, "h5swim\n");
    swim_session_close(session);
}

static void a_folder_that_is_not_ours_alone_is_refused(void **state)
{
    struct scene *s = *state;
    struct server_status status;
    char url[256];
    swim_error_t err = {0};

    assert_int_equal(mkdir(s->dir, 0700), 0);
    assert_int_equal(chmod(s->dir, 0750), 0);
    assert_int_equal(server_private_url(url, sizeof(url), &err), SWIM_ERR_IO);
    assert_non_null(strstr(err.text, "0700"));
    rmdir(s->dir);
    assert_int_equal(symlink("/tmp", s->dir), 0);
    assert_int_equal(server_private_url(url, sizeof(url), NULL), SWIM_ERR_IO);
    assert_int_equal(server_private_status(&status, NULL), SWIM_ERR_IO);
    assert_int_equal(server_private_stop(NULL), SWIM_ERR_IO);
    unlink(s->dir);
    if (geteuid() == 0) {
        assert_int_equal(mkdir(s->dir, 0700), 0);
        assert_int_equal(chown(s->dir, 1, 1), 0);
        assert_int_equal(server_private_url(url, sizeof(url), NULL), SWIM_ERR_IO);
    }
}

static void a_path_too_long_for_a_socket_is_refused(void **state)
{
    char url[256], dir[120];

    (void)state;
    memset(dir, 'x', sizeof(dir));
    dir[0] = '/';
    dir[110] = '\0';
    setenv("SWIM_SERVER_DIR", dir, 1);
    assert_int_equal(server_private_url(url, sizeof(url), NULL), SWIM_ERR_ARG);
    setenv("SWIM_SERVER_DIR", "relative", 1);
    assert_int_equal(server_private_url(url, sizeof(url), NULL), SWIM_ERR_ARG);
    setenv("SWIM_SERVER_DIR", ((struct scene *)*state)->dir, 1);
}

/* With a session of the login manager and without one, as under cron. */
static void the_place_does_not_depend_on_the_login(void **state)
{
    const char *dir = ((struct scene *)*state)->dir;
    char want[64];

    snprintf(want, sizeof(want), "/tmp/h5swim-%ld", (long)geteuid());
    unsetenv("SWIM_SERVER_DIR");
    for (int login = 0; login < 2; login++) {
        struct server_place place;
        if (login)
            setenv("XDG_RUNTIME_DIR", "/tmp", 1);
        else
            unsetenv("XDG_RUNTIME_DIR");
        assert_int_equal(place_fill(&place, NULL), SWIM_OK);
        assert_string_equal(place.dir, want);
    }
    unsetenv("XDG_RUNTIME_DIR");
    setenv("SWIM_SERVER_DIR", dir, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_is_started_and_nobody_else_gets_in),
        TEST(many_that_start_at_once_share_one),
        TEST(who_looks_is_in_nobodys_way),
        TEST(it_ends_when_idle_and_not_before),
        TEST(one_whose_folder_is_gone_ends_when_idle),
        TEST(a_killed_one_is_replaced),
        TEST(one_that_hangs_is_not_replaced),
        TEST(one_that_hangs_holds_nobody_up),
        TEST(one_that_hangs_is_not_idle),
        TEST(one_that_hangs_can_be_ended),
        TEST(one_that_hangs_can_be_ended_while_others_look),
        TEST(a_place_has_one_keeper),
        TEST(one_whose_keeper_hangs_too_can_be_ended),
        TEST(one_without_its_socket_can_be_ended),
        TEST(the_server_holds_the_place_as_well),
        TEST(one_that_starts_too_late_is_remembered),
        TEST(it_dies_with_its_keeper),
        TEST(what_a_killed_one_granted_is_not_granted_again),
        TEST(one_that_ended_idle_is_followed_at_once),
        TEST(it_is_kept_by_the_command),
        TEST(a_folder_that_is_not_ours_alone_is_refused),
        TEST(a_path_too_long_for_a_socket_is_refused),
        TEST(the_place_does_not_depend_on_the_login),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
