/* verdict_shards.c - the shards of an output in several files, each with its verdict.
 *
 * HDF5 reads the state of the files that the verdict is on, by a driver that takes no
 * lock and changes nothing. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "lock/resource.h"
#include "store/hdf5_version.h"
#include "store/shards_look.h"
#include "store/source.h"
#include "store/verdict_private.h"

/* --- the driver ------------------------------------------------------------------- */

struct view {
    H5FD_t head; /* HDF5's */
    struct verdict *verdict;
    haddr_t eoa;
};

static struct view *of(const H5FD_t *head)
{
    return (struct view *)(uintptr_t)head;
}

/* Others' virtual datasets and links lead to files that are not looked at. */
static H5FD_t *view_open(const char *name, unsigned flags, hid_t fapl, haddr_t maxaddr)
{
    struct verdict *const *given = H5Pget_driver_info(fapl);
    struct view *view = NULL;

    (void)maxaddr;
    if (flags == H5F_ACC_RDONLY && given && strcmp((*given)->path, name) == 0)
        view = calloc(1, sizeof(*view));
    if (!view)
        return NULL;
    view->verdict = *given;
    return &view->head;
}

static herr_t view_close(H5FD_t *head)
{
    free(of(head));
    return 0;
}

static int view_cmp(const H5FD_t *a, const H5FD_t *b)
{
    uintptr_t x = (uintptr_t)of(a)->verdict, y = (uintptr_t)of(b)->verdict;

    return (x > y) - (x < y);
}

static herr_t view_query(const H5FD_t *head, unsigned long *flags)
{
    (void)head;
    *flags = 0;
    return 0;
}

static haddr_t view_get_eoa(const H5FD_t *head, H5FD_mem_t type)
{
    (void)type;
    return of(head)->eoa;
}

static herr_t view_set_eoa(H5FD_t *head, H5FD_mem_t type, haddr_t addr)
{
    (void)type;
    of(head)->eoa = addr;
    return 0;
}

static haddr_t view_get_eof(const H5FD_t *head, H5FD_mem_t type)
{
    (void)type;
    return of(head)->verdict->journal.last.size;
}

static herr_t view_read(H5FD_t *head, H5FD_mem_t type, hid_t dxpl, haddr_t addr,
                        size_t size, void *buffer)
{
    (void)type;
    (void)dxpl;
    return verdict_read(of(head)->verdict, buffer, size, addr, NULL) == SWIM_OK ? 0
                                                                                : -1;
}

static herr_t view_write(H5FD_t *head, H5FD_mem_t type, hid_t dxpl, haddr_t addr,
                         size_t size, const void *buffer)
{
    (void)head;
    (void)type;
    (void)dxpl;
    (void)addr;
    (void)size;
    (void)buffer;
    return -1;
}

static const H5FD_class_t view_class = {
    HDF5_CLASS_HEAD.name = "h5swim-check",
    .maxaddr = JOURNAL_PLACE_MAX,
    .fc_degree = H5F_CLOSE_STRONG,
    .fapl_size = sizeof(struct verdict *),
    .open = view_open,
    .close = view_close,
    .cmp = view_cmp,
    .query = view_query,
    .get_eoa = view_get_eoa,
    .set_eoa = view_set_eoa,
    .get_eof = view_get_eof,
    .read = view_read,
    .write = view_write,
    .fl_map = H5FD_FLMAP_DICHOTOMY,
};

/* H5I_INVALID_HID: it is nothing that HDF5 opens. */
static hid_t open_view(struct verdict *v)
{
    hid_t driver = H5FDregister(&view_class), fapl = H5Pcreate(H5P_FILE_ACCESS);
    hid_t file = H5I_INVALID_HID;

    if (driver >= 0 && fapl >= 0 && H5Pset_driver(fapl, driver, &v) >= 0)
        file = H5Fopen(v->path, H5F_ACC_RDONLY, fapl);
    if (fapl >= 0)
        H5Pclose(fapl);
    if (driver >= 0)
        H5FDunregister(driver);
    H5Eclear2(H5E_DEFAULT);
    return file;
}

/* --- one shard -------------------------------------------------------------------- */

struct looking {
    struct verdict *master, *shard;
    const struct verdict_options *options;
};

static int look_open(void *arg, const char *path, hid_t *file, swim_error_t *err)
{
    struct looking *l = arg;
    char real[PATH_MAX];
    int rc = resource_real_path(path, real, sizeof(real), err);

    if (rc == SWIM_OK)
        rc = verdict_open(&l->shard, real, l->options, err);
    if (rc == SWIM_OK && l->shard->is > VERDICT_RECOVERABLE)
        return SWIM_ERR_CORRUPT;
    if (rc == SWIM_OK)
        *file = open_view(l->shard);
    return rc == SWIM_OK && *file < 0 ? SWIM_ERR_IO : rc;
}

static int look_tell(void *arg, const char *path, const char *why, swim_error_t *err)
{
    struct looking *l = arg;
    struct verdict *v = l->master;
    struct verdict_shard *list =
        reallocarray(v->shards, v->n_shards + 1, sizeof(*list));
    struct verdict_shard shard = {.path = strdup(path), .why = why};

    if (l->shard) {
        shard.is = l->shard->is;
        shard.commits = l->shard->commits;
        shard.found = l->shard->why;
    }
    verdict_close(l->shard);
    l->shard = NULL;
    if (list)
        v->shards = list;
    if (!list || !shard.path) {
        free(shard.path);
        return swim_error_set(err, SWIM_ERR_NOMEM, "look at %s: no memory", path);
    }
    list[v->n_shards++] = shard;
    v->bad_shards += why != NULL;
    return SWIM_OK;
}

int verdict_look_at_shards(struct verdict *v, const struct verdict_options *options,
                           swim_error_t *err)
{
    struct looking l = {v, NULL, options};
    const struct shards_look look = {.open = look_open, .tell = look_tell, .arg = &l};

    if (v->is > VERDICT_RECOVERABLE)
        return SWIM_OK;
    store_quiet();
    hid_t file = open_view(v);
    if (file < 0)
        return SWIM_OK;
    int rc = shards_look(file, v->path, &look, err);
    H5Fclose(file);
    H5Eclear2(H5E_DEFAULT);
    if (rc == SWIM_OK && v->bad_shards) {
        v->is = VERDICT_DAMAGED;
        (void)swim_error_set(&v->why, SWIM_ERR_CORRUPT,
                             "of the %zu shards that have its data %zu %s not there, "
                             "or not as they have to be",
                             v->n_shards, v->bad_shards,
                             v->bad_shards == 1 ? "is" : "are");
    }
    return rc;
}
