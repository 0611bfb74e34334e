/* partials.c - the accumulators of a reduce, kept in a file until they are merged. */
#include "batch/partials.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

void partials_path(const char *output_file, char *path, size_t size)
{
    snprintf(path, size, "%s.h5swim-partials", output_file);
}

int partials_create(const char *output_file, swim_error_t *err)
{
    char path[PATH_MAX];

    partials_remove(output_file);
    partials_path(output_file, path, sizeof(path));
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return swim_error_sys(err, errno, "create %s for partial results", path);
    close(fd);
    return SWIM_OK;
}

void partials_remove(const char *output_file)
{
    char path[PATH_MAX];

    partials_path(output_file, path, sizeof(path));
    unlink(path);
}

int partials_open(const char *output_file, int *fd, swim_error_t *err)
{
    char path[PATH_MAX];

    partials_path(output_file, path, sizeof(path));
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
