/* cmd_run.c - h5swim run: options to struct run_options. */
#include "cli/cmd_run.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "batch/run.h"
#include "cli/run_options.h"

static const char help[] =
    "Usage: h5swim run JOB.yaml [OPTION...]\n"
    "Run a kernel over HDF5 datasets, as the job file says.\n"
    "\n"
    "  -n N              fork N ranks (default 1; not under mpirun or srun, which say "
    "it)\n"
    "  --readers R       readers of each rank (default: one per processor)\n"
    "  --set KEY=VALUE   change the job: params.radius=1, outputs.speed.file=o.nc\n"
    "  --overwrite       replace output files that exist\n"
    "  --resume          go on with an unfinished output of this job; make it if there "
    "is\n"
    "                    none, and do nothing if it is finished\n"
    "  --fail-fast       stop at the first block that fails (default: try it three "
    "times,\n"
    "                    go on without it, end with status 3)\n"
    "  --join            help the job of this file that runs already, here or on "
    "another\n"
    "                    host, with -n ranks of --readers; they may come and go\n"
    "  --dry-run         show the plan (blocks, memory, ranks), run nothing\n"
    "  --json            print one JSON object on stdout\n"
    "  --record FILE     put the record of the run (framework/batch/RUN.md) there; "
    "none:\n"
    "                    write none (default: OUT.run.json beside the first output)\n"
    "  -q, --quiet       no progress, no summary\n"
    "  --redis URL       lock server (else $SWIM_REDIS_URL, else a private one; on "
    "several\n"
    "                    nodes one of the job's own, on $SWIM_INTERFACE)\n"
    "  --wait SECONDS    wait so long for a lock (default $SWIM_WAIT or 60; 0: do "
    "not)\n"
    "  --help            this text\n"
    "\n"
    "Under an MPI launcher (mpirun -n 4 h5swim run JOB.yaml, srun --mpi=pmix ...) "
    "each\n"
    "process that it starts is a rank.\n"
    "\n"
    "Exit status: 0 done, 1 failed, 2 usage or a job that does not fit its data,\n"
    "3 finished with failed blocks, 4 lock not had in time, 5 file damaged,\n"
    "128+N ended by signal N.\n";

enum { OPT_JOIN = RUN_OPT_END };

static const struct option long_options[] = {
    RUN_LONG_OPTIONS,
    {"join", no_argument, NULL, OPT_JOIN},
    {0},
};

static int parse_and_run(int argc, char **argv, struct run_options *run,
                         const char **sets)
{
    int found, status = run_options_begin("run", run);

    while (status == 0 && (found = getopt_long(argc, argv, RUN_SHORT_OPTIONS,
                                               long_options, NULL)) >= 0) {
        if (found == RUN_OPT_HELP) {
            fputs(help, stdout);
            return 0;
        }
        if (found == OPT_JOIN)
            run->join = true;
        else
            status = run_options_take("run", found, long_options, argv, run, sets);
    }
    if (status)
        return status;
    if (optind == argc || !argv[optind][0])
        return run_usage("run", "argument", "JOB.yaml", "it is missing");
    if (optind + 1 < argc)
        return run_usage("run", "argument", argv[optind + 1],
                         "there is a job file already");
    status = run_options_check("run", run);
    if (status)
        return status;
    if (run->join && (run->resume || run->overwrite || run->fail_fast || run->dry_run ||
                      run->record))
        return run_usage("run", "option", "--join",
                         "it cannot go with --resume, --overwrite, --fail-fast, "
                         "--dry-run or --record, which are for the job itself");
    run->job_path = argv[optind];
    return run_job(run);
}

int cmd_run(int argc, char **argv)
{
    char command[RUN_COMMAND_SIZE];
    const char **sets = calloc((size_t)argc, sizeof(*sets));
    struct run_options run = {
        .command = command, .began_s = (int64_t)time(NULL), .sets = sets};

    if (!sets)
        return 1;
    run_options_command(argc, argv, command);
    int status = parse_and_run(argc, argv, &run, sets);
    free(sets);
    return status;
}

const struct command command_run = {
    "run", cmd_run,      "run a kernel over HDF5 datasets, as a job file says",
    help,  long_options, RUN_SHORT_OPTIONS,
    "job"};
