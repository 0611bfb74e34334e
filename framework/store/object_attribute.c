/* object_attribute.c - attributes of groups and datasets. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/object_private.h"

/* A call about an attribute. */
struct attribute_call {
    struct object_call c;
    hid_t object;
    const char *name;
};

static int attribute_begin(struct attribute_call *a, swim_file_t *file,
                           const char *verb, const char *path, const char *name,
                           enum object_how how, swim_error_t *err)
{
    a->object = H5I_INVALID_HID;
    a->name = name;
    int rc = object_begin(&a->c, file, verb, path, how, err);
    if (rc != SWIM_OK)
        return rc;
    if (!name || !*name)
        rc = object_fail(&a->c, SWIM_ERR_ARG, "the name of the attribute is empty");
    if (rc == SWIM_OK)
        rc = object_open(&a->c, SWIM_KIND_NONE, how != OBJECT_READ, &a->object);
    return rc == SWIM_OK ? rc : object_end(&a->c, rc);
}

static int attribute_end(struct attribute_call *a, int rc)
{
    h5_release(a->object);
    return object_end(&a->c, rc);
}

/* --- set */

static int value_check(struct attribute_call *a, const struct swim_attribute *value,
                       size_t *count)
{
    *count = 1;
    if (!value || object_data_size(value->type) == 0)
        return object_fail(&a->c, SWIM_ERR_ARG, "%s has no type of values", a->name);
    if (value->rank > SWIM_RANK_MAX)
        return object_fail(&a->c, SWIM_ERR_ARG, "the rank of %s is %u", a->name,
                           value->rank);
    for (uint32_t i = 0; i < value->rank; i++)
        if (__builtin_mul_overflow(*count, value->dims[i], count))
            return object_fail(&a->c, SWIM_ERR_ARG, "%s is too large", a->name);
    if (*count && !value->values)
        return object_fail(&a->c, SWIM_ERR_ARG, "the values of %s are NULL", a->name);
    return SWIM_OK;
}

static hid_t value_space(const struct swim_attribute *value)
{
    hsize_t dims[SWIM_RANK_MAX];

    for (uint32_t i = 0; i < value->rank; i++)
        dims[i] = value->dims[i];
    return value->rank ? H5Screate_simple((int)value->rank, dims, NULL)
                       : H5Screate(H5S_SCALAR);
}

static hid_t name_properties(void)
{
    hid_t acpl = H5Pcreate(H5P_ATTRIBUTE_CREATE);

    if (acpl >= 0)
        (void)H5Pset_char_encoding(acpl, H5T_CSET_UTF8);
    return acpl;
}

static bool attribute_write(struct attribute_call *a, hid_t type, hid_t space,
                            const void *values)
{
    hid_t acpl = name_properties();

    a->c.changing = true;
    bool is = H5Aexists(a->object, a->name) <= 0 || H5Adelete(a->object, a->name) >= 0;
    hid_t attribute =
        is ? H5Acreate2(a->object, a->name, type, space, acpl, H5P_DEFAULT)
           : H5I_INVALID_HID;
    is = attribute >= 0 && (!values || H5Awrite(attribute, type, values) >= 0);
    h5_release(attribute);
    h5_release(acpl);
    return is;
}

static int attribute_set(struct attribute_call *a, const struct swim_attribute *value)
{
    size_t count = 0;
    void *text = NULL;

    int rc = value_check(a, value, &count);
    if (rc != SWIM_OK)
        return rc;
    hid_t type = object_file_type(value->type, 0), space = value_space(value);
    const void *values = value->values;
    if (type < 0 || space < 0)
        rc = object_fail_h5(&a->c, "describe %s", a->name);
    else if (value->type == SWIM_DATA_STRING) {
        rc = object_text_in(&a->c, value->values, type, count, &text);
        values = text;
    }
    if (rc == SWIM_OK && !attribute_write(a, type, space, count ? values : NULL))
        rc = object_fail_h5(&a->c, "set %s", a->name);
    free(text);
    h5_release(space);
    h5_release(type);
    return rc;
}

int swim_attribute_set(swim_file_t *file, const char *path, const char *name,
                       const struct swim_attribute *value, swim_error_t *err)
{
    struct attribute_call a;

    int rc = attribute_begin(&a, file, "set an attribute of", path, name, OBJECT_UPDATE,
                             err);
    return rc == SWIM_OK ? attribute_end(&a, attribute_set(&a, value)) : rc;
}

