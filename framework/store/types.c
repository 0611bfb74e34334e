/* types.c - element types by name, by size and as HDF5 knows them. */
#include "store/types.h"

#include <string.h>

#include "store/store_private.h"

#define TYPE_DEPTH_MOST 16 /* of compounds in compounds */

struct type_row {
    const char *name;
    size_t size;
    unsigned value_bits; /* of the magnitude of integers, of the mantissa of floats */
    bool is_signed, is_float;
};

/* clang-format off */
static const struct type_row rows[] = {
    [SWIM_TYPE_ANY] = {"any", 0, 0, false, false},
    [SWIM_TYPE_I8] = {"int8", 1, 7, true, false},
    [SWIM_TYPE_U8] = {"uint8", 1, 8, false, false},
    [SWIM_TYPE_I16] = {"int16", 2, 15, true, false},
    [SWIM_TYPE_U16] = {"uint16", 2, 16, false, false},
    [SWIM_TYPE_I32] = {"int32", 4, 31, true, false},
    [SWIM_TYPE_U32] = {"uint32", 4, 32, false, false},
    [SWIM_TYPE_I64] = {"int64", 8, 63, true, false},
    [SWIM_TYPE_U64] = {"uint64", 8, 64, false, false},
    [SWIM_TYPE_F32] = {"float32", sizeof(float), 24, true, true},
    [SWIM_TYPE_F64] = {"float64", sizeof(double), 53, true, true},
    [SWIM_TYPE_LDOUBLE] = {"longdouble", sizeof(long double), 64, true, true},
};
/* clang-format on */
#define N_ROWS (sizeof(rows) / sizeof(*rows))

static const struct {
    const char *name;
    enum swim_type type;
} aliases[] = {
    {"float", SWIM_TYPE_F32}, {"double", SWIM_TYPE_F64}, {"i1", SWIM_TYPE_I8},
    {"u1", SWIM_TYPE_U8},     {"i2", SWIM_TYPE_I16},     {"u2", SWIM_TYPE_U16},
    {"i4", SWIM_TYPE_I32},    {"u4", SWIM_TYPE_U32},     {"i8", SWIM_TYPE_I64},
    {"u8", SWIM_TYPE_U64},    {"f4", SWIM_TYPE_F32},     {"f8", SWIM_TYPE_F64},
};

static const struct type_row *type_row(enum swim_type type)
{
    return (size_t)type < N_ROWS ? &rows[type] : &rows[SWIM_TYPE_ANY];
}

size_t swim_type_size(enum swim_type type)
{
    return type_row(type)->size;
}

const char *swim_type_name(enum swim_type type)
{
    return type_row(type)->name;
}

bool swim_type_is_float(enum swim_type type)
{
    return type_row(type)->is_float;
}

bool swim_type_is_signed(enum swim_type type)
{
    return type_row(type)->is_signed;
}

enum swim_type swim_type_other_sign(enum swim_type type)
{
    return (enum swim_type)(swim_type_is_signed(type) ? type + 1 : type - 1);
}

bool swim_type_fits(enum swim_type from, enum swim_type to)
{
    return swim_type_is_float(to) &&
           type_row(from)->value_bits <= type_row(to)->value_bits;
}

double swim_type_default_fill(enum swim_type type)
{
    switch (type) {
    case SWIM_TYPE_I8:
        return -127;
    case SWIM_TYPE_U8:
        return 255;
    case SWIM_TYPE_I16:
        return -32767;
    case SWIM_TYPE_U16:
        return 65535;
    case SWIM_TYPE_I32:
        return -2147483647;
    case SWIM_TYPE_U32:
        return 4294967295;
    case SWIM_TYPE_I64:
        return -9223372036854774784.0; /* the nearest double above NC_FILL_INT64 */
    case SWIM_TYPE_U64:
        return 18446744073709549568.0; /* the nearest double below NC_FILL_UINT64 */
    default:
        return 9.9692099683868690e+36;
    }
}

enum swim_type swim_type_floating(enum swim_type type)
{
    return swim_type_fits(type, SWIM_TYPE_F32) ? SWIM_TYPE_F32 : SWIM_TYPE_F64;
}

/* Through memory: gcc 12 takes two such conversions side by side, to float and back,
 * for none. */
double swim_type_round(enum swim_type type, double value)
{
    volatile float single = (float)value;

    return type == SWIM_TYPE_F32 ? (double)single : value;
}

enum swim_type swim_type_parse(const char *name)
{
    if (!name)
        return SWIM_TYPE_ANY;
    if (*name && strchr("<=|", *name))
        name++;
    for (size_t i = 1; i < N_ROWS; i++)
        if (strcmp(name, rows[i].name) == 0)
            return (enum swim_type)i;
    for (size_t i = 0; i < sizeof(aliases) / sizeof(*aliases); i++)
        if (strcmp(name, aliases[i].name) == 0)
            return aliases[i].type;
    return SWIM_TYPE_ANY;
}

