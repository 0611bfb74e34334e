/* shards_look.c - whether the shards of an output are there, and its own. */
#include "store/shards_look.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "store/output_private.h"

/* What one dataset of the master takes from one of another file. */
struct part {
    char *file, *dataset;
    char *digest; /* of the finished master; NULL: it goes on */
    int ndim;
    hsize_t end[H5S_MAX_RANK]; /* so much of it is taken, at least */
};

struct parts {
    struct part *list;
    size_t n;
    int rc;
};

static void part_end(struct part *part)
{
    free(part->file);
    free(part->dataset);
    free(part->digest);
}

/* --- what the master names ---------------------------------------------------------
 */

typedef ssize_t name_of_mapping(hid_t dcpl, size_t index, char *name, size_t size);

static char *mapping_name(name_of_mapping *get, hid_t dcpl, size_t index)
{
    ssize_t n = get(dcpl, index, NULL, 0);
    char *name = n > 0 ? malloc((size_t)n + 1) : NULL;

    if (name && get(dcpl, index, name, (size_t)n + 1) != n) {
        free(name);
        return NULL;
    }
    return name;
}

/* The part of the list that has these names, which are its or freed; NULL: there was no
 * memory, also for one of them. */
static struct part *parts_get(struct parts *parts, char *file, char *dataset,
                              const char *digest)
{
    struct part part = {.file = file, .dataset = dataset};
    struct part *list = NULL;

    for (size_t i = file && dataset ? parts->n : 0; i-- > 0;)
        if (strcmp(parts->list[i].file, file) == 0 &&
            strcmp(parts->list[i].dataset, dataset) == 0) {
            part_end(&part);
            return &parts->list[i];
        }
    part.digest = digest ? strdup(digest) : NULL;
    if (file && dataset)
        list = reallocarray(parts->list, parts->n + 1, sizeof(*list));
    if (!list || (digest && !part.digest)) {
        part_end(&part);
        parts->list = list ? list : parts->list;
        return NULL;
    }
    parts->list = list;
    list[parts->n] = part;
    return &list[parts->n++];
}

static void part_cover(struct part *part, hid_t dcpl, size_t index)
{
    hsize_t first[H5S_MAX_RANK], last[H5S_MAX_RANK];
    hid_t space = H5Pget_virtual_srcspace(dcpl, index);

    if (space >= 0 && H5Sget_select_bounds(space, first, last) >= 0) {
        part->ndim = H5Sget_simple_extent_ndims(space);
        for (int i = 0; i < part->ndim; i++)
            if (part->end[i] < last[i] + 1)
                part->end[i] = last[i] + 1;
    }
    h5_release(space);
}

static int parts_of_mappings(struct parts *parts, hid_t dcpl, const char *digest)
{
    size_t n = 0;

    if (H5Pget_layout(dcpl) != H5D_VIRTUAL || H5Pget_virtual_count(dcpl, &n) < 0)
        return SWIM_OK;
    for (size_t i = 0; i < n; i++) {
        char *file = mapping_name(H5Pget_virtual_filename, dcpl, i);
        char *dataset = mapping_name(H5Pget_virtual_dsetname, dcpl, i);
        struct part *part = parts_get(parts, file, dataset, digest);
        if (!part)
            return SWIM_ERR_NOMEM;
        part_cover(part, dcpl, i);
    }
    return SWIM_OK;
}

/* Others' virtual datasets may well have sources that are not there. */
static int parts_of_dataset(hid_t object, const char *path, void *arg)
{
    struct parts *parts = arg;
    hid_t set = H5Dopen2(object, path, H5P_DEFAULT);
    hid_t dcpl = set < 0 ? H5I_INVALID_HID : H5Dget_create_plist(set);
    char *digest = NULL;
    bool finished = dcpl >= 0 && h5_attr_exists(set, FINISHED) &&
                    h5_attr_text(set, FINISHED, &digest, NULL) == SWIM_OK;

    if (finished || (dcpl >= 0 && h5_attr_exists(set, UNFINISHED)))
        parts->rc = parts_of_mappings(parts, dcpl, digest);
    free(digest);
    h5_release(dcpl);
    h5_release(set);
    return parts->rc == SWIM_OK ? 0 : 1;
}

/* --- what is beside it ------------------------------------------------------------ */

static const char *judge_job(hid_t set, const struct part *part)
{
    const char *name = h5_attr_exists(set, UNFINISHED) ? UNFINISHED : FINISHED;
    char *mark = NULL;

    bool same = !part->digest || (h5_attr_text(set, name, &mark, NULL) == SWIM_OK &&
                                  output_same_job(mark, part->digest));
    free(mark);
    return same ? NULL : "is of another job";
}

