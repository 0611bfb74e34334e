/* cmd_locks.c - h5swim locks: options, and what to look at. */
#include "cli/cmd_locks.h"

#include <limits.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "cli/locks.h"
#include "cli/options.h"

static const char help[] =
    "Usage: h5swim locks [FILE...] [OPTION...]\n"
    "       h5swim locks --break SESSION [--yes] [OPTION...]\n"
    "Show who holds locks and who waits for them, in the order in which they go in; "
    "of\n"
    "files (or other resources) alone, or of all.\n"
    "\n"
    "  --sessions       also all sessions, those that hold nothing too\n"
    "  --json           print one JSON object on stdout (schema 1)\n"
    "  --break SESSION  end a session: its name, or HOST:PID where that is one alone\n"
    "  --yes            do not ask\n"
    "  -q, --quiet      with --break: print errors only\n"
    "  --redis URL      lock server (else $SWIM_REDIS_URL, else the private one, "
    "which\n"
    "                   is not started for this)\n"
    "  --help           this text\n"
    "\n"
    "FOR is how long it is held or waits, LEASE what is left of the session's lease.\n"
    "Notes: dead, a process of this host that is gone; broken, ended by --break.\n"
    "\n"
    "A broken session is told so, and finds its locks lost.  What it held goes to the\n"
    "next as soon as it has heard, or is known dead on this host; else when its lease\n"
    "is over, because until then a process that was stopped or cut off may write.\n"
    "\n"
    "Exit status: 0 done (also when no lock server runs), 1 failed, 2 usage.\n";

enum { OPT_SESSIONS = 256, OPT_JSON, OPT_BREAK, OPT_YES, OPT_REDIS, OPT_HELP };

static const struct option long_options[] = {
    {"sessions", no_argument, NULL, OPT_SESSIONS},
    {"json", no_argument, NULL, OPT_JSON},
    {"break", required_argument, NULL, OPT_BREAK},
    {"yes", no_argument, NULL, OPT_YES},
    {"quiet", no_argument, NULL, 'q'},
    {"redis", required_argument, NULL, OPT_REDIS},
    {"help", no_argument, NULL, OPT_HELP},
    {0},
};

int locks_fail(const swim_error_t *err)
{
    fprintf(stderr, "h5swim locks: %s\n", err->text);
    return LOCKS_FAILED;
}

const char *locks_mode(enum swim_lock_mode mode)
{
    static const char *const names[] = {"", "READ", "UPDATE", "WRITE"};

    return names[mode];
}

/* A file's resource, or the argument itself where it can be no file. */
static int resource_of(const char *argument, char *resource, size_t size,
                       swim_error_t *err)
{
    swim_error_t no_file = {0};

    if (swim_resource_of_file(argument, resource, size, &no_file) == SWIM_OK)
        return SWIM_OK;
    if (strlen(argument) + 1 > size)
        return swim_error_set(err, SWIM_ERR_ARG, "%s", no_file.text);
    memcpy(resource, argument, strlen(argument) + 1);
    return SWIM_OK;
}

/* Of each argument the resource of the file, and the argument as it is: resources need
 * not be files. */
static int look_at_files(struct inspector *inspector, const struct locks_options *o,
                         struct inspection **seen, swim_error_t *err)
{
    size_t n = 2 * o->n_files;
    const char **names = calloc(n, sizeof(*names));
    char(*found)[PATH_MAX] = calloc(o->n_files, sizeof(*found));
    int rc = SWIM_OK;

    if (!names || !found) {
        rc = SWIM_ERR_NOMEM;
        (void)swim_error_set(err, rc, "look at locks: no memory");
    }
    for (size_t i = 0; rc == SWIM_OK && i < o->n_files; i++) {
        rc = resource_of(o->files[i], found[i], sizeof(found[i]), err);
        names[2 * i] = found[i];
        names[2 * i + 1] = o->files[i];
    }
    if (rc == SWIM_OK)
        rc = inspect_look(inspector, names, n, seen, err);
    free(found);
    free(names);
    return rc;
}

static int look(struct inspector *inspector, const struct locks_options *o,
                struct inspection **seen, swim_error_t *err)
{
    if (o->n_files > 0)
        return look_at_files(inspector, o, seen, err);
    return inspect_look(inspector, NULL, 0, seen, err);
}

static int show(struct inspector *inspector, const struct locks_options *o)
{
    struct inspection *seen = NULL;
    swim_error_t err = {0};

    if (!inspector && o->json)
        return locks_json(NULL, NULL, o->all_sessions);
    if (!inspector) {
        puts("no lock server runs, so nobody holds a lock");
        return LOCKS_DONE;
    }
    if (look(inspector, o, &seen, &err) != SWIM_OK)
        return locks_fail(&err);
    int status = LOCKS_DONE;
    if (o->json) {
        status = locks_json(seen, inspect_server(inspector), o->all_sessions);
    } else {
        if (seen->n_resources > 0)
            locks_show(stdout, seen, NULL);
        if (o->all_sessions && seen->n_sessions > 0)
            locks_show_sessions(stdout, seen);
        locks_show_sum(stdout, seen, inspect_server(inspector));
    }
    inspection_free(seen);
    return status;
}

static int run(const struct locks_options *o)
{
    struct inspector *inspector = NULL;
    swim_error_t err = {0};

    setlocale(LC_CTYPE, ""); /* which names can be shown as they are */
    if (inspect_open(o->url, &inspector, &err) != SWIM_OK) {
        int failed = locks_fail(&err);
        return err.code == SWIM_ERR_ARG ? LOCKS_USAGE : failed; /* the URL is none */
    }
    int status = o->session ? locks_break(inspector, o) : show(inspector, o);
    inspect_close(inspector);
    return status;
}

static int take_option(int found, char **argv, struct locks_options *o)
{
    switch (found) {
    case OPT_SESSIONS:
        o->all_sessions = true;
        return LOCKS_DONE;
    case OPT_JSON:
        o->json = true;
        return LOCKS_DONE;
    case OPT_BREAK:
        o->session = optarg;
        return LOCKS_DONE;
    case OPT_YES:
        o->yes = true;
        return LOCKS_DONE;
    case 'q':
        o->quiet = true;
        return LOCKS_DONE;
    case OPT_REDIS:
        o->url = optarg;
        return LOCKS_DONE;
    default:
        return options_refuse("locks", long_options, found, argv);
    }
}

int cmd_locks(int argc, char **argv)
{
    struct locks_options o = {0};
    int found, status = LOCKS_DONE;

    while (status == LOCKS_DONE &&
           (found = getopt_long(argc, argv, ":q", long_options, NULL)) >= 0) {
        if (found == OPT_HELP) {
            fputs(help, stdout);
            return LOCKS_DONE;
        }
        status = take_option(found, argv, &o);
    }
    if (status != LOCKS_DONE)
        return status;
    o.files = (const char *const *)argv + optind;
    o.n_files = (size_t)(argc - optind);
    if (o.session && (o.n_files > 0 || o.all_sessions)) {
        fputs("h5swim locks: --break ends one session: files and --sessions do not go "
              "with it (see h5swim locks --help)\n",
              stderr);
        return LOCKS_USAGE;
    }
    return run(&o);
}

const struct command command_locks = {
    "locks", cmd_locks,    "who holds locks and who waits; end a session",
    help,    long_options, ":q",
    "file"};
