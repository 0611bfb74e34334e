/* vfd_class.h - what differs between versions of HDF5 for a driver, in one place.
 *
 * 1.10 (and 1.12): H5FD_class_t is in hdf5.h and has no version.  From 1.13 on it is in
 * H5FDdevelop.h and begins with a version and a value. */
#ifndef SWIM_STORE_VFD_CLASS_H
#define SWIM_STORE_VFD_CLASS_H

#include <hdf5.h>

#if H5_VERSION_GE(1, 13, 0)
#include <H5FDdevelop.h>
#include <H5PLextern.h>
#define VFD_HAS_PLUGINS 1
/* Values above 511 need no registration with The HDF Group until they are given away.
 */
#define VFD_CLASS_HEAD .version = H5FD_CLASS_VERSION, .value = (H5FD_class_value_t)513,
#else
#define VFD_HAS_PLUGINS 0
#define VFD_CLASS_HEAD
#endif

#endif /* SWIM_STORE_VFD_CLASS_H */