int swim_attribute_set_int(swim_file_t *file, const char *path, const char *name,
                           int64_t value, swim_error_t *err)
{
    const struct swim_attribute one = {.type = SWIM_DATA_INT64, .values = &value};

    return swim_attribute_set(file, path, name, &one, err);
}

int swim_attribute_set_double(swim_file_t *file, const char *path, const char *name,
                              double value, swim_error_t *err)
{
    const struct swim_attribute one = {.type = SWIM_DATA_FLOAT64, .values = &value};

    return swim_attribute_set(file, path, name, &one, err);
}

int swim_attribute_set_text(swim_file_t *file, const char *path, const char *name,
                            const char *value, swim_error_t *err)
{
    const struct swim_attribute one = {.type = SWIM_DATA_STRING, .values = &value};

    return swim_attribute_set(file, path, name, &one, err);
}

/* --- get */

void swim_attribute_free(struct swim_attribute *attribute)
{
    if (!attribute)
        return;
    if (attribute->type == SWIM_DATA_STRING)
        swim_strings_clear(attribute->values, attribute->count);
    free(attribute->values);
    free(attribute);
}

static int read_text(struct attribute_call *a, hid_t attribute, hid_t type,
                     struct swim_attribute *value)
{
    size_t size = object_string_size(type);
    char *raw = size ? calloc(value->count, size) : NULL;
    bool whole = true;
    int rc = SWIM_OK;

    if (size && !raw)
        return object_fail(&a->c, SWIM_ERR_NOMEM, "no memory");
    if (H5Aread(attribute, type, size ? raw : value->values) < 0)
        rc = object_fail_h5(&a->c, "read %s", a->name);
    else if (size)
        whole = object_text_out(raw, type, value->count, value->values);
    else
        whole = object_text_whole(value->values, value->count);
    free(raw);
    return whole ? rc : object_fail(&a->c, SWIM_ERR_NOMEM, "no memory");
}

static int read_values(struct attribute_call *a, hid_t attribute, hid_t stored,
                       struct swim_attribute *value)
{
    value->values =
        calloc(value->count ? value->count : 1, object_data_size(value->type));
    if (!value->values)
        return object_fail(&a->c, SWIM_ERR_NOMEM, "no memory");
    if (value->count == 0)
        return SWIM_OK;
    if (value->type == SWIM_DATA_STRING)
        return read_text(a, attribute, stored, value);
    hid_t type = object_number_type(value->type);
    int rc = SWIM_OK;
    if (type < 0 || H5Aread(attribute, type, value->values) < 0)
        rc = object_fail_h5(&a->c, "read %s", a->name);
    h5_release(type);
    return rc;
}

static int read_shape(struct attribute_call *a, hid_t space,
                      struct swim_attribute *value)
{
    hsize_t dims[SWIM_RANK_MAX];
    int rank = H5Sget_simple_extent_dims(space, dims, NULL);
    hssize_t count = H5Sget_simple_extent_npoints(space);

    if (rank < 0 || count < 0)
        return object_fail_h5(&a->c, "describe %s", a->name);
    value->rank = (uint32_t)rank;
    value->count = (size_t)count;
    for (int i = 0; i < rank; i++)
        value->dims[i] = dims[i];
    return SWIM_OK;
}

static int read_open(struct attribute_call *a, hid_t attribute,
                     struct swim_attribute *value)
{
    hid_t type = H5Aget_type(attribute), space = H5Aget_space(attribute);
    int rc = SWIM_OK;

    if (type < 0 || space < 0)
        rc = object_fail_h5(&a->c, "describe %s", a->name);
    if (rc == SWIM_OK)
        rc = read_shape(a, space, value);
    if (rc == SWIM_OK) {
        value->type = object_data_of(type);
        rc = value->type == SWIM_DATA_OTHER
                 ? object_fail(&a->c, SWIM_ERR_ARG, "%s is of a kind not read here: %s",
                               a->name, types_describe(type))
                 : read_values(a, attribute, type, value);
    }
    h5_release(space);
    h5_release(type);
    return rc;
}

