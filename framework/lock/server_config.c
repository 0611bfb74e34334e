/* server_config.c - what the private lock server is told, and the URL that leads to it.
 *
 * The password is in two files of mode 0600, the configuration and the URL, and never
 * on a command line, which all users of a host can read. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "core/clock.h"
#include "server_private.h"

#define PORT_DEFAULT 6379

static FILE *secret_create(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "w");

    if (!f && fd >= 0)
        close(fd);
    return f;
}

/* SWIM_OK when all of it is on its way to the disk. */
static int secret_close(FILE *f, const char *path, swim_error_t *err)
{
    bool failed = ferror(f) != 0;

    if (fclose(f) != 0 || failed)
        return swim_error_sys(err, errno, "write %s", path);
    return SWIM_OK;
}

static void line_write(FILE *f, const char *name, const char *value)
{
    char quoted[4 * SERVER_URL_MAX];

    if (server_quote(value, quoted, sizeof(quoted)))
        fprintf(f, "%s %s\n", name, quoted);
    explicit_bzero(quoted, sizeof(quoted));
}

static void tcp_write(FILE *f, const struct server_options *o, const char *password)
{
    int port = o->port ? o->port : PORT_DEFAULT;

    line_write(f, "bind", o->host);
    line_write(f, "requirepass", password);
    fprintf(f, "port %d\n", o->tls_cert ? 0 : port);
    if (!o->tls_cert)
        return;
    fprintf(f, "tls-port %d\n", port);
    line_write(f, "tls-cert-file", o->tls_cert);
    line_write(f, "tls-key-file", o->tls_key);
    if (o->tls_ca)
        line_write(f, "tls-ca-cert-file", o->tls_ca);
    fprintf(f, "tls-auth-clients %s\n", o->tls_clients ? "yes" : "no");
}

/* Locks are leases, and a server that lost them begins a new epoch: nothing is saved,
 * and nothing may be evicted. */
static void config_fill(FILE *f, const struct server_place *p,
                        const struct server_options *o, const char *password)
{
    line_write(f, "unixsocket", p->socket);
    fputs("unixsocketperm 700\nsave \"\"\nappendonly no\ndaemonize no\n"
          "maxmemory-policy noeviction\n",
          f);
    line_write(f, "logfile", p->log);
    line_write(f, "pidfile", p->pid_file);
    line_write(f, "dir", p->dir);
    if (o && o->host)
        tcp_write(f, o, password);
    else
        fputs("port 0\n", f);
}

void server_config_sweep(const struct server_place *p)
{
    DIR *dir = opendir(p->dir);

    for (struct dirent *e = dir ? readdir(dir) : NULL; e; e = readdir(dir)) {
        size_t n = strlen(e->d_name);
        if (n > 5 && strcmp(e->d_name + n - 5, ".conf") == 0)
            (void)unlinkat(dirfd(dir), e->d_name, 0);
    }
    if (dir)
        closedir(dir);
}

static void encode(const char *text, FILE *f)
{
    for (; *text; text++)
        if (isalnum((unsigned char)*text) || strchr("-._~", *text))
            fputc(*text, f);
        else
            fprintf(f, "%%%02X", (unsigned)(unsigned char)*text);
}

/* Where others find it: an address that means all of them becomes this host's name. */
static int url_write(const struct server_place *p, const struct server_options *o,
                     const char *password, swim_error_t *err)
{
    char name[256] = "localhost";
    const char *host = o->host;
    FILE *f = secret_create(p->url);

    if (!f)
        return swim_error_sys(err, errno, "create %s", p->url);
    if (strcmp(host, "*") == 0 || strcmp(host, "0.0.0.0") == 0 ||
        strcmp(host, "::") == 0) {
        (void)gethostname(name, sizeof(name) - 1);
        host = name;
    }
    bool v6 = strchr(host, ':') != NULL;
    fprintf(f, "redis%s://:", o->tls_cert ? "s" : "");
    encode(password, f);
    fprintf(f, "@%s%s%s:%d\n", v6 ? "[" : "", host, v6 ? "]" : "",
            o->port ? o->port : PORT_DEFAULT);
    return secret_close(f, p->url, err);
}

int server_password_make(char password[SERVER_PASSWORD_MAX], swim_error_t *err)
{
    unsigned char bytes[(SERVER_PASSWORD_MAX - 1) / 2];

    if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
        return swim_error_sys(err, errno, "make a password up");
    for (size_t i = 0; i < sizeof(bytes); i++)
        snprintf(password + 2 * i, 3, "%02x", (unsigned)bytes[i]);
    return SWIM_OK;
}

int server_config_write(struct server_place *p, const struct server_options *o,
                        swim_error_t *err)
{
    char made_up[SERVER_PASSWORD_MAX] = "";
    const char *password = o ? o->password : NULL;
    int rc = SWIM_OK;

    (void)unlink(p->url);
    /* No other start ever has that name: its keeper may yet take an old one away. */
    snprintf(p->config, sizeof(p->config), "%s/%llx.conf", p->dir,
             (unsigned long long)swim_clock_boot_ns());
    if (o && o->host && !password) {
        rc = server_password_make(made_up, err);
        password = made_up;
    }
    FILE *f = rc == SWIM_OK ? secret_create(p->config) : NULL;
    if (rc == SWIM_OK && !f)
        rc = swim_error_sys(err, errno, "create %s", p->config);
    if (rc == SWIM_OK) {
        config_fill(f, p, o, password);
        rc = secret_close(f, p->config, err);
    }
    if (rc == SWIM_OK && o && o->host)
        rc = url_write(p, o, password, err);
    explicit_bzero(made_up, sizeof(made_up));
    return rc;
}

/* What a line of the log says, when that is why a start failed; else NULL. */
static const char *line_why(const char *line)
{
    static const char *const signs[] = {"Could not", "Failed", "Fatal",
                                        "FATAL",     "Unable", "rror"};
    const char *text = strstr(line, " # ");

    for (size_t i = 0; text && i < sizeof(signs) / sizeof(*signs); i++)
        if (strstr(text, signs[i]))
            return text + 3;
    return NULL;
}

void server_log_why(FILE *f, char *why, size_t size)
{
    char line[512], word[64];

    why[0] = '\0';
    while (f && !why[0] && fgets(line, sizeof(line), f)) {
        const char *text = line_why(line);
        line[strcspn(line, "\n")] = '\0';
        /* The rest of such a line may be the password. */
        if (sscanf(line, ">>> '%63[a-z-]", word) == 1)
            snprintf(why, size, "it does not take the setting %s", word);
        else if (text)
            snprintf(why, size, "%s", text);
    }
}

void server_config_why(const struct server_place *p, char *why, size_t size)
{
    FILE *f = fopen(p->log, "re");

    server_log_why(f, why, size);
    if (f)
        fclose(f);
}
