/* redis_wait.c - waiting for a descriptor with a limit and other reasons to end. */
#include "redis_wait.h"

#include <errno.h>
#include <poll.h>
#include <time.h>

#include "core/clock.h"

enum redis_waited redis_wait_for(const struct redis_wait *wait, int fd, short events)
{
    struct pollfd fds[1 + REDIS_WAIT_FDS] = {{fd, events, 0}};
    int count = wait->fds_count < REDIS_WAIT_FDS ? wait->fds_count : REDIS_WAIT_FDS;

    for (int i = 0; i < count; i++)
        fds[1 + i] = (struct pollfd){wait->fds[i], POLLIN, 0};
    for (;;) {
        int64_t left_ns = wait->until_ns - swim_clock_mono_ns();
        if (left_ns <= 0)
            return REDIS_WAIT_LATE;
        const struct timespec left = {left_ns / 1000000000, left_ns % 1000000000};
        int n = ppoll(fds, 1 + (nfds_t)count, &left, NULL);
        if (n < 0 && errno != EINTR)
            return REDIS_WAIT_FAILED;
        if (n > 0)
            return fds[0].revents ? REDIS_WAIT_READY : REDIS_WAIT_CANCELLED;
    }
}
