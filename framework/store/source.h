/* source.h - a file that a job reads: one committed state of it, from open to close.
 *
 * Opened by the driver of h5swim/store.h: READ of its lock is held meanwhile, so what
 * is read does not change, whatever writers commit; they need not wait, but a program
 * that wants WRITE of the lock waits until the file is closed.
 *
 * Threads: one at a time per process (the HDF5 library is not thread-safe).
 * Fork: a child opens the file itself, at the state that its parent names. */
#ifndef SWIM_STORE_SOURCE_H
#define SWIM_STORE_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include <h5swim/lock.h>

/* Once per process, before any other call of the store: HDF5 prints nothing by itself.
 */
void store_quiet(void);

/* By whom files are opened, and how long that waits for others. */
struct store_access {
    swim_session_t *session;
    int64_t
        wait_ms; /* as in struct swim_lock_options; 0: $SWIM_WAIT seconds, else 60 */
    bool tells;  /* on stderr, for whom or what it waits: for one process of a job */
    bool more;   /* it is opened again soon: the journal is left where it is */
};

/* A state of a file: the bytes of a swim_snapshot_t. */
#define SOURCE_STATE_BYTES 80
struct source_state {
    unsigned char bytes[SOURCE_STATE_BYTES];
};

struct source;

/* Open a file; state NULL: what is committed last.
 * Errors: SWIM_ERR_ARG (no such file; no HDF5 file), SWIM_ERR_IO (also: the state is
 * not there, as the file was changed without h5swim or replaced; the text says "changed
 * while the job was reading it"), SWIM_ERR_CORRUPT (likewise, beside a journal),
 * SWIM_ERR_TIMEOUT and others of swim_lock_acquire(). */
int source_open(const char *file, const struct store_access *access,
                const struct source_state *state, struct source **out,
                swim_error_t *err);
/* Accepts NULL. */
void source_close(struct source *source);

/* The same, and its journal stays where it is, also when nobody has the file open any
 * more: a writer that comes soon need not wait until it is copied. */
void source_leave(struct source *source);

/* The state that is read.  When it was opened without one, it is kept for others to
 * open until this one is closed.  Errors: SWIM_ERR_IO, SWIM_ERR_LOST. */
int source_state(struct source *source, struct source_state *state, swim_error_t *err);

/* The state that is read is kept for others, also when it was opened by its name. */
int source_keep(struct source *source, swim_error_t *err);

/* What is committed last, now; nothing stays open.  Errors as of source_open(). */
int source_last(const char *file, const struct store_access *access,
                struct source_state *state, swim_error_t *err);

/* Of the file that has this state; 0: the bytes are no state. */
uint64_t source_state_inode(const struct source_state *state);

/* Whether it is of a journal: once that is copied into the file, the same bytes are
 * another state. */
bool source_state_passes(const struct source_state *state);

/* Whether what is read is, byte for byte, what a state of an earlier time was: also
 * when the journal was copied into the file meanwhile, or written anew.  For a source
 * whose source_state() was asked for.  False when that is not known. */
bool source_is_state(const struct source *source, const struct source_state *then);

/* These bytes of the file will be read soon: the system may read them meanwhile. */
void source_expect(const struct source *source, uint64_t place, uint64_t bytes);

/* SWIM_OK while the lease of the lock runs, so that what was read so far is of that
 * state; else SWIM_ERR_LOST.  No network. */
int source_check(const struct source *source, swim_error_t *err);

/* The same, and whether the state is still there: programs without h5swim may have
 * changed the file, if they pay no heed to its lock.  That costs a look at the journal,
 * and is done about once a second, or now.  Errors as of source_open(). */
int source_look(struct source *source, bool now, swim_error_t *err);

#endif /* SWIM_STORE_SOURCE_H */
