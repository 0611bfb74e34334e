/* cmd_recover.c - h5swim recover: what is committed in a journal is kept or given up.
 */
#include "cli/cmd_recover.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <h5swim/lock.h>

#include "cli/options.h"
#include "cli/verdict_show.h"
#include "core/signals.h"
#include "lock/resource.h"
#include "store/boot_id.h"
#include "store/recover.h"

#define LEAVE_MS 1000
#define LEASE_MARGIN_MS 500 /* for the write or rename that follows */
#define WAIT_S 15           /* longer than the lease of a session that was killed */
#define STATUS_SIGNAL 128

static const char help[] =
    "Usage: h5swim recover FILE [--apply | --discard] [OPTION...]\n"
    "Bring an HDF5 file and its journal, FILE.swimlog, together again.  Without\n"
    "--apply or --discard only say what each would do (see also h5swim check).\n"
    "\n"
    "  --apply         what is committed in the journal counts: it goes into the file\n"
    "  --discard       the file as it was before the journal, or as another program\n"
    "                  has changed it, counts: the journal goes\n"
    "  --wait SECONDS  wait so long for others to close the file (default 15)\n"
    "  -q, --quiet     print errors only\n"
    "  --redis URL     lock server (else $SWIM_REDIS_URL, else the private one)\n"
    "  --help          this text\n"
    "\n"
    "After a crash nothing needs to be done: the next session that writes applies the\n"
    "journal.  This is for a file that another program has changed, or a journal that\n"
    "was damaged: the file is then made anew, the one before stays as\n"
    "FILE.swimsaved, and the journal as FILE.swimlog.discarded; remove them when you\n"
    "have what you need.  Of a damaged journal the commits before the damage are\n"
    "applied.  When it is stopped, run it again.\n"
    "\n"
    "Exit status: 0 done, 1 failed, 2 usage, 4 the file is in use, 5 it cannot be\n"
    "done (without an option: the file is foreign or damaged),\n"
    "128+N ended by signal N.\n";

enum { OPT_APPLY = 256, OPT_DISCARD, OPT_WAIT, OPT_REDIS, OPT_HELP };

static const struct option long_options[] = {
    {"apply", no_argument, NULL, OPT_APPLY},
    {"discard", no_argument, NULL, OPT_DISCARD},
    {"wait", required_argument, NULL, OPT_WAIT},
    {"quiet", no_argument, NULL, 'q'},
    {"redis", required_argument, NULL, OPT_REDIS},
    {"help", no_argument, NULL, OPT_HELP},
    {0},
};

struct options {
    const char *file, *url;
    bool apply, discard, quiet;
    int wait_s;
};

static int say(const struct options *o)
{
    struct verdict *v = NULL;
    swim_error_t err = {0};

    if (verdict_of(o->file, &v, &err) != SWIM_OK)
        return verdict_fail("recover", &err);
    int status = verdict_status(v);
    if (!o->quiet)
        verdict_show(v, true);
    verdict_close(v);
    return status;
}

static int may_change(void *arg, swim_error_t *err)
{
    return swim_lock_check(arg, LEASE_MARGIN_MS, err);
}

/* As HDF5 reads it. */
static bool flocks_are_wanted(void)
{
    const char *text = getenv("HDF5_USE_FILE_LOCKING");

    return !text || (strcasecmp(text, "FALSE") != 0 && strcmp(text, "0") != 0);
}

static int recover(const struct options *o, swim_lock_t *lock,
                   struct recover_plan *done, swim_error_t *err)
{
    struct txn_options opt = {.write = true,
                              .flocks = flocks_are_wanted(),
                              .fence = swim_lock_fence(lock),
                              .may_change = may_change,
                              .arg = lock};
    char real[PATH_MAX];
    bool no_flock = false;

    boot_id_read(opt.boot);
    int rc = resource_real_path(o->file, real, sizeof(real), err);
    if (rc == SWIM_OK)
        rc = recover_run(real, o->apply ? RECOVER_APPLY : RECOVER_DISCARD, &opt, done,
                         &no_flock, err);
    if (no_flock)
        fputs("h5swim recover: the file system has no flock: programs that do not ask "
              "the lock server are not kept out\n",
              stderr);
    return rc;
}

