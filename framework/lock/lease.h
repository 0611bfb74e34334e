/* lease.h - how long a session's lease is, and where. */
#ifndef SWIM_LOCK_LEASE_H
#define SWIM_LOCK_LEASE_H

#include <stdint.h>

#include <h5swim/lock.h>

uint32_t lock_lease_ms(const swim_session_t *session);

/* The URL of its server for people, without user and password; NULL for no session. */
const char *lock_server_shown(const swim_session_t *session);

#endif /* SWIM_LOCK_LEASE_H */
