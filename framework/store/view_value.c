/* view_value.c - values of HDF5's types as text. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/view_private.h"

#define PARTS_MAX 10  /* of a list, an array, a compound */
#define STRING_MAX 80 /* bytes of a string; a text that stands alone has the room */
#define BYTES_MAX 16  /* of what is shown as bytes */

/* HDF5 knows no type in memory for what it cannot convert. */
hid_t view_memory_type(hid_t type)
{
    H5T_class_t class = H5Tget_class(type);

    /* As they are stored, so that no other character set is asked for. */
    if (class == H5T_STRING || class == H5T_OPAQUE || class == H5T_REFERENCE)
        return H5Tcopy(type);
    hid_t memory = H5Tget_native_type(type, H5T_DIR_ASCEND);
    if (memory < 0)
        H5Eclear2(H5E_DEFAULT);
    return memory;
}

static void write_integer(struct view_writer *w, hid_t type, const void *bytes)
{
    bool is_signed = H5Tget_sign(type) != H5T_SGN_NONE;
    union {
        int8_t i8;
        uint8_t u8;
        int16_t i16;
        uint16_t u16;
        int32_t i32;
        uint32_t u32;
        int64_t i64;
        uint64_t u64;
    } v = {0};
    size_t size = H5Tget_size(type);

    memcpy(&v, bytes, size < sizeof(v) ? size : sizeof(v));
    if (size == 1)
        view_write(w, "%d", is_signed ? v.i8 : v.u8);
    else if (size == 2)
        view_write(w, "%d", is_signed ? v.i16 : v.u16);
    else if (size == 4 && is_signed)
        view_write(w, "%" PRId32, v.i32);
    else if (size == 4)
        view_write(w, "%" PRIu32, v.u32);
    else if (size == 8 && is_signed)
        view_write(w, "%" PRId64, v.i64);
    else if (size == 8)
        view_write(w, "%" PRIu64, v.u64);
    else
        view_write(w, "?");
}

/* No more digits than it takes to tell it from its neighbours. */
static void write_float(struct view_writer *w, hid_t type, const void *bytes)
{
    size_t size = H5Tget_size(type);
    long double wide = 0;
    double value = 0;
    float narrow = 0;
    char text[48];

    if (size == sizeof(long double)) {
        memcpy(&wide, bytes, sizeof(wide));
        view_write(w, "%.21Lg", wide);
    } else if (size == sizeof(double)) {
        memcpy(&value, bytes, sizeof(value));
        for (int digits = 6; digits <= 17; digits++) {
            snprintf(text, sizeof(text), "%.*g", digits, value);
            if (strtod(text, NULL) == value)
                break;
        }
        view_write(w, "%s", text);
    } else if (size == sizeof(float)) {
        memcpy(&narrow, bytes, sizeof(narrow));
        for (int digits = 6; digits <= 9; digits++) {
            snprintf(text, sizeof(text), "%.*g", digits, (double)narrow);
            if (strtof(text, NULL) == narrow)
                break;
        }
        view_write(w, "%s", text);
    } else {
        view_write(w, "?");
    }
}

static void write_string(struct view_writer *w, hid_t type, const void *bytes,
                         int longest)
{
    const char *text = bytes;
    size_t length = H5Tget_size(type);

    if (H5Tis_variable_str(type) > 0) {
        memcpy(&text, bytes, sizeof(text));
        length = text ? strlen(text) : 0;
    } else {
        length = strnlen(text, length);
        while (H5Tget_strpad(type) == H5T_STR_SPACEPAD && length > 0 &&
               text[length - 1] == ' ')
            length--;
    }
    if (!text)
        view_write(w, "no string");
    else if (length > (size_t)longest)
        view_write(w, "\"%.*s...\"", longest, text);
    else
        view_write(w, "\"%.*s\"", (int)length, text);
}

static void write_bytes(struct view_writer *w, const unsigned char *bytes, size_t size)
{
    view_write(w, "0x");
    for (size_t i = 0; i < size && i < BYTES_MAX; i++)
        view_write(w, "%02x", bytes[i]);
    if (size > BYTES_MAX)
        view_write(w, "...");
}

static void write_enum(struct view_writer *w, hid_t type, const void *bytes)
{
    char name[128] = "";
    hid_t super;

    if (H5Tenum_nameof(type, bytes, name, sizeof(name)) >= 0) {
        view_write(w, "%s", name);
        return;
    }
    H5Eclear2(H5E_DEFAULT); /* a number without a name is no error */
    super = H5Tget_super(type);
    view_write_value(w, super, bytes);
    h5_release(super);
}

static void write_compound(struct view_writer *w, hid_t type,
                           const unsigned char *bytes)
{
    int n = H5Tget_nmembers(type);

    view_write(w, "{");
    for (int i = 0; i < n && i < PARTS_MAX && !w->full; i++) {
        char *name = H5Tget_member_name(type, (unsigned)i);
        hid_t member = H5Tget_member_type(type, (unsigned)i);
        view_write(w, "%s%s: ", i ? ", " : "", name ? name : "?");
        view_write_value(w, member, bytes + H5Tget_member_offset(type, (unsigned)i));
        h5_release(member);
        H5free_memory(name);
    }
    view_write(w, n > PARTS_MAX ? ", ...}" : "}");
}

static void write_parts(struct view_writer *w, hid_t super, const void *bytes, size_t n)
{
    view_write(w, "[");
    view_write_values(w, super, bytes, n < PARTS_MAX ? n : PARTS_MAX);
    view_write(w, n > PARTS_MAX ? ", ...]" : "]");
}

static void write_list(struct view_writer *w, hid_t type, const void *bytes)
{
    hid_t super = H5Tget_super(type);
    hvl_t list = {0};

    if (H5Tget_class(type) == H5T_VLEN) {
        memcpy(&list, bytes, sizeof(list));
        write_parts(w, super, list.p, list.p ? list.len : 0);
    } else {
        size_t one = H5Tget_size(super);
        write_parts(w, super, bytes, one ? H5Tget_size(type) / one : 0);
    }
    h5_release(super);
}

static void write_any(struct view_writer *w, hid_t type, const void *bytes, int longest)
{
    switch (H5Tget_class(type)) {
    case H5T_INTEGER:
        write_integer(w, type, bytes);
        break;
    case H5T_FLOAT:
        write_float(w, type, bytes);
        break;
    case H5T_STRING:
        write_string(w, type, bytes, longest);
        break;
    case H5T_ENUM:
        write_enum(w, type, bytes);
        break;
    case H5T_COMPOUND:
        write_compound(w, type, bytes);
        break;
    case H5T_ARRAY:
    case H5T_VLEN:
        write_list(w, type, bytes);
        break;
    case H5T_REFERENCE:
        view_write(w, "a reference");
        break;
    default:
        write_bytes(w, bytes, H5Tget_size(type));
        break;
    }
}

void view_write_value(struct view_writer *w, hid_t type, const void *bytes)
{
    write_any(w, type, bytes, STRING_MAX);
}

void view_write_values(struct view_writer *w, hid_t type, const void *bytes, size_t n)
{
    const size_t size = H5Tget_size(type);

    for (size_t i = 0; i < n && !w->full; i++) {
        view_write(w, "%s", i ? ", " : "");
        write_any(w, type, (const unsigned char *)bytes + i * size,
                  n == 1 ? VIEW_TEXT : STRING_MAX);
    }
}
