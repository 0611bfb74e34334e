/* options.h - what commands say of options that are none. */
#ifndef SWIM_CLI_OPTIONS_H
#define SWIM_CLI_OPTIONS_H

#include <getopt.h>

#define OPTIONS_SHOWN 400 /* bytes for swim_text_shown() of an argument in a line */

/* The line for the option that getopt_long() has just returned '?' or ':' (found) for;
 * 2, the exit status of wrong usage. */
int options_refuse(const char *command, const struct option *options, int found,
                   char **argv);

#endif /* SWIM_CLI_OPTIONS_H */
