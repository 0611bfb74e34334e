/* serve.h - what the files of h5swim serve share. */
#ifndef SWIM_CLI_SERVE_H
#define SWIM_CLI_SERVE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "lock/server.h"

enum { SERVE_DONE, SERVE_FAILED, SERVE_USAGE };

struct serve_options {
    const char *verb;
    struct server_options server; /* its texts are in the fields below */
    char host[256], password[256];
    char cert[PATH_MAX], key[PATH_MAX], ca[PATH_MAX];
    bool json, export, force;
    bool starts; /* an option of start was given */
};

/* Print a line of what went wrong; the status. */
int serve_fail(const swim_error_t *err);

/* SERVE_DONE, or SERVE_USAGE after a line on stderr.  ADDR[:PORT], [IPV6][:PORT]. */
int serve_take_tcp(struct serve_options *o, const char *text);
/* The same for the first line of a file. */
int serve_take_password(struct serve_options *o, const char *path);
/* The same for a file that redis-server is to read: its absolute path into out. */
int serve_take_file(char out[PATH_MAX], const char *option, const char *path);
/* The same for what goes together. */
int serve_check(struct serve_options *o);

/* Who uses the server that runs. */
struct serve_usage {
    size_t sessions, held, waiting;
};
int serve_usage(const struct server_status *status, struct serve_usage *usage,
                swim_error_t *err);

/* h5swim serve status. */
int serve_status(const struct serve_options *o);
/* "export NAME='VALUE'" on stdout, as a shell reads it. */
void serve_export(const char *name, const char *value);

#endif /* SWIM_CLI_SERVE_H */
