/* exec_private.h - what the sources of the preloaded object share.
 *
 * The object stands before libhdf5 in the order in which the dynamic linker looks for
 * functions, so programs and libraries that call one of HDF5's that is defined here get
 * this one.  So does libh5swim. */
#ifndef SWIM_EXEC_PRIVATE_H
#define SWIM_EXEC_PRIVATE_H

#include <stdbool.h>

#include <hdf5.h>

#define EXEC_API __attribute__((visibility("default")))

/* The function of that name which stands behind this object; the process ends when
 * there is none. */
void *exec_next(const char *name);

/* `function` of HDF5 itself as a variable `next`. */
#define NEXT(function)                   \
    static __typeof__(&(function)) next; \
    if (!next)                           \
    *(void **)&next = exec_next(#function)

/* One line on stderr, "h5swim exec: ...". */
void exec_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The same text on HDF5's error stack, as of `function`. */
void exec_fail(const char *function, hid_t minor, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* H5Pget_driver() of HDF5. */
hid_t exec_driver_of(hid_t fapl);
/* Whether the file of an object is opened by h5swim's driver. */
bool exec_is_ours(hid_t object);

/* Datasets are looked at anew: a file was opened. */
void external_forget(void);

#endif /* SWIM_EXEC_PRIVATE_H */
