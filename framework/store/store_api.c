/* store_api.c - h5swim/store.h. */
#include <h5swim/store.h>

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "store/store_private.h"
#include "store/vfd.h"

/* What of the options the caller knows. */
static int options_read(const struct swim_store_options *given,
                        struct swim_store_options *opt, swim_error_t *err)
{
    memset(opt, 0, sizeof(*opt));
    if (!given)
        return SWIM_OK;
    if (given->struct_size < offsetof(struct swim_store_options, session))
        return swim_error_set(err, SWIM_ERR_ARG,
                              "set the options of a file: struct_size is not set");
    size_t size = given->struct_size < sizeof(*opt) ? given->struct_size : sizeof(*opt);
    memcpy(opt, given, size);
    if (opt->wait_ms < SWIM_LOCK_FOREVER)
        return swim_error_set(err, SWIM_ERR_ARG,
                              "set the options of a file: wait_ms is %lld",
                              (long long)opt->wait_ms);
    if (opt->sync != SWIM_SYNC_COMMIT && opt->sync != SWIM_SYNC_NONE)
        return swim_error_set(err, SWIM_ERR_ARG,
                              "set the options of a file: sync is %d", (int)opt->sync);
    return SWIM_OK;
}

int swim_fapl_set(hid_t fapl, const struct swim_store_options *options,
                  swim_error_t *err)
{
    struct swim_store_options opt;

    int rc = options_read(options, &opt, err);
    if (rc != SWIM_OK)
        return rc;
    struct vfd_info info = {.wait_ms = opt.wait_ms,
                            .session = opt.session,
                            .no_sync = opt.sync == SWIM_SYNC_NONE,
                            .read_only = opt.read_only != 0,
                            .at_snapshot = opt.snapshot != NULL};
    if (opt.snapshot)
        rc = txn_snapshot_decode(opt.snapshot->bytes, SWIM_SNAPSHOT_BYTES,
                                 &info.snapshot, err);
    if (rc != SWIM_OK)
        return rc;
    hid_t driver = vfd_id();
    if (driver < 0 || H5Pset_driver(fapl, driver, &info) < 0)
        return h5_fail(err, SWIM_ERR_IO,
                       "set the driver of a file access property list");
    return SWIM_OK;
}

/* The open file behind a file or an object in it, and its HDF5 file id, which is the
 * caller's.  It is known by its handle: H5Pget_driver() is not asked, because under
 * h5swim exec it tells what programs expect. */
static int file_behind(hid_t object, const char *what, hid_t *file,
                       struct openfile **out, swim_error_t *err)
{
    void *handle = NULL;
    herr_t got = -1;

    *out = NULL;
    *file = H5Iget_file_id(object);
    if (*file < 0)
        return h5_fail(err, SWIM_ERR_ARG, "%s a file: this is none", what);
    H5E_BEGIN_TRY
    {
        got = H5Fget_vfd_handle(*file, H5P_DEFAULT, &handle);
    }
    H5E_END_TRY;
    int rc = SWIM_OK;
    if (got < 0)
        rc = h5_fail(err, SWIM_ERR_ARG, "%s a file", what);
    else if (!(*out = vfd_file_of_handle(handle)))
        rc = swim_error_set(err, SWIM_ERR_ARG,
                            "%s a file: it was not opened by h5swim's driver "
                            "(swim_fapl_set)",
                            what);
    if (rc != SWIM_OK)
        h5_release(*file);
    return rc;
}

/* Where a file keeps its free space from session to session, HDF5 writes that down when
 * it closes the file alone.  What it flushes before names a place that is in use again:
 * such a state can be read, and HDF5 cannot add to it. */
static bool keeps_free_space(hid_t file)
{
    H5F_fspace_strategy_t strategy;
    hbool_t keeps = 0;
    hsize_t threshold = 0;
    hid_t fcpl = H5Fget_create_plist(file);

    if (fcpl < 0 || H5Pget_file_space_strategy(fcpl, &strategy, &keeps, &threshold) < 0)
        (void)H5Eclear2(H5E_DEFAULT);
    h5_release(fcpl);
    return keeps;
}

