/* recover.h - bringing a file and its journal together again, by decision of a person.
 *
 * What belongs together is what the next writer would do, and is left to it.  Where the
 * file was changed from outside or the journal is damaged, a new file is made and takes
 * the name; the one before stays as NAME.swimsaved, and the journal as
 * NAME.swimlog.discarded, so nothing is lost.  Whenever it is stopped it can be run
 * again.  One thread at a time. */
#ifndef SWIM_STORE_RECOVER_H
#define SWIM_STORE_RECOVER_H

#include "txn.h"
#include "verdict.h"

enum recover_action { RECOVER_APPLY, RECOVER_DISCARD };

enum recover_how {
    RECOVER_NOTHING,    /* there is no journal */
    RECOVER_LEFTOVER,   /* ... but a file that was to take its name, and never did */
    RECOVER_TIDY,       /* nothing is committed: as the next writer does */
    RECOVER_CHECKPOINT, /* copy what is committed into the file */
    RECOVER_REBUILD,    /* a new file: what is committed over what is there */
    RECOVER_CUT_BACK,   /* a new file: as it was when the journal was begun */
    RECOVER_SET_ASIDE,  /* the journal alone goes */
    RECOVER_CANNOT,
};

struct recover_plan {
    enum recover_how how;
    char text[400]; /* what is done, or why it cannot be */
};

/* What action does to a file of that verdict. */
void recover_plan(const struct verdict *verdict, enum recover_action action,
                  struct recover_plan *plan);

/* Do it.  The caller holds WRITE of the file's resource; path is the real path.
 * options: write is set; a fence that the journal is ahead of counts as that one.
 * flocks that the file system does not know are left out: *no_flock.
 *
 * *done is what was done.  SWIM_ERR_TIMEOUT: another program has the file open;
 * SWIM_ERR_CORRUPT: it cannot be done, see the text; SWIM_ERR_ARG: a file that would be
 * kept has a name that is taken; else as txn_open(). */
int recover_run(const char *path, enum recover_action action,
                const struct txn_options *options, struct recover_plan *done,
                bool *no_flock, swim_error_t *err);

#endif /* SWIM_STORE_RECOVER_H */
