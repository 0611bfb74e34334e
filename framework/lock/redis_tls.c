/* redis_tls.c - TLS between a link and its socket. */
#include "redis_tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct redis_tls {
    SSL *ssl;
    const struct redis_link_ops *ops;
    int fd;
    bool wait; /* a read may wait for bytes */
};

static struct {
    pthread_mutex_t mutex;
    SSL_CTX *context; /* made once, for all sessions of the process */
    BIO_METHOD *method;
} tls = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static int socket_write(BIO *bio, const char *bytes, int size)
{
    struct redis_tls *t = BIO_get_data(bio);
    ssize_t n = t->ops->send(t->fd, bytes, (size_t)size);

    BIO_clear_retry_flags(bio);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        BIO_set_retry_write(bio);
    return (int)n;
}

static int socket_read(BIO *bio, char *bytes, int size)
{
    struct redis_tls *t = BIO_get_data(bio);
    ssize_t n = t->ops->recv(t->fd, bytes, (size_t)size, t->wait);

    BIO_clear_retry_flags(bio);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        BIO_set_retry_read(bio);
    return (int)n;
}

static long socket_ctrl(BIO *bio, int what, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return what == BIO_CTRL_FLUSH;
}

/* What OpenSSL last complained about. */
static const char *tls_reason(char *buf, size_t size)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;

    snprintf(buf, size, "%s", reason ? reason : "it ended the connection");
    return buf;
}

static int file_refused(const char *name, const char *file, swim_error_t *err)
{
    char reason[128];

    return swim_error_set(err, SWIM_ERR_ARG, "use %s=%s for TLS: %s", name, file,
                          tls_reason(reason, sizeof(reason)));
}

/* The files that the environment names. */
static int context_configure(SSL_CTX *context, swim_error_t *err)
{
    const char *ca = getenv("SWIM_TLS_CA");
    const char *cert = getenv("SWIM_TLS_CERT"), *key = getenv("SWIM_TLS_KEY");

    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if (SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1)
        return swim_error_set(err, SWIM_ERR_IO, "use TLS: version 1.2 is not there");
    if (ca && ca[0]) {
        if (SSL_CTX_load_verify_locations(context, ca, NULL) != 1)
            return file_refused("SWIM_TLS_CA", ca, err);
    } else {
        (void)SSL_CTX_set_default_verify_paths(context); /* none: nobody is trusted */
    }
    if (!cert || !cert[0])
        return SWIM_OK;
    if (SSL_CTX_use_certificate_chain_file(context, cert) != 1)
        return file_refused("SWIM_TLS_CERT", cert, err);
    if (!key || !key[0])
        key = cert;
    if (SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(context) != 1)
        return file_refused("SWIM_TLS_KEY", key, err);
    return SWIM_OK;
}

static BIO_METHOD *method_make(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "lock server");

    if (method) {
        BIO_meth_set_write(method, socket_write);
        BIO_meth_set_read(method, socket_read);
        BIO_meth_set_ctrl(method, socket_ctrl);
    }
    return method;
}

/* Once a process; a failure is tried again. */
static int context_find(swim_error_t *err)
{
    int rc = SWIM_OK;

    pthread_mutex_lock(&tls.mutex);
    if (!tls.method)
        tls.method = method_make();
    if (tls.method && !tls.context) {
        ERR_clear_error();
        SSL_CTX *context = SSL_CTX_new(TLS_client_method());
        if (context)
            rc = context_configure(context, err);
        if (rc == SWIM_OK)
            tls.context = context;
        else
            SSL_CTX_free(context);
    }
    if (rc == SWIM_OK && !tls.context)
        rc = swim_error_set(err, SWIM_ERR_NOMEM, "use TLS: no memory");
    pthread_mutex_unlock(&tls.mutex);
    return rc;
}

/* Whose certificate is expected. */
static bool name_expect(SSL *ssl, const char *host)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);

    if (X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1)
        return true;
    ERR_clear_error();
    return X509_VERIFY_PARAM_set1_host(param, host, 0) == 1 &&
           SSL_set_tlsext_host_name(ssl, host) == 1;
}

static struct redis_tls *tls_create(const struct lock_url *url,
                                    const struct redis_link_ops *ops, int fd)
{
    struct redis_tls *t = calloc(1, sizeof(*t));
    BIO *bio = t ? BIO_new(tls.method) : NULL;

    if (!bio) {
        free(t);
        return NULL;
    }
    t->ops = ops;
    t->fd = fd;
    BIO_set_data(bio, t);
    BIO_set_init(bio, 1);
    t->ssl = SSL_new(tls.context);
    if (!t->ssl || !name_expect(t->ssl, url->host)) {
        BIO_free(bio);
        redis_tls_drop(t);
        return NULL;
    }
    SSL_set_bio(t->ssl, bio, bio);
    return t;
}

