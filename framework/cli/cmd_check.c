/* cmd_check.c - h5swim check: the state of a file and its journal; what is wrong with a
 * job. */
#include "cli/cmd_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/check_job.h"
#include "cli/options.h"
#include "cli/run_options.h"
#include "cli/verdict_show.h"

static const char help[] =
    "Usage: h5swim check FILE [OPTION...]\n"
    "       h5swim check JOB.yaml [OPTION...]\n"
    "Say in what state an HDF5 file and its journal, FILE.swimlog, are; or all that\n"
    "is wrong with a job, against its kernel, its data and this machine.  No file is\n"
    "changed.\n"
    "\n"
    "  --json           print one JSON object on stdout (schema 1)\n"
    "  --help           this text\n"
    "\n"
    "Of a file (no lock is taken, and no lock server is asked):\n"
    "\n"
    "clean        the file is all there is\n"
    "recoverable  commits lie in the journal; readers see them, and the next writer\n"
    "             or h5swim recover --apply copies them into the file\n"
    "foreign      another program changed or replaced the file meanwhile; it is not\n"
    "             opened until h5swim recover is told what counts\n"
    "damaged      the journal or the superblock of the file is not as it was written,\n"
    "             or a shard of it (layout: sharded) is gone or is another file\n"
    "\n"
    "The checksums of all that is committed in the journal are compared; of the file\n"
    "itself the superblock is looked at, not the data.\n"
    "\n"
    "Of a job (a name that ends in .yaml or .yml), a line for each error and\n"
    "warning on stderr: \"JOB.yaml:LINE:COLUMN: error: what; what to do\".\n"
    "\n"
    "  --set KEY=VALUE  as of h5swim run\n"
    "  --overwrite, --resume  look at outputs that exist as run does with these;\n"
    "                   without, they are warned of\n"
    "  --redis URL, --wait SECONDS  as of h5swim run: inputs are opened for reading\n"
    "\n"
    "Exit status: 0 clean or recoverable, or a job without errors; 1 failed (no such\n"
    "file, or no HDF5 file), 2 usage, or a job with errors, 5 foreign or damaged,\n"
    "128+N ended by signal N.\n";

static const struct option long_options[] = {
    {"json", no_argument, NULL, RUN_OPT_JSON},
    {"set", required_argument, NULL, RUN_OPT_SET},
    {"overwrite", no_argument, NULL, RUN_OPT_OVERWRITE},
    {"resume", no_argument, NULL, RUN_OPT_RESUME},
    {"redis", required_argument, NULL, RUN_OPT_REDIS},
    {"wait", required_argument, NULL, RUN_OPT_WAIT},
    {"help", no_argument, NULL, RUN_OPT_HELP},
    {0},
};

static int check(const char *file, bool json)
{
    struct verdict *v = NULL;
    swim_error_t err = {0};

    if (verdict_with_shards(file, &v, &err) != SWIM_OK) {
        fprintf(stderr, "h5swim check: %s\n", err.text);
        return VERDICT_FAILED;
    }
    int rc = SWIM_OK, status = verdict_status(v);
    if (json)
        rc = verdict_json(v);
    else
        verdict_show(v, false);
    verdict_close(v);
    if (rc == SWIM_OK && fflush(stdout) == 0 && !ferror(stdout))
        return status;
    fputs("h5swim check: write what was found: it failed (is the disk full?)\n",
          stderr);
    return VERDICT_FAILED;
}

static bool is_job(const char *name)
{
    const char *dot = strrchr(name, '.');

    return dot && (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0);
}

static int check_either(int argc, char **argv, struct run_options *run,
                        const char **sets)
{
    int found, status = run_options_begin("check", run);
    bool for_job = false;

    while (status == 0 &&
           (found = getopt_long(argc, argv, ":", long_options, NULL)) >= 0) {
        if (found == RUN_OPT_HELP) {
            fputs(help, stdout);
            return VERDICT_DONE;
        }
        for_job = for_job || (found != RUN_OPT_JSON && found != '?' && found != ':');
        status = run_options_take("check", found, long_options, argv, run, sets);
    }
    if (status == 0)
        status = run_options_check("check", run);
    if (status)
        return status;
    const char *file = verdict_file("check", argc, argv, optind);
    if (!file)
        return VERDICT_USAGE;
    if (is_job(file))
        return check_job_print(file, run);
    if (for_job)
        return run_usage("check", "argument", file,
                         "only --json goes with a file that is no job (.yaml, .yml)");
    return check(file, run->json);
}

int cmd_check(int argc, char **argv)
{
    const char **sets = calloc((size_t)argc, sizeof(*sets));
    struct run_options run = {.sets = sets};

    if (!sets)
        return VERDICT_FAILED;
    int status = check_either(argc, argv, &run, sets);
    free(sets);
    return status;
}

const struct command command_check = {
    "check", cmd_check,    "the state of a file; all that is wrong with a job",
    help,    long_options, ":",
    "file"};