/* *out stays NULL when there is none of that name. */
static int attribute_look(struct attribute_call *a, struct swim_attribute **out)
{
    if (H5Aexists(a->object, a->name) <= 0)
        return SWIM_OK;
    hid_t attribute = H5Aopen(a->object, a->name, H5P_DEFAULT);
    if (attribute < 0)
        return object_fail_h5(&a->c, "open %s", a->name);
    struct swim_attribute *value = calloc(1, sizeof(*value));
    int rc = value ? read_open(a, attribute, value)
                   : object_fail(&a->c, SWIM_ERR_NOMEM, "no memory");
    h5_release(attribute);
    if (rc == SWIM_OK)
        *out = value;
    else
        swim_attribute_free(value);
    return rc;
}

/* After an error there is none. */
static int attribute_drop(struct swim_attribute **out, int rc)
{
    swim_attribute_free(*out);
    *out = NULL;
    return rc;
}

int swim_attribute_get(swim_file_t *file, const char *path, const char *name,
                       struct swim_attribute **out, swim_error_t *err)
{
    struct attribute_call a;

    *out = NULL;
    int rc =
        attribute_begin(&a, file, "read an attribute of", path, name, OBJECT_READ, err);
    if (rc != SWIM_OK)
        return rc;
    rc = attribute_look(&a, out);
    if (rc == SWIM_OK && !*out)
        rc = object_fail(&a.c, SWIM_ERR_ARG, "it has no attribute %s", name);
    rc = attribute_end(&a, rc);
    return rc == SWIM_OK ? rc : attribute_drop(out, rc);
}

/* --- one value */

static bool is_integer(enum swim_data type)
{
    return (type >= SWIM_DATA_INT8 && type <= SWIM_DATA_UINT64) ||
           type == SWIM_DATA_BOOL;
}

/* Of an integer or boolean; false: above INT64_MAX. */
static bool as_int(const struct swim_attribute *v, int64_t *value)
{
    uint64_t bits = 0;
    size_t size = object_data_size(v->type);

    switch (v->type) {
    case SWIM_DATA_INT8:
        /* NOLINTNEXTLINE(bugprone-signed-char-misuse): a number, no character */
        *value = *(const int8_t *)v->values;
        return true;
    case SWIM_DATA_INT16:
        *value = *(const int16_t *)v->values;
        return true;
    case SWIM_DATA_INT32:
        *value = *(const int32_t *)v->values;
        return true;
    case SWIM_DATA_UINT16:
        *value = *(const uint16_t *)v->values;
        return true;
    case SWIM_DATA_UINT32:
        *value = *(const uint32_t *)v->values;
        return true;
    case SWIM_DATA_INT64:
        *value = *(const int64_t *)v->values;
        return true;
    case SWIM_DATA_UINT64:
        memcpy(&bits, v->values, size);
        *value = bits <= INT64_MAX ? (int64_t)bits : 0;
        return bits <= INT64_MAX;
    default:
        *value = *(const uint8_t *)v->values;
        return true;
    }
}

static double as_double(const struct swim_attribute *v)
{
    int64_t value = 0;

    if (v->type == SWIM_DATA_FLOAT64)
        return *(const double *)v->values;
    if (v->type == SWIM_DATA_FLOAT32)
        return (double)*(const float *)v->values;
    if (as_int(v, &value))
        return (double)value;
    return (double)*(const uint64_t *)v->values;
}

enum wanted { WANTED_INT, WANTED_DOUBLE, WANTED_TEXT };

static bool is_wanted(const struct swim_attribute *v, enum wanted wanted)
{
    int64_t value = 0;

    if (v->count != 1)
        return false;
    if (wanted == WANTED_INT)
        return is_integer(v->type) && as_int(v, &value);
    if (wanted == WANTED_TEXT)
        return v->type == SWIM_DATA_STRING;
    return v->type != SWIM_DATA_STRING && v->type != SWIM_DATA_BOOL;
}

/* The attribute if it is one value of that kind; *out is NULL when there is none. */
static int one_get(swim_file_t *file, const char *path, const char *name,
                   enum wanted wanted, struct swim_attribute **out, swim_error_t *err)
{
    static const char *const what[] = {"integer of 64 bits", "number", "string"};
    struct attribute_call a;

