/* completion_bash.c - the completion of bash: a case for each command. */
#include <string.h>

#include "cli/completion.h"
#include "cli/topics.h"

static const char head[] =
    "# bash completion of h5swim; made by h5swim help --make.\n"
    "# shellcheck shell=bash disable=SC2207 # words without blanks\n"
    "\n"
    "_h5swim_words() { COMPREPLY=($(compgen -W \"$1\" -- \"$cur\")); }\n"
    "_h5swim_files() { # [ENDING...]: folders, and files that end so\n"
    "    local name ending\n"
    "    compopt -o filenames 2>/dev/null\n"
    "    COMPREPLY=()\n"
    "    while IFS= read -r name; do\n"
    "        [ ! -d \"$name\" ] || COMPREPLY+=(\"$name\")\n"
    "        for ending in \"$@\"; do\n"
    "            [ -d \"$name\" ] || [[ $name != *$ending ]] || "
    "COMPREPLY+=(\"$name\")\n"
    "        done\n"
    "    done < <(compgen -f -- \"$cur\")\n"
    "}\n"
    "\n"
    "_h5swim() {\n"
    "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}\n"
    "    local command=${COMP_WORDS[1]}\n"
    "    COMPREPLY=()\n"
    "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
    "        _h5swim_words '";

static const char tail[] = "    esac\n"
                           "}\n"
                           "complete -F _h5swim h5swim\n";

static void options_print(const struct command *c, FILE *to)
{
    fputs("_h5swim_words '", to);
    for (const struct option *o = c->options; o->name; o++)
        fprintf(to, "%s--%s", o == c->options ? "" : " ", o->name);
    for (const char *l = c->letters; *l; l++)
        if (*l != ':' && *l != '+')
            fprintf(to, " -%c", *l);
    fputs("'", to);
}

/* Options with a value, by what that is: first those that name nothing in the file
 * system, where nothing is offered. */
static void values_print(const struct command *c, FILE *to)
{
    for (const struct option *o = c->options; o->name; o++) {
        struct option_help help;
        char name[64];
        if (o->has_arg != required_argument)
            continue;
        snprintf(name, sizeof(name), "--%s", o->name);
        option_help_find(c, name, &help);
        fprintf(to, "        %s) %s return ;;\n", name,
                option_names_file(&help)     ? "_h5swim_files '';"
                : option_names_folder(&help) ? "_h5swim_files;"
                                             : "COMPREPLY=();");
    }
    for (const char *l = c->letters; *l; l++)
        if (*l != ':' && *l != '+' && l[1] == ':')
            fprintf(to, "        -%c) COMPREPLY=(); return ;;\n", *l);
}

static void topics_words(FILE *to)
{
    for (size_t i = 0; i < n_commands; i++)
        if (!strchr(commands[i]->name, ' '))
            fprintf(to, "%s ", commands[i]->name);
    for (size_t i = 0; i < n_topics; i++)
        if (!command_find(topics[i].name))
            fprintf(to, "%s%s", topics[i].name, i + 1 < n_topics ? " " : "");
}

static void takes_print(const struct command *c, FILE *to)
{
    if (strcmp(c->takes, "none") == 0)
        fputs(":", to);
    else if (strcmp(c->takes, "job") == 0)
        fputs("_h5swim_files .yaml .yml", to);
    else if (strcmp(c->takes, "kernel") == 0)
        fputs("_h5swim_files .c .so", to);
    else if (strcmp(c->takes, "file") == 0)
        fputs("_h5swim_files ''", to);
    else if (strcmp(c->takes, "program") == 0)
        fputs("_h5swim_program", to);
    else if (strcmp(c->takes, "topic") == 0) {
        fputs("_h5swim_words '", to);
        topics_words(to);
        fputs("'", to);
    } else {
        fprintf(to,
                "if [ \"$COMP_CWORD\" -eq 2 ]; then _h5swim_words '%s'; else "
                "_h5swim_files ''; fi",
                c->takes);
    }
}

static void command_print(const struct command *c, FILE *to)
{
    fprintf(to, "    '%s')\n", c->name);
    if (strcmp(c->takes, "program") == 0)
        fputs("        _h5swim_of_program && return\n", to);
    fputs("        case $prev in\n", to);
    values_print(c, to);
    fputs("        esac\n        case $cur in\n        -*) ", to);
    options_print(c, to);
    fputs(" ;;\n        *) ", to);
    takes_print(c, to);
    fputs(" ;;\n        esac\n        ;;\n", to);
}

/* The program that is run completes its own words, where bash-completion is there. */
static const char program[] =
    "_h5swim_program() { COMPREPLY=($(compgen -c -- \"$cur\")); }\n"
    "_h5swim_of_program() { # false: its name has not been typed yet\n"
    "    local at=2\n"
    "    while [ $at -lt \"$COMP_CWORD\" ]; do\n"
    "        case ${COMP_WORDS[at]} in\n"
    "        --) ((at += 1)); break ;;\n"
    "        --*=* | --allow-own-hdf5) ;;\n"
    "        -*) ((at += 1)) ;;\n"
    "        *) break ;;\n"
    "        esac\n"
    "        ((at += 1))\n"
    "    done\n"
    "    [ $at -lt \"$COMP_CWORD\" ] || return 1\n"
    "    if declare -F _command_offset >/dev/null; then\n"
    "        _command_offset $at\n"
    "    else\n"
    "        _h5swim_files ''\n"
    "    fi\n"
    "}\n"
    "\n";

void completion_bash(FILE *to)
{
    const char *split = strstr(head, "_h5swim() {");

    fprintf(to, "%.*s%s%s", (int)(split - head), head, program, split);
    for (size_t i = 0; i < n_commands; i++)
        if (!strchr(commands[i]->name, ' '))
            fprintf(to, "%s ", commands[i]->name);
    fputs("--help --version'\n        return\n    fi\n", to);
    for (size_t i = 0; i < n_commands; i++) {
        const char *second = strchr(commands[i]->name, ' ');
        if (second)
            fprintf(
                to,
                "    [ \"$COMP_CWORD\" -lt 3 ] || [ \"$command ${COMP_WORDS[2]}\" != "
                "'%s' ] || command='%s'\n",
                commands[i]->name, commands[i]->name);
    }
    fputs("    case $command in\n", to);
    for (size_t i = 0; i < n_commands; i++)
        command_print(commands[i], to);
    fputs(tail, to);
}
