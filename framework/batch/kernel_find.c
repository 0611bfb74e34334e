/* kernel_find.c - from what a job file calls a kernel to the .so that holds it. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "batch/kernel_host.h"
#include "batch/kernel_private.h"
#include "core/text.h"

#define NAMES_MAX 512

struct names {
    char *names[NAMES_MAX];
    size_t n;
};

static bool ends_with(const char *text, const char *end)
{
    size_t lt = strlen(text), le = strlen(end);

    return lt > le && strcmp(text + lt - le, end) == 0;
}

char *kernel_command_dir(void)
{
    char path[4096];
    ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);

    if (length <= 0)
        return NULL;
    path[length] = '\0';
    char *slash = strrchr(path, '/');
    if (!slash)
        return NULL;
    *slash = '\0';
    return strdup(path);
}

static size_t colons_count(const char *text)
{
    size_t n = 0;

    for (; text && *text; text++)
        n += *text == ':';
    return n;
}

int kernel_dirs(char ***out, swim_error_t *err)
{
    const char *path = getenv("SWIM_KERNEL_PATH");
    char **dirs = calloc(colons_count(path) + 3, sizeof(*dirs));
    char *beside = kernel_command_dir();
    size_t n = 0;

    *out = NULL;
    if (!dirs)
        goto nomem;
    for (const char *part = path ? path : ""; *part;) {
        size_t length = strcspn(part, ":");
        if (length && !(dirs[n++] = strndup(part, length)))
            goto nomem;
        part += length + (part[length] == ':');
    }
    if (beside && asprintf(&dirs[n], "%s/../lib/h5swim/kernels", beside) < 0) {
        dirs[n] = NULL;
        goto nomem;
    }
    free(beside);
    *out = dirs;
    return SWIM_OK;
nomem:
    free(beside);
    kernel_dirs_destroy(dirs);
    return swim_error_set(err, SWIM_ERR_NOMEM, "search kernels: no memory");
}

void kernel_dirs_destroy(char **dirs)
{
    for (char **dir = dirs; dir && *dir; dir++)
        free(*dir);
    free(dirs);
}

static void names_clear(struct names *names)
{
    for (size_t i = 0; i < names->n; i++)
        free(names->names[i]);
    names->n = 0;
}

/* Only for a hint: what cannot be read or remembered is left out. */
static void names_scan(const char *dir, struct names *names)
{
    DIR *d = opendir(dir);
    const struct dirent *entry = NULL;

    while (d && names->n < NAMES_MAX && (entry = readdir(d))) {
        if (!ends_with(entry->d_name, ".so"))
            continue;
        char *name = strndup(entry->d_name, strlen(entry->d_name) - 3);
        if (name)
            names->names[names->n++] = name;
    }
    if (d)
        closedir(d);
}

static int name_unknown(const char *kernel, char *const *dirs, swim_error_t *err)
{
    struct names names = {.n = 0};
    const char *near = NULL;

    for (; dirs && *dirs; dirs++)
        names_scan(*dirs, &names);
    near = swim_text_nearest(kernel, (const char *const *)names.names, names.n);
    swim_error_set(err, SWIM_ERR_ARG,
                   "unknown kernel \"%.100s\"%s%s%s (h5swim kernel list shows all)",
                   kernel, near ? "; did you mean \"" : "", near ? near : "",
                   near ? "\"?" : "");
    names_clear(&names);
    return SWIM_ERR_ARG;
}

static int name_find(const char *kernel, char **so, swim_error_t *err)
{
    char **dirs = NULL;
    int rc = kernel_dirs(&dirs, err);

    if (rc != SWIM_OK)
        return rc;
    for (char **dir = dirs; dir && *dir && !*so && rc == SWIM_OK; dir++) {
        char *path = NULL;
        const char *here = strchr(*dir, '/') ? "" : "./";
        if (asprintf(&path, "%s%s/%s.so", here, *dir, kernel) < 0)
            rc = swim_error_set(err, SWIM_ERR_NOMEM, "search kernels: no memory");
        else if (access(path, R_OK) == 0)
            *so = path;
        else
            free(path);
    }
    if (rc == SWIM_OK && !*so)
        rc = name_unknown(kernel, dirs, err);
    kernel_dirs_destroy(dirs);
    return rc;
}

static int path_find(const char *kernel, const char *dir, char **so, swim_error_t *err)
{
    char *path = NULL;
    struct stat st;
    int rc = SWIM_OK;
    bool absolute = *kernel == '/';

    for (; strncmp(kernel, "./", 2) == 0; kernel += 2)
        ;

    if (asprintf(&path, "%s%s%s",
                 absolute      ? ""
                 : dir && *dir ? dir
                               : ".",
                 absolute ? "" : "/", kernel) < 0)
        return swim_error_set(err, SWIM_ERR_NOMEM, "find kernel: no memory");
    if (stat(path, &st) != 0)
        rc = swim_error_set(err, SWIM_ERR_ARG, "open kernel %s: %s", path,
                            strerrordesc_np(errno));
    else if (!S_ISREG(st.st_mode))
        rc =
            swim_error_set(err, SWIM_ERR_ARG, "open kernel %s: it is not a file", path);
    else if (ends_with(path, ".c"))
        rc = kernel_compile(path, so, err);
    else if (ends_with(path, ".so"))
        *so = path;
    else
        rc = swim_error_set(err, SWIM_ERR_ARG,
                            "open kernel %s: a kernel is a name, a .so or a .c file",
                            path);
    if (*so != path)
        free(path);
    return rc;
}

int kernel_find(const char *kernel, const char *dir, char **so, swim_error_t *err)
{
    *so = NULL;
    if (strchr(kernel, '/') || ends_with(kernel, ".so") || ends_with(kernel, ".c"))
        return path_find(kernel, dir, so, err);
    return name_find(kernel, so, err);
}
