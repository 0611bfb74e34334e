/* session.c - the lock that a plain HDF5 session on a file holds.
 *
 * Such a session knows of no journal.  One that is there, of a writer that was killed
 * or of sessions that have ended since, is copied into the file before. */
#include "store/session.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lock/resource.h"
#include "store/boot_id.h"
#include "store/file_locks.h"
#include "store/txn.h"

#define MARGIN_MS 200

static int take(swim_session_t *session, const char *file, enum swim_lock_mode mode,
                int64_t wait_ms, swim_lock_t **out, swim_error_t *err)
{
    const struct swim_lock_options opt = {.struct_size = sizeof(opt),
                                          .wait_ms = wait_ms};
    char resource[PATH_MAX];

    *out = NULL;
    int rc = swim_resource_of_file(file, resource, sizeof(resource), err);
    if (rc == SWIM_OK)
        rc = swim_lock_acquire(session, resource, mode, &opt, out, err);
    return rc;
}

static int give(swim_lock_t **lock, swim_error_t *err)
{
    int rc = swim_lock_release(*lock, err);

    *lock = NULL;
    return rc == SWIM_ERR_UNSURE ? SWIM_OK : rc;
}

static bool has_journal(const char *real)
{
    char journal[PATH_MAX + sizeof(JOURNAL_SUFFIX)];

    snprintf(journal, sizeof(journal), "%s" JOURNAL_SUFFIX, real);
    return access(journal, F_OK) == 0;
}

static int may_change(void *arg, swim_error_t *err)
{
    return swim_lock_check(arg, MARGIN_MS, err);
}

/* WRITE is held: nobody else has it open. */
static int settle(const char *real, swim_lock_t *lock, swim_error_t *err)
{
    struct txn_options opt = {.write = true,
                              .flocks = file_locks_work(real),
                              .fence = swim_lock_fence(lock),
                              .may_change = may_change,
                              .arg = lock};
    struct txn *t = NULL;

    boot_id_read(opt.boot);
    int rc = txn_open(&t, real, &opt, err);
    if (rc == SWIM_OK)
        rc = txn_checkpoint(t, err);
    txn_close(t);
    return rc;
}

/* Take WRITE for it, and give it back. */
static int settle_alone(swim_session_t *session, const char *file, const char *real,
                        int64_t wait_ms, swim_error_t *err)
{
    swim_lock_t *lock = NULL;

    int rc = take(session, file, SWIM_LOCK_WRITE, wait_ms, &lock, err);
    if (rc == SWIM_OK && has_journal(real)) /* others may have been faster */
        rc = settle(real, lock, err);
    int given = give(&lock, rc == SWIM_OK ? err : NULL);
    return rc == SWIM_OK ? given : rc;
}

int store_lock_file(swim_session_t *session, const char *file, enum swim_lock_mode mode,
                    int64_t wait_ms, swim_lock_t **out, swim_error_t *err)
{
    char real[PATH_MAX];

    *out = NULL;
    int rc = resource_real_path(file, real, sizeof(real), err);
    while (rc == SWIM_OK) {
        rc = take(session, file, mode, wait_ms, out, err);
        if (rc != SWIM_OK || access(real, F_OK) != 0 || !has_journal(real))
            return rc;
        if (mode == SWIM_LOCK_WRITE) {
            rc = settle(real, *out, err);
            if (rc != SWIM_OK)
                (void)give(out, NULL);
            return rc;
        }
        rc = give(out, err);
        if (rc == SWIM_OK)
            rc = settle_alone(session, file, real, wait_ms, err);
    }
    return rc;
}