static int handshake_failed(const struct redis_tls *t, const struct lock_url *url,
                            enum redis_waited waited, swim_error_t *err)
{
    char shown[320], reason[128];
    long verdict = SSL_get_verify_result(t->ssl);
    bool late = waited == REDIS_WAIT_LATE;
    const char *why = late ? "no answer in time" : tls_reason(reason, sizeof(reason));
    const char *what_to_do = "is rediss:// right for this port?";

    lock_url_show(url, shown, sizeof(shown));
    if (waited == REDIS_WAIT_CANCELLED)
        return swim_error_set(err, SWIM_ERR_CANCELLED,
                              "connect to lock server %s by TLS: interrupted", shown);
    if (!late && verdict != X509_V_OK) {
        why = X509_verify_cert_error_string(verdict);
        what_to_do = "set SWIM_TLS_CA to the certificate of its authority";
        if (verdict == X509_V_ERR_HOSTNAME_MISMATCH ||
            verdict == X509_V_ERR_IP_ADDRESS_MISMATCH)
            what_to_do = "name the server as its certificate does";
        if (verdict == X509_V_ERR_CERT_HAS_EXPIRED ||
            verdict == X509_V_ERR_CERT_NOT_YET_VALID)
            what_to_do = "give it a new certificate, or set the clock";
    } else if (!late && strstr(why, "wrong version number")) {
        why = "it does not speak TLS";
        what_to_do = "give redis:// instead of rediss://";
    }
    return swim_error_set(err, SWIM_ERR_IO, "connect to lock server %s by TLS: %s (%s)",
                          shown, why, what_to_do);
}

/* Nothing but a wait helps: its event, else 0. */
static short tls_wants(const struct redis_tls *t, int result)
{
    switch (SSL_get_error(t->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return POLLIN;
    case SSL_ERROR_WANT_WRITE:
        return POLLOUT;
    default:
        return 0;
    }
}

int redis_tls_start(struct redis_tls **out, const struct lock_url *url,
                    const struct redis_link_ops *ops, int fd,
                    const struct redis_wait *wait, swim_error_t *err)
{
    *out = NULL;
    int rc = context_find(err);
    if (rc != SWIM_OK)
        return rc;
    struct redis_tls *t = tls_create(url, ops, fd);
    if (!t)
        return swim_error_set(err, SWIM_ERR_NOMEM, "use TLS: no memory");
    for (;;) {
        ERR_clear_error();
        int result = SSL_connect(t->ssl);
        if (result == 1)
            break;
        short events = tls_wants(t, result);
        enum redis_waited waited = REDIS_WAIT_FAILED;
        if (events)
            waited = redis_wait_for(wait, fd, events);
        if (waited != REDIS_WAIT_READY) {
            rc = handshake_failed(t, url, waited, err);
            redis_tls_drop(t);
            return rc;
        }
    }
    *out = t;
    return SWIM_OK;
}

/* The result of a read or write as send() and recv() would give it. */
static ssize_t tls_result(const struct redis_tls *t, int result, short *events)
{
    if (result > 0)
        return result;
    *events = tls_wants(t, result);
    if (*events) {
        errno = EAGAIN;
        return -1;
    }
    if (SSL_get_error(t->ssl, result) == SSL_ERROR_ZERO_RETURN)
        return 0;
    errno = ECONNRESET;
    return -1;
}

static int int_size(size_t size)
{
    return size < 1 << 30 ? (int)size : 1 << 30;
}

ssize_t redis_tls_send(struct redis_tls *t, const void *bytes, size_t size,
                       short *events)
{
    ERR_clear_error();
    return tls_result(t, SSL_write(t->ssl, bytes, int_size(size)), events);
}

ssize_t redis_tls_recv(struct redis_tls *t, void *bytes, size_t size, bool wait,
                       short *events)
{
    ERR_clear_error();
    t->wait = wait;
    int n = SSL_read(t->ssl, bytes, int_size(size));
    t->wait = false;
    return tls_result(t, n, events);
}

void redis_tls_drop(struct redis_tls *t)
{
    if (!t)
        return;
    SSL_free(t->ssl);
    free(t);
}
