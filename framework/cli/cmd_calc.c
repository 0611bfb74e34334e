/* cmd_calc.c - h5swim calc: an expression over datasets, run as a job. */
#include "cli/cmd_calc.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "batch/calc.h"
#include "batch/link.h"
#include "batch/run.h"
#include "cli/run_options.h"

static const char help[] =
    "Usage: h5swim calc EXPRESSION NAME=FILE:/DATASET... out=FILE:/DATASET "
    "[OPTION...]\n"
    "Compute an expression, element by element, over datasets of one shape:\n"
    "  h5swim calc \"sqrt(u*u + v*v)\" u=w.nc:/U v=w.nc:/V out=speed.nc:/SPEED\n"
    "\n"
    "  + - * / % **   < <= > >= == !=   & | ~ (also and or not)   pi e nan inf\n"
    "  where(c, a, b) sqrt exp expm1 log log2 log10 log1p sin cos tan asin acos atan\n"
    "  atan2 sinh cosh tanh abs floor ceil rint round trunc sign minimum maximum fmin\n"
    "  fmax hypot power mod fmod clip(x, low, high) isnan isfinite nan_to_num(x, "
    "value)\n"
    "  deg2rad rad2deg; they do what numpy's do (arcsin and so on, too).  NaN is "
    "missing.\n"
    "Computed in float32, if all inputs are; in float64 with float64 or integers.\n"
    "A result that is true or false is stored as 1 or 0, uint8.\n"
    "\n"
    "  --type T           of the result, as stored: int8 ... uint64, float32, float64\n"
    "  --chunks A,B,...   --deflate N (0: none)   --fill VALUE (of what is missing)\n"
    "  --pack S[,O]       stored as whole numbers, (value - O) / S, in an integer "
    "--type\n"
    "  --units TEXT       of the result (default: none; its long_name: EXPRESSION)\n"
    "  --set KEY=VALUE    as of h5swim run: memory=1GiB, outputs.out.layout=sharded\n"
    "  -n N, --readers R, --overwrite, --resume, --fail-fast, --dry-run, --json,\n"
    "  -q, --quiet, --redis URL, --wait SECONDS, --record FILE   as of h5swim run "
    "(--help)\n"
    "  --source           print the kernel in C, run nothing\n"
    "  --help             this text; -- goes before an EXPRESSION that begins with -\n"
    "\n"
    "Exit status: 0 done, 1 failed, 2 usage, or inputs that do not fit,\n"
    "3 finished with failed blocks, 4 lock not had in time, 5 file damaged,\n"
    "128+N ended by signal N.\n";

enum {
    OPT_TYPE = RUN_OPT_END,
    OPT_CHUNKS,
    OPT_DEFLATE,
    OPT_FILL,
    OPT_PACK,
    OPT_UNITS,
    OPT_SOURCE
};

static const struct option long_options[] = {
    RUN_LONG_OPTIONS,
    {"type", required_argument, NULL, OPT_TYPE},
    {"chunks", required_argument, NULL, OPT_CHUNKS},
    {"deflate", required_argument, NULL, OPT_DEFLATE},
    {"fill", required_argument, NULL, OPT_FILL},
    {"pack", required_argument, NULL, OPT_PACK},
    {"units", required_argument, NULL, OPT_UNITS},
    {"source", no_argument, NULL, OPT_SOURCE},
    {0},
};

struct calc_command {
    struct run_options run;
    struct calc_request request;
    const char **sets;
    bool source, help;
    struct calc_binding inputs[CALC_INPUTS_MAX], output;
    const char *names[CALC_INPUTS_MAX];
};

static int option_take(struct calc_command *c, int found, char **argv)
{
    switch (found) {
    case OPT_TYPE:
        c->request.type = optarg;
        return 0;
    case OPT_CHUNKS:
        c->request.chunks = optarg;
        return 0;
    case OPT_DEFLATE:
        c->request.deflate = optarg;
        return 0;
    case OPT_FILL:
        c->request.fill = optarg;
        return 0;
    case OPT_PACK:
        c->request.pack = optarg;
        return 0;
    case OPT_UNITS:
        c->request.units = optarg;
        return 0;
    case OPT_SOURCE:
        c->source = true;
        return 0;
    case RUN_OPT_HELP:
        c->help = true;
        return 0;
    default:
        return run_options_take("calc", found, long_options, argv, &c->run, c->sets);
    }
}

static int options_parse(struct calc_command *c, int argc, char **argv)
{
    int found, status = run_options_begin("calc", &c->run);

    while (status == 0 && !c->help &&
           (found = getopt_long(argc, argv, RUN_SHORT_OPTIONS, long_options, NULL)) >=
               0)
        status = option_take(c, found, argv);
    return status ? status : run_options_check("calc", &c->run);
}

/* Of the processes that a launcher started, one says it. */
static int refuse(const swim_error_t *err)
{
    if (link_mpi_rank() == 0)
        fprintf(stderr, "h5swim calc: %s\n", err->text);
    return run_exit_status(err->code, 0);
}

static int binding_twice(const struct calc_binding *binding, swim_error_t *err)
{
    return swim_error_set(err, SWIM_ERR_ARG, "argument %.200s: %s is given already",
                          binding->text, binding->name);
}

