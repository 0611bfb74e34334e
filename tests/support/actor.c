/* actor.c - a process of its own that holds a lock and does what it is told. */
#include "actor.h"

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/signals.h"
#include "redis_fixture.h"

#define DEADLINE_MS 10000

static void actor_say(int rc, uint64_t fence)
{
    char line[64];
    int n = snprintf(line, sizeof(line), "%d %" PRIu64 "\n", rc, fence);

    if (write(1, line, (size_t)n) != n)
        _exit(9);
}

static void actor_play(swim_session_t *session, swim_lock_t *lock)
{
    char what = 'x';

    while (read(0, &what, 1) == 1 && what != 'x') {
        if (what == 'c')
            actor_say(swim_lock_check(lock, 0, NULL), 0);
        if (what == 'r') {
            actor_say(swim_lock_release(lock, NULL), 0);
            lock = NULL;
        }
    }
    if (what == 'x')
        swim_session_close(session);
}

/* --actor URL LEASE MODE RESOURCE WAIT */
bool actor_main(int argc, char **argv)
{
    struct swim_lock_options wait = {.struct_size = sizeof(wait)};
    struct swim_session_options opt = {.struct_size = sizeof(opt), .rank = -1};
    swim_session_t *session = NULL;
    swim_lock_t *lock = NULL;
    swim_error_t err = {0};

    if (argc != 7 || strcmp(argv[1], "--actor") != 0)
        return false;
    if (swim_signals_install_command(SWIM_SIGNALS_GRACE_MS, &err) != SWIM_OK)
        _exit(8);
    opt.url = argv[2];
    opt.lease_ms = (uint32_t)strtoul(argv[3], NULL, 10);
    wait.wait_ms = strtoll(argv[6], NULL, 10);
    int rc = swim_session_open(&opt, &session, &err);
    if (rc == SWIM_OK)
        rc = swim_lock_acquire(session, argv[5], (enum swim_lock_mode)atoi(argv[4]),
                               &wait, &lock, &err);
    if (rc != SWIM_OK && rc != SWIM_ERR_TIMEOUT && rc != SWIM_ERR_CANCELLED)
        fprintf(stderr, "actor: %s\n", err.text);
    actor_say(rc, lock ? swim_lock_fence(lock) : 0);
    actor_play(session, lock);
    _exit(0);
}

int actor_start(struct actor *a, const char *url, uint32_t lease_ms,
                enum swim_lock_mode mode, const char *resource, int64_t wait_ms)
{
    int in[2], out[2];
    char lease[16], kind[16], wait[24];
    const char *argv[] = {"actor", "--actor", url, lease, kind, resource, wait, NULL};

    snprintf(lease, sizeof(lease), "%u", lease_ms);
    snprintf(kind, sizeof(kind), "%d", (int)mode);
    snprintf(wait, sizeof(wait), "%" PRId64, wait_ms);
    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0)
        return -1;
    a->pid = fork();
    if (a->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(in[0], 0);
        dup2(out[1], 1);
        execv("/proc/self/exe", (char *const *)argv);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    a->in = in[1];
    a->out = out[0];
    return a->pid > 0 ? 0 : -1;
}

void actor_tell(struct actor *a, char what)
{
    ssize_t ignored = write(a->in, &what, 1);

    (void)ignored; /* its silence will be noticed */
}

int actor_hear(struct actor *a, uint64_t *fence)
{
    char line[64];
    size_t n = 0;
    struct pollfd p = {a->out, POLLIN, 0};

    while (n + 1 < sizeof(line) && poll(&p, 1, DEADLINE_MS) == 1 &&
           read(a->out, line + n, 1) == 1) {
        if (line[n++] != '\n')
            continue;
        line[n] = '\0';
        char *end = line;
        long rc = strtol(line, &end, 10);
        if (fence)
            *fence = strtoull(end, NULL, 10);
        return (int)rc;
    }
    return 1;
}

static void actor_drop(struct actor *a)
{
    close(a->in);
    close(a->out);
    a->pid = 0;
}

int actor_reap(struct actor *a)
{
    int64_t until = test_now_ms() + DEADLINE_MS;
    int status = -1;

    while (waitpid(a->pid, &status, WNOHANG) == 0) {
        if (test_now_ms() >= until)
            return -1;
        test_nap_ms(1);
    }
    actor_drop(a);
    return status;
}

void actor_kill(struct actor *a)
{
    if (a->pid <= 0)
        return;
    kill(a->pid, SIGKILL);
    waitpid(a->pid, NULL, 0);
    actor_drop(a);
}
