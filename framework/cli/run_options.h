/* run_options.h - options that all commands which run a job have. */
#ifndef SWIM_CLI_RUN_OPTIONS_H
#define SWIM_CLI_RUN_OPTIONS_H

#include <getopt.h>

#include "batch/run.h"

/* Of them the values that getopt_long() returns; others begin at RUN_OPT_END. */
enum {
    RUN_OPT_SET = 256,
    RUN_OPT_READERS,
    RUN_OPT_OVERWRITE,
    RUN_OPT_RESUME,
    RUN_OPT_FAIL_FAST,
    RUN_OPT_DRY_RUN,
    RUN_OPT_JSON,
    RUN_OPT_REDIS,
    RUN_OPT_WAIT,
    RUN_OPT_RECORD,
    RUN_OPT_HELP,
    RUN_OPT_END
};

#define RUN_SHORT_OPTIONS ":n:q"
/* clang-format off */
#define RUN_LONG_OPTIONS                                    \
    {"readers", required_argument, NULL, RUN_OPT_READERS},  \
    {"set", required_argument, NULL, RUN_OPT_SET},          \
    {"overwrite", no_argument, NULL, RUN_OPT_OVERWRITE},    \
    {"resume", no_argument, NULL, RUN_OPT_RESUME},          \
    {"fail-fast", no_argument, NULL, RUN_OPT_FAIL_FAST},    \
    {"dry-run", no_argument, NULL, RUN_OPT_DRY_RUN},        \
    {"json", no_argument, NULL, RUN_OPT_JSON},              \
    {"quiet", no_argument, NULL, 'q'},                      \
    {"redis", required_argument, NULL, RUN_OPT_REDIS},      \
    {"wait", required_argument, NULL, RUN_OPT_WAIT},        \
    {"record", required_argument, NULL, RUN_OPT_RECORD},    \
    {"help", no_argument, NULL, RUN_OPT_HELP}
/* clang-format on */

#define RUN_STATUS_USAGE 2

/* A line about wrong usage of h5swim COMMAND; 2, the exit status for it. */
int run_usage(const char *command, const char *what, const char *value,
              const char *why);

/* What the environment says; before the options.  Returns 0, or an exit status when
 * something is wrong, which is said. */
int run_options_begin(const char *command, struct run_options *run);

/* Take what getopt_long() has found; *sets is where the next --set goes.  Returns 0, or
 * an exit status when something is wrong, which is said; that of RUN_OPT_HELP is the
 * caller's. */
int run_options_take(const char *command, int found, const struct option *options,
                     char **argv, struct run_options *run, const char **sets);

/* Options that exclude each other.  Returns as above. */
int run_options_check(const char *command, const struct run_options *run);

/* The command line as the history attribute of outputs will show it. */
#define RUN_COMMAND_SIZE 900
void run_options_command(int argc, char **argv, char text[RUN_COMMAND_SIZE]);

#endif /* SWIM_CLI_RUN_OPTIONS_H */
