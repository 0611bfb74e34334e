/* filters.h - the filters of HDF5 that h5swim makes and undoes itself: pure functions
 * on memory (HDF5 File Format Specification, IV.A.2.l: filter pipeline; shuffle as in
 * H5Zshuffle, fletcher32 as H5_checksum_fletcher32). */
#ifndef SWIM_STORE_FILTERS_H
#define SWIM_STORE_FILTERS_H

#include <stddef.h>
#include <stdint.h>

#define FILTERS_FLETCHER_BYTES 4

/* Elements of size bytes to planes, all their first bytes in front, and back.  What is
 * left of a broken element stays at the end.  src and dst do not overlap. */
void filters_shuffle(const unsigned char *src, unsigned char *dst, size_t bytes,
                     size_t size);
void filters_unshuffle(const unsigned char *src, unsigned char *dst, size_t bytes,
                       size_t size);
/* count elements, as many as planes of n have from first on. */
void filters_unshuffle_part(const unsigned char *planes, size_t n, size_t first,
                            unsigned char *dst, size_t count, size_t size);

/* The sum, which HDF5 puts behind the data with its lowest byte first. */
uint32_t filters_fletcher32(const unsigned char *data, size_t bytes);

#endif /* SWIM_STORE_FILTERS_H */
