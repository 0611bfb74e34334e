/* cmd_selftest.c - h5swim selftest: options, and one check after another. */
#include "cli/cmd_selftest.h"

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/options.h"
#include "cli/selftest.h"
#include "core/clock.h"
#include "core/signals.h"

#define LEAVE_MS 3000 /* to end all children */

enum { STATUS_DONE = 0, STATUS_FAILED = 1, STATUS_USAGE = 2, STATUS_SIGNAL = 128 };

static const char help[] =
    "Usage: h5swim selftest [OPTION...]\n"
    "Check whether locks work on this host with this lock server, by processes that\n"
    "lock, wait, are killed and stopped.  It takes about 4 s, 20 s at most, disturbs\n"
    "no other user of the server and leaves nothing there.\n"
    "\n"
    "  --redis URL  lock server (else $SWIM_REDIS_URL, else the private one)\n"
    "  --dir DIR    make files for the checks of names and of flock() in DIR, where\n"
    "               the data are (default $TMPDIR, else /tmp)\n"
    "  --json       print one JSON object on stdout (schema 1)\n"
    "  --help       this text\n"
    "\n"
    "One line for each check: its result, how long it took, what was found.  When\n"
    "the server cannot be used, or goes away, what is left is skipped.  A DIR without\n"
    "flock() is no failure, but it is said.\n"
    "\n"
    "Exit status: 0 all is well, 1 something failed, 2 usage,\n"
    "128+N ended by signal N.\n";

enum { OPT_REDIS = 256, OPT_DIR, OPT_JSON, OPT_HELP };

static const struct option long_options[] = {
    {"redis", required_argument, NULL, OPT_REDIS},
    {"dir", required_argument, NULL, OPT_DIR},
    {"json", no_argument, NULL, OPT_JSON},
    {"help", no_argument, NULL, OPT_HELP},
    {0},
};

struct options {
    const char *url, *dir;
    bool json;
};

/* The findings, in order; those after one that others need are skipped.  False: a
 * signal came. */
static bool run_checks(struct selftest *t, const struct options *o,
                       struct selftest_finding *findings)
{
    bool go_on = true;

    for (int i = 0; i < SELFTEST_CHECKS; i++) {
        const struct selftest_check *check = &selftest_checks[i];
        struct selftest_finding *f = &findings[i];
        if (go_on)
            selftest_run(t, check, f);
        else
            f->result = SELFTEST_SKIPPED;
        if (selftest_interrupted())
            return false;
        if (f->result == SELFTEST_FAILED &&
            (check->others_need_it || !selftest_server_answers(t)))
            go_on = false;
        if (!o->json)
            report_line(check, f);
    }
    return true;
}

static int report(const struct selftest *t, const struct options *o,
                  const struct selftest_finding *findings, double seconds)
{
    int status = STATUS_DONE;

    for (int i = 0; i < SELFTEST_CHECKS; i++)
        if (findings[i].result != SELFTEST_OK)
            status = STATUS_FAILED;
    if (!o->json)
        report_verdict(findings, seconds);
    else if (report_json(t, findings, seconds) != 0)
        status = STATUS_FAILED;
    if (ferror(stdout) || fflush(stdout) != 0) {
        fputs("h5swim selftest: write what was found: it failed (is the disk full?)\n",
              stderr);
        return STATUS_FAILED;
    }
    report_failure(findings);
    return status;
}

static int fail(const swim_error_t *err)
{
    fprintf(stderr, "h5swim selftest: %s\n", err->text);
    return err->code == SWIM_ERR_ARG ? STATUS_USAGE : STATUS_FAILED;
}

static int run(const struct options *o)
{
    static struct selftest_finding findings[SELFTEST_CHECKS];
    int64_t begin_ns = swim_clock_mono_ns();
    char server[320];
    struct selftest t;
    swim_error_t err = {0};

    setlocale(LC_CTYPE, ""); /* which names can be shown as they are */
    if (swim_signals_install_command(LEAVE_MS, &err) != SWIM_OK)
        return fail(&err);
    int rc = selftest_begin(&t, &selftest_library, o->url, o->dir, &err);
    int status = STATUS_DONE;
    if (rc == SWIM_OK && !o->json)
        printf("lock server %s\n", lock_url_show(&t.where, server, sizeof(server)));
    if (rc != SWIM_OK)
        status = fail(&err);
    else if (run_checks(&t, o, findings))
        status =
            report(&t, o, findings, (double)(swim_clock_mono_ns() - begin_ns) / 1e9);
    selftest_end(&t);
    int signo = swim_signals_pending();
    if (!signo)
        return status;
    fprintf(stderr, "h5swim selftest: ended by signal %d\n", signo);
    return STATUS_SIGNAL + signo;
}

static int take_option(int found, char **argv, struct options *o)
{
    switch (found) {
    case OPT_REDIS:
        o->url = optarg;
        return STATUS_DONE;
    case OPT_DIR:
        o->dir = optarg;
        return STATUS_DONE;
    case OPT_JSON:
        o->json = true;
        return STATUS_DONE;
    default:
        return options_refuse("selftest", long_options, found, argv);
    }
}

int cmd_selftest(int argc, char **argv)
{
    const char *tmp = getenv("TMPDIR");
    struct options o = {.dir = tmp && tmp[0] ? tmp : "/tmp"};
    int found, status = STATUS_DONE;

    while (status == STATUS_DONE &&
           (found = getopt_long(argc, argv, ":", long_options, NULL)) >= 0) {
        if (found == OPT_HELP) {
            fputs(help, stdout);
            return STATUS_DONE;
        }
        status = take_option(found, argv, &o);
    }
    if (status != STATUS_DONE)
        return status;
    if (optind < argc) {
        fprintf(stderr,
                "h5swim selftest: argument %s: it takes options only (see h5swim "
                "selftest --help)\n",
                argv[optind]);
        return STATUS_USAGE;
    }
    struct stat st;
    if (stat(o.dir, &st) == 0 && !S_ISDIR(st.st_mode)) {
        fprintf(stderr,
                "h5swim selftest: make files in %s: it is not a directory (choose "
                "another by --dir)\n",
                o.dir);
        return STATUS_USAGE;
    }
    if (access(o.dir, W_OK | X_OK) != 0) {
        fprintf(stderr,
                "h5swim selftest: make files in %s: %s (choose another by --dir)\n",
                o.dir, strerror(errno));
        return STATUS_USAGE;
    }
    return run(&o);
}

const struct command command_selftest = {
    "selftest", cmd_selftest, "check whether locks work on this host",
    help,       long_options, ":",
    "none"};
