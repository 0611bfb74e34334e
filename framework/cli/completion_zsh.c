/* completion_zsh.c - the completion of zsh: _arguments for each command. */
#include <ctype.h>
#include <string.h>

#include "cli/completion.h"
#include "cli/topics.h"

/* Inside '...' and [...]: of words what means nothing there. */
static void put_words(const char *text, FILE *to)
{
    for (; *text; text++) {
        if (*text == '\'')
            fputs("'\\''", to);
        else if (strchr("[]:\\", *text))
            fprintf(to, "\\%c", *text);
        else
            fputc(*text, to);
    }
}

static const char *action(const struct option_help *help)
{
    return option_names_file(help)     ? "_files"
           : option_names_folder(help) ? "_files -/"
                                       : " ";
}

static void option_print(const struct command *c, const char *name, bool has_value,
                         FILE *to)
{
    struct option_help help;

    option_help_find(c, name, &help);
    fprintf(to, "        '*%s%s[", name, has_value && name[1] == '-' ? "=" : "");
    put_words(help.words[0] ? help.words : name, to);
    fputs("]", to);
    if (has_value) {
        fputc(':', to);
        put_words(help.value[0] ? help.value : "VALUE", to);
        fprintf(to, ":%s", action(&help));
    }
    fputs("' \\\n", to);
}

static void takes_print(const struct command *c, FILE *to)
{
    if (strcmp(c->takes, "none") == 0)
        fputs("        && return\n", to);
    else if (strcmp(c->takes, "job") == 0)
        fputs("        '1:job:_files -g \"*.(yaml|yml)\"'\n", to);
    else if (strcmp(c->takes, "kernel") == 0)
        fputs("        '1:kernel:_files -g \"*.(c|so)\"'\n", to);
    else if (strcmp(c->takes, "file") == 0)
        fputs("        '*:file:_files'\n", to);
    else if (strcmp(c->takes, "program") == 0)
        fputs("        '(-)1:program: _command_names -e' '*::argument:_normal'\n", to);
    else if (strcmp(c->takes, "topic") == 0) {
        fputs("        '1:topic:(", to);
        for (size_t i = 0; i < n_commands; i++)
            if (!strchr(commands[i]->name, ' '))
                fprintf(to, "%s ", commands[i]->name);
        for (size_t i = 0; i < n_topics; i++)
            fprintf(to, "%s%s", i ? " " : "", topics[i].name);
        fputs(")'\n", to);
    } else {
        fprintf(to, "        '1:what:(%s)' '*:file:_files'\n", c->takes);
    }
}

static void command_print(const struct command *c, FILE *to)
{
    fprintf(to, "    '%s')\n        _arguments -S \\\n", c->name);
    for (const struct option *o = c->options; o->name; o++) {
        char name[64];
        snprintf(name, sizeof(name), "--%s", o->name);
        option_print(c, name, o->has_arg == required_argument, to);
    }
    for (const char *l = c->letters; *l; l++)
        if (*l != ':' && *l != '+') {
            const char name[] = {'-', *l, '\0'};
            option_print(c, name, l[1] == ':', to);
        }
    takes_print(c, to);
    fputs("        ;;\n", to);
}

void completion_zsh(FILE *to)
{
    fputs("#compdef h5swim\n"
          "# zsh completion of h5swim; made by h5swim help --make.\n"
          "\n"
          "_h5swim() {\n"
          "    local -a commands=(\n",
          to);
    for (size_t i = 0; i < n_commands; i++)
        if (!strchr(commands[i]->name, ' ')) {
            fprintf(to, "        '%s:", commands[i]->name);
            put_words(commands[i]->summary, to);
            fputs("'\n", to);
        }
    fputs(
        "    )\n"
        "    if ((CURRENT == 2)); then\n"
        "        _describe command commands\n"
        "        _arguments '--help[what commands there are]' '--version[which h5swim "
        "this is]'\n"
        "        return\n"
        "    fi\n"
        "    shift words\n"
        "    ((CURRENT -= 1))\n"
        "    local command=$words[1]\n",
        to);
    for (size_t i = 0; i < n_commands; i++)
        if (strchr(commands[i]->name, ' '))
            fprintf(
                to,
                "    if [[ \"$command $words[2]\" == '%s' ]] && ((CURRENT > 2)); then\n"
                "        command='%s'\n"
                "        shift words\n"
                "        ((CURRENT -= 1))\n"
                "    fi\n",
                commands[i]->name, commands[i]->name);
    fputs("    case $command in\n", to);
    for (size_t i = 0; i < n_commands; i++)
        command_print(commands[i], to);
    fputs("    esac\n}\n\n_h5swim \"$@\"\n", to);
}
