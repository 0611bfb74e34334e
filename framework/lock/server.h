/* server.h - the private lock server of this user on this host.
 *
 * A redis-server on a socket in a directory of mode 0700: $SWIM_SERVER_DIR, else
 * $XDG_RUNTIME_DIR/h5swim, else /tmp/h5swim-UID.  A keeper process starts it and ends
 * it when nobody was connected for $SWIM_SERVER_IDLE_S (60) seconds.
 *
 * Whoever starts it, finds it running or ends it holds start.lock meanwhile; so a
 * server that was found is counted as used before the keeper can end it. */
#ifndef SWIM_LOCK_SERVER_H
#define SWIM_LOCK_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <h5swim/error.h>

#define SERVER_PATH_MAX 160

/* The URL of the private server, which is started when it does not run.
 * SWIM_ERR_IO: no redis-server, a directory that is not ours; SWIM_ERR_ARG: a path that
 * is too long.  Blocks for at most 10 s. */
int server_private_url(char *url, size_t size, swim_error_t *err);

struct server_status {
    char dir[SERVER_PATH_MAX];
    bool running;
    long pid;         /* of redis-server */
    long connections; /* besides this question */
};

/* Look, without starting anything. */
int server_private_status(struct server_status *status, swim_error_t *err);

/* End it now.  SWIM_OK also when it does not run.  Blocks for at most 5 s. */
int server_private_stop(swim_error_t *err);

#endif /* SWIM_LOCK_SERVER_H */
