/* cmd_calc.h - h5swim calc. */
#ifndef SWIM_CLI_CMD_CALC_H
#define SWIM_CLI_CMD_CALC_H

/* argv[0] is "calc".  Returns an exit status. */
int cmd_calc(int argc, char **argv);

#endif /* SWIM_CLI_CMD_CALC_H */
