/* hdf5_version.h - what differs between versions of HDF5, in one place.
 *
 * 1.10 (and 1.12): H5FD_class_t is in hdf5.h and has no version.  From 1.13 on it is in
 * H5FDdevelop.h and begins with a version and a value; a driver may be a plug-in, and
 * H5Fopen and H5Fcreate have asynchronous forms.
 * 1.10: objects have addresses.  From 1.12 on they have tokens. */
#ifndef SWIM_STORE_HDF5_VERSION_H
#define SWIM_STORE_HDF5_VERSION_H

#include <hdf5.h>

#if H5_VERSION_GE(1, 13, 0)
#include <H5FDdevelop.h>
#include <H5PLextern.h>
#define HDF5_HAS_PLUGINS 1
#define HDF5_HAS_ASYNC 1
/* Values above 511 need no registration with The HDF Group until they are given away.
 */
#define HDF5_CLASS_HEAD .version = H5FD_CLASS_VERSION, .value = (H5FD_class_value_t)513,
#else
#define HDF5_HAS_PLUGINS 0
#define HDF5_HAS_ASYNC 0
#define HDF5_CLASS_HEAD
#endif

#if H5_VERSION_GE(1, 12, 0)
typedef H5L_info2_t hdf5_link_info_t;
typedef H5O_info2_t hdf5_object_info_t;
#define HDF5_OBJECT_PLACE token
#define HDF5_OBJECT_INFO(object, info) H5Oget_info3(object, info, H5O_INFO_BASIC)
#define HDF5_OBJECT_VISIT(object, order, fn, arg) \
    H5Ovisit3(object, H5_INDEX_NAME, order, fn, arg, H5O_INFO_BASIC)
#define HDF5_LINK_INFO(group, name, info) H5Lget_info2(group, name, info, H5P_DEFAULT)
#define HDF5_LINK_ITERATE(group, fn, arg) \
    H5Literate2(group, H5_INDEX_NAME, H5_ITER_INC, NULL, fn, arg)
#define HDF5_RECLAIM(type, space, bytes) H5Treclaim(type, space, H5P_DEFAULT, bytes)
#else
typedef H5L_info_t hdf5_link_info_t;
typedef H5O_info_t hdf5_object_info_t;
#define HDF5_OBJECT_PLACE addr
#define HDF5_OBJECT_INFO(object, info) H5Oget_info2(object, info, H5O_INFO_BASIC)
#define HDF5_OBJECT_VISIT(object, order, fn, arg) \
    H5Ovisit2(object, H5_INDEX_NAME, order, fn, arg, H5O_INFO_BASIC)
#define HDF5_LINK_INFO(group, name, info) H5Lget_info(group, name, info, H5P_DEFAULT)
#define HDF5_LINK_ITERATE(group, fn, arg) \
    H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, NULL, fn, arg)
#define HDF5_RECLAIM(type, space, bytes) \
    H5Dvlen_reclaim(type, space, H5P_DEFAULT, bytes)
#endif

#endif /* SWIM_STORE_HDF5_VERSION_H */
