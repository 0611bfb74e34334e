/* server_private.h - what the private server's client side and its keeper share. */
#ifndef SWIM_LOCK_SERVER_PRIVATE_H
#define SWIM_LOCK_SERVER_PRIVATE_H

#include "server.h"

#define SERVER_START_MS 5000

struct server_place {
    char dir[SERVER_PATH_MAX];
    char socket[SERVER_PATH_MAX + 16];
    char lock[SERVER_PATH_MAX + 16];
    char pid_file[SERVER_PATH_MAX + 16];
    char log[SERVER_PATH_MAX + 16];
    char program[4096]; /* redis-server */
    int idle_s;
};

/* A connection to the socket, or -1.  No memory is allocated: the keeper is forked from
 * a process that may have threads. */
int server_dial(const char *socket_path);

/* Send an inline command and read what comes, up to a whole answer: its length, or -1.
 */
ssize_t server_say(int fd, const char *command, char *answer, size_t size);

/* A number of INFO's text, -1 when it is not there. */
long long server_info_number(const char *info, const char *name);

/* Take start.lock, waiting at most wait_ms: a descriptor, or -1 and errno. */
int server_lock_start(const struct server_place *place, int wait_ms);

/* Fork the keeper and return; it starts the server. */
int keeper_start(const struct server_place *place, swim_error_t *err);

#endif /* SWIM_LOCK_SERVER_PRIVATE_H */
