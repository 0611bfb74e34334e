/* cmd_serve.h - h5swim serve: the private lock server, for this host and for others. */
#ifndef SWIM_CLI_CMD_SERVE_H
#define SWIM_CLI_CMD_SERVE_H

#include "cli/command.h"

/* argv[0] is "serve".  Returns the exit status: 0 done, 1 failed, 2 usage. */
int cmd_serve(int argc, char **argv);

extern const struct command command_serve;

#endif /* SWIM_CLI_CMD_SERVE_H */
