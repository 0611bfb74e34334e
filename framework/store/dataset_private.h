/* dataset_private.h - what the files about reading a dataset share. */
#ifndef SWIM_STORE_DATASET_PRIVATE_H
#define SWIM_STORE_DATASET_PRIVATE_H

#include "store/dataset.h"
#include "store/store_private.h"

struct dataset {
    hid_t set, type;       /* as stored */
    struct chunks *chunks; /* NULL: HDF5 reads it */
    char *file_name, *path;
    uint32_t ndim;
    enum swim_type stored, mem;
    enum swim_type read; /* what HDF5 takes the stored bytes for: stored, unless that is
                            what _Unsigned makes of it */
    bool packed, buffered, ranged;
    bool opaque;                     /* no numbers: nothing is converted */
    bool as_stored;                  /* nor where both types are the same */
    bool finished;                   /* what chunks gives is as a kernel sees it */
    double scale, offset, low, high; /* of packed and of ranged */
    uint32_t n_missing;
    _Alignas(16) unsigned char missing_raw[DATASET_MISSING_MOST][16]; /* as stored */
    long double missing_mem[DATASET_MISSING_MOST]; /* converted to mem, then to long
                                                      double */
    unsigned char *buffer;
    size_t buffer_bytes;
};

/* --- dataset_values.c ------------------------------------------------------------ */

/* What was read into that box of buf, as elements of the wanted type, is unpacked, and
 * missing values are as a kernel sees them. */
void dataset_finish(const struct dataset *ds, unsigned char *buf, const uint64_t *shape,
                    const uint64_t *start, const uint64_t *count);

/* The same of n elements in a row, of a struct dataset. */
void dataset_finish_row(const void *dataset, void *row, size_t n);

/* Its values are as a kernel sees them: neither of these would do anything. */
bool dataset_is_plain(const struct dataset *ds);

/* The same for what was read into ds->buffer, as it is stored: converted into buf. */
int dataset_convert(struct dataset *ds, unsigned char *buf, const uint64_t *shape,
                    const uint64_t *start, const uint64_t *count, swim_error_t *err);

#endif /* SWIM_STORE_DATASET_PRIVATE_H */
