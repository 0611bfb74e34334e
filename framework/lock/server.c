/* server.c - finding, starting and ending the private lock server. */
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "server_private.h"

/* It answers; the question counts as use for the keeper. */
static bool place_answers(const struct server_place *p)
{
    char answer[64];
    int fd = server_dial_place(p);

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
    int fd = server_dial_place(p);

    if (fd < 0)
        return;
    (void)server_say(fd, "SET {h5swim}:fresh 1\r\n", answer, sizeof(answer));
    close(fd);
}

/* Make an empty file; true: it was not there. */
static bool file_mark(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

/* The keeper takes the configuration away when the server has ended. */
static int place_await(const struct server_place *p, swim_error_t *err)
{
    int64_t until_ns = swim_clock_mono_ns() + SERVER_START_MS * 1000000LL;
    char why[256];

    while (!place_answers(p)) {
        bool ended = access(p->config, F_OK) != 0;
        if (!ended && swim_clock_mono_ns() < until_ns) {
            swim_clock_nap_ns(2000000);
            continue;
        }
        server_config_why(p, why, sizeof(why));
        return swim_error_set(err, SWIM_ERR_IO,
                              "start the private lock server: %s %s%s%s (see %s)",
                              p->program, ended ? "ended" : "does not answer",
                              why[0] ? ": " : "", why, p->log);
    }
    return SWIM_OK;
}

/* With start.lock held, when none answers. */
static int place_start(struct server_place *p, const struct server_options *o,
                       swim_error_t *err)
{
    int rc = place_find_program(p, err);
    if (rc != SWIM_OK)
        return rc;
    (void)unlink(p->socket); /* of a server that is dead: it did not answer */
    (void)unlink(p->stay);
    (void)unlink(p->log);
    rc = server_config_write(p, o, err);
    if (rc == SWIM_OK && o && o->idle_s == 0)
        (void)file_mark(p->stay);
    bool fresh = file_mark(p->used);
    if (rc == SWIM_OK)
        rc = keeper_start(p, err);
    if (rc == SWIM_OK)
        rc = place_await(p, err);
    if (rc == SWIM_OK && fresh)
        place_vouch(p);
    if (rc == SWIM_OK)
        return rc;
    (void)unlink(p->url);
    (void)unlink(p->stay);
    (void)unlink(p->config);
    if (fresh)
        (void)unlink(p->used);
    return rc;
}

/* Fill the place and take start.lock: a descriptor to close. */
static int place_lock(struct server_place *p, int *fd, swim_error_t *err)
{
    int rc = place_fill(p, err);
    if (rc == SWIM_OK)
        rc = place_check_dir(p->dir, err);
    if (rc != SWIM_OK)
        return rc;
    *fd = server_lock_start(p, 2 * SERVER_START_MS);
    if (*fd < 0)
        return swim_error_sys(err, errno, "lock %s to start the private lock server",
                              p->lock);
    return SWIM_OK;
}

/* The URL of the socket, with the password if there is one. */
static int place_socket_url(const struct server_place *p, char *url, size_t size,
                            swim_error_t *err)
{
    struct lock_url other;
    bool login = place_read_url(p, &other);

    int rc =
        lock_url_of_socket(p->socket, login ? other.password : NULL, url, size, err);
    explicit_bzero(&other, sizeof(other));
    return rc;
}

int server_private_url(char *url, size_t size, swim_error_t *err)
{
    struct server_place p;
    int fd = -1;

    int rc = place_lock(&p, &fd, err);
    if (rc != SWIM_OK)
        return rc;
    if (!place_answers(&p))
        rc = place_start(&p, NULL, err);
    if (rc == SWIM_OK)
        rc = place_socket_url(&p, url, size, err);
    close(fd);
    return rc;
}

/* Whether the server that runs is what is asked for. */
static int place_compare(const struct server_place *p, const struct server_options *o,
                         swim_error_t *err)
{
    struct lock_url is;
    char shown[320] = "its socket alone";
    bool tcp = place_read_url(p, &is);

    bool same = !o->host || (tcp && is.port == (o->port ? o->port : is.port) &&
                             is.is_tls == (o->tls_cert != NULL) && !o->password);
    if (tcp)
        lock_url_show(&is, shown, sizeof(shown));
    explicit_bzero(&is, sizeof(is));
    if (same)
        return SWIM_OK;
    return swim_error_set(
        err, SWIM_ERR_ARG,
        "start the private lock server: one runs in %s already, on %s "
        "(end it by h5swim serve stop first)",
        p->dir, shown);
}

int server_start(const struct server_options *o, bool *was_running, swim_error_t *err)
{
    struct server_place p;
    int fd = -1;

    *was_running = false;
    int rc = place_lock(&p, &fd, err);
    if (rc != SWIM_OK)
        return rc;
    p.idle_s = o->idle_s;
    *was_running = place_answers(&p);
    if (!*was_running)
        rc = place_start(&p, o, err);
    else
        rc = place_compare(&p, o, err);
    if (rc == SWIM_OK && *was_running && o->idle_s == 0)
        (void)file_mark(p.stay);
    close(fd);
    return rc;
}

static void status_read(const struct server_place *p, const char *info,
                        struct server_status *status)
{
    const char *version = strstr(info, "\nredis_version:");
    struct lock_url url;

    status->running = true;
    status->stays = access(p->stay, F_OK) == 0;
    status->pid = (long)server_info_number(info, "process_id");
    status->up_s = (long)server_info_number(info, "uptime_in_seconds");
    if (version)
        (void)sscanf(version, "\nredis_version:%31[0-9.]", status->version);
    if (place_read_url(p, &url)) {
        lock_url_show(&url, status->address, sizeof(status->address));
        explicit_bzero(&url, sizeof(url));
    }
    if (!place_read_url_text(p, status->export_url, sizeof(status->export_url)))
        memcpy(status->export_url, status->socket_url, sizeof(status->export_url));
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
    int fd = server_dial_place(&p);
    if (fd < 0)
        return SWIM_OK;
    if (server_say(fd, "INFO\r\n", info, sizeof(info)) > 0 && info[0] == '$') {
        rc = place_socket_url(&p, status->socket_url, sizeof(status->socket_url), err);
        status_read(&p, info, status);
    }
    close(fd);
    return rc;
}

/* Whether there are no sessions, not even dead ones. */
static bool place_is_idle(int fd)
{
    char answer[32];

    return server_say(fd, "ZCARD {h5swim}:sessions\r\n", answer, sizeof(answer)) > 0 &&
           strncmp(answer, ":0\r", 3) == 0;
}

static int place_await_end(const struct server_place *p, swim_error_t *err)
{
    int64_t until_ns = swim_clock_mono_ns() + SERVER_START_MS * 1000000LL;

    while (place_answers(p)) {
        if (swim_clock_mono_ns() >= until_ns)
            return swim_error_set(
                err, SWIM_ERR_IO,
                "stop the private lock server in %s: it still answers", p->dir);
        swim_clock_nap_ns(5000000);
    }
    return SWIM_OK;
}

int server_private_stop(swim_error_t *err)
{
    struct server_place p;
    char answer[64];
    int lock = -1;

    int rc = place_fill(&p, err);
    int fd = rc == SWIM_OK ? server_dial_place(&p) : -1;
    if (fd < 0)
        return rc;
    rc = place_lock(&p, &lock, err);
    if (rc == SWIM_OK) {
        bool idle = place_is_idle(fd);
        (void)server_say(fd, "SHUTDOWN NOSAVE\r\n", answer, sizeof(answer));
        rc = place_await_end(&p, err);
        (void)unlink(p.stay);
        (void)unlink(p.url);
        if (rc == SWIM_OK && idle)
            (void)unlink(p.used);
        close(lock);
    }
    close(fd);
    return rc;
}
