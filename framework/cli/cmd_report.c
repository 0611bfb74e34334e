/* cmd_report.c - h5swim report: one page of a run. */
#include "cli/cmd_report.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/options.h"
#include "core/signals.h"
#include "core/text.h"
#include "report/gallery.h"
#include "report/page.h"
#include "report/trace.h"

enum { STATUS_DONE = 0, STATUS_FAILED = 1, STATUS_USAGE = 2, STATUS_SIGNAL = 128 };
#define LEAVE_MS 200

static const char help[] =
    "Usage: h5swim report RUN.json [OPTION...]\n"
    "Make one HTML page of what h5swim run has recorded: what each process did and "
    "when,\n"
    "throughput, lock waits, slow and failed blocks, a picture of each output as its\n"
    "file is now.  The page needs no other file and no network.\n"
    "\n"
    "  -o, --output FILE  the page; -: stdout; default: RUN.html beside RUN.json\n"
    "  --trace FILE       also a trace, which ui.perfetto.dev and chrome://tracing "
    "open\n"
    "  --redis URL        the lock server by which outputs are read; default:\n"
    "                     $SWIM_REDIS_URL, else the private server of this user\n"
    "  --help             this text\n"
    "\n"
    "Files of these names are replaced.  Outputs that are not where the run left them\n"
    "are looked for beside RUN.json; the page says which could not be read, and why.\n"
    "\n"
    "Exit status: 0 done, 1 failed, 2 usage, or RUN.json is no record of a run,\n"
    "128+N ended by signal N.\n";

enum { OPT_TRACE = 256, OPT_REDIS, OPT_HELP };

static const struct option long_options[] = {
    {"output", required_argument, NULL, 'o'},
    {"trace", required_argument, NULL, OPT_TRACE},
    {"redis", required_argument, NULL, OPT_REDIS},
    {"help", no_argument, NULL, OPT_HELP},
    {0},
};

struct options {
    const char *run, *page, *trace, *url;
    char preset[PATH_MAX]; /* of page */
};

static int fail(const swim_error_t *err)
{
    fprintf(stderr, "h5swim report: %s\n", err->text);
    return err->code == SWIM_ERR_ARG ? STATUS_USAGE : STATUS_FAILED;
}

/* --- files -------------------------------------------------------------------------
 */

/* A file that takes its name when it is whole; what is no regular file, as a device or
 * a pipe, is written to as it is. */
struct output {
    const char *name;
    char real[PATH_MAX];   /* where its name leads */
    char staged[PATH_MAX]; /* "": it is not staged */
    FILE *to;
};

/* What the file would have been made with by open(). */
static mode_t usual_mode(void)
{
    mode_t mask = umask(0);

    umask(mask);
    return 0666 & ~mask;
}

static int output_stage(struct output *o, swim_error_t *err)
{
    int n = snprintf(o->staged, sizeof(o->staged), "%s.XXXXXX", o->real);
    int fd = n < (int)sizeof(o->staged) ? mkstemp(o->staged) : -1;

    if (fd >= 0 && fchmod(fd, usual_mode()) == 0)
        o->to = fdopen(fd, "w");
    if (o->to)
        return SWIM_OK;
    swim_error_sys(err, errno, "write %s", o->name);
    if (fd >= 0) {
        close(fd);
        unlink(o->staged);
    }
    return SWIM_ERR_IO;
}

static int output_open(struct output *o, const char *name, swim_error_t *err)
{
    struct stat st;

    memset(o, 0, sizeof(*o));
    o->name = name;
    if (strcmp(name, "-") == 0) {
        o->to = stdout;
        return SWIM_OK;
    }
    if (stat(name, &st) != 0) {
        snprintf(o->real, sizeof(o->real), "%s", name);
        return output_stage(o, err);
    }
    if (S_ISREG(st.st_mode) && realpath(name, o->real))
        return output_stage(o, err);
    o->to = fopen(name, "we");
    return o->to ? SWIM_OK : swim_error_sys(err, errno, "write %s", name);
}

/* rc: how it went so far.  Nothing is left of what failed. */
static int output_close(struct output *o, int rc, swim_error_t *err)
{
    bool staged = o->to && o->staged[0];

    if (o->to && (fflush(o->to) != 0 || ferror(o->to)) && rc == SWIM_OK)
        rc = swim_error_sys(err, errno, "write %s", o->name);
    if (o->to && o->to != stdout && fclose(o->to) != 0 && rc == SWIM_OK)
        rc = swim_error_sys(err, errno, "write %s", o->name);
    if (staged && rc == SWIM_OK && rename(o->staged, o->real) != 0)
        rc = swim_error_sys(err, errno, "write %s", o->name);
    if (staged && rc != SWIM_OK)
        unlink(o->staged);
    return rc;
}

static int write_trace(const struct runfile *record, const char *name,
                       swim_error_t *err)
{
    struct output o;
    int rc = output_open(&o, name, err);

    if (rc == SWIM_OK)
        trace_write(record, o.to);
    return output_close(&o, rc, err);
}

