/* kernel_load.c - loads a kernel and checks all that it declares, before any use.
 *
 * What a kernel exports is laid out by the headers it was built with: nothing behind
 * abi and struct_size is read before both are known to fit, and ports and parameters
 * are walked with the sizes the kernel states. */
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <xxhash.h>

#include "batch/kernel_host.h"
#include "batch/kernel_private.h"

#define PARAMS_MAX 256
#define NAME_MAX_LENGTH 64

/* What the first release of ABI 1 has; no kernel can have less. */
#define KERNEL_SIZE_MIN \
    (offsetof(struct swim_kernel, close) + sizeof(((struct swim_kernel *)0)->close))
#define PARAM_SIZE_MIN (offsetof(struct swim_param, max) + sizeof(double))
#define PORT_SIZE_MIN (offsetof(struct swim_port, description) + sizeof(char *))

const char *kernel_kind_name(enum swim_kernel_kind kind)
{
    switch (kind) {
    case SWIM_KERNEL_MAP:
        return "map";
    case SWIM_KERNEL_STENCIL:
        return "stencil";
    case SWIM_KERNEL_REDUCE:
        return "reduce";
    case SWIM_KERNEL_WINDOW:
        return "window";
    case SWIM_KERNEL_FILTER:
        return "filter";
    }
    return "unknown";
}

bool kernel_name_ok(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789_";

    return name && *name >= 'a' && *name <= 'z' && strlen(name) <= NAME_MAX_LENGTH &&
           strspn(name, allowed) == strlen(name);
}

bool kernel_port_name_ok(const char *name)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";

    return name && *name && !(*name >= '0' && *name <= '9') &&
           strlen(name) <= NAME_MAX_LENGTH && strspn(name, allowed) == strlen(name);
}

/* No swim_kernel_v1: perhaps of a later ABI, perhaps no kernel at all. */
static int symbol_missing(void *dl, const char *so, swim_error_t *err)
{
    for (unsigned version = 2; version <= 9; version++) {
        char name[32];
        snprintf(name, sizeof(name), "swim_kernel_v%u", version);
        if (dlsym(dl, name))
            return swim_error_set(
                err, SWIM_ERR_ABI,
                "kernel %s is built for kernel ABI %u, this h5swim "
                "has ABI %u: rebuild it against this h5swim's headers",
                so, version, SWIM_KERNEL_ABI);
    }
    return swim_error_set(
        err, SWIM_ERR_ABI,
        "load kernel %s: it exports no swim_kernel_v%u; a kernel ends "
        "with SWIM_KERNEL_DEFINE(...)",
        so, SWIM_KERNEL_ABI);
}

/* The size of the symbol as the linker knows it, 0: unknown.  Keeps a symbol that only
 * has the right name from being read beyond its end. */
static size_t symbol_bytes(const void *symbol)
{
    Dl_info info;
    void *entry = NULL;

    if (!dladdr1(symbol, &info, &entry, RTLD_DL_SYMENT) || !entry ||
        info.dli_saddr != symbol)
        return 0;
    return ((const ElfW(Sym) *)entry)->st_size;
}

