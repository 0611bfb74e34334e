/* clock.h - the two clocks that h5swim goes by. */
#ifndef SWIM_CORE_CLOCK_H
#define SWIM_CORE_CLOCK_H

#include <stdint.h>

/* Nanoseconds since boot, counting time spent suspended (CLOCK_BOOTTIME): for leases.
 */
int64_t swim_clock_boot_ns(void);

/* Nanoseconds of CLOCK_MONOTONIC: for measuring. */
int64_t swim_clock_mono_ns(void);

/* Sleep, or less when a signal is handled meanwhile. */
void swim_clock_nap_ns(int64_t ns);

#endif /* SWIM_CORE_CLOCK_H */
