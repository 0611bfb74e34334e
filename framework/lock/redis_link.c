/* redis_link.c - questions to Redis with waits of our own; the only user of hiredis.
 *
 * hiredis only reads answers here: its blocking calls cannot be ended by a second
 * descriptor, and its connections differ between versions. */
#include "redis_link.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/clock.h"
#include "redis_command.h"
#include "redis_refusal.h"
#include "redis_tls.h"

#define HOPS_MAX 3

struct redis_link {
    const struct lock_url *url;
    struct lock_url moved; /* where a Redis Cluster keeps the locks */
    bool is_moved;         /* connect there, not to url */
    const struct redis_link_ops *ops;
    atomic_int fd;
    struct redis_tls *tls; /* NULL: plain */
    redisReader *reader;
    bool answered; /* since it is connected */
    int refused;
    int (*greet)(struct redis_link *link, const struct redis_wait *wait, void *arg,
                 swim_error_t *err);
    void *greet_arg;
};

struct redis_link *redis_link_create(const struct lock_url *url,
                                     const struct redis_link_ops *ops)
{
    struct redis_link *link = calloc(1, sizeof(*link));

    if (!link)
        return NULL;
    link->url = url;
    link->ops = ops;
    atomic_init(&link->fd, -1);
    return link;
}

void redis_link_close(struct redis_link *link)
{
    const struct linger drop = {1, 0};
    int fd = atomic_exchange(&link->fd, -1);

    redis_tls_drop(link->tls);
    link->tls = NULL;
    if (fd >= 0) {
        /* A question without an answer must not arrive after we asked again. */
        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &drop, sizeof(drop));
        close(fd);
    }
    if (link->reader)
        redisReaderFree(link->reader);
    link->reader = NULL;
}

void redis_link_greet_by(struct redis_link *link,
                         int (*fn)(struct redis_link *link,
                                   const struct redis_wait *wait, void *arg,
                                   swim_error_t *err),
                         void *arg)
{
    link->greet = fn;
    link->greet_arg = arg;
}

void redis_link_destroy(struct redis_link *link)
{
    if (!link)
        return;
    redis_link_close(link);
    free(link);
}

void redis_link_forked(struct redis_link *link)
{
    int fd = atomic_exchange(&link->fd, -1);

    if (fd >= 0)
        close(fd);
}

int redis_link_refused(const struct redis_link *link)
{
    return link->refused;
}

int redis_link_fd(const struct redis_link *link)
{
    return atomic_load(&link->fd);
}

int redis_unsure_is_io(int rc, swim_error_t *err)
{
    if (rc != SWIM_ERR_UNSURE)
        return rc;
    if (err)
        err->code = SWIM_ERR_IO;
    return SWIM_ERR_IO;
}

static const struct lock_url *link_target(const struct redis_link *link)
{
    return link->is_moved ? &link->moved : link->url;
}

static int link_failed(struct redis_link *link, int code, const char *why,
                       swim_error_t *err)
{
    char shown[320];

    return swim_error_set(err, code, "ask lock server %s: %s",
                          lock_url_show(link_target(link), shown, sizeof(shown)), why);
}

/* Wait until the socket is ready for events: SWIM_OK, UNSURE, CANCELLED, or TIMEOUT. */
static int link_wait(struct redis_link *link, short events,
                     const struct redis_wait *wait, swim_error_t *err)
{
    switch (redis_wait_for(wait, atomic_load(&link->fd), events)) {
    case REDIS_WAIT_READY:
        return SWIM_OK;
    case REDIS_WAIT_CANCELLED:
        return link_failed(link, SWIM_ERR_CANCELLED, "interrupted", err);
    case REDIS_WAIT_LATE:
        return link_failed(link, SWIM_ERR_TIMEOUT, "no answer in time", err);
    default:
        return link_failed(link, SWIM_ERR_UNSURE, "poll failed", err);
    }
}

/* The server ended the connection.  Before any answer a wrong kind of connection is
 * likelier than its end; its complaint may have been lost with the connection. */
static int link_ended(struct redis_link *link, const char *how, swim_error_t *err)
{
    const struct lock_url *url = link_target(link);
    char why[256];

    if (link->answered || url->is_unix)
        return link_failed(link, SWIM_ERR_UNSURE, how, err);
    snprintf(why, sizeof(why), "%s before any answer (%s)", how,
             url->is_tls ? "if it wants certificates of its clients: SWIM_TLS_CERT and "
                           "SWIM_TLS_KEY name ours"
                         : "if it speaks TLS, give rediss:// instead of redis://");
    return link_failed(link, SWIM_ERR_UNSURE, why, err);
}

