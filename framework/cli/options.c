/* options.c - what commands say of options that are none. */
#include "cli/options.h"

#include <stdio.h>
#include <string.h>

#include "core/text.h"

#define OPTIONS_MAX 32

/* The long option that may have been meant, or NULL. */
static const char *option_near(const struct option *options, const char *name)
{
    const char *names[OPTIONS_MAX];
    size_t n = 0;

    for (; n < OPTIONS_MAX && options[n].name; n++)
        names[n] = options[n].name;
    return swim_text_nearest(name, names, n);
}

int options_refuse(const char *command, const struct option *options, int found,
                   char **argv)
{
    const char letter[3] = {'-', (char)optopt, '\0'};
    const char *option = argv[optind - 1], *near = NULL;
    const char *why = "its value is missing";
    char shown[OPTIONS_SHOWN];

    if (found != ':') {
        why = "there is no such option";
        if (strncmp(option, "--", 2) == 0)
            near = option_near(options, option + 2);
        else
            option = letter;
    }
    fprintf(stderr, "h5swim %s: option %s: %s%s%s%s (see h5swim %s --help)\n", command,
            swim_text_shown(option, shown, sizeof(shown)), why,
            near ? "; did you mean \"--" : "", near ? near : "", near ? "\"?" : "",
            command);
    return 2;
}
