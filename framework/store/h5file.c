/* h5file.c - opening, committing and giving up HDF5 files.
 *
 * HDF5 1.10 crashes in a later exit() when a close could not write; and a flush that
 * ran out of space half-way leaves a torn file.  Hence two things here: room for all
 * metadata is allocated before the flush, and a file that is given up gets its
 * descriptor pointed at memory, so that its close succeeds and changes nothing. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/log.h"
#include "store/store_private.h"

char *h5_path_normal(const char *path)
{
    char *normal = (char *)malloc(strlen(path) + 2);
    size_t n = 0;

    if (!normal)
        return NULL;
    normal[n++] = '/';
    for (; *path; path++)
        if (*path != '/' || normal[n - 1] != '/')
            normal[n++] = *path;
    if (n > 1 && normal[n - 1] == '/')
        n--;
    normal[n] = '\0';
    return normal;
}

const char *h5_path_base(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

char *h5_path_join(const char *group, const char *name)
{
    char *path = NULL;

    if (asprintf(&path, "%s/%s", strcmp(group, "/") == 0 ? "" : group, name) < 0)
        return NULL;
    return path;
}

int file_identity_get(const char *file, struct file_identity *id, swim_error_t *err)
{
    struct stat st;

    memset(id, 0, sizeof(*id));
    if (stat(file, &st) < 0) {
        int code = errno == ENOENT || errno == ENOTDIR ? SWIM_ERR_ARG : SWIM_ERR_IO;
        return swim_error_set(err, code, "open %s: %s", file, strerror(errno));
    }
    id->dev = (uint64_t)st.st_dev;
    id->ino = (uint64_t)st.st_ino;
    id->size = (uint64_t)st.st_size;
    id->mtime_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
    return SWIM_OK;
}

/* The signature may follow a user block of 512, 1024, 2048, ... bytes. */
static bool file_has_signature(int fd)
{
    static const char signature[] = "\211HDF\r\n\032\n";
    char found[8];

    for (off_t at = 0; pread(fd, found, sizeof(found), at) == (ssize_t)sizeof(found);
         at = at ? at * 2 : 512)
        if (memcmp(found, signature, sizeof(found)) == 0)
            return true;
    return false;
}

/* Say what HDF5 would not: a directory, no permission, not an HDF5 file. */
static int file_check(const char *file, swim_error_t *err)
{
    struct stat st;
    char magic[4] = {0};
    int rc = SWIM_OK;
    int fd = open(file, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        int code = errno == ENOENT || errno == ENOTDIR ? SWIM_ERR_ARG : SWIM_ERR_IO;
        return swim_error_set(err, code, "open %s: %s", file, strerror(errno));
    }
    if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
        rc = swim_error_set(err, SWIM_ERR_ARG, "open %s: it is a directory", file);
    else if (pread(fd, magic, sizeof(magic), 0) == (ssize_t)sizeof(magic) &&
             memcmp(magic, "CDF", 3) == 0)
        rc = swim_error_set(err, SWIM_ERR_ARG,
                            "open %s: it is a netCDF classic file, not an HDF5 file; "
                            "convert it with nccopy -k netCDF-4 OLD NEW",
                            file);
    else if (!file_has_signature(fd))
        rc = swim_error_set(err, SWIM_ERR_ARG, "open %s: it is not an HDF5 file", file);
    close(fd);
    return rc;
}

int h5_file_open_read(const char *file, hid_t *out, swim_error_t *err)
{
    int rc = file_check(file, err);

    *out = H5I_INVALID_HID;
    if (rc != SWIM_OK)
        return rc;
    *out = H5Fopen(file, H5F_ACC_RDONLY, H5P_DEFAULT);
    return *out < 0 ? h5_fail(err, SWIM_ERR_IO, "open %s", file) : SWIM_OK;
}

/* Metadata stays in the cache until the flush, so that a session that fails or is
 * killed before that has changed nothing below the old end of file. */
static herr_t fapl_keep_metadata(hid_t fapl)
{
    H5AC_cache_config_t config;

    config.version = H5AC__CURR_CACHE_CONFIG_VERSION;
    if (H5Pget_mdc_config(fapl, &config) < 0)
        return -1;
    config.evictions_enabled = false;
    config.incr_mode = H5C_incr__off;
    config.flash_incr_mode = H5C_flash_incr__off;
    config.decr_mode = H5C_decr__off;
    return H5Pset_mdc_config(fapl, &config);
}

