/* view_type.c - HDF5's types in words. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "store/view_private.h"

#define MEMBERS_MAX 8 /* of an enum or a compound that are named */

void view_write(struct view_writer *w, const char *fmt, ...)
{
    static const char dots[] = "...";
    size_t room = VIEW_TEXT - w->length;
    va_list args;

    if (w->full)
        return;
    va_start(args, fmt);
    int n = vsnprintf(w->text + w->length, room, fmt, args);
    va_end(args);
    w->full = n < 0 || (size_t)n >= room;
    if (w->full)
        memcpy(w->text + VIEW_TEXT - sizeof(dots), dots, sizeof(dots));
    else
        w->length += (size_t)n;
}

/* Numbers of one byte have no order. */
static void write_order(struct view_writer *w, hid_t type)
{
    H5T_order_t order = H5Tget_order(type);

    if (H5Tget_size(type) > 1 && order != H5Tget_order(H5T_NATIVE_INT))
        view_write(w, order == H5T_ORDER_BE   ? ", big-endian"
                      : order == H5T_ORDER_LE ? ", little-endian"
                                              : ", of a byte order of its own");
}

static void write_string(struct view_writer *w, hid_t type)
{
    if (H5Tis_variable_str(type) > 0)
        view_write(w, "strings of any length");
    else
        view_write(w, "strings of %zu byte%s", H5Tget_size(type),
                   H5Tget_size(type) == 1 ? "" : "s");
}

static void write_super(struct view_writer *w, const char *before, hid_t type)
{
    hid_t super = H5Tget_super(type);

    view_write(w, "%s", before);
    view_write_type(w, super);
    h5_release(super);
}

static void write_members(struct view_writer *w, hid_t type, bool with_types)
{
    int n = H5Tget_nmembers(type);

    for (int i = 0; i < n && i < MEMBERS_MAX; i++) {
        char *name = H5Tget_member_name(type, (unsigned)i);
        view_write(w, "%s%s", i ? ", " : "", name ? name : "?");
        H5free_memory(name);
        if (with_types) {
            hid_t member = H5Tget_member_type(type, (unsigned)i);
            view_write(w, ": ");
            view_write_type(w, member);
            h5_release(member);
        }
    }
    if (n > MEMBERS_MAX)
        view_write(w, ", ... (%d in all)", n);
}

static void write_array(struct view_writer *w, hid_t type)
{
    hsize_t dims[SWIM_NDIM_MAX] = {0};
    int ndim = H5Tget_array_dims2(type, dims);

    view_write(w, "arrays of ");
    for (int i = 0; i < ndim; i++)
        view_write(w, "%s%llu", i ? " x " : "", (unsigned long long)dims[i]);
    write_super(w, " ", type);
}

void view_write_type(struct view_writer *w, hid_t type)
{
    size_t size = type < 0 ? 0 : H5Tget_size(type);

    if (w->full)
        return; /* types may be nested as deep as somebody likes */
    switch (type < 0 ? H5T_NO_CLASS : H5Tget_class(type)) {
    case H5T_INTEGER:
        view_write(w, "%sint%zu", H5Tget_sign(type) == H5T_SGN_NONE ? "u" : "",
                   8 * size);
        write_order(w, type);
        break;
    case H5T_FLOAT:
        view_write(w, "float%zu", 8 * size);
        write_order(w, type);
        break;
    case H5T_STRING:
        write_string(w, type);
        break;
    case H5T_ENUM:
        write_super(w, "enum of ", type);
        view_write(w, " (");
        write_members(w, type, false);
        view_write(w, ")");
        break;
    case H5T_COMPOUND:
        view_write(w, "compound {");
        write_members(w, type, true);
        view_write(w, "}");
        break;
    case H5T_ARRAY:
        write_array(w, type);
        break;
    case H5T_VLEN:
        write_super(w, "lists of ", type);
        break;
    case H5T_OPAQUE:
        view_write(w, "opaque, %zu bytes", size);
        break;
    case H5T_BITFIELD:
        view_write(w, "bit field of %zu bits", 8 * size);
        break;
    case H5T_REFERENCE:
        view_write(w, "references");
        break;
    default:
        view_write(w, "a type that is not known here");
        break;
    }
}
