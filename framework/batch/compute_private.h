/* compute_private.h - what the files about one block share. */
#ifndef SWIM_BATCH_COMPUTE_PRIVATE_H
#define SWIM_BATCH_COMPUTE_PRIVATE_H

#include "batch/chain.h"
#include "batch/compute.h"
#include "batch/found_rows.h"
#include "batch/partials.h"
#include "batch/payload.h"
#include "batch/work.h"
#include "store/codec.h"

struct compute_output {
    struct codec *codec;
    void *array;  /* as the kernel writes it */
    void *stored; /* as it is stored: the same memory, where it is of the same type */
    void *chunk;
    unsigned char fill[16];    /* one stored element */
    unsigned char missing[16]; /* one of the kernel's */
    size_t chunk_bytes, element_size;
};

struct compute {
    const struct setup *setup;
    struct inputs *inputs;
    struct region *region;
    struct region_counters *counters;
    struct reader_shared *shared; /* this reader's */
    struct work *work;
    void **in;
    struct chain *chain; /* NULL: the inputs are read from files */
    struct compute_output *out;
    void *acc, *other;
    struct partials *partials; /* NULL: not open yet; rows, too */
    struct rows *rows;
    uint64_t
        end; /* rows that the table has, at least, with the part that was done last */
};

/* --- compute.c ------------------------------------------------------------------ */

/* The kernel said no: where, and what it said. */
int kernel_failed(const struct compute *c, const struct block_range *range,
                  uint64_t block, int code, const swim_error_t *said,
                  swim_error_t *err);

/* The same of any kernel of a chain. */
int block_failed(const struct setup *setup, const struct block_range *range,
                 uint64_t block, int code, const swim_error_t *said, swim_error_t *err);

/* Bytes that kernels were given or have made. */
void count_read(struct region_counters *counters, struct reader_shared *shared,
                uint64_t bytes);
void count_made(struct compute *c, uint64_t bytes);

/* --- compute_output.c ----------------------------------------------------------- */

/* What the kernel wrote of an output, as it is stored. */
int store_elements(struct compute *c, uint32_t output, uint64_t elements,
                   swim_error_t *err);

/* The chunks of a range of an output, from its stored elements, as records at *at. */
int encode_chunks(struct compute *c, uint32_t output, const struct block_range *range,
                  void *payload, uint64_t room, uint64_t *at, swim_error_t *err);

/* A record is begun at an offset, its bytes are put behind it, and it is ended. */
void *record_begin(void *payload, uint64_t at, uint32_t output, const uint64_t *coords,
                   uint32_t n_coords);
void record_end(void *payload, uint64_t *at, uint64_t n_bytes);

/* --- compute_table.c: filters --------------------------------------------------- */

/* The rows that apply() has found in a block, as one record. */
int table_keep(struct compute *c, const struct block_range *range, uint64_t block,
               void *payload, uint64_t room, uint64_t *n_bytes, swim_error_t *err);

/* A part of the table; nothing where there are not so many rows. */
int table_part(struct compute *c, uint64_t part, void *payload, uint64_t room,
               uint64_t *n_bytes, swim_error_t *err);

#endif /* SWIM_BATCH_COMPUTE_PRIVATE_H */
