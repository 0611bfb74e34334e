/* h5swim/store.h - HDF5 files with transactions: a driver for ordinary HDF5 files.
 *
 *     hid_t fapl = H5Pcreate(H5P_FILE_ACCESS);
 *     swim_fapl_set(fapl, NULL, &err);
 *     hid_t file = H5Fopen("FILE", H5F_ACC_RDWR, fapl);    waits for other writers
 *     ... any HDF5 calls ...
 *     swim_commit(file, &err);                             others see it from here on
 *
 * A file that is open for reading is one committed state of it from open to close,
 * whatever writers do meanwhile; readers never wait for a writer.  A file that is open
 * for writing is a transaction: what is written is seen by others, whole, at
 * swim_commit() and when the file is closed, or never.  A process that is killed at any
 * moment leaves the last committed state.  A new file, or one that is truncated, takes
 * its name at the first commit; readers of the old one go on reading that.
 *
 * While something is committed that is not yet in the file itself, or a writer is at
 * work, a journal NAME.swimlog lies beside the file (framework/store/FORMAT.md); a file
 * that is being made is called NAME.swimnew.  The last session out copies the journal
 * into the file and removes it: when no session is open the file is an ordinary one.
 *
 * Closing.  H5Fclose() commits.  It cannot say that this failed, as HDF5 does not
 * survive a driver that fails there: one line is written to stderr instead, and the
 * file keeps the last committed state (unless the line says that others may see the new
 * one: see SWIM_ERR_UNSURE of swim_commit()).  Who wants to know calls swim_commit()
 * before, or swim_close().  exit() commits when its status is 0; with any other the
 * files that are open keep the last committed state, as they do when the process ends
 * by a signal or by _exit().
 *
 * Errors.  When a write fails (no space left, a lease that ended), the HDF5 call fails,
 * what was uncommitted is gone, and the file is to be closed.  The HDF5 error stack
 * holds the line that says why; swim_commit() says it again.
 *
 * Locks.  Each open takes READ, or UPDATE to write, of the file's resource
 * (h5swim/lock.h) in a session of the process, and flock(2) on the file, which keeps
 * away programs that do not use h5swim: plain HDF5 programs that write wait or fail
 * by HDF5's own file locking.  With HDF5_USE_FILE_LOCKING=FALSE, or on a file system
 * without flock, all that is written goes through the journal and only the locks in
 * Redis keep sessions apart.
 *
 * Links.  A file that an external link or a virtual dataset leads to is opened by HDF5
 * with the same property list, so it has a session of its own: it is read in its last
 * committed state, also from a snapshot, and what is written to it is another
 * transaction, which ends when HDF5 closes it (swim_commit() of an object in it commits
 * it).  When it cannot be opened, one line on stderr says why: HDF5 shows fill values
 * in its place in a virtual dataset.
 *
 * Not covered: raw data in external files (H5Pset_external), which HDF5 reads and
 * writes without its driver; SWMR mode of HDF5 (H5F_ACC_SWMR_*), which is refused.
 *
 * Threads: as HDF5 itself.  Fork: a child must open files itself; calls on a file of
 *          its parent fail, and its exit does not touch it.
 */
#ifndef SWIM_STORE_H
#define SWIM_STORE_H

#include <stddef.h>
#include <stdint.h>

#include <hdf5.h>

#include <h5swim/error.h>
#include <h5swim/lock.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SWIM_SNAPSHOT_BYTES 80 /* of a swim_snapshot_t */

/* A committed state of a file, to be opened by others: plain bytes, which may be sent
 * to another process, of another host as well.  It lasts as long as the file that it
 * was asked of is open; afterwards the state may be gone.  Meanwhile the journal is not
 * made smaller, so let go of old ones. */
typedef struct swim_snapshot {
    unsigned char bytes[SWIM_SNAPSHOT_BYTES]; /* the library's alone */
} swim_snapshot_t;

