/* cancel.c - ending a wait from another thread or a signal handler. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lock_private.h"

struct swim_cancel {
    int fd; /* eventfd: readable while raised */
};

swim_cancel_t *swim_cancel_create(void)
{
    swim_cancel_t *cancel = malloc(sizeof(*cancel));

    if (!cancel)
        return NULL;
    cancel->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (cancel->fd < 0) {
        free(cancel);
        return NULL;
    }
    return cancel;
}

void swim_cancel_free(swim_cancel_t *cancel)
{
    if (!cancel)
        return;
    close(cancel->fd);
    free(cancel);
}

void swim_cancel_raise(swim_cancel_t *cancel)
{
    const uint64_t one = 1;
    int saved = errno;
    ssize_t ignored = write(cancel->fd, &one, sizeof(one));

    (void)ignored; /* full: it is raised already */
    errno = saved;
}

void swim_cancel_reset(swim_cancel_t *cancel)
{
    uint64_t count;
    ssize_t ignored = read(cancel->fd, &count, sizeof(count));

    (void)ignored; /* empty: it was not raised */
}

int cancel_fd(const swim_cancel_t *cancel)
{
    return cancel ? cancel->fd : -1;
}

int cancel_check(const swim_cancel_t *cancel, const char *what, swim_error_t *err)
{
    struct pollfd p = {cancel_fd(cancel), POLLIN, 0};

    if (!cancel || poll(&p, 1, 0) != 1)
        return SWIM_OK;
    return swim_error_set(err, SWIM_ERR_CANCELLED, "lock %s: the wait was cancelled",
                          what);
}