static ssize_t link_put(struct redis_link *link, const void *bytes, size_t size,
                        short *events)
{
    *events = POLLOUT;
    if (link->tls)
        return redis_tls_send(link->tls, bytes, size, events);
    return link->ops->send(atomic_load(&link->fd), bytes, size);
}

static ssize_t link_get(struct redis_link *link, void *bytes, size_t size, bool wait,
                        short *events)
{
    *events = POLLIN;
    if (link->tls)
        return redis_tls_recv(link->tls, bytes, size, wait, events);
    return link->ops->recv(atomic_load(&link->fd), bytes, size, wait);
}

static int link_send(struct redis_link *link, const char *bytes, size_t size,
                     const struct redis_wait *wait, swim_error_t *err)
{
    char reason[128];
    short events = 0;

    while (size > 0) {
        ssize_t n = link_put(link, bytes, size, &events);
        if (n > 0) {
            bytes += n;
            size -= (size_t)n;
        } else if (n < 0 && errno != EAGAIN && errno != EINTR) {
            return link_ended(link, strerror_r(errno, reason, sizeof(reason)), err);
        } else {
            int rc = link_wait(link, events, wait, err);
            if (rc != SWIM_OK)
                return rc;
        }
    }
    return SWIM_OK;
}

/* What came in instead of an answer that Redis would give. */
static const char *link_strange(const char *bytes, ssize_t size)
{
    return size > 1 && bytes[0] == 0x15 && bytes[1] == 0x03
               ? "it speaks TLS (give rediss:// instead of redis://)"
               : "it does not speak Redis (is the port of the URL that of a Redis "
                 "server?)";
}

/* One read, with a wait before it if there is nothing yet.  *n: 0 when there was not.
 */
static int link_read(struct redis_link *link, char *buf, size_t size,
                     const struct redis_wait *wait, ssize_t *n, swim_error_t *err)
{
    bool may_wait = wait->fds_count == 0; /* the socket is all that is waited for */
    short events = 0;
    char reason[128];

    *n = link_get(link, buf, size, may_wait, &events);
    if (*n > 0)
        return SWIM_OK;
    if (*n == 0)
        return link_ended(link, "it closed the connection", err);
    if (errno != EAGAIN && errno != EINTR)
        return link_ended(link, strerror_r(errno, reason, sizeof(reason)), err);
    *n = 0;
    return link_wait(link, events, wait, err);
}

static int link_receive(struct redis_link *link, const struct redis_wait *wait,
                        redisReply **reply, swim_error_t *err)
{
    char buf[16384];
    void *got = NULL;

    for (;;) {
        ssize_t n = 0;
        int rc = link_read(link, buf, sizeof(buf), wait, &n, err);
        if (rc != SWIM_OK)
            return rc;
        if (n > 0 && redisReaderFeed(link->reader, buf, (size_t)n) != REDIS_OK)
            return link_failed(link, SWIM_ERR_UNSURE, "no memory for the answer", err);
        if (redisReaderGetReply(link->reader, &got) != REDIS_OK)
            return link_failed(link, SWIM_ERR_UNSURE, link_strange(buf, n), err);
        if (got) {
            link->answered = true;
            *reply = got;
            return SWIM_OK;
        }
    }
}

static int link_tell(struct redis_link *link, int argc, const char *const *argv,
                     const struct redis_wait *wait, swim_error_t *err)
{
    struct redis_command command;

    if (redis_command_make(&command, argc, argv) != 0)
        return swim_error_set(err, SWIM_ERR_NOMEM, "ask the lock server: no memory");
    int rc = link_send(link, command.bytes, command.size, wait, err);
    redis_command_drop(&command);
    return rc;
}

/* One question on an open link; an error answer is still an answer here. */
static int link_ask(struct redis_link *link, int argc, const char *const *argv,
                    const struct redis_wait *wait, redisReply **reply,
                    swim_error_t *err)
{
    int rc = link_tell(link, argc, argv, wait, err);

    if (rc == SWIM_ERR_NOMEM)
        return rc;
    if (rc == SWIM_OK)
        rc = link_receive(link, wait, reply, err);
    if (rc != SWIM_OK)
        redis_link_close(link);
    if (rc != SWIM_ERR_TIMEOUT)
        return rc;
    if (err)
        err->code = SWIM_ERR_UNSURE; /* it may come yet */
    return SWIM_ERR_UNSURE;
}

