/* cmd_serve.c - h5swim serve: starting and stopping the lock server. */
#include "cli/cmd_serve.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/options.h"
#include "cli/serve.h"
#include "core/text.h"
#include "lock/server_job.h"

static const char help[] =
    "Usage: h5swim serve start [OPTION...]\n"
    "       h5swim serve status [--json | --export]\n"
    "       h5swim serve stop [--force]\n"
    "The lock server of this user on this host, a redis-server.  Programs start one "
    "when\n"
    "they need it, and it ends when idle; start makes one that stays, and that other\n"
    "hosts reach if --tcp is given.  It prints what they need: eval \"$(h5swim serve "
    "start)\"\n"
    "\n"
    "  --tcp ADDR[:PORT]     listen there too, port 6379 if none is given; an "
    "address,\n"
    "                        a name, [IPV6], or 0.0.0.0 for all of this host's\n"
    "  --password-file FILE  its first line is the password; else one is made up\n"
    "  --tls-cert FILE, --tls-key FILE  encrypt, and prove by this certificate (PEM)\n"
    "  --tls-ca FILE         the authority that signed it, for clients to know\n"
    "  --tls-clients         take only clients with a certificate by that authority\n"
    "  --idle SECONDS        end when nobody was connected for so long\n"
    "\n"
    "  --json                status as one JSON object (schema 1)\n"
    "  --export              status prints the URL with its password, as start does\n"
    "  --force               stop although sessions are open, or it does not answer\n"
    "  --help                this text\n"
    "\n"
    "Without --tcp no other host and no other user can reach it.  With it a password "
    "is\n"
    "always needed; it is kept in the server's folder, which is closed to others.  "
    "Give\n"
    "the URL to others as you would give a password.  $SWIM_SERVER_DIR names the "
    "folder.\n"
    "\n"
    "Exit status: 0 done (status: it runs), 1 failed (status: none runs, or it does "
    "not\n"
    "answer), 2 usage.\n";

enum {
    OPT_TCP = 256,
    OPT_PASSWORD,
    OPT_CERT,
    OPT_KEY,
    OPT_CA,
    OPT_CLIENTS,
    OPT_IDLE,
    OPT_JSON,
    OPT_EXPORT,
    OPT_FORCE,
    OPT_HELP
};

static const struct option long_options[] = {
    {"tcp", required_argument, NULL, OPT_TCP},
    {"password-file", required_argument, NULL, OPT_PASSWORD},
    {"tls-cert", required_argument, NULL, OPT_CERT},
    {"tls-key", required_argument, NULL, OPT_KEY},
    {"tls-ca", required_argument, NULL, OPT_CA},
    {"tls-clients", no_argument, NULL, OPT_CLIENTS},
    {"idle", required_argument, NULL, OPT_IDLE},
    {"json", no_argument, NULL, OPT_JSON},
    {"export", no_argument, NULL, OPT_EXPORT},
    {"force", no_argument, NULL, OPT_FORCE},
    {"help", no_argument, NULL, OPT_HELP},
    {0},
};

int serve_fail(const swim_error_t *err)
{
    fprintf(stderr, "h5swim serve: %s\n", err->text);
    return err->code == SWIM_ERR_ARG ? SERVE_USAGE : SERVE_FAILED;
}

static int take_idle(struct serve_options *o, const char *text)
{
    size_t digits = strspn(text, "0123456789");

    o->server.idle_s = digits < 8 && !text[digits] ? atoi(text) : 0;
    if (o->server.idle_s > 0)
        return SERVE_DONE;
    fprintf(
        stderr,
        "h5swim serve: --idle %.40s: it is no number of seconds above 0 (see h5swim "
        "serve --help)\n",
        text);
    return SERVE_USAGE;
}

static int take_option(int found, char **argv, struct serve_options *o)
{
    o->starts |= found >= OPT_TCP && found <= OPT_IDLE;
    switch (found) {
    case OPT_TCP:
        return serve_take_tcp(o, optarg);
    case OPT_PASSWORD:
        return serve_take_password(o, optarg);
    case OPT_CERT:
        return serve_take_file(o->cert, "--tls-cert", optarg);
    case OPT_KEY:
        return serve_take_file(o->key, "--tls-key", optarg);
    case OPT_CA:
        return serve_take_file(o->ca, "--tls-ca", optarg);
    case OPT_CLIENTS:
        o->server.tls_clients = true;
        return SERVE_DONE;
    case OPT_IDLE:
        return take_idle(o, optarg);
    case OPT_JSON:
        o->json = true;
        return SERVE_DONE;
    case OPT_EXPORT:
        o->export = true;
        return SERVE_DONE;
    case OPT_FORCE:
        o->force = true;
        return SERVE_DONE;
    default:
        return options_refuse("serve", long_options, found, argv);
    }
}

