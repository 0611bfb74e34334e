/* server.c - finding, starting and ending the private lock server. */
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "server_private.h"

#define STATUS_MS 1000 /* patience with one that starts, ends or is busy */

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

    while (place_ask(p) != PLACE_ANSWERS) {
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

/* With start.lock held, when there is none. */
static int place_start(struct server_place *p, const struct server_options *o,
                       swim_error_t *err)
{
    int rc = place_find_program(p, err);
    if (rc != SWIM_OK)
        return rc;
    (void)unlink(p->socket);
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
    if (*fd >= 0)
        return SWIM_OK;
    if (errno == EWOULDBLOCK)
        return swim_error_set(err, SWIM_ERR_IO,
                              "start the private lock server in %s: others have been "
                              "at it for %d s (see h5swim serve status)",
                              p->dir, 2 * SERVER_START_MS / 1000);
    return swim_error_sys(err, errno, "lock %s to start the private lock server",
                          p->lock);
}

int server_error_silent(const char *verb, const char *dir, long pid, swim_error_t *err)
{
    char who[48] = "it or its keeper";

    if (pid > 0)
        snprintf(who, sizeof(who), "process %ld", pid);
    return swim_error_set(err, SWIM_ERR_IO,
                          "%s the private lock server in %s: %s runs and does not "
                          "answer (let it go on, or end it by h5swim serve stop "
                          "--force)",
                          verb, dir, who);
}

/* The same, and whether one runs.  One that does not answer is asked again: it may be
 * about to end.  It is never replaced: others may hold its locks. */
static int place_find(struct server_place *p, int *fd, bool *runs, swim_error_t *err)
{
    int rc = place_lock(p, fd, err);
    if (rc != SWIM_OK)
        return rc;
    int64_t until_ns = swim_clock_mono_ns() + SERVER_START_MS * 1000000LL;
    enum place_state state = place_ask(p);
    while (state == PLACE_SILENT && swim_clock_mono_ns() < until_ns) {
        swim_clock_nap_ns(5000000);
        state = place_ask(p);
    }
    *runs = state == PLACE_ANSWERS;
    if (state != PLACE_SILENT)
        return SWIM_OK;
    close(*fd);
    return server_error_silent("use", p->dir, place_server_pid(p), err);
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
    bool runs = false;
    int fd = -1;

    int rc = place_find(&p, &fd, &runs, err);
    if (rc != SWIM_OK)
        return rc;
    if (!runs)
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
    int rc = place_find(&p, &fd, was_running, err);
    if (rc != SWIM_OK)
        return rc;
    p.idle_s = o->idle_s;
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

/* Its INFO; false: it does not answer. */
static bool place_info(const struct server_place *p, char *info, size_t size)
{
    int fd = server_dial_place(p);
    bool told = fd >= 0 && server_say(fd, "INFO\r\n", info, size) > 0 && info[0] == '$';

    if (fd >= 0)
        close(fd);
    return told;
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
    int64_t until_ns = swim_clock_mono_ns() + STATUS_MS * 1000000LL;
    bool told = place_info(&p, info, sizeof(info));
    while (!told && place_is_taken(&p) && swim_clock_mono_ns() < until_ns) {
        swim_clock_nap_ns(5000000);
        told = place_info(&p, info, sizeof(info));
    }
    status->silent = !told && place_is_taken(&p);
    status->running = told || status->silent;
    if (status->silent)
        status->pid = place_server_pid(&p);
    if (!told)
        return SWIM_OK;
    rc = place_socket_url(&p, status->socket_url, sizeof(status->socket_url), err);
    status_read(&p, info, status);
    return rc;
}

/* Whether there are no sessions, not even dead ones. */
static bool place_is_idle(int fd)
{
    char answer[32];

    return server_say(fd, "ZCARD {h5swim}:sessions\r\n", answer, sizeof(answer)) > 0 &&
           strncmp(answer, ":0\r", 3) == 0;
}

/* Until keeper and server are gone. */
static int place_await_end(const struct server_place *p, swim_error_t *err)
{
    int64_t until_ns = swim_clock_mono_ns() + SERVER_START_MS * 1000000LL;

    while (place_is_taken(p)) {
        if (swim_clock_mono_ns() >= until_ns)
            return swim_error_set(
                err, SWIM_ERR_IO,
                "stop the private lock server in %s: it or its keeper still runs",
                p->dir);
        swim_clock_nap_ns(5000000);
    }
    return SWIM_OK;
}

/* Ask it to end, or end it; *idle: nobody can hold a lock of its. */
static void place_end(const struct server_place *p, bool *idle)
{
    char answer[64];
    int fd = server_dial_place(p);

    *idle = fd >= 0 && place_is_idle(fd);
    ssize_t n = fd < 0 ? -1 : server_say(fd, "PING\r\n", answer, sizeof(answer));
    long pid = n > 0 ? 0 : place_server_pid(p);
    if (n > 0)
        (void)server_say(fd, "SHUTDOWN NOSAVE\r\n", answer, sizeof(answer));
    else if (pid > 0)
        (void)kill((pid_t)pid, SIGKILL);
    if (fd >= 0)
        close(fd);
}

int server_private_stop(swim_error_t *err)
{
    struct server_place p;
    bool idle = false;
    int lock = -1;

    int rc = place_fill(&p, err);
    if (rc != SWIM_OK || access(p.dir, F_OK) != 0)
        return rc;
    rc = place_lock(&p, &lock, err);
    if (rc != SWIM_OK)
        return rc;
    if (place_is_taken(&p)) {
        place_end(&p, &idle);
        rc = place_await_end(&p, err);
        if (rc == SWIM_OK) {
            (void)unlink(p.stay);
            (void)unlink(p.url);
        }
        if (rc == SWIM_OK && idle)
            (void)unlink(p.used);
    }
    close(lock);
    return rc;
}
