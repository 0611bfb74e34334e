/* keeper.c - the process that starts the private lock server and ends it when idle.
 *
 * It becomes the h5swim command, so that it has a name of its own and nothing of who
 * started it.  Where there is no command it stays a fork of a process that may have
 * threads, so nothing here allocates memory.  Its end takes the server along. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/command.h"
#include "core/signals.h"
#include "server_private.h"

#define NS_PER_S 1000000000LL
#define DIAL_MS 20

struct keeper {
    const struct server_place *place;
    int dir; /* locked, with the server: see place_is_taken() */
    pid_t server;
    int fd; /* its one connection, -1 before it is made */
    sigset_t signals;
    long long connections; /* made in the server's life, as last seen */
    int64_t used_ns;       /* when somebody was last seen */
};

/* h5swim exec has things loaded into the programs that it runs; the server, and what
 * keeps it, outlive them and have no use for that.  For a forked child: without locks.
 */
void keeper_preload_forget(void)
{
    char **to = environ;

    if (!getenv("SWIM_EXEC_HDF5"))
        return;
    for (char **from = environ; *from; from++)
        if (strncmp(*from, "LD_PRELOAD=", 11) != 0 &&
            strncmp(*from, "LD_AUDIT=", 9) != 0)
            *to++ = *from;
    *to = NULL;
}

_Noreturn static void server_exec(const struct server_place *p, pid_t keeper)
{
    const char *const argv[] = {p->program, p->config, NULL};
    int log =
        open(p->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    sigset_t none;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != keeper)
        _exit(1);
    for (int fd = 1; fd <= 2 && log >= 0; fd++)
        dup2(log, fd); /* what it says of its configuration */
    swim_signals_unblock();
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    keeper_preload_forget();
    /* execv takes the strings as they are; its type is older than const */
    execv(p->program, (char *const *)argv);
    _exit(127);
}

static void keeper_detach(void)
{
    int null = open("/dev/null", O_RDWR);

    for (int fd = 0; fd <= 2 && null >= 0; fd++)
        dup2(null, fd);
    /* Above all the starter's hold on start.lock, which would not end with it. */
    close_range(3, ~0U, 0);
    umask(077);
    if (chdir("/") != 0)
        _exit(1);
}

static void keeper_write_pid(const struct server_place *p)
{
    char text[32];
    int n = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
    int fd = open(p->keeper_file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
                  0600);

    ssize_t ignored = fd < 0 ? 0 : write(fd, text, (size_t)n);
    (void)ignored; /* it is for those who want to end one that hangs */
    if (fd >= 0)
        close(fd);
}

/* Take the place, for the server too, which inherits the descriptor.  Who only looks
 * whether it is taken is in the way for a moment. */
static int keeper_take(const struct server_place *p)
{
    int64_t until_ns = swim_clock_mono_ns() + (SERVER_START_MS - 500) * 1000000LL;
    int fd = open(p->dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);

    while (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (swim_clock_mono_ns() >= until_ns) {
            close(fd);
            return -1;
        }
        swim_clock_nap_ns(1000000);
    }
    return fd;
}

/* Wait for a signal, at most ms: its number, 0 when none came. */
static int keeper_nap(const struct keeper *k, int64_t ms)
{
    const struct timespec nap = {ms / 1000, ms % 1000 * 1000000};
    int signo = sigtimedwait(&k->signals, NULL, &nap);

    return signo > 0 ? signo : 0;
}

/* Whether somebody is connected or was since the last look, or may be: who uses a
 * server that hangs cannot be seen. */
static int keeper_sees_use(struct keeper *k)
{
    char info[32768];

    if (k->fd < 0)
        k->fd = server_dial_place(k->place);
    if (k->fd < 0) /* without a socket nobody finds it */
        return errno != ENOENT && errno != ECONNREFUSED;
    if (server_say(k->fd, "INFO\r\n", info, sizeof(info)) <= 0 || info[0] != '$') {
        close(k->fd); /* its answer may come later than the next question */
        k->fd = -1;
        return 1;
    }
    long long made = server_info_number(info, "total_connections_received");
    int used =
        made != k->connections || server_info_number(info, "connected_clients") > 1;
    k->connections = made;
    return used;
}

/* There is no server, or not any more.  Whoever sees the configuration gone finds the
 * place free, and clears away what is left. */
static void keeper_say_ended(const struct keeper *k)
{
    if (k->dir >= 0)
        close(k->dir);
    (void)unlink(k->place->config);
}

