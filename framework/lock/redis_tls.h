/* redis_tls.h - TLS between a link and its socket (RFC 8446, RFC 5246 for version 1.2).
 *
 * Certificates: of the server's, its chain, its name or address and its dates are
 * checked, always.  Trusted are the authorities of the system, or those in the file
 * $SWIM_TLS_CA.  $SWIM_TLS_CERT and $SWIM_TLS_KEY are shown to servers that ask.
 *
 * hiredis has TLS of its own from version 1.0 on; this one also works with older ones,
 * and its bytes travel by redis_link_ops like all others.
 *
 * Threads: as a link.  Fork: a child leaves it alone. */
#ifndef SWIM_LOCK_REDIS_TLS_H
#define SWIM_LOCK_REDIS_TLS_H

#include "redis_link.h"

struct redis_tls;

/* Shake hands over a connected socket.  SWIM_ERR_IO: the text says what is wrong, and
 * what to do; SWIM_ERR_NOMEM; SWIM_ERR_CANCELLED; SWIM_ERR_ARG: files of the
 * environment that cannot be used. */
int redis_tls_start(struct redis_tls **out, const struct lock_url *url,
                    const struct redis_link_ops *ops, int fd,
                    const struct redis_wait *wait, swim_error_t *err);

/* As send() and recv(); EAGAIN: *events of the socket must come first. */
ssize_t redis_tls_send(struct redis_tls *tls, const void *bytes, size_t size,
                       short *events);
ssize_t redis_tls_recv(struct redis_tls *tls, void *bytes, size_t size, bool wait,
                       short *events);

/* Forget it; nothing is sent.  Accepts NULL. */
void redis_tls_drop(struct redis_tls *tls);

#endif /* SWIM_LOCK_REDIS_TLS_H */
