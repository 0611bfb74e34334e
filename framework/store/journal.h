/* journal.h - the journal of a file: what was committed over it, and adding to it.
 *
 * FORMAT.md says what is in it.  Nothing here takes a lock: whoever scans is the writer
 * or reads beside it; whoever appends is the only one, by UPDATE and by the flock on
 * the journal.  One thread at a time. */
#ifndef SWIM_STORE_JOURNAL_H
#define SWIM_STORE_JOURNAL_H

#include "io.h"
#include "journal_format.h"
#include "overlay.h"

/* A committed state. */
struct journal {
    struct io_file file;
    struct journal_header header;
    struct journal_commit last; /* number is header.number when there is none here */
    struct overlay overlay;     /* up to that commit; source: in the journal */
    bool may_be_copied;         /* the file may hold some of the frames already */
    bool unsure; /* a sync has failed: of what is in it the disk may not have all */
    uint64_t seed, chain; /* the chain behind the last commit record */
    uint64_t end;         /* of the last commit record, or of the header */
    uint64_t stop; /* at or behind that: where a record was not as it must be, or the
                      journal ended */
};

enum journal_found {
    JOURNAL_FOUND,
    JOURNAL_NOTHING, /* it was never synced: as if there were none */
};

/* Read what is committed, up to commit upto at most (UINT64_MAX: all).  boot is this
 * host's boot id: data of commits from another are compared with their checksums.  The
 * journal is to be cleared afterwards, also after a failure; file stays the caller's.
 *
 * SWIM_ERR_CORRUPT: the header is damaged, or of a later version; SWIM_ERR_ARG: commit
 * upto is not there any more; SWIM_ERR_IO, SWIM_ERR_NOMEM. */
int journal_scan(struct journal *journal, const struct io_file *file, uint64_t upto,
                 const unsigned char boot[JOURNAL_ID], enum journal_found *found,
                 swim_error_t *err);
void journal_clear(struct journal *journal);

/* Whether what has the name of the journal of a file is one that may be believed: not
 * one that somebody may have put there who could not write to the file.  main, log: of
 * the two when they were open. */
struct journal_doubt {
    char why[160];   /* "it is ..." */
    bool of_another; /* it may be the journal all the same, of another user */
};
bool journal_trust(const struct io_file *file, const struct stat *main,
                   const struct stat *log, struct journal_doubt *doubt);

/* When the open file was changed last, as journals and snapshots have it: its ctime.
 * Where that lies before the file was made, because the clock was set back, it is
 * turned around that moment: so no file was changed before it was made, and after each
 * change there is another time. */
uint64_t journal_time_of(const struct io_file *file, const struct stat *st);

/* Whether the open file with this inode number is the one that the journal was begun
 * for, and not one that was made later and got its number. */
bool journal_is_of(const struct journal_header *header, const struct io_file *file,
                   uint64_t inode);
/* Go on behind the last commit that was found: what others have committed since. */
int journal_scan_on(struct journal *journal, const unsigned char boot[JOURNAL_ID],
                    swim_error_t *err);

/* Commits behind a journal that was read as far as it goes. */
struct journal_behind {
    uint64_t lost_upto;    /* number of the last that was made; 0: there is none */
    bool stopped_by_power; /* one has its record, and not all that belongs to it */
};
int journal_look_behind(const struct journal *journal,
                        const unsigned char boot[JOURNAL_ID],
                        struct journal_behind *behind, swim_error_t *err);

/* Call fn for each committed frame in the order in which they were written, until it
 * does not give SWIM_OK.  extent: that of the commit before the frame's. */
typedef int journal_frame_fn(void *arg, const struct journal_frame *frame,
                             uint64_t extent, swim_error_t *err);
int journal_each_frame(const struct journal *journal, journal_frame_fn *fn, void *arg,
                       swim_error_t *err);

/* That of the bytes which a program that writes to an HDF5 file changes: the first
 * JOURNAL_FIRST, and as many from the superblock on where they do not reach it. */
int journal_first_of(const struct io_file *file, uint64_t end, uint64_t seed,
                     uint64_t *sum, swim_error_t *err);

/* The checksum of a file's bytes at [place, place + size), as far as they lie before
 * end and the file goes. */
int journal_sum_of(const struct io_file *file, uint64_t place, uint64_t size,
                   uint64_t end, uint64_t seed, uint64_t *sum, swim_error_t *err);

/* Read the file as it is with the frames over it, those of pending (NULL: none) above
 * all. Nothing of main is read at main_end or behind; what no frame covers is zero
 * there. */
struct journal_view {
    struct journal *journal;
    struct overlay *pending;
    const struct io_file *main;
    uint64_t main_end;
};
int journal_read(const struct journal_view *view, void *bytes, size_t size,
                 uint64_t place, swim_error_t *err);

/* What is written behind the last commit. */
struct journal_append {
    struct journal *journal; /* becomes the committed state at a commit */
    struct overlay pending;  /* over the journal's overlay */
    uint64_t at, chain, frames;
    struct io_unsent unsent;
};

/* The state of a journal with that header and nothing behind it. */
void journal_start(struct journal *journal);

/* Begin a journal in an empty file: its header, not synced. */
int journal_begin(struct journal *journal, const struct io_file *file,
                  const struct journal_header *header, swim_error_t *err);

/* Behind the last commit of a journal that was begun or scanned; what a dead writer
 * left there is cut off.  Of one that is unsure, all but the mark that says so. */
int journal_append_begin(struct journal_append *append, struct journal *journal,
                         swim_error_t *err);
/* The same without touching the file. */
void journal_append_start(struct journal_append *append, struct journal *journal);
/* Drop what is not committed, and forget it; one that is unsure gets its mark. */
int journal_append_abort(struct journal_append *append, swim_error_t *err);

/* Add a frame of any size for bytes at place; under: what main holds there, as far as
 * it goes. */
int journal_append_frame(struct journal_append *append, const void *bytes, size_t size,
                         uint64_t place, const void *under, size_t under_size,
                         swim_error_t *err);

/* Add a commit record; number, begin, frames and chain are filled in.  With sync it is
 * on the disk when this returns.  When this fails and the journal is unsure, the record
 * is there all the same: others may have read it, so it is the last commit from then
 * on. */
int journal_append_commit(struct journal_append *append, struct journal_commit *commit,
                          bool sync, swim_error_t *err);

/* The same in two steps: the state has it from here on, and frames of the next commit
 * may be added; and the record is written, by any thread. */
struct journal_record {
    unsigned char bytes[JOURNAL_COMMIT];
    uint64_t at;
};
int journal_append_seal(struct journal_append *append, struct journal_commit *commit,
                        struct journal_record *record, swim_error_t *err);
int journal_put_record(const struct io_file *file, const struct journal_record *record,
                       swim_error_t *err);

#endif /* SWIM_STORE_JOURNAL_H */