static int sizes_check(const char *so, const void *symbol, swim_error_t *err)
{
    const struct swim_kernel *theirs = symbol;
    size_t bytes = symbol_bytes(symbol);

    if (bytes && bytes < 4 * sizeof(uint32_t))
        return swim_error_set(err, SWIM_ERR_ABI,
                              "load kernel %s: its swim_kernel_v%u is no kernel table",
                              so, SWIM_KERNEL_ABI);
    if (theirs->abi != SWIM_KERNEL_ABI)
        return swim_error_set(err, SWIM_ERR_ABI,
                              "kernel %s is built for kernel ABI %u, this h5swim has "
                              "ABI %u: rebuild it against this h5swim's headers",
                              so, theirs->abi, SWIM_KERNEL_ABI);
    if (theirs->struct_size > sizeof(*theirs) ||
        theirs->struct_size < KERNEL_SIZE_MIN || (bytes && bytes < theirs->struct_size))
        return swim_error_set(
            err, SWIM_ERR_ABI,
            "kernel %s has a table of %u bytes, this h5swim knows %zu: "
            "rebuild it against this h5swim's headers",
            so, theirs->struct_size, sizeof(*theirs));
    if (theirs->param_size < PARAM_SIZE_MIN || theirs->port_size < PORT_SIZE_MIN)
        return swim_error_set(err, SWIM_ERR_ABI,
                              "kernel %s has parameters of %u and ports of %u bytes, "
                              "this h5swim needs %zu and %zu: rebuild it against this "
                              "h5swim's headers",
                              so, theirs->param_size, theirs->port_size, PARAM_SIZE_MIN,
                              PORT_SIZE_MIN);
    return SWIM_OK;
}

/* n elements of theirs bytes each to elements of ours bytes each.  What is appended in
 * newer headers must be zero, that is, unused: we would not know to honour it. */
static int table_copy(const void *from, uint32_t n, size_t theirs, size_t ours,
                      void *out, swim_error_t *err)
{
    char *copy = calloc((size_t)n + 1, ours);

    if (!copy)
        return swim_error_set(err, SWIM_ERR_NOMEM, "load kernel: no memory");
    for (uint32_t i = 0; i < n; i++) {
        const char *element = (const char *)from + i * theirs;
        memcpy(copy + i * ours, element, theirs < ours ? theirs : ours);
        for (size_t b = ours; b < theirs; b++)
            if (element[b]) {
                free(copy);
                return swim_error_set(err, SWIM_ERR_ABI,
                                      "the kernel uses elements of %zu bytes, this "
                                      "h5swim knows %zu: rebuild it",
                                      theirs, ours);
            }
    }
    memcpy(out, &copy, sizeof(copy));
    return SWIM_OK;
}

static int kernel_fail(const struct kernel_host *k, swim_error_t *err, const char *fmt,
                       ...) SWIM_PRINTF(3, 4);

static int kernel_fail(const struct kernel_host *k, swim_error_t *err, const char *fmt,
                       ...)
{
    char text[400];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    return swim_error_set(err, SWIM_ERR_KERNEL, "kernel %s: %s", k->path, text);
}

/* "=u" is the unit of the input u, which is one of those before. */
static int unit_check(const struct kernel_host *k, const struct swim_port *ports,
                      uint32_t number, const char *what, swim_error_t *err)
{
    const char *unit = ports[number].unit;

    if (!unit || *unit != '=')
        return SWIM_OK;
    for (uint32_t i = 0; ports == k->inputs && i < number; i++)
        if (strcmp(ports[i].name, unit + 1) == 0)
            return SWIM_OK;
    return kernel_fail(k, err,
                       "%s %s: its unit is \"%s\", and that is no input before it",
                       what, ports[number].name, unit);
}

static int ports_check(const struct kernel_host *k, struct swim_port *ports, uint32_t n,
                       const char *what, swim_error_t *err)
{
    for (uint32_t i = 0; i < n; i++) {
        if (!kernel_port_name_ok(ports[i].name))
            return kernel_fail(k, err, "%s %u: its name is not [A-Za-z_][A-Za-z0-9_]*",
                               what, i + 1);
        if ((unsigned)ports[i].type > SWIM_TYPE_LDOUBLE)
            return kernel_fail(k, err, "%s %s: unknown type %d", what, ports[i].name,
                               (int)ports[i].type);
        for (uint32_t j = 0; j < i; j++)
            if (strcmp(ports[j].name, ports[i].name) == 0)
                return kernel_fail(k, err, "two %ss named %s", what, ports[i].name);
        if (!ports[i].description)
            ports[i].description = "";
        int rc = unit_check(k, ports, i, what, err);
        if (rc != SWIM_OK)
            return rc;
    }
    return SWIM_OK;
}

