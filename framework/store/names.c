/* names.c - which datasets a file has, for hints when one is not there. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/text.h"
#include "store/hdf5_version.h"
#include "store/store_private.h"

#define NAMES_MAX 4096 /* more are not looked at: a hint need not be complete */
#define HINTS_MAX 3
#define TARGET_MOST 200 /* a link to a longer name is not told of */

struct each {
    hid_t object;
    int (*fn)(hid_t object, const char *path, void *arg);
    void *arg;
};

static herr_t each_visit(hid_t object, const char *name, const hdf5_object_info_t *info,
                         void *arg)
{
    struct each *each = (struct each *)arg;

    (void)object;
    return info->type == H5O_TYPE_DATASET ? each->fn(each->object, name, each->arg) : 0;
}

int names_each_dataset(hid_t object, int (*fn)(hid_t object, const char *path, void *),
                       void *arg)
{
    struct each each = {object, fn, arg};

    return HDF5_OBJECT_VISIT(object, H5_ITER_NATIVE, each_visit, &each);
}

struct names {
    char *path[NAMES_MAX];
    const char *base[NAMES_MAX];
    size_t n;
};

static int names_add(hid_t object, const char *path, void *arg)
{
    struct names *names = (struct names *)arg;
    char *normal = h5_path_normal(path);

    (void)object;
    if (!normal)
        return -1;
    names->path[names->n] = normal;
    names->base[names->n] = h5_path_base(normal);
    names->n++;
    return names->n == NAMES_MAX;
}

/* Take the name nearest to word out of words and move its path to the front part that
 * begins at done. */
static bool names_pick(struct names *names, const char *word, const char *const *words,
                       size_t done)
{
    const char *found = swim_text_nearest(word, words + done, names->n - done);
    size_t i = done;

    if (!found)
        return false;
    while (words[i] != found)
        i++;
    char *path = names->path[i];
    const char *base = names->base[i];
    names->path[i] = names->path[done];
    names->base[i] = names->base[done];
    names->path[done] = path;
    names->base[done] = base;
    return true;
}

static void names_join(const struct names *names, size_t n, const char *between,
                       const char *end, char *buf, size_t size)
{
    size_t used = strlen(buf);

    for (size_t i = 0; i < n && used < size; i++)
        used += (size_t)snprintf(buf + used, size - used, "%s%s", i ? between : "",
                                 names->path[i]);
    if (used < size)
        snprintf(buf + used, size - used, "%s", end);
}

/* The name is there and is a link: where to, for nothing is there. */
static bool names_link(hid_t file, const char *path, char *buf, size_t size)
{
    const char *other = NULL, *object = NULL;
    char target[TARGET_MOST] = "";
    hdf5_link_info_t info;

    if (!path[0] || HDF5_LINK_INFO(file, path, &info) < 0 ||
        info.type == H5L_TYPE_HARD || info.u.val_size >= sizeof(target) ||
        H5Lget_val(file, path, target, sizeof(target), H5P_DEFAULT) < 0)
        return false;
    if (info.type == H5L_TYPE_SOFT)
        snprintf(buf, size, "the name is a link to %s, where nothing is", target);
    else if (info.type == H5L_TYPE_EXTERNAL &&
             H5Lunpack_elink_val(target, info.u.val_size, NULL, &other, &object) >= 0)
        snprintf(
            buf, size,
            "the name is a link to %s in the file %s, which is not there or cannot "
            "be opened",
            object, other);
    else
        return false;
    return true;
}

const char *names_hint(hid_t file, const char *path, char *buf, size_t size)
{
    struct names *names = NULL;
    size_t near = 0;

    if (names_link(file, path, buf, size))
        return buf;
    names = (struct names *)calloc(1, sizeof(*names));

    snprintf(buf, size, "the file has no datasets");
    if (!names)
        return buf;
    names_each_dataset(file, names_add, names);
    while (near < HINTS_MAX && names_pick(names, h5_path_base(path), names->base, near))
        near++;
    while (near < HINTS_MAX &&
           names_pick(names, path, (const char *const *)names->path, near))
        near++;
    if (near) {
        snprintf(buf, size, "did you mean ");
        names_join(names, near, " or ", "?", buf, size);
    } else if (names->n) {
        snprintf(buf, size, "the file has ");
        names_join(names, names->n < 5 ? names->n : 5, ", ",
                   names->n > 5 ? ", ..." : "", buf, size);
    }
    for (size_t i = 0; i < names->n; i++)
        free(names->path[i]);
    free(names);
    return buf;
}
