/* resource.c - one name for a file, however it is reached. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <h5swim/lock.h>

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

int swim_resource_of_file(const char *path, char *resource, size_t size,
                          swim_error_t *err)
{
    char real[PATH_MAX];

    if (size > 0)
        resource[0] = '\0';
    if (!path || !path[0])
        return swim_error_set(err, SWIM_ERR_ARG, "name a file to lock: no name given");
    if (!realpath(path, real)) {
        if (errno != ENOENT)
            return swim_error_sys(err, errno, "find the real path of %s", path);
        int rc = resource_of_new_file(path, real, err);
        if (rc != SWIM_OK)
            return rc;
    }
    size_t len = strlen(real);
    if (len >= size)
        return swim_error_set(err, SWIM_ERR_ARG,
                              "name the resource of %s: %zu bytes do not hold its real "
                              "path of %zu",
                              path, size, len);
    memcpy(resource, real, len + 1);
    return SWIM_OK;
}
