/* redis_link.h - one connection to a lock server, and its questions and answers.
 *
 * Threads: a link belongs to one thread at a time.
 * Fork:    a child calls redis_link_forked() and nothing else but destroy. */
#ifndef SWIM_LOCK_REDIS_LINK_H
#define SWIM_LOCK_REDIS_LINK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "redis_wait.h"
#include "url.h"

#define REDIS_LINK_CONNECT_MS 2000
#define REDIS_LINK_REQUEST_MS 2000

/* The key that scripts are sent by: a Redis Cluster finds the node by its hash tag. */
#define SCRIPT_KEY "{h5swim}:epoch"

struct redis_link;
struct redis_answer;

/* How bytes travel; tests lose them here. */
struct redis_link_ops {
    /* A connected socket, stored in *fd as soon as it exists so that a
     * forked child can close it.  *fd is -1 after a failure. */
    int (*connect)(const struct lock_url *url, const struct redis_wait *wait,
                   atomic_int *fd, swim_error_t *err);
    ssize_t (*send)(int fd, const void *bytes, size_t size);
    /* wait: for a while, when there is nothing; EAGAIN after it. */
    ssize_t (*recv)(int fd, void *bytes, size_t size, bool wait);
};

extern const struct redis_link_ops redis_link_sockets;

/* A Lua script of the protocol. */
struct lock_script {
    const char *name;
    const char *sha;
    const char *text;
};

/* url and ops are the caller's and outlive the link.  NULL: no memory.  Not connected
 * yet: each question connects and logs in when that is needed. */
struct redis_link *redis_link_create(const struct lock_url *url,
                                     const struct redis_link_ops *ops);
void redis_link_destroy(struct redis_link *link);

/* Have fn ask its questions on each new connection, after the login and before all
 * else; its failure is one to connect. */
void redis_link_greet_by(struct redis_link *link,
                         int (*fn)(struct redis_link *link,
                                   const struct redis_wait *wait, void *arg,
                                   swim_error_t *err),
                         void *arg);

/* Ask, and wait for the answer, which is the caller's to free.
 * SWIM_ERR_IO: not asked, or refused by the server; SWIM_ERR_UNSURE: asked, no answer;
 * SWIM_ERR_CANCELLED: the same, ended by one of wait->fds.  After the last two, and
 * after a failure to connect, the link is closed.
 * Blocks until wait->until_ns; when it has to connect, that has REDIS_LINK_CONNECT_MS
 * of its own, unless wait->strict. */
int redis_link_call(struct redis_link *link, int argc, const char *const *argv,
                    const struct redis_wait *wait, struct redis_answer **answer,
                    swim_error_t *err);

/* The same for a script, sent whole only when the server does not know it. */
int redis_link_eval(struct redis_link *link, const struct lock_script *script, int argc,
                    const char *const *argv, const struct redis_wait *wait,
                    struct redis_answer **answer, swim_error_t *err);

/* Only ask: redis_link_listen() has the answer, which may be a refusal.  When it fails
 * the link is closed.  Errors and time as of redis_link_call(). */
int redis_link_tell(struct redis_link *link, int argc, const char *const *argv,
                    const struct redis_wait *wait, swim_error_t *err);

/* What the server says next without being asked, as to one that subscribed, on a link
 * that is open; the caller's to free.
 * SWIM_ERR_TIMEOUT: nothing until wait->until_ns; SWIM_ERR_CANCELLED: ended by one of
 * wait->fds.  The link stays as it is after both.  SWIM_ERR_IO: it broke, and is
 * closed. */
int redis_link_listen(struct redis_link *link, const struct redis_wait *wait,
                      struct redis_answer **answer, swim_error_t *err);

/* For whoever need not know whether it was asked: SWIM_ERR_UNSURE becomes SWIM_ERR_IO,
 * in *err as well. */
int redis_unsure_is_io(int rc, swim_error_t *err);

/* The last failure was an answer of the server: asking again gives the same. */
int redis_link_refused(const struct redis_link *link);

/* Close the connection; what was sent and not delivered is dropped, not delivered late.
 */
void redis_link_close(struct redis_link *link);

/* In a forked child: close the descriptor that came along. */
void redis_link_forked(struct redis_link *link);

/* The socket, -1 when not connected. */
int redis_link_fd(const struct redis_link *link);

/* Answers: text is "" for what is no text, count 0 for what is no list, at NULL (which
 * all of these accept) beyond the end. */
const char *redis_answer_text(const struct redis_answer *answer);
bool redis_answer_is_number(const struct redis_answer *answer);
long long redis_answer_number(const struct redis_answer *answer);
size_t redis_answer_count(const struct redis_answer *answer);
const struct redis_answer *redis_answer_at(const struct redis_answer *answer, size_t i);
void redis_answer_free(struct redis_answer *answer);

#endif /* SWIM_LOCK_REDIS_LINK_H */
