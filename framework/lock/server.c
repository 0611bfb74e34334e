/* server.c - finding and starting the private lock server. */
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/clock.h"
#include "server_private.h"
#include "url.h"

#define SAY_MS 1000
#define IDLE_DEFAULT_S 60

int server_dial(const char *socket_path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    if (strlen(socket_path) >= sizeof(address.sun_path)) {
        close(fd);
        return -1;
    }
    memcpy(address.sun_path, socket_path, strlen(socket_path));
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    close(fd);
    return -1;
}

/* A bulk answer is whole when "$N" more bytes are there, a line at its end. */
static int answer_is_whole(const char *answer, size_t size)
{
    const char *line = memchr(answer, '\n', size);

    if (!line)
        return 0;
    if (answer[0] != '$')
        return 1;
    return size >= (size_t)(line + 1 - answer) + strtoul(answer + 1, NULL, 10) + 2;
}

ssize_t server_say(int fd, const char *command, char *answer, size_t size)
{
    int64_t until_ns = swim_clock_mono_ns() + SAY_MS * 1000000LL;
    size_t len = strlen(command), used = 0;

    answer[0] = '\0';
    if (send(fd, command, len, MSG_NOSIGNAL) != (ssize_t)len)
        return -1;
    while (used + 1 < size && !answer_is_whole(answer, used)) {
        struct pollfd p = {fd, POLLIN, 0};
        int64_t left_ms = (until_ns - swim_clock_mono_ns()) / 1000000;
        int n = left_ms > 0 ? poll(&p, 1, (int)left_ms) : 0;
        if (n < 0 && errno == EINTR)
            continue;
        ssize_t got = n > 0 ? recv(fd, answer + used, size - 1 - used, 0) : -1;
        if (got <= 0)
            return -1;
        used += (size_t)got;
        answer[used] = '\0';
    }
    return (ssize_t)used;
}

long long server_info_number(const char *info, const char *name)
{
    char wanted[64];
    int len = snprintf(wanted, sizeof(wanted), "\n%s:", name);
    const char *at = strstr(info, wanted);

    return at ? strtoll(at + len, NULL, 10) : -1;
}

