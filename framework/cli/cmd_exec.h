/* cmd_exec.h - h5swim exec: a program that knows nothing of h5swim, with transactions.
 */
#ifndef SWIM_CLI_CMD_EXEC_H
#define SWIM_CLI_CMD_EXEC_H

#include "cli/command.h"

/* argv[0] is "exec".  Becomes the program; returns the exit status only when it cannot:
 * 2 usage, 126 it cannot be run, 127 it is not found. */
int cmd_exec(int argc, char **argv);

extern const struct command command_exec;

#endif /* SWIM_CLI_CMD_EXEC_H */
