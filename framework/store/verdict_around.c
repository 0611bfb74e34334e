/* verdict_around.c - who has a file open at this moment, and what lies beside it.
 *
 * Only looked at: to try a lock would keep others off for a moment.  What is on other
 * hosts is not seen. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "verdict_private.h"

#define LOCKS_MAX (1U << 18)

const char *const verdict_side_suffixes[SIDES] = {
    [SIDE_NEW] = JOURNAL_NEW_SUFFIX,
    [SIDE_NEW_JOURNAL] = VERDICT_NEW_JOURNAL_SUFFIX,
    [SIDE_SAVED] = VERDICT_SAVED_SUFFIX,
    [SIDE_DISCARDED] = JOURNAL_DISCARDED_SUFFIX,
};

/* One line of /proc/locks, see proc(5): "1: FLOCK ADVISORY WRITE PID MA:MI:INODE ...",
 * with "->" for those that wait.  One that has it alone counts before others. */
static void holder_take(struct verdict_holder *h, const char *line,
                        const struct stat *st)
{
    char how[8];
    int64_t pid = 0;
    unsigned major = 0, minor = 0;
    uint64_t inode = 0;

    if (sscanf(line, "%*d: FLOCK %*s %7s %" SCNd64 " %x:%x:%" SCNu64, how, &pid, &major,
               &minor, &inode) != 5 ||
        inode != st->st_ino || major != major(st->st_dev) || minor != minor(st->st_dev))
        return;
    bool alone = strcmp(how, "WRITE") == 0;
    if (!h->is || (alone && !h->alone))
        *h = (struct verdict_holder){true, alone, pid > 0 ? pid : 0};
}

static void look_at_locks(struct verdict *v, char *text)
{
    char *rest = NULL;

    for (char *line = strtok_r(text, "\n", &rest); line;
         line = strtok_r(NULL, "\n", &rest)) {
        holder_take(&v->user, line, &v->main_st);
        if (v->log.fd >= 0)
            holder_take(&v->writer, line, &v->log_st);
    }
}

void verdict_look_around(struct verdict *v)
{
    const struct swim_io *io = v->main.io;
    const int fd = io_open(io, "/proc/locks", O_RDONLY | O_CLOEXEC, 0);
    const struct io_file locks = {io, fd, "", NULL};
    char *text = malloc(LOCKS_MAX);
    size_t got = 0;

    if (text && locks.fd >= 0 &&
        io_read(&locks, text, LOCKS_MAX - 1, 0, &got, NULL) == SWIM_OK) {
        text[got] = '\0';
        look_at_locks(v, text);
    }
    free(text);
    if (locks.fd >= 0)
        io->close(locks.fd);
    for (int i = 0; i < SIDES; i++) {
        struct stat st;
        char *name = NULL;
        v->sides[i] = asprintf(&name, "%s%s", v->path, verdict_side_suffixes[i]) >= 0 &&
                      io_lstat(io, name, &st) == 0;
        free(name);
    }
}
