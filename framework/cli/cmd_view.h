/* cmd_view.h - h5swim view: what is in a file, with a picture. */
#ifndef SWIM_CLI_CMD_VIEW_H
#define SWIM_CLI_CMD_VIEW_H

#include "cli/command.h"

/* argv[0] is "view".  Returns the exit status, as its help says. */
int cmd_view(int argc, char **argv);

extern const struct command command_view;

#endif /* SWIM_CLI_CMD_VIEW_H */
