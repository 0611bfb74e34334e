/* lease.h - how long a session's lease is. */
#ifndef SWIM_LOCK_LEASE_H
#define SWIM_LOCK_LEASE_H

#include <stdint.h>

#include <h5swim/lock.h>

uint32_t lock_lease_ms(const swim_session_t *session);

#endif /* SWIM_LOCK_LEASE_H */
