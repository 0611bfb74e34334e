/* object_group.c - groups, and what is in them. */
#include <string.h>

#include "store/object_private.h"

int swim_object_kind(swim_file_t *file, const char *path, enum swim_kind *kind,
                     swim_error_t *err)
{
    struct object_call c;

    *kind = SWIM_KIND_NONE;
    int rc = object_begin(&c, file, "look at", path, OBJECT_READ, err);
    if (rc != SWIM_OK)
        return rc;
    *kind = object_kind_of(c.file, c.path, c.links);
    return object_end(&c, rc);
}

static int group_make(struct object_call *c)
{
    int rc = object_check_free(c);

    if (rc != SWIM_OK)
        return rc;
    c->changing = true;
    hid_t group = H5Gcreate2(c->file, c->path, c->names, H5P_DEFAULT, H5P_DEFAULT);
    if (group < 0)
        return object_fail_h5(c, "make the group");
    h5_release(group);
    return rc;
}

int swim_group_create(swim_file_t *file, const char *path, swim_error_t *err)
{
    struct object_call c;

    int rc = object_begin(&c, file, "create group", path, OBJECT_UPDATE, err);
    return rc == SWIM_OK ? object_end(&c, group_make(&c)) : rc;
}

int swim_group_require(swim_file_t *file, const char *path, swim_error_t *err)
{
    struct object_call c;

    int rc = object_begin(&c, file, "require group", path, OBJECT_UPDATE, err);
    if (rc != SWIM_OK)
        return rc;
    if (object_kind_of(c.file, c.path, c.links) != SWIM_KIND_GROUP)
        rc = group_make(&c);
    return object_end(&c, rc);
}

static int object_delete(struct object_call *c)
{
    hid_t parent = H5I_INVALID_HID;

    if (strcmp(c->path, "/") == 0)
        return object_fail(c, SWIM_ERR_ARG, "the root cannot be deleted");
    int rc = object_open_parent(c, &parent);
    if (rc != SWIM_OK)
        return rc;
    const char *name = h5_path_base(c->path);
    if (H5Lexists(parent, name, H5P_DEFAULT) <= 0)
        rc = object_fail(c, SWIM_ERR_ARG, "there is no such object");
    else {
        c->changing = true;
        if (H5Ldelete(parent, name, H5P_DEFAULT) < 0)
            rc = object_fail_h5(c, "take its name away");
    }
    h5_release(parent);
    return rc;
}

int swim_object_delete(swim_file_t *file, const char *path, swim_error_t *err)
{
    struct object_call c;

    int rc = object_begin(&c, file, "delete", path, OBJECT_UPDATE, err);
    return rc == SWIM_OK ? object_end(&c, object_delete(&c)) : rc;
}

int swim_group_list(swim_file_t *file, const char *path, struct swim_entry **entries,
                    size_t *count, swim_error_t *err)
{
    struct object_call c;
    hid_t group = H5I_INVALID_HID;

    *entries = NULL;
    *count = 0;
    int rc = object_begin(&c, file, "list", path, OBJECT_READ, err);
    if (rc != SWIM_OK)
        return rc;
    rc = object_open(&c, SWIM_KIND_GROUP, false, &group);
    if (rc == SWIM_OK)
        rc = object_links(&c, group, entries, count);
    h5_release(group);
    rc = object_end(&c, rc);
    if (rc != SWIM_OK) {
        swim_entries_free(*entries);
        *entries = NULL;
        *count = 0;
    }
    return rc;
}
