/* leave.c - the last question of a process that a signal ended: close my session.
 *
 * The hook runs in a forked child of a process that had threads, so all memory and the
 * address are prepared before; in it only system calls are made.  The script goes as
 * full text: the server may have forgotten it.
 *
 * TLS cannot be spoken there; the h5swim command does it. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/command.h"
#include "core/log.h"
#include "core/signals.h"
#include "lock_private.h"
#include "redis_command.h"

#define LEAVE_MS 200
#define ENV_MAX 8

struct leave_place {
    struct sockaddr_storage address;
    socklen_t size;
};

struct leave_plan {
    int hook;
    struct leave_place places[2];
    atomic_int place; /* which of them counts; the other one may be being written */
    int answers;      /* lines to wait for */
    char *bytes;
    size_t size;
    const char *command; /* NULL: not for TLS, or there is none */
    const char *argv[8];
    char *env[ENV_MAX + 1];
};

static bool leave_wait(int fd, short events, int64_t until_ns)
{
    int64_t left_ms = (until_ns - swim_clock_mono_ns()) / 1000000;
    struct pollfd p = {fd, events, 0};

    return left_ms > 0 && poll(&p, 1, (int)left_ms) > 0;
}

static void leave_send(int fd, const struct leave_plan *plan, int64_t until_ns)
{
    size_t done = 0;

    while (done < plan->size) {
        ssize_t n = send(fd, plan->bytes + done, plan->size - done, MSG_NOSIGNAL);
        if (n > 0)
            done += (size_t)n;
        else if ((n < 0 && errno != EAGAIN) || !leave_wait(fd, POLLOUT, until_ns))
            return;
    }
    char buf[256];
    for (int lines = 0; lines < plan->answers;) {
        ssize_t n = recv(fd, buf, sizeof(buf), 0);
        if (n == 0 || (n < 0 && errno != EAGAIN))
            return;
        if (n < 0 && !leave_wait(fd, POLLIN, until_ns))
            return;
        for (ssize_t i = 0; i < n; i++)
            lines += buf[i] == '\n';
    }
}

/* In a process of its own: other hooks follow.  It must say nothing where the dead
 * process did. */
static void command_hook(void *arg)
{
    const struct leave_plan *plan = arg;

    if (_Fork() != 0)
        return;
    int null = open("/dev/null", O_RDWR);
    for (int fd = 0; fd <= 2 && null >= 0; fd++)
        dup2(null, fd);
    /* execve takes the strings as they are; its type is older than const */
    execve(plan->command, (char *const *)plan->argv, plan->env);
    _exit(127);
}

static void leave_hook(void *arg)
{
    const struct leave_plan *plan = arg;
    int64_t until_ns = swim_clock_mono_ns() + LEAVE_MS * 1000000LL;
    const struct leave_place *to = &plan->places[atomic_load(&plan->place)];
    int fd =
        socket(to->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return;
    if (connect(fd, (const struct sockaddr *)&to->address, to->size) == 0 ||
        (errno == EINPROGRESS && leave_wait(fd, POLLOUT, until_ns)))
        leave_send(fd, plan, until_ns);
    close(fd);
}

static bool plan_add(struct leave_plan *plan, int argc, const char *const *argv)
{
    struct redis_command command;

    if (redis_command_make(&command, argc, argv) != 0)
        return false;
    char *grown = realloc(plan->bytes, plan->size + command.size);
    if (grown) {
        memcpy(grown + plan->size, command.bytes, command.size);
        plan->bytes = grown;
        plan->size += command.size;
        plan->answers++;
    }
    redis_command_drop(&command);
    return grown != NULL;
}

static bool plan_fill(struct leave_plan *plan, const swim_session_t *session)
{
    const struct lock_url *url = &session->url;
    const char *auth[3] = {"AUTH"};
    const char *close_it[] = {"EVAL", script_close.text, "1", SCRIPT_KEY, session->id};
    int n = 1;

    if (url->has_login) {
        if (url->user[0])
            auth[n++] = url->user;
        auth[n++] = url->password;
        if (!plan_add(plan, n, auth))
            return false;
    }
    if (url->db != 0) {
        char db[16];
        const char *select[] = {"SELECT", db};
        snprintf(db, sizeof(db), "%d", url->db);
        if (!plan_add(plan, 2, select))
            return false;
    }
    return plan_add(plan, 5, close_it);
}

static bool env_add(struct leave_plan *plan, const char *name, const char *value)
{
    int n = 0;

    if (!value)
        return true;
    while (plan->env[n])
        n++;
    return n < ENV_MAX && asprintf(&plan->env[n], "%s=%s", name, value) >= 0;
}

/* What the command is to do, and with which environment. */
static bool plan_command(struct leave_plan *plan, const swim_session_t *session)
{
    static const char *const names[] = {"SWIM_TLS_CA", "SWIM_TLS_CERT", "SWIM_TLS_KEY",
                                        "PATH", "HOME"};
    const char *const argv[] = {"h5swim",    "locks", "--break",
                                session->id, "--yes", NULL};

    plan->command = swim_command_path();
    if (!plan->command) {
        swim_log(SWIM_LOG_DEBUG, "lock",
                 "no h5swim command: a signal will leave the session to its lease");
        return true;
    }
    memcpy(plan->argv, argv, sizeof(argv));
    bool done = env_add(plan, "SWIM_REDIS_URL", session->url_text);
    for (size_t i = 0; done && i < sizeof(names) / sizeof(*names); i++)
        done = env_add(plan, names[i], getenv(names[i]));
    return done;
}

bool leave_move(struct leave_plan *plan, const struct lock_url *url, int fd)
{
    int other = 1 - atomic_load(&plan->place);
    struct leave_place *to = &plan->places[other];
    struct sockaddr_un *un = (struct sockaddr_un *)&to->address;

    to->size = sizeof(to->address);
    if (getpeername(fd, (struct sockaddr *)&to->address, &to->size) != 0)
        return false;
    /* A socket may have had another name where the server bound it: one relative to its
     * folder, or in another container. */
    if (un->sun_family == AF_UNIX) {
        snprintf(un->sun_path, sizeof(un->sun_path), "%s", url->path);
        to->size = sizeof(*un);
    }
    atomic_store(&plan->place, other);
    return true;
}

struct leave_plan *leave_arm(const swim_session_t *session, int fd)
{
    struct leave_plan *plan = calloc(1, sizeof(*plan));

    if (!plan)
        return NULL;
    plan->hook = -1;
    bool tls = session->url.is_tls;
    if (tls ? !plan_command(plan, session)
            : !plan_fill(plan, session) || !leave_move(plan, &session->url, fd)) {
        leave_disarm(plan, false);
        return NULL;
    }
    if (!tls || plan->command)
        plan->hook = swim_signals_on_leave(tls ? command_hook : leave_hook, plan);
    return plan;
}

void leave_disarm(struct leave_plan *plan, bool forked)
{
    if (!plan)
        return;
    if (!forked)
        swim_signals_drop(plan->hook); /* in a child the number may be its own hook's */
    if (plan->bytes)
        explicit_bzero(plan->bytes, plan->size);
    free(plan->bytes);
    for (char **word = plan->env; *word; word++) {
        explicit_bzero(*word, strlen(*word));
        free(*word);
    }
    free(plan);
}
