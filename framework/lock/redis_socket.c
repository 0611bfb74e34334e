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

/* 0 or an errno. */
static int socket_connect(atomic_int *fd_out, const struct sockaddr *address,
                          socklen_t size, int64_t until_ns)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int rc = 0;

    atomic_store(fd_out, fd);
    if (fd < 0)
        return errno;
    if (address->sa_family != AF_UNIX)
        tcp_tune(fd);
    if (connect(fd, address, size) == 0)
        return 0;
    rc = errno;
    if (rc == EINPROGRESS || rc == EINTR) {
        struct pollfd p = {fd, POLLOUT, 0};
        socklen_t len = sizeof(rc);
        int64_t left_ms = (until_ns - swim_clock_mono_ns()) / 1000000;
        int n = poll(&p, 1, left_ms > 0 ? (int)left_ms : 0);
        if (n == 0 || (n < 0 && errno == EINTR))
            rc = ETIMEDOUT;
        else if (n < 0 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &rc, &len) < 0)
            rc = errno;
    }
    if (rc != 0)
        close(atomic_exchange(fd_out, -1));
    return rc;
}

static int connect_failed(const struct lock_url *url, const char *why,
                          swim_error_t *err)
{
    char shown[320];

    return swim_error_set(
        err, SWIM_ERR_IO,
        "connect to lock server %s: %s (is it running? --redis URL or "
        "SWIM_REDIS_URL names another)",
        lock_url_show(url, shown, sizeof(shown)), why);
}

static int unix_connect(const struct lock_url *url, int64_t until_ns, atomic_int *fd,
                        swim_error_t *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char reason[128];

    memcpy(address.sun_path, url->path, sizeof(address.sun_path));
    int rc = socket_connect(fd, (const struct sockaddr *)&address, sizeof(address),
                            until_ns);
    if (rc == 0)
        return SWIM_OK;
    return connect_failed(url, strerror_r(rc, reason, sizeof(reason)), err);
}

static int tcp_connect(const struct lock_url *url, int64_t until_ns, atomic_int *fd,
                       swim_error_t *err)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    char port[8], reason[128];
    int rc = 0;

    snprintf(port, sizeof(port), "%u", (unsigned)url->port & 0xffffU);
    int gai = getaddrinfo(url->host, port, &hints, &list);
    if (gai != 0)
        return connect_failed(url, gai_strerror(gai), err);
    for (struct addrinfo *a = list; a; a = a->ai_next) {
        rc = socket_connect(fd, a->ai_addr, a->ai_addrlen, until_ns);
        if (rc == 0)
            break;
    }
    freeaddrinfo(list);
    if (rc == 0)
        return SWIM_OK;
    return connect_failed(url, strerror_r(rc, reason, sizeof(reason)), err);
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

static int sockets_connect(const struct lock_url *url, int timeout_ms, atomic_int *fd,
                           swim_error_t *err)
{
    int64_t until_ns = swim_clock_mono_ns() + (int64_t)timeout_ms * 1000000;

    atomic_store(fd, -1);
    int rc = url->is_unix ? unix_connect(url, until_ns, fd, err)
                          : tcp_connect(url, until_ns, fd, err);
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
