/* tiny_hdf5.h - bytes that begin as an HDF5 file of that size does: a superblock of
 * version 0, and no more. */
#ifndef SWIM_SUPPORT_TINY_HDF5_H
#define SWIM_SUPPORT_TINY_HDF5_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define TINY_HDF5 96 /* bytes of it, the first */

static inline void tiny_hdf5(unsigned char bytes[TINY_HDF5], uint64_t size)
{
    static const unsigned char begin[] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n',
                                          0,    0,   0,   0,   0,    8,    8};

    memset(bytes, 0, TINY_HDF5);
    memcpy(bytes, begin, sizeof(begin));
    for (int i = 0; i < 8; i++)
        bytes[40 + i] = (unsigned char)(size >> 8 * i);
    memset(bytes + 48, 0xff, 8); /* no driver information */
}

#endif /* SWIM_SUPPORT_TINY_HDF5_H */
