/* server_place.c - where the private lock server is, and what it leaves there. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server_private.h"

#define IDLE_DEFAULT_S 60

/* The directory, made when it is not there; nobody else may have a hand in it. */
int place_check_dir(const char *dir, swim_error_t *err)
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

int place_fill_dir(struct server_place *p, const char *dir, swim_error_t *err)
{
    static const char longest[] = "/redis.sock";
    const struct {
        char *path;
        const char *name;
    } files[] = {{p->socket, "redis.sock"},
                 {p->lock, "start.lock"},
                 {p->pid_file, "redis.pid"},
                 {p->log, "redis.log"},
                 {p->url, "url"},
                 {p->stay, "stay"},
                 {p->used, "used"},
                 {p->keeper_file, "keeper.pid"}};

    memset(p, 0, sizeof(*p));
    if (dir[0] != '/')
        return swim_error_set(err, SWIM_ERR_ARG,
                              "use SWIM_SERVER_DIR=%s: it is not an absolute path",
                              dir);
    if (strlen(dir) + sizeof(longest) > LOCK_URL_PATH_MAX)
        return swim_error_set(
            err, SWIM_ERR_ARG,
            "use %s/redis.sock as socket: its path is longer than 107 "
            "bytes (set SWIM_SERVER_DIR to a shorter folder)",
            dir);
    snprintf(p->dir, sizeof(p->dir), "%s", dir);
    for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
        snprintf(files[i].path, SERVER_FILE_MAX, "%s/%s", p->dir, files[i].name);
    return SWIM_OK;
}

int place_fill(struct server_place *p, swim_error_t *err)
{
    const char *own = getenv("SWIM_SERVER_DIR");
    const char *idle = getenv("SWIM_SERVER_IDLE_S");
    char dir[PATH_MAX];

    if (own && own[0])
        snprintf(dir, sizeof(dir), "%s", own);
    else /* the same for a login, for cron, and after the logout */
        snprintf(dir, sizeof(dir), "/tmp/h5swim-%ld", (long)geteuid());
    int rc = place_fill_dir(p, dir, err);
    p->idle_s = idle && atoi(idle) > 0 ? atoi(idle) : IDLE_DEFAULT_S;
    return rc;
}

/* redis-server in PATH, or where it is when PATH does not have it. */
int place_find_program(struct server_place *p, swim_error_t *err)
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

bool place_read_url_text(const struct server_place *p, char *text, size_t size)
{
    int fd = open(p->url, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);

    text[n > 0 ? n : 0] = '\0';
    text[strcspn(text, "\n")] = '\0';
    if (fd >= 0)
        close(fd);
    return text[0] != '\0';
}

bool place_read_url(const struct server_place *p, struct lock_url *url)
{
    char text[SERVER_URL_MAX];
    bool is = place_read_url_text(p, text, sizeof(text)) &&
              lock_url_parse(text, url, NULL) == SWIM_OK;

    explicit_bzero(text, sizeof(text));
    return is;
}
