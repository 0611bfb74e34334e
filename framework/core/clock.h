/* clock.h - the two clocks that h5swim goes by. */
#ifndef SWIM_CORE_CLOCK_H
#define SWIM_CORE_CLOCK_H

#include <stdint.h>

/* Nanoseconds since boot, counting time spent suspended (CLOCK_BOOTTIME): for leases.
 */
int64_t swim_clock_boot_ns(void);

/* Nanoseconds of CLOCK_MONOTONIC: for measuring. */
int64_t swim_clock_mono_ns(void);

/* A time, and one so many milliseconds (0 or more) later: INT64_MAX where that is
 * beyond all times. */
int64_t swim_clock_after_ms(int64_t from_ns, int64_t ms);

/* Sleep, or less when a signal is handled meanwhile. */
void swim_clock_nap_ns(int64_t ns);

#endif /* SWIM_CORE_CLOCK_H */
