/* run_options.c - from options of commands that run a job to struct run_options. */
#include "cli/run_options.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "batch/state.h"
#include "cli/options.h"
#include "core/text.h"

#define COUNT_MOST 4096

int run_usage(const char *command, const char *what, const char *value, const char *why)
{
    char shown[OPTIONS_SHOWN];

    fprintf(stderr, "h5swim %s: %s %s: %s (see h5swim %s --help)\n", command, what,
            swim_text_shown(value, shown, sizeof(shown)), why, command);
    return RUN_STATUS_USAGE;
}

static int parse_count(const char *command, const char *what, const char *text,
                       uint32_t *out)
{
    char *end = NULL;

    errno = 0;
    unsigned long n = strtoul(text, &end, 10);
    if (errno || *end || end == text || text[0] == '-' || n == 0 || n > COUNT_MOST)
        return run_usage(command, what, text, "a number from 1 to 4096 is wanted");
    *out = (uint32_t)n;
    return 0;
}

static int parse_wait(const char *command, const char *what, const char *text,
                      int64_t *wait_ms)
{
    char *end = NULL;
    double seconds = strtod(text, &end);

    if (*end || end == text || !(seconds >= 0) || seconds > 1e9)
        return run_usage(command, what, text, "a number of seconds is wanted");
    *wait_ms = seconds > 0 ? (int64_t)ceil(seconds * 1000) : SWIM_LOCK_TRY;
    return 0;
}

int run_options_begin(const char *command, struct run_options *run)
{
    const char *wait = getenv("SWIM_WAIT");

    state_deafen(); /* who asks before the job can answer is no reason to end it */
    return wait ? parse_wait(command, "SWIM_WAIT", wait, &run->wait_ms) : 0;
}

int run_options_take(const char *command, int found, const struct option *options,
                     char **argv, struct run_options *run, const char **sets)
{
    switch (found) {
    case 'n':
        return parse_count(command, "-n", optarg, &run->n_ranks);
    case RUN_OPT_READERS:
        return parse_count(command, "--readers", optarg, &run->n_readers);
    case RUN_OPT_WAIT:
        return parse_wait(command, "--wait", optarg, &run->wait_ms);
    case RUN_OPT_RECORD:
        run->record = optarg;
        return optarg[0] ? 0
                         : run_usage(command, "option", "--record",
                                     "it wants the name of a file, or none");
    case RUN_OPT_SET:
        sets[run->n_sets++] = optarg;
        return 0;
    case RUN_OPT_REDIS:
        run->url = optarg;
        return 0;
    case RUN_OPT_OVERWRITE:
        run->overwrite = true;
        return 0;
    case RUN_OPT_RESUME:
        run->resume = true;
        return 0;
    case RUN_OPT_FAIL_FAST:
        run->fail_fast = true;
        return 0;
    case RUN_OPT_DRY_RUN:
        run->dry_run = true;
        return 0;
    case RUN_OPT_JSON:
        run->json = true;
        return 0;
    case 'q':
        run->quiet = true;
        return 0;
    default:
        return options_refuse(command, options, found, argv);
    }
}

int run_options_check(const char *command, const struct run_options *run)
{
    if (run->resume && run->overwrite)
        return run_usage(command, "option", "--resume",
                         "it cannot go with --overwrite");
    return 0;
}

void run_options_command(int argc, char **argv, char text[RUN_COMMAND_SIZE])
{
    snprintf(text, RUN_COMMAND_SIZE, "h5swim");
    for (int i = 0; i < argc; i++) {
        size_t used = strlen(text);
        const char *arg = argv[i];
        if (i > 0 && strcmp(argv[i - 1], "--redis") == 0)
            arg = "URL"; /* it may hold a password */
        else if (strncmp(arg, "--redis=", 8) == 0)
            arg = "--redis=URL";
        snprintf(text + used, RUN_COMMAND_SIZE - used, " %s", arg);
    }
    for (char *c = text; *c; c++)
        if (*c == '\n' || *c == '\r')
            *c = ' '; /* a run is a line of the history */
}
