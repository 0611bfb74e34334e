/* object_type.c - element types of the object interface, in memory and in files. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/object_private.h"

struct data_row {
    const char *name;
    size_t size;
    H5T_class_t class;
    bool is_signed;
};

/* clang-format off */
static const struct data_row rows[] = {
    [SWIM_DATA_OTHER] = {"another type", 0, H5T_NO_CLASS, false},
    [SWIM_DATA_INT8] = {"int8", 1, H5T_INTEGER, true},
    [SWIM_DATA_UINT8] = {"uint8", 1, H5T_INTEGER, false},
    [SWIM_DATA_INT16] = {"int16", 2, H5T_INTEGER, true},
    [SWIM_DATA_UINT16] = {"uint16", 2, H5T_INTEGER, false},
    [SWIM_DATA_INT32] = {"int32", 4, H5T_INTEGER, true},
    [SWIM_DATA_UINT32] = {"uint32", 4, H5T_INTEGER, false},
    [SWIM_DATA_INT64] = {"int64", 8, H5T_INTEGER, true},
    [SWIM_DATA_UINT64] = {"uint64", 8, H5T_INTEGER, false},
    [SWIM_DATA_FLOAT32] = {"float32", 4, H5T_FLOAT, true},
    [SWIM_DATA_FLOAT64] = {"float64", 8, H5T_FLOAT, true},
    [SWIM_DATA_BOOL] = {"bool", 1, H5T_ENUM, false},
    [SWIM_DATA_STRING] = {"string", sizeof(char *), H5T_STRING, false},
};
/* clang-format on */
#define N_ROWS (sizeof(rows) / sizeof(*rows))

static const struct data_row *row_of(enum swim_data type)
{
    size_t n = (size_t)type;

    return n < N_ROWS ? &rows[n] : &rows[SWIM_DATA_OTHER];
}

const char *swim_data_name(enum swim_data type)
{
    return row_of(type)->name;
}

size_t object_data_size(enum swim_data type)
{
    return row_of(type)->size;
}

/* h5py's: FALSE and TRUE, of one byte. */
static hid_t type_bool(void)
{
    const int8_t no = 0, yes = 1;
    hid_t type = H5Tenum_create(H5T_NATIVE_INT8);

    if (type >= 0 && (H5Tenum_insert(type, "FALSE", &no) < 0 ||
                      H5Tenum_insert(type, "TRUE", &yes) < 0)) {
        h5_release(type);
        return H5I_INVALID_HID;
    }
    return type;
}

static bool type_is_bool(hid_t stored)
{
    hid_t type = type_bool();
    bool is = type >= 0 && H5Tequal(type, stored) > 0;

    h5_release(type);
    return is;
}

enum swim_data object_data_of(hid_t stored)
{
    H5T_class_t class = H5Tget_class(stored);
    bool is_signed = class != H5T_INTEGER || H5Tget_sign(stored) != H5T_SGN_NONE;

    if (class == H5T_STRING)
        return SWIM_DATA_STRING;
    if (class == H5T_ENUM)
        return type_is_bool(stored) ? SWIM_DATA_BOOL : SWIM_DATA_OTHER;
    for (size_t i = SWIM_DATA_INT8; i <= SWIM_DATA_FLOAT64; i++)
        if (rows[i].class == class && rows[i].size == H5Tget_size(stored) &&
            rows[i].is_signed == is_signed)
            return (enum swim_data)i;
    return SWIM_DATA_OTHER;
}

hid_t object_number_type(enum swim_data type)
{
    switch (type) {
    case SWIM_DATA_INT8:
        return H5Tcopy(H5T_NATIVE_INT8);
    case SWIM_DATA_UINT8:
        return H5Tcopy(H5T_NATIVE_UINT8);
    case SWIM_DATA_INT16:
        return H5Tcopy(H5T_NATIVE_INT16);
    case SWIM_DATA_UINT16:
        return H5Tcopy(H5T_NATIVE_UINT16);
    case SWIM_DATA_INT32:
        return H5Tcopy(H5T_NATIVE_INT32);
    case SWIM_DATA_UINT32:
        return H5Tcopy(H5T_NATIVE_UINT32);
    case SWIM_DATA_INT64:
        return H5Tcopy(H5T_NATIVE_INT64);
    case SWIM_DATA_UINT64:
        return H5Tcopy(H5T_NATIVE_UINT64);
    case SWIM_DATA_FLOAT32:
        return H5Tcopy(H5T_NATIVE_FLOAT);
    case SWIM_DATA_FLOAT64:
        return H5Tcopy(H5T_NATIVE_DOUBLE);
    case SWIM_DATA_BOOL:
        return type_bool();
    default:
        return H5I_INVALID_HID;
    }
}

