/* payload.h - what a reader leaves in a slot for the writer: finished chunks, or one
 * accumulator, or the rows that a filter found in a block, with their number as
 * coords[0].  Records follow each other, each a header and its bytes, unless these are
 * elsewhere in the slot, where the kernel has written them. */
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
    uint64_t place;   /* of the bytes in the slot; 0: here */
    uint64_t coords[SWIM_NDIM_MAX];
};

static inline uint64_t payload_round(uint64_t n_bytes)
{
    return (n_bytes + 7) / 8 * 8;
}

static inline const void *payload_bytes(const void *payload,
                                        const struct payload_record *record)
{
    return record->place ? (const char *)payload + record->place
                         : (const void *)(record + 1);
}

/* Where the record behind that one is. */
static inline uint64_t payload_next(uint64_t at, const struct payload_record *record)
{
    return at + sizeof(*record) + (record->place ? 0 : payload_round(record->n_bytes));
}

#endif /* SWIM_BATCH_PAYLOAD_H */
