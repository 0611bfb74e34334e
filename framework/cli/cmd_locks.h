/* cmd_locks.h - h5swim locks: who holds and who waits; ending a session. */
#ifndef SWIM_CLI_CMD_LOCKS_H
#define SWIM_CLI_CMD_LOCKS_H

#include "cli/command.h"

/* argv[0] is "locks".  Returns the exit status: 0 done, 1 failed, 2 usage. */
int cmd_locks(int argc, char **argv);

extern const struct command command_locks;

#endif /* SWIM_CLI_CMD_LOCKS_H */
