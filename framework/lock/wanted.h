/* wanted.h - whether others wait for what is held. */
#ifndef SWIM_LOCK_WANTED_H
#define SWIM_LOCK_WANTED_H

#include <stdbool.h>

#include <h5swim/lock.h>

/* Whether somebody else waits for the resource of a lock that this session holds: its
 * holder may then end early what can be done another time.  One question; when it gets
 * no answer, or after the lease: yes.  Sessions that have ended may count for a while.
 * Threads and fork: as swim_lock_check(). */
bool lock_is_wanted(const swim_lock_t *lock);

#endif /* SWIM_LOCK_WANTED_H */
