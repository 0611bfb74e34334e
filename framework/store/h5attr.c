/* h5attr.c - reading, writing and copying attributes. */
#include <stdlib.h>
#include <string.h>

#include "store/hdf5_version.h"
#include "store/store_private.h"

bool h5_attr_exists(hid_t object, const char *name)
{
    return H5Aexists(object, name) > 0;
}

/* Elements of an attribute; 0 for a null dataspace. */
static size_t attr_count(hid_t attr)
{
    hid_t space = H5Aget_space(attr);
    hssize_t n = space < 0 ? 0 : H5Sget_simple_extent_npoints(space);

    h5_release(space);
    return n > 0 ? (size_t)n : 0;
}

static void attr_reclaim(hid_t type, hid_t attr, void *buf)
{
    hid_t space = H5Aget_space(attr);

    HDF5_RECLAIM(type, space, buf);
    h5_release(space);
}

/* Text without the padding that its type may have. */
static char *text_trim(const char *text, size_t size, bool spaces)
{
    size_t n = strnlen(text, size);

    while (spaces && n > 0 && text[n - 1] == ' ')
        n--;
    return strndup(text, n);
}

/* Read with the attribute's own type, so that no conversion of character sets is asked
 * for, which HDF5 would refuse. */
static char *attr_read_text(hid_t attr, hid_t type)
{
    size_t n = attr_count(attr), size = H5Tget_size(type);
    char *buf = n ? (char *)calloc(n, size) : NULL;
    char *text = NULL;

    if (!n || size == 0)
        text = strdup("");
    else if (!buf || H5Aread(attr, type, buf) < 0)
        text = NULL;
    else if (H5Tis_variable_str(type) > 0) {
        const char *first = NULL;
        memcpy(&first, buf, sizeof(first));
        text = strdup(first ? first : "");
        attr_reclaim(type, attr, buf);
    } else {
        text = text_trim(buf, size, H5Tget_strpad(type) == H5T_STR_SPACEPAD);
    }
    free(buf);
    return text;
}

int h5_attr_text(hid_t object, const char *name, char **out, swim_error_t *err)
{
    hid_t attr = H5I_INVALID_HID, type = H5I_INVALID_HID;

    *out = NULL;
    if (h5_attr_exists(object, name)) {
        attr = H5Aopen(object, name, H5P_DEFAULT);
        type = attr < 0 ? H5I_INVALID_HID : H5Aget_type(attr);
        if (type >= 0 && H5Tget_class(type) == H5T_STRING)
            *out = attr_read_text(attr, type);
        h5_release(type);
        h5_release(attr);
    }
    if (!*out)
        *out = strdup("");
    return *out ? SWIM_OK : swim_error_set(err, SWIM_ERR_NOMEM, "read %s", name);
}

size_t h5_attr_count(hid_t object, const char *name)
{
    if (!h5_attr_exists(object, name))
        return 0;
    hid_t attr = H5Aopen(object, name, H5P_DEFAULT);
    size_t n = attr < 0 ? 0 : attr_count(attr);
    h5_release(attr);
    return n;
}

bool h5_attr_numbers(hid_t object, const char *name, hid_t mem_type, size_t count,
                     void *out, bool *is_float)
{
    hid_t attr = H5I_INVALID_HID, type = H5I_INVALID_HID;
    void *buf = NULL;
    bool found = false;
    size_t n, size = H5Tget_size(mem_type);

    if (!h5_attr_exists(object, name))
        return false;
    attr = H5Aopen(object, name, H5P_DEFAULT);
    type = attr < 0 ? H5I_INVALID_HID : H5Aget_type(attr);
    if (type < 0 || types_from_h5(type) == SWIM_TYPE_ANY)
        goto out;
    n = attr_count(attr);
    if (is_float)
        *is_float = H5Tget_class(type) == H5T_FLOAT;
    buf = n >= count && n ? calloc(n, size) : NULL;
    if (buf && H5Aread(attr, mem_type, buf) >= 0) {
        memcpy(out, buf, count * size);
        found = true;
    }
out:
    free(buf);
    h5_release(type);
    h5_release(attr);
    return found;
}

bool h5_attr_number(hid_t object, const char *name, hid_t mem_type, void *out)
{
    return h5_attr_numbers(object, name, mem_type, 1, out, NULL);
}

static int attr_put(hid_t object, const char *name, hid_t type, hid_t space,
                    const void *value, swim_error_t *err)
{
    int rc = SWIM_OK;
    hid_t attr = H5I_INVALID_HID;

    if (h5_attr_exists(object, name) && H5Adelete(object, name) < 0)
        return h5_fail(err, SWIM_ERR_IO, "replace attribute %s", name);
    attr = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    if (attr < 0 || (value && H5Awrite(attr, type, value) < 0))
        rc = h5_fail(err, SWIM_ERR_IO, "write attribute %s", name);
    h5_release(attr);
    return rc;
}

