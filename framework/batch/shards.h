/* shards.h - an output in several files, so that writers on several nodes do not wait
 * for each other.
 *
 * The file that the job names is the master: coordinates, attributes, and virtual
 * datasets whose data are in the shards beside it, one of each node or of each rank,
 * which have nothing but data and what is said of progress (FORMAT.md).  A block is
 * done when one shard has it; when two do, because a rank was given up too early, the
 * data are the same and those of the first count.  What no shard has, and what was done
 * after the master was last made, is missing in it. */
#ifndef SWIM_BATCH_SHARDS_H
#define SWIM_BATCH_SHARDS_H

#include "batch/setup.h"

struct shard {
    uint32_t number;
    uint32_t job;               /* that made it: the first half of its digest */
    bool unused;                /* nothing of the job is in it, or will be */
    char *file;                 /* beside the master: STEM.shard-NUMBER-JOB.EXT */
    struct setup_target target; /* what is in it; its file is this one */
};

struct shards {
    const struct setup *setup;
    bool by_rank;       /* one for each rank, not each node */
    struct shard *list; /* rank 0's, by number: what shards_find() has found */
    size_t n;
    bool joined;          /* the master has what this is the hash of: */
    uint64_t joined_hash; /* which blocks, each from which shard */
};

/* Shards for a target whose outputs ask for them. */
int shards_plan(const struct setup *setup, struct setup_target *target,
                swim_error_t *err);
void shards_free(struct shards *shards);

/* What is listed is let go. */
void shards_end(struct shards *shards);

/* What of the master's name its shards know: that without folder. */
const char *shards_master(const char *file);

/* List, anew, the files that have the names of shards of target, of any job, and, there
 * or not, the first n_least of this one.  SWIM_ERR_IO, SWIM_ERR_NOMEM. */
int shards_find(const struct setup_target *target, uint32_t n_least,
                struct shards *shards, swim_error_t *err);

/* Whether it is one of those first. */
bool shards_needs(const struct shards *shards, const struct shard *shard,
                  uint32_t n_least);

/* Who a writer is. */
struct shards_who {
    uint32_t rank, n_ranks;
    uint32_t host, n_hosts;
};

/* For a writer: targets that have shards become the one that is its. */
int shards_take(struct setup *setup, const struct shards_who *who, swim_error_t *err);

/* The blocks that are in any shard.  Errors as of output_progress(). */
int shards_progress(const struct setup_target *target,
                    const struct store_access *access, uint64_t n_blocks,
                    unsigned char *bits, swim_error_t *err);

struct shards_joining {
    const struct setup *setup; /* with its inputs open */
    const struct setup_target *target;
    struct output_job job; /* of the last phase */
    const char *history;   /* for a master that has none */
    const struct store_access *access;
};

/* Make the master anew, with all that the shards have now, in the place of the one that
 * is there, which must have the job's mark.  *missing blocks are in no shard.  After a
 * failure the old one is there.  One that has all that already is left alone. */
int shards_join(const struct shards_joining *joining, uint64_t *missing,
                swim_error_t *err);

#endif /* SWIM_BATCH_SHARDS_H */
