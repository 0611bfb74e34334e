/* cmd_selftest.h - h5swim selftest: whether locks work on this host, at this server. */
#ifndef SWIM_CLI_CMD_SELFTEST_H
#define SWIM_CLI_CMD_SELFTEST_H

#include "cli/command.h"

/* argv[0] is "selftest".  Returns the exit status: 0 all is well, 1 something failed, 2
 * usage, 128+N ended by signal N. */
int cmd_selftest(int argc, char **argv);

extern const struct command command_selftest;

#endif /* SWIM_CLI_CMD_SELFTEST_H */
