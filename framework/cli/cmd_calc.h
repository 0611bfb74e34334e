/* cmd_calc.h - h5swim calc. */
#ifndef SWIM_CLI_CMD_CALC_H
#define SWIM_CLI_CMD_CALC_H

#include "cli/command.h"

/* argv[0] is "calc".  Returns an exit status. */
int cmd_calc(int argc, char **argv);

extern const struct command command_calc;

#endif /* SWIM_CLI_CMD_CALC_H */
