/* server_talk.c - inline questions to the private lock server, without memory of their
 * own. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/clock.h"
#include "server_private.h"

#define SAY_MS 1000

/* A server that hangs takes no connections out of its backlog, so nothing blocks here.
 */
int server_dial(const char *socket_path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -1;
    if (strlen(socket_path) >= sizeof(address.sun_path)) {
        close(fd);
        return -1;
    }
    memcpy(address.sun_path, socket_path, strlen(socket_path));
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

/* A bulk answer is whole when "$N" more bytes are there, a line at its end; "$-1" is
 * nothing. */
static int answer_is_whole(const char *answer, size_t size)
{
    const char *line = memchr(answer, '\n', size);

    if (!line)
        return 0;
    if (answer[0] != '$' || answer[1] == '-')
        return 1;
    return size >= (size_t)(line + 1 - answer) + strtoul(answer + 1, NULL, 10) + 2;
}

ssize_t server_say(int fd, const char *command, char *answer, size_t size)
{
    return server_say_within(fd, command, answer, size, SAY_MS);
}

ssize_t server_say_within(int fd, const char *command, char *answer, size_t size,
                          int64_t wait_ms)
{
    int64_t until_ns = swim_clock_mono_ns() + wait_ms * 1000000;
    size_t len = strlen(command), used = 0;

    answer[0] = '\0';
    if (send(fd, command, len, MSG_NOSIGNAL) != (ssize_t)len)
        return -1;
    while (used + 1 < size && !answer_is_whole(answer, used)) {
        struct pollfd p = {fd, POLLIN, 0};
        int64_t left_ms = (until_ns - swim_clock_mono_ns()) / 1000000;
        int n = left_ms > 0 ? poll(&p, 1, (int)left_ms) : 0;
        if (n < 0 && errno == EINTR)
            continue;
        ssize_t got = n > 0 ? recv(fd, answer + used, size - 1 - used, 0) : -1;
        if (got <= 0)
            return -1;
        used += (size_t)got;
        answer[used] = '\0';
    }
    return (ssize_t)used;
}

long long server_info_number(const char *info, const char *name)
{
    char wanted[64];
    int len = snprintf(wanted, sizeof(wanted), "\n%s:", name);
    const char *at = strstr(info, wanted);

    return at ? strtoll(at + len, NULL, 10) : -1;
}

bool server_quote(const char *text, char *out, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    size_t n = 0;

    if (size < 4 * strlen(text) + 3)
        return false;
    out[n++] = '"';
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (isalnum(c) || strchr("/-._:*", c)) {
            out[n++] = (char)c;
        } else {
            out[n++] = '\\';
            out[n++] = 'x';
            out[n++] = digits[c >> 4];
            out[n++] = digits[c & 15];
        }
    }
    out[n++] = '"';
    out[n] = '\0';
    return true;
}

int server_dial_place(const struct server_place *p)
{
    struct lock_url url;
    char word[4 * sizeof(url.password) + 3], line[sizeof(word) + 8], answer[128];
    int fd = server_dial(p->socket);

    if (fd < 0 || !place_read_url(p, &url))
        return fd;
    if (server_quote(url.password, word, sizeof(word))) {
        snprintf(line, sizeof(line), "AUTH %s\r\n", word);
        /* Whether it was the right one what follows will tell; but the answer to it
         * must not come as that to the next question. */
        if (server_say(fd, line, answer, sizeof(answer)) <= 0) {
            close(fd);
            fd = -1;
            errno = EAGAIN;
        }
        explicit_bzero(line, sizeof(line));
    }
    explicit_bzero(word, sizeof(word));
    explicit_bzero(&url, sizeof(url));
    return fd;
}

bool place_is_taken(const struct server_place *p)
{
    int fd = open(p->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

    if (fd < 0)
        return errno != ENOENT;
    bool taken = flock(fd, LOCK_SH | LOCK_NB) != 0;
    server_unlock(fd);
    return taken;
}

void server_unlock(int fd)
{
    (void)flock(fd, LOCK_UN);
    close(fd);
}

long place_keeper_pid(const struct server_place *p)
{
    char text[32] = "";
    int fd = open(p->keeper_file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    if (fd < 0)
        return 0;
    ssize_t n = read(fd, text, sizeof(text) - 1);
    close(fd);
    return n > 0 && place_is_taken(p) ? strtol(text, NULL, 10) : 0;
}

enum place_state place_ask(const struct server_place *p)
{
    char answer[64];
    int fd = server_dial_place(p);
    ssize_t n = fd < 0 ? -1 : server_say(fd, "PING\r\n", answer, sizeof(answer));

    if (fd >= 0)
        close(fd);
    if (n > 0)
        return PLACE_ANSWERS;
    return place_is_taken(p) ? PLACE_SILENT : PLACE_EMPTY;
}

long place_server_pid(const struct server_place *p)
{
    struct ucred who = {0};
    socklen_t size = sizeof(who);
    int fd = server_dial(p->socket);

    if (fd < 0)
        return 0;
    int rc = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size);
    close(fd);
    return rc == 0 ? (long)who.pid : 0;
}

int server_lock_start(const struct server_place *place, int how, int wait_ms)
{
    int64_t until_ns = swim_clock_mono_ns() + wait_ms * 1000000LL;
    int64_t nap_ns = 1000000;
    int fd = open(place->lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    while (fd >= 0 && flock(fd, how | LOCK_NB) != 0) {
        if ((errno != EWOULDBLOCK && errno != EINTR) ||
            swim_clock_mono_ns() >= until_ns) {
            int saved = errno;
            close(fd);
            errno = saved;
            return -1;
        }
        swim_clock_nap_ns(nap_ns);
        /* A hundred that want to look leave the cores to who starts a server. */
        if (how == LOCK_SH && nap_ns < 16000000)
            nap_ns *= 2;
    }
    return fd;
}
