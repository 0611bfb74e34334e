/* clock.c - the two clocks that h5swim goes by. */
#include "clock.h"

#include <time.h>

static int64_t clock_read(clockid_t id)
{
    struct timespec ts;

    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

int64_t swim_clock_boot_ns(void)
{
    return clock_read(CLOCK_BOOTTIME);
}

int64_t swim_clock_mono_ns(void)
{
    return clock_read(CLOCK_MONOTONIC);
}

int64_t swim_clock_after_ms(int64_t from_ns, int64_t ms)
{
    return ms > (INT64_MAX - from_ns) / 1000000 ? INT64_MAX : from_ns + ms * 1000000;
}

void swim_clock_nap_ns(int64_t ns)
{
    const struct timespec ts = {ns / 1000000000, ns % 1000000000};

    nanosleep(&ts, NULL);
}
