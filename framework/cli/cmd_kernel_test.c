/* cmd_kernel_test.c - h5swim kernel test: a kernel alone, on made data. */
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "batch/kernel_host.h"
#include "cli/cmd_kernel.h"
#include "cli/options.h"
#include "cli/probe.h"
#include "core/json_text.h"
#include "core/text.h"

#define TIMEOUT_MS 10000
#define TIMEOUT_MOST_S 86400.0

enum { STATUS_DONE = 0, STATUS_FAILED = 1, STATUS_USAGE = 2 };

static const char help[] =
    "Usage: h5swim kernel test FILE.c|FILE.so|NAME [OPTION...]\n"
    "Run a kernel alone on made data, in buffers between guard pages: no file, no "
    "lock\n"
    "server.  Finds what it touches beside its buffers, writes to inputs, outputs "
    "that\n"
    "it leaves unwritten, rows that it cannot have found, state that blocks share,\n"
    "results that depend on how data are cut or merged, crashes, exits and endless\n"
    "loops.\n"
    "\n"
    "  --set NAME=VALUE   a parameter of the kernel\n"
    "  --shape N,M,...    of the data; default 4,11,37 (time, latitude, longitude; a\n"
    "                     window kernel: 37,4,11), or fewer axes if it takes no three\n"
    "  --type TYPE        of inputs that take any: i8 ... u64, f32, f64; default f32\n"
    "  --timeout SECONDS  for one call of the kernel (10)\n"
    "  --json             for programs\n"
    "  --help             this text\n"
    "\n"
    "A line for each check: ok, note (worth knowing), WRONG, or skip.\n"
    "Exit status: 0 passed, 1 not, 2 usage.\n";

static const struct option long_options[] = {
    {"set", required_argument, NULL, 's'},
    {"shape", required_argument, NULL, 'n'},
    {"type", required_argument, NULL, 't'},
    {"timeout", required_argument, NULL, 'w'},
    {"json", no_argument, NULL, 'j'},
    {"help", no_argument, NULL, 'h'},
    {0},
};

static int usage(const char *why, const char *what)
{
    char shown[OPTIONS_SHOWN];

    fprintf(stderr, "h5swim kernel test: %s%s; see h5swim kernel test --help\n", why,
            swim_text_shown(what, shown, sizeof(shown)));
    return STATUS_USAGE;
}

/* --- Options
 * -------------------------------------------------------------------------- */

static int take_param(struct probe_options *o, const char *text)
{
    const size_t length = strcspn(text, "=");
    struct job_param *grown = NULL, *param = NULL;

    if (length == 0 || text[length] != '=')
        return usage("--set wants NAME=VALUE, not ", text);
    grown = realloc(o->params, (o->n_params + 1) * sizeof(*grown));
    if (!grown)
        return usage("no memory for ", text);
    o->params = grown;
    param = &grown[o->n_params++];
    memset(param, 0, sizeof(*param));
    param->name = strndup(text, length);
    param->value = strdup(text + length + 1);
    snprintf(param->place.text, sizeof(param->place.text), "--set %.200s", text);
    return param->name && param->value ? STATUS_DONE : usage("no memory for ", text);
}

static int take_shape(struct probe_options *o, const char *text)
{
    const char *at = text;

    o->ndim = 0;
    for (;;) {
        char *end = NULL;
        errno = 0;
        unsigned long long n = strtoull(at, &end, 10);
        if (*at < '0' || *at > '9' || errno || n == 0 || n > (1U << 30) ||
            o->ndim == SWIM_NDIM_MAX)
            return usage("--shape wants sizes above 0, as in 4,11,37, not ", text);
        o->shape[o->ndim++] = n;
        if (*end == '\0')
            return STATUS_DONE;
        if (*end != ',')
            return usage("--shape wants sizes with commas between, not ", text);
        at = end + 1;
    }
}

/* As swim_type_name() has them, and short. */
static int take_type(struct probe_options *o, const char *text)
{
    static const char *const names[] = {
        [SWIM_TYPE_I8] = "i8",   [SWIM_TYPE_U8] = "u8",   [SWIM_TYPE_I16] = "i16",
        [SWIM_TYPE_U16] = "u16", [SWIM_TYPE_I32] = "i32", [SWIM_TYPE_U32] = "u32",
        [SWIM_TYPE_I64] = "i64", [SWIM_TYPE_U64] = "u64", [SWIM_TYPE_F32] = "f32",
        [SWIM_TYPE_F64] = "f64"};

    for (int type = SWIM_TYPE_I8; type <= SWIM_TYPE_F64; type++)
        if (strcmp(text, names[type]) == 0 ||
            strcmp(text, swim_type_name((enum swim_type)type)) == 0) {
            o->type = (enum swim_type)type;
            return STATUS_DONE;
        }
    return usage("--type wants i8 ... u64, f32 or f64, not ", text);
}

