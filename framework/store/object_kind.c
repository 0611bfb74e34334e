/* object_kind.c - what paths lead to. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/hdf5_version.h"
#include "store/object_private.h"

const char *swim_kind_name(enum swim_kind kind)
{
    static const char *const names[] = {"nothing",    "group",     "dataset",
                                        "named type", "soft link", "external link",
                                        "other link"};
    size_t n = (size_t)kind;

    return n < sizeof(names) / sizeof(names[0]) ? names[n] : "unknown kind";
}

static enum swim_kind kind_of_id(hid_t object)
{
    switch (H5Iget_type(object)) {
    case H5I_GROUP:
        return SWIM_KIND_GROUP;
    case H5I_DATASET:
        return SWIM_KIND_DATASET;
    case H5I_DATATYPE:
        return SWIM_KIND_NAMED_TYPE;
    default:
        return SWIM_KIND_OTHER;
    }
}

static enum swim_kind kind_of_link(const hdf5_link_info_t *info)
{
    if (info->type == H5L_TYPE_SOFT)
        return SWIM_KIND_SOFT_LINK;
    return info->type == H5L_TYPE_EXTERNAL ? SWIM_KIND_EXTERNAL_LINK : SWIM_KIND_OTHER;
}

enum swim_kind object_kind_of(hid_t file, const char *path, hid_t links)
{
    hdf5_link_info_t info;
    hid_t object = H5Oopen(file, path, links);

    if (object >= 0) {
        enum swim_kind kind = kind_of_id(object);
        h5_release(object);
        return kind;
    }
    return HDF5_LINK_INFO(file, path, &info) < 0 ? SWIM_KIND_NONE : kind_of_link(&info);
}

bool object_identify(hid_t file, const char *path, struct object_identity *identity)
{
    hdf5_object_info_t info;
    hid_t object = H5Oopen(file, path, H5P_DEFAULT);
    bool is = object >= 0 && HDF5_OBJECT_INFO(object, &info) >= 0;

    h5_release(object);
    memset(identity, 0, sizeof(*identity));
    if (!is)
        return false;
    _Static_assert(sizeof(info.fileno) + sizeof(info.HDF5_OBJECT_PLACE) <=
                       sizeof(identity->bytes),
                   "room for it");
    identity->names = info.rc;
    memcpy(identity->bytes, &info.fileno, sizeof(info.fileno));
    memcpy(identity->bytes + sizeof(info.fileno), &info.HDF5_OBJECT_PLACE,
           sizeof(info.HDF5_OBJECT_PLACE));
    return true;
}

/* Whether an object is in the file of the call, not in one that it links to. */
static bool is_of_call(const struct object_call *c, hid_t object)
{
    char mine[PATH_MAX], other[PATH_MAX];
    ssize_t n = H5Fget_name(c->file, mine, sizeof(mine));

    return n > 0 && H5Fget_name(object, other, sizeof(other)) == n &&
           strcmp(mine, other) == 0;
}

static int other_file(struct object_call *c, const char *path)
{
    return object_fail(c, SWIM_ERR_ARG,
                       "%s is in another file, which is only read from here (open "
                       "that file)",
                       path);
}

/* Why there is no object at path. */
static int nowhere(struct object_call *c, const char *path)
{
    char cause[400];

    int code = object_cause(cause, sizeof(cause));
    if (code != SWIM_ERR_IO)
        return object_fail(c, code, "%s", cause);
    switch (object_kind_of(c->file, path, c->links)) {
    case SWIM_KIND_NONE:
        return object_fail(c, SWIM_ERR_ARG, "there is no %s", path);
    case SWIM_KIND_SOFT_LINK:
    case SWIM_KIND_EXTERNAL_LINK:
        return object_fail(c, SWIM_ERR_ARG, "%s is a link that leads nowhere", path);
    default:
        return object_fail(c, SWIM_ERR_IO, "open it: %s", cause);
    }
}

static int open_at(struct object_call *c, const char *path, enum swim_kind kind,
                   bool changes, hid_t *object)
{
    *object = H5Oopen(c->file, path, c->links);
    if (*object < 0)
        return nowhere(c, path);
    enum swim_kind is = kind_of_id(*object);
    int rc = SWIM_OK;
    if (kind != SWIM_KIND_NONE && is != kind)
        rc = object_fail(c, SWIM_ERR_ARG, "%s is a %s, not a %s", path,
                         swim_kind_name(is), swim_kind_name(kind));
    else if (is != SWIM_KIND_GROUP && is != SWIM_KIND_DATASET)
        rc = object_fail(c, SWIM_ERR_ARG, "%s is a %s", path, swim_kind_name(is));
    else if (changes && !is_of_call(c, *object))
        rc = other_file(c, path);
    if (rc != SWIM_OK) {
        h5_release(*object);
        *object = H5I_INVALID_HID;
    }
    return rc;
}

int object_open(struct object_call *c, enum swim_kind kind, bool changes, hid_t *object)
{
    return open_at(c, c->path, kind, changes, object);
}