    *out = NULL;
    int rc =
        attribute_begin(&a, file, "read an attribute of", path, name, OBJECT_READ, err);
    if (rc != SWIM_OK)
        return rc;
    rc = attribute_look(&a, out);
    if (rc == SWIM_OK && *out && !is_wanted(*out, wanted)) {
        rc = object_fail(&a.c, SWIM_ERR_ARG, "%s is not one %s, but %zu of %s", name,
                         what[wanted], (*out)->count, swim_data_name((*out)->type));
    }
    rc = attribute_end(&a, rc);
    return rc == SWIM_OK ? rc : attribute_drop(out, rc);
}

int swim_attribute_get_int(swim_file_t *file, const char *path, const char *name,
                           int64_t otherwise, int64_t *value, swim_error_t *err)
{
    struct swim_attribute *found = NULL;

    *value = 0;
    int rc = one_get(file, path, name, WANTED_INT, &found, err);
    if (rc == SWIM_OK && (!found || !as_int(found, value)))
        *value = otherwise;
    swim_attribute_free(found);
    return rc;
}

int swim_attribute_get_double(swim_file_t *file, const char *path, const char *name,
                              double otherwise, double *value, swim_error_t *err)
{
    struct swim_attribute *found = NULL;

    *value = 0;
    int rc = one_get(file, path, name, WANTED_DOUBLE, &found, err);
    if (rc == SWIM_OK)
        *value = found ? as_double(found) : otherwise;
    swim_attribute_free(found);
    return rc;
}

int swim_attribute_get_text(swim_file_t *file, const char *path, const char *name,
                            const char *otherwise, char **value, swim_error_t *err)
{
    struct swim_attribute *found = NULL;

    *value = NULL;
    int rc = one_get(file, path, name, WANTED_TEXT, &found, err);
    const char *text = found && found->values ? *(char **)found->values : otherwise;
    if (rc == SWIM_OK && text && !(*value = strdup(text)))
        rc = swim_error_set(err, SWIM_ERR_NOMEM, "read attribute %s of %s: no memory",
                            name, path);
    swim_attribute_free(found);
    return rc;
}

/* --- names */

int swim_attribute_delete(swim_file_t *file, const char *path, const char *name,
                          swim_error_t *err)
{
    struct attribute_call a;

    int rc = attribute_begin(&a, file, "delete an attribute of", path, name,
                             OBJECT_UPDATE, err);
    if (rc != SWIM_OK)
        return rc;
    if (H5Aexists(a.object, name) <= 0)
        rc = object_fail(&a.c, SWIM_ERR_ARG, "it has no attribute %s", name);
    else {
        a.c.changing = true;
        if (H5Adelete(a.object, name) < 0)
            rc = object_fail_h5(&a.c, "delete %s", name);
    }
    return attribute_end(&a, rc);
}

int swim_attribute_exists(swim_file_t *file, const char *path, const char *name,
                          bool *exists, swim_error_t *err)
{
    struct attribute_call a;

    *exists = false;
    int rc = attribute_begin(&a, file, "look for an attribute of", path, name,
                             OBJECT_READ, err);
    if (rc != SWIM_OK)
        return rc;
    *exists = H5Aexists(a.object, name) > 0;
    return attribute_end(&a, rc);
}

struct names {
    char **names;
    size_t count;
};

static herr_t names_add(hid_t object, const char *name, const H5A_info_t *info,
                        void *arg)
{
    struct names *n = arg;
    char **names = realloc(n->names, (n->count + 1) * sizeof(*names));

    (void)object;
    (void)info;
    if (!names)
        return -1;
    n->names = names;
    names[n->count] = strdup(name);
    return names[n->count] && ++n->count ? 0 : -1;
}

int swim_attribute_list(swim_file_t *file, const char *path, char ***names,
                        size_t *count, swim_error_t *err)
{
    struct attribute_call a;
    struct names n = {0};

    *names = NULL;
    *count = 0;
    int rc = attribute_begin(&a, file, "list the attributes of", path, "*", OBJECT_READ,
                             err);
    if (rc != SWIM_OK)
        return rc;
    if (H5Aiterate2(a.object, H5_INDEX_NAME, H5_ITER_INC, NULL, names_add, &n) < 0)
        rc = object_fail_h5(&a.c, "look at them");
    rc = attribute_end(&a, rc);
    if (rc == SWIM_OK) {
        *names = n.names;
        *count = n.count;
    } else
        swim_strings_free(n.names, n.count);
    return rc;
}
