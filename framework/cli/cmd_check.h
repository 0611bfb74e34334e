/* cmd_check.h - h5swim check: the state of a file and its journal; what is wrong with a
 * job. */
#ifndef SWIM_CLI_CMD_CHECK_H
#define SWIM_CLI_CMD_CHECK_H

#include "cli/command.h"

/* argv[0] is "check".  Returns the exit status: 0 clean or recoverable, or a job
 * without errors, 1 failed, 2 usage or a job with errors, 5 foreign or damaged. */
int cmd_check(int argc, char **argv);

extern const struct command command_check;

#endif /* SWIM_CLI_CMD_CHECK_H */