static int lock_and_recover(const struct options *o, struct recover_plan *done,
                            swim_error_t *err)
{
    const struct swim_session_options session_opt = {.struct_size = sizeof(session_opt),
                                                     .url = o->url,
                                                     .job = "recover",
                                                     .rank = -1};
    const struct swim_lock_options lock_opt = {
        .struct_size = sizeof(lock_opt),
        .wait_ms = o->wait_s > 0 ? 1000 * (int64_t)o->wait_s : SWIM_LOCK_TRY};
    char resource[PATH_MAX];
    swim_session_t *session = NULL;
    swim_lock_t *lock = NULL;

    int rc = swim_resource_of_file(o->file, resource, sizeof(resource), err);
    if (rc == SWIM_OK)
        rc = swim_session_open(&session_opt, &session, err);
    if (rc == SWIM_OK)
        rc = swim_lock_acquire(session, resource, SWIM_LOCK_WRITE, &lock_opt, &lock,
                               err);
    if (rc == SWIM_OK)
        rc = recover(o, lock, done, err);
    (void)swim_lock_release(lock, NULL);
    swim_session_close(session);
    return rc;
}

/* What has come of it. */
static int report(const struct options *o, const struct recover_plan *done)
{
    struct verdict *v = NULL;
    swim_error_t err = {0};

    if (!o->quiet)
        printf("recover --%s %s\n", o->apply ? "apply" : "discard", done->text);
    if (verdict_of(o->file, &v, &err) != SWIM_OK)
        return verdict_fail("recover", &err);
    int status = verdict_status(v);
    if (!o->quiet)
        verdict_show(v, false);
    if (status != VERDICT_DONE)
        fprintf(stderr, "h5swim recover: %s is %s: %s\n", v->path, verdict_name(v->is),
                v->why.text);
    verdict_close(v);
    return status;
}

static int run(const struct options *o)
{
    struct recover_plan done = {0};
    struct verdict *v = NULL;
    swim_error_t err = {0};

    /* A file that is none is told of before a lock server is started for it. */
    if (verdict_of(o->file, &v, &err) != SWIM_OK)
        return verdict_fail("recover", &err);
    verdict_close(v);
    if (swim_signals_install_command(LEAVE_MS, &err) != SWIM_OK)
        return verdict_fail("recover", &err);
    int rc = lock_and_recover(o, &done, &err);
    int signo = swim_signals_pending();
    if (rc != SWIM_OK && signo) {
        fprintf(stderr, "h5swim recover: ended by signal %d\n", signo);
        return STATUS_SIGNAL + signo;
    }
    return rc == SWIM_OK ? report(o, &done) : verdict_fail("recover", &err);
}

static int take_wait(struct options *o, const char *text)
{
    size_t digits = strspn(text, "0123456789");

    o->wait_s = atoi(text);
    if (digits > 0 && digits < 8 && !text[digits])
        return VERDICT_DONE;
    fprintf(stderr,
            "h5swim recover: --wait %.40s: it is no number of seconds (see h5swim "
            "recover --help)\n",
            text);
    return VERDICT_USAGE;
}

static int take_option(int found, char **argv, struct options *o)
{
    switch (found) {
    case OPT_APPLY:
        o->apply = true;
        return VERDICT_DONE;
    case OPT_DISCARD:
        o->discard = true;
        return VERDICT_DONE;
    case OPT_WAIT:
        return take_wait(o, optarg);
    case 'q':
        o->quiet = true;
        return VERDICT_DONE;
    case OPT_REDIS:
        o->url = optarg;
        return VERDICT_DONE;
    default:
        return options_refuse("recover", long_options, found, argv);
    }
}

int cmd_recover(int argc, char **argv)
{
    struct options o = {.wait_s = WAIT_S};
    int found, status = VERDICT_DONE;

    while (status == VERDICT_DONE &&
           (found = getopt_long(argc, argv, ":q", long_options, NULL)) >= 0) {
        if (found == OPT_HELP) {
            fputs(help, stdout);
            return VERDICT_DONE;
        }
        status = take_option(found, argv, &o);
    }
    if (status != VERDICT_DONE)
        return status;
    o.file = verdict_file("recover", argc, argv, optind);
    if (!o.file)
        return VERDICT_USAGE;
    if (o.apply && o.discard) {
        fputs("h5swim recover: --apply and --discard are one or the other (see h5swim "
              "recover --help)\n",
              stderr);
        return VERDICT_USAGE;
    }
    return o.apply || o.discard ? run(&o) : say(&o);
}

const struct command command_recover = {
    "recover", cmd_recover,  "apply or discard a journal that needs a decision",
    help,      long_options, ":q",
    "file"};
