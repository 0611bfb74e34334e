/* unsafe.c - h5swim without locks and without transactions: what these cost is seen
 * beside it (tests/bench/run).  Never installed.
 *
 * The functions below stand in the place of those that they are named after (the
 * linker's --wrap): no lock is asked for, what is written goes straight into the file,
 * and a commit does nothing, so nothing is on the disk before somebody syncs it.  A
 * file must have one writer at a time (-n 1), and a kill leaves it broken.  Files that
 * are made anew are made as ever. */
#include <string.h>

#include <h5swim/lock.h>

#include "lock/wanted.h"
#include "store/txn_private.h"

/* The same for all: nothing is in it. */
static char nobody;

int __wrap_swim_lock_acquire(swim_session_t *session, const char *resource,
                             enum swim_lock_mode mode,
                             const struct swim_lock_options *opt, swim_lock_t **out,
                             swim_error_t *err);
int __wrap_swim_lock_release(swim_lock_t *lock, swim_error_t *err);
int __wrap_swim_lock_raise(swim_lock_t *lock, const struct swim_lock_options *opt,
                           swim_error_t *err);
int __wrap_swim_lock_lower(swim_lock_t *lock, swim_error_t *err);
int __wrap_swim_lock_check(const swim_lock_t *lock, uint32_t margin_ms,
                           swim_error_t *err);
uint64_t __wrap_swim_lock_fence(const swim_lock_t *lock);
bool __wrap_lock_is_wanted(const swim_lock_t *lock);

int __real_txn_read(struct txn *t, void *bytes, size_t size, uint64_t place,
                    swim_error_t *err);
int __real_txn_write(struct txn *t, const void *bytes, size_t size, uint64_t place,
                     swim_error_t *err);
int __real_txn_set_size(struct txn *t, uint64_t size, swim_error_t *err);
int __real_txn_commit(struct txn *t, bool sync, swim_error_t *err);
int __wrap_txn_read(struct txn *t, void *bytes, size_t size, uint64_t place,
                    swim_error_t *err);
int __wrap_txn_write(struct txn *t, const void *bytes, size_t size, uint64_t place,
                     swim_error_t *err);
int __wrap_txn_set_size(struct txn *t, uint64_t size, swim_error_t *err);
int __wrap_txn_commit(struct txn *t, bool sync, swim_error_t *err);
int __real_txn_commit_begin(struct txn *t, swim_error_t *err);
int __wrap_txn_commit_begin(struct txn *t, swim_error_t *err);

int __wrap_swim_lock_acquire(swim_session_t *session, const char *resource,
                             enum swim_lock_mode mode,
                             const struct swim_lock_options *opt, swim_lock_t **out,
                             swim_error_t *err)
{
    (void)session;
    (void)resource;
    (void)mode;
    (void)opt;
    (void)err;
    *out = (swim_lock_t *)(void *)&nobody;
    return SWIM_OK;
}

int __wrap_swim_lock_release(swim_lock_t *lock, swim_error_t *err)
{
    (void)lock;
    (void)err;
    return SWIM_OK;
}

int __wrap_swim_lock_raise(swim_lock_t *lock, const struct swim_lock_options *opt,
                           swim_error_t *err)
{
    (void)lock;
    (void)opt;
    (void)err;
    return SWIM_OK;
}

int __wrap_swim_lock_lower(swim_lock_t *lock, swim_error_t *err)
{
    (void)lock;
    (void)err;
    return SWIM_OK;
}

int __wrap_swim_lock_check(const swim_lock_t *lock, uint32_t margin_ms,
                           swim_error_t *err)
{
    (void)lock;
    (void)margin_ms;
    (void)err;
    return SWIM_OK;
}

uint64_t __wrap_swim_lock_fence(const swim_lock_t *lock)
{
    (void)lock;
    return 1;
}

bool __wrap_lock_is_wanted(const swim_lock_t *lock)
{
    (void)lock;
    return false;
}

static bool is_plain(const struct txn *t)
{
    return t->opt.write && !t->fresh;
}

int __wrap_txn_read(struct txn *t, void *bytes, size_t size, uint64_t place,
                    swim_error_t *err)
{
    size_t got = 0;

    if (!is_plain(t))
        return __real_txn_read(t, bytes, size, place, err);
    int rc = io_read(&t->main, bytes, size, place, &got, err);
    memset((char *)bytes + got, 0, size - got);
    return rc;
}

int __wrap_txn_write(struct txn *t, const void *bytes, size_t size, uint64_t place,
                     swim_error_t *err)
{
    /* iovec has no const; nothing is written to what is only sent */
    struct iovec part = {(void *)(uintptr_t)bytes, size};

    if (!is_plain(t))
        return __real_txn_write(t, bytes, size, place, err);
    if (place + size > t->size)
        t->size = place + size;
    int rc = io_write(&t->main, &part, 1, place, err);
    if (rc == SWIM_OK && size > TXN_SMALL) /* the disk works meanwhile, here as well */
        io_wrote(&t->unsent, &t->main, place, size);
    return rc;
}

int __wrap_txn_set_size(struct txn *t, uint64_t size, swim_error_t *err)
{
    if (!is_plain(t))
        return __real_txn_set_size(t, size, err);
    t->size = size;
    return io_truncate(&t->main, size, err);
}

int __wrap_txn_commit(struct txn *t, bool sync, swim_error_t *err)
{
    return is_plain(t) ? SWIM_OK : __real_txn_commit(t, sync, err);
}

int __wrap_txn_commit_begin(struct txn *t, swim_error_t *err)
{
    return is_plain(t) ? SWIM_OK : __real_txn_commit_begin(t, err);
}