static bool text_is_ascii(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text >= 0x80)
            return false;
    return true;
}

/* As netCDF writes NC_CHAR: fixed length without the final zero; nothing for "". */
int h5_attr_put_text(hid_t object, const char *name, const char *text,
                     swim_error_t *err)
{
    size_t n = strlen(text);
    hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(n ? H5S_SCALAR : H5S_NULL);
    int rc;

    if (type < 0 || space < 0 || H5Tset_size(type, n ? n : 1) < 0 ||
        H5Tset_strpad(type, H5T_STR_NULLTERM) < 0 ||
        H5Tset_cset(type, text_is_ascii(text) ? H5T_CSET_ASCII : H5T_CSET_UTF8) < 0)
        rc = h5_fail(err, SWIM_ERR_IO, "make the type of attribute %s", name);
    else
        rc = attr_put(object, name, type, space, n ? text : NULL, err);
    h5_release(space);
    h5_release(type);
    return rc;
}

int h5_attr_put_number(hid_t object, const char *name, hid_t type, const void *value,
                       swim_error_t *err)
{
    const hsize_t one = 1;
    hid_t space = H5Screate_simple(1, &one, NULL);
    int rc = space < 0 ? h5_fail(err, SWIM_ERR_IO, "write attribute %s", name)
                       : attr_put(object, name, type, space, value, err);

    h5_release(space);
    return rc;
}

struct attr_copy {
    hid_t to;
    bool (*skip)(const char *name);
    swim_error_t *err;
    int rc;
};

static int attr_copy_one(hid_t attr, hid_t to, const char *name, swim_error_t *err)
{
    hid_t stored = H5Aget_type(attr), space = H5Aget_space(attr);
    /* A named type belongs to the file it is in; the copy is unnamed. */
    hid_t type = stored < 0 ? H5I_INVALID_HID : H5Tcopy(stored);
    H5T_class_t class = type < 0 ? H5T_NO_CLASS : H5Tget_class(type);
    void *buf = NULL;
    size_t n = attr_count(attr);
    int rc = SWIM_OK;

    /* Texts of variable length, and what means nothing but itself. */
    if (class != H5T_STRING && !h5_type_is_flat(type))
        goto out;
    buf = calloc(n ? n : 1, H5Tget_size(type));
    if (!buf)
        rc = swim_error_set(err, SWIM_ERR_NOMEM, "copy attribute %s", name);
    else if (n && H5Aread(attr, type, buf) < 0)
        rc = h5_fail(err, SWIM_ERR_IO, "read attribute %s", name);
    else
        rc = attr_put(to, name, type, space, n ? buf : NULL, err);
    if (buf && n && H5Tis_variable_str(type) > 0)
        attr_reclaim(type, attr, buf);
out:
    free(buf);
    h5_release(type);
    h5_release(stored);
    h5_release(space);
    return rc;
}

static herr_t attr_copy_visit(hid_t from, const char *name, const H5A_info_t *info,
                              void *arg)
{
    struct attr_copy *copy = (struct attr_copy *)arg;
    hid_t attr;

    (void)info;
    if ((copy->skip && copy->skip(name)) || h5_attr_exists(copy->to, name))
        return 0;
    attr = H5Aopen(from, name, H5P_DEFAULT);
    if (attr < 0)
        copy->rc = h5_fail(copy->err, SWIM_ERR_IO, "open attribute %s", name);
    else
        copy->rc = attr_copy_one(attr, copy->to, name, copy->err);
    h5_release(attr);
    return copy->rc == SWIM_OK ? 0 : -1;
}

int h5_attr_copy_all(hid_t from, hid_t to, bool (*skip)(const char *name),
                     swim_error_t *err)
{
    struct attr_copy copy = {to, skip, err, SWIM_OK};

    /* The order of creation where it is known, as netCDF and people see it. */
    if (H5Aiterate2(from, H5_INDEX_CRT_ORDER, H5_ITER_INC, NULL, attr_copy_visit,
                    &copy) < 0 &&
        copy.rc == SWIM_OK &&
        H5Aiterate2(from, H5_INDEX_NAME, H5_ITER_INC, NULL, attr_copy_visit, &copy) <
            0 &&
        copy.rc == SWIM_OK)
        return h5_fail(err, SWIM_ERR_IO, "list attributes");
    return copy.rc;
}
