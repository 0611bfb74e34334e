/* waits.c - told of each wait of a thread for a lock that was not granted at once. */
#include "waits.h"

#include "core/clock.h"
#include "lock_private.h"

static _Thread_local lock_waits_fn tell;
static _Thread_local void *tell_arg;

void lock_waits_tell(lock_waits_fn fn, void *arg)
{
    tell = fn;
    tell_arg = arg;
}

void waits_over(const struct attempt *a, bool had)
{
    const struct lock_waited waited = {
        .resource = a->lock->resource,
        .mode = a->base ? SWIM_LOCK_WRITE : a->lock->mode,
        .start_ns = a->begin_ns,
        .end_ns = swim_clock_mono_ns(),
        .had = had,
        .holder = &a->holder,
    };

    if (tell)
        tell(tell_arg, &waited);
}
