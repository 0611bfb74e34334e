/* main.c - the h5swim command: finds the verb and hands over. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cmd_help.h"
#include "cli/command.h"

enum { STATUS_DONE = 0, STATUS_FAILED = 1, STATUS_USAGE = 2 };

/* Those of 0, 1 and 2 that are closed lead nowhere from now on: a data file or a
 * connection that got such a number would be taken for stdin, stdout or stderr.  To
 * read or write there fails as before. */
static void descriptors_hold(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && /* it is the lowest that is free */
            open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
            return;
}

/* A command has done nothing for somebody who cannot read what it says. */
static int output_check(const char *name, int status)
{
    bool failed = ferror(stdout);

    errno = 0;
    if (fflush(stdout) == 0 && !failed)
        return status;
    if (status != STATUS_DONE) /* which has been told */
        return status;
    fprintf(stderr,
            "h5swim %s: write to stdout: %s (is the disk full, or stdout "
            "closed?)\n",
            name, errno ? strerror(errno) : "it failed");
    return STATUS_FAILED;
}

static int command_run(int argc, char **argv)
{
    if (argc < 2) {
        help_usage(stderr);
        return STATUS_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0) {
        help_usage(stdout);
        return STATUS_DONE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("h5swim " SWIM_VERSION);
        return STATUS_DONE;
    }
    const struct command *command = command_find(argv[1]);
    return command ? command->main(argc - 1, argv + 1) : help_unknown(argv[1]);
}

int main(int argc, char **argv)
{
    descriptors_hold();
    return output_check(argc > 1 ? argv[1] : "", command_run(argc, argv));
}
