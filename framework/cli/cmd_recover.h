/* cmd_recover.h - h5swim recover: what is committed in a journal is kept or given up.
 */
#ifndef SWIM_CLI_CMD_RECOVER_H
#define SWIM_CLI_CMD_RECOVER_H

#include "cli/command.h"

/* argv[0] is "recover".  Returns the exit status: 0 done, 1 failed, 2 usage, 4 the file
 * is in use, 5 foreign or damaged, 128 + N ended by signal N. */
int cmd_recover(int argc, char **argv);

extern const struct command command_recover;

#endif /* SWIM_CLI_CMD_RECOVER_H */
