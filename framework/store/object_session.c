/* object_session.c - a file is opened for a call or a transaction, and closed.
 *
 * The session holds the open file of openfile.h as well as HDF5's file: what opening
 * and committing fail with is then told as it is, not by way of HDF5, and waiting for
 * others is done outside of HDF5, where it would keep all threads waiting.  HDF5's
 * file is closed first: then all is with the driver, and is committed. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/object_private.h"
#include "store/vfd.h"

/* As h5swim/store.h, with the options that were read when the handle was made. */
static hid_t fapl_of(const swim_file_t *file)
{
    const struct vfd_info info = {.wait_ms = file->opt.wait_ms,
                                  .session = file->opt.session,
                                  .no_sync = !file->opt.sync};
    hid_t fapl = H5Pcreate(H5P_FILE_ACCESS), driver = vfd_id();
    H5F_libver_t low = file->latest_format ? H5F_LIBVER_LATEST : H5F_LIBVER_EARLIEST;

    if (fapl >= 0 && driver >= 0 && H5Pset_driver(fapl, driver, &info) >= 0 &&
        H5Pset_libver_bounds(fapl, low, H5F_LIBVER_LATEST) >= 0)
        return fapl;
    h5_release(fapl);
    return H5I_INVALID_HID;
}

static int hdf5_error(const swim_file_t *file, enum object_how how, swim_error_t *err)
{
    char cause[600];

    int code = object_cause(cause, sizeof(cause));
    if (strstr(cause, file->path)) /* the driver's own line */
        return swim_error_set(err, code, "%s", cause);
    if (strstr(cause, "file signature not found"))
        return swim_error_set(err, SWIM_ERR_ARG, "open %s: it is not an HDF5 file",
                              file->path);
    return swim_error_set(err, code, "%s %s: %s",
                          how < OBJECT_CREATE ? "open" : "create", file->path, cause);
}

static int hdf5_open(struct object_session *s, const swim_file_t *file,
                     enum object_how how, swim_error_t *err)
{
    hid_t fapl = fapl_of(file);
    int rc = SWIM_OK;

    if (fapl < 0)
        return hdf5_error(file, how, err);
    if (how == OBJECT_READ || how == OBJECT_UPDATE)
        s->file = H5Fopen(file->path, s->writes ? H5F_ACC_RDWR : H5F_ACC_RDONLY, fapl);
    else
        s->file =
            H5Fcreate(file->path, how == OBJECT_CREATE ? H5F_ACC_TRUNC : H5F_ACC_EXCL,
                      H5P_DEFAULT, fapl);
    if (s->file < 0)
        rc = hdf5_error(file, how, err);
    else if (H5Fget_obj_count(s->file, H5F_OBJ_FILE) != 1) {
        s->writes = false; /* what the program has written is not ours to abort */
        rc = swim_error_set(err, SWIM_ERR_ARG,
                            "open %s: this program has it open by HDF5 (close it "
                            "there first)",
                            file->path);
    }
    h5_release(fapl);
    return rc;
}

/* Wait for it and open it; a file that is made waits in HDF5. */
static int session_start(struct object_session *s, const swim_file_t *file,
                         enum object_how how, swim_error_t *err)
{
    H5E_auto2_t report;
    void *report_arg;

    int rc = object_busy_take(&s->busy, file->path, file->opt.wait_ms, err);
    if (rc == SWIM_OK && how <= OBJECT_UPDATE)
        rc = openfile_get(&s->open, file->path,
                          s->writes ? OPENFILE_WRITE : OPENFILE_READ, &file->opt, err);
    if (rc == SWIM_OK && s->open)
        rc = openfile_enter(s->open, err);
    if (rc != SWIM_OK)
        return rc;
    object_hdf5_enter(&report, &report_arg);
    rc = hdf5_open(s, file, how, err);
    object_hdf5_leave(report, report_arg);
    if (rc == SWIM_OK && !s->open)
        rc = openfile_get(&s->open, file->path, OPENFILE_WRITE, &file->opt, err);
    return rc;
}

int object_session_open(struct object_session **out, const swim_file_t *file,
                        enum object_how how, swim_error_t *err)
{
    struct object_session *s = calloc(1, sizeof(*s));

    *out = NULL;
    if (!s)
        return swim_error_set(err, SWIM_ERR_NOMEM, "open %s: no memory", file->path);
    s->file = H5I_INVALID_HID;
    s->pid = getpid();
    s->writes = how != OBJECT_READ;
    int rc = session_start(s, file, how, err);
    if (rc == SWIM_OK)
        *out = s;
    else
        (void)object_session_close(s, false, NULL);
    return rc;
}

/* All to the driver, and HDF5's file closed. */
static int hdf5_close(struct object_session *s, bool commit, swim_error_t *err)
{
    H5E_auto2_t report;
    void *report_arg;
    char cause[400];
    int rc = SWIM_OK;

    if (s->file < 0)
        return rc;
    object_hdf5_enter(&report, &report_arg);
    if (commit && H5Fflush(s->file, H5F_SCOPE_LOCAL) < 0) {
        rc = object_cause(cause, sizeof(cause));
        (void)swim_error_set(err, rc, "commit %s: %s", openfile_path(s->open), cause);
    }
    /* HDF5 writes when it closes; from here on the driver drops that. */
    if (s->writes && s->open && (!commit || rc != SWIM_OK))
        (void)openfile_abort(s->open, NULL);
    if (H5Fclose(s->file) < 0 && rc == SWIM_OK) {
        rc = object_cause(cause, sizeof(cause));
        (void)swim_error_set(err, rc, "close %s: %s", openfile_path(s->open), cause);
    }
    object_hdf5_leave(report, report_arg);
    return rc;
}

int object_session_close(struct object_session *s, bool commit, swim_error_t *err)
{
    int rc = SWIM_OK, saved = errno;

    if (s->pid == getpid()) {
        rc = hdf5_close(s, commit && s->writes, err);
        if (rc == SWIM_OK && commit && s->writes)
            rc = openfile_commit(s->open, err);
        /* After a commit nothing is left that could fail to be committed. */
        (void)openfile_put(s->open, NULL);
        object_busy_drop(s->busy);
    }
    free(s);
    errno = saved;
    return rc;
}
