/* vfd_plugin.c - h5swim's driver for HDF5 1.14 and later, which load it by themselves
 * when HDF5_DRIVER=h5swim and HDF5_PLUGIN_PATH names the folder of this object. */
#include "store/hdf5_version.h"

#if HDF5_HAS_PLUGINS
#include "store/vfd_exec.h"

__attribute__((visibility("default"))) H5PL_type_t H5PLget_plugin_type(void)
{
    return H5PL_TYPE_VFD;
}

__attribute__((visibility("default"))) const void *H5PLget_plugin_info(void)
{
    return swim_vfd_class();
}
#endif
