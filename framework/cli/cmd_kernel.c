/* cmd_kernel.c - h5swim kernel: which kernels there are, and what each declares. */
#include <dirent.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "batch/kernel_host.h"
#include "cli/cmd_kernel.h"
#include "cli/options.h"
#include "core/json_text.h"
#include "core/text.h"

#define NAMES_MAX 1024
#define CHOICES_WIDE 30

enum { STATUS_DONE = 0, STATUS_FAILED = 1, STATUS_USAGE = 2 };

static const char help[] =
    "Usage: h5swim kernel list [--json]\n"
    "       h5swim kernel info NAME|PATH [--json]\n"
    "       h5swim kernel new NAME [OPTION...]\n"
    "       h5swim kernel test NAME|PATH [OPTION...]\n"
    "\n"
    "list   the kernels that job files can name, with kind and summary\n"
    "info   what a kernel takes, gives and can be told; PATH is a .so or a .c file\n"
    "new    write a kernel to begin with, a job for it and a test (kernel new --help)\n"
    "test   run a kernel alone on made data and look for mistakes (kernel test "
    "--help)\n"
    "\n"
    "  --json   for programs\n"
    "  --help   this text\n"
    "\n"
    "Kernels are searched in the directories of SWIM_KERNEL_PATH (colons between "
    "them),\n"
    "then in lib/h5swim/kernels beside the command's own directory.  A .c file is\n"
    "compiled with $CC (default cc) and SWIM_KERNEL_CFLAGS; the result is kept in\n"
    "~/.cache/h5swim/kernels, or $SWIM_CACHE_DIR/kernels.\n"
    "\n"
    "Exit status: 0 done, 1 failed (not found, not a kernel), 2 usage.\n";

static const struct option long_options[] = {
    {"json", no_argument, NULL, 'j'},
    {"help", no_argument, NULL, 'h'},
    {0},
};

/* A table whose columns are as wide as their widest cell. */
struct table {
    const char *indent;
    size_t n_columns;
    int widths[8];
};

static void table_fit(struct table *table, const char *const *cells)
{
    for (size_t i = 0; i < table->n_columns; i++)
        if ((int)strlen(cells[i]) > table->widths[i])
            table->widths[i] = (int)strlen(cells[i]);
}

/* The last cell that says anything is not padded: no blanks at the end of a line. */
static void table_print(const struct table *table, const char *const *cells)
{
    size_t last = table->n_columns - 1;

    while (last > 0 && !*cells[last])
        last--;
    fputs(table->indent, stdout);
    for (size_t i = 0; i < last; i++)
        printf("%-*s  ", table->widths[i], cells[i]);
    puts(cells[last]);
}

static const char *text_or(const char *text, const char *other)
{
    return text && *text ? text : other;
}

static int fail(const swim_error_t *err)
{
    fprintf(stderr, "h5swim: %s\n", err->text);
    return err->code == SWIM_ERR_ARG ? STATUS_USAGE : STATUS_FAILED;
}

static int usage(const char *why, const char *what)
{
    char shown[OPTIONS_SHOWN];

    fprintf(stderr, "h5swim kernel: %s%s; see h5swim kernel --help\n", why,
            swim_text_shown(what, shown, sizeof(shown)));
    return STATUS_USAGE;
}

static int json_print(json_t *json)
{
    int rc = json ? json_dumpf(json, stdout, JSON_INDENT(2)) : -1;

    putchar('\n');
    json_decref(json);
    if (rc == 0)
        return STATUS_DONE;
    fputs("h5swim: write JSON: no memory\n", stderr);
    return STATUS_FAILED;
}

/* --- info ----------------------------------------------------------------------- */

static const char *port_type(const struct swim_port *port)
{
    return port->type == SWIM_TYPE_ANY ? "any" : swim_type_name(port->type);
}

static const char *param_type(const struct swim_param *param)
{
    static const char *const names[] = {"?", "int", "real", "bool", "text"};

    return names[param->type];
}

