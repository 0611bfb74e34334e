/* partials.c - the accumulators of a reduce, kept in a file until they are merged. */
#include "batch/partials.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PARTIALS_MARK ".h5swim-partials-"

void partials_path(const char *output_file, uint64_t run_id, char *path, size_t size)
{
    snprintf(path, size, "%s" PARTIALS_MARK "%016llx", output_file,
             (unsigned long long)run_id);
}

static void partials_sweep(const char *output_file)
{
    const char *slash = strrchr(output_file, '/');
    char dir[PATH_MAX], prefix[PATH_MAX];
    const struct dirent *entry;

    snprintf(dir, sizeof(dir), "%.*s", slash ? (int)(slash - output_file) + 1 : 1,
             slash ? output_file : ".");
    snprintf(prefix, sizeof(prefix), "%s" PARTIALS_MARK,
             slash ? slash + 1 : output_file);
    DIR *open_dir = opendir(dir);
    while (open_dir && (entry = readdir(open_dir)) != NULL)
        if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0)
            unlinkat(dirfd(open_dir), entry->d_name, 0);
    if (open_dir)
        closedir(open_dir);
}

int partials_create(const char *output_file, uint64_t run_id, swim_error_t *err)
{
    char path[PATH_MAX];

    partials_sweep(output_file);
    partials_path(output_file, run_id, path, sizeof(path));
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return swim_error_sys(err, errno, "create %s for partial results", path);
    close(fd);
    return SWIM_OK;
}

void partials_remove(const char *output_file, uint64_t run_id)
{
    char path[PATH_MAX];

    partials_path(output_file, run_id, path, sizeof(path));
    unlink(path);
}

int partials_open(const char *output_file, uint64_t run_id, int *fd, swim_error_t *err)
{
    char path[PATH_MAX];

    partials_path(output_file, run_id, path, sizeof(path));
    *fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    if (*fd < 0)
        return swim_error_sys(err, errno, "open partial results %s", path);
    return SWIM_OK;
}

int partials_write(int fd, uint64_t block, const void *acc, uint64_t acc_bytes,
                   swim_error_t *err)
{
    const char *from = acc;
    uint64_t done = 0;

    while (done < acc_bytes) {
        ssize_t n = pwrite(fd, from + done, acc_bytes - done,
                           (off_t)(block * acc_bytes + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return swim_error_sys(err, errno, "write a partial result");
        done += (uint64_t)n;
    }
    return SWIM_OK;
}

int partials_read(int fd, uint64_t block, void *acc, uint64_t acc_bytes,
                  swim_error_t *err)
{
    char *to = acc;
    uint64_t done = 0;

    while (done < acc_bytes) {
        ssize_t n =
            pread(fd, to + done, acc_bytes - done, (off_t)(block * acc_bytes + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return swim_error_sys(err, errno, "read a partial result");
        if (n == 0)
            return swim_error_set(err, SWIM_ERR_IO,
                                  "read a partial result: the file ends too early");
        done += (uint64_t)n;
    }
    return SWIM_OK;
}
