/* resource.c - one name for a file, however it is reached. */
#include "resource.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <h5swim/lock.h>

__attribute__((format(printf, 5, 6))) static int name_put(const char *path, char *out,
                                                          size_t size,
                                                          swim_error_t *err,
                                                          const char *form, ...)
{
    va_list args;

    va_start(args, form);
    int n = vsnprintf(out, size, form, args);
    va_end(args);
    if (n >= 0 && (size_t)n < size)
        return SWIM_OK;
    if (size > 0)
        out[0] = '\0';
    return swim_error_set(
        err, SWIM_ERR_ARG,
        "name the resource of %s: %zu bytes do not hold its name of %d", path, size, n);
}

static bool path_is_below(const char *path, const char *dir)
{
    size_t len = strlen(dir);

    return strncmp(path, dir, len) == 0 && path[len] == '/';
}

/* The real path of a name that is not there, in a directory that is. */
static int resource_of_new_file(const char *path, char *real, swim_error_t *err)
{
    char dir[PATH_MAX];
    struct stat st;
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;

    if (lstat(path, &st) == 0 && S_ISLNK(st.st_mode))
        return swim_error_set(err, SWIM_ERR_IO,
                              "find the real path of %s: it is a symbolic link to what "
                              "does not exist (remove the link, or create its target)",
                              path);
    if (!name[0])
        return swim_error_set(err, SWIM_ERR_IO,
                              "find the real path of %s: No such directory", path);
    if (snprintf(dir, sizeof(dir), "%.*s", slash ? (int)(slash - path + 1) : 1,
                 slash ? path : ".") >= (int)sizeof(dir))
        return swim_error_sys(err, ENAMETOOLONG, "find the real path of %s", path);
    if (!realpath(dir, real))
        return swim_error_sys(err, errno, "find the real path of %s, of its directory",
                              path);
    size_t used = strlen(real);
    int n = snprintf(real + used, PATH_MAX - used, "%s%s", used > 1 ? "/" : "", name);
    if (n < 0 || (size_t)n >= PATH_MAX - used)
        return swim_error_sys(err, ENAMETOOLONG, "find the real path of %s", path);
    return SWIM_OK;
}

int resource_real_path(const char *path, char *real, size_t size, swim_error_t *err)
{
    char whole[PATH_MAX];

    if (size > 0)
        real[0] = '\0';
    if (!path || !path[0])
        return swim_error_set(err, SWIM_ERR_ARG, "name a file to lock: no name given");
    if (!realpath(path, whole)) {
        if (errno != ENOENT)
            return swim_error_sys(err, errno, "find the real path of %s", path);
        int rc = resource_of_new_file(path, whole, err);
        if (rc != SWIM_OK)
            return rc;
    }
    return name_put(path, real, size, err, "%s", whole);
}

/* $SWIM_RESOURCE_ROOT without symbolic links; "": not set. */
static int root_find(char *root, struct stat *st, swim_error_t *err)
{
    const char *given = getenv("SWIM_RESOURCE_ROOT");

    root[0] = '\0';
    if (!given || !given[0])
        return SWIM_OK;
    if (!realpath(given, root) || stat(root, st) != 0)
        return swim_error_sys(err, errno, "use SWIM_RESOURCE_ROOT=%s", given);
    if (!S_ISDIR(st->st_mode))
        return swim_error_sys(err, ENOTDIR, "use SWIM_RESOURCE_ROOT=%s", given);
    if (strcmp(root, "/") == 0)
        root[0] = '\0'; /* all paths are below it already */
    return SWIM_OK;
}

/* The line of mountinfo (proc(5)) that begins with this mount's number: what is mounted
 * is the second word after " - ". */
static bool mount_source(uint64_t mount, char *source, size_t size)
{
    FILE *f = fopen("/proc/self/mountinfo", "re");
    bool found = false;
    char *line = NULL, *end;
    size_t room = 0;

    if (!f)
        return false;
    while (!found && getline(&line, &room, f) > 0) {
        const char *rest = strstr(line, " - ");
        const char *word = rest ? strchr(rest + 3, ' ') : NULL;
        if (!word || strtoull(line, &end, 10) != mount)
            continue;
        int n = snprintf(source, size, "%.*s", (int)strcspn(word + 1, " \n"), word + 1);
        found = n > 0 && (size_t)n < size;
    }
    free(line);
    fclose(f);
    return found;
}

/* A file system by what all hosts that mount it call it.  Only names like /dev/sda1 and
 * server:/export are unique. */
static int file_system_name(const char *path, char *name, size_t size,
                            swim_error_t *err)
{
    char source[PATH_MAX] = "";
    struct statx sx;
    struct statfs fs;

    if (statx(AT_FDCWD, path, 0, STATX_MNT_ID, &sx) == 0 &&
        (sx.stx_mask & STATX_MNT_ID) &&
        mount_source(sx.stx_mnt_id, source, sizeof(source)) && strchr(source, '/'))
        return name_put(path, name, size, err, "%s", source);
    if (statfs(path, &fs) != 0)
        return swim_error_sys(err, errno, "find the file system of %s", path);
    const int *id = fs.f_fsid.__val;
    return name_put(path, name, size, err, "%s#%08x%08x", source, (unsigned)id[0],
                    (unsigned)id[1]);
}

int resource_of_real_path(const char *real, char *resource, size_t size,
                          swim_error_t *err)
{
    char root[PATH_MAX], system[PATH_MAX];
    struct stat st, root_st = {0};

    if (size > 0)
        resource[0] = '\0';
    int rc = root_find(root, &root_st, err);
    if (rc != SWIM_OK)
        return rc;
    bool below = root[0] && path_is_below(real, root);
    bool links = stat(real, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink > 1;
    if (links && below && st.st_dev == root_st.st_dev)
        return name_put(real, resource, size, err, "root:inode:%ju",
                        (uintmax_t)st.st_ino);
    if (links) {
        rc = file_system_name(real, system, sizeof(system), err);
        return rc == SWIM_OK ? name_put(real, resource, size, err, "inode:%s:%ju",
                                        system, (uintmax_t)st.st_ino)
                             : rc;
    }
    return below ? name_put(real, resource, size, err, "root:%s", real + strlen(root))
                 : name_put(real, resource, size, err, "%s", real);
}

int swim_resource_of_file(const char *path, char *resource, size_t size,
                          swim_error_t *err)
{
    char real[PATH_MAX];

    if (size > 0)
        resource[0] = '\0';
    int rc = resource_real_path(path, real, sizeof(real), err);
    return rc == SWIM_OK ? resource_of_real_path(real, resource, size, err) : rc;
}
