/* cmd_run.c - h5swim run: options to struct run_options. */
#include "cli/cmd_run.h"

#include <argp.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "batch/run.h"

#define RANKS_MOST 4096
#define COMMAND_SIZE 900

enum { OPT_SET = 256, OPT_READERS, OPT_OVERWRITE, OPT_DRY_RUN, OPT_JSON, OPT_REDIS, OPT_WAIT };

static const struct argp_option options_list[] = {
    {NULL, 'n', "N", 0, "Fork N ranks (default 1; not under mpirun or srun)", 0},
    {"readers", OPT_READERS, "R", 0, "Readers of each rank (default: one per processor)", 0},
    {"set", OPT_SET, "KEY=VALUE", 0, "Change the job: params.radius=1, outputs.x.file=o.nc", 0},
    {"overwrite", OPT_OVERWRITE, NULL, 0, "Replace output files that exist", 0},
    {"dry-run", OPT_DRY_RUN, NULL, 0, "Show the plan, run nothing", 0},
    {"json", OPT_JSON, NULL, 0, "Print one JSON object on stdout", 0},
    {"quiet", 'q', NULL, 0, "No progress, no summary", 0},
    {"redis", OPT_REDIS, "URL", 0, "Lock server (else $SWIM_REDIS_URL, else a private one)", 0},
    {"wait", OPT_WAIT, "SECONDS", 0, "Wait for a lock (default $SWIM_WAIT or 60; 0: do not)", 0},
    {0},
};

struct arguments {
    struct run_options run;
    const char **sets;
    int usage; /* an error was printed */
};

static error_t usage_error(struct arguments *a, const char *what, const char *value,
                           const char *why)
{
    fprintf(stderr, "h5swim run: %s %s: %s (see h5swim run --help)\n", what, value, why);
    a->usage = 1;
    return EINVAL;
}

static error_t parse_count(struct arguments *a, const char *what, const char *text,
                           uint32_t *out)
{
    char *end = NULL;

    errno = 0;
    unsigned long n = strtoul(text, &end, 10);
    if (errno || *end || end == text || text[0] == '-' || n == 0 || n > RANKS_MOST)
        return usage_error(a, what, text, "a number from 1 to 4096 is wanted");
    *out = (uint32_t)n;
    return 0;
}

static error_t parse_wait(struct arguments *a, const char *what, const char *text)
{
    char *end = NULL;
    double seconds = strtod(text, &end);

    if (*end || end == text || !(seconds >= 0) || seconds > 1e9)
        return usage_error(a, what, text, "a number of seconds is wanted");
    a->run.wait_ms = seconds > 0 ? (int64_t)ceil(seconds * 1000) : SWIM_LOCK_TRY;
    return 0;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;

    switch (key) {
    case 'n':
        return parse_count(a, "-n", arg, &a->run.n_ranks);
    case OPT_READERS:
        return parse_count(a, "--readers", arg, &a->run.n_readers);
    case OPT_SET:
        a->sets[a->run.n_sets++] = arg;
        return 0;
    case OPT_OVERWRITE:
        a->run.overwrite = true;
        return 0;
    case OPT_DRY_RUN:
        a->run.dry_run = true;
        return 0;
    case OPT_JSON:
        a->run.json = true;
        return 0;
    case 'q':
        a->run.quiet = true;
        return 0;
    case OPT_REDIS:
        a->run.url = arg;
        return 0;
    case OPT_WAIT:
        return parse_wait(a, "--wait", arg);
    case ARGP_KEY_ARG:
        if (a->run.job_path)
            return usage_error(a, "argument", arg, "there is a job file already");
        a->run.job_path = arg;
        return 0;
    case ARGP_KEY_END:
        if (!a->run.job_path && !a->usage)
            return usage_error(a, "argument", "JOB.yaml", "it is missing");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {
    .options = options_list,
    .parser = parse_option,
    .args_doc = "JOB.yaml",
    .doc = "Run a kernel over HDF5 datasets, as the job file says."
           "\v"
           "Exit status: 0 done, 1 failed, 2 usage or a job that does not fit its data,\n"
           "3 finished with failed blocks, 4 lock not had in time, 5 file damaged,\n"
           "128+N ended by signal N.",
};

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

int cmd_run(int argc, char **argv)
{
    static char name[] = "h5swim run"; /* what argp calls us in messages */
    char command[COMMAND_SIZE];
    struct arguments a = {0};
    const char *wait = getenv("SWIM_WAIT");
    int status = 2;

    join_command(argc, argv, command, sizeof(command));
    argv[0] = name;
    a.run.command = command;
    a.sets = calloc((size_t)argc, sizeof(*a.sets));
    if (!a.sets)
        return 1;
    a.run.sets = a.sets;
    if ((!wait || parse_wait(&a, "SWIM_WAIT", wait) == 0) &&
        argp_parse(&argp, argc, argv, 0, NULL, &a) == 0)
        status = run_job(&a.run);
    free(a.sets);
    return status;
}