static int take_timeout(struct probe_options *o, const char *text)
{
    char *end = NULL;
    double seconds = strtod(text, &end);

    if (end == text || *end || !(seconds >= 0.001 && seconds <= TIMEOUT_MOST_S))
        return usage("--timeout wants seconds, 0.001 to 86400, not ", text);
    o->timeout_ms = (int64_t)(seconds * 1000);
    return STATUS_DONE;
}

/* -1: go on. */
static int take_options(int argc, char **argv, struct probe_options *o)
{
    int option = 0, status = STATUS_DONE;

    opterr = 0;
    optind = 0; /* glibc: start anew, whoever parsed before */
    while (status == STATUS_DONE &&
           (option = getopt_long(argc, argv, ":h", long_options, NULL)) != -1) {
        if (option == 'h') {
            fputs(help, stdout);
            return STATUS_DONE;
        }
        if (option == 's')
            status = take_param(o, optarg);
        else if (option == 'n')
            status = take_shape(o, optarg);
        else if (option == 't')
            status = take_type(o, optarg);
        else if (option == 'w')
            status = take_timeout(o, optarg);
        else if (option == 'j')
            o->json = true;
        else
            return options_refuse("kernel test", long_options, option, argv);
    }
    if (status == STATUS_DONE && argc - optind != 1)
        status = usage("it takes one FILE.c, FILE.so or NAME", "");
    if (status == STATUS_DONE)
        o->kernel = argv[optind];
    return status == STATUS_DONE ? -1 : status;
}

/* --- The report
 * ------------------------------------------------------------------------ */

static uint32_t lines_with(const struct probe *p, enum probe_result result)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < p->n_lines; i++)
        n += p->lines[i].result == result;
    return n;
}

static void report_text(const struct probe *p)
{
    static const char *const words[] = {[PROBE_OK] = "ok",
                                        [PROBE_NOTE] = "note",
                                        [PROBE_FAILED] = "WRONG",
                                        [PROBE_SKIPPED] = "skip"};
    const char *name = p->shared->name[0] ? p->shared->name : p->options->kernel;
    uint32_t wrong = lines_with(p, PROBE_FAILED);

    for (uint32_t i = 0; i < p->n_lines; i++)
        printf("%-5s  %-9s  %s\n", words[p->lines[i].result], p->lines[i].check,
               p->lines[i].text);
    if (wrong)
        printf("%s: FAILED\n", name);
    else
        printf("%s: passed\n", name);
}

static int report_json(const struct probe *p)
{
    static const char *const words[] = {[PROBE_OK] = "ok",
                                        [PROBE_NOTE] = "note",
                                        [PROBE_FAILED] = "wrong",
                                        [PROBE_SKIPPED] = "skipped"};
    json_t *json = json_object(), *checks = json_array();

    for (uint32_t i = 0; i < p->n_lines; i++) {
        json_t *line = json_object();
        json_object_set_new(line, "check", json_string(p->lines[i].check));
        json_object_set_new(line, "result", json_string(words[p->lines[i].result]));
        json_object_set_new(line, "text", swim_json_text(p->lines[i].text));
        json_array_append_new(checks, line);
    }
    json_object_set_new(json, "kernel", swim_json_text(p->shared->name));
    json_object_set_new(json, "kind", json_string(kernel_kind_name(p->shared->kind)));
    json_object_set_new(json, "path", swim_json_text(p->options->so));
    json_object_set_new(json, "passed", json_boolean(!lines_with(p, PROBE_FAILED)));
    json_object_set_new(json, "checks", checks);
    int rc = json_dumpf(json, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(json);
    return rc == 0 ? STATUS_DONE : STATUS_FAILED;
}

static int options_test(struct probe_options *o)
{
    struct probe p = {.options = o};
    int status = STATUS_FAILED;

    if (kernel_find(o->kernel, ".", &o->so, &p.err) == SWIM_OK)
        status = probe_all(&p);
    if (p.err.code != SWIM_OK)
        fprintf(stderr, "h5swim: %s\n", p.err.text);
    else if (!o->json)
        report_text(&p);
    else if (report_json(&p) != STATUS_DONE)
        status = STATUS_FAILED;
    probe_free(&p);
    return status;
}

int cmd_kernel_test(int argc, char **argv)
{
    struct probe_options options = {.timeout_ms = TIMEOUT_MS};
    int status = take_options(argc, argv, &options);

    if (status < 0)
        status = options_test(&options);
    for (size_t i = 0; i < options.n_params; i++) {
        free(options.params[i].name);
        free(options.params[i].value);
    }
    free(options.params);
    free(options.so);
    return status;
}

const struct command command_kernel_test = {
    "kernel test", cmd_kernel_test, "run a kernel alone on made data",
    help,          long_options,    ":h",
    "kernel"};
