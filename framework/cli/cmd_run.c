/* cmd_run.c - h5swim run: options to struct run_options. */
#include "cli/cmd_run.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "batch/run.h"
#include "cli/options.h"

#define COUNT_MOST 4096
#define COMMAND_SIZE 900
#define STATUS_USAGE 2

static const char help[] =
    "Usage: h5swim run JOB.yaml [OPTION...]\n"
    "Run a kernel over HDF5 datasets, as the job file says.\n"
    "\n"
    "  -n N              fork N ranks (default 1; not under mpirun or srun, which say "
    "it)\n"
    "  --readers R       readers of each rank (default: one per processor)\n"
    "  --set KEY=VALUE   change the job: params.radius=1, outputs.speed.file=o.nc\n"
    "  --overwrite       replace output files that exist\n"
    "  --resume          go on with an unfinished output of this job; make it if there "
    "is\n"
    "                    none, and do nothing if it is finished\n"
    "  --fail-fast       stop at the first block that fails (default: try it three "
    "times,\n"
    "                    go on without it, end with status 3)\n"
    "  --join            help the job of this file that runs already, here or on "
    "another\n"
    "                    host, with -n ranks of --readers; they may come and go\n"
    "  --dry-run         show the plan (blocks, memory, ranks), run nothing\n"
    "  --json            print one JSON object on stdout\n"
    "  -q, --quiet       no progress, no summary\n"
    "  --redis URL       lock server (else $SWIM_REDIS_URL, else a private one; on "
    "several\n"
    "                    nodes one of the job's own, on $SWIM_INTERFACE)\n"
    "  --wait SECONDS    wait so long for a lock (default $SWIM_WAIT or 60; 0: do "
    "not)\n"
    "  --help            this text\n"
    "\n"
    "Under an MPI launcher (mpirun -n 4 h5swim run JOB.yaml, srun --mpi=pmix ...) "
    "each\n"
    "process that it starts is a rank.\n"
    "\n"
    "Exit status: 0 done, 1 failed, 2 usage or a job that does not fit its data,\n"
    "3 finished with failed blocks, 4 lock not had in time, 5 file damaged,\n"
    "128+N ended by signal N.\n";

enum {
    OPT_SET = 256,
    OPT_READERS,
    OPT_OVERWRITE,
    OPT_RESUME,
    OPT_FAIL_FAST,
    OPT_JOIN,
    OPT_DRY_RUN,
    OPT_JSON,
    OPT_REDIS,
    OPT_WAIT,
    OPT_HELP
};

static const struct option long_options[] = {
    {"readers", required_argument, NULL, OPT_READERS},
    {"set", required_argument, NULL, OPT_SET},
    {"overwrite", no_argument, NULL, OPT_OVERWRITE},
    {"resume", no_argument, NULL, OPT_RESUME},
    {"fail-fast", no_argument, NULL, OPT_FAIL_FAST},
    {"join", no_argument, NULL, OPT_JOIN},
    {"dry-run", no_argument, NULL, OPT_DRY_RUN},
    {"json", no_argument, NULL, OPT_JSON},
    {"quiet", no_argument, NULL, 'q'},
    {"redis", required_argument, NULL, OPT_REDIS},
    {"wait", required_argument, NULL, OPT_WAIT},
    {"help", no_argument, NULL, OPT_HELP},
    {0},
};

static int usage_error(const char *what, const char *value, const char *why)
{
    fprintf(stderr, "h5swim run: %s %s: %s (see h5swim run --help)\n", what, value,
            why);
    return STATUS_USAGE;
}

static int parse_count(const char *what, const char *text, uint32_t *out)
{
    char *end = NULL;

    errno = 0;
    unsigned long n = strtoul(text, &end, 10);
    if (errno || *end || end == text || text[0] == '-' || n == 0 || n > COUNT_MOST)
        return usage_error(what, text, "a number from 1 to 4096 is wanted");
    *out = (uint32_t)n;
    return 0;
}

static int parse_wait(const char *what, const char *text, int64_t *wait_ms)
{
    char *end = NULL;
    double seconds = strtod(text, &end);

    if (*end || end == text || !(seconds >= 0) || seconds > 1e9)
        return usage_error(what, text, "a number of seconds is wanted");
    *wait_ms = seconds > 0 ? (int64_t)ceil(seconds * 1000) : SWIM_LOCK_TRY;
    return 0;
}

static int take_option(int found, char **argv, struct run_options *run,
                       const char **sets)
{
    switch (found) {
    case 'n':
        return parse_count("-n", optarg, &run->n_ranks);
    case OPT_READERS:
        return parse_count("--readers", optarg, &run->n_readers);
    case OPT_WAIT:
        return parse_wait("--wait", optarg, &run->wait_ms);
    case OPT_SET:
        sets[run->n_sets++] = optarg;
        return 0;
    case OPT_REDIS:
        run->url = optarg;
        return 0;
    case OPT_OVERWRITE:
        run->overwrite = true;
        return 0;
    case OPT_RESUME:
        run->resume = true;
        return 0;
    case OPT_FAIL_FAST:
        run->fail_fast = true;
        return 0;
    case OPT_JOIN:
        run->join = true;
        return 0;
    case OPT_DRY_RUN:
        run->dry_run = true;
        return 0;
    case OPT_JSON:
        run->json = true;
        return 0;
    case 'q':
        run->quiet = true;
        return 0;
    default:
        return options_refuse("run", long_options, found, argv);
    }
}

/* The command line as the history attribute of outputs will show it. */
static void join_command(int argc, char **argv, char *text, size_t size)
{
    snprintf(text, size, "h5swim");
    for (int i = 0; i < argc; i++) {
        size_t used = strlen(text);
        const char *arg = argv[i];
        if (i > 0 && strcmp(argv[i - 1], "--redis") == 0)
            arg = "URL"; /* it may hold a password */
        else if (strncmp(arg, "--redis=", 8) == 0)
            arg = "--redis=URL";
        snprintf(text + used, size - used, " %s", arg);
    }
}

static int parse_and_run(int argc, char **argv, struct run_options *run,
                         const char **sets)
{
    const char *wait = getenv("SWIM_WAIT");
    int found, status = wait ? parse_wait("SWIM_WAIT", wait, &run->wait_ms) : 0;

    while (status == 0 &&
           (found = getopt_long(argc, argv, ":n:q", long_options, NULL)) >= 0) {
        if (found == OPT_HELP) {
            fputs(help, stdout);
            return 0;
        }
        status = take_option(found, argv, run, sets);
    }
    if (status)
        return status;
    if (optind == argc)
        return usage_error("argument", "JOB.yaml", "it is missing");
    if (optind + 1 < argc)
        return usage_error("argument", argv[optind + 1], "there is a job file already");
    if (run->resume && run->overwrite)
        return usage_error("option", "--resume", "it cannot go with --overwrite");
    if (run->join && (run->resume || run->overwrite || run->fail_fast || run->dry_run))
        return usage_error("option", "--join",
                           "it cannot go with --resume, --overwrite, --fail-fast or "
                           "--dry-run, which are for the job itself");
    run->job_path = argv[optind];
    return run_job(run);
}

int cmd_run(int argc, char **argv)
{
    char command[COMMAND_SIZE];
    const char **sets = calloc((size_t)argc, sizeof(*sets));
    struct run_options run = {.command = command, .sets = sets};

    if (!sets)
        return 1;
    join_command(argc, argv, command, sizeof(command));
    int status = parse_and_run(argc, argv, &run, sets);
    free(sets);
    return status;
}