static json_t *ports_json(const struct swim_port *ports, uint32_t n)
{
    json_t *list = json_array();

    for (uint32_t i = 0; i < n; i++) {
        json_t *port = json_object();
        json_object_set_new(port, "name", swim_json_text(ports[i].name));
        json_object_set_new(port, "type", swim_json_text(port_type(&ports[i])));
        json_object_set_new(port, "unit", swim_json_text(ports[i].unit));
        json_object_set_new(port, "description", swim_json_text(ports[i].description));
        json_array_append_new(list, port);
    }
    return list;
}

static json_t *choices_json(const char *choices)
{
    json_t *list = json_array();

    for (const char *c = choices;;) {
        size_t n = strcspn(c, "|");
        char *choice = strndup(c, n);
        json_array_append_new(list, swim_json_text(choice));
        free(choice);
        if (!c[n])
            break;
        c += n + 1;
    }
    return list;
}

static json_t *params_json(const struct swim_param *params, uint32_t n)
{
    json_t *list = json_array();

    for (uint32_t i = 0; i < n; i++) {
        const struct swim_param *p = &params[i];
        json_t *param = json_object();
        json_object_set_new(param, "name", swim_json_text(p->name));
        json_object_set_new(param, "type", swim_json_text(param_type(p)));
        json_object_set_new(param, "default", swim_json_text(p->preset));
        json_object_set_new(param, "unit", swim_json_text(p->unit));
        json_object_set_new(param, "description", swim_json_text(p->description));
        if (p->choices)
            json_object_set_new(param, "choices", choices_json(p->choices));
        if (p->min < p->max) {
            json_object_set_new(param, "min", json_real(p->min));
            json_object_set_new(param, "max", json_real(p->max));
        }
        json_array_append_new(list, param);
    }
    return list;
}

static json_t *kernel_json(const struct kernel_host *kernel)
{
    const struct swim_kernel *api = &kernel->api;
    json_t *json = json_object();

    json_object_set_new(json, "name", swim_json_text(api->name));
    json_object_set_new(json, "kind", swim_json_text(kernel_kind_name(api->kind)));
    json_object_set_new(json, "summary", swim_json_text(api->summary));
    json_object_set_new(json, "path", swim_json_text(kernel->path));
    json_object_set_new(json, "abi", json_integer(api->abi));
    json_object_set_new(json, "raw", json_boolean(api->flags & SWIM_KERNEL_RAW));
    json_object_set_new(json, "inputs", ports_json(kernel->inputs, api->n_inputs));
    json_object_set_new(json, "outputs", ports_json(kernel->outputs, api->n_outputs));
    json_object_set_new(json, "params", params_json(kernel->params, api->n_params));
    return json;
}

/* Choices that would make the table too wide stand behind the description. */
static bool choices_are_long(const struct swim_param *p)
{
    return p->choices && strlen(p->choices) > CHOICES_WIDE;
}

static void ports_print(const char *title, const struct swim_port *ports, uint32_t n)
{
    struct table table = {.indent = "  ", .n_columns = 4};

    printf("\n%s\n", title);
    for (int print = 0; print < 2; print++)
        for (uint32_t i = 0; i < n; i++) {
            const char *const cells[] = {ports[i].name, port_type(&ports[i]),
                                         text_or(ports[i].unit, "-"),
                                         text_or(ports[i].description, "")};
            if (print)
                table_print(&table, cells);
            else
                table_fit(&table, cells);
        }
}

static void allowed_print(const struct swim_param *p, char *buf, size_t size)
{
    buf[0] = '\0';
    if (p->choices)
        snprintf(buf, size, "%s", choices_are_long(p) ? "one of these" : p->choices);
    else if (p->min < p->max)
        snprintf(buf, size, "%.10g to %.10g", p->min, p->max);
}

