/* cmd_check.h - h5swim check: the state of a file and its journal. */
#ifndef SWIM_CLI_CMD_CHECK_H
#define SWIM_CLI_CMD_CHECK_H

/* argv[0] is "check".  Returns the exit status: 0 clean or recoverable, 1 failed,
 * 2 usage, 5 foreign or damaged. */
int cmd_check(int argc, char **argv);

#endif /* SWIM_CLI_CMD_CHECK_H */
