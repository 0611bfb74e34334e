/* redis_lookup.h - addresses of a host, within a time limit.
 *
 * getaddrinfo(3) has none: a name server that is silent keeps it for many seconds.  It
 * runs in a thread, which is left to itself when it takes too long. */
#ifndef SWIM_LOCK_REDIS_LOOKUP_H
#define SWIM_LOCK_REDIS_LOOKUP_H

#include <netdb.h>

#include "redis_wait.h"

/* As getaddrinfo(). */
typedef int (*redis_lookup_fn)(const char *host, const char *port,
                               const struct addrinfo *hints, struct addrinfo **list);

/* On SWIM_OK the list is for freeaddrinfo().  SWIM_ERR_IO: *why, a constant, says why
 * not; SWIM_ERR_CANCELLED. */
int redis_lookup(const char *host, const char *port, redis_lookup_fn fn,
                 const struct redis_wait *wait, struct addrinfo **list,
                 const char **why);

#endif /* SWIM_LOCK_REDIS_LOOKUP_H */
