/* comma_locale.h - a locale with a decimal comma, for tests on systems that have none:
 * what numbers look like in C.UTF-8, with another point. */
#ifndef SWIM_SUPPORT_COMMA_LOCALE_H
#define SWIM_SUPPORT_COMMA_LOCALE_H

#include <locale.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "scratch_dir.h"

/* The strings behind a compiled category's head hold the point twice: as a byte, and as
 * a wide character. */
#define COMMA_LOCALE_HEAD 32

/* Make it in the folder.  False: there is no C.UTF-8 to make it of. */
static inline bool comma_locale_make(const struct scratch_dir *dir)
{
    char bytes[256];
    FILE *from = fopen("/usr/lib/locale/C.utf8/LC_NUMERIC", "rb");
    size_t n = from ? fread(bytes, 1, sizeof(bytes), from) : 0;

    if (from)
        fclose(from);
    for (size_t i = COMMA_LOCALE_HEAD; i < n; i++)
        if (bytes[i] == '.')
            bytes[i] = ',';
    if (n <= COMMA_LOCALE_HEAD || mkdir(scratch_dir_file(dir, "comma"), 0700) != 0)
        return false;
    FILE *to = fopen(scratch_dir_file(dir, "comma/LC_NUMERIC"), "wb");
    bool done = to && fwrite(bytes, 1, n, to) == n;
    return to && fclose(to) == 0 && done;
}

/* Have this process write numbers so.  False: it cannot be. */
static inline bool comma_locale_set(const struct scratch_dir *dir)
{
    char number[8] = "";

    if (!comma_locale_make(dir) || setenv("LOCPATH", dir->path, 1) != 0 ||
        !setlocale(LC_NUMERIC, "comma"))
        return false;
    snprintf(number, sizeof(number), "%.1f", 0.5);
    return strcmp(number, "0,5") == 0;
}

static inline void comma_locale_unset(void)
{
    setlocale(LC_NUMERIC, "C");
    unsetenv("LOCPATH");
}

#endif /* SWIM_SUPPORT_COMMA_LOCALE_H */
