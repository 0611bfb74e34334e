/* h5file.c - opening, creating and giving up HDF5 files by the driver. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/log.h"
#include "store/store_private.h"
#include "store/store_wait.h"
#include "store/vfd.h"

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
    struct stat st = {0};
    char magic[4] = {0};
    int rc = SWIM_OK;
    int fd = io_open_existing(&swim_io_system, file, O_RDONLY);

    if (fd < 0) {
        int code = errno == ENOENT || errno == ENOTDIR ? SWIM_ERR_ARG : SWIM_ERR_IO;
        return swim_error_set(err, code, "open %s: %s", file, strerror(errno));
    }
    if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
        rc = swim_error_set(err, SWIM_ERR_ARG, "open %s: it is a directory", file);
    else if (S_ISFIFO(st.st_mode))
        rc = swim_error_set(err, SWIM_ERR_ARG,
                            "open %s: it is a pipe; HDF5 files are read out of order",
                            file);
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

/* By the driver.  What there is to wait for was waited for before.  To write
 * without HDF5's sieve, which would write 64 KiB where a byte is changed.
 * Virtual datasets are of HDF5 1.10; all else stays in the forms of 1.8. */
static hid_t access_fapl(const struct store_access *access, bool write,
                         const struct txn_snapshot *at)
{
    struct vfd_info info = {.wait_ms = access->wait_ms,
                            .session = access->session,
                            .quiet = true,
                            .at_snapshot = at != NULL};
    hid_t fapl = H5Pcreate(H5P_FILE_ACCESS), driver = vfd_id();

    if (at)
        info.snapshot = *at;
    if (fapl >= 0 && driver >= 0 && H5Pset_driver(fapl, driver, &info) >= 0 &&
        H5Pset_fclose_degree(fapl, H5F_CLOSE_STRONG) >= 0 &&
        (!write || (H5Pset_libver_bounds(fapl, H5F_LIBVER_V18, H5F_LIBVER_V110) >= 0 &&
                    H5Pset_sieve_buf_size(fapl, 0) >= 0)))
        return fapl;
    h5_release(fapl);
    return H5I_INVALID_HID;
}

/* Wait for it, outside of HDF5, whose error stack would not tell how that failed. */
static int file_enter(const char *file, bool write, const struct store_access *access,
                      const struct txn_snapshot *at, struct openfile **out,
                      swim_error_t *err)
{
    struct openfile_options opt = {
        .session = access->session, .quiet = !access->tells, .at_snapshot = at != NULL};

    *out = NULL;
    vfd_set_io(&opt);
    if (at)
        opt.snapshot = *at;
    int rc = store_wait_ms(access->wait_ms, &opt.wait_ms, err);
    if (rc == SWIM_OK)
        rc = store_sync(false, &opt.sync, err);
    if (rc == SWIM_OK)
        rc = openfile_get(out, file, write ? OPENFILE_WRITE : OPENFILE_READ, &opt, err);
    return rc == SWIM_OK ? openfile_enter(*out, err) : rc;
}

/* As h5_file_open().  *unreadable: not because of a lock, but of what is in the file.
 */
static int file_open(const char *file, bool write, const struct store_access *access,
                     const struct txn_snapshot *at, hid_t *out, struct openfile **open,
                     bool *unreadable, swim_error_t *err)
{
    struct openfile *entered = NULL;
    hid_t fapl = H5I_INVALID_HID;

    *out = H5I_INVALID_HID;
    if (open)
        *open = NULL;
    int rc = file_check(file, err);
    *unreadable = rc != SWIM_OK;
    if (rc == SWIM_OK)
        rc = file_enter(file, write, access, at, &entered, err);
    if (rc == SWIM_OK) {
        if (access->more)
            openfile_keep_journal(entered);
        fapl = access_fapl(access, write, at);
        *out = fapl < 0 ? H5I_INVALID_HID
                        : H5Fopen(file, write ? H5F_ACC_RDWR : H5F_ACC_RDONLY, fapl);
        if (*out < 0)
            rc = h5_fail(err, SWIM_ERR_IO, "open %s%s", file,
                         write ? " for writing" : "");
        *unreadable = rc == SWIM_ERR_IO || rc == SWIM_ERR_CORRUPT;
    }
    h5_release(fapl);
    if (rc == SWIM_OK && open)
        *open = entered;
    else
        (void)openfile_put(entered, NULL);
    return rc;
}

int h5_file_open(const char *file, bool write, const struct store_access *access,
                 const struct txn_snapshot *at, hid_t *out, struct openfile **open,
                 swim_error_t *err)
{
    bool unreadable;

    return file_open(file, write, access, at, out, open, &unreadable, err);
}

int h5_file_look(const char *file, const struct store_access *access, hid_t *out,
                 swim_error_t *err)
{
    bool unreadable;
    swim_error_t why = {0};
    int rc = file_open(file, false, access, NULL, out, NULL, &unreadable, &why);

    if (rc == SWIM_OK || unreadable)
        return SWIM_OK;
    return swim_error_set(err, rc, "%s", why.text);
}

int h5_file_create(const char *file, bool exclusive, const struct store_access *access,
                   hid_t *out, swim_error_t *err)
{
    hid_t fcpl = H5Pcreate(H5P_FILE_CREATE), fapl = access_fapl(access, true, NULL);
    unsigned order = H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED;
    int rc = SWIM_OK;

    *out = H5I_INVALID_HID;
    if (fcpl >= 0 && fapl >= 0 && H5Pset_link_creation_order(fcpl, order) >= 0 &&
        H5Pset_attr_creation_order(fcpl, order) >= 0)
        *out = H5Fcreate(file, exclusive ? H5F_ACC_EXCL : H5F_ACC_TRUNC, fcpl, fapl);
    if (*out < 0)
        rc = h5_fail(err, SWIM_ERR_IO, "create %s", file);
    h5_release(fapl);
    h5_release(fcpl);
    return rc;
}

void h5_file_drop(hid_t file)
{
    if (file < 0)
        return;
    (void)swim_abort(file, NULL);
    if (H5Fclose(file) < 0)
        swim_log(SWIM_LOG_WARN, "store",
                 "a file that was given up could not be closed");
    H5Eclear2(H5E_DEFAULT);
}
