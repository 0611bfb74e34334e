/* vfd_caller.c - HDF5 gives a driver no word of what it writes for: the stack does. */
#include "store/vfd_caller.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <stddef.h>
#include <string.h>

#define DEPTH 128 /* H5Dwrite() is 20 to 40 calls away */

static bool is_write(const char *name)
{
    static const char *const names[] = {"H5Dwrite", "H5Dwrite_async", "H5Dwrite_multi",
                                        "H5Dwrite_multi_async", "H5Dwrite_chunk"};

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

bool vfd_caller_writes_data(void)
{
    void *stack[DEPTH];
    int depth = backtrace(stack, DEPTH);

    for (int i = 0; i < depth; i++) {
        Dl_info info;
        if (dladdr(stack[i], &info) != 0 && info.dli_sname && is_write(info.dli_sname))
            return true;
    }
    return false;
}
