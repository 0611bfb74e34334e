/* completion.c - what the help text of a command says of an option. */
#include "cli/completion.h"

#include <ctype.h>
#include <string.h>

static bool is_end(char c)
{
    return c == ' ' || c == ',' || c == '\n' || c == '\0';
}

/* The option where it is explained: at the start of an indented line, or behind a comma
 * there. */
static const char *option_place(const char *help, const char *option)
{
    size_t length = strlen(option);

    for (const char *at = help; (at = strstr(at, option)); at += length) {
        const char *line = at;
        while (line > help && line[-1] != '\n')
            line--;
        if (line[0] == ' ' && line[1] == ' ' && line[2] == '-' &&
            (at == line + 2 || (at[-1] == ' ' && at[-2] == ',')) && is_end(at[length]))
            return at;
    }
    return NULL;
}

/* The words behind two blanks, up to a full stop, or what is in brackets. */
static void words_take(const char *at, char *words, size_t size)
{
    const char *gap = strstr(at, "  "), *end = strchr(at, '\n');
    size_t n = 0;

    words[0] = '\0';
    if (!gap || !end || gap > end)
        return;
    for (const char *c = gap + strspn(gap, " "); c < end && n + 1 < size; c++) {
        if (strchr(";:(.", *c))
            break;
        words[n++] = *c;
    }
    while (n && strchr(" ,", words[n - 1]))
        n--;
    words[n] = '\0';
}

void option_help_find(const struct command *command, const char *option,
                      struct option_help *out)
{
    const char *at = option_place(command->help, option);

    out->value[0] = out->words[0] = '\0';
    if (!at)
        return;
    const char *value = at + strlen(option);
    if (value[0] == ' ' && isupper((unsigned char)value[1])) {
        size_t n = strcspn(value + 1, " ,\n");
        n = n < sizeof(out->value) ? n : sizeof(out->value) - 1;
        memcpy(out->value, value + 1, n);
        out->value[n] = '\0';
    }
    words_take(at, out->words, sizeof(out->words));
}

bool option_names_file(const struct option_help *help)
{
    return strcmp(help->value, "FILE") == 0;
}

bool option_names_folder(const struct option_help *help)
{
    return strcmp(help->value, "DIR") == 0;
}
