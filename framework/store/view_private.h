/* view_private.h - HDF5's types and values as texts. */
#ifndef SWIM_STORE_VIEW_PRIVATE_H
#define SWIM_STORE_VIEW_PRIVATE_H

#include <h5swim/error.h>

#include "store/store_private.h"
#include "store/view.h"

/* A text in the making; one that is full ends in "...". */
struct view_writer {
    char *text; /* VIEW_TEXT bytes */
    size_t length;
    bool full;
};

void view_write(struct view_writer *w, const char *fmt, ...) SWIM_PRINTF(2, 3);

/* "int16, big-endian", "enum of int8 (FALSE, TRUE)", ... */
void view_write_type(struct view_writer *w, hid_t type);

/* The type in memory of a type in a file; H5I_INVALID_HID: none.  The caller's. */
hid_t view_memory_type(hid_t type);

/* One value of a type in memory. */
void view_write_value(struct view_writer *w, hid_t type, const void *bytes);

/* n of them, with commas between them. */
void view_write_values(struct view_writer *w, hid_t type, const void *bytes, size_t n);

#endif /* SWIM_STORE_VIEW_PRIVATE_H */
