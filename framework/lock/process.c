/* process.c - who a process is, and whether it still lives.
 *
 * A pid alone may have been given to another process; with its start time, in one
 * boot and one pid namespace, it is unique.  The same start is another number in
 * another time namespace, so who is in one cannot tell whether those outside live.  A
 * zombie still has its line in /proc: it is dead when its pidfd is readable, which is
 * after the last of its threads.
 *
 * A process that calls exec keeps all of these, and nothing of what it had open.  All
 * copies of this library in one program have the same image. */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/pidfd.h>
#include <unistd.h>

static ssize_t file_head(const char *path, char *buf, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, buf, size - 1);

    buf[n > 0 ? n : 0] = '\0';
    if (fd >= 0)
        close(fd);
    return n;
}

/* Field 22 of /proc/PID/stat; 0 when it cannot be read. */
static int64_t process_start(int64_t pid)
{
    char path[64], stat[1024];

    snprintf(path, sizeof(path), "/proc/%lld/stat", (long long)pid);
    if (file_head(path, stat, sizeof(stat)) <= 0)
        return 0;
    /* The name, in brackets, may hold anything: count from the last bracket. */
    const char *c = strrchr(stat, ')');
    for (int field = 2; c && field < 22; field++)
        c = strchr(c + 1, ' ');
    return c ? strtoll(c + 1, NULL, 10) : 0;
}

static void name_clean(char *name)
{
    for (; *name; name++)
        if (*name == '/' || *name == ':' || *name <= ' ')
            *name = '_';
}

/* "[4026531836]": this process's namespace of a kind; "": not known. */
static void space_name(const char *path, char *text, size_t size)
{
    char link[64];
    ssize_t n = readlink(path, link, sizeof(link) - 1);

    link[n > 0 ? n : 0] = '\0';
    const char *number = strchr(link, '[');
    snprintf(text, size, "%s", number ? number : "");
}

/* The kernel gives each exec random bytes.  The C library makes secrets of them, so no
 * more than a few bits of a hash are told. */
static void image_name(char *text, size_t size)
{
    const unsigned char *bytes = (const unsigned char *)getauxval(AT_RANDOM);
    uint32_t hash = 2166136261U;

    for (int i = 0; bytes && i < 16; i++)
        hash = (hash ^ bytes[i]) * 16777619U;
    if (bytes)
        snprintf(text, size, "%08x", hash);
}

void process_self(struct process_id *self)
{
    struct passwd record, *found = NULL;
    char buf[4096], boot[40], pids[16], times[16];

    memset(self, 0, sizeof(*self));
    if (gethostname(self->host, sizeof(self->host) - 1) != 0 || !self->host[0])
        snprintf(self->host, sizeof(self->host), "unknown");
    name_clean(self->host);
    if (getpwuid_r(geteuid(), &record, buf, sizeof(buf), &found) == 0 && found)
        snprintf(self->user, sizeof(self->user), "%s", found->pw_name);
    else
        snprintf(self->user, sizeof(self->user), "%ld", (long)geteuid());
    self->pid = getpid();
    self->start = process_start(self->pid);
    image_name(self->image, sizeof(self->image));

    space_name("/proc/self/ns/pid", pids, sizeof(pids));
    space_name("/proc/self/ns/time", times, sizeof(times)); /* from Linux 5.6 on */
    if (pids[0] && file_head("/proc/sys/kernel/random/boot_id", boot, sizeof(boot)) > 0)
        snprintf(self->boot, sizeof(self->boot), "%.36s/%.12s/%.12s", boot, pids,
                 times);
}

bool process_was_self(const struct process_id *self, const char *boot, int64_t pid,
                      int64_t start, const char *image)
{
    bool same = self->boot[0] && strcmp(self->boot, boot) == 0 && self->pid == pid &&
                start > 0 && self->start == start;

    return same && self->image[0] && image[0] && strcmp(self->image, image) != 0;
}

enum process_state process_watch(const struct process_id *self, const char *boot,
                                 int64_t pid, int64_t start, int *pidfd)
{
    *pidfd = -1;
    if (!self->boot[0] || strcmp(self->boot, boot) != 0 || pid <= 0 || start <= 0)
        return PROCESS_ELSEWHERE;
    int fd = pidfd_open((pid_t)pid, 0);
    if (fd < 0)
        return errno == ESRCH ? PROCESS_DEAD : PROCESS_ELSEWHERE;
    struct pollfd p = {fd, POLLIN, 0};
    int64_t now = process_start(pid);
    if (poll(&p, 1, 0) == 1 || (now != 0 && now != start)) {
        close(fd);
        return PROCESS_DEAD;
    }
    *pidfd = fd;
    return PROCESS_ALIVE;
}
