/* found_rows.h - the rows that a filter found, kept until they are put in order.
 *
 * In the file of partial results (setup_target), made, written and finished as the
 * outputs are.  "partials" holds the rows of one block after those of another, in the
 * order in which they came: of each output the rows as they are stored, the first
 * output first.  In "rows" two numbers of each block say where its bytes begin and how
 * many rows it has. */
#ifndef SWIM_BATCH_FOUND_ROWS_H
#define SWIM_BATCH_FOUND_ROWS_H

#include <stdint.h>

#include <h5swim/error.h>

#include "batch/setup.h"

#define ROWS_ENTRY_BYTES 16 /* in memory, of each block */

/* In memory, for reading. */
static inline uint64_t rows_cache_bytes(const struct setup *setup)
{
    uint64_t share = setup->job->memory_bytes / SETUP_BUDGET_SHARE;

    return share < ((uint64_t)1 << 20) ? share : (uint64_t)1 << 20;
}

struct rows;

/* Open what is committed, when all blocks are done; READ is held until it is closed.
 * Errors as of source_open(). */
int rows_open(const struct setup *setup, const struct store_access *access,
              struct rows **out, swim_error_t *err);

/* How many rows there are in all blocks before that one; of block n_blocks: in all. */
uint64_t rows_before(const struct rows *rows, uint64_t block);

/* The block in which row number row of all is. */
uint64_t rows_find(const struct rows *rows, uint64_t row);

/* The bytes of a block's rows. */
int rows_read(struct rows *rows, uint64_t block, void *bytes, swim_error_t *err);

/* Accepts NULL. */
void rows_close(struct rows *rows);

#endif /* SWIM_BATCH_FOUND_ROWS_H */
