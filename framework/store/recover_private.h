/* recover_private.h - what the files of recovery share. */
#ifndef SWIM_STORE_RECOVER_PRIVATE_H
#define SWIM_STORE_RECOVER_PRIVATE_H

#include "recover.h"

struct recovery {
    const struct swim_io *io;
    const struct txn_options *opt;
    struct verdict *verdict;
    char *path, *dir, *journal_path, *new_path, *saved_path, *discarded_path;
    int main_lock, log_lock; /* descriptors that are flocked; -1 */
    bool flocks;
};

int recover_may_change(const struct recovery *r, swim_error_t *err);
int recover_sync_dir(const struct recovery *r, swim_error_t *err);
/* SWIM_ERR_TIMEOUT: somebody else has it. */
int recover_flock(struct recovery *r, int fd, const char *path, swim_error_t *err);

/* Remove what one that was stopped has left, or a program that was making the file
 * anew. SWIM_ERR_TIMEOUT: somebody is making it. */
int recover_leftover(struct recovery *r, swim_error_t *err);

/* Put a new file in the place of the old one, which stays as saved_path: with cut_back
 * as it was when the journal was begun, else with what is committed.  The directory is
 * not synced after that. */
int recover_replace(struct recovery *r, bool cut_back, swim_error_t *err);

/* Whether the file holds already what is committed: a recovery was stopped at its end.
 */
int recover_is_done(const struct recovery *r, bool *is, swim_error_t *err);

#endif /* SWIM_STORE_RECOVER_PRIVATE_H */