hid_t h5_file_write_fapl(void)
{
    hid_t fapl = H5Pcreate(H5P_FILE_ACCESS);

    if (fapl >= 0 && (H5Pset_libver_bounds(fapl, H5F_LIBVER_V18, H5F_LIBVER_V18) < 0 ||
                      H5Pset_fclose_degree(fapl, H5F_CLOSE_STRONG) < 0 ||
                      fapl_keep_metadata(fapl) < 0)) {
        H5Pclose(fapl);
        return H5I_INVALID_HID;
    }
    return fapl;
}

int h5_file_descriptor(hid_t file)
{
    void *handle = NULL;
    hid_t fapl = H5Fget_access_plist(file);
    int fd = -1;

    if (fapl >= 0 && H5Pget_driver(fapl) == H5FD_SEC2 &&
        H5Fget_vfd_handle(file, H5P_DEFAULT, &handle) >= 0 && handle)
        fd = *(const int *)handle;
    h5_release(fapl);
    return fd;
}

int64_t h5_file_size(hid_t file)
{
    int fd = h5_file_descriptor(file);
    struct stat st;

    return fd >= 0 && fstat(fd, &st) == 0 ? (int64_t)st.st_size : -1;
}

void h5_file_discard(hid_t file, int64_t size_before)
{
    int fd = h5_file_descriptor(file);
    int memory = fd < 0 ? -1 : memfd_create("h5swim-discard", MFD_CLOEXEC);

    if (fd >= 0 && size_before >= 0 && ftruncate(fd, size_before) < 0)
        swim_log(SWIM_LOG_WARN, "store", "discard: ftruncate: %s", strerror(errno));
    if (memory >= 0 && dup3(memory, fd, O_CLOEXEC) < 0)
        swim_log(SWIM_LOG_WARN, "store", "discard: dup3: %s", strerror(errno));
    if (memory >= 0)
        close(memory);
    if (H5Fclose(file) < 0)
        swim_log(SWIM_LOG_WARN, "store",
                 "a file that was given up could not be closed");
}

/* Allocate the file up to where HDF5 will have it end.  File systems that cannot do
 * that beforehand go on without. */
static int file_make_room(hid_t file, int fd, const char *name, swim_error_t *err)
{
    hsize_t size = 0;

    if (H5Fget_filesize(file, &size) < 0)
        return h5_fail(err, SWIM_ERR_IO, "write %s", name);
    if (size == 0 || fallocate(fd, 0, 0, (off_t)size) == 0)
        return SWIM_OK;
    if (errno == ENOSPC || errno == EDQUOT || errno == EFBIG || errno == EIO)
        return swim_error_sys(err, errno, "write %s", name);
    return SWIM_OK;
}

int h5_file_commit(hid_t file, const char *name, int64_t size_before, swim_error_t *err)
{
    int rc = SWIM_OK;
    int own = h5_file_descriptor(file);
    int fd = own < 0 ? -1 : fcntl(own, F_DUPFD_CLOEXEC, 3);

    if (own >= 0 && fd < 0)
        rc = swim_error_sys(err, errno, "write %s: duplicate its descriptor", name);
    if (rc == SWIM_OK && fd >= 0)
        rc = file_make_room(file, fd, name, err);
    if (rc == SWIM_OK) {
        size_before = -1; /* from here on metadata may lead to what is behind it */
        if (H5Fflush(file, H5F_SCOPE_LOCAL) < 0)
            rc = h5_fail(err, SWIM_ERR_IO, "write %s", name);
    }
    if (rc == SWIM_OK && fd >= 0 && fsync(fd) < 0)
        rc = swim_error_sys(err, errno, "fsync %s", name);
    if (rc != SWIM_OK) {
        h5_file_discard(file, size_before);
    } else if (H5Fclose(file) < 0) {
        rc = h5_fail(err, SWIM_ERR_IO, "close %s", name);
        if (H5Iis_valid(file) > 0)
            h5_file_discard(file, -1);
    }
    /* The close itself may have written the superblock once more. */
    if (rc == SWIM_OK && fd >= 0 && fsync(fd) < 0)
        rc = swim_error_sys(err, errno, "fsync %s", name);
    if (fd >= 0)
        close(fd);
    return rc;
}
