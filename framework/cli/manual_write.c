/* manual_write.c - the pages of the manual and the completions, written into a folder.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/cmd_help.h"
#include "cli/command.h"
#include "cli/completion.h"
#include "cli/manual.h"
#include "cli/topics.h"

#define NAME_MOST 64

/* A file, and the folders that it lies in below DIR. */
static int file_make(const char *path, FILE **out, swim_error_t *err)
{
    char dir[PATH_MAX];

    for (const char *slash = strchr(path + 1, '/'); slash;
         slash = strchr(slash + 1, '/')) {
        snprintf(dir, sizeof(dir), "%.*s", (int)(slash - path), path);
        if (mkdir(dir, 0777) != 0 && errno != EEXIST)
            return swim_error_sys(err, errno, "make folder %s", dir);
    }
    *out = fopen(path, "we");
    return *out ? SWIM_OK : swim_error_sys(err, errno, "make %s", path);
}

static int file_end(const char *path, FILE *to, swim_error_t *err)
{
    bool failed = ferror(to) != 0;

    if (fclose(to) != 0 || failed)
        return swim_error_sys(err, errno, "write %s", path);
    return SWIM_OK;
}

static int page_write(const char *dir, const struct manual_page *page, const char *text,
                      swim_error_t *err)
{
    char path[PATH_MAX];
    FILE *to = NULL;

    snprintf(path, sizeof(path), "%s/man/man%d/%s.%d", dir, page->section, page->name,
             page->section);
    int rc = file_make(path, &to, err);
    if (rc != SWIM_OK)
        return rc;
    roff_begin(page, to);
    roff_text(text, to);
    roff_end(page, to);
    return file_end(path, to, err);
}

/* "h5swim-kernel-new" */
static void page_name(const char *name, char page[NAME_MOST])
{
    snprintf(page, NAME_MOST, "h5swim-%s", name);
    for (char *blank = page; (blank = strchr(blank, ' '));)
        *blank = '-';
}

static int topic_write(const char *dir, const struct topic *topic, swim_error_t *err)
{
    char name[NAME_MOST], synopsis[PATH_MAX], *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);

    if (!to)
        return swim_error_set(err, SWIM_ERR_NOMEM, "manual page of %s", topic->name);
    topic_print(topic, to);
    fclose(to);
    page_name(topic->name, name);
    snprintf(synopsis, sizeof(synopsis),
             "#include <h5swim/%s.h>\n\n"
             "cc FILE.c $(pkg-config --cflags --libs h5swim)\n",
             topic->name);
    const struct manual_page page = {name, topic->section, topic->summary,
                                     topic->header ? synopsis : NULL};
    int rc = page_write(dir, &page, text, err);
    free(text);
    return rc;
}

static int overview_write(const char *dir, swim_error_t *err)
{
    static const struct manual_page page = {
        "h5swim", 1, "batch kernels over HDF5 files that many processes share", NULL};
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);

    if (!to)
        return swim_error_set(err, SWIM_ERR_NOMEM, "manual page of h5swim");
    help_usage(to);
    fclose(to);
    int rc = page_write(dir, &page, text, err);
    free(text);
    return rc;
}

static int completion_file(const char *dir, const char *name, void (*print)(FILE *to),
                           swim_error_t *err)
{
    char path[PATH_MAX];
    FILE *to = NULL;

    snprintf(path, sizeof(path), "%s/completion/%s", dir, name);
    int rc = file_make(path, &to, err);
    if (rc != SWIM_OK)
        return rc;
    print(to);
    return file_end(path, to, err);
}

int manual_write(const char *dir, swim_error_t *err)
{
    int rc = overview_write(dir, err);

    for (size_t i = 0; rc == SWIM_OK && i < n_commands; i++) {
        char name[NAME_MOST];
        page_name(commands[i]->name, name);
        const struct manual_page page = {name, 1, commands[i]->summary, NULL};
        rc = page_write(dir, &page, commands[i]->help, err);
    }
    for (size_t i = 0; rc == SWIM_OK && i < n_topics; i++)
        rc = topic_write(dir, &topics[i], err);
    if (rc == SWIM_OK)
        rc = completion_file(dir, "bash/h5swim", completion_bash, err);
    return rc == SWIM_OK ? completion_file(dir, "zsh/_h5swim", completion_zsh, err)
                         : rc;
}
