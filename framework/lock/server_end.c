/* server_end.c - what the private lock server does, and ending it. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/clock.h"
#include "server_private.h"

#define STATUS_MS 1000 /* patience with one that starts, ends or is busy */

int server_error_silent(const char *verb, const char *dir, long pid, long keeper,
                        swim_error_t *err)
{
    char who[48] = "it or its keeper";

    if (pid > 0)
        snprintf(who, sizeof(who), "process %ld", pid);
    else if (keeper > 0)
        snprintf(who, sizeof(who), "its keeper, process %ld,", keeper);
    return swim_error_set(err, SWIM_ERR_IO,
                          "%s the private lock server in %s: %s runs and does not "
                          "answer (let it go on, or end it by h5swim serve stop "
                          "--force)",
                          verb, dir, who);
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

/* The place, which is not made here: *is_there. */
static int place_look_at(struct server_place *p, bool *is_there, swim_error_t *err)
{
    struct stat st;

    *is_there = false;
    int rc = place_fill(p, err);
    if (rc != SWIM_OK || (lstat(p->dir, &st) != 0 && errno == ENOENT))
        return rc;
    *is_there = true;
    return place_check_dir(p->dir, err);
}

int server_private_status(struct server_status *status, swim_error_t *err)
{
    struct server_place p;
    char info[32768];
    bool is_there = false;

    memset(status, 0, sizeof(*status));
    int rc = place_look_at(&p, &is_there, err);
    memcpy(status->dir, p.dir, sizeof(status->dir));
    if (rc != SWIM_OK || !is_there)
        return rc;
    int64_t until_ns = swim_clock_mono_ns() + STATUS_MS * 1000000LL;
    bool told = place_info(&p, info, sizeof(info));
    bool taken = told || place_is_taken(&p);
    while (!told && taken && swim_clock_mono_ns() < until_ns) {
        swim_clock_nap_ns(5000000);
        told = place_info(&p, info, sizeof(info));
        taken = told || place_is_taken(&p);
    }
    status->running = taken;
    status->silent = taken && !told;
    if (status->silent) {
        status->pid = place_server_pid(&p);
        status->keeper = place_keeper_pid(&p);
    }
    if (!told)
        return SWIM_OK;
    rc = place_socket_url(&p, status->socket_url, sizeof(status->socket_url), err);
    status_read(&p, info, status);
    return rc;
}

/* Whether there are no sessions, not even dead ones, and nobody who could begin one:
 * its keeper is connected, and this question. */
static bool place_is_idle(const struct server_place *p, int fd)
{
    char answer[32], info[32768];

    return place_info(p, info, sizeof(info)) &&
           server_info_number(info, "connected_clients") <= 3 &&
           server_say(fd, "ZCARD {h5swim}:sessions\r\n", answer, sizeof(answer)) > 0 &&
           strncmp(answer, ":0\r", 3) == 0;
}

/* Until keeper and server are gone. */
static int place_await_end(const struct server_place *p, swim_error_t *err)
{
    int64_t until_ns = swim_clock_mono_ns() + SERVER_START_MS * 1000000LL;

    while (place_ask(p) != PLACE_EMPTY) {
        if (swim_clock_mono_ns() >= until_ns)
            return swim_error_set(
                err, SWIM_ERR_IO,
                "stop the private lock server in %s: it or its keeper still runs",
                p->dir);
        swim_clock_nap_ns(5000000);
    }
    return SWIM_OK;
}

static void kill_if_known(long pid)
{
    if (pid > 0)
        (void)kill((pid_t)pid, SIGKILL);
}

/* Ask it to end, or end it; *idle: nobody can hold a lock of its.  The keeper's end
 * takes the server along. */
static void place_end(const struct server_place *p, enum place_state state, bool *idle)
{
    char answer[64];
    int fd = state == PLACE_ANSWERS ? server_dial_place(p) : -1;

    *idle = false;
    if (fd >= 0) {
        *idle = place_is_idle(p, fd);
        (void)server_say(fd, "SHUTDOWN NOSAVE\r\n", answer, sizeof(answer));
        close(fd);
        return;
    }
    long server = place_server_pid(p);
    kill_if_known(place_keeper_pid(p));
    kill_if_known(server);
}

int server_private_stop(swim_error_t *err)
{
    struct server_place p;
    bool is_there = false, idle = false;
    int lock = -1;

    int rc = place_look_at(&p, &is_there, err);
    if (rc != SWIM_OK || !is_there)
        return rc;
    rc = place_lock(&p, LOCK_EX, "stop", &lock, err);
    if (rc != SWIM_OK)
        return rc;
    enum place_state state = place_ask(&p);
    if (state != PLACE_EMPTY) {
        place_end(&p, state, &idle);
        rc = place_await_end(&p, err);
        if (rc == SWIM_OK) {
            server_config_sweep(&p); /* of a keeper that was killed */
            (void)unlink(p.keeper_file);
            (void)unlink(p.stay);
            (void)unlink(p.url);
        }
        if (rc == SWIM_OK && idle)
            (void)unlink(p.used);
    }
    server_unlock(lock);
    return rc;
}
