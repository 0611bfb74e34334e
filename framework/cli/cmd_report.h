/* cmd_report.h - h5swim report: one page of a run. */
#ifndef SWIM_CLI_CMD_REPORT_H
#define SWIM_CLI_CMD_REPORT_H

#include "cli/command.h"

/* argv[0] is "report".  Returns the exit status: 0 done, 1 failed, 2 usage, or what was
 * given is no record of a run. */
int cmd_report(int argc, char **argv);

extern const struct command command_report;

#endif /* SWIM_CLI_CMD_REPORT_H */
