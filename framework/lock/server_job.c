/* server_job.c - starting the lock server of one job.
 *
 * The port is one that was free a moment ago: if another takes it first, the server
 * says so and the next one is tried.  Nobody is shown the password before the server's
 * own log says that it listens there. */
#include "server_job.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/command.h"
#include "core/signals.h"
#include "server_job_private.h"
#include "server_private.h"

#define TRIES 8
#define CONFIG_MAX 2048
#define LOOK_NS 2000000
#define CLIENTS_MOST 60000U
#define CLIENTS_SPARE 64U /* descriptors that are none */

struct start {
    char config[CONFIG_MAX]; /* with the password */
    const char *command;     /* h5swim */
    char program[4096], port[8];
    int to_server[2]; /* the configuration */
    int alive[2];     /* the keeper has the second */
    int log, self;    /* self: a pidfd of this process */
};

static socklen_t sockaddr_fill(const struct address *at, struct sockaddr_storage *out)
{
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    struct sockaddr_in v4 = {.sin_family = AF_INET};

    memcpy(&v6.sin6_addr, at->bytes, sizeof(v6.sin6_addr));
    memcpy(&v4.sin_addr, at->bytes, sizeof(v4.sin_addr));
    if (at->is_v6)
        memcpy(out, &v6, sizeof(v6));
    else
        memcpy(out, &v4, sizeof(v4));
    return at->is_v6 ? sizeof(v6) : sizeof(v4);
}

/* A port that is free at the address; 0, and errno: it cannot be had. */
static uint16_t port_at(const struct address *at)
{
    struct sockaddr_storage any = {.ss_family = AF_UNSPEC};
    socklen_t size = sockaddr_fill(at, &any);
    uint16_t port = 0;

    int fd = socket(any.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && bind(fd, (const struct sockaddr *)&any, size) == 0 &&
        getsockname(fd, (struct sockaddr *)&any, &size) == 0)
        /* it is at the same place in both forms */
        memcpy(&port, (const char *)&any + offsetof(struct sockaddr_in, sin_port),
               sizeof(port));
    int saved = errno;
    if (fd >= 0)
        close(fd);
    errno = saved;
    return ntohs(port);
}

/* A port that is free at the first address.  Those that cannot be had, as one of IPv6
 * that the network has not confirmed yet, are left out: the server would not start. */
static int port_find(struct server_job *job, swim_error_t *err)
{
    struct host_addresses usable = job->where;
    char text[ADDRESS_TEXT_MAX];
    int why = 0;

    job->port = 0;
    memset(usable.at, 0, sizeof(usable.at));
    usable.n = 0;
    for (uint32_t i = 0; i < job->where.n; i++) {
        uint16_t port = port_at(&job->where.at[i]);
        if (port)
            usable.at[usable.n++] = job->where.at[i];
        else if (!why)
            why = errno;
        if (!job->port)
            job->port = port;
    }
    if (!job->port)
        return swim_error_sys(err, why, "start a lock server for this job at %s",
                              address_text(&job->where.at[0], text));
    job->where = usable;
    return SWIM_OK;
}

/* A large job has three connections from each of its processes; more than there may be
 * descriptors the server would complain of. */
static unsigned clients_most(void)
{
    struct rlimit limit = {.rlim_max = 1024};

    (void)getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_max >= CLIENTS_MOST + CLIENTS_SPARE)
        return CLIENTS_MOST;
    return limit.rlim_max > CLIENTS_SPARE ? (unsigned)limit.rlim_max - CLIENTS_SPARE
                                          : 1;
}

static void config_fill(const struct server_job *job, char *config, size_t size)
{
    char text[ADDRESS_TEXT_MAX];
    size_t used = (size_t)snprintf(config, size, "bind");

    for (uint32_t i = 0; i < job->where.n; i++)
        used += (size_t)snprintf(config + used, size - used, " %s",
                                 address_text(&job->where.at[i], text));
    snprintf(config + used, size - used,
             "\nport %u\nrequirepass %s\nprotected-mode yes\nsave \"\"\nappendonly no\n"
             "dbfilename h5swim.none\ndaemonize no\nmaxmemory-policy "
             "noeviction\nmaxclients %u\ndir /\n"
             "logfile \"\"\nloglevel notice\n",
             job->port, job->password, clients_most());
}

static void fd_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void start_close(struct start *s)
{
    fd_close(&s->to_server[0]);
    fd_close(&s->to_server[1]);
    fd_close(&s->alive[0]);
    fd_close(&s->alive[1]);
    fd_close(&s->log);
    fd_close(&s->self);
    explicit_bzero(s->config, sizeof(s->config));
}

static int start_open(struct start *s, swim_error_t *err)
{
    size_t size = strlen(s->config);

    s->log = memfd_create("h5swim-lock-server.log", MFD_CLOEXEC);
    s->self = pidfd_open(getpid(), 0);
    if (s->log < 0 || s->self < 0 || pipe2(s->to_server, O_CLOEXEC) != 0 ||
        pipe2(s->alive, O_CLOEXEC) != 0)
        return swim_error_sys(err, errno, "start a lock server for this job");
    /* A pipe takes that much without being read. */
    if (write(s->to_server[1], s->config, size) != (ssize_t)size)
        return swim_error_sys(err, errno, "configure a lock server for this job");
    fd_close(&s->to_server[1]);
    return SWIM_OK;
}

