/* record_private.h - what the files about the record of a run share. */
#ifndef SWIM_BATCH_RECORD_PRIVATE_H
#define SWIM_BATCH_RECORD_PRIVATE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "batch/record.h"

/* Plain bytes, as they are also in the part of a rank.  Times: CLOCK_MONOTONIC of the
 * host, ns; process: a number in the list of processes. */
enum record_role { RECORD_RANK, RECORD_READER, RECORD_WRITER };

struct record_process {
    uint32_t rank, role, index;
    int32_t pid;
    int64_t began_ns, ended_ns;
    int64_t spent_ns[SWIM_ACTIVITIES];
    uint64_t blocks;
    char host[64];
};

struct record_block {
    uint64_t block;
    struct block_times times;
    uint64_t tries;
};

/* In RUN.json; the first three are told by workers. */
enum record_activity {
    RECORD_AT_WRITE,
    RECORD_AT_COMMIT,
    RECORD_AT_LOCK,
    RECORD_AT_BEGIN,
    RECORD_AT_FINISH
};

struct record_interval {
    uint32_t process, activity; /* enum record_activity */
    int64_t start_ns, end_ns;
};

struct record_wait {
    uint32_t process, mode;
    int64_t start_ns, end_ns;
    char resource[256];
    struct lock_holder holder; /* session "": not known */
};

struct record_replacement {
    uint32_t rank, role, index;
    int64_t at_ns;
    char why[100];
};

/* A list that grows up to a limit. */
struct record_list {
    void *items;
    size_t n, room, most, size;
};

enum {
    RECORD_PROCESSES,
    RECORD_BLOCKS,
    RECORD_INTERVALS,
    RECORD_WAITS,
    RECORD_REPLACEMENTS,
    RECORD_LISTS
};

struct record {
    uint32_t rank, n_ranks;
    struct region *region;
    bool has_workers;
    char host[64];
    char path[PATH_MAX]; /* of the record; "": not known yet */
    int64_t clock_ns;    /* CLOCK_REALTIME when CLOCK_MONOTONIC was 0 */
    struct record_list lists[RECORD_LISTS];
    uint64_t dropped;
    char *job_text; /* rank 0; NULL: there is no file */
};

/* --- record.c ------------------------------------------------------------------- */

/* One more, all zero; NULL: there is no room, which is counted. */
void *record_add(struct record *record, unsigned list);

static inline void *record_at(const struct record *record, unsigned list, size_t i)
{
    return (char *)record->lists[list].items + i * record->lists[list].size;
}

/* --- record_part.c: files beside the record --------------------------------------- */

/* The name of the part of a rank. */
void record_part_name(const struct record *record, uint32_t rank, char path[PATH_MAX]);

/* A new file of that name.  What has the name goes first and is not looked at: it may
 * be somebody's link to another file, or a pipe that nobody reads.  NULL: errno says
 * why. */
FILE *record_file(const char *path);

/* Write the own part. */
int record_part_write(const struct record *record, uint64_t run_id, swim_error_t *err);

/* Take the part of another rank into the lists, and the file away; false: there is none
 * of this run. */
bool record_part_take(struct record *record, uint32_t rank, uint64_t run_id);

/* --- record_json.c ---------------------------------------------------------------- */

/* Ranks whose part was not found. */
struct record_missing {
    const uint32_t *ranks;
    uint32_t n;
};

int record_json(const struct record *record, const struct rank *r,
                const struct run_result *result, const struct record_missing *missing,
                swim_error_t *err);

#endif /* SWIM_BATCH_RECORD_PRIVATE_H */