static int param_check(const struct kernel_host *k, struct swim_param *param,
                       swim_error_t *err)
{
    struct param_value value;
    char why[200];

    if (!kernel_name_ok(param->name))
        return kernel_fail(k, err, "a parameter's name is not [a-z][a-z0-9_]*");
    if (param->type < SWIM_PARAM_INT || param->type > SWIM_PARAM_TEXT)
        return kernel_fail(k, err, "parameter %s: unknown type %d", param->name,
                           (int)param->type);
    if (param->choices && param->type != SWIM_PARAM_TEXT)
        return kernel_fail(k, err, "parameter %s: choices are for texts only",
                           param->name);
    if (isnan(param->min) || isnan(param->max))
        return kernel_fail(k, err, "parameter %s: its range is NaN", param->name);
    if (param->preset && !param_parse(param, param->preset, &value, why, sizeof(why)))
        return kernel_fail(k, err, "parameter %s: default %s", param->name, why);
    if (!param->description)
        param->description = "";
    return SWIM_OK;
}

static int params_check(const struct kernel_host *k, swim_error_t *err)
{
    for (uint32_t i = 0; i < k->api.n_params; i++) {
        int rc = param_check(k, &k->params[i], err);
        if (rc != SWIM_OK)
            return rc;
        for (uint32_t j = 0; j < i; j++)
            if (strcmp(k->params[j].name, k->params[i].name) == 0)
                return kernel_fail(k, err, "two parameters named %s",
                                   k->params[i].name);
    }
    return SWIM_OK;
}

static int kind_check(const struct kernel_host *k, swim_error_t *err)
{
    const struct swim_kernel *api = &k->api;

    switch (api->kind) {
    case SWIM_KERNEL_MAP:
    case SWIM_KERNEL_STENCIL:
    case SWIM_KERNEL_WINDOW:
    case SWIM_KERNEL_FILTER:
        if (!api->apply)
            return kernel_fail(k, err, "a %s kernel needs apply",
                               kernel_kind_name(api->kind));
        return SWIM_OK;
    case SWIM_KERNEL_REDUCE:
        if (!api->acc_bytes || !api->partial || !api->merge || !api->finish)
            return kernel_fail(k, err,
                               "a reduce kernel needs acc_bytes, partial, merge "
                               "and finish");
        return SWIM_OK;
    }
    return kernel_fail(k, err, "unknown kind %d", (int)api->kind);
}

static int counts_check(const struct kernel_host *k, swim_error_t *err)
{
    const struct swim_kernel *api = &k->api;

    if (api->n_inputs < 1 || api->n_inputs > KERNEL_PORTS_MAX || !api->inputs)
        return kernel_fail(k, err, "%u inputs; 1 to %d are possible", api->n_inputs,
                           KERNEL_PORTS_MAX);
    if (api->n_outputs < 1 || api->n_outputs > KERNEL_PORTS_MAX || !api->outputs)
        return kernel_fail(k, err, "%u outputs; 1 to %d are possible", api->n_outputs,
                           KERNEL_PORTS_MAX);
    if (api->n_params > PARAMS_MAX || (api->n_params && !api->params))
        return kernel_fail(k, err, "%u parameters; 0 to %d are possible", api->n_params,
                           PARAMS_MAX);
    return SWIM_OK;
}