static void description_print(const struct swim_param *p, char *buf, size_t size)
{
    const char *text = text_or(p->description, "");

    if (choices_are_long(p))
        snprintf(buf, size, "%s: %s", text, p->choices);
    else
        snprintf(buf, size, "%s", text);
}

static void params_print(const struct swim_param *params, uint32_t n)
{
    struct table table = {.indent = "  ", .n_columns = 6};
    static const char *const title[] = {"name", "type",    "default",
                                        "unit", "allowed", "description"};

    puts("\nParameters");
    if (!n) {
        puts("  none");
        return;
    }
    table_fit(&table, title);
    for (int print = 0; print < 2; print++) {
        if (print)
            table_print(&table, title);
        for (uint32_t i = 0; i < n; i++) {
            const struct swim_param *p = &params[i];
            char allowed[200], description[600];
            allowed_print(p, allowed, sizeof(allowed));
            description_print(p, description, sizeof(description));
            const char *const cells[] = {p->name,
                                         param_type(p),
                                         p->preset ? text_or(p->preset, "\"\"")
                                                   : "(must be given)",
                                         text_or(p->unit, "-"),
                                         text_or(allowed, "any"),
                                         description};
            if (print)
                table_print(&table, cells);
            else
                table_fit(&table, cells);
        }
    }
}

static int kernel_info(const char *name, bool json)
{
    struct kernel_host *kernel = NULL;
    swim_error_t err = {0};
    char *so = NULL;
    int status = STATUS_DONE;

    if (kernel_find(name, ".", &so, &err) != SWIM_OK ||
        kernel_load(so, &kernel, &err) != SWIM_OK) {
        status = fail(&err);
    } else if (json) {
        status = json_print(kernel_json(kernel));
    } else {
        printf("%s (%s): %s\n%s\n", kernel->api.name,
               kernel_kind_name(kernel->api.kind), kernel->api.summary, kernel->path);
        ports_print(kernel->api.flags & SWIM_KERNEL_RAW
                        ? "Inputs, as they are stored (raw)"
                        : "Inputs",
                    kernel->inputs, kernel->api.n_inputs);
        ports_print("Outputs", kernel->outputs, kernel->api.n_outputs);
        params_print(kernel->params, kernel->api.n_params);
    }
    kernel_unload(kernel);
    free(so);
    return status;
}

/* --- list ----------------------------------------------------------------------- */

struct entry {
    char *name, *kind, *summary, *path;
};

struct entries {
    struct entry list[NAMES_MAX];
    size_t n;
};

static void entries_destroy(struct entries *entries)
{
    for (size_t i = 0; i < entries->n; i++) {
        free(entries->list[i].name);
        free(entries->list[i].kind);
        free(entries->list[i].summary);
        free(entries->list[i].path);
    }
    free(entries);
}

