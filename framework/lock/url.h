/* url.h - where a lock server is. */
#ifndef SWIM_LOCK_URL_H
#define SWIM_LOCK_URL_H

#include <stdbool.h>
#include <stddef.h>

#include <h5swim/error.h>

#define LOCK_URL_PATH_MAX 108 /* sun_path, with its end */

struct lock_url {
    bool is_unix;
    bool is_tls;    /* rediss:// */
    char host[256]; /* TCP: name or address, IPv6 without brackets */
    int port;
    char path[LOCK_URL_PATH_MAX]; /* unix: the socket */
    char user[128];               /* "": none */
    char password[256];
    bool has_login;
    int db;
};

/* Read redis://[USER[:PASSWORD]@]HOST[:PORT][/DB] or
 * unix://[USER[:PASSWORD]@]/PATH[?db=DB], parts %-encoded; rediss:// is redis:// by
 * TLS. SWIM_ERR_ARG: the text names the part that is wrong and never quotes a URL,
 * which may hold a password in a place where nobody expects it. */
int lock_url_parse(const char *text, struct lock_url *url, swim_error_t *err);

/* The URL for people, without login: into buf. */
const char *lock_url_show(const struct lock_url *url, char *buf, size_t size);

/* unix://[:PASSWORD@]PATH, with what needs it %-encoded; password may be NULL.
 * SWIM_ERR_ARG: longer than size. */
int lock_url_of_socket(const char *path, const char *password, char *url, size_t size,
                       swim_error_t *err);

#endif /* SWIM_LOCK_URL_H */