/* The first n bytes of the call's path, "/" for none. */
static char *path_prefix(const struct object_call *c, size_t n)
{
    return n ? strndup(c->path, n) : strdup("/");
}

int object_open_parent(struct object_call *c, hid_t *group)
{
    *group = H5I_INVALID_HID;
    char *parent = path_prefix(c, (size_t)(strrchr(c->path, '/') - c->path));
    if (!parent)
        return object_fail(c, SWIM_ERR_NOMEM, "no memory");
    int rc = open_at(c, parent, SWIM_KIND_GROUP, true, group);
    free(parent);
    return rc;
}

int object_check_free(struct object_call *c)
{
    int rc = SWIM_OK;
    enum swim_kind kind = SWIM_KIND_GROUP;

    if (strcmp(c->path, "/") == 0)
        return object_fail(c, SWIM_ERR_ARG, "it is there already");
    for (size_t n = 1; rc == SWIM_OK && c->path[n]; n++) {
        hid_t group = H5I_INVALID_HID;
        n += strcspn(c->path + n, "/");
        if (!c->path[n])
            break;
        char *path = path_prefix(c, n);
        if (!path)
            return object_fail(c, SWIM_ERR_NOMEM, "no memory");
        kind = object_kind_of(c->file, path, c->links);
        if (kind != SWIM_KIND_NONE)
            rc = open_at(c, path, SWIM_KIND_GROUP, true, &group);
        h5_release(group);
        free(path);
        if (kind == SWIM_KIND_NONE)
            return rc;
    }
    if (rc != SWIM_OK)
        return rc;
    kind = object_kind_of(c->file, c->path, c->links);
    if (kind != SWIM_KIND_NONE)
        return object_fail(c, SWIM_ERR_ARG, "there is a %s of that name already",
                           swim_kind_name(kind));
    return rc;
}

/* --- lists */

struct listing {
    struct swim_entry *entries; /* with one more, of zeros */
    size_t count, room;
};

void swim_entries_free(struct swim_entry *entries)
{
    for (struct swim_entry *e = entries; e && e->name; e++) {
        free((char *)(uintptr_t)e->name);
        free((char *)(uintptr_t)e->target);
    }
    free(entries);
}

/* Of a soft or external link; NULL: no memory, or unreadable. */
static char *link_target(hid_t group, const char *name, const hdf5_link_info_t *info)
{
    const char *file = NULL, *path = NULL;
    size_t size = info->u.val_size;
    char *value = calloc(1, size + 1);

    if (value && H5Lget_val(group, name, value, size, H5P_DEFAULT) >= 0) {
        if (info->type == H5L_TYPE_SOFT)
            return value;
        if (H5Lunpack_elink_val(value, size, NULL, &file, &path) >= 0) {
            size_t room = strlen(file) + strlen(path) + 2;
            char *target = malloc(room);
            if (target)
                snprintf(target, room, "%s:%s", file, path);
            free(value);
            return target;
        }
    }
    free(value);
    return NULL;
}

static bool listing_grow(struct listing *l)
{
    if (l->count + 1 < l->room)
        return true;
    size_t room = l->room ? l->room * 2 : 16;
    struct swim_entry *entries = realloc(l->entries, room * sizeof(*entries));
    if (!entries)
        return false;
    l->entries = entries;
    l->room = room;
    memset(&entries[l->count], 0, sizeof(*entries));
    return true;
}

static herr_t listing_add(hid_t group, const char *name, const hdf5_link_info_t *info,
                          void *arg)
{
    struct listing *l = arg;
    bool hard = info->type == H5L_TYPE_HARD, has_target = false;

    if (!listing_grow(l))
        return -1;
    struct swim_entry *e = &l->entries[l->count];
    e->kind = hard ? object_kind_of(group, name, H5P_DEFAULT) : kind_of_link(info);
    has_target = e->kind == SWIM_KIND_SOFT_LINK || e->kind == SWIM_KIND_EXTERNAL_LINK;
    e->target = has_target ? link_target(group, name, info) : NULL;
    e->name = strdup(name);
    if (!e->name || (has_target && !e->target)) {
        free((char *)(uintptr_t)e->name);
        free((char *)(uintptr_t)e->target);
        memset(e, 0, sizeof(*e));
        return -1;
    }
    memset(e + 1, 0, sizeof(*e));
    l->count++;
    return 0;
}

int object_links(struct object_call *c, hid_t group, struct swim_entry **entries,
                 size_t *count)
{
    struct listing l = {0};

    *entries = NULL;
    *count = 0;
    if (!listing_grow(&l))
        return object_fail(c, SWIM_ERR_NOMEM, "no memory");
    if (HDF5_LINK_ITERATE(group, listing_add, &l) < 0) {
        int rc = object_fail_h5(c, "list its links");
        swim_entries_free(l.entries);
        return rc;
    }
    *entries = l.entries;
    *count = l.count;
    return SWIM_OK;
}