static int entry_compare(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

/* A .so that cannot be loaded is listed with the reason: its absence would puzzle. */
static bool entry_fill(const char *dir, const char *file, struct entry *entry)
{
    struct kernel_host *kernel = NULL;
    swim_error_t err = {0};

    entry->name = strndup(file, strlen(file) - 3);
    if (asprintf(&entry->path, "%s%s/%s", strchr(dir, '/') ? "" : "./", dir, file) < 0)
        entry->path = NULL;
    if (!entry->path || !entry->name)
        return false;
    if (kernel_load(entry->path, &kernel, &err) == SWIM_OK) {
        entry->kind = strdup(kernel_kind_name(kernel->api.kind));
        entry->summary = strdup(kernel->api.summary);
    } else {
        entry->kind = strdup("broken");
        entry->summary = strdup(err.text);
    }
    kernel_unload(kernel);
    return entry->kind && entry->summary;
}

static bool entry_known(const struct entries *entries, const char *file)
{
    for (size_t i = 0; i < entries->n; i++)
        if (strlen(entries->list[i].name) + 3 == strlen(file) &&
            strncmp(entries->list[i].name, file, strlen(file) - 3) == 0)
            return true;
    return false;
}

/* What an earlier directory has hides the same name in a later one. */
static bool dir_list(const char *dir, struct entries *entries)
{
    DIR *d = opendir(dir);
    const struct dirent *item = NULL;
    bool ok = true;

    while (d && ok && entries->n < NAMES_MAX && (item = readdir(d))) {
        size_t length = strlen(item->d_name);
        if (length > 3 && strcmp(item->d_name + length - 3, ".so") == 0 &&
            !entry_known(entries, item->d_name))
            ok = entry_fill(dir, item->d_name, &entries->list[entries->n++]);
    }
    if (d)
        closedir(d);
    return ok;
}

static int entries_json(const struct entries *entries)
{
    json_t *list = json_array();

    for (size_t i = 0; i < entries->n; i++) {
        const struct entry *e = &entries->list[i];
        json_t *item = json_object();
        json_object_set_new(item, "name", swim_json_text(e->name));
        json_object_set_new(item, "kind", swim_json_text(e->kind));
        json_object_set_new(item, "summary", swim_json_text(e->summary));
        json_object_set_new(item, "path", swim_json_text(e->path));
        json_array_append_new(list, item);
    }
    return json_print(list);
}

static void entries_print(const struct entries *entries)
{
    struct table table = {.indent = "", .n_columns = 3};

    if (!entries->n)
        puts("no kernels found; SWIM_KERNEL_PATH names directories to search");
    for (int print = 0; print < 2; print++)
        for (size_t i = 0; i < entries->n; i++) {
            const struct entry *e = &entries->list[i];
            const char *const cells[] = {e->name, e->kind, e->summary};
            if (print)
                table_print(&table, cells);
            else
                table_fit(&table, cells);
        }
}

static int kernel_list(bool json)
{
    struct entries *entries = calloc(1, sizeof(*entries));
    swim_error_t err = {0};
    char **dirs = NULL;
    int status = STATUS_DONE;
    bool ok = entries != NULL;

    if (ok && kernel_dirs(&dirs, &err) != SWIM_OK) {
        status = fail(&err);
        goto out;
    }
    for (char **dir = dirs; ok && *dir; dir++)
        ok = dir_list(*dir, entries);
    if (!ok) {
        fputs("h5swim: list kernels: no memory\n", stderr);
        status = STATUS_FAILED;
        goto out;
    }
    qsort(entries->list, entries->n, sizeof(*entries->list), entry_compare);
    if (json)
        status = entries_json(entries);
    else
        entries_print(entries);
out:
    kernel_dirs_destroy(dirs);
    if (entries)
        entries_destroy(entries);
    return status;
}

int cmd_kernel(int argc, char **argv)
{
    bool json = false;
    int option = 0;

    if (argc > 1 && strcmp(argv[1], "new") == 0)
        return cmd_kernel_new(argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "test") == 0)
        return cmd_kernel_test(argc - 1, argv + 1);
    opterr = 0;
    optind = 0; /* glibc: start anew, whoever parsed before */
    while ((option = getopt_long(argc, argv, "h", long_options, NULL)) != -1) {
        if (option == 'h') {
            fputs(help, stdout);
            return STATUS_DONE;
        }
        if (option != 'j')
            return usage("unknown option ", argv[optind - 1]);
        json = true;
    }
    const char *verb = optind < argc ? argv[optind] : NULL;
    int n = argc - optind - 1;
    if (!verb)
        return usage("list, info, new or test?", "");
    if (strcmp(verb, "list") == 0)
        return n == 0 ? kernel_list(json)
                      : usage("list takes no argument, not ", argv[optind + 1]);
    if (strcmp(verb, "info") == 0)
        return n == 1 ? kernel_info(argv[optind + 1], json)
                      : usage("info takes one NAME or PATH", "");
    return usage("list, info, new or test, not ", verb);
}

const struct command command_kernel = {"kernel",
                                       cmd_kernel,
                                       "list, show, begin and test kernels",
                                       help,
                                       long_options,
                                       "h",
                                       "list info new test"};
