/* cmd_top.h - h5swim top: jobs, sessions, locks and queues, live. */
#ifndef SWIM_CLI_CMD_TOP_H
#define SWIM_CLI_CMD_TOP_H

#include "cli/command.h"

/* argv[0] is "top".  Returns the exit status, as its help says. */
int cmd_top(int argc, char **argv);

extern const struct command command_top;

#endif /* SWIM_CLI_CMD_TOP_H */
