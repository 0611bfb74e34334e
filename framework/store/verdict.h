/* verdict.h - what state a file and its journal are in; nothing is changed.
 *
 * Needs no lock server and takes no lock, so a file that is in use is seen as it was
 * between two of the calls of those who use it.  The real path of the file is wanted:
 * its journal lies beside it.  One thread at a time. */
#ifndef SWIM_STORE_VERDICT_H
#define SWIM_STORE_VERDICT_H

#include "io.h"
#include "journal.h"
#include "superblock.h"

#define VERDICT_SAVED_SUFFIX ".swimsaved"
#define VERDICT_NEW_JOURNAL_SUFFIX JOURNAL_SUFFIX ".new"

enum verdict_is {
    VERDICT_CLEAN,       /* the file is all there is */
    VERDICT_RECOVERABLE, /* what is committed in the journal belongs over it */
    VERDICT_FOREIGN,     /* so it was, until somebody else changed the file */
    VERDICT_DAMAGED,
};

enum verdict_journal {
    JOURNAL_NONE,
    JOURNAL_EMPTY,      /* nothing is committed in it */
    JOURNAL_OVER,       /* of the file that this one has taken the name of */
    JOURNAL_VALID,      /* all that was committed in it can be read */
    JOURNAL_BROKEN,     /* what is committed goes on behind what can be read */
    JOURNAL_UNREADABLE, /* nothing can be read, or must not be believed */
};

/* Files beside it that may be left over. */
enum verdict_side { SIDE_NEW, SIDE_NEW_JOURNAL, SIDE_SAVED, SIDE_DISCARDED, SIDES };
extern const char *const verdict_side_suffixes[SIDES];

/* Who has a file locked by flock(2) on this host. */
struct verdict_holder {
    bool is, alone;
    int64_t pid; /* 0: not of those that this process sees */
};

/* A file that has data of the one that is looked at. */
struct verdict_shard {
    char *path;
    const char *why;    /* it is not what it has to be: "is not there", ...; or NULL */
    enum verdict_is is; /* it and its journal; */
    swim_error_t found; /* foreign, damaged: what was found */
    uint64_t commits;
};

struct verdict {
    enum verdict_is is;
    swim_error_t why; /* foreign, damaged: what was found */

    char *path, *journal_path;
    struct io_file main, log; /* open for reading; log.fd is -1 without a journal */
    struct stat main_st, log_st;

    enum verdict_journal has;
    /* What is committed; without a journal that can be read, the file alone. */
    struct journal journal;
    uint64_t commits;      /* that can be read */
    uint64_t lost_upto;    /* broken: the number of the last commit behind that */
    uint64_t broken_at;    /* broken: the place in the journal */
    uint64_t unfinished;   /* bytes of the journal that belong to no commit */
    uint64_t file_tail;    /* bytes of the file that belong to no commit */
    bool of_another;       /* unreadable: it may be that of another user */
    bool stopped_by_power; /* a commit record that was written, its data not */

    bool foreign, other_file; /* changed from outside; replaced by another file */
    uint64_t changed_frames;  /* frames below which the file was changed */
    uint64_t changed_at;      /* the place in the file of the first of them */

    struct superblock superblock;       /* of what is committed; foreign: of the file */
    struct verdict_holder writer, user; /* of the journal, of the file */
    bool sides[SIDES];

    struct verdict_shard *shards; /* when they were looked at */
    size_t n_shards, bad_shards;
};

struct verdict_options {
    const struct swim_io *io; /* NULL: the system's */
    unsigned char boot[JOURNAL_ID];
};

/* Look at a file.  On SWIM_OK *out is the caller's, to be given to verdict_close().
 * SWIM_ERR_ARG: it is no regular file, or no HDF5 file; SWIM_ERR_IO, SWIM_ERR_NOMEM. */
int verdict_open(struct verdict **out, const char *path,
                 const struct verdict_options *options, swim_error_t *err);
/* Whether the shards of an output in several files are there, and as they have to be;
 * if one is not, it is damaged.  Of other files nothing is done.  SWIM_ERR_NOMEM. */
int verdict_look_at_shards(struct verdict *verdict,
                           const struct verdict_options *options, swim_error_t *err);

/* Accepts NULL. */
void verdict_close(struct verdict *verdict);

/* The bytes of the state that is committed, behind its end zeros.  Its size is
 * journal.last.size. */
int verdict_read(struct verdict *verdict, void *bytes, size_t size, uint64_t place,
                 swim_error_t *err);

const char *verdict_name(enum verdict_is is);

#endif /* SWIM_STORE_VERDICT_H */
