/* redis_fixture.c - a redis-server of a test's own. */
#include "redis_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/signals.h"
#include "lock/server_private.h"

#define DEADLINE_MS 30000
#define ARGS_MAX 40

int64_t test_now_ms(void)
{
    return swim_clock_mono_ns() / 1000000;
}

void test_nap_ms(int64_t ms)
{
    swim_clock_nap_ns(ms * 1000000);
}

_Noreturn static void fixture_exec(const struct redis_fixture *f, pid_t parent)
{
    const char *server = getenv("SWIM_TEST_SERVER");
    const char *argv[ARGS_MAX] = {"redis-server", "--port", "0",   "--unixsocket",
                                  f->socket,      "--save", "",    "--appendonly",
                                  "no",           "--dir",  f->dir};
    int argc = 11;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    if (server && server[0])
        argv[0] = server;
    swim_signals_unblock();
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    dup2(null, 1);
    dup2(null, 2);
    close_range(3, ~0U, 0);
    for (const char *const *e = f->extra; e && *e && argc + 1 < ARGS_MAX; e++)
        argv[argc++] = *e;
    execvp(argv[0], (char *const *)argv);
    _exit(127);
}

int redis_fixture_start(struct redis_fixture *f)
{
    int64_t until = test_now_ms() + DEADLINE_MS;
    pid_t self = getpid();
    char answer[64];

    unlink(f->socket);
    f->pid = fork();
    if (f->pid == 0)
        fixture_exec(f, self);
    while (f->pid > 0 && test_now_ms() < until) {
        /* With a password set, "-NOAUTH" is an answer too. */
        if (redis_fixture_say(f, "PING", answer, sizeof(answer)))
            return 0;
        if (waitpid(f->pid, NULL, WNOHANG) == f->pid)
            f->pid = 0; /* its port is taken, say */
        test_nap_ms(2);
    }
    return -1;
}

int redis_fixture_open(struct redis_fixture *f, const char *const *extra)
{
    memset(f, 0, sizeof(*f));
    snprintf(f->dir, sizeof(f->dir), "/tmp/swim-test-XXXXXX");
    if (!mkdtemp(f->dir))
        return -1;
    snprintf(f->socket, sizeof(f->socket), "%s/redis.sock", f->dir);
    snprintf(f->url, sizeof(f->url), "unix://%s", f->socket);
    f->extra = extra;
    if (redis_fixture_start(f) != 0)
        return -1;
    (void)redis_fixture_vouch(f, 0); /* a node of a cluster has no place for it yet */
    return 0;
}

int redis_fixture_vouch(const struct redis_fixture *f, int db)
{
    char command[128];

    snprintf(command, sizeof(command),
             "EVAL \"redis.call('SELECT',%d) redis.call('SET','{h5swim}:fresh',1) "
             "return 1\" 0",
             db);
    return redis_fixture_number(f, command) == 1 ? 0 : -1;
}

void redis_fixture_kill(struct redis_fixture *f)
{
    if (f->pid > 0) {
        kill(f->pid, SIGKILL);
        waitpid(f->pid, NULL, 0);
    }
    f->pid = 0;
    unlink(f->socket);
}

void redis_fixture_close(struct redis_fixture *f)
{
    char saved[96];

    redis_fixture_kill(f);
    snprintf(saved, sizeof(saved), "%s/dump.rdb", f->dir);
    unlink(saved);
    rmdir(f->dir);
}

bool redis_fixture_say(const struct redis_fixture *f, const char *command, char *buf,
                       size_t size)
{
    char line[512];
    int fd = server_dial(f->socket);

    if (fd < 0)
        return false;
    snprintf(line, sizeof(line), "%s\r\n", command);
    /* Nothing is asked twice: a question may change what is there. */
    ssize_t n = server_say_within(fd, line, buf, size, DEADLINE_MS);
    close(fd);
    return n > 0;
}

long redis_fixture_number(const struct redis_fixture *f, const char *command)
{
    char answer[256];

    if (!redis_fixture_say(f, command, answer, sizeof(answer)) || answer[0] != ':')
        return -1;
    return strtol(answer + 1, NULL, 10);
}

long redis_fixture_calls(const struct redis_fixture *f, const char *command)
{
    char info[16384], wanted[64];

    if (!redis_fixture_say(f, "INFO commandstats", info, sizeof(info)))
        return -1;
    snprintf(wanted, sizeof(wanted), "cmdstat_%s:calls=", command);
    const char *at = strstr(info, wanted);
    return at ? strtol(at + strlen(wanted), NULL, 10) : 0;
}

bool redis_fixture_await(const struct redis_fixture *f, const char *command, long value)
{
    int64_t until = test_now_ms() + DEADLINE_MS;

    while (redis_fixture_number(f, command) != value) {
        if (test_now_ms() >= until)
            return false;
        test_nap_ms(1);
    }
    return true;
}
