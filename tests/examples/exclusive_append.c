/* exclusive_append.c - any number of processes append to a file, one at a time.
 *
 *     exclusive_append FILE TEXT LINES [PAUSE_MS [LEASE_MS]]
 *
 * appends "TEXT 1", "TEXT 2", ... to FILE, with PAUSE_MS after each, and nobody else
 * who goes by the same lock writes in between.  An example of h5swim/lock.h together
 * with h5swim/signals.h:
 *
 *     cc exclusive_append.c $(pkg-config --cflags --libs h5swim)
 *
 * Exit status: 0 done, 1 failed, 2 wrong usage, 4 the lock was not had in time, 128 + N
 * told to go by signal N.  The lines that are there are whole in any case. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <h5swim/lock.h>
#include <h5swim/signals.h>

/* What must be left of the lease for one write: longer than a write takes. */
#define MARGIN_MS 100

struct task {
    const char *file, *text;
    int lines, pause_ms;
};

/* Sleep, but not longer than until a signal comes. */
static void pause_for(int ms)
{
    struct pollfd signals = {swim_signals_fd(), POLLIN, 0};

    poll(&signals, 1, ms);
}

static int append_lines(const struct task *task, const swim_lock_t *lock,
                        swim_error_t *err)
{
    int rc = SWIM_OK;
    int fd = open(task->file, O_WRONLY | O_APPEND | O_CREAT, 0666);

    if (fd < 0)
        return swim_error_sys(err, errno, "open %s", task->file);
    for (int i = 1; i <= task->lines && rc == SWIM_OK; i++) {
        char line[256];
        int size = snprintf(line, sizeof(line), "%.200s %d\n", task->text, i);
        /* A safe point: between two lines. */
        if (swim_signals_pending())
            break;
        /* Right before each write: a process that was stopped for a long time must not
         * write any more, others have the lock. */
        rc = swim_lock_check(lock, MARGIN_MS, err);
        if (rc == SWIM_OK && write(fd, line, (size_t)size) != size)
            rc = swim_error_sys(err, errno, "append to %s", task->file);
        pause_for(task->pause_ms);
    }
    if (close(fd) != 0 && rc == SWIM_OK)
        rc = swim_error_sys(err, errno, "close %s", task->file);
    return rc;
}

static int append_exclusively(const struct task *task, swim_session_t *session,
                              swim_error_t *err)
{
    char resource[PATH_MAX];
    swim_lock_t *lock = NULL;

    int rc = swim_resource_of_file(task->file, resource, sizeof(resource), err);
    if (rc == SWIM_OK)
        rc = swim_lock_acquire(session, resource, SWIM_LOCK_WRITE, NULL, &lock, err);
    if (rc != SWIM_OK)
        return rc;
    rc = append_lines(task, lock, err);
    int released = swim_lock_release(lock, rc == SWIM_OK ? err : NULL);
    return rc == SWIM_OK ? released : rc;
}

int main(int argc, char **argv)
{
    struct swim_session_options options = {
        .struct_size = sizeof(options), .job = "exclusive_append", .rank = -1};
    swim_session_t *session = NULL;
    swim_error_t err = {0};

    if (argc < 4 || argc > 6) {
        fprintf(stderr,
                "usage: exclusive_append FILE TEXT LINES [PAUSE_MS [LEASE_MS]]\n");
        return 2;
    }
    const struct task task = {argv[1], argv[2], atoi(argv[3]),
                              argc > 4 ? atoi(argv[4]) : 0};
    options.lease_ms = argc > 5 ? (uint32_t)atoi(argv[5]) : 0;

    /* First the signals: from here on no signal leaves a lock behind. */
    int rc = swim_signals_install(NULL, &err);
    if (rc == SWIM_OK)
        rc = swim_session_open(&options, &session, &err);
    if (rc == SWIM_OK)
        rc = append_exclusively(&task, session, &err);
    swim_session_close(session);
    if (swim_signals_pending())
        return 128 + swim_signals_pending();
    if (rc != SWIM_OK)
        fprintf(stderr, "exclusive_append: %s\n", err.text);
    return rc == SWIM_OK ? 0 : rc == SWIM_ERR_TIMEOUT ? 4 : 1;
}
