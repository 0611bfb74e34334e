/* redis_wait.h - waiting for a descriptor with a limit and other reasons to end. */
#ifndef SWIM_LOCK_REDIS_WAIT_H
#define SWIM_LOCK_REDIS_WAIT_H

#include <stdbool.h>
#include <stdint.h>

#define REDIS_WAIT_FDS 18

/* Until when to wait, and what else ends the wait. */
struct redis_wait {
    int64_t until_ns; /* CLOCK_MONOTONIC */
    const int *fds;   /* readable: the wait is over; -1s are skipped */
    int fds_count;    /* at most REDIS_WAIT_FDS */
    bool strict;      /* a connection that must be made first has no time of its own */
};

enum redis_waited {
    REDIS_WAIT_READY,
    REDIS_WAIT_LATE,
    REDIS_WAIT_CANCELLED,
    REDIS_WAIT_FAILED, /* errno */
};

/* Wait until fd is ready for events, as poll() has them. */
enum redis_waited redis_wait_for(const struct redis_wait *wait, int fd, short events);

#endif /* SWIM_LOCK_REDIS_WAIT_H */
