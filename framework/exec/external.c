/* external.c - datasets whose values are in files beside the HDF5 file.
 *
 * HDF5 reads and writes those files without a driver, so no transaction covers them:
 * writing is refused, reading is warned of. */
#include <unistd.h>

#include "exec/exec_private.h"

#define KNOWN 64 /* a power of two */

/* Datasets that are known to be none of these.  HDF5 does not give an id twice. */
static _Thread_local hid_t known[KNOWN];

void external_forget(void)
{
    for (int i = 0; i < KNOWN; i++)
        known[i] = H5I_INVALID_HID;
}

static bool list_has_external(hid_t dcpl)
{
    bool has = false;

    H5E_BEGIN_TRY
    {
        has = dcpl != H5P_DEFAULT && H5Pget_external_count(dcpl) > 0;
    }
    H5E_END_TRY;
    return has;
}

static bool is_external(hid_t dataset)
{
    hid_t dcpl = H5I_INVALID_HID;

    if (dataset < 0 || H5Iget_type(dataset) != H5I_DATASET)
        return false;
    if (known[dataset & (KNOWN - 1)] == dataset)
        return false;
    H5E_BEGIN_TRY
    {
        dcpl = H5Dget_create_plist(dataset);
    }
    H5E_END_TRY;
    bool has = dcpl >= 0 && list_has_external(dcpl) && exec_is_ours(dataset);
    if (dcpl >= 0)
        (void)H5Pclose(dcpl);
    if (!has)
        known[dataset & (KNOWN - 1)] = dataset;
    return has;
}

/* Whether a dataset may be made so. */
static bool create_allowed(hid_t loc, hid_t dcpl, const char *function)
{
    if (!list_has_external(dcpl) || !exec_is_ours(loc))
        return true;
    (void)H5Eclear2(H5E_DEFAULT);
    exec_fail(function, H5E_CANTINIT,
              "create a dataset with values in external files: h5swim cannot protect "
              "them (without H5Pset_external, or without h5swim exec)");
    return false;
}

static bool opened_for_reading(hid_t dataset)
{
    unsigned intent = H5F_ACC_RDWR;
    hid_t file = H5Iget_file_id(dataset);

    if (file >= 0) {
        (void)H5Fget_intent(file, &intent);
        (void)H5Fclose(file);
    }
    return !(intent & H5F_ACC_RDWR);
}

/* Says it once. */
static hid_t opened(hid_t object)
{
    static bool said;

    if (said || !is_external(object) || !opened_for_reading(object))
        return object;
    said = true;
    exec_say("warning: a dataset is opened whose values are in external files: they "
             "are read as they are, also when somebody writes to them meanwhile");
    return object;
}

/* --- making */

EXEC_API hid_t H5Dcreate1(hid_t loc, const char *name, hid_t type, hid_t space,
                          hid_t dcpl)
{
    NEXT(H5Dcreate1);
    if (!create_allowed(loc, dcpl, __func__))
        return H5I_INVALID_HID;
    return next(loc, name, type, space, dcpl);
}

EXEC_API hid_t H5Dcreate2(hid_t loc, const char *name, hid_t type, hid_t space,
                          hid_t lcpl, hid_t dcpl, hid_t dapl)
{
    NEXT(H5Dcreate2);
    if (!create_allowed(loc, dcpl, __func__))
        return H5I_INVALID_HID;
    return next(loc, name, type, space, lcpl, dcpl, dapl);
}

EXEC_API hid_t H5Dcreate_anon(hid_t loc, hid_t type, hid_t space, hid_t dcpl,
                              hid_t dapl)
{
    NEXT(H5Dcreate_anon);
    if (!create_allowed(loc, dcpl, __func__))
        return H5I_INVALID_HID;
    return next(loc, type, space, dcpl, dapl);
}

/* --- opening */

EXEC_API hid_t H5Dopen1(hid_t loc, const char *name)
{
    NEXT(H5Dopen1);
    return opened(next(loc, name));
}

EXEC_API hid_t H5Dopen2(hid_t loc, const char *name, hid_t dapl)
{
    NEXT(H5Dopen2);
    return opened(next(loc, name, dapl));
}

EXEC_API hid_t H5Oopen(hid_t loc, const char *name, hid_t lapl)
{
    NEXT(H5Oopen);
    return opened(next(loc, name, lapl));
}

/* --- writing */

EXEC_API herr_t H5Dwrite(hid_t dataset, hid_t memory_type, hid_t memory_space,
                         hid_t file_space, hid_t dxpl, const void *values)
{
    NEXT(H5Dwrite);
    if (!is_external(dataset))
        return next(dataset, memory_type, memory_space, file_space, dxpl, values);
    (void)H5Eclear2(H5E_DEFAULT);
    exec_fail(__func__, H5E_WRITEERROR,
              "write to a dataset with values in external files: h5swim cannot protect "
              "them (do it without h5swim exec)");
    return -1;
}
