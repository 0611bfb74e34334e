/* cmd_top.c - h5swim top: options, and whether it is live. */
#include "cli/cmd_top.h"

#include <errno.h>
#include <locale.h>
#include <stdlib.h>

#include "cli/options.h"
#include "cli/top.h"

#define INTERVAL_MS 2000
#define INTERVAL_MIN_S 0.1
#define INTERVAL_MAX_S 3600

static const char help[] =
    "Usage: h5swim top [OPTION...]\n"
    "Jobs, sessions, locks and queues that a lock server knows, live: a table of jobs\n"
    "(1), of sessions (2) and of locks with who waits for them (3).\n"
    "\n"
    "  --interval SECONDS  look so often (default 2; 0.1 to 3600)\n"
    "  --once              print all three tables and end\n"
    "  --json              with --once: one JSON object (schema 1): what h5swim locks\n"
    "                      --json --sessions has, and \"lock_server\" and \"jobs\"\n"
    "  --redis URL         lock server (else $SWIM_REDIS_URL, else the private one, "
    "which\n"
    "                      is not started for this)\n"
    "  --help              this text\n"
    "\n"
    "Keys: 1 2 3 or Tab the table, Up Down PageUp PageDown Home End (or k, j) a row,\n"
    "Enter all that is known of it and Esc back, < > the column to sort by, r the "
    "other\n"
    "way round, Space look now, ? the keys, q quit.\n"
    "A job is all sessions of one user with one job name; SESS how many, READERS "
    "those\n"
    "that hold READ, HELD and WAITS its locks, LONGEST the longest wait now.  A lock "
    "is\n"
    "\"held\", or \"waits\" with its place in the queue.\n"
    "\n"
    "  h5swim top\n"
    "  h5swim top --once --json | python3 -m json.tool\n"
    "\n"
    "Exit status: 0 done (also when no lock server runs), 1 failed, 2 usage (also: no\n"
    "terminal), 128+N ended by signal N.\n";

enum { OPT_INTERVAL = 256, OPT_ONCE, OPT_JSON, OPT_REDIS, OPT_HELP };

static const struct option long_options[] = {
    {"interval", required_argument, NULL, OPT_INTERVAL},
    {"once", no_argument, NULL, OPT_ONCE},
    {"json", no_argument, NULL, OPT_JSON},
    {"redis", required_argument, NULL, OPT_REDIS},
    {"help", no_argument, NULL, OPT_HELP},
    {0},
};

struct options {
    const char *url;
    int64_t interval_ms;
    bool once, json;
};

static int once(const struct options *o)
{
    struct top_look look = {0};
    swim_error_t err = {0};
    int status = TOP_FAILED;

    if (top_look(&look, o->url, &err) == SWIM_OK)
        status = o->json ? top_json(&look) : top_text(&look);
    else
        fprintf(stderr, "h5swim top: %s\n", err.text);
    top_look_end(&look);
    return err.code == SWIM_ERR_ARG ? TOP_USAGE : status;
}

static int take_interval(struct options *o, const char *text)
{
    char *end = NULL;
    double seconds = strtod(text, &end);

    if (end > text && !*end && seconds >= INTERVAL_MIN_S && seconds <= INTERVAL_MAX_S) {
        o->interval_ms = (int64_t)(seconds * 1000);
        return TOP_DONE;
    }
    fprintf(stderr,
            "h5swim top: --interval %.40s: it is no number of seconds from 0.1 to 3600 "
            "(see h5swim top --help)\n",
            text);
    return TOP_USAGE;
}

static int take_option(int found, char **argv, struct options *o)
{
    switch (found) {
    case OPT_INTERVAL:
        return take_interval(o, optarg);
    case OPT_ONCE:
        o->once = true;
        return TOP_DONE;
    case OPT_JSON:
        o->json = true;
        return TOP_DONE;
    case OPT_REDIS:
        o->url = optarg;
        return TOP_DONE;
    default:
        return options_refuse("top", long_options, found, argv);
    }
}

static int check(const struct options *o, int argc, char **argv)
{
    if (optind < argc) {
        fprintf(stderr, "h5swim top: %s means nothing here (see h5swim top --help)\n",
                argv[optind]);
        return TOP_USAGE;
    }
    if (!o->json || o->once)
        return TOP_DONE;
    fputs("h5swim top: --json goes with --once (see h5swim top --help)\n", stderr);
    return TOP_USAGE;
}

int cmd_top(int argc, char **argv)
{
    struct options o = {.interval_ms = INTERVAL_MS};
    int found, status = TOP_DONE;

    while (status == TOP_DONE &&
           (found = getopt_long(argc, argv, ":", long_options, NULL)) >= 0) {
        if (found == OPT_HELP) {
            fputs(help, stdout);
            return TOP_DONE;
        }
        status = take_option(found, argv, &o);
    }
    if (status == TOP_DONE)
        status = check(&o, argc, argv);
    if (status != TOP_DONE)
        return status;
    setlocale(LC_CTYPE, ""); /* which names can be shown as they are */
    return o.once ? once(&o) : top_live(o.url, o.interval_ms);
}

const struct command command_top = {
    "top", cmd_top, "jobs, sessions, locks and queues, live", help, long_options,
    ":",   "none"};
