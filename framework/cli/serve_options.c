/* serve_options.c - reading what h5swim serve start is given. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/serve.h"
#include "core/text.h"

static int refuse(const char *option, const char *value, const char *why)
{
    char shown[200];

    fprintf(stderr, "h5swim serve: %s %s: %s (see h5swim serve --help)\n", option,
            swim_text_shown(value, shown, sizeof(shown)), why);
    return SERVE_USAGE;
}

/* Digits only, 1 to 65535; 0: no port. */
static int port_of(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    long port = digits > 0 && digits < 6 && !text[digits] ? strtol(text, NULL, 10) : 0;

    return port <= 65535 ? (int)port : 0;
}

int serve_take_tcp(struct serve_options *o, const char *text)
{
    const char *end = text[0] == '[' ? strchr(text, ']') : text + strcspn(text, ":");
    const char *from = text[0] == '[' ? text + 1 : text;
    struct in6_addr v6;

    if (inet_pton(AF_INET6, text, &v6) == 1)
        return refuse("--tcp", text, "write an IPv6 address in brackets");
    if (!end || end == from || (size_t)(end - from) >= sizeof(o->host))
        return refuse("--tcp", text, "it is not ADDRESS or ADDRESS:PORT");
    memcpy(o->host, from, (size_t)(end - from));
    o->host[end - from] = '\0';
    end += *end == ']';
    if (strpbrk(o->host, " \t\"'\\") || (*end != '\0' && *end != ':'))
        return refuse("--tcp", text, "it is not ADDRESS or ADDRESS:PORT");
    o->server.port = *end == ':' ? port_of(end + 1) : 0;
    if (*end == ':' && o->server.port == 0)
        return refuse("--tcp", text, "the port is not a number between 1 and 65535");
    o->server.host = o->host;
    return SERVE_DONE;
}

int serve_take_password(struct serve_options *o, const char *path)
{
    FILE *f = fopen(path, "re");
    const char *why = NULL;

    if (!f)
        return refuse("--password-file", path, strerror(errno));
    if (!fgets(o->password, sizeof(o->password), f))
        o->password[0] = '\0';
    fclose(f);
    size_t length = strcspn(o->password, "\n");
    if (length + 1 == sizeof(o->password))
        why = "its first line is longer than 254 bytes";
    o->password[length] = '\0';
    for (const char *c = o->password; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 127)
            why = "its first line holds a control character";
    if (length < 8)
        why = "its first line is shorter than 8 bytes, which is no password";
    o->server.password = o->password;
    return why ? refuse("--password-file", path, why) : SERVE_DONE;
}

int serve_take_file(char out[PATH_MAX], const char *option, const char *path)
{
    if (!realpath(path, out) || access(out, R_OK) != 0)
        return refuse(option, path, strerror(errno));
    return SERVE_DONE;
}

int serve_check(struct serve_options *o)
{
    const char *wrong = NULL;

    o->server.tls_cert = o->cert[0] ? o->cert : NULL;
    o->server.tls_key = o->key[0] ? o->key : NULL;
    o->server.tls_ca = o->ca[0] ? o->ca : NULL;
    if (o->starts && strcmp(o->verb, "start") != 0)
        wrong = "--tcp, --tls-..., --password-file and --idle go with start";
    else if (!o->server.tls_cert != !o->server.tls_key)
        wrong = "--tls-cert and --tls-key go together";
    else if ((o->server.tls_ca || o->server.tls_clients) && !o->server.tls_cert)
        wrong = "--tls-ca and --tls-clients go with --tls-cert and --tls-key";
    else if (o->server.tls_clients && !o->server.tls_ca)
        wrong = "--tls-clients needs --tls-ca, the authority of their certificates";
    else if ((o->server.tls_cert || o->server.password) && !o->server.host)
        wrong = "--tls-... and --password-file go with --tcp";
    if (!wrong)
        return SERVE_DONE;
    fprintf(stderr, "h5swim serve: %s (see h5swim serve --help)\n", wrong);
    return SERVE_USAGE;
}
