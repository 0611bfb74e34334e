/* main.c - the h5swim command: finds the verb and hands over. */
#include <stdio.h>
#include <string.h>

#include "cli/cmd_calc.h"
#include "cli/cmd_check.h"
#include "cli/cmd_exec.h"
#include "cli/cmd_kernel.h"
#include "cli/cmd_locks.h"
#include "cli/cmd_recover.h"
#include "cli/cmd_run.h"
#include "cli/cmd_selftest.h"
#include "cli/cmd_serve.h"
#include "core/text.h"

static const struct {
    const char *name;
    int (*main)(int argc, char **argv);
    const char *summary;
} commands[] = {
    {"run", cmd_run, "run a kernel over HDF5 datasets, as a job file says"},
    {"calc", cmd_calc, "compute an expression over HDF5 datasets"},
    {"exec", cmd_exec, "run any HDF5 program, with transactions"},
    {"check", cmd_check, "the state of a file and its journal"},
    {"recover", cmd_recover, "apply or discard a journal that needs a decision"},
    {"locks", cmd_locks, "who holds locks and who waits; end a session"},
    {"serve", cmd_serve, "start and stop the lock server, also for other hosts"},
    {"selftest", cmd_selftest, "check whether locks work on this host"},
    {"kernel", cmd_kernel, "list, show, begin and test kernels"},
};
#define N_COMMANDS (sizeof(commands) / sizeof(*commands))

static void usage(FILE *to)
{
    fputs("Usage: h5swim COMMAND [ARGUMENT...]\n"
          "Batch kernels over HDF5 files that many processes share.\n\n",
          to);
    for (size_t i = 0; i < N_COMMANDS; i++)
        fprintf(to, "  %-9s %s\n", commands[i].name, commands[i].summary);
    fputs(
        "\n"
        "h5swim COMMAND --help shows the options of a command.\n"
        "Exit status: 0 done, 1 failed, 2 usage or a job that does not fit its data,\n"
        "3 finished with failed blocks, 4 lock not had in time, 5 file damaged,\n"
        "128+N ended by signal N.\n",
        to);
}

static int unknown(const char *word)
{
    const char *names[N_COMMANDS];

    for (size_t i = 0; i < N_COMMANDS; i++)
        names[i] = commands[i].name;
    const char *near = swim_text_nearest(word, names, N_COMMANDS);
    fprintf(stderr, "h5swim: unknown command \"%s\"%s%s%s (see h5swim --help)\n", word,
            near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    return 2;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        usage(stderr);
        return 2;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
        usage(stdout);
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("h5swim " SWIM_VERSION);
        return 0;
    }
    for (size_t i = 0; i < N_COMMANDS; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].main(argc - 1, argv + 1);
    return unknown(argv[1]);
}
