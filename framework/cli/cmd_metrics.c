/* cmd_metrics.c - h5swim metrics: look at a lock server, and write the file. */
#include "cli/cmd_metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/metrics.h"
#include "cli/options.h"

enum { METRICS_DONE = 0, METRICS_FAILED = 1, METRICS_USAGE = 2 };

static const char help[] =
    "Usage: h5swim metrics [-o FILE] [--redis URL]\n"
    "The state of a lock server and of the jobs that use it, as text for Prometheus:\n"
    "sessions, locks held and waited for by mode, the longest wait, the server's "
    "memory,\n"
    "uptime and persistence, and for each job its ranks, readers and locks.\n"
    "\n"
    "  -o, --output FILE  write it there, by a temporary file that is renamed: a "
    "reader\n"
    "                     sees the old file or the new one (default: to stdout)\n"
    "  --redis URL        lock server (else $SWIM_REDIS_URL, else the private one, "
    "which\n"
    "                     is not started for this)\n"
    "  --help             this text\n"
    "\n"
    "For the textfile collector of node_exporter, from a timer of the user whose lock\n"
    "server it is:\n"
    "\n"
    "  h5swim metrics -o /var/lib/prometheus/node-exporter/h5swim.prom\n"
    "\n"
    "h5swim_lock_server_up is 0, and the only metric, when no server runs; when there "
    "is\n"
    "one and it does not answer the status is 1, too.  A job is all sessions of one "
    "user\n"
    "with one job name.\n"
    "\n"
    "Exit status: 0 done, 1 failed (also: the server does not answer), 2 usage.\n";

enum { OPT_REDIS = 256, OPT_HELP };

static const struct option long_options[] = {
    {"output", required_argument, NULL, 'o'},
    {"redis", required_argument, NULL, OPT_REDIS},
    {"help", no_argument, NULL, OPT_HELP},
    {0},
};

static int fail(const swim_error_t *err)
{
    fprintf(stderr, "h5swim metrics: %s\n", err->text);
    return err->code == SWIM_ERR_ARG ? METRICS_USAGE : METRICS_FAILED;
}

/* --- the file ------------------------------------------------------------------------
 */

/* As a new file would be: mkstemp() makes it for its owner alone. */
static int mode_set(int fd)
{
    mode_t mask = umask(0);

    (void)umask(mask);
    return fchmod(fd, 0666 & ~mask);
}

/* The bytes, under a name that the collector does not read, then the right one. */
static int file_write(const char *name, const char *text, size_t size,
                      swim_error_t *err)
{
    size_t room = strlen(name) + sizeof(".XXXXXX");
    struct stat st;

    if (stat(name, &st) == 0 && !S_ISREG(st.st_mode))
        return swim_error_set(err, SWIM_ERR_ARG,
                              "write %s: it is no regular file, and would be replaced "
                              "(without -o they go to stdout)",
                              name);
    char *temporary = malloc(room);
    FILE *to = NULL;
    int fd = -1, rc = SWIM_OK;

    if (!temporary)
        return swim_error_set(err, SWIM_ERR_NOMEM, "write %s", name);
    snprintf(temporary, room, "%s.XXXXXX", name);
    fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0) {
        rc = swim_error_sys(err, errno, "write %s", name);
        goto out;
    }
    to = fdopen(fd, "w");
    if (!to)
        close(fd);
    bool written = to && mode_set(fd) == 0 && fwrite(text, 1, size, to) == size;
    if (to && fclose(to) != 0)
        written = false;
    if (!written || rename(temporary, name) < 0) {
        rc = swim_error_sys(err, errno, "write %s", name);
        (void)unlink(temporary);
    }
out:
    free(temporary);
    return rc;
}

static int output(const char *name, const struct metrics *m)
{
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);
    swim_error_t err = {0};
    int rc = SWIM_OK;

    if (to)
        metrics_write(to, m);
    if (!to || fclose(to) != 0)
        rc = swim_error_set(&err, SWIM_ERR_NOMEM, "write metrics: no memory");
    else if (name)
        rc = file_write(name, text, size, &err);
    else if (fwrite(text, 1, size, stdout) != size || fflush(stdout) != 0)
        rc = swim_error_sys(&err, errno, "write metrics");
    free(text);
    return rc == SWIM_OK ? METRICS_DONE : fail(&err);
}

/* --- looking -------------------------------------------------------------------------
 */

static int run(const char *url, const char *name)
{
    struct inspector *inspector = NULL;
    struct inspection *seen = NULL;
    struct census *census = NULL;
    struct metrics m = {0};
    swim_error_t err = {0};

    int rc = inspect_open(url, &inspector, &err);
    if (rc == SWIM_ERR_ARG) /* the URL is none */
        return fail(&err);
    if (rc == SWIM_OK && inspector)
        rc = inspect_facts(inspector, &m.facts, &err);
    if (rc == SWIM_OK && inspector)
        rc = inspect_look(inspector, NULL, 0, &seen, &err);
    if (rc == SWIM_OK && inspector)
        rc = census_take(seen, &census, &err);
    if (rc == SWIM_OK && inspector)
        m.server = inspect_server(inspector);
    m.seen = seen;
    m.census = census;
    int status = output(name, &m);
    if (rc != SWIM_OK && status == METRICS_DONE)
        status = fail(&err);
    census_free(census);
    inspection_free(seen);
    inspect_close(inspector);
    return status;
}

int cmd_metrics(int argc, char **argv)
{
    const char *url = NULL, *name = NULL;
    int found;

    while ((found = getopt_long(argc, argv, ":o:", long_options, NULL)) >= 0) {
        if (found == OPT_HELP) {
            fputs(help, stdout);
            return METRICS_DONE;
        }
        if (found == 'o')
            name = optarg;
        else if (found == OPT_REDIS)
            url = optarg;
        else
            return options_refuse("metrics", long_options, found, argv);
    }
    if (optind == argc)
        return run(url, name);
    fprintf(stderr,
            "h5swim metrics: %s means nothing here (see h5swim metrics --help)\n",
            argv[optind]);
    return METRICS_USAGE;
}

const struct command command_metrics = {
    "metrics", cmd_metrics,  "a lock server and its jobs, for Prometheus",
    help,      long_options, ":o:",
    "none"};
