/* server.h - the private lock server of this user on this host.
 *
 * A redis-server on a socket in a directory of mode 0700: $SWIM_SERVER_DIR, else
 * /tmp/h5swim-UID.  A keeper process starts it and ends it when nobody was connected
 * for $SWIM_SERVER_IDLE_S (60) seconds.  server_start() makes one that stays, and that
 * other hosts can reach if that is wanted.
 *
 * Whoever starts or ends it holds start.lock meanwhile, alone, and whoever looks for it
 * holds it together with others who look; so a server that was found is counted as used
 * before the keeper can end it.
 *
 * A server that ended otherwise than idle leaves the file "used": those who held its
 * locks may be alive, so the next server begins with a grace.  One that is silent,
 * being stopped or stuck, is not followed by another while it or its keeper lives. */
#ifndef SWIM_LOCK_SERVER_H
#define SWIM_LOCK_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <h5swim/error.h>

#define SERVER_PATH_MAX 160
#define SERVER_URL_MAX 1024

/* The URL of the private server, which is started when it does not run.
 * SWIM_ERR_IO: no redis-server, a directory that is not ours, a server that runs and
 * does not answer; SWIM_ERR_ARG: a path that is too long.  Blocks for at most 30 s. */
int server_private_url(char *url, size_t size, swim_error_t *err);

/* How one is to be started that stays. */
struct server_options {
    const char *host;     /* address or name to listen at; NULL: the socket alone */
    int port;             /* with host; 0: 6379 */
    const char *password; /* with host; NULL: made up */
    const char *tls_cert, *tls_key; /* PEM files; NULL: no TLS */
    const char *tls_ca; /* the authority that signed tls_cert; NULL: known */
    bool tls_clients;   /* clients show certificates by tls_ca as well */
    int idle_s;         /* 0: it does not end when idle */
};

/* Start it, or have the one that runs stay; *was_running.  SWIM_ERR_ARG: what is asked
 * for cannot be, or a server runs that is not what is asked for; SWIM_ERR_IO: it does
 * not start or does not answer.  Blocks for at most 30 s. */
int server_start(const struct server_options *options, bool *was_running,
                 swim_error_t *err);

struct server_status {
    char dir[SERVER_PATH_MAX];
    bool running, stays;
    bool silent; /* it runs, or its keeper, and does not answer: only dir, and pid and
                    keeper if they are not 0, are known */
    char version[32], address[320];  /* "": the socket alone */
    char socket_url[SERVER_URL_MAX]; /* for this host; with the password, if any */
    char export_url[SERVER_URL_MAX]; /* for all hosts that reach it; likewise */
    long pid;                        /* of redis-server */
    long keeper;                     /* when it is silent */
    long up_s;
};

/* Look, without starting anything. */
int server_private_status(struct server_status *status, swim_error_t *err);

/* The error of one that is silent: SWIM_ERR_IO. */
int server_error_silent(const char *verb, const char *dir, long pid, long keeper,
                        swim_error_t *err);

/* End it now, by SIGKILL when it does not answer.  SWIM_OK also when it does not run,
 * SWIM_ERR_IO when it does not end.  Blocks for at most 25 s. */
int server_private_stop(swim_error_t *err);

/* Be the keeper of the server of this directory and configuration; does not return
 * unless that is no place for one. */
int server_keep(const char *dir, const char *config, int idle_s, swim_error_t *err);

#endif /* SWIM_LOCK_SERVER_H */