static int start(const struct serve_options *o)
{
    struct server_status status;
    swim_error_t err = {0};
    bool was_running = false;

    if (server_start(&o->server, &was_running, &err) != SWIM_OK ||
        server_private_status(&status, &err) != SWIM_OK)
        return serve_fail(&err);
    if (!status.running || status.silent) {
        (void)server_error_silent("start", status.dir, status.pid, status.keeper, &err);
        return serve_fail(&err);
    }
    fprintf(stderr, "h5swim serve: the lock server in %s %s%s%s\n", status.dir,
            was_running ? "was running" : "is started",
            status.address[0] ? " on " : ", for this user on this host",
            status.address);
    serve_export("SWIM_REDIS_URL", status.export_url);
    if (o->server.tls_ca)
        serve_export("SWIM_TLS_CA", o->server.tls_ca);
    explicit_bzero(&status, sizeof(status));
    return SERVE_DONE;
}

static int stop(const struct serve_options *o)
{
    struct server_status status;
    struct serve_usage usage = {0};
    swim_error_t err = {0};

    int rc = server_private_status(&status, &err);
    if (rc == SWIM_OK && !status.running) {
        printf("no lock server runs in %s\n", status.dir);
        return SERVE_DONE;
    }
    if (rc == SWIM_OK && status.silent && !o->force)
        rc = server_error_silent("stop", status.dir, status.pid, status.keeper, &err);
    else if (rc == SWIM_OK && !o->force)
        rc = serve_usage(&status, &usage, &err);
    explicit_bzero(status.export_url, sizeof(status.export_url));
    explicit_bzero(status.socket_url, sizeof(status.socket_url));
    if (rc == SWIM_OK && usage.sessions > 0) {
        fprintf(stderr,
                "h5swim serve: stop the lock server in %s: %zu session%s open, see "
                "h5swim locks --sessions (--force stops it all the same: what is held "
                "stays held until its lease is over)\n",
                status.dir, usage.sessions, usage.sessions == 1 ? " is" : "s are");
        return SERVE_FAILED;
    }
    if (rc == SWIM_OK)
        rc = server_private_stop(&err);
    return rc == SWIM_OK ? SERVE_DONE : serve_fail(&err);
}

/* keep DIR CONFIG SECONDS: what the library starts in the place of itself. */
static int keep(int argc, char **argv)
{
    swim_error_t err = {0};

    if (argc != 5)
        return SERVE_USAGE;
    (void)server_keep(argv[2], argv[3], atoi(argv[4]), &err);
    return serve_fail(&err);
}

/* keep-job PROGRAM PORT: the same for the server of one job. */
static int keep_job(int argc, char **argv)
{
    swim_error_t err = {0};

    if (argc != 4)
        return SERVE_USAGE;
    (void)server_job_keep(argv[2], (unsigned)atoi(argv[3]), &err);
    return serve_fail(&err);
}

static int run(const struct serve_options *o)
{
    if (strcmp(o->verb, "start") == 0)
        return start(o);
    return strcmp(o->verb, "stop") == 0 ? stop(o) : serve_status(o);
}

static int check_verb(int argc, char **argv)
{
    static const char *const verbs[] = {"start", "stop", "status"};
    const char *verb = optind < argc ? argv[optind] : NULL, *near = NULL;
    char shown[OPTIONS_SHOWN] = "";

    if (verb && optind + 1 < argc) {
        fprintf(stderr,
                "h5swim serve: %s after %s means nothing (see h5swim serve --help)\n",
                argv[optind + 1], verb);
        return SERVE_USAGE;
    }
    for (size_t i = 0; verb && i < 3; i++)
        if (strcmp(verb, verbs[i]) == 0)
            return SERVE_DONE;
    if (verb) {
        near = swim_text_nearest(verb, verbs, 3);
        swim_text_shown(verb, shown, sizeof(shown));
    }
    fprintf(stderr, "h5swim serve: %s%s%s%s%s (see h5swim serve --help)\n",
            verb ? "there is no " : "give start, stop or status", shown,
            near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    return SERVE_USAGE;
}

int cmd_serve(int argc, char **argv)
{
    struct serve_options o = {0};
    int found, status = SERVE_DONE;

    if (argc > 1 && strcmp(argv[1], "keep") == 0)
        return keep(argc, argv);
    if (argc > 1 && strcmp(argv[1], "keep-job") == 0)
        return keep_job(argc, argv);
    while (status == SERVE_DONE &&
           (found = getopt_long(argc, argv, ":", long_options, NULL)) >= 0) {
        if (found == OPT_HELP) {
            fputs(help, stdout);
            return SERVE_DONE;
        }
        status = take_option(found, argv, &o);
    }
    if (status == SERVE_DONE)
        status = check_verb(argc, argv);
    if (status == SERVE_DONE) {
        o.verb = argv[optind];
        status = serve_check(&o);
    }
    if (status == SERVE_DONE)
        status = run(&o);
    explicit_bzero(o.password, sizeof(o.password));
    return status;
}

const struct command command_serve = {
    "serve",
    cmd_serve,
    "start and stop the lock server, also for other hosts",
    help,
    long_options,
    ":",
    "start status stop"};