hid_t types_native(enum swim_type type)
{
    switch (type) {
    case SWIM_TYPE_I8:
        return H5T_NATIVE_INT8;
    case SWIM_TYPE_U8:
        return H5T_NATIVE_UINT8;
    case SWIM_TYPE_I16:
        return H5T_NATIVE_INT16;
    case SWIM_TYPE_U16:
        return H5T_NATIVE_UINT16;
    case SWIM_TYPE_I32:
        return H5T_NATIVE_INT32;
    case SWIM_TYPE_U32:
        return H5T_NATIVE_UINT32;
    case SWIM_TYPE_I64:
        return H5T_NATIVE_INT64;
    case SWIM_TYPE_U64:
        return H5T_NATIVE_UINT64;
    case SWIM_TYPE_F32:
        return H5T_NATIVE_FLOAT;
    case SWIM_TYPE_F64:
        return H5T_NATIVE_DOUBLE;
    case SWIM_TYPE_LDOUBLE:
        return H5T_NATIVE_LDOUBLE;
    case SWIM_TYPE_ANY:
        break;
    }
    return H5I_INVALID_HID;
}

static enum swim_type type_from_integer(hid_t type)
{
    static const enum swim_type sizes[] = {SWIM_TYPE_I8, SWIM_TYPE_I16, SWIM_TYPE_I32,
                                           SWIM_TYPE_I64};
    size_t size = H5Tget_size(type);
    bool is_unsigned = H5Tget_sign(type) == H5T_SGN_NONE;

    /* Each unsigned type follows the signed one of its size. */
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
        if (size <= swim_type_size(sizes[i]))
            return (enum swim_type)(sizes[i] + is_unsigned);
    return SWIM_TYPE_ANY;
}

enum swim_type types_from_h5(hid_t type)
{
    size_t size = H5Tget_size(type);

    switch (H5Tget_class(type)) {
    case H5T_INTEGER:
        return type_from_integer(type);
    case H5T_FLOAT:
        if (size <= sizeof(float)) /* a half-precision float fits too */
            return SWIM_TYPE_F32;
        if (size <= sizeof(double))
            return SWIM_TYPE_F64;
        return H5Tget_precision(type) <= H5Tget_precision(H5T_NATIVE_LDOUBLE)
                   ? SWIM_TYPE_LDOUBLE
                   : SWIM_TYPE_ANY;
    default:
        return SWIM_TYPE_ANY;
    }
}

/* To a depth that no type of a file has by mistake. */
static bool type_is_flat(hid_t type, int depth)
{
    H5T_class_t class = H5Tget_class(type);
    bool flat = depth < TYPE_DEPTH_MOST;

    if (class == H5T_STRING)
        return H5Tis_variable_str(type) == 0;
    if (class == H5T_ARRAY) {
        hid_t of = H5Tget_super(type);
        flat = flat && of >= 0 && type_is_flat(of, depth + 1);
        h5_release(of);
        return flat;
    }
    if (class != H5T_COMPOUND)
        return class != H5T_VLEN && class != H5T_REFERENCE && class != H5T_NO_CLASS;
    for (int i = 0; flat && i < H5Tget_nmembers(type); i++) {
        hid_t member = H5Tget_member_type(type, (unsigned)i);
        flat = member >= 0 && type_is_flat(member, depth + 1);
        h5_release(member);
    }
    return flat;
}

bool h5_type_is_flat(hid_t type)
{
    return type_is_flat(type, 0);
}

enum swim_type types_carrier(hid_t type)
{
    if (!type_is_flat(type, 0))
        return SWIM_TYPE_ANY;
    switch (H5Tget_size(type)) {
    case 1:
        return SWIM_TYPE_U8;
    case 2:
        return SWIM_TYPE_U16;
    case 4:
        return SWIM_TYPE_U32;
    case 8:
        return SWIM_TYPE_U64;
    case sizeof(long double):
        return SWIM_TYPE_LDOUBLE;
    default:
        return SWIM_TYPE_ANY;
    }
}

const char *types_describe(hid_t type)
{
    switch (H5Tget_class(type)) {
    case H5T_INTEGER:
        return "an integer type wider than 64 bits";
    case H5T_FLOAT:
        return "a floating-point type wider than long double";
    case H5T_TIME:
        return "a time type";
    case H5T_STRING:
        return "a string type";
    case H5T_BITFIELD:
        return "a bit field type";
    case H5T_OPAQUE:
        return "an opaque type";
    case H5T_COMPOUND:
        return "a compound type (complex numbers are stored so, too)";
    case H5T_REFERENCE:
        return "a reference type";
    case H5T_ENUM:
        return "an enum type (booleans are stored so, too)";
    case H5T_VLEN:
        return "a variable-length type";
    case H5T_ARRAY:
        return "an array type";
    default:
        return "an unknown type";
    }
}