/* idle: nobody is connected and nobody can find it, so none of its locks is alive. */
static void keeper_end(const struct keeper *k, bool idle)
{
    int64_t until_ns = swim_clock_mono_ns() + 2 * NS_PER_S;

    kill(k->server, SIGTERM);
    while (waitpid(k->server, NULL, WNOHANG) == 0) {
        if (swim_clock_mono_ns() >= until_ns)
            kill(k->server, SIGKILL);
        swim_clock_nap_ns(1000000);
    }
    (void)unlink(k->place->socket);
    (void)unlink(k->place->pid_file);
    (void)unlink(k->place->keeper_file);
    if (idle) {
        (void)unlink(k->place->url);
        (void)unlink(k->place->used);
    }
    keeper_say_ended(k);
    _exit(0);
}

/* Idle for long enough: look once more while nobody can find the server, as nobody can
 * when its folder is gone. */
static void keeper_end_if_unused(struct keeper *k)
{
    int fd = server_lock_start(k->place, LOCK_EX, 0);

    if (fd < 0 && errno != ENOENT)
        return; /* somebody is looking for the server at this moment */
    if (!keeper_sees_use(k))
        keeper_end(k, true);
    k->used_ns = swim_clock_mono_ns();
    server_unlock(fd);
}

_Noreturn static void keeper_give_up(const struct keeper *k)
{
    keeper_say_ended(k);
    _exit(1);
}

_Noreturn static void keeper_run(const struct server_place *place)
{
    struct keeper k = {.place = place, .fd = -1};
    int64_t look_ms = place->idle_s > 4 ? 1000 : 250;

    keeper_detach();
    k.dir = keeper_take(place);
    if (k.dir < 0 || access(place->config, F_OK) != 0)
        keeper_give_up(&k); /* another start has taken it away: that one goes on */
    keeper_write_pid(place);
    sigemptyset(&k.signals);
    sigaddset(&k.signals, SIGTERM);
    sigaddset(&k.signals, SIGINT);
    sigaddset(&k.signals, SIGHUP);
    sigaddset(&k.signals, SIGCHLD);
    signal(SIGCHLD, SIG_DFL);
    sigprocmask(SIG_SETMASK, &k.signals, NULL);

    pid_t self = getpid();
    k.server = fork();
    if (k.server == 0)
        server_exec(place, self);
    if (k.server < 0)
        keeper_give_up(&k);
    k.used_ns = swim_clock_mono_ns();
    for (;;) {
        /* Connected at once, it sees use even if the socket's name is taken away. */
        int signo = keeper_nap(&k, k.fd < 0 ? DIAL_MS : look_ms);
        if (signo == SIGCHLD && waitpid(k.server, NULL, WNOHANG) == 0)
            continue;
        if (signo == SIGCHLD) {
            (void)unlink(place->keeper_file);
            keeper_give_up(&k); /* who starts the next one clears away the rest */
        }
        if (signo != 0)
            keeper_end(&k, false);
        if (access(place->stay, F_OK) == 0 || keeper_sees_use(&k))
            k.used_ns = swim_clock_mono_ns();
        else if (swim_clock_mono_ns() - k.used_ns >= place->idle_s * NS_PER_S)
            keeper_end_if_unused(&k);
    }
}

int server_keep(const char *dir, const char *config, int idle_s, swim_error_t *err)
{
    struct server_place place;

    int rc = place_fill_dir(&place, dir, err);
    if (rc == SWIM_OK)
        rc = place_check_dir(dir, err);
    if (rc == SWIM_OK)
        rc = place_find_program(&place, err);
    if (rc != SWIM_OK)
        return rc;
    place.idle_s = idle_s;
    snprintf(place.config, sizeof(place.config), "%s", config);
    keeper_run(&place);
}

/* Be the command, if there is one. */
static void keeper_exec(const struct server_place *p, const char *command)
{
    char idle[16];
    const char *const argv[] = {"h5swim",  "serve", "keep", p->dir,
                                p->config, idle,    NULL};

    if (!command)
        return;
    snprintf(idle, sizeof(idle), "%d", p->idle_s);
    keeper_detach();
    keeper_preload_forget();
    /* execv takes the strings as they are; its type is older than const */
    execv(command, (char *const *)argv);
}

int keeper_start(const struct server_place *place, swim_error_t *err)
{
    const char *command = swim_command_path();
    int status = 0;
    pid_t pid = fork();

    if (pid < 0)
        return swim_error_sys(err, errno, "fork to start the private lock server");
    if (pid == 0) {
        setsid();
        pid = fork();
        if (pid != 0)
            _exit(pid > 0 ? 0 : 1);
        keeper_exec(place, command);
        keeper_run(place);
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (status != 0)
        return swim_error_set(err, SWIM_ERR_IO,
                              "start the private lock server: fork failed");
    return SWIM_OK;
}
