/* completion.h - what shells complete after h5swim: made of the tables of the commands.
 */
#ifndef SWIM_CLI_COMPLETION_H
#define SWIM_CLI_COMPLETION_H

#include <stdbool.h>
#include <stdio.h>

#include "cli/command.h"

/* The scripts, to be read by the shells. */
void completion_bash(FILE *to);
void completion_zsh(FILE *to);

/* What the help text of a command says of an option: of its value one word ("FILE"),
 * and of itself a few; "" where it says nothing. */
struct option_help {
    char value[32], words[96];
};
void option_help_find(const struct command *command, const char *option,
                      struct option_help *out);

/* Whether words such as "FILE" name something in the file system; a folder. */
bool option_names_file(const struct option_help *help);
bool option_names_folder(const struct option_help *help);

#endif /* SWIM_CLI_COMPLETION_H */
