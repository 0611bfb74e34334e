/* cmd_help.c - h5swim help: what commands there are, and the texts of the manual. */
#include "cli/cmd_help.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cli/manual.h"
#include "cli/options.h"
#include "cli/topics.h"
#include "core/text.h"

#define WORDS_MOST 64

enum { STATUS_DONE = 0, STATUS_FAILED = 1, STATUS_USAGE = 2 };

static const char help[] =
    "Usage: h5swim help [TOPIC]\n"
    "       h5swim help --make DIR\n"
    "Explain a command (run, check, kernel new, ...) or a topic:\n"
    "\n"
    "job          job files\n"
    "kernel       kernels in C, behind what the command of that name says\n"
    "lock         locks for any program; store, file and signals: the rest of the "
    "library\n"
    "errors       all error codes and exit statuses, and what to do\n"
    "environment  environment variables\n"
    "\n"
    "  --make DIR  write the manual pages and the completions of bash and zsh into "
    "DIR\n"
    "  --help      this text\n"
    "\n"
    "The manual pages have the same texts: h5swim(1), h5swim-run(1) and so on for the\n"
    "commands, h5swim-job(5), h5swim-kernel(3) and so on for the topics.\n"
    "\n"
    "Exit status: 0 done, 1 failed, 2 usage.\n";

enum { OPT_MAKE = 256, OPT_HELP };

static const struct option long_options[] = {
    {"make", required_argument, NULL, OPT_MAKE},
    {"help", no_argument, NULL, OPT_HELP},
    {0},
};

void help_usage(FILE *to)
{
    fputs("Usage: h5swim COMMAND [ARGUMENT...]\n"
          "Batch kernels over HDF5 files that many processes share.\n\n",
          to);
    for (size_t i = 0; i < n_commands; i++)
        if (!strchr(commands[i]->name, ' '))
            fprintf(to, "  %-9s %s\n", commands[i]->name, commands[i]->summary);
    fputs(
        "\n"
        "h5swim COMMAND --help shows the options of a command, h5swim help TOPIC "
        "explains\n"
        "job, kernel, lock, store, file, signals, errors or environment.\n"
        "\n"
        "Exit status: 0 done, 1 failed, 2 usage or a job that does not fit its data,\n"
        "3 finished with failed blocks, 4 lock not had in time, 5 file damaged,\n"
        "128+N ended by signal N.\n",
        to);
}

/* The command or topic that may have been meant; NULL: none. */
static const char *help_near(const char *word, bool with_topics)
{
    const char *names[WORDS_MOST];
    size_t n = 0;

    for (size_t i = 0; i < n_commands && n < WORDS_MOST; i++)
        names[n++] = commands[i]->name;
    for (size_t i = 0; with_topics && i < n_topics && n < WORDS_MOST; i++)
        names[n++] = topics[i].name;
    return swim_text_nearest(word, names, n);
}

int help_unknown(const char *word)
{
    const char *near = help_near(word, false);
    char shown[OPTIONS_SHOWN];

    fprintf(stderr, "h5swim: unknown command \"%s\"%s%s%s (see h5swim --help)\n",
            swim_text_shown(word, shown, sizeof(shown)),
            near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    return STATUS_USAGE;
}

/* A command, one of two words too, and the topic of that name. */
static bool explain(const char *name)
{
    const struct topic *topic = topic_find(name);
    bool found = false;

    for (size_t i = 0; i < n_commands; i++)
        if (strcmp(commands[i]->name, name) == 0) {
            fputs(commands[i]->help, stdout);
            found = true;
        }
    if (found && topic)
        fputs("\n\n", stdout);
    if (topic)
        topic_print(topic, stdout);
    return found || topic;
}

static int help_topic(int n, char **words)
{
    char name[2 * WORDS_MOST];

    if (n == 0) {
        help_usage(stdout);
        return STATUS_DONE;
    }
    if (n > 2) {
        fputs("h5swim help: name one topic (see h5swim help --help)\n", stderr);
        return STATUS_USAGE;
    }
    snprintf(name, sizeof(name), "%s%s%s", words[0], n == 2 ? " " : "",
             n == 2 ? words[1] : "");
    if (explain(name))
        return STATUS_DONE;
    const char *near = help_near(name, true);
    swim_text_line(name);
    fprintf(stderr,
            "h5swim help: there is no topic \"%s\"%s%s%s (see h5swim help --help)\n",
            name, near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    return STATUS_USAGE;
}

static int help_make(const char *dir)
{
    swim_error_t err = {0};

    if (manual_write(dir, &err) == SWIM_OK)
        return STATUS_DONE;
    fprintf(stderr, "h5swim help: %s\n", err.text);
    return STATUS_FAILED;
}

int cmd_help(int argc, char **argv)
{
    const char *make = NULL;
    int found;

    while ((found = getopt_long(argc, argv, ":", long_options, NULL)) >= 0) {
        if (found == OPT_HELP) {
            fputs(help, stdout);
            return STATUS_DONE;
        }
        if (found != OPT_MAKE)
            return options_refuse("help", long_options, found, argv);
        make = optarg;
    }
    if (make && optind < argc) {
        fputs("h5swim help: --make goes with no topic (see h5swim help --help)\n",
              stderr);
        return STATUS_USAGE;
    }
    int status = make ? help_make(make) : help_topic(argc - optind, argv + optind);
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    fputs("h5swim help: write the text: it failed (is the disk full?)\n", stderr);
    return STATUS_FAILED;
}

const struct command command_help = {
    "help", cmd_help,     "explain a command, job files, errors and more",
    help,   long_options, ":",
    "topic"};