static int check_is_closed_first(struct openfile *f, hid_t file, swim_error_t *err)
{
    if (!openfile_writes(f) || !keeps_free_space(file))
        return SWIM_OK;
    int rc = openfile_failed(f, err);
    return rc != SWIM_OK
               ? rc
               : swim_error_set(err, SWIM_ERR_ARG,
                                "commit %s: it keeps its free space from session to "
                                "session (H5Pset_file_space_strategy), which HDF5 "
                                "writes when it closes the file (close it)",
                                openfile_path(f));
}

static int commit_by(hid_t object, int (*how)(struct openfile *, swim_error_t *),
                     swim_error_t *err)
{
    struct openfile *f = NULL;
    hid_t file = H5I_INVALID_HID;

    int rc = file_behind(object, "commit", &file, &f, err);
    if (rc != SWIM_OK)
        return rc;
    rc = check_is_closed_first(f, file, err);
    if (rc != SWIM_OK) {
        h5_release(file);
        return rc;
    }
    bool flushed = !openfile_writes(f) || H5Fflush(file, H5F_SCOPE_LOCAL) >= 0;
    /* A failed write says why; a flush may fail for reasons of HDF5 alone. */
    if (flushed)
        rc = how(f, err);
    else {
        rc = h5_fail(err, SWIM_ERR_IO, "commit %s", openfile_path(f));
        (void)openfile_abort(f, NULL);
    }
    h5_release(file);
    return rc;
}

int swim_commit(hid_t object, swim_error_t *err)
{
    return commit_by(object, openfile_commit, err);
}

int store_commit_begin(hid_t file, swim_error_t *err)
{
    return commit_by(file, openfile_commit_begin, err);
}

int swim_abort(hid_t object, swim_error_t *err)
{
    struct openfile *f = NULL;
    hid_t file = H5I_INVALID_HID;

    int rc = file_behind(object, "abort", &file, &f, err);
    if (rc == SWIM_OK)
        rc = openfile_abort(f, err);
    h5_release(file);
    return rc;
}

int swim_close(hid_t file, swim_error_t *err)
{
    struct openfile *f = NULL;
    swim_error_t why = {0}, now = {0};
    hid_t again = H5I_INVALID_HID;

    int rc = file_behind(file, "close", &again, &f, &now);
    bool writes = rc == SWIM_OK && openfile_writes(f);
    h5_release(again);
    bool commits = writes && !keeps_free_space(file); /* else the close does */
    if (commits)
        rc = swim_commit(file, &now);
    else if (writes)
        rc = openfile_failed(f, &now);
    (void)vfd_take_failure(&why);
    if (H5Fclose(file) < 0 && rc == SWIM_OK)
        rc = h5_fail(&now, SWIM_ERR_IO, "close a file");
    /* The close commits once more, and what is told there is the first to be told if it
     * is the first to fail. */
    if (vfd_take_failure(&why) && rc == SWIM_OK)
        return swim_error_set(err, why.code, "%s", why.text);
    return rc == SWIM_OK ? rc : swim_error_set(err, rc, "%s", now.text);
}

int swim_snapshot_get(hid_t object, swim_snapshot_t *snapshot, swim_error_t *err)
{
    struct openfile *f = NULL;
    struct txn_snapshot found;
    hid_t file = H5I_INVALID_HID;

    _Static_assert(SWIM_SNAPSHOT_BYTES == SNAPSHOT_BYTES, "the format's");
    memset(snapshot, 0, sizeof(*snapshot));
    int rc = file_behind(object, "name the state of", &file, &f, err);
    if (rc == SWIM_OK)
        rc = openfile_snapshot(f, &found, err);
    if (rc == SWIM_OK)
        txn_snapshot_encode(&found, snapshot->bytes);
    h5_release(file);
    return rc;
}