/* How a commit is kept when the host crashes. */
enum swim_sync {
    SWIM_SYNC_COMMIT = 0, /* what is committed is on the disk, unless $SWIM_SYNC is none
                           */
    SWIM_SYNC_NONE = 1,   /* commits are as atomic for others, and when processes are
                             killed; when the host crashes the last ones may be lost, and
                             the file may be damaged (h5swim check) */
};

/* Zero it, set struct_size, then what differs from the default. */
struct swim_store_options {
    size_t struct_size; /* sizeof(struct swim_store_options) */
    int64_t wait_ms; /* longest wait for others: as in swim_lock_options; 0: $SWIM_WAIT
                        seconds, else 60 */
    enum swim_sync sync;             /* how commits are kept */
    uint32_t read_only;              /* not 0: opening for writing fails */
    const swim_snapshot_t *snapshot; /* open this state, for reading only; copied. NULL:
                                        the last */
    swim_session_t *session; /* of the locks, used until the last file is closed;
                                NULL: one of the process, opened when needed */
};

/* Make files that are opened with fapl, a file access property list, transactions.
 * options may be NULL: all defaults.
 * Errors: SWIM_ERR_ARG (also bytes that are no snapshot), SWIM_ERR_IO (HDF5). */
SWIM_API int swim_fapl_set(hid_t fapl, const struct swim_store_options *options,
                           swim_error_t *err);

/* Flush the file (an object in it will do) and commit: SWIM_OK when others see it and,
 * with SWIM_SYNC_COMMIT, it is on the disk.  The file stays open.
 * A file that keeps its free space from session to session (persist of
 * H5Pset_file_space_strategy) is committed by its close alone: HDF5 can not go on from
 * what it flushes before.
 * Errors: SWIM_ERR_ARG (not opened by this driver, or for reading; keeps free space),
 * SWIM_ERR_LOST (the lease ended: others may have written), SWIM_ERR_CORRUPT (changed
 * from outside), SWIM_ERR_IO.  After these the file keeps the last committed state.
 * SWIM_ERR_UNSURE: the last sync of the commit has failed; others may see it already,
 * so it stays, but it may be gone when the host crashes.  Close the file, and look at
 * what is there before the same is written again. */
SWIM_API int swim_commit(hid_t file, swim_error_t *err);

/* Forget all since the last commit.  From then on the file can only be closed: reads
 * and writes fail, as HDF5 holds what is gone in memory. */
SWIM_API int swim_abort(hid_t file, swim_error_t *err);

/* swim_commit(), for a file that is open for writing, and H5Fclose(), which is made
 * whatever the commit says.  Errors as of swim_commit(); SWIM_ERR_IO when HDF5 could
 * not close it. */
SWIM_API int swim_close(hid_t file, swim_error_t *err);

/* The state that a file open for reading shows, or the last one that was committed.
 * Errors: SWIM_ERR_ARG (not opened by this driver; new and never committed),
 * SWIM_ERR_IO. */
SWIM_API int swim_snapshot_get(hid_t file, swim_snapshot_t *snapshot,
                               swim_error_t *err);

/* Wait until another state than that of snapshot is what is committed last in the file
 * at path, which may be open or not: open it (anew) to see it.  The lock server tells
 * of commits; looks at the file see to it that one of which no word came is noticed
 * within a second.  That a journal was copied into the file is another state, too.
 * wait_ms as in swim_lock_options, 0: as in swim_store_options; cancel as there;
 * session NULL: the process's. Errors: SWIM_ERR_TIMEOUT, SWIM_ERR_CANCELLED,
 * SWIM_ERR_ARG (also bytes that are no snapshot), and those of opening it to read. */
SWIM_API int swim_commit_wait(const char *path, const swim_snapshot_t *snapshot,
                              int64_t wait_ms, swim_cancel_t *cancel,
                              swim_session_t *session, swim_error_t *err);

#ifdef __cplusplus
}
#endif

#endif /* SWIM_STORE_H */
