/* kernel_run.c - runs the compiler: no shell, its output in our hands. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "batch/kernel_private.h"
#include "core/signals.h"

#define TEXT_MAX ((size_t)64 * 1024)

extern char **environ;

/* The environment with messages in English: the line with "error:" is looked for. */
static char **env_create(void)
{
    static char english[] = "LC_ALL=C";
    size_t n = 0, kept = 0;
    char **env = NULL;

    while (environ && environ[n])
        n++;
    env = calloc(n + 2, sizeof(*env));
    if (!env)
        return NULL;
    for (size_t i = 0; i < n; i++)
        if (strncmp(environ[i], "LC_ALL=", 7) != 0)
            env[kept++] = environ[i];
    env[kept] = english;
    return env;
}

/* In the child only async-signal-safe calls: the parent may have threads. */
static _Noreturn void child_run(char *const *argv, char *const *env, int out, int text,
                                int failed)
{
    int null = open("/dev/null", O_RDWR);

    swim_signals_unblock();
    if (null >= 0)
        dup2(null, STDIN_FILENO);
    dup2(out >= 0 ? out : null, STDOUT_FILENO);
    dup2(text, STDERR_FILENO);
    execvpe(argv[0], argv, env);
    int code = errno;
    ssize_t ignored = write(failed, &code, sizeof(code));
    (void)ignored;
    _exit(127);
}

/* What exceeds TEXT_MAX is read, so that the program can go on, and dropped. */
static void text_add(struct kernel_run *run, size_t *used, const char *bytes, size_t n)
{
    if (n > TEXT_MAX - *used)
        n = TEXT_MAX - *used;
    memcpy(run->text + *used, bytes, n);
    *used += n;
    run->text[*used] = '\0';
}

/* Both pipes together: a program blocked on one would never end the other. */
static void pipes_drain(struct kernel_run *run, int out, int text)
{
    struct pollfd polls[2] = {{.fd = out, .events = POLLIN},
                              {.fd = text, .events = POLLIN}};
    char bytes[8192];
    size_t used = 0;

    while (polls[0].fd >= 0 || polls[1].fd >= 0) {
        if (poll(polls, 2, -1) < 0 && errno != EINTR)
            return;
        for (int i = 0; i < 2; i++) {
            if (polls[i].fd < 0 || !polls[i].revents)
                continue;
            ssize_t got = read(polls[i].fd, bytes, sizeof(bytes));
            if (got < 0 && errno == EINTR)
                continue;
            if (got <= 0)
                polls[i].fd = -1;
            else if (i == 1)
                text_add(run, &used, bytes, (size_t)got);
            else if (run->sink)
                run->sink(run->arg, bytes, (size_t)got);
        }
    }
}

static void fd_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static int child_wait(pid_t pid, int *status, swim_error_t *err)
{
    while (waitpid(pid, status, 0) < 0)
        if (errno != EINTR)
            return swim_error_sys(err, errno, "wait for the compiler");
    return SWIM_OK;
}

int kernel_run(char *const *argv, struct kernel_run *run, swim_error_t *err)
{
    int out[2] = {-1, -1}, text[2] = {-1, -1}, failed[2] = {-1, -1};
    char **env = env_create();
    int rc = SWIM_OK, code = 0;
    pid_t pid = -1;

    run->text = calloc(1, TEXT_MAX + 1);
    run->status = 0;
    if (!env || !run->text) {
        rc = swim_error_set(err, SWIM_ERR_NOMEM, "run %s: no memory", argv[0]);
        goto out;
    }
    if (pipe2(out, O_CLOEXEC) || pipe2(text, O_CLOEXEC) || pipe2(failed, O_CLOEXEC)) {
        rc = swim_error_sys(err, errno, "run %s: pipe", argv[0]);
        goto out;
    }
    pid = fork();
    if (pid < 0) {
        rc = swim_error_sys(err, errno, "run %s: fork", argv[0]);
        goto out;
    }
    if (pid == 0)
        child_run(argv, env, out[1], text[1], failed[1]);
    fd_close(&out[1]);
    fd_close(&text[1]);
    fd_close(&failed[1]);
    pipes_drain(run, out[0], text[0]);
    rc = child_wait(pid, &run->status, err);
    if (rc == SWIM_OK && read(failed[0], &code, sizeof(code)) == sizeof(code))
        rc = code == ENOENT
                 ? swim_error_set(err, SWIM_ERR_IO,
                                  "%s not found: install it with apt install gcc, or "
                                  "name another by CC",
                                  argv[0])
                 : swim_error_sys(err, code, "run %s", argv[0]);
out:
    for (int i = 0; i < 2; i++) {
        fd_close(&out[i]);
        fd_close(&text[i]);
        fd_close(&failed[i]);
    }
    free(env);
    if (rc != SWIM_OK) {
        free(run->text);
        run->text = NULL;
    }
    return rc;
}
