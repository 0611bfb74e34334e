/* cmd_top.h - h5swim top: jobs, sessions, locks and queues, live. */
#ifndef SWIM_CLI_CMD_TOP_H
#define SWIM_CLI_CMD_TOP_H

/* argv[0] is "top".  Returns the exit status, as its help says. */
int cmd_top(int argc, char **argv);

#endif /* SWIM_CLI_CMD_TOP_H */