/* In the child: the descriptors where the keeper looks for them, and no others, above
 * all not those that mpirun waits for. */
static int keeper_descriptors(const struct start *s)
{
    const int from[JOB_FDS] = {[JOB_CONFIG] = s->to_server[0],
                               [JOB_OUT] = s->log,
                               [JOB_ERR] = s->log,
                               [JOB_STARTER] = s->self,
                               [JOB_ALIVE] = s->alive[1]};
    int high[JOB_FDS];

    for (int i = 0; i < JOB_FDS; i++) {
        high[i] = fcntl(from[i], F_DUPFD, JOB_FDS);
        if (high[i] < 0)
            return -1;
    }
    for (int i = 0; i < JOB_FDS; i++)
        if (dup2(high[i], i) < 0)
            return -1;
    return close_range(JOB_FDS, ~0U, 0);
}

_Noreturn static void keeper_become(const struct start *s)
{
    const char *const argv[] = {"h5swim",   "serve", "keep-job",
                                s->program, s->port, NULL};

    if (setsid() < 0 || fork() != 0 || keeper_descriptors(s) != 0 || chdir("/") != 0)
        _exit(0);
    keeper_preload_forget();
    /* execv takes the strings as they are; its type is older than const */
    execv(s->command, (char *const *)argv);
    _exit(127);
}

static int keeper_launch(struct start *s, swim_error_t *err)
{
    pid_t pid = fork();

    if (pid == 0)
        keeper_become(s);
    if (pid < 0)
        return swim_error_sys(err, errno, "fork to start a lock server for this job");
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    fd_close(&s->alive[1]);
    fd_close(&s->to_server[0]);
    return SWIM_OK;
}

static bool log_holds(int log, const char *words)
{
    char text[8192];
    ssize_t n = pread(log, text, sizeof(text) - 1, 0);

    text[n > 0 ? n : 0] = '\0';
    return strstr(text, words) != NULL;
}

bool server_job_listened(int log)
{
    return log_holds(log, "Ready to accept connections");
}

static int start_failed(const struct start *s, const char *what, swim_error_t *err)
{
    char why[256] = "", path[32];

    snprintf(path, sizeof(path), "/proc/self/fd/%d", s->log);
    FILE *f = fopen(path, "re");
    server_log_why(f, why, sizeof(why));
    if (f)
        fclose(f);
    return swim_error_set(err, SWIM_ERR_IO,
                          "start a lock server for this job: %s %s%s%s (or give one by "
                          "--redis URL or SWIM_REDIS_URL)",
                          s->program, what, why[0] ? ": " : "", why);
}

/* Until it listens; *taken: another has the port. */
static int start_await(const struct start *s, bool *taken, swim_error_t *err)
{
    int64_t until_ns = swim_clock_mono_ns() + SERVER_START_MS * 1000000LL;
    struct pollfd keeper = {s->alive[0], POLLIN, 0};

    while (!server_job_listened(s->log)) {
        if (poll(&keeper, 1, 0) == 1) {
            *taken = log_holds(s->log, "Address already in use");
            return start_failed(s, "ended", err);
        }
        int rc = swim_signals_check("start a lock server for this job", err);
        if (rc != SWIM_OK)
            return rc;
        if (swim_clock_mono_ns() >= until_ns)
            return start_failed(s, "does not answer", err);
        swim_clock_nap_ns(LOOK_NS);
    }
    return SWIM_OK;
}

static int start_once(struct server_job *job, const char *program, bool *taken,
                      swim_error_t *err)
{
    struct start s = {.to_server = {-1, -1}, .alive = {-1, -1}, .log = -1, .self = -1};

    *taken = false;
    s.command = swim_command_path();
    if (!s.command)
        return swim_error_set(err, SWIM_ERR_IO,
                              "start a lock server for this job: there is no h5swim "
                              "command to keep it");
    int rc = port_find(job, err);
    if (rc != SWIM_OK)
        return rc;
    snprintf(s.program, sizeof(s.program), "%s", program);
    snprintf(s.port, sizeof(s.port), "%u", (unsigned)job->port & 0xffffU);
    config_fill(job, s.config, sizeof(s.config));
    rc = start_open(&s, err);
    if (rc == SWIM_OK)
        rc = keeper_launch(&s, err);
    if (rc == SWIM_OK)
        rc = start_await(&s, taken, err);
    start_close(&s);
    return rc;
}

int server_job_start(const struct host_addresses *where, struct server_job *out,
                     swim_error_t *err)
{
    struct server_place place = {.idle_s = 0};
    bool taken = true;

    memset(out, 0, sizeof(*out));
    out->where = *where;
    int rc = place_find_program(&place, err);
    if (rc == SWIM_OK)
        rc = server_password_make(out->password, err);
    for (int i = 0; i < TRIES && rc == SWIM_OK && taken; i++) {
        swim_error_t now = {0};
        rc = start_once(out, place.program, &taken, &now);
        if (rc != SWIM_OK && (!taken || i + 1 == TRIES))
            return swim_error_set(err, rc, "%s", now.text);
        rc = SWIM_OK;
    }
    return rc == SWIM_OK ? server_job_greet(out, err) : rc;
}
