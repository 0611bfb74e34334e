/* cmd_metrics.h - h5swim metrics: a lock server and its jobs, for Prometheus. */
#ifndef SWIM_CLI_CMD_METRICS_H
#define SWIM_CLI_CMD_METRICS_H

#include "cli/command.h"

/* argv[0] is "metrics".  Returns the exit status: 0 done, 1 failed, 2 usage. */
int cmd_metrics(int argc, char **argv);

extern const struct command command_metrics;

#endif /* SWIM_CLI_CMD_METRICS_H */
