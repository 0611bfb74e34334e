/* cmd_exec.c - h5swim exec: becomes the program, with the driver preloaded. */
#include "cli/cmd_exec.h"

#include <dlfcn.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <link.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/exec_program.h"
#include "cli/options.h"
#include "core/text.h"

#define PRELOAD "libh5swim-preload.so"
#define AUDIT "libh5swim-audit.so"

enum {
    EXEC_USAGE = 2,
    EXEC_FAILED = 126,
    EXEC_NOT_FOUND = 127,
};

static const char help[] =
    "Usage: h5swim exec [OPTION...] [--] COMMAND [ARGUMENT...]\n"
    "Run a program that uses HDF5 and knows nothing of h5swim: each file that it "
    "opens\n"
    "for reading is one committed state, each that it opens for writing a "
    "transaction,\n"
    "committed when it is closed, and when the program ends with status 0.\n"
    "\n"
    "  --wait SECONDS   longest wait for a file that another program writes (else\n"
    "                   $SWIM_WAIT, else 60; 0: do not wait)\n"
    "  --sync HOW       commit: what is committed is on the disk (default); none: the\n"
    "                   last commits may be lost when the host crashes\n"
    "  --redis URL      lock server (else $SWIM_REDIS_URL, else a private one)\n"
    "  --allow-own-hdf5 go on, with a warning, when the program brings an HDF5 of its\n"
    "                   own: files that it opens by that are not protected\n"
    "  --help           this text\n"
    "\n"
    "Programs that it starts are run in the same way.  It does not work for programs\n"
    "that are statically linked or setuid, and says so.\n"
    "\n"
    "Exit status: that of the program; 2 usage, 126 it cannot be run (or brings its\n"
    "own HDF5), 127 it is not found.\n";

enum { OPT_WAIT = 256, OPT_SYNC, OPT_REDIS, OPT_OWN, OPT_HELP };

static const struct option long_options[] = {
    {"wait", required_argument, NULL, OPT_WAIT},
    {"sync", required_argument, NULL, OPT_SYNC},
    {"redis", required_argument, NULL, OPT_REDIS},
    {"allow-own-hdf5", no_argument, NULL, OPT_OWN},
    {"help", no_argument, NULL, OPT_HELP},
    {0},
};

static int fail(int status, const swim_error_t *err)
{
    fprintf(stderr, "h5swim exec: %s\n", err->text);
    return status;
}

static int usage(const char *option, const char *value, const char *why)
{
    char shown[OPTIONS_SHOWN];

    fprintf(stderr, "h5swim exec: %s %s: %s (see h5swim exec --help)\n", option,
            swim_text_shown(value, shown, sizeof(shown)), why);
    return EXEC_USAGE;
}

static bool variable_set(const char *name, const char *value)
{
    return setenv(name, value, 1) == 0;
}

static int take_option(int found, char **argv)
{
    char *end = NULL;

    switch (found) {
    case OPT_WAIT: {
        double seconds = strtod(optarg, &end);
        if (end == optarg || *end || !isfinite(seconds) || seconds < 0)
            return usage("--wait", optarg, "it is not a number of seconds");
        return variable_set("SWIM_WAIT", optarg) ? 0 : EXEC_FAILED;
    }
    case OPT_SYNC:
        if (strcmp(optarg, "commit") != 0 && strcmp(optarg, "none") != 0)
            return usage("--sync", optarg, "it is neither commit nor none");
        return variable_set("SWIM_SYNC", optarg) ? 0 : EXEC_FAILED;
    case OPT_REDIS:
        return variable_set("SWIM_REDIS_URL", optarg) ? 0 : EXEC_FAILED;
    case OPT_OWN:
        return variable_set("SWIM_EXEC_OWN_HDF5", "1") ? 0 : EXEC_FAILED;
    default:
        return options_refuse("exec", long_options, found, argv);
    }
}

/* Put an object that stands beside the command, in ../lib, first in a list of the
 * dynamic linker, which has no way to write blanks and colons in a name. */
