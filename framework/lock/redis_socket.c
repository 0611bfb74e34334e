/* redis_socket.c - sockets to a lock server that notice a dead peer.
 *
 * Keep-alive finds a link that was lost while idle, the user timeout one that was lost
 * with data under way: 3 to 4 s in either case instead of for ever. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/clock.h"
#include "redis_link.h"
#include "redis_lookup.h"

#define RECV_WAIT_US 100000

static void tcp_tune(int fd)
{
    static const struct {
        int level, name, value;
    } options[] = {
        {SOL_SOCKET, SO_KEEPALIVE, 1},         {IPPROTO_TCP, TCP_KEEPIDLE, 1},
        {IPPROTO_TCP, TCP_KEEPINTVL, 1},       {IPPROTO_TCP, TCP_KEEPCNT, 3},
        {IPPROTO_TCP, TCP_USER_TIMEOUT, 4000}, {IPPROTO_TCP, TCP_NODELAY, 1},
    };

    /* Each only makes a failure known sooner; the request timeout is behind them. */
    for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++)
        (void)setsockopt(fd, options[i].level, options[i].name, &options[i].value,
                         sizeof(options[i].value));
}

/* SWIM_OK, SWIM_ERR_CANCELLED, or SWIM_ERR_IO and errno. */
static int socket_connect(atomic_int *fd_out, const struct sockaddr *address,
                          socklen_t size, const struct redis_wait *wait)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    enum redis_waited waited = REDIS_WAIT_READY;
    socklen_t len = sizeof(int);
    int rc = 0;

    atomic_store(fd_out, fd);
    if (fd < 0)
        return SWIM_ERR_IO;
    if (address->sa_family != AF_UNIX)
        tcp_tune(fd);
    if (connect(fd, address, size) == 0)
        return SWIM_OK;
    rc = errno;
    if (rc == EINPROGRESS || rc == EINTR) {
        waited = redis_wait_for(wait, fd, POLLOUT);
        if (waited == REDIS_WAIT_LATE)
            rc = ETIMEDOUT;
        else if (waited == REDIS_WAIT_FAILED ||
                 getsockopt(fd, SOL_SOCKET, SO_ERROR, &rc, &len) < 0)
            rc = errno;
    }
    if (rc == 0 && waited == REDIS_WAIT_READY)
        return SWIM_OK;
    close(atomic_exchange(fd_out, -1));
    errno = rc;
    return waited == REDIS_WAIT_CANCELLED ? SWIM_ERR_CANCELLED : SWIM_ERR_IO;
}

static int connect_failed(const struct lock_url *url, int code, const char *why,
                          swim_error_t *err)
{
    char shown[320];

    lock_url_show(url, shown, sizeof(shown));
    if (code == SWIM_ERR_CANCELLED)
        return swim_error_set(err, code, "connect to lock server %s: interrupted",
                              shown);
    return swim_error_set(
        err, SWIM_ERR_IO,
        "connect to lock server %s: %s (is it running? --redis URL or "
        "SWIM_REDIS_URL names another)",
        shown, why);
}

static int unix_connect(const struct lock_url *url, const struct redis_wait *wait,
                        atomic_int *fd, swim_error_t *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char reason[128];

    memcpy(address.sun_path, url->path, sizeof(address.sun_path));
    int rc =
        socket_connect(fd, (const struct sockaddr *)&address, sizeof(address), wait);
    if (rc == SWIM_OK)
        return rc;
    return connect_failed(url, rc, strerror_r(errno, reason, sizeof(reason)), err);
}

/* Each address has its share of the time: one that is silent does not hide the next. */
static int addresses_connect(const struct addrinfo *list, const struct redis_wait *wait,
                             atomic_int *fd)
{
    int rc = SWIM_ERR_IO, left = 0;

    for (const struct addrinfo *a = list; a; a = a->ai_next)
        left++;
    for (const struct addrinfo *a = list; a && rc == SWIM_ERR_IO; a = a->ai_next) {
        struct redis_wait share = *wait;
        int64_t now_ns = swim_clock_mono_ns();
        share.until_ns = now_ns + (wait->until_ns - now_ns) / left--;
        rc = socket_connect(fd, a->ai_addr, a->ai_addrlen, &share);
    }
    return rc;
}

static int tcp_connect(const struct lock_url *url, const struct redis_wait *wait,
                       atomic_int *fd, swim_error_t *err)
{
    struct addrinfo *list = NULL;
    char port[8], reason[128];
    const char *why = NULL;

    snprintf(port, sizeof(port), "%u", (unsigned)url->port & 0xffffU);
    int rc = redis_lookup(url->host, port, getaddrinfo, wait, &list, &why);
    if (rc != SWIM_OK)
        return connect_failed(url, rc, why, err);
    rc = addresses_connect(list, wait, fd);
    int reason_code = errno;
    freeaddrinfo(list);
    if (rc == SWIM_OK)
        return rc;
    return connect_failed(url, rc, strerror_r(reason_code, reason, sizeof(reason)),
                          err);
}

/* From now on only those wait who say so, and not for ever: one system call less for
 * each answer. */
static void socket_let_wait(int fd)
{
    const struct timeval most = {0, RECV_WAIT_US};
    int flags = fcntl(fd, F_GETFL);

    if (flags >= 0 && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof(most)) == 0)
        (void)fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
}

static int sockets_connect(const struct lock_url *url, const struct redis_wait *wait,
                           atomic_int *fd, swim_error_t *err)
{
    atomic_store(fd, -1);
    int rc = url->is_unix ? unix_connect(url, wait, fd, err)
                          : tcp_connect(url, wait, fd, err);
    if (rc == SWIM_OK)
        socket_let_wait(atomic_load(fd));
    return rc;
}

static ssize_t sockets_send(int fd, const void *bytes, size_t size)
{
    return send(fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static ssize_t sockets_recv(int fd, void *bytes, size_t size, bool wait)
{
    return recv(fd, bytes, size, wait ? 0 : MSG_DONTWAIT);
}

const struct redis_link_ops redis_link_sockets = {
    .connect = sockets_connect, .send = sockets_send, .recv = sockets_recv};
