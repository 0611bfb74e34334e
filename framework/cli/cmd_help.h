/* cmd_help.h - h5swim help: what commands there are, and the texts of the manual. */
#ifndef SWIM_CLI_CMD_HELP_H
#define SWIM_CLI_CMD_HELP_H

#include <stdio.h>

#include "cli/command.h"

/* argv[0] is "help".  Returns the exit status: 0 done, 1 failed, 2 usage. */
int cmd_help(int argc, char **argv);

/* What h5swim --help says. */
void help_usage(FILE *to);

/* Of a word that is no command; 2, the exit status of wrong usage. */
int help_unknown(const char *word);

extern const struct command command_help;

#endif /* SWIM_CLI_CMD_HELP_H */