int server_lock_start(const struct server_place *place, int wait_ms)
{
    int64_t until_ns = swim_clock_mono_ns() + wait_ms * 1000000LL;
    int fd = open(place->lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    while (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if ((errno != EWOULDBLOCK && errno != EINTR) ||
            swim_clock_mono_ns() >= until_ns) {
            int saved = errno;
            close(fd);
            errno = saved;
            return -1;
        }
        swim_clock_nap_ns(2000000);
    }
    return fd;
}

/* The directory, made when it is not there; nobody else may have a hand in it. */
static int place_check_dir(const char *dir, swim_error_t *err)
{
    struct stat st;

    if (mkdir(dir, 0700) != 0 && errno != EEXIST)
        return swim_error_sys(err, errno, "create %s for the private lock server", dir);
    if (lstat(dir, &st) != 0)
        return swim_error_sys(err, errno, "look at %s for the private lock server",
                              dir);
    const char *why = NULL;
    if (!S_ISDIR(st.st_mode))
        why = "it is not a directory";
    else if (st.st_uid != geteuid())
        why = "it belongs to another user";
    else if ((st.st_mode & 07777) != 0700)
        why = "its mode is not 0700";
    if (!why)
        return SWIM_OK;
    return swim_error_set(err, SWIM_ERR_IO,
                          "use %s for the private lock server: %s (remove it, or set "
                          "SWIM_SERVER_DIR to a folder of your own)",
                          dir, why);
}

static int place_fill(struct server_place *p, swim_error_t *err)
{
    const char *own = getenv("SWIM_SERVER_DIR");
    const char *run = getenv("XDG_RUNTIME_DIR");
    const char *idle = getenv("SWIM_SERVER_IDLE_S");
    struct stat st;
    int n;

    memset(p, 0, sizeof(*p));
    if (own && own[0])
        n = snprintf(p->dir, sizeof(p->dir), "%s", own);
    else if (run && run[0] == '/' && stat(run, &st) == 0 && S_ISDIR(st.st_mode))
        n = snprintf(p->dir, sizeof(p->dir), "%s/h5swim", run);
    else
        n = snprintf(p->dir, sizeof(p->dir), "/tmp/h5swim-%ld", (long)geteuid());
    if (p->dir[0] != '/')
        return swim_error_set(err, SWIM_ERR_ARG,
                              "use SWIM_SERVER_DIR=%s: it is not an absolute path",
                              p->dir);
    if (n + (int)sizeof("/redis.sock") > LOCK_URL_PATH_MAX)
        return swim_error_set(
            err, SWIM_ERR_ARG,
            "use %s/redis.sock as socket: its path is longer than 107 "
            "bytes (set SWIM_SERVER_DIR to a shorter folder)",
            p->dir);
    snprintf(p->socket, sizeof(p->socket), "%s/redis.sock", p->dir);
    snprintf(p->lock, sizeof(p->lock), "%s/start.lock", p->dir);
    snprintf(p->pid_file, sizeof(p->pid_file), "%s/redis.pid", p->dir);
    snprintf(p->log, sizeof(p->log), "%s/redis.log", p->dir);
    p->idle_s = idle && atoi(idle) > 0 ? atoi(idle) : IDLE_DEFAULT_S;
    return SWIM_OK;
}

/* redis-server in PATH, or where it is when PATH does not have it. */
static int place_find_program(struct server_place *p, swim_error_t *err)
{
    const char *dirs[] = {getenv("PATH"), "/usr/bin:/usr/sbin"};

    for (size_t i = 0; i < 2; i++) {
        for (const char *at = dirs[i]; at && *at;) {
            int len = (int)strcspn(at, ":");
            int n =
                snprintf(p->program, sizeof(p->program), "%.*s/redis-server", len, at);
            if (len > 0 && n < (int)sizeof(p->program) && p->program[0] == '/' &&
                access(p->program, X_OK) == 0)
                return SWIM_OK;
            at += len + (at[len] == ':');
        }
    }
    p->program[0] = '\0';
    return swim_error_set(
        err, SWIM_ERR_IO,
        "start the private lock server: redis-server not found: apt "
        "install redis-server, or point --redis / SWIM_REDIS_URL at a "
        "server");
}

/* It answers; the question counts as use for the keeper. */
static bool place_answers(const struct server_place *p)
{
    char answer[64];
    int fd = server_dial(p->socket);

    if (fd < 0)
        return false;
    ssize_t n = server_say(fd, "PING\r\n", answer, sizeof(answer));
    close(fd);
    return n > 0 && strncmp(answer, "+PONG", 5) == 0;
}

/* No lock of an earlier server can be alive. */
static void place_vouch(const struct server_place *p)
{
    char answer[64];
    int fd = server_dial(p->socket);

    if (fd < 0)
        return;
    (void)server_say(fd, "SET {h5swim}:fresh 1\r\n", answer, sizeof(answer));
    close(fd);
}

static int place_start(struct server_place *p, swim_error_t *err)
{
    int64_t until_ns = swim_clock_mono_ns() + SERVER_START_MS * 1000000LL;

    int rc = place_find_program(p, err);
    if (rc != SWIM_OK)
        return rc;
    (void)unlink(p->socket); /* of a server that is dead: it did not answer */
    rc = keeper_start(p, err);
    if (rc != SWIM_OK)
        return rc;
    while (!place_answers(p)) {
        if (swim_clock_mono_ns() >= until_ns)
            return swim_error_set(err, SWIM_ERR_IO,
                                  "start the private lock server: %s does not answer "
                                  "after %d s (see %s)",
                                  p->program, SERVER_START_MS / 1000, p->log);
        swim_clock_nap_ns(2000000);
    }
    place_vouch(p);
    return SWIM_OK;
}

int server_private_url(char *url, size_t size, swim_error_t *err)
{
    struct server_place p;

    int rc = place_fill(&p, err);
    if (rc == SWIM_OK)
        rc = place_check_dir(p.dir, err);
    if (rc == SWIM_OK)
        rc = lock_url_of_socket(p.socket, url, size, err);
    if (rc != SWIM_OK)
        return rc;
    int fd = server_lock_start(&p, 2 * SERVER_START_MS);
    if (fd < 0)
        return swim_error_sys(err, errno, "lock %s to start the private lock server",
                              p.lock);
    if (!place_answers(&p))
        rc = place_start(&p, err);
    close(fd);
    return rc;
}

int server_private_status(struct server_status *status, swim_error_t *err)
{
    struct server_place p;
    char info[32768];

    memset(status, 0, sizeof(*status));
    int rc = place_fill(&p, err);
    if (rc != SWIM_OK)
        return rc;
    memcpy(status->dir, p.dir, sizeof(status->dir));
    int fd = server_dial(p.socket);
    if (fd < 0)
        return SWIM_OK;
    if (server_say(fd, "INFO\r\n", info, sizeof(info)) > 0) {
        status->running = true;
        status->pid = (long)server_info_number(info, "process_id");
        /* Neither the keeper's connection nor this one. */
        status->connections = (long)server_info_number(info, "connected_clients") - 2;
    }
    close(fd);
    return SWIM_OK;
}

int server_private_stop(swim_error_t *err)
{
    struct server_place p;
    char answer[64];
    int64_t until_ns = swim_clock_mono_ns() + SERVER_START_MS * 1000000LL;

    int rc = place_fill(&p, err);
    if (rc != SWIM_OK)
        return rc;
    int fd = server_dial(p.socket);
    if (fd < 0)
        return SWIM_OK;
    (void)server_say(fd, "SHUTDOWN NOSAVE\r\n", answer, sizeof(answer));
    close(fd);
    while (place_answers(&p)) {
        if (swim_clock_mono_ns() >= until_ns)
            return swim_error_set(
                err, SWIM_ERR_IO,
                "stop the private lock server in %s: it still answers", p.dir);
        swim_clock_nap_ns(5000000);
    }
    return SWIM_OK;
}
