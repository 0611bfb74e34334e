/* serve_status.c - h5swim serve status: what runs, and how it is used. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/serve.h"
#include "core/json_text.h"
#include "lock/inspect.h"

int serve_usage(const struct server_status *status, struct serve_usage *usage,
                swim_error_t *err)
{
    struct inspector *inspector = NULL;
    struct inspection *seen = NULL;

    int rc = inspect_open(status->socket_url, &inspector, err);
    if (rc == SWIM_OK)
        rc = inspect_look(inspector, NULL, 0, &seen, err);
    for (size_t i = 0; rc == SWIM_OK && i < seen->n_resources; i++) {
        usage->held += seen->resources[i].n_held;
        usage->waiting += seen->resources[i].n_waiting;
    }
    usage->sessions = seen ? seen->n_sessions : 0;
    inspection_free(seen);
    inspect_close(inspector);
    return rc;
}

void serve_export(const char *name, const char *value)
{
    printf("export %s='", name);
    for (; *value; value++)
        if (*value == '\'')
            fputs("'\\''", stdout);
        else
            putchar(*value);
    puts("'");
}

static int status_json(const struct server_status *s, const struct serve_usage *u)
{
    json_t *json = json_pack("{si sb sb so}", "schema", 1, "running", s->running,
                             "silent", s->silent, "dir", swim_json_text(s->dir));

    if (json && s->silent)
        json_object_set_new(json, "pid", json_integer(s->pid));
    else if (json && s->running)
        json_object_update_new(
            json, json_pack("{sI so so sb sI sI sI sI}", "pid", (json_int_t)s->pid,
                            "version", swim_json_text(s->version), "address",
                            swim_json_text(s->address[0] ? s->address : NULL), "stays",
                            s->stays, "up_s", (json_int_t)s->up_s, "sessions",
                            (json_int_t)u->sessions, "held", (json_int_t)u->held,
                            "waiting", (json_int_t)u->waiting));
    char *text = json ? json_dumps(json, JSON_INDENT(2) | JSON_ENSURE_ASCII) : NULL;
    if (text)
        puts(text);
    free(text);
    json_decref(json);
    return text ? SERVE_DONE : SERVE_FAILED;
}

static void status_print(const struct server_status *s, const struct serve_usage *u)
{
    printf("lock server   running, pid %ld, for %ld s, redis %s\n", s->pid, s->up_s,
           s->version);
    printf("folder        %s\n", s->dir);
    printf("other hosts   %s\n",
           s->address[0] ? s->address : "cannot reach it (start it with --tcp)");
    printf("ends          %s\n",
           s->stays ? "with h5swim serve stop" : "when nobody has used it for a while");
    printf("in use        %zu session%s, %zu lock%s held, %zu waiting\n", u->sessions,
           u->sessions == 1 ? "" : "s", u->held, u->held == 1 ? "" : "s", u->waiting);
}

int serve_status(const struct serve_options *o)
{
    struct server_status status;
    struct serve_usage usage = {0};
    swim_error_t err = {0};
    int done = SERVE_DONE;

    int rc = server_private_status(&status, &err);
    if (rc == SWIM_OK && status.silent)
        (void)server_error_silent("show", status.dir, status.pid, status.keeper, &err);
    else if (rc == SWIM_OK && status.running)
        rc = serve_usage(&status, &usage, &err);
    if (rc != SWIM_OK)
        done = serve_fail(&err);
    else if (o->json)
        done = status_json(&status, &usage);
    else if (status.silent)
        (void)serve_fail(&err);
    else if (!status.running)
        printf("no lock server runs in %s\n", status.dir);
    else if (o->export)
        serve_export("SWIM_REDIS_URL", status.export_url);
    else
        status_print(&status, &usage);
    if (done == SERVE_DONE && (!status.running || status.silent))
        done = SERVE_FAILED;
    explicit_bzero(&status, sizeof(status));
    return done;
}