static int binding_take(struct calc_command *c, const char *text, swim_error_t *err)
{
    struct calc_binding binding;
    int rc = calc_binding_parse(text, &binding, err);

    if (rc != SWIM_OK)
        return rc;
    if (strcmp(binding.name, CALC_OUTPUT) == 0) {
        if (c->output.text)
            rc = binding_twice(&binding, err);
        else
            c->output = binding;
    } else {
        for (size_t i = 0; rc == SWIM_OK && i < c->request.n_inputs; i++)
            if (strcmp(c->names[i], binding.name) == 0)
                rc = binding_twice(&binding, err);
        if (rc == SWIM_OK && c->request.n_inputs == CALC_INPUTS_MAX)
            rc = swim_error_set(err, SWIM_ERR_ARG,
                                "argument %.200s: more than %d inputs", text,
                                CALC_INPUTS_MAX);
        if (rc == SWIM_OK) {
            c->inputs[c->request.n_inputs] = binding;
            c->names[c->request.n_inputs++] = binding.name;
        }
    }
    if (rc != SWIM_OK)
        calc_binding_clear(&binding);
    return rc;
}

static int arguments_take(struct calc_command *c, int argc, char **argv,
                          swim_error_t *err)
{
    int rc = SWIM_OK;

    if (optind == argc)
        return swim_error_set(err, SWIM_ERR_ARG,
                              "argument EXPRESSION: it is missing (see h5swim calc "
                              "--help)");
    c->request.expression = argv[optind];
    for (int i = optind + 1; rc == SWIM_OK && i < argc; i++)
        rc = binding_take(c, argv[i], err);
    return rc;
}

/* After the expression was parsed: what is wrong with it is said first. */
static int arguments_check(const struct calc_command *c, const struct calc *calc,
                           swim_error_t *err)
{
    char excerpt[CALC_EXCERPT_SIZE];

    calc_excerpt(c->request.expression, 1, excerpt);
    if (c->request.n_inputs == 0)
        return swim_error_set(err, SWIM_ERR_ARG,
                              "argument NAME=FILE:/DATASET: there is no input, which "
                              "the result has its shape from");
    for (size_t i = 0; i < c->request.n_inputs; i++)
        if (!calc_uses(calc, i))
            return swim_error_set(err, SWIM_ERR_ARG,
                                  "argument %.200s: the expression \"%s\" does not "
                                  "use %s: leave it away",
                                  c->inputs[i].text, excerpt, c->names[i]);
    if (!c->output.text && !c->source)
        return swim_error_set(err, SWIM_ERR_ARG,
                              "argument " CALC_OUTPUT
                              "=FILE:/DATASET: it is missing (see h5swim calc --help)");
    return SWIM_OK;
}

/* For people only: the line says it all. */
static void column_show(const char *expression, size_t column)
{
    char excerpt[CALC_EXCERPT_SIZE];

    if (!column || !isatty(STDERR_FILENO) || link_mpi_rank() != 0)
        return;
    int before = (int)calc_excerpt(expression, column, excerpt);
    fprintf(stderr, "  %s\n  %*s^\n", excerpt, before, "");
}

static int source_print(const struct calc *calc, swim_error_t *err)
{
    char *text = NULL;
    int rc = calc_source(calc, &text, err);

    if (rc == SWIM_OK)
        fputs(text, stdout);
    free(text);
    return rc;
}

static int calc_run(struct calc_command *c, const struct calc *calc)
{
    struct job *job = NULL;
    swim_error_t err = {0};
    int status = 0;

    if (c->source)
        return source_print(calc, &err) == SWIM_OK ? 0 : refuse(&err);
    c->request.inputs = c->inputs;
    c->request.output = &c->output;
    c->run.sets = c->sets;
    c->request.sets = c->sets;
    c->request.n_sets = c->run.n_sets;
    if (calc_job(calc, &c->request, &job, &err) != SWIM_OK)
        return refuse(&err);
    c->run.job = job;
    status = run_job(&c->run);
    job_destroy(job);
    return status;
}

static int parse_and_run(struct calc_command *c, int argc, char **argv)
{
    struct calc *calc = NULL;
    swim_error_t err = {0};
    size_t column = 0;
    int status = options_parse(c, argc, argv);

    if (status)
        return status;
    if (c->help) {
        fputs(help, stdout);
        return 0;
    }
    int rc = arguments_take(c, argc, argv, &err);
    if (rc == SWIM_OK)
        rc = calc_parse(c->request.expression, c->names, c->request.n_inputs, &calc,
                        &column, &err);
    if (rc == SWIM_OK)
        rc = arguments_check(c, calc, &err);
    if (rc == SWIM_OK) {
        status = calc_run(c, calc);
    } else {
        status = refuse(&err);
        column_show(c->request.expression, column);
    }
    calc_destroy(calc);
    return status;
}

int cmd_calc(int argc, char **argv)
{
    char command[RUN_COMMAND_SIZE];
    struct calc_command c = {
        .run = {.command = command, .began_s = (int64_t)time(NULL)}};

    c.sets = calloc((size_t)argc, sizeof(*c.sets));
    if (!c.sets)
        return 1;
    run_options_command(argc, argv, command);
    int status = parse_and_run(&c, argc, argv);
    for (size_t i = 0; i < c.request.n_inputs; i++)
        calc_binding_clear(&c.inputs[i]);
    calc_binding_clear(&c.output);
    free(c.sets);
    return status;
}

const struct command command_calc = {
    "calc", cmd_calc,     "compute an expression over HDF5 datasets",
    help,   long_options, RUN_SHORT_OPTIONS,
    "file"};