/* A question of the login; its failures are failures to connect. */
static int link_greet(struct redis_link *link, int argc, const char *const *argv,
                      const struct redis_wait *wait, const char *attempt,
                      swim_error_t *err)
{
    redisReply *reply = NULL;
    char shown[320];

    int rc = link_ask(link, argc, argv, wait, &reply, err);
    if (rc != SWIM_OK)
        return redis_unsure_is_io(rc, err);
    if (reply->type == REDIS_REPLY_ERROR) {
        link->refused = 1;
        rc = swim_error_set(err, SWIM_ERR_IO, "%s lock server %s: %s", attempt,
                            lock_url_show(link_target(link), shown, sizeof(shown)),
                            reply->str);
        redis_link_close(link);
    }
    freeReplyObject(reply);
    return rc;
}

static int link_login(struct redis_link *link, const struct redis_wait *wait,
                      swim_error_t *err)
{
    const struct lock_url *url = link_target(link);
    int rc = SWIM_OK;

    if (url->has_login && url->user[0]) {
        const char *auth[] = {"AUTH", url->user, url->password};
        rc = link_greet(link, 3, auth, wait,
                        "log in with user and password of the URL to", err);
    } else if (url->has_login) {
        const char *auth[] = {"AUTH", url->password};
        rc = link_greet(link, 2, auth, wait, "log in with the password of the URL to",
                        err);
    }
    if (rc == SWIM_OK && url->db != 0) {
        char db[16];
        const char *select[] = {"SELECT", db};
        snprintf(db, sizeof(db), "%d", url->db);
        rc =
            link_greet(link, 2, select, wait, "select the database of the URL on", err);
    }
    return rc;
}

static int link_greet_by(struct redis_link *link, const struct redis_wait *wait,
                         swim_error_t *err)
{
    int rc = link->greet(link, wait, link->greet_arg, err);

    if (rc == SWIM_OK)
        return rc;
    redis_link_close(link);
    return redis_unsure_is_io(rc, err);
}

static int link_open(struct redis_link *link, const struct redis_wait *asking,
                     swim_error_t *err)
{
    struct redis_wait wait = *asking;

    if (atomic_load(&link->fd) >= 0)
        return SWIM_OK;
    redis_link_close(link);
    link->answered = false;
    link->reader = redisReaderCreate();
    if (!link->reader)
        return swim_error_set(err, SWIM_ERR_NOMEM, "connect to lock server: no memory");
    if (!asking->strict)
        wait.until_ns = swim_clock_mono_ns() + REDIS_LINK_CONNECT_MS * 1000000LL;
    int rc = link->ops->connect(link_target(link), &wait, &link->fd, err);
    if (rc == SWIM_OK && link_target(link)->is_tls) {
        rc = redis_tls_start(&link->tls, link_target(link), link->ops,
                             atomic_load(&link->fd), &wait, err);
        if (rc != SWIM_OK)
            redis_link_close(link);
    }
    if (rc == SWIM_OK)
        rc = link_login(link, &wait, err);
    if (rc == SWIM_OK && link->greet)
        rc = link_greet_by(link, &wait, err);
    if (rc != SWIM_OK)
        link->is_moved = false; /* the next try begins where the user said */
    return rc;
}

static bool link_follow(struct redis_link *link, const char *reply)
{
    struct lock_url to;

    if (!redis_refusal_moves(reply, link_target(link), &to))
        return false;
    redis_link_close(link);
    link->moved = to;
    link->is_moved = true;
    return true;
}

/* Open, ask, and follow where a cluster sends us. */
static int link_ask_there(struct redis_link *link, int argc, const char *const *argv,
                          const struct redis_wait *wait, redisReply **reply,
                          swim_error_t *err)
{
    for (int hop = 0;; hop++) {
        *reply = NULL;
        int rc = link_open(link, wait, err);
        if (rc == SWIM_OK)
            rc = link_ask(link, argc, argv, wait, reply, err);
        if (rc != SWIM_OK || !*reply || (*reply)->type != REDIS_REPLY_ERROR ||
            hop == HOPS_MAX || !link_follow(link, (*reply)->str))
            return rc;
        freeReplyObject(*reply);
    }
}

