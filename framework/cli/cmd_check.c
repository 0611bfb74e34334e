/* cmd_check.c - h5swim check: the state of a file and its journal. */
#include "cli/cmd_check.h"

#include <stdio.h>

#include "cli/options.h"
#include "cli/verdict_show.h"

static const char help[] =
    "Usage: h5swim check FILE [OPTION...]\n"
    "Say in what state an HDF5 file and its journal, FILE.swimlog, are.  Nothing is\n"
    "changed, no lock is taken and no lock server is asked.\n"
    "\n"
    "  --json   print one JSON object on stdout (schema 1)\n"
    "  --help   this text\n"
    "\n"
    "clean        the file is all there is\n"
    "recoverable  commits lie in the journal; readers see them, and the next writer\n"
    "             or h5swim recover --apply copies them into the file\n"
    "foreign      another program changed or replaced the file meanwhile; it is not\n"
    "             opened until h5swim recover is told what counts\n"
    "damaged      the journal or the superblock of the file is not as it was written,\n"
    "             or a shard of it (layout: sharded) is gone or is another file\n"
    "\n"
    "The checksums of all that is committed in the journal are compared; of the file\n"
    "itself the superblock is looked at, not the data.\n"
    "\n"
    "Exit status: 0 clean or recoverable, 1 failed (no such file, or no HDF5 file),\n"
    "2 usage, 5 foreign or damaged.\n";

enum { OPT_JSON = 256, OPT_HELP };

static const struct option long_options[] = {
    {"json", no_argument, NULL, OPT_JSON},
    {"help", no_argument, NULL, OPT_HELP},
    {0},
};

static int check(const char *file, bool json)
{
    struct verdict *v = NULL;
    swim_error_t err = {0};

    if (verdict_with_shards(file, &v, &err) != SWIM_OK) {
        fprintf(stderr, "h5swim check: %s\n", err.text);
        return VERDICT_FAILED;
    }
    int rc = SWIM_OK, status = verdict_status(v);
    if (json)
        rc = verdict_json(v);
    else
        verdict_show(v, false);
    verdict_close(v);
    if (rc == SWIM_OK && fflush(stdout) == 0 && !ferror(stdout))
        return status;
    fputs("h5swim check: write what was found: it failed (is the disk full?)\n",
          stderr);
    return VERDICT_FAILED;
}

int cmd_check(int argc, char **argv)
{
    bool json = false;
    int found;

    while ((found = getopt_long(argc, argv, ":", long_options, NULL)) >= 0) {
        if (found == OPT_HELP) {
            fputs(help, stdout);
            return VERDICT_DONE;
        }
        if (found != OPT_JSON)
            return options_refuse("check", long_options, found, argv);
        json = true;
    }
    const char *file = verdict_file("check", argc, argv, optind);
    return file ? check(file, json) : VERDICT_USAGE;
}
