/* cmd_kernel_new.c - h5swim kernel new: a kernel to begin with, a job and a test. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <h5swim/error.h>

#include "batch/kernel_private.h"
#include "cli/cmd_kernel.h"
#include "cli/options.h"
#include "core/text.h"
#include "templates.h"

enum { STATUS_DONE = 0, STATUS_FAILED = 1, STATUS_USAGE = 2 };

static const char help[] =
    "Usage: h5swim kernel new NAME [--kind KIND] [--dir DIR]\n"
    "Write a small kernel that works, NAME.c, a job for it, NAME.yaml, and a test of\n"
    "both, NAME_test.sh, which passes at once.  Nothing is overwritten.\n"
    "\n"
    "  --kind KIND  map (default): an output element from the input elements at its\n"
    "               place; stencil: and from their neighbours; reduce: an axis goes;\n"
    "               window: an output row from a window of rows along an axis;\n"
    "               filter: a table of as many rows as are found\n"
    "  --dir DIR    where; default: here\n"
    "  --help       this text\n"
    "\n"
    "NAME is small letters, digits and _, beginning with a letter.\n"
    "Exit status: 0 done, 1 failed (a file exists, or cannot be made), 2 usage.\n";

static const struct option long_options[] = {
    {"kind", required_argument, NULL, 'k'},
    {"dir", required_argument, NULL, 'd'},
    {"help", no_argument, NULL, 'h'},
    {0},
};

/* What differs by kind, in templates.h; @NAME@ stands for the name.  Tests are the same
 * but for their data. */
struct form {
    const char *kind;
    const char *kernel, *job, *data;
};

static const struct form forms[] = {
    {"map", template_map_c, template_map_yaml, template_map_data},
    {"stencil", template_stencil_c, template_stencil_yaml, template_stencil_data},
    {"reduce", template_reduce_c, template_reduce_yaml, template_reduce_data},
    {"window", template_window_c, template_window_yaml, template_window_data},
    {"filter", template_filter_c, template_filter_yaml, template_filter_data},
};
#define N_FORMS (sizeof(forms) / sizeof(*forms))
#define N_FILES 3

struct new_file {
    char *path;
    char *text;
    mode_t mode;
    bool made;
};

static int usage(const char *why, const char *what)
{
    char shown[OPTIONS_SHOWN];

    fprintf(stderr, "h5swim kernel new: %s%s; see h5swim kernel new --help\n", why,
            swim_text_shown(what, shown, sizeof(shown)));
    return STATUS_USAGE;
}

/* The template with a text in the places of the mark; allocated. */
static char *text_fill(const char *form, const char *mark, const char *with)
{
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);

    if (!to)
        return NULL;
    for (const char *at = strstr(form, mark); at; at = strstr(form, mark)) {
        fwrite(form, 1, (size_t)(at - form), to);
        fputs(with, to);
        form = at + strlen(mark);
    }
    fputs(form, to);
    if (fclose(to) == 0)
        return text;
    free(text);
    return NULL;
}

static bool file_fill(struct new_file *file, const char *dir, const char *name,
                      const char *ending, const char *form, mode_t mode)
{
    const bool here = strcmp(dir, ".") == 0;

    file->mode = mode;
    file->text = text_fill(form, "@NAME@", name);
    if (asprintf(&file->path, "%s%s%s%s", here ? "" : dir, here ? "" : "/", name,
                 ending) < 0)
        file->path = NULL;
    return file->path && file->text;
}

/* The directory may be one that anybody writes to: only new files are written. */
static int file_write(struct new_file *file, swim_error_t *err)
{
    const size_t length = strlen(file->text);
    int fd = open(file->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, file->mode);
    int rc = SWIM_OK;

    if (fd < 0 && errno == EEXIST)
        return swim_error_set(err, SWIM_ERR_ARG,
                              "make %s: it exists; nothing was written: take another "
                              "name, or another --dir",
                              file->path);
    if (fd < 0)
        return swim_error_sys(err, errno, "make %s", file->path);
    file->made = true;
    if (write(fd, file->text, length) != (ssize_t)length)
        rc = swim_error_sys(err, errno ? errno : ENOSPC, "write %s", file->path);
    if (close(fd) != 0 && rc == SWIM_OK)
        rc = swim_error_sys(err, errno, "write %s", file->path);
    return rc;
}

/* All of them or none. */
static int files_write(struct new_file *files, swim_error_t *err)
{
    int rc = SWIM_OK;

    for (size_t i = 0; rc == SWIM_OK && i < N_FILES; i++)
        rc = file_write(&files[i], err);
    for (size_t i = 0; rc != SWIM_OK && i < N_FILES; i++)
        if (files[i].made)
            unlink(files[i].path);
    return rc;
}

static int kernel_new(const struct form *form, const char *dir, const char *name)
{
    struct new_file files[N_FILES] = {{0}};
    char *test = text_fill(template_test_sh, "@DATA@", form->data);
    swim_error_t err = {0};
    int rc = SWIM_ERR_NOMEM;

    if (!test || !file_fill(&files[0], dir, name, ".c", form->kernel, 0666) ||
        !file_fill(&files[1], dir, name, ".yaml", form->job, 0666) ||
        !file_fill(&files[2], dir, name, "_test.sh", test, 0777))
        swim_error_set(&err, SWIM_ERR_NOMEM, "new kernel %s: no memory", name);
    else
        rc = files_write(files, &err);
    if (rc == SWIM_OK)
        printf("%s  the kernel\n%s  a job for it\n%s  a test of both: run it now, and "
               "after each change\n",
               files[0].path, files[1].path, files[2].path);
    else
        fprintf(stderr, "h5swim: %s\n", err.text);
    free(test);
    for (size_t i = 0; i < N_FILES; i++) {
        free(files[i].path);
        free(files[i].text);
    }
    return rc == SWIM_OK ? STATUS_DONE : STATUS_FAILED;
}

static int name_refuse(const char *name)
{
    fprintf(
        stderr,
        "h5swim kernel new: \"%.80s\" is no name of a kernel: small letters, digits "
        "and _, beginning with a letter, 64 at most\n",
        name);
    return STATUS_USAGE;
}

int cmd_kernel_new(int argc, char **argv)
{
    const char *kind = "map", *dir = ".";
    size_t form = 0;
    int option = 0;

    opterr = 0;
    optind = 0; /* glibc: start anew, whoever parsed before */
    while ((option = getopt_long(argc, argv, ":h", long_options, NULL)) != -1) {
        if (option == 'h') {
            fputs(help, stdout);
            return STATUS_DONE;
        }
        if (option == 'k')
            kind = optarg;
        else if (option == 'd')
            dir = optarg;
        else
            return options_refuse("kernel new", long_options, option, argv);
    }
    if (argc - optind != 1)
        return usage("it takes one NAME", "");
    while (form < N_FORMS && strcmp(forms[form].kind, kind) != 0)
        form++;
    if (form == N_FORMS)
        return usage("--kind wants map, stencil, reduce, window or filter, not ", kind);
    if (!kernel_name_ok(argv[optind]))
        return name_refuse(argv[optind]);
    return kernel_new(&forms[form], *dir ? dir : ".", argv[optind]);
}

const struct command command_kernel_new = {
    "kernel new", cmd_kernel_new, "write a kernel to begin with", help, long_options,
    ":h",         "none"};
