/* vfd_exec.c - entries for framework/exec. */
#include "store/vfd_exec.h"

#include "store/vfd.h"

hid_t swim_vfd_id(void)
{
    return vfd_id();
}

const void *swim_vfd_class(void)
{
    return vfd_class_get();
}

herr_t swim_vfd_set_for_links(hid_t fapl)
{
    const struct vfd_info info = {.inherited = true};

    return H5Pset_driver(fapl, vfd_id(), &info);
}

bool swim_vfd_has_open(const char *name)
{
    return openfile_is_open(name, NULL);
}

bool swim_vfd_take_failure(swim_error_t *why)
{
    return vfd_take_failure(why);
}
