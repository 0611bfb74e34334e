/* cmd_run.h - h5swim run. */
#ifndef SWIM_CLI_CMD_RUN_H
#define SWIM_CLI_CMD_RUN_H

#include "cli/command.h"

/* argv[0] is "run".  Returns an exit status. */
int cmd_run(int argc, char **argv);

extern const struct command command_run;

#endif /* SWIM_CLI_CMD_RUN_H */
