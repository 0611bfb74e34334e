/* payload.h - what a reader leaves in a slot for the writer: finished chunks, or one
 * accumulator, or the rows that a filter found in a block, with their number as
 * coords[0].  Records follow each other, each a header and its bytes. */
#ifndef SWIM_BATCH_PAYLOAD_H
#define SWIM_BATCH_PAYLOAD_H

#include <stdint.h>

#include <h5swim/kernel.h>

/* follow: coordinates of the rows from coords[0] on, for the outputs of each file. */
#define PAYLOAD_COORDINATES UINT32_MAX

struct payload_record {
    uint32_t output; /* which output, or the above; unused for an accumulator, and for
                        rows */
    uint32_t n_coords;
    uint64_t n_bytes; /* after coords, rounded up to 8 in the slot */
    uint64_t coords[SWIM_NDIM_MAX];
};

static inline uint64_t payload_round(uint64_t n_bytes)
{
    return (n_bytes + 7) / 8 * 8;
}

#endif /* SWIM_BATCH_PAYLOAD_H */
