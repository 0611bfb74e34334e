/* command.c - finding the h5swim command. */
#include "command.h"

#include <dlfcn.h>
#include <limits.h>
#include <link.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME "h5swim"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static char found[PATH_MAX]; /* "": not found */

static bool file_is_program(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

/* The real path of the file that this code was loaded from. */
static bool code_find(char *path)
{
    struct link_map *map = NULL;
    Dl_info info;

    /* The program itself has no name in the list of what is loaded. */
    if (dladdr1(found, &info, (void **)&map, RTLD_DL_LINKMAP) && map && map->l_name[0])
        return realpath(map->l_name, path) != NULL;
    return realpath("/proc/self/exe", path) != NULL;
}

static bool command_take(const char *path)
{
    char real[PATH_MAX];

    if (!realpath(path, real) || !file_is_program(real))
        return false;
    memcpy(found, real, strlen(real) + 1);
    return true;
}

static bool command_find_beside(const char *code)
{
    static const char *const ups[] = {"..", "../..", "../../.."};
    int dir = (int)(strrchr(code, '/') - code);
    char path[PATH_MAX];

    for (size_t i = 0; i < sizeof(ups) / sizeof(*ups); i++)
        if (snprintf(path, sizeof(path), "%.*s/%s/bin/" NAME, dir, code, ups[i]) <
                (int)sizeof(path) &&
            command_take(path))
            return true;
    return false;
}

static void command_find(void)
{
    const char *own = getenv("SWIM_COMMAND");
    char path[PATH_MAX];

    if (own && own[0]) {
        (void)command_take(own);
        return;
    }
    if (realpath("/proc/self/exe", path) && strcmp(strrchr(path, '/') + 1, NAME) == 0 &&
        command_take(path))
        return;
    if (code_find(path))
        (void)command_find_beside(path);
}

const char *swim_command_path(void)
{
    pthread_once(&once, command_find);
    return found[0] ? found : NULL;
}