int redis_link_call(struct redis_link *link, int argc, const char *const *argv,
                    const struct redis_wait *wait, struct redis_answer **answer,
                    swim_error_t *err)
{
    redisReply *reply = NULL;

    *answer = NULL;
    link->refused = 0;
    int rc = link_ask_there(link, argc, argv, wait, &reply, err);
    if (rc != SWIM_OK || !reply)
        return rc;
    if (reply->type == REDIS_REPLY_ERROR) {
        rc = link_failed(
            link, SWIM_ERR_IO,
            strncmp(reply->str, "NOAUTH", 6) == 0
                ? "NOAUTH: it wants a password, which the URL does not "
                  "have (give redis://:PASSWORD@HOST or unix://:PASSWORD@/PATH)"
                : reply->str,
            err);
        enum redis_refusal is = redis_refusal_of(reply->str);
        link->refused = is == REDIS_REFUSED;
        if (is == REDIS_REFUSED_HERE) {
            redis_link_close(link);
            link->is_moved = false;
        }
        freeReplyObject(reply);
        return rc;
    }
    *answer = (struct redis_answer *)reply;
    return SWIM_OK;
}

int redis_link_tell(struct redis_link *link, int argc, const char *const *argv,
                    const struct redis_wait *wait, swim_error_t *err)
{
    link->refused = 0;
    int rc = link_open(link, wait, err);
    if (rc == SWIM_OK)
        rc = link_tell(link, argc, argv, wait, err);
    if (rc != SWIM_OK)
        redis_link_close(link);
    return rc;
}

/* Several may have come in one read. */
static int link_next(struct redis_link *link, const struct redis_wait *wait,
                     redisReply **reply, swim_error_t *err)
{
    void *got = NULL;

    if (redisReaderGetReply(link->reader, &got) != REDIS_OK || !got)
        return link_receive(link, wait, reply, err);
    *reply = got;
    return SWIM_OK;
}

int redis_link_listen(struct redis_link *link, const struct redis_wait *wait,
                      struct redis_answer **answer, swim_error_t *err)
{
    redisReply *reply = NULL;
    int rc = SWIM_ERR_UNSURE;

    *answer = NULL;
    if (atomic_load(&link->fd) < 0)
        (void)link_failed(link, rc, "the connection is closed", err);
    else
        rc = link_next(link, wait, &reply, err);
    *answer = (struct redis_answer *)reply;
    if (rc != SWIM_ERR_UNSURE)
        return rc;
    redis_link_close(link);
    return redis_unsure_is_io(rc, err);
}

int redis_link_eval(struct redis_link *link, const struct lock_script *script, int argc,
                    const char *const *argv, const struct redis_wait *wait,
                    struct redis_answer **answer, swim_error_t *err)
{
    enum { HEAD = 4, FEW = 16 };
    const char *few[HEAD + FEW];
    const char **command =
        argc <= FEW ? few : malloc(((size_t)argc + HEAD) * sizeof(*command));
    swim_error_t first = {0};

    *answer = NULL;
    if (!command)
        return swim_error_set(err, SWIM_ERR_NOMEM, "ask the lock server: no memory");
    const char *head[HEAD] = {"EVALSHA", script->sha, "1", SCRIPT_KEY};
    memcpy(command, head, sizeof(head));
    memcpy(command + HEAD, argv, (size_t)argc * sizeof(*argv));
    int rc = redis_link_call(link, HEAD + argc, command, wait, answer, &first);
    if (rc == SWIM_ERR_IO && link->refused && strstr(first.text, "NOSCRIPT")) {
        command[0] = "EVAL";
        command[1] = script->text;
        swim_error_clear(&first);
        rc = redis_link_call(link, HEAD + argc, command, wait, answer, &first);
    }
    if (command != few)
        free(command);
    return rc == SWIM_OK ? rc : swim_error_set(err, rc, "%s", first.text);
}

const char *redis_answer_text(const struct redis_answer *answer)
{
    const redisReply *reply = (const redisReply *)answer;

    return reply && reply->str ? reply->str : "";
}

bool redis_answer_is_number(const struct redis_answer *answer)
{
    const redisReply *reply = (const redisReply *)answer;

    return reply && reply->type == REDIS_REPLY_INTEGER;
}

long long redis_answer_number(const struct redis_answer *answer)
{
    const redisReply *reply = (const redisReply *)answer;

    return reply && reply->type == REDIS_REPLY_INTEGER ? reply->integer : 0;
}

size_t redis_answer_count(const struct redis_answer *answer)
{
    const redisReply *reply = (const redisReply *)answer;

    return reply && reply->type == REDIS_REPLY_ARRAY ? reply->elements : 0;
}

const struct redis_answer *redis_answer_at(const struct redis_answer *answer, size_t i)
{
    const redisReply *reply = (const redisReply *)answer;

    if (i >= redis_answer_count(answer))
        return NULL;
    return (const struct redis_answer *)reply->element[i];
}

void redis_answer_free(struct redis_answer *answer)
{
    if (answer)
        freeReplyObject(answer);
}
