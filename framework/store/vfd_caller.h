/* vfd_caller.h - which call of HDF5's a driver's function is asked in. */
#ifndef SWIM_STORE_VFD_CALLER_H
#define SWIM_STORE_VFD_CALLER_H

#include <stdbool.h>

/* Whether the caller's caller is H5Dwrite() or one of its kind, not the close of a
 * dataset or a file, which may write what these left in memory.  It looks through the
 * stack: for the way of a failure alone.  false: also when that cannot be told. */
bool vfd_caller_writes_data(void);

#endif /* SWIM_STORE_VFD_CALLER_H */
