/* main.c - the h5swim command: finds the verb and hands over. */
#include <stdio.h>
#include <string.h>

#include "cli/cmd_help.h"
#include "cli/command.h"

int main(int argc, char **argv)
{
    if (argc < 2) {
        help_usage(stderr);
        return 2;
    }
    if (strcmp(argv[1], "--help") == 0) {
        help_usage(stdout);
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("h5swim " SWIM_VERSION);
        return 0;
    }
    const struct command *command = command_find(argv[1]);
    return command ? command->main(argc - 1, argv + 1) : help_unknown(argv[1]);
}
