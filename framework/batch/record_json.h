/* record_json.h - what the files that write the record share. */
#ifndef SWIM_BATCH_RECORD_JSON_H
#define SWIM_BATCH_RECORD_JSON_H

#include <stdint.h>

#include "batch/record_private.h"
#include "core/json_out.h"

/* A record on its way into a file. */
struct json_record {
    struct json_out *j;
    const struct record *record;
    const struct rank *rank;
    const struct run_result *result;
    const struct record_missing *missing;
    int64_t began_ns; /* CLOCK_MONOTONIC: what times count from */
    uint64_t dropped;
};

/* record_run.c: the members about the run as a whole, and those blocks that failed; how
 * many blocks and spans are not listed. */
void record_json_run(const struct json_record *w);
void record_json_failures(const struct json_record *w);
uint64_t record_json_dropped(const struct record *record, const struct rank *r);

#endif /* SWIM_BATCH_RECORD_JSON_H */
