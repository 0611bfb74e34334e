/* file_locks.c - flock(2): where it works, and who is in the way. */
#include "store/file_locks.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "store/io.h"

static bool is_wanted(void)
{
    const char *set = getenv("HDF5_USE_FILE_LOCKING");

    return !set || (strcasecmp(set, "FALSE") != 0 && strcmp(set, "0") != 0);
}

static int open_directory_of(const char *path)
{
    char dir[PATH_MAX];

    snprintf(dir, sizeof(dir), "%s", path);
    char *slash = strrchr(dir, '/');
    if (slash)
        slash[slash == dir] = '\0';
    return io_open(&swim_io_system, slash ? dir : ".",
                   O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
}

bool file_locks_work(const char *path)
{
    static _Atomic dev_t
        worked_on; /* the file system that was asked last, and has it */
    struct stat st;

    if (!is_wanted())
        return false;
    bool known = stat(path, &st) == 0;
    if (known && st.st_dev == worked_on)
        return true;
    int fd = io_open(&swim_io_system, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);
    if (fd < 0)
        fd = open_directory_of(path);
    if (fd < 0)
        return true; /* who opens it next says why it cannot */
    bool works = io_flock(&swim_io_system, fd, LOCK_SH | LOCK_NB) == 0 ||
                 (errno != ENOSYS && errno != EOPNOTSUPP && errno != ENOLCK);
    close(fd);
    if (works && known)
        worked_on = st.st_dev;
    return works;
}

/* "process 123 (python3)", "process 123 (python3), which is stopped,": of
 * /proc/PID/stat, "123 (python3) T ...", whose name may have brackets of its own. */
static void process_text(long pid, char *text, size_t size)
{
    char path[64], line[256] = "";

    snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
    FILE *f = fopen(path, "re");
    if (f && !fgets(line, sizeof(line), f))
        line[0] = '\0';
    if (f)
        fclose(f);
    const char *name = strchr(line, '('), *end = strrchr(line, ')');
    if (!name || !end || end < name) {
        snprintf(text, size, "process %ld (?)", pid);
        return;
    }
    const bool is_stopped = end[1] == ' ' && (end[2] == 'T' || end[2] == 't');
    snprintf(text, size, "process %ld %.*s%s", pid, (int)(end + 1 - name), name,
             is_stopped ? ", which is stopped," : "");
}

/* A line of /proc/locks: "1: FLOCK  ADVISORY  WRITE 123 08:01:4711 0 EOF". */
bool file_locks_holder(const char *path, char *text, size_t size)
{
    char line[256];
    struct stat st;
    bool found = false;
    FILE *f = stat(path, &st) == 0 ? fopen("/proc/locks", "re") : NULL;

    while (f && !found && fgets(line, sizeof(line), f)) {
        unsigned major_no, minor_no;
        uintmax_t inode;
        long pid;
        if (sscanf(line, "%*d: FLOCK %*s %*s %ld %x:%x:%ju", &pid, &major_no, &minor_no,
                   &inode) != 4)
            continue;
        if (inode != (uintmax_t)st.st_ino || pid == (long)getpid() ||
            makedev(major_no, minor_no) != st.st_dev)
            continue;
        process_text(pid, text, size);
        found = true;
    }
    if (f)
        fclose(f);
    return found;
}
