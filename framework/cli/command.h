/* command.h - what each command says of itself: the one source of its --help, its
 * manual page and its completion in the shells. */
#ifndef SWIM_CLI_COMMAND_H
#define SWIM_CLI_COMMAND_H

#include <getopt.h>
#include <stddef.h>

/* The help text: lines "Usage: h5swim NAME ..." (others like it are indented), then
 * what it does, up to an empty line; then, anywhere, options as lines of two blanks,
 * the option, at least two blanks and words; a paragraph that begins with "Exit
 * status:". */
struct command {
    const char *name; /* "run"; of one below another "kernel new" */
    int (*main)(int argc, char **argv);
    const char *summary; /* a few words without full stop */
    const char *help;
    const struct option *options; /* for getopt_long(), ended by one without a name */
    const char *letters;          /* short ones, likewise */
    const char *takes; /* arguments, for completion: "job", "file", "program",
                          "topic", "kernel", "none", or the words that the
                          first one can be */
};

/* In the order in which help shows them; those below another one come behind it. */
extern const struct command *const commands[];
extern const size_t n_commands;

/* The command of that name, which is one word; NULL: there is none. */
const struct command *command_find(const char *name);

#endif /* SWIM_CLI_COMMAND_H */
