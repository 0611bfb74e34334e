/* object_visit.c - all that is below a group.
 *
 * What there is is looked up before the first call of the visitor, who may change it.
 * A stack of what is still to be looked at is kept here: how deep groups lie in each
 * other is up to the file. */
#include <stdlib.h>
#include <string.h>

#include "store/object_private.h"

struct stack {
    struct swim_entry *entries;
    size_t count, room;
};

struct visit {
    struct stack pending, found;
    struct object_identity *seen; /* of those that have several names */
    size_t n_seen, room_seen;
};

/* Takes what entry points at. */
static bool stack_push(struct stack *s, const struct swim_entry *entry)
{
    if (s->count == s->room) {
        size_t room = s->room ? s->room * 2 : 64;
        struct swim_entry *entries = realloc(s->entries, room * sizeof(*entries));
        if (!entries)
            return false;
        s->entries = entries;
        s->room = room;
    }
    s->entries[s->count++] = *entry;
    return true;
}

static void entry_clear(const struct swim_entry *entry)
{
    free((char *)(uintptr_t)entry->name);
    free((char *)(uintptr_t)entry->target);
}

static void stack_clear(struct stack *s)
{
    while (s->count)
        entry_clear(&s->entries[--s->count]);
    free(s->entries);
}

static int no_memory(struct object_call *c)
{
    return object_fail(c, SWIM_ERR_NOMEM, "no memory");
}

/* Whether it was there before; it is from now on. */
static int visit_note(struct object_call *c, struct visit *v,
                      const struct object_identity *identity, bool *seen)
{
    *seen = true;
    for (size_t i = 0; i < v->n_seen; i++)
        if (memcmp(v->seen[i].bytes, identity->bytes, sizeof(identity->bytes)) == 0)
            return SWIM_OK;
    *seen = false;
    if (v->n_seen == v->room_seen) {
        size_t room = v->room_seen ? v->room_seen * 2 : 16;
        struct object_identity *all = realloc(v->seen, room * sizeof(*all));
        if (!all)
            return no_memory(c);
        v->seen = all;
        v->room_seen = room;
    }
    v->seen[v->n_seen++] = *identity;
    return SWIM_OK;
}

/* What is in a group, the first name on top. */
static int visit_group(struct object_call *c, struct visit *v, const char *path)
{
    struct swim_entry *entries = NULL;
    size_t count = 0;
    hid_t group = H5Oopen(c->file, path, c->links);

    int rc = group < 0 ? object_fail_h5(c, "open %s", path)
                       : object_links(c, group, &entries, &count);
    h5_release(group);
    for (size_t i = count; rc == SWIM_OK && i-- > 0;) {
        struct swim_entry e = entries[i];
        e.name = h5_path_join(path, entries[i].name);
        if (!e.name || !stack_push(&v->pending, &e)) {
            free((char *)(uintptr_t)e.name);
            rc = no_memory(c);
        } else
            entries[i].target = NULL; /* the stack's now */
    }
    swim_entries_free(entries);
    return rc;
}

/* One that was pending is found, unless it was before. */
static int visit_one(struct object_call *c, struct visit *v,
                     const struct swim_entry *entry)
{
    struct object_identity identity;
    bool seen = false, hard = entry->kind == SWIM_KIND_GROUP ||
                              entry->kind == SWIM_KIND_DATASET ||
                              entry->kind == SWIM_KIND_NAMED_TYPE;
    int rc = SWIM_OK;

    if (hard && !object_identify(c->file, entry->name, &identity))
        rc = object_fail_h5(c, "look at %s", entry->name);
    else if (hard && identity.names > 1)
        rc = visit_note(c, v, &identity, &seen);
    if (rc == SWIM_OK && !seen && entry->kind == SWIM_KIND_GROUP)
        rc = visit_group(c, v, entry->name);
    if (rc == SWIM_OK && !seen && stack_push(&v->found, entry))
        return rc;
    if (rc == SWIM_OK && !seen)
        rc = no_memory(c);
    entry_clear(entry);
    return rc;
}

static int visit_collect(struct object_call *c, struct visit *v)
{
    hid_t group = H5I_INVALID_HID;
    struct object_identity identity;
    bool seen = false;

    int rc = object_open(c, SWIM_KIND_GROUP, false, &group);
    h5_release(group);
    if (rc != SWIM_OK)
        return rc;
    if (!object_identify(c->file, c->path, &identity))
        return object_fail_h5(c, "look at it");
    rc = visit_note(c, v, &identity, &seen);
    if (rc == SWIM_OK)
        rc = visit_group(c, v, c->path);
    while (rc == SWIM_OK && v->pending.count) {
        struct swim_entry e = v->pending.entries[--v->pending.count];
        rc = visit_one(c, v, &e);
    }
    return rc;
}

static int visit_calls(swim_file_t *file, const struct visit *v, swim_visit_fn fn,
                       void *arg, swim_error_t *err)
{
    int rc = 0;

    file->visits++;
    for (size_t i = 0; rc == 0 && i < v->found.count; i++)
        rc = fn(arg, &v->found.entries[i], err);
    file->visits--;
    return rc > 0 ? SWIM_OK : rc;
}

int swim_object_visit(swim_file_t *file, const char *path, swim_visit_fn fn, void *arg,
                      swim_error_t *err)
{
    struct object_call c;
    struct visit v = {0};

    if (!file || !fn)
        return swim_error_set(err, SWIM_ERR_ARG, "visit %s: the %s is NULL",
                              path ? path : "an object", file ? "visitor" : "file");
    bool own = !file->session;
    int rc = own ? swim_file_begin(file, SWIM_LOCK_READ, err) : SWIM_OK;
    if (rc != SWIM_OK)
        return rc;
    rc = object_begin(&c, file, "visit", path, OBJECT_READ, err);
    if (rc == SWIM_OK)
        rc = object_end(&c, visit_collect(&c, &v));
    if (rc == SWIM_OK)
        rc = visit_calls(file, &v, fn, arg, err);
    if (own)
        (void)swim_file_abort(file, NULL);
    stack_clear(&v.pending);
    stack_clear(&v.found);
    free(v.seen);
    return rc;
}