hid_t object_file_type(enum swim_data type, size_t string_size)
{
    if (type != SWIM_DATA_STRING)
        return object_number_type(type);
    hid_t text = H5Tcopy(H5T_C_S1);
    if (text >= 0 && H5Tset_size(text, string_size ? string_size : H5T_VARIABLE) >= 0 &&
        H5Tset_cset(text, H5T_CSET_UTF8) >= 0 &&
        H5Tset_strpad(text, string_size ? H5T_STR_NULLPAD : H5T_STR_NULLTERM) >= 0)
        return text;
    h5_release(text);
    return H5I_INVALID_HID;
}

size_t object_string_size(hid_t stored)
{
    return H5Tget_class(stored) == H5T_STRING && H5Tis_variable_str(stored) <= 0
               ? H5Tget_size(stored)
               : 0;
}

int object_check_types(struct object_call *c, hid_t stored, enum swim_data type)
{
    H5T_class_t class = H5Tget_class(stored);
    bool number = class == H5T_INTEGER || class == H5T_FLOAT;
    enum swim_data is = object_data_of(stored);

    if (row_of(type)->size == 0)
        return object_fail(c, SWIM_ERR_ARG, "%d is no type of values", (int)type);
    if (type == SWIM_DATA_STRING || type == SWIM_DATA_BOOL ? is == type : number)
        return SWIM_OK;
    return object_fail(c, SWIM_ERR_ARG, "its values are %s, which do not go with %s",
                       is == SWIM_DATA_OTHER ? types_describe(stored)
                                             : swim_data_name(is),
                       swim_data_name(type));
}

/* --- strings: of variable length HDF5 has them as the caller does, else side by side
 */

void swim_strings_clear(char **strings, size_t count)
{
    for (size_t i = 0; strings && i < count; i++) {
        free(strings[i]);
        strings[i] = NULL;
    }
}

void swim_strings_free(char **strings, size_t count)
{
    swim_strings_clear(strings, count);
    free(strings);
}

/* Without what pads it. */
static char *text_of(const char *raw, size_t size, bool spaces)
{
    size_t n = strnlen(raw, size);

    while (spaces && n > 0 && raw[n - 1] == ' ')
        n--;
    return strndup(raw, n);
}

bool object_text_out(const char *raw, hid_t stored, size_t count, char **strings)
{
    size_t size = H5Tget_size(stored);
    bool spaces = H5Tget_strpad(stored) == H5T_STR_SPACEPAD;

    for (size_t i = 0; i < count; i++) {
        strings[i] = text_of(raw + i * size, size, spaces);
        if (!strings[i]) {
            swim_strings_clear(strings, i);
            return false;
        }
    }
    return true;
}

int object_text_in(struct object_call *c, const char *const *strings, hid_t stored,
                   size_t count, void **raw)
{
    size_t size = object_string_size(stored);
    H5T_str_t pad = size ? H5Tget_strpad(stored) : H5T_STR_NULLTERM;
    size_t room = pad == H5T_STR_NULLTERM && size ? size - 1 : size;

    *raw = NULL;
    for (size_t i = 0; i < count; i++) {
        if (!strings[i])
            return object_fail(c, SWIM_ERR_ARG, "string %zu is NULL", i);
        if (size && strlen(strings[i]) > room)
            return object_fail(c, SWIM_ERR_ARG,
                               "string %zu has %zu bytes, there is room for %zu", i,
                               strlen(strings[i]), room);
    }
    char *bytes = calloc(count ? count : 1, size ? size : sizeof(char *));
    if (!bytes)
        return object_fail(c, SWIM_ERR_NOMEM, "no memory");
    if (!size && count)
        memcpy(bytes, strings, count * sizeof(char *));
    else if (pad == H5T_STR_SPACEPAD)
        memset(bytes, ' ', count * size);
    for (size_t i = 0; size && i < count; i++)
        memcpy(bytes + i * size, strings[i], strlen(strings[i]));
    *raw = bytes;
    return SWIM_OK;
}

bool object_text_whole(char **strings, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!strings[i] && !(strings[i] = strdup(""))) {
            swim_strings_clear(strings, count);
            return false;
        }
    return true;
}