static const char *judge_shape(hid_t set, const struct part *part)
{
    hsize_t dims[H5S_MAX_RANK];
    hid_t space = H5Dget_space(set);
    bool fits = space >= 0 && H5Sget_simple_extent_ndims(space) == part->ndim &&
                H5Sget_simple_extent_dims(space, dims, NULL) >= 0;

    h5_release(space);
    for (int i = 0; fits && i < part->ndim; i++)
        fits = part->end[i] <= dims[i];
    return fits ? NULL : "has a dataset of another shape";
}

static const char *judge_part(hid_t file, const struct part *part)
{
    hid_t set = H5Dopen2(file, part->dataset, H5P_DEFAULT);
    const char *why = set < 0 ? "has not the dataset" : judge_job(set, part);

    if (!why)
        why = judge_shape(set, part);
    h5_release(set);
    return why;
}

static const char *judge_name(hid_t file, const char *shard_of)
{
    char *name = NULL;

    bool is = h5_attr_exists(file, SHARD_OF) &&
              h5_attr_text(file, SHARD_OF, &name, NULL) == SWIM_OK &&
              (!shard_of || strcmp(name, shard_of) == 0);
    free(name);
    return is ? NULL : "is no shard of it";
}

static const char *judge_file(hid_t file, const char *shard_of, const char *name,
                              const struct parts *parts)
{
    const char *why = judge_name(file, shard_of);

    for (size_t i = 0; !why && i < parts->n; i++)
        if (strcmp(parts->list[i].file, name) == 0)
            why = judge_part(file, &parts->list[i]);
    return why;
}

static int look_at(const char *path, const char *name, const struct parts *parts,
                   const struct shards_look *look, swim_error_t *err)
{
    hid_t file = H5I_INVALID_HID;
    swim_error_t why = {0};
    const char *bad = NULL;
    struct stat st;
    int rc = SWIM_OK;

    if (stat(path, &st) != 0 && (errno == ENOENT || errno == ENOTDIR))
        return look->tell(look->arg, path, "is not there", err);
    rc = look->open(look->arg, path, &file, &why);
    if (rc == SWIM_OK)
        bad = judge_file(file, look->shard_of, name, parts);
    else if (rc == SWIM_ERR_ARG || rc == SWIM_ERR_IO || rc == SWIM_ERR_CORRUPT)
        bad = "cannot be read";
    else
        return swim_error_set(err, rc, "%s", why.text);
    h5_release(file);
    H5Eclear2(H5E_DEFAULT);
    return look->tell(look->arg, path, bad, err);
}

static bool was_before(const struct parts *parts, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (strcmp(parts->list[i].file, parts->list[at].file) == 0)
            return true;
    return false;
}

int shards_look(hid_t master, const char *path, const struct shards_look *look,
                swim_error_t *err)
{
    const int folder = (int)(h5_path_base(path) - path);
    struct parts parts = {.n = 0};

    names_each_dataset(master, parts_of_dataset, &parts);
    H5Eclear2(H5E_DEFAULT);
    int rc = parts.rc == SWIM_OK
                 ? SWIM_OK
                 : swim_error_set(err, parts.rc, "look at the shards of %s", path);
    for (size_t i = 0; rc == SWIM_OK && i < parts.n; i++) {
        const char *name = parts.list[i].file;
        char *shard = NULL;
        if (was_before(&parts, i))
            continue;
        if (asprintf(&shard, "%.*s%s", name[0] == '/' ? 0 : folder, path, name) < 0)
            rc = swim_error_set(err, SWIM_ERR_NOMEM, "look at the shards of %s", path);
        else
            rc = look_at(shard, name, &parts, look, err);
        free(shard);
    }
    for (size_t i = 0; i < parts.n; i++)
        part_end(&parts.list[i]);
    free(parts.list);
    return rc;
}

/* --- of an output that a job finds finished ----------------------------------------
 */

struct found {
    const char *master;
    const struct store_access *access;
};

static int found_open(void *arg, const char *path, hid_t *file, swim_error_t *err)
{
    const struct found *found = arg;

    return h5_file_open(path, false, found->access, NULL, file, NULL, err);
}

static int found_tell(void *arg, const char *path, const char *why, swim_error_t *err)
{
    const struct found *found = arg;

    return why ? swim_error_set(err, SWIM_ERR_ARG,
                                "%s, with data of %s, %s; put it back, or --overwrite "
                                "makes it anew",
                                path, found->master, why)
               : SWIM_OK;
}

int output_look_shards(const char *file, const struct store_access *access,
                       swim_error_t *err)
{
    struct found found = {file, access};
    const struct shards_look look = {.open = found_open,
                                     .tell = found_tell,
                                     .arg = &found,
                                     .shard_of = h5_path_base(file)};
    hid_t id = H5I_INVALID_HID;
    int rc = h5_file_open(file, false, access, NULL, &id, NULL, err);

    if (rc == SWIM_OK)
        rc = shards_look(id, file, &look, err);
    h5_release(id);
    return rc;
}
