/* journal_format.h - the records of the journal as bytes; FORMAT.md is the reference.
 *
 * Decoding believes nothing: false is any byte that is not as it must be. */
#ifndef SWIM_STORE_JOURNAL_FORMAT_H
#define SWIM_STORE_JOURNAL_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <h5swim/error.h>

#define JOURNAL_SUFFIX ".swimlog"
#define JOURNAL_REWRITTEN_SUFFIX JOURNAL_SUFFIX ".new"
#define JOURNAL_NEW_SUFFIX ".swimnew"
#define JOURNAL_DISCARDED_SUFFIX JOURNAL_SUFFIX ".discarded"
#define JOURNAL_VERSION 3
#define JOURNAL_ID 16
#define JOURNAL_HEADER 128
#define JOURNAL_FRAME 40
#define JOURNAL_COMMIT 120
#define JOURNAL_MARK 1 /* behind the last commit: a sync has failed */
#define JOURNAL_FIRST 4096
#define JOURNAL_DATA_MAX (16U << 20)
#define JOURNAL_PLACE_MAX (UINT64_C(1) << 62)
#define JOURNAL_NUMBER_MAX (UINT64_C(1) << 62) /* in the header */

struct journal_header {
    unsigned char id[JOURNAL_ID], continues[JOURNAL_ID];
    uint64_t number, inode, size, high_water, fence;
    uint64_t first; /* checksum of JOURNAL_FIRST bytes, see journal_first_of() */
    unsigned char lineage[JOURNAL_ID];
    uint64_t ctime_ns;
};

struct journal_frame {
    uint32_t size;
    uint64_t place;
    uint64_t under, data; /* checksums: of what the file holds there, of the data */
};

enum { JOURNAL_MAY_BE_COPIED = 1 };
struct journal_commit {
    uint32_t flags;
    uint64_t number, fence, size, high_water, extent;
    uint64_t begin, frames, chain;
    unsigned char boot[JOURNAL_ID];
    uint64_t when_ns;
    uint64_t replaced_by; /* inode number of a new file that is to take the name */
};

enum journal_header_is {
    HEADER_VALID,
    HEADER_NEVER_SYNCED,
    HEADER_DAMAGED,
    HEADER_NEWER
};

/* A state of a file, as it is passed between processes. */
#define SNAPSHOT_BYTES 80
struct txn_snapshot {
    unsigned char
        lineage[JOURNAL_ID]; /* of its journal; 0: nothing is committed in one */
    uint64_t number;         /* of the commit; else 0 */
    uint64_t inode;
    uint64_t when_ns; /* of the commit; else the ctime of the file */
    uint64_t size;
};

uint64_t journal_sum(const void *bytes, size_t size, uint64_t seed);
uint64_t journal_seed(const unsigned char id[JOURNAL_ID]);
/* How many bytes a frame takes up. */
uint64_t journal_frame_bytes(uint32_t size);

void journal_header_encode(const struct journal_header *header,
                           unsigned char bytes[JOURNAL_HEADER]);
/* size is how many bytes there are, JOURNAL_HEADER at most. */
enum journal_header_is journal_header_decode(const unsigned char *bytes, size_t size,
                                             struct journal_header *header);

/* The chain goes on from *chain. */
void journal_frame_encode(const struct journal_frame *frame, uint64_t seed,
                          uint64_t *chain, unsigned char bytes[JOURNAL_FRAME]);
bool journal_frame_decode(const unsigned char bytes[JOURNAL_FRAME], uint64_t seed,
                          uint64_t *chain, struct journal_frame *frame);
void journal_commit_encode(const struct journal_commit *commit, uint64_t seed,
                           uint64_t *chain, unsigned char bytes[JOURNAL_COMMIT]);
bool journal_commit_decode(const unsigned char bytes[JOURNAL_COMMIT], uint64_t seed,
                           uint64_t *chain, struct journal_commit *commit);

void txn_snapshot_encode(const struct txn_snapshot *snapshot,
                         unsigned char bytes[SNAPSHOT_BYTES]);
/* SWIM_ERR_ARG: it is none, or of a later version. */
int txn_snapshot_decode(const unsigned char *bytes, size_t size,
                        struct txn_snapshot *snapshot, swim_error_t *err);

#endif /* SWIM_STORE_JOURNAL_FORMAT_H */
