/* runfile.h - RUN.json, the record that h5swim run writes of a run, read back. */
#ifndef SWIM_REPORT_RUNFILE_H
#define SWIM_REPORT_RUNFILE_H

#include <stddef.h>
#include <stdint.h>

#include <h5swim/error.h>
#include <jansson.h>

#define RUNFILE_SCHEMA "h5swim-run"
#define RUNFILE_VERSION 1

/* A number that the record does not have: null there. */
#define RUNFILE_UNKNOWN (-1)

/* Columns of the blocks; times are in microseconds, of a moment since the run began. */
enum runfile_block {
    BLOCK_NUMBER,
    BLOCK_PHASE,
    BLOCK_PROCESS,
    BLOCK_START,
    BLOCK_READ,
    BLOCK_DECODE,
    BLOCK_KERNEL,
    BLOCK_ENCODE,
    BLOCK_END,
    BLOCK_WRITTEN,
    BLOCK_COMMITTED,
    BLOCK_BYTES_IN,
    BLOCK_BYTES_OUT,
    BLOCK_TRIES,
    BLOCK_COLUMNS,
};

/* Columns of the spans: what writers and ranks were at, one thing at a time, in the
 * order of processes and times. */
enum runfile_span {
    SPAN_PROCESS,
    SPAN_ACTIVITY,
    SPAN_START,
    SPAN_LENGTH,
    SPAN_COLUMNS,
};

#define RUNFILE_COLUMNS_MAX BLOCK_COLUMNS

struct runfile_table {
    size_t n; /* rows */
    int64_t *columns[RUNFILE_COLUMNS_MAX];
};

struct runfile {
    json_t *root; /* all of it but the two tables */
    struct runfile_table blocks, spans;
};

/* The names of the columns as they stand in the file. */
const char *runfile_block_name(enum runfile_block column);
const char *runfile_span_name(enum runfile_span column);

/* Read a record and hold it against the schema: whatever runfile_load() lets pass can
 * be read without another look at types, lengths and indices.  Members that the schema
 * does not have are kept.
 * Errors: SWIM_ERR_IO (the file cannot be read), SWIM_ERR_ARG (it is no record, or one
 * of another version, or of parts that do not fit together), SWIM_ERR_NOMEM. */
int runfile_load(const char *file, struct runfile **out, swim_error_t *err);
void runfile_destroy(struct runfile *record);

#endif /* SWIM_REPORT_RUNFILE_H */
