/* server.c - finding, starting and ending the private lock server. */
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "core/clock.h"
#include "server_private.h"

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
        /* Without a log it came to no server. */
        const char *who = access(p->log, F_OK) == 0 ? p->program : "its keeper";
        return swim_error_set(
            err, SWIM_ERR_IO, "start the private lock server: %s %s%s%s (see %s)", who,
            ended ? "ended" : "does not answer", why[0] ? ": " : "", why, p->log);
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
    (void)unlink(p->config); /* first: a keeper that has not seen it gives up */
    if (place_is_taken(p))
        return rc; /* it may come up yet, and be used */
    (void)unlink(p->url);
    (void)unlink(p->stay);
    if (fresh)
        (void)unlink(p->used);
    return rc;
}

static int server_error_taken(const struct server_place *p, const char *verb,
                              swim_error_t *err)
{
    return swim_error_set(err, SWIM_ERR_IO,
                          "%s the private lock server in %s: others have been at it "
                          "for %d s (see h5swim serve status)",
                          verb, p->dir, 2 * SERVER_START_MS / 1000);
}

int place_lock(struct server_place *p, int how, const char *verb, int *fd,
               swim_error_t *err)
{
    int rc = place_fill(p, err);
    if (rc == SWIM_OK)
        rc = place_check_dir(p->dir, err);
    if (rc != SWIM_OK)
        return rc;
    *fd = server_lock_start(p, how, 2 * SERVER_START_MS);
    if (*fd >= 0)
        return SWIM_OK;
    if (errno == EWOULDBLOCK)
        return server_error_taken(p, verb, err);
    return swim_error_sys(err, errno, "lock %s to %s the private lock server", p->lock,
                          verb);
}

/* Change a hold on start.lock to look into one to start a server: -1 and errno,
 * EWOULDBLOCK when others hold it.  Nobody may be about to start one either: a keeper
 * whose starter was killed, which does not when its configuration has gone. */
static int place_hold_alone(const struct server_place *p, int fd,
                            enum place_state *state)
{
    server_unlock(fd);
    fd = server_lock_start(p, LOCK_EX, 0);
    if (fd < 0)
        return -1;
    *state = place_ask(p);
    if (*state != PLACE_EMPTY)
        return fd;
    server_config_sweep(p);
    if (place_is_taken(p))
        *state = PLACE_SILENT;
    return fd;
}

/* One that does not answer is asked again: it may be about to end.  It is never
 * replaced: others may hold its locks. */
static enum place_state place_ask_again(const struct server_place *p)
{
    int64_t until_ns = swim_clock_mono_ns() + SERVER_START_MS * 1000000LL;
    enum place_state state = PLACE_SILENT;

    while (state == PLACE_SILENT && swim_clock_mono_ns() < until_ns) {
        swim_clock_nap_ns(5000000);
        state = place_ask(p);
    }
    return state;
}

/* Find whether one runs: start.lock is held then, to look, or to start one when there
 * is none. */
static int place_find(struct server_place *p, int *fd, bool *runs, swim_error_t *err)
{
    int64_t until_ns = swim_clock_mono_ns() + 2LL * SERVER_START_MS * 1000000;
    enum place_state state = PLACE_EMPTY;

    for (;;) {
        int rc = place_lock(p, LOCK_SH, "use", fd, err);
        if (rc != SWIM_OK)
            return rc;
        state = place_ask(p);
        if (state == PLACE_EMPTY)
            *fd = place_hold_alone(p, *fd, &state);
        if (*fd < 0 && errno != EWOULDBLOCK && errno != EINTR)
            return swim_error_sys(err, errno, "lock %s to use the private lock server",
                                  p->lock);
        *runs = state == PLACE_ANSWERS;
        if (*fd >= 0 && state != PLACE_SILENT)
            return SWIM_OK;
        if (*fd >= 0)
            server_unlock(*fd); /* others may want to end it */
        if (state == PLACE_SILENT && place_ask_again(p) == PLACE_SILENT)
            return server_error_silent("use", p->dir, place_server_pid(p),
                                       place_keeper_pid(p), err);
        if (swim_clock_mono_ns() >= until_ns)
            return server_error_taken(p, "use", err);
        /* Not in step with others, who would be in the way each time. */
        swim_clock_nap_ns(5000000 + getpid() % 16 * 200000);
    }
}

int place_socket_url(const struct server_place *p, char *url, size_t size,
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
    server_unlock(fd);
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
    server_unlock(fd);
    return rc;
}
