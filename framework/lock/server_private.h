/* server_private.h - what the private server's client side and its keeper share. */
#ifndef SWIM_LOCK_SERVER_PRIVATE_H
#define SWIM_LOCK_SERVER_PRIVATE_H

#include <stdio.h>
#include <sys/types.h>

#include "server.h"
#include "url.h"

#define SERVER_START_MS 5000
#define SERVER_FILE_MAX (SERVER_PATH_MAX + 40)

/* The directory and what lies in it. */
struct server_place {
    char dir[SERVER_PATH_MAX];
    char socket[SERVER_FILE_MAX];
    char lock[SERVER_FILE_MAX];        /* start.lock */
    char pid_file[SERVER_FILE_MAX];    /* of redis-server */
    char keeper_file[SERVER_FILE_MAX]; /* of who took the directory last */
    char log[SERVER_FILE_MAX];
    char config[SERVER_FILE_MAX]; /* of one start; the keeper removes it at its end */
    char
        url[SERVER_FILE_MAX]; /* the URL for other hosts; not there: the socket alone */
    char stay[SERVER_FILE_MAX]; /* there: it does not end when idle */
    char used[SERVER_FILE_MAX]; /* there: locks of an earlier server may be alive */
    char program[4096];         /* redis-server */
    int idle_s;
};

/* Names alone; nothing is made. */
int place_fill(struct server_place *place, swim_error_t *err);
int place_fill_dir(struct server_place *place, const char *dir, swim_error_t *err);
/* The directory is made when it is not there, and is nobody else's. */
int place_check_dir(const char *dir, swim_error_t *err);
int place_find_program(struct server_place *place, swim_error_t *err);
/* The URL for other hosts, read; false: there is none. */
bool place_read_url(const struct server_place *place, struct lock_url *url);
/* The same as text, size is that of text. */
bool place_read_url_text(const struct server_place *place, char *text, size_t size);

/* The URL of the socket, with the password if there is one. */
int place_socket_url(const struct server_place *place, char *url, size_t size,
                     swim_error_t *err);

/* A connection to the socket, or -1.  No memory is allocated: the keeper may be forked
 * from a process that has threads. */
int server_dial(const char *socket_path);
/* The same, logged in when the place has a password. */
int server_dial_place(const struct server_place *place);

/* Send an inline command and read what comes, up to a whole answer: its length, or -1.
 */
ssize_t server_say(int fd, const char *command, char *answer, size_t size);
/* The same, which takes at most wait_ms; that one takes a second. */
ssize_t server_say_within(int fd, const char *command, char *answer, size_t size,
                          int64_t wait_ms);

/* The keeper and the server hold an exclusive flock on the directory as long as one of
 * them lives; so whoever cleans /tmp by age leaves it alone, too. */
bool place_is_taken(const struct server_place *place);

enum place_state {
    PLACE_EMPTY, /* no server, and no keeper that could start one */
    PLACE_ANSWERS,
    PLACE_SILENT /* it starts, ends, is busy, stopped or hangs; others may use it */
};
/* Takes at most 2 s.  A question is use for the keeper. */
enum place_state place_ask(const struct server_place *place);
/* Who listens at the socket, also when it hangs, and who keeps the place; 0: nobody, or
 * it is not known. */
long place_server_pid(const struct server_place *place);
long place_keeper_pid(const struct server_place *place);

/* A number of INFO's text, -1 when it is not there. */
long long server_info_number(const char *info, const char *name);

/* As a word of a configuration or an inline command; false: too long. */
bool server_quote(const char *text, char *out, size_t size);

/* Take start.lock, waiting at most wait_ms: a descriptor, or -1 and errno.  how:
 * LOCK_SH to look, LOCK_EX to start or end the server. */
int server_lock_start(const struct server_place *place, int how, int wait_ms);
/* Close a descriptor that was locked, and give the lock up even if another thread's
 * child has a copy of it. */
void server_unlock(int fd);
/* The same, of the right directory; verb is for errors: what is done to the server. */
int place_lock(struct server_place *place, int how, const char *verb, int *fd,
               swim_error_t *err);

/* Take away configurations: whoever is about to start a server by one does not. */
void server_config_sweep(const struct server_place *place);
/* Write place->config, which gets its name, and place->url.  NULL: the defaults. */
int server_config_write(struct server_place *place,
                        const struct server_options *options, swim_error_t *err);
/* Why redis-server did not start, as its log says; "" when it does not, or f is NULL.
 */
void server_log_why(FILE *f, char *why, size_t size);
void server_config_why(const struct server_place *place, char *why, size_t size);

#define SERVER_PASSWORD_MAX 33 /* 128 bits as hexadecimal digits */
int server_password_make(char password[SERVER_PASSWORD_MAX], swim_error_t *err);

/* In a forked child that is about to be a server or its keeper: forget what h5swim exec
 * has loaded into programs.  No locks, no memory. */
void keeper_preload_forget(void);

/* Start the keeper and return; it starts the server. */
int keeper_start(const struct server_place *place, swim_error_t *err);

#endif /* SWIM_LOCK_SERVER_PRIVATE_H */
