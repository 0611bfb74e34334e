/* url.c - reading and showing the address of a lock server. */
#include "url.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define URL_FORMS                                       \
    "redis[s]://[USER[:PASSWORD]@]HOST[:PORT][/DB] or " \
    "unix://[USER[:PASSWORD]@]/PATH[?db=DB]"

static int url_fail(swim_error_t *err, const char *why)
{
    return swim_error_set(err, SWIM_ERR_ARG,
                          "read the URL of the lock server: %s (give " URL_FORMS ")",
                          why);
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decode [from, end) into out; NULL, or what is wrong with it. */
static const char *part_decode(const char *from, const char *end, char *out,
                               size_t size)
{
    size_t n = 0;

    for (; from < end; from++) {
        int c = (unsigned char)*from;
        if (c == '%') {
            int high = end - from > 2 ? hex_value(from[1]) : -1;
            int low = high >= 0 ? hex_value(from[2]) : -1;
            if (low < 0)
                return "% is not followed by two hexadecimal digits";
            c = high * 16 + low;
            from += 2;
        } else if (c == '?' || c == '#' || c == '@') {
            return "one of ? # @ must be written as %3F %23 %40";
        }
        if (c < 32 || c == 127)
            return "it holds a control character";
        if (n + 1 >= size)
            return "a part of it is too long";
        out[n++] = (char)c;
    }
    out[n] = '\0';
    return NULL;
}

/* Digits only, no sign, at most max. */
static bool number_read(const char *from, const char *end, int max, int *number)
{
    long value = 0;

    if (from == end)
        return false;
    for (; from < end; from++) {
        if (*from < '0' || *from > '9')
            return false;
        value = value * 10 + (*from - '0');
        if (value > max)
            return false;
    }
    *number = (int)value;
    return true;
}

static const char *login_read(const char *from, const char *end, struct lock_url *url)
{
    const char *colon = memchr(from, ':', (size_t)(end - from));
    const char *why =
        part_decode(from, colon ? colon : end, url->user, sizeof(url->user));

    if (!why && colon)
        why = part_decode(colon + 1, end, url->password, sizeof(url->password));
    if (!why && !url->user[0] && !url->password[0])
        why = "there is no user and no password before @";
    url->has_login = true;
    return why;
}

static const char *unix_read(const char *from, struct lock_url *url)
{
    const char *end = from + strcspn(from, "?");
    const char *why;

    url->is_unix = true;
    if (*from != '/')
        return "the path of the socket must begin with /";
    why = part_decode(from, end, url->path, sizeof(url->path));
    if (why && end - from >= (long)sizeof(url->path))
        return "the path of the socket is longer than 107 bytes";
    if (!why && *end == '?' &&
        (strncmp(end, "?db=", 4) != 0 ||
         !number_read(end + 4, end + strlen(end), 999999, &url->db)))
        return "after ? only db=NUMBER is known";
    return why;
}

static const char *port_and_db_read(const char *from, struct lock_url *url)
{
    const char *end = from + strcspn(from, "/");

    if (*from == ':') {
        if (!number_read(from + 1, end, 65535, &url->port) || url->port == 0)
            return "the port is not a number between 1 and 65535";
    } else if (from != end) {
        return "what follows the host is neither :PORT nor /DB";
    }
    if (*end == '/' && end[1] != '\0' &&
        !number_read(end + 1, end + strlen(end), 999999, &url->db))
        return "the database is not a number";
    return NULL;
}

static const char *tcp_read(const char *from, struct lock_url *url)
{
    const char *end;
    const char *why;

    url->port = 6379;
    if (*from == '[') {
        end = strchr(++from, ']');
        if (!end)
            return "the bracket of the address is not closed";
    } else {
        end = from + strcspn(from, ":/");
    }
    why = part_decode(from, end, url->host, sizeof(url->host));
    if (why)
        return why;
    if (!url->host[0])
        return "there is no host";
    return port_and_db_read(*end == ']' ? end + 1 : end, url);
}

int lock_url_parse(const char *text, struct lock_url *url, swim_error_t *err)
{
    static const char redis[] = "redis://", local[] = "unix://";
    static const char secure[] = "rediss://";
    bool is_unix = strncasecmp(text, local, sizeof(local) - 1) == 0;
    const char *why = NULL;

    memset(url, 0, sizeof(*url));
    url->is_tls = strncasecmp(text, secure, sizeof(secure) - 1) == 0;
    if (!is_unix && !url->is_tls && strncasecmp(text, redis, sizeof(redis) - 1) != 0)
        return url_fail(err, "it does not begin with redis://, rediss:// or unix://");
    text += strcspn(text, ":") + 3;

    const char *at = strrchr(text, '@');
    if (at) {
        why = login_read(text, at, url);
        text = at + 1;
    }
    if (!why)
        why = is_unix ? unix_read(text, url) : tcp_read(text, url);
    if (!why)
        return SWIM_OK;
    explicit_bzero(url, sizeof(*url));
    return url_fail(err, why);
}

const char *lock_url_show(const struct lock_url *url, char *buf, size_t size)
{
    bool v6 = strchr(url->host, ':') != NULL;
    int used;

    if (url->is_unix)
        used = snprintf(buf, size, "unix://%s", url->path);
    else
        used = snprintf(buf, size, "redis%s://%s%s%s:%d", url->is_tls ? "s" : "",
                        v6 ? "[" : "", url->host, v6 ? "]" : "", url->port);
    if (url->db != 0 && used > 0 && (size_t)used < size)
        snprintf(buf + used, size - (size_t)used, url->is_unix ? "?db=%d" : "/%d",
                 url->db);
    return buf;
}

/* Append text, %-encoded but for what is alphanumeric or one of plain; false: no room.
 */
static bool url_add(char *url, size_t size, const char *text, const char *plain)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t n = strlen(url);

    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (n + 4 > size)
            return false;
        if (isalnum(c) || strchr(plain, c)) {
            url[n++] = (char)c;
        } else {
            url[n++] = '%';
            url[n++] = digits[c >> 4];
            url[n++] = digits[c & 15];
        }
        url[n] = '\0';
    }
    return true;
}

int lock_url_of_socket(const char *path, const char *password, char *url, size_t size,
                       swim_error_t *err)
{
    if (strlen(path) >= LOCK_URL_PATH_MAX)
        return swim_error_set(err, SWIM_ERR_ARG,
                              "use socket %s: its path is longer than 107 bytes (set "
                              "SWIM_SERVER_DIR to a shorter folder)",
                              path);
    bool fits = size > 0;
    if (fits)
        url[0] = '\0';
    fits = fits && url_add(url, size, "unix://", ":/");
    if (fits && password)
        fits = url_add(url, size, ":", ":") && url_add(url, size, password, "-._~") &&
               url_add(url, size, "@", "@");
    fits = fits && url_add(url, size, path, "/-._~+,=:");
    return fits ? SWIM_OK
                : swim_error_set(
                      err, SWIM_ERR_ARG,
                      "name the lock server: %zu bytes are too few for its URL", size);
}