static int write_page(const struct runfile *record, const struct options *opt,
                      swim_error_t *err)
{
    struct output o;
    json_t *pictures = gallery_make(record, opt->run, opt->url);
    int rc = swim_signals_check("make the page", err);

    if (rc == SWIM_OK) {
        rc = output_open(&o, opt->page, err);
        if (rc == SWIM_OK)
            rc = page_write(record, pictures, o.to, err);
        rc = output_close(&o, rc, err);
    }
    json_decref(pictures);
    return rc;
}

/* --- the command -------------------------------------------------------------------
 */

static int make(const struct options *opt)
{
    struct runfile *record = NULL;
    swim_error_t err = {0};

    int rc = runfile_load(opt->run, &record, &err);
    if (rc == SWIM_OK)
        rc = swim_signals_install_command(LEAVE_MS, &err);
    if (rc == SWIM_OK && opt->trace)
        rc = write_trace(record, opt->trace, &err);
    if (rc == SWIM_OK)
        rc = write_page(record, opt, &err);
    runfile_destroy(record);
    int signo = swim_signals_pending();
    if (rc != SWIM_OK && signo) {
        fprintf(stderr, "h5swim report: ended by signal %d\n", signo);
        return STATUS_SIGNAL + signo;
    }
    /* With the trace there, stdout is for nothing else. */
    if (rc == SWIM_OK && strcmp(opt->page, "-") != 0 &&
        !(opt->trace && strcmp(opt->trace, "-") == 0))
        printf("%s\n", opt->page);
    return rc == SWIM_OK ? STATUS_DONE : fail(&err);
}

static int usage(const char *why, const char *what)
{
    char shown[OPTIONS_SHOWN];

    fprintf(stderr, "h5swim report: %s%s (see h5swim report --help)\n", why,
            swim_text_shown(what, shown, sizeof(shown)));
    return STATUS_USAGE;
}

/* RUN.html of RUN.json. */
static int preset_page(struct options *opt)
{
    size_t length = strlen(opt->run);

    if (length > 5 && strcmp(opt->run + length - 5, ".json") == 0)
        length -= 5;
    int n =
        snprintf(opt->preset, sizeof(opt->preset), "%.*s.html", (int)length, opt->run);
    if (n >= (int)sizeof(opt->preset))
        return usage("the name is too long: ", opt->run);
    opt->page = opt->preset;
    return STATUS_DONE;
}

static bool same_file(const char *a, const char *b)
{
    struct stat sa, sb;

    return stat(a, &sa) == 0 && stat(b, &sb) == 0 && sa.st_dev == sb.st_dev &&
           sa.st_ino == sb.st_ino;
}

/* Data that took hours must not be replaced by a slip of the pen. */
static bool is_hdf5(const char *name)
{
    char begins[8] = "";
    FILE *file = fopen(name, "re");
    bool is = file && fread(begins, 1, sizeof(begins), file) == sizeof(begins) &&
              memcmp(begins, "\211HDF\r\n\032\n", sizeof(begins)) == 0;

    if (file)
        fclose(file);
    return is;
}

/* The file that must not be replaced, NULL: there is none. */
static const char *in_the_way(const struct options *opt)
{
    const char *const names[] = {opt->page, opt->trace};
    struct stat st;

    for (int i = 0; i < 2; i++)
        if (names[i] && stat(names[i], &st) == 0 && S_ISREG(st.st_mode) &&
            (same_file(opt->run, names[i]) || is_hdf5(names[i])))
            return names[i];
    return NULL;
}

int cmd_report(int argc, char **argv)
{
    struct options opt = {0};
    int found;

    while ((found = getopt_long(argc, argv, ":o:", long_options, NULL)) >= 0) {
        if (found == OPT_HELP) {
            fputs(help, stdout);
            return STATUS_DONE;
        }
        if (found == 'o')
            opt.page = optarg;
        else if (found == OPT_TRACE)
            opt.trace = optarg;
        else if (found == OPT_REDIS)
            opt.url = optarg;
        else
            return options_refuse("report", long_options, found, argv);
    }
    if (argc - optind != 1 || !argv[optind][0])
        return usage(argc - optind <= 1 ? "RUN.json is missing"
                                        : "more than one RUN.json: ",
                     argc - optind <= 1 ? "" : argv[optind + 1]);
    opt.run = argv[optind];
    if (!opt.page && preset_page(&opt) != STATUS_DONE)
        return STATUS_USAGE;
    if (in_the_way(&opt))
        return usage("what is written would replace ", in_the_way(&opt));
    if (opt.trace && (strcmp(opt.trace, opt.page) == 0))
        return usage("page and trace would be one file: ", opt.page);
    return make(&opt);
}

const struct command command_report = {
    "report", cmd_report, "one HTML page of a run, from its record", help, long_options,
    ":o:",    "file"};