static int kernel_take(struct kernel_host *k, const void *symbol, swim_error_t *err)
{
    const struct swim_kernel *theirs = symbol;
    struct swim_kernel *api = &k->api;
    int rc = SWIM_OK;

    memcpy(api, theirs,
           theirs->struct_size < sizeof(*api) ? theirs->struct_size : sizeof(*api));
    if (!kernel_name_ok(api->name))
        return kernel_fail(k, err, "its name is not [a-z][a-z0-9_]*");
    if (!api->summary)
        api->summary = "";
    rc = kind_check(k, err);
    if (rc == SWIM_OK)
        rc = counts_check(k, err);
    if (rc == SWIM_OK)
        rc = table_copy(theirs->inputs, api->n_inputs, theirs->port_size,
                        sizeof(*k->inputs), &k->inputs, err);
    if (rc == SWIM_OK)
        rc = table_copy(theirs->outputs, api->n_outputs, theirs->port_size,
                        sizeof(*k->outputs), &k->outputs, err);
    if (rc == SWIM_OK)
        rc = table_copy(theirs->params, api->n_params, theirs->param_size,
                        sizeof(*k->params), &k->params, err);
    if (rc == SWIM_OK)
        rc = ports_check(k, k->inputs, api->n_inputs, "input", err);
    if (rc == SWIM_OK)
        rc = ports_check(k, k->outputs, api->n_outputs, "output", err);
    if (rc == SWIM_OK)
        rc = params_check(k, err);
    api->inputs = k->inputs;
    api->outputs = k->outputs;
    api->params = k->params;
    return rc;
}

/* What is no matter of the kernel's, as too many open files, is no wrong usage. */
static int file_error(const char *path, int errnum, swim_error_t *err)
{
    if (errnum == EMFILE || errnum == ENFILE || errnum == EIO || errnum == ENOMEM)
        return swim_error_sys(err, errnum, "load kernel %s", path);
    return swim_error_set(err, SWIM_ERR_ARG, "load kernel %s: %s", path,
                          strerrordesc_np(errnum));
}

static int file_digest(const char *path, uint64_t *out, swim_error_t *err)
{
    unsigned char bytes[16384];
    XXH3_state_t *state = XXH3_createState();
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int rc = SWIM_OK;
    ssize_t got = 0;

    *out = 0;
    if (fd < 0) {
        rc = file_error(path, errno, err);
        goto out;
    }
    if (!state) {
        rc = swim_error_set(err, SWIM_ERR_NOMEM, "load kernel %s: no memory", path);
        goto out;
    }
    XXH3_64bits_reset(state);
    do {
        got = read(fd, bytes, sizeof(bytes));
        if (got > 0)
            XXH3_64bits_update(state, bytes, (size_t)got);
    } while (got > 0 || (got < 0 && errno == EINTR));
    if (got < 0)
        rc = file_error(path, errno, err);
    else
        *out = XXH3_64bits_digest(state);
out:
    if (fd >= 0)
        close(fd);
    XXH3_freeState(state);
    return rc;
}

int kernel_load(const char *so, struct kernel_host **out, swim_error_t *err)
{
    struct kernel_host *k = calloc(1, sizeof(*k));
    const void *symbol = NULL;
    int rc = SWIM_OK;

    *out = NULL;
    /* Without a slash dlopen() would search the system's libraries. */
    if (!k || asprintf(&k->path, "%s%s", strchr(so, '/') ? "" : "./", so) < 0) {
        free(k);
        return swim_error_set(err, SWIM_ERR_NOMEM, "load kernel %s: no memory", so);
    }
    rc = file_digest(k->path, &k->digest, err);
    if (rc != SWIM_OK)
        goto out;
    k->dl = dlopen(k->path, RTLD_NOW | RTLD_LOCAL);
    if (!k->dl) {
        rc = swim_error_set(err, SWIM_ERR_ARG, "load kernel: %s", dlerror());
        goto out;
    }
    symbol = dlsym(k->dl, "swim_kernel_v1");
    rc = symbol ? sizes_check(so, symbol, err) : symbol_missing(k->dl, so, err);
    if (rc == SWIM_OK && symbol)
        rc = kernel_take(k, symbol, err);
out:
    if (rc == SWIM_OK)
        *out = k;
    else
        kernel_unload(k);
    return rc;
}

void kernel_unload(struct kernel_host *kernel)
{
    if (!kernel)
        return;
    free(kernel->inputs);
    free(kernel->outputs);
    free(kernel->params);
    free(kernel->path);
    if (kernel->dl)
        dlclose(kernel->dl);
    free(kernel);
}