static int list_add(const char *variable, const char *command, const char *object,
                    swim_error_t *err)
{
    const char *old = getenv(variable);
    char path[PATH_MAX], real[PATH_MAX], *list = NULL;
    int dir = (int)(strrchr(command, '/') - command);

    if (snprintf(path, sizeof(path), "%.*s/../lib/%s", dir, command, object) >=
            (int)sizeof(path) ||
        !realpath(path, real))
        return swim_error_sys(err, errno, "find %s beside %s", object, command);
    if (strpbrk(real, " :"))
        return swim_error_set(err, SWIM_ERR_ARG,
                              "preload %s: the dynamic linker knows no blanks and "
                              "colons in names (install h5swim elsewhere)",
                              real);
    if (old && strstr(old, real))
        return SWIM_OK; /* exec in exec */
    if (asprintf(&list, "%s%s%s", real, old && *old ? ":" : "", old ? old : "") < 0)
        return swim_error_set(err, SWIM_ERR_NOMEM, "preload %s: no memory", real);
    bool set = variable_set(variable, list);
    free(list);
    return set ? SWIM_OK : swim_error_sys(err, errno, "set %s", variable);
}

/* With LD_AUDIT libraries get their thread-local storage from a small reserve, although
 * they are there from the start: jemalloc and libgomp alone need more than there is. */
static bool reserve_storage(void)
{
    static const char name[] = "glibc.rtld.optional_static_tls";
    const char *old = getenv("GLIBC_TUNABLES");
    char *list = NULL;

    if (old && strstr(old, name))
        return true;
    bool set = asprintf(&list, "%s%s%s=16384", old ? old : "", old && *old ? ":" : "",
                        name) >= 0 &&
               variable_set("GLIBC_TUNABLES", list);
    free(list);
    return set;
}

/* The HDF5 that the preloaded object is going to be linked with, as this command is; by
 * a function that it does not stand before. */
static bool hdf5_find(char *path)
{
    struct link_map *map = NULL;
    Dl_info info;

    const void *code = dlsym(RTLD_DEFAULT, "H5get_libversion");
    return code && dladdr1(code, &info, (void **)&map, RTLD_DL_LINKMAP) && map &&
           realpath(map->l_name, path);
}

static int environment_make(swim_error_t *err)
{
    char command[PATH_MAX], hdf5[PATH_MAX];

    if (!realpath("/proc/self/exe", command))
        return swim_error_sys(err, errno, "find the h5swim command (/proc/self/exe)");
    if (!hdf5_find(hdf5))
        return swim_error_set(err, SWIM_ERR_IO, "find the HDF5 that h5swim uses");
    int rc = list_add("LD_PRELOAD", command, PRELOAD, err);
    if (rc == SWIM_OK)
        rc = list_add("LD_AUDIT", command, AUDIT, err);
    if (rc == SWIM_OK &&
        (!reserve_storage() || !variable_set("SWIM_COMMAND", command) ||
         !variable_set("SWIM_EXEC_HDF5", hdf5)))
        rc = swim_error_sys(err, errno, "set the environment");
    return rc;
}

static int run(char **argv)
{
    char path[PATH_MAX];
    swim_error_t err = {0};

    int rc = exec_program_find(argv[0], path, sizeof(path), &err);
    if (rc != SWIM_OK)
        return fail(rc == SWIM_ERR_ARG ? EXEC_NOT_FOUND : EXEC_FAILED, &err);
    if (exec_program_check(path, &err) != SWIM_OK || environment_make(&err) != SWIM_OK)
        return fail(EXEC_FAILED, &err);
    (void)execvp(argv[0], argv);
    (void)swim_error_sys(&err, errno, "run %s", argv[0]);
    return fail(errno == ENOENT ? EXEC_NOT_FOUND : EXEC_FAILED, &err);
}

int cmd_exec(int argc, char **argv)
{
    int found, status = 0;

    /* "+": what comes after the command is its own. */
    while (status == 0 &&
           (found = getopt_long(argc, argv, "+:", long_options, NULL)) >= 0) {
        if (found == OPT_HELP) {
            fputs(help, stdout);
            return 0;
        }
        status = take_option(found, argv);
    }
    if (status != 0)
        return status;
    if (optind >= argc) {
        fputs("h5swim exec: which command? (see h5swim exec --help)\n", stderr);
        return EXEC_USAGE;
    }
    return run(argv + optind);
}

const struct command command_exec = {
    "exec", cmd_exec, "run any HDF5 program, with transactions", help, long_options,
    "+:",   "program"};
