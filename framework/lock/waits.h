/* waits.h - told of each wait of a thread for a lock that was not granted at once. */
#ifndef SWIM_LOCK_WAITS_H
#define SWIM_LOCK_WAITS_H

#include <stdbool.h>
#include <stdint.h>

#include <h5swim/lock.h>

/* One who was in the way. */
struct lock_holder {
    char session[128]; /* "": not known, as the wait was short */
    char host[64];
    char job[64];
    int64_t pid;
};

struct lock_waited {
    const char *resource;
    enum swim_lock_mode mode;
    int64_t start_ns, end_ns; /* CLOCK_MONOTONIC */
    bool had;                 /* granted in the end */
    const struct lock_holder *holder;
};

/* From now on fn is called after each wait of this thread; NULL: no more. */
typedef void (*lock_waits_fn)(void *arg, const struct lock_waited *waited);
void lock_waits_tell(lock_waits_fn fn, void *arg);

#endif /* SWIM_LOCK_WAITS_H */
